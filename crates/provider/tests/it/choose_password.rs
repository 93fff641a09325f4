//! Choosing a password with a link.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::password::{Password, PasswordHasher, Verification};
use kubesso_directory::{Change, OneTimePurpose, OneTimeToken, OneTimeTokenValue, User, UserStatus};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::house::{Answer, Browser, House, ORIGIN, PASSWORD, form, user, user_id};

const ANOTHER: &str = "a better battery";

const PURPOSES: [(OneTimePurpose, &str, UserStatus); 2] = [
    (OneTimePurpose::Activation, "/welcome", UserStatus::Provisioned),
    (OneTimePurpose::PasswordReset, "/reset_password", UserStatus::Recovery),
];

/// Gives dev that status.
async fn put(house: &House, status: UserStatus) {
    let dev = User { status, activated: None, ..user("dev", house.clock_now()) };
    house.change(Change::PutUser(dev)).await;
}

/// A link of dev's, as the management API makes it.
async fn link(house: &House, purpose: OneTimePurpose, directory: &str) -> String {
    let value = OneTimeTokenValue::generate(&*house.entropy);
    let ends = house.clock_now() + purpose.lifetime();
    let token = OneTimeToken { hash: value.hash(), user: user_id("dev"), purpose, ends };
    house.change(Change::PutOneTimeToken(token)).await;
    format!("{directory}/{}", value.expose())
}

/// A house in which dev has a link to choose another password.
async fn reset() -> (House, String) {
    let house = House::new().await;
    put(&house, UserStatus::Recovery).await;
    let link = link(&house, OneTimePurpose::PasswordReset, "/reset_password").await;
    (house, link)
}

async fn choose(browser: &mut Browser, link: &str, page: &Answer, password: &str, repeated: &str) -> Answer {
    let fields = [("request", &*page.sealed_request()), ("password", password), ("repeated", repeated)];
    browser.post(link, &form(&fields, &[])).await
}

/// Opens the link and chooses.
async fn open_and_choose(house: &House, link: &str, password: &str) -> Answer {
    let mut browser = house.browser();
    let page = browser.get(link).await.expect(StatusCode::OK);
    choose(&mut browser, link, &page, password, password).await
}

async fn status(house: &House) -> UserStatus {
    house.store.user(&user_id("dev")).await.unwrap().unwrap().status
}

async fn has(house: &House, password: &str) -> bool {
    let hash = house.store.password_hash(&user_id("dev")).await.unwrap();
    PasswordHasher::default().verify(&Password::new(password), hash.as_ref()) == Verification::Right
}

#[tokio::test]
async fn the_pages_are_these() {
    for (purpose, directory, before) in PURPOSES {
        let house = House::new().await;
        put(&house, before).await;
        let link = link(&house, purpose, directory).await;
        let mut browser = house.browser();
        let page = browser.get(&link).await.expect(StatusCode::OK);
        let bad = choose(&mut browser, &link, &page, "short", "short").await;
        let done = choose(&mut browser, &link, &page, ANOTHER, ANOTHER).await.expect(StatusCode::OK);
        let gone = browser.get(&link).await.expect(StatusCode::GONE);
        for (name, page) in [("form", page), ("bad", bad), ("done", done), ("gone", gone)] {
            let name = format!("{}_{name}", directory.trim_start_matches('/'));
            insta::assert_snapshot!(name.as_str(), page.essence().replace(&link, "(the link)"));
            assert!(!page.body.contains("<script") && !page.body.contains("style="), "{}", page.body);
            assert_eq!(page.header("cache-control"), "no-store", "{name}");
            assert_eq!(page.header("referrer-policy"), "no-referrer", "{name}");
            let policy = page.header("content-security-policy");
            assert!(policy.contains("form-action 'self';"), "{name}: {policy}");
        }
    }
}

#[tokio::test]
async fn choosing_sets_the_password_activates_ends_what_was_begun_before_and_is_written_down() {
    for (purpose, directory, before) in PURPOSES {
        let house = House::new().await;
        let tokens = refresh_token(&house).await;
        put(&house, before).await;
        let link = link(&house, purpose, directory).await;
        house.advance(SignedDuration::from_secs(1));
        open_and_choose(&house, &link, ANOTHER).await.expect(StatusCode::OK);
        let dev = house.store.user(&user_id("dev")).await.unwrap().unwrap();
        assert_eq!(dev.status, UserStatus::Active);
        assert_eq!(dev.password_changed, Some(house.clock_now()));
        assert!(dev.activated.is_some());
        assert!(has(&house, ANOTHER).await);
        assert!(house.store.sessions_of(&dev.id).await.unwrap().is_empty());
        house.refresh(&tokens, &[]).await.expect(StatusCode::BAD_REQUEST);
        let events = house.store.audit_events(2).await.unwrap();
        let mut found: Vec<_> = events
            .iter()
            .filter(|event| event.published == house.clock_now())
            .map(|event| (event.event_type.as_str(), event.actor.as_str(), event.target.as_deref()))
            .collect();
        found.sort_unstable();
        let expected = [
            ("user.account.update_password", "dev", Some("dev")),
            ("user.lifecycle.activate", "dev", Some("dev")),
        ];
        let is_new = purpose == OneTimePurpose::Activation;
        assert_eq!(found, expected[..if is_new { 2 } else { 1 }], "{directory}");
        let mut browser = house.browser();
        let authorize = house.authorize(&[]);
        browser
            .sign_in(&authorize, "dev@example.com", PASSWORD)
            .await
            .expect(StatusCode::UNPROCESSABLE_ENTITY);
        browser.sign_in(&authorize, "dev@example.com", ANOTHER).await.expect(StatusCode::SEE_OTHER);
    }
}

