//! A provider on loopback, with its faults.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::Html;
use axum::routing::get;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::evidence::{Settings, TokenEvidence};
use crate::{Outcome, Report, examine};

/// What the provider gets wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NoDocument,
    NoKeySet,
    OtherIssuer,
    OtherKeys,
    EmptyKeys,
}

struct Provider {
    issuer: String,
    ca_pem: String,
    key: SigningKey,
    _serving: DropGuard,
}

impl Provider {
    async fn start(fault: Fault) -> Self {
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("a provider", now).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let published = if fault == Fault::OtherKeys {
            SigningKey::generate(Algorithm::Es256).unwrap().public_jwk()
        } else {
            key.public_jwk()
        };
        let keys = if fault == Fault::EmptyKeys { vec![] } else { vec![published] };
        let set = serde_json::to_value(JwkSet::new(keys)).unwrap();
        let document = json!({
            "issuer": if fault == Fault::OtherIssuer { format!("{issuer}/") } else { issuer.clone() },
            "jwks_uri": format!("{issuer}/keys"),
            "grant_types_supported": ["authorization_code", "refresh_token"],
        });
        let answer = |value: Value| {
            let text = value.to_string();
            get(move || async move {
                (
                    [
                        (header::CONTENT_TYPE, "application/json"),
                        (header::CACHE_CONTROL, "public, max-age=15"),
                    ],
                    text,
                )
            })
        };
        let mut router = Router::new();
        router = match fault {
            Fault::NoDocument => router.fallback(get(|| async { Html("<html>Sign in</html>") })),
            _ => router.route("/.well-known/openid-configuration", answer(document)),
        };
        if fault != Fault::NoKeySet {
            router = router.route("/keys", answer(set));
        }
        let tls = ServerTls::new(&identity, ClientAuthentication::None).unwrap();
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, tls, router, shutdown.clone(), Limits::default()));
        Self { issuer, ca_pem: authority.certificate_pem().to_owned(), key, _serving: shutdown.drop_guard() }
    }

    fn token(&self, changes: &Value) -> TokenEvidence {
        let now = SystemClock.now().as_second();
        let mut claims = json!({
            "iss": self.issuer, "aud": "kubernetes", "sub": "00u1", "groups": ["k8s-admins"], "iat": now, "exp": now + 600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        TokenEvidence::read(&self.key.sign("JWT", &claims).unwrap())
    }

    async fn report(&self, token: TokenEvidence, flags: &str, ca_pem: Option<String>) -> Report {
        let text = format!(
            "--oidc-issuer-url={} --oidc-client-id=kubernetes --oidc-signing-algs=ES256 --oidc-groups-claim=groups {flags}",
            self.issuer
        );
        let mut settings = Settings::from_flags(&text).unwrap();
        settings.ca_pem.clone_from(&ca_pem);
        let mut evidence = Evidence {
            token: Some(token),
            settings: Some(settings),
            ca_pem,
            ..Evidence::new(SystemClock.now())
        };
        probe(&mut evidence, Arc::new(SystemClock)).await.unwrap();
        examine(&evidence)
    }
}

fn first_error(report: &Report) -> String {
    let found = report.checks.iter().find(|it| it.severity() == Some(crate::Severity::Error));
    found.map_or_else(|| "well".to_owned(), |it| it.id.to_string())
}

#[tokio::test]
async fn a_good_token_is_verified_and_the_person_named_as_the_api_server_names_them() {
    let provider = Provider::start(Fault::None).await;
    let report = provider.report(provider.token(&json!({})), "", Some(provider.ca_pem.clone())).await;
    assert_eq!(first_error(&report), "well", "{report:#?}");
    let identity = report.identity.unwrap();
    assert!(identity.verified);
    assert_eq!(identity.username, format!("{}#00u1", provider.issuer));
}

#[tokio::test]
async fn each_fault_of_the_provider_is_named_first() {
    for (fault, expected) in [
        (Fault::NoDocument, "KS008"),
        (Fault::OtherIssuer, "KS002"),
        (Fault::OtherKeys, "KS013"),
        (Fault::NoKeySet, "KS014"),
        (Fault::EmptyKeys, "KS016"),
    ] {
        let provider = Provider::start(fault).await;
        let report = provider.report(provider.token(&json!({})), "", Some(provider.ca_pem.clone())).await;
        assert_eq!(first_error(&report), expected, "{report:#?}");
    }
}

#[tokio::test]
async fn an_authority_that_was_not_given_a_closed_port_and_a_wrong_name_are_told_apart() {
    let provider = Provider::start(Fault::None).await;
    let other =
        CertificateAuthority::generate("another", SystemClock.now()).unwrap().certificate_pem().to_owned();
    let report = provider.report(provider.token(&json!({})), "", Some(other)).await;
    assert_eq!(first_error(&report), "KS003", "{report:#?}");

    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    for (issuer, expected) in [
        (format!("https://127.0.0.1:{port}"), "KS006"),
        ("https://no-such-host.invalid".to_owned(), "KS005"),
        // A loopback address that the certificate does not name.
        (provider.issuer.replace("127.0.0.1", "127.0.0.2"), "KS004"),
    ] {
        let mut evidence = Evidence {
            named_issuer: Some(issuer.clone()),
            ca_pem: Some(provider.ca_pem.clone()),
            ..Evidence::new(SystemClock.now())
        };
        probe(&mut evidence, Arc::new(SystemClock)).await.unwrap();
        let report = examine(&evidence);
        // 127.0.0.2 does not reach a socket on 127.0.0.1 everywhere; refused is right then.
        let found = first_error(&report);
        assert!(found == expected || (expected == "KS004" && found == "KS006"), "{issuer}: {report:#?}");
    }
}

#[tokio::test]
async fn authorities_that_nobody_gave_are_asked_for_and_the_plugins_may_stand_in() {
    let provider = Provider::start(Fault::None).await;
    let flags = format!("--oidc-issuer-url={} --oidc-client-id=k --oidc-ca-file=/ca.crt", provider.issuer);
    for (plugin_ca_pem, passes) in [(None, false), (Some(provider.ca_pem.clone()), true)] {
        let settings = Some(Settings::from_flags(&flags).unwrap());
        let mut evidence = Evidence { plugin_ca_pem, settings, ..Evidence::new(SystemClock.now()) };
        probe(&mut evidence, Arc::new(SystemClock)).await.unwrap();
        let report = examine(&evidence);
        let third = report.checks.iter().find(|it| it.id.number() == 3).unwrap();
        assert_eq!(matches!(third.outcome, Outcome::Pass { .. }), passes, "{third:?}");
        assert!(third.severity().is_none(), "{third:?}");
    }
}

#[tokio::test]
async fn what_the_api_server_would_say_decides_which_row_is_first() {
    let provider = Provider::start(Fault::None).await;
    for (changes, flags, expected) in [
        (json!({"aud": "headlamp"}), "", "KS009"),
        (json!({"exp": 1}), "", "KS011"),
        (json!({}), "--oidc-username-claim=email", "KS017"),
        (json!({}), "--oidc-required-claim=hd=example.com", "KS020"),
        (json!({"groups": {"a": 1}}), "", "KS022"),
        (json!({"nbf": SystemClock.now().as_second() + 900}), "", "KS012"),
    ] {
        let report = provider.report(provider.token(&changes), flags, Some(provider.ca_pem.clone())).await;
        assert_eq!(first_error(&report), expected, "{changes} {flags}\n{report:#?}");
        assert!(report.checks.iter().any(|it| matches!(&it.outcome, Outcome::Pass { .. })));
    }
}
