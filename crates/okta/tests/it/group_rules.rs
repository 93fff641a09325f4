//! Group rules: whom they put where, and who may touch them.

use kubesso_directory::{AdminRole, Group, RoleHolder};
use serde_json::{Value, json};

use crate::house::{Org, merged};

const RULES: &str = "/api/v1/groups/rules";

fn rule(expression: &str, into: &[&Group]) -> Value {
    let groups: Vec<_> = into.iter().map(|group| group.id.as_str()).collect();
    json!({
        "type": "group_rule",
        "name": "rule",
        "conditions": { "expression": { "type": "urn:okta:expression:1.0", "value": expression } },
        "actions": { "assignUserToGroups": { "groupIds": groups } },
    })
}

const ENGINES: &str = "user.department == \"Engines\"";

/// Makes a rule; its path.
async fn made(org: &Org, body: Value) -> String {
    let made = org.post(RULES, body).await.expect(200);
    assert_eq!(made["status"], "INACTIVE", "it waits to be activated");
    format!("{RULES}/{}", made["id"].as_str().unwrap())
}

async fn activate(org: &Org, rule: &str) {
    org.post(&format!("{rule}/lifecycle/activate"), None).await.expect(204);
}

async fn deactivate(org: &Org, rule: &str) {
    org.post(&format!("{rule}/lifecycle/deactivate"), None).await.expect(204);
}

/// Makes somebody of a department; the path.
async fn person(org: &Org, login: &str, department: &str) -> String {
    let profile = json!({ "login": login, "email": login, "department": department });
    let made = org.post("/api/v1/users", json!({ "profile": profile })).await.expect(200);
    format!("/api/v1/users/{}", made["id"].as_str().unwrap())
}

async fn moves_to(org: &Org, person: &str, department: &str) {
    org.post(person, json!({ "profile": { "department": department } })).await.expect(200);
}

/// Who is in a group, by login.
async fn members(org: &Org, group: &Group) -> Vec<String> {
    let found = org.get(&format!("/api/v1/groups/{}/users", group.id)).await.expect(200);
    let login = |user: &Value| user["profile"]["login"].as_str().unwrap().to_owned();
    let mut logins: Vec<_> = found.as_array().unwrap().iter().map(login).collect();
    logins.sort();
    logins
}

#[tokio::test]
async fn activation_puts_everybody_in_who_fits_and_from_then_on_whoever_comes_to_fit() {
    let org = Org::new().await;
    let (one, two) = (org.group("one").await, org.group("two").await);
    person(&org, "ada@example.com", "Engines").await;
    let bob = person(&org, "bob@example.com", "Sales").await;
    let rule = made(&org, rule(ENGINES, &[&one, &two])).await;
    assert_eq!(members(&org, &one).await, [""; 0], "not active yet");
    activate(&org, &rule).await;
    activate(&org, &rule).await;
    assert_eq!(members(&org, &one).await, ["ada@example.com"]);
    assert_eq!(members(&org, &two).await, ["ada@example.com"]);
    moves_to(&org, &bob, "Engines").await;
    person(&org, "cyd@example.com", "Engines").await;
    assert_eq!(members(&org, &one).await, ["ada@example.com", "bob@example.com", "cyd@example.com"]);
    moves_to(&org, &bob, "Sales").await;
    assert_eq!(members(&org, &two).await, ["ada@example.com", "cyd@example.com"]);
}

#[tokio::test]
async fn more_people_than_fit_into_one_step_are_all_put_in() {
    let org = Org::new().await;
    let group = org.group("all").await;
    for number in 0..501 {
        org.user(&format!("user{number}@example.com")).await;
    }
    let rule = made(&org, rule("user.login != \"nobody\"", &[&group])).await;
    activate(&org, &rule).await;
    assert_eq!(members(&org, &group).await.len(), 501);
    deactivate(&org, &rule).await;
    org.delete(&format!("{rule}?removeUsers=true")).await.expect(202);
    assert_eq!(members(&org, &group).await.len(), 0);
}

