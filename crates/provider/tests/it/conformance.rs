//! What the conformance profiles of the OpenID Foundation ask of a provider ("Basic OP", "Form Post Basic OP",
//! "Config OP", "Dynamic OP", "FAPI 2.0 Security Profile"), as tables of our own.

mod dynamic_op;
mod fapi2;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{
    Application, ApplicationType, Change, ClientAuthentication, ClientSecret, ClientSecretId,
    ClientSecretValue, RedirectUri, Sealed, Status,
};
use serde_json::Value;
use url::form_urlencoded;

use crate::house::{Answer, Browser, House, ISSUER, PASSWORD, Tokens, form, header_of, payload};

/// What the client gets, and by which mode.
fn received(answer: &Answer) -> (&'static str, BTreeMap<String, String>) {
    let pairs = |text: &str| form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    if answer.status == StatusCode::OK {
        let (_, form) =
            answer.body.split_once(r#"<form method="post" action="http://localhost:8000""#).unwrap();
        let fields = form.split(r#"<input type="hidden" name=""#).skip(1).map(|field| {
            let (name, rest) = field.split_once(r#"" value=""#).unwrap();
            (name.to_owned(), rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&#39;", "'"))
        });
        return ("form_post", fields.collect());
    }
    let location = answer.location().unwrap_or_else(|| panic!("{answer:?}"));
    match location.fragment() {
        Some(fragment) => ("fragment", pairs(fragment)),
        None => ("query", pairs(location.query().unwrap_or_default())),
    }
}

#[tokio::test]
async fn answers_and_errors_come_by_the_mode_that_was_asked_for() {
    let house = House::new().await;
    for (changes, mode) in [
        (&[][..], "query"),
        (&["response_mode=query"], "query"),
        (&["response_mode=fragment"], "fragment"),
        (&["response_mode=form_post"], "form_post"),
    ] {
        let with = |more: &[&'static str]| house.authorize(&[changes, more].concat());
        let mut browser = house.browser();
        let answer = browser.sign_in(&with(&["state=a&\"b"]), "dev@example.com", PASSWORD).await;
        let (found, parameters) = received(&answer);
        assert_eq!(found, mode);
        assert_eq!(parameters["iss"], ISSUER, "{mode}");
        assert_eq!(parameters["state"].replace("&#34;", "\""), "a&\"b", "{mode}");
        let tokens = house.redeem(&parameters["code"], &[]).await.expect(StatusCode::OK);
        assert_eq!(Tokens(tokens.json()).claims()["nonce"], "the-nonce", "{mode}");
        for (more, error) in [
            (&["prompt=none"][..], "login_required"),
            (&["response_type=token"], "unsupported_response_type"),
            (&["+nonce=again"], "invalid_request"),
            (&["scope=openid nothing"], "invalid_scope"),
        ] {
            let (found, parameters) = received(&house.browser().get(&with(more)).await);
            assert_eq!((found, parameters["error"].as_str()), (mode, error), "{more:?}");
            assert_eq!((parameters["iss"].as_str(), parameters["state"].as_str()), (ISSUER, "the-state"));
        }
    }
}

#[tokio::test]
async fn the_page_that_posts_an_answer_runs_its_one_script_and_has_a_button() {
    let house = House::new().await;
    let answer = house.browser().get(&house.authorize(&["response_mode=form_post", "prompt=none"])).await;
    let page = answer.expect(StatusCode::OK);
    let (_, script) = page.body.split_once("<script>").unwrap();
    let (script, rest) = script.split_once("</script>").unwrap();
    assert!(!rest.contains("<script"));
    let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains(&format!("script-src 'sha256-{hash}';")) && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(!policy.contains("form-action"), "where the client goes on to is its own affair");
    assert_eq!(page.header("cache-control"), "no-store");
    insta::assert_snapshot!(page.essence());
}

#[tokio::test]
async fn a_mode_by_which_no_answer_can_go_is_an_error_of_the_request() {
    let house = House::new().await;
    let mut application = house.application.clone();
    application.redirect_uris = vec![RedirectUri::parse("com.example.app:/cb").unwrap()];
    house.change(Change::PutApplication(application)).await;
    for (mode, error) in [("form_post", "invalid_request"), ("fragment", "login_required")] {
        let changes = ["redirect_uri=com.example.app:/cb", "prompt=none", &format!("response_mode={mode}")];
        let answer = house.browser().get(&house.authorize(&changes)).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(received(&answer).1["error"], error, "{mode}");
    }
}

const DEV: &str = "dev@example.com";

/// A house whose client has a secret, as the profiles' clients do; with PKCE left to the client.
async fn with_secret(method: fn(Vec<ClientSecret>) -> ClientAuthentication) -> House {
    let house = House::new().await;
    let application = Application {
        application_type: ApplicationType::Web,
        authentication: method(vec![ClientSecret {
            id: ClientSecretId::generate(&*house.entropy),
            hash: ClientSecretValue::presented("the-secret").hash(),
            sealed: Sealed::from_bytes(Vec::new()),
            status: Status::Active,
            created: house.clock_now(),
        }]),
        pkce_required: false,
        ..house.application.clone()
    };
    house.change(Change::PutApplication(application)).await;
    house
}

/// The code that `browser` brings back, after a sign-in if there has to be one.
async fn code(house: &House, browser: &mut Browser, changes: &[&str]) -> String {
    let mut answer = browser.get(&house.authorize(changes)).await;
    if answer.status == StatusCode::OK {
        answer = browser.submit(&answer, DEV, PASSWORD).await;
    }
    answer.returned("code").unwrap_or_else(|| panic!("{changes:?}: {answer:?}"))
}

async fn tokens(house: &House, browser: &mut Browser, changes: &[&str]) -> Tokens {
    let code = code(house, browser, changes).await;
    Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json())
}

#[tokio::test]
async fn basic_op_both_secrets_authenticate_and_pkce_may_be_left_out() {
    let without_pkce = ["code_challenge", "code_challenge_method"];
    let house = with_secret(ClientAuthentication::ClientSecretPost).await;
    let code = code(&house, &mut house.browser(), &without_pkce).await;
    let wrong = house.redeem(&code, &["code_verifier", "client_secret=wrong"]).await;
    assert_eq!(wrong.expect(StatusCode::UNAUTHORIZED).error().0, "invalid_client");
    let answer = house.redeem(&code, &["code_verifier", "client_secret=the-secret"]).await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["token_type"], "Bearer");

    let house = with_secret(ClientAuthentication::ClientSecretBasic).await;
    let code = self::code(&house, &mut house.browser(), &without_pkce).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://localhost:8000"),
    ];
    let request = Request::post("/oauth2/k8s-auth/v1/token")
        .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode("k8s:the-secret")))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
        .body(Body::from(form(&fields, &[])));
    house.browser().send(request.unwrap()).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn basic_op_the_id_token_has_the_claims_of_the_specification() {
    let house = House::new().await;
    let tokens = tokens(&house, &mut house.browser(), &["scope=openid"]).await;
    let claims = tokens.claims();
    let now = house.clock_now().as_second();
    for (name, expected) in [
        ("iss", Value::from(ISSUER)),
        ("sub", "dev".into()),
        ("aud", "k8s".into()),
        ("nonce", "the-nonce".into()),
        ("iat", now.into()),
        ("auth_time", now.into()),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    assert!(claims["exp"].as_i64() > Some(now));
    assert!(claims["sub"].as_str().unwrap().len() <= 255);
    let key = header_of(tokens.id_token())["kid"].clone();
    let keys = house.browser().get("/oauth2/k8s-auth/v1/keys").await.json();
    assert!(keys["keys"].as_array().unwrap().iter().any(|found| found["kid"] == key));
    let half = digest(&SHA256, tokens.access_token().as_bytes());
    let half = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(half.as_ref().split_at(16).0);
    assert_eq!(claims["at_hash"], half);
}

#[tokio::test]
async fn basic_op_what_is_optional_does_no_harm() {
    let house = House::new().await;
    let mut browser = house.browser();
    for changes in [
        "nonce",
        "display=page",
        "display=popup",
        "ui_locales=se",
        "claims_locales=se",
        "acr_values=1 2",
        "login_hint=nobody@example.com",
        "prompt=consent",
        "extra=foobar",
        "scope=openid profile email address phone",
        "scope=openid openid",
        "response_mode=query",
    ] {
        let tokens = tokens(&house, &mut browser, &[changes]).await;
        assert_eq!(tokens.claims().contains_key("nonce"), changes != "nonce", "{changes}");
    }
}

#[tokio::test]
async fn basic_op_each_scope_has_its_claims() {
    let house = House::new().await;
    let mut browser = house.browser();
    for (scope, with, without) in [
        ("openid", &["sub"][..], &["name", "email"][..]),
        ("openid profile", &["sub", "name", "given_name", "family_name", "preferred_username"], &["email"]),
        ("openid email", &["sub", "email", "email_verified"], &["name"]),
    ] {
        let tokens = tokens(&house, &mut browser, &[&format!("scope={scope}")]).await;
        let header = format!("Bearer {}", tokens.access_token());
        for method in [Method::GET, Method::POST] {
            let request = Request::builder().method(method).uri("/oauth2/k8s-auth/v1/userinfo");
            let request = request.header(header::AUTHORIZATION, &header).body(Body::empty()).unwrap();
            let told = house.browser().send(request).await.expect(StatusCode::OK);
            assert_eq!(told.header("content-type"), "application/json");
            let told = told.json();
            assert!(with.iter().all(|name| told.get(name).is_some()), "{scope}: {told}");
            assert!(without.iter().all(|name| told.get(name).is_none()), "{scope}: {told}");
            assert_eq!(told["sub"], tokens.claims()["sub"]);
        }
    }
}

#[tokio::test]
async fn basic_op_prompts_and_ages_are_obeyed() {
    let house = House::new().await;
    let mut browser = house.browser();
    let nobody = browser.get(&house.authorize(&["prompt=none"])).await;
    assert_eq!(nobody.returned("error").as_deref(), Some("login_required"));
    let first = tokens(&house, &mut browser, &[]).await;
    house.advance(SignedDuration::from_secs(2));
    // Whether the person is asked again.
    for (changes, is_asked) in [
        (&["prompt=none"][..], false),
        (&["max_age=10000"], false),
        (&["prompt=none", "max_age=10000"], false),
        (&["max_age=1"], true),
        (&["max_age=0"], true),
        (&["prompt=login"], true),
        (&["prompt=login consent"], true),
        (&["prompt=select_account"], true),
    ] {
        let answer = browser.clone().get(&house.authorize(changes)).await;
        assert_eq!(answer.status == StatusCode::OK, is_asked, "{changes:?}");
        let hint = format!("id_token_hint={}", first.id_token());
        let hinted = browser.clone().get(&house.authorize(&[changes, &[hint.as_str()]].concat())).await;
        assert_eq!(hinted.status == StatusCode::OK, is_asked, "{changes:?}");
    }
    let again = tokens(&house, &mut browser, &["max_age=1"]).await;
    let age = |tokens: &Tokens| tokens.claims()["auth_time"].as_i64().unwrap();
    assert_eq!(age(&again) - age(&first), 2);
    let silent = tokens(&house, &mut browser, &["prompt=none", "max_age=15000"]).await;
    assert_eq!((age(&silent), &silent.claims()["sub"]), (age(&again), &first.claims()["sub"]));
}

#[tokio::test]
async fn basic_op_a_code_works_once_and_a_second_use_ends_what_came_of_it() {
    let house = House::new().await;
    let code = code(&house, &mut house.browser(), &[]).await;
    let tokens = Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json());
    house.advance(SignedDuration::from_secs(30));
    let again = house.redeem(&code, &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(again.error().0, "invalid_grant");
    let request = Request::get("/oauth2/k8s-auth/v1/userinfo")
        .header(header::AUTHORIZATION, format!("Bearer {}", tokens.access_token()))
        .body(Body::empty());
    house.browser().send(request.unwrap()).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn basic_op_offline_access_is_what_gives_a_refresh_token() {
    let house = House::new().await;
    let mut browser = house.browser();
    for (scope, is_given) in [("openid", false), ("openid offline_access", true)] {
        let tokens = tokens(&house, &mut browser, &[&format!("scope={scope}"), "prompt=consent"]).await;
        assert_eq!(tokens.0.get("refresh_token").is_some(), is_given, "{scope}");
        if is_given {
            let refreshed = house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
            let refreshed = payload(Tokens(refreshed.json()).id_token());
            let first = tokens.claims();
            for name in ["iss", "sub", "aud", "auth_time"] {
                assert_eq!(refreshed[name], first[name], "{name}");
            }
            assert!(!refreshed.contains_key("nonce"));
        }
    }
    // To a client that may not refresh it would be of no use, and is left out.
    let mut application = house.application.clone();
    application.grant_types.remove(&kubesso_directory::GrantType::RefreshToken);
    house.change(Change::PutApplication(application)).await;
    let tokens = tokens(&house, &mut browser, &["scope=openid offline_access"]).await;
    assert_eq!((tokens.0.get("refresh_token"), &tokens.0["scope"]), (None, &Value::from("openid")));
}

#[tokio::test]
async fn basic_op_without_openid_it_is_plain_oauth() {
    let house = House::new().await;
    let tokens = tokens(&house, &mut house.browser(), &["scope=email offline_access"]).await;
    assert_eq!(tokens.0.get("id_token"), None);
    assert_eq!(tokens.0["scope"], "email offline_access");
    assert!(tokens.0["refresh_token"].is_string());
}

#[tokio::test]
async fn basic_op_every_endpoint_takes_its_own_methods_and_forms() {
    let house = House::new().await;
    let mut browser = house.browser();
    for (method, endpoint, status) in [
        (Method::PUT, "authorize", 405),
        (Method::DELETE, "authorize", 405),
        (Method::GET, "token", 405),
        (Method::GET, "par", 405),
        (Method::GET, "revoke", 405),
        (Method::GET, "introspect", 405),
        (Method::POST, "keys", 405),
        (Method::PUT, "userinfo", 405),
        (Method::POST, "authorize", 415),
        (Method::POST, "token", 400),
        (Method::POST, "par", 400),
    ] {
        let request = Request::builder().method(&method).uri(format!("/oauth2/k8s-auth/v1/{endpoint}"));
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from("{}")).unwrap();
        let answer = browser.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {endpoint}");
        assert_eq!(!answer.header("allow").is_empty(), status == 405, "{method} {endpoint}");
    }
}

#[tokio::test]
async fn config_op_the_document_says_what_is_true() {
    let house = House::new().await;
    let mut browser = house.browser();
    let document = browser.get("/oauth2/k8s-auth/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], ISSUER);
    let listed = |name: &str| -> Vec<&str> {
        document[name].as_array().unwrap().iter().filter_map(Value::as_str).collect()
    };
    // OpenID Connect Discovery §3: required ones.
    assert!(listed("response_types_supported").contains(&"code"));
    assert_eq!(listed("subject_types_supported"), ["public"]);
    assert!(!listed("id_token_signing_alg_values_supported").is_empty());
    for (name, method) in [
        ("authorization_endpoint", Method::GET),
        ("end_session_endpoint", Method::GET),
        ("jwks_uri", Method::GET),
        ("userinfo_endpoint", Method::GET),
        ("device_authorization_endpoint", Method::POST),
        ("introspection_endpoint", Method::POST),
        ("pushed_authorization_request_endpoint", Method::POST),
        ("revocation_endpoint", Method::POST),
        ("token_endpoint", Method::POST),
    ] {
        let path = document[name].as_str().unwrap().strip_prefix(crate::house::ORIGIN).unwrap();
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let status = browser.send(request).await.status;
        assert!(
            ![StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&status),
            "{name}: {status}"
        );
    }
    for mode in listed("response_modes_supported") {
        let answer = browser.get(&house.authorize(&["prompt=none", &format!("response_mode={mode}")])).await;
        assert_eq!(received(&answer).0, mode);
    }
    for prompt in listed("prompt_values_supported") {
        let answer = browser.get(&house.authorize(&[&format!("prompt={prompt}")])).await;
        assert_ne!(answer.returned("error").as_deref(), Some("invalid_request"), "{prompt}");
    }
    for acr in listed("acr_values_supported") {
        let insisting = format!(r#"claims={{"id_token":{{"acr":{{"essential":true,"value":"{acr}"}}}}}}"#);
        let tokens = tokens(&house, &mut house.browser(), &[&insisting]).await;
        assert_eq!(tokens.claims()["acr"], acr);
    }
    for scope in listed("scopes_supported") {
        code(&house, &mut browser, &[&format!("scope=openid {scope}")]).await;
    }
    let keys = browser.get("/oauth2/k8s-auth/v1/keys").await.json();
    for key in keys["keys"].as_array().unwrap() {
        assert_eq!(key["use"], "sig");
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|private| key.get(private).is_none()));
    }
}
