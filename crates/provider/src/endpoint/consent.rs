//! The page on which a person allows an application what scopes want consent for (OpenID Connect Core §3.1.2.4). Who is
//! asked what, `kubesso_directory::consents_to_ask` says.
//!
//! What was allowed is stored before the code is given, and stays until the person or an administrator withdraws it.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use http::{HeaderMap, StatusCode, header};
use kubesso_directory::{
    Application, Batch, Change, ConsentGrant, ConsentId, Outcome, Scope, ScopeName, Server, SessionId,
    StoreError, consents_to_ask,
};
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::authorization_request::{AuthorizationRequest, Prompt};
use crate::authorization_response::{answer, granted_scopes, may_have, refuse};
use crate::browser_session::BrowserSession;
use crate::context::{Configuration, Context, PageError};
use crate::csrf::BrowserBinding;
use crate::endpoint::form;
use crate::endpoint::sign_in::{self, no_request, other_browser, parties, unusable_page};
use crate::oauth_error::{ErrorCode, OAuthError};
use crate::pages;
use crate::pages::consent::{AskedScope, ConsentPage};
use crate::parameters::Parameters;
use crate::response_headers::RequestId;
use crate::sealed::Purpose;

/// Where the form goes.
pub(crate) const PATH: &str = "/consent";

/// What is sealed into the page.
#[derive(Serialize, Deserialize)]
struct Pending {
    request: AuthorizationRequest,
    browser: BrowserBinding,
    /// The session in which the question was asked.
    session: SessionId,
    /// What was asked for.
    scopes: Vec<ScopeName>,
}

/// A request whose person is known.
#[derive(Clone, Copy)]
pub(super) struct SignedIn<'a> {
    pub(super) context: &'a Context,
    pub(super) configuration: &'a Configuration,
    pub(super) server: &'a Server,
    pub(super) application: &'a Application,
    pub(super) request: &'a AuthorizationRequest,
    pub(super) found: &'a BrowserSession,
}

