//! What somebody who has signed in sees of the own account, and ends: sessions of browsers, and what applications may
//! do without asking. Every button is a form bound to the browser (module `csrf`) and to its session.

pub(crate) mod password;
pub(crate) mod sign_in;

use std::collections::BTreeMap;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode};
use kubesso_directory::{
    ApplicationId, Batch, Change, ConsentGrant, FamilyQuery, GrantId, RefreshFamily, RefreshRotation,
    Session, SessionId,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::authorization_response::see_other;
use crate::browser_name::browser_name;
use crate::browser_session::BrowserSession;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::form;
use crate::moments::Moment;
use crate::pages;
use crate::pages::account::{Account, AllowedEntry, ApplicationEntry, SessionEntry};
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::Purpose;

/// Short, because people type it.
pub(crate) const PATH: &str = "/account";

/// So many sessions are listed, and so many applications.
const LONGEST_LIST: u32 = 100;

/// Where somebody wants to go who has to sign in first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Destination {
    Account,
    Password,
}

impl Destination {
    fn url(self, context: &Context) -> String {
        let path = match self {
            Self::Account => PATH,
            Self::Password => password::PATH,
        };
        format!("{}{path}", context.origin())
    }
}

/// What is sealed into the forms.
#[derive(Serialize, Deserialize)]
struct Pending {
    browser: BrowserBinding,
    session: SessionId,
}

/// What was just done, as the page's address says it: whoever writes another one reads another sentence.
const DONE: [(&str, &str); 5] = [
    ("session", "The session has ended. Whoever uses that browser has to sign in again."),
    ("others", "All other sessions have ended. Only this browser is signed in."),
    ("application", "The application is signed out. It asks you the next time that it needs a token."),
    ("consent", "It is taken back. The application is signed out, and asks you again when it needs it."),
    ("password", "Your password is changed. All other browsers and all applications are signed out."),
];

/// The page, or the sign-in page if nobody is signed in.
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(request_id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    jar: CookieJar,
) -> Response {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let shown = async {
        match BrowserSession::find(&context, &jar).await? {
            Some(found) => page(&context, jar, &found, parameters.lenient("done")).await,
            None => sign_in::page(&context, StatusCode::OK, jar, Destination::Account, "", None),
        }
    };
    shown.await.unwrap_or_else(|error: PageError| context.error_page(&request_id, &error))
}

/// Somebody pressed a button of the page.
pub(crate) async fn post(
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
    let Pending { browser, session } = open(context, Purpose::Account, parameters)?;
    if !browser.admits(&jar, headers, &context.base_url) {
        return Err(not_ours());
    }
    let found = BrowserSession::find(context, &jar).await?;
    // The session of the page may be over, or another one have begun in another tab.
    let Some(found) = found.filter(|found| found.session.id == session) else {
        return Ok(see_other(&Destination::Account.url(context), []));
    };
    let done = match parameters.lenient("action") {
        Some("end-session") => match parameters.lenient("session").and_then(|id| SessionId::parse(id).ok()) {
            Some(id) if id == found.session.id => return sign_out(context, jar, &found).await,
            Some(id) => {
                end_session(context, &found, id).await?;
                "session"
            }
            None => return Err(not_ours()),
        },
        Some("end-others") => {
            end_others(context, &found).await?;
            "others"
        }
        Some("end-grant") => match parameters.lenient("grant").and_then(|id| GrantId::parse(id).ok()) {
            Some(grant) => {
                end_grant(context, &found, grant).await?;
                "application"
            }
            None => return Err(not_ours()),
        },
        Some("withdraw") => {
            match parameters.lenient("application").and_then(|id| ApplicationId::parse(id).ok()) {
                Some(application) => {
                    withdraw(context, &found, &application).await?;
                    "consent"
                }
                None => return Err(not_ours()),
            }
        }
        _ => return Err(not_ours()),
    };
    Ok(see_other(&Destination::Account.url(context), [("done", done)]))
}

/// Ends this browser's own session.
async fn sign_out(context: &Context, jar: CookieJar, found: &BrowserSession) -> Result<Response, PageError> {
    let user = &found.person.user.id;
    let (_, jar) = BrowserSession::end(context, jar).await?;
    let entry = audit::own_account(context, audit::SESSION_END, user, "signed out");
    context.store.commit(Batch::new(context.now(), vec![entry])).await?;
    tracing::info!(%user, session = %found.session.id, "signed out");
    let page = pages::SignedOut { assets: pages::assets(), host: &context.host() };
    Ok((jar, pages::render(StatusCode::OK, &page)).into_response())
}

