//! `kubesso cluster apply`: the plan is shown, asked for, done, proved; and taken back where the proof fails.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jiff::SignedDuration;
use kubesso_clusters::{InForce, Plan, PlanError, Request, Target, Verdict, diff, minikube_plan, plan};
use kubesso_directory::Secret;
use serde::Serialize;

use super::check::version_of;
use super::here::{Beside, Done, Here};
use super::journal::{Journal, Saved, State};
use super::proof::{Proof, Proven};
use super::{cloud, config, kubeadm, live, target_of, whom};
use crate::api_server::ApiServer;
use crate::args::{ClusterApply, OutputFormat, Spot};
use crate::error::CommandError;
use crate::output;

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    result: Came,
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<&'a Proven>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Came {
    NothingToDo,
    Planned,
    Applied,
    TakenBack,
}

/// Runs it.
pub(super) async fn run(command: &ClusterApply) -> Result<ExitCode, CommandError> {
    let spot = &command.spot;
    if cloud::is_cloud(target_of(&spot.target)?) {
        return cloud::apply(command).await;
    }
    let here = Here::new(spot)?;
    let access = whom::access(&command.whom).await?;
    let server = here.server(spot).await;
    let version = match command.kubernetes_version {
        Some(version) => version,
        None => version_of(server.as_ref().ok()).await,
    };
    let request = Request { form: command.form.map(Into::into), ..Request::new(&access, version) };
    let planned = match &here.minikube {
        Some((home, profile)) => {
            minikube_plan(&request, &here.machine, home, profile).map(|(plan, profile)| (plan, Some(profile)))
        }
        None => plan(&request, here.target, &here.machine, &here.manifest).map(|plan| (plan, None)),
    };
    let (plan, profile) = match planned {
        Ok(planned) => planned,
        Err(PlanError::Impossible(impossible)) => {
            output::print(spot.output.format, &impossible.restrictions, || config::refusal(&impossible))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => {
            return Err(CommandError::because("there is nothing that could be changed here", &error));
        }
    };
    let say = Say { format: spot.output.format };
    let config_map = match &server {
        Ok(server) if here.target == Target::Kubeadm && !spot.danger_without_proof => {
            config_map(server, &request).await?
        }
        _ => None,
    };
    if plan.is_done() && config_map.is_none() {
        return nothing_to_do(&plan, server.ok(), &say).await;
    }
    say.text(&screen(&plan, config_map.as_ref(), &here))?;
    if spot.dry_run {
        say.result(Came::Planned, &plan, None, None, "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = command.test_token_file.as_deref().map(token_of).transpose()?;
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
    let done = here.apply(&plan, Beside { profile, config_map }, &journal, proof, spot, &say).await?;
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
            say.result(Came::Applied, &plan, proven.as_ref(), None, &text)?;
            Ok(ExitCode::SUCCESS)
        }
        Done::TakenBack { reason, back } => {
            let mut text = format!("It was taken back, because {reason}.\n");
            if let Some(back) = &back {
                let _ = writeln!(text, "{} is ready with the old settings.", back.endpoint);
            }
            say.result(Came::TakenBack, &plan, None, Some(&reason), &text)?;
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
    say.result(Came::NothingToDo, plan, None, None, &text)?;
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
    Ok(Some(Proof::begin(server?, token, limit(spot, target_of(&spot.target)?)?).await?))
}

/// What kubeadm keeps in the cluster, if it has to change too.
async fn config_map(server: &ApiServer, request: &Request<'_>) -> Result<Option<Saved>, CommandError> {
    let Some(before) = kubeadm::read(server).await.map_err(CommandError::new)? else { return Ok(None) };
    let after = kubesso_clusters::kubeadm_configuration(request, &before)
        .map_err(|e| CommandError::because(kubeadm::NAME, &e))?;
    let is_changed = before != after;
    Ok(is_changed.then(|| Saved {
        path: kubeadm::NAME.to_owned(),
        before: Some(before),
        rights: None,
        rewritten: false,
        after,
    }))
}

/// How long something may take.
pub(super) fn limit(spot: &Spot, target: Target) -> Result<Duration, CommandError> {
    let usage = || CommandError::usage("--timeout: give a time such as 90s or 5m");
    let Some(timeout) = spot.timeout else {
        return Ok(if cloud::is_cloud(target) { Duration::from_mins(40) } else { Duration::from_mins(3) });
    };
    let span = SignedDuration::try_from(timeout).map_err(|_| usage())?;
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
pub(super) fn token_of(path: &Path) -> Result<Secret, CommandError> {
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
        result: Came,
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
fn screen(plan: &Plan, config_map: Option<&Saved>, here: &Here) -> String {
    let mut text = format!("For {}\n\n", plan.target);
    for warning in &plan.warnings {
        let _ = writeln!(text, "NOTE  {warning}\n");
    }
    for change in &plan.changes {
        text.push_str(&change.diff());
        text.push('\n');
    }
    if let Some(map) = config_map {
        text.push_str(&diff(&map.path, map.before.as_deref(), Some(&map.after)));
        text.push('\n');
    }
    for (what, words) in here.commands(plan, &plan.commands) {
        let _ = writeln!(text, "THEN  {what}\n      $ {}", words.join(" "));
    }
    text.push_str(match plan.by {
        InForce::Restart => "The API server begins anew.\n",
        InForce::Reload => "The API server reads its file again within a minute; it goes on running.\n",
    });
    text
}
