//! Which parameters count: those that came with the request, those inside its request object (RFC 9101), which may be at
//! an address of the client, or those that were pushed beforehand (RFC 9126).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::draw;
use kubesso_directory::{Application, AuthorizationServerId, ClientId, Server, SingleUse, StoreError};
use kubesso_token::{RequestObject, RequestObjectError, RequestObjectExpectations};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::client_keys::{self, NotVerified};
use crate::context::Context;
use crate::fetch::Keeping;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::sealed::{Purpose, SealError};

/// What the `request_uri` of a pushed request begins with (RFC 9126 §2.2).
const PUSHED: &str = "urn:ietf:params:oauth:request_uri:";

/// How long a pushed request waits for its browser.
pub(crate) const PUSHED_LIFETIME: SignedDuration = SignedDuration::from_secs(90);

/// How long its id is remembered once a code was given for it: for longer than a sign-in page may lie open.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(2);

/// How many bytes of parameters are pushed at most: sealed, they have to fit into an address.
const LONGEST_PUSHED: usize = 8 * 1024;

/// A request is fetched afresh for each sign-in, as good as: whoever reloads a page does not have it fetched each time.
const KEEPING: Keeping = Keeping {
    longest_document: 32 * 1024,
    at_least: SignedDuration::from_secs(5),
    by_default: SignedDuration::from_secs(5),
    at_most: SignedDuration::from_secs(60),
};

/// By what a client proves who it is, which is no part of its request.
const PROOFS: [&str; 3] = ["client_assertion", "client_assertion_type", "client_secret"];

/// The parameters that count.
pub(crate) struct Effective {
    pub(crate) parameters: Parameters,
    /// Of the request that was pushed.
    pub(crate) pushed: Option<PushedId>,
}

/// Tells one pushed request from all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PushedId(String);

impl PushedId {
    /// Whether a code was given for it: a `request_uri` is good for one (RFC 9126 §4). Until then the page may be loaded
    /// again.
    pub(crate) async fn was_used(&self, context: &Context, client: &ClientId) -> Result<bool, StoreError> {
        context.store.was_used(&self.used(context, client), context.now()).await
    }

    /// Whether a code may be given for it, which uses it.
    pub(crate) async fn may_be_used(&self, context: &Context, client: &ClientId) -> Result<bool, StoreError> {
        context.store.use_once(&self.used(context, client), context.now()).await
    }

    fn used(&self, context: &Context, client: &ClientId) -> SingleUse {
        let end = context.now().saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
        SingleUse::of_pushed_request(client, &self.0, end)
    }
}

/// What is sealed into the `request_uri`.
#[derive(Serialize, Deserialize)]
struct Pushed {
    id: PushedId,
    server: AuthorizationServerId,
    client: ClientId,
    parameters: Vec<(String, String)>,
}

/// What counts of `given`, an authorization request of `application` at `server`.
pub(crate) async fn effective(
    context: &Context,
    server: &Server,
    application: &Application,
    given: &Parameters,
) -> Result<Effective, OAuthError> {
    let plain = || Effective { parameters: given.clone(), pushed: None };
    match (given.optional("request")?, given.optional("request_uri")?) {
        (None, None) => Ok(plain()),
        // RFC 9101 §5.
        (Some(_), Some(_)) => {
            Err(OAuthError::invalid_request("The parameters request and request_uri must not come together."))
        }
        (Some(object), None) => {
            Ok(Effective { parameters: signed(context, server, application, object).await?, pushed: None })
        }
        (None, Some(request_uri)) => {
            if let Some(sealed) = request_uri.strip_prefix(PUSHED) {
                return pulled(context, server, application, sealed).await;
            }
            let object = fetched(context, application, request_uri).await?;
            Ok(Effective { parameters: signed(context, server, application, &object).await?, pushed: None })
        }
    }
}

/// The request object at an address that the client has registered (OpenID Connect Core §6.2, RFC 9101 §5.2).
async fn fetched(
    context: &Context,
    application: &Application,
    request_uri: &str,
) -> Result<String, OAuthError> {
    if !context.documents.are_fetched() {
        let description = "Requests are not fetched: push the request to the \
                           pushed_authorization_request_endpoint instead.";
        return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, description));
    }
    let invalid = |description: &str| OAuthError::new(ErrorCode::InvalidRequestUri, description);
    let address = application.request_address(request_uri).ok_or_else(|| {
        invalid("The request_uri is not one of the client's registered request_uris, written exactly so.")
    })?;
    let (client, now) = (&application.client_id, context.now());
    let document = context.documents.get(client, &address, &KEEPING, now).await.map_err(|error| {
        tracing::warn!(%client, uri = %address, %error, "a request could not be fetched");
        invalid("The request could not be fetched from the request_uri.")
    })?;
    let text = std::str::from_utf8(&document.body).map_err(|_| {
        let description = "At the request_uri is no request object: it is not text.";
        OAuthError::new(ErrorCode::InvalidRequestObject, description)
    })?;
    Ok(text.trim().to_owned())
}

