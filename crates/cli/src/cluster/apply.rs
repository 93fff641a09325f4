//! `kubesso cluster apply`: the plan is shown, asked for, done, proved; and taken back where the proof fails.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use jiff::SignedDuration;
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_clusters::{
    HostCommand, InForce, MANIFEST, Plan, PlanError, Request, Target, Verdict, Word, loaded_hash, look, plan,
};
use kubesso_directory::Secret;
use serde::Serialize;
use url::Url;

use super::check::{connect, kubeconfig_of, version_of};
use super::host::Machine;
use super::journal::{Entry, Journal, Kept, Saved, State};
use super::proof::{Proof, Proven};
use super::{config, live, target_of, whom};
use crate::api_server::ApiServer;
use crate::args::{ClusterApply, OutputFormat, Spot};
use crate::error::CommandError;
use crate::output;

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    result: Result_,
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<&'a Proven>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Result_ {
    NothingToDo,
    Planned,
    Applied,
    TakenBack,
}

/// Runs it.
pub(super) async fn run(command: &ClusterApply) -> Result<ExitCode, CommandError> {
    let spot = &command.spot;
    let here = Here::new(spot)?;
    let access = whom::access(&command.whom).await?;
    let server = here.server(spot).await;
    let version = match command.kubernetes_version {
        Some(version) => version,
        None => version_of(server.as_ref().ok()).await,
    };
    let request = Request { form: command.form.map(Into::into), ..Request::new(&access, version) };
    let plan = match plan(&request, here.target, &here.machine, &here.manifest) {
        Ok(plan) => plan,
        Err(PlanError::Impossible(impossible)) => {
            output::print(spot.output.format, &impossible.restrictions, || config::refusal(&impossible))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => {
            return Err(CommandError::because("there is nothing that could be changed here", &error));
        }
    };
    let say = Say { format: spot.output.format };
    if plan.is_done() {
        return nothing_to_do(&plan, server.ok(), &say).await;
    }
    say.text(&screen(&plan, &here))?;
    if spot.dry_run {
        say.result(Result_::Planned, &plan, None, None, "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = command.test_token_file.as_deref().map(token).transpose()?;
    let journal = Journal::open(&here.backups)?;
    if let Some(kept) = journal.last(here.target.name(), &here.place)?
        && kept.entry.state == State::Began
    {
        return Err(CommandError::new("a change was interrupted half way")
            .mend(format!("take it back first: kubesso cluster rollback --for {}", here.target.name())));
    }
    let proof = proof(spot, server, token).await?;
    if !confirmed(spot, "Change it?")? {
        return Ok(ExitCode::FAILURE);
    }
    let done = here.apply(&plan, &journal, proof, spot, &say).await?;
    match done {
        Done::Applied { proven, file } => {
            let mut text = String::from("Done.\n");
            match &proven {
                Some(proven) => proven.tell(&mut text),
                None => text.push_str("Nothing was proved (--danger-without-proof).\n"),
            }
            let _ = writeln!(
                text,
                "The way back: kubesso cluster rollback --for {} (kept in {})",
                here.target.name(),
                file.display()
            );
            say.result(Result_::Applied, &plan, proven.as_ref(), None, &text)?;
            Ok(ExitCode::SUCCESS)
        }
        Done::TakenBack { reason, back } => {
            let mut text = format!("It was taken back, because {reason}.\n");
            if let Some(back) = &back {
                let _ = writeln!(text, "{} is ready with the old settings.", back.endpoint);
            }
            say.result(Result_::TakenBack, &plan, None, Some(&reason), &text)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Everything is as it should be on the machine; whether the API server knows it is another question.
async fn nothing_to_do(plan: &Plan, server: Option<ApiServer>, say: &Say) -> Result<ExitCode, CommandError> {
    let mut text = String::from("Nothing to do: all is as described.\n");
    let mut is_well = true;
    if let (Some(server), Some(hash)) = (server, &plan.hash)
        && let Ok(loaded) = live::loaded(&server).await
    {
        let verdict = loaded.verdict(hash);
        is_well = !matches!(verdict, Verdict::Refused | Verdict::Another);
        if !is_well {
            let _ = writeln!(
                text,
                "But {} has not loaded it: see kubesso cluster check, and restart the API server",
                server.url
            );
        }
    }
    say.result(Result_::NothingToDo, plan, None, None, &text)?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How the change will be proved; none, if that is not wanted.
async fn proof(
    spot: &Spot,
    server: Result<ApiServer, CommandError>,
    token: Option<Secret>,
) -> Result<Option<Proof>, CommandError> {
    if spot.danger_without_proof {
        return Ok(None);
    }
    Ok(Some(Proof::begin(server?, token, limit(spot)?).await?))
}

/// What came of a change.
enum Done {
    Applied { proven: Option<Proven>, file: PathBuf },
    TakenBack { reason: String, back: Option<Proven> },
}

/// The machine that is changed.
pub(super) struct Here {
    pub(super) target: Target,
    pub(super) machine: Machine,
    /// The manifest's path on the machine.
    pub(super) manifest: String,
    pub(super) backups: PathBuf,
    /// What tells changes of one kind apart.
    pub(super) place: String,
    root: PathBuf,
}

impl Here {
    pub(super) fn new(spot: &Spot) -> Result<Self, CommandError> {
        let target = target_of(&spot.target)?;
        if matches!(target, Target::Kind | Target::K3d) {
            return Err(CommandError::usage(format!("{target} is not changed by files of this machine"))
                .mend(format!("see: kubesso cluster config --for {}", target.name())));
        }
        let root = std::path::absolute(&spot.root)
            .map_err(|e| CommandError::because(format!("--root {}", spot.root.display()), &e))?;
        let manifest = match &spot.manifest {
            None => MANIFEST.to_owned(),
            Some(path) => on_machine(path, &root)?,
        };
        let backups = spot.backup_dir.clone().unwrap_or_else(|| root.join("var/lib/kubesso/cluster"));
        let folder = Path::new(&manifest).parent().unwrap_or(Path::new("/"));
        let folder = root.join(folder.strip_prefix("/").unwrap_or(folder));
        if std::path::absolute(&backups).is_ok_and(|backups| backups.starts_with(&folder)) {
            return Err(CommandError::usage("--backup-dir must not be in the manifest's folder")
                .mend("kubelet runs every file in it"));
        }
        let place = format!("{} {manifest}", root.display());
        Ok(Self { target, machine: Machine::new(&root), manifest, backups, place, root })
    }

    /// The API server of this machine.
    pub(super) async fn server(&self, spot: &Spot) -> Result<ApiServer, CommandError> {
        let at_hand = kubeconfig_of(self.target, &self.root);
        let server = connect(&spot.server, at_hand.as_deref()).await?;
        match spot.server.endpoint.as_slice() {
            [] => Ok(match self.own_endpoint() {
                // Behind a load balancer another could answer.
                Some(own) if own != server.url => match server.at(&own) {
                    Ok(own) if own.get("/readyz").await.is_ok() => own,
                    _ => server,
                },
                _ => server,
            }),
            [one] => server.at(one),
            _ => Err(CommandError::usage("one machine has one API server: give one --endpoint")),
        }
    }

    /// Where the API server of a static pod says that it is.
    fn own_endpoint(&self) -> Option<Url> {
        if !matches!(self.target, Target::Kubeadm | Target::StaticPod) {
            return None;
        }
        let found = look(self.target, &self.machine, &self.manifest).ok()?;
        let address = found.arguments.value("advertise-address")?;
        let port = found.arguments.value("secure-port").unwrap_or("6443");
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        Url::parse(&format!("https://{address}:{port}")).ok()
    }

    /// What the API server should have loaded by the files as they are now.
    pub(super) fn hash(&self) -> Option<String> {
        let found = look(self.target, &self.machine, &self.manifest).ok()?;
        found.configuration().map(|text| loaded_hash(text.as_bytes()))
    }

    async fn apply(
        &self,
        plan: &Plan,
        journal: &Journal,
        mut proof: Option<Proof>,
        spot: &Spot,
        say: &Say,
    ) -> Result<Done, CommandError> {
        let limit = limit(spot)?;
        let files = plan.changes.iter().map(|change| Saved {
            path: change.path.clone(),
            before: change.before.clone(),
            rights: self.machine.rights(&change.path),
            after: change.after.clone(),
        });
        let mut kept = journal.begin(Entry {
            target: self.target.name().to_owned(),
            place: self.place.clone(),
            began: SystemClock.now(),
            state: State::Began,
            files: files.collect(),
            commands: plan.commands.iter().map(|command| self.command(command)).collect(),
            restarts: plan.by == InForce::Restart,
            cloud: None,
        })?;
        let doing = async {
            for file in &kept.entry.files {
                self.machine
                    .write(&file.path, &file.after, file.rights)
                    .map_err(|error| format!("{} cannot be written: {error}", file.path))?;
            }
            run_all(&kept.entry.commands, limit, say).await?;
            match &mut proof {
                None => Ok(None),
                Some(proof) => {
                    say.progress(&format!("waiting for the API server (at most {} s) …", limit.as_secs()));
                    proof.wait(plan.by, plan.hash.as_deref()).await.map(Some)
                }
            }
        };
        let done = tokio::select! {
            done = doing => done,
            _ = tokio::signal::ctrl_c() => Err("it was interrupted".to_owned()),
        };
        match done {
            Ok(proven) => {
                kept.now(State::Applied)?;
                Ok(Done::Applied { proven, file: kept.file().to_owned() })
            }
            Err(reason) => {
                say.progress(&format!("{reason}: taking it back …"));
                let back = self.take_back(&mut kept, proof, limit, say).await.map_err(|error| {
                    CommandError::new(format!("{reason}; and taking it back failed: {error}"))
                        .mend(format!("the files as they were are in {}", kept.file().display()))
                })?;
                Ok(Done::TakenBack { reason, back })
            }
        }
    }

    /// Puts the old files back, the ones that name others first, and waits for the API server.
    pub(super) async fn take_back(
        &self,
        kept: &mut Kept,
        proof: Option<Proof>,
        limit: Duration,
        say: &Say,
    ) -> Result<Option<Proven>, String> {
        for file in kept.entry.files.iter().rev() {
            let done = match &file.before {
                Some(before) => self.machine.write(&file.path, before, file.rights),
                None => self.machine.remove(&file.path),
            };
            done.map_err(|error| format!("{} cannot be written: {error}", file.path))?;
        }
        run_all(&kept.entry.commands, limit, say).await?;
        let by = if kept.entry.restarts { InForce::Restart } else { InForce::Reload };
        let hash = self.hash();
        let proven = match proof {
            None => None,
            Some(mut proof) => Some(proof.wait_for_the_old(by, hash.as_deref()).await?),
        };
        kept.now(State::TakenBack).map_err(|error| error.to_string())?;
        Ok(proven)
    }

    fn command(&self, command: &HostCommand) -> (String, Vec<String>) {
        let word = |word: &Word| match word {
            Word::Text(text) => text.clone(),
            Word::Path(path) => self.machine.path(path).display().to_string(),
        };
        (command.what.clone(), command.words.iter().map(word).collect())
    }
}

/// A path of this machine as one of the machine below `root`.
fn on_machine(path: &Path, root: &Path) -> Result<String, CommandError> {
    let absolute = std::path::absolute(path)
        .map_err(|e| CommandError::because(format!("--manifest {}", path.display()), &e))?;
    let below = absolute.strip_prefix(root).ok().map(|rest| Path::new("/").join(rest));
    let on_machine = below.unwrap_or(absolute);
    on_machine.to_str().map(str::to_owned).ok_or_else(|| CommandError::usage("--manifest is no Unicode"))
}

/// Runs programs one after the other; no shell is between.
async fn run_all(commands: &[(String, Vec<String>)], limit: Duration, say: &Say) -> Result<(), String> {
    for (what, words) in commands {
        say.progress(what);
        let Some((program, arguments)) = words.split_first() else { continue };
        let shown = words.join(" ");
        let ended = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let ended = tokio::time::timeout(limit, ended)
            .await
            .map_err(|_| format!("`{shown}` did not end in {} seconds", limit.as_secs()))?
            .map_err(|error| format!("`{shown}` cannot be run: {error}"))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Err(format!("`{shown}` ended with {}: {}", ended.status, said.trim()));
        }
    }
    Ok(())
}

pub(super) fn limit(spot: &Spot) -> Result<Duration, CommandError> {
    let usage = || CommandError::usage("--timeout: give a time such as 90s or 5m");
    let span = SignedDuration::try_from(spot.timeout).map_err(|_| usage())?;
    Duration::try_from(span).map_err(|_| usage())
}

/// Asks, unless it was said before; nobody there is a no.
pub(super) fn confirmed(spot: &Spot, question: &str) -> Result<bool, CommandError> {
    if spot.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(
            CommandError::usage("nobody is there to ask").mend("say --yes, or --dry-run to see the plan")
        );
    }
    let mut stderr = io::stderr().lock();
    // Who cannot read the question does not answer it.
    let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|e| CommandError::because("the answer cannot be read", &e))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Somebody's ID token, from a file or standard input.
fn token(path: &Path) -> Result<Secret, CommandError> {
    let unreadable =
        |e: io::Error| CommandError::because(format!("the token cannot be read from {}", path.display()), &e);
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().take(1 << 20).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        text = std::fs::read_to_string(path).map_err(unreadable)?;
    }
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(CommandError::usage(format!("{} has no token in it", path.display())));
    }
    Ok(Secret::new(token.to_owned()))
}

/// Where words go: people read as it goes on, scripts get one object at the end.
pub(super) struct Say {
    pub(super) format: OutputFormat,
}

impl Say {
    pub(super) fn text(&self, text: &str) -> Result<(), CommandError> {
        if self.format == OutputFormat::Table { output::write_out(text) } else { Ok(()) }
    }

    pub(super) fn progress(&self, text: &str) {
        if self.format == OutputFormat::Table {
            // It is only told.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    fn result(
        &self,
        result: Result_,
        plan: &Plan,
        proven: Option<&Proven>,
        reason: Option<&str>,
        text: &str,
    ) -> Result<(), CommandError> {
        let outcome = Outcome { result, plan, proven, reason };
        output::print(self.format, &outcome, || text.to_owned())
    }
}

impl Proven {
    /// What was seen, and what was not.
    pub(super) fn tell(&self, text: &mut String) {
        let has_file = if self.has_file == Some(true) { ", and has loaded this very file" } else { "" };
        let _ = writeln!(text, "{} is ready{has_file}.", self.endpoint);
        if let Some(identity) = &self.identity {
            let _ = writeln!(text, "It takes the test token for {identity}.");
        }
        for what in &self.not_looked_at {
            let _ = writeln!(text, "Not proven: {what}.");
        }
    }
}

/// The plan as people read it.
fn screen(plan: &Plan, here: &Here) -> String {
    let mut text = format!("For {}\n\n", plan.target);
    for warning in &plan.warnings {
        let _ = writeln!(text, "NOTE  {warning}\n");
    }
    for change in &plan.changes {
        text.push_str(&change.diff());
        text.push('\n');
    }
    for command in &plan.commands {
        let (what, words) = here.command(command);
        let _ = writeln!(text, "THEN  {what}\n      $ {}", words.join(" "));
    }
    text.push_str(match plan.by {
        InForce::Restart => "The API server begins anew.\n",
        InForce::Reload => "The API server reads its file again within a minute; it goes on running.\n",
    });
    text
}