impl SignedIn<'_> {
    /// A code, or an error, or the question whether the application may have what it asks for.
    pub(super) async fn answer_or_ask(&self, jar: CookieJar) -> Result<Response, PageError> {
        let asked = self.unanswered().await?;
        if asked.is_empty() {
            let response = self.answer(self.request).await?;
            return Ok((jar, response).into_response());
        }
        if self.request.is_silent() {
            let names: Vec<_> = asked.iter().map(|scope| scope.name.as_str()).collect();
            let description = format!("The person has to be asked about the scopes {}.", names.join(", "));
            let error = OAuthError::new(ErrorCode::ConsentRequired, description);
            return Ok(refuse(self.context, self.server, &self.request.return_to, &error));
        }
        self.page(jar, &asked)
    }

    async fn answer(&self, request: &AuthorizationRequest) -> Result<Response, StoreError> {
        let BrowserSession { session, person } = self.found;
        answer(self.context, self.configuration, self.server, request, session, person).await
    }

    /// The scopes that the person has to be asked about; none where the answer is an error anyway.
    async fn unanswered(&self) -> Result<Vec<&Scope>, StoreError> {
        let (server, application) = (self.server, self.application);
        let person = &self.found.person;
        let scopes = granted_scopes(application, &self.request.scopes);
        let anew = self.request.prompts.contains(&Prompt::Consent);
        let to_ask = |given: &[ConsentGrant]| consents_to_ask(server, application, &scopes, given, anew);
        let at_first = to_ask(&[]);
        let is_refused = || may_have(self.configuration, server, application, self.request, person).is_err();
        if at_first.is_empty() || is_refused() {
            return Ok(Vec::new());
        }
        let given = self.context.store.consents(&person.user.id, Some(&application.id)).await?;
        Ok(to_ask(&given))
    }

    /// The person said yes, to all but `left_out`.
    async fn allowed(
        &self,
        jar: CookieJar,
        asked: &[&Scope],
        left_out: &[&ScopeName],
    ) -> Result<Response, PageError> {
        let (context, user) = (self.context, &self.found.person.user.id);
        let given: Vec<_> = asked.iter().filter(|scope| !left_out.contains(&&scope.name)).collect();
        let mut changes: Vec<_> = given
            .iter()
            .map(|scope| {
                Change::GiveConsent(ConsentGrant {
                    id: ConsentId::generate(&*context.entropy),
                    user: user.clone(),
                    application: self.application.id.clone(),
                    scope: scope.id.clone(),
                    server: scope.server.clone(),
                    scope_name: scope.name.clone(),
                    created: context.now(),
                })
            })
            .collect();
        let names: Vec<_> = given.iter().map(|scope| scope.name.as_str()).collect();
        let message = format!("allowed the application the scopes {}", names.join(", "));
        changes.push(audit::consent(context, user, self.application, Outcome::Success, &message));
        context.store.commit(Batch::new(context.now(), changes)).await?;
        tracing::info!(%user, client = %self.application.client_id, scopes = names.join(" "), "consent given");
        let mut request = self.request.clone();
        request.scopes.retain(|scope| !left_out.contains(&scope));
        let response = self.answer(&request).await?;
        Ok((jar, response).into_response())
    }

    async fn denied(&self) -> Result<Response, PageError> {
        let (context, user) = (self.context, &self.found.person.user.id);
        let message = "did not allow the application what it asked for";
        let entry = audit::consent(context, user, self.application, Outcome::Failure, message);
        context.store.commit(Batch::new(context.now(), vec![entry])).await?;
        tracing::info!(%user, client = %self.application.client_id, "consent denied");
        let error = OAuthError::new(ErrorCode::AccessDenied, "The person did not allow it.");
        Ok(refuse(context, self.server, &self.request.return_to, &error))
    }

    /// The page, sealed and bound to the browser and its session.
    fn page(&self, jar: CookieJar, asked: &[&Scope]) -> Result<Response, PageError> {
        let context = self.context;
        let (browser, jar) = BrowserBinding::of_browser(jar, &*context.entropy);
        let pending = Pending {
            request: self.request.clone(),
            browser,
            session: self.found.session.id.clone(),
            scopes: asked.iter().map(|scope| scope.name.clone()).collect(),
        };
        let request = context.seal_page(Purpose::PendingConsent, &pending)?;
        let policy = self.application.policy_uri().map(String::from);
        let terms = self.application.tos_uri().map(String::from);
        let page = ConsentPage {
            assets: pages::assets(),
            application: self.application.label.as_str(),
            server: self.server.server.name.as_str(),
            host: &context.host(),
            login: self.found.person.user.profile.login.as_str(),
            scopes: asked.iter().copied().map(AskedScope::of).collect(),
            policy: policy.as_deref(),
            terms: terms.as_deref(),
            action: PATH,
            request: &request,
        };
        let mut response = (jar, pages::render(StatusCode::OK, &page)).into_response();
        let target = pages::form_target(&self.request.return_to.redirect_uri).unwrap_or_default();
        let policy = pages::content_security_policy(&target);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        Ok(response)
    }
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
    let sealed = parameters.lenient("request").ok_or_else(|| no_request(StatusCode::BAD_REQUEST))?;
    let pending: Pending = context.open(Purpose::PendingConsent, sealed).map_err(unusable_page)?;
    if !pending.browser.admits(&jar, headers, &context.base_url) {
        return Err(other_browser());
    }
    let configuration = &context.configuration().await;
    let request = &pending.request;
    let (server, application) = parties(configuration, request)?;
    // Somebody else may have signed in since, in another tab, or the session have ended.
    let found = BrowserSession::find(context, &jar).await?;
    let Some(found) = found.filter(|found| found.session.id == pending.session) else {
        return sign_in::ask(context, application, server, request, jar, None);
    };
    let signed_in = SignedIn { context, configuration, server, application, request, found: &found };
    // A scope that has gone meanwhile cannot be allowed, and makes the answer an error.
    let asked: Vec<_> = pending.scopes.iter().filter_map(|name| server.scope(name)).collect();
    match parameters.lenient("action") {
        Some("allow") => {
            let kept: Vec<_> = parameters.all("scope").collect();
            let left_out: Vec<_> = asked
                .iter()
                .filter(|scope| scope.optional && !kept.contains(&scope.name.as_str()))
                .map(|scope| &scope.name)
                .collect();
            signed_in.allowed(jar, &asked, &left_out).await
        }
        Some("deny") => signed_in.denied().await,
        _ => signed_in.page(jar, &asked),
    }
}
