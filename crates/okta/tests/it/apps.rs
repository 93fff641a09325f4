//! Applications: what they become by default, how they change, and who sees their secrets.

use jiff::SignedDuration;
use kubesso_directory::AdminRole;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::house::{Org, merged};

const CALLBACK: &str = "http://localhost:8000";

/// A body that is good, with some members changed.
fn native(changes: Value) -> Value {
    let good = json!({
        "name": "oidc_client",
        "label": "kubectl",
        "signOnMode": "OPENID_CONNECT",
        "credentials": { "oauthClient": { "token_endpoint_auth_method": "none" } },
        "settings": { "oauthClient": {
            "application_type": "native",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "redirect_uris": [CALLBACK],
        } },
    });
    merged(good, changes)
}

fn oauth(changes: Value) -> Value {
    native(Value::from_iter([("settings", Value::from_iter([("oauthClient", changes)]))]))
}

/// A body of an application that has a secret.
fn web(changes: Value) -> Value {
    let basic = json!({ "credentials": { "oauthClient": { "token_endpoint_auth_method": "client_secret_basic" } },
        "settings": { "oauthClient": { "application_type": "web" } } });
    merged(native(basic), changes)
}

fn jwk(kid: &str) -> Value {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    merged(serde_json::to_value(key.public_jwk()).unwrap(), json!({ "kid": kid }))
}

async fn made(org: &Org, body: Value) -> (String, Value) {
    let made = org.post("/api/v1/apps", body).await.expect(200);
    (format!("/api/v1/apps/{}", made["id"].as_str().unwrap()), made)
}

#[tokio::test]
async fn each_type_of_application_has_its_own_defaults() {
    let org = Org::new().await;
    let cases = [
        ("native", json!([CALLBACK]), "none", true, json!(["authorization_code"]), json!(["code"]), false),
        ("browser", json!([CALLBACK]), "none", true, json!(["authorization_code"]), json!(["code"]), false),
        (
            "web",
            json!([CALLBACK]),
            "client_secret_basic",
            false,
            json!(["authorization_code"]),
            json!(["code"]),
            true,
        ),
        ("service", json!([]), "client_secret_basic", true, json!(["client_credentials"]), json!([]), true),
    ];
    for (kind, redirect_uris, method, pkce, grants, responses, has_secret) in cases {
        let body = json!({
            "label": kind,
            "settings": { "oauthClient": { "application_type": kind, "redirect_uris": redirect_uris } },
        });
        let (_, made) = made(&org, body).await;
        let (client, oauth) = (&made["credentials"]["oauthClient"], &made["settings"]["oauthClient"]);
        assert_eq!(client["client_id"], made["id"], "{kind}");
        assert_eq!(client["token_endpoint_auth_method"], method, "{kind}");
        assert_eq!(client["pkce_required"], pkce, "{kind}");
        assert_eq!(client["autoKeyRotation"], true, "{kind}");
        assert_eq!(client["client_secret"].is_string(), has_secret, "{kind}");
        assert_eq!(oauth["grant_types"], grants, "{kind}");
        assert_eq!(oauth["response_types"], responses, "{kind}");
        assert_eq!(oauth["application_type"], kind);
        assert_eq!(oauth["consent_method"], "TRUSTED", "{kind}");
        assert_eq!((&made["status"], &made["name"]), (&json!("ACTIVE"), &json!("oidc_client")), "{kind}");
    }
    let inactive = org.post("/api/v1/apps?activate=false", native(json!({}))).await.expect(200);
    assert_eq!(inactive["status"], "INACTIVE");
}

#[tokio::test]
async fn applications_of_every_type_may_want_bound_tokens() {
    let org = Org::new().await;
    for (kind, grant) in [
        ("browser", "authorization_code"),
        ("native", "authorization_code"),
        ("service", "client_credentials"),
        ("web", "authorization_code"),
    ] {
        let oauth = json!({
            "application_type": kind,
            "grant_types": [grant],
            "redirect_uris": ["https://app.example.com/cb"],
            "dpop_bound_access_tokens": true,
        });
        let body = json!({ "label": kind, "settings": { "oauthClient": oauth } });
        let (_, made) = made(&org, body).await;
        assert_eq!(made["settings"]["oauthClient"]["dpop_bound_access_tokens"], true, "{kind}");
    }
}

