//! How discovery and keys are fetched. What is decided about tokens is compared with upstream's own code in `tests/it`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::SignedDuration;
use kubesso_ambient::ManualClock;
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::Fetched;

const ISSUER: &str = "https://issuer.example";
const NOW: &str = "2026-11-22T08:00:00Z";

/// A provider in memory: its documents can be replaced at any time, and every answer takes a permit.
#[derive(Debug)]
struct Provider {
    documents: Mutex<HashMap<String, (u16, &'static str, String)>>,
    requests: AtomicUsize,
    permits: Semaphore,
}

impl Provider {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            documents: Mutex::default(),
            requests: AtomicUsize::new(0),
            permits: Semaphore::new(1_000),
        })
    }

    fn serve(&self, path: &str, status: u16, cache_control: &'static str, body: impl Into<String>) {
        let document = (status, cache_control, body.into());
        self.documents.lock().unwrap().insert(format!("{ISSUER}{path}"), document);
    }

    fn serve_discovery(&self) {
        let document = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")});
        self.serve("/.well-known/openid-configuration", 200, "", document.to_string());
    }

    fn serve_keys(&self, cache_control: &'static str, keys: &[&SigningKey]) {
        let set = JwkSet::new(keys.iter().map(|key| key.public_jwk()).collect());
        self.serve("/keys", 200, cache_control, serde_json::to_string(&set).unwrap());
    }

    /// How many requests there were since the last call.
    fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Fetch for Provider {
    async fn get(&self, url: &str, _bearer: Option<&str>) -> Result<Fetched, String> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.map_err(|error| error.to_string())?.forget();
        let documents = self.documents.lock().unwrap();
        let Some((status, cache_control, body)) = documents.get(url) else {
            return Err("no such address".to_owned());
        };
        let mut headers = HeaderMap::new();
        if !cache_control.is_empty() {
            headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static(cache_control));
        }
        let status = StatusCode::from_u16(*status).unwrap();
        Ok(Fetched { status, headers, body: body.clone().into_bytes() })
    }
}

struct Issuer {
    provider: Arc<Provider>,
    clock: Arc<ManualClock>,
    key: SigningKey,
}

impl Issuer {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
        Self { provider: Provider::new(), clock, key: SigningKey::generate(Algorithm::Es256).unwrap() }
    }

    fn start(&self) -> OidcAuthenticator {
        let options = OidcOptions {
            issuer_url: ISSUER.to_owned(),
            client_id: "kubernetes".to_owned(),
            signing_algs: vec!["ES256".to_owned()],
            ..OidcOptions::default()
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let fetch = Arc::clone(&self.provider) as Arc<dyn Fetch>;
        let config = OidcConfig::new(options).unwrap();
        OidcAuthenticator::start_every(Duration::from_millis(1), config, clock, fetch)
    }

    async fn start_ready(&self) -> OidcAuthenticator {
        let authenticator = self.start();
        authenticator.first_attempt().await.unwrap();
        self.provider.requests();
        authenticator
    }

    /// A token with these claims changed; null takes one away.
    fn token_with(&self, changes: &serde_json::Value) -> String {
        let expiry = self.clock.now().as_second() + 3600;
        let mut claims = json!({"iss": ISSUER, "sub": "alice", "aud": "kubernetes", "exp": expiry});
        for (name, value) in changes.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.key.sign("JWT", &claims).unwrap()
    }

    fn token_by(&self, key: &SigningKey) -> String {
        let expiry = self.clock.now().as_second() + 3600;
        key.sign("JWT", &json!({"iss": ISSUER, "sub": "alice", "aud": "kubernetes", "exp": expiry})).unwrap()
    }

    fn token(&self) -> String {
        self.token_by(&self.key)
    }
}

