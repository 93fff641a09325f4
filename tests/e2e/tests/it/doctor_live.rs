//! The doctor at clusters that run: real API servers whose file was refused, or is not the one that is looked at; that differ
//! behind one address; hops with a strange certificate, or that drop upgrades; a plugin whose refresh loses the groups.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_e2e::apiserver::ApiServer;
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::{self, scratch};
use kubesso_e2e::process::free_port;
use kubesso_e2e::reply::Cluster;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::doctor::Provider;
use crate::rotation::until;

/// What the doctor says of a cluster, and how it ends.
pub(crate) struct Said {
    pub(crate) report: Value,
    pub(crate) code: Option<i32>,
}

impl Said {
    fn first(&self) -> (&str, &str) {
        let text = |name: &str| self.report["checks"][0][name].as_str().unwrap_or_default();
        (text("id"), text("result"))
    }

    pub(crate) fn expect(&self, row: &str) {
        assert_eq!(self.first(), (row, "finding"), "{:#}", self.report);
        assert_eq!(self.code, Some(1));
    }
}

pub(crate) async fn doctor(kubeconfig: &Path, arguments: &[&str], token: Option<&str>) -> Result<Said> {
    let mut command = tokio::process::Command::new(environment::kubesso()?);
    command.arg("doctor").arg("--kubeconfig").arg(kubeconfig).args(arguments).args(["-o", "json"]);
    if token.is_some() {
        command.args(["--token", "-"]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("standard input is piped")?;
    input.write_all(token.unwrap_or_default().as_bytes()).await?;
    drop(input);
    let ended = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    let report = serde_json::from_slice(&ended.stdout).with_context(|| format!("{arguments:?}: {said}"))?;
    if let Some(signature) = token.and_then(|token| token.rsplit('.').next()) {
        assert!(!String::from_utf8_lossy(&ended.stdout).contains(signature), "a token is shown");
    }
    Ok(Said { report, code: ended.status.code() })
}

/// A kubeconfig with a context `person`, whose user has nothing, and a context `admin`.
fn kubeconfig(folder: &Path, server: &str, ca_pem: &str, real: &ApiServer) -> Result<std::path::PathBuf> {
    let (chain, key) = real.administrator_identity();
    let data = |text: &str| BASE64_STANDARD.encode(text);
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "person",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": data(ca_pem)}}],
        "users": [
            {"name": "admin", "user": {"client-certificate-data": data(&chain), "client-key-data": data(&key)}},
            {"name": "person", "user": {"tokenFile": folder.join("token").display().to_string()}},
        ],
        "contexts": [
            {"name": "person", "context": {"cluster": "c", "user": "person"}},
            {"name": "admin", "context": {"cluster": "c", "user": "admin"}},
        ],
    });
    let path = folder.join("kubeconfig");
    fs::write(&path, file.to_string())?;
    Ok(path)
}

pub(crate) fn configuration(provider: &Provider, prefix: &str) -> String {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {"url": provider.issuer("a"), "audiences": ["kubernetes"], "certificateAuthority": provider.ca_pem},
            "claimMappings": {"username": {"claim": "sub", "prefix": prefix}, "groups": {"claim": "groups", "prefix": ""}},
        }],
    })
    .to_string()
}

/// A provider, an API server that knows it by a file, and a token that it takes.
pub(crate) struct Installation {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) provider: Provider,
    pub(crate) real: ApiServer,
    file: std::path::PathBuf,
    pub(crate) token: String,
}

impl Installation {
    pub(crate) async fn start() -> Result<Self> {
        let provider = Provider::start().await?;
        let folder = scratch("doctor-live")?;
        let file = folder.path().join("authentication.yaml");
        fs::write(&file, configuration(&provider, ""))?;
        let real = ApiServer::start_with(&[format!("--authentication-config={}", file.display())]).await?;
        let token = provider.token("a", &json!({}))?;
        fs::write(folder.path().join("token"), &token)?;
        until(&Cluster::new("real", &real.url, &real.ca_pem)?, &token, 201).await?;
        Ok(Self { folder, provider, real, file, token })
    }

