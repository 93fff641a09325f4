//! Where a user stands in its life, and how an administrator moves it on.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use kubesso_directory::password::Password;
use kubesso_directory::{Access, Change, Resource, ThrottleKey, TransitionError, User, UserId, UserStatus};
use serde_json::{Value, json};

use super::links::{self, OneTimeLink};
use super::{change, credentials, entry, find_or_me};
use crate::answer::Warnings;
use crate::authentication::Caller;
use crate::authority::require_over_user;
use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::{Ids, Parameters};
use crate::view;

pub(super) fn routes() -> Router<Context> {
    let at = |verb: &str| format!("/api/v1/users/{{id}}/lifecycle/{verb}");
    Router::new()
        .route(&at("activate"), post(activate))
        .route(&at("reactivate"), post(reactivate))
        .route(&at("deactivate"), post(deactivate))
        .route(&at("suspend"), post(suspend))
        .route(&at("unsuspend"), post(unsuspend))
        .route(&at("unlock"), post(unlock))
        .route(&at("expire_password"), post(expire_password))
        .route(&at("expire_password_with_temp_password"), post(expire_password_with_temporary))
        .route(&at("reset_password"), post(reset_password))
        .route(&at("reset_factors"), post(reset_factors))
}

/// `POST …/activate?sendEmail`: whoever has a password may sign in from now on; whoever has none gets a link to choose
/// one, which is answered: `{activationUrl, activationToken}`.
async fn activate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let has_password = context.store.password_hash(&user.id).await?.is_some();
    let link = OneTimeLink::activation(&context, &user);
    change(&context, &caller, &user.id, |before| {
        let now = context.now();
        let after = if has_password { before.clone().activate(now) } else { before.clone().provision(now) };
        let after = after.map_err(|_| {
            let cause = match before.status {
                UserStatus::Provisioned => {
                    "The user is PROVISIONED: use lifecycle/reactivate for another link"
                }
                _ => "Activation failed because the user is already active",
            };
            ApiError::state(
                StatusCode::FORBIDDEN,
                "E0000016",
                "Activation failed because the user is already active",
                cause,
            )
        })?;
        let mut more = vec![entry(&context, &caller, "user.lifecycle.activate", "Activate user", &after)];
        if !has_password {
            more.push(link.change());
        }
        Ok((after, more))
    })
    .await?;
    if has_password {
        return Ok(Warnings::default().with(Json(json!({}))));
    }
    handed_over(&context, &parameters, &link)
}

/// `POST …/reactivate?sendEmail`: another link for somebody who has not chosen a password yet.
async fn reactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let link = OneTimeLink::activation(&context, &user);
    change(&context, &caller, &user.id, |before| {
        if before.status != UserStatus::Provisioned {
            return Err(not_allowed(before));
        }
        let entry = entry(&context, &caller, "user.lifecycle.reactivate", "Reactivate user", before);
        Ok((before.clone(), vec![link.change(), entry]))
    })
    .await?;
    handed_over(&context, &parameters, &link)
}

/// The link, with a warning for whoever asked for a mail.
fn handed_over(context: &Context, parameters: &Parameters, link: &OneTimeLink) -> Result<Response, ApiError> {
    let mut warnings = Warnings::default();
    if parameters.flag("sendEmail", true)? {
        warnings.add("No mail goes out from here: hand over the link that is answered");
    }
    let body = json!({ "activationUrl": link.url(context), "activationToken": link.secret() });
    Ok(warnings.with(Json(body)))
}

/// `POST …/deactivate`: ends all sessions and refresh tokens too.
async fn deactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    deactivate_user(&context, &caller, &user.id).await?;
    Ok(Json(json!({})))
}

/// Deactivates; for whoever is deactivated already, nothing happens.
pub(super) async fn deactivate_user(context: &Context, caller: &Caller, id: &UserId) -> Result<(), ApiError> {
    change(context, caller, id, |before| {
        if before.status == UserStatus::Deprovisioned {
            return Ok((before.clone(), Vec::new()));
        }
        let after = before.clone().deactivate(context.now()).map_err(|_| not_allowed(before))?;
        let entry = entry(context, caller, "user.lifecycle.deactivate", "Deactivate user", &after);
        let mut more = everything_ended(&after);
        more.extend([Change::RemoveOneTimeTokens(after.id.clone()), entry]);
        Ok((after, more))
    })
    .await
    .map(drop)
}

/// `POST …/suspend`: ends all sessions and refresh tokens too.
async fn suspend(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    change(&context, &caller, &user.id, |before| {
        let after = before.clone().suspend(context.now()).map_err(|error| refused("suspend", &error))?;
        let mut more = everything_ended(&after);
        more.push(entry(&context, &caller, "user.lifecycle.suspend", "Suspend user", &after));
        Ok((after, more))
    })
    .await?;
    Ok(Json(json!({})))
}

