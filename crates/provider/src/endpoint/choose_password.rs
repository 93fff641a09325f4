//! The pages at which a password is chosen, with a link that works once (`/welcome/…`, `/reset_password/…`).
//!
//! Opening a link changes nothing: mail scanners do it too. What changes something is a form bound to the browser
//! (module `csrf`) and to the link.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kubesso_directory::{OneTimePurpose, OneTimeTokenValue, TokenHash, User};
use serde::{Deserialize, Serialize};

use crate::choose_password::{NotChosen, Problem, Typed, choose, holder};
use crate::context::{Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::form;
use crate::pages;
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::{Purpose, SealError};

/// The link that somebody new gets.
pub(crate) const WELCOME: &str = "/welcome/{token}";
/// The link that somebody gets whose password was reset or has expired.
pub(crate) const RESET: &str = "/reset_password/{token}";
/// What both begin with: the rest is secret.
pub(crate) const DIRECTORIES: [&str; 2] = ["/welcome/", "/reset_password/"];

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    link: TokenHash,
    browser: BrowserBinding,
}

/// Somebody opened a link.
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    Extension(purpose): Extension<OneTimePurpose>,
    Path(token): Path<String>,
    jar: CookieJar,
) -> Response {
    let link = Link { context: &context, purpose, token: OneTimeTokenValue::presented(&token) };
    link.open(jar).await.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

/// Somebody typed a password.
pub(crate) async fn post(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    Extension(purpose): Extension<OneTimePurpose>,
    Path(token): Path<String>,
    headers: HeaderMap,
    jar: CookieJar,
    body: Bytes,
) -> Response {
    let parameters = form(&headers, &body);
    let link = Link { context: &context, purpose, token: OneTimeTokenValue::presented(&token) };
    let submitted = link.submit(&headers, jar, &parameters).await;
    submitted.unwrap_or_else(|error| context.error_page(&request_id, &error))
}

/// A link that somebody presented.
struct Link<'a> {
    context: &'a Context,
    purpose: OneTimePurpose,
    token: OneTimeTokenValue,
}

impl Link<'_> {
    async fn open(&self, jar: CookieJar) -> Result<Response, PageError> {
        let user = self.holder().await?;
        self.page(StatusCode::OK, jar, &user, None)
    }

    async fn submit(
        &self,
        headers: &HeaderMap,
        jar: CookieJar,
        parameters: &Parameters,
    ) -> Result<Response, PageError> {
        let context = self.context;
        let link = self.token.hash();
        let sealed = parameters.lenient("request").unwrap_or_default();
        let is_ours = match context.open::<Pending>(Purpose::PendingPassword, sealed) {
            Ok(pending) => pending.link == link && pending.browser.admits(&jar, headers, &context.base_url),
            Err(SealError::NotOurs) => false,
            Err(SealError::Expired) => {
                let user = self.holder().await?;
                let problem = "The page was open for more than an hour. Type both once more.".to_owned();
                return self.page(StatusCode::UNPROCESSABLE_ENTITY, jar, &user, Some(problem));
            }
        };
        if !is_ours {
            return Err(other_browser());
        }
        match choose(context, &link, self.purpose, &typed(parameters)).await? {
            Ok(user) => {
                let login = user.profile.login.as_str();
                let host = &context.host();
                let page = pages::PasswordChosen { assets: pages::assets(), host, login };
                Ok((jar, pages::render(StatusCode::OK, &page)).into_response())
            }
            Err(NotChosen::Again(user, problem)) => {
                let page = self.page(problem.status(), jar, &user, Some(problem.to_string()))?;
                Ok(with_retry_after(page, &problem))
            }
            Err(NotChosen::Ended) => Err(self.ended()),
        }
    }

    async fn holder(&self) -> Result<User, PageError> {
        holder(self.context, &self.token.hash(), self.purpose).await?.ok_or_else(|| self.ended())
    }

    /// The page, with a new seal and bound to the browser.
    fn page(
        &self,
        status: StatusCode,
        jar: CookieJar,
        user: &User,
        problem: Option<String>,
    ) -> Result<Response, PageError> {
        let context = self.context;
        let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
        let pending = Pending { link: self.token.hash(), browser };
        let request = context.seal_page(Purpose::PendingPassword, &pending)?;
        let (heading, what, directory) = match self.purpose {
            OneTimePurpose::Activation => {
                ("Welcome", "Choose the password that you will sign in with.", DIRECTORIES[0])
            }
            OneTimePurpose::PasswordReset => {
                ("Choose a new password", "It takes the place of the old one.", DIRECTORIES[1])
            }
        };
        let page = pages::ChoosePassword {
            assets: pages::assets(),
            host: &context.host(),
            heading,
            login: user.profile.login.as_str(),
            what,
            rule: &context.sign_in.passwords.sentence(&user.profile.login),
            shortest: context.sign_in.passwords.shortest,
            action: &format!("{directory}{}", self.token.expose()),
            request: &request,
            problem,
            may_cancel: false,
        };
        Ok((jar, pages::render(status, &page)).into_response())
    }

    /// Used, ended, replaced by a newer one, or never made; nobody is told which, for nothing of it is stored.
    fn ended(&self) -> PageError {
        let (what, advice) = match self.purpose {
            OneTimePurpose::Activation => (
                "A link to choose the first password works once and for seven days. This one was used, has ended, or \
                 was replaced by a newer one.",
                "If you chose your password with it, just sign in. Otherwise ask your administrator for another link.",
            ),
            OneTimePurpose::PasswordReset => (
                "A link to choose a new password works once and for an hour. This one was used, has ended, or was \
                 replaced by a newer one.",
                "If you chose your password with it, just sign in. Otherwise ask your administrator for another link.",
            ),
        };
        PageError {
            status: StatusCode::GONE,
            heading: "This link does not work any more",
            what: what.to_owned(),
            advice,
            details: Vec::new(),
        }
    }
}

pub(super) fn typed(parameters: &Parameters) -> Typed<'_> {
    let field = |name| parameters.lenient(name).unwrap_or_default();
    Typed { password: field("password"), repeated: field("repeated") }
}

pub(super) fn with_retry_after(mut response: Response, problem: &Problem) -> Response {
    if let Some(seconds) = problem.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn other_browser() -> PageError {
    PageError {
        status: StatusCode::FORBIDDEN,
        heading: "Password not accepted",
        what: "The form did not come from the browser that was given it, or its cookie is gone.".to_owned(),
        advice: "Allow cookies for this site, then open the link again.",
        details: Vec::new(),
    }
}
