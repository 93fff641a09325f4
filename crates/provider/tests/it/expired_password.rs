//! Signing in with a password that has expired.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{
    Change, GrantType, OneTimePurpose, OneTimeToken, OneTimeTokenValue, User, UserStatus,
};

use kubesso_provider::Settings;

use crate::house::{Answer, Browser, House, ISSUER, PASSWORD, SCOPE, Tokens, World, form, user, user_id};

const PATH: &str = "/sign-in/password";
const ANOTHER: &str = "a better battery";

/// A house in which dev's password has expired.
async fn expired() -> House {
    let house = House::new().await;
    put(&house, UserStatus::PasswordExpired).await;
    house
}

async fn put(house: &House, status: UserStatus) {
    house.change(Change::PutUser(User { status, ..user("dev", house.clock_now()) })).await;
}

/// The page after dev has typed the expired password.
async fn question(house: &House, browser: &mut Browser) -> Answer {
    browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await.expect(StatusCode::OK)
}

async fn choose(browser: &mut Browser, page: &Answer, password: &str, repeated: &str) -> Answer {
    let fields = [("request", &*page.sealed_request()), ("password", password), ("repeated", repeated)];
    browser.post(PATH, &form(&fields, &[])).await
}

#[tokio::test]
async fn the_right_password_asks_for_another_one_and_the_same_request_goes_on() {
    let house = expired().await;
    let mut browser = house.browser();
    let page = question(&house, &mut browser).await;
    insta::assert_snapshot!(page.essence());
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://localhost:8000;"), "{policy}");
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"), "nobody has signed in");

    let answer = choose(&mut browser, &page, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("state").as_deref(), Some("the-state"));
    assert_eq!(answer.returned("iss").as_deref(), Some(ISSUER));
    let code = answer.returned("code").unwrap();
    let tokens = Tokens(house.redeem(&code, &[]).await.expect(StatusCode::OK).json());
    assert_eq!((&tokens.claims()["sub"], &tokens.claims()["nonce"]), (&"dev".into(), &"the-nonce".into()));
    assert!(browser.cookies.contains_key("__Host-kubesso-session"));
    let dev = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!((dev.status, dev.last_login), (UserStatus::Active, Some(house.clock_now())));
    let events = house.store.audit_events(2).await.unwrap();
    let mut types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["user.account.update_password", "user.session.start"]);

    let mut next = house.browser();
    let authorize = house.authorize(&[]);
    next.sign_in(&authorize, "dev@example.com", PASSWORD).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    next.sign_in(&authorize, "dev@example.com", ANOTHER).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_wrong_password_tells_nothing_of_it() {
    let house = expired().await;
    let mut answers = Vec::new();
    for login in ["dev@example.com", "admin@example.com", "nobody@example.com"] {
        let answer = house.browser().sign_in(&house.authorize(&[]), login, "wrong").await;
        let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
        answers.push(answer.essence().replace(login, ""));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_password_that_is_not_taken_asks_again_and_the_expired_one_is_not() {
    let house = expired().await;
    let mut browser = house.browser();
    let page = question(&house, &mut browser).await;
    for (password, repeated, expected) in [
        (PASSWORD, PASSWORD, "Choose another password: this is the one that has expired."),
        ("short", "short", "Choose another password: the password must have at least 8 characters."),
        (ANOTHER, PASSWORD, "The two passwords are not the same. Type both once more."),
    ] {
        let again = choose(&mut browser, &page, password, repeated).await;
        let again = again.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(again.text_of("error").as_deref(), Some(expected));
        assert!(
            again.header("content-security-policy").contains("form-action 'self' http://localhost:8000;")
        );
    }
    let dev = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!(dev.status, UserStatus::PasswordExpired);
    choose(&mut browser, &page, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_step_is_done_once_and_not_after_a_quarter_of_an_hour_or_a_suspension() {
    for case in ["done", "late", "suspended", "a newer step"] {
        let house = expired().await;
        let mut browser = house.browser();
        let page = question(&house, &mut browser).await;
        match case {
            "done" => {
                choose(&mut browser, &page, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
            }
            "late" => house.advance(SignedDuration::from_mins(16)),
            "suspended" => put(&house, UserStatus::Suspended).await,
            _ => {
                question(&house, &mut browser).await;
            }
        }
        let before = house.store.password_hash(&user_id("dev")).await.unwrap();
        let late = choose(&mut browser, &page, "yet another one", "yet another one").await;
        assert_eq!(late.status, StatusCode::GONE, "{case}");
        assert!(late.text_of("advice").unwrap().contains("again"), "{case}");
        assert_eq!(house.store.password_hash(&user_id("dev")).await.unwrap(), before, "{case}");
    }
}

#[tokio::test]
async fn a_form_counts_only_from_the_browser_that_it_was_given() {
    let house = expired().await;
    let mut browser = house.browser();
    let page = question(&house, &mut browser).await;
    let mut stranger = house.browser();
    question(&house, &mut house.browser()).await;
    stranger.get(&house.authorize(&[])).await;
    choose(&mut stranger, &page, ANOTHER, ANOTHER).await.expect(StatusCode::FORBIDDEN);
    let fields = [("request", "forged"), ("password", ANOTHER), ("repeated", ANOTHER)];
    browser.post(PATH, &form(&fields, &[])).await.expect(StatusCode::GONE);
    browser.post(PATH, "").await.expect(StatusCode::BAD_REQUEST);
    browser.get(PATH).await.expect(StatusCode::NOT_FOUND);
    // A sign-in page's seal is none of this step's.
    let other = browser.get(&house.authorize(&[])).await;
    choose(&mut browser, &other, ANOTHER, ANOTHER).await.expect(StatusCode::GONE);
}

#[tokio::test]
async fn cancelling_goes_back_to_the_client_and_changes_nothing() {
    let house = expired().await;
    let mut browser = house.browser();
    let page = question(&house, &mut browser).await;
    let fields = [("request", &*page.sealed_request()), ("action", "cancel")];
    let answer = browser.post(PATH, &form(&fields, &[])).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    let dev = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!(dev.status, UserStatus::PasswordExpired);
}

#[tokio::test]
async fn whoever_may_not_use_the_application_chooses_all_the_same_and_is_refused_as_ever() {
    let house = House::new().await;
    let status = UserStatus::PasswordExpired;
    house.change(Change::PutUser(User { status, ..user("outsider", house.clock_now()) })).await;
    let mut browser = house.browser();
    let page = browser.sign_in(&house.authorize(&[]), "outsider@example.com", PASSWORD).await;
    let answer = choose(&mut browser, &page, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.returned("error").as_deref(), Some("access_denied"));
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"));
}

#[tokio::test]
async fn the_password_grant_has_no_such_step() {
    let house = expired().await;
    house.allow(GrantType::Password).await;
    let fields = [
        ("grant_type", "password"),
        ("client_id", house.application.client_id.as_str()),
        ("username", "dev@example.com"),
        ("password", PASSWORD),
        ("scope", SCOPE),
    ];
    let answer = house.browser().post("/oauth2/k8s-auth/v1/token", &form(&fields, &[])).await;
    let (error, description) = answer.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "invalid_grant");
    assert!(description.contains("new password"), "{description}");
}

#[tokio::test]
async fn an_administrators_link_gives_way_to_the_step() {
    let house = expired().await;
    let value = OneTimeTokenValue::generate(&*house.entropy);
    let purpose = OneTimePurpose::PasswordReset;
    let ends = house.clock_now() + purpose.lifetime();
    let token = OneTimeToken { hash: value.hash(), user: user_id("dev"), purpose, ends };
    house.change(Change::PutOneTimeToken(token)).await;
    let link = format!("/reset_password/{}", value.expose());
    let mut browser = house.browser();
    browser.get(&link).await.expect(StatusCode::OK);
    let page = question(&house, &mut browser).await;
    browser.get(&link).await.expect(StatusCode::GONE);
    choose(&mut browser, &page, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_password_that_is_older_than_the_policy_allows_must_be_changed_at_the_sign_in() {
    let mut settings = Settings::default();
    settings.sign_in.passwords.max_age = Some(SignedDuration::from_hours(24 * 90));
    let house = House::with(World { settings, ..World::default() }).await;
    house.sign_in("dev@example.com").await;
    house.advance(SignedDuration::from_hours(24 * 90));
    let mut browser = house.browser();
    let answer = browser.sign_in(&house.authorize(&[]), "dev@example.com", "wrong").await;
    assert_eq!(answer.returned("code"), None);
    let person = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!(person.status, UserStatus::Active, "only whoever knows it learns that it is too old");
    let answer = browser.sign_in(&house.authorize(&[]), "dev@example.com", PASSWORD).await;
    assert_eq!(answer.returned("code"), None, "{}", answer.body);
    assert!(answer.body.contains("expired"), "{}", answer.body);
    let person = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!(person.status, UserStatus::PasswordExpired);
    let trail = house.store.audit_events(10).await.unwrap();
    assert!(trail.iter().any(|event| event.event_type == "user.account.expire_password"), "{trail:?}");
}
