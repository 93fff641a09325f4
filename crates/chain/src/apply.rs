//! The steps of a plan, done at the provider. Each is whole, and what it needs is there: whoever is interrupted plans again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::marker::Owner;
use crate::okta_form::{self, ASSIGNED, MEMBERS, Shape};
use crate::plan::{Action, Change, Plan};
use crate::provider::ProviderState;
use crate::resource::{Address, FieldValue, Found, Kind, Wanted};
use crate::rest_api::{ApiError, RestApi};

/// What is told while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// This step begins.
    Begin(&'a Change),
    /// It is done.
    Done(&'a Change),
    /// The provider took it, but has something to say.
    Warning(&'a str),
}

/// Why not all was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "step {number} of {all}, {address}, was not done: {why}. {}The same command goes on from there", done_before(.done)
)]
pub struct ApplyError {
    /// Of the step, from 1.
    pub number: usize,
    /// So many steps there are.
    pub all: usize,
    /// Of the thing.
    pub address: Address,
    /// What the API said.
    pub why: String,
    /// What was done before, in words.
    pub done: Vec<String>,
}

fn done_before(done: &[String]) -> String {
    if done.is_empty() {
        "Nothing was done before. ".to_owned()
    } else {
        format!("Done before: {}. ", done.join(", "))
    }
}

/// Does the steps of the plan that are the provider's.
///
/// # Errors
/// The first step that could not be done, and what was done before.
pub async fn apply(
    api: &impl RestApi,
    plan: &Plan,
    state: &ProviderState,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<(), ApplyError> {
    let mut provider = Provider { api, state: state.clone(), paths: BTreeMap::new(), warnings: Vec::new() };
    for found in &state.found {
        provider.paths.insert(found.address.clone(), found.path.clone());
    }
    let mut done = Vec::new();
    let steps: Vec<_> = plan.changes.iter().enumerate().collect();
    for (index, change) in steps.into_iter().filter(|(_, change)| change.address.kind.is_of_provider()) {
        progress(Progress::Begin(change));
        provider.step(change).await.map_err(|error| ApplyError {
            number: index + 1,
            all: plan.changes.len(),
            address: change.address.clone(),
            why: error.to_string(),
            done: done.clone(),
        })?;
        for warning in provider.warnings.drain(..) {
            progress(Progress::Warning(&warning));
        }
        progress(Progress::Done(change));
        done.push(format!("{} {}", change.address, change.action.done()));
    }
    Ok(())
}

struct Provider<'a, A> {
    api: &'a A,
    state: ProviderState,
    /// Of what was there, and of what was made since.
    paths: BTreeMap<Address, String>,
    warnings: Vec<String>,
}

