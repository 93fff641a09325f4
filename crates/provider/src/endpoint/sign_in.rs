//! The sign-in page and what it submits.
//!
//! The answer does not tell which logins exist: for a login that does not, the same work is done (an Argon2id
//! computation) and the same page comes back; attempts are counted alike
//! ([`kubesso_directory::ThrottleRule`]).

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::password::{Password, PasswordHash, Verification};
use kubesso_directory::{
    Application, Attempt, AuditEvent, AuditEventId, Batch, Change, Login, Outcome, Person, Server,
    ThrottleKey, ThrottleRule, User, UserId, UserStatus,
};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::authorization_request::AuthorizationRequest;
use crate::authorization_response::{answer, may_have, refuse};
use crate::browser_session::BrowserSession;
use crate::client_address::ClientAddress;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::form;
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::pages::{self, CurrentUser};
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::{self, Purpose, SealError};

/// Where the forms go.
pub(crate) const PATH: &str = "/sign-in";

/// How long a sign-in page may lie open.
const PAGE_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

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
        sealed::open(&context.sealing_key, Purpose::PendingAuthorization, sealed, context.now())
            .map_err(unusable_page)?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(other_browser());
    }
    // The page may be an hour old: the client may have gone, or its redirect URI.
    let configuration = context.configuration().await;
    let server_id = request.server.as_str();
    let server = configuration.server(server_id).ok_or_else(|| PageError::no_server(server_id))?;
    let application = configuration
        .snapshot
        .application(&request.client)
        .filter(|application| application.status.is_active())
        .filter(|application| application.may_redirect_to(&request.return_to.redirect_uri))
        .ok_or_else(client_changed)?;

    match parameters.lenient("action") {
        Some("cancel") => {
            let error = OAuthError::new(ErrorCode::AccessDenied, "The person cancelled the sign-in.");
            Ok(refuse(context, server, &request.return_to, &error))
        }
        Some("continue") => {
            let found = BrowserSession::find(context, &jar).await?;
            // Somebody else may have signed in since, in another tab.
            let offered = found.filter(|found| offered.as_ref() == Some(&found.session.user));
            let recent =
                offered.filter(|found| request.accepts_sign_in_at(found.session.auth_time, context.now()));
            match recent {
                Some(BrowserSession { session, person }) => {
                    Ok(answer(context, &configuration, server, &request, &session, &person).await?)
                }
                None => ask(context, application, server, &request, jar, None),
            }
        }
        _ => {
            let form = Form { context, application, server, request: &request, current: None };
            let typed = parameters.lenient("username").unwrap_or_default();
            match form.check_password(address, typed, parameters.lenient("password")).await? {
                Ok(person) => form.signed_in(&configuration, jar, &person).await,
                Err(denied) => form.denied(jar, typed, &denied),
            }
        }
    }
}

/// A sign-in page and what belongs to it.
struct Form<'a> {
    context: &'a Context,
    application: &'a Application,
    server: &'a Server,
    request: &'a AuthorizationRequest,
    current: Option<Current<'a>>,
}

/// Why a password did not sign anybody in.
enum Denied {
    /// Another login, another password, or no such person: nobody is told which.
    WrongPassword,
    /// The password is right, and the person may not sign in.
    NotActive(UserStatus),
    TooEarly(SignedDuration),
    /// Too many people are signing in at this moment.
    Busy,
}

/// What an attempt to sign in is counted under.
struct Attempts {
    login: ThrottleKey,
    /// Where the address is known.
    network: Option<ThrottleKey>,
}

impl Attempts {
    /// Counts an attempt, or says how long to wait.
    ///
    /// The network goes first: one that has to wait must neither hold up the people whom it names nor fill the
    /// store with counters of people whom it invents.
    async fn count(&self, context: &Context) -> Result<Attempt, PageError> {
        let (store, now) = (&context.store, context.now());
        if let Some(network) = &self.network
            && let wait @ Attempt::Wait { .. } = store.attempt(network, &ThrottleRule::NETWORK, now).await?
        {
            return Ok(wait);
        }
        let attempt = store.attempt(&self.login, &ThrottleRule::LOGIN, now).await?;
        if let (Attempt::Wait { .. }, Some(network)) = (attempt, &self.network) {
            // No password was looked at.
            store.take_back_attempts(network, 1).await?;
        }
        Ok(attempt)
    }

