//! What an administrator does with an account, wherever it stands in its life.

use kubesso_directory::{Change, Session, SessionId, SessionLifetime, SessionToken, User, UserStatus};
use serde_json::{Value, json};

use crate::house::Org;
use crate::users::PASSWORD;

/// Makes somebody with a password who stands there.
async fn user_in(org: &Org, status: UserStatus, login: &str) -> User {
    let body = json!({ "profile": { "login": login, "email": login },
        "credentials": { "password": { "value": PASSWORD } } });
    let made = org.post("/api/v1/users", body).await.expect(200);
    let id = kubesso_directory::UserId::parse(made["id"].as_str().unwrap()).unwrap();
    let user = User { status, ..org.store.user(&id).await.unwrap().unwrap() };
    org.commit(vec![Change::PutUser(user.clone())]).await;
    user
}

fn path(user: &User) -> String {
    format!("/api/v1/users/{}", user.id)
}

async fn status(org: &Org, user: &User) -> Value {
    org.get(&path(user)).await.expect(200)["status"].take()
}

#[tokio::test]
async fn every_verb_moves_on_whom_it_may_and_leaves_the_others_where_they_are() {
    use UserStatus::{
        Active, Deprovisioned, LockedOut, PasswordExpired, Provisioned, Recovery, Staged, Suspended,
    };
    // Each verb with the statuses that it starts from, where it leads, and how it refuses elsewhere.
    let cases: [(&str, &[UserStatus], UserStatus, u16, &str); 10] = [
        ("activate", &[Staged, Provisioned, Deprovisioned], Active, 403, "E0000016"),
        ("reactivate", &[Provisioned], Provisioned, 403, "E0000038"),
        ("deactivate", &UserStatus::ALL, Deprovisioned, 403, "E0000038"),
        ("suspend", &[Active], Suspended, 400, "E0000001"),
        ("unsuspend", &[Suspended], Active, 400, "E0000001"),
        ("unlock", &[LockedOut], Active, 403, "E0000032"),
        ("expire_password", &[Active, PasswordExpired], PasswordExpired, 403, "E0000038"),
        ("expire_password_with_temp_password", &[Active, PasswordExpired], PasswordExpired, 403, "E0000038"),
        (
            "reset_password?sendEmail=false",
            &[Active, PasswordExpired, LockedOut, Recovery],
            Recovery,
            403,
            "E0000038",
        ),
        ("reset_factors", &[], Active, 200, ""),
    ];
    let org = Org::new().await;
    for (number, (verb, from, to, refusal, code)) in cases.into_iter().enumerate() {
        for start in UserStatus::ALL {
            let login = format!("{}{number}@example.com", start.as_str().to_lowercase());
            let user = user_in(&org, start, &login).await;
            let answer = org.post(&format!("{}/lifecycle/{verb}", path(&user)), None).await;
            let (code_found, audit) = (answer.body["errorCode"].clone(), org.audit().await);
            let about = audit.iter().filter(|(_, target)| target == user.id.as_str()).count();
            if from.contains(&start) {
                assert_eq!(answer.status, 200, "{verb} from {start:?}: {}", answer.body);
                assert_eq!(status(&org, &user).await, to.as_str(), "{verb} from {start:?}");
            } else {
                assert_eq!(answer.status.as_u16(), refusal, "{verb} from {start:?}: {}", answer.body);
                assert_eq!(code_found.as_str().unwrap_or_default(), code, "{verb} from {start:?}");
                assert_eq!(status(&org, &user).await, start.as_str(), "{verb} from {start:?}");
                assert_eq!(about, 1, "{verb} from {start:?}: only that the user was made");
            }
        }
    }
}

