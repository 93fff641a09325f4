//! Who calls: found before any endpoint is reached.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use kubesso_directory::{ApiTokenId, ApiTokenValue, ClientId, Resource, RoleHolder, UserId};
use kubesso_token::VerifiedDpop;
use serde_json::{Value, json};

use crate::access_token::AccessToken;
use crate::authority::{Authority, roles_of_person};
use crate::context::{CallerAddress, Context};
use crate::dpop::{self, Bound};
use crate::error::ApiError;

/// Somebody who may call, and what it may do.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    principal: Principal,
    authority: Authority,
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Whoever holds an API token, which may be somebody's.
    ApiToken { id: ApiTokenId, name: String, user: Option<UserId> },
    /// A service application.
    Client { id: ClientId, label: String },
    /// A person, at kubesso's own command line or console.
    Person { id: UserId, name: String },
}

impl Caller {
    /// Who it is.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What it may do.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The person who calls, or whose token it is.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match &self.principal {
            Principal::ApiToken { user, .. } => user.as_ref(),
            Principal::Person { id, .. } => Some(id),
            Principal::Client { .. } => None,
        }
    }

    /// For the audit: an id.
    pub(crate) fn actor_id(&self) -> &str {
        match &self.principal {
            Principal::ApiToken { user: Some(user), .. } => user.as_str(),
            Principal::ApiToken { id, .. } => id.as_str(),
            Principal::Client { id, .. } => id.as_str(),
            Principal::Person { id, .. } => id.as_str(),
        }
    }

    /// For the audit, in Okta's form.
    pub(crate) fn as_actor(&self) -> Value {
        let (kind, name) = match &self.principal {
            Principal::ApiToken { name, user, .. } => {
                (if user.is_some() { "User" } else { "ApiToken" }, format!("API token {name}"))
            }
            Principal::Client { label, .. } => ("PublicClientApp", label.clone()),
            Principal::Person { name, .. } => ("User", name.clone()),
        };
        json!({ "id": self.actor_id(), "type": kind, "displayName": name })
    }

    /// For the audit: by which way in.
    pub(crate) fn as_client(&self) -> Value {
        json!({ "ipAddress": self.address.map(|address| address.to_string()), "userAgent": self.user_agent })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::unauthenticated("Nobody was authenticated"))
    }
}

/// The layer before all endpoints that are not for everybody.
pub(crate) async fn authenticate(
    State(context): State<Context>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = request.extensions().get::<CallerAddress>().and_then(|address| address.0);
    let now = context.now();
    let sent = Sent {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers: request.headers().clone(),
    };
    let found = caller(&context, &sent, address).await;
    let counted_as = match &found {
        Ok(caller) => match &caller.principal {
            Principal::ApiToken { id, .. } => id.to_string(),
            Principal::Client { id, .. } => id.to_string(),
            Principal::Person { id, .. } => id.to_string(),
        },
        Err(_) => address.map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
    };
    let standing = context.rate_limit.count(&counted_as, now);
    let mut response = if standing.is_exceeded {
        let seconds = u32::try_from(standing.reset - now.as_second()).unwrap_or(1).max(1);
        ApiError::too_many_requests(seconds).into_response()
    } else {
        match found {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                next.run(request).await
            }
            Err(error) => error.into_response(),
        }
    };
    response.extensions_mut().insert(standing);
    response
}

/// The scheme of API tokens.
const SSWS: &str = "SSWS";

/// A request without its body.
struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

async fn caller(context: &Context, sent: &Sent, address: Option<IpAddr>) -> Result<Caller, ApiError> {
    let headers = &sent.headers;
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::unauthenticated(
            "Send one header `Authorization: SSWS <API token>`, or an access token",
        ));
    };
    let value =
        value.to_str().map_err(|_| ApiError::unauthenticated("The header Authorization is not ASCII"))?;
    let (scheme, token) = match value.split_at_checked(SSWS.len()) {
        // Okta takes `SSWS<token>` too, which is what its SDK for Python sends.
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SSWS) => (scheme, token),
        _ => value.split_once(' ').unwrap_or((value, "")),
    };
    let token = token.trim();
    let (principal, authority) = match scheme.to_ascii_lowercase().as_str() {
        "ssws" => by_api_token(context, token).await?,
        "bearer" => by_access_token(context, token, None).await?,
        "dpop" => by_access_token(context, token, Some(sent)).await?,
        _ => {
            return Err(ApiError::unauthenticated(
                "Use the scheme SSWS with an API token, or Bearer or DPoP with an access token",
            ));
        }
    };
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .map(|text| text.chars().take(200).collect());
    Ok(Caller { principal, authority, address, user_agent })
}

