//! A good request for every address that takes a body, in an organization prepared for them.

use serde_json::{Value, json};

use crate::house::{ORIGIN, Org};

/// A request that is good as it stands, each time anew: names have the request's number at their end.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What stands for the number of a request in names that there may be only once.
const NUMBER: &str = "{n}";

/// The body of a request of that number.
pub(crate) fn numbered(body: &Value, number: usize) -> Value {
    serde_json::from_str(&body.to_string().replace(NUMBER, &number.to_string())).unwrap()
}

fn template(method: &'static str, path: impl Into<String>, body: Value) -> Template {
    Template { method, path: path.into(), body }
}

fn app() -> Value {
    json!({
        "name": "oidc_client",
        "label": "app",
        "signOnMode": "OPENID_CONNECT",
        "accessibility": { "selfService": false },
        "visibility": { "hide": { "iOS": true, "web": true }, "autoSubmitToolbar": false },
        "profile": { "label": "x" },
        "credentials": {
            "oauthClient": { "client_id": "client-{n}", "client_secret": "a-secret-of-my-own", "autoKeyRotation": true,
                "pkce_required": true, "token_endpoint_auth_method": "client_secret_basic" },
            "userNameTemplate": { "template": "${source.login}", "type": "BUILT_IN" },
        },
        "settings": {
            "app": {}, "implicitAssignment": false, "notes": { "admin": null },
            "oauthClient": {
                "application_type": "web", "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"], "redirect_uris": ["http://localhost:8000"],
                "post_logout_redirect_uris": ["http://localhost:8000"], "consent_method": "TRUSTED",
                "issuer_mode": "ORG_URL", "wildcard_redirect": "DISABLED", "client_uri": "https://example.com",
                "idp_initiated_login": { "mode": "DISABLED", "default_scope": [] },
                "refresh_token": { "rotation_type": "ROTATE", "leeway": 30 }, "dpop_bound_access_tokens": false,
                "network": { "connection": "ANYWHERE" }, "participate_slo": false,
            },
        },
    })
}

fn claim() -> Value {
    json!({ "name": "team{n}", "status": "ACTIVE", "claimType": "IDENTITY", "valueType": "GROUPS", "value": "k8s",
        "group_filter_type": "STARTS_WITH", "alwaysIncludeInToken": true, "conditions": { "scopes": ["profile"] } })
}

fn policy() -> Value {
    json!({ "type": "OAUTH_AUTHORIZATION_POLICY", "name": "policy{n}", "description": "x", "status": "ACTIVE", "priority": 1,
        "conditions": { "clients": { "include": ["ALL_CLIENTS"] } } })
}

fn rule(group: &str, user: &str) -> Value {
    json!({
        "type": "RESOURCE_ACCESS", "name": "rule{n}", "status": "ACTIVE", "priority": 1,
        "conditions": {
            "people": { "users": { "include": [user], "exclude": [] }, "groups": { "include": [group], "exclude": [] } },
            "grantTypes": { "include": ["authorization_code"] },
            "scopes": { "include": ["openid"] },
        },
        "actions": { "token": { "accessTokenLifetimeMinutes": 60, "refreshTokenLifetimeMinutes": 0,
            "refreshTokenWindowMinutes": 10080, "idTokenLifetimeMinutes": 60, "inlineHook": { "id": "" } } },
    })
}

fn user() -> Value {
    json!({
        "profile": { "login": "new{n}@example.com", "email": "new@example.com", "firstName": "New", "lastName": "One",
            "department": "Engines", "tags": ["a", 1, true] },
        "type": { "id": "default" },
        "groupIds": [],
        "credentials": { "provider": { "type": "OKTA", "name": "OKTA" }, "password": { "hash": {
            "algorithm": "BCRYPT", "workFactor": 6, "salt": "m0CrhHm10qJ3lXRY.5zDGO",
            "value": "3rS2KdeeWLuGmsfGlMfOxih58VYVfxe" } } },
    })
}

