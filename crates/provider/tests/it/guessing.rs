//! Guessing: that the answers tell nothing, and that it is slowed down and noted.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, Outcome, User, UserStatus};

use crate::house::{Answer, House, PASSWORD, user, user_id};

/// Another login for each status, all of people whose password is [`PASSWORD`].
async fn a_house_of_every_status() -> House {
    let house = House::new().await;
    let hash = house.store.password_hash(&user_id("dev")).await.unwrap().unwrap();
    for status in UserStatus::ALL {
        let name = status.as_str().to_lowercase().replace('_', "-");
        house.change(Change::PutUser(User { status, ..user(&name, house.clock_now()) })).await;
        house.change(Change::SetPassword(user_id(&name), hash.clone())).await;
    }
    house.change(Change::PutUser(user("passwordless", house.clock_now()))).await;
    house
}

fn logins() -> Vec<String> {
    let statuses = UserStatus::ALL.map(|status| status.as_str().to_lowercase().replace('_', "-"));
    statuses
        .into_iter()
        .chain(["nobody", "passwordless"].map(str::to_owned))
        .map(|name| format!("{name}@example.com"))
        .collect()
}

/// What can be told apart: all but what was typed, and what differs from page to page.
fn told(answer: &Answer, login: &str) -> (StatusCode, Vec<String>, String) {
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort_unstable();
    (answer.status, names, answer.body.replace(&answer.sealed_request(), "").replace(login, ""))
}

#[tokio::test]
async fn until_the_right_password_comes_every_account_and_none_is_answered_alike() {
    let house = a_house_of_every_status().await;
    for path in [house.authorize(&[]), "/account".to_owned()] {
        let mut answers = Vec::new();
        for login in logins() {
            let mut browser = house.browser();
            let page = browser.get(&path).await.expect(StatusCode::OK);
            let fields = [("request", &*page.sealed_request()), ("username", &*login), ("password", "wrong")];
            let to = if path == "/account" { "/account/sign-in" } else { "/sign-in" };
            let answer = browser.post(to, &crate::house::form(&fields, &[])).await;
            answers.push(told(&answer, &login));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{path}: {answers:#?}");
        assert_eq!(answers[0].0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn every_account_and_none_has_to_wait_alike() {
    let house = a_house_of_every_status().await;
    for login in logins() {
        let mut browser = house.browser();
        let mut page = browser.get(&house.authorize(&[])).await;
        for _ in 0..5 {
            page = browser.submit(&page, &login, "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        }
        let wait = browser.submit(&page, &login, PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(
            wait.text_of("error").as_deref(),
            Some("Too many attempts. Try again in 1 second."),
            "{login}"
        );
    }
}

#[tokio::test]
async fn the_work_of_a_wrong_password_is_done_for_every_account_and_for_none() {
    let house = a_house_of_every_status().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    let mut took = Vec::new();
    for login in logins() {
        // The quickest of three: other tests run at the same time.
        let mut quickest = std::time::Duration::MAX;
        for _ in 0..3 {
            let began = std::time::Instant::now();
            browser.submit(&page, &login, "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
            quickest = quickest.min(began.elapsed());
        }
        took.push(quickest);
    }
    let hashing = std::time::Duration::from_millis(2);
    assert!(took.iter().all(|took| *took > hashing), "somebody was answered without hashing: {took:?}");
}

/// The entries about guessing, once all that is being written is there.
async fn notes(house: &House) -> Vec<(String, Outcome, String)> {
    for _ in 0..50 {
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let events = house.store.audit_events(100).await.unwrap();
    let events = events.into_iter().filter(|event| event.event_type == "user.account.lock");
    events.map(|event| (event.target.unwrap(), event.outcome, event.message)).collect()
}

/// Fails `times` times, waiting as long as is asked for.
async fn fail(house: &House, login: &str, times: u32) {
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    for _ in 0..times {
        let answer = browser.submit(&page, login, "wrong").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = answer.header("retry-after").parse().unwrap();
            house.advance(SignedDuration::from_secs(seconds));
            browser.submit(&page, login, "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}

#[tokio::test]
async fn ten_failures_in_a_row_are_noted_once_and_lock_nobody_out() {
    let house = House::new().await;
    fail(&house, "dev@example.com", 9).await;
    assert_eq!(notes(&house).await, []);
    fail(&house, "nobody@example.com", 12).await;
    assert_eq!(notes(&house).await, [], "there is no such account");
    fail(&house, "dev@example.com", 5).await;
    let noted = (
        "dev".to_owned(),
        Outcome::Failure,
        "10 wrong passwords in a row: each further one has to wait".to_owned(),
    );
    assert_eq!(notes(&house).await, std::slice::from_ref(&noted));
    let dev = house.store.user(&user_id("dev")).await.unwrap().unwrap();
    assert_eq!(dev.status, UserStatus::Active, "whoever guesses must not keep the person out");
    house.advance(SignedDuration::from_secs(60));
    house.sign_in("dev@example.com").await;
    fail(&house, "dev@example.com", 10).await;
    assert_eq!(notes(&house).await, [noted.clone(), noted], "another row");
}
