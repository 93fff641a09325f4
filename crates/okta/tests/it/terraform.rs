//! The requests that Terraform really sends, replayed: `tests/data/terraform.jsonl` holds whole runs of the Terraform CLI
//! with Okta's provider 6.12.0 and 3.15.0 and the tutorial's configuration (plan, apply, changes, import, destroy), with
//! answers that these clients accepted. Ids are replaced by those of our own answers as they come.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::house::Org;

/// A request of the recording. Equal answers stand there once.
#[derive(Debug, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) step: String,
    pub(crate) method: String,
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
    pub(crate) status: u16,
    pub(crate) answer: Option<Value>,
    answer_of_line: Option<usize>,
}

impl Recorded {
    /// The address with our ids.
    pub(crate) fn target(&self, names: &Names) -> String {
        let path = names.ours(&self.path);
        if self.query.is_empty() {
            return path;
        }
        let pairs = self.query.iter().map(|(name, value)| (name, names.ours(value)));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("{path}?{query}")
    }
}

pub(crate) fn recording(version: &str) -> Vec<Recorded> {
    let text = include_str!("../data/terraform.jsonl");
    let mut all: Vec<Recorded> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for at in 0..all.len() {
        if let Some(line) = all[at].answer_of_line {
            all[at].answer = all[line - 1].answer.clone();
        }
    }
    all.retain(|recorded| recorded.step.starts_with(version));
    all
}

/// What the recording's ids are here.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    /// A text of the recording with our ids.
    pub(crate) fn ours(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (recorded, ours) in &self.0 {
            text = text.replace(recorded.as_str(), ours);
        }
        text
    }

    pub(crate) fn ours_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.ours(text).into(),
            Value::Array(elements) => elements.iter().map(|element| self.ours_in(element)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.ours_in(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// The element of a list that stands for a recorded one: that of its id or its name, or the one at its place.
    fn counterpart<'a>(&self, recorded: &Value, index: usize, ours: &'a [Value]) -> Option<&'a Value> {
        let id = recorded["id"].as_str().and_then(|id| self.0.get(id));
        let by_id = id.and_then(|id| ours.iter().find(|ours| ours["id"] == **id));
        let name = &recorded["profile"]["name"];
        let by_name = || ours.iter().find(|ours| !name.is_null() && ours["profile"]["name"] == *name);
        by_id.or_else(by_name).or_else(|| ours.get(index))
    }

    /// Learns which of our ids stands for which of the recording's, and notes whatever of the recorded answer is not in
    /// ours, is of another type, or says something else.
    pub(crate) fn compare(&mut self, at: &str, recorded: &Value, ours: &Value, faults: &mut Vec<String>) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                for (name, recorded) in recorded {
                    let at = format!("{at}.{name}");
                    if is_decoration(&at) {
                        continue;
                    }
                    match ours.get(name) {
                        Some(ours) => self.compare(&at, recorded, ours, faults),
                        None => faults.push(format!("{at} is missing; it was {recorded}")),
                    }
                }
            }
            (Value::Array(recorded), Value::Array(ours)) => {
                if recorded.len() != ours.len() {
                    faults.push(format!("{at} has {} elements instead of {}", ours.len(), recorded.len()));
                }
                for (index, recorded) in recorded.iter().enumerate() {
                    match self.counterpart(recorded, index, ours) {
                        Some(ours) => self.compare(&format!("{at}[{index}]"), recorded, ours, faults),
                        None => faults.push(format!("{at}[{index}] is missing; it was {recorded}")),
                    }
                }
            }
            (Value::String(recorded), Value::String(ours)) => {
                if is_id(recorded) && is_id(ours) {
                    let known = self.0.entry(recorded.clone()).or_insert_with(|| ours.clone());
                    if known != ours {
                        faults.push(format!("{at} is {ours} instead of {known}"));
                    }
                } else if !is_of_the_moment(at, recorded) && self.ours(recorded) != *ours {
                    faults.push(format!("{at} is {ours:?} instead of {recorded:?}"));
                }
            }
            // A moment that was not yet, or is.
            (Value::Null, Value::String(_)) | (Value::String(_), Value::Null) if is_moment(at) => {}
            (Value::Null, _) => {}
            (recorded, ours) => {
                if recorded != ours {
                    faults.push(format!("{at} is {ours} instead of {recorded}"));
                }
            }
        }
    }
}

