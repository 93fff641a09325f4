//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): the clients that took part in a session are told that
//! it ended, by a signed token that is posted to them.
//!
//! Who is to be told is noted in the store with the end of the session, by whoever ends it. The replicas work that table:
//! each takes some deliveries for a time, so that another takes over what it could not finish, and the table is what is
//! left after a restart. The token is made at each attempt, with the same `jti`. What cannot be delivered is given up after
//! some hours, with an entry in the audit trail; the session has ended all the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use kubesso_directory::{
    AuditEvent, AuditEventId, DeliveryOutcome, LogoutDelivery, Outcome, Secret, StoreError,
};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use url::Url;

use crate::audit;
use crate::context::Context;
use crate::tokens::sign;

/// The `typ` of a logout token (§2.4).
const LOGOUT_TOKEN_TYPE: &str = "logout+jwt";
/// The event that it tells of (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long it is good, in seconds: two minutes, as §4 advises.
const LIFETIME: i64 = 120;
/// How long to wait before each further attempt: not long for a client that is busy, and longer for one that is down.
const PAUSES: [SignedDuration; 8] = [
    SignedDuration::from_secs(1),
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(25),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(2),
];
/// How long a delivery is one replica's: for longer than a client may take to answer.
const LEASE: SignedDuration = SignedDuration::from_mins(1);
/// So many requests at once.
const AT_ONCE: usize = 16;
/// How often to look for what others have noted: another replica that has ended since, or a command on the machine.
const LOOK: Duration = Duration::from_secs(5);

/// Whoever posts logout tokens.
///
/// Addresses come from administrators of applications, who need not be those of the network: an implementation must use
/// https only, follow no redirect, send no credentials, wait for a bounded time, and call no address that is not public
/// unless it was told to.
#[async_trait]
pub trait BackChannel: fmt::Debug + Send + Sync {
    /// Posts `logout_token` as the form of §2.5 to `uri`.
    async fn post_logout_token(&self, uri: &Url, logout_token: &Secret) -> Result<(), BackChannelError>;
}

/// A logout token was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackChannelError {
    /// The client refused it, or may not be called; another attempt would end the same way.
    #[error("{0}")]
    Refused(String),
    /// Nobody answered, or with an error of its own; worth another attempt.
    #[error("{0}")]
    Failed(String),
}

/// Delivers in the background.
#[derive(Debug)]
pub(crate) struct Deliveries {
    channel: Arc<dyn BackChannel>,
    noted: Notify,
}

impl Deliveries {
    pub(crate) fn new(channel: Arc<dyn BackChannel>) -> Self {
        Self { channel, noted: Notify::new() }
    }

    /// There is something to deliver.
    pub(crate) fn begin(&self) {
        self.noted.notify_one();
    }

    /// Delivers what is due, now and whenever something is, for as long as it is polled.
    pub(crate) async fn keep_delivering(&self, context: &Context) {
        loop {
            let next = match self.deliver_due(context).await {
                Ok(()) => context.store.next_logout_delivery().await,
                Err(error) => Err(error),
            };
            let next = next.unwrap_or_else(|error| {
                tracing::error!(%error, cause = ?error, "who is to be told of logouts cannot be read; it is tried again");
                None
            });
            let until_then = next.map(|due| due.duration_since(context.now()));
            let until_then = until_then.map(|pause| Duration::try_from(pause).unwrap_or(Duration::ZERO));
            let pause = until_then.unwrap_or(LOOK).min(LOOK);
            // Whoever is told early only looks early.
            let _ = tokio::time::timeout(pause, self.noted.notified()).await;
        }
    }

    /// Delivers what is due; returns when nothing is any more and no attempt is under way.
    pub(crate) async fn deliver_due(&self, context: &Context) -> Result<(), StoreError> {
        let mut under_way = JoinSet::new();
        let delivered = loop {
            let taken = match self.take(context, AT_ONCE.saturating_sub(under_way.len())).await {
                Ok(taken) => taken,
                Err(error) => break Err(error),
            };
            for delivery in taken {
                under_way.spawn(attempt(context.clone(), self.channel.clone(), delivery));
            }
            tokio::select! {
                attempted = under_way.join_next() => match attempted {
                    None => break Ok(()),
                    Some(Ok(())) => {}
                    Some(Err(error)) => tracing::error!(%error, "an attempt to tell of a logout broke off"),
                },
                () = self.noted.notified() => {}
            }
        };
        under_way.join_all().await;
        delivered
    }

    /// So many of what is due. Whether something is, is looked up without a write.
    async fn take(&self, context: &Context, number: usize) -> Result<Vec<LogoutDelivery>, StoreError> {
        let now = context.now();
        let is_due = context.store.next_logout_delivery().await?.is_some_and(|due| due <= now);
        if !is_due || number == 0 {
            return Ok(Vec::new());
        }
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        context.store.take_logout_deliveries(u32::try_from(number).unwrap_or(u32::MAX), now, until).await
    }
}

