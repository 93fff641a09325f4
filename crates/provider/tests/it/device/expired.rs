//! Signing in for a device with a password that has expired.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, User, UserStatus};

use super::{Device, house, press, sign_in};
use crate::house::{Answer, Browser, House, form, user, user_id};

const PATH: &str = "/sign-in/password";
const ANOTHER: &str = "a better battery";

/// A house in which `name`'s password has expired.
async fn expired(name: &str) -> House {
    let house = house().await;
    let expired = User { status: UserStatus::PasswordExpired, ..user(name, house.clock_now()) };
    house.change(Change::PutUser(expired)).await;
    house
}

async fn submit(browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let sealed = page.sealed_request();
    browser.post(PATH, &form(&[&[("request", &*sealed)], fields].concat(), &[])).await
}

#[tokio::test]
async fn another_password_is_chosen_there_and_the_device_goes_on() {
    let house = expired("dev").await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let page = sign_in(&mut browser, device.link(), "dev@example.com").await.expect(StatusCode::OK);
    insta::assert_snapshot!("expired", page.essence());
    assert!(page.header("content-security-policy").contains("form-action 'self';"));
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"), "nobody has signed in");
    for (password, repeated) in
        [("short", "short"), (ANOTHER, "another"), (crate::house::PASSWORD, crate::house::PASSWORD)]
    {
        let fields = [("password", password), ("repeated", repeated)];
        submit(&mut browser, &page, &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let chosen = submit(&mut browser, &page, &[("password", ANOTHER), ("repeated", ANOTHER)]).await;
    let next = chosen.expect(StatusCode::SEE_OTHER).location().unwrap();
    let question = browser.get(&next[url::Position::BeforePath..]).await.expect(StatusCode::OK);
    assert_eq!(question.text_of("code").as_deref(), Some(device.user_code()));
    press(&mut browser, &question, "allow").await.expect(StatusCode::OK);
    assert_eq!(device.tokens().await.claims()["sub"], "dev");
    assert_eq!(house.store.user(&user_id("dev")).await.unwrap().unwrap().status, UserStatus::Active);
}

#[tokio::test]
async fn whoever_may_not_use_the_device_is_refused_afterwards_as_ever() {
    let house = expired("outsider").await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let page = sign_in(&mut browser, device.link(), "outsider@example.com").await.expect(StatusCode::OK);
    let refused = submit(&mut browser, &page, &[("password", ANOTHER), ("repeated", ANOTHER)]).await;
    assert!(refused.expect(StatusCode::FORBIDDEN).text_of("error").unwrap().contains("not assigned"));
    let (error, _) = device.poll(&[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "access_denied");
}

#[tokio::test]
async fn cancelling_allows_nothing_and_a_code_that_ended_says_so() {
    let house = expired("dev").await;
    let device = Device::new(&house).await;
    let mut browser = house.browser();
    let page = sign_in(&mut browser, device.link(), "dev@example.com").await.expect(StatusCode::OK);
    let cancelled = submit(&mut browser, &page, &[("action", "cancel")]).await.expect(StatusCode::OK);
    assert_eq!(cancelled.text_of("done").as_deref(), Some("Nothing was allowed"));
    let (error, _) = device.poll(&[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "authorization_pending");
    house.advance(SignedDuration::from_mins(15));
    let late = submit(&mut browser, &page, &[("password", ANOTHER), ("repeated", ANOTHER)]).await;
    assert!(late.expect(StatusCode::GONE).body.contains("start on your device"));
    assert_eq!(house.store.user(&user_id("dev")).await.unwrap().unwrap().status, UserStatus::PasswordExpired);
}
