//! A provider over a real SQLite store in a directory of its own, with the first world in it, and a browser
//! that keeps cookies. Time stands still until a test moves it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock as _, ManualClock, SeededEntropy};
use kubesso_directory::password::{Password, PasswordHasher};
use kubesso_directory::{
    Application, ApplicationId, Audience, AuthorizationServer, AuthorizationServerId, Batch, Change, Claim,
    ClaimId, ClaimName, ClaimType, ClaimValue, Email, FilterType, GrantType, Group, GroupAssignment,
    GroupFilter, GroupId, GroupName, Label, Lifetimes, Login, Policy, PolicyClients, PolicyId, RedirectUri,
    Rule, RuleId, RulePeople, RuleScopes, Scope, SealingKey, Secret, Status, Store, User, UserAssignment,
    UserId, UserProfile, testkit,
};
use kubesso_provider::{
    BackChannel, BackChannelError, Fetch, FetchError, Fetched, MutualTls, Provider, ProviderConfig,
    RegistrationPolicy, Settings,
};
use kubesso_store_sqlite::SqliteStore;
use serde_json::{Map, Value};
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};

pub(crate) const ORIGIN: &str = "https://localhost:8443";
pub(crate) const ISSUER: &str = "https://localhost:8443/oauth2/k8s-auth";
pub(crate) const REDIRECT_URI: &str = "http://localhost:8000";
pub(crate) const PASSWORD: &str = "correct horse";
/// The pair of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const SCOPE: &str = "openid email profile offline_access";

pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) provider: Provider,
    pub(crate) application: Application,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) told: Arc<Told>,
    pub(crate) web: Arc<Web>,
}

/// The logout tokens that were posted, and where; and how the next ones will be answered, if not well.
#[derive(Debug, Default)]
pub(crate) struct Told {
    posted: Mutex<Vec<(Url, String)>>,
    answers: Mutex<VecDeque<BackChannelError>>,
}

impl Told {
    /// Lets the next posts be answered by these.
    pub(crate) fn answer(&self, errors: impl IntoIterator<Item = BackChannelError>) {
        self.answers.lock().unwrap().extend(errors);
    }

    /// What was posted since it was last asked for.
    pub(crate) fn take(&self) -> Vec<(Url, String)> {
        std::mem::take(&mut self.posted.lock().unwrap())
    }
}