/// Ends a session of the same person. One that has ended, or never was, is as good as ended.
async fn end_session(context: &Context, found: &BrowserSession, id: SessionId) -> Result<(), PageError> {
    let user = &found.person.user.id;
    let session = context.store.session(&id).await?;
    if session.is_none_or(|session| session.user != *user) {
        return Ok(());
    }
    tracing::info!(%user, session = %id, by = %found.session.id, "ended one of the own sessions");
    let entry = audit::own_account(context, audit::SESSION_END, user, "ended a session of another browser");
    context.store.commit(Batch::new(context.now(), vec![Change::EndSession(id), entry])).await?;
    context.sessions_ended();
    Ok(())
}

async fn end_others(context: &Context, found: &BrowserSession) -> Result<(), PageError> {
    let user = &found.person.user.id;
    tracing::info!(%user, by = %found.session.id, "ended all other sessions of one's own");
    let entry =
        audit::own_account(context, audit::SESSION_END, user, "ended the sessions of all other browsers");
    let end = Change::EndOtherSessions(user.clone(), found.session.id.clone());
    context.store.commit(Batch::new(context.now(), vec![end, entry])).await?;
    context.sessions_ended();
    Ok(())
}

/// Ends what an application may do for the same person.
async fn end_grant(context: &Context, found: &BrowserSession, grant: GrantId) -> Result<(), PageError> {
    let user = &found.person.user.id;
    let families = families(context, found).await?;
    let Some(family) = families.into_iter().find(|family| family.grant == grant) else { return Ok(()) };
    tracing::info!(%user, client = %family.client, %grant, "signed an application out");
    let message = format!("signed the application {} out", family.client);
    let entry = audit::own_account(context, audit::GRANT_END, user, &message);
    context.store.commit(Batch::new(context.now(), vec![Change::EndGrant(grant), entry])).await?;
    Ok(())
}

/// Takes back what the same person has allowed an application, and ends what came of it.
async fn withdraw(
    context: &Context,
    found: &BrowserSession,
    application: &ApplicationId,
) -> Result<(), PageError> {
    let user = &found.person.user.id;
    let given = context.store.consents(user, Some(application)).await?;
    if given.is_empty() {
        return Ok(());
    }
    let configuration = context.configuration().await;
    let client =
        configuration.snapshot.application_by_id(application).map(|application| &application.client_id);
    let families = families(context, found).await?;
    let of_client = families.iter().filter(|family| Some(&family.client) == client);
    let mut changes: Vec<_> = of_client.map(|family| Change::EndGrant(family.grant.clone())).collect();
    changes.extend(given.iter().map(|grant| Change::WithdrawConsent(grant.id.clone())));
    let names: Vec<_> = given.iter().map(|grant| grant.scope_name.as_str()).collect();
    let message =
        format!("took back what was allowed to the application {application}: {}", names.join(", "));
    changes.push(audit::own_account(context, audit::CONSENT_END, user, &message));
    context.store.commit(Batch::new(context.now(), changes)).await?;
    tracing::info!(%user, %application, "withdrew consent");
    Ok(())
}

async fn families(context: &Context, found: &BrowserSession) -> Result<Vec<RefreshFamily>, PageError> {
    let query = FamilyQuery {
        user: Some(&found.person.user.id),
        limit: LONGEST_LIST,
        now: context.now(),
        ..FamilyQuery::default()
    };
    Ok(context.store.families(&query).await?)
}

