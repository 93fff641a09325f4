//! `kubesso token preview`: what somebody would get, and why not.

use serde_json::Value;

use crate::served::Site;
use crate::text;

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_would_be_issued_by_which_rule_or_why_nothing_would_be() {
    let site = Site::new("");
    let _serving = site.serve().await;
    for arguments in [
        &["user", "create", "jo@example.com", "--group=k8s-admins"][..],
        &["user", "create", "guest@example.com"],
    ] {
        let made = site.run(arguments);
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let preview = |more: &[&str]| {
        let ended = site.run(&[&["token", "preview", "--client=k8s OIDC", "-o=json"], more].concat());
        let said: Value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
        (ended.status.code(), said, text(&ended.stderr))
    };
    let base_url = format!("--base-url=https://localhost:{}", site.port);
    let (code, said, _) = preview(&["--user=jo@example.com", &base_url]);
    assert_eq!((code, &said["issued"]), (Some(0), &Value::Bool(true)), "{said}");
    assert_eq!(said["id_token"]["groups"], serde_json::json!(["k8s-admins"]));
    assert_eq!(said["id_token"]["email"], "jo@example.com");
    assert_eq!(said["id_token"]["iss"], said["issuer"]);
    assert_eq!(said["access_token"]["sub"], said["id_token"]["sub"]);
    assert_eq!(said["assigned"], "to the group k8s-admins");
    assert!(said["decision"]["rule"].is_string(), "{said}");

    let (code, said, _) = preview(&["--user=guest@example.com"]);
    assert_eq!((code, &said["id_token"]), (Some(1), &Value::Null));
    let why = said["refused"][0].as_str().unwrap();
    assert!(
        why.contains("guest@example.com is not assigned to the application") && why.contains("k8s-admins")
    );

    let (code, said, _) = preview(&["--user=jo@example.com", "--grant=password"]);
    assert_eq!(code, Some(1));
    let rules: Vec<_> =
        said["passed_over"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(rules.iter().any(|rule| rule.ends_with("does not allow the grant type `password`")), "{rules:?}");

    let (code, _, error) = preview(&["--user=nobody@example.com"]);
    assert!(
        code == Some(1) && error.contains("there is nobody with the login nobody@example.com"),
        "{error}"
    );

    let people = site.run(&["token", "preview", "--client=k8s OIDC", "--user=jo@example.com"]);
    let screen = text(&people.stdout);
    assert!(screen.starts_with("jo@example.com gets tokens for k8s OIDC (0oa"), "{screen}");
    assert!(screen.contains("  decided by   rule "), "{screen}");
}
