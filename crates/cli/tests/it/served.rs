//! A `kubesso serve` of a test's own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{Timeouts, Trust, client, client_with_redirects};

use crate::kubesso;

/// Ends the server whatever becomes of the test.
pub(crate) struct Serving(pub(crate) Child, PathBuf);

impl Serving {
    /// What it has said so far, on standard error.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.1).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn serve(home: &Path, config: &Path) -> Serving {
    static SERVERS: AtomicU32 = AtomicU32::new(0);
    // Into a file: a pipe that nobody reads is full one day, and then the server stands still.
    let said = home.join(format!("said-{}", SERVERS.fetch_add(1, Ordering::Relaxed)));
    let file = std::fs::File::create(&said).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(["serve", "--config"])
        .arg(config)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .stderr(file)
        .spawn();
    Serving(child.unwrap(), said)
}

/// Writes a certificate for `names` and its key under `name`; the YAML that names them.
pub(crate) fn tls(home: &Path, authority: &CertificateAuthority, name: &str, names: &ServerNames) -> String {
    let identity = authority.issue_server(names, SystemClock.now()).unwrap();
    let (certificate, key) = (home.join(format!("{name}.crt")), home.join(format!("{name}.key")));
    std::fs::write(&certificate, identity.chain_pem()).unwrap();
    std::fs::write(&key, identity.key_pem()).unwrap();
    format!("{{certificate: {}, key: {}}}", certificate.display(), key.display())
}

/// A port that no outgoing connection takes before the server binds it: below those that the kernel gives out (32768
/// and up on Linux). No two calls in one process get the same.
pub(crate) fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    // Processes side by side have neighbouring numbers, and must not walk over the same ports.
    let first = std::process::id().wrapping_mul(97);
    let ports = || Some(20_000 + first.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % 10_000);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::from_fn(ports).take(10_000).filter_map(|port| u16::try_from(port).ok()).find(is_free).unwrap()
}

pub(crate) async fn answers(http: &reqwest::Client, url: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while http.get(url).send().await.is_err() {
        assert!(Instant::now() < deadline, "{url} does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A home with a configuration for `localhost`, which can be served again and again.
pub(crate) struct Site {
    pub(crate) home: tempfile::TempDir,
    pub(crate) port: u16,
    pub(crate) authority: CertificateAuthority,
    pub(crate) http: reqwest::Client,
}

impl Site {
    /// `more`: further lines of the configuration.
    pub(crate) fn new(more: &str) -> Self {
        let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
        let port = free_port();
        Self::of(authority, port, &format!("https://localhost:{port}"), more)
    }

    /// One that answers for `base_url` at `port`.
    pub(crate) fn of(authority: CertificateAuthority, port: u16, base_url: &str, more: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let tls = tls(home.path(), &authority, "tls", &ServerNames::loopback());
        let http = client(&Trust::Only(authority.certificate_pem().to_owned()), Timeouts::default()).unwrap();
        let site = Self { home, port, authority, http };
        let config = format!(
            "base_url: {base_url}\nlisten: ['127.0.0.1:{port}']\ntls: {tls}\ndata_dir: {}\n{more}",
            site.data().display()
        );
        std::fs::write(site.config(), config).unwrap();
        site
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join("kubesso.yaml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// Serves, and waits until it answers.
    pub(crate) async fn serve(&self) -> Serving {
        let serving = serve(self.home.path(), &self.config());
        answers(&self.http, &self.url("/healthz")).await;
        serving
    }

    /// Runs a command on the data directory.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let data = self.data().display().to_string();
        kubesso(self.home.path(), &[arguments, &["--data-dir", &data]].concat())
    }

    /// The id of the authorization server, as a preview writes it into the issuer.
    pub(crate) fn server_id(&self, data: &str) -> String {
        let base_url = format!("--base-url={}", self.url(""));
        let arguments =
            ["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json", "--data-dir"];
        let seen = kubesso(self.home.path(), &[&arguments[..], &[data, &base_url]].concat());
        let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
        seen["issuer"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// Whether the sign-in form takes login and password, and gives a code for them.
    pub(crate) async fn signs_in(&self, client: &str, server: &str, login: &str, password: &str) -> bool {
        self.code(client, server, login, password).await.is_some()
    }

    /// The refresh token of somebody who signs in.
    pub(crate) async fn refresh_token(
        &self,
        client: &str,
        server: &str,
        login: &str,
        password: &str,
    ) -> String {
        let code = self.code(client, server, login, password).await.unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("redirect_uri", "http://localhost:8000"),
            ("code", &code),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ];
        self.token(server, &form).await.unwrap()
    }

    /// The refresh token that comes for another.
    pub(crate) async fn refreshed(&self, client: &str, server: &str, refresh_token: &str) -> Option<String> {
        let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", refresh_token)];
        self.token(server, &form).await
    }

    async fn token(&self, server: &str, form: &[(&str, &str)]) -> Option<String> {
        let url = self.url(&format!("/oauth2/{server}/v1/token"));
        let answer = self.http.post(url).form(form).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        answer["refresh_token"].as_str().map(str::to_owned)
    }

    /// The code that the sign-in form gives for login and password.
    async fn code(&self, client: &str, server: &str, login: &str, password: &str) -> Option<String> {
        Some(self.sign_in(client, server, login, password).await?.0)
    }

    /// The address that asks for a code.
    pub(crate) fn authorize_url(&self, client: &str, server: &str) -> reqwest::Url {
        let mut url: reqwest::Url = self.url(&format!("/oauth2/{server}/v1/authorize")).parse().unwrap();
        url.query_pairs_mut().extend_pairs([
            ("client_id", client),
            ("response_type", "code"),
            ("scope", "openid offline_access"),
            ("redirect_uri", "http://localhost:8000"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ]);
        url
    }

    /// The code that the sign-in form gives for login and password, and the session's cookie. The browser says that it
    /// comes from 198.51.100.7.
    pub(crate) async fn sign_in(
        &self,
        client: &str,
        server: &str,
        login: &str,
        password: &str,
    ) -> Option<(String, String)> {
        let trust = Trust::Only(self.authority.certificate_pem().to_owned());
        let http =
            client_with_redirects(&trust, Timeouts::default(), reqwest::redirect::Policy::none()).unwrap();
        let shown = http.get(self.authorize_url(client, server)).send().await.unwrap();
        let before = cookies(&shown);
        let page = shown.text().await.unwrap();
        let request = quoted(&page, "name=\"request\" value=\"").to_owned();
        let form =
            [("request", &*request), ("username", login), ("password", password), ("action", "sign-in")];
        let submitted = http
            .post(self.url("/sign-in"))
            .header("cookie", before)
            .header("x-forwarded-for", "198.51.100.7")
            .form(&form);
        let answered = submitted.send().await.unwrap();
        Some((returned(&answered)?, cookies(&answered)))
    }
}

/// The cookies that an answer sets.
fn cookies(answer: &reqwest::Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

/// The code that the application is sent.
pub(crate) fn returned(answer: &reqwest::Response) -> Option<String> {
    let location: reqwest::Url = answer.headers().get("location")?.to_str().unwrap().parse().ok()?;
    assert_eq!(location.port(), Some(8000), "{location}");
    location.query_pairs().find_map(|(name, value)| (name == "code").then(|| value.into_owned()))
}

/// Between `before` and the next quotation mark.
fn quoted<'a>(page: &'a str, before: &str) -> &'a str {
    page.split_once(before).and_then(|(_, rest)| rest.split_once('"')).unwrap().0
}
