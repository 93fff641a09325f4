//! The token endpoint, with refresh tokens.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, RefreshRotation};
use serde_json::json;

use crate::house::{House, Tokens, group_id, user, user_id};

#[tokio::test]
async fn a_refreshed_id_token_is_the_same_but_for_its_times_and_the_nonce() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    house.advance(SignedDuration::from_mins(30));
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    assert_ne!(second.refresh_token(), first.refresh_token());
    assert_eq!(second.0["scope"], first.0["scope"]);

    let (mut before, mut after) = (first.claims(), second.claims());
    assert_eq!(before.remove("nonce"), Some(json!("the-nonce")));
    for moved in ["iat", "exp"] {
        let difference = after[moved].as_i64().unwrap() - before[moved].as_i64().unwrap();
        assert_eq!(difference, 1800, "{moved}");
    }
    for fresh in ["iat", "exp", "jti", "at_hash"] {
        assert_ne!(before.remove(fresh), after.remove(fresh), "{fresh}");
    }
    assert_eq!(before, after);
}

#[tokio::test]
async fn two_kubectl_at_once_get_the_same_successor_within_the_grace() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let old = tokens.refresh_token();
    let answers = futures_util::future::join_all((0..6).map(|_| house.refresh(old, &[]))).await;
    let successors: std::collections::BTreeSet<_> = answers
        .into_iter()
        .map(|answer| Tokens(answer.expect(StatusCode::OK).json()).refresh_token().to_owned())
        .collect();
    assert_eq!(successors.len(), 1);
    house.advance(SignedDuration::from_secs(30));
    house.refresh(old, &[]).await.expect(StatusCode::OK);
    house.refresh(successors.first().unwrap(), &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_spent_token_after_the_grace_ends_the_family_and_is_recorded() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    house.advance(SignedDuration::from_secs(31));
    let (error, description) =
        house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "invalid_grant");
    assert!(description.contains("used before"), "{description}");
    let refused = house.refresh(second.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(refused.error().0, "invalid_grant");
    let event = &house.store.audit_events(1).await.unwrap()[0];
    assert_eq!(
        (event.event_type.as_str(), event.target.as_deref()),
        ("app.oauth2.token.detect_reuse", Some("dev"))
    );
}

