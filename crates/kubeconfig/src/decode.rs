//! From JSON to the types of a kubeconfig. An error names the place and never the value, which may be a secret.

use std::collections::HashSet;

use kubesso_k8s_types::kubeconfig::{
    Cluster, Config, Context, ExecConfig, NamedCluster, NamedContext, NamedUser, User,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::place::Place;

/// Why a document is no kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Something of another kind than kubectl expects there.
    #[error("the value of {place} is not of the kind that a kubeconfig has there")]
    Field {
        /// Where.
        place: String,
    },
    /// Two items of a list have one name.
    #[error("{list} has the name {name:?} more than once; remove all but one")]
    Duplicate {
        /// `clusters`, `contexts` or `users`
        list: &'static str,
        /// The name.
        name: String,
    },
    /// Some other object of Kubernetes.
    #[error("it is no kubeconfig: apiVersion and kind must be v1 and Config, or left out")]
    OtherKind,
}

/// Reads the types of a kubeconfig.
pub(crate) fn config(value: &Value) -> Result<Config, Undecodable> {
    let config: Config = match value {
        Value::Null => return Ok(Config::default()),
        value => {
            serde_json::from_value(value.clone()).map_err(|_| Undecodable::Field { place: blame(value) })?
        }
    };
    if !matches!(config.kind.as_str(), "" | "Config") || !matches!(config.api_version.as_str(), "" | "v1") {
        return Err(Undecodable::OtherKind);
    }
    once("clusters", config.clusters.iter().map(|entry| &entry.name))?;
    once("contexts", config.contexts.iter().map(|entry| &entry.name))?;
    once("users", config.users.iter().map(|entry| &entry.name))?;
    Ok(config)
}

fn once<'a>(list: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), Undecodable> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Undecodable::Duplicate { list, name: name.clone() });
        }
    }
    Ok(())
}

/// The place that cannot be read, as near as it can be told.
fn blame(value: &Value) -> String {
    let Value::Object(root) = value else { return "the whole file".to_owned() };
    let Some(key) = culprit::<Config>(root) else { return "the whole file".to_owned() };
    let Some(Value::Array(items)) = root.get(key) else { return key.to_owned() };
    let item = items.iter().find_map(|item| match key {
        "clusters" => in_item::<NamedCluster, Cluster>(item, "clusters", "cluster"),
        "contexts" => in_item::<NamedContext, Context>(item, "contexts", "context"),
        "users" => in_item::<NamedUser, User>(item, "users", "user"),
        _ => None,
    });
    item.unwrap_or_else(|| key.to_owned())
}

fn in_item<N: DeserializeOwned, T: DeserializeOwned>(
    item: &Value,
    list: &str,
    inner: &str,
) -> Option<String> {
    if serde_json::from_value::<N>(item.clone()).is_ok() {
        return None;
    }
    let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut place = Place::entry(list, name);
    if let Some(key) = item.as_object().and_then(culprit::<N>) {
        place = place.key(key);
        if key == inner
            && let Some(Value::Object(fields)) = item.get(inner)
            && let Some(key) = culprit::<T>(fields)
        {
            place = place.key(key);
            if let Some(Value::Object(exec)) = fields.get(key).filter(|_| key == "exec")
                && let Some(key) = culprit::<ExecConfig>(exec)
            {
                place = place.key(key);
            }
        }
    }
    Some(place.to_string())
}

/// The key of which `T` cannot be read.
fn culprit<T: DeserializeOwned>(object: &Map<String, Value>) -> Option<&str> {
    object.iter().find_map(|(key, value)| {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        serde_json::from_value::<T>(Value::Object(alone)).is_err().then_some(key.as_str())
    })
}
