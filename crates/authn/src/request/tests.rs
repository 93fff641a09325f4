use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;
use jiff::SignedDuration;
use kubesso_ambient::{ManualClock, SeededEntropy};
use kubesso_https::pki::CertificateAuthority;
use rustls_pki_types::pem::PemObject as _;

use super::*;

/// Knows tokens of the form `user:<name>[:<group>]`, dislikes `bad:<reason>`, and ignores all others.
#[derive(Debug, Default)]
struct Guard {
    asked: AtomicUsize,
}

#[async_trait]
impl TokenAuthenticator for Guard {
    async fn authenticate_token(&self, token: &str) -> Result<Option<UserInfo>, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match token.split(':').collect::<Vec<_>>().as_slice() {
            ["user", name, groups @ ..] => Ok(Some(UserInfo {
                username: (*name).replace('.', ":"),
                groups: groups.iter().map(|group| group.replace('.', ":")).collect(),
                ..UserInfo::default()
            })),
            ["bad", reason] => Err((*reason).to_owned()),
            _ => Ok(None),
        }
    }
}

struct Cluster {
    clock: Arc<ManualClock>,
    guard: Arc<Guard>,
    authority: CertificateAuthority,
    authenticator: RequestAuthenticator,
}

impl Cluster {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap()));
        let guard = Arc::new(Guard::default());
        let authority = CertificateAuthority::generate("clients", clock.now()).unwrap();
        let certificates =
            X509Authenticator::new(authority.certificate_pem(), Arc::clone(&clock) as Arc<dyn Clock>)
                .unwrap();
        let authenticator =
            RequestAuthenticator::new(Arc::clone(&clock) as Arc<dyn Clock>, &SeededEntropy::new(1))
                .with_certificates(certificates)
                .with_tokens(Arc::clone(&guard) as Arc<dyn TokenAuthenticator>);
        Self { clock, guard, authority, authenticator }
    }

    fn certificate(&self, user: &str, group: &str) -> Vec<CertificateDer<'static>> {
        let identity = self.authority.issue_client(user, group, self.clock.now()).unwrap();
        CertificateDer::pem_slice_iter(identity.chain_pem().as_bytes()).map(Result::unwrap).collect()
    }

    async fn ask(
        &self,
        authorization: &str,
        chain: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(http::header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        }
        self.authenticator.authenticate(&headers, chain).await
    }

    async fn cause(&self, authorization: &str, chain: &[CertificateDer<'static>]) -> String {
        let refused = self.ask(authorization, chain).await.unwrap_err();
        assert_eq!(refused.to_string(), "Unauthorized");
        refused.cause().unwrap_or_default().to_owned()
    }
}

fn user(name: &str, groups: &[&str]) -> UserInfo {
    UserInfo {
        username: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        extra: BTreeMap::new(),
        ..UserInfo::default()
    }
}

#[tokio::test]
async fn whoever_is_known_is_in_the_group_of_the_authenticated() {
    let cluster = Cluster::new();
    for (token, expected) in [
        ("Bearer user:alice:staff", user("alice", &["staff", "system:authenticated"])),
        ("Bearer user:alice", user("alice", &["system:authenticated"])),
        ("Bearer user:alice:system.authenticated:x", user("alice", &["system:authenticated", "x"])),
        ("Bearer user:alice:system.unauthenticated", user("alice", &["system:unauthenticated"])),
        ("Bearer user:system.anonymous", user("system:anonymous", &[])),
    ] {
        assert_eq!(cluster.ask(token, &[]).await, Ok(expected), "{token}");
    }
}

#[tokio::test]
async fn a_request_without_credentials_is_anonymous_unless_that_is_forbidden() {
    let cluster = Cluster::new();
    let anonymous = user("system:anonymous", &["system:unauthenticated"]);
    for authorization in ["", "Basic YTpi", "Bearer", "Bearer  two-spaces"] {
        assert_eq!(cluster.ask(authorization, &[]).await, Ok(anonymous.clone()), "{authorization:?}");
    }
    let closed =
        RequestAuthenticator::new(Arc::clone(&cluster.clock) as Arc<dyn Clock>, &SeededEntropy::new(1))
            .with_anonymous(Anonymous::Refused);
    let refused = closed.authenticate(&HeaderMap::new(), &[]).await.unwrap_err();
    assert_eq!(refused.cause(), None);
}

