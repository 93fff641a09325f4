//! Pushed authorization requests (RFC 9126).

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    Application, ApplicationType, Change, ClientAuthentication, ClientId, ClientSecret, ClientSecretValue,
    Sealed, Status,
};

use crate::house::{Answer, CHALLENGE, House, PASSWORD, REDIRECT_URI, form};

const PATH: &str = "/oauth2/k8s-auth/v1/par";

async fn push(house: &House, changes: &[&str]) -> Answer {
    let fields = [
        ("client_id", "k8s"),
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "pushed-state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    house.browser().post(PATH, &form(&fields, changes)).await
}

/// Where the browser goes with what was pushed.
pub(crate) async fn pushed(house: &House, changes: &[&str]) -> String {
    let body = push(house, changes).await.expect(StatusCode::CREATED).json();
    assert_eq!(body["expires_in"], 90);
    with(&[("client_id", "k8s"), ("request_uri", body["request_uri"].as_str().unwrap())])
}

fn with(fields: &[(&str, &str)]) -> String {
    format!("/oauth2/k8s-auth/v1/authorize?{}", form(fields, &[]))
}

#[tokio::test]
async fn what_was_pushed_counts_and_what_the_browser_brings_does_not() {
    let house = House::new().await;
    let path =
        pushed(&house, &[]).await + "&state=forged&scope=openid+email&redirect_uri=https://evil.example";
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    assert_eq!(answer.returned("state").as_deref(), Some("pushed-state"));
    let tokens = house.redeem(&answer.returned("code").unwrap(), &[]).await.expect(StatusCode::OK).json();
    assert_eq!(tokens["scope"], "openid");
}

#[tokio::test]
async fn it_is_good_for_one_code_and_for_ninety_seconds() {
    let house = House::new().await;
    let path = pushed(&house, &[]).await;
    let mut browser = house.browser();
    let page = browser.get(&path).await.expect(StatusCode::OK);
    browser.get(&path).await.expect(StatusCode::OK); // loaded again
    assert!(browser.submit(&page, "dev@example.com", PASSWORD).await.returned("code").is_some());
    let again = browser.get(&path).await.expect(StatusCode::BAD_REQUEST);
    assert!(again.body.contains("was used before"), "{}", again.body);
    let again = browser.submit(&page, "dev@example.com", PASSWORD).await;
    assert_eq!(again.returned("error").as_deref(), Some("invalid_request_uri"));

    let path = pushed(&house, &["prompt=login"]).await;
    house.advance(SignedDuration::from_secs(89));
    let page = browser.get(&path).await.expect(StatusCode::OK);
    house.advance(SignedDuration::from_secs(1));
    let late = browser.get(&path).await.expect(StatusCode::BAD_REQUEST);
    assert!(late.body.contains("has ended") && late.body.contains("invalid_request_uri"), "{}", late.body);
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await;
    assert!(answer.returned("code").is_some(), "who opened the page in time may take it");
}

#[tokio::test]
async fn a_wrong_request_is_told_to_the_client_at_once() {
    let house = House::new().await;
    let cases: [(&[&str], u16, &str); 9] = [
        (&["client_id=other"], 401, "invalid_client"),
        (&["client_id"], 401, "invalid_client"),
        (&["request_uri=urn:x"], 400, "invalid_request"),
        (&["redirect_uri=https://evil.example"], 400, "invalid_request"),
        (&["response_type=token"], 400, "unsupported_response_type"),
        (&["scope=openid nothing"], 400, "invalid_scope"),
        (&["code_challenge", "code_challenge_method"], 400, "invalid_request"),
        (&["+nonce=1", "+nonce=2"], 400, "invalid_request"),
        (&["request=junk"], 400, "request_not_supported"),
    ];
    for (changes, status, error) in cases {
        let answer = push(&house, changes).await;
        assert_eq!((answer.status.as_u16(), answer.error().0.as_str()), (status, error), "{changes:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{changes:?}");
    }
    let long = format!("state={}", "x".repeat(8192));
    push(&house, &[&long]).await.expect(StatusCode::PAYLOAD_TOO_LARGE);
    house.browser().get(PATH).await.expect(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn it_is_the_clients_who_pushed_it() {
    let house = House::new().await;
    let mut other: Application = house.application.clone();
    other.id = kubesso_directory::ApplicationId::parse("other").unwrap();
    other.client_id = ClientId::parse("other").unwrap();
    house.change(Change::PutApplication(other)).await;
    let path = pushed(&house, &[]).await.replace("client_id=k8s", "client_id=other");
    let answer = house.browser().get(&path).await.expect(StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("another client"), "{}", answer.body);
    let path = with(&[("client_id", "k8s"), ("request_uri", "https://client.example/request")]);
    let answer = house.browser().get(&path).await.expect(StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("invalid_request_uri"), "{}", answer.body);
}

#[tokio::test]
async fn a_client_with_a_secret_proves_who_it_is_and_the_secret_goes_nowhere() {
    let house = House::new().await;
    let value = ClientSecretValue::presented("the-secret");
    let mut application = house.application.clone();
    application.application_type = ApplicationType::Web;
    application.authentication = ClientAuthentication::ClientSecretPost(vec![ClientSecret {
        id: kubesso_directory::ClientSecretId::generate(&*house.entropy),
        hash: value.hash(),
        sealed: Sealed::from_bytes(Vec::new()),
        status: Status::Active,
        created: house.clock_now(),
    }]);
    house.change(Change::PutApplication(application)).await;
    push(&house, &[]).await.expect(StatusCode::UNAUTHORIZED);
    push(&house, &["client_secret=wrong"]).await.expect(StatusCode::UNAUTHORIZED);
    let path = pushed(&house, &["client_secret=the-secret"]).await;
    let answer = house.browser().sign_in(&path, "dev@example.com", PASSWORD).await;
    let code = answer.returned("code").unwrap();
    house.redeem(&code, &["client_secret=the-secret"]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_stored_for_a_client_that_only_pushes() {
    let house = House::new().await;
    let before = house.store.revision().await.unwrap();
    push(&house, &[]).await.expect(StatusCode::CREATED);
    assert_eq!(house.store.revision().await.unwrap(), before);
    house.advance(SignedDuration::from_hours(1000));
    assert_eq!(house.store.purge(house.clock_now()).await.unwrap(), kubesso_directory::Purged::default());
}
