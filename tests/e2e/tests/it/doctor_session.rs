//! The doctor's one refresh, with the real plugin and a real session at a real provider.

use anyhow::{Context, Result, ensure};
use kubesso_e2e::administrator::Administrator;
use kubesso_e2e::environment;
use kubesso_e2e::kubectl::Done;
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::plugin::{Desk, OIDC_USER};
use reqwest::Method;
use serde_json::Value;

/// A desk whose kubeconfig has a context `doctor` of the plugin's user.
async fn desk(kubesso: &Kubesso) -> Result<Desk> {
    let desk = Desk::new(kubesso).await?;
    let cluster =
        desk.kubectl.run(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].name}"]).await?;
    let cluster = format!("--cluster={}", cluster.succeeded()?);
    let user = format!("--user={OIDC_USER}");
    desk.kubectl.run(&["config", "set-context", "doctor", &cluster, &user]).await?.succeeded()?;
    Ok(desk)
}

/// `kubesso doctor --refresh`, as somebody at that desk types it.
async fn refresh(desk: &Desk) -> Result<Done> {
    let (program, kubeconfig) = (environment::kubesso()?, desk.kubectl.kubeconfig());
    let line = format!(
        "'{}' doctor --kubeconfig '{}' --context doctor --refresh --can-i 'list pods -n default' -o json",
        program.display(),
        kubeconfig.display()
    );
    let done = desk.kubectl.paste(&line).await?;
    ensure!(desk.opened.take()?.is_none(), "a page was opened: {}", done.stderr);
    Ok(done)
}

fn report(done: &Done) -> Result<Value> {
    serde_json::from_str(&done.stdout).with_context(|| done.stderr.clone())
}

fn row<'a>(report: &'a Value, id: &str) -> Result<&'a Value> {
    let checks = report["checks"].as_array().context("checks")?;
    checks.iter().find(|check| check["id"] == id).context("a check")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_the_doctor_says_so_and_how_to_begin_one() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = desk(&kubesso).await?;
    let done = refresh(&desk).await?;
    assert_ne!(done.code, 0);
    let command = format!("kubectl oidc-login login --user={OIDC_USER}");
    assert!(done.stderr.contains("nobody is signed in") && done.stderr.contains(&command), "{}", done.stderr);
    assert!(done.stderr.contains("kubectl auth whoami --context=doctor"), "{}", done.stderr);
    // A question about rights is about somebody, and no plugin is started to learn about whom.
    let line = format!(
        "'{}' doctor --kubeconfig '{}' --context doctor --can-i 'list pods'",
        environment::kubesso()?.display(),
        desk.kubectl.kubeconfig().display()
    );
    let asked = desk.kubectl.paste(&line).await?;
    assert!(asked.code == 2 && asked.stderr.contains("it is not known who asks"), "{}", asked.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_the_provider_takes_out_and_a_session_that_it_ends_are_told_apart() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = desk(&kubesso).await?;
    desk.run_and_sign_in(&["get", "pods", "-n", "default"], &kubesso, "dev").await?.succeeded()?;
    let well = report(&refresh(&desk).await?)?;
    for id in ["KS026", "KS064"] {
        assert_eq!(row(&well, id)?["result"], "pass", "{well:#}");
    }
    let access = &well["access"][0];
    assert_eq!((&access["user"], &access["allowed"]), (&email("dev").into(), &true.into()), "{access:#}");

    let administrator = Administrator::new(&kubesso).await?;
    let path = format!("{}/claims", administrator.server());
    let claims = administrator.call(Method::GET, &path, &Value::Null).await?;
    let groups = claims.as_array().into_iter().flatten().find(|claim| claim["name"] == "groups");
    let id = groups.and_then(|claim| claim["id"].as_str()).context("a claim of the groups")?;
    administrator.call(Method::DELETE, &format!("{path}/{id}"), &Value::Null).await?;
    let without = refresh(&desk).await?;
    assert_eq!(without.code, 1);
    let without = report(&without)?;
    let check = row(&without, "KS026")?;
    assert_eq!((&check["result"], &check["severity"]), (&"finding".into(), &"error".into()), "{without:#}");
    assert_eq!(check["pair"]["got"]["value"], "no groups");
    assert_eq!(row(&without, "KS064")?["result"], "pass");

    let user =
        administrator.call(Method::GET, &format!("/api/v1/users/{}", email("dev")), &Value::Null).await?;
    let user = user["id"].as_str().context("a person")?;
    let sessions = format!("/api/v1/users/{user}/sessions?oauthTokens=true");
    administrator.call(Method::DELETE, &sessions, &Value::Null).await?;
    let ended = refresh(&desk).await?;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let ended = report(&ended)?;
    let check = row(&ended, "KS064")?;
    assert_eq!((&check["result"], &check["severity"]), (&"finding".into(), &"error".into()), "{ended:#}");
    let said = check["said"].as_str().context("a sentence")?;
    assert!(said.contains("invalid_grant") && said.contains("kubectl oidc-login login"), "{said}");
    Ok(())
}