#[tokio::test]
async fn whoever_has_no_password_is_handed_a_link_to_choose_one() {
    let org = Org::new().await;
    let body = json!({ "profile": { "login": "ada@example.com", "email": "ada@example.com" } });
    org.post("/api/v1/users?activate=false", body).await.expect(200);
    let at = |verb: &str| format!("/api/v1/users/ada@example.com/lifecycle/{verb}");
    let answer = org.post(&at("activate?sendEmail=false"), None).await;
    assert!(!answer.headers.contains_key("warning"));
    let first = answer.expect(200);
    let (url, token) = (first["activationUrl"].as_str().unwrap(), first["activationToken"].as_str().unwrap());
    assert!(url.ends_with(&format!("/welcome/{token}")), "{url}");
    let again = org.post(&at("reactivate"), None).await;
    assert!(again.headers["warning"].to_str().unwrap().contains("No mail goes out"), "it was asked for");
    assert_ne!(again.expect(200)["activationToken"], first["activationToken"]);
    org.post(&at("activate"), None).await.refused(403, "E0000016", "reactivate");
    let log = org.get("/api/v1/logs").await.expect(200).to_string();
    assert!(!log.contains(token), "whoever reads the log could choose the password");
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_a_link_or_a_temporary_one() {
    let org = Org::new().await;
    let user = user_in(&org, UserStatus::Active, "ada@example.com").await;
    let one = path(&user);
    let reset = format!("{one}/lifecycle/reset_password");
    org.post(&reset, None).await.refused(400, "E0000060", "sendEmail=false");
    assert_eq!(status(&org, &user).await, "ACTIVE");
    let forgot = format!("{one}/credentials/forgot_password");
    org.post(&forgot, None).await.refused(400, "E0000060", "sendEmail=false");
    let link = org.post(&format!("{forgot}?sendEmail=false"), None).await.expect(200);
    assert!(link["resetPasswordUrl"].as_str().unwrap().contains("/reset_password/"));
    assert_eq!(status(&org, &user).await, "ACTIVE", "until it is used, the password goes on");
    let temporary =
        org.post(&format!("{one}/lifecycle/expire_password?tempPassword=true"), None).await.expect(200);
    let temporary = temporary["tempPassword"].as_str().unwrap();
    assert_eq!(status(&org, &user).await, "PASSWORD_EXPIRED");
    let change = |old: &str| json!({ "oldPassword": { "value": old }, "newPassword": { "value": format!("{old}-2") } });
    let at = format!("{one}/credentials/change_password");
    org.post(&at, change(PASSWORD)).await.refused(403, "E0000014", "Old Password");
    org.post(&at, change(temporary)).await.expect(200);
    assert_eq!(status(&org, &user).await, "ACTIVE");
    org.post(&format!("{reset}?sendEmail=false"), None).await.expect(200);
    assert_eq!(status(&org, &user).await, "RECOVERY");
    org.post(&at, change(&format!("{temporary}-2"))).await.refused(403, "E0000038", "RECOVERY");
}

#[tokio::test]
async fn delete_deactivates_first_and_then_deletes() {
    let org = Org::new().await;
    let user = user_in(&org, UserStatus::Active, "ada@example.com").await;
    let group = org.group("k8s").await;
    org.put(&format!("/api/v1/groups/{}/users/{}", group.id, user.id), None).await.expect(204);
    org.delete(&path(&user)).await.expect(204);
    assert_eq!(status(&org, &user).await, "DEPROVISIONED");
    org.delete(&path(&user)).await.expect(204);
    org.get(&path(&user)).await.refused(404, "E0000007", "");
    org.delete(&path(&user)).await.refused(404, "E0000007", "");
    assert_eq!(org.get(&format!("/api/v1/groups/{}/users", group.id)).await.expect(200), json!([]));
    user_in(&org, UserStatus::Active, "ada@example.com").await;
}

#[tokio::test]
async fn whoever_may_not_sign_in_any_more_has_no_sessions() {
    let org = Org::new().await;
    for (verb, ends) in [
        ("lifecycle/deactivate", true),
        ("lifecycle/suspend", true),
        ("lifecycle/reset_password?sendEmail=false", true),
        ("lifecycle/expire_password?revokeSessions=true", true),
        ("lifecycle/expire_password_with_temp_password", true),
        ("lifecycle/expire_password", false),
    ] {
        let login = format!("user{}@example.com", verb.len());
        let user = user_in(&org, UserStatus::Active, &login).await;
        let session = session(&org, &user).await;
        let path = format!("/api/v1/sessions/{}", session.id);
        assert_eq!(org.get(&path).await.expect(200)["login"], login);
        org.post(&format!("/api/v1/users/{}/{verb}", user.id), None).await.expect(200);
        assert_eq!(org.get(&path).await.status == 404, ends, "{verb}");
    }
}

#[tokio::test]
async fn sessions_are_ended_by_an_administrator_and_begun_by_nobody_else_than_their_owner() {
    let org = Org::new().await;
    let user = user_in(&org, UserStatus::Active, "ada@example.com").await;
    let (one, two) = (session(&org, &user).await, session(&org, &user).await);
    let path = |session: &Session| format!("/api/v1/sessions/{}", session.id);
    org.delete(&path(&one)).await.expect(204);
    assert_eq!(org.provider.ended(), 1, "clients are to be told");
    org.get(&path(&one)).await.refused(404, "E0000007", "");
    org.get(&path(&two)).await.expect(200);
    org.post(&format!("{}/lifecycle/refresh", path(&two)), None).await.refused(400, "E0000060", "prolonged");
    org.delete(&format!("/api/v1/users/{}/sessions", user.id)).await.expect(204);
    org.get(&path(&two)).await.refused(404, "E0000007", "");
    org.post(&format!("/api/v1/users/{}/lifecycle/deactivate", user.id), None).await.expect(200);
    assert_eq!(org.provider.ended(), 2, "and again when nobody may sign in any more");
    org.post("/api/v1/sessions", json!({})).await.refused(400, "E0000060", "sign-in page");
}

async fn session(org: &Org, user: &User) -> Session {
    let session = Session::begin(
        SessionId::generate(&*org.entropy),
        SessionToken::generate(&*org.entropy).hash(),
        user.id.clone(),
        vec!["pwd".to_owned()],
        SessionLifetime::default(),
        org.now(),
    );
    org.store.begin_session(&session).await.unwrap();
    session
}
