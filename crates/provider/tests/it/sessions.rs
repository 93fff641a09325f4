//! How long a browser stays signed in, to the second, and what is remembered of the sign-in.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Assurance, Session, SessionLifetime};

use crate::house::{Browser, House, PASSWORD, payload, user_id};

/// Whether the browser is still signed in, at the account's page and at an application. Each look uses the session.
async fn is_signed_in(house: &House, browser: &mut Browser) -> bool {
    let account = browser.get("/account").await.expect(StatusCode::OK).body.contains(r#"id="sessions""#);
    let authorize = browser.get(&house.authorize(&[])).await;
    assert_eq!(authorize.returned("code").is_some(), account, "both or neither");
    account
}

async fn signed_in(house: &House) -> Browser {
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    answer.expect(StatusCode::SEE_OTHER);
    browser
}

async fn session(house: &House) -> Session {
    house.store.sessions_of(&user_id("dev")).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_session_ends_to_the_second_when_nobody_uses_it_and_at_its_last_end() {
    let SessionLifetime { idle, absolute } = SessionLifetime::default();
    let second = SignedDuration::from_secs(1);
    // How often it is used, a second before it would end for idleness, and how long after the last use one looks.
    let cases = [(0, idle - second, true), (0, idle, false), (3, idle - second, true), (3, idle, false)];
    for (uses, after, expected) in cases {
        let house = House::new().await;
        let mut browser = signed_in(&house).await;
        for _ in 0..uses {
            house.advance(idle - second);
            assert!(is_signed_in(&house, &mut browser).await);
        }
        house.advance(after);
        assert_eq!(is_signed_in(&house, &mut browser).await, expected, "{uses} uses, then {after:?}");
    }
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    let began = house.clock_now();
    while house.clock_now() + idle - second < began + absolute {
        house.advance(idle - second);
        assert!(is_signed_in(&house, &mut browser).await);
    }
    house.advance((began + absolute - second).duration_since(house.clock_now()));
    assert!(is_signed_in(&house, &mut browser).await, "a second before the last end");
    assert_eq!(session(&house).await.end(), began + absolute, "use does not move it");
    house.advance(second);
    assert!(!is_signed_in(&house, &mut browser).await, "however often it was used");
}

#[tokio::test]
async fn looking_at_a_session_that_has_ended_does_not_bring_it_back() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    house.advance(SessionLifetime::default().idle);
    assert!(!is_signed_in(&house, &mut browser).await);
    assert!(!is_signed_in(&house, &mut browser).await);
    assert_eq!(session(&house).await.last_used, session(&house).await.created);
}

#[tokio::test]
async fn how_somebody_signed_in_is_remembered_with_the_session_and_told_to_the_application() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    let began = house.clock_now();
    house.advance(SignedDuration::from_mins(5));
    let code = browser.get(&house.authorize(&[])).await.returned("code").unwrap();
    let tokens = house.redeem(&code, &[]).await.expect(StatusCode::OK).json();
    let claims = payload(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["amr"], serde_json::json!(["pwd"]));
    assert_eq!(claims["auth_time"], began.as_second(), "the sign-in's, not the visit's");
    let session = session(&house).await;
    assert_eq!((session.amr, session.assurance), (vec!["pwd".to_owned()], Assurance::OneFactor));
}
