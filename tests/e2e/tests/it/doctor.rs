//! The doctor at a real kube-apiserver that is told something wrong: its log and the refused token must lead to the row.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kubesso_ambient::{Clock, SystemClock};
use kubesso_e2e::apiserver::{ApiServer, Release, refused_start};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::{self, scratch};
use kubesso_e2e::process::free_port;
use kubesso_e2e::reply::Cluster;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::rotation::who_am_i;

/// A provider with many issuers, one a path, each with a fault of its own.
pub(crate) struct Provider {
    port: u16,
    pub(crate) ca_pem: String,
    key: SigningKey,
    _serving: DropGuard,
}

impl Provider {
    pub(crate) async fn start() -> Result<Self> {
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("a provider", now)?;
        let identity = authority.issue_server(&ServerNames::loopback(), now)?;
        // On 127.0.0.2 too, a name that the certificate does not have.
        let port = free_port()?;
        let key = SigningKey::generate(Algorithm::Rs256)?;
        let keys = Arc::new(serde_json::to_string(&JwkSet::new(vec![key.public_jwk()]))?);
        let strangers = Arc::new(serde_json::to_string(&JwkSet::new(vec![
            SigningKey::generate(Algorithm::Rs256)?.public_jwk(),
        ]))?);
        let shutdown = CancellationToken::new();
        for host in ["127.0.0.1", "127.0.0.2"] {
            let listener = TcpListener::bind((host, port)).await?;
            let (keys, strangers) = (Arc::clone(&keys), Arc::clone(&strangers));
            let router = Router::new().fallback(get(move |uri: axum::http::Uri| {
                let answer = answer(uri.path(), port, &keys, &strangers);
                async move { answer }
            }));
            let tls = ServerTls::new(&identity, ClientAuthentication::None)?;
            tokio::spawn(serve(listener, tls, router, shutdown.clone(), Limits::default()));
        }
        Ok(Self {
            port,
            ca_pem: authority.certificate_pem().to_owned(),
            key,
            _serving: shutdown.drop_guard(),
        })
    }

    pub(crate) fn issuer(&self, name: &str) -> String {
        issuer(name, self.port)
    }

    pub(crate) fn token(&self, name: &str, changes: &Value) -> Result<String> {
        let now = SystemClock.now().as_second();
        let mut claims = json!({
            "iss": self.issuer(name), "aud": "kubernetes", "sub": "00u1", "groups": ["k8s-admins"], "iat": now, "exp": now + 900,
        });
        for (claim, value) in changes.as_object().context("changes are an object")? {
            match value {
                Value::Null => drop(claims.as_object_mut().and_then(|claims| claims.remove(claim))),
                value => claims[claim] = value.clone(),
            }
        }
        Ok(self.key.sign("JWT", &claims)?)
    }
}

fn issuer(name: &str, port: u16) -> String {
    match name {
        "misnamed" => format!("https://127.0.0.2:{port}/misnamed"),
        "closed" => "https://127.0.0.1:1/closed".to_owned(),
        // RFC 6761 section 6.4: no resolver knows it.
        "nowhere" => format!("https://sso.invalid:{port}/nowhere"),
        _ => format!("https://127.0.0.1:{port}/{name}"),
    }
}

