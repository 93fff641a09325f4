//! The clouds' own programs: what a cluster is told by them, and how it is changed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_clusters::{Instructions, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::args::WhichCluster;
use crate::cluster::apply::Say;
use crate::cluster::command;
use crate::error::CommandError;

/// How often a cloud is asked whether it has come to an end.
const PAUSE: Duration = Duration::from_secs(5);

/// A cluster of a cloud.
pub(super) enum Cloud {
    /// At most one provider.
    Eks { cluster: String },
    /// Several authenticators.
    Aks { cluster: String, group: String },
}

/// One provider or authenticator before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Change {
    pub(super) name: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

impl Cloud {
    pub(super) fn of(target: Target, which: &WhichCluster) -> Result<Self, CommandError> {
        let (cluster, scope) = (which.cluster.as_deref(), which.scope.as_deref());
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

    pub(super) fn name(&self) -> String {
        match self {
            Self::Eks { cluster } => cluster.clone(),
            Self::Aks { cluster, group } => format!("{group}/{cluster}"),
        }
    }

    /// What the instructions come to, by name.
    pub(super) fn wanted(&self, made: &Instructions) -> BTreeMap<String, Value> {
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
    pub(super) async fn there(&self, limit: Duration) -> Result<BTreeMap<String, Value>, String> {
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

    pub(super) async fn describe(&self, name: &str, limit: Duration) -> Result<Value, String> {
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
    pub(super) fn changes(
        &self,
        wanted: &BTreeMap<String, Value>,
        there: &BTreeMap<String, Value>,
    ) -> Vec<Change> {
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
    pub(super) fn back(made: &[Change], now: &BTreeMap<String, Value>) -> Vec<Change> {
        let back = made.iter().rev().map(|change| Change {
            name: change.name.clone(),
            before: now.get(&change.name).cloned(),
            after: change.before.clone(),
        });
        back.filter(|change| change.before != change.after).collect()
    }

    pub(super) async fn make(&self, changes: &[Change], limit: Duration, say: &Say) -> Result<(), String> {
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

    pub(super) async fn until_active(&self, name: &str, limit: Duration) -> Result<(), String> {
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

    pub(super) async fn until_gone(&self, name: &str, limit: Duration) -> Result<(), String> {
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
    let printed = command::run(program, words, &shown, limit).await?;
    if printed.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&printed).map_err(|error| format!("`{shown}` printed no JSON: {error}"))
}

/// A file that only its owner may read, removed with the value.
struct TemporaryFile {
    path: std::path::PathBuf,
}

impl TemporaryFile {
    pub(super) fn new(text: &str) -> Result<Self, String> {
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
