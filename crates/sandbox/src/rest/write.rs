//! Create, update and patch.

use serde_json::Value;

use super::options::WriteOptions;
use super::settle::marked;
use super::{Api, Decided, Reply, Target, scale};
use crate::access;
use crate::admission::{self, namespaces};
use crate::object;
use crate::status::{ApiError, quoted};
use crate::storage::{State, Write};
use crate::workloads;

/// How often a generated name may be taken before the create fails.
const NAME_ATTEMPTS: usize = 8;

impl Api {
    /// Stores a new object.
    pub(crate) async fn create(
        &self,
        target: &Target,
        mut object: Value,
        options: WriteOptions,
    ) -> Result<Reply, ApiError> {
        check_namespace(target, &mut object)?;
        let base = object::meta(&object, "generateName").to_owned();
        let generated = object::name(&object).is_empty() && !base.is_empty();
        let mut attempts = if generated { NAME_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            let mut object = object.clone();
            if generated {
                object::set_meta(&mut object, "name", self.generated_name(&base));
            }
            match self.create_once(target, object, options).await {
                Err(error) if error.0.reason == "AlreadyExists" && attempts > 0 => {}
                other => return other,
            }
        }
    }

    async fn create_once(
        &self,
        target: &Target,
        object: Value,
        options: WriteOptions,
    ) -> Result<Reply, ApiError> {
        let (made, events) = self
            .transact(|state| {
                let (key, object) = self.prepared(target, object, state)?;
                let writes = if options.dry_run { Vec::new() } else { vec![Write::Put(key, object.clone())] };
                Ok((writes, object))
            })
            .await?;
        let object = events.first().map_or(made, |event| event.object.object.clone());
        Ok(Reply { code: 201, object, warnings: Vec::new() })
    }

    /// The new object as it is to be stored.
    fn prepared(
        &self,
        target: &Target,
        mut object: Value,
        state: &State,
    ) -> Result<(crate::storage::Key, Value), ApiError> {
        let resource = target.resource;
        for name in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "selfLink",
            "managedFields",
        ] {
            object::remove_meta(&mut object, name);
        }
        object::set_meta(&mut object, "uid", self.uid());
        object::set_meta(&mut object, "creationTimestamp", self.now());
        let name = object::name(&object).to_owned();
        admission::default(resource, &mut object);
        namespaces::check_create(state, resource, &target.namespace, &name)?;
        let rbac = || std::sync::Arc::new(access::snapshot(state));
        target.attempt().check(rbac, &object, None)?;
        workloads::prepare_new(resource, &mut object, state, &*self.entropy);
        admission::validate_new(resource, &object)?;
        if object::remove_meta(&mut object, "resourceVersion")
            .is_some_and(|version| version != "" && version != "0")
        {
            return Err(ApiError::unclassified("resourceVersion should not be set on objects to be created"));
        }
        let key = target.key_of(&name);
        if state.get(&key).is_some() {
            return Err(ApiError::already_exists(resource, &name));
        }
        Ok((key, object))
    }

    /// Replaces an object by `object`, or creates it where upstream's `PUT` does.
    pub(crate) async fn update(
        &self,
        target: &Target,
        mut object: Value,
        options: WriteOptions,
    ) -> Result<Reply, ApiError> {
        check_namespace(target, &mut object)?;
        check_name(target, &object)?;
        let missing = self.store.read(|state| state.get(&target.key()).is_none());
        if missing && target.subresource.is_none() && creates_on_update(target) {
            self.authorize_create(target)?;
            return self.create(target, object, options).await;
        }
        let code = self.change(target, options, |_| Ok(object)).await?;
        Ok(Reply::ok(code))
    }

    /// Replaces an object by what `next` makes of it. `next` sees the representation that the subresource has.
    pub(crate) async fn change(
        &self,
        target: &Target,
        options: WriteOptions,
        next: impl FnOnce(&Value) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        let (unchanged, events) = self.transact(|state| self.changed(target, options, state, next)).await?;
        let object = match events.first() {
            // What was only waiting for its last finalizer is answered as it was last seen.
            Some(event) if event.kind == crate::storage::EventKind::Deleted => unchanged,
            Some(event) => event.object.object.clone(),
            None => unchanged,
        };
        Ok(if target.subresource() == "scale" { scale::of(&object) } else { object })
    }

    fn changed(
        &self,
        target: &Target,
        options: WriteOptions,
        state: &State,
        next: impl FnOnce(&Value) -> Result<Value, ApiError>,
    ) -> Decided<Value> {
        let resource = target.resource;
        let key = target.key();
        let stored = state.get(&key).ok_or_else(|| ApiError::not_found(resource, &target.name))?;
        let old = &stored.object;
        let mut object = match target.subresource() {
            "scale" => scale::applied(old, &next(&scale::of(old))?),
            _ => next(old)?,
        };
        check_namespace(target, &mut object)?;
        check_name(target, &object)?;
        check_versions(target, &object, old)?;

        for name in
            ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"]
        {
            match old.pointer(&format!("/metadata/{name}")) {
                Some(had) => object::set_meta(&mut object, name, had.clone()),
                None => drop(object::remove_meta(&mut object, name)),
            }
        }
        for name in ["selfLink", "managedFields"] {
            object::remove_meta(&mut object, name);
        }
        match target.subresource() {
            "status" => workloads::prepare_status_change(&mut object, old),
            "finalize" => object = finalized(&object, old),
            _ => {
                admission::default(resource, &mut object);
                workloads::prepare_change(resource, &mut object, old, state, &*self.entropy);
                let rbac = || std::sync::Arc::new(access::snapshot(state));
                target.attempt().check(rbac, &object, Some(old))?;
            }
        }
        admission::validate_change(resource, &object, old)?;
        if object == *old || options.dry_run {
            return Ok((Vec::new(), object));
        }
        let done = object::is_deleting(&object)
            && object::finalizers(&object).is_empty()
            && !waits(resource.plural, &object);
        let write = if done { Write::Delete(key) } else { Write::Put(key, object.clone()) };
        Ok((vec![write], object))
    }

    /// `PUT` on something that does not exist creates it, which needs that permission too.
    fn authorize_create(&self, target: &Target) -> Result<(), ApiError> {
        let attributes = kubesso_authz::Attributes {
            user: target.user.clone(),
            verb: "create".to_owned(),
            target: kubesso_authz::Target::Resource(kubesso_authz::ResourceTarget {
                namespace: target.namespace.clone(),
                api_group: target.resource.group.to_owned(),
                api_version: target.resource.version.to_owned(),
                resource: target.resource.plural.to_owned(),
                name: target.name.clone(),
                ..Default::default()
            }),
        };
        let verdict = self.access.authorize(&attributes);
        if verdict.is_allowed() {
            return Ok(());
        }
        Err(kubesso_authz::forbidden_status(&attributes, &verdict.reason).into())
    }

    /// Marks an object as being deleted.
    pub(super) fn marked(&self, object: &Value) -> Value {
        marked(object, &self.now())
    }
}

