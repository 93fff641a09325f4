//! Policies of authorization servers and their rules: places in the order, lifetimes, and what they name.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::authorization_servers::server;
use crate::house::{Org, merged};

fn rule(changes: Value) -> Value {
    let good = json!({
        "type": "RESOURCE_ACCESS",
        "name": "rule",
        "conditions": {
            "people": { "groups": { "include": ["EVERYONE"] } },
            "grantTypes": { "include": ["authorization_code"] },
            "scopes": { "include": ["*"] },
        },
        "actions": { "token": { "accessTokenLifetimeMinutes": 60, "refreshTokenLifetimeMinutes": 0,
            "refreshTokenWindowMinutes": 10080 } },
    });
    merged(good, changes)
}

/// The path of a new policy's rules.
async fn rules(org: &Org, server: &str) -> String {
    let policy = org.post(&format!("{server}/policies"), json!({ "name": "policy" })).await.expect(201);
    format!("{server}/policies/{}/rules", policy["id"].as_str().unwrap())
}

async fn order(org: &Org, path: &str) -> Vec<(String, u64)> {
    let all = org.get(path).await.expect(200);
    let one = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["priority"].as_u64().unwrap());
    all.as_array().unwrap().iter().map(one).collect()
}

fn places(names: &[&str]) -> Vec<(String, u64)> {
    names.iter().map(|name| (*name).to_owned()).zip(1..).collect()
}

#[tokio::test]
async fn whoever_takes_a_place_moves_the_others_down() {
    let org = Org::new().await;
    let (server, _) = server(&org, "k8s").await;
    let policies = format!("{server}/policies");
    let of_policy = rules(&org, &server).await;
    org.delete(of_policy.strip_suffix("/rules").unwrap()).await.expect(204);
    let rules = rules(&org, &server).await;
    org.delete(&format!("{policies}/none")).await.refused(404, "E0000007", "");
    for (path, body) in [(&policies, json!({})), (&rules, rule(json!({})))] {
        let named = |name: &str, more: Value| merged(merged(body.clone(), json!({ "name": name })), more);
        if path == &policies {
            let id = rules.split('/').rev().nth(1).unwrap();
            org.put(&format!("{policies}/{id}"), named("a", json!({}))).await.expect(200);
        } else {
            org.post(path, named("a", json!({}))).await.expect(201);
        }
        let b = org.post(path, named("b", json!({}))).await.expect(201);
        let c = org.post(path, named("c", json!({ "priority": 1 }))).await.expect(201);
        assert_eq!(order(&org, path).await, places(&["c", "a", "b"]), "{path}");
        let b = format!("{path}/{}", b["id"].as_str().unwrap());
        let moved = org.put(&b, named("b", json!({ "priority": 1 }))).await.expect(200);
        assert_eq!(order(&org, path).await, places(&["b", "c", "a"]), "{path}");
        let audit = org.audit().await;
        assert_eq!(org.put(&b, named("b", json!({}))).await.expect(200), moved, "left out, the place stays");
        assert_eq!(org.put(&b, moved.clone()).await.expect(200), moved);
        assert_eq!(org.audit().await, audit);
        org.delete(&format!("{path}/{}", c["id"].as_str().unwrap())).await.expect(204);
        org.post(path, named("a", json!({}))).await.refused(400, "E0000001", "already exists");
        org.post(path, named("d", json!({ "priority": 0 }))).await.refused(400, "E0000001", "priority");
        org.post(path, named("d", json!({ "priority": 10_001 }))).await.refused(400, "E0000001", "priority");
        org.post(path, named("d", json!({}))).await.expect(201);
        assert_eq!(order(&org, path).await.last().unwrap().0, "d");
    }
}

