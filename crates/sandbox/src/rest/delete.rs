//! Deletion: of one object, of a collection, of a namespace with all that is in it.

use serde_json::{Value, json};

use kubesso_k8s_types::meta::{Status, StatusDetails};

use super::list::Page;
use super::options::{DeleteOptions, ListOptions, Propagation};
use super::selector::Selector;
use super::settle::{owner_uids, removal};
use super::{Api, Reply, Target};
use crate::admission::namespaces;
use crate::catalog::ResourceType;
use crate::object;
use crate::status::{ApiError, group_kind};
use crate::storage::{Key, State, Write};

/// What a deletion does, and what it answers.
struct Deletion {
    writes: Vec<Write>,
    answer: Answer,
}

enum Answer {
    /// The object, still there or on its way out.
    Object(Value),
    /// The `Status` of an object that is gone.
    Gone { uid: String },
}

impl Api {
    /// Deletes one object.
    pub(crate) async fn delete(&self, target: &Target, options: &DeleteOptions) -> Result<Reply, ApiError> {
        let (answer, events) = self
            .transact(|state| {
                let Deletion { mut writes, answer } = self.deletion(target, options, state)?;
                if options.dry_run {
                    writes.clear();
                }
                Ok((writes, answer))
            })
            .await?;
        let object = match answer {
            Answer::Object(mut object) => {
                // The first write is about the object itself.
                if let Some(event) = events.first() {
                    object::set_meta(&mut object, "resourceVersion", event.object.revision.to_string());
                }
                object
            }
            Answer::Gone { uid } => {
                let details = StatusDetails {
                    name: target.name.clone(),
                    group: target.resource.group.to_owned(),
                    kind: target.resource.plural.to_owned(),
                    uid,
                    ..StatusDetails::default()
                };
                serde_json::to_value(Status::success(Some(details))).map_err(ApiError::internal)?
            }
        };
        Ok(Reply::ok(object))
    }

