//! The sign-in page and what it submits.
//!
//! The answer does not tell which logins exist: for a login that does not, the same page comes back (module
//! `password_check`).

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kubesso_directory::{Application, Outcome, Person, Server, SessionOrigin, UserId};
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::authorization_request::AuthorizationRequest;
use crate::authorization_response::{may_have, refuse};
use crate::browser_session::BrowserSession;
use crate::client_address::ClientAddress;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::consent::SignedIn;
use crate::endpoint::expired::{Goal, Step};
use crate::endpoint::form;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::pages::{self, CurrentUser};
use crate::parameters::Parameters;
use crate::password_check::{Denied, Proved, prove};
use crate::response_headers::RequestId;
use crate::sealed::{Purpose, SealError};

/// Where the forms go.
pub(crate) const PATH: &str = "/sign-in";

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    request: AuthorizationRequest,
    browser: BrowserBinding,
    /// Whom the page offers to go on as.
    offered: Option<UserId>,
}

/// Who is signed in with the browser already, and why the page is shown all the same.
#[derive(Clone, Copy)]
pub(crate) enum Current<'a> {
    /// It was asked for (`prompt=select_account`).
    MayContinue(&'a Person),
    /// The sign-in is too long ago, or a new one was asked for.
    MustSignInAgain(&'a Person),
    /// The person may not use the application.
    Unassigned(&'a Person),
}

/// Shows the page for the first time.
pub(crate) fn ask(
    context: &Context,
    application: &Application,
    server: &Server,
    request: &AuthorizationRequest,
    jar: CookieJar,
    current: Option<Current<'_>>,
) -> Result<Response, PageError> {
    let form = Form { context, application, server, request, current };
    let username = match (&request.login_hint, current) {
        (Some(hint), _) => hint.as_str(),
        (None, Some(Current::MustSignInAgain(person))) => person.user.profile.login.as_str(),
        (None, _) => "",
    };
    form.page(StatusCode::OK, jar, username, None)
}

/// Somebody typed the address of the form.
pub(crate) async fn without_request(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
) -> Response {
    context.error_page(&request_id, &no_request(StatusCode::NOT_FOUND))
}

/// Somebody pressed a button of the page.
pub(crate) async fn sign_in(
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
    let Pending { request, browser, offered } =
        context.open(Purpose::PendingAuthorization, sealed).map_err(unusable_page)?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(other_browser());
    }
    // The page may be an hour old: the client may have gone, or its redirect URI.
    let configuration = context.configuration().await;
    let (server, application) = parties(&configuration, &request)?;

    match parameters.lenient("action") {
        Some("cancel") => Ok(cancelled(context, server, &request)),
        Some("continue") => {
            let found = BrowserSession::find(context, &jar).await?;
            // Somebody else may have signed in since, in another tab.
            let offered = found.filter(|found| offered.as_ref() == Some(&found.session.user));
            let recent =
                offered.filter(|found| request.accepts_sign_in_at(found.session.auth_time, context.now()));
            match recent {
                Some(found) => {
                    let (configuration, request, found) = (&configuration, &request, &found);
                    let signed_in = SignedIn { context, configuration, server, application, request, found };
                    signed_in.answer_or_ask(jar).await
                }
                None => ask(context, application, server, &request, jar, None),
            }
        }
        _ => {
            let form = Form { context, application, server, request: &request, current: None };
            let typed = parameters.lenient("username").unwrap_or_default();
            let password = parameters.lenient("password");
            match prove(context, &application.client_id, address, typed, password).await? {
                Ok(Proved::MaySignIn(person)) => {
                    form.signed_in(&configuration, jar, person, address.origin(headers)).await
                }
                Ok(Proved::MustChoose(person)) => {
                    let goal = Goal::Application(form);
                    Step { context, goal: &goal, user: &person.user }.begin(jar).await
                }
                Err(denied) => form.denied(jar, typed, &denied),
            }
        }
    }
}

/// The server and the application of a request, if they are still there and active.
pub(super) fn parties<'a>(
    configuration: &'a Configuration,
    request: &AuthorizationRequest,
) -> Result<(&'a Server, &'a Application), PageError> {
    let server_id = request.server.as_str();
    let server = configuration.server(server_id).ok_or_else(|| PageError::no_server(server_id))?;
    let application = configuration
        .snapshot
        .application(&request.client)
        .filter(|application| application.status.is_active())
        .filter(|application| application.may_redirect_to(&request.return_to.redirect_uri))
        .ok_or_else(client_changed)?;
    Ok((server, application))
}

pub(super) fn cancelled(context: &Context, server: &Server, request: &AuthorizationRequest) -> Response {
    let error = OAuthError::new(ErrorCode::AccessDenied, "The person cancelled the sign-in.");
    refuse(context, server, &request.return_to, &error)
}

/// A sign-in page and what belongs to it.
pub(super) struct Form<'a> {
    pub(super) context: &'a Context,
    pub(super) application: &'a Application,
    pub(super) server: &'a Server,
    pub(super) request: &'a AuthorizationRequest,
    pub(super) current: Option<Current<'a>>,
}

