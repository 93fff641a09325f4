//! Choosing a password with a link that works once.
//!
//! Whoever has the link may try as often as a password is not good enough; the link is taken once the new one is
//! hashed, so that of two that choose at once exactly one does. Then everything is written in one batch. A batch that
//! the store does not write gives the link back, unless an administrator decided about the person meanwhile; a process
//! that dies between the two loses the link, and the person has to ask for another one. (The other order, writing
//! first, would leave a link in force for a moment after its password is set.)

use std::fmt;

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::password::{Password, PasswordHash, PasswordRuleError, Verification};
use kubesso_directory::{
    Attempt, Batch, Change, Expectation, OneTimePurpose, OneTimeToken, StoreError, ThrottleKey, TokenHash,
    User, UserStatus,
};
use tracing::Instrument as _;

use crate::audit;
use crate::context::Context;
use crate::password_check::{CheckError, Denied};

/// How often the batch is tried while others change the person.
const TRIES: u32 = 3;

/// What somebody typed.
pub(crate) struct Typed<'a> {
    pub(crate) password: &'a str,
    pub(crate) repeated: &'a str,
}

/// Why no password was set.
pub(crate) enum NotChosen {
    /// The link is used, ended or none of ours, or the person may not choose a password any more.
    Ended,
    /// Not with this password; the link stays good.
    Again(Box<User>, Problem),
}

/// Why a password is not taken.
pub(crate) enum Problem {
    Rule(PasswordRuleError),
    /// The two are not the same.
    Different,
    /// It is the one that has expired.
    Old,
    /// It is the one that the person has.
    Same,
    /// Too many were tried.
    TooEarly(SignedDuration),
    /// Too many passwords are being hashed at this moment.
    Busy,
}

impl Problem {
    /// The status of the page that says so.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Rule(_) | Self::Different | Self::Old | Self::Same => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooEarly(wait) => Denied::TooEarly(*wait).status(),
            Self::Busy => Denied::Busy.status(),
        }
    }

    /// After how many seconds another try may succeed, where time alone helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Rule(_) | Self::Different | Self::Old | Self::Same => None,
            Self::TooEarly(wait) => Denied::TooEarly(*wait).retry_after(),
            Self::Busy => Denied::Busy.retry_after(),
        }
    }
}

/// What the person is told.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(error) => write!(f, "Choose another password: {error}."),
            Self::Different => f.write_str("The two passwords are not the same. Type both once more."),
            Self::Old => f.write_str("Choose another password: this is the one that has expired."),
            Self::Same => f.write_str("Choose another password: this is the one that you have."),
            Self::TooEarly(wait) => Denied::TooEarly(*wait).fmt(f),
            Self::Busy => Denied::Busy.fmt(f),
        }
    }
}

/// Who may choose a password with `link` at this moment.
pub(crate) async fn holder(
    context: &Context,
    link: &TokenHash,
    purpose: OneTimePurpose,
) -> Result<Option<User>, StoreError> {
    let found = context.store.one_time_token(link, context.now()).await?;
    let Some(found) = found.filter(|found| found.purpose == purpose) else { return Ok(None) };
    let user = context.store.user(&found.user).await?;
    Ok(user.filter(|user| user.clone().password_chosen(context.now()).is_ok()))
}

/// Sets the password that was typed, and takes `link`; the user afterwards.
pub(crate) async fn choose(
    context: &Context,
    link: &TokenHash,
    purpose: OneTimePurpose,
    typed: &Typed<'_>,
) -> Result<Result<User, NotChosen>, CheckError> {
    let Some(user) = holder(context, link, purpose).await? else { return Ok(Err(NotChosen::Ended)) };
    let hash = match acceptable(context, &user, typed).await? {
        Ok(hash) => hash,
        Err(problem) => return Ok(Err(NotChosen::Again(Box::new(user), problem))),
    };
    // A task of its own: a browser that hangs up must not stop it between the two steps.
    let (context, link) = (context.clone(), *link);
    let taking = async move { take(&context, &link, &user, &hash).await };
    let chosen = tokio::spawn(taking.in_current_span()).await??;
    Ok(chosen.ok_or(NotChosen::Ended))
}

/// Takes `link` and sets the password; `None` if the link was taken by somebody else, or the person's status changed.
async fn take(
    context: &Context,
    link: &TokenHash,
    user: &User,
    hash: &PasswordHash,
) -> Result<Option<User>, StoreError> {
    let Some(taken) = context.store.take_one_time_token(link, context.now()).await? else { return Ok(None) };
    match set(context, user, hash).await {
        Ok(chosen) => {
            if let Some(chosen) = &chosen {
                tracing::info!(user = %chosen.id, was = user.status.as_str(), "chose a password");
            }
            Ok(chosen)
        }
        Err(error) => {
            give_back(context, user, taken).await;
            Err(error)
        }
    }
}

