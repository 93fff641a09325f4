//! The step of a sign-in at which somebody whose password has expired chooses another one.
//!
//! Who knows the expired password gets a link that works once, as an administrator would make it, except that nobody
//! ever sees it: its hash travels sealed in the form, with what goes on afterwards.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{
    Batch, Change, OneTimePurpose, OneTimeToken, OneTimeTokenValue, Person, SessionOrigin, TokenHash, User,
};
use serde::{Deserialize, Serialize};

use crate::authorization_request::AuthorizationRequest;
use crate::choose_password::{NotChosen, choose};
use crate::client_address::ClientAddress;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::account::Destination;
use crate::endpoint::choose_password::{typed, with_retry_after};
use crate::endpoint::device::Visit;
use crate::endpoint::sign_in::{Form, cancelled, no_request, other_browser, parties};
use crate::endpoint::{account, form};
use crate::pages;
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::Purpose;
use crate::user_code::IssuedCode;

/// Where the form goes.
pub(crate) const PATH: &str = "/sign-in/password";

/// How long the step may take.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

const PURPOSE: OneTimePurpose = OneTimePurpose::PasswordReset;

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    link: TokenHash,
    then: Then,
    browser: BrowserBinding,
}

/// What somebody is signing in to, as it is sealed.
#[derive(Serialize, Deserialize)]
enum Then {
    Application(Box<AuthorizationRequest>),
    Device(IssuedCode),
    Account(Destination),
}

/// The same, with what belongs to it at this moment.
pub(super) enum Goal<'a> {
    Application(Form<'a>),
    Device(Visit<'a>),
    Account(Destination),
}

impl<'a> Goal<'a> {
    /// The page may be minutes old: what it leads to may have gone.
    fn of(context: &'a Context, configuration: &'a Configuration, then: &'a Then) -> Result<Self, PageError> {
        Ok(match then {
            Then::Application(request) => {
                let (server, application) = parties(configuration, request)?;
                Self::Application(Form { context, application, server, request, current: None })
            }
            Then::Device(code) => Self::Device(Visit::of(context, configuration, code)?),
            Then::Account(destination) => Self::Account(*destination),
        })
    }

    fn then(&self) -> Then {
        match self {
            Self::Application(form) => Then::Application(Box::new(form.request.clone())),
            Self::Device(visit) => Then::Device(visit.code.clone()),
            Self::Account(destination) => Then::Account(*destination),
        }
    }

    /// What the new password is for.
    fn what(&self) -> String {
        match self {
            Self::Application(form) => format!("Choose another one to go on to {}.", form.application.label),
            Self::Device(visit) => {
                format!("Choose another one to go on to {} on your device.", visit.application.label)
            }
            Self::Account(_) => "Choose another one to go on to your account.".to_owned(),
        }
    }

    /// Where the form may lead besides ourselves.
    fn form_target(&self) -> String {
        match self {
            Self::Application(form) => {
                pages::form_target(&form.request.return_to.redirect_uri).unwrap_or_default()
            }
            Self::Device(_) | Self::Account(_) => String::new(),
        }
    }

    fn cancelled(&self, context: &Context) -> Response {
        match self {
            Self::Application(form) => cancelled(context, form.server, form.request),
            Self::Device(visit) => visit.cancelled(),
            Self::Account(_) => account::sign_in::cancelled(context),
        }
    }

    /// Goes on with `person`, who has chosen a password.
    async fn signed_in(
        &self,
        context: &Context,
        configuration: &Configuration,
        jar: CookieJar,
        person: Person,
        origin: SessionOrigin,
    ) -> Result<Response, PageError> {
        match self {
            Self::Application(form) => form.signed_in(configuration, jar, person, origin).await,
            Self::Device(visit) => visit.signed_in(jar, &person, origin).await,
            Self::Account(destination) => {
                account::sign_in::signed_in(context, jar, &person, origin, *destination).await
            }
        }
    }
}

/// Somebody pressed a button of the page.
pub(crate) async fn chosen(
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
    let sealed = parameters.lenient("request").ok_or_else(|| no_request(StatusCode::BAD_REQUEST))?;
    let opened = context.open(Purpose::PendingExpiredPassword, sealed);
    let Pending { link, then, browser } = opened.map_err(|_| ended())?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(other_browser());
    }
    let configuration = context.configuration().await;
    let goal = Goal::of(context, &configuration, &then)?;
    if parameters.lenient("action") == Some("cancel") {
        return Ok(goal.cancelled(context));
    }
    match choose(context, &link, PURPOSE, &typed(parameters)).await? {
        Ok(user) => {
            let person = context.store.person(&user.id).await?.ok_or_else(ended)?;
            goal.signed_in(context, &configuration, jar, person, address.origin(headers)).await
        }
        Err(NotChosen::Again(user, problem)) => {
            let step = Step { context, goal: &goal, user: &user };
            let page = step.page(problem.status(), jar, link, Some(problem.to_string()))?;
            Ok(with_retry_after(page, &problem))
        }
        Err(NotChosen::Ended) => Err(ended()),
    }
}

/// The step, for somebody who knows the expired password.
pub(super) struct Step<'a> {
    pub(super) context: &'a Context,
    pub(super) goal: &'a Goal<'a>,
    pub(super) user: &'a User,
}

impl Step<'_> {
    /// Shows the page for the first time.
    pub(super) async fn begin(&self, jar: CookieJar) -> Result<Response, PageError> {
        let context = self.context;
        let link = OneTimeTokenValue::generate(&*context.entropy).hash();
        let ends = context.now().saturating_add(LIFETIME)?;
        let token = OneTimeToken { hash: link, user: self.user.id.clone(), purpose: PURPOSE, ends };
        context.store.commit(Batch::new(context.now(), vec![Change::PutOneTimeToken(token)])).await?;
        tracing::info!(user = %self.user.id, "has to choose another password");
        self.page(StatusCode::OK, jar, link, None)
    }

    /// The page, with a new seal and bound to the browser.
    fn page(
        &self,
        status: StatusCode,
        jar: CookieJar,
        link: TokenHash,
        problem: Option<String>,
    ) -> Result<Response, PageError> {
        let (context, login) = (self.context, &self.user.profile.login);
        let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
        let pending = Pending { link, then: self.goal.then(), browser };
        let ends = context.now().saturating_add(LIFETIME)?;
        let request = context.seal(Purpose::PendingExpiredPassword, &pending, ends)?;
        let page = pages::ChoosePassword {
            assets: pages::assets(),
            host: &context.host(),
            heading: "Your password has expired",
            login: login.as_str(),
            what: &self.goal.what(),
            rule: &context.sign_in.passwords.sentence(login),
            shortest: context.sign_in.passwords.shortest,
            action: PATH,
            request: &request,
            problem,
            may_cancel: true,
        };
        let mut response = (jar, pages::render(status, &page)).into_response();
        let policy = pages::content_security_policy(&self.goal.form_target());
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
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
        advice: "Begin again (run kubectl, open your application, or start on your device), and sign in with the \
                 password that you have now.",
        details: Vec::new(),
    }
}
