//! Lifetimes, to the second: the clock is moved, nobody waits.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{Change, Lifetimes};

use crate::house::{House, Tokens, World, rule};

/// Access token 6 minutes, refresh token 10, window 7: the numbers with which the tutorial's readers failed.
async fn tutorial_house() -> House {
    House::with(World { lifetimes: Lifetimes::new(6, 10, 7, None).unwrap(), ..World::default() }).await
}

#[tokio::test]
async fn the_rule_bounds_the_access_token_and_the_id_token() {
    let house = tutorial_house().await;
    let tokens = house.sign_in("dev@example.com").await;
    assert_eq!(tokens.0["expires_in"], 360);
    for claims in [tokens.claims(), crate::house::payload(tokens.access_token())] {
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 360);
    }
    let own = Lifetimes::new(60, 0, 10_080, Some(15)).unwrap();
    house.change(Change::PutRule(rule(own, house.clock_now()))).await;
    let tokens = house.sign_in("dev@example.com").await;
    assert_eq!(tokens.0["expires_in"], 3600);
    let claims = tokens.claims();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
}

#[tokio::test]
async fn a_refresh_token_unused_for_the_window_is_over_at_that_second() {
    let house = tutorial_house().await;
    let (early, late) = (house.sign_in("dev@example.com").await, house.sign_in("dev@example.com").await);
    house.advance(SignedDuration::from_secs(7 * 60 - 1));
    house.refresh(early.refresh_token(), &[]).await.expect(StatusCode::OK);
    house.advance(SignedDuration::from_secs(1));
    let (error, description) =
        house.refresh(late.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "invalid_grant");
    assert_eq!(description, "The refresh token was not used for too long: sign in again.");
}

#[tokio::test]
async fn refreshing_goes_on_until_the_absolute_lifetime_and_not_a_second_longer() {
    let house = tutorial_house().await;
    let mut tokens = house.sign_in("dev@example.com").await;
    for seconds in [5 * 60, 4 * 60, 59] {
        house.advance(SignedDuration::from_secs(seconds));
        tokens = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    }
    house.advance(SignedDuration::from_secs(1));
    let (error, description) =
        house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::BAD_REQUEST).error();
    assert_eq!(error, "invalid_grant");
    assert_eq!(description, "The refresh token's lifetime is over: sign in again.");
}

#[tokio::test]
async fn unlimited_means_as_long_as_it_is_used() {
    let house = House::new().await;
    let mut tokens = house.sign_in("dev@example.com").await;
    for _ in 0..60 {
        house.advance(SignedDuration::from_hours(7 * 24) - SignedDuration::from_secs(1));
        tokens = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    }
    assert_eq!(tokens.claims()["auth_time"].as_i64().unwrap(), 1_795_334_400);
}

#[tokio::test]
async fn a_rule_that_changes_counts_from_the_next_refresh() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let shorter = Lifetimes::new(5, 0, 6, None).unwrap();
    house.change(Change::PutRule(rule(shorter, house.clock_now()))).await;
    let tokens = Tokens(house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json());
    assert_eq!(tokens.0["expires_in"], 300);
    house.advance(SignedDuration::from_mins(6));
    assert_eq!(house.refresh(tokens.refresh_token(), &[]).await.error().0, "invalid_grant");
}

#[tokio::test]
async fn a_change_by_another_process_is_seen_within_a_quarter_of_a_second() {
    let house = House::new().await;
    let tokens = house.sign_in("dev@example.com").await;
    let shorter = Lifetimes::new(5, 0, 10_080, None).unwrap();
    let change = Change::PutRule(rule(shorter, house.clock_now()));
    house.store.commit(kubesso_directory::Batch::new(house.clock_now(), vec![change])).await.unwrap();
    house.advance(SignedDuration::from_millis(250));
    let tokens = house.refresh(tokens.refresh_token(), &[]).await.expect(StatusCode::OK).json();
    assert_eq!(tokens["expires_in"], 300);
}
