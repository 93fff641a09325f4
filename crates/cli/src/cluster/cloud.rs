//! Clusters of clouds: what they are told goes by the cloud's own program, and has no file.

mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_clusters::{Access, KubernetesVersion, Request, Target, diff};
use kubesso_directory::Secret;
use serde_json::{Value, json};

use super::apply::{Say, confirmed, token_of};
use super::check::connect;
use super::here::{Done, journal_folder};
use super::journal::{self, Entry, Journal, Kept, State, brought_by};
use super::place::Place;
use super::proof::{self, Proven};
use super::side::{Brought, Unprepared};
use super::{config, whom};
use crate::api_server::ApiServer;
use crate::args::{ClusterApply, ClusterCheck, ClusterRollback, Told, WhichCluster};
use crate::error::CommandError;
use crate::output;
use program::{Change, Cloud};

/// Whether a target is changed by a cloud's program.
pub(super) fn is_cloud(target: Target) -> bool {
    matches!(target, Target::Eks | Target::Aks)
}

/// What would be changed at a cloud, and all that is needed for it.
pub(crate) struct InCloud {
    pub(super) place: Place,
    cloud: Cloud,
    pub(super) changes: Vec<Change>,
    pub(super) warnings: Vec<String>,
    /// Whether nobody can sign in there yet.
    pub(super) is_first: bool,
    /// Since when a change is half done.
    pub(super) interrupted: Option<jiff::Timestamp>,
    /// What was done before and not taken back, the last first.
    history: Vec<Kept>,
    now: BTreeMap<String, Value>,
}

impl InCloud {
    /// Finds out what has to be changed.
    pub(super) async fn prepare<'a>(
        place: Place,
        request: impl FnOnce(KubernetesVersion) -> Request<'a>,
    ) -> Result<Self, Unprepared> {
        let cloud = Cloud::of(place.target, &place.which)?;
        let request = request(KubernetesVersion::ASSUMED);
        let made = place.target.instructions(&request).map_err(Unprepared::Impossible)?;
        let failed = |what: String| CommandError::new(format!("{} did not answer: {what}", place.target));
        let now = cloud.there(place.limit).await.map_err(failed)?;
        let history = journal::in_force(&journal_folder(&place)?, place.target.name(), &cloud.name())?;
        let began = history.first().filter(|kept| kept.entry.state == State::Began);
        let mut there = now.clone();
        if let Some(kept) = began {
            // It is taken back first.
            for change in changes_of(&kept.entry)? {
                match change.before {
                    Some(before) => drop(there.insert(change.name, before)),
                    None => drop(there.remove(&change.name)),
                }
            }
        }
        let interrupted = began.map(|kept| kept.entry.began);
        let changes = cloud.changes(&cloud.wanted(&made), &there);
        let is_first = there.is_empty();
        Ok(Self { place, cloud, changes, warnings: made.warnings, is_first, interrupted, history, now })
    }

    fn journal(&self) -> Result<Journal, CommandError> {
        let journal = Journal::open(&journal_folder(&self.place)?)?;
        if let Some(kept) = journal.last(self.place.target.name(), &self.cloud.name())?
            && kept.entry.state == State::Began
        {
            return Err(CommandError::new("a change was interrupted half way").mend(format!(
                "take it back first: kubesso cluster rollback --for {}",
                self.place.target.name()
            )));
        }
        Ok(journal)
    }

    /// Whom the proof is asked as, if there is a token.
    async fn bearer(&self, token: Option<Secret>) -> Result<Option<ApiServer>, CommandError> {
        match token {
            Some(token) => Ok(Some(connect(&self.place.server, None).await?.as_bearer(token)?)),
            None => Ok(None),
        }
    }

    /// Makes the change, and takes it back if the cloud or the proof fails.
    pub(super) async fn apply(
        &self,
        token: Option<Secret>,
        chain: Option<&str>,
        say: &Say,
    ) -> Result<Done, CommandError> {
        let bearer = self.bearer(token).await?;
        self.make(&self.journal()?, bearer, chain, say).await
    }

    async fn make(
        &self,
        journal: &Journal,
        bearer: Option<ApiServer>,
        chain: Option<&str>,
        say: &Say,
    ) -> Result<Done, CommandError> {
        let (cloud, limit) = (&self.cloud, self.place.limit);
        let mut kept = journal.begin(Entry {
            target: self.place.target.name().to_owned(),
            place: cloud.name(),
            began: SystemClock.now(),
            state: State::Began,
            files: Vec::new(),
            commands: Vec::new(),
            restarts: false,
            cloud: Some(json!(self.changes)),
            config_map: None,
            chain: chain.map(str::to_owned),
        })?;
        let doing = async {
            cloud.make(&self.changes, limit, say).await?;
            match &bearer {
                None => Ok(None),
                Some(bearer) => proof::until_taken(bearer, limit).await.map(Some),
            }
        };
        let done = tokio::select! {
            done = doing => done,
            _ = tokio::signal::ctrl_c() => Err("it was interrupted".to_owned()),
        };
        match done {
            Ok(identity) => {
                kept.now(State::Applied)?;
                let proven = Proven::of_cloud(cloud.name(), identity);
                Ok(Done::Applied { proven: Some(proven), file: kept.file().to_owned() })
            }
            Err(reason) => {
                say.progress(&format!("{reason}: taking it back …"));
                cloud.put_back(&kept.entry, limit, say).await.map_err(|error| {
                    CommandError::new(format!("{reason}; and taking it back failed: {error}"))
                })?;
                kept.now(State::TakenBack)?;
                Ok(Done::TakenBack { reason, back: None })
            }
        }
    }

    /// Takes back what was interrupted.
    pub(super) async fn take_up(&self, say: &Say) -> Result<(), CommandError> {
        let journal = Journal::open(&journal_folder(&self.place)?)?;
        match journal.last(self.place.target.name(), &self.cloud.name())? {
            Some(mut kept) if kept.entry.state == State::Began => {
                say.progress("taking back what was interrupted …");
                self.cloud.put_back(&kept.entry, self.place.limit, say).await.map_err(CommandError::new)?;
                kept.now(State::TakenBack)
            }
            _ => Ok(()),
        }
    }

    /// What an access file has changed here, taken together.
    pub(super) fn brought(&self, chain: &str) -> Result<Option<Brought>, CommandError> {
        let Some(entry) = brought_by(&self.history, chain).1 else { return Ok(None) };
        let made = changes_of(&entry)?;
        let texts = texts(&Cloud::back(&made, &self.now));
        Ok(Some(Brought { texts, commands: Vec::new(), by: None, later: later(&made, &self.now) }))
    }

    /// Takes it back, all of it.
    pub(super) async fn withdraw(&self, chain: &str, say: &Say) -> Result<(), CommandError> {
        let journal = Journal::open(&journal_folder(&self.place)?)?;
        let mut in_force = journal.in_force(self.place.target.name(), &self.cloud.name())?;
        let (ours, together) = brought_by(&in_force, chain);
        let (count, Some(together)) = (ours.len(), together) else { return Ok(()) };
        self.cloud.put_back(&together, self.place.limit, say).await.map_err(CommandError::new)?;
        in_force.iter_mut().take(count).try_for_each(|kept| kept.now(State::TakenBack))
    }
}

