//! The verification pages (RFC 8628 §3.3): enter the code, sign in, say yes or no.
//!
//! Entering a code changes nothing, so that it is a plain link (`verification_uri_complete` is the same). What changes
//! something is a form bound to the browser (module `csrf`), and the yes is good only for the code, the application and
//! the person that the page named. The page asks whether the code is the one on the person's own device: whoever sends
//! somebody else a link wants exactly that yes (§5.4).

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{
    AccessRequest, Application, Attempt, DeviceDecision, DeviceState, GrantType, Outcome, Person, Server,
    SessionId, SessionOrigin, ThrottleKey, ThrottleRule, UserId, assignment, decide,
};
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::authorization_response::{NO_RULE, NOT_ASSIGNED, see_other};
use crate::browser_session::BrowserSession;
use crate::client_address::ClientAddress;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::device_request::parties;
use crate::endpoint::expired::{Goal, Step};
use crate::endpoint::form;
use crate::pages::{self, CurrentUser};
use crate::parameters::Parameters;
use crate::password_check::{Denied, Proved, prove};
use crate::response_headers::RequestId;
use crate::sealed::{Purpose, SealError};
use crate::user_code::{IssuedCode, UserCode};

mod errors;

use errors::{code_ended, code_used, other_browser, party_gone, refused, unusable_page};

/// Short, because people type it.
pub(crate) const PATH: &str = "/device";

/// What is sealed into the sign-in and the confirmation page.
#[derive(Serialize, Deserialize)]
struct Pending {
    code: IssuedCode,
    browser: BrowserBinding,
    /// Whom the page asks for a yes or a no; nobody yet on the sign-in page.
    asked: Option<UserId>,
}

/// The page at which a code is entered, or what follows if the link has one.
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    address: ClientAddress,
    RawQuery(query): RawQuery,
    jar: CookieJar,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let entered = async {
        let Some(typed) = parameters.lenient("user_code") else {
            return Ok(enter_code(&context, StatusCode::OK, "", None));
        };
        let configuration = context.configuration().await;
        match recognise(&context, &configuration, address, typed).await? {
            Ok(code) => Visit::of(&context, &configuration, &code)?.next_page(jar).await,
            Err(refusal) => Ok(refusal.page(&context, typed)),
        }
    };
    entered.await.unwrap_or_else(|error: PageError| context.error_page(&request_id, &error))
}

/// Somebody pressed a button of the sign-in or the confirmation page.
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
    let sealed = parameters.lenient("request").unwrap_or_default();
    let opened = context.open(Purpose::PendingDevice, sealed);
    let Pending { code, browser, asked } = opened.map_err(|error| match error {
        SealError::Expired => code_ended(),
        SealError::NotOurs => unusable_page(),
    })?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(other_browser());
    }
    let configuration = context.configuration().await;
    let visit = Visit::of(context, &configuration, &code)?;
    match parameters.lenient("action") {
        Some("allow") => visit.decide(jar, asked.as_ref(), true).await,
        Some("deny") => visit.decide(jar, asked.as_ref(), false).await,
        Some("switch") => visit.sign_in_page(StatusCode::OK, jar, "", None, None),
        Some("cancel") => Ok(visit.cancelled()),
        _ => visit.sign_in(address, headers, jar, parameters).await,
    }
}

/// Why a code that was typed leads nowhere.
enum NotACode {
    Unknown,
    TooEarly(SignedDuration),
}