#[tokio::test]
async fn what_an_administrator_did_by_hand_no_rule_undoes() {
    let org = Org::new().await;
    let group = org.group("one").await;
    let ada = person(&org, "ada@example.com", "Engines").await;
    let id = ada.rsplit('/').next().unwrap();
    let member = format!("/api/v1/groups/{}/users/{id}", group.id);
    org.put(&member, None).await.expect(204);
    let rule = made(&org, rule(ENGINES, &[&group])).await;
    activate(&org, &rule).await;
    moves_to(&org, &ada, "Sales").await;
    assert_eq!(members(&org, &group).await, ["ada@example.com"]);
    org.delete(&member).await.expect(204);
    moves_to(&org, &ada, "Engines").await;
    org.delete(&member).await.refused(403, "E0000006", "exclude the person in the rule");
    deactivate(&org, &rule).await;
    org.delete(&member).await.expect(204);
    assert_eq!(members(&org, &group).await, [""; 0], "an inactive rule puts nobody back");
}

#[tokio::test]
async fn excluded_people_are_left_out() {
    let org = Org::new().await;
    let group = org.group("one").await;
    let ada = person(&org, "ada@example.com", "Engines").await;
    let bob = person(&org, "bob@example.com", "Engines").await;
    let excluded = |user: &str| {
        let exclude = json!([user.rsplit('/').next().unwrap()]);
        merged(
            rule(ENGINES, &[&group]),
            json!({ "conditions": { "people": { "users": { "exclude": exclude } } } }),
        )
    };
    let path = made(&org, excluded(&ada)).await;
    activate(&org, &path).await;
    assert_eq!(members(&org, &group).await, ["bob@example.com"]);
    deactivate(&org, &path).await;
    org.put(&path, excluded(&bob)).await.expect(200);
    activate(&org, &path).await;
    assert_eq!(members(&org, &group).await, ["ada@example.com"]);
    let unknown = merged(
        excluded(&ada),
        json!({ "name": "x", "conditions": { "people": { "users": { "exclude": ["00unone"] } } } }),
    );
    org.post(RULES, unknown).await.refused(404, "E0000007", "");
}

#[tokio::test]
async fn a_rule_may_look_at_the_groups_that_somebody_is_in() {
    let org = Org::new().await;
    let (from, to) = (org.group("from").await, org.group("to").await);
    let path = made(&org, rule(&format!("isMemberOfAnyGroup(\"{}\")", from.id), &[&to])).await;
    activate(&org, &path).await;
    let ada = person(&org, "ada@example.com", "Engines").await;
    let member = format!("/api/v1/groups/{}/users/{}", from.id, ada.rsplit('/').next().unwrap());
    org.put(&member, None).await.expect(204);
    assert_eq!(members(&org, &to).await, ["ada@example.com"]);
    org.delete(&member).await.expect(204);
    assert_eq!(members(&org, &to).await, [""; 0]);
}

#[tokio::test]
async fn a_rule_ends_with_or_without_the_memberships_that_it_made() {
    let org = Org::new().await;
    let (kept, removed) = (org.group("kept").await, org.group("removed").await);
    person(&org, "ada@example.com", "Engines").await;
    for (group, query, left) in [(&kept, "", 1), (&removed, "?removeUsers=true", 0)] {
        let path = made(&org, rule(ENGINES, &[group])).await;
        activate(&org, &path).await;
        org.delete(&path).await.refused(400, "E0000001", "deactivate it first");
        org.delete(&format!("/api/v1/groups/{}", group.id)).await.refused(400, "E0000001", "`rule`");
        deactivate(&org, &path).await;
        assert_eq!(members(&org, group).await.len(), 1, "deactivation leaves them in");
        org.delete(&format!("{path}{query}")).await.expect(202);
        assert_eq!(members(&org, group).await.len(), left, "{query}");
        org.get(&path).await.refused(404, "E0000007", "");
    }
}

