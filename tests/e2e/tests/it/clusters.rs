//! What `kubesso cluster config` writes, in the real kube-apiserver: loaded, obeyed, and loaded again when it changes.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::apiserver::{ApiServer, Release};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::scratch;
use kubesso_e2e::kubesso::Kubesso;
use kubesso_e2e::reply::Cluster;
use serde_json::Value;

use crate::rotation::{sign_in, until, who_am_i};

/// What the command says for a static-pod manifest, and its one file.
async fn configured(kubesso: &Kubesso, more: &[&str]) -> Result<(Value, String)> {
    configured_for("1.36", kubesso, more).await
}

async fn configured_for(version: &str, kubesso: &Kubesso, more: &[&str]) -> Result<(Value, String)> {
    let fixed = ["cluster", "config", "--for", "static-pod", "--kubernetes-version", version, "-o", "json"];
    let ended = kubesso.command(&[&fixed[..], &["--application", "k8s OIDC"], more].concat()).await?;
    ensure!(ended.code == Some(0), "{}", ended.stderr);
    let made: Value = serde_json::from_str(&ended.stdout)?;
    let file = made["files"][0]["content"].as_str().context("a file")?.to_owned();
    Ok((made, file))
}

/// The hash that the instructions say to look for.
fn hash_of(made: &Value) -> Result<String> {
    let text = made["verify"].to_string();
    let from = text.find("sha256:").context("a hash")?;
    Ok(text[from..from + "sha256:".len() + 64].to_owned())
}

async fn shows(server: &ApiServer, hash: &str) -> Result<()> {
    let (administrator, url) = (server.administrator()?, format!("{}/metrics", server.url));
    eventually("the API server shows the hash of the file", Duration::from_secs(90), async || {
        let metrics = administrator.get(&url).send().await?.text().await?;
        let mut lines = metrics.lines().filter(|line| line.contains("last_config_info{"));
        Ok(lines.any(|line| line.contains(hash)).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_that_is_written_is_loaded_obeyed_and_loaded_again() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let folder = scratch("authentication-config")?;
    let path = folder.path().join("authentication-config.yaml");
    let (made, file) = configured(&kubesso, &[]).await?;
    fs::write(&path, &file)?;
    let argument = format!("--authentication-config={}", path.display());
    let server = ApiServer::start_with(&[argument]).await?;
    shows(&server, &hash_of(&made)?).await?;

    let cluster = Cluster::new("real", &server.url, &server.ca_pem)?;
    let token = sign_in(&kubesso, &kubesso.password("dev")?).await?;
    let reply = until(&cluster, &token, 201).await?.json()?;
    let user = &reply["status"]["userInfo"];
    assert_eq!(user["username"], "dev@example.com");
    assert!(user["groups"].as_array().is_some_and(|groups| groups.contains(&"k8s-restricted-users".into())));

    // A prefix that makes Kubernetes' own names of people's: the rules that we write refuse them.
    let (made, file) = configured(&kubesso, &["--username-prefix", "system:"]).await?;
    fs::write(&path, &file)?;
    shows(&server, &hash_of(&made)?).await?;
    until(&cluster, &token, 401).await?;
    let reply = cluster.call(&who_am_i(&token)).await?;
    assert_eq!(reply.status, 401);
    let log = server.log();
    assert!(log.contains("the name begins with system:, which only Kubernetes itself may"), "{log}");

    // A mapping by other claims and a prefix, in force without a restart.
    let (made, file) = configured(&kubesso, &["--groups-prefix", "oidc:"]).await?;
    fs::write(&path, &file)?;
    shows(&server, &hash_of(&made)?).await?;
    let reply = until(&cluster, &token, 201).await?.json()?;
    let groups = &reply["status"]["userInfo"]["groups"];
    assert!(
        groups.as_array().is_some_and(|groups| groups.contains(&"oidc:k8s-restricted-users".into())),
        "{groups}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_takes_its_file_and_loads_it_again() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let folder = scratch("authentication-config-1.34")?;
    let path = folder.path().join("authentication-config.yaml");
    let (_, file) = configured_for("1.34", &kubesso, &[]).await?;
    fs::write(&path, &file)?;
    let argument = format!("--authentication-config={}", path.display());
    let server = ApiServer::start_release(Release::V1_34, &[argument]).await?;
    let cluster = Cluster::new("real", &server.url, &server.ca_pem)?;
    let token = sign_in(&kubesso, &kubesso.password("dev")?).await?;
    until(&cluster, &token, 201).await?;
    let (_, file) = configured_for("1.34", &kubesso, &["--username-prefix", "system:"]).await?;
    fs::write(&path, &file)?;
    until(&cluster, &token, 401).await?;
    Ok(())
}
