//! Tokens of an installation elsewhere, by its management API, as whoever signs in there.

use kubesso_directory::Secret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::api_token::{Listed, Made, Wanted, find};
use crate::args::Place;
use crate::error::CommandError;
use crate::management_client::ManagementClient;

/// A token as the API shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    name: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    user_id: Option<String>,
    created: jiff::Timestamp,
    #[serde(default)]
    expires_at: Option<jiff::Timestamp>,
}

/// What making one answers: the value is in no other answer.
#[derive(Deserialize)]
struct Created {
    token: String,
    #[serde(flatten)]
    shown: Shown,
}

impl From<Shown> for Listed {
    fn from(shown: Shown) -> Self {
        let Shown { id, name, roles, user_id: user, created, expires_at: expires } = shown;
        Self { id, name, roles, user, created, expires }
    }
}

pub(super) fn create(server: &Url, place: &Place, wanted: &Wanted) -> Result<Made, CommandError> {
    let client = ManagementClient::sign_in(server, place)?;
    let body = json!({ "name": wanted.name.as_str(), "roles": wanted.roles, "expiresAt": wanted.expires });
    let created: Created = client.call("POST", "/api/v1/api-tokens", Some(&body))?;
    Ok(Made { listed: created.shown.into(), token: Secret::new(created.token) })
}

pub(super) fn list(server: &Url, place: &Place) -> Result<Vec<Listed>, CommandError> {
    all(&ManagementClient::sign_in(server, place)?)
}

pub(super) fn revoke(server: &Url, place: &Place, wanted: &str) -> Result<Listed, CommandError> {
    let client = ManagementClient::sign_in(server, place)?;
    let tokens = all(&client)?;
    let found = find(&tokens, wanted)?;
    client.call::<serde::de::IgnoredAny>("DELETE", &format!("/api/v1/api-tokens/{}", found.id), None)?;
    Ok(found.clone())
}

fn all(client: &ManagementClient) -> Result<Vec<Listed>, CommandError> {
    let shown: Vec<Shown> = client.call("GET", "/api/v1/api-tokens", None)?;
    let mut all: Vec<Listed> = shown.into_iter().map(Listed::from).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}