#[tokio::test]
async fn an_active_rule_does_not_change_and_a_rule_never_changes_where_it_leads() {
    let org = Org::new().await;
    let (one, two) = (org.group("one").await, org.group("two").await);
    let path = made(&org, rule(ENGINES, &[&one])).await;
    let renamed = merged(rule(ENGINES, &[&one]), json!({ "name": "renamed" }));
    let put = org.put(&path, renamed.clone()).await.expect(200);
    assert_eq!(put["name"], "renamed");
    let audit = org.audit().await;
    assert_eq!(org.put(&path, renamed.clone()).await.expect(200), put);
    assert_eq!(org.put(&path, put).await.status, 200);
    assert_eq!(org.audit().await, audit, "the same again writes nothing");
    org.put(&path, rule(ENGINES, &[&two])).await.refused(400, "E0000001", "cannot be changed");
    activate(&org, &path).await;
    org.put(&path, renamed).await.refused(400, "E0000001", "deactivate it");
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_refused_with_the_reason() {
    let org = Org::new().await;
    let group = org.group("one").await;
    made(&org, rule(ENGINES, &[&group])).await;
    let everyone = org.get("/api/v1/groups?q=Everyone").await.expect(200)[0]["id"].clone();
    let good = |changes: Value| merged(merged(rule(ENGINES, &[&group]), json!({ "name": "other" })), changes);
    let expression = |text: &str| good(json!({ "conditions": { "expression": { "value": text } } }));
    let cases = [
        (good(json!({ "name": "rule" })), 400, "already exists"),
        (good(json!({ "name": "x".repeat(51) })), 400, "50"),
        (good(json!({ "name": null })), 400, "name"),
        (good(json!({ "type": "other" })), 400, "type"),
        (good(json!({ "conditions": null })), 400, "conditions"),
        (expression("user.department =="), 400, "conditions.expression.value"),
        (expression("String.len(user.login)"), 400, "conditions.expression.value"),
        (expression("nonsense("), 400, "conditions.expression.value"),
        (good(json!({ "actions": { "assignUserToGroups": { "groupIds": [] } } })), 400, "groupIds"),
        (good(json!({ "actions": { "assignUserToGroups": { "groupIds": ["00gnone"] } } })), 404, "00gnone"),
        (good(json!({ "actions": { "assignUserToGroups": { "groupIds": [everyone] } } })), 403, "built in"),
        (
            good(json!({ "conditions": { "people": { "groups": { "exclude": ["00g1"] } } } })),
            400,
            "isMemberOfAnyGroup",
        ),
    ];
    for (body, status, reason) in cases {
        let shown = body.to_string();
        let answer = org.post(RULES, body).await;
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert!(answer.body.to_string().contains(reason), "{shown}: {}", answer.body);
    }
    org.post(RULES, expression("user.isEngineer")).await.expect(200);
}

#[tokio::test]
async fn nobody_makes_an_administrator_by_a_rule_who_could_not_by_hand() {
    let org = Org::new().await;
    let admins = org.group("admins").await;
    let ada = person(&org, "ada@example.com", "Sales").await;
    let token = org.api_token("user admin", AdminRole::UserAdmin, None).await;
    let by = async |method: &str, path: &str, body: Value| org.call_by(&token, method, path, body).await;
    let created = by("POST", RULES, rule(ENGINES, &[&admins])).await.expect(200);
    let path = format!("{RULES}/{}", created["id"].as_str().unwrap());
    by("POST", &format!("{path}/lifecycle/activate"), json!({})).await.expect(204);
    org.assign_role(RoleHolder::Group(admins.id.clone()), AdminRole::SuperAdmin).await;
    let only = "Only a super administrator";
    by("POST", RULES, merged(rule(ENGINES, &[&admins]), json!({ "name": "b" })))
        .await
        .refused(403, "E0000006", only);
    by("POST", &format!("{path}/lifecycle/deactivate"), json!({})).await.refused(403, "E0000006", only);
    by("DELETE", &path, json!({})).await.refused(403, "E0000006", only);
    by("PUT", &path, rule(ENGINES, &[&admins])).await.refused(403, "E0000006", only);
    let engines = json!({ "profile": { "department": "Engines" } });
    by("POST", &ada, engines.clone()).await.refused(403, "E0000006", only);
    let eve = json!({ "profile": { "login": "eve@example.com", "email": "eve@example.com", "department": "Engines" } });
    by("POST", "/api/v1/users", eve).await.refused(403, "E0000006", only);
    assert_eq!(members(&org, &admins).await, [""; 0]);
    by("POST", &ada, json!({ "profile": { "nickName": "A" } })).await.expect(200);
    org.post(&ada, engines).await.expect(200);
    assert_eq!(members(&org, &admins).await, ["ada@example.com"]);
    by("POST", &ada, json!({ "profile": { "nickName": "B" } })).await.refused(
        403,
        "E0000006",
        "Super Administrator",
    );
}

#[tokio::test]
async fn rules_are_listed_and_found_by_name() {
    let org = Org::new().await;
    let group = org.group("one").await;
    for name in ["kubernetes admins", "kubernetes people", "wiki"] {
        made(&org, merged(rule(ENGINES, &[&group]), json!({ "name": name }))).await;
    }
    for (query, number) in [("", 3), ("?search=KUBERNETES", 2), ("?search=none", 0), ("?limit=1", 1)] {
        assert_eq!(org.get(&format!("{RULES}{query}")).await.expect(200).as_array().unwrap().len(), number);
    }
}
