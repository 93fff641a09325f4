//! The provider's signing keys change while clusters are running.

use std::time::Duration;

use anyhow::{Result, ensure};
use kubesso_e2e::apiserver::{ApiServer, Oidc};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::forge;
use kubesso_e2e::form::FormClient;
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::reply::{Call, Cluster, Reply};

const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

pub(crate) fn who_am_i(token: &str) -> Call {
    let review = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    Call::post(WHO_AM_I, &review).with_token(Some(token))
}

pub(crate) async fn sign_in(kubesso: &Kubesso, password: &str) -> Result<String> {
    let ready = &kubesso.ready;
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    Ok(browser.tokens(&ready.issuer, &ready.client_id, &email("dev"), password).await?.id_token)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_key_rotation_both_clusters_take_the_new_key_without_a_restart() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let real =
        ApiServer::start(&Oidc { issuer: &ready.issuer, client_id: &ready.client_id, ca: &ready.ca }).await?;
    let clusters = [
        Cluster::new("sandbox", &ready.cluster, &kubesso.ca_pem()?)?,
        Cluster::new("real", &real.url, &real.ca_pem)?,
    ];
    let password = kubesso.password("dev")?;
    let before = sign_in(&kubesso, &password).await?;
    for cluster in &clusters {
        until(cluster, &before, 201).await?;
    }
    let rotated = kubesso.command(&["keys", "rotate", "--danger-at-once"]).await?;
    ensure!(rotated.code == Some(0), "{}", rotated.stderr);
    // The running provider notices by itself.
    let after = eventually("the provider signs with the new key", Duration::from_secs(30), async || {
        let token = sign_in(&kubesso, &password).await?;
        Ok((forge::header(&token)?["kid"] != forge::header(&before)?["kid"]).then_some(token))
    });
    let after = after.await?;
    for cluster in &clusters {
        until(cluster, &after, 201).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_key_rotation_breaks_no_token() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let sandbox = Cluster::new("sandbox", &kubesso.ready.cluster, &kubesso.ca_pem()?)?;
    let password = kubesso.password("dev")?;
    let before = sign_in(&kubesso, &password).await?;
    let rotated = kubesso.command(&["keys", "rotate"]).await?;
    ensure!(rotated.code == Some(0), "{}", rotated.stderr);
    let after = sign_in(&kubesso, &password).await?;
    for token in [&before, &after] {
        until(&sandbox, token, 201).await?;
    }
    Ok(())
}

/// Asks who the bearer of `token` is until the answer has this status.
pub(crate) async fn until(cluster: &Cluster, token: &str, status: u16) -> Result<Reply> {
    let what = format!("{} answers {status}", cluster.name);
    eventually(&what, Duration::from_secs(40), async || {
        let reply = cluster.call(&who_am_i(token)).await?;
        Ok((reply.status == status).then_some(reply))
    })
    .await
}