    /// Deletes all objects of a collection that the selector chooses; answers with them as they were.
    pub(crate) async fn delete_collection(
        &self,
        target: &Target,
        list: &ListOptions,
        selector: &Selector,
        options: &DeleteOptions,
    ) -> Result<Page, ApiError> {
        let page = self.list(target, list, selector)?;
        for stored in &page.objects {
            let one = Target { name: object::name(&stored.object).to_owned(), ..target.clone() };
            match self.delete(&one, options).await {
                Err(error) if error.0.code == 404 => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(page)
    }

    fn deletion(
        &self,
        target: &Target,
        options: &DeleteOptions,
        state: &State,
    ) -> Result<Deletion, ApiError> {
        let resource = target.resource;
        namespaces::check_delete(resource, &target.name)?;
        let key = target.key();
        let stored = state.get(&key).ok_or_else(|| ApiError::not_found(resource, &target.name))?;
        let old = &stored.object;
        check_preconditions(resource, options, old)?;
        if resource.group.is_empty() && resource.plural == "namespaces" {
            return Ok(self.namespace_deletion(key, old, state));
        }
        if object::is_deleting(old) && !object::finalizers(old).is_empty() {
            if options.propagation == Some(Propagation::Background) {
                return Ok(without_gc_finalizers(key, old));
            }
            return Ok(Deletion { writes: Vec::new(), answer: Answer::Object(old.clone()) });
        }

        let uid = object::meta(old, "uid");
        let dependents: Vec<(Key, &Value)> = state
            .all()
            .map(|(key, stored)| (key, &stored.object))
            .filter(|(_, object)| !uid.is_empty() && owner_uids(object).contains(&uid))
            .collect();
        let now = self.now();
        let finalizers = object::finalizers(old);
        match options.propagation {
            Some(Propagation::Foreground) => {
                let mut shown = self.marked(old);
                let mut with = finalizers.clone();
                with.push("foregroundDeletion".to_owned());
                object::set_meta(&mut shown, "finalizers", with);
                let mut writes = vec![Write::Put(key.clone(), shown.clone())];
                writes.extend(dependents.into_iter().filter_map(|(key, object)| removal(key, object, &now)));
                // The garbage collector takes its finalizer away when the dependents are gone.
                if finalizers.is_empty() {
                    writes.push(Write::Delete(key));
                } else {
                    writes.push(Write::Put(key, self.marked(old)));
                }
                return Ok(Deletion { writes, answer: Answer::Object(shown) });
            }
            Some(Propagation::Orphan) if !dependents.is_empty() => {
                let mut deletion = self.plain_deletion(resource, key, old);
                let freed =
                    dependents.into_iter().map(|(key, object)| Write::Put(key, disowned(object, uid)));
                deletion.writes.extend(freed);
                return Ok(deletion);
            }
            _ => {}
        }
        Ok(self.plain_deletion(resource, key, old))
    }

    fn plain_deletion(&self, resource: &ResourceType, key: Key, old: &Value) -> Deletion {
        if !object::finalizers(old).is_empty() {
            let marked = self.marked(old);
            return Deletion {
                writes: vec![Write::Put(key, marked.clone())],
                answer: Answer::Object(marked),
            };
        }
        let answer = if resource.group.is_empty() && resource.plural == "pods" {
            // Nothing runs, so nothing has to be stopped: every pod ends with a grace period of zero.
            Answer::Object(self.marked(old))
        } else if answers_with_object(resource) {
            Answer::Object(old.clone())
        } else {
            Answer::Gone { uid: object::meta(old, "uid").to_owned() }
        };
        Deletion { writes: vec![Write::Delete(key)], answer }
    }

    /// A namespace becomes `Terminating`, its content goes, and then it goes (the namespace controller of
    /// kube-controller-manager); objects with finalizers hold it.
    fn namespace_deletion(&self, key: Key, old: &Value, state: &State) -> Deletion {
        let now = self.now();
        if object::is_deleting(old) {
            return Deletion { writes: Vec::new(), answer: Answer::Object(old.clone()) };
        }
        let mut ending = old.clone();
        object::set_meta(&mut ending, "deletionTimestamp", now.clone());
        object::child(&mut ending, "status").insert("phase".to_owned(), json!("Terminating"));
        let mut writes = vec![Write::Put(key.clone(), ending.clone())];
        let mut held = !object::finalizers(old).is_empty();
        for (content, stored) in state.all().filter(|(content, _)| content.namespace == key.name) {
            held |= !object::finalizers(&stored.object).is_empty();
            writes.extend(removal(content, &stored.object, &now));
        }
        if !held {
            writes.push(Write::Delete(key));
        }
        Deletion { writes, answer: Answer::Object(ending) }
    }
}

/// A second, plain deletion of what waits only for the garbage collector.
fn without_gc_finalizers(key: Key, old: &Value) -> Deletion {
    let left: Vec<String> = object::finalizers(old)
        .into_iter()
        .filter(|name| !matches!(name.as_str(), "foregroundDeletion" | "orphan"))
        .collect();
    if left.is_empty() {
        let uid = object::meta(old, "uid").to_owned();
        return Deletion { writes: vec![Write::Delete(key)], answer: Answer::Gone { uid } };
    }
    let mut object = old.clone();
    object::set_meta(&mut object, "finalizers", left);
    Deletion { writes: vec![Write::Put(key, object.clone())], answer: Answer::Object(object) }
}

/// The object without that owner.
fn disowned(object: &Value, uid: &str) -> Value {
    let mut object = object.clone();
    let owners = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    if let Some(owners) = owners {
        owners.retain(|owner| object::text(owner, "uid") != uid);
        if owners.is_empty() {
            object::remove_meta(&mut object, "ownerReferences");
        }
    }
    object
}

fn check_preconditions(
    resource: &ResourceType,
    options: &DeleteOptions,
    old: &Value,
) -> Result<(), ApiError> {
    let refuse = |why: String| Err(Status::conflict(&group_kind(resource), object::name(old), &why).into());
    let uid = object::meta(old, "uid");
    if let Some(asked) = options.uid.as_deref().filter(|asked| *asked != uid) {
        return refuse(format!(
            "the UID in the precondition ({asked}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        ));
    }
    let version = object::meta(old, "resourceVersion");
    if let Some(asked) = options.resource_version.as_deref().filter(|asked| *asked != version) {
        return refuse(format!(
            "the ResourceVersion in the precondition ({asked}) does not match the ResourceVersion in record ({version}). The object might have been modified"
        ));
    }
    Ok(())
}

/// kubernetes `pkg/registry/*/storage.go`, `ReturnDeletedObject`.
fn answers_with_object(resource: &ResourceType) -> bool {
    matches!(
        (resource.group, resource.plural),
        (
            "",
            "pods"
                | "services"
                | "serviceaccounts"
                | "persistentvolumes"
                | "persistentvolumeclaims"
                | "podtemplates"
                | "resourcequotas"
        ) | ("storage.k8s.io", _)
    )
}