/// Every address that takes a body, with the ids of a prepared organization.
pub(crate) async fn prepared(org: &Org) -> Vec<Template> {
    let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
    let (dev, group) =
        (org.user("dev@example.com").await.id.to_string(), org.group("k8s").await.id.to_string());
    let server = json!({ "name": "k8s{n}", "description": "x", "audiences": ["a"], "issuerMode": "ORG_URL",
        "credentials": { "signing": { "rotationMode": "AUTO" } } });
    let scope = json!({ "name": "kube{n}", "displayName": "Kube", "description": "x", "consent": "IMPLICIT",
        "metadataPublish": "ALL_CLIENTS", "default": false, "optional": false });
    let group_rule = json!({ "type": "group_rule", "name": "rule{n}", "conditions": {
        "people": { "users": { "exclude": [dev] }, "groups": { "exclude": [] } },
        "expression": { "type": "urn:okta:expression:1.0", "value": "user.department == \"x\"" } },
        "actions": { "assignUserToGroups": { "groupIds": [group] } } });
    let app_path =
        format!("/api/v1/apps/{}", id(&org.post("/api/v1/apps", numbered(&app(), 0)).await.expect(200)));
    let servers = "/api/v1/authorizationServers";
    let as_path = format!("{servers}/{}", id(&org.post(servers, numbered(&server, 0)).await.expect(201)));
    let under = async |list: String, body: Value| {
        let made = org.post(&list, numbered(&body, 0)).await;
        let path = format!("{list}/{}", made.body["id"].as_str().unwrap());
        [template("PUT", path, numbered(&body, 0)), template("POST", list, body)]
    };
    let policies = under(format!("{as_path}/policies"), policy()).await;
    let policy_path = policies[0].path.clone();
    let key = json!({ "kty": "EC", "kid": "k{n}", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "use": "sig", "alg": "ES256" });
    let service = json!({ "label": "by key", "settings": { "oauthClient": { "application_type": "service",
        "jwks": { "keys": [numbered(&key, 0)] } } }, "credentials": { "oauthClient": {
        "token_endpoint_auth_method": "private_key_jwt" } } });
    let by_key = format!("/api/v1/apps/{}", id(&org.post("/api/v1/apps", service.clone()).await.expect(200)));
    let passwords =
        json!({ "oldPassword": { "value": "x" }, "newPassword": { "value": "y" }, "revokeSessions": true });
    let own = |rest: &str| format!("/api/v1/users/{dev}{rest}");
    let mut all = vec![
        template(
            "PUT",
            format!("/api/v1/groups/{group}"),
            json!({ "profile": { "name": "k8s", "description": "x" } }),
        ),
        template(
            "POST",
            "/api/v1/groups",
            json!({ "profile": { "name": "g{n}", "description": "x", "more": [1] } }),
        ),
        template("POST", "/api/v1/apps?activate=false", app()),
        template("PUT", app_path.clone(), numbered(&app(), 0)),
        template(
            "PUT",
            format!("{app_path}/groups/{group}"),
            json!({ "id": group, "priority": 0, "profile": { "a": 1 } }),
        ),
        template(
            "POST",
            format!("{app_path}/users"),
            json!({ "id": dev, "scope": "USER",
            "credentials": { "userName": "x", "password": {} }, "profile": { "a": 1 } }),
        ),
        template(
            "POST",
            format!("{app_path}/users/{dev}"),
            json!({ "credentials": { "userName": "x" }, "profile": {} }),
        ),
        template(
            "POST",
            format!("{app_path}/grants"),
            json!({ "scopeId": "okta.users.read", "issuer": ORIGIN }),
        ),
        template(
            "POST",
            format!("{app_path}/credentials/secrets"),
            json!({ "client_secret": "a-secret-of-my-own", "status": "ACTIVE" }),
        ),
        template("POST", format!("{by_key}/credentials/jwks"), key),
        template(
            "POST",
            format!("/api/v1/internal{}/settings/oauth/idToken", &app_path["/api/v1".len()..]),
            json!({ "issuerMode": "ORG_URL", "name": "groups", "value": "x", "valueType": "GROUPS", "groupFilterType": "REGEX" }),
        ),
        template("POST", servers, server.clone()),
        template("PUT", as_path.clone(), numbered(&server, 0)),
        template("POST", format!("{as_path}/credentials/lifecycle/keyRotate"), json!({ "use": "sig" })),
        template("POST", "/api/v1/users?activate=true", user()),
        template("POST", own(""), user()),
        template("PUT", own(""), user()),
        template("POST", own("/credentials/change_password"), passwords),
        template("POST", own("/roles"), json!({ "type": "USER_ADMIN" })),
        template("POST", format!("/api/v1/groups/{group}/roles"), json!({ "type": "APP_ADMIN" })),
        template(
            "POST",
            "/api/v1/api-tokens",
            json!({ "name": "t{n}", "roles": ["SUPER_ADMIN"], "expiresAt": "2030-01-01T00:00:00Z" }),
        ),
        template(
            "POST",
            "/api/v1/meta/schemas/user/default",
            json!({ "definitions": { "custom": { "properties": {} } } }),
        ),
        template("POST", "/api/v1/policies", json!({ "type": "PASSWORD", "name": "x" })),
        template("POST", "/api/v1/sessions", json!({ "sessionToken": "x" })),
        template("POST", own("/factors"), json!({ "factorType": "sms" })),
    ];
    all.extend(policies);
    all.extend(under(format!("{policy_path}/rules"), rule(&group, &dev)).await);
    all.extend(under(format!("{as_path}/claims"), claim()).await);
    all.extend(under(format!("{as_path}/scopes"), scope).await);
    all.extend(under("/api/v1/groups/rules".to_owned(), group_rule).await);
    all
}
