//! The keys by which a client's signatures are checked: those in its registration, or those at its `jwks_uri`.

use jiff::SignedDuration;
use kubesso_directory::{Application, ClientKeys};
use kubesso_token::{AssertionError, JwkSet, RequestObjectError, TokenError};
use serde_json::Value;

use crate::client_certificate::{ClientCertificate, NotRegistered};
use crate::context::Context;
use crate::fetch::{Document, Keeping};

/// A key that is taken away is refused within an hour, and one that is new is known within a minute.
const KEEPING: Keeping = Keeping {
    longest_document: 64 * 1024,
    at_least: SignedDuration::from_secs(60),
    by_default: SignedDuration::from_mins(10),
    at_most: SignedDuration::from_hours(1),
};

/// Why something that a client signed is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotVerified<E> {
    /// The client has none.
    #[error("the client has no registered keys (jwks or jwks_uri)")]
    NoKeys,
    /// What is registered, or served, cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// What was signed.
    #[error("{0}")]
    Wrong(E),
}

/// An error that other keys might not have led to.
pub(crate) trait KeyIsMissing {
    /// Whether none of the keys has made it.
    fn key_is_missing(&self) -> bool;
}

impl KeyIsMissing for TokenError {
    fn key_is_missing(&self) -> bool {
        matches!(self, Self::UnknownKey(_) | Self::BadSignature)
    }
}

impl KeyIsMissing for NotRegistered {
    fn key_is_missing(&self) -> bool {
        true
    }
}

impl KeyIsMissing for AssertionError {
    fn key_is_missing(&self) -> bool {
        matches!(self, Self::Signature(error) if error.key_is_missing())
    }
}

impl KeyIsMissing for RequestObjectError {
    fn key_is_missing(&self) -> bool {
        matches!(self, Self::Signature(error) if error.key_is_missing())
    }
}

/// A JWK set as it was registered, or as it is served.
#[derive(Clone, Copy)]
enum Source<'a> {
    Registered(&'a Value),
    Served(&'a [u8]),
}

/// What `verify` makes of the client's keys. Where they are at an address and none of them fits, they are fetched again, at
/// most once a minute.
pub(crate) async fn verified<T, E: KeyIsMissing>(
    context: &Context,
    application: &Application,
    verify: impl Fn(&JwkSet) -> Result<T, E>,
) -> Result<T, NotVerified<E>> {
    let read = |source: Source<'_>| match source {
        Source::Registered(set) => JwkSet::of_client(set).map_err(|error| error.to_string()),
        Source::Served(body) => JwkSet::parse(body).map_err(|error| error.to_string()),
    };
    judged(context, application, read, verify).await
}

/// Whether `certificate` is among the client's keys, likewise (RFC 8705 §2.2).
pub(crate) async fn has_certificate(
    context: &Context,
    application: &Application,
    certificate: &ClientCertificate,
) -> Result<(), NotVerified<NotRegistered>> {
    let read = |source: Source<'_>| match source {
        Source::Registered(set) => Ok(set.clone()),
        Source::Served(body) => serde_json::from_slice(body).map_err(|error| error.to_string()),
    };
    let judge = |set: &Value| certificate.is_among(set).then_some(()).ok_or(NotRegistered);
    judged(context, application, read, judge).await
}

async fn judged<K, T, E: KeyIsMissing>(
    context: &Context,
    application: &Application,
    read: impl Fn(Source<'_>) -> Result<K, String>,
    judge: impl Fn(&K) -> Result<T, E>,
) -> Result<T, NotVerified<E>> {
    let (client, now) = (&application.client_id, context.now());
    let judge = |what: &str, source: Source<'_>| {
        let keys = read(source).map_err(|error| {
            tracing::warn!(%client, error, "a client's keys cannot be used");
            NotVerified::Unusable(format!("The client's {what}: {error}."))
        })?;
        judge(&keys).map_err(NotVerified::Wrong)
    };
    let uri = match application.keys().ok_or(NotVerified::NoKeys)? {
        ClientKeys::Inline(keys) => return judge("registered keys", Source::Registered(&keys)),
        ClientKeys::At(uri) => uri,
    };
    let judge = |document: &Document| judge("keys at its jwks_uri", Source::Served(&document.body));
    let known = context.documents.get(client, &uri, &KEEPING, now).await.map_err(|error| {
        tracing::warn!(%client, %uri, %error, "a client's keys could not be fetched");
        NotVerified::Unusable("The client's keys could not be fetched from its jwks_uri.".to_owned())
    })?;
    let judged = judge(&known);
    let is_missing = match &judged {
        Err(NotVerified::Wrong(error)) => error.key_is_missing(),
        // Perhaps it was mended.
        Err(_) => true,
        Ok(_) => false,
    };
    if !is_missing {
        return judged;
    }
    match context.documents.newer(client, &uri, known.fetched, &KEEPING, now).await {
        Some(newer) => judge(&newer),
        None => judged,
    }
}