/// A refresh token of dev's.
async fn refresh_token(house: &House) -> String {
    house.sign_in("dev@example.com").await.refresh_token().to_owned()
}

#[tokio::test]
async fn a_password_that_is_not_taken_leaves_the_link_good() {
    let (house, link) = reset().await;
    let mut browser = house.browser();
    let page = browser.get(&link).await.expect(StatusCode::OK);
    let other = house.store.user(&user_id("admin")).await.unwrap().unwrap();
    for (password, repeated, expected) in [
        ("", "", "Choose another password: the password must have at least 8 characters."),
        ("1234567", "1234567", "Choose another password: the password must have at least 8 characters."),
        (
            &"x".repeat(1025),
            &"x".repeat(1025),
            "Choose another password: the password must have at most 1024 bytes.",
        ),
        (ANOTHER, "a better batterie", "The two passwords are not the same. Type both once more."),
        (ANOTHER, "", "The two passwords are not the same. Type both once more."),
    ] {
        let answer = choose(&mut browser, &link, &page, password, repeated).await;
        let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.text_of("error").as_deref(), Some(expected), "{password}");
        assert!(password.is_empty() || !answer.body.contains(&format!("\"{password}\"")), "{}", answer.body);
        assert_eq!(answer.text_of("login").as_deref(), Some("dev@example.com"));
    }
    assert!(has(&house, PASSWORD).await && status(&house).await == UserStatus::Recovery);
    choose(&mut browser, &link, &page, ANOTHER, ANOTHER).await.expect(StatusCode::OK);
    assert_eq!(house.store.user(&other.id).await.unwrap(), Some(other), "nobody else is touched");
}

#[tokio::test]
async fn the_name_of_the_login_must_not_stand_in_the_password_and_the_page_says_so() {
    let (house, _) = reset().await;
    let admin = User { status: UserStatus::Recovery, ..user("admin", house.clock_now()) };
    house.change(Change::PutUser(admin)).await;
    let value = OneTimeTokenValue::generate(&*house.entropy);
    let purpose = OneTimePurpose::PasswordReset;
    let ends = house.clock_now() + purpose.lifetime();
    let token = OneTimeToken { hash: value.hash(), user: user_id("admin"), purpose, ends };
    house.change(Change::PutOneTimeToken(token)).await;
    let link = format!("/reset_password/{}", value.expose());
    let mut browser = house.browser();
    let page = browser.get(&link).await.expect(StatusCode::OK);
    assert_eq!(
        page.text_of("rule").as_deref(),
        Some("At least 8 characters and at most 1024 bytes, not easy to guess, and without “admin” in it.")
    );
    let answer = choose(&mut browser, &link, &page, "I am Admin!", "I am Admin!").await;
    let expected = "Choose another password: the password must not contain the login&#39;s name.";
    assert_eq!(answer.text_of("error").as_deref(), Some(expected));
}

#[tokio::test]
async fn a_link_works_once_for_its_purpose_for_its_time_and_for_those_whom_it_fits() {
    let house = House::new().await;
    let (activation, reset) = (OneTimePurpose::Activation, OneTimePurpose::PasswordReset);
    let minute = SignedDuration::from_mins(1);
    for (purpose, directory, before, later, works) in [
        (activation, "/welcome", UserStatus::Provisioned, activation.lifetime() - minute, true),
        (activation, "/welcome", UserStatus::Provisioned, activation.lifetime() + minute, false),
        (reset, "/reset_password", UserStatus::Recovery, reset.lifetime() - minute, true),
        (reset, "/reset_password", UserStatus::Recovery, reset.lifetime() + minute, false),
        (reset, "/reset_password", UserStatus::PasswordExpired, minute, true),
        (activation, "/reset_password", UserStatus::Provisioned, minute, false),
        (reset, "/welcome", UserStatus::Recovery, minute, false),
        (reset, "/reset_password", UserStatus::Active, minute, false),
        (reset, "/reset_password", UserStatus::Suspended, minute, false),
        (reset, "/reset_password", UserStatus::LockedOut, minute, false),
        (activation, "/welcome", UserStatus::Staged, minute, false),
        (activation, "/welcome", UserStatus::Deprovisioned, minute, false),
    ] {
        put(&house, before).await;
        let link = link(&house, purpose, directory).await;
        house.advance(later);
        let case = format!("{link} {before:?} {later:#}");
        let mut browser = house.browser();
        for _ in 0..2 {
            let answer = browser.get(&link).await;
            assert_eq!(answer.status, if works { StatusCode::OK } else { StatusCode::GONE }, "{case}");
            if !works {
                assert!(answer.body.contains("This link does not work any more"), "{case}");
                assert!(answer.text_of("advice").unwrap().contains("administrator"), "{case}");
            }
        }
        if works {
            open_and_choose(&house, &link, &format!("password after {before:?}"))
                .await
                .expect(StatusCode::OK);
            browser.get(&link).await.expect(StatusCode::GONE);
        }
    }
    for nothing in ["/welcome/x", "/reset_password/x", &format!("/welcome/{}", "x".repeat(43))] {
        house.browser().get(nothing).await.expect(StatusCode::GONE);
    }
}

