//! The password grant.

use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use kubesso_directory::{Change, GrantType, Outcome, Status, UserStatus};

use crate::house::{Answer, House, PASSWORD, SCOPE, Tokens, form, rule, user, user_id};

const TOKEN: &str = "/oauth2/k8s-auth/v1/token";

fn request(house: &House, changes: &[&str]) -> String {
    let fields = [
        ("grant_type", "password"),
        ("client_id", house.application.client_id.as_str()),
        ("username", "dev@example.com"),
        ("password", PASSWORD),
        ("scope", SCOPE),
    ];
    form(&fields, changes)
}

async fn ask(house: &House, changes: &[&str]) -> Answer {
    house.browser().post(TOKEN, &request(house, changes)).await
}

async fn allowed() -> House {
    let house = House::new().await;
    house.allow(GrantType::Password).await;
    house
}

#[tokio::test]
async fn a_login_and_a_password_give_tokens_without_a_nonce() {
    let house = allowed().await;
    let answer = ask(&house, &["+nonce=n", "+claims=x"]).await.expect(StatusCode::OK);
    let tokens = Tokens(answer.json());
    assert_eq!(tokens.0["scope"], SCOPE);
    let claims = tokens.claims();
    assert_eq!((&claims["sub"], &claims["groups"][0]), (&"dev".into(), &"k8s-restricted-users".into()));
    assert_eq!((&claims["amr"][0], claims["auth_time"].as_i64()), (&"pwd".into(), Some(1_795_334_400)));
    assert!(!claims.contains_key("nonce"));
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!((event.actor.as_str(), event.outcome), ("dev", Outcome::Success));
}

#[tokio::test]
async fn what_comes_depends_on_the_scope() {
    let house = allowed().await;
    for (scope, id_token, refresh_token) in
        [("openid", true, false), ("profile", false, false), ("openid offline_access", true, true)]
    {
        let answer = ask(&house, &[&format!("scope={scope}")]).await.expect(StatusCode::OK).json();
        assert_eq!(answer.get("id_token").is_some(), id_token, "{scope}");
        assert_eq!(answer.get("refresh_token").is_some(), refresh_token, "{scope}");
    }
}

#[tokio::test]
async fn it_is_off_unless_the_application_lists_it_and_a_rule_allows_it() {
    let house = House::new().await;
    assert_eq!(ask(&house, &[]).await.expect(StatusCode::BAD_REQUEST).error().0, "unauthorized_client");
    let mut application = house.application.clone();
    application.grant_types.insert(GrantType::Password);
    house.change(Change::PutApplication(application)).await;
    // A wrong password and a right one are told the same: nobody tries passwords where no rule allows it.
    for password in ["password=wrong", &format!("password={PASSWORD}")] {
        let (error, description) = ask(&house, &[password]).await.expect(StatusCode::BAD_REQUEST).error();
        assert_eq!(error, "invalid_grant", "{password}");
        assert!(description.starts_with("No access policy"), "{description}");
    }
    let discovery = "/oauth2/k8s-auth/.well-known/openid-configuration";
    let listed = async || {
        let document = house.browser().get(discovery).await.json();
        document["grant_types_supported"].as_array().unwrap().contains(&"password".into())
    };
    assert!(!listed().await);
    house.allow(GrantType::Password).await;
    assert!(listed().await);
    ask(&house, &[]).await.expect(StatusCode::OK);
    let mut inactive = rule(kubesso_directory::Lifetimes::default(), house.clock_now());
    inactive.grant_types.insert(GrantType::Password);
    inactive.status = Status::Inactive;
    house.change(Change::PutRule(inactive)).await;
    assert!(!listed().await);
}

