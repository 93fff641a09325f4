//! The doctor's echo: `cat` by exec through each hop, with the real kube-apiserver and a kubelet's own server code. The hops that
//! break it are ours, each in one way that load balancers have.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper_util::rt::TokioIo;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_e2e::apiserver::{ApiServer, Release};
use kubesso_e2e::environment::scratch;
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::kubelet::Kubelet;
use kubesso_e2e::process::free_port;
use kubesso_e2e::reply::Cluster;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, Timeouts, Trust, client_as, serve};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::doctor::Provider;
use crate::doctor_live::{Listening, Said, allow_everything, configuration, doctor};
use crate::other_ways::Proxy;
use crate::rotation::until;

const POD: &str = "default/web-0";

/// An API server with a kubelet behind it, and a provider whose people it knows. `root` may do everything.
struct Installation {
    folder: tempfile::TempDir,
    provider: Provider,
    real: ApiServer,
    kubelet: Kubelet,
    proxy: CertificateAuthority,
}

impl Installation {
    async fn start(release: Release) -> Result<Self> {
        Self::start_with(release, &[]).await
    }

    async fn start_with(release: Release, flags: &[&str]) -> Result<Self> {
        let it = Self::without_pod(release, flags).await?;
        it.kubelet.register(&it.real).await?;
        Ok(it)
    }

    async fn without_pod(release: Release, more: &[&str]) -> Result<Self> {
        let (provider, kubelet) = (Provider::start().await?, Kubelet::start().await?);
        let folder = scratch("doctor-echo")?;
        let file = folder.path().join("authentication.yaml");
        fs::write(&file, configuration(&provider, ""))?;
        let mut flags = kubelet.flags();
        flags.push(format!("--authentication-config={}", file.display()));
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        let real = ApiServer::start_release(release, &flags).await?;
        allow_everything(&real, "root").await?;
        let proxy = CertificateAuthority::generate("a load balancer", SystemClock.now())?;
        let it = Self { folder, provider, real, kubelet, proxy };
        until(&Cluster::new("real", &it.real.url, &it.real.ca_pem)?, &it.token("root")?, 201).await?;
        Ok(it)
    }

    fn token(&self, person: &str) -> Result<String> {
        self.provider.token("a", &json!({"sub": person}))
    }

    /// A kubeconfig by which somebody goes to `server`.
    fn kubeconfig(&self, server: &str, token: &str) -> Result<std::path::PathBuf> {
        let authorities = format!("{}{}", self.real.ca_pem, self.proxy.certificate_pem());
        let file = self.folder.path().join("token");
        fs::write(&file, token)?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": server, "certificate-authority-data": BASE64_STANDARD.encode(authorities),
            }}],
            "users": [{"name": "u", "user": {"tokenFile": file.display().to_string()}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        let path = self.folder.path().join("kubeconfig");
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// A person's echo in a container through a hop, and what is said of it.
    async fn echo(&self, server: &str, token: &str, more: &[&str]) -> Result<Said> {
        let kubeconfig = self.kubeconfig(server, token)?;
        let arguments = [&["--endpoint", &self.real.url], more].concat();
        doctor(&kubeconfig, &arguments, Some(token)).await
    }
}

/// What a check said, as JSON.
fn row<'a>(said: &'a Said, id: &str) -> &'a serde_json::Value {
    let checks = said.report["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    checks.iter().find(|check| check["id"] == id).unwrap_or(&serde_json::Value::Null)
}

