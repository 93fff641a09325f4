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

/// `kubesso up`, and a sandbox and a real cluster that trust it.
async fn installation() -> Result<(Kubesso, ApiServer, [Cluster; 2])> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let real =
        ApiServer::start(&Oidc { issuer: &ready.issuer, client_id: &ready.client_id, ca: &ready.ca }).await?;
    let clusters = [
        Cluster::new("sandbox", &ready.cluster, &kubesso.ca_pem()?)?,
        Cluster::new("real", &real.url, &real.ca_pem)?,
    ];
    Ok((kubesso, real, clusters))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_rotation_between_two_calls_breaks_neither_the_old_token_nor_the_new() -> Result<()> {
    rotated_between_two_calls(&["keys", "rotate"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_signs_at_once_is_fetched_by_both_clusters_when_they_meet_it() -> Result<()> {
    rotated_between_two_calls(&["keys", "rotate", "--danger-at-once"]).await
}

async fn rotated_between_two_calls(command: &[&str]) -> Result<()> {
    let (kubesso, _real, clusters) = installation().await?;
    let password = kubesso.password("dev")?;
    let before = sign_in(&kubesso, &password).await?;
    for cluster in &clusters {
        until(cluster, &before, 201).await?;
    }
    let rotated = kubesso.command(command).await?;
    ensure!(rotated.code == Some(0), "{}", rotated.stderr);
    let after = sign_in_with_another_key(&kubesso, &password, &before).await?;
    for cluster in &clusters {
        for (which, token) in [("new", &after), ("old", &before)] {
            let reply = cluster.call(&who_am_i(token)).await?;
            assert_eq!(reply.status, 201, "{}, {which} token: {}", cluster.name, reply.body);
        }
    }
    Ok(())
}

/// The running provider notices by itself that another process has changed its keys.
async fn sign_in_with_another_key(kubesso: &Kubesso, password: &str, before: &str) -> Result<String> {
    let old = forge::header(before)?["kid"].clone();
    eventually("the provider signs with another key", Duration::from_secs(30), async || {
        let token = sign_in(kubesso, password).await?;
        Ok((forge::header(&token)?["kid"] != old).then_some(token))
    })
    .await
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