/// Tries once to tell a client, and notes what became of it.
async fn attempt(context: Context, channel: Arc<dyn BackChannel>, delivery: LogoutDelivery) {
    let (client, session, attempts) = (&delivery.client, &delivery.session, delivery.attempts);
    let told = tell(&context, &*channel, &delivery).await;
    let pause = pause_after(attempts).filter(|_| matches!(told, Err(BackChannelError::Failed(_))));
    let outcome = match (told, pause) {
        (Ok(()), _) => DeliveryOutcome::Done,
        (Err(error), Some(pause)) => {
            tracing::info!(%client, %session, attempts, %error, "could not be told of a logout; it is tried again");
            DeliveryOutcome::Postponed(context.now().saturating_add(pause).unwrap_or(Timestamp::MAX))
        }
        (Err(error), None) => {
            tracing::warn!(%client, %session, attempts, %error, "could not be told of a logout; given up");
            DeliveryOutcome::GivenUp(Box::new(given_up(&context, &delivery, &error)))
        }
    };
    match context.store.finish_logout_delivery(&delivery, &outcome).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!(%client, %session, "another replica tells the client of the logout as well");
        }
        Err(error) => {
            tracing::error!(%client, %session, %error, "what became of a logout could not be noted; it is told again");
        }
    }
}

/// How long to wait after so many attempts; `None`: it is enough.
fn pause_after(attempts: u32) -> Option<SignedDuration> {
    let done = usize::try_from(attempts).ok()?;
    PAUSES.get(done.saturating_sub(1)).copied()
}

/// Posts a logout token. A client that need not be told any more counts as told.
async fn tell(
    context: &Context,
    channel: &dyn BackChannel,
    delivery: &LogoutDelivery,
) -> Result<(), BackChannelError> {
    let failed = |why: String| BackChannelError::Failed(why);
    // As it is now, and not a moment ago: who need not be told by an old one would never be.
    context.reload().await.map_err(|error| failed(error.to_string()))?;
    let configuration = context.configuration().await;
    let application = configuration.snapshot.application(&delivery.client);
    let application = application.filter(|application| application.status.is_active());
    let Some((application, logout)) = application.and_then(|it| Some((it, it.backchannel_logout()?))) else {
        return Ok(());
    };
    let Some(server) = configuration.server(delivery.server.as_str()) else { return Ok(()) };
    // By the algorithm of its ID tokens (§2.6).
    let key = configuration
        .signing_key_for(server, application)
        .ok_or_else(|| failed("there is no signing key".to_owned()))?;
    let token = sign(key, LOGOUT_TOKEN_TYPE, &logout_token(context, delivery))
        .map_err(|error| failed(error.to_string()))?;
    channel.post_logout_token(&logout.uri, &Secret::new(token)).await?;
    tracing::info!(client = %delivery.client, session = %delivery.session, "told of a logout");
    Ok(())
}

/// The claims of the logout token (§2.4). It always names both the person and the session.
fn logout_token(context: &Context, delivery: &LogoutDelivery) -> Value {
    let now = context.now().as_second();
    let mut events = Map::new();
    events.insert(EVENT.to_owned(), json!({}));
    json!({
        "iss": context.issuer(&delivery.server),
        "aud": delivery.client,
        "sub": delivery.user,
        "sid": delivery.session,
        "iat": now,
        "exp": now.saturating_add(LIFETIME),
        "jti": delivery.jti(),
        "events": events,
    })
}

fn given_up(context: &Context, delivery: &LogoutDelivery, error: &BackChannelError) -> AuditEvent {
    let details = json!({
        "attempts": delivery.attempts,
        "server": delivery.server,
        "session": delivery.session,
        "user": delivery.user,
    });
    AuditEvent {
        id: AuditEventId::generate(&*context.entropy),
        published: context.now(),
        event_type: audit::LOGOUT_NOT_TOLD.to_owned(),
        actor: "system".to_owned(),
        target: Some(delivery.client.to_string()),
        outcome: Outcome::Failure,
        message: format!("the application could not be told of a logout, and it was given up: {error}"),
        details: if let Value::Object(details) = details { details } else { Map::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_until_it_is_enough() {
        let pauses: Vec<_> = (1..).map_while(pause_after).collect();
        assert!(pauses.is_sorted() && pauses.len() == PAUSES.len(), "{pauses:?}");
        let all: SignedDuration = pauses.into_iter().sum();
        assert!(all < kubesso_directory::LOGOUT_DELIVERY_MEMORY, "the store remembers it until then");
        assert_eq!(pause_after(9), None);
    }
}
