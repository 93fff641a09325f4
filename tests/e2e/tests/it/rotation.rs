//! The provider changes while clusters are running: its keys rotate, it is not there yet.

use std::time::Duration;

use anyhow::{Result, ensure};
use kubesso_e2e::apiserver::{ApiServer, Oidc};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::scratch;
use kubesso_e2e::forge;
use kubesso_e2e::form::FormClient;
use kubesso_e2e::kubesso::{Kubesso, email};
use kubesso_e2e::reply::{Call, Cluster, Reply};

const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

fn who_am_i(token: &str) -> Call {
    let review = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    Call::post(WHO_AM_I, &review).with_token(Some(token))
}

async fn sign_in(kubesso: &Kubesso, password: &str) -> Result<String> {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_there_before_its_provider_lets_people_in_once_it_is_up() -> Result<()> {
    let folder = scratch("late-provider")?;
    let first = Kubesso::up_in(folder.path()).await?;
    let password = first.password("dev")?;
    let token = sign_in(&first, &password).await?;
    let (ready, ca_pem) = (first.ready.clone(), first.ca_pem()?);
    ensure!(first.stop().await?.success(), "Ctrl-C ends it cleanly");

    let real =
        ApiServer::start(&Oidc { issuer: &ready.issuer, client_id: &ready.client_id, ca: &ready.ca }).await?;
    let cluster = Cluster::new("real", &real.url, &real.ca_pem)?;
    let refused = cluster.call(&who_am_i(&token)).await?;
    assert_eq!((refused.status, refused.message().as_str()), (401, "Unauthorized"));

    let second = Kubesso::up_in(folder.path()).await?;
    assert_eq!(
        (&second.ready.issuer, second.ca_pem()?),
        (&ready.issuer, ca_pem),
        "the same provider comes back"
    );
    // kube-apiserver asks again every ten seconds.
    let reply = until(&cluster, &token, 201).await?;
    assert_eq!(reply.json()?["status"]["userInfo"]["username"], "dev@example.com");
    Ok(())
}

async fn until(cluster: &Cluster, token: &str, status: u16) -> Result<Reply> {
    let what = format!("{} answers {status}", cluster.name);
    eventually(&what, Duration::from_secs(40), async || {
        let reply = cluster.call(&who_am_i(token)).await?;
        Ok((reply.status == status).then_some(reply))
    })
    .await
}
