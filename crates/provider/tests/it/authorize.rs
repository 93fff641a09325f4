//! The authorization endpoint.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{Change, UserId};

use crate::house::{House, ISSUER, PASSWORD, Tokens, user, user_id};

#[tokio::test]
async fn what_may_not_go_to_the_client_ends_on_a_page_and_never_redirects() {
    let house = House::new().await;
    let mut inactive = house.application.clone();
    inactive.status = kubesso_directory::Status::Inactive;
    let cases: [(&[&str], &str, &str); 9] = [
        (&["client_id"], "The sign-in link is broken", "the parameter client_id is missing"),
        (
            &["+client_id=k8s"],
            "The sign-in link is broken",
            "the parameter client_id is given more than once",
        ),
        (&["client_id=other"], "Unknown application", "There is no application with this client id."),
        (&["client_id=<script>"], "Unknown application", "There is no application with this client id."),
        (&["redirect_uri"], "The sign-in link is broken", "the parameter redirect_uri is missing"),
        (&["+redirect_uri=http://localhost:8000"], "The sign-in link is broken", "is given more than once"),
        (&["redirect_uri=https://evil.example"], "Redirect not allowed", "nothing was sent there"),
        (&["redirect_uri=http://localhost:8000/other"], "Redirect not allowed", "nothing was sent there"),
        (
            &["redirect_uri=http://localhost:8000@evil.example"],
            "Redirect not allowed",
            "nothing was sent there",
        ),
    ];
    for (changes, heading, what) in cases {
        let answer = house.browser().get(&house.authorize(changes)).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.location(), None, "{changes:?}");
        assert!(answer.body.contains(&format!("<h1>{heading}</h1>")), "{changes:?}: {}", answer.body);
        assert!(answer.text_of("error").unwrap().contains(what), "{changes:?}: {}", answer.body);
        assert!(!answer.body.contains("<script>"), "{changes:?}");
        assert_eq!(answer.text_of("request-id").unwrap(), answer.header("x-request-id"));
    }
    house.change(Change::PutApplication(inactive)).await;
    let answer = house.browser().get(&house.authorize(&[])).await.expect(StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("<h1>Application not active</h1>"), "{}", answer.body);
    let elsewhere = house.authorize(&[]).replace("k8s-auth", "other");
    assert!(
        house.browser().get(&elsewhere).await.expect(StatusCode::NOT_FOUND).body.contains("No such issuer")
    );
}