#[async_trait]
impl BackChannel for Told {
    async fn post_logout_token(&self, uri: &Url, logout_token: &Secret) -> Result<(), BackChannelError> {
        self.posted.lock().unwrap().push((uri.clone(), logout_token.expose().to_owned()));
        self.answers.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

/// What clients serve at their addresses, and how often it was fetched.
#[derive(Debug, Default)]
pub(crate) struct Web(Mutex<(BTreeMap<String, String>, usize)>);

impl Web {
    pub(crate) fn serve(&self, uri: &str, body: impl Into<String>) {
        self.0.lock().unwrap().0.insert(uri.to_owned(), body.into());
    }

    pub(crate) fn stop(&self, uri: &str) {
        self.0.lock().unwrap().0.remove(uri);
    }

    pub(crate) fn fetches(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

#[async_trait]
impl Fetch for Web {
    async fn fetch(&self, uri: &Url, longest: usize) -> Result<Fetched, FetchError> {
        let mut web = self.0.lock().unwrap();
        web.1 += 1;
        let body = web.0.get(uri.as_str()).filter(|body| body.len() <= longest);
        let body = body.ok_or_else(|| FetchError("connection refused by 10.0.0.1".to_owned()))?;
        Ok(Fetched { body: body.clone().into_bytes(), max_age: None })
    }
}

/// Knobs of the first world.
pub(crate) struct World {
    pub(crate) algorithm: &'static str,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) hasher: PasswordHasher,
    pub(crate) mutual_tls: Option<MutualTls>,
    pub(crate) settings: Settings,
    pub(crate) registration: Option<RegistrationPolicy>,
}

impl Default for World {
    fn default() -> Self {
        // ES256, because generating an RSA key takes longer than most of these tests.
        Self {
            algorithm: "ES256",
            lifetimes: Lifetimes::default(),
            hasher: PasswordHasher::default(),
            mutual_tls: None,
            settings: Settings::default(),
            registration: None,
        }
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(World::default()).await
    }

    pub(crate) async fn with(world: World) -> Self {
        let entropy = Arc::new(SeededEntropy::new(1));
        let directory = tempfile::tempdir().unwrap();
        let (store, sealing_key) = SqliteStore::open(directory.path(), &*entropy).await.unwrap();
        Self::on(Arc::new(store), sealing_key, directory, entropy, world).await
    }

    /// Over an empty store; `directory` is kept as long as the house.
    pub(crate) async fn on(
        store: Arc<dyn Store>,
        sealing_key: SealingKey,
        directory: tempfile::TempDir,
        entropy: Arc<SeededEntropy>,
        world: World,
    ) -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap()));
        let application = application(clock.now());
        let changes = first_world(&entropy, &application, &world, clock.now());
        store.commit(Batch::new(clock.now(), changes)).await.unwrap();
        let (told, web) = (Arc::new(Told::default()), Arc::new(Web::default()));
        let provider = Provider::new(ProviderConfig {
            base_url: ORIGIN.parse().unwrap(),
            store: store.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            sealing_key: sealing_key.clone(),
            back_channel: Some(told.clone()),
            settings: world.settings.clone(),
            fetch: Some(web.clone()),
            mutual_tls: world.mutual_tls,
            registration: world.registration,
        })
        .await
        .unwrap();
        Self { clock, entropy, store, sealing_key, provider, application, directory, told, web }
    }

    /// The same house after its provider was ended and started again: what was in its memory is gone.
    pub(crate) async fn restarted(self) -> Self {
        let provider = Provider::new(ProviderConfig {
            base_url: ORIGIN.parse().unwrap(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            sealing_key: self.sealing_key.clone(),
            back_channel: Some(self.told.clone()),
            settings: Settings::default(),
            fetch: Some(self.web.clone()),
            mutual_tls: None,
            registration: None,
        });
        Self { provider: provider.await.unwrap(), ..self }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { router: self.provider.router(), cookies: BTreeMap::new() }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The logout tokens that are posted now.
    pub(crate) async fn told(&self) -> Vec<(Url, String)> {
        self.provider.deliver_logouts().await.unwrap();
        self.told.take()
    }

    /// Moves the clock, which also lets the provider look for changes.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    pub(crate) async fn change(&self, change: Change) {
        self.store.commit(Batch::new(self.clock.now(), vec![change])).await.unwrap();
        self.provider.reload().await.unwrap();
    }

    /// Gives the authorization server these audiences.
    pub(crate) async fn serve_audiences(&self, audiences: &[&str]) {
        let audiences = audiences.iter().map(|audience| Audience::parse(audience).unwrap()).collect();
        let name = Label::parse("k8s-auth").unwrap();
        let mut server = AuthorizationServer::new(server_id(), name, audiences, self.clock_now());
        server.algorithm = "ES256".to_owned();
        self.change(Change::PutAuthorizationServer(server)).await;
    }

    /// Lets the application use `grant_type`, and the rule allow it.
    pub(crate) async fn allow(&self, grant_type: GrantType) {
        testkit::allow_grant(&*self.store, grant_type, self.clock.now()).await.unwrap();
        self.provider.reload().await.unwrap();
    }

    /// Somebody's whole way through the browser, with a browser of its own.
    pub(crate) async fn sign_in(&self, login: &str) -> Tokens {
        let mut browser = self.browser();
        let answer = browser.sign_in(&self.authorize(&[]), login, PASSWORD).await;
        let code = answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"));
        Tokens(self.redeem(&code, &[]).await.expect(StatusCode::OK).json())
    }

    /// The path of a good authorization request with `changes` (see [`form`]).
    pub(crate) fn authorize(&self, changes: &[&str]) -> String {
        let query = form(
            &[
                ("client_id", self.application.client_id.as_str()),
                ("redirect_uri", REDIRECT_URI),
                ("response_type", "code"),
                ("scope", SCOPE),
                ("state", "the-state"),
                ("nonce", "the-nonce"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
            changes,
        );
        format!("/oauth2/k8s-auth/v1/authorize?{query}")
    }

    pub(crate) async fn redeem(&self, code: &str, changes: &[&str]) -> Answer {
        let body = form(
            &[
                ("grant_type", "authorization_code"),
                ("client_id", self.application.client_id.as_str()),
                ("redirect_uri", REDIRECT_URI),
                ("code", code),
                ("code_verifier", VERIFIER),
            ],
            changes,
        );
        self.browser().post("/oauth2/k8s-auth/v1/token", &body).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str, changes: &[&str]) -> Answer {
        let body = form(
            &[
                ("grant_type", "refresh_token"),
                ("client_id", self.application.client_id.as_str()),
                ("refresh_token", refresh_token),
            ],
            changes,
        );
        self.browser().post("/oauth2/k8s-auth/v1/token", &body).await
    }
}

/// `pairs` as a form with `changes`: `name=value` replaces, `name` removes, `+name=value` adds once more.
pub(crate) fn form(pairs: &[(&str, &str)], changes: &[&str]) -> String {
    let mut pairs: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for change in changes {
        let (name, value) = change.split_once('=').unwrap_or((change, ""));
        if let Some(name) = name.strip_prefix('+') {
            pairs.push((name.to_owned(), value.to_owned()));
            continue;
        }
        pairs.retain(|(present, _)| present != name);
        if change.contains('=') {
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The tokens of a response.
pub(crate) struct Tokens(pub(crate) Value);

impl Tokens {
    pub(crate) fn refresh_token(&self) -> &str {
        self.0["refresh_token"].as_str().unwrap()
    }

    pub(crate) fn access_token(&self) -> &str {
        self.0["access_token"].as_str().unwrap()
    }

    pub(crate) fn id_token(&self) -> &str {
        self.0["id_token"].as_str().unwrap()
    }

    pub(crate) fn claims(&self) -> Map<String, Value> {
        payload(self.id_token())
    }
}

pub(crate) fn payload(token: &str) -> Map<String, Value> {
    decoded(token, 1)
}

pub(crate) fn header_of(token: &str) -> Map<String, Value> {
    decoded(token, 0)
}

fn decoded(token: &str, part: usize) -> Map<String, Value> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// Keeps cookies, follows nothing.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn of(router: Router) -> Self {
        Self { router, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()));
        self.send(request.unwrap()).await
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Opens the page at `path`, types, and presses the button.
    pub(crate) async fn sign_in(&mut self, path: &str, login: &str, password: &str) -> Answer {
        let page = self.get(path).await.expect(StatusCode::OK);
        self.submit(&page, login, password).await
    }

    pub(crate) async fn submit(&mut self, page: &Answer, login: &str, password: &str) -> Answer {
        let fields = [("request", &*page.sealed_request()), ("username", login), ("password", password)];
        self.post("/sign-in", &form(&fields, &[])).await
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.body);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where the browser is sent, if it is.
    pub(crate) fn location(&self) -> Option<Url> {
        self.headers.get(header::LOCATION).map(|location| location.to_str().unwrap().parse().unwrap())
    }

    /// A parameter of the answer that the client gets.
    pub(crate) fn returned(&self, name: &str) -> Option<String> {
        let location = self.location()?;
        location.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }

    /// The value of the hidden field.
    pub(crate) fn sealed_request(&self) -> String {
        let (_, rest) = self.body.split_once(r#"name="request" value=""#).expect("a page with a form");
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// `error` and `error_description` of a JSON answer.
    pub(crate) fn error(&self) -> (String, String) {
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("error"), text("error_description"))
    }

    /// What is inside `main`, without what differs from run to run.
    pub(crate) fn essence(&self) -> String {
        let (_, main) = self.body.split_once("<main").unwrap();
        let (main, _) = main.split_once("</main>").unwrap();
        let main = format!("<main{main}");
        if main.contains(r#"name="request""#) { main.replace(&self.sealed_request(), "…") } else { main }
    }

    /// The text of the element with that id.
    pub(crate) fn text_of(&self, id: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!(r#"id="{id}""#))?;
        let (_, rest) = rest.split_once('>')?;
        Some(rest.split_once('<')?.0.trim().to_owned())
    }
}

pub(crate) fn user_id(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn group_id(name: &str) -> GroupId {
    GroupId::parse(name).unwrap()
}

pub(crate) fn server_id() -> AuthorizationServerId {
    AuthorizationServerId::parse("k8s-auth").unwrap()
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn application(now: Timestamp) -> Application {
    let redirect = RedirectUri::parse(REDIRECT_URI).unwrap();
    Application::native(ApplicationId::parse("k8s").unwrap(), label("k8s OIDC"), vec![redirect], now)
}

pub(crate) fn user(name: &str, now: Timestamp) -> User {
    let email = format!("{name}@example.com");
    let profile = UserProfile {
        login: Login::parse(&email).unwrap(),
        email: Email::parse(&email).unwrap(),
        first_name: Some(name.to_owned()),
        last_name: Some("Example".to_owned()),
        display_name: None,
        other: Map::new(),
    };
    User::new(user_id(name), profile, now).activate(now).unwrap()
}

/// admin, dev, guest and outsider, as `kubesso up` makes them.
fn first_world(
    entropy: &SeededEntropy,
    application: &Application,
    world: &World,
    now: Timestamp,
) -> Vec<Change> {
    let hash = world.hasher.hash(&Password::new(PASSWORD), entropy).unwrap();
    let mut changes = vec![Change::PutApplication(application.clone())];
    for group in ["k8s-admins", "k8s-restricted-users", "canteen"] {
        let name = GroupName::parse(group).unwrap();
        changes.push(Change::PutGroup(Group::new(group_id(group), name, "", now)));
    }
    for name in ["admin", "dev", "guest", "outsider"] {
        changes.push(Change::PutUser(user(name, now)));
        changes.push(Change::SetPassword(user_id(name), hash.clone()));
        changes.push(Change::AddMember(group_id("canteen"), user_id(name)));
    }
    changes.push(Change::AddMember(group_id("k8s-admins"), user_id("admin")));
    changes.push(Change::AddMember(group_id("k8s-restricted-users"), user_id("dev")));
    for (priority, group) in [(0, "k8s-admins"), (1, "k8s-restricted-users")] {
        changes.push(Change::AssignGroup(GroupAssignment::new(
            application.id.clone(),
            group_id(group),
            priority,
            now,
        )));
    }
    changes.push(Change::AssignUser(UserAssignment::new(application.id.clone(), user_id("guest"), now)));
    changes.extend(server(entropy, application, world, now));
    changes
}

fn server(entropy: &SeededEntropy, application: &Application, world: &World, now: Timestamp) -> Vec<Change> {
    let audience = Audience::parse("http:://localhost:8000").unwrap();
    let mut server = AuthorizationServer::new(server_id(), label("k8s-auth"), vec![audience], now);
    server.algorithm = world.algorithm.to_owned();
    let policy = Policy {
        id: PolicyId::parse("policy").unwrap(),
        server: server_id(),
        name: label("k8s_policy"),
        description: String::new(),
        status: Status::Active,
        priority: 1,
        clients: PolicyClients::Only([application.client_id.clone()].into()),
        system: false,
        created: now,
        last_updated: now,
    };
    let claim = Claim {
        id: ClaimId::parse("claim").unwrap(),
        server: server_id(),
        name: ClaimName::parse("groups").unwrap(),
        status: Status::Active,
        claim_type: ClaimType::Identity,
        value: ClaimValue::Groups(GroupFilter::new(FilterType::StartsWith, "k8s-").unwrap()),
        always_include_in_token: true,
        scopes: [].into(),
        system: false,
    };
    let mut changes = vec![Change::PutAuthorizationServer(server)];
    changes.extend(Scope::system(&server_id(), entropy).into_iter().map(Change::PutScope));
    changes.extend([
        Change::PutClaim(claim),
        Change::PutPolicy(policy),
        Change::PutRule(rule(world.lifetimes, now)),
    ]);
    changes
}

/// The rule of the first world.
pub(crate) fn rule(lifetimes: Lifetimes, now: Timestamp) -> Rule {
    Rule {
        id: RuleId::parse("rule").unwrap(),
        policy: PolicyId::parse("policy").unwrap(),
        name: label("AuthCode + PKCE"),
        status: Status::Active,
        priority: 1,
        grant_types: [GrantType::AuthorizationCode].into(),
        people: RulePeople::everyone(),
        scopes: RuleScopes::Any,
        lifetimes,
        system: false,
        created: now,
        last_updated: now,
    }
}