fn answer(path: &str, port: u16, keys: &str, strangers: &str) -> axum::response::Response {
    let json = |text: String| ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
        ("page", _) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/html")], "<html>Sign in").into_response()
        }
        ("groups-elsewhere-at", _) => (StatusCode::UNAUTHORIZED, "no").into_response(),
        ("strange-key", "keys") => json(strangers.to_owned()),
        (_, "keys") => json(keys.to_owned()),
        (name, ".well-known/openid-configuration") => {
            let own = if name == "renamed" { format!("{}/", issuer(name, port)) } else { issuer(name, port) };
            let keys =
                if name == "keys-elsewhere" { "https://127.0.0.1:1".to_owned() } else { issuer(name, port) };
            json(json!({"issuer": own, "jwks_uri": format!("{keys}/keys")}).to_string())
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// An issuer that is told wrong or is wrong, a token, and the row that is to be named.
struct Case {
    row: &'static str,
    issuer: &'static str,
    /// What stands beside issuer and user name in the configuration.
    rules: &'static str,
    /// What is changed in the token.
    token: Value,
}

fn cases() -> Vec<Case> {
    let now = SystemClock.now().as_second();
    let case = |row, issuer, rules, token| Case { row, issuer, rules, token };
    vec![
        case("KS009", "audience", "", json!({"aud": ["headlamp", "account"]})),
        case("KS011", "expired", "", json!({"iat": now - 7200, "exp": now - 3600})),
        case("KS012", "early", "", json!({"nbf": now + 600})),
        case("KS013", "strange-key", "", json!({})),
        case("KS014", "keys-elsewhere", "", json!({})),
        case("KS017", "no-email", "username: email", json!({})),
        case(
            "KS018",
            "unverified",
            "username: email",
            json!({"email": "jo@example.com", "email_verified": false}),
        ),
        case(
            "KS019",
            "text",
            "username: email",
            json!({"email": "jo@example.com", "email_verified": "true"}),
        ),
        case("KS020", "tenant", "required", json!({"hd": "other.example"})),
        case("KS021", "rule", "rule", json!({"hd": "other.example"})),
        case("KS022", "roles", "", json!({"groups": {"roles": ["a"]}})),
        case(
            "KS023",
            "groups-elsewhere",
            "",
            json!({"groups": null, "_claim_names": {"groups": "a"}, "_claim_sources": {"a": {"endpoint": "https://127.0.0.1:1/groups"}}}),
        ),
    ]
}

/// Issuers that the API server never gets to know.
const UNREACHED: &[(&str, &str)] = &[
    ("KS002", "renamed"),
    ("KS003", "untrusted"),
    ("KS004", "misnamed"),
    ("KS005", "nowhere"),
    ("KS006", "closed"),
    ("KS008", "page"),
];

fn configuration(provider: &Provider, other_ca: &str) -> String {
    let element = |issuer: &str, rules: &str| {
        let ca = if issuer == "untrusted" { other_ca } else { &provider.ca_pem };
        let claim = if rules == "username: email" { "email" } else { "sub" };
        let mut jwt = json!({
            "issuer": {"url": provider.issuer(issuer), "audiences": ["kubernetes"], "certificateAuthority": ca},
            "claimMappings": {"username": {"claim": claim, "prefix": ""}, "groups": {"claim": "groups", "prefix": ""}},
        });
        match rules {
            "required" => {
                jwt["claimValidationRules"] = json!([{"claim": "hd", "requiredValue": "example.com"}]);
            }
            "rule" => {
                jwt["claimValidationRules"] =
                    json!([{"expression": "claims.hd == 'example.com'", "message": "not our tenant"}]);
            }
            _ => {}
        }
        jwt
    };
    let reached = cases().into_iter().map(|case| element(case.issuer, case.rules));
    let unreached = UNREACHED.iter().map(|(_, issuer)| element(issuer, ""));
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": reached.chain(unreached).collect::<Vec<_>>(),
    })
    .to_string()
}

