//! The sign-in page.

use std::collections::BTreeSet;

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::password::{Password, PasswordHasher, Verification};
use kubesso_directory::{Change, Outcome, UserStatus};

use crate::house::{Answer, Browser, House, ISSUER, ORIGIN, PASSWORD, World, form, user, user_id};

#[tokio::test]
async fn the_page_says_where_one_is_and_has_the_fields_that_scripts_use() {
    let house = House::new().await;
    let page = house.browser().get(&house.authorize(&[])).await.expect(StatusCode::OK);
    for part in ["kubesso", "Sign in to k8s OIDC", "localhost:8443", "k8s-auth"] {
        assert!(page.body.contains(part), "{part}");
    }
    for id in ["username", "password", "sign-in"] {
        assert!(page.body.contains(&format!(r#"id="{id}""#)), "{id}");
    }
    assert_eq!(page.text_of("error"), None);
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://localhost:8000;"), "{policy}");
}

#[tokio::test]
async fn signing_in_leads_to_the_client_with_a_code_state_and_issuer() {
    let house = House::new().await;
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let answer = answer.expect(StatusCode::SEE_OTHER);
    assert!(answer.header("location").starts_with("http://localhost:8000/?code="));
    assert_eq!(answer.returned("state").as_deref(), Some("the-state"));
    assert_eq!(answer.returned("iss").as_deref(), Some(ISSUER));
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!(
        (event.event_type.as_str(), event.actor.as_str(), event.outcome),
        ("user.session.start", "dev", Outcome::Success)
    );
}

#[tokio::test]
async fn cookies_are_for_this_host_only_and_out_of_reach_of_scripts() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await;
    for (cookie, name) in [
        (page.header("set-cookie"), "__Host-kubesso-browser"),
        (answer.header("set-cookie"), "__Host-kubesso-session"),
    ] {
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with(&format!("{name}=")), "{cookie}");
        let attributes: BTreeSet<_> = attributes.split("; ").collect();
        assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"].into(), "{cookie}");
    }
}

#[tokio::test]
async fn each_sign_in_begins_another_session_and_ends_the_browsers_old_one() {
    let house = House::new().await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let mut left_behind = browser.clone();
    let before = browser.cookies["__Host-kubesso-session"].clone();
    browser.sign_in(&house.authorize(&["prompt=login"]), "dev@example.com", PASSWORD).await;
    assert_ne!(browser.cookies["__Host-kubesso-session"], before);
    left_behind.get(&house.authorize(&[])).await.expect(StatusCode::OK);
    browser.get(&house.authorize(&[])).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_wrong_password_and_a_login_that_does_not_exist_look_the_same() {
    let house = House::new().await;
    let mut answers = Vec::new();
    for (login, password) in [
        ("dev@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("not a login", PASSWORD),
        ("dev@example.com", ""),
        ("dev@example.com", &"x".repeat(5000)),
    ] {
        let mut browser = house.browser();
        let page = browser.get(&house.authorize(&[])).await;
        let answer = browser.submit(&page, login, password).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.text_of("error").as_deref(), Some("The user name or the password is not right."));
        assert!(!browser.cookies.contains_key("__Host-kubesso-session"));
        let seal = answer.sealed_request();
        answers.push(answer.body.replace(&seal, "").replace(login, ""));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn what_was_typed_is_kept_and_the_next_try_works_in_any_case_of_letters() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.sign_in(&house.authorize(&[]), "dev@example.com", "wrong").await;
    assert!(page.body.contains(r#"value="dev@example.com""#) && !page.body.contains("wrong"));
    browser.submit(&page, " DEV@Example.com ", PASSWORD).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn somebody_who_is_not_assigned_is_sent_back_with_the_reason_and_without_a_session() {
    let house = House::new().await;
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), "outsider@example.com", PASSWORD).await;
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    let description = answer.returned("error_description");
    assert_eq!(description.as_deref(), Some("User is not assigned to the client application."));
    assert_eq!(answer.returned("iss").as_deref(), Some(ISSUER));
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"));
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!((event.actor.as_str(), event.outcome), ("outsider", Outcome::Failure));
}

#[tokio::test]
async fn somebody_whom_no_rule_allows_is_sent_back_too() {
    let house = House::new().await;
    house.change(Change::RemoveRule("rule".parse().unwrap())).await;
    let answer = house.browser().sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    assert!(answer.returned("error_description").unwrap().starts_with("No access policy"));
}

#[tokio::test]
async fn only_the_active_sign_in_and_the_others_are_told_why_once_their_password_is_right() {
    let house = House::new().await;
    for status in UserStatus::ALL {
        let mut dev = user("dev", house.clock_now());
        dev.status = status;
        house.change(Change::PutUser(dev)).await;
        let mut browser = house.browser();
        let wrong = browser.sign_in(&house.authorize(&[]), "dev@example.com", "wrong").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{status:?}");
        let right = browser.submit(&wrong, "dev@example.com", PASSWORD).await;
        let expected = match status {
            UserStatus::Active => StatusCode::SEE_OTHER,
            UserStatus::PasswordExpired => StatusCode::OK,
            _ => StatusCode::FORBIDDEN,
        };
        assert_eq!(right.status, expected, "{status:?}");
        if expected == StatusCode::FORBIDDEN {
            assert!(right.text_of("error").unwrap().contains("administrator"), "{status:?}");
        }
        house.advance(SignedDuration::from_mins(16));
    }
}

#[tokio::test]
async fn after_five_failures_each_try_has_to_wait_longer_and_says_so() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    for _ in 0..5 {
        browser.submit(&page, "dev@example.com", "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Even the right password, so that guessing faster tells nothing.
    let early =
        browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(early.header("retry-after"), "1");
    assert_eq!(early.text_of("error").as_deref(), Some("Too many attempts. Try again in 1 second."));
    // So is a login that does not exist; another person is not held up.
    for _ in 0..5 {
        browser.submit(&page, "nobody@example.com", "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    browser.submit(&page, "nobody@example.com", "wrong").await.expect(StatusCode::TOO_MANY_REQUESTS);
    house
        .browser()
        .sign_in(&house.authorize(&[]), "admin@example.com", PASSWORD)
        .await
        .expect(StatusCode::SEE_OTHER);

    house.advance(SignedDuration::from_secs(1));
    browser.submit(&page, "dev@example.com", "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let early =
        browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(early.header("retry-after"), "2");
    house.advance(SignedDuration::from_secs(2));
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
    // A success takes the count away.
    browser.submit(&page, "dev@example.com", "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn one_network_that_tries_many_logins_is_slowed_down() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    let mut statuses = Vec::new();
    for number in 0..52 {
        let login = format!("user-{number}@example.com");
        let body =
            form(&[("request", &*page.sealed_request()), ("username", &login), ("password", "x")], &[]);
        let request = Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(kubesso_provider::ClientAddress(Some("192.0.2.1".parse().unwrap())))
            .body(body.into());
        statuses.push(browser.send(request.unwrap()).await.status.as_u16());
    }
    assert_eq!(statuses[..50], [422; 50]);
    assert_eq!(statuses[50..], [429, 429]);
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
}

/// What the form answers to a try from 192.0.2.1.
async fn try_from_the_office(
    browser: &mut Browser,
    page: &Answer,
    login: &str,
    password: &str,
) -> StatusCode {
    let body =
        form(&[("request", &*page.sealed_request()), ("username", login), ("password", password)], &[]);
    let request = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(kubesso_provider::ClientAddress(Some("192.0.2.1".parse().unwrap())))
        .body(body.into());
    browser.send(request.unwrap()).await.status
}

#[tokio::test]
async fn an_account_of_ones_own_does_not_wipe_out_what_was_tried_on_others() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    for number in 0..40 {
        let login = format!("user-{number}@example.com");
        try_from_the_office(&mut browser, &page, &login, "x").await;
    }
    // Somebody's typing errors, however, are forgiven once the password is right.
    for _ in 0..4 {
        try_from_the_office(&mut browser, &page, "dev@example.com", "wrong").await;
    }
    let signed_in = try_from_the_office(&mut browser, &page, "dev@example.com", PASSWORD).await;
    assert_eq!(signed_in, StatusCode::SEE_OTHER);
    let mut statuses = Vec::new();
    for number in 40..51 {
        let login = format!("user-{number}@example.com");
        statuses.push(try_from_the_office(&mut browser, &page, &login, "x").await.as_u16());
    }
    assert_eq!(statuses[..10], [422; 10], "forty were counted");
    assert_eq!(statuses[10], 429);
}

#[tokio::test]
async fn a_network_that_has_to_wait_does_not_hold_up_the_people_whom_it_names() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    for number in 0..50 {
        let login = format!("user-{number}@example.com");
        try_from_the_office(&mut browser, &page, &login, "x").await;
    }
    for _ in 0..10 {
        let status = try_from_the_office(&mut browser, &page, "dev@example.com", "wrong").await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    }
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_counts_only_from_the_browser_that_got_it() {
    let house = House::new().await;
    let mut attacker = house.browser();
    let forged = attacker.get(&house.authorize(&[])).await;
    let mut victim = house.browser();
    victim.submit(&forged, "admin@example.com", PASSWORD).await.expect(StatusCode::FORBIDDEN);
    // Nor with a page of its own open, which gives the victim a cookie.
    victim.get(&house.authorize(&[])).await;
    victim.submit(&forged, "admin@example.com", PASSWORD).await.expect(StatusCode::FORBIDDEN);
    assert!(!victim.cookies.contains_key("__Host-kubesso-session"));

    let page = victim.get(&house.authorize(&[])).await;
    let body = form(
        &[("request", &*page.sealed_request()), ("username", "dev@example.com"), ("password", PASSWORD)],
        &[],
    );
    for (name, value, expected) in [
        ("origin", "https://evil.example", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("origin", ORIGIN, StatusCode::SEE_OTHER),
    ] {
        let request = Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(name, value)
            .body(body.clone().into());
        assert_eq!(victim.send(request.unwrap()).await.status, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn two_tabs_do_not_undo_each_other() {
    let house = House::new().await;
    let mut browser = house.browser();
    let first = browser.get(&house.authorize(&["state=one"])).await;
    let second = browser.get(&house.authorize(&["state=two"])).await;
    for (page, state) in [(&second, "two"), (&first, "one")] {
        let answer = browser.submit(page, "dev@example.com", PASSWORD).await;
        assert_eq!(answer.returned("state").as_deref(), Some(state));
    }
}

#[tokio::test]
async fn a_page_that_is_old_forged_or_missing_says_so() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    let mut changed = page.sealed_request();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    for request in ["", "junk", &changed] {
        let body =
            form(&[("request", request), ("username", "dev@example.com"), ("password", PASSWORD)], &[]);
        let answer = browser.post("/sign-in", &body).await.expect(StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("Run kubectl"), "{}", answer.body);
    }
    house.advance(SignedDuration::from_hours(1));
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::BAD_REQUEST);
    assert!(answer.text_of("error").unwrap().contains("more than an hour"));
    let answer = browser.get("/sign-in").await.expect(StatusCode::NOT_FOUND);
    assert!(answer.body.contains("Nothing to sign in to"));
}

#[tokio::test]
async fn a_client_that_changes_while_the_page_is_open_gets_nothing() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    let mut application = house.application.clone();
    application.redirect_uris.clear();
    house.change(Change::PutApplication(application)).await;
    let answer = browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(answer.location(), None);
}

#[tokio::test]
async fn cancelling_tells_the_client() {
    let house = House::new().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    let body = form(&[("request", &*page.sealed_request()), ("action", "cancel")], &[]);
    let answer = browser.post("/sign-in", &body).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.returned("state").as_deref(), Some("the-state"));
}

#[tokio::test]
async fn a_hash_with_old_parameters_is_replaced_at_the_next_sign_in() {
    let weak = PasswordHasher::with(64, 1, 1).unwrap();
    let house = House::with(World { hasher: weak, ..World::default() }).await;
    house.sign_in("dev@example.com").await;
    let hash = house.store.password_hash(&user_id("dev")).await.unwrap();
    let verified = PasswordHasher::default().verify(&Password::new(PASSWORD), hash.as_ref());
    assert_eq!(verified, Verification::Right);
}