#[tokio::test]
async fn each_refusal_has_its_error_and_tells_no_more_than_the_page_does() {
    let house = allowed().await;
    for (changes, error, description) in [
        (&["password=wrong"][..], "invalid_grant", "The user name or the password is not right."),
        (&["username=nobody@example.com"], "invalid_grant", "The user name or the password is not right."),
        (&["username=no login"], "invalid_grant", "The user name or the password is not right."),
        (
            &["username=outsider@example.com"],
            "invalid_grant",
            "User is not assigned to the client application.",
        ),
        (&["username"], "invalid_request", "The parameter username is missing."),
        (&["password"], "invalid_request", "The parameter password is missing."),
        (&["+username=x"], "invalid_request", "The parameter username is given more than once."),
        (&["scope=openid admin"], "invalid_scope", "The authorization server k8s-auth has no scope admin."),
        (&["client_id=nobody"], "invalid_client", "There is no such client, or it is deactivated."),
    ] {
        let answer = ask(&house, changes).await;
        assert_eq!(answer.error(), (error.to_owned(), description.to_owned()), "{changes:?}");
        let status =
            if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.expect(status).header("cache-control"), "no-store", "{changes:?}");
    }
}

#[tokio::test]
async fn only_the_active_get_tokens_and_the_others_are_told_why_once_their_password_is_right() {
    let house = allowed().await;
    for status in UserStatus::ALL {
        let mut dev = user("dev", house.clock_now());
        dev.status = status;
        house.change(Change::PutUser(dev)).await;
        let wrong = ask(&house, &["password=wrong"]).await.error();
        assert_eq!(wrong.1, "The user name or the password is not right.", "{status:?}");
        let right = ask(&house, &[]).await;
        if status == UserStatus::Active {
            right.expect(StatusCode::OK);
        } else {
            let (error, description) = right.error();
            assert_eq!(error, "invalid_grant", "{status:?}");
            assert!(description.contains("administrator"), "{status:?}: {description}");
        }
        house.advance(SignedDuration::from_mins(16));
    }
}

#[tokio::test]
async fn attempts_count_with_those_of_the_sign_in_page() {
    let house = allowed().await;
    let mut browser = house.browser();
    let page = browser.get(&house.authorize(&[])).await;
    for _ in 0..3 {
        browser.submit(&page, "dev@example.com", "wrong").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    for _ in 0..2 {
        ask(&house, &["password=wrong"]).await.expect(StatusCode::BAD_REQUEST);
    }
    // Even with the right password.
    let (error, description) = ask(&house, &[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(
        (error.as_str(), description.as_str()),
        ("invalid_grant", "Too many attempts. Try again in 1 second.")
    );
    browser.submit(&page, "dev@example.com", PASSWORD).await.expect(StatusCode::TOO_MANY_REQUESTS);
    house.advance(SignedDuration::from_secs(1));
    ask(&house, &[]).await.expect(StatusCode::OK);
    ask(&house, &["password=wrong"]).await.expect(StatusCode::BAD_REQUEST);
    ask(&house, &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn one_network_that_tries_many_logins_is_slowed_down() {
    let house = allowed().await;
    let mut answers = Vec::new();
    for number in 0..51 {
        let body = request(&house, &[&format!("username=user-{number}@example.com")]);
        let request = Request::post(TOKEN)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(kubesso_provider::ClientAddress(Some("192.0.2.1".parse().unwrap())))
            .body(body.into());
        answers.push(house.browser().send(request.unwrap()).await.error().1);
    }
    assert_eq!(answers[49], "The user name or the password is not right.");
    assert!(answers[50].starts_with("Too many attempts."), "{}", answers[50]);
}

#[tokio::test]
async fn refreshing_is_judged_by_the_password_grant() {
    let house = allowed().await;
    let tokens = Tokens(ask(&house, &[]).await.expect(StatusCode::OK).json());
    let refreshed = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    assert_eq!(refreshed.claims()["auth_time"], tokens.claims()["auth_time"]);
    // The rule of the authorization code is not enough any more.
    house.change(Change::PutRule(rule(kubesso_directory::Lifetimes::default(), house.clock_now()))).await;
    let refused = house.refresh(refreshed.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.error().0, "invalid_grant");
    house.sign_in("dev@example.com").await;
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_gave() {
    let house = allowed().await;
    let tokens = Tokens(ask(&house, &[]).await.expect(StatusCode::OK).json());
    house.change(Change::EndGrants(user_id("dev"))).await;
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    let request = Request::get("/oauth2/k8s-auth/v1/userinfo")
        .header(header::AUTHORIZATION, format!("Bearer {}", tokens.access_token()))
        .body(axum::body::Body::empty());
    house.browser().send(request.unwrap()).await.expect(StatusCode::UNAUTHORIZED);
}
