//! The userinfo endpoint (OpenID Connect Core §5.3), with the errors of RFC 6750 §3.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::Timestamp;
use kubesso_directory::{
    ClaimsFor, ClientId, GrantId, ScopeName, Server, StoreError, UserId, assignment, claims, parse_scopes,
};
use kubesso_token::{Algorithm, ProofError};
use serde_json::{Map, Value};

use crate::client_certificate::{CONFIRMED_CERTIFICATE, ClientCertificate, PresentedCertificate};
use crate::context::{Configuration, Context};
use crate::dpop::{self, Proven};
use crate::endpoint::{self, discovery};
use crate::oauth_error::{OAuthError, never_stored};
use crate::requested::single_claims;
use crate::tokens::{ACCESS_TOKEN_TYPE, CONFIRMATION, GRANT_CLAIM, USER_CLAIM, USERINFO_CLAIM};

/// The token in the `Authorization` header.
pub(crate) async fn get(
    State(context): State<Context>,
    Path(server): Path<String>,
    PresentedCertificate(certificate): PresentedCertificate,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let proven = Proven { method: &method, uri: &uri, headers: &headers };
    respond(&context, &server, presented(&headers), proven, certificate.as_ref()).await
}

/// The token in the header or in the body (RFC 6750 §2.2).
pub(crate) async fn post(
    State(context): State<Context>,
    Path(server): Path<String>,
    PresentedCertificate(certificate): PresentedCertificate,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let proven = Proven { method: &method, uri: &uri, headers: &headers };
    let form = endpoint::form(&headers, &body);
    let in_form = form.lenient("access_token");
    let in_form = in_form.map(|token| Presented { token, with_proof: false });
    match (presented(&headers), in_form) {
        (Some(_), Some(_)) => Refused::TwoTokens.into_response(),
        (token, in_form) => respond(&context, &server, token.or(in_form), proven, certificate.as_ref()).await,
    }
}

/// An access token that we signed and that has not ended.
pub(crate) struct AccessToken {
    /// Whose it is; `None`: the client's own (RFC 6749 §4.4).
    pub(crate) user: Option<UserId>,
    pub(crate) client: ClientId,
    pub(crate) grant: GrantId,
    pub(crate) scopes: Vec<ScopeName>,
    /// The first moment at which it is no longer good.
    pub(crate) expires: Timestamp,
    /// The thumbprint of the key that it is bound to (RFC 9449 §6.1).
    pub(crate) dpop_jkt: Option<String>,
    /// The thumbprint of the certificate that it is bound to (RFC 8705 §3.1).
    pub(crate) certificate: Option<String>,
    /// All that it says.
    pub(crate) claims: Map<String, Value>,
}

impl AccessToken {
    /// Reads a token that `server` gave and that is good at `now`.
    pub(crate) fn read(
        context: &Context,
        configuration: &Configuration,
        server: &Server,
        token: &str,
        now: Timestamp,
    ) -> Option<Self> {
        let verified = configuration.keys(server)?.jwk_set(now).verify(token, &Algorithm::ALL).ok()?;
        let text = |name: &str| verified.payload.get(name).and_then(Value::as_str);
        let expires = verified.payload.get("exp").and_then(Value::as_i64)?;
        let expires = Timestamp::from_second(expires).ok()?;
        let is_ours = verified.header.typ.as_deref() == Some(ACCESS_TOKEN_TYPE)
            && text("iss") == Some(&context.issuer(&server.server.id))
            && now < expires;
        if !is_ours {
            return None;
        }
        let user = match verified.payload.get(USER_CLAIM) {
            Some(_) => Some(UserId::parse(text("sub")?).ok()?),
            None => None,
        };
        let [mut dpop_jkt, mut certificate] = [None, None];
        if let Some(confirmation) = verified.payload.get(CONFIRMATION) {
            for (name, thumbprint) in confirmation.as_object().filter(|members| !members.is_empty())? {
                let thumbprint = thumbprint.as_str()?.to_owned();
                match name.as_str() {
                    "jkt" => dpop_jkt = Some(thumbprint),
                    CONFIRMED_CERTIFICATE => certificate = Some(thumbprint),
                    // Bound by something that is not known here: not to be taken for one that is not bound.
                    _ => return None,
                }
            }
        }
        Some(Self {
            user,
            client: ClientId::parse(text("client_id")?).ok()?,
            grant: GrantId::parse(text(GRANT_CLAIM)?).ok()?,
            scopes: parse_scopes(text("scope")?).ok()?,
            expires,
            dpop_jkt,
            certificate,
            claims: verified.payload,
        })
    }
}

impl AccessToken {
    /// Whether it is worth nothing to whoever has nothing else.
    pub(crate) fn is_bound(&self) -> bool {
        self.dpop_jkt.is_some() || self.certificate.is_some()
    }

    /// Whether it still counts: neither revoked nor of a sign-in whose refresh tokens were (RFC 7009 §2.1). As long
    /// as any access token lives, the store remembers how its grant ended.
    pub(crate) async fn counts(&self, context: &Context) -> Result<bool, StoreError> {
        Ok(!context.store.has_grant_ended(&self.grant).await?)
    }
}