/// `kubesso cluster apply` there.
pub(super) async fn run(
    command: &ClusterApply,
    place: Place,
    access: &Access,
) -> Result<ExitCode, CommandError> {
    let (spot, target) = (&command.spot, place.target);
    let which = place.which.clone();
    let request = |assumed| request(access, command.told, &which, assumed);
    let of = match InCloud::prepare(place, request).await {
        Ok(of) => of,
        Err(Unprepared::Impossible(impossible)) => return config::refused(spot.output.format, &impossible),
        Err(Unprepared::Error(error)) => return Err(error),
    };
    let say = Say { format: spot.output.format };
    let print = |result: &str, reason: Option<&str>, identity: Option<&str>, text: &str| {
        let value = json!({
            "result": result, "target": target, "changes": of.changes, "reason": reason, "identity": identity,
            "warnings": of.warnings,
        });
        output::print(spot.output.format, &value, || text.to_owned())
    };
    if of.changes.is_empty() && of.interrupted.is_none() {
        print("nothing-to-do", None, None, "Nothing to do: all is as described.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("For {target}, {}\n\n", of.cloud.name());
    for warning in &of.warnings {
        let _ = writeln!(text, "NOTE  {warning}\n");
    }
    say.text(&format!("{text}{}", shown(&of.changes)))?;
    if spot.dry_run {
        print("planned", None, None, "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = command.test_token_file.as_deref().map(token_of).transpose()?;
    let bearer = of.bearer(token).await?;
    let journal = of.journal()?;
    if !confirmed(spot.yes, "Change it?")? {
        return Ok(ExitCode::FAILURE);
    }
    match of.make(&journal, bearer, None, &say).await? {
        Done::Applied { proven, .. } => {
            let identity = proven.and_then(|proven| proven.identity);
            let proved = match &identity {
                Some(identity) => format!("It takes the test token for {identity}.\n"),
                None => "Not proven: whether somebody can sign in: no token was given.\n".to_owned(),
            };
            print("applied", None, identity.as_deref(), &format!("Done.\n{proved}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Done::TakenBack { reason, .. } => {
            print("taken-back", Some(&reason), None, &format!("It was taken back, because {reason}.\n"))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// `kubesso cluster rollback` there.
pub(super) async fn rollback(command: &ClusterRollback, place: Place) -> Result<ExitCode, CommandError> {
    let (spot, target) = (&command.spot, place.target);
    let cloud = Cloud::of(target, &place.which)?;
    let say = Say { format: spot.output.format };
    let journal = Journal::open(&journal_folder(&place)?)?;
    let Some(mut kept) = journal.last(target.name(), &cloud.name())? else {
        return Err(CommandError::new(format!(
            "there is no change of {} that could be taken back",
            cloud.name()
        )));
    };
    let now = cloud.there(place.limit).await.map_err(CommandError::new)?;
    let made = changes_of(&kept.entry)?;
    let later = later(&made, &now);
    let back = Cloud::back(&made, &now);
    say.text(&format!("The change of {}:\n\n{}", kept.entry.began, shown(&back)))?;
    if !later.is_empty() && kept.entry.state == State::Applied && !command.danger_discard_later_changes {
        return Err(CommandError::new(format!("changed since by somebody else: {}", later.join(", ")))
            .mend("put it right by hand, or lose those changes with --danger-discard-later-changes"));
    }
    let print = |result: &str, text: &str| {
        let value = json!({ "result": result, "target": target, "changes": back });
        output::print(spot.output.format, &value, || text.to_owned())
    };
    if spot.dry_run {
        print("planned", "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    if !confirmed(spot.yes, "Take it back?")? {
        return Ok(ExitCode::FAILURE);
    }
    cloud.put_back(&kept.entry, place.limit, &say).await.map_err(CommandError::new)?;
    kept.now(State::TakenBack)?;
    print("taken-back", "It was taken back.\n")?;
    Ok(ExitCode::SUCCESS)
}

/// `kubesso cluster check` there.
pub(super) async fn check(command: &ClusterCheck, target: Target) -> Result<ExitCode, CommandError> {
    let cloud = Cloud::of(target, &command.which)?;
    if !command.whom.is_given() {
        return Err(CommandError::usage("say what it should be: -f, --issuer or --application"));
    }
    let access = whom::access(&command.whom).await?;
    let request = request(&access, command.told, &command.which, KubernetesVersion::ASSUMED);
    let made = match target.instructions(&request) {
        Ok(made) => made,
        Err(impossible) => return config::refused(command.output.format, &impossible),
    };
    let there = cloud.there(Duration::from_mins(1)).await.map_err(CommandError::new)?;
    let changes = cloud.changes(&cloud.wanted(&made), &there);
    let well = changes.is_empty();
    let value = json!({ "target": target, "source": cloud.name(), "changes": changes, "well": well });
    output::print(command.output.format, &value, || {
        if well {
            "All is as it should be.\n".to_owned()
        } else {
            format!(
                "From what is there to what is wanted:\n\n{}Not all is as it should be.\n",
                shown(&changes)
            )
        }
    })?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is asked for by the command line.
fn request<'a>(
    access: &'a Access,
    told: Told,
    which: &'a WhichCluster,
    assumed: KubernetesVersion,
) -> Request<'a> {
    Request {
        form: told.form.map(Into::into),
        cluster: which.cluster.as_deref(),
        scope: which.scope.as_deref(),
        ..Request::new(access, told.kubernetes_version.unwrap_or(assumed))
    }
}

fn changes_of(entry: &Entry) -> Result<Vec<Change>, CommandError> {
    let said = entry.cloud.clone().unwrap_or_default();
    serde_json::from_value(said)
        .map_err(|e| CommandError::because("what was changed cannot be read from the journal", &e))
}

/// What is neither as it was nor as it was made.
fn later(made: &[Change], now: &BTreeMap<String, Value>) -> Vec<String> {
    let is_another = |change: &&Change| {
        let now = now.get(&change.name);
        now != change.before.as_ref() && now != change.after.as_ref()
    };
    made.iter().filter(is_another).map(|change| change.name.clone()).collect()
}

/// Changes as texts: the name, before, and after.
pub(super) fn texts(changes: &[Change]) -> Vec<(String, Option<String>, Option<String>)> {
    let one =
        |change: &Change| (change.name.clone(), text(change.before.as_ref()), text(change.after.as_ref()));
    changes.iter().map(one).collect()
}

fn text(value: Option<&Value>) -> Option<String> {
    value.map(|value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n")
}

fn shown(changes: &[Change]) -> String {
    let one = |change: &Change| {
        diff(&change.name, text(change.before.as_ref()).as_deref(), text(change.after.as_ref()).as_deref())
            + "\n"
    };
    changes.iter().map(one).collect()
}

impl Cloud {
    async fn put_back(&self, entry: &Entry, limit: Duration, say: &Say) -> Result<(), String> {
        let made = changes_of(entry).map_err(|error| error.to_string())?;
        let now = self.there(limit).await?;
        self.make(&Self::back(&made, &now), limit, say).await
    }
}