#[tokio::test]
async fn a_token_gives_its_person() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("max-age=600", &[&issuer.key]);
    let authenticator = issuer.start_ready().await;
    let user = authenticator.authenticate(&issuer.token()).await.unwrap().unwrap();
    assert_eq!(user.username, "https://issuer.example#alice");
    assert_eq!(authenticator.authenticate("another's token").await, Ok(None));
}

#[tokio::test]
async fn discovery_is_tried_until_it_succeeds_and_blocks_nobody() {
    let issuer = Issuer::new();
    issuer.provider.permits.forget_permits(usize::MAX);
    let authenticator = issuer.start();
    assert_eq!(
        authenticator.health().unwrap_err(),
        r#"oidc: authenticator for issuer "https://issuer.example" is not initialized"#
    );
    assert_eq!(authenticator.authenticate(&issuer.token()).await, Err(AuthnError::NotInitialized));
    issuer.provider.permits.add_permits(1);
    assert_eq!(
        authenticator.first_attempt().await.unwrap_err(),
        r#"oidc: authenticator for issuer "https://issuer.example" is not healthy: no such address"#
    );
    assert_eq!(authenticator.authenticate(&issuer.token()).await, Err(AuthnError::NotInitialized));

    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("", &[&issuer.key]);
    issuer.provider.permits.add_permits(1_000);
    authenticator.ready().await;
    assert_eq!(authenticator.health(), Ok(()));
    assert!(authenticator.authenticate(&issuer.token()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_attempts_end_with_success_and_with_the_authenticator() {
    let succeeding = Issuer::new();
    succeeding.provider.serve_discovery();
    let authenticator = succeeding.start_ready().await;
    // The task that makes the attempts holds the provider as well.
    while Arc::strong_count(&authenticator.shared) > 1 {
        tokio::task::yield_now().await;
    }
    let failing = Issuer::new();
    let authenticator = failing.start();
    authenticator.first_attempt().await.unwrap_err();
    drop(authenticator);
    while Arc::strong_count(&failing.provider) > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_are_fetched_at_the_first_token_and_kept() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("", &[&issuer.key]);
    let authenticator = issuer.start_ready().await;
    for _ in 0..3 {
        assert!(authenticator.authenticate(&issuer.token()).await.is_ok());
    }
    issuer.clock.advance(SignedDuration::from_hours(24));
    assert!(authenticator.authenticate(&issuer.token()).await.is_ok());
    assert_eq!(issuer.provider.requests(), 1, "stale keys that fit are good enough");
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_only_when_the_set_is_within_thirty_seconds_of_its_end() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("max-age=600", &[&issuer.key]);
    let authenticator = issuer.start_ready().await;
    assert!(authenticator.authenticate(&issuer.token()).await.is_ok());

    let rotated = SigningKey::generate(Algorithm::Es256).unwrap();
    issuer.provider.serve_keys("max-age=600", &[&rotated]);
    issuer.provider.requests();
    let refused = Err(AuthnError::VerifyToken(VerifyError::Signature(KeyError::Signature)));
    for seconds in [0, 570] {
        issuer.clock.advance(SignedDuration::from_secs(seconds));
        assert_eq!(authenticator.authenticate(&issuer.token_by(&rotated)).await, refused, "{seconds}");
    }
    assert_eq!(issuer.provider.requests(), 0);
    issuer.clock.advance(SignedDuration::from_secs(1));
    assert!(authenticator.authenticate(&issuer.token_by(&rotated)).await.is_ok());
    assert_eq!(issuer.provider.requests(), 1);
    assert_eq!(
        authenticator.authenticate(&issuer.token()).await,
        refused,
        "the old key is gone with the old set"
    );
}

#[tokio::test]
async fn without_cache_headers_every_unknown_key_is_looked_for() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("", &[&issuer.key]);
    let authenticator = issuer.start_ready().await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    for _ in 0..3 {
        assert!(authenticator.authenticate(&issuer.token_by(&stranger)).await.is_err());
    }
    assert_eq!(issuer.provider.requests(), 3);
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_keys_of_before() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("", &[&issuer.key]);
    let authenticator = issuer.start_ready().await;
    assert!(authenticator.authenticate(&issuer.token()).await.is_ok());
    issuer.provider.serve("/keys", 503, "", "try later");
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let error = authenticator.authenticate(&issuer.token_by(&stranger)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "oidc: verify token: failed to verify signature: \
         fetching keys oidc: get keys failed: 503 Service Unavailable try later"
    );
    assert!(authenticator.authenticate(&issuer.token()).await.is_ok());
}

#[tokio::test]
async fn whoever_needs_keys_at_the_same_time_shares_one_fetch() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("", &[&issuer.key]);
    let authenticator = Arc::new(issuer.start_ready().await);
    issuer.provider.permits.forget_permits(usize::MAX);
    let token = issuer.token();
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (authenticator, token) = (Arc::clone(&authenticator), token.clone());
            tokio::spawn(async move { authenticator.authenticate(&token).await })
        })
        .collect();
    while issuer.provider.requests.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // One of them gives up, and the others do not suffer from it.
    asking[0].abort();
    tokio::task::yield_now().await;
    issuer.provider.permits.add_permits(1);
    for (number, asking) in asking.into_iter().enumerate() {
        match asking.await {
            Ok(outcome) => assert!(outcome.is_ok()),
            Err(cancelled) => assert!(number == 0 && cancelled.is_cancelled()),
        }
    }
    assert_eq!(issuer.provider.requests(), 1);
}

