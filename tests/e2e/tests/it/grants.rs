//! The plugin's other grants, against our own provider.

use anyhow::Result;
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::plugin::Desk;

const GET_PODS: &[&str] = &["get", "pods", "-n", "default"];

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_signs_in_with_a_login_and_a_password_only_where_that_is_allowed() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let desk = Desk::new(&kubesso).await?;
    let password = format!("--exec-arg=--password={}", kubesso.password("dev")?);
    let username = format!("--exec-arg=--username={}", email("dev"));
    let flags = ["--exec-arg=--grant-type=password", &username, &password];
    desk.set_credentials_with(&kubesso, &["openid email offline_access"], &flags).await?;
    let refused = desk.run(GET_PODS).await?.failed()?;
    assert!(refused.contains("not allowed to use the grant type password"), "{refused}");
    kubesso.allow_password_grant().await?;
    assert!(desk.run(GET_PODS).await?.succeeded()?.contains("storefront"));
    desk.cache().let_the_token_expire()?;
    desk.run(GET_PODS).await?.succeeded()?;
    assert_eq!(desk.opened.take()?, None, "no browser was needed");
    Ok(())
}