/// `kubesso doctor …` with something on standard input; what it says, as JSON.
async fn doctor(arguments: &[&str], input: &str) -> Result<Value> {
    let mut child = tokio::process::Command::new(environment::kubesso()?)
        .args(["doctor"])
        .args(arguments)
        .args(["-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("standard input is piped")?.write_all(input.as_bytes()).await?;
    let ended = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    serde_json::from_slice(&ended.stdout).with_context(|| format!("{arguments:?}: {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_token_of_a_refused_request_lead_to_the_row() -> Result<()> {
    refused_requests(Release::V1_36).await
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_so_in_an_older_version_too() -> Result<()> {
    refused_requests(Release::V1_34).await
}

async fn refused_requests(release: Release) -> Result<()> {
    let provider = Provider::start().await?;
    let folder = scratch("doctor")?;
    let other = CertificateAuthority::generate("another", SystemClock.now())?;
    let file = folder.path().join("authentication.yaml");
    std::fs::write(&file, configuration(&provider, other.certificate_pem()))?;
    let settings = file.display().to_string();
    let real = ApiServer::start_release(release, &[format!("--authentication-config={settings}")]).await?;
    let cluster = Cluster::new("real", &real.url, &real.ca_pem)?;
    eventually("the reachable issuers are known", Duration::from_mins(1), async || {
        let reply = cluster.call(&who_am_i(&provider.token("audience", &json!({}))?)).await?;
        Ok((reply.status == 201).then_some(()))
    })
    .await?;

    for case in cases() {
        let token = provider.token(case.issuer, &case.token)?;
        let before = real.log().len();
        let reply = cluster.call(&who_am_i(&token)).await?;
        ensure!(reply.status == 401, "{}: {}", case.row, reply.status);
        let line = eventually("the log says why", Duration::from_secs(10), async || {
            let log = real.log();
            let new = log.get(before..).unwrap_or_default();
            Ok(new.lines().find(|line| line.contains("Unable to authenticate")).map(str::to_owned))
        })
        .await?;
        let explained = doctor(&["explain", "-"], &line).await?;
        assert_eq!(explained["findings"][0]["id"], case.row, "{line}\n{explained:#}");
        // A rule in CEL is not evaluated by the doctor yet; the log names it.
        if case.row == "KS021" {
            continue;
        }
        let examined = doctor(&["--token", "-", "--authentication-config", &settings], &token).await?;
        assert_eq!(examined["checks"][0]["id"], case.row, "{}\n{examined:#}", case.issuer);
        assert_eq!(examined["well"], false, "{}", case.issuer);
        assert!(!examined.to_string().contains(token.rsplit('.').next().context("a signature")?));
    }
    unreached(&provider, &real, &cluster, &settings).await?;
    misspelt(&provider, &real, &cluster, &settings).await?;
    unknown(&provider, &real, &cluster, &settings).await
}

/// The log has a line for each issuer that is not reached; a token says only that it is not initialized.
async fn unreached(provider: &Provider, real: &ApiServer, cluster: &Cluster, settings: &str) -> Result<()> {
    let explained = doctor(&["explain", "-"], &real.log()).await?;
    let found: Vec<_> =
        explained["findings"].as_array().context("findings")?.iter().map(|it| it["id"].clone()).collect();
    for (row, issuer) in UNREACHED {
        assert!(found.iter().any(|id| id == row), "{row} is not among {found:?}");
        let token = provider.token(issuer, &json!({}))?;
        assert_eq!(cluster.call(&who_am_i(&token)).await?.status, 401, "{issuer}");
        let examined = doctor(&["--token", "-", "--authentication-config", settings], &token).await?;
        assert_eq!(examined["checks"][0]["id"], *row, "{issuer}\n{examined:#}");
    }
    Ok(())
}

/// What a copy adds to a token.
async fn misspelt(provider: &Provider, real: &ApiServer, cluster: &Cluster, settings: &str) -> Result<()> {
    let token = provider.token("audience", &json!({}))?;
    for misspelt in [format!("\"{token}\""), format!("Bearer {token}"), token.replacen('.', ". ", 1)] {
        let before = real.log().len();
        assert_eq!(cluster.call(&who_am_i(&misspelt)).await?.status, 401, "{misspelt}");
        eventually("the log says so", Duration::from_secs(10), async || {
            Ok(real.log().get(before..).unwrap_or_default().contains("Unable to authenticate").then_some(()))
        })
        .await?;
        let examined = doctor(&["--token", "-", "--authentication-config", settings], &misspelt).await?;
        assert_eq!(examined["checks"][0]["id"], "KS063", "{examined:#}");
    }
    Ok(())
}

/// Tokens of nobody that the API server knows: its log says nothing but `invalid bearer token`.
async fn unknown(provider: &Provider, real: &ApiServer, cluster: &Cluster, settings: &str) -> Result<()> {
    let good = provider.token("audience", &json!({"iss": format!("{}/", provider.issuer("audience"))}))?;
    let mut parts: Vec<_> = provider.token("audience", &json!({}))?.split('.').map(str::to_owned).collect();
    parts[0] = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    for (row, token) in
        [("KS001", good), ("KS010", "0pAqueT0ken0fTheProvider".to_owned()), ("KS016", parts.join("."))]
    {
        let before = real.log().len();
        assert_eq!(cluster.call(&who_am_i(&token)).await?.status, 401, "{row}");
        let examined = doctor(&["--token", "-", "--authentication-config", settings], &token).await?;
        assert_eq!(examined["checks"][0]["id"], row, "{examined:#}");
        let line = eventually("the log says so", Duration::from_secs(10), async || {
            let log = real.log();
            let new = log.get(before..).unwrap_or_default();
            Ok(new.lines().find(|line| line.contains("Unable to authenticate")).map(str::to_owned))
        })
        .await?;
        let explained = doctor(&["explain", "-"], &line).await?;
        if row == "KS016" {
            assert_eq!(explained["findings"][0]["id"], row, "{line}");
        } else {
            assert_eq!(explained["undecided"]["name"], "invalid-bearer-token", "{line}");
        }
    }
    Ok(())
}

/// Flags take RS256 alone, where a file takes all that there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_algorithm_than_the_flags_take_is_named() -> Result<()> {
    let provider = Provider::start().await?;
    let folder = scratch("doctor-algorithm")?;
    let (ca, flags) = (folder.path().join("ca.crt"), folder.path().join("flags"));
    std::fs::write(&ca, &provider.ca_pem)?;
    let given = [
        format!("--oidc-issuer-url={}", provider.issuer("audience")),
        "--oidc-client-id=kubernetes".to_owned(),
        format!("--oidc-ca-file={}", ca.display()),
    ];
    std::fs::write(&flags, given.join("\n"))?;
    let (ca, flags) = (ca.display().to_string(), flags.display().to_string());
    let now = SystemClock.now().as_second();
    let claims = json!({
        "iss": provider.issuer("audience"), "aud": "kubernetes", "sub": "00u1", "iat": now, "exp": now + 900,
    });
    let token = SigningKey::generate(Algorithm::Es256)?.sign("JWT", &claims)?;
    for release in Release::ALL {
        let real = ApiServer::start_release(release, &given).await?;
        let cluster = Cluster::new("real", &real.url, &real.ca_pem)?;
        let line = refused_and_logged(&real, &cluster, &token, "unsupported algorithm").await?;
        let explained = doctor(&["explain", "-"], &line).await?;
        assert_eq!(explained["findings"][0]["id"], "KS015", "{line}\n{explained:#}");
    }
    let examined = doctor(&["--token", "-", "--flags", &flags, "--ca", &ca], &token).await?;
    assert_eq!(examined["checks"][0]["id"], "KS015", "{examined:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_the_api_servers_environment_that_refuses_is_named() -> Result<()> {
    let provider = Provider::start().await?;
    let folder = scratch("doctor-proxy")?;
    let listener = TcpListener::bind(("127.0.0.1", free_port()?)).await?;
    let proxy = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
            // Whoever has gone does not want the answer.
            let _ = stream.write_all(refused.as_bytes()).await;
        }
    });
    // Go asks no proxy for this machine's own names.
    let issuer = "https://sso.internal.example/realms/one";
    let file = folder.path().join("authentication.yaml");
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {"url": issuer, "audiences": ["kubernetes"]},
            "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
        }],
    });
    std::fs::write(&file, configuration.to_string())?;
    let argument = format!("--authentication-config={}", file.display());
    let token = provider.token("audience", &json!({"iss": issuer}))?;
    for release in Release::ALL {
        let real = ApiServer::start_behind(Some(&proxy), release, std::slice::from_ref(&argument)).await?;
        let cluster = Cluster::new("real", &real.url, &real.ca_pem)?;
        refused_and_logged(&real, &cluster, &token, "initializing plugin").await?;
        let explained = doctor(&["explain", "-"], &real.log()).await?;
        assert_eq!(explained["findings"][0]["id"], "KS007", "{explained:#}");
    }
    // The pod's manifest names the proxy.
    let pod = folder.path().join("kube-apiserver.yaml");
    let manifest = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{
        "name": "kube-apiserver", "command": ["kube-apiserver", argument], "env": [{"name": "HTTPS_PROXY", "value": proxy}],
        "volumeMounts": [{"name": "authentication", "mountPath": folder.path().display().to_string()}],
    }]}});
    std::fs::write(&pod, manifest.to_string())?;
    let (pod, file) = (pod.display().to_string(), file.display().to_string());
    let arguments = ["--offline", "--token", "-", "--flags", &pod, "--authentication-config", &file];
    let examined = doctor(&arguments, &token).await?;
    assert_eq!(examined["checks"][0]["id"], "KS007", "{examined:#}");
    Ok(())
}

