//! The same in whatever order: again, at once, broken off and begun anew, and taken down from the wrong end.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::house::{Org, merged};
use crate::terraform::{Names, recording};

/// The run was killed here.
#[derive(Debug)]
struct Killed;

/// A client that makes what is not there by its name, writes what is, and may be killed after some requests.
struct Run<'a> {
    org: &'a Org,
    requests: usize,
    killed_after: usize,
}

impl<'a> Run<'a> {
    fn new(org: &'a Org, killed_after: usize) -> Self {
        Self { org, requests: 0, killed_after }
    }

    async fn call(
        &mut self,
        method: &str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> Result<Value, Killed> {
        if self.requests == self.killed_after {
            return Err(Killed);
        }
        self.requests += 1;
        let answer = self.org.call(method, path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
        Ok(answer.body)
    }

    /// Makes or replaces the object of a list that has the body's value at `name`; its path.
    async fn ensure(&mut self, list: &str, name: &str, body: Value) -> Result<String, Killed> {
        let all = self.call("GET", &format!("{list}?limit=200"), None).await?;
        let mut all = all.as_array().unwrap().iter();
        let id = match all.find(|one| one.pointer(name) == body.pointer(name)) {
            Some(found) => {
                let id = found["id"].as_str().unwrap();
                self.call("PUT", &format!("{list}/{id}"), body).await?;
                id.to_owned()
            }
            None => self.call("POST", list, body).await?["id"].as_str().unwrap().to_owned(),
        };
        Ok(format!("{list}/{id}"))
    }

    /// The tutorial's configuration.
    async fn apply(&mut self) -> Result<(), Killed> {
        let user = self.call("GET", "/api/v1/users/dev@example.com", None).await?;
        let mut groups = Vec::new();
        for name in ["k8s-admins", "k8s-restricted-users"] {
            let group = self
                .ensure("/api/v1/groups", "/profile/name", json!({ "profile": { "name": name } }))
                .await?;
            self.call("PUT", &format!("{group}/users/{}", user["id"].as_str().unwrap()), None).await?;
            groups.push(group.rsplit('/').next().unwrap().to_owned());
        }
        let app = self.ensure("/api/v1/apps", "/label", app("k8s")).await?;
        for (group, priority) in groups.iter().zip(0..) {
            self.call("PUT", &format!("{app}/groups/{group}"), json!({ "priority": priority })).await?;
        }
        let server = json!({ "name": "k8s", "audiences": ["http://localhost:8000"] });
        let server = self.ensure("/api/v1/authorizationServers", "/name", server).await?;
        let claim = json!({ "name": "groups", "claimType": "IDENTITY", "valueType": "GROUPS",
            "group_filter_type": "STARTS_WITH", "value": "k8s-", "alwaysIncludeInToken": true });
        self.ensure(&format!("{server}/claims"), "/name", claim).await?;
        let client = app.rsplit('/').next().unwrap();
        let policy =
            json!({ "name": "policy", "priority": 1, "conditions": { "clients": { "include": [client] } } });
        let policy = self.ensure(&format!("{server}/policies"), "/name", policy).await?;
        self.ensure(&format!("{policy}/rules"), "/name", rule("rule", &json!([groups[0]]))).await?;
        let rule = json!({ "name": "rule", "conditions": { "expression": { "value": "user.department == \"x\"" } },
            "actions": { "assignUserToGroups": { "groupIds": groups } } });
        self.ensure("/api/v1/groups/rules", "/name", rule).await?;
        Ok(())
    }
}

fn app(label: &str) -> Value {
    json!({ "label": label, "settings": { "oauthClient": { "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["http://localhost:8000"] } } })
}

fn rule(name: &str, groups: &Value) -> Value {
    json!({ "name": name, "conditions": { "grantTypes": { "include": ["authorization_code"] },
        "people": { "groups": { "include": groups } } } })
}

/// All that there is, with names in place of ids and without what is of the moment.
async fn state(org: &Org) -> Value {
    let mut lists = Vec::new();
    let mut names = Vec::new();
    let mut to_read =
        vec!["/api/v1/groups", "/api/v1/groups/rules", "/api/v1/apps", "/api/v1/authorizationServers"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
    while let Some(path) = to_read.pop() {
        let list = org.get(&path).await.expect(200);
        for one in list.as_array().unwrap() {
            let id = one["id"].as_str().unwrap();
            let own = format!("{path}/{id}");
            let name = ["/profile/name", "/profile/login", "/label", "/name"]
                .into_iter()
                .find_map(|at| one.pointer(at));
            names.push((id.to_owned(), format!("<{}>", name.and_then(Value::as_str).unwrap_or("none"))));
            let parts: &[&str] = match path.rsplit('/').next().unwrap() {
                "groups" if !path.contains("/apps/") => &["users", "apps"],
                "apps" if !path.contains("/groups/") => &["groups", "users"],
                "authorizationServers" => &["claims", "scopes", "policies"],
                "policies" => &["rules"],
                _ => &[],
            };
            to_read.extend(parts.iter().map(|part| format!("{own}/{part}")));
        }
        lists.push((path, list));
    }
    let text = lists.into_iter().map(|(path, list)| (path, without_moments(list))).collect::<Vec<_>>();
    let mut text = serde_json::to_string(&text).unwrap();
    names.sort_by_key(|(_, name)| name == "<none>");
    for (id, name) in names {
        text = text.replace(&id, &name);
    }
    let mut lists: Vec<(String, Value)> = serde_json::from_str(&text).unwrap();
    for (path, list) in &mut lists {
        if !path.contains("policies") {
            list.as_array_mut().unwrap().sort_by_key(Value::to_string);
        }
    }
    lists.sort_by(|(one, _), (other, _)| one.cmp(other));
    json!(lists)
}

fn without_moments(value: Value) -> Value {
    let moments =
        ["created", "lastUpdated", "lastMembershipUpdated", "_links", "kid", "lastRotated", "nextRotation"];
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !moments.contains(&name.as_str()))
            .map(|(name, value)| (name, without_moments(value)))
            .collect(),
        Value::Array(elements) => elements.into_iter().map(without_moments).collect(),
        other => other,
    }
}

async fn org() -> Org {
    let org = Org::new().await;
    org.user("dev@example.com").await;
    org
}

#[tokio::test]
async fn an_apply_that_is_killed_after_any_request_and_begun_anew_comes_to_the_same() {
    let whole = org().await;
    let mut run = Run::new(&whole, usize::MAX);
    run.apply().await.unwrap();
    let (expected, requests) = (state(&whole).await, run.requests);
    assert!(expected.to_string().contains("<k8s-restricted-users>"), "{expected}");
    for killed_after in 0..requests {
        let org = org().await;
        Run::new(&org, killed_after).apply().await.unwrap_err();
        Run::new(&org, usize::MAX).apply().await.unwrap();
        assert_eq!(state(&org).await, expected, "killed after {killed_after}");
    }
    let audit = whole.audit().await;
    let changes = whole.provider.changes();
    Run::new(&whole, usize::MAX).apply().await.unwrap();
    assert_eq!(
        (whole.audit().await, whole.provider.changes()),
        (audit, changes),
        "the same again writes nothing"
    );
    assert_eq!(state(&whole).await, expected);
}

#[tokio::test]
async fn what_terraform_applied_is_written_again_without_a_change() {
    for version in ["6.12.0", "3.15.0"] {
        let org = Org::new().await;
        for login in ["admin@example.test", "dev@example.test"] {
            org.user(login).await;
        }
        let (mut names, mut written) = (Names::default(), Vec::new());
        for recorded in recording(version)
            .iter()
            .filter(|recorded| recorded.step.ends_with(" plan0") || recorded.step.ends_with(" apply"))
        {
            let path = recorded.target(&names);
            let body = recorded.body.as_ref().map(|body| names.ours_in(body));
            let answer = org.call(&recorded.method, &path, body.clone()).await.expect(recorded.status);
            if let Some(expected) = &recorded.answer {
                names.compare("", expected, &answer, &mut Vec::new());
            }
            match (recorded.method.as_str(), answer["id"].as_str()) {
                ("POST", Some(id)) => {
                    let list = path.split('?').next().unwrap();
                    written.push(("PUT", format!("{list}/{id}"), body));
                }
                ("POST", None) => written.push(("POST", path, body)),
                ("PUT", _) => written.push(("PUT", path, body)),
                _ => {}
            }
        }
        assert!(written.len() > 8, "{written:?}");
        let (audit, changes) = (org.audit().await, org.provider.changes());
        for (method, path, body) in written {
            let answer = org.call(method, &path, body).await;
            assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
            assert_eq!(org.audit().await, audit, "{method} {path}");
        }
        assert_eq!(org.provider.changes(), changes);
    }
}

/// The last members of a list's priorities, in their order.
async fn priorities(org: &Org, path: &str) -> Vec<u64> {
    let all = org.get(&format!("{path}?limit=200")).await.expect(200);
    all.as_array().unwrap().iter().map(|one| one["priority"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_writers_at_once_all_get_through_and_no_two_stand_in_one_place() {
    let org = org().await;
    let app_path = format!(
        "/api/v1/apps/{}",
        org.post("/api/v1/apps", app("shared")).await.expect(200)["id"].as_str().unwrap()
    );
    let made = org
        .post("/api/v1/authorizationServers", json!({ "name": "shared", "audiences": ["a"] }))
        .await
        .expect(201);
    let server = format!("/api/v1/authorizationServers/{}", made["id"].as_str().unwrap());
    let policies = format!("{server}/policies");
    let made = org.post(&policies, json!({ "name": "shared" })).await.expect(201);
    let rules = format!("{policies}/{}/rules", made["id"].as_str().unwrap());
    let writers = (0..10).map(|number| {
        let (org, app_path, rules, policies, server) = (&org, &app_path, &rules, &policies, &server);
        async move {
            let place = json!({ "priority": 1 + number % 3 });
            let name = format!("writer{number}");
            let group = org.post("/api/v1/groups", json!({ "profile": { "name": name } })).await.expect(200);
            let group = group["id"].as_str().unwrap();
            org.post("/api/v1/apps", app(&name)).await.expect(200);
            org.post("/api/v1/authorizationServers", json!({ "name": name, "audiences": ["a"] }))
                .await
                .expect(201);
            org.put(&format!("{app_path}/groups/{group}"), place.clone()).await.expect(200);
            org.post(&format!("{server}/scopes"), json!({ "name": name })).await.expect(201);
            org.post(policies, merged(json!({ "name": name }), place.clone())).await.expect(201);
            let made =
                org.post(rules, merged(rule(&name, &json!(["EVERYONE"])), place.clone())).await.expect(201);
            let one = format!("{rules}/{}", made["id"].as_str().unwrap());
            org.put(&one, merged(rule(&name, &json!([group])), json!({ "priority": 1 }))).await.expect(200);
        }
    });
    join_all(writers).await;
    for (path, number) in [(format!("{app_path}/groups"), 10), (policies, 11), (rules, 10)] {
        let found = priorities(&org, &path).await;
        let mut different = found.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!((found.len(), &found), (number, &different), "{path}");
    }
    assert_eq!(org.get("/api/v1/groups?q=writer").await.expect(200).as_array().unwrap().len(), 10);
    assert_eq!(org.get("/api/v1/apps?q=writer").await.expect(200).as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_who_make_the_same_name_at_once_one_does() {
    let org = org().await;
    let server = json!({ "name": "same", "audiences": ["a"] });
    let client =
        merged(app("same"), json!({ "credentials": { "oauthClient": { "client_id": "the-same" } } }));
    let user = json!({ "profile": { "login": "same@example.com", "email": "same@example.com" } });
    let cases = [
        ("/api/v1/groups", json!({ "profile": { "name": "same" } })),
        ("/api/v1/authorizationServers", server),
        ("/api/v1/apps", client),
        ("/api/v1/users", user),
    ];
    for (path, body) in cases {
        let answers = join_all((0..10).map(|_| org.post(path, body.clone()))).await;
        let made = answers.iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(made, 1, "{path}");
        assert!(
            answers.iter().all(|answer| answer.status.is_success() || answer.status == 400),
            "{path}: {answers:?}"
        );
    }
}

#[tokio::test]
async fn taken_down_from_the_wrong_end_each_step_succeeds_or_says_why_and_leaves_no_half() {
    let org = org().await;
    Run::new(&org, usize::MAX).apply().await.unwrap();
    let first = async |list: &str| {
        let all = org.get(list).await.expect(200);
        format!("{list}/{}", all[0]["id"].as_str().unwrap())
    };
    let server = first("/api/v1/authorizationServers").await;
    let policy = first(&format!("{server}/policies")).await;
    let rule = first(&format!("{policy}/rules")).await;
    let app = first("/api/v1/apps").await;
    let group_rule = first("/api/v1/groups/rules").await;
    let groups = org.get("/api/v1/groups?q=k8s").await.expect(200);
    let group = |at: usize| format!("/api/v1/groups/{}", groups[at]["id"].as_str().unwrap());
    org.delete(&group(0)).await.refused(400, "E0000001", "group rule");
    org.delete(&app).await.refused(403, "E0000056", "deactivate");
    org.delete(&group_rule).await.expect(202);
    org.delete(&group(0)).await.expect(204);
    org.delete(&group(1)).await.expect(204);
    assert_eq!(org.get(&format!("{app}/groups")).await.expect(200), json!([]), "with the assignment");
    org.get(&rule).await.expect(200);
    org.post(&format!("{app}/lifecycle/deactivate"), None).await.expect(200);
    org.delete(&app).await.expect(204);
    org.get(&policy).await.expect(200);
    org.delete(&policy).await.expect(204);
    org.get(&rule).await.refused(404, "E0000007", "");
    org.delete(&rule).await.refused(404, "E0000007", "");
    org.delete(&server).await.expect(204);
    let empty = Org::new().await;
    empty.user("dev@example.com").await;
    assert_eq!(state(&org).await, state(&empty).await);
}