    /// Somebody has signed in: what was tried under that login was the person's own, and is taken off the
    /// network's count too. What was tried under other logins stays there, so that nobody wipes it out with an
    /// account of one's own.
    async fn forgive(&self, context: &Context) -> Result<(), PageError> {
        let own = context.store.forget_attempts(&self.login).await?;
        if let Some(network) = &self.network {
            context.store.take_back_attempts(network, own).await?;
        }
        Ok(())
    }
}

impl Form<'_> {
    /// The person whose login and password were typed.
    async fn check_password(
        &self,
        address: ClientAddress,
        typed: &str,
        password: Option<&str>,
    ) -> Result<Result<Person, Denied>, PageError> {
        let (context, store) = (self.context, &self.context.store);
        let attempts =
            Attempts { login: ThrottleKey::login(typed), network: address.0.map(ThrottleKey::network) };
        if let Attempt::Wait { until } = attempts.count(context).await? {
            tracing::warn!(address = %address, "sign-in refused: too many attempts");
            return Ok(Err(Denied::TooEarly(until.duration_since(context.now()))));
        }
        let user = match Login::parse(typed.trim()) {
            Ok(login) => store.user_by_login(&login).await?,
            Err(_) => None,
        };
        // Asked for nobody too: the same questions, whoever it is.
        let id = user.as_ref().map_or_else(|| UserId::generate(&*context.entropy), |user| user.id.clone());
        let hash = store.password_hash(&id).await?;
        let password = Password::new(password.unwrap_or_default());
        let (hasher, typed, stored) = (context.password_hasher.clone(), password.clone(), hash.clone());
        let verify = move || hasher.verify(&typed, stored.as_ref());
        let Some(verification) = context.hashing.run(verify).await? else { return Ok(Err(Denied::Busy)) };
        let user = match (user, verification) {
            (Some(user), Verification::Right) => user,
            (Some(user), Verification::RightButOutdated) => {
                self.hash_again(&user, password, hash.as_ref()).await?;
                user
            }
            (user, _) => {
                let user = user.map(|user| user.id.to_string());
                tracing::warn!(
                    user = user.as_deref().unwrap_or("unknown"),
                    client = %self.request.client,
                    address = %address,
                    "sign-in refused: wrong login or password"
                );
                return Ok(Err(Denied::WrongPassword));
            }
        };
        // Read after the password was checked, which takes a while.
        let Some(person) = store.person(&user.id).await? else { return Ok(Err(Denied::WrongPassword)) };
        if !person.user.status.may_sign_in() {
            let status = person.user.status;
            tracing::warn!(user = %user.id, status = status.as_str(), "sign-in refused: not active");
            return Ok(Err(Denied::NotActive(status)));
        }
        attempts.forgive(context).await?;
        Ok(Ok(person))
    }

    /// Stores the hash with the parameters that are in force now, unless `verified` has been replaced meanwhile
    /// or all threads are taken; then the next sign-in does it.
    async fn hash_again(
        &self,
        user: &User,
        password: Password,
        verified: Option<&PasswordHash>,
    ) -> Result<(), PageError> {
        let (hasher, entropy) = (self.context.password_hasher.clone(), self.context.entropy.clone());
        let Some(hash) = self.context.hashing.run(move || hasher.hash(&password, &*entropy)).await? else {
            return Ok(());
        };
        // An administrator's new password must not give way to the old one.
        if self.context.store.password_hash(&user.id).await?.as_ref() != verified {
            return Ok(());
        }
        let change = Change::SetPassword(user.id.clone(), hash?);
        self.context.store.commit(Batch::new(self.context.now(), vec![change])).await?;
        tracing::info!(user = %user.id, "the password was hashed again with the present parameters");
        Ok(())
    }

    /// A person has proved who it is. Whoever may not use the application gets no session: the next try
    /// begins with this page again, where another account can be chosen.
    async fn signed_in(
        &self,
        configuration: &Configuration,
        jar: CookieJar,
        person: &Person,
    ) -> Result<Response, PageError> {
        let (context, request) = (self.context, self.request);
        if !request.is_about(&person.user.id) {
            let error = OAuthError::new(
                ErrorCode::LoginRequired,
                "Another person signed in than the id_token_hint names.",
            );
            self.audit(person, Outcome::Failure, &error.description).await?;
            return Ok(refuse(context, self.server, &request.return_to, &error));
        }
        if let Err(error) = may_have(configuration, self.server, self.application, request, person) {
            self.audit(person, Outcome::Failure, &error.description).await?;
            return Ok(refuse(context, self.server, &request.return_to, &error));
        }
        let amr = vec!["pwd".to_owned()];
        let (session, jar) = BrowserSession::begin(context, jar, person.user.id.clone(), amr).await?;
        self.audit(person, Outcome::Success, "signed in with a password").await?;
        tracing::info!(
            user = %person.user.id,
            client = %request.client,
            server = %self.server.server.id,
            session = %session.id,
            "signed in"
        );
        let response = answer(context, configuration, self.server, request, &session, person).await?;
        Ok((jar, response).into_response())
    }

    async fn audit(&self, person: &Person, outcome: Outcome, message: &str) -> Result<(), PageError> {
        let now = self.context.now();
        let event = AuditEvent {
            id: AuditEventId::generate(&*self.context.entropy),
            published: now,
            event_type: "user.session.start".to_owned(),
            actor: person.user.id.to_string(),
            target: Some(self.application.id.to_string()),
            outcome,
            message: message.to_owned(),
            details: Map::new(),
        };
        self.context.store.commit(Batch::new(now, vec![Change::Audit(event)])).await?;
        Ok(())
    }

    fn denied(&self, jar: CookieJar, typed: &str, denied: &Denied) -> Result<Response, PageError> {
        let (status, problem) = match denied {
            Denied::WrongPassword => {
                (StatusCode::UNPROCESSABLE_ENTITY, "The user name or the password is not right.".to_owned())
            }
            Denied::NotActive(status) => (StatusCode::FORBIDDEN, not_active(*status).to_owned()),
            Denied::TooEarly(wait) => {
                let seconds = whole_seconds(*wait);
                let unit = if seconds == 1 { "second" } else { "seconds" };
                (StatusCode::TOO_MANY_REQUESTS, format!("Too many attempts. Try again in {seconds} {unit}."))
            }
            Denied::Busy => {
                let problem = "Too many people are signing in at this moment. Try again in a few seconds.";
                (StatusCode::SERVICE_UNAVAILABLE, problem.to_owned())
            }
        };
        let typed: String = typed.chars().take(254).collect();
        let mut response = self.page(status, jar, &typed, Some(problem))?;
        let wait = match denied {
            Denied::TooEarly(wait) => Some(whole_seconds(*wait)),
            Denied::Busy => Some(5),
            Denied::WrongPassword | Denied::NotActive(_) => None,
        };
        if let Some(wait) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
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
        let ends = context.now().saturating_add(PAGE_LIFETIME)?;
        let sealed = sealed::seal(
            &context.sealing_key,
            &*context.entropy,
            Purpose::PendingAuthorization,
            &pending,
            ends,
        )?;
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
            server: self.server.server.name.as_str(),
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

/// Told only to somebody who knows the password.
fn not_active(status: UserStatus) -> &'static str {
    match status {
        UserStatus::LockedOut => "This account is locked. Ask your administrator to unlock it.",
        UserStatus::Suspended => "This account is suspended. Ask your administrator.",
        UserStatus::PasswordExpired | UserStatus::Recovery | UserStatus::Provisioned => {
            "This account needs a new password. Ask your administrator for one."
        }
        UserStatus::Active | UserStatus::Deprovisioned | UserStatus::Staged => {
            "This account is not active. Ask your administrator."
        }
    }
}

fn whole_seconds(wait: SignedDuration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(0).div_ceil(1000).max(1)
}

fn no_request(status: StatusCode) -> PageError {
    PageError {
        status,
        heading: "Nothing to sign in to",
        what: "This page only works as a step of a sign-in, and the request that it belongs to is missing."
            .to_owned(),
        advice: "Run kubectl (or open your application) again; it opens the right page.",
        details: Vec::new(),
    }
}

fn unusable_page(error: SealError) -> PageError {
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

fn other_browser() -> PageError {
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