#[tokio::test]
async fn the_page_for_an_unregistered_redirect_uri_says_what_to_do() {
    let house = House::new().await;
    let path = house.authorize(&["redirect_uri=https://evil.example/callback"]);
    let page = house.browser().get(&path).await.body;
    let (_, main) = page.split_once("<main>").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    insta::assert_snapshot!(main.trim(), @r#"
    <h1>Redirect not allowed</h1>
    <p class="message bad" id="error" role="alert">The application k8s OIDC may not be answered at this redirect URI, so nothing was sent there.</p>
    <p id="advice">If you expected this address, ask your administrator to add it to the application&#39;s redirect URIs, written exactly so. If you did not, somebody may have sent you a forged link: close this page.</p>
    <dl>
    <dt>Application</dt>
    <dd><code>k8s OIDC</code></dd>
    <dt>Redirect URI</dt>
    <dd><code>https://evil.example/callback</code></dd>
    </dl>
    "#);
}

#[tokio::test]
async fn every_other_error_goes_back_to_the_client_with_state_and_issuer() {
    let house = House::new().await;
    let cases: [(&[&str], &str); 17] = [
        (&["response_type"], "invalid_request"),
        (&["response_type=token"], "unsupported_response_type"),
        (&["response_type=code token"], "unsupported_response_type"),
        (&["response_mode=web_message"], "invalid_request"),
        (&["+nonce=again"], "invalid_request"),
        (&["request=eyJ"], "request_not_supported"),
        (&["request=eyJ", "request_uri=urn:x"], "invalid_request"),
        (&["request_uri=urn:ietf:params:oauth:request_uri:junk"], "invalid_request_uri"),
        (&["registration={}"], "registration_not_supported"),
        (&["request_uri=https://client.example"], "invalid_request_uri"),
        (&["scope"], "invalid_scope"),
        (&["scope=openid admin"], "invalid_scope"),
        (&["code_challenge"], "invalid_request"),
        (&["code_challenge_method=plain"], "invalid_request"),
        (&["prompt=none consent"], "invalid_request"),
        (&["max_age=x"], "invalid_request"),
        (&["prompt=none"], "login_required"),
    ];
    for (changes, error) in cases {
        let answer = house.browser().get(&house.authorize(changes)).await.expect(StatusCode::SEE_OTHER);
        let location = answer.location().unwrap();
        assert_eq!(location.origin().ascii_serialization(), "http://localhost:8000", "{changes:?}");
        assert_eq!(answer.returned("error").as_deref(), Some(error), "{changes:?}: {location}");
        assert_eq!(answer.returned("state").as_deref(), Some("the-state"), "{changes:?}");
        assert_eq!(answer.returned("iss").as_deref(), Some(ISSUER), "{changes:?}");
        assert!(!answer.returned("error_description").unwrap().is_empty(), "{changes:?}");
        assert_eq!(answer.returned("code"), None, "{changes:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{changes:?}");
    }
}

#[tokio::test]
async fn a_state_that_comes_twice_comes_back_neither_time() {
    let house = House::new().await;
    let answer = house.browser().get(&house.authorize(&["+state=other"])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("invalid_request"));
    assert_eq!(answer.returned("state"), None);
}

#[tokio::test]
async fn post_is_as_good_as_get() {
    let house = House::new().await;
    let path = house.authorize(&[]);
    let (path, query) = path.split_once('?').unwrap();
    let page = house.browser().post(path, query).await.expect(StatusCode::OK);
    assert!(page.body.contains("Sign in to k8s OIDC"));
}

#[tokio::test]
async fn nothing_is_stored_for_somebody_who_only_asks() {
    let house = House::new().await;
    let before = house.store.revision().await.unwrap();
    let mut browser = house.browser();
    for _ in 0..3 {
        browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
    }
    assert_eq!(house.store.revision().await.unwrap(), before);
    assert_eq!(house.store.audit_events(10).await.unwrap(), []);
    house.advance(SignedDuration::from_hours(1000));
    let purged = house.store.purge(house.clock_now()).await.unwrap();
    assert_eq!(purged, kubesso_directory::Purged::default());
}

#[tokio::test]
async fn whoever_is_signed_in_is_not_asked_again() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    for changes in [
        &[][..],
        &["prompt=none"],
        &["prompt=consent"],
        &["max_age=60"],
        &["redirect_uri=http://localhost:18000"],
    ] {
        let answer = browser.get(&house.authorize(changes)).await.expect(StatusCode::SEE_OTHER);
        assert!(answer.returned("code").is_some(), "{changes:?}: {answer:?}");
    }
    for changes in ["prompt=login", "prompt=select_account"] {
        browser.get(&house.authorize(&[changes])).await.expect(StatusCode::OK);
    }
    house.advance(SignedDuration::from_secs(61));
    browser.get(&house.authorize(&["max_age=60"])).await.expect(StatusCode::OK);
    let silent = browser.get(&house.authorize(&["max_age=60", "prompt=none"])).await;
    assert_eq!(silent.returned("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_new_sign_in_that_was_asked_for_shows_in_auth_time() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    house.advance(SignedDuration::from_secs(100));
    for (changes, age) in [(&[][..], 100), (&["prompt=login"][..], 0)] {
        let mut answer = browser.get(&house.authorize(changes)).await;
        if answer.status == StatusCode::OK {
            answer = browser.submit(&answer, "dev@example.com", PASSWORD).await;
        }
        let code = answer.returned("code").unwrap();
        let claims = Tokens(house.redeem(&code, &[]).await.json()).claims();
        assert_eq!(
            claims["iat"].as_i64().unwrap() - claims["auth_time"].as_i64().unwrap(),
            age,
            "{changes:?}"
        );
    }
}

#[tokio::test]
async fn select_account_offers_the_person_who_is_signed_in_and_others() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let page = browser.get(&house.authorize(&["prompt=select_account"])).await.expect(StatusCode::OK);
    assert_eq!(page.text_of("continue").as_deref(), Some("Continue as dev@example.com"));
    let request = page.sealed_request();
    let form = crate::house::form(&[("request", &*request), ("action", "continue")], &[]);
    let answer = browser.post("/sign-in", &form).await.expect(StatusCode::SEE_OTHER);
    assert!(answer.returned("code").is_some());
    let other = browser.submit(&page, "admin@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let claims = Tokens(house.redeem(&other.returned("code").unwrap(), &[]).await.json()).claims();
    assert_eq!(claims["email"], "admin@example.com");
}

#[tokio::test]
async fn whoever_goes_on_is_the_person_whom_the_page_named() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let page = browser.get(&house.authorize(&["prompt=select_account"])).await;
    // In another tab somebody else signs in.
    browser.sign_in(&house.authorize(&["prompt=login"]), "admin@example.com", PASSWORD).await;
    let form = crate::house::form(&[("request", &*page.sealed_request()), ("action", "continue")], &[]);
    let answer = browser.post("/sign-in", &form).await.expect(StatusCode::OK);
    assert_eq!(answer.text_of("continue"), None);
    // And a page that offered nobody is no way on.
    let page = browser.get(&house.authorize(&["prompt=login"])).await;
    let form = crate::house::form(&[("request", &*page.sealed_request()), ("action", "continue")], &[]);
    browser.post("/sign-in", &form).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_hints_choose_the_account() {
    let house = House::new().await;
    let admin = house.sign_in("admin@example.com").await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&["login_hint=dev@example.com"])).await;
    assert!(page.body.contains(r#"name="username" value="dev@example.com""#), "{}", page.body);
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);

    let hint = format!("id_token_hint={}", admin.id_token());
    let answer = browser.get(&house.authorize(&[&hint, "prompt=none"])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("login_required"), "somebody else is signed in");
    let page = browser.get(&house.authorize(&[&hint])).await.expect(StatusCode::OK);
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await;
    assert_eq!(answer.returned("error").as_deref(), Some("login_required"), "somebody else signs in");
    assert!(browser.submit(&page, "admin@example.com", PASSWORD).await.returned("code").is_some());
    let answer = browser.get(&house.authorize(&["id_token_hint=junk"])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("invalid_request"));
    let answer = browser.get(&house.authorize(&[&format!("id_token_hint={}", admin.access_token())])).await;
    assert_eq!(answer.returned("error").as_deref(), Some("invalid_request"), "an access token is no hint");
}

#[tokio::test]
async fn a_session_ends_when_idle_and_in_any_case() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let mut statuses = Vec::new();
    // Two hours idle, twelve in all.
    for minutes in [119, 119, 119, 119, 119, 119, 5, 1] {
        house.advance(SignedDuration::from_mins(minutes));
        statuses.push(browser.get(&house.authorize(&[])).await.status.as_u16());
    }
    assert_eq!(statuses, [303, 303, 303, 303, 303, 303, 303, 200]);

    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    house.advance(SignedDuration::from_mins(120));
    browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_session_is_worth_nothing_once_its_person_may_not_sign_in() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let suspended = user("dev", house.clock_now()).suspend(house.clock_now()).unwrap();
    house.change(Change::PutUser(suspended)).await;
    browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
    let silent = browser.get(&house.authorize(&["prompt=none"])).await;
    assert_eq!(silent.returned("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn a_forged_session_cookie_is_no_session() {
    let house = House::new().await;
    for value in ["", "x", &"A".repeat(43), "%00"] {
        let request = Request::get(house.authorize(&[]))
            .header(header::COOKIE, format!("__Host-kubesso-session={value}"))
            .body(axum::body::Body::empty())
            .unwrap();
        house.browser().send(request).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn somebody_who_lost_the_assignment_can_choose_another_account() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "guest@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let guest: UserId = user_id("guest");
    house.change(Change::UnassignUser(house.application.id.clone(), guest)).await;
    let page = browser.get(&house.authorize(&[])).await.expect(StatusCode::OK);
    assert!(page.body.contains("which is not assigned to k8s OIDC"), "{}", page.body);
    let silent = browser.get(&house.authorize(&["prompt=none"])).await;
    assert_eq!(silent.returned("error").as_deref(), Some("access_denied"));
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await;
    assert!(answer.returned("code").is_some());
}