#[tokio::test]
async fn a_client_says_where_it_is_told_of_a_logout() {
    let org = Org::new().await;
    let good = json!({
        "backchannel_logout_uri": "https://app.example.com/logout",
        "backchannel_logout_session_required": true,
    });
    let (_, made) = made(&org, oauth(good.clone())).await;
    for (name, value) in good.as_object().unwrap() {
        assert_eq!(&made["settings"]["oauthClient"][name], value);
    }
    for uri in ["http://app.example.com/", "https://app.example.com/#x", "https://me:x@app.example.com/", "x"]
    {
        let answer = org.post("/api/v1/apps", oauth(json!({ "backchannel_logout_uri": uri }))).await;
        answer.refused(400, "E0000001", "backchannel_logout_uri");
    }
}

#[tokio::test]
async fn a_client_may_keep_its_keys_and_its_requests_at_addresses() {
    let org = Org::new().await;
    let oauth = json!({
        "redirect_uris": ["https://app.example.com/cb"],
        "jwks_uri": "https://app.example.com/keys",
        "request_uris": ["https://app.example.com/request#1"],
    });
    for method in ["private_key_jwt", "client_secret_basic"] {
        let credentials = json!({ "oauthClient": { "token_endpoint_auth_method": method } });
        let body =
            json!({ "label": method, "credentials": credentials, "settings": { "oauthClient": oauth } });
        let (path, made) = made(&org, body).await;
        for shown in [&made, &org.get(&path).await.expect(200)] {
            for name in ["jwks_uri", "request_uris"] {
                assert_eq!(shown["settings"]["oauthClient"][name], oauth[name], "{method}");
            }
            assert_eq!(shown["credentials"]["oauthClient"]["token_endpoint_auth_method"], method);
        }
        let answer = org.put(&path, made.clone()).await.expect(200);
        assert_eq!(answer["lastUpdated"], made["lastUpdated"], "what is echoed changes nothing");
    }
}

#[tokio::test]
async fn a_client_may_be_known_by_its_certificate() {
    let org = Org::new().await;
    let keys = json!({ "keys": [jwk("k")] });
    let certified = |method: &str, changes: Value| {
        let mut oauth = json!({
            "redirect_uris": ["https://app.example.com/cb"],
            "tls_client_certificate_bound_access_tokens": true,
        });
        oauth.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let credentials = json!({ "oauthClient": { "token_endpoint_auth_method": method } });
        json!({ "label": method, "credentials": credentials, "settings": { "oauthClient": oauth } })
    };
    for (method, name, value, shown) in [
        (
            "tls_client_auth",
            "tls_client_auth_subject_dn",
            json!("cn=app, o=Example"),
            json!("CN=app,O=Example"),
        ),
        ("tls_client_auth", "tls_client_auth_san_uri", json!("spiffe://a/b"), json!("spiffe://a/b")),
        (
            "self_signed_tls_client_auth",
            "jwks_uri",
            json!("https://a.example/keys"),
            json!("https://a.example/keys"),
        ),
        ("self_signed_tls_client_auth", "jwks", keys.clone(), keys),
    ] {
        let (path, made) = made(&org, certified(method, json!({ (name): value }))).await;
        assert_eq!(made["credentials"]["oauthClient"]["token_endpoint_auth_method"], method);
        let oauth = &made["settings"]["oauthClient"];
        assert_eq!(
            (&oauth[name], &oauth["tls_client_certificate_bound_access_tokens"]),
            (&shown, &json!(true))
        );
        let answer = org.put(&path, made.clone()).await.expect(200);
        assert_eq!(answer["lastUpdated"], made["lastUpdated"], "what is echoed changes nothing");
    }
    let name = "tls_client_auth_san_dns";
    for (method, changes, cause) in [
        ("tls_client_auth", json!({}), "tls_client_auth needs the one name"),
        ("tls_client_auth", json!({ (name): "*.example.com" }), name),
        ("tls_client_auth", json!({ (name): "a.example", "tls_client_auth_san_ip": "::1" }), "names alone"),
        ("client_secret_basic", json!({ (name): "a.example" }), "no other method takes one"),
        ("self_signed_tls_client_auth", json!({}), "public keys"),
    ] {
        let answer = org.post("/api/v1/apps", certified(method, changes)).await;
        assert_eq!(answer.body["errorCode"], "E0000001", "{}", answer.body);
        assert!(answer.body.to_string().contains(cause), "{cause}: {}", answer.body);
    }
}

