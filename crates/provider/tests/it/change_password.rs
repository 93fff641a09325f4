//! Changing one's password, by whoever has signed in.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, User, UserStatus};

use crate::house::{Answer, Browser, House, ORIGIN, PASSWORD, form, user, user_id};

const PATH: &str = "/account/password";
const ANOTHER: &str = "a better battery";

/// A browser in which dev has signed in to change the password.
async fn signed_in(house: &House) -> Browser {
    let mut browser = house.browser();
    let page = browser.get(PATH).await.expect(StatusCode::OK);
    let fields =
        [("request", &*page.sealed_request()), ("username", "dev@example.com"), ("password", PASSWORD)];
    let answer = browser.post("/account/sign-in", &form(&fields, &[])).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(answer.location().unwrap().as_str(), format!("{ORIGIN}{PATH}"), "where one wanted to go");
    browser
}

async fn change(browser: &mut Browser, old: &str, new: &str, repeated: &str) -> Answer {
    let page = browser.get(PATH).await.expect(StatusCode::OK);
    submit(browser, &page, old, new, repeated).await
}

async fn submit(browser: &mut Browser, page: &Answer, old: &str, new: &str, repeated: &str) -> Answer {
    let fields =
        [("request", &*page.sealed_request()), ("old", old), ("password", new), ("repeated", repeated)];
    browser.post(PATH, &form(&fields, &[])).await
}

#[tokio::test]
async fn the_pages_are_these() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    let page = browser.get(PATH).await.expect(StatusCode::OK);
    let wrong =
        change(&mut browser, "wrong", ANOTHER, ANOTHER).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let short = change(&mut browser, PASSWORD, "x", "x").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    for (name, page) in [("form", page), ("wrong", wrong), ("short", short)] {
        insta::assert_snapshot!(name, page.essence());
        assert!(!page.body.contains("<script") && !page.body.contains("style="), "{}", page.body);
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("form-action 'self';"));
    }
}

#[tokio::test]
async fn the_new_password_is_in_force_and_only_this_browser_stays_signed_in() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let theirs = house.sign_in("admin@example.com").await;
    let mut other = signed_in(&house).await;
    let mut browser = signed_in(&house).await;
    house.advance(SignedDuration::from_secs(1));
    let answer = change(&mut browser, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
    let account = browser.get(&answer.location().unwrap()[url::Position::BeforePath..]).await;
    assert!(account.text_of("done").unwrap().starts_with("Your password is changed."));
    assert!(other.get("/account").await.body.contains(r#"id="sign-in""#), "the other browser is out");
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    house.refresh(theirs.refresh_token(), &[]).await.expect(StatusCode::OK);
    let dev = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!((dev.password_changed, dev.last_updated), (Some(house.clock_now()), house.clock_now()));
    let event = house.store.audit_events(1).await.unwrap().remove(0);
    assert_eq!(
        (event.event_type.as_str(), event.actor.as_str(), event.target.as_deref()),
        ("user.account.update_password", "dev", Some("dev"))
    );
    let authorize = house.authorize(&[]);
    let mut next = house.browser();
    next.sign_in(&authorize, "dev@example.com", PASSWORD).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    next.sign_in(&authorize, "dev@example.com", ANOTHER).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_is_not_taken_says_why_and_changes_nothing() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    let cases = [
        ("wrong", ANOTHER, ANOTHER, "The present password is not right."),
        ("", ANOTHER, ANOTHER, "The present password is not right."),
        (PASSWORD, PASSWORD, PASSWORD, "Choose another password: this is the one that you have."),
        (PASSWORD, ANOTHER, "a better batterz", "The two passwords are not the same. Type both once more."),
        (
            PASSWORD,
            "short",
            "short",
            "Choose another password: the password must have at least 8 characters.",
        ),
    ];
    for (old, new, repeated, expected) in cases {
        let page = change(&mut browser, old, new, repeated).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(page.text_of("error").as_deref(), Some(expected));
        assert!(!page.body.contains(PASSWORD) && !page.body.contains(ANOTHER), "no password comes back");
    }
    assert!(
        house
            .store
            .audit_events(9)
            .await
            .unwrap()
            .iter()
            .all(|event| event.event_type != "user.account.update_password")
    );
    change(&mut browser, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn whoever_guesses_the_present_password_waits_as_at_a_sign_in() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    for _ in 0..5 {
        change(&mut browser, "wrong", ANOTHER, ANOTHER).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = change(&mut browser, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(page.text_of("error").as_deref(), Some("Too many attempts. Try again in 1 second."));
    assert_eq!(page.header("retry-after"), "1");
    house.advance(SignedDuration::from_secs(1));
    change(&mut browser, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn only_the_browser_and_the_session_that_got_the_page_can_submit_it() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    let page = browser.get(PATH).await.expect(StatusCode::OK);
    submit(&mut house.browser(), &page, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::FORBIDDEN);
    let mut other = signed_in(&house).await;
    submit(&mut other, &page, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::FORBIDDEN);
    let account = browser.get("/account").await.expect(StatusCode::OK);
    submit(&mut browser, &account, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::FORBIDDEN);
    let suspended = User { status: UserStatus::Suspended, ..user("dev", house.clock_now()) };
    house.change(Change::PutUser(suspended)).await;
    let sign_in = submit(&mut browser, &page, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::OK);
    assert!(sign_in.body.contains(r#"id="sign-in""#), "has no session any more");
}

#[tokio::test]
async fn what_attackers_try_first_is_refused_with_the_reason() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    for (new, why) in [
        ("iloveyou1", "This is a very common password."),
        ("aaaaaaaaaa", "Repeats like"),
        ("kubernetes", "Add another word or two."),
    ] {
        let page = change(&mut browser, PASSWORD, new, new).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let error = page.text_of("error").unwrap();
        assert!(error.starts_with("Choose another password: the password is easy to guess. "), "{error}");
        assert!(error.contains(why), "{new}: {error}");
    }
}

#[tokio::test]
async fn none_of_the_last_five_is_taken_again() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    let names = ["one", "two", "three", "four", "five"].map(|name| format!("a better battery {name}"));
    let mut present = PASSWORD.to_owned();
    for new in &names {
        change(&mut browser, &present, new, new).await.expect(StatusCode::SEE_OTHER);
        house.advance(SignedDuration::from_secs(1));
        present.clone_from(new);
    }
    let used = "Choose another password: the password was used before, and the last 5 are not taken again.";
    for old in &names[..4] {
        let page = change(&mut browser, &present, old, old).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(page.text_of("error").as_deref(), Some(used), "{old}");
    }
    change(&mut browser, &present, PASSWORD, PASSWORD).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn old_passwords_are_not_found_out_by_trying_them() {
    let house = House::new().await;
    let mut browser = signed_in(&house).await;
    change(&mut browser, PASSWORD, ANOTHER, ANOTHER).await.expect(StatusCode::SEE_OTHER);
    for _ in 0..5 {
        change(&mut browser, ANOTHER, PASSWORD, PASSWORD).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = change(&mut browser, ANOTHER, PASSWORD, PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(page.text_of("error").as_deref(), Some("Too many attempts. Try again in 1 second."));
    house.advance(SignedDuration::from_secs(1));
    let third = "another battery altogether";
    change(&mut browser, ANOTHER, third, third).await.expect(StatusCode::SEE_OTHER);
}
