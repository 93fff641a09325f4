//! The authorization response (RFC 6749 §4.1.2): a code or an error, sent through the browser to the client,
//! always with the issuer (RFC 9207), so that a client of several providers cannot be made to mix them up.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use kubesso_directory::{
    AccessRequest, Application, AuthorizationCode, CodeValue, GrantId, GrantType, Person, Refusal, ScopeName,
    Server, Session, StoreError, assignment, decide,
};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::authentication_context::level;
use crate::authorization_request::{AuthorizationRequest, ReturnAddress, UNMET};
use crate::context::{Configuration, Context};
use crate::oauth_error::{ErrorCode, OAuthError, never_stored};
use crate::pages::{self, FormPost};
use crate::pkce::CodeChallenge;
use crate::requested::Requested;
use crate::response_mode::ResponseMode;

/// What a code keeps of the key that it is bound to (RFC 9449 §10).
pub(crate) const DPOP_JKT: &str = "dpop_jkt";

/// What a code or a grant keeps, with the thumbprint of what it is bound to.
pub(crate) fn bound(kept: Value, by: &str, thumbprint: &str) -> Value {
    let mut members = match kept {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.insert(by.to_owned(), thumbprint.into());
    members.into()
}

/// What the client gets for an error.
pub(crate) fn refuse(context: &Context, server: &Server, to: &ReturnAddress, error: &OAuthError) -> Response {
    tracing::info!(
        server = %server.server.id,
        error = error.code.as_str(),
        description = error.description,
        "authorization refused"
    );
    let parameters = [("error", error.code.as_str()), ("error_description", error.description.as_str())];
    respond(context, server, to, &parameters)
}

/// What the client gets for a person who is signed in: a code, or why not.
pub(crate) async fn answer(
    context: &Context,
    configuration: &Configuration,
    server: &Server,
    request: &AuthorizationRequest,
    session: &Session,
    person: &Person,
) -> Result<Response, StoreError> {
    let Some(application) = configuration.snapshot.application(&request.client) else {
        let error = OAuthError::new(ErrorCode::UnauthorizedClient, "The client does not exist any more.");
        return Ok(refuse(context, server, &request.return_to, &error));
    };
    if let Err(error) = may_have(configuration, server, application, request, person) {
        return Ok(refuse(context, server, &request.return_to, &error));
    }
    let acr = match &request.acr {
        Some(asked) => asked.answer(&session.amr),
        None => Ok(level(&session.amr)),
    };
    let Ok(acr) = acr else {
        let error = OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, UNMET);
        return Ok(refuse(context, server, &request.return_to, &error));
    };
    let scopes = granted_scopes(application, &request.scopes);
    let requested = Requested {
        resources: request.resources.clone(),
        id_token_claims: request.claims.id_token.clone(),
        userinfo_claims: request.claims.userinfo.clone(),
        acr: acr.map(str::to_owned),
    };
    let asked = AccessRequest {
        client: &application.client_id,
        grant_type: GrantType::AuthorizationCode,
        person: Some(person),
        scopes: &scopes,
    };
    let requested = requested.permitted_to(server, application, &asked);
    if let Some(pushed) = &request.pushed
        && !pushed.may_be_used(context, &request.client).await?
    {
        let description = "The request_uri was used before: push the request again.";
        let error = OAuthError::new(ErrorCode::InvalidRequestUri, description);
        return Ok(refuse(context, server, &request.return_to, &error));
    }
    let code = CodeValue::generate(&*context.entropy);
    let record = AuthorizationCode {
        hash: code.hash(),
        grant: GrantId::generate(&*context.entropy),
        server: server.server.id.clone(),
        client: request.client.clone(),
        user: person.user.id.clone(),
        session: session.id.clone(),
        redirect_uri: request.return_to.redirect_uri.clone(),
        scopes,
        nonce: request.nonce.clone(),
        code_challenge: request.code_challenge.as_ref().map(CodeChallenge::as_str).map(str::to_owned),
        auth_time: session.auth_time,
        amr: session.amr.clone(),
        other: match &request.dpop_jkt {
            Some(thumbprint) => bound(requested.to_store(), DPOP_JKT, thumbprint),
            None => requested.to_store(),
        },
        issued: context.now(),
    };
    context.store.add_code(&record).await?;
    tracing::info!(
        user = %person.user.id,
        client = %request.client,
        server = %server.server.id,
        grant = %record.grant,
        session = %session.id,
        "authorization code issued"
    );
    Ok(respond(context, server, &request.return_to, &[("code", code.expose())]))
}

