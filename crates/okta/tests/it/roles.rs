//! Administrators: what each role may do, and who makes administrators.

use kubesso_directory::{AdminRole, RoleHolder, User};
use serde_json::{Value, json};

use crate::house::Org;

/// For each family of resources, a question about it and a change of it that harms nobody.
fn families(user: &User) -> Vec<(&'static str, String, &'static str, String, Value)> {
    let user = format!("/api/v1/users/{}", user.id);
    let app = json!({ "label": "a", "settings": { "oauthClient": { "redirect_uris": ["http://localhost:8000"] } } });
    let none = |path: &str| (format!("/api/v1/{path}"), json!({}));
    let (missing_session, empty) = none("sessions/none");
    vec![
        ("users", user.clone(), "POST", user, json!({ "profile": { "nickName": "x" } })),
        (
            "groups",
            "/api/v1/groups".into(),
            "POST",
            "/api/v1/groups".into(),
            json!({ "profile": { "name": "g" } }),
        ),
        ("rules", "/api/v1/groups/rules".into(), "POST", "/api/v1/groups/rules".into(), json!({})),
        ("apps", "/api/v1/apps".into(), "POST", "/api/v1/apps".into(), app),
        (
            "app grants",
            "/api/v1/apps/none/grants".into(),
            "POST",
            "/api/v1/apps/none/grants".into(),
            json!({}),
        ),
        (
            "servers",
            "/api/v1/authorizationServers".into(),
            "POST",
            "/api/v1/authorizationServers".into(),
            json!({ "name": "as", "audiences": ["a"] }),
        ),
        ("sessions", missing_session.clone(), "DELETE", missing_session, empty.clone()),
        ("policies", "/api/v1/policies?type=PASSWORD".into(), "POST", "/api/v1/policies".into(), empty),
        (
            "roles",
            "/api/v1/iam/assignees/users".into(),
            "POST",
            "/api/v1/groups/none/roles".into(),
            json!({}),
        ),
        ("API tokens", "/api/v1/api-tokens".into(), "PUT", "/api/v1/api-tokens/none".into(), json!({})),
        ("logs", "/api/v1/logs".into(), "POST", "/api/v1/logs".into(), json!({})),
    ]
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_no_more() {
    use AdminRole::{ApiAccessManagementAdmin, AppAdmin, OrgAdmin, ReadOnlyAdmin, SuperAdmin, UserAdmin};
    let all = "users groups rules apps servers sessions policies roles logs API-tokens app-grants";
    let cases = [
        (SuperAdmin, all, all),
        (OrgAdmin, all, "users groups rules sessions policies"),
        (ReadOnlyAdmin, all, ""),
        (UserAdmin, "users groups rules sessions apps policies roles logs", "users groups rules sessions"),
        (AppAdmin, "users groups rules apps app-grants servers policies roles logs", "apps"),
        (ApiAccessManagementAdmin, "users groups rules apps servers policies roles logs", "servers"),
    ];
    for (role, sees, manages) in cases {
        let org = Org::new().await;
        let user = org.user("dev@example.com").await;
        let token = org.api_token("t", role, None).await;
        for (family, question, method, change, body) in families(&user) {
            let name = family.replace(' ', "-");
            let is_in = |list: &str| list.split(' ').any(|one| one == name);
            let asked = org.call_by(&token, "GET", &question, None).await;
            assert_eq!(asked.status != 403, is_in(sees), "{role:?} sees {family}: {}", asked.body);
            if family == "logs" {
                continue;
            }
            let changed = org.call_by(&token, method, &change, body).await;
            assert_eq!(changed.status != 403, is_in(manages), "{role:?} manages {family}: {}", changed.body);
        }
    }
}

#[tokio::test]
async fn roles_are_given_listed_and_taken_back() {
    let org = Org::new().await;
    let (ada, group) = (org.user("ada@example.com").await, org.group("admins").await);
    org.put(&format!("/api/v1/groups/{}/users/{}", group.id, ada.id), None).await.expect(204);
    let service = json!({ "label": "s", "settings": { "oauthClient": { "application_type": "service" } } });
    let service = org.post("/api/v1/apps", service).await.expect(200)["id"].as_str().unwrap().to_owned();
    let paths = [
        (format!("/api/v1/users/{}/roles", ada.id), "USER"),
        (format!("/api/v1/groups/{}/roles", group.id), "GROUP"),
        (format!("/oauth2/v1/clients/{service}/roles"), "CLIENT"),
    ];
    let mut made = Vec::new();
    for (path, kind) in &paths {
        let role = org.post(path, json!({ "type": "USER_ADMIN" })).await.expect(201);
        assert_eq!((&role["type"], &role["assignmentType"]), (&json!("USER_ADMIN"), &json!(kind)));
        org.post(path, json!({ "type": "USER_ADMIN" })).await.refused(409, "E0000090", "already");
        org.post(path, json!({ "type": "KING" })).await.refused(400, "E0000001", "SUPER_ADMIN");
        org.post(path, json!({})).await.refused(400, "E0000001", "type");
        let one = format!("{path}/{}", role["id"].as_str().unwrap());
        assert_eq!(org.get(&one).await.expect(200), role);
        made.push(one);
    }
    let of_ada = org.get(&paths[0].0).await.expect(200);
    let kinds: Vec<_> =
        of_ada.as_array().unwrap().iter().map(|role| role["assignmentType"].clone()).collect();
    assert_eq!(kinds, ["USER", "GROUP"], "those of the groups too");
    let holders = org.get("/api/v1/iam/assignees/users").await.expect(200);
    assert_eq!(holders["value"][0]["id"], ada.id.as_str());
    org.delete(&made[0].replace(ada.id.as_str(), org.user("b@example.com").await.id.as_str()))
        .await
        .refused(404, "E0000007", "");
    for one in &made {
        org.delete(one).await.expect(204);
        org.delete(one).await.refused(404, "E0000007", "");
    }
    assert_eq!(org.get(&paths[0].0).await.expect(200), json!([]));
    org.post("/oauth2/v1/clients/none/roles", json!({ "type": "USER_ADMIN" }))
        .await
        .refused(404, "E0000007", "");
}

#[tokio::test]
async fn only_a_super_administrator_makes_administrators() {
    for role in AdminRole::ALL {
        let org = Org::new().await;
        let (ada, group) = (org.user("ada@example.com").await, org.group("g").await);
        org.assign_role(RoleHolder::User(ada.id.clone()), role).await;
        let token = org.api_token("t", role, None).await;
        let service =
            json!({ "label": "s", "settings": { "oauthClient": { "application_type": "service" } } });
        let service = org.post("/api/v1/apps", service).await.expect(200)["id"].as_str().unwrap().to_owned();
        let given = json!({ "type": "READ_ONLY_ADMIN" });
        let changes = [
            (format!("/api/v1/users/{}/roles", org.user("b@example.com").await.id), given.clone()),
            (format!("/api/v1/groups/{}/roles", group.id), given.clone()),
            (format!("/oauth2/v1/clients/{service}/roles"), given),
            (format!("/api/v1/apps/{service}/grants"), json!({ "scopeId": "okta.users.read" })),
        ];
        for (path, body) in changes {
            for answer in [
                org.call_by(&token, "POST", &path, body.clone()).await,
                org.call_person(&ada, "POST", &path, body.clone()).await,
            ] {
                let is_allowed = matches!(answer.status.as_u16(), 201 | 409);
                assert_eq!(is_allowed, role == AdminRole::SuperAdmin, "{role:?} {path}: {}", answer.body);
                assert!(is_allowed || answer.status == 403, "{role:?} {path}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn an_account_is_touched_only_by_those_who_stand_no_lower() {
    let org = Org::new().await;
    let (god, eve) = (org.user("god@example.com").await, org.user("eve@example.com").await);
    let by_group = org.user("bygroup@example.com").await;
    let group = org.group("gods").await;
    org.put(&format!("/api/v1/groups/{}/users/{}", group.id, by_group.id), None).await.expect(204);
    org.assign_role(RoleHolder::User(god.id.clone()), AdminRole::SuperAdmin).await;
    org.assign_role(RoleHolder::Group(group.id.clone()), AdminRole::SuperAdmin).await;
    org.assign_role(RoleHolder::User(eve.id.clone()), AdminRole::OrgAdmin).await;
    let password = json!({ "credentials": { "password": { "value": "a-password-of-mine" } } });
    let other_login = json!({ "profile": { "login": "x@example.com" } });
    let changes = [
        ("POST", "", password.clone()),
        ("POST", "", other_login),
        ("DELETE", "", json!({})),
        ("POST", "/lifecycle/reset_password?sendEmail=false", json!({})),
        ("POST", "/lifecycle/expire_password_with_temp_password", json!({})),
        ("POST", "/lifecycle/expire_password", json!({})),
        ("POST", "/lifecycle/suspend", json!({})),
        ("POST", "/lifecycle/deactivate", json!({})),
        ("POST", "/lifecycle/reactivate", json!({})),
        ("POST", "/lifecycle/unlock", json!({})),
        ("POST", "/credentials/forgot_password?sendEmail=false", json!({})),
        ("DELETE", "/sessions", json!({})),
        ("DELETE", "/clients/any/tokens", json!({})),
    ];
    for who in [&god, &by_group] {
        for role in [AdminRole::OrgAdmin, AdminRole::UserAdmin] {
            let token = org.api_token(&format!("{role:?} {}", who.id), role, None).await;
            for (method, rest, body) in &changes {
                let path = format!("/api/v1/users/{}{rest}", who.id);
                let answer = org.call_by(&token, method, &path, body.clone()).await;
                answer.refused(403, "E0000006", "Super Administrator");
            }
        }
    }
    let path = format!("/api/v1/users/{}", eve.id);
    let user_admin = org.api_token("user admin", AdminRole::UserAdmin, None).await;
    org.call_by(&user_admin, "POST", &path, password.clone()).await.refused(403, "E0000006", "Organization");
    let org_admin = org.api_token("org admin", AdminRole::OrgAdmin, None).await;
    org.call_by(&org_admin, "POST", &path, password).await.expect(200);
}

#[tokio::test]
async fn an_application_that_is_an_administrator_is_changed_by_super_administrators_only() {
    let org = Org::new().await;
    let service = json!({ "label": "s", "settings": { "oauthClient": { "application_type": "service" } } });
    let id = org.post("/api/v1/apps", service.clone()).await.expect(200)["id"].as_str().unwrap().to_owned();
    let app = format!("/api/v1/apps/{id}");
    let token = org.api_token("app admin", AdminRole::AppAdmin, None).await;
    org.call_by(&token, "PUT", &app, service.clone()).await.expect(200);
    org.post(&format!("{app}/grants"), json!({ "scopeId": "okta.users.read" })).await.expect(201);
    let calls = [
        ("PUT", ""),
        ("POST", "/lifecycle/deactivate"),
        ("POST", "/credentials/secrets"),
        ("POST", "/credentials/jwks/k/lifecycle/activate"),
    ];
    for (method, rest) in calls {
        let answer = org.call_by(&token, method, &format!("{app}{rest}"), service.clone()).await;
        answer.refused(403, "E0000006", "super administrator");
    }
    let grants = format!("{app}/grants");
    assert_eq!(org.get(&grants).await.expect(200)[0]["scopeId"], "okta.users.read");
    org.post(&grants, json!({ "scopeId": "okta.everything" })).await.refused(400, "E0000001", "scopeId");
    let elsewhere = json!({ "scopeId": "okta.users.read", "issuer": "https://example.com" });
    org.post(&grants, elsewhere).await.refused(400, "E0000001", "issuer");
    org.delete(&format!("{grants}/okta.users.read")).await.expect(204);
    org.delete(&format!("{grants}/okta.users.read")).await.refused(404, "E0000007", "");
    org.call_by(&token, "PUT", &app, service).await.expect(200);
}
