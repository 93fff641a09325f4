//! `kubesso cluster rollback`: the last change is taken back, also one that was killed half way.

use std::fmt::Write as _;
use std::process::ExitCode;

use kubesso_clusters::{Host as _, diff};
use serde_json::json;

use super::apply::{Say, confirmed};
use super::cloud;
use super::here::Here;
use super::journal::{Entry, Journal, State};
use super::place::Place;
use super::proof::Proof;
use crate::args::ClusterRollback;
use crate::error::CommandError;
use crate::output;

/// Runs it.
pub(super) async fn run(command: &ClusterRollback) -> Result<ExitCode, CommandError> {
    let spot = &command.spot;
    let place = Place::of(spot)?;
    if cloud::is_cloud(place.target) {
        return cloud::rollback(command, place).await;
    }
    let here = Here::new(&place)?;
    let say = Say { format: spot.output.format };
    let journal = Journal::open(&here.backups)?;
    let Some(mut kept) = journal.last(here.target.name(), &here.place)? else {
        return Err(CommandError::new(format!(
            "there is no change of {} here that could be taken back",
            here.target
        ))
        .mend("changes are kept in --backup-dir, by --for, --root and --manifest"));
    };
    let (text, later) = differences(&here, &kept.entry)?;
    let began = kept.entry.began;
    let how = if kept.entry.state == State::Began { "which was interrupted" } else { "as it was before" };
    say.text(&format!("The change of {began}, {how}:\n\n{text}"))?;
    if !later.is_empty() && !command.danger_discard_later_changes {
        return Err(CommandError::new(format!("changed since by somebody else: {}", later.join(", ")))
            .mend("put them right by hand, or lose those changes with --danger-discard-later-changes"));
    }
    let print = |result: &str, text: &str| {
        let value = json!({ "result": result, "target": here.target, "began": began });
        output::print(spot.output.format, &value, || text.to_owned())
    };
    if spot.dry_run {
        print("planned", "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    if !confirmed(spot.yes, "Take it back?")? {
        return Ok(ExitCode::FAILURE);
    }
    let limit = place.limit;
    let proof = if spot.danger_without_proof {
        None
    } else {
        // What was interrupted may not have reached it.
        let has_the_change = kept.entry.state != State::Began;
        Some(Proof::of_any_state(here.server(&place).await?, has_the_change, limit).await)
    };
    let back = here.put_back(&kept.entry, proof, limit, &say).await.map_err(|error| {
        CommandError::new(format!("the old files are back, but {error}")).mend(format!(
            "see the API server's log; the files as they were are in {}",
            kept.file().display()
        ))
    })?;
    kept.now(State::TakenBack)?;
    let ready = back.map(|back| format!("{} is ready with the old settings.\n", back.endpoint));
    print("taken-back", &format!("It was taken back.\n{}", ready.unwrap_or_default()))?;
    Ok(ExitCode::SUCCESS)
}

/// What changes, and which files are neither as they were nor as they were made.
fn differences(here: &Here, entry: &Entry) -> Result<(String, Vec<String>), CommandError> {
    let mut text = String::new();
    let mut later = Vec::new();
    for file in entry.files.iter().rev().filter(|file| !file.rewritten) {
        let now = here
            .machine
            .read(&file.path)
            .map_err(|what| CommandError::new(format!("{} cannot be read: {what}", file.path)))?;
        if now != file.before {
            text.push_str(&diff(&file.path, now.as_deref(), file.before.as_deref()));
            text.push('\n');
            if now.as_ref() != Some(&file.after) {
                later.push(file.path.clone());
            }
        }
    }
    if let Some(map) = &entry.config_map {
        text.push_str(&diff(&map.path, Some(&map.after), map.before.as_deref()));
        text.push('\n');
    }
    for (what, words) in &entry.commands {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "THEN  {what}\n      $ {}", words.join(" "));
    }
    Ok((text, later))
}
