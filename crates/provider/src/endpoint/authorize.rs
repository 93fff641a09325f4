//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2).
//!
//! Nothing is stored here for somebody who is not signed in. An error that may go back to the client does;
//! the others end on a page, because a redirect to a URI that is not registered would make us an open
//! redirector and hand codes or errors to strangers.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode};
use kubesso_directory::assignment;

use crate::authorization_request::{self, AuthorizationRequest, Prompt, ReturnAddress, Unanswerable};
use crate::authorization_response::{NOT_ASSIGNED, refuse};
use crate::browser_session::BrowserSession;
use crate::context::{Context, PageError};
use crate::endpoint::consent::SignedIn;
use crate::endpoint::sign_in::{self, Current};
use crate::endpoint::{form, is_form};
use crate::id_token_hint::IdTokenHint;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::parameters::Parameters;
use crate::request_object::{Effective, effective};
use crate::response_headers::RequestId;

/// The parameters in the query.
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    Path(server): Path<String>,
    RawQuery(query): RawQuery,
    jar: CookieJar,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let answered = authorize(&context, &server, &parameters, jar).await;
    answered.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

/// The parameters in the body.
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    Path(server): Path<String>,
    headers: HeaderMap,
    jar: CookieJar,
    body: Bytes,
) -> Response {
    if !is_form(&headers) {
        return context.error_page(&request_id, &no_form());
    }
    let parameters = form(&headers, &body);
    let answered = authorize(&context, &server, &parameters, jar).await;
    answered.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

async fn authorize(
    context: &Context,
    server_id: &str,
    given: &Parameters,
    jar: CookieJar,
) -> Result<Response, PageError> {
    let configuration = context.configuration().await;
    let server = configuration.server(server_id).ok_or_else(|| PageError::no_server(server_id))?;
    let application = authorization_request::client(given, |id| configuration.snapshot.application(id))
        .map_err(page_for)?;
    let Effective { parameters, pushed } = match effective(context, server, application, given).await {
        Ok(effective) => effective,
        // What stands beside a request object says at least where the error may go.
        Err(error) => {
            return match ReturnAddress::read(given, application) {
                Ok(return_to) => Ok(refuse(context, server, &return_to, &error)),
                Err(_) => Err(unreadable(&error)),
            };
        }
    };
    let parameters = &parameters;
    let return_to = ReturnAddress::read(parameters, application).map_err(page_for)?;
    if pushed.is_none() && application.requires_pushed_requests() {
        let description = "The client must push its authorization requests (RFC 9126), and send the request_uri that it gets.";
        return Ok(refuse(context, server, &return_to, &OAuthError::invalid_request(description)));
    }

    let mut request = match AuthorizationRequest::read(parameters, server, application, return_to.clone()) {
        Ok(request) => request,
        Err(error) => return Ok(refuse(context, server, &return_to, &error)),
    };
    let hint = parameters.lenient("id_token_hint");
    let hinted = hint.map(|token| IdTokenHint::read(context, &configuration, server, token));
    if let Some(None) = hinted {
        let error = OAuthError::invalid_request("The id_token_hint is not an ID token of this issuer.");
        return Ok(refuse(context, server, &return_to, &error));
    }
    request.pushed = pushed;
    request.hinted = hinted.flatten().map(|hint| hint.user);

    let session = BrowserSession::find(context, &jar).await?;
    let session = session.filter(|found| request.is_about(&found.session.user));
    let Some(found) = session else {
        return if request.is_silent() {
            let error = OAuthError::new(ErrorCode::LoginRequired, "Nobody is signed in with this browser.");
            Ok(refuse(context, server, &return_to, &error))
        } else {
            sign_in::ask(context, application, server, &request, jar, None)
        };
    };
    let person = &found.person;
    let is_assigned = assignment(&configuration.snapshot, &application.id, person).is_some();
    let is_recent = request.accepts_sign_in_at(found.session.auth_time, context.now());
    if request.is_silent() && !(is_recent && is_assigned) {
        let error = if is_recent {
            OAuthError::new(ErrorCode::AccessDenied, NOT_ASSIGNED)
        } else {
            OAuthError::new(ErrorCode::LoginRequired, "The person has to sign in again.")
        };
        return Ok(refuse(context, server, &return_to, &error));
    }
    if is_recent && is_assigned && !request.prompts.contains(&Prompt::SelectAccount) {
        let (configuration, request, found) = (&configuration, &request, &found);
        let signed_in = SignedIn { context, configuration, server, application, request, found };
        return signed_in.answer_or_ask(jar).await;
    }
    let current = if !is_assigned {
        Current::Unassigned(person)
    } else if is_recent {
        Current::MayContinue(person)
    } else {
        Current::MustSignInAgain(person)
    };
    sign_in::ask(context, application, server, &request, jar, Some(current))
}

/// OpenID Connect Core §3.1.2.1: a request by POST is a form.
fn no_form() -> PageError {
    PageError {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        heading: "The sign-in link is broken",
        what: "The request that brought you here is not a form (application/x-www-form-urlencoded)."
            .to_owned(),
        advice: "Start again from your application. If you are setting it up, look at how it builds its authorization \
                 request.",
        details: Vec::new(),
    }
}

/// A request object or a `request_uri` of which nothing can be read, not even where the answer should go.
fn unreadable(error: &OAuthError) -> PageError {
    PageError {
        status: StatusCode::BAD_REQUEST,
        heading: "The sign-in link is broken",
        what: format!("The request that brought you here cannot be used. {}", error.description),
        advice: "Start again from your application: the link is good for a minute or two, and once. If you are setting it \
                 up, look at how it builds its authorization request.",
        details: vec![("Error", error.code.as_str().to_owned())],
    }
}

fn page_for(error: Unanswerable) -> PageError {
    let what = error.to_string();
    let page = |heading, what, advice, details| PageError {
        status: StatusCode::BAD_REQUEST,
        heading,
        what,
        advice,
        details,
    };
    match error {
        Unanswerable::Missing(name) | Unanswerable::Repeated(name) => page(
            "The sign-in link is broken",
            format!("In the request that brought you here {what}."),
            "Start again from kubectl or from your application. If you are setting it up, look at how it builds its \
             authorization request.",
            vec![("Parameter", name.to_owned())],
        ),
        Unanswerable::UnknownClient(id) => page(
            "Unknown application",
            "There is no application with this client id.".to_owned(),
            "Check the client id that kubectl was given (--oidc-client-id), or ask your administrator for it. Client \
             ids belong to one installation: one from another provider does not work here.",
            vec![("Client id", id)],
        ),
        Unanswerable::InactiveClient(name) => page(
            "Application not active",
            format!("The application {name} is deactivated."),
            "Ask your administrator to activate it.",
            vec![("Application", name)],
        ),
        Unanswerable::UnregisteredRedirect { uri, application } => page(
            "Redirect not allowed",
            format!(
                "The application {application} may not be answered at this redirect URI, so nothing was sent there."
            ),
            "If you expected this address, ask your administrator to add it to the application's redirect URIs, written \
             exactly so. If you did not, somebody may have sent you a forged link: close this page.",
            vec![("Application", application), ("Redirect URI", uri)],
        ),
    }
}
