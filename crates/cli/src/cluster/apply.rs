//! `kubesso cluster apply`: the plan is shown, asked for, done, proved; and taken back where the proof fails.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use kubesso_clusters::{InForce, Plan, Request, Verdict, diff};
use kubesso_directory::Secret;
use serde::Serialize;

use super::here::{Done, Here};
use super::journal::Saved;
use super::on_machine::OnMachine;
use super::place::Place;
use super::proof::Proven;
use super::side::Unprepared;
use super::{cloud, config, whom};
use crate::args::{ClusterApply, OutputFormat};
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
    let place = Place::of(spot)?;
    let access = whom::access(&command.whom).await?;
    let told = command.told;
    if cloud::is_cloud(place.target) {
        return cloud::run(command, place, &access).await;
    }
    let request = |running| Request {
        form: told.form.map(Into::into),
        ..Request::new(&access, told.kubernetes_version.unwrap_or(running))
    };
    let of = match OnMachine::prepare(place, request).await {
        Ok(of) => of,
        Err(Unprepared::Impossible(impossible)) => return config::refused(spot.output.format, &impossible),
        Err(Unprepared::Error(error)) => return Err(error),
    };
    let say = Say { format: spot.output.format };
    let (here, plan) = (&of.here, &of.plan);
    if of.is_done() {
        return nothing_to_do(&of, &say).await;
    }
    say.text(&screen(plan, of.beside.config_map.as_ref(), here))?;
    if spot.dry_run {
        say.result(Came::Planned, plan, None, None, "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = command.test_token_file.as_deref().map(token_of).transpose()?;
    let ready = of.ready(token).await?;
    if !confirmed(spot.yes, "Change it?")? {
        return Ok(ExitCode::FAILURE);
    }
    let done = ready.apply(None, &say).await?;
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
            say.result(Came::Applied, plan, proven.as_ref(), None, &text)?;
            Ok(ExitCode::SUCCESS)
        }
        Done::TakenBack { reason, back } => {
            let mut text = format!("It was taken back, because {reason}.\n");
            if let Some(back) = &back {
                let _ = writeln!(text, "{} is ready with the old settings.", back.endpoint);
            }
            say.result(Came::TakenBack, plan, None, Some(&reason), &text)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Everything is as it should be on the machine; whether the API server knows it is another question.
async fn nothing_to_do(of: &OnMachine, say: &Say) -> Result<ExitCode, CommandError> {
    let mut text = String::from("Nothing to do: all is as described.\n");
    let is_well = !matches!(of.verdict().await, Some(Verdict::Refused | Verdict::Another));
    if !is_well && let Ok(server) = &of.server {
        let _ = writeln!(
            text,
            "But {} has not loaded it: see kubesso cluster check, and restart the API server",
            server.url
        );
    }
    say.result(Came::NothingToDo, &of.plan, None, None, &text)?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks, unless it was said before; nobody there is a no.
pub(super) fn confirmed(yes: bool, question: &str) -> Result<bool, CommandError> {
    if yes {
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
pub(crate) fn token_of(path: &Path) -> Result<Secret, CommandError> {
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
pub(crate) struct Say {
    pub(crate) format: OutputFormat,
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