/// Why nothing is told.
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// RFC 6750 §3.1: no error code for somebody who did not know that a token is needed.
    NoToken,
    TwoTokens,
    InvalidToken,
    InsufficientScope,
    /// RFC 9449 §7.1: a bound token without the proof that belongs to it.
    Unproven,
    /// RFC 8705 §3: a bound token without the certificate that belongs to it.
    WithoutCertificate,
    Internal,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, challenge) = match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "Bearer realm=\"kubesso\""),
            Self::TwoTokens => (
                StatusCode::BAD_REQUEST,
                "Bearer realm=\"kubesso\", error=\"invalid_request\", error_description=\"There are two access tokens.\"",
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "Bearer realm=\"kubesso\", error=\"invalid_token\", error_description=\"The access token is unknown, \
                 expired or revoked.\"",
            ),
            Self::InsufficientScope => (
                StatusCode::FORBIDDEN,
                "Bearer realm=\"kubesso\", error=\"insufficient_scope\", error_description=\"The scope openid is \
                 needed.\", scope=\"openid\"",
            ),
            Self::Unproven => (
                StatusCode::UNAUTHORIZED,
                "DPoP realm=\"kubesso\", error=\"invalid_dpop_proof\", error_description=\"The access token is bound to a \
                 key: use the scheme DPoP, with a new proof of that key for this request.\"",
            ),
            Self::WithoutCertificate => (
                StatusCode::UNAUTHORIZED,
                "Bearer realm=\"kubesso\", error=\"invalid_token\", error_description=\"The access token is bound to a \
                 certificate: call the endpoint of mtls_endpoint_aliases with it.\"",
            ),
            Self::Internal => return OAuthError::server_error().into_response(),
        };
        let mut response = status.into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        never_stored(&mut response);
        response
    }
}

async fn respond(
    context: &Context,
    server_id: &str,
    token: Option<Presented<'_>>,
    proven: Proven<'_>,
    certificate: Option<&ClientCertificate>,
) -> Response {
    let configuration = context.configuration().await;
    let Some(server) = configuration.server(server_id) else { return discovery::no_server(server_id) };
    match userinfo(context, &configuration, server, token, proven, certificate).await {
        Ok(claims) => {
            let mut response = Json(claims).into_response();
            never_stored(&mut response);
            response
        }
        Err(refused) => {
            tracing::info!(server = %server.server.id, reason = ?refused, "userinfo refused");
            refused.into_response()
        }
    }
}

async fn userinfo(
    context: &Context,
    configuration: &Configuration,
    server: &Server,
    presented: Option<Presented<'_>>,
    proven: Proven<'_>,
    certificate: Option<&ClientCertificate>,
) -> Result<Map<String, Value>, Refused> {
    let presented = presented.ok_or(Refused::NoToken)?;
    let token = AccessToken::read(context, configuration, server, presented.token, context.now())
        .ok_or(Refused::InvalidToken)?;
    let shown = certificate.map(ClientCertificate::thumbprint);
    if token.certificate.is_some() && token.certificate != shown {
        return Err(Refused::WithoutCertificate);
    }
    let refused = |error: ProofError| {
        tracing::info!(reason = %error, "DPoP proof refused");
        Refused::Unproven
    };
    let proof = match (&token.dpop_jkt, presented.with_proof) {
        (None, false) => None,
        (None, true) => return Err(Refused::InvalidToken),
        (Some(_), false) => return Err(Refused::Unproven),
        (Some(thumbprint), true) => {
            Some(proven.for_resource(context, presented.token, thumbprint).map_err(refused)?)
        }
    };
    let internal = |error: StoreError| {
        tracing::error!(%error, cause = ?error, "userinfo failed");
        Refused::Internal
    };
    if !token.counts(context).await.map_err(internal)? {
        return Err(Refused::InvalidToken);
    }
    if !token.scopes.iter().any(|scope| scope.as_str() == "openid") {
        return Err(Refused::InsufficientScope);
    }
    let application = configuration.snapshot.application(&token.client);
    let application =
        application.filter(|application| application.status.is_active()).ok_or(Refused::InvalidToken)?;
    let user = token.user.as_ref().ok_or(Refused::InvalidToken)?;
    let person = context.store.person(user).await.map_err(internal)?;
    let person = person
        .filter(|person| person.user.status.may_sign_in())
        .filter(|person| assignment(&configuration.snapshot, &application.id, person).is_some())
        .ok_or(Refused::InvalidToken)?;
    if let Some(proof) = proof {
        dpop::note_use(context, &proof).await.map_err(internal)?.map_err(refused)?;
    }
    let mut values =
        claims(&server.claims, ClaimsFor::UserInfo, &token.scopes, Some(&person), application).values;
    let asked = token.claims.get(USERINFO_CLAIM).and_then(Value::as_array).into_iter().flatten();
    let asked = asked.filter_map(Value::as_str).map(str::to_owned).collect();
    for (name, value) in single_claims(server, application, &person, &asked) {
        values.entry(name).or_insert(value);
    }
    values.insert("sub".to_owned(), person.user.id.as_str().into());
    Ok(values)
}

/// An access token as it came.
#[derive(Clone, Copy)]
struct Presented<'a> {
    token: &'a str,
    /// In the scheme `DPoP`.
    with_proof: bool,
}

fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let with_proof = scheme.eq_ignore_ascii_case("dpop");
    let is_known = with_proof || scheme.eq_ignore_ascii_case("bearer");
    is_known.then(|| Presented { token: token.trim(), with_proof })
}
