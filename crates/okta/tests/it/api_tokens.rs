//! API tokens: who makes them, how much they are worth, and how they end.

use http::StatusCode;
use jiff::SignedDuration;
use kubesso_directory::{AdminRole, RoleHolder, User};
use serde_json::{Value, json};

use crate::house::Org;

const TOKENS: &str = "/api/v1/api-tokens";

async fn administrator(org: &Org, login: &str, role: AdminRole) -> User {
    let user = org.user(login).await;
    org.assign_role(RoleHolder::User(user.id.clone()), role).await;
    user
}

/// What a token may still do.
async fn sees_groups(org: &Org, token: &Value) -> StatusCode {
    org.call_by(token["token"].as_str().unwrap(), "GET", "/api/v1/groups", None).await.status
}

#[tokio::test]
async fn a_person_makes_a_token_that_is_said_once() {
    let org = Org::new().await;
    let ada = administrator(&org, "ada@example.com", AdminRole::SuperAdmin).await;
    let body = json!({ "name": "ci", "roles": ["READ_ONLY_ADMIN"] });
    let made = org.call_person(&ada, "POST", TOKENS, body.clone()).await.expect(201);
    assert_eq!((&made["userId"], &made["roles"]), (&json!(ada.id), &json!(["READ_ONLY_ADMIN"])));
    assert_eq!(sees_groups(&org, &made).await, 200);
    let secret = made["token"].as_str().unwrap();
    let group = json!({ "profile": { "name": "g" } });
    org.call_by(secret, "POST", "/api/v1/groups", group).await.refused(403, "E0000006", "manage groups");
    let one = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    let shown = org.get(&one).await.expect(200).to_string()
        + &org.get(TOKENS).await.expect(200).to_string()
        + &org.get("/api/v1/logs").await.expect(200).to_string();
    assert!(!shown.contains(secret));
    org.call_person(&ada, "POST", TOKENS, body).await.refused(400, "E0000001", "already exists");
    org.put(&one, json!({})).await.refused(400, "E0000060", "make another");
}

#[tokio::test]
async fn no_token_makes_another_one() {
    let org = Org::new().await;
    let ada = administrator(&org, "ada@example.com", AdminRole::SuperAdmin).await;
    let of_ada = org.api_token("ada's", AdminRole::SuperAdmin, Some(ada.id)).await;
    for token in [&org.token, &of_ada] {
        let body = json!({ "name": "more", "roles": ["READ_ONLY_ADMIN"] });
        org.call_by(token, "POST", TOKENS, body).await.refused(403, "E0000006", "signed in");
    }
}

