//! Groups and their members.

use jiff::SignedDuration;
use kubesso_directory::{AdminRole, RoleHolder};
use serde_json::json;

use crate::house::{ORIGIN, Org};

#[tokio::test]
async fn a_group_is_created_read_replaced_and_deleted() {
    let org = Org::new().await;
    let body = json!({ "profile": { "name": "k8s-admins", "description": "Admins", "team": "platform" } });
    let created = org.post("/api/v1/groups", body).await.expect(200);
    let id = created["id"].as_str().unwrap();
    let path = format!("/api/v1/groups/{id}");
    assert_eq!(
        created,
        json!({
            "id": id,
            "created": "2026-11-22T12:00:00.000Z",
            "lastUpdated": "2026-11-22T12:00:00.000Z",
            "lastMembershipUpdated": "2026-11-22T12:00:00.000Z",
            "objectClass": ["okta:user_group"],
            "type": "OKTA_GROUP",
            "profile": { "name": "k8s-admins", "description": "Admins", "team": "platform" },
            "_links": {
                "logo": [],
                "self": { "href": format!("{ORIGIN}{path}") },
                "users": { "href": format!("{ORIGIN}{path}/users") },
                "apps": { "href": format!("{ORIGIN}{path}/apps") },
            },
        })
    );
    assert_eq!(org.get(&path).await.expect(200), created);
    org.clock.advance(SignedDuration::from_secs(1));
    let replaced = org.put(&path, json!({ "profile": { "name": "k8s-operators" } })).await.expect(200);
    assert_eq!(replaced["profile"], json!({ "name": "k8s-operators", "description": "" }));
    org.clock.advance(SignedDuration::from_secs(1));
    org.delete(&path).await.expect(204);
    org.get(&path).await.refused(404, "E0000007", "");
    let events: Vec<_> = org.audit().await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["group.lifecycle.delete", "group.profile.update", "group.lifecycle.create"]);
}

#[tokio::test]
async fn what_cannot_be_a_group_is_refused_with_the_field() {
    let org = Org::new().await;
    org.group("taken").await;
    let cases = [
        (json!({ "profile": { "name": "taken" } }), "already exists"),
        (json!({ "profile": { "name": "" } }), "name"),
        (json!({ "profile": { "name": 5 } }), "profile.name"),
        (json!({}), "profile"),
        (json!({ "profile": { "name": "x", "description": "x".repeat(1025) } }), "1024"),
    ];
    for (body, cause) in cases {
        let shown = body.to_string();
        let answer = org.post("/api/v1/groups", body).await;
        assert_eq!(answer.status, 400, "{shown}");
        assert!(answer.body.to_string().contains(cause), "{shown}: {}", answer.body);
    }
}

#[tokio::test]
async fn people_are_put_into_a_group_and_taken_out_as_often_as_one_likes() {
    let org = Org::new().await;
    let (group, dev) = (org.group("k8s").await, org.user("dev@example.com").await);
    let path = format!("/api/v1/groups/{}/users", group.id);
    for _ in 0..2 {
        org.put(&format!("{path}/{}", dev.id), None).await.expect(204);
    }
    let members = org.get(&path).await.expect(200);
    assert_eq!(members[0]["profile"]["login"], "dev@example.com");
    org.clock.advance(SignedDuration::from_secs(1));
    for _ in 0..2 {
        org.delete(&format!("{path}/{}", dev.id)).await.expect(204);
    }
    assert_eq!(org.get(&path).await.expect(200), json!([]));
    let events: Vec<_> = org.audit().await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["group.user_membership.remove", "group.user_membership.add"], "each once");
    org.put(&format!("{path}/00unone"), None).await.refused(404, "E0000007", "");
    org.put(&format!("/api/v1/groups/00gnone/users/{}", dev.id), None).await.refused(404, "E0000007", "");
}

#[tokio::test]
async fn a_list_comes_in_pages_each_with_the_address_of_the_next() {
    let org = Org::new().await;
    let group = org.group("k8s").await;
    for number in 0..3 {
        let user = org.user(&format!("user{number}@example.com")).await;
        org.put(&format!("/api/v1/groups/{}/users/{}", group.id, user.id), None).await.expect(204);
    }
    let mut path = format!("/api/v1/groups/{}/users?limit=2", group.id);
    let mut pages = Vec::new();
    loop {
        let answer = org.get(&path).await;
        assert_eq!(answer.links("self"), [format!("{ORIGIN}{path}")]);
        let next = answer.links("next");
        pages.push(answer.expect(200).as_array().unwrap().len());
        match next.first() {
            Some(next) => path = next.strip_prefix(ORIGIN).unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, [2, 1]);
    org.get("/api/v1/groups?limit=0").await.refused(400, "E0000001", "limit");
    org.get("/api/v1/groups?after=a%20b").await.refused(400, "E0000001", "cursor");
}

#[tokio::test]
async fn everyone_is_built_in_and_stays_as_it_is() {
    let org = Org::new().await;
    let dev = org.user("dev@example.com").await;
    let found = org.get("/api/v1/groups?q=every").await.expect(200);
    assert_eq!(found[0]["type"], "BUILT_IN");
    let path = format!("/api/v1/groups/{}", found[0]["id"].as_str().unwrap());
    org.delete(&path).await.refused(403, "E0000006", "built in");
    org.put(&path, json!({ "profile": { "name": "x" } })).await.refused(403, "E0000006", "built in");
    org.delete(&format!("{path}/users/{}", dev.id)).await.refused(403, "E0000006", "built in");
    assert_eq!(org.get(&format!("{path}/users")).await.expect(200)[0]["id"], dev.id.as_str());
}

#[tokio::test]
async fn only_a_super_administrator_changes_who_is_in_a_group_with_a_role() {
    let org = Org::new().await;
    let (group, dev) = (org.group("admins").await, org.user("dev@example.com").await);
    let token = org.api_token("org admin", AdminRole::OrgAdmin, None).await;
    let path = format!("/api/v1/groups/{}/users/{}", group.id, dev.id);
    org.call_by(&token, "PUT", &path, None).await.expect(204);
    org.assign_role(RoleHolder::Group(group.id.clone()), AdminRole::SuperAdmin).await;
    for method in ["PUT", "DELETE"] {
        org.call_by(&token, method, &path, None).await.refused(403, "E0000006", "super administrator");
    }
    org.delete(&path).await.expect(204);
}

#[tokio::test]
async fn the_character_0_is_refused_wherever_it_is_and_never_our_fault() {
    let org = Org::new().await;
    let profile = json!({ "profile": { "name": "fine", "description": "a\0b" } });
    org.post("/api/v1/groups", profile).await.refused(
        400,
        "E0000001",
        "profile.description: the character U+0000",
    );
    let named = json!({ "profile": { "name": "fine", "a\0b": 1 } });
    org.post("/api/v1/groups", named).await.refused(400, "E0000001", "profile: the character U+0000");
    for query in ["q=%00", "search=profile.name%20eq%20%22a%00%22", "after=%00", "%00=1"] {
        let path = format!("/api/v1/groups?{query}");
        org.get(&path).await.refused(400, "E0000001", "the character U+0000 cannot be stored");
    }
    org.get("/api/v1/groups/a%00b").await.refused(404, "E0000008", "");
    org.get("/api/v1/groups?q=fine").await.expect(200);
}
