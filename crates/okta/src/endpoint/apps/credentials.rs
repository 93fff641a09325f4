//! A client's secrets and keys: several at a time, so that one can be exchanged while the other is still in use.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::StatusCode;
use kubesso_directory::{
    Access, Application, Change, ClientAuthentication, ClientKeys, ClientSecret, ClientSecretValue, Resource,
    Status,
};
use serde_json::{Map, Value, json};

use super::view::{Secrets, secret_text};
use super::{entry, find, new_secret, require_over_application, secrets_for, settings};
use crate::authentication::Caller;
use crate::body::{Body, OptionalBody};
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::parameters::Ids;
use crate::time;

/// So many secrets a client can have, as with Okta.
const MOST_SECRETS: usize = 2;
/// So many keys a client can have, as with Okta.
const MOST_KEYS: usize = 50;

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/apps/{id}/credentials/secrets", get(list_secrets).post(create_secret))
        .route("/api/v1/apps/{id}/credentials/secrets/{secret}", get(read_secret).delete(remove_secret))
        .route("/api/v1/apps/{id}/credentials/secrets/{secret}/lifecycle/{verb}", post(set_secret_status))
        .route("/api/v1/apps/{id}/credentials/jwks", get(list_keys).post(add_key))
        .route("/api/v1/apps/{id}/credentials/jwks/{key}", get(read_key).delete(remove_key))
        .route("/api/v1/apps/{id}/credentials/jwks/{key}/lifecycle/{verb}", post(set_key_status))
}

async fn list_secrets(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let visible = secrets_for(&caller);
    let secrets = application.authentication.secrets().iter();
    Ok(Json(secrets.map(|secret| shown_secret(&context, application, secret, visible)).collect()))
}

async fn read_secret(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, secret)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, &id)?;
    let found = find_secret(application.authentication.secrets(), &secret)?;
    Ok(Json(shown_secret(&context, application, found, secrets_for(&caller))))
}

/// `POST`: `{client_secret?, status?}`; without one, one is made.
async fn create_secret(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    OptionalBody(body): OptionalBody<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut body = Fields::of_body(body.unwrap_or_default());
    let given = body.parsed("client_secret", settings::client_secret)?;
    let status = body.word("status", "ACTIVE or INACTIVE", Status::parse)?.unwrap_or_default();
    let value = given.map_or_else(
        || ClientSecretValue::generate(&*context.entropy),
        |text| ClientSecretValue::presented(&text),
    );
    let made = ClientSecret { status, ..new_secret(&context, &value) };
    let application =
        change_secrets(&context, &caller, &id, "application.oauth2.client_secret.create", |secrets| {
            if secrets.len() >= MOST_SECRETS {
                return Err(ApiError::invalid(
                    "client_secret",
                    "A client has at most two secrets: delete one first",
                ));
            }
            secrets.push(made.clone());
            Ok(())
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown_secret(&context, &application, &made, Secrets::Shown))))
}

