//! People: made, found, changed, taken over from elsewhere.

use jiff::SignedDuration;
use kubesso_directory::{AdminRole, RoleHolder};
use serde_json::{Value, json};

use crate::house::{Org, merged};

const USERS: &str = "/api/v1/users";
pub(crate) const PASSWORD: &str = "correct-horse-battery";

fn profile(login: &str) -> Value {
    json!({ "login": login, "email": login, "firstName": "Ada", "lastName": "Lovelace" })
}

fn body(login: &str, more: Value) -> Value {
    merged(json!({ "profile": profile(login) }), more)
}

fn with_password(password: &str) -> Value {
    json!({ "credentials": { "password": { "value": password } } })
}

fn path(user: &Value) -> String {
    format!("{USERS}/{}", user["id"].as_str().unwrap())
}

fn logins(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|user| user["profile"]["login"].as_str().unwrap()).collect()
}

/// Whether the password is right, by the one question of this API that tells.
async fn is_password(org: &Org, user: &str, password: &str) -> bool {
    let change =
        json!({ "oldPassword": { "value": password }, "newPassword": { "value": "another-horse-battery" } });
    org.post(&format!("{user}/credentials/change_password"), change).await.status == 200
}

#[tokio::test]
async fn a_new_user_stands_where_password_and_activation_put_it() {
    let org = Org::new().await;
    let password = with_password(PASSWORD);
    let cases = [
        ("a@example.com", "", json!({}), "PROVISIONED", true),
        ("b@example.com", "", password.clone(), "ACTIVE", false),
        ("c@example.com", "?activate=true", password.clone(), "ACTIVE", false),
        ("d@example.com", "?activate=false", json!({}), "STAGED", false),
        ("e@example.com", "?activate=false", password.clone(), "STAGED", false),
        ("f@example.com", "?activate=true&nextLogin=changePassword", password, "PASSWORD_EXPIRED", false),
    ];
    for (login, query, more, status, is_warned) in cases {
        let answer = org.post(&format!("{USERS}{query}"), body(login, more.clone())).await;
        assert_eq!(answer.headers.contains_key("warning"), is_warned, "{login}: no mail goes out");
        let made = answer.expect(200);
        assert_eq!(made["status"], status, "{login}");
        assert_eq!(made["profile"]["firstName"], "Ada");
        let has_password = more != json!({});
        assert_eq!(
            made["credentials"]["password"],
            if has_password { json!({}) } else { Value::Null },
            "{login}"
        );
        assert_eq!(made["activated"].is_null(), status == "STAGED", "{login}");
        assert_eq!(org.get(&path(&made)).await.expect(200), made);
        assert_eq!(org.get(&format!("{USERS}/{login}")).await.expect(200), made, "by its login too");
        assert_eq!(org.get(&format!("{USERS}/{}", login.to_uppercase())).await.expect(200), made);
    }
    let everyone = org.get("/api/v1/groups?q=Everyone").await.expect(200);
    let members = org.get(&format!("/api/v1/groups/{}/users", everyone[0]["id"].as_str().unwrap())).await;
    assert_eq!(members.expect(200).as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn what_cannot_be_a_user_is_refused_with_the_field() {
    let org = Org::new().await;
    org.user("taken@example.com").await;
    let good = |more: Value| body("ada@example.com", more);
    let member = |name: &str, value: Value| good(json!({ "profile": { name: value } }));
    let cases = [
        (json!({}), "profile"),
        (json!({ "profile": [] }), "profile"),
        (member("login", Value::Null), "login"),
        (member("email", Value::Null), "email"),
        (member("email", json!("nobody")), "email"),
        (member("login", json!(5)), "login"),
        (member("login", json!("Taken@example.com")), "login"),
        (member("firstName", json!(5)), "firstName"),
        (member("address", json!({ "city": "x" })), "address"),
        (member("long", json!("x".repeat(4097))), "4096"),
        (good(with_password("short")), "password"),
        (body("lovelace@example.com", with_password("my-Lovelace-1")), "password"),
        (good(json!({ "type": { "id": "otyother" } })), "type.id"),
        (good(json!({ "groupIds": "00g" })), "groupIds"),
    ];
    for (body, field) in cases {
        let shown = body.to_string();
        let answer = org.post(USERS, body).await;
        assert_eq!(answer.body["errorCode"], "E0000001", "{shown}: {}", answer.body);
        assert!(answer.body.to_string().contains(field), "{shown}: {}", answer.body);
    }
    org.post(USERS, good(json!({ "groupIds": ["00gnone"] }))).await.refused(404, "E0000007", "");
    org.post(&format!("{USERS}?nextLogin=changePassword"), good(json!({}))).await.refused(
        400,
        "E0000001",
        "nextLogin",
    );
    org.post(&format!("{USERS}?activate=perhaps"), good(json!({})))
        .await
        .refused(400, "E0000001", "activate");
    let unsupported = [
        json!({ "provider": { "type": "FEDERATION" } }),
        json!({ "recovery_question": { "question": "?", "answer": "!" } }),
        json!({ "password": { "hook": { "type": "default" } } }),
    ];
    for credentials in unsupported {
        org.post(USERS, good(json!({ "credentials": credentials }))).await.refused(400, "E0000060", "");
    }
    assert_eq!(logins(&org.get(USERS).await.expect(200)), ["taken@example.com"], "nobody was made");
}

#[tokio::test]
async fn a_password_that_another_provider_hashed_is_taken_over() {
    let org = Org::new().await;
    let pbkdf2 = json!({ "algorithm": "PBKDF2", "digestAlgorithm": "SHA256_HMAC", "iterationCount": 4096, "keySize": 32,
        "salt": "c2FsdA==", "value": "xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=" });
    let sha = json!({ "algorithm": "SHA-512", "salt": "c2FsdA==", "saltOrder": "PREFIX",
        "value": "KQjSwo38BHdB/FkKAm/63iN6srp+EmbwEP5JveVItZh6U0qGZVoNF/M2WI5UDNZvZyNLFSu7ZFtLuFdYoTJdZA==" });
    let bcrypt = json!({ "algorithm": "BCRYPT", "workFactor": 6, "salt": "m0CrhHm10qJ3lXRY.5zDGO",
        "value": "3rS2KdeeWLuGmsfGlMfOxih58VYVfxe" });
    let hashed = |hash: &Value| json!({ "credentials": { "password": { "hash": hash } } });
    for (login, hash, password) in [
        ("a@example.com", &bcrypt, "a"),
        ("b@example.com", &sha, "password"),
        ("c@example.com", &pbkdf2, "password"),
    ] {
        let answer = org.post(USERS, body(login, hashed(hash))).await;
        let shown = answer.body.to_string();
        assert!(!shown.contains(hash["value"].as_str().unwrap()), "{shown}");
        let made = answer.expect(200);
        assert_eq!(made["status"], "ACTIVE");
        assert!(!is_password(&org, &path(&made), "wrong").await, "{login}");
        assert!(is_password(&org, &path(&made), password).await, "{login}");
    }
    let md5 = json!({ "algorithm": "MD5", "value": "X03MO1qnZdYdgyfeuILPmQ==" });
    org.post(USERS, body("d@example.com", hashed(&md5))).await.refused(400, "E0000001", "MD5");
    let both = merged(hashed(&sha), with_password(PASSWORD));
    org.post(USERS, body("d@example.com", both)).await.refused(400, "E0000001", "either");
}

#[tokio::test]
async fn a_new_user_joins_groups_that_the_caller_may_put_people_into() {
    let org = Org::new().await;
    let (plain, admins) = (org.group("plain").await, org.group("admins").await);
    org.assign_role(RoleHolder::Group(admins.id.clone()), AdminRole::AppAdmin).await;
    let token = org.api_token("user admin", AdminRole::UserAdmin, None).await;
    let into = |group: &kubesso_directory::Group| {
        body("ada@example.com", json!({ "groupIds": [group.id.as_str()] }))
    };
    let refused = org.call_by(&token, "POST", USERS, into(&admins)).await;
    refused.refused(403, "E0000006", "super administrator");
    org.get(&format!("{USERS}/ada@example.com")).await.refused(404, "E0000007", "");
    let made = org.call_by(&token, "POST", USERS, into(&plain)).await.expect(200);
    let groups = org.get(&format!("{}/groups", path(&made))).await.expect(200);
    assert!(groups.as_array().unwrap().iter().any(|group| group["profile"]["name"] == "plain"));
}

#[tokio::test]
async fn me_is_whoever_calls() {
    let org = Org::new().await;
    let me = format!("{USERS}/me");
    assert_eq!(org.get(&me).await.expect(200)["profile"]["login"], "terraform", "a token that is nobody's");
    let ada = org.user("ada@example.com").await;
    org.assign_role(RoleHolder::User(ada.id.clone()), AdminRole::ReadOnlyAdmin).await;
    let token = org.api_token("ada's", AdminRole::SuperAdmin, Some(ada.id.clone())).await;
    for found in [org.call_by(&token, "GET", &me, None).await, org.call_person(&ada, "GET", &me, None).await]
    {
        assert_eq!(found.expect(200)["id"], ada.id.as_str());
    }
    let groups = org.call_by(&token, "GET", &format!("{me}/groups"), None).await.expect(200);
    assert_eq!(groups[0]["profile"]["name"], "Everyone");
}

#[tokio::test]
async fn post_changes_what_it_names_and_put_replaces_all() {
    let org = Org::new().await;
    let more = json!({ "profile": { "department": "Engines", "shoeSize": 38, "teams": ["a", "b"] } });
    let made = org.post(USERS, body("ada@example.com", more)).await.expect(200);
    let one = path(&made);
    org.clock.advance(SignedDuration::from_secs(1));
    let partial = json!({ "profile": { "department": "Analysis", "shoeSize": null, "firstName": null } });
    let updated = org.post(&one, partial).await.expect(200);
    let mut expected = profile("ada@example.com");
    expected = merged(expected, json!({ "department": "Analysis", "teams": ["a", "b"], "firstName": null }));
    expected = merged(expected, json!({ "mobilePhone": null, "secondEmail": null }));
    assert_eq!(updated["profile"], expected);
    assert_ne!(updated["lastUpdated"], made["lastUpdated"]);
    let whole =
        json!({ "profile": { "login": "ada2@example.com", "email": "ada@example.com", "lastName": "King" } });
    let replaced = org.put(&one, whole.clone()).await.expect(200);
    let usual = json!({ "firstName": null, "mobilePhone": null, "secondEmail": null });
    assert_eq!(replaced["profile"], merged(whole["profile"].clone(), usual));
    assert_eq!(org.get(&format!("{USERS}/ada@example.com")).await.status, 404, "the login is another");
    let audit = org.audit().await;
    org.clock.advance(SignedDuration::from_secs(1));
    for again in
        [org.put(&one, whole).await, org.post(&one, json!({})).await, org.put(&one, replaced.clone()).await]
    {
        assert_eq!(again.expect(200), replaced);
    }
    assert_eq!(org.audit().await, audit, "the same again writes nothing");
    org.put(&one, json!({})).await.refused(400, "E0000001", "profile");
    org.user("taken@example.com").await;
    org.post(&one, json!({ "profile": { "login": "taken@example.com" } })).await.refused(
        400,
        "E0000001",
        "already exists",
    );
}

#[tokio::test]
async fn a_password_is_set_with_the_profile_and_never_said_again() {
    let org = Org::new().await;
    let made = org.post(USERS, body("ada@example.com", with_password(PASSWORD))).await.expect(200);
    let one = path(&made);
    let audit = org.audit().await;
    org.put(&one, body("ada@example.com", with_password(PASSWORD))).await.expect(200);
    assert_eq!(org.audit().await, audit, "the same password again is no change");
    let other = "quite-another-password";
    org.post(&one, with_password(other)).await.expect(200);
    for bad in ["short", "password1", "qwertyuiop"] {
        org.post(&one, with_password(bad)).await.refused(400, "E0000001", "password");
    }
    assert!(!is_password(&org, &one, PASSWORD).await);
    assert!(is_password(&org, &one, other).await);
    let log = org.get("/api/v1/logs?limit=1000").await.expect(200).to_string();
    let shown =
        org.get(&one).await.expect(200).to_string() + &org.get(USERS).await.expect(200).to_string() + &log;
    for secret in [PASSWORD, other, "another-horse-battery", "argon2"] {
        assert!(!shown.contains(secret), "{secret}");
    }
    let old = json!({ "oldPassword": { "value": "wrong" }, "newPassword": { "value": "x" } });
    let change = format!("{one}/credentials/change_password");
    org.post(&change, json!({})).await.refused(400, "E0000001", "oldPassword");
    let mut last = 0;
    for _ in 0..20 {
        last = org.post(&change, old.clone()).await.status.as_u16();
    }
    assert_eq!(last, 429, "whoever guesses is slowed down");
}

#[tokio::test]
async fn people_are_found_by_what_stands_in_their_profiles() {
    let org = Org::new().await;
    let people = [
        ("ada@example.com", "Ada", "Engines"),
        ("bob@example.com", "Bob", "Engines"),
        ("cyd@example.org", "Cyd", "Sales"),
    ];
    for (login, first, department) in people {
        org.clock.advance(SignedDuration::from_secs(60));
        org.post(USERS, body(login, json!({ "profile": { "firstName": first, "department": department } })))
            .await
            .expect(200);
    }
    org.post(&format!("{USERS}/cyd@example.org/lifecycle/deactivate"), None).await.expect(200);
    let cases: [(&str, &[&str]); 16] = [
        ("", &["ada@example.com", "bob@example.com"]),
        ("filter=status eq \"DEPROVISIONED\"", &["cyd@example.org"]),
        ("search=status eq \"PROVISIONED\"", &["ada@example.com", "bob@example.com"]),
        ("q=ad", &["ada@example.com"]),
        ("q=BOB", &["bob@example.com"]),
        ("q=example", &[]),
        ("search=profile.email eq \"ada@example.com\"", &["ada@example.com"]),
        ("search=profile.email eq \"ADA@example.com\"", &["ada@example.com"]),
        ("search=profile.login sw \"b\"", &["bob@example.com"]),
        ("search=profile.department eq \"Engines\" and profile.firstName sw \"B\"", &["bob@example.com"]),
        ("search=profile.department co \"ale\"", &["cyd@example.org"]),
        ("search=profile.nothing eq \"x\"", &[]),
        ("search=not (profile.department eq \"Sales\")", &["ada@example.com", "bob@example.com"]),
        (
            "search=profile.login pr&sortBy=profile.firstName&sortOrder=desc",
            &["cyd@example.org", "bob@example.com", "ada@example.com"],
        ),
        (
            "search=created gt \"2026-11-22T12:01:30.000Z\"&sortBy=created",
            &["bob@example.com", "cyd@example.org"],
        ),
        (
            "search=profile.department eq \"Engines\"&filter=profile.login eq \"ada@example.com\"",
            &["ada@example.com"],
        ),
    ];
    for (query, expected) in cases {
        let query = query.replace(' ', "%20").replace('"', "%22");
        let found = org.get(&format!("{USERS}?{query}")).await.expect(200);
        let mut found = logins(&found);
        if !query.contains("sortBy") {
            found.sort_unstable();
        }
        assert_eq!(found, expected, "{query}");
    }
    for wrong in [
        "search=nonsense",
        "filter=status%20xx%20%22a%22",
        "sortBy=a%20b",
        "search=pr&sortOrder=up",
        "limit=x",
    ] {
        org.get(&format!("{USERS}?{wrong}")).await.refused(400, "E0000001", "");
    }
}

#[tokio::test]
async fn a_list_in_pages_has_everybody_once_in_whatever_order() {
    let org = Org::new().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        // Two people have one and the same name, wherever a page may end.
        let first = format!("name{}", (7 - number) / 2);
        let login = format!("user{number}@example.com");
        org.post(USERS, body(&login, json!({ "profile": { "firstName": first } }))).await.expect(200);
        expected.push(login);
    }
    for query in ["", "&sortBy=profile.firstName&search=profile.login%20pr", "&sortBy=status&sortOrder=desc"]
    {
        let (mut found, mut next) = (Vec::new(), Some(format!("{USERS}?limit=2{query}")));
        while let Some(path) = next {
            let answer = org.get(path.trim_start_matches(crate::house::ORIGIN)).await;
            next = answer.links("next").pop();
            found.extend(logins(&answer.expect(200)).into_iter().map(str::to_owned));
        }
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn whoever_changes_the_own_password_goes_back_to_none_of_the_last_five_and_an_administrator_may() {
    let org = Org::new().await;
    let one = path(&org.post(USERS, body("ada@example.com", with_password(PASSWORD))).await.expect(200));
    let change = async |old: &str, new: &str| {
        let body = json!({ "oldPassword": { "value": old }, "newPassword": { "value": new } });
        org.post(&format!("{one}/credentials/change_password"), body).await
    };
    let other = "quite-another-password";
    change(PASSWORD, other).await.expect(200);
    change(other, PASSWORD).await.refused(400, "E0000001", "used before");
    change(other, "password1").await.refused(400, "E0000001", "easy to guess");
    org.post(&one, with_password(PASSWORD)).await.expect(200);
    change(PASSWORD, other).await.refused(400, "E0000001", "used before");
}

#[tokio::test]
async fn a_name_is_no_longer_than_what_people_are_searched_by() {
    let org = Org::new().await;
    for (name, longest) in [("firstName", 255), ("displayName", 255), ("nickName", 4096)] {
        for (length, status) in [(longest, 200), (longest + 1, 400)] {
            let login = format!("{name}-{length}@example.com");
            let mut profile = json!({ "login": login, "email": login });
            profile[name] = "ö".repeat(length).into();
            let answer = org.post("/api/v1/users?activate=false", json!({ "profile": profile })).await;
            assert_eq!(answer.status, status, "{name} {length}");
        }
    }
}