#[tokio::test]
async fn who_was_suspended_or_got_another_link_while_the_page_was_open_is_refused() {
    for newer in [false, true] {
        let (house, old) = reset().await;
        let mut browser = house.browser();
        let page = browser.get(&old).await.expect(StatusCode::OK);
        if newer {
            link(&house, OneTimePurpose::PasswordReset, "/reset_password").await;
        } else {
            put(&house, UserStatus::Suspended).await;
        }
        let before = status(&house).await;
        choose(&mut browser, &old, &page, ANOTHER, ANOTHER).await.expect(StatusCode::GONE);
        assert_eq!(status(&house).await, before);
        assert!(has(&house, PASSWORD).await);
    }
}

#[tokio::test]
async fn of_two_that_choose_at_once_exactly_one_does() {
    let (house, link) = reset().await;
    let mut first = house.browser();
    let mut second = first.clone();
    let first_page = first.get(&link).await;
    let second_page = second.get(&link).await;
    let (one, two) = tokio::join!(
        choose(&mut first, &link, &first_page, ANOTHER, ANOTHER),
        choose(&mut second, &link, &second_page, "the other one", "the other one"),
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::GONE]);
    assert_eq!(has(&house, ANOTHER).await, one.status == StatusCode::OK);
    assert_eq!(has(&house, "the other one").await, two.status == StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_the_store_does_not_write_leaves_the_link_good() {
    let (house, link) = reset().await;
    let file = house.directory.path().join("directory.db");
    let mut database = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let trigger =
        "CREATE TRIGGER refuse BEFORE UPDATE OF password ON users BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::query(trigger).execute(&mut database).await.unwrap();
    let mut browser = house.browser();
    let page = browser.get(&link).await;
    let answer = choose(&mut browser, &link, &page, ANOTHER, ANOTHER).await;
    answer.expect(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(status(&house).await, UserStatus::Recovery, "nothing of the batch is written");
    sqlx::query("DROP TRIGGER refuse").execute(&mut database).await.unwrap();
    choose(&mut browser, &link, &page, ANOTHER, ANOTHER).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_form_counts_only_from_the_browser_the_page_and_the_link_that_it_is_of() {
    let (house, link) = reset().await;
    let mut mine = house.browser();
    let page = mine.get(&link).await;
    let mut stranger = house.browser();
    stranger.get(&link).await;
    choose(&mut stranger, &link, &page, ANOTHER, ANOTHER).await.expect(StatusCode::FORBIDDEN);
    let fields = [("request", "forged"), ("password", ANOTHER), ("repeated", ANOTHER)];
    mine.post(&link, &form(&fields, &[])).await.expect(StatusCode::FORBIDDEN);
    mine.post(&link, &form(&fields, &["request"])).await.expect(StatusCode::FORBIDDEN);
    for (origin, expected) in [("https://evil.example", StatusCode::FORBIDDEN), (ORIGIN, StatusCode::OK)] {
        let fields = [("request", &*page.sealed_request()), ("password", ANOTHER), ("repeated", ANOTHER)];
        let request = Request::post(&link)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, origin)
            .body(form(&fields, &[]).into());
        mine.send(request.unwrap()).await.expect(expected);
    }
    put(&house, UserStatus::Recovery).await;
    let next = self::link(&house, OneTimePurpose::PasswordReset, "/reset_password").await;
    choose(&mut mine, &next, &page, ANOTHER, ANOTHER).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_page_that_lay_open_for_too_long_is_shown_again_while_the_link_is_good() {
    let house = House::new().await;
    put(&house, UserStatus::Provisioned).await;
    let link = link(&house, OneTimePurpose::Activation, "/welcome").await;
    let mut browser = house.browser();
    let page = browser.get(&link).await;
    house.advance(SignedDuration::from_hours(2));
    let again = choose(&mut browser, &link, &page, ANOTHER, ANOTHER).await;
    let again = again.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text_of("error").unwrap().contains("more than an hour"));
    choose(&mut browser, &link, &again, ANOTHER, ANOTHER).await.expect(StatusCode::OK);
}
