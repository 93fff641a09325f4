//! What the conformance profiles of the OpenID Foundation ask of a provider ("Basic OP", "Form Post Basic OP",
//! "Config OP"), as tables of our own.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use kubesso_directory::{Change, RedirectUri};
use url::form_urlencoded;

use crate::house::{Answer, House, ISSUER, PASSWORD, Tokens};

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
