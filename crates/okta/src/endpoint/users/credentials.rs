//! Passwords: set by administrators, changed by whoever knows the old one.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use kubesso_directory::password::{Password, PasswordHash, PasswordRuleError, Verification};
use kubesso_directory::{Access, Attempt, Change, Login, Resource, ThrottleKey, User, UserStatus};
use kubesso_directory::{ImportedHash, ImportedHashError};
use serde_json::{Map, Value, json};

use super::links::{self, OneTimeLink};
use super::{change, entry, find_or_me};
use crate::authentication::Caller;
use crate::authority::require_over_user;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::parameters::{Ids, Parameters};

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/users/{id}/credentials/change_password", post(change_password))
        .route("/api/v1/users/{id}/credentials/forgot_password", post(forgot_password))
        .route("/api/v1/users/{id}/credentials/change_recovery_question", post(no_recovery_questions))
        .route(
            "/api/v1/users/{id}/credentials/forgot_password_recovery_question",
            post(no_recovery_questions),
        )
}

/// A password that a request sets.
#[derive(Debug)]
pub(super) enum NewPassword {
    /// In clear.
    Clear(Password),
    /// As the hash that another system keeps of it; taken over at the next sign-in.
    Hashed(PasswordHash),
}

impl NewPassword {
    /// Reads `credentials`; what of it is not offered is refused.
    pub(super) fn read(body: &mut Fields) -> Result<Option<Self>, ApiError> {
        let mut credentials = body.object("credentials")?;
        let mut provider = credentials.object("provider")?;
        if provider.text("type")?.is_some_and(|kind| kind != "OKTA") {
            return Err(ApiError::unsupported(
                "People sign in here with a password of kubesso: leave `credentials.provider` out",
            ));
        }
        if credentials.has("recovery_question") {
            return Err(ApiError::unsupported(
                "Nobody is asked a recovery question: leave `credentials.recovery_question` out, and give out a \
                 link by lifecycle/reset_password?sendEmail=false where a password is lost",
            ));
        }
        let mut password = credentials.object("password")?;
        if password.has("hook") {
            return Err(ApiError::unsupported(
                "No password is taken over by an inline hook: send `value` or `hash`",
            ));
        }
        if password.has("hash") {
            if password.has("value") {
                return Err(password.refuse("value", "send either the password or a hash of it"));
            }
            let hash = password.object("hash")?;
            let at = |error: ImportedHashError| password.refuse("hash", error);
            return ImportedHash::read(&hash.rest()).map(|hash| Some(Self::Hashed(hash))).map_err(at);
        }
        Ok(password.text("value")?.map(|text| Self::Clear(Password::new(text))))
    }

    /// What is stored: the hash of a password that keeps the rule, or a hash as it came.
    pub(super) async fn hash(&self, context: &Context, login: &Login) -> Result<PasswordHash, ApiError> {
        match self {
            Self::Clear(password) => hash(context, password, login).await,
            Self::Hashed(hash) => Ok(hash.clone()),
        }
    }

    /// Whether it is the user's already: setting it again changes nothing.
    pub(super) async fn is_that_of(&self, context: &Context, user: &User) -> Result<bool, ApiError> {
        match self {
            Self::Clear(password) => is_password_of(context, password, user).await,
            Self::Hashed(hash) => {
                Ok(context.store.password_hash(&user.id).await?.is_some_and(|stored| stored == *hash))
            }
        }
    }
}

/// What is written when a user gets a password: whoever was signed in with the old one is signed out.
pub(super) fn set(context: &Context, caller: &Caller, user: &User, hash: PasswordHash) -> [Change; 6] {
    [
        Change::KeepOldPassword(user.id.clone(), context.sign_in.passwords.remembered()),
        Change::SetPassword(user.id.clone(), hash),
        Change::EndSessions(user.id.clone()),
        Change::EndGrants(user.id.clone()),
        Change::RemoveOneTimeTokens(user.id.clone()),
        entry(context, caller, "user.account.update_password", "Update user's password", user),
    ]
}

/// Hashes a password that keeps the rule.
pub(super) async fn hash(
    context: &Context,
    password: &Password,
    login: &Login,
) -> Result<PasswordHash, ApiError> {
    hash_of_none_of(context, password, login, Vec::new()).await
}

