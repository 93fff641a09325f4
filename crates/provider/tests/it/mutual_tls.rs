//! Clients that are known by certificates, and tokens that are bound to them (RFC 8705).

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Request, StatusCode, header};
use kubesso_directory::{
    Application, CertificateNames, CertificateSubject, Change, ClientAuthentication, ClientKeys,
    DistinguishedName, GrantType,
};
use kubesso_provider::{ClientCertificate, MutualTls};
use serde_json::{Value, json};

use crate::house::{
    Answer, Browser, House, ISSUER, PASSWORD, REDIRECT_URI, Tokens, VERIFIER, World, form, payload,
};

const MTLS: &str = "https://mtls.localhost:9443";
const TOKEN: &str = "/oauth2/k8s-auth/v1/token";

pub(crate) async fn house() -> House {
    let base_url = Some(MTLS.parse().unwrap());
    let mutual_tls = Some(MutualTls { base_url, has_authorities: true });
    House::with(World { mutual_tls, ..World::default() }).await
}

fn names(subject: &str) -> CertificateNames {
    CertificateNames {
        subject: DistinguishedName::parse(subject).ok(),
        dns: vec!["app.example.com".to_owned()],
        ..CertificateNames::default()
    }
}

/// The application of the house with `authentication` and `settings`.
pub(crate) async fn register(house: &House, authentication: ClientAuthentication, settings: Value) {
    let mut application = Application { authentication, ..house.application.clone() };
    application.grant_types.extend([GrantType::ClientCredentials, GrantType::TokenExchange]);
    application.other.insert("oauthClient".to_owned(), settings);
    house.change(Change::PutApplication(application)).await;
}

/// Whoever has the key of `certificate`, at the listener for such clients.
pub(crate) struct Client {
    browser: Browser,
    certificate: Option<ClientCertificate>,
}

impl Client {
    pub(crate) fn new(house: &House, certificate: Option<&ClientCertificate>) -> Self {
        let browser = Browser::of(house.provider.mutual_tls_router());
        Self { browser, certificate: certificate.cloned() }
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Answer {
        let mut request = request.body(Body::from(body)).unwrap();
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        self.browser.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form(fields, &[])).await
    }

    pub(crate) async fn redeem(&mut self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "k8s"),
            ("redirect_uri", REDIRECT_URI),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        self.post(TOKEN, &fields).await
    }

    async fn refresh(&mut self, token: &str) -> Answer {
        self.post(TOKEN, &[("grant_type", "refresh_token"), ("client_id", "k8s"), ("refresh_token", token)])
            .await
    }

    pub(crate) async fn userinfo(&mut self, token: &str) -> Answer {
        let request = Request::get("/oauth2/k8s-auth/v1/userinfo");
        self.send(request.header(header::AUTHORIZATION, format!("Bearer {token}")), String::new()).await
    }
}

async fn code(house: &House) -> String {
    let answer = house.browser().sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    answer.returned("code").unwrap_or_else(|| panic!("{answer:?}"))
}

pub(crate) fn x5t(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der))
}

#[tokio::test]
async fn discovery_says_where_clients_with_certificates_go() {
    let house = house().await;
    let metadata = house.browser().get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
    for name in ["token", "introspection", "revocation"] {
        let methods = metadata[format!("{name}_endpoint_auth_methods_supported")].as_array().unwrap();
        for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
            assert!(methods.iter().any(|one| one == method), "{name} {method}");
        }
    }
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(metadata["issuer"], ISSUER);
    insta::assert_json_snapshot!(metadata["mtls_endpoint_aliases"], @r#"
    {
      "device_authorization_endpoint": "https://mtls.localhost:9443/oauth2/k8s-auth/v1/device/authorize",
      "introspection_endpoint": "https://mtls.localhost:9443/oauth2/k8s-auth/v1/introspect",
      "pushed_authorization_request_endpoint": "https://mtls.localhost:9443/oauth2/k8s-auth/v1/par",
      "revocation_endpoint": "https://mtls.localhost:9443/oauth2/k8s-auth/v1/revoke",
      "token_endpoint": "https://mtls.localhost:9443/oauth2/k8s-auth/v1/token",
      "userinfo_endpoint": "https://mtls.localhost:9443/oauth2/k8s-auth/v1/userinfo"
    }
    "#);
    // Every one of them is there, and nothing for browsers.
    for alias in metadata["mtls_endpoint_aliases"].as_object().unwrap().values() {
        let path = alias.as_str().unwrap().strip_prefix(MTLS).unwrap();
        assert_ne!(Client::new(&house, None).post(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let page = Client::new(&house, None).browser.get(&house.authorize(&[])).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);

    let without = House::new().await;
    let metadata = without.browser().get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], false);
    assert!(metadata.get("mtls_endpoint_aliases").is_none());
    assert!(!metadata["token_endpoint_auth_methods_supported"].to_string().contains("tls"));
}