/// Whether `person` may have what is asked for: assigned to the application, and allowed by a rule.
pub(crate) fn may_have(
    configuration: &Configuration,
    server: &Server,
    application: &Application,
    request: &AuthorizationRequest,
    person: &Person,
) -> Result<(), OAuthError> {
    let denied = |description: &str| OAuthError::new(ErrorCode::AccessDenied, description);
    if assignment(&configuration.snapshot, &application.id, person).is_none() {
        tracing::info!(user = %person.user.id, client = %application.client_id, "not assigned");
        return Err(denied(NOT_ASSIGNED));
    }
    let scopes = granted_scopes(application, &request.scopes);
    let asked = AccessRequest {
        client: &application.client_id,
        grant_type: GrantType::AuthorizationCode,
        person: Some(person),
        scopes: &scopes,
    };
    match decide(server, &asked) {
        Ok(_) => Ok(()),
        Err(refusal) => {
            let (user, client) = (&person.user.id, &application.client_id);
            tracing::info!(%user, %client, reason = %refusal, "no rule allows it");
            Err(match refusal {
                Refusal::UnknownScope { .. } => OAuthError::new(ErrorCode::InvalidScope, refusal.to_string()),
                Refusal::NoMatch { .. } | Refusal::ServerInactive(_) => denied(NO_RULE),
            })
        }
    }
}

/// Okta's words, which people and tools know.
pub(crate) const NOT_ASSIGNED: &str = "User is not assigned to the client application.";
/// What is told of a policy decision; the reasons are in the log.
pub(crate) const NO_RULE: &str =
    "No access policy of the authorization server allows this; its log says why.";

/// What is granted of the scopes that were asked for: `offline_access` only to a client that may refresh,
/// because it would do nothing (OpenID Connect Core §11 has it ignored then).
pub(crate) fn granted_scopes(application: &Application, asked: &[ScopeName]) -> Vec<ScopeName> {
    let may_refresh = application.grant_types.contains(&GrantType::RefreshToken);
    asked.iter().filter(|scope| may_refresh || scope.as_str() != "offline_access").cloned().collect()
}

/// Sends the browser to the client with `parameters`, `state` and `iss`, in the way that the client asked for.
fn respond(context: &Context, server: &Server, to: &ReturnAddress, parameters: &[(&str, &str)]) -> Response {
    let issuer = context.issuer(&server.server.id);
    let state = to.state.as_deref().map(|state| ("state", state));
    let parameters: Vec<_> =
        parameters.iter().copied().chain(state).chain([("iss", issuer.as_str())]).collect();
    match to.mode {
        ResponseMode::Query => see_other(&to.redirect_uri, parameters),
        ResponseMode::Fragment => see_other_fragment(&to.redirect_uri, &parameters),
        ResponseMode::FormPost => form_post(context, to, &parameters),
    }
}

/// A page whose form goes to the client: by itself, or by its button where scripts do not run.
fn form_post(context: &Context, to: &ReturnAddress, parameters: &[(&str, &str)]) -> Response {
    let target = Url::parse(&to.redirect_uri).ok();
    let page = FormPost {
        assets: pages::assets(),
        host: &context.host(),
        target: target.as_ref().and_then(Url::host_str).unwrap_or_default(),
        redirect_uri: &to.redirect_uri,
        parameters,
        script: pages::SUBMIT,
    };
    let mut response = pages::render(StatusCode::OK, &page);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, pages::FORM_POST_POLICY.clone());
    response
}

/// A 303 to `uri` with `parameters` behind its `#`; registered URIs have nothing there.
fn see_other_fragment(uri: &str, parameters: &[(&str, &str)]) -> Response {
    let location = Url::parse(uri).ok().map(|mut location| {
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        location.set_fragment(Some(&encoded));
        location
    });
    see_other_to(location)
}

/// A 303 to `uri` with `parameters` added to its query. 303, so that the browser comes with GET whatever it came to us
/// with (RFC 9700 §4.12).
pub(crate) fn see_other<'a>(uri: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Response {
    let location = Url::parse(uri).ok().map(|mut location| {
        let mut parameters = parameters.into_iter().peekable();
        if parameters.peek().is_some() {
            location.query_pairs_mut().extend_pairs(parameters);
        }
        location
    });
    see_other_to(location)
}

fn see_other_to(location: Option<Url>) -> Response {
    let location = location.and_then(|location| HeaderValue::try_from(String::from(location)).ok());
    let mut response = if let Some(location) = location {
        (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
    } else {
        tracing::error!("a registered redirect URI cannot stand in a header");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    };
    never_stored(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_added_to_the_query_that_is_there_or_behind_it_and_encoded() {
        let parameters = [("code", "a&b"), ("state", "x y"), ("iss", "https://i")];
        let encoded = "code=a%26b&state=x+y&iss=https%3A%2F%2Fi";
        let cases = [
            ("http://localhost:8000", "http://localhost:8000/?", "http://localhost:8000/#"),
            ("https://app.example/cb?x=1", "https://app.example/cb?x=1&", "https://app.example/cb?x=1#"),
            ("com.example.app:/cb", "com.example.app:/cb?", "com.example.app:/cb#"),
        ];
        for (redirect_uri, query, fragment) in cases {
            for (response, expected) in [
                (see_other(redirect_uri, parameters), query),
                (see_other_fragment(redirect_uri, &parameters), fragment),
            ] {
                assert_eq!(response.status(), StatusCode::SEE_OTHER);
                assert_eq!(response.headers()[header::LOCATION], format!("{expected}{encoded}"));
            }
        }
    }
}