#[tokio::test]
async fn applications_with_credentials_or_of_people_may_exchange_tokens() {
    let org = Org::new().await;
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    for (kind, status) in [("native", 200), ("service", 200), ("web", 200), ("browser", 400)] {
        let oauth = json!({ "application_type": kind, "grant_types": [exchange] });
        let body = json!({ "label": kind, "settings": { "oauthClient": oauth } });
        org.post("/api/v1/apps", body).await.expect(status);
    }
}

#[tokio::test]
async fn what_cannot_be_an_application_is_refused_with_the_field() {
    let org = Org::new().await;
    made(&org, native(json!({ "credentials": { "oauthClient": { "client_id": "taken-id" } } }))).await;
    let client = |changes| native(json!({ "credentials": { "oauthClient": changes } }));
    let cases = [
        (native(json!({ "label": null })), "label"),
        (native(json!({ "settings": null })), "settings"),
        (native(json!({ "settings": { "oauthClient": 5 } })), "settings.oauthClient"),
        (client(json!({ "client_id": "taken-id" })), "already exists"),
        (client(json!({ "client_id": "short" })), "6 to 100"),
        (client(json!({ "token_endpoint_auth_method": "tls" })), "token_endpoint_auth_method"),
        (web(json!({ "credentials": { "oauthClient": { "client_secret": "short" } } })), "14 to 100"),
        (oauth(json!({ "redirect_uris": [] })), "redirect_uris"),
        (oauth(json!({ "redirect_uris": ["nowhere"] })), "redirect_uris"),
        (oauth(json!({ "application_type": "mobile" })), "application_type"),
        (oauth(json!({ "grant_types": [] })), "grant_types"),
        (oauth(json!({ "grant_types": ["client_credentials"] })), "client_credentials"),
        (oauth(json!({ "grant_types": ["refresh_token"] })), "refresh_token needs another"),
        (oauth(json!({ "response_types": [] })), "response_types"),
        (oauth(json!({ "refresh_token": { "leeway": 61 } })), "leeway"),
        (
            oauth(json!({ "jwks": { "keys": [jwk("k")] }, "jwks_uri": "https://example.com/keys" })),
            "either jwks",
        ),
        (oauth(json!({ "jwks_uri": "http://example.com/keys" })), "jwks_uri"),
        (oauth(json!({ "request_uris": ["https://example.com/1", "http://example.com/2"] })), "request_uris"),
        (oauth(json!({ "request_uris": vec!["https://example.com/"; 21] })), "at most 20"),
        (
            native(
                json!({ "settings": { "oauthClient": { "application_type": "browser" } }, "credentials": {
                "oauthClient": { "token_endpoint_auth_method": "client_secret_basic" } } }),
            ),
            "keep no secret",
        ),
        (client(json!({ "token_endpoint_auth_method": "private_key_jwt" })), "public keys"),
    ];
    for (body, cause) in cases {
        let shown = body.to_string();
        let answer = org.post("/api/v1/apps", body).await;
        assert_eq!(answer.body["errorCode"], "E0000001", "{shown}: {}", answer.body);
        assert!(answer.body.to_string().contains(cause), "{shown}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_setting_that_promises_what_is_not_done_is_refused_and_not_taken_in_silence() {
    let org = Org::new().await;
    let cases = [
        (native(json!({ "name": "bookmark" })), "OpenID Connect"),
        (native(json!({ "signOnMode": "SAML_2_0" })), "OpenID Connect"),
        (native(json!({ "settings": { "implicitAssignment": true } })), "implicitAssignment"),
        (oauth(json!({ "wildcard_redirect": "SUBDOMAIN" })), "wildcard"),
        (oauth(json!({ "idp_initiated_login": { "mode": "SPEC" } })), "idp_initiated_login"),
        (oauth(json!({ "participate_slo": true })), "participate_slo"),
        (oauth(json!({ "network": { "connection": "ZONE" } })), "network"),
        (oauth(json!({ "grant_types": ["implicit"] })), "implicit"),
        (oauth(json!({ "response_types": ["code", "token"] })), "implicit"),
    ];
    for (body, cause) in cases {
        org.post("/api/v1/apps", body).await.refused(400, "E0000060", cause);
    }
    assert_eq!(org.get("/api/v1/apps").await.expect(200), json!([]), "and nothing was made");
}

#[tokio::test]
async fn secrets_are_shown_to_those_who_could_set_them_and_to_nobody_else() {
    let org = Org::new().await;
    let (path, made) = made(&org, web(json!({}))).await;
    let secret = made["credentials"]["oauthClient"]["client_secret"].as_str().unwrap();
    let cases = [
        (AdminRole::SuperAdmin, true),
        (AdminRole::AppAdmin, true),
        (AdminRole::OrgAdmin, false),
        (AdminRole::ReadOnlyAdmin, false),
    ];
    for (role, is_shown) in cases {
        let token = org.api_token(role.as_str(), role, None).await;
        for at in [path.clone(), "/api/v1/apps".to_owned(), format!("{path}/credentials/secrets")] {
            let answer = org.call_by(&token, "GET", &at, None).await.expect(200);
            assert_eq!(answer.to_string().contains(secret), is_shown, "{role:?} {at}");
        }
    }
}

#[tokio::test]
async fn a_secret_is_exchanged_by_a_second_one_without_a_gap() {
    let org = Org::new().await;
    let (path, made) = made(&org, web(json!({}))).await;
    let secrets = format!("{path}/credentials/secrets");
    let first = org.get(&secrets).await.expect(200)[0].clone();
    assert_eq!(first["client_secret"], made["credentials"]["oauthClient"]["client_secret"]);
    let one = |secret: &Value, rest: &str| format!("{secrets}/{}{rest}", secret["id"].as_str().unwrap());
    org.post(&one(&first, "/lifecycle/deactivate"), None).await.refused(
        400,
        "E0000001",
        "last active secret",
    );
    org.delete(&one(&first, "")).await.refused(400, "E0000001", "deactivate it first");
    let own = json!({ "client_secret": "a-secret-of-my-own" });
    let second = org.post(&secrets, own).await.expect(201);
    assert_eq!(second["client_secret"], "a-secret-of-my-own");
    org.post(&secrets, None).await.refused(400, "E0000001", "at most two");
    let shown = org.get(&path).await.expect(200);
    assert_eq!(shown["credentials"]["oauthClient"]["client_secret"], "a-secret-of-my-own", "the newest");
    assert_eq!(org.post(&one(&first, "/lifecycle/deactivate"), None).await.expect(200)["status"], "INACTIVE");
    assert_eq!(org.get(&one(&first, "")).await.expect(200)["status"], "INACTIVE");
    org.post(&one(&first, "/lifecycle/explode"), None).await.refused(404, "E0000008", "");
    org.delete(&one(&first, "")).await.expect(204);
    org.delete(&one(&first, "")).await.refused(404, "E0000007", "");
    assert_eq!(org.get(&secrets).await.expect(200).as_array().unwrap().len(), 1);
    let of = |verb: &str| format!("application.oauth2.client_secret.{verb}");
    let expected = ["create", "deactivate", "delete"].map(of);
    assert_eq!(org.events().await, [&["application.lifecycle.create".to_owned()], &expected[..]].concat());
}

#[tokio::test]
async fn keys_of_a_client_are_added_deactivated_and_deleted() {
    let org = Org::new().await;
    let body = json!({
        "label": "terraform",
        "credentials": { "oauthClient": { "token_endpoint_auth_method": "private_key_jwt" } },
        "settings": { "oauthClient": { "application_type": "service", "jwks": { "keys": [jwk("first")] } } },
    });
    let (path, _) = made(&org, body).await;
    let keys = format!("{path}/credentials/jwks");
    let added = org.post(&keys, jwk("second")).await.expect(201);
    assert_eq!(
        (&added["id"], &added["status"], &added["use"]),
        (&json!("second"), &json!("ACTIVE"), &json!("sig"))
    );
    let private = merged(jwk("third"), json!({ "d": "c2VjcmV0" }));
    let answer = org.post(&keys, private).await;
    assert!(!answer.body.to_string().contains("c2VjcmV0"), "a private key is not said again");
    answer.refused(400, "E0000001", "private");
    org.post(&keys, jwk("second")).await.refused(400, "E0000001", "has this kid");
    org.post(&keys, json!({ "kty": "EC" })).await.refused(400, "E0000001", "key");
    let off = format!("{keys}/first/lifecycle/deactivate");
    assert_eq!(org.post(&off, None).await.expect(200)["status"], "INACTIVE");
    assert_eq!(org.get(&format!("{keys}/first")).await.expect(200)["status"], "INACTIVE");
    org.delete(&format!("{keys}/first")).await.expect(204);
    org.get(&format!("{keys}/first")).await.refused(404, "E0000007", "");
    let left = org.get(&keys).await.expect(200);
    assert_eq!(left["jwks"]["keys"].as_array().unwrap().len(), 1);
    let (other, _) = made(&org, web(json!({ "label": "web" }))).await;
    org.post(&format!("{other}/credentials/jwks"), jwk("k")).await.refused(
        400,
        "E0000001",
        "private_key_jwt",
    );
    org.post(&format!("{path}/credentials/secrets"), None).await.refused(400, "E0000001", "no secrets");
}

#[tokio::test]
async fn a_put_keeps_what_is_not_its_own_and_the_same_put_writes_nothing() {
    let org = Org::new().await;
    let (path, made) = made(&org, web(json!({}))).await;
    let id = made["id"].as_str().unwrap();
    org.post(&format!("{path}/lifecycle/deactivate"), None).await.expect(200);
    org.clock.advance(SignedDuration::from_secs(1));
    let body = web(json!({
        "label": "renamed",
        "credentials": { "oauthClient": { "client_id": id } },
        "settings": { "oauthClient": { "client_uri": "https://example.com", "refresh_token": { "rotation_type": "STATIC", "leeway": 20 } } },
    }));
    let put = org.put(&path, body.clone()).await.expect(200);
    assert_eq!(put["label"], "renamed");
    assert_eq!(put["status"], "INACTIVE");
    assert_eq!(put["created"], made["created"]);
    assert_ne!(put["lastUpdated"], made["lastUpdated"]);
    assert_eq!(put["credentials"]["oauthClient"], made["credentials"]["oauthClient"]);
    assert_eq!(put["settings"]["oauthClient"]["client_uri"], "https://example.com");
    // Without rotation the leeway has no effect, and Terraform wants to read what it wrote.
    let refresh = &put["settings"]["oauthClient"]["refresh_token"];
    assert_eq!(*refresh, json!({ "rotation_type": "STATIC", "leeway": 20 }));
    let before = org.audit().await;
    let changes = org.provider.changes();
    org.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(org.put(&path, body).await.expect(200), put);
    assert_eq!(org.put(&path, put.clone()).await.expect(200), put, "an answer, sent back as it is");
    assert_eq!((org.audit().await, org.provider.changes()), (before, changes));
}

#[tokio::test]
async fn a_client_id_is_chosen_once() {
    let org = Org::new().await;
    let named = |id: &str| native(json!({ "credentials": { "oauthClient": { "client_id": id } } }));
    let (path, made) = made(&org, named("kubectl-login")).await;
    assert_eq!(made["credentials"]["oauthClient"]["client_id"], "kubectl-login");
    assert_ne!(made["id"], "kubectl-login");
    org.put(&path, named("another-id")).await.refused(400, "E0000001", "cannot be changed");
    assert_eq!(org.put(&path, native(json!({}))).await.expect(200), made, "left out, it stays");
}

#[tokio::test]
async fn only_an_inactive_application_is_deleted() {
    let org = Org::new().await;
    let (path, _) = made(&org, native(json!({}))).await;
    org.delete(&path).await.refused(403, "E0000056", "deactivate it first");
    for _ in 0..2 {
        assert_eq!(org.post(&format!("{path}/lifecycle/deactivate"), None).await.expect(200), json!({}));
    }
    org.delete(&path).await.expect(204);
    org.delete(&path).await.refused(404, "E0000007", "");
    let of = |verb: &str| format!("application.lifecycle.{verb}");
    assert_eq!(org.events().await, ["create", "deactivate", "delete"].map(of), "each once");
}

#[tokio::test]
async fn groups_are_assigned_in_an_order_without_two_in_one_place() {
    let org = Org::new().await;
    let (path, _) = made(&org, native(json!({}))).await;
    let (a, b, c) = (org.group("a").await, org.group("b").await, org.group("c").await);
    let at = |group: &kubesso_directory::Group| format!("{path}/groups/{}", group.id);
    org.put(&at(&a), None).await.expect(200);
    org.put(&at(&b), json!({ "id": b.id.as_str(), "profile": { "team": "x" } })).await.expect(200);
    org.put(&at(&c), json!({ "priority": 0 })).await.expect(200);
    let order = async || {
        let all = org.get(&format!("{path}/groups")).await.expect(200);
        let one = |one: &Value| (one["id"].as_str().unwrap().to_owned(), one["priority"].as_u64().unwrap());
        all.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let ids = [&c, &a, &b].map(|group| group.id.to_string());
    assert_eq!(order().await, ids.into_iter().zip(0..).collect::<Vec<_>>());
    let before = org.audit().await;
    let again = org.put(&at(&b), None).await.expect(200);
    assert_eq!(again["profile"], json!({ "team": "x" }), "without a body all stays");
    assert_eq!(org.audit().await, before);
    org.put(&at(&b), json!({ "priority": u32::MAX })).await.refused(400, "E0000001", "priority");
    org.delete(&at(&a)).await.expect(204);
    org.delete(&at(&a)).await.refused(404, "E0000007", "");
    org.put(&format!("{path}/groups/00gnone"), None).await.refused(404, "E0000007", "");
    let of_group = org.get(&format!("/api/v1/groups/{}/apps", b.id)).await.expect(200);
    assert_eq!(of_group.as_array().unwrap().len(), 1);
    org.delete(&format!("/api/v1/groups/{}", b.id)).await.expect(204);
    assert_eq!(order().await.len(), 1, "a deleted group is not assigned any more");
}

#[tokio::test]
async fn people_are_assigned_changed_and_taken_off() {
    let org = Org::new().await;
    let (path, made) = made(&org, native(json!({}))).await;
    let dev = org.user("dev@example.com").await;
    let users = format!("{path}/users");
    let body = json!({ "id": dev.id.as_str(), "scope": "USER", "credentials": { "userName": "dev", "password": {} } });
    let assigned = org.post(&users, body.clone()).await.expect(200);
    assert_eq!(assigned["credentials"]["userName"], "dev");
    let before = org.audit().await;
    org.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(org.post(&users, body).await.expect(200), assigned);
    assert_eq!(org.audit().await, before, "the same again writes nothing");
    let one = format!("{users}/{}", dev.id);
    let changed = org.post(&one, json!({ "profile": { "team": "x" } })).await.expect(200);
    assert_eq!(
        (&changed["profile"], &changed["credentials"]["userName"]),
        (&json!({ "team": "x" }), &json!("dev"))
    );
    assert_eq!(org.get(&one).await.expect(200), changed, "the answer is what is read afterwards");
    assert_eq!(org.get(&users).await.expect(200), json!([changed]));
    let filter = format!("/api/v1/apps?filter=user.id%20eq%20%22{}%22", dev.id);
    assert_eq!(org.get(&filter).await.expect(200)[0]["id"], made["id"]);
    let links = org.get(&format!("/api/v1/users/{}/appLinks", dev.id)).await.expect(200);
    assert_eq!(links.as_array().unwrap().len(), 1);
    org.delete(&one).await.expect(204);
    org.delete(&one).await.refused(404, "E0000007", "");
    org.post(&users, json!({ "id": "00unone" })).await.refused(404, "E0000007", "");
    org.post(&users, json!({})).await.refused(400, "E0000001", "id");
    assert_eq!(org.get(&filter).await.expect(200), json!([]));
}

#[tokio::test]
async fn applications_are_found_by_label_and_filter() {
    let org = Org::new().await;
    for label in ["kubectl one", "kubectl two", "wiki"] {
        made(&org, native(json!({ "label": label }))).await;
    }
    org.post("/api/v1/apps?activate=false", native(json!({ "label": "off" }))).await.expect(200);
    let cases = [
        ("", 4),
        ("?q=KUBE", 2),
        ("?q=ctl", 0),
        ("?filter=status%20eq%20%22ACTIVE%22", 3),
        ("?filter=status%20eq%20%22INACTIVE%22", 1),
        ("?q=wiki&filter=status%20eq%20%22ACTIVE%22", 1),
        ("?filter=name%20eq%20%22oidc_client%22&limit=200", 4),
    ];
    for (query, number) in cases {
        let found = org.get(&format!("/api/v1/apps{query}")).await.expect(200);
        assert_eq!(found.as_array().unwrap().len(), number, "{query}");
    }
    org.get("/api/v1/apps?filter=status").await.refused(400, "E0000001", "filter");
}

#[tokio::test]
async fn a_client_says_which_claims_its_id_tokens_have() {
    let org = Org::new().await;
    for names in [json!([]), json!(["email", "groups"])] {
        let label = format!("with {names}");
        let mut body = oauth(json!({ "id_token_claims": names }));
        body["label"] = label.into();
        let (path, made) = made(&org, body).await;
        for shown in [&made, &org.get(&path).await.expect(200)] {
            assert_eq!(shown["settings"]["oauthClient"]["id_token_claims"], names);
        }
    }
    for wrong in [json!("email"), json!([1]), json!(["with space"])] {
        let answer = org.post("/api/v1/apps", oauth(json!({ "id_token_claims": wrong }))).await;
        answer.refused(400, "E0000001", "id_token_claims");
    }
}