/// `POST …/unsuspend`
async fn unsuspend(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    change(&context, &caller, &user.id, |before| {
        let after = before.clone().unsuspend(context.now()).map_err(|error| refused("unsuspend", &error))?;
        let entry = entry(&context, &caller, "user.lifecycle.unsuspend", "Unsuspend user", &after);
        Ok((after, vec![entry]))
    })
    .await?;
    Ok(Json(json!({})))
}

fn refused(verb: &str, error: &TransitionError) -> ApiError {
    let state = if verb == "suspend" { "active" } else { "suspended" };
    ApiError::invalid(
        verb,
        format!("Cannot {verb} a user that is not {state}: this one is {}", error.from.as_str()),
    )
}

/// `POST …/unlock`: forgets the failures at sign-in by which somebody has to wait.
async fn unlock(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let failures = context.store.forget_attempts(&ThrottleKey::login(user.profile.login.as_str())).await?;
    change(&context, &caller, &user.id, |before| {
        let after = match before.clone().unlock(context.now()) {
            Ok(after) => after,
            Err(_) if failures > 0 => before.clone(),
            Err(_) => {
                return Err(ApiError::state(
                    StatusCode::FORBIDDEN,
                    "E0000032",
                    "Unlock is not allowed for this user.",
                    format!("The user is {} and not locked out", before.status.as_str()),
                ));
            }
        };
        let entry = entry(&context, &caller, "user.account.unlock_by_admin", "Unlock user", &after);
        Ok((after, vec![entry]))
    })
    .await?;
    Ok(Json(json!({})))
}

/// `POST …/expire_password?tempPassword&revokeSessions`: answers the user, or with `tempPassword=true` a new password
/// that is good for choosing another.
async fn expire_password(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    if parameters.flag("tempPassword", false)? {
        return expire_password_with_temporary(State(context), caller, Ids(id), parameters).await;
    }
    let user = managed(&context, &caller, &id).await?;
    let revoke = parameters.flag("revokeSessions", false)?;
    let user = change(&context, &caller, &user.id, |before| {
        if before.status == UserStatus::PasswordExpired {
            return Ok((before.clone(), Vec::new()));
        }
        let after = before.clone().expire_password(context.now()).map_err(|_| not_allowed(before))?;
        let mut more = if revoke { everything_ended(&after) } else { Vec::new() };
        more.push(entry(&context, &caller, "user.account.expire_password", "Expire user's password", &after));
        Ok((after, more))
    })
    .await?;
    Ok(Json(view::user(&context, &user)))
}

/// `POST …/expire_password_with_temp_password`: `{tempPassword}`
async fn expire_password_with_temporary(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    _parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    let password = Password::generate(&*context.entropy);
    let hash = credentials::hash(&context, &password, &user.profile.login).await?;
    change(&context, &caller, &user.id, |before| {
        let after = match before.status {
            UserStatus::PasswordExpired => before.clone(),
            _ => before.clone().expire_password(context.now()).map_err(|_| not_allowed(before))?,
        };
        let mut more: Vec<Change> = credentials::set(&context, &caller, &after, hash.clone()).into();
        more.push(entry(&context, &caller, "user.account.expire_password", "Expire user's password", &after));
        Ok((after, more))
    })
    .await?;
    Ok(Json(json!({ "tempPassword": password.expose() })))
}

/// `POST …/reset_password?sendEmail=false`: the present password does not work any more; `{resetPasswordUrl}`.
async fn reset_password(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let user = managed(&context, &caller, &id).await?;
    links::refuse_mail(&parameters)?;
    let link = OneTimeLink::password_reset(&context, &user);
    change(&context, &caller, &user.id, |before| {
        let after = before.clone().reset_password(context.now()).map_err(|_| not_allowed(before))?;
        let mut more = everything_ended(&after);
        let entry = entry(&context, &caller, "user.account.reset_password", "Reset user's password", &after);
        more.extend([link.change(), entry]);
        Ok((after, more))
    })
    .await?;
    Ok(Json(json!({ "resetPasswordUrl": link.url(&context) })))
}

/// `POST …/reset_factors`: there are none, so that none is left.
async fn reset_factors(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    managed(&context, &caller, &id).await?;
    Ok(Json(json!({})))
}

/// The user of that id or login, whom the caller may change.
async fn managed(context: &Context, caller: &Caller, id: &str) -> Result<User, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    let user = find_or_me(context, caller, id).await?;
    require_over_user(context, caller.authority(), &user).await?;
    Ok(user)
}

fn everything_ended(user: &User) -> Vec<Change> {
    vec![Change::EndSessions(user.id.clone()), Change::EndGrants(user.id.clone())]
}

/// The refusal of what the user's status does not allow.
pub(super) fn not_allowed(user: &User) -> ApiError {
    ApiError::state(
        StatusCode::FORBIDDEN,
        "E0000038",
        "This operation is not allowed in the user's current status.",
        format!("The user is {}", user.status.as_str()),
    )
}