impl NotACode {
    fn page(&self, context: &Context, typed: &str) -> Response {
        let unknown = "This is not a code that is waiting. Compare it with the one on your device; it may have ended, \
                       and then the device shows another one when you start again.";
        match self {
            Self::Unknown => {
                enter_code(context, StatusCode::UNPROCESSABLE_ENTITY, typed, Some(unknown.to_owned()))
            }
            Self::TooEarly(wait) => {
                let denied = Denied::TooEarly(*wait);
                let mut response = enter_code(context, denied.status(), typed, Some(denied.to_string()));
                if let Some(seconds) = denied.retry_after() {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
        }
    }
}

/// The code of ours that was typed. Attempts are counted by network before they are looked at (RFC 8628 §5.1), and the
/// right ones taken back.
async fn recognise(
    context: &Context,
    configuration: &Configuration,
    address: ClientAddress,
    typed: &str,
) -> Result<Result<IssuedCode, NotACode>, PageError> {
    let (store, now) = (&context.store, context.now());
    let attempts = ThrottleKey::user_codes(address.0);
    if let Attempt::Wait { until } = store.attempt(&attempts, &ThrottleRule::USER_CODES, now).await? {
        tracing::warn!(%address, "user code refused: too many attempts");
        return Ok(Err(NotACode::TooEarly(until.duration_since(now))));
    }
    let recognised = UserCode::parse(typed)
        .and_then(|code| IssuedCode::recognise(&context.sealing_key, &code, &parties(configuration), now));
    let Some(code) = recognised else {
        tracing::info!(%address, "user code refused: none of ours, or ended");
        return Ok(Err(NotACode::Unknown));
    };
    store.take_back_attempts(&attempts, 1).await?;
    Ok(Ok(code))
}

fn enter_code(context: &Context, status: StatusCode, typed: &str, problem: Option<String>) -> Response {
    let typed: String = typed.chars().take(20).collect();
    let page = pages::DeviceCode {
        assets: pages::assets(),
        host: &context.host(),
        action: PATH,
        user_code: &typed,
        problem,
    };
    pages::render(status, &page)
}

const ALLOWED: &str = "It goes on within a few seconds: look there. You can close this page.";
const DENIED: &str = "The device is told that you said no. You can close this page.";
const CANCELLED: &str = "The device stops asking by itself when its code ends. You can close this page.";

/// The last page.
fn closing(context: &Context, heading: &str, what: &str) -> Response {
    let page = pages::DeviceDone { assets: pages::assets(), host: &context.host(), heading, what };
    pages::render(StatusCode::OK, &page)
}

/// A code with the server and the application that it is of.
#[derive(Clone, Copy)]
pub(super) struct Visit<'a> {
    context: &'a Context,
    configuration: &'a Configuration,
    server: &'a Server,
    pub(super) application: &'a Application,
    pub(super) code: &'a IssuedCode,
}

impl<'a> Visit<'a> {
    /// The page may be minutes old: the application may be deactivated meanwhile, or the rule changed.
    pub(super) fn of(
        context: &'a Context,
        configuration: &'a Configuration,
        code: &'a IssuedCode,
    ) -> Result<Self, PageError> {
        let party = (code.server.clone(), code.client.clone());
        let server = configuration.server(code.server.as_str());
        let application = configuration.snapshot.application(&code.client);
        match (server, application) {
            (Some(server), Some(application)) if parties(configuration).contains(&party) => {
                Ok(Self { context, configuration, server, application, code })
            }
            _ => Err(party_gone()),
        }
    }

    /// Why `person` may not sign the device in, in words for the client.
    fn refusal(&self, person: &Person) -> Option<&'static str> {
        let client = &self.application.client_id;
        if assignment(&self.configuration.snapshot, &self.application.id, person).is_none() {
            tracing::info!(user = %person.user.id, %client, "not assigned");
            return Some(NOT_ASSIGNED);
        }
        // The scopes are in the device code only; the token endpoint judges them too.
        let grant_type = GrantType::DeviceCode;
        let asked = AccessRequest { client, grant_type, person: Some(person), scopes: &[] };
        decide(self.server, &asked).err().map(|refusal| {
            tracing::info!(user = %person.user.id, %client, reason = %refusal, "no rule allows it");
            NO_RULE
        })
    }

    /// The question for whoever is signed in, or the sign-in page.
    async fn next_page(&self, jar: CookieJar) -> Result<Response, PageError> {
        let store = &self.context.store;
        if store.device_decision(&self.code.hash(&self.context.sealing_key)).await?.is_some() {
            return Err(code_used());
        }
        match BrowserSession::find(self.context, &jar).await? {
            None => self.sign_in_page(StatusCode::OK, jar, "", None, None),
            Some(found) => match self.refusal(&found.person) {
                None => self.question(jar, &found.person),
                Some(NO_RULE) => Err(refused(NO_RULE, self.application)),
                Some(_) => self.sign_in_page(StatusCode::OK, jar, "", None, Some(&found.person)),
            },
        }
    }

