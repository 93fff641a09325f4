//! What follows a write: the authorizer takes it over, aggregated roles are filled, ending namespaces end, and
//! what belonged to a deleted object goes with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Api;
use crate::access::{self, aggregation};
use crate::admission::namespaces;
use crate::object;
use crate::status::ApiError;
use crate::storage::{Event, EventKind, Key, State, Write};

/// A chain of consequences is at most this long; owners in a circle end here.
const MAX_ROUNDS: usize = 64;

impl Api {
    /// Repeats until nothing follows any more.
    pub(super) async fn settle(&self, events: &[Arc<Event>]) -> Result<(), ApiError> {
        let mut events = events.to_vec();
        for _ in 0..MAX_ROUNDS {
            let decides = events.iter().any(|event| access::decides(&event.key.resource));
            if decides {
                self.store.read(|state| self.access.refresh(state));
            }
            let causes = std::mem::take(&mut events);
            if !causes.iter().any(|event| decides || concerns_others(event)) {
                return Ok(());
            }
            let now = self.now();
            let ((), followed) = self
                .store
                .transact(|state| {
                    let mut writes = if decides { aggregation::pending(state) } else { Vec::new() };
                    writes.extend(ended_namespaces(state, &causes));
                    writes.extend(orphaned(state, &causes, &now));
                    writes.extend(self.service_accounts(state, &causes));
                    Ok::<_, ApiError>((writes, ()))
                })
                .await?;
            if followed.is_empty() {
                return Ok(());
            }
            events = followed;
        }
        Ok(())
    }

    /// Every namespace has a service account `default` (kube-controller-manager's service account controller).
    fn service_accounts(&self, state: &State, causes: &[Arc<Event>]) -> Vec<Write> {
        let new = causes
            .iter()
            .filter(|event| event.kind == EventKind::Added && event.key.resource == "namespaces");
        new.filter_map(|event| {
            let namespace = &event.key.name;
            let key = Key {
                resource: "serviceaccounts".to_owned(),
                namespace: namespace.clone(),
                name: "default".to_owned(),
            };
            if state.get(&key).is_some() {
                return None;
            }
            let account = json!({
                "kind": "ServiceAccount",
                "apiVersion": "v1",
                "metadata": {
                    "name": "default",
                    "namespace": namespace,
                    "uid": self.uid(),
                    "creationTimestamp": self.now(),
                },
            });
            Some(Write::Put(key, account))
        })
        .collect()
    }
}

/// Whether the write may have consequences for other objects.
fn concerns_others(event: &Event) -> bool {
    event.kind == EventKind::Deleted || event.key.resource == "namespaces"
}

/// The namespaces that were waiting for their last object.
fn ended_namespaces(state: &State, causes: &[Arc<Event>]) -> Vec<Write> {
    let touched: BTreeSet<&str> = causes
        .iter()
        .map(|event| if event.key.resource == "namespaces" { &event.key.name } else { &event.key.namespace })
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    touched
        .into_iter()
        .map(namespaces::key)
        .filter(|key| {
            let ending = state.get(key).is_some_and(|namespace| {
                object::is_deleting(&namespace.object) && object::finalizers(&namespace.object).is_empty()
            });
            ending && !state.all().any(|(other, _)| other.namespace == key.name)
        })
        .map(Write::Delete)
        .collect()
}

/// The garbage collector: objects all of whose owners are gone.
fn orphaned(state: &State, causes: &[Arc<Event>], now: &str) -> Vec<Write> {
    let gone: Vec<&str> = causes
        .iter()
        .filter(|event| event.kind == EventKind::Deleted)
        .map(|event| object::meta(&event.object.object, "uid"))
        .filter(|uid| !uid.is_empty())
        .collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let living: BTreeSet<&str> = state.all().map(|(_, stored)| object::meta(&stored.object, "uid")).collect();
    let mut writes = Vec::new();
    for (key, stored) in state.all() {
        let owners = owner_uids(&stored.object);
        if owners.iter().any(|uid| gone.contains(uid)) && !owners.iter().any(|uid| living.contains(uid)) {
            writes.extend(removal(key, &stored.object, now));
        }
    }
    writes
}

/// The UIDs of an object's owners.
pub(super) fn owner_uids(object: &Value) -> Vec<&str> {
    object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .map(|owners| owners.iter().map(|owner| object::text(owner, "uid")).collect())
        .unwrap_or_default()
}

/// Deletes the object, or marks it if it has finalizers; nothing if it is marked already.
pub(super) fn removal(key: Key, object: &Value, now: &str) -> Option<Write> {
    if object::finalizers(object).is_empty() {
        return Some(Write::Delete(key));
    }
    if object::is_deleting(object) {
        return None;
    }
    Some(Write::Put(key, marked(object, now)))
}

/// The object with its deletion begun.
pub(super) fn marked(object: &Value, now: &str) -> Value {
    let mut marked = object.clone();
    object::set_meta(&mut marked, "deletionTimestamp", now);
    object::set_meta(&mut marked, "deletionGracePeriodSeconds", 0);
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    if generation > 0 {
        object::set_meta(&mut marked, "generation", generation + 1);
    }
    marked
}
