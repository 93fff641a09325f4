//! Who somebody is, by login and password: for the sign-in pages and for the password grant.
//!
//! The answer does not tell which logins exist: for a login that does not, the same work is done (an Argon2id
//! computation) and the answer is the same; attempts are counted alike
//! ([`kubesso_directory::ThrottleRule`]).

use std::fmt::{self, Display};

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::password::{Password, PasswordError, PasswordHash, Verification};
use kubesso_directory::{
    Attempt, Batch, Change, Expectation, Login, NOTED_AT, Person, StoreError, ThrottleKey, ThrottleRule,
    User, UserId, UserStatus,
};
use tokio::task::JoinError;
use tracing::Instrument as _;

use crate::audit;
use crate::client_address::ClientAddress;
use crate::context::Context;

/// Why a password did not sign anybody in.
pub(crate) enum Denied {
    /// Another login, another password, or no such person: nobody is told which.
    WrongPassword,
    /// The password is right, and the person may not sign in.
    NotActive(UserStatus),
    TooEarly(SignedDuration),
    /// Too many people are signing in at this moment.
    Busy,
}

impl Denied {
    /// The status of the page that says so.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::WrongPassword => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotActive(_) => StatusCode::FORBIDDEN,
            Self::TooEarly(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// After how many seconds another try may succeed, where time alone helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooEarly(wait) => Some(whole_seconds(*wait)),
            Self::Busy => Some(5),
            Self::WrongPassword | Self::NotActive(_) => None,
        }
    }
}

/// What the person is told.
impl Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPassword => f.write_str("The user name or the password is not right."),
            Self::NotActive(status) => f.write_str(not_active(*status)),
            Self::TooEarly(wait) => {
                let seconds = whole_seconds(*wait);
                let unit = if seconds == 1 { "second" } else { "seconds" };
                write!(f, "Too many attempts. Try again in {seconds} {unit}.")
            }
            Self::Busy => {
                f.write_str("Too many people are signing in at this moment. Try again in a few seconds.")
            }
        }
    }
}

/// Why it could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a thread or a task has ended before its work")]
    Thread(#[from] JoinError),
}

/// Whose password it is, and what the person may do with it.
pub(crate) enum Proved {
    /// Sign in.
    MaySignIn(Person),
    /// Choose another one, because it has expired, and nothing else.
    MustChoose(Person),
}

/// The person whose login and password were typed, if it may sign in at once; `client` is what
/// for, to be logged.
pub(crate) async fn check_password(
    context: &Context,
    client: &(dyn Display + Sync),
    address: ClientAddress,
    typed: &str,
    password: Option<&str>,
) -> Result<Result<Person, Denied>, CheckError> {
    Ok(match prove(context, client, address, typed, password).await? {
        Ok(Proved::MaySignIn(person)) => Ok(person),
        Ok(Proved::MustChoose(person)) => Err(refused(&person.user)),
        Err(denied) => Err(denied),
    })
}

/// [`check_password`] where somebody whose password has expired can choose another one. What is denied is counted.
pub(crate) async fn prove(
    context: &Context,
    client: &(dyn Display + Sync),
    address: ClientAddress,
    typed: &str,
    password: Option<&str>,
) -> Result<Result<Proved, Denied>, CheckError> {
    let proved = try_password(context, client, address, typed, password).await?;
    Ok(proved.inspect_err(|denied| context.counters.denied(denied)))
}

async fn try_password(
    context: &Context,
    client: &(dyn Display + Sync),
    address: ClientAddress,
    typed: &str,
    password: Option<&str>,
) -> Result<Result<Proved, Denied>, CheckError> {
    let store = &context.store;
    let attempts =
        Attempts { login: ThrottleKey::login(typed), network: address.0.map(ThrottleKey::network) };
    let number = match attempts.count(context).await? {
        Attempt::Allowed { number } => number,
        Attempt::Wait { until } => {
            tracing::warn!(address = %address, "sign-in refused: too many attempts");
            return Ok(Err(Denied::TooEarly(until.duration_since(context.now()))));
        }
    };
    let user = match Login::parse(typed.trim()) {
        Ok(login) => store.user_by_login(&login).await?,
        Err(_) => None,
    };
    // Asked for nobody too: the same questions, whoever it is.
    let id = user.as_ref().map_or_else(|| UserId::generate(&*context.entropy), |user| user.id.clone());
    let hash = store.password_hash(&id).await?;
    let password = Password::new(password.unwrap_or_default());
    let (hasher, typed, stored) = (context.password_hasher.clone(), password.clone(), hash.clone());
    let verify = move || hasher.verify(&typed, stored.as_ref());
    let Some(verification) = context.hashing.run(verify).await? else { return Ok(Err(Denied::Busy)) };
    let user = match (user, verification) {
        (Some(user), Verification::Right) => user,
        (Some(user), Verification::RightButOutdated) => {
            hash_again(context, &user, password, hash.as_ref()).await?;
            user
        }
        (user, _) => {
            if let Some(user) = user.as_ref().filter(|_| number == NOTED_AT) {
                note_guessing(context, user, address);
            }
            let user = user.map(|user| user.id.to_string());
            tracing::warn!(
                user = user.as_deref().unwrap_or("unknown"),
                %client,
                address = %address,
                "sign-in refused: wrong login or password"
            );
            return Ok(Err(Denied::WrongPassword));
        }
    };
    // Read after the password was checked, which takes a while.
    let Some(person) = store.person(&user.id).await? else { return Ok(Err(Denied::WrongPassword)) };
    let person = match expire_by_age(context, &person.user).await? {
        Some(expired) => Person { user: expired, ..person },
        None => person,
    };
    let proved = match person.user.status {
        UserStatus::PasswordExpired => Proved::MustChoose(person),
        status if status.may_sign_in() => Proved::MaySignIn(person),
        _ => return Ok(Err(refused(&person.user))),
    };
    attempts.forgive(context).await?;
    Ok(Ok(proved))
}