#[tokio::test]
async fn a_client_is_who_an_authority_says_it_is() {
    let house = house().await;
    let vouched = |subject: &str| ClientCertificate::vouched_for(b"certificate", names(subject));
    let subject = |member: &str, text: &str| CertificateSubject::parse(member, text).unwrap();
    let dn = subject("tls_client_auth_subject_dn", "CN=app,O=Example");
    let dns = subject("tls_client_auth_san_dns", "app.example.com");
    let other = subject("tls_client_auth_san_dns", "other.example.com");
    for (subject, certificate, says) in [
        (&dn, Some(vouched("CN=app,O=Example")), ""),
        (&dns, Some(vouched("CN=whoever")), ""),
        (
            &dn,
            Some(vouched("CN=app,O=Other")),
            "not have the name that is registered as tls_client_auth_subject_dn",
        ),
        (&other, Some(vouched("CN=app,O=Example")), "registered as tls_client_auth_san_dns"),
        (&dn, Some(ClientCertificate::of_anybody(b"certificate")), "not by an authority"),
        (&dn, None, "without a client certificate. Call the endpoints at https://mtls.localhost:9443"),
    ] {
        register(&house, ClientAuthentication::Tls(subject.clone()), json!({})).await;
        let mut client = Client::new(&house, certificate.as_ref());
        for endpoint in ["token", "introspect", "revoke", "par", "device/authorize"] {
            let fields = [
                ("client_id", "k8s"),
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("token", "x"),
            ];
            let answer = client.post(&format!("/oauth2/k8s-auth/v1/{endpoint}"), &fields).await;
            let is_client = answer.status != StatusCode::UNAUTHORIZED;
            assert_eq!(is_client, says.is_empty(), "{endpoint}: {answer:?}");
            if !is_client {
                assert_eq!(answer.error().0, "invalid_client");
                assert!(answer.error().1.contains(says), "{answer:?}");
            }
        }
    }
    // At the other listener it is the same, where a proxy sets the certificate; without one it is nobody.
    let answer = house.refresh("x", &[]).await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(answer.error().0, "invalid_client");
    let answer = house.refresh("x", &["client_secret=x"]).await.expect(StatusCode::UNAUTHORIZED);
    assert!(answer.error().1.contains("authentication method tls_client_auth"), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_compared_with_the_registered_ones() {
    let house = house().await;
    let set = |ders: &[&[u8]], status: &str| {
        let key =
            |der: &&[u8]| json!({ "kty": "EC", "x5c": [STANDARD.encode(der), "AAAA"], "status": status });
        json!({ "keys": ders.iter().map(key).collect::<Vec<_>>() })
    };
    let at = "https://client.example/keys";
    house.web.serve(at, set(&[b"served"], "ACTIVE").to_string());
    let inline = |ders: &[&[u8]], status: &str| ClientKeys::Inline(set(ders, status));
    let vouched = ClientCertificate::vouched_for(b"two", names("CN=app"));
    let own = |der: &[u8]| Some(ClientCertificate::of_anybody(der));
    for (keys, certificate, is_client) in [
        (inline(&[b"one", b"two"], "ACTIVE"), own(b"two"), true),
        (inline(&[b"one", b"two"], "ACTIVE"), Some(vouched), true),
        (inline(&[b"one"], "ACTIVE"), own(b"two"), false),
        (inline(&[b"one"], "ACTIVE"), own(&[0, 0, 0]), false),
        (inline(&[b"one"], "INACTIVE"), own(b"one"), false),
        (inline(&[b"one"], "ACTIVE"), None, false),
        (ClientKeys::Inline(json!({ "keys": [{ "x5c": "x" }, { "x5c": [] }, 1] })), own(b"x"), false),
        (ClientKeys::At(at.parse().unwrap()), own(b"served"), true),
        (ClientKeys::At(at.parse().unwrap()), own(b"other"), false),
        (ClientKeys::At("https://client.example/gone".parse().unwrap()), own(b"served"), false),
    ] {
        register(&house, ClientAuthentication::SelfSignedTls(keys.clone()), json!({})).await;
        let answer = Client::new(&house, certificate.as_ref()).refresh("x").await;
        let expected = if is_client { "invalid_grant" } else { "invalid_client" };
        assert_eq!(answer.error().0, expected, "{keys:?} {answer:?}");
    }
}

#[tokio::test]
async fn tokens_are_bound_to_the_certificate_of_a_client_that_wants_it() {
    let house = house().await;
    house.allow(GrantType::TokenExchange).await;
    let [own, other] = [b"own", b"oth"].map(|der| ClientCertificate::of_anybody(der));
    let bound = json!({ "tls_client_certificate_bound_access_tokens": true });
    for is_public in [true, false] {
        let registered = [b"own", b"oth"].map(|der| json!({ "x5c": [STANDARD.encode(der)] }));
        let keys = ClientKeys::Inline(json!({ "keys": registered }));
        let authentication =
            if is_public { ClientAuthentication::None } else { ClientAuthentication::SelfSignedTls(keys) };
        register(&house, authentication, bound.clone()).await;
        let [mut with, mut with_other, mut without] =
            [Some(&own), Some(&other), None].map(|certificate| Client::new(&house, certificate));

        let refused = without.redeem(&code(&house).await).await;
        assert_eq!(
            refused.error().0,
            if is_public { "invalid_request" } else { "invalid_client" },
            "{refused:?}"
        );
        let tokens = Tokens(with.redeem(&code(&house).await).await.expect(StatusCode::OK).json());
        assert_eq!(tokens.0["token_type"], "Bearer");
        let confirmation = json!({ "x5t#S256": x5t(b"own") });
        assert_eq!(payload(tokens.access_token())["cnf"], confirmation);
        assert!(!tokens.claims().contains_key("cnf"), "kube-apiserver shows no certificate");

        with.userinfo(tokens.access_token()).await.expect(StatusCode::OK);
        for client in [&mut with_other, &mut without] {
            let answer = client.userinfo(tokens.access_token()).await.expect(StatusCode::UNAUTHORIZED);
            assert!(answer.header("www-authenticate").contains("invalid_token"), "{answer:?}");
        }
        let fields = [("client_id", "k8s"), ("token", tokens.access_token())];
        let known = with.post("/oauth2/k8s-auth/v1/introspect", &fields).await.json();
        assert_eq!((&known["active"], &known["cnf"]), (&json!(true), &confirmation));

        // A client with credentials may have another certificate the next time (§7.1); one without is known by it.
        let answer = with_other.refresh(tokens.refresh_token()).await;
        assert_eq!(answer.status == StatusCode::OK, !is_public, "{answer:?}");
        if is_public {
            assert_eq!(answer.error().0, "invalid_grant");
            let fields = [("client_id", "k8s"), ("token", tokens.refresh_token())];
            let known = with.post("/oauth2/k8s-auth/v1/introspect", &fields).await.json();
            assert_eq!(known["cnf"], confirmation);
        }
        let exchange = [
            ("grant_type", GrantType::TokenExchange.as_str()),
            ("client_id", "k8s"),
            ("subject_token", tokens.access_token()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let answer = with_other.post(TOKEN, &exchange).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.error().0, "invalid_grant", "{answer:?}");
        let exchanged = with.post(TOKEN, &exchange).await.expect(StatusCode::OK).json();
        assert_eq!(payload(exchanged["access_token"].as_str().unwrap())["cnf"], confirmation);
        if is_public {
            let refreshed = with.refresh(tokens.refresh_token()).await.expect(StatusCode::OK).json();
            assert_eq!(payload(refreshed["access_token"].as_str().unwrap())["cnf"], confirmation);
        }
    }
}

#[tokio::test]
async fn tokens_of_a_client_that_does_not_want_it_are_not_bound() {
    let house = house().await;
    let own = ClientCertificate::of_anybody(b"own");
    let tokens = Client::new(&house, Some(&own)).redeem(&code(&house).await).await.expect(StatusCode::OK);
    let tokens = Tokens(tokens.json());
    assert!(!payload(tokens.access_token()).contains_key("cnf"));
    Client::new(&house, None).userinfo(tokens.access_token()).await.expect(StatusCode::OK);
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
}