/// The parameters inside a request object; those beside it do not count (RFC 9101 §6.3).
async fn signed(
    context: &Context,
    server: &Server,
    application: &Application,
    object: &str,
) -> Result<Parameters, OAuthError> {
    let unsupported = |description: String| OAuthError::new(ErrorCode::RequestNotSupported, description);
    let invalid = |description: String| OAuthError::new(ErrorCode::InvalidRequestObject, description);
    let client_id = application.client_id.as_str();
    let issuer = &context.issuer(&server.server.id);
    let expected = RequestObjectExpectations { client_id, issuer, now: context.now() };
    let verify = |keys: &_| RequestObject::verify(object, keys, &expected);
    let claims =
        client_keys::verified(context, application, verify).await.map_err(|error| match error {
            NotVerified::NoKeys => {
                let description = "The client has no registered keys (jwks or jwks_uri), by which alone a request object \
                                   could be verified.";
                unsupported(description.to_owned())
            }
            NotVerified::Unusable(why) => invalid(why),
            NotVerified::Wrong(error @ RequestObjectError::Encrypted) => {
                unsupported(format!("The request object: {error}."))
            }
            NotVerified::Wrong(error) => invalid(format!("The request object: {error}.")),
        })?;
    let claims = claims.into_iter().filter(|(name, _)| name != "client_id");
    let parameters = claims.flat_map(|(name, value)| {
        let values = match value {
            Value::Array(several) if name == "resource" => several,
            value => vec![value],
        };
        values.into_iter().map(move |value| (name.clone(), text(value)))
    });
    let client = [("client_id".to_owned(), Zeroizing::new(client_id.to_owned()))];
    Ok(parameters.chain(client).collect())
}

/// A member of a request object as a parameter: text as it is, numbers and objects as JSON (RFC 9101 §4); `null` counts
/// as left out.
fn text(value: Value) -> Zeroizing<String> {
    Zeroizing::new(match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        value => value.to_string(),
    })
}

/// Seals `parameters`, which `application` pushed to `server`, into a `request_uri`.
pub(crate) fn push(
    context: &Context,
    server: &Server,
    application: &Application,
    parameters: &Parameters,
) -> Result<String, NotPushed> {
    let client_id = application.client_id.as_str();
    let parameters: Vec<_> = parameters
        .pairs()
        .filter(|(name, _)| *name != "client_id" && !PROOFS.contains(name))
        .chain([("client_id", client_id)])
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if parameters.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > LONGEST_PUSHED {
        return Err(NotPushed::TooLarge);
    }
    let pushed = Pushed {
        id: PushedId(URL_SAFE_NO_PAD.encode(draw::<16>(&*context.entropy))),
        server: server.server.id.clone(),
        client: application.client_id.clone(),
        parameters,
    };
    let ends = context.now().saturating_add(PUSHED_LIFETIME).unwrap_or(Timestamp::MAX);
    let sealed = context.seal(Purpose::PushedRequest, &pushed, ends)?;
    Ok(format!("{PUSHED}{sealed}"))
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPushed {
    #[error("The request is longer than 8 KiB.")]
    TooLarge,
    #[error("the request could not be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// What was pushed.
async fn pulled(
    context: &Context,
    server: &Server,
    application: &Application,
    sealed: &str,
) -> Result<Effective, OAuthError> {
    let invalid = |description: &str| OAuthError::new(ErrorCode::InvalidRequestUri, description);
    let opened = context.open(Purpose::PushedRequest, sealed);
    let Pushed { id, server: to, client, parameters } = opened.map_err(|error| match error {
        SealError::Expired => invalid("The request_uri has ended: push the request again."),
        SealError::NotOurs => invalid("The request_uri is not one of ours."),
    })?;
    if to != server.server.id || client != application.client_id {
        return Err(invalid("The request_uri was given to another client or by another issuer."));
    }
    let was_used = id.was_used(context, &client).await.map_err(|error| {
        tracing::error!(%error, cause = ?error, "whether a pushed request was used could not be read");
        OAuthError::server_error()
    })?;
    if was_used {
        return Err(invalid("The request_uri was used before: push the request again."));
    }
    let parameters = parameters.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
    Ok(Effective { parameters, pushed: Some(id) })
}
