//! Changing a password by whoever has signed in and knows the present one, which is asked as at a sign-in: counted,
//! slowed down, and in the same words whatever was wrong.

use std::fmt;

use http::StatusCode;
use kubesso_directory::{Batch, Change, Expectation, StoreError, User};

use crate::audit;
use crate::browser_session::BrowserSession;
use crate::choose_password::{Problem, Typed, acceptable};
use crate::client_address::ClientAddress;
use crate::context::Context;
use crate::password_check::{CheckError, Denied, Proved, prove};

/// Why a password stays as it is.
pub(crate) enum NotChanged {
    /// The present one is not the one that was typed, or too many were tried.
    Old(Denied),
    /// The new one is not taken.
    New(Problem),
    /// Somebody else changed the person at this moment.
    Stale,
}

impl NotChanged {
    /// Whether the field with the present password is what has to be typed again.
    pub(crate) fn is_about_the_old_one(&self) -> bool {
        matches!(self, Self::Old(_))
    }

    /// The status of the page that says so.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Old(denied) => denied.status(),
            Self::New(problem) => problem.status(),
            Self::Stale => StatusCode::CONFLICT,
        }
    }

    /// After how many seconds another try may succeed, where time alone helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Old(denied) => denied.retry_after(),
            Self::New(problem) => problem.retry_after(),
            Self::Stale => None,
        }
    }
}

/// What the person is told.
impl fmt::Display for NotChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Old(Denied::WrongPassword) => f.write_str("The present password is not right."),
            Self::Old(denied) => denied.fmt(f),
            Self::New(problem) => problem.fmt(f),
            Self::Stale => f.write_str(
                "Your account was changed at the same moment, and your password was not. Try again.",
            ),
        }
    }
}

/// Sets the password that was typed, and ends all other sessions and what applications may do without asking.
pub(crate) async fn change(
    context: &Context,
    found: &BrowserSession,
    address: ClientAddress,
    old: &str,
    typed: &Typed<'_>,
) -> Result<Result<(), NotChanged>, CheckError> {
    let login = found.person.user.profile.login.as_str();
    let person = match prove(context, &"a change of password", address, login, Some(old)).await? {
        Ok(Proved::MaySignIn(person) | Proved::MustChoose(person)) => person,
        Err(denied) => return Ok(Err(NotChanged::Old(denied))),
    };
    let user = person.user;
    // A login may go from one person to another.
    if user.id != found.person.user.id {
        return Ok(Err(NotChanged::Old(Denied::WrongPassword)));
    }
    if typed.password == old {
        return Ok(Err(NotChanged::New(Problem::Same)));
    }
    let hash = match acceptable(context, &user, typed).await? {
        Ok(hash) => hash,
        Err(problem) => return Ok(Err(NotChanged::New(problem))),
    };
    let now = context.now();
    let expectation = Expectation::User(user.id.clone(), user.last_updated);
    let id = user.id.clone();
    let chosen = user.clone().password_chosen(now).unwrap_or(User { last_updated: now, ..user });
    let changes = vec![
        Change::PutUser(chosen),
        Change::KeepOldPassword(id.clone(), context.sign_in.passwords.remembered()),
        Change::SetPassword(id.clone(), hash),
        Change::EndOtherSessions(id.clone(), found.session.id.clone()),
        Change::EndGrants(id.clone()),
        Change::RemoveOneTimeTokens(id.clone()),
        audit::own_account(context, audit::PASSWORD, &id, "changed the password"),
    ];
    match context.store.commit(Batch::new(now, changes).expecting(expectation)).await {
        Ok(_) => {
            context.sessions_ended();
            tracing::info!(user = %id, session = %found.session.id, "changed the password");
            Ok(Ok(()))
        }
        Err(StoreError::Stale) => Ok(Err(NotChanged::Stale)),
        Err(error) => Err(error.into()),
    }
}
