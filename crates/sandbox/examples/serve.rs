//! Serves a sandbox for playing and comparing: `cargo run -p kubesso-sandbox --example serve -- DIRECTORY PORT`.
//!
//! The bearer tokens are in plain sight (`admin-token`, `dev-token`, `other-token`), the certificate is of an
//! authority of the moment: **for nothing but trying the API server out on this machine.**

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use kubesso_k8s_types::UserInfo;
use kubesso_sandbox::{Authenticate, Sandbox, SandboxConfig, Unauthorized};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

struct PlainTokens;

#[async_trait]
impl Authenticate for PlainTokens {
    async fn authenticate(
        &self,
        headers: &HeaderMap,
        _: &[CertificateDer<'static>],
    ) -> Result<UserInfo, Unauthorized> {
        let user = |name: &str, groups: &[&str]| {
            Ok(UserInfo {
                username: name.to_owned(),
                groups: groups.iter().map(ToString::to_string).collect(),
                ..UserInfo::default()
            })
        };
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header {
            None => user("system:anonymous", &["system:unauthenticated"]),
            Some("Bearer admin-token") => user("root-admin", &["system:masters", "system:authenticated"]),
            Some("Bearer dev-token") => user("dev", &["devs", "system:authenticated"]),
            Some("Bearer other-token") => user("other", &["others", "system:authenticated"]),
            Some(_) => Err(Unauthorized { cause: "invalid bearer token".to_owned() }),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: serve DIRECTORY PORT")?;
    let port: u16 = arguments.next().ok_or("usage: serve DIRECTORY PORT")?.parse()?;

    let started = std::time::Instant::now();
    let mut config =
        SandboxConfig::new(directory, Arc::new(PlainTokens), Arc::new(SystemClock), Arc::new(OsEntropy));
    config.port = port;
    let shutdown = CancellationToken::new();
    config.shutdown = shutdown.clone();
    let sandbox = Sandbox::open(config).await?;

    let now = SystemClock.now();
    let authority = CertificateAuthority::generate("kubesso sandbox example", now)?;
    let identity = authority.issue_server(&ServerNames::loopback(), now)?;
    let tls = ServerTls::new(&identity, ClientAuthentication::Requested)?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("https://127.0.0.1:{port} is ready after {:?}", started.elapsed());
    let served = tokio::spawn(serve(listener, tls, sandbox.router(), shutdown.clone(), Limits::default()));
    tokio::signal::ctrl_c().await?;
    shutdown.cancel();
    served.await?;
    Ok(())
}