/// The page, with a new seal and bound to the browser and its session.
async fn page(
    context: &Context,
    jar: CookieJar,
    found: &BrowserSession,
    done: Option<&str>,
) -> Result<Response, PageError> {
    let (now, user) = (context.now(), &found.person.user);
    let mut sessions = context.store.sessions_of(&user.id).await?;
    sessions.retain(|session| session.is_alive(now));
    sessions.sort_by_key(|session| (session.id != found.session.id, std::cmp::Reverse(session.last_used)));
    sessions.truncate(usize::try_from(LONGEST_LIST).unwrap_or(usize::MAX));
    let configuration = context.configuration().await;
    let mut families = families(context, found).await?;
    families.sort_by_key(|family| std::cmp::Reverse(family.rotated));

    let given = context.store.consents(&user.id, None).await?;

    let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
    let pending = Pending { browser, session: found.session.id.clone() };
    let request = context.seal_page(Purpose::Account, &pending)?;
    let name = user.profile.name();
    let page = Account {
        assets: pages::assets(),
        host: &context.host(),
        done: DONE.iter().find(|(name, _)| Some(*name) == done).map(|(_, text)| *text),
        name: name.as_deref(),
        login: user.profile.login.as_str(),
        email: user.profile.email.as_str(),
        groups: found.person.groups.iter().map(|group| group.name.as_str()).collect(),
        password_changed: user.password_changed.map(|at| Moment::new(at, now)),
        sessions: sessions.iter().map(|session| entry(context, session, found)).collect(),
        applications: families.iter().map(|family| application(context, &configuration, family)).collect(),
        allowed: allowed(context, &configuration, &given),
        action: PATH,
        password_page: password::PATH,
        request: &request,
    };
    Ok((jar, pages::render(StatusCode::OK, &page)).into_response())
}

fn entry(context: &Context, session: &Session, found: &BrowserSession) -> SessionEntry {
    let now = context.now();
    SessionEntry {
        id: session.id.to_string(),
        browser: browser_name(session.origin.user_agent.as_deref()),
        address: session.origin.address.map(|address| address.to_string()),
        since: Moment::new(session.created, now),
        last_used: Moment::new(session.last_used, now),
        is_this: session.id == found.session.id,
    }
}

fn application(context: &Context, configuration: &Configuration, family: &RefreshFamily) -> ApplicationEntry {
    let now = context.now();
    let application = configuration.snapshot.application(&family.client);
    let server = configuration.server(family.server.as_str());
    // Where tokens are not exchanged nobody writes down when they were last used.
    let rotates = application
        .is_some_and(|application| !matches!(application.refresh_rotation, RefreshRotation::Static));
    ApplicationEntry {
        id: family.grant.to_string(),
        label: application
            .map_or_else(|| family.client.to_string(), |application| application.label.to_string()),
        server: server.map_or_else(|| family.server.to_string(), |server| server.server.name.to_string()),
        since: Moment::new(family.created, now),
        last_used: rotates.then(|| Moment::new(family.rotated, now)),
    }
}

/// What the person has allowed, by application.
fn allowed(context: &Context, configuration: &Configuration, given: &[ConsentGrant]) -> Vec<AllowedEntry> {
    let mut by_application: BTreeMap<&ApplicationId, Vec<&ConsentGrant>> = BTreeMap::new();
    for grant in given {
        by_application.entry(&grant.application).or_default().push(grant);
    }
    let entry = |(id, mut grants): (&ApplicationId, Vec<&ConsentGrant>)| {
        grants.sort_by(|a, b| a.scope_name.cmp(&b.scope_name));
        let since = grants.iter().map(|grant| grant.created).max()?;
        let application = configuration.snapshot.application_by_id(id)?;
        Some(AllowedEntry {
            id: id.to_string(),
            label: application.label.to_string(),
            scopes: grants.iter().map(|grant| scope_title(configuration, grant)).collect(),
            since: Moment::new(since, context.now()),
        })
    };
    let mut entries: Vec<_> = by_application.into_iter().filter_map(entry).collect();
    entries.sort_by(|a, b| a.label.cmp(&b.label));
    entries
}

fn scope_title(configuration: &Configuration, grant: &ConsentGrant) -> String {
    let server = configuration.server(grant.server.as_str());
    let scope = server.and_then(|server| server.scope(&grant.scope_name));
    let title = scope.and_then(|scope| scope.display_name.clone());
    title.unwrap_or_else(|| grant.scope_name.to_string())
}

/// What was sealed into the form that was sent.
fn open<T: DeserializeOwned>(
    context: &Context,
    purpose: Purpose,
    parameters: &Parameters,
) -> Result<T, PageError> {
    let sealed = parameters.lenient("request").unwrap_or_default();
    context.open(purpose, sealed).map_err(|_| not_ours())
}

fn not_ours() -> PageError {
    PageError {
        status: StatusCode::FORBIDDEN,
        heading: "Nothing was changed",
        what: "The form is more than an hour old, or did not come from the browser that was given it."
            .to_owned(),
        advice: "Allow cookies for this site, open /account again, and repeat what you wanted to do.",
        details: Vec::new(),
    }
}
