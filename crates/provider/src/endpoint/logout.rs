//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): ends the browser's session. Whoever cannot
//! show an ID token of the person who is signed in makes us ask that person first, so that a link cannot sign
//! people out.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode, header};
use kubesso_directory::ClientId;
use serde::{Deserialize, Serialize};

use crate::authorization_response::see_other;
use crate::browser_session::BrowserSession;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::form;
use crate::id_token_hint::IdTokenHint;
use crate::pages;
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::Purpose;

/// Where the confirmation goes.
pub(crate) const CONFIRM_PATH: &str = "/sign-out";

/// Where the browser goes afterwards: a URI that is registered for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AfterLogout {
    uri: String,
    state: Option<String>,
}

/// What is sealed into the question.
#[derive(Serialize, Deserialize)]
struct Pending {
    after: Option<AfterLogout>,
    browser: BrowserBinding,
}

/// The parameters in the query.
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    Path(server): Path<String>,
    RawQuery(query): RawQuery,
    jar: CookieJar,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let answered = logout(&context, &server, &parameters, jar).await;
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
    let parameters = form(&headers, &body);
    let answered = logout(&context, &server, &parameters, jar).await;
    answered.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

/// The person said yes.
pub(crate) async fn confirm(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    jar: CookieJar,
    body: Bytes,
) -> Response {
    let parameters = form(&headers, &body);
    let sealed = parameters.lenient("request").unwrap_or_default();
    let answered = match context.open::<Pending>(Purpose::PendingSignOut, sealed) {
        Ok(pending) if pending.browser.admits(&jar, &headers, &context.base_url) => {
            end(&context, jar, pending.after.as_ref()).await
        }
        Ok(_) | Err(_) => Err(PageError {
            status: StatusCode::BAD_REQUEST,
            heading: "Not signed out",
            what: "The form is too old, or did not come from the browser that was given it.".to_owned(),
            advice: "Open the sign-out page again.",
            details: Vec::new(),
        }),
    };
    answered.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

async fn logout(
    context: &Context,
    server_id: &str,
    parameters: &Parameters,
    jar: CookieJar,
) -> Result<Response, PageError> {
    let configuration = context.configuration().await;
    let server = configuration.server(server_id).ok_or_else(|| PageError::no_server(server_id))?;
    if let Some(malformed) = parameters.first_malformed() {
        return Err(broken(format!("In the request that brought you here {malformed}.")));
    }
    let hint = match parameters.lenient("id_token_hint") {
        None => None,
        Some(token) => Some(
            IdTokenHint::read(context, &configuration, server, token)
                .ok_or_else(|| broken("The id_token_hint is not an ID token of this issuer.".to_owned()))?,
        ),
    };
    let after = after_logout(&configuration, parameters, hint.as_ref())?;
    match BrowserSession::find(context, &jar).await? {
        Some(found) if hint.as_ref().is_none_or(|hint| hint.user != found.session.user) => {
            question(context, jar, after, found.person.user.profile.login.as_str())
        }
        _ => end(context, jar, after.as_ref()).await,
    }
}

/// Where the request wants the browser to go, if its client may ask for that.
fn after_logout(
    configuration: &Configuration,
    parameters: &Parameters,
    hint: Option<&IdTokenHint>,
) -> Result<Option<AfterLogout>, PageError> {
    let named = parameters.lenient("client_id").map(ClientId::parse).transpose();
    let named = named.map_err(|_| broken("There is no application with this client id.".to_owned()))?;
    let client = match (named, hint) {
        (Some(named), Some(hint)) if named != hint.client => {
            return Err(broken(
                "The client_id is not the one that the id_token_hint was issued to.".to_owned(),
            ));
        }
        (named, hint) => named.or_else(|| hint.map(|hint| hint.client.clone())),
    };
    let Some(uri) = parameters.lenient("post_logout_redirect_uri") else { return Ok(None) };
    let may = client
        .and_then(|client| configuration.snapshot.application(&client))
        .filter(|application| application.status.is_active())
        .is_some_and(|application| application.may_redirect_after_logout_to(uri));
    if may {
        Ok(Some(AfterLogout { uri: uri.to_owned(), state: parameters.lenient("state").map(str::to_owned) }))
    } else {
        Err(PageError {
            details: vec![("Post logout redirect URI", uri.chars().take(300).collect())],
            ..broken("The address to go to afterwards is not registered for the application.".to_owned())
        })
    }
}

async fn end(context: &Context, jar: CookieJar, after: Option<&AfterLogout>) -> Result<Response, PageError> {
    let (ended, jar) = BrowserSession::end(context, jar).await?;
    tracing::info!(ended, "signed out");
    let response = if let Some(AfterLogout { uri, state }) = after {
        see_other(uri, state.as_deref().map(|state| ("state", state)))
    } else {
        let page = pages::SignedOut { assets: pages::assets(), host: &context.host() };
        pages::render(StatusCode::OK, &page)
    };
    Ok((jar, response).into_response())
}

fn question(
    context: &Context,
    jar: CookieJar,
    after: Option<AfterLogout>,
    login: &str,
) -> Result<Response, PageError> {
    let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
    let target = after.as_ref().and_then(|after| pages::form_target(&after.uri)).unwrap_or_default();
    let pending = Pending { after, browser };
    let request = context.seal_page(Purpose::PendingSignOut, &pending)?;
    let page = pages::SignOut {
        assets: pages::assets(),
        host: &context.host(),
        action: CONFIRM_PATH,
        request: &request,
        login,
    };
    let mut response = (jar, pages::render(StatusCode::OK, &page)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, pages::content_security_policy(&target));
    Ok(response)
}

fn broken(what: String) -> PageError {
    PageError {
        status: StatusCode::BAD_REQUEST,
        heading: "The sign-out link is broken",
        what,
        advice: "You are still signed in. Open this issuer's logout page without parameters to sign out.",
        details: Vec::new(),
    }
}
