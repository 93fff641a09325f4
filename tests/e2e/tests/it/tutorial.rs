//! The tutorial, word by word: `setup`, the command that it prints, rows, and Forbidden.

use anyhow::{Context, Result};
use kubesso_e2e::form::{FormClient, Outcome};
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::kubesso::email;
use kubesso_e2e::world::{self, World};

/// Answers whatever the plugin opens, as dev.
async fn answer(world: &World, opened: &kubesso_e2e::kubectl::Opened) -> Result<()> {
    let url = opened.next().await?;
    let mut browser = FormClient::new(&world.kubesso.ca_pem()?)?;
    match browser.sign_in(&url, &email("dev"), &world.kubesso.password("dev")?).await? {
        Outcome::Redirected(back) => browser.follow(&back).await.map(drop),
        Outcome::Refused(why) => anyhow::bail!("refused: {why}"),
    }
}

/// The `kubectl config set-credentials …` command in what `setup` printed, with its continuation lines.
fn printed_command(text: &str) -> Option<String> {
    let mut lines =
        text.lines().skip_while(|line| !line.trim_start().starts_with("kubectl config set-credentials"));
    let mut command = String::new();
    for line in lines.by_ref() {
        if let Some(part) = line.trim().strip_suffix('\\') {
            command.push_str(part);
        } else {
            command.push_str(line.trim());
            return Some(command);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_works_as_it_is_written() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let ready = &world.kubesso.ready;
    let kubectl = Kubectl::new()?;
    let opened = kubectl.browser_command()?;
    kubectl.take_kubeconfig(&ready.kubeconfig)?;

    let issuer = format!("--oidc-issuer-url={}", ready.issuer);
    let client_id = format!("--oidc-client-id={}", ready.client_id);
    let authority = format!("--certificate-authority={}", ready.ca.display());
    let browser = format!("--browser-command={}", opened.script.display());
    let setup = ["oidc-login", "setup", &issuer, &client_id, &authority, &browser];
    let (printed, answered) = tokio::join!(kubectl.run(&setup), answer(world, &opened));
    let printed = printed?;
    answered.with_context(|| printed.stderr.clone())?;
    assert_eq!(printed.code, 0, "{}{}", printed.stdout, printed.stderr);
    let printed = format!("{}\n{}", printed.stdout, printed.stderr);
    for claim in ["\"email\": \"dev@example.com\"", "k8s-restricted-users", &ready.issuer] {
        assert!(printed.contains(claim), "setup does not show {claim}:\n{printed}");
    }
    let command = printed_command(&printed).with_context(|| format!("no command in:\n{printed}"))?;
    for scope in ["email", "offline_access", "profile"] {
        assert!(command.contains(scope), "the command lacks the scope {scope}: {command}");
    }
    // The tutorial's name for the user, wherever `setup` names it otherwise.
    let command = command.replacen("set-credentials oidc ", "set-credentials oidc-user ", 1);
    kubectl.paste(&command).await?.succeeded()?;

    let rows = ["get", "pods", "--user=oidc-user", "-n", "default"];
    let (listed, answered) = tokio::join!(kubectl.run(&rows), answer(world, &opened));
    answered?;
    let listed = listed?.succeeded()?;
    assert!(listed.contains("storefront") && listed.contains("catalog"), "{listed}");

    let refused = kubectl.run(&["get", "secrets", "--user=oidc-user"]).await?;
    let real = Kubectl::new()?;
    real.use_token(&world.real.url, &world.real.ca_pem, &world.tokens("dev")?.id_token)?;
    let really = real.run(&["get", "secrets"]).await?;
    assert_eq!(refused, really, "Forbidden, in kube-apiserver's own words");
    assert_eq!(opened.take()?, None, "the token is in the cache");

    kubectl.run(&["config", "set-context", "--current", "--user=oidc-user"]).await?.succeeded()?;
    assert_eq!(kubectl.run(&["get", "pods"]).await?.succeeded()?.lines().count(), listed.lines().count());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorials_one_value_with_four_scopes_is_four_scopes() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let desk = kubesso_e2e::plugin::Desk::new(&world.kubesso).await?;
    desk.set_credentials(&world.kubesso, &["email offline_access profile openid"]).await?;
    let rows =
        desk.run_and_sign_in(&["get", "pods", "-n", "default"], &world.kubesso, "dev").await?.succeeded()?;
    assert!(rows.contains("storefront"), "{rows}");
    let claims = desk.cache().claims()?;
    assert_eq!(claims["email"], "dev@example.com");
    assert!(claims.contains_key("name") || claims.contains_key("preferred_username"), "{claims:?}");
    desk.cache().let_the_token_expire().context("offline_access gave a refresh token")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_email_scope_nobody_is_let_in_and_the_plugin_says_why_beforehand() -> Result<()> {
    let (world, _turn) = world::shared().await?;
    let desk = kubesso_e2e::plugin::Desk::new(&world.kubesso).await?;
    desk.set_credentials(&world.kubesso, &["offline_access"]).await?;
    let refused = desk.run_and_sign_in(&["get", "pods"], &world.kubesso, "dev").await?.failed()?;
    assert!(refused.contains("Unauthorized") || refused.contains("must be logged in"), "{refused}");
    Ok(())
}