/// Twenty letters and digits with a prefix of Okta's.
fn is_id(text: &str) -> bool {
    let prefixes = ["00u", "00g", "0oa", "aus", "ocl", "00p", "0pr", "rst"];
    text.len() == 20
        && prefixes.iter().any(|prefix| text.starts_with(prefix))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_moment(at: &str) -> bool {
    let name = at.rsplit('.').next().unwrap_or_default();
    ["activated", "statusChanged", "lastLogin", "passwordChanged", "nextRotation"].contains(&name)
}

/// What no client of the recording reads, or what differs from one organization to the other.
fn is_decoration(at: &str) -> bool {
    let ends = ["._links", ".type.id", "._embedded", "._cid", ".orn", ".credentials.signing.kid"];
    ends.iter().any(|end| at.ends_with(end))
}

/// Times, keys, secrets and the organization's own name.
fn is_of_the_moment(at: &str, text: &str) -> bool {
    let name = at.rsplit('.').next().unwrap_or_default();
    ["kid", "client_secret", "issuer", "client_id"].contains(&name) || text.parse::<jiff::Timestamp>().is_ok()
}

/// Where kubesso differs from the recorded server, and why no client minds.
fn is_on_purpose(recorded: &Recorded, fault: &str) -> bool {
    let path = recorded.path.as_str();
    // Whoever calls is another one; clients look at the status alone.
    let is_me = path.ends_with("/users/me");
    // The name of the organization.
    let is_organization = path.starts_with("/.well-known/");
    // Clients look for the one element with `system: true`; there were two policies, and here is one.
    let is_policies = path == "/api/v1/policies";
    // Two groups were given the first place, and kept it both; here the one before moves down, as in Okta's console.
    let is_place = path.ends_with("/groups") && path.contains("/apps/") && fault.contains(".priority is");
    // What a PUT says of the status is in force at once, and the call of the lifecycle that follows has nothing to do.
    let is_status = recorded.method == "PUT" && path.contains("/policies/") && fault.contains(".status is");
    is_me || is_organization || is_policies || is_place || is_status
}

/// Replays the runs of one version; the faults found, each with its place.
async fn replay(version: &str) -> Vec<String> {
    let org = Org::new().await;
    for (login, first_name, last_name) in
        [("admin@example.test", "Ann", "Admin"), ("dev@example.test", "Dan", "Dev")]
    {
        let profile =
            json!({ "login": login, "email": login, "firstName": first_name, "lastName": last_name });
        let password = json!({ "password": { "value": "correct-horse-battery" } });
        let user = json!({ "profile": profile, "credentials": password });
        org.post("/api/v1/users", user).await.expect(200);
    }
    let mut names = Names::default();
    let mut faults = Vec::new();
    for (number, recorded) in recording(version).iter().enumerate() {
        let path = recorded.target(&names);
        let body = recorded.body.as_ref().map(|body| names.ours_in(body));
        let answer = org.call(&recorded.method, &path, body).await;
        let place = format!("{number} {} {} {path}", recorded.step, recorded.method);
        if answer.status.as_u16() != recorded.status {
            faults
                .push(format!("{place}: {} instead of {}: {}", answer.status, recorded.status, answer.body));
        } else if let Some(expected) = &recorded.answer {
            let mut found = Vec::new();
            names.compare("", expected, &answer.body, &mut found);
            found.retain(|fault| !is_on_purpose(recorded, fault));
            faults.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
        }
    }
    faults
}

#[tokio::test]
async fn every_request_of_terraform_is_answered_as_its_providers_6_12_needs_it() {
    let faults = replay("6.12.0").await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn every_request_of_terraform_is_answered_as_its_providers_3_15_needs_it() {
    let faults = replay("3.15.0").await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