#[tokio::test]
async fn a_good_certificate_wins_and_the_token_is_not_looked_at() {
    let cluster = Cluster::new();
    let chain = cluster.certificate("carol", "staff");
    let carol = cluster.ask("Bearer bad:expired", &chain).await.unwrap();
    assert_eq!(carol.username, "carol");
    assert_eq!(carol.groups, ["staff", "system:authenticated"]);
    assert_eq!(cluster.guard.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_bad_certificate_does_not_spoil_a_good_token_but_is_never_anonymous() {
    let cluster = Cluster::new();
    let foreign = Cluster::new().certificate("mallory", "system:masters");
    assert_eq!(cluster.ask("Bearer user:alice", &foreign).await.unwrap().username, "alice");
    let cause = cluster.cause("", &foreign).await;
    assert!(cause.starts_with("verifying certificate SN="), "{cause}");
    let both = cluster.cause("Bearer bad:expired", &foreign).await;
    assert!(both.starts_with("[invalid bearer token, verifying certificate SN="), "{both}");
    assert!(both.ends_with(", expired]"), "{both}");
}

#[tokio::test]
async fn the_cause_is_written_as_upstream_logs_it() {
    let cluster = Cluster::new();
    assert_eq!(cluster.cause("Bearer nobody's", &[]).await, "invalid bearer token");
    assert_eq!(cluster.cause("Bearer bad:expired", &[]).await, "[invalid bearer token, expired]");
    let two = RequestAuthenticator::new(Arc::clone(&cluster.clock) as Arc<dyn Clock>, &SeededEntropy::new(1))
        .with_tokens(Arc::new(Guard::default()))
        .with_tokens(Arc::new(Guard::default()));
    let headers =
        [(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer bad:expired"))].into_iter().collect();
    let refused = two.authenticate(&headers, &[]).await.unwrap_err();
    assert_eq!(refused.cause(), Some("[invalid bearer token, expired]"), "equal texts come once");
}

#[tokio::test]
async fn an_accepted_token_is_not_looked_at_again_for_ten_seconds() {
    let cluster = Cluster::new();
    let asked = || cluster.guard.asked.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert!(cluster.ask("Bearer user:alice", &[]).await.is_ok());
    }
    assert_eq!(asked(), 1);
    cluster.clock.advance(SignedDuration::from_secs(10));
    assert!(cluster.ask("Bearer user:alice", &[]).await.is_ok());
    assert_eq!(asked(), 2);
    for _ in 0..3 {
        assert!(cluster.ask("Bearer bad:expired", &[]).await.is_err());
    }
    assert_eq!(asked(), 5, "refusals are not remembered");
}

#[tokio::test]
async fn a_websocket_client_may_send_its_token_as_a_protocol() {
    let cluster = Cluster::new();
    let ask = async |protocols: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(http::header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(protocols).unwrap());
        cluster.authenticator.authenticate(&headers, &[]).await
    };
    // "user:alice" and "nobody's" in base64url.
    let protocol = "base64url.bearer.authorization.k8s.io.";
    let alice = ask(&format!("{protocol}dXNlcjphbGljZQ, v5.channel.k8s.io")).await.unwrap();
    assert_eq!(alice.username, "alice");
    let nobody = ask(&format!("{protocol}bm9ib2R5J3M, v5.channel.k8s.io")).await.unwrap_err();
    assert_eq!(nobody.cause(), Some("invalid bearer token"));
    let alone = ask(&format!("{protocol}dXNlcjphbGljZQ")).await.unwrap_err();
    assert_eq!(alone.cause(), Some("missing additional subprotocol"));
}