#[tokio::test]
async fn policies_and_rules_are_switched_off_and_on() {
    let org = Org::new().await;
    let (server, _) = server(&org, "k8s").await;
    let rules = rules(&org, &server).await;
    let made = org.post(&rules, rule(json!({ "status": "INACTIVE" }))).await.expect(201);
    assert_eq!(made["status"], "INACTIVE");
    let one = format!("{rules}/{}", made["id"].as_str().unwrap());
    for path in [one.as_str(), rules.strip_suffix("/rules").unwrap()] {
        for (verb, status) in [("activate", "ACTIVE"), ("deactivate", "INACTIVE"), ("deactivate", "INACTIVE")]
        {
            org.post(&format!("{path}/lifecycle/{verb}"), None).await.expect(204);
            assert_eq!(org.get(path).await.expect(200)["status"], status);
        }
    }
    let put = org.put(&one, rule(json!({}))).await.expect(200);
    assert_eq!(put["status"], "INACTIVE", "left out, the status stays");
    assert_eq!(org.put(&one, rule(json!({ "status": "ACTIVE" }))).await.expect(200)["status"], "ACTIVE");
}

#[tokio::test]
async fn a_policy_names_clients_that_there_are() {
    let org = Org::new().await;
    let (server, _) = server(&org, "k8s").await;
    let policies = format!("{server}/policies");
    let app = json!({ "label": "a", "settings": { "oauthClient": { "redirect_uris": ["http://localhost:8000"] } } });
    let app = org.post("/api/v1/apps?activate=false", app).await.expect(200);
    let with = |client: &Value| json!({ "name": "p", "conditions": { "clients": { "include": [client] } } });
    org.post(&policies, with(&json!("0oanone"))).await.refused(400, "E0000001", "There is no client 0oanone");
    let client = &app["credentials"]["oauthClient"]["client_id"];
    let made = org.post(&policies, with(client)).await.expect(201);
    assert_eq!(made["conditions"]["clients"]["include"], json!([client]));
    org.delete(&format!("/api/v1/apps/{}", app["id"].as_str().unwrap())).await.expect(204);
    let one = format!("{policies}/{}", made["id"].as_str().unwrap());
    org.put(&one, with(client)).await.expect(200);
    let all = org.put(&one, with(&json!("ALL_CLIENTS"))).await.expect(200);
    assert_eq!(all["conditions"]["clients"]["include"], json!(["ALL_CLIENTS"]));
    org.post(&policies, json!({ "name": "q", "description": "x".repeat(256) }))
        .await
        .refused(400, "E0000001", "255");
    org.post(&policies, json!({ "name": "q", "type": "PASSWORD" })).await.refused(400, "E0000001", "type");
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_refused_with_the_field() {
    let org = Org::new().await;
    let (server, _) = server(&org, "k8s").await;
    let rules = rules(&org, &server).await;
    let token = |access: u32, refresh: u32, window: u32| {
        json!({ "actions": { "token": { "accessTokenLifetimeMinutes": access, "refreshTokenLifetimeMinutes": refresh,
            "refreshTokenWindowMinutes": window } } })
    };
    let conditions = |changes: Value| json!({ "conditions": changes });
    let cases = [
        (token(4, 0, 10_080), "accessTokenLifetimeMinutes"),
        (token(1441, 0, 10_080), "accessTokenLifetimeMinutes"),
        (token(60, 59, 60), "refreshTokenLifetimeMinutes"),
        (token(60, 2_628_001, 60), "refreshTokenLifetimeMinutes"),
        (token(60, 0, 9), "refreshTokenWindowMinutes"),
        (token(60, 120, 121), "refreshTokenWindowMinutes"),
        (json!({ "actions": { "token": { "idTokenLifetimeMinutes": 1 } } }), "idTokenLifetimeMinutes"),
        (
            json!({ "actions": { "token": { "accessTokenLifetimeMinutes": "60" } } }),
            "accessTokenLifetimeMinutes",
        ),
        (json!({ "conditions": null }), "conditions"),
        (conditions(json!({ "grantTypes": { "include": [] } })), "grantTypes"),
        (conditions(json!({ "grantTypes": { "include": ["magic"] } })), "magic"),
        (conditions(json!({ "scopes": { "include": ["none"] } })), "There is no scope none"),
        (
            conditions(json!({ "people": { "groups": { "include": ["00gnone"] } } })),
            "There is no group 00gnone",
        ),
        (
            conditions(json!({ "people": { "groups": { "exclude": ["00gnone"] } } })),
            "There is no group 00gnone",
        ),
        (
            conditions(json!({ "people": { "users": { "include": ["00unone"] } } })),
            "There is no user 00unone",
        ),
        (
            conditions(json!({ "people": { "users": { "exclude": ["00unone"] } } })),
            "There is no user 00unone",
        ),
    ];
    for (changes, cause) in cases {
        let shown = changes.to_string();
        let answer = org.post(&rules, rule(changes)).await;
        assert_eq!(answer.body["errorCode"], "E0000001", "{shown}: {}", answer.body);
        assert!(answer.body.to_string().contains(cause), "{shown}: {}", answer.body);
    }
    let hook = json!({ "actions": { "token": { "inlineHook": { "id": "cal1" } } } });
    org.post(&rules, rule(hook)).await.refused(400, "E0000060", "hooks");
    assert_eq!(org.get(&rules).await.expect(200), json!([]));
}

#[tokio::test]
async fn people_groups_and_scopes_that_went_do_not_stand_in_the_way_of_a_change() {
    let org = Org::new().await;
    let (server, _) = server(&org, "k8s").await;
    let rules = rules(&org, &server).await;
    let (group, dev) = (org.group("k8s").await, org.user("dev@example.com").await);
    let scope = org.post(&format!("{server}/scopes"), json!({ "name": "kube" })).await.expect(201);
    let named = |name: &str| {
        rule(json!({ "name": name, "conditions": {
            "people": { "groups": { "include": [group.id.as_str()] }, "users": { "exclude": [dev.id.as_str()] } },
            "scopes": { "include": ["kube"] },
        } }))
    };
    let made = org.post(&rules, named("one")).await.expect(201);
    org.delete(&format!("{server}/scopes/{}", scope["id"].as_str().unwrap())).await.expect(204);
    org.delete(&format!("/api/v1/groups/{}", group.id)).await.expect(204);
    for _ in 0..2 {
        org.delete(&format!("/api/v1/users/{}", dev.id)).await.expect(204);
    }
    let one = format!("{rules}/{}", made["id"].as_str().unwrap());
    assert_eq!(org.put(&one, named("two")).await.expect(200)["name"], "two");
}

#[tokio::test]
async fn a_lifetime_that_cannot_take_effect_is_taken_with_a_warning() {
    let org = Org::new().await;
    let (server, _) = server(&org, "k8s").await;
    let rules = rules(&org, &server).await;
    let app = |grants: Value| {
        json!({ "label": "kubectl", "settings": { "oauthClient": { "application_type": "native",
            "redirect_uris": ["http://localhost:8000"], "grant_types": grants } } })
    };
    let made = org.post("/api/v1/apps", app(json!(["authorization_code"]))).await.expect(200);
    let six_minutes = rule(json!({ "actions": { "token": { "accessTokenLifetimeMinutes": 6,
        "refreshTokenLifetimeMinutes": 10, "refreshTokenWindowMinutes": 10 } } }));
    let answer = org.post(&rules, six_minutes.clone()).await;
    let warning = answer.headers["warning"].to_str().unwrap().to_owned();
    assert!(warning.contains("no effect for `kubectl`"), "{warning}");
    let one = format!("{rules}/{}", answer.expect(201)["id"].as_str().unwrap());
    let policy = rules.strip_suffix("/rules").unwrap();
    let named = json!({ "name": "policy" });
    assert!(org.put(policy, named.clone()).await.headers.contains_key("warning"));
    let path = format!("/api/v1/apps/{}", made["id"].as_str().unwrap());
    org.put(&path, app(json!(["authorization_code", "refresh_token"]))).await.expect(200);
    org.clock.advance(SignedDuration::from_secs(1));
    for answer in [org.put(&one, six_minutes).await, org.put(policy, named).await] {
        assert!(answer.headers.get("warning").is_none(), "{:?}", answer.headers);
    }
}
