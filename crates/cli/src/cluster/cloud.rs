//! Clusters of clouds: what they are told goes by the cloud's own program, and has no file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_clusters::{Instructions, Request, Target, diff};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::apply::{Say, confirmed, limit, token_of};
use super::check::connect;
use super::here::journal_folder;
use super::journal::{Entry, Journal, Kept, State};
use super::{config, proof, target_of, whom};
use crate::args::{ClusterApply, ClusterCheck, ClusterRollback, Spot};
use crate::error::CommandError;
use crate::output;

/// How often a cloud is asked whether it has come to an end.
const PAUSE: Duration = Duration::from_secs(5);

/// A cluster of a cloud.
enum Cloud {
    /// At most one provider.
    Eks { cluster: String },
    /// Several authenticators.
    Aks { cluster: String, group: String },
}

/// One provider or authenticator before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Change {
    name: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// Whether a target is changed by a cloud's program.
pub(super) fn is_cloud(target: Target) -> bool {
    matches!(target, Target::Eks | Target::Aks)
}

/// `kubesso cluster apply` there.
pub(super) async fn apply(command: &ClusterApply) -> Result<ExitCode, CommandError> {
    let spot = &command.spot;
    let (target, cloud) = of(spot)?;
    let access = whom::access(&command.whom).await?;
    let version = command.kubernetes_version.unwrap_or(kubesso_clusters::KubernetesVersion::ASSUMED);
    let request = Request {
        form: command.form.map(Into::into),
        cluster: spot.cluster.as_deref(),
        scope: spot.scope.as_deref(),
        ..Request::new(&access, version)
    };
    let made = match target.instructions(&request) {
        Ok(made) => made,
        Err(impossible) => {
            output::print(spot.output.format, &impossible.restrictions, || config::refusal(&impossible))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let limit = limit(spot, target)?;
    let failed = |what: String| CommandError::new(format!("{target} did not answer: {what}"));
    let changes = cloud.changes(&cloud.wanted(&made), &cloud.there(limit).await.map_err(failed)?);
    let say = Say { format: spot.output.format };
    let print = |result: &str, reason: Option<&str>, identity: Option<&str>, text: &str| {
        let value = json!({
            "result": result, "target": target, "changes": changes, "reason": reason, "identity": identity,
            "warnings": made.warnings,
        });
        output::print(spot.output.format, &value, || text.to_owned())
    };
    if changes.is_empty() {
        print("nothing-to-do", None, None, "Nothing to do: all is as described.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("For {target}, {}\n\n", cloud.name());
    for warning in &made.warnings {
        let _ = writeln!(text, "NOTE  {warning}\n");
    }
    say.text(&format!("{text}{}", shown(&changes)))?;
    if spot.dry_run {
        print("planned", None, None, "Nothing was changed (--dry-run).\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = command.test_token_file.as_deref().map(token_of).transpose()?;
    let bearer = match token {
        Some(token) => Some(connect(&spot.server, None).await?.as_bearer(token)?),
        None => None,
    };
    let journal = Journal::open(&journal_folder(spot)?)?;
    if let Some(kept) = journal.last(target.name(), &cloud.name())?
        && kept.entry.state == State::Began
    {
        return Err(CommandError::new("a change was interrupted half way")
            .mend(format!("take it back first: kubesso cluster rollback --for {}", target.name())));
    }
    if !confirmed(spot, "Change it?")? {
        return Ok(ExitCode::FAILURE);
    }
    let mut kept = journal.begin(Entry {
        target: target.name().to_owned(),
        place: cloud.name(),
        began: SystemClock.now(),
        state: State::Began,
        files: Vec::new(),
        commands: Vec::new(),
        restarts: false,
        cloud: Some(json!(changes)),
        config_map: None,
    })?;
    let doing = async {
        cloud.make(&changes, limit, &say).await?;
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
            let proved = match &identity {
                Some(identity) => format!("It takes the test token for {identity}.\n"),
                None => "Not proven: whether somebody can sign in: no token was given.\n".to_owned(),
            };
            print("applied", None, identity.as_deref(), &format!("Done.\n{proved}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            say.progress(&format!("{reason}: taking it back …"));
            take_back(&cloud, &mut kept, limit, &say).await.map_err(|error| {
                CommandError::new(format!("{reason}; and taking it back failed: {error}"))
            })?;
            print("taken-back", Some(&reason), None, &format!("It was taken back, because {reason}.\n"))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// `kubesso cluster rollback` there.
pub(super) async fn rollback(command: &ClusterRollback) -> Result<ExitCode, CommandError> {
    let spot = &command.spot;
    let (target, cloud) = of(spot)?;
    let say = Say { format: spot.output.format };
    let journal = Journal::open(&journal_folder(spot)?)?;
    let Some(mut kept) = journal.last(target.name(), &cloud.name())? else {
        return Err(CommandError::new(format!(
            "there is no change of {} that could be taken back",
            cloud.name()
        )));
    };
    let limit = limit(spot, target)?;
    let now = cloud.there(limit).await.map_err(CommandError::new)?;
    let made = changes_of(&kept)?;
    let later: Vec<_> = made
        .iter()
        .filter(|change| {
            let now = now.get(&change.name);
            now != change.before.as_ref() && now != change.after.as_ref()
        })
        .map(|change| change.name.as_str())
        .collect();
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
    if !confirmed(spot, "Take it back?")? {
        return Ok(ExitCode::FAILURE);
    }
    take_back(&cloud, &mut kept, limit, &say).await.map_err(CommandError::new)?;
    print("taken-back", "It was taken back.\n")?;
    Ok(ExitCode::SUCCESS)
}

/// `kubesso cluster check` there.
pub(super) async fn check(command: &ClusterCheck, target: Target) -> Result<ExitCode, CommandError> {
    let cloud = Cloud::of(target, command.cluster.as_deref(), command.scope.as_deref())?;
    if !command.whom.is_given() {
        return Err(CommandError::usage("say what it should be: -f, --issuer or --application"));
    }
    let access = whom::access(&command.whom).await?;
    let version = command.kubernetes_version.unwrap_or(kubesso_clusters::KubernetesVersion::ASSUMED);
    let request = Request {
        form: command.form.map(Into::into),
        cluster: command.cluster.as_deref(),
        scope: command.scope.as_deref(),
        ..Request::new(&access, version)
    };
    let made = match target.instructions(&request) {
        Ok(made) => made,
        Err(impossible) => {
            output::print(command.output.format, &impossible.restrictions, || config::refusal(&impossible))?;
            return Ok(ExitCode::FAILURE);
        }
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

fn of(spot: &Spot) -> Result<(Target, Cloud), CommandError> {
    let target = target_of(&spot.target)?;
    Ok((target, Cloud::of(target, spot.cluster.as_deref(), spot.scope.as_deref())?))
}

async fn take_back(cloud: &Cloud, kept: &mut Kept, limit: Duration, say: &Say) -> Result<(), String> {
    let made = changes_of(kept).map_err(|error| error.to_string())?;
    let now = cloud.there(limit).await?;
    cloud.make(&Cloud::back(&made, &now), limit, say).await?;
    kept.now(State::TakenBack).map_err(|error| error.to_string())
}

fn changes_of(kept: &Kept) -> Result<Vec<Change>, CommandError> {
    let said = kept.entry.cloud.clone().unwrap_or_default();
    serde_json::from_value(said)
        .map_err(|e| CommandError::because(format!("{} cannot be read", kept.file().display()), &e))
}

fn shown(changes: &[Change]) -> String {
    let text = |value: &Option<Value>| {
        value.as_ref().map(|value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n")
    };
    let one = |change: &Change| {
        diff(&change.name, text(&change.before).as_deref(), text(&change.after).as_deref()) + "\n"
    };
    changes.iter().map(one).collect()
}

impl Cloud {
    fn of(target: Target, cluster: Option<&str>, scope: Option<&str>) -> Result<Self, CommandError> {
        let missing =
            |what: &str| CommandError::usage(format!("{target} is told by the cluster's name: give {what}"));
        let cluster = cluster.map(str::to_owned).ok_or_else(|| missing("--cluster"))?;
        Ok(match target {
            Target::Eks => Self::Eks { cluster },
            _ => Self::Aks {
                cluster,
                group: scope.map(str::to_owned).ok_or_else(|| missing("--scope, the resource group"))?,
            },
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Eks { cluster } => cluster.clone(),
            Self::Aks { cluster, group } => format!("{group}/{cluster}"),
        }
    }

    /// What the instructions come to, by name.
    fn wanted(&self, made: &Instructions) -> BTreeMap<String, Value> {
        let files = made.files.iter();
        let read = files.filter_map(|file| {
            let value: Value = serde_json::from_str(&file.content).ok()?;
            match self {
                Self::Eks { .. } => {
                    let oidc = value["oidc"].clone();
                    Some((oidc["identityProviderConfigName"].as_str()?.to_owned(), plain(oidc)))
                }
                Self::Aks { .. } => {
                    let name = file.name.strip_prefix("aks-")?.strip_suffix(".json")?;
                    Some((name.to_owned(), plain(value)))
                }
            }
        });
        read.collect()
    }

    /// What is there, by name.
    async fn there(&self, limit: Duration) -> Result<BTreeMap<String, Value>, String> {
        let mut all = BTreeMap::new();
        match self {
            Self::Eks { cluster } => {
                let words =
                    ["eks", "list-identity-provider-configs", "--cluster-name", cluster, "--output", "json"];
                let listed = call("aws", &words, limit).await?;
                for one in listed["identityProviderConfigs"].as_array().into_iter().flatten() {
                    let Some(name) = one["name"].as_str() else { continue };
                    let said = self.describe(name, limit).await?;
                    all.insert(name.to_owned(), eks_settings(&said));
                }
            }
            Self::Aks { cluster, group } => {
                let words = [
                    "aks",
                    "jwtauthenticator",
                    "list",
                    "--resource-group",
                    group,
                    "--cluster-name",
                    cluster,
                    "-o",
                    "json",
                ];
                let listed = call("az", &words, limit).await?;
                for one in listed.as_array().into_iter().flatten() {
                    let Some(name) = one["name"].as_str() else { continue };
                    let mut said = one["properties"].clone();
                    if let Some(said) = said.as_object_mut() {
                        said.remove("provisioningState");
                    }
                    all.insert(name.to_owned(), plain(said));
                }
            }
        }
        Ok(all)
    }

    async fn describe(&self, name: &str, limit: Duration) -> Result<Value, String> {
        let config = format!("type=oidc,name={name}");
        let cluster = self.name();
        let words = [
            "eks",
            "describe-identity-provider-config",
            "--cluster-name",
            &cluster,
            "--identity-provider-config",
            &config,
            "--output",
            "json",
        ];
        let said = call("aws", &words, limit).await?;
        Ok(said["identityProviderConfig"]["oidc"].clone())
    }

    /// EKS has one provider, so another has to go. AKS has several, and those of others stay.
    fn changes(&self, wanted: &BTreeMap<String, Value>, there: &BTreeMap<String, Value>) -> Vec<Change> {
        let mut all = Vec::new();
        if matches!(self, Self::Eks { .. }) {
            let gone = there.iter().filter(|(name, _)| !wanted.contains_key(*name));
            all.extend(gone.map(|(name, before)| Change {
                name: name.clone(),
                before: Some(before.clone()),
                after: None,
            }));
        }
        for (name, after) in wanted {
            let before = there.get(name).cloned();
            if before.as_ref() != Some(after) {
                all.push(Change { name: name.clone(), before, after: Some(after.clone()) });
            }
        }
        all
    }

    /// From what is there now to what was before: what came goes first.
    fn back(made: &[Change], now: &BTreeMap<String, Value>) -> Vec<Change> {
        let back = made.iter().rev().map(|change| Change {
            name: change.name.clone(),
            before: now.get(&change.name).cloned(),
            after: change.before.clone(),
        });
        back.filter(|change| change.before != change.after).collect()
    }

    async fn make(&self, changes: &[Change], limit: Duration, say: &Say) -> Result<(), String> {
        for change in changes {
            let (name, cluster) = (&change.name, self.name());
            say.progress(&format!("{cluster}: {name} …"));
            match self {
                Self::Eks { cluster } => {
                    // No call changes one.
                    if change.before.is_some() {
                        let config = format!("type=oidc,name={name}");
                        let words = [
                            "eks",
                            "disassociate-identity-provider-config",
                            "--cluster-name",
                            cluster,
                            "--identity-provider-config",
                            &config,
                            "--output",
                            "json",
                        ];
                        call("aws", &words, limit).await?;
                        self.until_gone(name, limit).await?;
                    }
                    if let Some(after) = &change.after {
                        let oidc = after.to_string();
                        let words = [
                            "eks",
                            "associate-identity-provider-config",
                            "--cluster-name",
                            cluster,
                            "--oidc",
                            &oidc,
                            "--output",
                            "json",
                        ];
                        call("aws", &words, limit).await?;
                        self.until_active(name, limit).await?;
                    }
                }
                Self::Aks { cluster, group } => {
                    let verb = match (&change.before, &change.after) {
                        (None, Some(_)) => "add",
                        (Some(_), Some(_)) => "update",
                        (_, None) => "delete",
                    };
                    let mut words = vec![
                        "aks",
                        "jwtauthenticator",
                        verb,
                        "--resource-group",
                        group,
                        "--cluster-name",
                        cluster,
                        "--name",
                        name,
                    ];
                    // The program reads a file, and nothing else. It ends with this value.
                    let file;
                    let path;
                    if let Some(after) = &change.after {
                        file = TemporaryFile::new(&after.to_string())?;
                        path = file.path.display().to_string();
                        words.extend(["--config-file", &path]);
                    } else {
                        words.push("--yes");
                    }
                    words.extend(["-o", "json"]);
                    call("az", &words, limit).await?;
                }
            }
        }
        Ok(())
    }

    async fn until_active(&self, name: &str, limit: Duration) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let said = self.describe(name, limit).await?;
            match said["status"].as_str().unwrap_or_default() {
                "ACTIVE" => return Ok(()),
                "CREATING" => {}
                other => return Err(format!("{name} is {other}")),
            }
            if started.elapsed() > limit {
                return Err(format!("{name} is not active after {} seconds", limit.as_secs()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn until_gone(&self, name: &str, limit: Duration) -> Result<(), String> {
        let started = Instant::now();
        while self.there(limit).await?.contains_key(name) {
            if started.elapsed() > limit {
                return Err(format!("{name} is still there after {} seconds", limit.as_secs()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// What of EKS' answer are settings.
fn eks_settings(said: &Value) -> Value {
    let settings = [
        "identityProviderConfigName",
        "issuerUrl",
        "clientId",
        "usernameClaim",
        "usernamePrefix",
        "groupsClaim",
        "groupsPrefix",
        "requiredClaims",
    ];
    let kept = settings.into_iter().map(|name| (name.to_owned(), said[name].clone()));
    plain(Value::Object(kept.collect()))
}

/// Without what says nothing: clouds answer null and empty lists for what was not given.
fn plain(value: Value) -> Value {
    let is_nothing = |value: &Value| {
        value.is_null()
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty)
    };
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(key, value)| (key, plain(value)));
            Value::Object(kept.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        other => other,
    }
}

/// Runs a cloud's program, and reads the JSON that it prints, if it prints any.
async fn call(program: &str, words: &[&str], limit: Duration) -> Result<Value, String> {
    let shown = format!("{program} {}", words.iter().take(3).copied().collect::<Vec<_>>().join(" "));
    let ended =
        tokio::process::Command::new(program).args(words).stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = tokio::time::timeout(limit, ended)
        .await
        .map_err(|_| format!("`{shown}` did not end in {} seconds", limit.as_secs()))?
        .map_err(|error| format!("`{shown}` cannot be run: {error}"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return Err(format!("`{shown}` ended with {}: {}", ended.status, said.trim()));
    }
    if ended.stdout.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&ended.stdout).map_err(|error| format!("`{shown}` printed no JSON: {error}"))
}

/// A file that only its owner may read, removed with the value.
struct TemporaryFile {
    path: std::path::PathBuf,
}

impl TemporaryFile {
    fn new(text: &str) -> Result<Self, String> {
        use std::io::Write as _;
        let name = format!("kubesso-{}-{}.json", std::process::id(), SystemClock.now().as_nanosecond());
        let path = std::env::temp_dir().join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // It is in the folder for what may be lost.
        let _ = std::fs::remove_file(&self.path);
    }
}