/// Whoever signs in by a password that is too old must choose another one first: the person as it is then.
async fn expire_by_age(context: &Context, user: &User) -> Result<Option<User>, StoreError> {
    let (policy, now) = (context.sign_in.passwords, context.now());
    let set = user.password_changed.unwrap_or(user.created);
    if user.status != UserStatus::Active || !policy.is_too_old(set, now) {
        return Ok(None);
    }
    let Ok(expired) = user.clone().expire_password(now) else { return Ok(None) };
    let entry = audit::password_too_old(context, &user.id);
    let changes = vec![Change::PutUser(expired.clone()), entry];
    let batch = Batch::new(now, changes).expecting(Expectation::User(user.id.clone(), user.last_updated));
    match context.store.commit(batch).await {
        Ok(_) => Ok(Some(expired)),
        // Somebody changed the person at this moment: the next sign-in sees to it.
        Err(StoreError::Stale) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes down that somebody guesses at an account, once in a row of failures. The answer does not wait for it: the time
/// must not tell that there is such an account.
fn note_guessing(context: &Context, user: &User, address: ClientAddress) {
    let context = context.clone();
    let entry = audit::guessed_at(&context, &user.id, address);
    let writing = async move {
        if let Err(error) = context.store.commit(Batch::new(context.now(), vec![entry])).await {
            tracing::error!(%error, "that an account is being guessed at could not be written down");
        }
    };
    tokio::spawn(writing.in_current_span());
}

fn refused(user: &User) -> Denied {
    tracing::warn!(user = %user.id, status = user.status.as_str(), "sign-in refused: not active");
    Denied::NotActive(user.status)
}

/// What an attempt to sign in is counted under.
struct Attempts {
    login: ThrottleKey,
    /// Where the address is known.
    network: Option<ThrottleKey>,
}

impl Attempts {
    /// Counts an attempt, or says how long to wait.
    ///
    /// The network goes first: one that has to wait must neither hold up the people whom it names nor fill the
    /// store with counters of people whom it invents.
    async fn count(&self, context: &Context) -> Result<Attempt, StoreError> {
        let (store, now) = (&context.store, context.now());
        if let Some(network) = &self.network
            && let wait @ Attempt::Wait { .. } = store.attempt(network, &ThrottleRule::NETWORK, now).await?
        {
            return Ok(wait);
        }
        let attempt = store.attempt(&self.login, &context.sign_in.lockout, now).await?;
        if let (Attempt::Wait { .. }, Some(network)) = (attempt, &self.network) {
            // No password was looked at.
            store.take_back_attempts(network, 1).await?;
        }
        Ok(attempt)
    }

    /// Somebody has signed in: what was tried under that login was the person's own, and is taken off the
    /// network's count too. What was tried under other logins stays there, so that nobody wipes it out with an
    /// account of one's own.
    async fn forgive(&self, context: &Context) -> Result<(), StoreError> {
        let own = context.store.forget_attempts(&self.login).await?;
        if let Some(network) = &self.network {
            context.store.take_back_attempts(network, own).await?;
        }
        Ok(())
    }
}

/// Stores the hash with the parameters that are in force now, unless `verified` has been replaced meanwhile
/// or all threads are taken; then the next sign-in does it.
async fn hash_again(
    context: &Context,
    user: &User,
    password: Password,
    verified: Option<&PasswordHash>,
) -> Result<(), CheckError> {
    let (hasher, entropy) = (context.password_hasher.clone(), context.entropy.clone());
    let Some(hash) = context.hashing.run(move || hasher.hash(&password, &*entropy)).await? else {
        return Ok(());
    };
    // An administrator's new password must not give way to the old one.
    if context.store.password_hash(&user.id).await?.as_ref() != verified {
        return Ok(());
    }
    let change = Change::SetPassword(user.id.clone(), hash?);
    context.store.commit(Batch::new(context.now(), vec![change])).await?;
    tracing::info!(user = %user.id, "the password was hashed again with the present parameters");
    Ok(())
}

/// Told only to somebody who knows the password.
fn not_active(status: UserStatus) -> &'static str {
    match status {
        UserStatus::LockedOut => "This account is locked. Ask your administrator to unlock it.",
        UserStatus::Suspended => "This account is suspended. Ask your administrator.",
        UserStatus::PasswordExpired | UserStatus::Recovery | UserStatus::Provisioned => {
            "This account needs a new password. Ask your administrator for one."
        }
        UserStatus::Active | UserStatus::Deprovisioned | UserStatus::Staged => {
            "This account is not active. Ask your administrator."
        }
    }
}

fn whole_seconds(wait: SignedDuration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(0).div_ceil(1000).max(1)
}
