//! The step of a sign-in at which somebody whose password has expired chooses another one.
//!
//! Who knows the expired password gets a link that works once, as an administrator would make it, except that nobody
//! ever sees it: its hash travels sealed in the form, with the authorization request that goes on afterwards.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::password::name_part;
use kubesso_directory::{Batch, Change, OneTimePurpose, OneTimeToken, OneTimeTokenValue, TokenHash, User};
use serde::{Deserialize, Serialize};

use super::{Form, cancelled, no_request, other_browser, parties};
use crate::authorization_request::AuthorizationRequest;
use crate::choose_password::{NotChosen, choose};
use crate::context::{Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::choose_password::{typed, with_retry_after};
use crate::endpoint::form;
use crate::pages;
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::{self, Purpose};

/// Where the form goes.
pub(crate) const PATH: &str = "/sign-in/password";

/// How long the step may take.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

const PURPOSE: OneTimePurpose = OneTimePurpose::PasswordReset;

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    link: TokenHash,
    request: AuthorizationRequest,
    browser: BrowserBinding,
}

/// Somebody pressed a button of the page.
pub(crate) async fn chosen(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    jar: CookieJar,
    body: Bytes,
) -> Response {
    let parameters = form(&headers, &body);
    let submitted = submit(&context, &headers, jar, &parameters).await;
    submitted.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

async fn submit(
    context: &Context,
    headers: &HeaderMap,
    jar: CookieJar,
    parameters: &Parameters,
) -> Result<Response, PageError> {
    let sealed = parameters.lenient("request").ok_or_else(|| no_request(StatusCode::BAD_REQUEST))?;
    let opened = sealed::open(&context.sealing_key, Purpose::PendingExpiredPassword, sealed, context.now());
    let Pending { link, request, browser } = opened.map_err(|_| ended())?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(other_browser());
    }
    let configuration = context.configuration().await;
    let (server, application) = parties(&configuration, &request)?;
    if parameters.lenient("action") == Some("cancel") {
        return Ok(cancelled(context, server, &request));
    }
    let form = Form { context, application, server, request: &request, current: None };
    match choose(context, &link, PURPOSE, &typed(parameters)).await? {
        Ok(user) => {
            let person = context.store.person(&user.id).await?.ok_or_else(ended)?;
            form.signed_in(&configuration, jar, &person).await
        }
        Err(NotChosen::Again(user, problem)) => {
            let page = form.password_page(problem.status(), jar, link, &user, Some(problem.to_string()))?;
            Ok(with_retry_after(page, &problem))
        }
        Err(NotChosen::Ended) => Err(ended()),
    }
}

impl Form<'_> {
    /// `user` knows the password, which has expired.
    pub(super) async fn choose_password(&self, jar: CookieJar, user: &User) -> Result<Response, PageError> {
        let context = self.context;
        let link = OneTimeTokenValue::generate(&*context.entropy).hash();
        let ends = context.now().saturating_add(LIFETIME)?;
        let token = OneTimeToken { hash: link, user: user.id.clone(), purpose: PURPOSE, ends };
        context.store.commit(Batch::new(context.now(), vec![Change::PutOneTimeToken(token)])).await?;
        tracing::info!(user = %user.id, client = %self.request.client, "has to choose another password");
        self.password_page(StatusCode::OK, jar, link, user, None)
    }

    /// The page, with a new seal and bound to the browser.
    fn password_page(
        &self,
        status: StatusCode,
        jar: CookieJar,
        link: TokenHash,
        user: &User,
        problem: Option<String>,
    ) -> Result<Response, PageError> {
        let context = self.context;
        let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
        let pending = Pending { link, request: self.request.clone(), browser };
        let ends = context.now().saturating_add(LIFETIME)?;
        let (key, entropy) = (&context.sealing_key, &*context.entropy);
        let request = sealed::seal(key, entropy, Purpose::PendingExpiredPassword, &pending, ends)?;
        let page = pages::ChoosePassword {
            assets: pages::assets(),
            host: &context.host(),
            heading: "Your password has expired",
            login: user.profile.login.as_str(),
            what: &format!("Choose another one to go on to {}.", self.application.label),
            name_part: name_part(&user.profile.login),
            action: PATH,
            request: &request,
            problem,
            may_cancel: true,
        };
        let mut response = (jar, pages::render(status, &page)).into_response();
        let target = pages::form_target(&self.request.return_to.redirect_uri).unwrap_or_default();
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, pages::content_security_policy(&target));
        Ok(response)
    }
}

/// Too late, or the password was chosen already, or an administrator decided otherwise.
fn ended() -> PageError {
    PageError {
        status: StatusCode::GONE,
        heading: "This page is no longer valid",
        what: "The page was open for more than a quarter of an hour, or the password was changed meanwhile."
            .to_owned(),
        advice: "Run kubectl (or open your application) again, and sign in with the password that you have now.",
        details: Vec::new(),
    }
}
