//! Signing in to one's own account, without an application.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kubesso_directory::{Batch, Person, SessionOrigin};
use serde::{Deserialize, Serialize};

use super::{Destination, not_ours, open};
use crate::audit;
use crate::authorization_response::see_other;
use crate::browser_session::BrowserSession;
use crate::client_address::ClientAddress;
use crate::context::{Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::expired::{Goal, Step};
use crate::endpoint::form;
use crate::pages;
use crate::parameters::Parameters;
use crate::password_check::{Proved, prove};
use crate::response_headers::RequestId;
use crate::sealed::Purpose;

/// Where the form goes.
pub(crate) const PATH: &str = "/account/sign-in";

/// What somebody signs in to, in the log.
const WHAT: &str = "account";

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    browser: BrowserBinding,
    destination: Destination,
}

/// Somebody pressed a button of the page.
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    address: ClientAddress,
    headers: HeaderMap,
    jar: CookieJar,
    body: Bytes,
) -> Response {
    let parameters = form(&headers, &body);
    let submitted = submit(&context, address, &headers, jar, &parameters).await;
    submitted.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

async fn submit(
    context: &Context,
    address: ClientAddress,
    headers: &HeaderMap,
    jar: CookieJar,
    parameters: &Parameters,
) -> Result<Response, PageError> {
    let Pending { browser, destination } = open(context, Purpose::PendingAccount, parameters)?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(not_ours());
    }
    if parameters.lenient("action") == Some("cancel") {
        return Ok(cancelled(context));
    }
    let typed = parameters.lenient("username").unwrap_or_default();
    match prove(context, &WHAT, address, typed, parameters.lenient("password")).await? {
        Ok(Proved::MaySignIn(person)) => {
            signed_in(context, jar, &person, address.origin(headers), destination).await
        }
        Ok(Proved::MustChoose(person)) => {
            let goal = Goal::Account(destination);
            Step { context, goal: &goal, user: &person.user }.begin(jar).await
        }
        Err(denied) => {
            let typed: String = typed.chars().take(254).collect();
            let mut response =
                page(context, denied.status(), jar, destination, &typed, Some(denied.to_string()))?;
            if let Some(seconds) = denied.retry_after() {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Ok(response)
        }
    }
}

/// The page, with a new seal and bound to the browser.
pub(super) fn page(
    context: &Context,
    status: StatusCode,
    jar: CookieJar,
    destination: Destination,
    username: &str,
    problem: Option<String>,
) -> Result<Response, PageError> {
    let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
    let pending = Pending { browser, destination };
    let request = context.seal_page(Purpose::PendingAccount, &pending)?;
    let page = pages::SignIn {
        assets: pages::assets(),
        application: "your account",
        server: None,
        host: &context.host(),
        action: PATH,
        request: &request,
        username,
        problem,
        current: None,
    };
    Ok((jar, pages::render(status, &page)).into_response())
}

/// Somebody has proved who it is.
pub(in crate::endpoint) async fn signed_in(
    context: &Context,
    jar: CookieJar,
    person: &Person,
    origin: SessionOrigin,
    destination: Destination,
) -> Result<Response, PageError> {
    let user = &person.user.id;
    let (session, jar) =
        BrowserSession::begin(context, jar, user.clone(), vec!["pwd".to_owned()], origin).await?;
    let entry =
        audit::own_account(context, audit::SIGN_IN, user, "signed in with a password, to the own account");
    context.store.commit(Batch::new(context.now(), vec![entry])).await?;
    tracing::info!(%user, session = %session.id, "signed in, to the own account");
    Ok((jar, see_other(&destination.url(context), [])).into_response())
}

/// Somebody does not want to sign in.
pub(in crate::endpoint) fn cancelled(context: &Context) -> Response {
    see_other(&format!("{}/", context.origin()), [])
}