impl Form<'_> {
    /// A person has proved who it is. Whoever may not use the application gets no session: the next try
    /// begins with this page again, where another account can be chosen.
    pub(super) async fn signed_in(
        &self,
        configuration: &Configuration,
        jar: CookieJar,
        person: Person,
        origin: SessionOrigin,
    ) -> Result<Response, PageError> {
        let (context, request) = (self.context, self.request);
        if !request.is_about(&person.user.id) {
            let error =
                OAuthError::new(ErrorCode::LoginRequired, "Another person signed in than the request names.");
            self.audit(&person, Outcome::Failure, &error.description).await?;
            return Ok(refuse(context, self.server, &request.return_to, &error));
        }
        if let Err(error) = may_have(configuration, self.server, self.application, request, &person) {
            self.audit(&person, Outcome::Failure, &error.description).await?;
            return Ok(refuse(context, self.server, &request.return_to, &error));
        }
        let amr = vec!["pwd".to_owned()];
        let (session, jar) = BrowserSession::begin(context, jar, person.user.id.clone(), amr, origin).await?;
        self.audit(&person, Outcome::Success, "signed in with a password").await?;
        tracing::info!(
            user = %person.user.id,
            client = %request.client,
            server = %self.server.server.id,
            session = %session.id,
            "signed in"
        );
        let (server, application) = (self.server, self.application);
        let found = &BrowserSession { session, person };
        SignedIn { context, configuration, server, application, request, found }.answer_or_ask(jar).await
    }

    async fn audit(&self, person: &Person, outcome: Outcome, message: &str) -> Result<(), PageError> {
        audit::record(self.context, audit::SIGN_IN, person, self.application, outcome, message).await?;
        Ok(())
    }

    fn denied(&self, jar: CookieJar, typed: &str, denied: &Denied) -> Result<Response, PageError> {
        let typed: String = typed.chars().take(254).collect();
        let mut response = self.page(denied.status(), jar, &typed, Some(denied.to_string()))?;
        if let Some(seconds) = denied.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Ok(response)
    }

    /// The page, with a new seal and bound to the browser.
    fn page(
        &self,
        status: StatusCode,
        jar: CookieJar,
        username: &str,
        problem: Option<String>,
    ) -> Result<Response, PageError> {
        let context = self.context;
        let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
        let offered = match self.current {
            Some(Current::MayContinue(person)) => Some(person.user.id.clone()),
            Some(Current::MustSignInAgain(_) | Current::Unassigned(_)) | None => None,
        };
        let pending = Pending { request: self.request.clone(), browser, offered };
        let sealed = context.seal_page(Purpose::PendingAuthorization, &pending)?;
        let current = self.current.and_then(|current| match current {
            Current::MayContinue(person) => {
                Some(CurrentUser { login: person.user.profile.login.as_str(), is_assigned: true })
            }
            Current::Unassigned(person) => {
                Some(CurrentUser { login: person.user.profile.login.as_str(), is_assigned: false })
            }
            Current::MustSignInAgain(_) => None,
        });
        let page = pages::SignIn {
            assets: pages::assets(),
            application: self.application.label.as_str(),
            server: Some(self.server.server.name.as_str()),
            host: &context.host(),
            action: PATH,
            request: &sealed,
            username,
            problem,
            current,
        };
        let mut response = (jar, pages::render(status, &page)).into_response();
        let target = pages::form_target(&self.request.return_to.redirect_uri).unwrap_or_default();
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, pages::content_security_policy(&target));
        Ok(response)
    }
}

pub(super) fn no_request(status: StatusCode) -> PageError {
    PageError {
        status,
        heading: "Nothing to sign in to",
        what: "This page only works as a step of a sign-in, and the request that it belongs to is missing."
            .to_owned(),
        advice: "Run kubectl (or open your application) again; it opens the right page.",
        details: Vec::new(),
    }
}

pub(super) fn unusable_page(error: SealError) -> PageError {
    let what = match error {
        SealError::Expired => "The sign-in page was open for more than an hour.",
        SealError::NotOurs => "The sign-in page was not made by this service, or was changed on its way.",
    };
    PageError {
        status: StatusCode::BAD_REQUEST,
        heading: "Sign-in page no longer valid",
        what: what.to_owned(),
        advice: "Run kubectl (or open your application) again; it opens a new page.",
        details: Vec::new(),
    }
}

pub(super) fn other_browser() -> PageError {
    PageError {
        status: StatusCode::FORBIDDEN,
        heading: "Sign-in not accepted",
        what: "The form did not come from the browser that was given it, or its cookie is gone.".to_owned(),
        advice: "Allow cookies for this site, then run kubectl (or open your application) again.",
        details: Vec::new(),
    }
}

fn client_changed() -> PageError {
    PageError {
        status: StatusCode::BAD_REQUEST,
        heading: "Application no longer available",
        what: "The application was changed or deactivated while this page was open.".to_owned(),
        advice: "Run kubectl (or open your application) again. If it stays, ask your administrator.",
        details: Vec::new(),
    }
}
