//! The provider's endpoints, through its router, over a store with one application and one authorization server.

use std::cell::OnceCell;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use kubesso_ambient::{ManualClock, SeededEntropy};
use kubesso_directory::{
    Application, ApplicationId, Audience, AuthorizationServer, AuthorizationServerId, Batch, Change,
    GrantType, Label, Lifetimes, Policy, PolicyClients, PolicyId, RedirectUri, Rule, RuleId, RulePeople,
    RuleScopes, Scope, Status, Store as _,
};
use kubesso_provider::{Provider, ProviderConfig, Settings};
use kubesso_store_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::{Url, form_urlencoded};

use crate::requests::{answered, request};

const REDIRECT_URI: &str = "http://localhost:8000";
const ORIGIN: &str = "https://localhost:8443";

/// Nobody is signed in: whatever the request, the browser goes to the application with an error or stays here.
pub(crate) fn authorization_request(data: &[u8]) -> bool {
    authorize(data.to_vec())
}

/// The same for a good request with any `claims` (OpenID Connect Core §5.5).
pub(crate) fn claims_parameter(data: &[u8]) -> bool {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("client_id", "k8s"),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "the-state"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]);
    let claims: String = form_urlencoded::byte_serialize(data).collect();
    authorize(format!("{}&claims={claims}", form.finish()).into_bytes())
}

/// Nobody has shown a credential that is good: there is no token. Taken is what fails for the credential's sake only.
pub(crate) fn token_request(data: &[u8]) -> bool {
    let (status, _, body) = post("/oauth2/k8s-auth/v1/token", data.to_vec());
    assert!(status.is_client_error(), "{status}: {body}");
    let answer: serde_json::Value = serde_json::from_str(&body).expect("an error is JSON");
    assert!(answer["error"].is_string(), "{body}");
    answer["error"] == "invalid_grant"
}

/// Whether the person is asked to sign in.
fn authorize(form: Vec<u8>) -> bool {
    let (status, headers, body) = post("/oauth2/k8s-auth/v1/authorize", form);
    assert!(!status.is_server_error(), "{status}: {body}");
    let Some(location) = headers.get(LOCATION) else {
        assert!(!body.contains("name=\"code\""), "a code for nobody: {body}");
        return body.contains("name=\"password\"");
    };
    let location = location.to_str().expect("a location is ASCII");
    let (place, answer) = location.split_once(['?', '#']).unwrap_or((location, ""));
    let is_here = place.starts_with('/') || place.starts_with(&format!("{ORIGIN}/"));
    assert!(is_here || is_registered(place), "to {location}");
    let has_code = form_urlencoded::parse(answer.as_bytes()).any(|(name, _)| name == "code");
    assert!(is_here || !has_code, "a code for nobody: {location}");
    false
}

/// The application is on the person's machine, at whatever port (RFC 8252 §7.3).
fn is_registered(place: &str) -> bool {
    let url = Url::parse(place).expect("a browser goes there");
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    loopback && url.scheme() == "http" && url.path() == "/" && url.username().is_empty()
}

/// Any request without a credential that is good: an answer that is not a fault of ours, and nothing to come in with.
pub(crate) fn provider_request(data: &[u8]) -> bool {
    let Some(request) = request(data) else { return false };
    let (status, _, body) = ask(request);
    assert!(!status.is_server_error(), "{status}: {body}");
    assert!(!body.contains("\"access_token\""), "a token for nobody: {body}");
    status.is_success()
}

fn post(path: &str, form: Vec<u8>) -> (StatusCode, HeaderMap, String) {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .expect("a request");
    ask(request)
}

fn ask(request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    thread_local! {
        static HOUSE: OnceCell<House> = const { OnceCell::new() };
    }
    HOUSE.with(|house| {
        let house = house.get_or_init(House::new);
        house.runtime.block_on(answered(&house.router, request))
    })
}

struct House {
    runtime: Runtime,
    router: Router,
    _provider: Provider,
    _directory: TempDir,
}

impl House {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().expect("a moment");
        let provider = runtime.block_on(async {
            let entropy = Arc::new(SeededEntropy::new(1));
            let (store, sealing_key) = SqliteStore::open(directory.path(), &*entropy).await.expect("a store");
            store.commit(Batch::new(now, world(&entropy, now))).await.expect("a world");
            let config = ProviderConfig {
                base_url: ORIGIN.parse().expect("an address"),
                store: Arc::new(store),
                clock: Arc::new(ManualClock::at(now)),
                entropy,
                sealing_key,
                back_channel: None,
                mutual_tls: None,
                fetch: None,
                registration: None,
                settings: Settings::default(),
            };
            Provider::new(config).await.expect("a provider")
        });
        Self { runtime, router: provider.router(), _provider: provider, _directory: directory }
    }
}

/// An application that may use every grant that needs a credential.
fn world(entropy: &SeededEntropy, now: Timestamp) -> Vec<Change> {
    let label = |text: &str| Label::parse(text).expect("a label");
    let redirect = RedirectUri::parse(REDIRECT_URI).expect("a redirect URI");
    let mut application = Application::native(
        ApplicationId::parse("k8s").expect("an id"),
        label("k8s OIDC"),
        vec![redirect],
        now,
    );
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    application.grant_types.extend(grants);
    let server = AuthorizationServerId::parse("k8s-auth").expect("an id");
    let audience = Audience::parse("http:://localhost:8000").expect("an audience");
    let mut issuer = AuthorizationServer::new(server.clone(), label("k8s-auth"), vec![audience], now);
    // A key of a curve is made in a moment.
    "ES256".clone_into(&mut issuer.algorithm);
    let policy = PolicyId::parse("policy").expect("an id");
    let mut changes =
        vec![Change::PutApplication(application.clone()), Change::PutAuthorizationServer(issuer)];
    changes.extend(Scope::system(&server, entropy).into_iter().map(Change::PutScope));
    changes.extend([
        Change::PutPolicy(Policy {
            id: policy.clone(),
            server,
            name: label("policy"),
            description: String::new(),
            status: Status::Active,
            priority: 1,
            clients: PolicyClients::Only([application.client_id].into()),
            system: false,
            created: now,
            last_updated: now,
        }),
        Change::PutRule(Rule {
            id: RuleId::parse("rule").expect("an id"),
            policy,
            name: label("rule"),
            status: Status::Active,
            priority: 1,
            grant_types: grants.into(),
            people: RulePeople::everyone(),
            scopes: RuleScopes::Any,
            lifetimes: Lifetimes::default(),
            system: false,
            created: now,
            last_updated: now,
        }),
    ]);
    changes
}
