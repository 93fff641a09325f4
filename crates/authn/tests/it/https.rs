//! A provider over real HTTPS, trusted by its own authority.

use std::sync::Arc;

use http::HeaderMap;
use kubesso_ambient::{Clock, SeededEntropy, SystemClock};
use kubesso_authn::{OidcAuthenticator, OidcConfig, OidcOptions, RequestAuthenticator};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves discovery and keys until dropped.
struct Provider {
    issuer: String,
    authority: CertificateAuthority,
    key: SigningKey,
    stop: CancellationToken,
}

impl Provider {
    async fn start() -> Self {
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("provider", now).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
        let tls = ServerTls::new(&identity, ClientAuthentication::None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let key = SigningKey::generate(Algorithm::Rs256).unwrap();
        let discovery = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string();
        let keys = serde_json::to_string(&JwkSet::new(vec![key.public_jwk()])).unwrap();
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", axum::routing::get(async move || discovery))
            .route("/keys", axum::routing::get(async move || keys));
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, tls, router, stop.clone(), Limits::default()));
        Self { issuer, authority, key, stop }
    }

    fn authenticator(&self, ca_pem: &str) -> OidcAuthenticator {
        let options = OidcOptions {
            issuer_url: self.issuer.clone(),
            client_id: "kubernetes".to_owned(),
            ca_pem: Some(ca_pem.to_owned()),
            username_claim: "email".to_owned(),
            groups_claim: Some("groups".to_owned()),
            ..OidcOptions::default()
        };
        OidcAuthenticator::start(OidcConfig::new(options).unwrap(), Arc::new(SystemClock)).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_person_with_an_id_token_is_known_to_the_cluster() {
    let provider = Provider::start().await;
    let oidc = provider.authenticator(provider.authority.certificate_pem());
    oidc.first_attempt().await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let authenticator =
        RequestAuthenticator::new(Arc::clone(&clock), &SeededEntropy::new(1)).with_tokens(Arc::new(oidc));

    let claims = json!({
        "iss": provider.issuer, "sub": "00u1", "aud": "kubernetes", "exp": clock.now().as_second() + 300,
        "email": "admin@example.com", "email_verified": true, "groups": ["k8s-admins"], "jti": "id-1",
    });
    let token = provider.key.sign("JWT", &claims).unwrap();
    let ask = async |token: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        authenticator.authenticate(&headers, &[]).await
    };
    let user = ask(&token).await.unwrap();
    assert_eq!(user.username, "admin@example.com");
    assert_eq!(user.groups, ["k8s-admins", "system:authenticated"]);
    assert_eq!(user.extra["authentication.kubernetes.io/credential-id"], ["JTI=id-1"]);

    let forged = SigningKey::generate(Algorithm::Rs256).unwrap().sign("JWT", &claims).unwrap();
    let refused = ask(&forged).await.unwrap_err();
    assert_eq!(
        refused.cause().unwrap(),
        "[invalid bearer token, oidc: verify token: failed to verify signature: failed to verify id token signature]"
    );
}

#[tokio::test]
async fn a_provider_that_another_authority_vouches_for_is_not_believed() {
    let provider = Provider::start().await;
    let stranger = CertificateAuthority::generate("stranger", SystemClock.now()).unwrap();
    let error = provider.authenticator(stranger.certificate_pem()).first_attempt().await.unwrap_err();
    let url = format!("{}/.well-known/openid-configuration", provider.issuer);
    let begin = format!("oidc: authenticator for issuer {:?} is not healthy: Get {url:?}: ", provider.issuer);
    assert!(error.starts_with(&begin), "{error}");
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn the_system_authorities_do_not_vouch_for_it_either() {
    let provider = Provider::start().await;
    let options = OidcOptions {
        issuer_url: provider.issuer.clone(),
        client_id: "kubernetes".to_owned(),
        ..OidcOptions::default()
    };
    let oidc = OidcAuthenticator::start(OidcConfig::new(options).unwrap(), Arc::new(SystemClock)).unwrap();
    assert!(oidc.first_attempt().await.unwrap_err().contains("certificate"));
}