async fn by_api_token(context: &Context, token: &str) -> Result<(Principal, Authority), ApiError> {
    let unknown = || {
        ApiError::unauthenticated(
            "There is no such API token (any more): make one with `kubesso api-token create`",
        )
    };
    let found =
        context.store.api_token(&ApiTokenValue::presented(token).hash()).await?.ok_or_else(unknown)?;
    if !found.is_alive(context.now()) {
        return Err(ApiError::unauthenticated(
            "The API token has expired: make another with `kubesso api-token create`",
        ));
    }
    let mut authority = Authority::of_roles(found.roles);
    if let Some(user) = &found.user {
        let person = context.store.person(user).await?.ok_or_else(unknown)?;
        if !person.user.status.may_sign_in() {
            return Err(ApiError::unauthenticated(
                "The API token is that of a person who may not sign in any more",
            ));
        }
        authority = authority.limited_by(roles_of_person(context, &person).await?);
    }
    let principal = Principal::ApiToken { id: found.id, name: found.name.to_string(), user: found.user };
    Ok((principal, authority))
}

/// By the access token of a service application, or of a person at the command line. `proven` is the request whose proof is
/// to be checked: that of the scheme DPoP.
async fn by_access_token(
    context: &Context,
    token: &str,
    proven: Option<&Sent>,
) -> Result<(Principal, Authority), ApiError> {
    let scheme = if proven.is_some() { "DPoP" } else { "Bearer" };
    let unknown = || {
        ApiError::invalid_token(scheme, "The access token is unknown, expired or revoked: ask for another")
    };
    let Some(opened) = AccessToken::open(context, token, context.now()) else {
        return match proven {
            None => by_person(context, token).await?.ok_or_else(unknown),
            Some(_) => Err(unknown()),
        };
    };
    let proof = match (&opened.jkt, proven) {
        (None, None) => None,
        (Some(thumbprint), Some(sent)) => Some(prove(context, sent, token, thumbprint)?),
        (Some(_), None) => {
            return Err(ApiError::invalid_token(
                scheme,
                "The access token is bound to a key: use the scheme DPoP with a proof (RFC 9449)",
            ));
        }
        (None, Some(_)) => {
            return Err(ApiError::invalid_token(
                scheme,
                "The access token is not bound to a key: use the scheme Bearer",
            ));
        }
    };
    let snapshot = context.snapshot().await?;
    let application = snapshot
        .application(&opened.client)
        .filter(|application| application.status.is_active())
        .ok_or_else(unknown)?;
    if let Some(proof) = proof {
        let noted = dpop::note_use(context, &proof).await?;
        noted.map_err(|error| ApiError::invalid_token("DPoP", error.to_string()))?;
    }
    let roles = context.store.roles_of(&RoleHolder::Client(opened.client.clone())).await?;
    let scopes = opened
        .scopes
        .iter()
        .filter(|scope| application.api_scopes.contains(scope))
        .filter_map(Resource::of_scope)
        .collect();
    let authority = Authority::of_roles(roles.into_iter().map(|assignment| assignment.role)).within(scopes);
    let principal = Principal::Client { id: opened.client, label: application.label.to_string() };
    Ok((principal, authority))
}

fn prove(context: &Context, sent: &Sent, token: &str, thumbprint: &str) -> Result<VerifiedDpop, ApiError> {
    let bound = Bound { access_token: Some(token), thumbprint: Some(thumbprint), with_nonce: false };
    dpop::check(context, &sent.headers, &sent.method, &sent.uri, bound)
        .map_err(|error| ApiError::invalid_token("DPoP", error.to_string()))
}

async fn by_person(context: &Context, token: &str) -> Result<Option<(Principal, Authority)>, ApiError> {
    let user = context.provider.person(token).await.map_err(|error| ApiError::internal(&error))?;
    let Some(user) = user else { return Ok(None) };
    let Some(person) = context.store.person(&user).await? else { return Ok(None) };
    let authority = Authority::of_roles(roles_of_person(context, &person).await?);
    let name = person.user.profile.login.to_string();
    Ok(Some((Principal::Person { id: user, name }, authority)))
}