/// The line of the log with these words, after the token was refused.
async fn refused_and_logged(real: &ApiServer, cluster: &Cluster, token: &str, words: &str) -> Result<String> {
    eventually("the log says why", Duration::from_secs(30), async || {
        assert_eq!(cluster.call(&who_am_i(token)).await?.status, 401);
        Ok(real.log().lines().find(|line| line.contains(words)).map(str::to_owned))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_does_not_start_says_a_row_and_the_doctor_says_it_before() -> Result<()> {
    let folder = scratch("doctor-start")?;
    let write = |name: &str, text: &str| -> Result<String> {
        let file = folder.path().join(name);
        std::fs::write(&file, text)?;
        Ok(file.display().to_string())
    };
    let file = |jwt: &str| {
        format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n{jwt}")
    };
    let good = "- issuer: {url: 'https://a.example', audiences: [k]}\n  claimMappings: {username: {claim: sub, prefix: ''}}\n";
    let issuer = "--oidc-issuer-url=https://a.example".to_owned();
    let client = "--oidc-client-id=k".to_owned();
    let missing = folder.path().join("authentication-missing.yaml").display().to_string();
    for (row, flags, authentication) in [
        ("KS033", vec!["--oidc-issuer-url=http://a.example".to_owned(), client.clone()], None),
        ("KS034", vec![issuer.clone(), client.clone()], Some(file(good))),
        (
            "KS035",
            vec!["--anonymous-auth=false".to_owned()],
            Some(format!("{}anonymous: {{enabled: true}}\n", file(good))),
        ),
        (
            "KS036",
            vec![],
            Some(file(
                "- issuer: {url: 'https://a.example', audiences: [k]}\n  claimMappings: {username: {claim: sub}}\n",
            )),
        ),
        (
            "KS037",
            vec![],
            Some(file(&good.replace("audiences", "certificateAuthority: /etc/ca.crt, audiences"))),
        ),
        (
            "KS038",
            vec![],
            Some(file(&good.replace(
                "claimMappings: {",
                "claimMappings: {extra: [{key: a.b/c, expression: claims.c}], ",
            ))),
        ),
        ("KS039", vec![format!("--authentication-config={missing}")], None),
        ("KS041", vec![issuer.clone()], None),
        ("KS061", vec![], Some(file(&format!("{good}{good}")))),
    ] {
        let mut given = flags.clone();
        let mut arguments = vec!["--offline".to_owned()];
        if let Some(text) = &authentication {
            let path = write(&format!("{row}.yaml"), text)?;
            given.push(format!("--authentication-config={path}"));
            arguments.extend(["--authentication-config".to_owned(), path]);
        }
        for release in Release::ALL {
            let said = refused_start(release, &given).await?;
            let explained = doctor(&["explain", "-"], &said).await?;
            assert_eq!(explained["findings"][0]["id"], row, "{release:?}: {said}\n{explained:#}");
        }
        // Whether a file is there is for the machine to say that has it.
        if row == "KS039" {
            continue;
        }
        if !flags.is_empty() {
            arguments.extend(["--flags".to_owned(), write(&format!("{row}.flags"), &given.join("\n"))?]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let examined = doctor(&arguments, "").await?;
        assert_eq!(examined["checks"][0]["id"], row, "{examined:#}");
    }
    assert!(Path::new(&missing).parent().is_some_and(Path::is_dir));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_only_a_newer_version_knows_is_told() -> Result<()> {
    // Known from 1.35 on.
    let gate = "--feature-gates=StructuredAuthenticationConfigurationJWKSMetrics=true".to_owned();
    let said = refused_start(Release::V1_34, &[gate]).await?;
    let explained = doctor(&["explain", "-"], &said).await?;
    assert_eq!(explained["findings"][0]["id"], "KS040", "{said}\n{explained:#}");
    Ok(())
}
