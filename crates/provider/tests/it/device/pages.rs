//! What the person sees.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{Change, GrantType, Outcome};

use super::{Device, house, press, sign_in};
use crate::house::{Answer, Browser, ORIGIN, PASSWORD, form, rule};

#[tokio::test]
async fn the_pages_are_these() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let enter = browser.get("/device").await.expect(StatusCode::OK);
    insta::assert_snapshot!("enter_code", enter.essence());
    let question = sign_in(&mut browser, device.link(), "dev@example.com").await.expect(StatusCode::OK);
    assert_eq!(question.text_of("code").as_deref(), Some(device.user_code()));
    insta::assert_snapshot!("confirm", question.essence().replace(device.user_code(), "BCDFG-HJKLM"));
    let done = press(&mut browser, &question, "allow").await.expect(StatusCode::OK);
    insta::assert_snapshot!("done", done.essence());
    for page in [&enter, &question, &done] {
        assert!(!page.body.contains("<script") && !page.body.contains("style="), "{}", page.body);
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("form-action 'self';"));
    }
}

#[tokio::test]
async fn a_code_is_taken_however_it_is_typed_and_asks_whoever_is_signed_in_at_once() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    let letters = device.user_code().replace('-', "");
    for typed in [letters.to_lowercase(), format!(" {} {} ", &letters[..3], &letters[3..]), letters] {
        let query = form(&[("user_code", typed.as_str())], &[]);
        let question = browser.get(&format!("/device?{query}")).await.expect(StatusCode::OK);
        assert_eq!(question.text_of("code").as_deref(), Some(device.user_code()), "{typed}");
        assert_eq!(question.text_of("login").as_deref(), Some("dev@example.com"));
        assert!(question.body.contains("Sign in to k8s OIDC on a device?"), "{typed}");
    }
}

#[tokio::test]
async fn wrong_codes_say_so_and_after_ten_of_them_the_network_waits() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let mut enter = async |typed: &str, address: &str| {
        let request = Request::get(format!("/device?user_code={typed}"))
            .extension(kubesso_provider::ClientAddress(Some(address.parse().unwrap())))
            .body(axum::body::Body::empty());
        browser.send(request.unwrap()).await
    };
    for typed in ["BCDFG-HJKLM", "AAAAA-AAAAA", "nonsense", "%3Cb%3E", "x"].repeat(2) {
        // A right one in between costs nothing and forgives nothing.
        enter(device.user_code(), "192.0.2.1").await.expect(StatusCode::OK);
        let page = enter(typed, "192.0.2.1").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text_of("error").unwrap().starts_with("This is not a code that is waiting."));
        assert!(!page.body.contains("<b>"));
    }
    let early = enter(device.user_code(), "192.0.2.1").await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(early.header("retry-after"), "1");
    enter(device.user_code(), "192.0.2.2").await.expect(StatusCode::OK);
    house.advance(SignedDuration::from_secs(1));
    enter(device.user_code(), "192.0.2.1").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_code_ends_and_is_decided_about_once() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let question = sign_in(&mut browser, device.link(), "dev@example.com").await;
    press(&mut browser, &question, "deny").await.expect(StatusCode::OK);
    for again in [browser.get(device.link()).await, press(&mut browser, &question, "allow").await] {
        let again = again.expect(StatusCode::CONFLICT);
        assert!(again.body.contains("Code already used"));
    }
    assert_eq!(device.poll(&[]).await.error().0, "access_denied");

    let late = Device::new(&house).await;
    let question = browser.get(late.link()).await.expect(StatusCode::OK);
    house.advance(SignedDuration::from_secs(900));
    let ended = press(&mut browser, &question, "allow").await.expect(StatusCode::BAD_REQUEST);
    assert!(ended.body.contains("Code no longer valid"));
    browser.get(late.link()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_wrong_password_is_refused_as_on_the_other_pages_and_counted_with_them() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let mut page = browser.get(device.link()).await.expect(StatusCode::OK);
    let submit = async |browser: &mut Browser, page: &Answer, password: &str| {
        let request = page.sealed_request();
        let fields = [("request", &*request), ("username", "dev@example.com"), ("password", password)];
        browser.post("/device", &form(&fields, &[])).await
    };
    for _ in 0..5 {
        page = submit(&mut browser, &page, "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(page.text_of("error").as_deref(), Some("The user name or the password is not right."));
    }
    let early = submit(&mut browser, &page, PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(early.header("retry-after"), "1");
    let elsewhere = house.browser().sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    assert_eq!(elsewhere.status, StatusCode::TOO_MANY_REQUESTS);
    house.advance(SignedDuration::from_secs(1));
    let answer = submit(&mut browser, &page, PASSWORD).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), format!("{ORIGIN}{}", device.link()));
    assert_eq!(house.store.audit_events(1).await.unwrap()[0].outcome, Outcome::Success);
}