impl<A: RestApi> Provider<'_, A> {
    async fn call(
        &mut self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let answer = self.api.call(method, path, body).await?;
        self.warnings.extend(answer.warnings);
        Ok(answer.body)
    }

    async fn step(&mut self, change: &Change) -> Result<(), ApiError> {
        match (change.action, &change.wanted, &change.found) {
            (Action::Add, Some(wanted), _) => self.make(wanted).await,
            (Action::Change, Some(wanted), Some(found)) => self.change(change, wanted, found).await,
            (Action::Destroy, _, Some(found)) => self.destroy(found).await,
            _ => Ok(()),
        }
    }

    /// Where things of this kind are made.
    fn collection(&self, address: &Address) -> Result<String, ApiError> {
        let outer_kind = match address.kind {
            Kind::Group => return Ok("/api/v1/groups".to_owned()),
            Kind::Application => return Ok("/api/v1/apps".to_owned()),
            Kind::AuthorizationServer => return Ok("/api/v1/authorizationServers".to_owned()),
            Kind::Rule => Kind::Policy,
            _ => Kind::AuthorizationServer,
        };
        let below = match address.kind {
            Kind::Scope => "scopes",
            Kind::Claim => "claims",
            Kind::Policy => "policies",
            _ => "rules",
        };
        let mut within = address.within.iter().cloned();
        let outer =
            Address { kind: outer_kind, name: within.next().unwrap_or_default(), within: within.collect() };
        let path = self.paths.get(&outer).ok_or_else(|| ApiError::Unreachable {
            method: "POST",
            path: below.to_owned(),
            why: format!("{outer} is not there"),
        })?;
        Ok(format!("{path}/{below}"))
    }

    async fn make(&mut self, wanted: &Wanted) -> Result<(), ApiError> {
        let address = &wanted.address;
        let collection = self.collection(address)?;
        let name = api_name(address);
        let body =
            okta_form::body(address.kind, name, &wanted.fields, None, &self.state.chain, &self.state.names);
        let made = self.call("POST", &collection, Some(&body)).await?;
        let id = made["id"].as_str().unwrap_or_default().to_owned();
        let path = format!("{collection}/{id}");
        self.paths.insert(address.clone(), path.clone());
        match address.kind {
            Kind::Group => drop(self.state.names.groups.insert(id, address.name.clone())),
            Kind::Application => {
                let client_id = made.pointer("/credentials/oauthClient/client_id").and_then(Value::as_str);
                let client_id = client_id.unwrap_or_default().to_owned();
                self.state.names.clients.insert(client_id, address.name.clone());
            }
            _ => {}
        }
        self.set_apart(wanted, None, &path).await
    }

    async fn change(&mut self, change: &Change, wanted: &Wanted, found: &Found) -> Result<(), ApiError> {
        let is_of_body = |name: &str| {
            let spec = found.address.kind.specs().iter().find(|spec| spec.name == name);
            spec.is_some_and(|spec| !spec.pointer.starts_with(okta_form::APART))
        };
        // A claim's status is a field like any other; the others have calls for it.
        let has_calls = |name: &str| name == "status" && found.address.kind != Kind::Claim;
        if change.fields.iter().any(|field| is_of_body(&field.name) && !has_calls(&field.name)) {
            let before = Some((&found.raw, &self.owner_by_marker(found)));
            let name = api_name(&wanted.address);
            let (chain, names) = (&self.state.chain, &self.state.names);
            let body = okta_form::body(found.address.kind, name, &wanted.fields, before, chain, names);
            self.call("PUT", &found.path, Some(&body)).await?;
        }
        if change.fields.iter().any(|field| has_calls(&field.name)) {
            self.call("POST", &format!("{}/lifecycle/activate", found.path), None).await?;
        }
        self.set_apart(wanted, Some(found), &found.path).await
    }

    /// What is ours because it is in something of ours has no marker, and gets none.
    fn owner_by_marker(&self, found: &Found) -> Owner {
        okta_form::read(found.address.kind, found.raw.clone(), &self.state.chain, &self.state.names).1
    }

    /// Members and assignments, which have calls of their own.
    async fn set_apart(
        &mut self,
        wanted: &Wanted,
        found: Option<&Found>,
        path: &str,
    ) -> Result<(), ApiError> {
        for spec in wanted.address.kind.specs() {
            let below = match spec.pointer {
                MEMBERS => "users",
                ASSIGNED => "groups",
                _ => continue,
            };
            let Some(new) = wanted.field(spec.name).map(names_in) else { continue };
            let old = found.and_then(|found| found.field(spec.name)).map(names_in).unwrap_or_default();
            for name in new.iter().filter(|name| !old.contains(name)) {
                let id = self.state.names.id(spec.shape, name);
                let body = (spec.shape == Shape::Groups).then(|| json!({}));
                self.call("PUT", &format!("{path}/{below}/{id}"), body.as_ref()).await?;
            }
            for name in old.iter().filter(|name| !new.contains(name)) {
                let id = self.state.names.id(spec.shape, name);
                gone(self.call("DELETE", &format!("{path}/{below}/{id}"), None).await)?;
            }
        }
        Ok(())
    }

    async fn destroy(&mut self, found: &Found) -> Result<(), ApiError> {
        if matches!(found.address.kind, Kind::Application | Kind::AuthorizationServer) {
            let deactivate = format!("{}/lifecycle/deactivate", found.path);
            gone(self.call("POST", &deactivate, None).await)?;
        }
        gone(self.call("DELETE", &found.path, None).await)
    }
}

/// What is gone already need not be destroyed.
fn gone(answer: Result<Value, ApiError>) -> Result<(), ApiError> {
    match answer {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn names_in(value: &FieldValue) -> Vec<String> {
    match value {
        FieldValue::Known(Value::Array(values)) => {
            values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The name as the API has it.
fn api_name(address: &Address) -> &str {
    let name = address.name.as_str();
    if address.kind == Kind::Claim {
        name.strip_suffix(crate::wanted::IN_ACCESS_TOKEN).unwrap_or(name)
    } else {
        name
    }
}
