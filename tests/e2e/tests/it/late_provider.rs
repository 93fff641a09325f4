//! A cluster starts while its provider is down, and lets people in once it is up: the real one and the sandbox.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use kubesso_ambient::{Clock, OsEntropy, SystemClock};
use kubesso_authn::{OidcAuthenticator, OidcConfig, OidcOptions, RequestAuthenticator};
use kubesso_e2e::apiserver::{ApiServer, Oidc};
use kubesso_e2e::environment::scratch;
use kubesso_e2e::kubesso::{Kubesso, Ready};
use kubesso_e2e::reply::Cluster;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use kubesso_sandbox::{Sandbox, SandboxConfig};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::rotation::{sign_in, until, who_am_i};

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
    let (sandbox, _serving) = sandbox(&ready, &ca_pem, &folder.path().join("sandbox")).await?;
    let clusters = [sandbox, Cluster::new("real", &real.url, &real.ca_pem)?];
    for cluster in &clusters {
        let refused = cluster.call(&who_am_i(&token)).await?;
        assert_eq!((refused.status, refused.message().as_str()), (401, "Unauthorized"), "{}", cluster.name);
    }

    let second = Kubesso::up_in(folder.path()).await?;
    assert_eq!(
        (&second.ready.issuer, second.ca_pem()?),
        (&ready.issuer, ca_pem),
        "the same provider comes back"
    );
    for cluster in &clusters {
        // Both ask for the discovery document again every ten seconds.
        let reply = until(cluster, &token, 201).await?;
        assert_eq!(reply.json()?["status"]["userInfo"]["username"], "dev@example.com", "{}", cluster.name);
    }
    Ok(())
}

/// A sandbox of its own, without the provider that `kubesso up` would start beside it.
async fn sandbox(ready: &Ready, ca_pem: &str, data_dir: &Path) -> Result<(Cluster, DropGuard)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let oidc = OidcOptions {
        issuer_url: ready.issuer.clone(),
        client_id: ready.client_id.clone(),
        ca_pem: Some(ca_pem.to_owned()),
        username_claim: "email".to_owned(),
        groups_claim: Some("groups".to_owned()),
        ..OidcOptions::default()
    };
    let oidc = OidcAuthenticator::start(OidcConfig::new(oidc)?, clock.clone())?;
    let authenticator = RequestAuthenticator::new(clock.clone(), &OsEntropy).with_tokens(Arc::new(oidc));
    let config = SandboxConfig::new(data_dir, Arc::new(authenticator), clock.clone(), Arc::new(OsEntropy));
    let sandbox = Sandbox::open(config).await?;
    let authority = CertificateAuthority::generate("a sandbox", clock.now())?;
    let identity = authority.issue_server(&ServerNames::loopback(), clock.now())?;
    let tls = ServerTls::new(&identity, ClientAuthentication::Requested)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("https://{}", listener.local_addr()?);
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(listener, tls, sandbox.router(), shutdown.clone(), Limits::default()));
    Ok((Cluster::new("sandbox", &url, authority.certificate_pem())?, shutdown.drop_guard()))
}