#[tokio::test]
async fn tokens_that_are_not_as_they_must_be_are_refused_in_upstreams_words() {
    let issuer = Issuer::new();
    issuer.provider.serve_discovery();
    issuer.provider.serve_keys("max-age=600", &[&issuer.key]);
    let authenticator = issuer.start_ready().await;
    let now = issuer.clock.now().as_second();
    let verify = |text: &str| format!("oidc: verify token: oidc: {text}");
    let expired = "token is expired (Token Expiry: 2026-11-22 07:59:59 +0000 UTC)";
    let unending = "token is expired (Token Expiry: 0001-01-01 00:00:00 +0000 UTC)";
    let early = "current time 2026-11-22 08:00:00 +0000 UTC before the nbf (not before) time: 2026-11-22 08:01:01 +0000 UTC";
    let wrong_type = "failed to unmarshal claims: json: cannot unmarshal number into Go struct field idToken.sub of type string";
    for (changes, text) in [
        (json!({"exp": now - 1}), verify(expired)),
        (json!({"exp": null}), verify(unending)),
        (json!({"nbf": now + 61}), verify(early)),
        (json!({"aud": ["a", "b"]}), verify(r#"expected audience "kubernetes" got ["a" "b"]"#)),
        (json!({"sub": 1}), verify(wrong_type)),
        (json!({"sub": null}), r#"oidc: parse username claims "sub": claim not present"#.to_owned()),
    ] {
        let refused = authenticator.authenticate(&issuer.token_with(&changes)).await.unwrap_err();
        assert_eq!(refused.to_string(), text, "{changes}");
    }
    let rs256 = SigningKey::generate(Algorithm::Rs256).unwrap();
    assert_eq!(
        authenticator.authenticate(&issuer.token_by(&rs256)).await.unwrap_err().to_string(),
        verify(r#"id token signed with unsupported algorithm, expected ["ES256"] got "RS256""#)
    );
    assert_eq!(
        authenticator.authenticate(&issuer.token_with(&json!({"iss": "https://another"}))).await,
        Ok(None)
    );
    for accepted in [
        json!({"exp": now}),
        json!({"nbf": now + 60}),
        json!({"aud": ["a", "kubernetes"]}),
        json!({"jti": 7}),
    ] {
        assert!(authenticator.authenticate(&issuer.token_with(&accepted)).await.is_ok(), "{accepted}");
    }
}