#[tokio::test]
async fn a_token_of_two_generations_ago_has_no_grace() {
    let house = House::new().await;
    let first = house.sign_in("dev@example.com").await;
    let second = Tokens(house.refresh(first.refresh_token(), &[]).await.json());
    house.refresh(second.refresh_token(), &[]).await.expect(StatusCode::OK);
    house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn one_laptop_does_not_end_the_others_sign_in() {
    let house = House::new().await;
    let (laptop, desktop) = (house.sign_in("dev@example.com").await, house.sign_in("dev@example.com").await);
    house.advance(SignedDuration::from_hours(1));
    house.refresh(laptop.refresh_token(), &[]).await.expect(StatusCode::OK);
    house.refresh(desktop.refresh_token(), &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn where_tokens_are_static_the_same_one_comes_back() {
    let house = House::new().await;
    let mut application = house.application.clone();
    application.refresh_rotation = RefreshRotation::Static;
    house.change(Change::PutApplication(application)).await;
    let first = house.sign_in("dev@example.com").await;
    for _ in 0..3 {
        house.advance(SignedDuration::from_hours(1));
        let next = Tokens(house.refresh(first.refresh_token(), &[]).await.expect(StatusCode::OK).json());
        assert_eq!(next.refresh_token(), first.refresh_token());
    }
}

#[tokio::test]
async fn the_next_refresh_shows_who_left_or_joined_a_group() {
    let house = House::new().await;
    let mut tokens = house.sign_in("dev@example.com").await;
    assert_eq!(tokens.claims()["groups"], json!(["k8s-restricted-users"]));
    for (change, groups) in [
        (
            Change::AddMember(group_id("k8s-admins"), user_id("dev")),
            json!(["k8s-admins", "k8s-restricted-users"]),
        ),
        (Change::RemoveMember(group_id("k8s-restricted-users"), user_id("dev")), json!(["k8s-admins"])),
    ] {
        house.change(change).await;
        tokens = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
        assert_eq!(tokens.claims()["groups"], groups);
    }
    house.change(Change::RemoveMember(group_id("k8s-admins"), user_id("dev"))).await;
    let (error, description) = house.refresh(tokens.refresh_token(), &[]).await.error();
    assert_eq!(error, "invalid_grant", "the last group by which the application is assigned is gone");
    assert!(description.contains("not assigned"), "{description}");
}

#[tokio::test]
async fn whoever_is_deactivated_or_whose_rule_is_gone_gets_no_more_tokens() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let now = house.clock_now();
    let gone = user("dev", now).deactivate(now).unwrap();
    house.change(Change::PutUser(gone)).await;
    assert_eq!(house.refresh(tokens.refresh_token(), &[]).await.error().0, "invalid_grant");
    house.change(Change::PutUser(user("dev", now))).await;
    house.change(Change::RemoveRule("rule".parse().unwrap())).await;
    let (error, description) = house.refresh(tokens.refresh_token(), &[]).await.error();
    assert_eq!(error, "invalid_grant");
    assert!(description.starts_with("No access policy"), "{description}");
}

#[tokio::test]
async fn less_may_be_asked_for_but_not_more() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let more = house.refresh(tokens.refresh_token(), &["scope=openid phone"]).await;
    assert_eq!(more.error(), ("invalid_scope".to_owned(), "The scope phone was not granted.".to_owned()));
    let less = Tokens(house.refresh(tokens.refresh_token(), &["scope=openid"]).await.json());
    assert_eq!(less.0["scope"], "openid");
    assert_eq!(less.claims().get("email"), None);
    let all = Tokens(house.refresh(less.refresh_token(), &[]).await.json());
    assert_eq!(all.claims()["email"], "dev@example.com");
}

#[tokio::test]
async fn what_is_no_refresh_token_of_this_client_is_refused() {
    let house = House::new().await;
    let mut other = house.application.clone();
    other.id = "other".parse().unwrap();
    other.client_id = "other".parse().unwrap();
    house.change(Change::PutApplication(other)).await;
    let tokens = house.sign_in("dev@example.com").await;
    let good = tokens.refresh_token();
    let forged = format!("{}A", &good[..good.len() - 1]);
    for (token, changes) in [
        ("junk", &[][..]),
        ("a.0.b", &[]),
        (tokens.access_token(), &[]),
        (&*forged, &[]),
        (good, &["client_id=other"]),
    ] {
        let answer = house.refresh(token, changes).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(answer.error().0, "invalid_grant", "{token}");
    }
    assert_eq!(house.refresh("", &[]).await.error().0, "invalid_request");
    house.refresh(good, &[]).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_token_is_over_whichever_token_it_was_revoked_by() {
    let house = House::new().await;
    for kind in ["refresh_token", "access_token"] {
        let tokens = house.sign_in("dev@example.com").await;
        let token = tokens.0[kind].as_str().unwrap();
        let body = crate::house::form(&[("client_id", "k8s"), ("token", token)], &[]);
        let mut browser = house.browser();
        browser.post("/oauth2/k8s-auth/v1/revoke", &body).await.expect(StatusCode::OK);
        assert_eq!(house.refresh(tokens.refresh_token(), &[]).await.error().0, "invalid_grant", "{kind}");
        browser.post("/oauth2/k8s-auth/v1/revoke", &body).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn revoking_says_what_is_wrong_with_the_request_and_nothing_about_strangers_tokens() {
    let house = House::new().await;
    let mut browser = house.browser();
    let mut other = house.application.clone();
    other.id = "other".parse().unwrap();
    other.client_id = "other".parse().unwrap();
    house.change(Change::PutApplication(other)).await;
    let tokens = house.sign_in("dev@example.com").await;
    for (fields, status) in [
        (vec![("client_id", "k8s"), ("token", "junk")], 200),
        (vec![("client_id", "other"), ("token", tokens.refresh_token())], 200),
        (vec![("client_id", "k8s")], 400),
        (vec![("client_id", "nobody"), ("token", "junk")], 401),
        (vec![("client_id", "k8s"), ("token", "a"), ("token", "b")], 400),
    ] {
        let answer = browser.post("/oauth2/k8s-auth/v1/revoke", &crate::house::form(&fields, &[])).await;
        assert_eq!(answer.status.as_u16(), status, "{fields:?}");
    }
    house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK);
}
