//! The organization's policies: what is in force here, for clients to read. There is one access policy, whose one rule is
//! that a person signs in with a password; sessions and passwords have fixed rules. None of it can be changed here, and a
//! request that would is refused instead of being taken and forgotten.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{any, get};
use kubesso_directory::{Access, Resource};
use serde_json::{Value, json};

use crate::authentication::Caller;
use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::{Ids, Parameters};

/// The id of the access policy that every application has.
pub(crate) const ACCESS_POLICY: &str = "rstkubessodefault000";
/// The id of the policy that says how long sessions last.
const SIGN_ON_POLICY: &str = "00pkubessosignon0000";
/// The id of the policy about passwords.
const PASSWORD_POLICY: &str = "00pkubessopassword00";

/// Types of policies that Okta has and that decide nothing here.
const WITHOUT_ANY: [&str; 8] = [
    "CLIENT_UPDATE",
    "DEVICE_SIGNAL_COLLECTION",
    "ENTITY_RISK",
    "IDP_DISCOVERY",
    "MFA_ENROLL",
    "OAUTH_AUTHORIZATION_POLICY",
    "POST_AUTH_SESSION",
    "PROFILE_ENROLLMENT",
];

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/policies", get(list).post(unchangeable))
        .route("/api/v1/policies/{id}", get(read).put(unchangeable).delete(unchangeable))
        .route("/api/v1/policies/{id}/mappings", get(mappings))
        .route("/api/v1/policies/{id}/rules", get(rules).post(unchangeable))
        .route("/api/v1/policies/{id}/rules/{rule}", any(unchangeable))
        .route("/api/v1/policies/{id}/lifecycle/{verb}", any(unchangeable))
}

/// `GET /api/v1/policies?type=…`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Policies, Access::Read)?;
    let found = match parameters.get("type") {
        Some("ACCESS_POLICY") => json!([policy(&context, ACCESS_POLICY)]),
        Some("OKTA_SIGN_ON") => json!([policy(&context, SIGN_ON_POLICY)]),
        Some("PASSWORD") => json!([policy(&context, PASSWORD_POLICY)]),
        Some(other) if WITHOUT_ANY.contains(&other) => json!([]),
        Some(_) => return Err(ApiError::invalid("type", "use ACCESS_POLICY, OKTA_SIGN_ON or PASSWORD")),
        None => return Err(ApiError::invalid("type", "The parameter cannot be left out")),
    };
    Ok(Json(found))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Policies, Access::Read)?;
    find(&id)?;
    Ok(Json(policy(&context, &id)))
}

async fn mappings(caller: Caller, Ids(id): Ids<String>) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Policies, Access::Read)?;
    find(&id)?;
    Ok(Json(json!([])))
}

async fn rules(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Policies, Access::Read)?;
    find(&id)?;
    Ok(Json(json!([rule(&context, &id)])))
}

async fn unchangeable(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Policies, Access::Manage)?;
    Err(ApiError::unsupported(
        "The organization's policies are fixed: who gets which token is decided by the policies of authorization servers \
         (/api/v1/authorizationServers/{id}/policies)",
    ))
}

fn find(id: &str) -> Result<(), ApiError> {
    if [ACCESS_POLICY, SIGN_ON_POLICY, PASSWORD_POLICY].contains(&id) {
        return Ok(());
    }
    Err(ApiError::not_found("Policy", id))
}

/// Refuses any id but the access policy's.
pub(crate) fn find_access_policy(id: &str) -> Result<(), ApiError> {
    if id == ACCESS_POLICY { Ok(()) } else { Err(ApiError::not_found("Policy", id)) }
}

fn policy(context: &Context, id: &str) -> Value {
    let (kind, name, settings) = match id {
        ACCESS_POLICY => ("ACCESS_POLICY", "Any one factor", Value::Null),
        SIGN_ON_POLICY => ("OKTA_SIGN_ON", "Default Policy", Value::Null),
        _ => {
            let (passwords, lockout) = (context.sign_in.passwords, context.sign_in.lockout);
            let settings = json!({
                "password": {
                    "complexity": {
                        "minLength": passwords.shortest,
                        "excludeUsername": true,
                        "dictionary": { "common": { "exclude": passwords.refuses_guessable } },
                    },
                    "age": { "maxAgeDays": passwords.max_age.map_or(0, |age| age.as_hours() / 24),
                        "historyCount": passwords.history,
                    },
                    "lockout": {
                        "maxAttempts": lockout.free,
                        "autoUnlockMinutes": lockout.forgotten_after.as_mins(),
                    },
                },
            });
            ("PASSWORD", "Default Policy", settings)
        }
    };
    let url = |rest: &str| context.url(&format!("/api/v1/policies/{id}{rest}"));
    let mut shown = json!({
        "id": id,
        "status": "ACTIVE",
        "name": name,
        "description": "What is in force in this organization",
        "priority": 1,
        "system": true,
        "conditions": null,
        "created": BEGINNING,
        "lastUpdated": BEGINNING,
        "type": kind,
        "_links": {
            "self": { "href": url(""), "hints": { "allow": ["GET"] } },
            "rules": { "href": url("/rules") },
            "mappings": { "href": url("/mappings") },
        },
    });
    if !settings.is_null() {
        shown["settings"] = settings;
    }
    shown
}

/// These policies have always been there.
const BEGINNING: &str = "2026-01-01T00:00:00.000Z";

fn rule(context: &Context, policy: &str) -> Value {
    let (id, kind, actions) = match policy {
        ACCESS_POLICY => (
            "rulkubessodefault000",
            "ACCESS_POLICY",
            json!({ "appSignOn": { "access": "ALLOW", "verificationMethod": { "factorMode": "1FA", "type": "ASSURANCE" } } }),
        ),
        SIGN_ON_POLICY => {
            let session = context.sign_in.sessions;
            let actions = json!({
                "signon": {
                    "access": "ALLOW",
                    "requireFactor": false,
                    "session": {
                        "usePersistentCookie": false,
                        "maxSessionIdleMinutes": session.idle.as_mins(),
                        "maxSessionLifetimeMinutes": session.absolute.as_mins(),
                    },
                },
            });
            ("0prkubessosignon0000", "SIGN_ON", actions)
        }
        _ => (
            "0prkubessopassword00",
            "PASSWORD",
            json!({ "passwordChange": { "access": "ALLOW" }, "selfServicePasswordReset": { "access": "DENY" } }),
        ),
    };
    json!({
        "id": id,
        "status": "ACTIVE",
        "name": "Catch-all Rule",
        "priority": 99,
        "system": true,
        "type": kind,
        "conditions": null,
        "created": BEGINNING,
        "lastUpdated": BEGINNING,
        "actions": actions,
        "_links": { "self": { "href": context.url(&format!("/api/v1/policies/{policy}/rules/{id}")) } },
    })
}