fn lines(said: &Said) -> String {
    let echo = said.report["echo"].as_array().map(Vec::as_slice).unwrap_or_default();
    echo.iter().filter_map(|line| line["said"].as_str()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_comes_back_by_both_protocols_from_each_version_as_kubectl_s_does() -> Result<()> {
    for release in Release::ALL {
        let it = Installation::start(release).await?;
        let balancer = hop(&it, Way::Tunnel).await?;
        let root = it.token("root")?;
        let said = it.echo(&balancer.url, &root, &["--echo", POD, "--echo-idle", "1"]).await?;
        assert_eq!(row(&said, "KS057")["result"], "pass", "{release:?}: {:#}", said.report);
        let lines = lines(&said);
        assert_eq!(lines.matches("102018 bytes echoed").count(), 4, "{lines}");
        assert_eq!(lines.matches("WebSocket: ").count(), 2, "{lines}");
        assert_eq!(lines.matches("(v5.channel.k8s.io)").count(), 2, "{lines}");
        assert_eq!(lines.matches("(v4.channel.k8s.io)").count(), 2, "{lines}");
        let log = it.kubelet.log();
        assert_eq!(log.matches("exec in default/web-0/web: cat").count(), 4, "{log}");
        // kubectl at the same kubelet, both ways: the peer is what it seems.
        let kubectl = Kubectl::new()?;
        kubectl.take_kubeconfig(&it.kubeconfig(&it.real.url, &root)?)?;
        for websockets in ["true", "false"] {
            let variables = [("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)];
            let arguments = ["exec", "-i", "web-0", "-c", "sidecar", "--", "cat"];
            let done = kubectl.run_with(&arguments, "something\n", &variables).await?;
            assert_eq!(done.succeeded()?, "something\n");
            let arguments = ["exec", "web-0", "--", "sh", "-c", "exit 7"];
            assert_eq!(kubectl.run_with(&arguments, "", &variables).await?.code, 7);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_goes_the_kubeconfig_s_way() -> Result<()> {
    let it = Installation::start(Release::V1_36).await?;
    let port = it.real.url.rsplit(':').next().context("a port")?.parse()?;
    let proxy = Proxy::start(Some(port)).await?;
    // A name that only the proxy knows.
    let token = it.token("root")?;
    let path = it.kubeconfig("https://api.shop.invalid:6443", &token)?;
    let mut file: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    file["clusters"][0]["cluster"]["proxy-url"] = proxy.url.clone().into();
    file["clusters"][0]["cluster"]["tls-server-name"] = "localhost".into();
    fs::write(&path, file.to_string())?;
    let said = doctor(&path, &["--echo", POD], Some(&token)).await?;
    let lines = lines(&said);
    assert!(lines.starts_with("WebSocket: 102012 bytes echoed"), "{lines}");
    assert!(lines.contains("SPDY/3.1: 102012 bytes echoed"), "{lines}");
    Ok(())
}

/// As API servers did it until 1.29: the WebSocket is the kubelet's own, and knows no closing.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_does_not_translate_echoes_by_the_older_version() -> Result<()> {
    let gate = "--feature-gates=TranslateStreamCloseWebsocketRequests=false";
    let it = Installation::start_with(Release::V1_34, &[gate]).await?;
    let said = it.echo(&it.real.url, &it.token("root")?, &["--echo", POD]).await?;
    assert_eq!(row(&said, "KS057")["result"], "pass", "{:#}", said.report);
    let lines = lines(&said);
    assert_eq!(lines.matches("WebSocket: 102012 bytes echoed").count(), 1, "{lines}");
    assert_eq!(lines.matches("(v4.channel.k8s.io, which cannot close stdin)").count(), 1, "{lines}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_breaks_it_is_named_first_with_step_and_line_to_change() -> Result<()> {
    let it = Installation::start(Release::V1_36).await?;
    let root = it.token("root")?;
    let page = |status| Way::Answer { status, server: "awselb/2.0" };
    for (way, more, severity, said_of_it, mend) in [
        (
            Way::DropUpgrade,
            &[][..],
            "error",
            &[
                "WebSocket and SPDY/3.1 broke at the answer to the upgrade",
                "Upgrade request required",
                "Server: nginx/1.27.5",
            ][..],
            "proxy_set_header Upgrade $http_upgrade",
        ),
        (
            Way::OnlyWebSocket,
            &[],
            "warning",
            &[
                "SPDY/3.1 broke at the answer to the upgrade, WebSocket passes",
                "kubectl since 1.31",
                "Via: 1.1 envoy",
            ],
            "SPDY/3.1}]",
        ),
        (
            Way::OnlySpdy,
            &[],
            "warning",
            &["WebSocket broke at the answer to the upgrade, SPDY/3.1 passes", "kubectl falls back"],
            "$http_upgrade",
        ),
        (
            Way::CutIdle(Duration::from_millis(700)),
            &["--echo-idle", "3"],
            "warning",
            &["s of silence", "pings every 5 s"],
            "timeout tunnel 1h",
        ),
        (
            page(400),
            &[],
            "error",
            &[
                "at the answer to the upgrade: 400 Request Is Strange (HTTP 400, Server: awselb/2.0, Content-Type: text/html)",
            ],
            "NLB",
        ),
        (page(403), &[], "error", &["403 Request Is Strange", "it is what stands between"], "NLB"),
        (Way::Swallow, &[], "error", &["at the first bytes after 101"], "mode tcp"),
        (
            Way::CutAfter(40_000),
            &[],
            "error",
            &["bytes: the connection was closed before the command's end"],
            "",
        ),
    ] {
        let balancer = hop(&it, way).await?;
        let said = it.echo(&balancer.url, &root, &[&["--echo", POD], more].concat()).await?;
        said.expect("KS057");
        let first = &said.report["checks"][0];
        assert_eq!(first["severity"], severity, "{way:?}: {first:#}");
        let text = first.to_string();
        assert!(text.contains(&format!("through {}", balancer.url)), "{way:?}: {first:#}");
        for part in said_of_it {
            assert!(text.contains(part), "{way:?} says {part:?}? {first:#}");
        }
        let mends = first["mend"].to_string();
        assert!(mends.contains(mend), "{way:?} names {mend:?}? {mends}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_hop_s_fault_is_not_told_as_such() -> Result<()> {
    for release in Release::ALL {
        let it = Installation::start(release).await?;
        allow(&it.real, "half", &["get"]).await?;
        // Who may not.
        let said = it.echo(&it.real.url, &it.token("reader")?, &["--echo", POD]).await?;
        assert_eq!(row(&said, "KS057")["result"], "not-looked-at", "{:#}", said.report);
        let text = row(&said, "KS031").to_string();
        assert!(text.contains("is not allowed to the user") && text.contains("cannot"), "{text}");
        // Who may by one protocol only: none since 1.35, where a WebSocket wants both verbs.
        let said = it.echo(&it.real.url, &it.token("half")?, &["--echo", POD]).await?;
        let found = row(&said, "KS031");
        assert_eq!(found["result"], "finding", "{found:#}");
        let by_one =
            found["said"].as_str().is_some_and(|text| text.contains("by one protocol and not by SPDY"));
        assert_eq!(by_one, release == Release::V1_34, "{found:#}");
        // The pod and the container, not the way to them.
        for (target, words) in [
            ("default/web-1", "not found"),
            ("default/web-0/nobody", "container nobody is not valid"),
            ("default/web-0/distroless", "executable file not found"),
            ("default/web-0/stopped", "container is not running"),
        ] {
            let said = it.echo(&it.real.url, &it.token("root")?, &["--echo", target]).await?;
            assert_eq!(row(&said, "KS057")["result"], "not-looked-at", "{:#}", said.report);
            let lines = lines(&said);
            assert_eq!(lines.matches("not tried: ").count(), 2, "{target}: {lines}");
            assert_eq!(lines.matches(words).count(), 2, "{target}: {lines}");
        }
        // Somebody whom the API server does not know.
        let strange = it.provider.token("a", &json!({"sub": "root", "aud": "another"}))?;
        let said = it.echo(&it.real.url, &strange, &["--echo", POD]).await?;
        assert_eq!(row(&said, "KS057")["result"], "not-looked-at", "{:#}", said.report);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_the_api_server_cannot_reach_is_told_from_a_hop() -> Result<()> {
    let it = Installation::without_pod(Release::V1_36, &[]).await?;
    it.kubelet.register_at(&it.real, free_port()?).await?;
    let balancer = hop(&it, Way::Tunnel).await?;
    let said = it.echo(&balancer.url, &it.token("root")?, &["--echo", POD]).await?;
    said.expect("KS057");
    let text = said.report["checks"][0].to_string();
    assert!(text.contains("has no connection to the node of the pod"), "{text}");
    assert!(text.contains("connection refused") && text.contains("konnectivity"), "{text}");
    Ok(())
}

async fn allow(real: &ApiServer, user: &str, verbs: &[&str]) -> Result<()> {
    let administrator = real.administrator()?;
    let api = "rbac.authorization.k8s.io";
    let role = json!({
        "apiVersion": format!("{api}/v1"), "kind": "Role", "metadata": {"name": "exec", "namespace": "default"},
        "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}],
    });
    real.create(&administrator, &format!("/apis/{api}/v1/namespaces/default/roles"), &role).await?;
    let binding = json!({
        "apiVersion": format!("{api}/v1"), "kind": "RoleBinding", "metadata": {"name": "exec", "namespace": "default"},
        "roleRef": {"apiGroup": api, "kind": "Role", "name": "exec"},
        "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
    });
    real.create(&administrator, &format!("/apis/{api}/v1/namespaces/default/rolebindings"), &binding).await
}

/// What a hop does.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// All that it should.
    Tunnel,
    /// Hands on everything but the wish to upgrade.
    DropUpgrade,
    /// … but another wish than for a WebSocket.
    OnlyWebSocket,
    /// … but the wish for a WebSocket.
    OnlySpdy,
    /// Closes what was quiet for so long.
    CutIdle(Duration),
    /// Closes what sent more than so many bytes.
    CutAfter(usize),
    /// Says 101 and hands nothing on.
    Swallow,
    /// Answers upgrades by itself, with a page.
    Answer { status: u16, server: &'static str },
}

/// A reverse proxy in front of the API server.
async fn hop(it: &Installation, way: Way) -> Result<Listening> {
    // Over HTTP/2 nothing is upgraded.
    let upstream = client_as(&Trust::Only(it.real.ca_pem.clone()), Timeouts::default(), None)?;
    let base = Arc::new(it.real.url.clone());
    let router = Router::new().fallback(move |request: Request| {
        let (client, base) = (upstream.clone(), Arc::clone(&base));
        async move {
            hand_on(&client, &base, request, way).await.unwrap_or_else(|error| {
                let mut response = Response::new(Body::from(format!("{error:#}")));
                *response.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
                response
            })
        }
    });
    let port = free_port()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let identity = it.proxy.issue_server(&ServerNames::loopback(), SystemClock.now())?;
    let tls = ServerTls::new(&identity, ClientAuthentication::None)?;
    let ends = CancellationToken::new();
    tokio::spawn(serve(listener, tls, router, ends.clone(), Limits::default()));
    Ok(Listening::at(format!("https://127.0.0.1:{port}"), ends))
}

async fn hand_on(client: &reqwest::Client, base: &str, mut request: Request, way: Way) -> Result<Response> {
    let wish =
        request.headers().get("upgrade").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    if let (Way::Answer { status, server }, false) = (way, wish.is_empty()) {
        let page =
            format!("<html><head><title>{status} Request Is Strange</title></head><body>…</body></html>");
        let response =
            Response::builder().status(status).header("server", server).header("content-type", "text/html");
        return Ok(response.body(Body::from(page))?);
    }
    let drops = match way {
        Way::DropUpgrade => true,
        Way::OnlyWebSocket => wish != "websocket",
        Way::OnlySpdy => wish == "websocket",
        _ => false,
    };
    let path = request.uri().path_and_query().context("a path")?.to_string();
    let on_upgrade = hyper::upgrade::on(&mut request);
    let mut outgoing = client.request(request.method().clone(), format!("{base}{path}"));
    for (name, value) in request.headers() {
        let is_wish = ["connection", "upgrade"].contains(&name.as_str());
        if name != "host" && !(is_wish && drops) {
            outgoing = outgoing.header(name, value);
        }
    }
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await?;
    let answer = outgoing.body(body).send().await?;
    let mut response = Response::builder().status(answer.status().as_u16());
    copy_headers(answer.headers(), response.headers_mut().context("headers")?);
    response = match way {
        Way::DropUpgrade | Way::OnlySpdy => response.header("server", "nginx/1.27.5"),
        Way::OnlyWebSocket => response.header("via", "1.1 envoy"),
        _ => response,
    };
    if answer.status().as_u16() != 101 {
        return Ok(response.body(Body::from(answer.bytes().await?))?);
    }
    let there = answer.upgrade().await?;
    tokio::spawn(async move {
        if let Ok(here) = on_upgrade.await {
            tunnel(TokioIo::new(here), there, way).await;
        }
    });
    Ok(response.body(Body::empty())?)
}

fn copy_headers(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        if !["content-length", "transfer-encoding"].contains(&name.as_str()) {
            to.append(name, value.clone());
        }
    }
}

/// Bytes both ways, until the way says that it is enough.
async fn tunnel(here: impl AsyncRead + AsyncWrite, there: impl AsyncRead + AsyncWrite, way: Way) {
    let ((mut from_here, mut to_here), (mut from_there, mut to_there)) =
        (tokio::io::split(here), tokio::io::split(there));
    let (quiet, most) = match way {
        Way::CutIdle(quiet) => (quiet, usize::MAX),
        Way::CutAfter(most) => (Duration::from_mins(10), most),
        _ => (Duration::from_mins(10), usize::MAX),
    };
    let (mut up, mut down, mut all) = (vec![0; 16 << 10], vec![0; 16 << 10], 0);
    loop {
        let copied = tokio::select! {
            read = from_here.read(&mut up) => match read {
                Ok(read @ 1..) if matches!(way, Way::Swallow) => Some(read),
                Ok(read @ 1..) => to_there.write_all(&up[..read]).await.ok().map(|()| read),
                _ => None,
            },
            read = from_there.read(&mut down) => match read {
                Ok(read @ 1..) => {
                    let written = to_here.write_all(&down[..read]).await;
                    written.and(to_here.flush().await).ok().map(|()| read)
                }
                _ => None,
            },
            () = tokio::time::sleep(quiet) => None,
        };
        let Some(read) = copied else { break };
        let _ = to_there.flush().await;
        all += read;
        if all > most {
            break;
        }
    }
    let _ = (to_here.shutdown().await, to_there.shutdown().await);
}