/// The same, if the password is none of `before` either: only where somebody chooses an own one (Okta: `strict`), for an
/// administrator could find out old ones by it.
async fn hash_of_none_of(
    context: &Context,
    password: &Password,
    login: &Login,
    before: Vec<PasswordHash>,
) -> Result<PasswordHash, ApiError> {
    let (hasher, entropy, policy) =
        (context.password_hasher.clone(), context.entropy.clone(), context.sign_in.passwords);
    let (password, login) = (password.clone(), login.clone());
    let work = move || {
        policy.check(&password, &login)?;
        policy.check_history(&hasher, &password, &before)?;
        Ok::<_, PasswordRuleError>(hasher.hash(&password, &*entropy))
    };
    let hashed = on_a_hashing_thread(context, work).await?.map_err(|error| {
        ApiError::invalid("password", format!("Password requirements were not met: {error}"))
    })?;
    hashed.map_err(|error| ApiError::invalid("password", error))
}

async fn is_password_of(context: &Context, password: &Password, user: &User) -> Result<bool, ApiError> {
    let stored = context.store.password_hash(&user.id).await?;
    let (hasher, password) = (context.password_hasher.clone(), password.clone());
    let verified = on_a_hashing_thread(context, move || hasher.verify(&password, stored.as_ref())).await?;
    Ok(matches!(verified, Verification::Right | Verification::RightButOutdated))
}

/// Hashing takes memory and a processor for some tens of milliseconds: few at once.
async fn on_a_hashing_thread<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let _turn = context.hashing.acquire().await.map_err(|error| ApiError::internal(&error))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))
}

/// `POST /api/v1/users/{id}/credentials/change_password`: `{oldPassword: {value}, newPassword: {value}, revokeSessions?}`
async fn change_password(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    let user = find_or_me(&context, &caller, &id).await?;
    if caller.user() != Some(&user.id) {
        caller.authority().require(Resource::Users, Access::Manage)?;
        require_over_user(&context, caller.authority(), &user).await?;
    }
    let mut body = Fields::of_body(body);
    let old = Password::new(body.required_object("oldPassword")?.required_text("value")?);
    let new = Password::new(body.required_object("newPassword")?.required_text("value")?);
    throttle(&context, &user).await?;
    if !is_password_of(&context, &old, &user).await? {
        return Err(ApiError::state(
            StatusCode::FORBIDDEN,
            "E0000014",
            "Update of credentials failed",
            "oldPassword: Old Password is not correct",
        ));
    }
    context.store.forget_attempts(&ThrottleKey::login(user.profile.login.as_str())).await?;
    if new == old {
        return Err(ApiError::invalid("newPassword", "The new password is the old one"));
    }
    let before = context.store.old_passwords(&user.id, context.sign_in.passwords.remembered()).await?;
    let hash = hash_of_none_of(&context, &new, &user.profile.login, before).await?;
    let user = change(&context, &caller, &user.id, |before| {
        if !matches!(before.status, UserStatus::Active | UserStatus::PasswordExpired | UserStatus::Staged) {
            return Err(super::lifecycle::not_allowed(before));
        }
        let after = before.clone().password_chosen(context.now()).unwrap_or_else(|_| before.clone());
        let changes = set(&context, &caller, &after, hash.clone());
        Ok((after, changes.into()))
    })
    .await?;
    let credentials = crate::view::user(&context, &user)["credentials"].take();
    Ok(Json(credentials))
}

/// Whoever guesses old passwords is slowed down as at sign-in.
async fn throttle(context: &Context, user: &User) -> Result<(), ApiError> {
    let key = ThrottleKey::login(user.profile.login.as_str());
    let attempt = context.store.attempt(&key, &context.sign_in.lockout, context.now()).await?;
    match attempt {
        Attempt::Allowed { .. } => Ok(()),
        Attempt::Wait { until } => {
            let seconds = (until.as_second() - context.now().as_second()).max(1);
            Err(ApiError::too_many_requests(u32::try_from(seconds).unwrap_or(u32::MAX)))
        }
    }
}

/// `POST /api/v1/users/{id}/credentials/forgot_password?sendEmail=false`: `{resetPasswordUrl}`; until it is used, the
/// present password goes on.
async fn forgot_password(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    links::refuse_mail(&parameters)?;
    let user = find_or_me(&context, &caller, &id).await?;
    let link = OneTimeLink::password_reset(&context, &user);
    change(&context, &caller, &user.id, |before| {
        if before.status != UserStatus::Active {
            return Err(super::lifecycle::not_allowed(before));
        }
        let message = "Make a link by which a lost password is replaced";
        let entry = entry(&context, &caller, "user.account.reset_password", message, before);
        Ok((before.clone(), vec![link.change(), entry]))
    })
    .await?;
    Ok(Json(json!({ "resetPasswordUrl": link.url(&context) })))
}

async fn no_recovery_questions(caller: Caller) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Users, Access::Manage)?;
    Err(ApiError::unsupported("Nobody is asked a recovery question here"))
}