/// A namespace waits for its own finalizers, too.
fn waits(plural: &str, object: &Value) -> bool {
    plural == "namespaces" && !object::strings(object.pointer("/spec/finalizers")).is_empty()
}

/// The namespace with the `spec.finalizers` of the request and nothing else of it.
fn finalized(object: &Value, old: &Value) -> Value {
    let mut changed = old.clone();
    let finalizers = object
        .pointer("/spec/finalizers")
        .cloned()
        .filter(|list| list.as_array().is_some_and(|list| !list.is_empty()));
    let spec = object::child(&mut changed, "spec");
    match finalizers {
        Some(finalizers) => spec.insert("finalizers".to_owned(), finalizers),
        None => spec.remove("finalizers"),
    };
    changed
}

/// kubernetes `pkg/registry/*/strategy.go`, `AllowCreateOnUpdate`.
fn creates_on_update(target: &Target) -> bool {
    matches!(
        (target.resource.group, target.resource.plural),
        ("", "services" | "endpoints" | "events" | "limitranges")
            | ("rbac.authorization.k8s.io" | "coordination.k8s.io", _)
    )
}

fn check_namespace(target: &Target, object: &mut Value) -> Result<(), ApiError> {
    let namespace = object::meta(object, "namespace");
    if !target.resource.namespaced {
        if namespace.is_empty() {
            return Ok(());
        }
        object::remove_meta(object, "namespace");
        return Ok(());
    }
    if !namespace.is_empty() && namespace != target.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    object::set_meta(object, "namespace", target.namespace.clone());
    Ok(())
}

fn check_name(target: &Target, object: &Value) -> Result<(), ApiError> {
    let (asked, name) = (&target.name, object::name(object));
    if name.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({asked} based on URL) was undeterminable: name must be provided"
        )));
    }
    if name != asked {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({asked})"
        )));
    }
    Ok(())
}

/// Optimistic concurrency: who names a version or a UID writes only over that.
fn check_versions(target: &Target, object: &Value, old: &Value) -> Result<(), ApiError> {
    let (uid, had) = (object::meta(object, "uid"), object::meta(old, "uid"));
    if !uid.is_empty() && uid != had {
        let path = [target.resource.plural, &target.namespace, &target.name];
        let path: Vec<&str> = path.into_iter().filter(|part| !part.is_empty()).collect();
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {had}",
            path.join("/")
        );
        return Err(ApiError::conflict(target.resource, &target.name, &why));
    }
    let version = object::meta(object, "resourceVersion");
    if version.is_empty() || version == "0" {
        return Ok(());
    }
    if version.parse::<u64>().is_err() {
        let why = format!("strconv.ParseUint: parsing {}: invalid syntax", quoted(version));
        return Err(ApiError::unclassified(why));
    }
    if version != object::meta(old, "resourceVersion") {
        return Err(ApiError::modified(target.resource, &target.name));
    }
    Ok(())
}
