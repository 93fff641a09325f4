//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): the clients that took part in a session are told that
//! it ended, by a signed token that is posted to them.
//!
//! Delivery happens beside the requests, in this process only: so many attempts, so many at once, so many waiting. What
//! cannot be delivered is logged and given up; the session has ended all the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_ambient::draw;
use kubesso_directory::{Participant, Secret, SessionsOf, StoreError};
use serde_json::json;
use tokio::sync::Semaphore;
use url::Url;

use crate::context::{Configuration, Context};

/// The `typ` of a logout token (§2.4).
const LOGOUT_TOKEN_TYPE: &str = "logout+jwt";
/// The event that it tells of (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long it is good, in seconds: two minutes, as §4 advises.
const LIFETIME: i64 = 120;
/// How long to wait before each further attempt; all of them within the lifetime.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];
/// So many requests at once.
const AT_ONCE: usize = 16;
/// So many deliveries under way or waiting; more are given up.
const MOST: usize = 1024;

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
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Deliveries {
    pub(crate) fn new(channel: Arc<dyn BackChannel>) -> Self {
        Self { channel, at_once: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(MOST)) }
    }

    fn begin(&self, client: String, uri: Url, token: Secret) {
        let Ok(place) = self.waiting.clone().try_acquire_owned() else {
            tracing::error!(client, "too many logouts are being told; this client is not told of one");
            return;
        };
        let (channel, at_once) = (self.channel.clone(), self.at_once.clone());
        tokio::spawn(async move {
            let _place = place;
            match deliver(&*channel, &at_once, &uri, &token, &PAUSES).await {
                Ok(()) => tracing::info!(client, "told of a logout"),
                Err(error) => tracing::warn!(client, %error, "could not be told of a logout; given up"),
            }
        });
    }
}

/// Posts until it is taken or refused, or all pauses are over.
async fn deliver(
    channel: &dyn BackChannel,
    at_once: &Semaphore,
    uri: &Url,
    token: &Secret,
    pauses: &[Duration],
) -> Result<(), BackChannelError> {
    let mut pauses = pauses.iter();
    loop {
        let posted = match at_once.acquire().await {
            Ok(_turn) => channel.post_logout_token(uri, token).await,
            Err(_) => return Ok(()),
        };
        match (posted, pauses.next()) {
            (Err(BackChannelError::Failed(why)), Some(pause)) => {
                tracing::debug!(why, "a logout token was not taken; it is sent again");
                tokio::time::sleep(*pause).await;
            }
            (posted, _) => return posted,
        }
    }
}

/// Tells the clients that took part in the sessions that have ended. What goes wrong is logged.
pub(crate) async fn tell(context: &Context, ended: &SessionsOf) {
    let Some(deliveries) = &context.deliveries else { return };
    if let Err(error) = tell_all(context, deliveries, ended).await {
        tracing::error!(%error, cause = ?error, "nobody could be told of a logout");
    }
}

async fn tell_all(context: &Context, deliveries: &Deliveries, ended: &SessionsOf) -> Result<(), StoreError> {
    let configuration = context.configuration().await;
    for participant in context.store.participants(ended).await? {
        let application = configuration.snapshot.application(&participant.client);
        let application = application.filter(|application| application.status.is_active());
        let Some(logout) = application.and_then(kubesso_directory::Application::backchannel_logout) else {
            continue;
        };
        if let Some(token) = logout_token(context, &configuration, &participant) {
            deliveries.begin(participant.client.to_string(), logout.uri, token);
        }
    }
    Ok(())
}

/// The logout token (§2.4). It always names both the person and the session.
fn logout_token(
    context: &Context,
    configuration: &Configuration,
    participant: &Participant,
) -> Option<Secret> {
    let server = configuration.server(participant.server.as_str())?;
    let now = context.now().as_second();
    let mut events = serde_json::Map::new();
    events.insert(EVENT.to_owned(), json!({}));
    let claims = json!({
        "iss": context.issuer(&participant.server),
        "aud": participant.client,
        "sub": participant.user,
        "sid": participant.session,
        "iat": now,
        "exp": now.saturating_add(LIFETIME),
        "jti": format!("LT.{}", URL_SAFE_NO_PAD.encode(draw::<24>(&*context.entropy))),
        "events": events,
    });
    let signed = configuration.signing_key(server)?.sign(LOGOUT_TOKEN_TYPE, &claims);
    signed
        .inspect_err(|error| tracing::error!(%error, "a logout token could not be signed"))
        .ok()
        .map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers as told, the last for ever.
    #[derive(Debug)]
    struct Answers(Vec<Result<(), BackChannelError>>, AtomicUsize);

    #[async_trait]
    impl BackChannel for Answers {
        async fn post_logout_token(&self, _: &Url, _: &Secret) -> Result<(), BackChannelError> {
            let number = self.1.fetch_add(1, Ordering::Relaxed);
            self.0[number.min(self.0.len() - 1)].clone()
        }
    }

    #[tokio::test]
    async fn a_client_that_fails_is_asked_again_so_often_and_one_that_refuses_is_not() {
        let failed = Err(BackChannelError::Failed("503".to_owned()));
        let refused = Err(BackChannelError::Refused("400".to_owned()));
        let cases = [
            (vec![Ok(())], 1, Ok(())),
            (vec![failed.clone(), failed.clone(), Ok(())], 3, Ok(())),
            (vec![failed.clone(), refused.clone(), Ok(())], 2, refused),
            (vec![failed.clone()], 4, failed),
        ];
        for (answers, attempts, outcome) in cases {
            let channel = Answers(answers, AtomicUsize::new(0));
            let uri = Url::parse("https://app.example/logout").unwrap();
            let semaphore = Semaphore::new(1);
            let delivered =
                deliver(&channel, &semaphore, &uri, &Secret::new("t"), &[Duration::ZERO; 3]).await;
            assert_eq!((delivered, channel.1.into_inner()), (outcome, attempts));
        }
    }
}