#[tokio::test]
async fn somebody_who_is_not_assigned_is_told_and_so_is_the_device() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let refused = sign_in(&mut browser, device.link(), "outsider@example.com").await;
    let refused = refused.expect(StatusCode::FORBIDDEN);
    assert!(refused.body.contains("not assigned to k8s OIDC"), "{}", refused.body);
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"));
    let told = device.poll(&[]).await.error();
    assert_eq!(
        told,
        ("access_denied".to_owned(), "User is not assigned to the client application.".to_owned())
    );
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!((event.actor.as_str(), event.outcome), ("outsider", Outcome::Failure));
}

#[tokio::test]
async fn an_account_that_is_signed_in_and_not_assigned_can_be_exchanged() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    browser.sign_in(&house.authorize(&[]), "guest@example.com", PASSWORD).await;
    let unassign = Change::UnassignUser(house.application.id.clone(), "guest".parse().unwrap());
    house.change(unassign).await;
    let page = browser.get(device.link()).await.expect(StatusCode::OK);
    assert!(page.text_of("note").is_some(), "{}", page.body);
    let question = sign_in(&mut browser, device.link(), "dev@example.com").await;
    assert_eq!(question.text_of("login").as_deref(), Some("dev@example.com"));
    let another = press(&mut browser, &question, "switch").await.expect(StatusCode::OK);
    assert!(another.body.contains(r#"id="password""#));
}

#[tokio::test]
async fn who_leaves_decides_nothing() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let page = browser.get(device.link()).await;
    let left = press(&mut browser, &page, "cancel").await.expect(StatusCode::OK);
    assert!(left.body.contains("Nothing was allowed"));
    // Nor does a yes without a session.
    let asked = press(&mut browser, &page, "allow").await.expect(StatusCode::OK);
    assert!(asked.body.contains(r#"id="password""#));
    assert_eq!(device.poll(&[]).await.error().0, "authorization_pending");
}

#[tokio::test]
async fn a_yes_counts_only_from_the_browser_and_the_person_that_the_page_asked() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut attacker = house.browser();
    let forged = sign_in(&mut attacker, device.link(), "dev@example.com").await;
    let mut victim = house.browser();
    victim.sign_in(&house.authorize(&[]), "admin@example.com", PASSWORD).await;
    press(&mut victim, &forged, "allow").await.expect(StatusCode::FORBIDDEN);

    let question = victim.get(device.link()).await.expect(StatusCode::OK);
    let body = form(&[("request", &*question.sealed_request()), ("action", "allow")], &[]);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = Request::post("/device")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(name, value)
            .body(body.clone().into());
        victim.send(request.unwrap()).await.expect(StatusCode::FORBIDDEN);
    }
    // Somebody else signs in with the same browser while the page is open.
    victim.sign_in(&house.authorize(&["prompt=login"]), "dev@example.com", PASSWORD).await;
    let again = press(&mut victim, &question, "allow").await.expect(StatusCode::OK);
    assert_eq!(again.text_of("login").as_deref(), Some("dev@example.com"), "it is asked anew");
    assert_eq!(device.poll(&[]).await.error().0, "authorization_pending");
    for request in ["", "junk"] {
        let body = form(&[("request", request), ("action", "allow")], &[]);
        victim.post("/device", &body).await.expect(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn what_changes_while_the_page_is_open_counts() {
    let house = house().await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let question = sign_in(&mut browser, device.link(), "dev@example.com").await;
    house.change(Change::PutRule(rule(kubesso_directory::Lifetimes::default(), house.clock_now()))).await;
    let gone = press(&mut browser, &question, "allow").await.expect(StatusCode::BAD_REQUEST);
    assert!(gone.body.contains("Application no longer available"));
    browser.get(device.link()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    house.allow(GrantType::DeviceCode).await;
    press(&mut browser, &question, "allow").await.expect(StatusCode::OK);
}
