//! A cluster that is reached through a proxy, and whose certificate is of another name than its address: kubesso goes the way that
//! the kubeconfig says, as kubectl does.

use std::fs;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_e2e::environment::kubesso;
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::process::{free_port, tied};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::doctor_live::{Installation, doctor};

/// No such name is known to anybody but the proxy.
const ADDRESS: &str = "https://api.shop.invalid:6443";

/// A proxy that takes whatever it is asked for to one port of this machine, or refuses.
pub(crate) struct Proxy {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn start(to: Option<u16>) -> Result<Self> {
        let port = free_port()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, to, Arc::clone(&told)));
            }
        });
        Ok(Self { url: format!("http://jo:s3cret@127.0.0.1:{port}"), asked })
    }
}

async fn serve(stream: TcpStream, to: Option<u16>, told: Arc<Mutex<Vec<String>>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).await?;
    }
    told.lock().map_err(|_| anyhow::anyhow!("a test failed"))?.push(head);
    let Some(to) = to else {
        return Ok(stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await?);
    };
    let mut far = TcpStream::connect(("127.0.0.1", to)).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    tokio::io::copy_bidirectional(&mut stream, &mut far).await?;
    Ok(())
}

/// The kubeconfig of the installation, by another way.
fn kubeconfig(it: &Installation, proxy: &str, name: &str) -> Result<std::path::PathBuf> {
    let path = it.kubeconfig(ADDRESS, &it.real.ca_pem)?;
    let mut file: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    file["clusters"][0]["cluster"] = json!({
        "server": ADDRESS, "certificate-authority-data": BASE64_STANDARD.encode(&it.real.ca_pem),
        "proxy-url": proxy, "tls-server-name": name,
    });
    fs::write(&path, file.to_string())?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_and_the_cluster_commands_go_kubectls_way() -> Result<()> {
    let it = Installation::start().await?;
    let port = it.real.url.rsplit(':').next().context("a port")?.parse()?;
    let proxy = Proxy::start(Some(port)).await?;
    let path = kubeconfig(&it, &proxy.url, "localhost")?;
    let kubectl = Kubectl::new()?;
    kubectl.take_kubeconfig(&path)?;
    let said = kubectl.run(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]).await?;
    assert_eq!(said.succeeded()?, "00u1");
    let of_kubectl = proxy.asked.lock().unwrap().len();

    let said = doctor(&path, &["--admin-context", "admin", "--can-i", "list pods"], Some(&it.token)).await?;
    let hop = said.report["hops"][0]["said"].as_str().context("a hop")?;
    assert!(hop.contains("the person is 00u1") && hop.contains("through http://127.0.0.1:"), "{hop}");
    assert!(!said.report.to_string().contains("s3cret"));
    assert_eq!(said.report["access"][0]["allowed"], false);
    assert!(
        said.report["checks"]
            .as_array()
            .context("checks")?
            .iter()
            .any(|it| it["id"] == "KS059" && it["result"] == "pass")
    );

    let mut check = tied(kubesso()?);
    check.args(["cluster", "check", "--context", "admin", "-o", "json", "--kubeconfig"]).arg(&path);
    let ended = tokio::process::Command::from(check).output().await?;
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout)
        .with_context(|| String::from_utf8_lossy(&ended.stderr).into_owned())?;
    assert!(report["servers"][0]["loaded"]["hash"].is_string(), "{report:#}");

    let asked = proxy.asked.lock().unwrap();
    assert!(asked.len() > of_kubectl + 3, "{asked:?}");
    let begin = "CONNECT api.shop.invalid:6443 HTTP/1.1\r\n";
    assert!(asked.iter().any(|head| head.starts_with(begin)), "{asked:?}");
    // The same password as kubectl brings.
    let password = |head: &String| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with("proxy-authorization: "));
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    };
    assert!(
        asked.iter().all(|head| password(head) == Some(BASE64_STANDARD.encode("jo:s3cret"))),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_leads_nowhere_is_said_to() -> Result<()> {
    let it = Installation::start().await?;
    let port = it.real.url.rsplit(':').next().context("a port")?.parse()?;
    let refusing = Proxy::start(None).await?;
    let said = doctor(&kubeconfig(&it, &refusing.url, "localhost")?, &[], Some(&it.token)).await?;
    said.expect("KS060");
    let got = said.report["checks"][0].to_string();
    assert!(got.contains("it answers 403 Forbidden to CONNECT api.shop.invalid:6443"), "{got}");
    // The certificate is not of the address's name.
    let proxy = Proxy::start(Some(port)).await?;
    let said = doctor(&kubeconfig(&it, &proxy.url, "")?, &[], Some(&it.token)).await?;
    said.expect("KS059");
    let kubectl = Kubectl::new()?;
    kubectl.take_kubeconfig(&kubeconfig(&it, &proxy.url, "")?)?;
    assert!(kubectl.run(&["auth", "whoami"]).await?.failed()?.contains("not api.shop.invalid"));
    Ok(())
}