/// `DELETE`: only of an inactive one.
async fn remove_secret(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, secret)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    change_secrets(&context, &caller, &id, "application.oauth2.client_secret.delete", |secrets| {
        if find_secret(secrets, &secret)?.status.is_active() {
            return Err(ApiError::invalid("secretId", "The secret is active: deactivate it first"));
        }
        secrets.retain(|one| one.id.as_str() != secret);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/lifecycle/activate|deactivate`
async fn set_secret_status(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, secret, verb)): Ids<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (status, event) = status(&verb, "application.oauth2.client_secret")?;
    let application = change_secrets(&context, &caller, &id, &event, |secrets| {
        find_secret(secrets, &secret)?;
        for one in secrets.iter_mut().filter(|one| one.id.as_str() == secret) {
            one.status = status;
        }
        if !secrets.iter().any(|one| one.status.is_active()) {
            return Err(ApiError::invalid(
                "secretId",
                "This is the last active secret: activate or make another first",
            ));
        }
        Ok(())
    })
    .await?;
    let found = find_secret(application.authentication.secrets(), &secret)?;
    Ok(Json(shown_secret(&context, &application, found, Secrets::Shown)))
}

async fn change_secrets(
    context: &Context,
    caller: &Caller,
    id: &str,
    event_type: &str,
    mut change: impl FnMut(&mut Vec<ClientSecret>) -> Result<(), ApiError>,
) -> Result<Application, ApiError> {
    change_authentication(context, caller, id, event_type, |authentication| match authentication {
        ClientAuthentication::ClientSecretBasic(secrets)
        | ClientAuthentication::ClientSecretPost(secrets) => change(secrets),
        other => Err(ApiError::invalid(
            "token_endpoint_auth_method",
            format!("This client has no secrets: its method is {}", other.method()),
        )),
    })
    .await
}

async fn change_authentication(
    context: &Context,
    caller: &Caller,
    id: &str,
    event_type: &str,
    mut change: impl FnMut(&mut ClientAuthentication) -> Result<(), ApiError>,
) -> Result<Application, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    require_over_application(context, caller, id).await?;
    context
        .change_configuration(|snapshot| {
            let before = find(snapshot, id)?;
            let mut after = before.clone();
            change(&mut after.authentication)?;
            if after == *before {
                return Ok((Vec::new(), after));
            }
            after.last_updated = context.now();
            let entry = entry(context, caller, event_type, "Change credentials of application", &after);
            Ok((vec![Change::PutApplication(after.clone()), entry], after))
        })
        .await
}

fn status(verb: &str, event: &str) -> Result<(Status, String), ApiError> {
    match verb {
        "activate" => Ok((Status::Active, format!("{event}.activate"))),
        "deactivate" => Ok((Status::Inactive, format!("{event}.deactivate"))),
        _ => Err(ApiError::no_such_path()),
    }
}

fn find_secret<'a>(secrets: &'a [ClientSecret], id: &str) -> Result<&'a ClientSecret, ApiError> {
    secrets
        .iter()
        .find(|secret| secret.id.as_str() == id)
        .ok_or_else(|| ApiError::not_found("ClientSecret", id))
}

/// `secret_hash` is what Okta's console shows instead of the secret.
fn shown_secret(
    context: &Context,
    application: &Application,
    secret: &ClientSecret,
    visible: Secrets,
) -> Value {
    let url = |rest: &str| {
        context.url(&format!("/api/v1/apps/{}/credentials/secrets/{}{rest}", application.id, secret.id))
    };
    let link = match secret.status {
        Status::Active => json!({ "deactivate": { "href": url("/lifecycle/deactivate") } }),
        Status::Inactive => {
            json!({ "activate": { "href": url("/lifecycle/activate") }, "delete": { "href": url("") } })
        }
    };
    let mut shown = json!({
        "id": secret.id.as_str(),
        "created": time::text(secret.created),
        "lastUpdated": time::text(secret.created),
        "status": secret.status.as_str(),
        "_links": link,
    });
    if visible == Secrets::Shown
        && let Some(text) = secret_text(context, secret)
    {
        shown["client_secret"] = text.into();
    }
    shown
}

async fn list_keys(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    let keys = keys(find(&snapshot, &id)?);
    Ok(Json(json!({ "jwks": { "keys": keys } })))
}

async fn read_key(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, key)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    find_key(&keys(find(&snapshot, &id)?), &key).cloned().map(Json)
}

/// `POST`: a public key in JWK form.
async fn add_key(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut key = body;
    settings::check_keys(json!({ "keys": [key] })).map_err(|cause| ApiError::invalid("key", cause))?;
    if !key.get("kid").is_some_and(Value::is_string) {
        return Err(ApiError::invalid("kid", "The field cannot be left blank"));
    }
    key.entry("status").or_insert_with(|| "ACTIVE".into());
    let added = Value::Object(key);
    change_keys(&context, &caller, &id, "application.oauth2.client_key.create", |keys| {
        if keys.len() >= MOST_KEYS {
            return Err(ApiError::invalid(
                "keys",
                format!("A client has at most {MOST_KEYS} keys: delete one first"),
            ));
        }
        if keys.iter().any(|key| key["kid"] == added["kid"]) {
            return Err(ApiError::invalid("kid", "Another key of this client has this kid"));
        }
        keys.push(added.clone());
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, Json(with_id(&added))))
}

async fn remove_key(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, key)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    change_keys(&context, &caller, &id, "application.oauth2.client_key.delete", |keys| {
        find_key(keys, &key)?;
        keys.retain(|one| key_id(one) != Some(&key));
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_key_status(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, key, verb)): Ids<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (status, event) = status(&verb, "application.oauth2.client_key")?;
    let application = change_keys(&context, &caller, &id, &event, |keys| {
        find_key(keys, &key)?;
        for one in keys.iter_mut().filter(|one| key_id(one) == Some(&key)) {
            one["status"] = status.as_str().into();
        }
        Ok(())
    })
    .await?;
    find_key(&keys(&application), &key).cloned().map(Json)
}

async fn change_keys(
    context: &Context,
    caller: &Caller,
    id: &str,
    event_type: &str,
    mut change: impl FnMut(&mut Vec<Value>) -> Result<(), ApiError>,
) -> Result<Application, ApiError> {
    change_authentication(context, caller, id, event_type, |authentication| {
        let (ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(set))
        | ClientAuthentication::SelfSignedTls(ClientKeys::Inline(set))) = authentication
        else {
            return Err(ApiError::invalid(
                "token_endpoint_auth_method",
                "This client has no keys here: its method is neither private_key_jwt nor \
                 self_signed_tls_client_auth, or they are at its jwks_uri",
            ));
        };
        let mut keys = set.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        change(&mut keys)?;
        *set = json!({ "keys": keys });
        Ok(())
    })
    .await
}

/// The client's keys, each with an id.
fn keys(application: &Application) -> Vec<Value> {
    match &application.authentication {
        ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(set))
        | ClientAuthentication::SelfSignedTls(ClientKeys::Inline(set)) => {
            set.get("keys").and_then(Value::as_array).into_iter().flatten().map(with_id).collect()
        }
        _ => Vec::new(),
    }
}

/// A key is known by its `kid`.
fn key_id(key: &Value) -> Option<&str> {
    key.get("kid").and_then(Value::as_str)
}

fn with_id(key: &Value) -> Value {
    let mut shown = key.clone();
    if let Some(shown) = shown.as_object_mut() {
        let id = key_id(key).unwrap_or_default();
        shown.insert("id".to_owned(), id.into());
        shown.entry("status").or_insert_with(|| "ACTIVE".into());
        shown.entry("use").or_insert_with(|| "sig".into());
    }
    shown
}

fn find_key<'a>(keys: &'a [Value], id: &str) -> Result<&'a Value, ApiError> {
    keys.iter().find(|key| key_id(key) == Some(id)).ok_or_else(|| ApiError::not_found("ClientKey", id))
}