/// The hash of what was typed, if `user` may have it.
///
/// Whose password was reset need not know the old ones, and could find them out here: tries are counted as at a sign-in,
/// which also bounds the work that one person can ask for.
pub(crate) async fn acceptable(
    context: &Context,
    user: &User,
    typed: &Typed<'_>,
) -> Result<Result<PasswordHash, Problem>, CheckError> {
    let (store, policy) = (&context.store, context.sign_in.passwords);
    let (password, login) = (Password::new(typed.password), user.profile.login.clone());
    let judged = password.clone();
    match context.hashing.run(move || policy.check(&judged, &login)).await? {
        None => return Ok(Err(Problem::Busy)),
        Some(Err(error)) => return Ok(Err(Problem::Rule(error))),
        Some(Ok(())) => {}
    }
    if typed.password != typed.repeated {
        return Ok(Err(Problem::Different));
    }
    let tries = ThrottleKey::new_password(&user.id);
    if let Attempt::Wait { until } = store.attempt(&tries, &context.sign_in.lockout, context.now()).await? {
        return Ok(Err(Problem::TooEarly(until.duration_since(context.now()))));
    }
    let present = store.password_hash(&user.id).await?;
    let before = store.old_passwords(&user.id, policy.remembered()).await?;
    let has_expired = user.status == UserStatus::PasswordExpired;
    let (hasher, entropy) = (context.password_hasher.clone(), context.entropy.clone());
    let work = move || {
        let is = |known: &PasswordHash| hasher.verify(&password, Some(known)) != Verification::Wrong;
        if has_expired && present.as_ref().is_some_and(is) {
            return Err(Problem::Old);
        }
        let known = present.iter().chain(&before).skip(usize::from(has_expired && present.is_some()));
        policy.check_history(&hasher, &password, known).map_err(Problem::Rule)?;
        Ok(hasher.hash(&password, &*entropy))
    };
    match context.hashing.run(work).await? {
        None => Ok(Err(Problem::Busy)),
        Some(Err(problem)) => Ok(Err(problem)),
        Some(Ok(hash)) => {
            store.forget_attempts(&tries).await?;
            Ok(Ok(hash?))
        }
    }
}

/// Writes all that a new password means; `None` if the person's status has changed since `read`. Who else changes the
/// person at this moment (another name, say) keeps that change.
async fn set(context: &Context, read: &User, hash: &PasswordHash) -> Result<Option<User>, StoreError> {
    let mut user = read.clone();
    for _ in 0..TRIES {
        let now = context.now();
        let expectation = Expectation::User(user.id.clone(), user.last_updated);
        let Ok(chosen) = user.password_chosen(now) else { return Ok(None) };
        let changes = changes(context, read.status, &chosen, hash);
        match context.store.commit(Batch::new(now, changes).expecting(expectation)).await {
            Ok(_) => {
                context.sessions_ended();
                return Ok(Some(chosen));
            }
            Err(StoreError::Stale) => {}
            Err(error) => return Err(error),
        }
        match as_read(context, read).await? {
            Some(present) => user = present,
            None => return Ok(None),
        }
    }
    Err(StoreError::Stale)
}

fn changes(context: &Context, was: UserStatus, chosen: &User, hash: &PasswordHash) -> Vec<Change> {
    let id = &chosen.id;
    let mut changes = vec![
        Change::PutUser(chosen.clone()),
        Change::KeepOldPassword(id.clone(), context.sign_in.passwords.remembered()),
        Change::SetPassword(id.clone(), hash.clone()),
        Change::EndSessions(id.clone()),
        Change::EndGrants(id.clone()),
        Change::RemoveOneTimeTokens(id.clone()),
    ];
    if was == UserStatus::Provisioned {
        changes.push(audit::own_account(context, audit::ACTIVATED, id, "activated by choosing a password"));
    }
    changes.push(audit::own_account(context, audit::PASSWORD, id, "chose a password"));
    changes
}

/// The user as it is now, if its status is still the one of `read`.
async fn as_read(context: &Context, read: &User) -> Result<Option<User>, StoreError> {
    let present = context.store.user(&read.id).await?;
    Ok(present
        .filter(|present| (present.status, present.status_changed) == (read.status, read.status_changed)))
}

/// Makes a link good again whose password could not be written.
async fn give_back(context: &Context, read: &User, taken: OneTimeToken) {
    let given_back = async {
        let Some(present) = as_read(context, read).await? else { return Ok(()) };
        let expectation = Expectation::User(present.id, present.last_updated);
        let changes = vec![Change::PutOneTimeToken(taken)];
        context.store.commit(Batch::new(context.now(), changes).expecting(expectation)).await.map(drop)
    };
    if let Err(error) = given_back.await {
        let error: StoreError = error;
        tracing::error!(user = %read.id, %error, "a link was taken without setting a password; make another one");
    }
}
