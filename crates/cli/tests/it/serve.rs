//! `kubesso serve` from its first start.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{Timeouts, Trust, client};

use crate::{kubesso, text};

/// Ends the server whatever becomes of the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(home: &Path, config: &Path) -> Serving {
    let child = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(["serve", "--config"])
        .arg(config)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    Serving(child.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_an_empty_directory_has_what_a_cluster_is_pointed_at() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let now = SystemClock.now();
    let authority = CertificateAuthority::generate("test", now).unwrap();
    let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
    std::fs::write(path("tls.crt"), identity.chain_pem()).unwrap();
    std::fs::write(path("tls.key"), identity.key_pem()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "base_url: https://localhost:{port}\nlisten: ['127.0.0.1:{port}']\n\
         tls: {{certificate: {}, key: {}}}\ndata_dir: {}\n",
        path("tls.crt"),
        path("tls.key"),
        path("data")
    );
    std::fs::write(path("kubesso.yaml"), config).unwrap();
    let mut serving = serve(home.path(), Path::new(&path("kubesso.yaml")));

    let http = client(&Trust::Only(authority.certificate_pem().to_owned()), Timeouts::default()).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while http.get(format!("https://localhost:{port}/healthz")).send().await.is_err() {
        assert!(Instant::now() < deadline, "the server does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let data = path("data");
    let person = ["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json", "--data-dir", &data];
    let made = kubesso(home.path(), &person);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let again = kubesso(home.path(), &person);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("there is somebody with the login jo@example.com already"));

    let _ = serving.0.kill();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut serving.0.stderr.take().unwrap(), &mut said).unwrap();
    let issuer = said.lines().find_map(|line| line.trim().strip_prefix("issuer")).unwrap().trim();
    assert!(issuer.starts_with(&format!("https://localhost:{port}/oauth2/aus")), "{said}");
    assert!(said.lines().any(|line| line.trim().starts_with("client  0oa")), "{said}");
}
