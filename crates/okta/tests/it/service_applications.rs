//! Service applications: how they come by an access token, and what it is worth.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, header};
use jiff::SignedDuration;
use kubesso_directory::{AdminRole, ClientId, RoleHolder};
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::house::{Answer, ORIGIN, Org, merged};

const TOKEN: &str = "/oauth2/v1/token";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A service application with a key, the role and the scopes that it was given.
struct Service {
    org: Org,
    key: SigningKey,
    app: String,
    id: String,
}

impl Service {
    async fn new(settings: Value) -> Self {
        let org = Org::new().await;
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let oauth = json!({ "application_type": "service", "jwks": { "keys": [key.public_jwk()] } });
        let body = json!({
            "label": "terraform",
            "credentials": { "oauthClient": { "token_endpoint_auth_method": "private_key_jwt" } },
            "settings": { "oauthClient": merged(oauth, settings) },
        });
        let made = org.post("/api/v1/apps", body).await.expect(200);
        let id = made["id"].as_str().unwrap().to_owned();
        let app = format!("/api/v1/apps/{id}");
        for scope in ["okta.groups.manage", "okta.apps.read", "okta.users.read"] {
            org.post(&format!("{app}/grants"), json!({ "scopeId": scope })).await.expect(201);
        }
        org.assign_role(RoleHolder::Client(ClientId::parse(&id).unwrap()), AdminRole::OrgAdmin).await;
        Self { org, key, app, id }
    }

    fn assertion(&self, changes: Value) -> String {
        self.assertion_by(&self.key, changes)
    }

    /// An assertion with changed claims; null takes one away.
    fn assertion_by(&self, key: &SigningKey, changes: Value) -> String {
        let now = self.org.now().as_second();
        let good = json!({ "iss": self.id, "sub": self.id, "aud": format!("{ORIGIN}{TOKEN}"), "iat": now, "exp": now + 3600 });
        let mut claims = merged(good, changes);
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        key.sign("JWT", &claims).unwrap()
    }

    /// Asks with the parameters in the body, and with headers.
    async fn ask_with(&self, changes: Value, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            Request::post(TOKEN).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.org.send(request.body(self.form(changes).into()).unwrap()).await
    }

    async fn ask(&self, changes: Value) -> Answer {
        self.ask_with(changes, &[]).await
    }

    fn form(&self, changes: Value) -> String {
        let good = json!({
            "grant_type": "client_credentials",
            "scope": "okta.groups.manage",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(json!({})),
        });
        let parameters = merged(good, changes);
        let pairs =
            parameters.as_object().unwrap().iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// A token with these scopes.
    async fn token(&self, scope: &str) -> String {
        let answer = self.ask(json!({ "scope": scope })).await.expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn bearer(&self, token: &str, method: &str, path: &str, body: impl Into<Option<Value>>) -> Answer {
        self.org.call_with(&format!("Bearer {token}"), method, path, body).await
    }
}

/// A proof (RFC 9449 §4.2) with changed claims.
fn proof(key: &SigningKey, org: &Org, claims: Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm(), "jwk": key.public_jwk() });
    let claims = merged(json!({ "iat": org.now().as_second() }), claims);
    let input = format!("{}.{}", encode(&header), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign_bytes(input.as_bytes()).unwrap());
    format!("{input}.{signature}")
}

