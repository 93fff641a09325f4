//! Changing one's password, by whoever has signed in and knows the present one.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kubesso_directory::SessionId;
use serde::{Deserialize, Serialize};

use super::{Destination, not_ours, open, sign_in};
use crate::authorization_response::see_other;
use crate::browser_session::BrowserSession;
use crate::change_password::{NotChanged, change};
use crate::client_address::ClientAddress;
use crate::context::{Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::choose_password::typed;
use crate::endpoint::form;
use crate::pages;
use crate::pages::account::ChangePassword;
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::Purpose;

/// Where the page is, and where its form goes.
pub(crate) const PATH: &str = "/account/password";

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    browser: BrowserBinding,
    session: SessionId,
}

/// The page, or the sign-in page if nobody is signed in.
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    jar: CookieJar,
) -> Response {
    let shown = async {
        match BrowserSession::find(&context, &jar).await? {
            Some(found) => page(&context, jar, &found, None),
            None => sign_in::page(&context, StatusCode::OK, jar, Destination::Password, "", None),
        }
    };
    shown.await.unwrap_or_else(|error: PageError| context.error_page(&request_id, &error))
}

/// Somebody typed the passwords.
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
    let Pending { browser, session } = open(context, Purpose::AccountPassword, parameters)?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(not_ours());
    }
    let found = BrowserSession::find(context, &jar).await?;
    // Another session may have begun in another tab, of somebody else.
    let Some(found) = found.filter(|found| found.session.id == session) else {
        return sign_in::page(context, StatusCode::OK, jar, Destination::Password, "", None);
    };
    let old = parameters.lenient("old").unwrap_or_default();
    match change(context, &found, address, old, &typed(parameters)).await? {
        Ok(()) => Ok(see_other(&Destination::Account.url(context), [("done", "password")])),
        Err(problem) => page(context, jar, &found, Some(&problem)),
    }
}

/// The page, with a new seal and bound to the browser and its session.
fn page(
    context: &Context,
    jar: CookieJar,
    found: &BrowserSession,
    problem: Option<&NotChanged>,
) -> Result<Response, PageError> {
    let login = &found.person.user.profile.login;
    let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
    let pending = Pending { browser, session: found.session.id.clone() };
    let request = context.seal_page(Purpose::AccountPassword, &pending)?;
    let page = ChangePassword {
        assets: pages::assets(),
        host: &context.host(),
        login: login.as_str(),
        rule: &context.sign_in.passwords.sentence(login),
        shortest: context.sign_in.passwords.shortest,
        action: PATH,
        back: super::PATH,
        request: &request,
        problem: problem.map(ToString::to_string),
        is_old_wrong: problem.is_some_and(NotChanged::is_about_the_old_one),
    };
    let mut response = pages::render(problem.map_or(StatusCode::OK, NotChanged::status), &page);
    if let Some(seconds) = problem.and_then(NotChanged::retry_after) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok((jar, response).into_response())
}
