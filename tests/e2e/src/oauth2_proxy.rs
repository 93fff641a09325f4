//! The real oauth2-proxy before an application that signs nobody in by itself: it shows what the proxy told it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::administrator::Application;
use crate::deadline::eventually;
use crate::environment;
use crate::kubesso::Kubesso;
use crate::process::{Running, last_lines, tied};

/// What stands before the application, for people of one group.
#[derive(Debug)]
pub struct OAuth2Proxy {
    running: Running,
    /// Where people go.
    pub url: String,
    _folder: TempDir,
    upstream: JoinHandle<()>,
}

/// Where the provider sends people back to.
pub fn callback(port: u16) -> String {
    format!("http://localhost:{port}/oauth2/callback")
}

impl OAuth2Proxy {
    /// Starts it at `port` of the loopback interface, whose [`callback`] the application has registered. It fetches new
    /// tokens as soon as a second has gone by.
    ///
    /// # Errors
    /// It is not built, or does not start; with what it said.
    pub async fn start(kubesso: &Kubesso, application: &Application, port: u16, group: &str) -> Result<Self> {
        let folder = environment::scratch("oauth2-proxy")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let shown = listener.local_addr()?;
        let upstream = tokio::spawn(show_what_is_told(listener));
        let url = format!("http://localhost:{port}");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, application.secret.as_deref().context("a secret")?)?;
        let provider = kubesso.base_url()?;
        let mut command = tied(&environment::peer("oauth2-proxy")?);
        command.env_clear().env("HOME", folder.path());
        let flags = [
            ("provider", "oidc"),
            ("oidc-issuer-url", &kubesso.ready.issuer),
            ("provider-ca-file", &kubesso.ready.ca.display().to_string()),
            ("client-id", &application.client_id),
            ("client-secret-file", &secret.display().to_string()),
            ("scope", "openid email profile offline_access"),
            ("code-challenge-method", "S256"),
            ("insecure-oidc-skip-nonce", "false"),
            ("allowed-group", group),
            ("email-domain", "*"),
            ("http-address", &format!("127.0.0.1:{port}")),
            ("redirect-url", &callback(port)),
            ("upstream", &format!("http://{shown}")),
            ("pass-authorization-header", "true"),
            ("skip-provider-button", "true"),
            ("whitelist-domain", provider.trim_start_matches("https://")),
            ("cookie-secure", "false"),
            ("cookie-secret", "thirty-two bytes for its cookies"),
            ("cookie-refresh", "1s"),
        ];
        command.args(flags.iter().map(|(name, value)| format!("--{name}={value}")));
        let mut running = Running::start("oauth2-proxy", command, folder.path())?;
        eventually("oauth2-proxy listens", Duration::from_secs(30), async || {
            running.still_runs()?;
            Ok(TcpStream::connect(("127.0.0.1", port)).await.ok())
        })
        .await?;
        Ok(Self { running, url, _folder: folder, upstream })
    }

    /// Where somebody goes who wants to be signed out here and at the provider (OpenID Connect RP-Initiated Logout 1.0); the
    /// proxy writes the ID token in.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn sign_out_url(&self, end_session_endpoint: &str) -> Result<String> {
        let query = [("post_logout_redirect_uri", format!("{}/", self.url))];
        let provider = url::Url::parse_with_params(end_session_endpoint, query)?;
        let provider = format!("{provider}&id_token_hint={{id_token}}");
        let sign_out =
            url::Url::parse_with_params(&format!("{}/oauth2/sign_out", self.url), [("rd", provider)])?;
        Ok(sign_out.to_string())
    }

    /// What it has logged last, for the explanation of a failure.
    pub fn log(&self) -> String {
        format!("{}{}", last_lines(&self.running.stdout(), 20), last_lines(&self.running.stderr(), 20))
    }
}

impl Drop for OAuth2Proxy {
    fn drop(&mut self) {
        self.upstream.abort();
    }
}

/// The value of a header in the text that the application shows.
///
/// # Errors
/// It is not there.
pub fn told<'a>(shown: &'a str, name: &str) -> Result<&'a str> {
    let line = shown.lines().find_map(|line| {
        let (header, value) = line.split_once(": ")?;
        header.eq_ignore_ascii_case(name).then_some(value)
    });
    line.with_context(|| format!("no {name} in: {shown}"))
}

/// Answers each request with its own headers as text.
async fn show_what_is_told(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // Whoever hangs up needs no answer.
            let _ = show(stream).await;
        });
    }
}

async fn show(stream: TcpStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut text = String::new();
    loop {
        let begin = text.len();
        ensure!(stream.read_line(&mut text).await? > 0, "the request ended early");
        if text.get(begin..).is_some_and(|line| line.trim_end().is_empty()) {
            break;
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(format!("{head}{text}").as_bytes()).await?;
    Ok(stream.flush().await?)
}