    pub(crate) fn kubeconfig(&self, server: &str, ca_pem: &str) -> Result<std::path::PathBuf> {
        kubeconfig(self.folder.path(), server, ca_pem, &self.real)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_well_is_said_to_be_and_what_is_missing_is_asked_for() -> Result<()> {
    let it = Installation::start().await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    // Without rights: the person's own token only.
    let said = doctor(&kubeconfig, &[], Some(&it.token)).await?;
    assert_eq!((said.code, said.report["well"].as_bool()), (Some(0), Some(true)), "{:#}", said.report);
    let hop = said.report["hops"][0]["said"].as_str().context("a hop")?;
    assert!(hop.contains("the person is 00u1 (k8s-admins"), "{hop}");
    let looked = said.report["looked"].to_string();
    assert!(looked.contains("403 Forbidden") && looked.contains("--authentication-config"), "{looked}");
    // With rights, and the file.
    let file = it.file.display().to_string();
    let with_rights = ["--admin-context", "admin", "--authentication-config", &file];
    let said = doctor(&kubeconfig, &with_rights, Some(&it.token)).await?;
    assert_eq!(said.code, Some(0), "{:#}", said.report);
    for row in ["KS043", "KS044", "KS045", "KS057", "KS059"] {
        let checks = said.report["checks"].as_array().context("checks")?;
        let check = checks.iter().find(|check| check["id"] == row).context("the row is checked")?;
        assert_eq!(check["result"], "pass", "{check:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_refused_and_a_file_that_is_not_the_one_in_force_are_told_apart() -> Result<()> {
    let it = Installation::start().await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    let file = it.file.display().to_string();
    // What a mount of a single file does: what is edited is not what the API server reads.
    let edited = it.folder.path().join("edited.yaml");
    fs::write(&edited, configuration(&it.provider, "oidc:"))?;
    let other =
        ["--context", "admin", "--authentication-config", &edited.display().to_string()].map(str::to_owned);
    let other: Vec<_> = other.iter().map(String::as_str).collect();
    doctor(&kubeconfig, &other, Some(&it.token)).await?.expect("KS044");
    // A mistake in the file that it does read.
    fs::write(&it.file, configuration(&it.provider, "").replace(",\"prefix\":\"\"", ""))?;
    let (administrator, url) = (it.real.administrator()?, format!("{}/metrics", it.real.url));
    eventually("the API server refuses the file", Duration::from_secs(90), async || {
        let metrics = administrator.get(&url).send().await?.text().await?;
        let refused = "automatic_reloads_total{";
        Ok(metrics
            .lines()
            .any(|line| line.contains(refused) && line.contains("status=\"failure\""))
            .then_some(()))
    })
    .await?;
    let given = ["--context", "admin", "--authentication-config", &file];
    let said = doctor(&kubeconfig, &given, Some(&it.token)).await?;
    said.expect("KS043");
    let upstream = said.report["checks"][0]["upstream"].as_str().unwrap_or_default();
    assert!(upstream.contains("prefix is required when claim is set"), "{:#}", said.report);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn api_servers_that_differ_are_found_behind_one_address_and_one_by_one() -> Result<()> {
    let it = Installation::start().await?;
    let other = it.real.beside(&[]).await?;
    let balancer = balance([port_of(&it.real.url)?, port_of(&other.url)?]).await?;
    let kubeconfig = it.kubeconfig(&balancer.url, &it.real.ca_pem)?;
    // Nobody has to have any right for it.
    doctor(&kubeconfig, &[], Some(&it.token)).await?.expect("KS045");
    // The kubeconfig leads to the one that does not know the issuer.
    let kubeconfig = it.kubeconfig(&other.url, &it.real.ca_pem)?;
    let said = doctor(&kubeconfig, &["--endpoint", &it.real.url], Some(&it.token)).await?;
    said.expect("KS060");
    assert!(said.report["checks"][0]["said"].as_str().is_some_and(|text| text.starts_with(&it.real.url)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_with_another_authority_and_a_hop_that_drops_upgrades_are_named() -> Result<()> {
    let it = Installation::start().await?;
    let stranger = CertificateAuthority::generate("somebody else", SystemClock.now())?;
    let kubeconfig = it.kubeconfig(&it.real.url, stranger.certificate_pem())?;
    let said = doctor(&kubeconfig, &[], Some(&it.token)).await?;
    said.expect("KS059");
    let pair = said.report["checks"][0]["pair"].to_string();
    assert!(pair.contains("somebody else") && pair.contains("a real cluster"), "{pair}");

    let front = front(&it.real, &stranger).await?;
    let both = format!("{}{}", it.real.ca_pem, stranger.certificate_pem());
    // The administrator comes with a token through that hop: a certificate ends at it.
    let kubeconfig = it.kubeconfig(&front.url, &both)?;
    allow_everything(&it.real, "00u1").await?;
    let said = doctor(&kubeconfig, &["--endpoint", &it.real.url], Some(&it.token)).await?;
    said.expect("KS057");
    assert!(said.report["checks"][0]["said"].as_str().is_some_and(|text| text.starts_with(&front.url)));
    Ok(())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_loses_the_groups_or_fails_is_named() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let it = Installation::start().await?;
    let without = it.provider.token("a", &json!({"groups": null}))?;
    let credential = |token: &str| json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}});
    let folder = it.folder.path();
    let plugin = folder.join("plugin");
    let write = |refresh: &str| -> Result<()> {
        let first = credential(&it.token);
        let script =
            format!("#!/bin/sh\ncase \"$*\" in *--force-refresh*) {refresh};; *) echo '{first}';; esac\n");
        fs::write(&plugin, script)?;
        Ok(fs::set_permissions(&plugin, fs::Permissions::from_mode(0o700))?)
    };
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    let mut file: Value = serde_json::from_str(&fs::read_to_string(&kubeconfig)?)?;
    file["users"][1]["user"] = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "IfAvailable",
        "command": plugin.display().to_string(), "args": ["get-token"],
    }});
    fs::write(&kubeconfig, file.to_string())?;
    write(&format!("echo '{}'", credential(&without)))?;
    let said = doctor(&kubeconfig, &["--refresh"], None).await?;
    said.expect("KS026");
    write("echo 'error: invalid_grant' >&2; exit 1")?;
    let said = doctor(&kubeconfig, &["--refresh"], None).await?;
    said.expect("KS064");
    // The token had run out, so that the plugin refreshes when it is asked for one.
    fs::write(&plugin, "#!/bin/sh\necho 'error: invalid_grant' >&2; exit 1\n")?;
    doctor(&kubeconfig, &["--refresh"], None).await?.expect("KS064");
    Ok(())
}

pub(crate) async fn allow_everything(real: &ApiServer, user: &str) -> Result<()> {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "the-person"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    real.create(&real.administrator()?, path, &binding).await
}

fn port_of(url: &str) -> Result<u16> {
    Ok(url.rsplit(':').next().context("a port")?.parse()?)
}

/// Something that listens.
pub(crate) struct Listening {
    pub(crate) url: String,
    _ends: DropGuard,
}

impl Listening {
    /// At an address, until the value is dropped.
    pub(crate) fn at(url: String, ends: CancellationToken) -> Self {
        Self { url, _ends: ends.drop_guard() }
    }
}

/// Takes each connection to the next of these ports.
async fn balance(ports: [u16; 2]) -> Result<Listening> {
    let port = free_port()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let ends = CancellationToken::new();
    let end = ends.clone();
    tokio::spawn(async move {
        let turn = AtomicUsize::new(0);
        while let Some(Ok((mut from, _))) = end.run_until_cancelled(listener.accept()).await {
            let to = ports[turn.fetch_add(1, Ordering::Relaxed) % ports.len()];
            tokio::spawn(async move {
                if let Ok(mut to) = TcpStream::connect(("127.0.0.1", to)).await {
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
                }
            });
        }
    });
    Ok(Listening::at(format!("https://127.0.0.1:{port}"), ends))
}

/// A reverse proxy that hands on everything but the wish to upgrade.
async fn front(real: &ApiServer, authority: &CertificateAuthority) -> Result<Listening> {
    let client = kubesso_https::client(
        &kubesso_https::Trust::Only(real.ca_pem.clone()),
        kubesso_https::Timeouts::default(),
    )?;
    let base = Arc::new(real.url.clone());
    let router = Router::new().fallback(move |request: Request| {
        let (client, base) = (client.clone(), Arc::clone(&base));
        async move { hand_on(&client, &base, request).await.unwrap_or_else(|_| Response::new(Body::empty())) }
    });
    let port = free_port()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let identity = authority.issue_server(&ServerNames::loopback(), SystemClock.now())?;
    let tls = ServerTls::new(&identity, ClientAuthentication::None)?;
    let ends = CancellationToken::new();
    tokio::spawn(serve(listener, tls, router, ends.clone(), Limits::default()));
    Ok(Listening::at(format!("https://127.0.0.1:{port}"), ends))
}

async fn hand_on(client: &reqwest::Client, base: &str, request: Request) -> Result<Response> {
    let path = request.uri().path_and_query().context("a path")?.to_string();
    let mut outgoing = client.request(request.method().clone(), format!("{base}{path}"));
    for name in ["authorization", "content-type", "accept"] {
        if let Some(value) = request.headers().get(name) {
            outgoing = outgoing.header(name, value);
        }
    }
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await?;
    let answer = outgoing.body(body).send().await?;
    ensure!(answer.status().as_u16() != 101, "nothing is upgraded here");
    let mut response = Response::builder().status(answer.status().as_u16());
    for name in ["content-type", "date"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value);
        }
    }
    Ok(response.body(Body::from(answer.bytes().await?))?)
}
