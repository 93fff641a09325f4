//! Somebody's own account: what is listed, what each button ends, and who may press it.

use axum::body::Body;
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{Change, User, UserStatus};
use kubesso_provider::ClientAddress;

use crate::house::{Answer, Browser, House, ORIGIN, PASSWORD, Tokens, form, user, user_id};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
const SAFARI: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26.0 Mobile/15E148 Safari/604.1";

/// Submits the sign-in page of the account, as such a browser from such an address.
async fn sign_in_as(
    browser: &mut Browser,
    page: &Answer,
    fields: &[(&str, &str)],
    (user_agent, address): (&str, &str),
) -> Answer {
    let sealed = page.sealed_request();
    let body = form(&[&[("request", &*sealed)], fields].concat(), &[]);
    let request = Request::post("/account/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, user_agent)
        .extension(ClientAddress(Some(address.parse().unwrap())))
        .body(Body::from(body));
    browser.send(request.unwrap()).await
}

/// A browser in which `login` has signed in to the account.
async fn signed_in(house: &House, login: &str, from: (&str, &str)) -> Browser {
    let mut browser = house.browser();
    let page = browser.get("/account").await.expect(StatusCode::OK);
    let answer = sign_in_as(&mut browser, &page, &[("username", login), ("password", PASSWORD)], from).await;
    assert_eq!(
        answer.expect(StatusCode::SEE_OTHER).location().unwrap().as_str(),
        format!("{ORIGIN}/account")
    );
    browser
}

/// Presses a button a second later, so that what is written down has an order.
async fn press_later(house: &House, browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    house.advance(SignedDuration::from_secs(1));
    press(browser, page, fields).await
}

async fn press(browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let sealed = page.sealed_request();
    browser.post("/account", &form(&[&[("request", &*sealed)], fields].concat(), &[])).await
}

/// The values of all hidden fields of that name.
fn values(page: &Answer, name: &str) -> Vec<String> {
    let mark = format!(r#"name="{name}" value=""#);
    page.body.split(&mark).skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
}

async fn page(browser: &mut Browser) -> Answer {
    browser.get("/account").await.expect(StatusCode::OK)
}

async fn events(house: &House, limit: u32) -> Vec<(String, String)> {
    let events = house.store.audit_events(limit).await.unwrap();
    events.into_iter().map(|event| (event.event_type, event.actor)).collect()
}

#[tokio::test]
async fn the_pages_are_these() {
    let house = House::new().await;
    let mut stranger = house.browser();
    let sign_in = page(&mut stranger).await;
    insta::assert_snapshot!("sign_in", sign_in.essence());
    house.sign_in("dev@example.com").await;
    let _phone = signed_in(&house, "dev@example.com", (SAFARI, "2001:db8::7")).await;
    house.advance(SignedDuration::from_mins(90));
    let mut browser = signed_in(&house, "dev@example.com", (FIREFOX, "192.0.2.7")).await;
    let account = page(&mut browser).await;
    let mut essence = account.essence();
    for name in ["session", "grant"] {
        for value in values(&account, name) {
            essence = essence.replace(&value, "(an id)");
        }
    }
    insta::assert_snapshot!("account", essence);
    for page in [&sign_in, &account] {
        assert!(!page.body.contains("<script") && !page.body.contains("style="), "{}", page.body);
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("form-action 'self';"));
    }
}

#[tokio::test]
async fn the_front_page_leads_there() {
    let house = House::new().await;
    let front = house.browser().get("/").await.expect(StatusCode::OK);
    assert!(front.body.contains(r#"<a href="/account""#), "{}", front.body);
}

#[tokio::test]
async fn signing_in_begins_a_session_with_its_origin_and_is_written_down() {
    let house = House::new().await;
    let browser = signed_in(&house, "outsider@example.com", (FIREFOX, "192.0.2.7")).await;
    assert!(browser.cookies.contains_key("__Host-kubesso-session"), "no application is needed");
    let sessions = house.store.sessions_of(&user_id("outsider")).await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].origin.address, "192.0.2.7".parse().ok());
    assert_eq!(sessions[0].origin.user_agent.as_deref(), Some(FIREFOX));
    assert_eq!(sessions[0].amr, ["pwd"]);
    assert_eq!(events(&house, 1).await, [("user.session.start".to_owned(), "outsider".to_owned())]);
}

#[tokio::test]
async fn whoever_is_not_let_in_reads_the_same_as_at_any_sign_in() {
    let house = House::new().await;
    let suspended = User { status: UserStatus::Suspended, ..user("guest", house.clock_now()) };
    house.change(Change::PutUser(suspended)).await;
    let cases = [
        (
            "dev@example.com",
            "wrong",
            StatusCode::UNPROCESSABLE_ENTITY,
            "The user name or the password is not right.",
        ),
        (
            "nobody@example.com",
            PASSWORD,
            StatusCode::UNPROCESSABLE_ENTITY,
            "The user name or the password is not right.",
        ),
        (
            "guest@example.com",
            PASSWORD,
            StatusCode::FORBIDDEN,
            "This account is suspended. Ask your administrator.",
        ),
    ];
    for (login, password, status, expected) in cases {
        let mut browser = house.browser();
        let first = page(&mut browser).await;
        let fields = [("username", login), ("password", password)];
        let answer = sign_in_as(&mut browser, &first, &fields, (FIREFOX, "192.0.2.7")).await.expect(status);
        assert_eq!(answer.text_of("error").as_deref(), Some(expected), "{login}");
        assert!(!browser.cookies.contains_key("__Host-kubesso-session"), "{login}");
    }
    let mut browser = house.browser();
    let first = page(&mut browser).await;
    let cancelled = sign_in_as(&mut browser, &first, &[("action", "cancel")], (FIREFOX, "192.0.2.7")).await;
    assert_eq!(cancelled.location().unwrap().as_str(), format!("{ORIGIN}/"));
}

#[tokio::test]
async fn each_button_ends_what_it_stands_beside_and_nothing_else() {
    let house = House::new().await;
    let mut others = [
        signed_in(&house, "dev@example.com", (SAFARI, "192.0.2.8")).await,
        signed_in(&house, "dev@example.com", (SAFARI, "192.0.2.9")).await,
    ];
    let mut admin = signed_in(&house, "admin@example.com", (SAFARI, "192.0.2.9")).await;
    let tokens = [house.sign_in("dev@example.com").await, house.sign_in("admin@example.com").await];
    let mut browser = signed_in(&house, "dev@example.com", (FIREFOX, "192.0.2.7")).await;
    let first = page(&mut browser).await;
    let sessions = values(&first, "session");
    // Two others, the one of the application's sign-in, and this one, which stands first.
    assert_eq!(sessions.len(), 4);

    let ended =
        press_later(&house, &mut browser, &first, &[("action", "end-session"), ("session", &sessions[1])])
            .await;
    assert_eq!(ended.expect(StatusCode::SEE_OTHER).location().unwrap().query(), Some("done=session"));
    assert_eq!(events(&house, 1).await, [("user.session.end".to_owned(), "dev".to_owned())]);
    let second = browser.get("/account?done=session").await.expect(StatusCode::OK);
    assert!(second.text_of("done").unwrap().starts_with("The session has ended."));
    assert_eq!(values(&second, "session").len(), 3);

    press_later(&house, &mut browser, &second, &[("action", "end-others")])
        .await
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(events(&house, 1).await, [("user.session.end".to_owned(), "dev".to_owned())]);
    let third = page(&mut browser).await;
    assert_eq!(values(&third, "session"), [sessions[0].clone()]);
    assert!(!third.body.contains(r#"id="end-others""#), "there are none");
    for other in &mut others {
        assert!(page(other).await.body.contains(r#"id="password""#), "has to sign in again");
    }
    assert!(page(&mut admin).await.body.contains("admin@example.com"), "somebody else's session goes on");

    let grants = values(&third, "grant");
    assert_eq!(grants.len(), 1);
    house.refresh(tokens[0].refresh_token(), &[]).await.expect(StatusCode::OK);
    let ended =
        press_later(&house, &mut browser, &third, &[("action", "end-grant"), ("grant", &grants[0])]).await;
    assert_eq!(ended.expect(StatusCode::SEE_OTHER).location().unwrap().query(), Some("done=application"));
    assert_eq!(events(&house, 1).await, [("app.oauth2.as.token.revoke".to_owned(), "dev".to_owned())]);
    house.refresh(tokens[0].refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    house.refresh(tokens[1].refresh_token(), &[]).await.expect(StatusCode::OK);

    let out =
        press_later(&house, &mut browser, &third, &[("action", "end-session"), ("session", &sessions[0])])
            .await;
    assert!(out.expect(StatusCode::OK).body.contains("You are signed out"));
    assert!(!browser.cookies.contains_key("__Host-kubesso-session"));
    assert!(house.store.sessions_of(&user_id("dev")).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_somebody_elses_cannot_be_ended() {
    let house = House::new().await;
    let mut admin = signed_in(&house, "admin@example.com", (SAFARI, "192.0.2.9")).await;
    let tokens: Tokens = house.sign_in("admin@example.com").await;
    let theirs = page(&mut admin).await;
    let mut browser = signed_in(&house, "dev@example.com", (FIREFOX, "192.0.2.7")).await;
    let mine = page(&mut browser).await;
    let (session, grant) = (values(&theirs, "session").remove(0), values(&theirs, "grant").remove(0));
    press(&mut browser, &mine, &[("action", "end-session"), ("session", &session)])
        .await
        .expect(StatusCode::SEE_OTHER);
    press(&mut browser, &mine, &[("action", "end-grant"), ("grant", &grant)])
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(page(&mut admin).await.body.contains("admin@example.com"));
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn only_the_browser_and_the_session_that_got_the_page_can_press_its_buttons() {
    let house = House::new().await;
    let mut browser = signed_in(&house, "dev@example.com", (FIREFOX, "192.0.2.7")).await;
    let mine = page(&mut browser).await;
    let mut other = signed_in(&house, "admin@example.com", (SAFARI, "192.0.2.9")).await;
    let theirs = page(&mut other).await;
    let end = [("action", "end-others")];
    press(&mut browser, &theirs, &end).await.expect(StatusCode::FORBIDDEN);
    press(&mut house.browser(), &mine, &end).await.expect(StatusCode::FORBIDDEN);
    for fields in [&[("request", "nonsense"), end[0]][..], &end] {
        browser.post("/account", &form(fields, &[])).await.expect(StatusCode::FORBIDDEN);
    }
    for fields in [
        &[("action", "nothing")][..],
        &[("action", "end-session")],
        &[("action", "end-grant"), ("grant", "<")],
    ] {
        press(&mut browser, &mine, fields).await.expect(StatusCode::FORBIDDEN);
    }
    let cross_site = Request::post("/account")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "cross-site")
        .body(Body::from(form(&[("request", &*mine.sealed_request()), end[0]], &[])));
    browser.send(cross_site.unwrap()).await.expect(StatusCode::FORBIDDEN);
    // Another session in the same browser: the page is shown anew, and nothing has happened.
    let again = {
        browser.cookies.remove("__Host-kubesso-session");
        let first = page(&mut browser).await;
        let fields = [("username", "guest@example.com"), ("password", PASSWORD)];
        sign_in_as(&mut browser, &first, &fields, (FIREFOX, "192.0.2.7")).await.expect(StatusCode::SEE_OTHER);
        press(&mut browser, &mine, &end).await.expect(StatusCode::SEE_OTHER)
    };
    assert_eq!(again.location().unwrap().query(), None);
    assert_eq!(house.store.sessions_of(&user_id("dev")).await.unwrap().len(), 1);
    house.advance(SignedDuration::from_hours(1));
    press(&mut browser, &mine, &end).await.expect(StatusCode::FORBIDDEN);
}