#[tokio::test]
async fn a_token_is_worth_no_more_than_who_makes_it() {
    use AdminRole::{AppAdmin, OrgAdmin, ReadOnlyAdmin, SuperAdmin, UserAdmin};
    let org = Org::new().await;
    let cases = [
        (SuperAdmin, SuperAdmin, true),
        (SuperAdmin, AppAdmin, true),
        (OrgAdmin, SuperAdmin, false),
        (OrgAdmin, AppAdmin, false),
        (OrgAdmin, UserAdmin, true),
        (OrgAdmin, ReadOnlyAdmin, true),
        (UserAdmin, ReadOnlyAdmin, false),
        (ReadOnlyAdmin, ReadOnlyAdmin, true),
    ];
    for (number, (own, given, is_allowed)) in cases.into_iter().enumerate() {
        let user = administrator(&org, &format!("user{number}@example.com"), own).await;
        let body = json!({ "name": format!("token {number}"), "roles": [given.as_str()] });
        let answer = org.call_person(&user, "POST", TOKENS, body).await;
        assert_eq!(answer.status == 201, is_allowed, "{own:?} gives {given:?}: {}", answer.body);
        assert!(is_allowed || answer.status == 403, "{own:?} gives {given:?}: {}", answer.body);
    }
    let nobody = org.user("nobody@example.com").await;
    let body = json!({ "name": "x", "roles": ["READ_ONLY_ADMIN"] });
    org.call_person(&nobody, "POST", TOKENS, body).await.refused(403, "E0000006", "more than you may");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_with_the_field() {
    let org = Org::new().await;
    let ada = administrator(&org, "ada@example.com", AdminRole::SuperAdmin).await;
    let cases = [
        (json!({ "roles": ["SUPER_ADMIN"] }), "name"),
        (json!({ "name": "x" }), "roles"),
        (json!({ "name": "x", "roles": [] }), "roles"),
        (json!({ "name": "x", "roles": ["KING"] }), "KING"),
        (json!({ "name": "x", "roles": ["SUPER_ADMIN"], "expiresAt": "2026-11-22T12:00:00Z" }), "over"),
        (json!({ "name": "x", "roles": ["SUPER_ADMIN"], "expiresAt": "tomorrow" }), "expiresAt"),
    ];
    for (body, field) in cases {
        org.call_person(&ada, "POST", TOKENS, body).await.refused(400, "E0000001", field);
    }
}

#[tokio::test]
async fn a_token_ends_by_time_by_hand_and_with_its_owner() {
    let org = Org::new().await;
    let ada = administrator(&org, "ada@example.com", AdminRole::SuperAdmin).await;
    let make = async |name: &str, expires: Option<&str>| {
        let body = json!({ "name": name, "roles": ["SUPER_ADMIN"], "expiresAt": expires });
        org.call_person(&ada, "POST", TOKENS, body).await.expect(201)
    };
    let by_time = make("by time", Some("2026-11-22T13:00:00Z")).await;
    let by_hand = make("by hand", None).await;
    let by_itself = make("by itself", None).await;
    let by_owner = make("by owner", None).await;
    assert_eq!(by_time["expiresAt"], "2026-11-22T13:00:00.000Z");
    assert_eq!(sees_groups(&org, &by_time).await, 200);
    org.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(sees_groups(&org, &by_time).await, 401);
    assert_eq!(
        org.get(TOKENS).await.expect(200).as_array().unwrap().len(),
        4,
        "the expired one is not listed"
    );
    make("by time", None).await;
    let one = format!("{TOKENS}/{}", by_hand["id"].as_str().unwrap());
    org.delete(&one).await.expect(204);
    org.delete(&one).await.refused(404, "E0000007", "");
    assert_eq!(sees_groups(&org, &by_hand).await, 401);
    let secret = by_itself["token"].as_str().unwrap();
    let current = format!("{TOKENS}/current");
    assert_eq!(org.call_by(secret, "GET", &current, None).await.expect(200)["id"], by_itself["id"]);
    org.call_by(secret, "DELETE", &current, None).await.expect(204);
    assert_eq!(sees_groups(&org, &by_itself).await, 401);
    org.call_person(&ada, "GET", &current, None).await.refused(404, "E0000007", "");
    org.post(&format!("/api/v1/users/{}/lifecycle/suspend", ada.id), None).await.expect(200);
    assert_eq!(sees_groups(&org, &by_owner).await, 401);
    org.post(&format!("/api/v1/users/{}/lifecycle/unsuspend", ada.id), None).await.expect(200);
    assert_eq!(sees_groups(&org, &by_owner).await, 200);
    for _ in 0..2 {
        org.delete(&format!("/api/v1/users/{}", ada.id)).await.expect(204);
    }
    assert_eq!(sees_groups(&org, &by_owner).await, 401);
}

#[tokio::test]
async fn people_revoke_their_own_tokens_and_super_administrators_everybodys() {
    let org = Org::new().await;
    let ada = administrator(&org, "ada@example.com", AdminRole::OrgAdmin).await;
    let bob = administrator(&org, "bob@example.com", AdminRole::OrgAdmin).await;
    let make = async |name: &str| {
        let made =
            org.call_person(&ada, "POST", TOKENS, json!({ "name": name, "roles": ["ORG_ADMIN"] })).await;
        format!("{TOKENS}/{}", made.expect(201)["id"].as_str().unwrap())
    };
    let (one, two) = (make("one").await, make("two").await);
    org.call_person(&bob, "DELETE", &one, None).await.refused(403, "E0000006", "");
    org.call_person(&ada, "DELETE", &one, None).await.expect(204);
    org.delete(&two).await.expect(204);
}