    async fn sign_in(
        &self,
        address: ClientAddress,
        headers: &HeaderMap,
        jar: CookieJar,
        parameters: &Parameters,
    ) -> Result<Response, PageError> {
        let (context, client) = (self.context, &self.application.client_id);
        let (typed, password) =
            (parameters.lenient("username").unwrap_or_default(), parameters.lenient("password"));
        match prove(context, client, address, typed, password).await? {
            Ok(Proved::MaySignIn(person)) => self.signed_in(jar, &person, address.origin(headers)).await,
            Ok(Proved::MustChoose(person)) => {
                let goal = Goal::Device(*self);
                Step { context, goal: &goal, user: &person.user }.begin(jar).await
            }
            Err(denied) => {
                let typed: String = typed.chars().take(254).collect();
                let mut response =
                    self.sign_in_page(denied.status(), jar, &typed, Some(denied.to_string()), None)?;
                if let Some(seconds) = denied.retry_after() {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                Ok(response)
            }
        }
    }

    /// Somebody has proved who it is.
    pub(super) async fn signed_in(
        &self,
        jar: CookieJar,
        person: &Person,
        origin: SessionOrigin,
    ) -> Result<Response, PageError> {
        let (context, client) = (self.context, &self.application.client_id);
        if let Some(reason) = self.refusal(person) {
            // Told to the device too, as a redirect would tell it to the application.
            audit::record(context, audit::SIGN_IN, person, self.application, Outcome::Failure, reason)
                .await?;
            let denied = DeviceState::Denied { at: context.now(), reason: reason.to_owned() };
            let session = SessionId::generate(&*context.entropy);
            self.store(&self.decision(person, session, denied)).await?;
            return Err(refused(reason, self.application));
        }
        let amr = vec!["pwd".to_owned()];
        let (session, jar) = BrowserSession::begin(context, jar, person.user.id.clone(), amr, origin).await?;
        let message = "signed in with a password, for a device";
        audit::record(context, audit::SIGN_IN, person, self.application, Outcome::Success, message).await?;
        tracing::info!(user = %person.user.id, %client, session = %session.id, "signed in, for a device");
        let page = format!("{}{PATH}", context.origin());
        let code = self.code.code.to_string();
        Ok((jar, see_other(&page, [("user_code", code.as_str())])).into_response())
    }

    /// Somebody does not want to sign in.
    pub(super) fn cancelled(&self) -> Response {
        closing(self.context, "Nothing was allowed", CANCELLED)
    }

    /// The person that the page asked says yes or no.
    async fn decide(
        &self,
        jar: CookieJar,
        asked: Option<&UserId>,
        is_allowed: bool,
    ) -> Result<Response, PageError> {
        let context = self.context;
        let found = BrowserSession::find(context, &jar).await?;
        // Somebody else may have signed in since, in another tab, or may not use the application any more.
        let found = found.filter(|found| asked == Some(&found.session.user));
        let found = found.filter(|found| self.refusal(&found.person).is_none());
        let Some(BrowserSession { session, person }) = found else { return self.next_page(jar).await };
        let at = context.now();
        let (state, outcome, message) = if is_allowed {
            (DeviceState::Allowed { at }, Outcome::Success, "allowed a device to sign in")
        } else {
            let reason = "The person said no.".to_owned();
            (DeviceState::Denied { at, reason }, Outcome::Failure, "denied a device to sign in")
        };
        let decision = DeviceDecision {
            auth_time: session.auth_time,
            amr: session.amr,
            ..self.decision(&person, session.id, state)
        };
        self.store(&decision).await?;
        audit::record(context, audit::DEVICE, &person, self.application, outcome, message).await?;
        Ok(if is_allowed {
            closing(context, "The device may sign in now", ALLOWED)
        } else {
            closing(context, "The device is not signed in", DENIED)
        })
    }

    /// A decision of `person`, who has just proved who it is.
    fn decision(&self, person: &Person, session: SessionId, state: DeviceState) -> DeviceDecision {
        DeviceDecision {
            user_code: self.code.hash(&self.context.sealing_key),
            server: self.code.server.clone(),
            client: self.code.client.clone(),
            user: person.user.id.clone(),
            session,
            auth_time: self.context.now(),
            amr: vec!["pwd".to_owned()],
            ends: self.code.ends(),
            state,
        }
    }

    async fn store(&self, decision: &DeviceDecision) -> Result<(), PageError> {
        if !self.context.store.add_device_decision(decision).await? {
            return Err(code_used());
        }
        tracing::info!(
            user = %decision.user,
            client = %decision.client,
            server = %decision.server,
            state = ?decision.state,
            "decided about a device"
        );
        Ok(())
    }

    fn sign_in_page(
        &self,
        status: StatusCode,
        jar: CookieJar,
        username: &str,
        problem: Option<String>,
        unassigned: Option<&Person>,
    ) -> Result<Response, PageError> {
        let (request, jar) = self.sealed(jar, None)?;
        let page = pages::SignIn {
            assets: pages::assets(),
            application: self.application.label.as_str(),
            server: Some(self.server.server.name.as_str()),
            host: &self.context.host(),
            action: PATH,
            request: &request,
            username,
            problem,
            current: unassigned
                .map(|person| CurrentUser { login: person.user.profile.login.as_str(), is_assigned: false }),
        };
        Ok((jar, pages::render(status, &page)).into_response())
    }

    fn question(&self, jar: CookieJar, person: &Person) -> Result<Response, PageError> {
        let (request, jar) = self.sealed(jar, Some(person.user.id.clone()))?;
        let page = pages::DeviceConfirm {
            assets: pages::assets(),
            application: self.application.label.as_str(),
            server: self.server.server.name.as_str(),
            host: &self.context.host(),
            action: PATH,
            request: &request,
            login: person.user.profile.login.as_str(),
            user_code: &self.code.code.to_string(),
        };
        Ok((jar, pages::render(StatusCode::OK, &page)).into_response())
    }

    /// The hidden field of a form, bound to the browser.
    fn sealed(&self, jar: CookieJar, asked: Option<UserId>) -> Result<(String, CookieJar), PageError> {
        let context = self.context;
        let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
        let pending = Pending { code: self.code.clone(), browser, asked };
        Ok((context.seal(Purpose::PendingDevice, &pending, self.code.ends())?, jar))
    }
}
