//! `kubesso plan | apply | destroy` on a cluster of a cloud, whose program only keeps what it is told. With a real API server
//! and a real provider: `tests/e2e`.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use axum::routing::get;
use axum::{Json, Router};
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{ClientAuthentication, Identity, Limits, ServerTls, serve};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Set, aks};
use crate::text;

const FILE: &str = "issuers:
- url: https://sso.example.com/oauth2/k8s
  audiences: [k8s]
  certificateAuthorityFile: ca.crt
  groups: {claim: groups, prefix: 'aks:jwt:'}
  username: {claim: email, prefix: 'aks:jwt:'}
clusters:
- {name: prod, for: aks, clusterName: c, scope: g, apply: {}}
";

/// An issuer at a public name, which is reached by a proxy.
struct Issuer {
    proxy: String,
    ca_pem: String,
}

impl Issuer {
    fn start() -> Self {
        let now = SystemClock.now();
        let authority = CertificateAuthority::generate("an issuer's authority", now).unwrap();
        let names = ServerNames::new(vec!["sso.example.com".to_owned()], Vec::new());
        let identity = authority.issue_server(&names, now).unwrap();
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (listener, proxy) = (bind(), bind());
        let (at, proxy_at) = (listener.local_addr().unwrap(), proxy.local_addr().unwrap());
        std::thread::spawn(move || serve_documents(listener, &identity));
        std::thread::spawn(move || {
            for client in proxy.incoming().flatten() {
                std::thread::spawn(move || tunnel(client, TcpStream::connect(at)?));
            }
        });
        Self { proxy: format!("http://{proxy_at}"), ca_pem: authority.certificate_pem().to_owned() }
    }
}

fn serve_documents(listener: TcpListener, identity: &Identity) {
    let issuer = "https://sso.example.com/oauth2/k8s";
    let document = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/v1/keys")});
    let answer = |body: Value| get(move || std::future::ready(Json(body.clone())));
    let router = Router::new()
        .route("/oauth2/k8s/.well-known/openid-configuration", answer(document))
        .route("/oauth2/k8s/v1/keys", answer(json!({"keys": [{"kty": "RSA"}]})));
    let tls = ServerTls::new(identity, ClientAuthentication::None).unwrap();
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        serve(listener, tls, router, CancellationToken::new(), Limits::default()).await;
    });
}

/// What is asked for by `CONNECT` is always the one server.
fn tunnel(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let mut asked = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    while asked.read_line(&mut line)? > 2 {
        line.clear();
    }
    client.write_all(b"HTTP/1.1 200 here it is\r\n\r\n")?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || io::copy(&mut from_server, &mut to_client));
    io::copy(&mut client, &mut server).map(drop)
}

struct Trial {
    set: Set,
    file: PathBuf,
    issuer: Issuer,
}

impl Trial {
    fn new(set: Set) -> Self {
        let issuer = Issuer::start();
        let file = set.folder.path().join("access.yaml");
        fs::write(file.with_file_name("ca.crt"), &issuer.ca_pem).unwrap();
        Self { set, file, issuer }
    }

    /// Runs a command that ends with that code; what it printed, and by what the cloud was changed.
    fn ends(&self, code: i32, words: &[&str]) -> (String, Vec<String>) {
        let file = self.file.display().to_string();
        let output = self.set.kubesso_with(
            &[&words[..1], &["-f", &file], &words[1..]].concat(),
            &[("HTTPS_PROXY", &self.issuer.proxy)],
        );
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        let verbs = self.set.called();
        let verbs = verbs.iter().filter_map(|line| line.split(' ').nth(3)).filter(|verb| *verb != "list");
        (said, verbs.map(str::to_owned).collect())
    }

    fn want(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    /// The last entry of the journal as a process leaves it that is killed in the middle.
    fn kill(&self) {
        let folder = self.set.folder.path().join(".local/share/kubesso/cluster");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let last = files.filter(|path| path.extension().is_some_and(|end| end == "json")).max().unwrap();
        let text = fs::read_to_string(&last).unwrap();
        fs::write(&last, text.replace("\"state\": \"applied\"", "\"state\": \"began\"")).unwrap();
    }
}

#[test]
fn a_clouds_cluster_is_changed_gone_on_with_after_a_kill_and_left_as_it_was() {
    let set = Set::new();
    let state = aks(&set);
    let trial = Trial::new(set);
    trial.want(FILE);
    let none: [&str; 0] = [];

    let (said, verbs) = trial.ends(2, &["plan", "--detailed-exitcode"]);
    assert!(said.contains("~ sign-in to cluster \"prod\"") && said.contains("+ oidc:"), "{said}");
    assert!(said.contains("sso.example.com") && said.contains("Plan: 0 to add, 1 to change"), "{said}");
    assert_eq!(verbs, none);
    assert_eq!(trial.ends(0, &["apply", "--dry-run"]).1, none);
    assert_eq!(trial.ends(0, &["apply", "--yes"]).1, ["add"]);
    assert_eq!(trial.ends(0, &["plan", "--detailed-exitcode"]).1, none);
    let first = fs::read_to_string(&state).unwrap();

    let changed = FILE.replace("claim: groups", "claim: roles");
    trial.want(&changed);
    let (said, verbs) = trial.ends(0, &["apply", "--yes"]);
    assert!(said.contains("- \"claim\": \"groups\"") || said.contains("roles"), "{said}");
    assert_eq!(verbs, ["update"]);

    // Killed in the middle: taken back, and begun anew.
    trial.kill();
    let (said, _) = trial.ends(2, &["plan", "--detailed-exitcode"]);
    assert!(said.contains("was interrupted half way: what was done of it is taken back first"), "{said}");
    assert_eq!(trial.ends(0, &["apply", "--yes"]).1, ["update", "update"]);
    assert_eq!(trial.ends(0, &["plan", "--detailed-exitcode"]).1, none);

    // What somebody changed since is not thrown away.
    let ours = fs::read_to_string(&state).unwrap();
    fs::write(&state, first.replace("k8s", "theirs")).unwrap();
    let (said, verbs) = trial.ends(1, &["destroy", "--yes"]);
    assert!(said.contains("changed since by somebody else: oidc"), "{said}");
    assert_eq!(verbs, none);
    fs::write(&state, ours).unwrap();

    let (said, verbs) = trial.ends(0, &["destroy", "--yes"]);
    assert!(said.contains("- sign-in to cluster \"prod\""), "{said}");
    assert_eq!(verbs, ["delete"]);
    assert!(!Path::new(&state).exists());
    let (said, verbs) = trial.ends(0, &["destroy", "--yes"]);
    assert!(
        said.contains("was not brought by this file, and stays") && said.contains("Nothing to destroy"),
        "{said}"
    );
    assert_eq!(verbs, none);
}

#[test]
fn an_issuer_that_does_not_answer_is_trusted_by_no_cluster() {
    let set = Set::new();
    let state = aks(&set);
    let trial = Trial::new(set);
    // Another one answers there.
    trial.want(&FILE.replace("https://sso.example.com/oauth2/k8s", "https://nowhere.example.com/oauth2/k8s"));
    let (said, verbs) = trial.ends(1, &["apply", "--yes"]);
    assert!(
        said.contains("the issuer https://nowhere.example.com/oauth2/k8s does not answer as it has to"),
        "{said}"
    );
    assert!(said.contains("nothing of the cluster was changed"), "{said}");
    assert!(verbs.is_empty() && !Path::new(&state).exists(), "{verbs:?}");
}