#[tokio::test]
async fn a_token_is_given_for_an_assertion_wherever_the_parameters_are() {
    let service = Service::new(json!({})).await;
    let in_body = service.ask(json!({})).await;
    assert_eq!(in_body.headers["cache-control"], "no-cache, no-store");
    assert_eq!(in_body.headers["pragma"], "no-cache");
    let in_body = in_body.expect(200);
    assert_eq!(
        (&in_body["token_type"], &in_body["expires_in"], &in_body["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("okta.groups.manage"))
    );
    let in_query =
        Request::post(format!("{TOKEN}?{}", service.form(json!({})))).body(axum::body::Body::empty());
    let in_query = service.org.send(in_query.unwrap()).await.expect(200);
    for token in [in_body, in_query] {
        let token = token["access_token"].as_str().unwrap();
        service.bearer(token, "GET", "/api/v1/groups", None).await.expect(200);
    }
    let both = service.form(json!({}));
    let twice = Request::post(format!("{TOKEN}?{both}")).body(both.into()).unwrap();
    assert_eq!(service.org.send(twice).await.expect(400)["error"], "invalid_request");
}

#[tokio::test]
async fn a_request_that_is_not_right_is_refused_in_oauths_form() {
    let service = Service::new(json!({})).await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let now = service.org.now().as_second();
    let by = |changes: Value| json!({ "client_assertion": service.assertion(changes) });
    let cases = [
        (json!({ "grant_type": null }), 400, "invalid_request", "grant_type"),
        (json!({ "grant_type": "authorization_code" }), 400, "unsupported_grant_type", "client_credentials"),
        (json!({ "grant_type": "password" }), 400, "unsupported_grant_type", "client_credentials"),
        (json!({ "scope": null }), 400, "invalid_request", "scope"),
        (json!({ "scope": " " }), 400, "invalid_scope", "at least one"),
        (json!({ "scope": "okta.nothing.read" }), 400, "invalid_scope", "okta.nothing.read"),
        (json!({ "scope": "okta.groups.manage okta.apps.manage" }), 400, "invalid_scope", "okta.apps.manage"),
        (json!({ "scope": "openid" }), 400, "invalid_scope", "openid"),
        (json!({ "client_assertion_type": "other" }), 401, "invalid_client", "client_assertion_type"),
        (json!({ "client_assertion_type": null }), 400, "invalid_request", "client_assertion_type"),
        (json!({ "client_assertion": null }), 400, "invalid_request", "client_assertion"),
        (json!({ "client_assertion": "a.b.c" }), 401, "invalid_client", ""),
        (
            json!({ "client_assertion": service.assertion_by(&stranger, json!({})) }),
            401,
            "invalid_client",
            "verified",
        ),
        (by(json!({ "aud": "https://elsewhere.example/oauth2/v1/token" })), 401, "invalid_client", "aud"),
        (by(json!({ "aud": null })), 401, "invalid_client", "aud"),
        (by(json!({ "exp": now - 61 })), 401, "invalid_client", "expired"),
        (by(json!({ "exp": now + 7200 })), 401, "invalid_client", "hour"),
        (by(json!({ "iat": now + 120 })), 401, "invalid_client", "clock"),
        (by(json!({ "iss": "0oaother", "sub": "0oaother" })), 401, "invalid_client", "no active application"),
        (by(json!({ "sub": "0oaother" })), 401, "invalid_client", ""),
    ];
    for (changes, status, error, description) in cases {
        let shown = changes.to_string();
        let answer = service.ask(changes).await;
        let found = (answer.status.as_u16(), answer.body["error"].as_str().unwrap_or_default());
        assert_eq!(found, (status, error), "{shown}: {}", answer.body);
        let text = answer.body["error_description"].as_str().unwrap();
        assert!(text.contains(description), "{shown}: {text}");
    }
    assert!(!service.org.events().await.iter().any(|event| event.contains("token.grant")));
}

#[tokio::test]
async fn an_assertion_with_a_jti_counts_once_and_one_without_as_often_as_terraform_sends_it() {
    let service = Service::new(json!({})).await;
    let without = json!({ "client_assertion": service.assertion(json!({})) });
    for _ in 0..25 {
        service.ask(without.clone()).await.expect(200);
    }
    let once = json!({ "client_assertion": service.assertion(json!({ "jti": "one" })) });
    let refused = json!({ "client_assertion": service.assertion(json!({ "jti": "one" })), "scope": "okta.nothing.read" });
    service.ask(refused).await.expect(400);
    service.ask(once.clone()).await.expect(200);
    assert_eq!(service.ask(once).await.expect(401)["error"], "invalid_client");
    let another = json!({ "client_assertion": service.assertion(json!({ "jti": "two" })) });
    service.ask(another).await.expect(200);
}

#[tokio::test]
async fn only_an_active_application_that_authenticates_by_an_active_key_gets_a_token() {
    let service = Service::new(json!({})).await;
    let kid = service.key.kid().as_str().to_owned();
    let key = format!("{}/credentials/jwks/{kid}/lifecycle", service.app);
    let (on, off) =
        (format!("{}/lifecycle/activate", service.app), format!("{}/lifecycle/deactivate", service.app));
    for (stop, start) in [(off, on), (format!("{key}/deactivate"), format!("{key}/activate"))] {
        service.org.post(&stop, None).await.expect(200);
        assert_eq!(service.ask(json!({})).await.expect(401)["error"], "invalid_client", "{stop}");
        service.org.post(&start, None).await.expect(200);
        service.ask(json!({})).await.expect(200);
    }
    let by_secret =
        json!({ "label": "terraform", "settings": { "oauthClient": { "application_type": "service" } } });
    service.org.put(&service.app, by_secret).await.expect(200);
    let answer = service.ask(json!({})).await.expect(401);
    assert!(answer["error_description"].as_str().unwrap().contains("private_key_jwt"), "{answer}");
}

#[tokio::test]
async fn a_token_is_worth_what_role_grants_and_its_own_scopes_all_allow() {
    let service = Service::new(json!({})).await;
    let all = service.token("okta.groups.manage okta.apps.read okta.users.read").await;
    let users = service.token("okta.users.read").await;
    let group = |name: &str| json!({ "profile": { "name": name } });
    let challenge = |answer: &Answer| answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    service.bearer(&all, "POST", "/api/v1/groups", group("a")).await.expect(200);
    service.bearer(&all, "GET", "/api/v1/apps", None).await.expect(200);
    service.bearer(&users, "GET", "/api/v1/users", None).await.expect(200);
    let cases = [
        (&users, "GET", "/api/v1/groups", "okta.groups.read"),
        (&users, "POST", "/api/v1/groups", "okta.groups.manage"),
        (&users, "POST", "/api/v1/users", "okta.users.manage"),
        (&all, "GET", "/api/v1/logs", "okta.logs.read"),
    ];
    for (token, method, path, scope) in cases {
        let answer = service.bearer(token, method, path, group("b")).await;
        let text = challenge(&answer);
        assert!(text.contains("Bearer error=\"insufficient_scope\"") && text.contains(scope), "{text}");
        answer.refused(403, "E0000006", scope);
    }
    let app = json!({ "label": "a" });
    service.bearer(&all, "POST", "/api/v1/apps", app).await.refused(403, "E0000006", "administrator role");
    service.org.delete(&format!("{}/grants/okta.groups.manage", service.app)).await.expect(204);
    service.bearer(&all, "GET", "/api/v1/groups", None).await.refused(403, "E0000006", "okta.groups.read");
    service.bearer(&all, "GET", "/api/v1/users", None).await.expect(200);
    let roles = format!("/oauth2/v1/clients/{}/roles", service.id);
    let role = service.org.get(&roles).await.expect(200)[0]["id"].as_str().unwrap().to_owned();
    service.org.delete(&format!("{roles}/{role}")).await.expect(204);
    service.bearer(&all, "GET", "/api/v1/users", None).await.refused(403, "E0000006", "administrator role");
}

#[tokio::test]
async fn a_token_ends_with_its_hour_and_with_its_application() {
    let service = Service::new(json!({})).await;
    let token = service.token("okta.groups.manage").await;
    let status = async |token: &str| service.bearer(token, "GET", "/api/v1/groups", None).await;
    service.org.clock.advance(SignedDuration::from_secs(3599));
    status(&token).await.expect(200);
    service.org.clock.advance(SignedDuration::from_secs(1));
    let answer = status(&token).await;
    let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    assert!(challenge.contains("error=\"invalid_token\", error_description="), "{challenge}");
    answer.refused(401, "E0000011", "ask for another");
    let token = service.token("okta.groups.manage").await;
    let changed = token.chars().rev().collect::<String>();
    status(&changed).await.refused(401, "E0000011", "unknown");
    service.org.post(&format!("{}/lifecycle/deactivate", service.app), None).await.expect(200);
    status(&token).await.refused(401, "E0000011", "unknown");
    service.org.delete(&service.app).await.expect(204);
    status(&token).await.refused(401, "E0000011", "unknown");
}

#[tokio::test]
async fn a_bound_token_needs_the_key_that_it_is_bound_to() {
    let service = Service::new(json!({ "dpop_bound_access_tokens": true })).await;
    let org = &service.org;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let assertion = json!({ "client_assertion": service.assertion(json!({ "jti": "one" })) });
    let bare = service.ask(assertion.clone()).await.expect(400);
    assert_eq!(bare["error"], "invalid_dpop_proof");
    let at_token = |more: Value| {
        proof(&key, org, merged(json!({ "htm": "POST", "htu": format!("{ORIGIN}{TOKEN}") }), more))
    };
    let without_nonce = at_token(json!({ "jti": "p1" }));
    let challenged = service.ask_with(assertion.clone(), &[("dpop", &without_nonce)]).await;
    let nonce = challenged.headers["dpop-nonce"].to_str().unwrap().to_owned();
    assert_eq!(challenged.expect(400)["error"], "use_dpop_nonce");
    let elsewhere =
        at_token(json!({ "jti": "p2", "nonce": nonce, "htu": format!("{ORIGIN}/oauth2/v1/other") }));
    let refused = service.ask_with(assertion.clone(), &[("dpop", &elsewhere)]).await;
    assert_eq!(refused.expect(400)["error"], "invalid_dpop_proof");
    let good = at_token(json!({ "jti": "p3", "nonce": nonce }));
    let answer = service.ask_with(assertion, &[("dpop", &good)]).await.expect(200);
    assert_eq!(answer["token_type"], "DPoP", "the same assertion, whose jti counts from now on");
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let replayed = service.ask_with(json!({}), &[("dpop", &good)]).await;
    assert_eq!(replayed.expect(400)["error"], "invalid_dpop_proof");

    let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()));
    let claims = |more: Value| {
        merged(json!({ "htm": "GET", "htu": format!("{ORIGIN}/api/v1/groups"), "ath": ath }), more)
    };
    let call = async |proof: Option<String>| {
        let mut request =
            Request::get("/api/v1/groups?limit=1").header(header::AUTHORIZATION, format!("DPoP {token}"));
        if let Some(proof) = &proof {
            request = request.header("dpop", proof);
        }
        org.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let first = proof(&key, org, claims(json!({ "jti": "a1" })));
    call(Some(first.clone())).await.expect(200);
    call(Some(first)).await.refused(401, "E0000011", "used before");
    call(None).await.refused(401, "E0000011", "missing");
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    call(Some(proof(&stranger, org, claims(json!({ "jti": "a2" }))))).await.refused(401, "E0000011", "");
    let wrong = [
        json!({ "jti": "a3", "htm": "POST" }),
        json!({ "jti": "a4", "htu": format!("{ORIGIN}/api/v1/users") }),
        json!({ "jti": "a5", "ath": "x" }),
        json!({ "jti": "a6", "iat": org.now().as_second() - 3600 }),
    ];
    for wrong in wrong {
        let answer = call(Some(proof(&key, org, claims(wrong)))).await;
        let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
        assert!(challenge.starts_with("DPoP error="), "{challenge}");
        answer.refused(401, "E0000011", "");
    }
    service.bearer(&token, "GET", "/api/v1/groups", None).await.refused(401, "E0000011", "bound to a key");
    org.clock.advance(SignedDuration::from_mins(10));
    let old = at_token(json!({ "jti": "p4", "nonce": nonce }));
    assert_eq!(service.ask_with(json!({}), &[("dpop", &old)]).await.expect(400)["error"], "use_dpop_nonce");
}

#[tokio::test]
async fn a_token_that_is_not_bound_is_not_taken_with_a_proof() {
    let service = Service::new(json!({})).await;
    let token = service.token("okta.groups.manage").await;
    let answer = service.org.call_with(&format!("DPoP {token}"), "GET", "/api/v1/groups", None).await;
    answer.refused(401, "E0000011", "not bound");
    let answer = service.org.call_with(&format!("SSWS {token}"), "GET", "/api/v1/groups", None).await;
    answer.refused(401, "E0000011", "no such API token");
}

#[tokio::test]
async fn links_come_from_the_configured_address_however_the_request_names_its_target() {
    let org = Org::new().await;
    for name in ["a", "b"] {
        org.group(name).await;
    }
    let made = org
        .post("/api/v1/authorizationServers", json!({ "name": "k8s", "audiences": ["a"] }))
        .await
        .expect(201);
    let server = format!("/api/v1/authorizationServers/{}", made["id"].as_str().unwrap());
    let targets = ["", "http://127.0.0.1", "http://127.0.0.1:8480", "https://evil.example"];
    for target in targets {
        let ask = async |path: &str| {
            let request = Request::get(format!("{target}{path}"))
                .header(header::HOST, "evil.example")
                .header("x-forwarded-host", "evil.example")
                .header(header::AUTHORIZATION, format!("SSWS {}", org.token));
            org.send(request.body(axum::body::Body::empty()).unwrap()).await
        };
        assert_eq!(ask(&server).await.expect(200), made, "{target}");
        let page = ask("/api/v1/groups?limit=1").await;
        assert_eq!(page.links("self"), [format!("{ORIGIN}/api/v1/groups?limit=1")], "{target}");
        assert!(page.links("next")[0].starts_with(&format!("{ORIGIN}/api/v1/groups?")), "{target}");
        assert!(!page.expect(200).to_string().contains("evil"), "{target}");
    }
}
