//! Authorization servers with their scopes, claims and keys.

use jiff::SignedDuration;
use kubesso_directory::AdminRole;
use serde_json::{Value, json};

use crate::house::{ORIGIN, Org, merged};

pub(crate) const SERVERS: &str = "/api/v1/authorizationServers";

/// Makes a server; its path, and its answer.
pub(crate) async fn server(org: &Org, name: &str) -> (String, Value) {
    let body = json!({ "name": name, "audiences": ["api://kubernetes"], "issuerMode": "ORG_URL" });
    let made = org.post(SERVERS, body).await.expect(201);
    (format!("{SERVERS}/{}", made["id"].as_str().unwrap()), made)
}

/// The ids or names in a list.
fn members(list: &Value, name: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_new_server_has_a_key_that_signs_and_the_scopes_of_openid_connect() {
    let org = Org::new().await;
    let (path, made) = server(&org, "k8s").await;
    assert_eq!(made["issuer"], format!("{ORIGIN}/oauth2/{}", made["id"].as_str().unwrap()));
    assert_eq!((&made["status"], &made["description"]), (&json!("ACTIVE"), &Value::Null));
    let signing = &made["credentials"]["signing"];
    assert_eq!(signing["rotationMode"], "AUTO");
    assert!(signing["nextRotation"].is_string() && signing["lastRotated"].is_string());
    assert_eq!(org.get(&path).await.expect(200), made);
    let keys = org.get(&format!("{path}/credentials/keys")).await.expect(200);
    assert_eq!((&keys[0]["status"], &keys[0]["kid"]), (&json!("ACTIVE"), &signing["kid"]));
    assert!(keys[0]["d"].is_null(), "the private half stays inside");
    let scopes = org.get(&format!("{path}/scopes")).await.expect(200);
    let mut names = members(&scopes, "name");
    names.sort();
    assert_eq!(names, ["address", "email", "offline_access", "openid", "phone", "profile"]);
    assert!(scopes.as_array().unwrap().iter().all(|scope| scope["system"] == true));
}

#[tokio::test]
async fn a_server_is_replaced_and_the_same_put_writes_nothing() {
    let org = Org::new().await;
    let (path, made) = server(&org, "k8s").await;
    org.post(&format!("{path}/lifecycle/deactivate"), None).await.expect(204);
    org.clock.advance(SignedDuration::from_secs(1));
    let body = json!({ "name": "k8s", "description": "Kubernetes", "audiences": ["api://k8s"],
        "credentials": { "signing": { "rotationMode": "MANUAL" } } });
    let put = org.put(&path, body.clone()).await.expect(200);
    assert_eq!((&put["id"], &put["status"]), (&made["id"], &json!("INACTIVE")));
    assert_eq!((&put["audiences"], &put["description"]), (&json!(["api://k8s"]), &json!("Kubernetes")));
    assert_eq!(put["credentials"]["signing"]["rotationMode"], "MANUAL");
    assert!(put["credentials"]["signing"]["nextRotation"].is_null());
    let (audit, changes) = (org.audit().await, org.provider.changes());
    assert_eq!(org.put(&path, body).await.expect(200), put);
    assert_eq!(org.put(&path, put.clone()).await.expect(200), put);
    assert_eq!((org.audit().await, org.provider.changes()), (audit, changes));
    let bare = json!({ "name": "k8s", "audiences": ["api://k8s"] });
    assert_eq!(org.put(&path, bare).await.expect(200)["description"], Value::Null, "left out, it goes");
}

#[tokio::test]
async fn what_cannot_be_a_server_is_refused_with_the_field() {
    let org = Org::new().await;
    server(&org, "taken").await;
    let (path, _) = server(&org, "own").await;
    let cases = [
        (json!({ "audiences": ["a"] }), "name"),
        (json!({ "name": "taken", "audiences": ["a"] }), "already exists"),
        (json!({ "name": "x" }), "audiences"),
        (json!({ "name": "x", "audiences": [] }), "audiences"),
        (json!({ "name": "x", "audiences": ["a", "b"] }), "audiences"),
        (json!({ "name": "x", "audiences": "a" }), "audiences"),
        (json!({ "name": "x", "audiences": ["a"], "issuerMode": "OWN" }), "issuerMode"),
        (
            json!({ "name": "x", "audiences": ["a"], "credentials": { "signing": { "rotationMode": "X" } } }),
            "rotationMode",
        ),
        (json!({ "name": "x", "audiences": ["a"], "description": "x".repeat(1001) }), "description"),
    ];
    for (body, field) in cases {
        org.post(SERVERS, body.clone()).await.refused(400, "E0000001", field);
        org.put(&path, body).await.refused(400, "E0000001", field);
    }
    assert_eq!(org.get(SERVERS).await.expect(200).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_is_rotated_by_hand() {
    let org = Org::new().await;
    let (path, _) = server(&org, "k8s").await;
    let rotate = format!("{path}/credentials/lifecycle/keyRotate");
    let before = org.provider.changes();
    let keys = org.post(&rotate, json!({ "use": "sig" })).await.expect(200);
    assert!(keys.is_array());
    assert_eq!(org.provider.changes(), before + 1);
    assert_eq!(org.audit().await[0].0, "oauth2.as.key.rollover");
    org.post(&rotate, json!({ "use": "enc" })).await.refused(400, "E0000001", "use");
    let missing = format!("{SERVERS}/ausnone/credentials/lifecycle/keyRotate");
    org.post(&missing, json!({ "use": "sig" })).await.refused(404, "E0000007", "");
}

#[tokio::test]
async fn a_server_is_switched_off_and_on_and_deleted_with_all_that_belongs_to_it() {
    let org = Org::new().await;
    let (path, _) = server(&org, "k8s").await;
    let claim = json!({ "name": "groups", "claimType": "IDENTITY", "valueType": "GROUPS", "value": ".*",
        "group_filter_type": "REGEX" });
    let claim = org.post(&format!("{path}/claims"), claim).await.expect(201);
    let policy = org.post(&format!("{path}/policies"), json!({ "name": "p" })).await.expect(201);
    let policy = format!("{path}/policies/{}", policy["id"].as_str().unwrap());
    let rule = json!({ "name": "r", "conditions": { "grantTypes": { "include": ["authorization_code"] } } });
    let rule = org.post(&format!("{policy}/rules"), rule).await.expect(201);
    for (verb, status) in [("deactivate", "INACTIVE"), ("deactivate", "INACTIVE"), ("activate", "ACTIVE")] {
        org.post(&format!("{path}/lifecycle/{verb}"), None).await.expect(204);
        assert_eq!(org.get(&path).await.expect(200)["status"], status);
    }
    org.delete(&path).await.expect(204);
    let claim = format!("{path}/claims/{}", claim["id"].as_str().unwrap());
    let rule = format!("{policy}/rules/{}", rule["id"].as_str().unwrap());
    for gone in [&path, &claim, &policy, &rule] {
        org.get(gone).await.refused(404, "E0000007", "");
        org.delete(gone).await.refused(404, "E0000007", "");
    }
    let (again, _) = server(&org, "k8s").await;
    assert_eq!(org.get(&format!("{again}/claims")).await.expect(200), json!([]));
    assert_eq!(org.get(&format!("{again}/policies")).await.expect(200), json!([]));
}

#[tokio::test]
async fn scopes_are_made_changed_and_deleted_but_not_those_of_openid_connect() {
    let org = Org::new().await;
    let (path, _) = server(&org, "k8s").await;
    let scopes = format!("{path}/scopes");
    let made = org.post(&scopes, json!({ "name": "kube:read", "description": "Read" })).await.expect(201);
    assert_eq!(made["displayName"], "kube:read");
    assert_eq!((&made["metadataPublish"], &made["consent"]), (&json!("NO_CLIENTS"), &json!("IMPLICIT")));
    let one = format!("{scopes}/{}", made["id"].as_str().unwrap());
    let body = json!({ "name": "kube:read", "metadataPublish": "ALL_CLIENTS", "default": true });
    let put = org.put(&one, body.clone()).await.expect(200);
    assert_eq!((&put["description"], &put["default"]), (&json!(""), &json!(true)));
    let audit = org.audit().await;
    assert_eq!(org.put(&one, body).await.expect(200), put);
    assert_eq!(org.audit().await, audit);
    let all = org.get(&scopes).await.expect(200);
    let openid = all.as_array().unwrap().iter().find(|scope| scope["name"] == "openid").unwrap().clone();
    let system = format!("{scopes}/{}", openid["id"].as_str().unwrap());
    assert_eq!(org.put(&system, openid).await.expect(200)["name"], "openid", "sent back as it is");
    org.put(&system, json!({ "name": "openid2" })).await.refused(403, "E0000006", "came with the server");
    org.delete(&system).await.refused(403, "E0000006", "came with the server");
    org.post(&scopes, json!({ "name": "kube:read" })).await.refused(400, "E0000001", "already exists");
    org.post(&scopes, json!({ "name": "a b" })).await.refused(400, "E0000001", "name");
    org.post(&scopes, json!({ "name": "okta.users.read" })).await.refused(400, "E0000001", "name");
    org.post(&scopes, json!({ "name": "x", "consent": "ASK" })).await.refused(400, "E0000001", "FLEXIBLE");
    for consent in ["FLEXIBLE", "REQUIRED", "IMPLICIT"] {
        let body = json!({ "name": "openid", "consent": consent });
        assert_eq!(org.put(&system, body).await.expect(200)["consent"], consent, "also of those");
    }
    org.delete(&one).await.expect(204);
    org.delete(&one).await.refused(404, "E0000007", "");
}

fn claim(changes: Value) -> Value {
    let good = json!({ "name": "team", "claimType": "IDENTITY", "valueType": "EXPRESSION",
        "value": "user.department", "alwaysIncludeInToken": true });
    merged(good, changes)
}

#[tokio::test]
async fn claims_are_made_changed_and_deleted() {
    let org = Org::new().await;
    let (path, _) = server(&org, "k8s").await;
    let claims = format!("{path}/claims");
    let answer = org.post(&claims, claim(json!({ "conditions": { "scopes": ["profile"] } }))).await;
    assert!(answer.headers.get("warning").is_none(), "the expression is good");
    let made = answer.expect(201);
    assert_eq!(made["conditions"], json!({ "scopes": ["profile"] }));
    assert_eq!((&made["status"], &made["system"]), (&json!("ACTIVE"), &json!(false)));
    let one = format!("{claims}/{}", made["id"].as_str().unwrap());
    let groups = json!({ "valueType": "GROUPS", "value": "k8s-", "group_filter_type": "STARTS_WITH", "status": "INACTIVE" });
    let put = org.put(&one, claim(groups.clone())).await.expect(200);
    assert_eq!(
        (&put["group_filter_type"], &put["value"], &put["status"]),
        (&json!("STARTS_WITH"), &json!("k8s-"), &json!("INACTIVE"))
    );
    assert_eq!(put["conditions"], json!({ "scopes": [] }), "left out, they go");
    let audit = org.audit().await;
    assert_eq!(org.put(&one, claim(groups)).await.expect(200), put);
    assert_eq!(org.audit().await, audit);
    org.post(&claims, claim(json!({}))).await.refused(400, "E0000001", "already exists");
    let resource =
        org.post(&claims, claim(json!({ "claimType": "RESOURCE", "alwaysIncludeInToken": false })));
    assert_eq!(resource.await.expect(201)["alwaysIncludeInToken"], true, "in access tokens always");
    org.delete(&one).await.expect(204);
    org.get(&one).await.refused(404, "E0000007", "");
}

#[tokio::test]
async fn what_cannot_be_a_claim_is_refused_with_the_field() {
    let org = Org::new().await;
    let (path, _) = server(&org, "k8s").await;
    let cases = [
        (json!({ "name": null }), "name"),
        (json!({ "name": "iss" }), "name"),
        (json!({ "claimType": "OTHER" }), "claimType"),
        (json!({ "claimType": null }), "claimType"),
        (json!({ "valueType": "SYSTEM" }), "valueType"),
        (json!({ "valueType": null }), "valueType"),
        (json!({ "value": null }), "value"),
        (json!({ "valueType": "GROUPS" }), "group_filter_type"),
        (json!({ "valueType": "GROUPS", "group_filter_type": "REGEX", "value": "(" }), "value"),
        (json!({ "valueType": "GROUPS", "group_filter_type": "REGEX", "value": "" }), "value"),
        (json!({ "conditions": { "scopes": ["none"] } }), "conditions.scopes"),
        (json!({ "status": "OFF" }), "status"),
    ];
    for (changes, field) in cases {
        org.post(&format!("{path}/claims"), claim(changes)).await.refused(400, "E0000001", field);
    }
    assert_eq!(org.get(&format!("{path}/claims")).await.expect(200), json!([]));
}

#[tokio::test]
async fn an_expression_that_cannot_be_read_is_taken_with_a_warning() {
    let org = Org::new().await;
    let (path, _) = server(&org, "k8s").await;
    let claims = format!("{path}/claims");
    let bad = claim(json!({ "value": "user.department +" }));
    let answer = org.post(&claims, bad.clone()).await;
    let warning = answer.headers["warning"].to_str().unwrap().to_owned();
    assert!(warning.starts_with("299 kubesso \"The claim `team` will be left out of tokens"), "{warning}");
    let one = format!("{claims}/{}", answer.expect(201)["id"].as_str().unwrap());
    assert!(org.put(&one, bad).await.headers.contains_key("warning"), "and again as long as it is so");
    let corrected = org.put(&one, claim(json!({}))).await;
    assert!(corrected.headers.get("warning").is_none());
    assert_eq!(corrected.expect(200)["value"], "user.department");
}

#[tokio::test]
async fn the_server_by_which_administrators_sign_in_is_for_super_administrators() {
    let org = Org::new().await;
    let token = org.api_token("api admin", AdminRole::ApiAccessManagementAdmin, None).await;
    let path = format!("{SERVERS}/{}", kubesso_directory::MANAGEMENT_SERVER);
    let body = json!({ "name": "x", "audiences": ["a"] });
    org.call_by(&token, "PUT", &path, body.clone()).await.refused(403, "E0000006", "super administrator");
    for rest in ["/claims", "/scopes", "/policies"] {
        let answer = org.call_by(&token, "POST", &format!("{path}{rest}"), body.clone()).await;
        answer.refused(403, "E0000006", "super administrator");
    }
    org.call_by(&token, "POST", SERVERS, body).await.expect(201);
}
