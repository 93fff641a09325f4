//! RP-initiated logout.

use http::StatusCode;

use crate::house::{Browser, House, PASSWORD, form};

fn path(parameters: &[(&str, &str)]) -> String {
    format!("/oauth2/k8s-auth/v1/logout?{}", form(parameters, &[]))
}

async fn signed_in(house: &House, login: &str) -> (Browser, String) {
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), login, PASSWORD).await;
    let tokens = house.redeem(&answer.returned("code").unwrap(), &[]).await.json();
    (browser, tokens["id_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn with_the_persons_id_token_it_ends_the_session_and_goes_back() {
    let house = House::new().await;
    let (mut browser, id_token) = signed_in(&house, "dev@example.com").await;
    let parameters = [
        ("id_token_hint", &*id_token),
        ("post_logout_redirect_uri", "http://localhost:18000"),
        ("state", "the-state"),
    ];
    let answer = browser.get(&path(&parameters)).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "http://localhost:18000/?state=the-state");
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"));
    let again = browser.get(&path(&parameters)).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "there is nothing left to ask about");
    browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn without_it_the_person_is_asked_first() {
    let house = House::new().await;
    let (mut browser, _) = signed_in(&house, "dev@example.com").await;
    let (_, other) = signed_in(&house, "admin@example.com").await;
    for parameters in [&[][..], &[("id_token_hint", &*other)]] {
        let page = browser.get(&path(parameters)).await.expect(StatusCode::OK);
        assert!(page.body.contains("Sign out?") && page.body.contains("dev@example.com"));
    }
    browser.get(&house.authorize(&["prompt=none"])).await.returned("code").expect("still signed in");

    let page = browser
        .get(&path(&[("client_id", "k8s"), ("post_logout_redirect_uri", "http://localhost:8000")]))
        .await;
    let body = form(&[("request", &*page.sealed_request())], &[]);
    house.browser().post("/sign-out", &body).await.expect(StatusCode::BAD_REQUEST);
    let answer = browser.post("/sign-out", &body).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "http://localhost:8000/");
    let silent = browser.get(&house.authorize(&["prompt=none"])).await;
    assert_eq!(silent.returned("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn it_goes_nowhere_that_is_not_registered() {
    let house = House::new().await;
    let (mut browser, id_token) = signed_in(&house, "dev@example.com").await;
    let hint = ("id_token_hint", &*id_token);
    for parameters in [
        vec![hint, ("post_logout_redirect_uri", "https://evil.example")],
        vec![("post_logout_redirect_uri", "http://localhost:8000")],
        vec![hint, ("client_id", "other"), ("post_logout_redirect_uri", "http://localhost:8000")],
        vec![("id_token_hint", "junk")],
        vec![hint, ("state", "a"), ("state", "b")],
    ] {
        let answer = browser.get(&path(&parameters)).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.location(), None, "{parameters:?}");
    }
    browser.get(&house.authorize(&["prompt=none"])).await.returned("code").expect("still signed in");
}

#[tokio::test]
async fn post_is_as_good_as_get_and_without_a_session_there_is_nothing_to_ask() {
    let house = House::new().await;
    let page = house.browser().post("/oauth2/k8s-auth/v1/logout", "").await.expect(StatusCode::OK);
    assert!(page.body.contains("You are signed out"));
}
