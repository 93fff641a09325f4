//! The real Chromium, by the W3C WebDriver protocol.
//!
//! A small client of our own: of the libraries, fantoccini stands on a crate under the MPL, and thirtyfour
//! turns on `serde_json/preserve_order` for the whole workspace. A few commands are all that is needed.

mod looks;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deadline::eventually;
use crate::environment;
use crate::process::{Running, tied};

pub use looks::{ENTER, Focused, MOST_STOPS, Screen, TAB};

/// The key under which WebDriver names an element (WebDriver §12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless Chromium with a new profile.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    port: u16,
    _driver: Running,
    _profile: TempDir,
}

impl Browser {
    /// Starts the driver and one window.
    ///
    /// # Errors
    /// Chromium or its driver is not there, or does not start.
    pub async fn start() -> Result<Self> {
        kubesso_https::install_crypto_provider();
        let profile = environment::scratch("chromium")?;
        let chromium = environment::program("chromium")?;
        let (driver, port) = start_driver(profile.path()).await?;
        let base = format!("http://127.0.0.1:{port}");
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;
        let data = format!("--user-data-dir={}", profile.path().join("profile").display());
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            // Trust in the installation's own authority is the operating system's matter, not the pages'.
            "acceptInsecureCerts": true,
            "timeouts": {"pageLoad": 30_000, "script": 10_000},
            "goog:chromeOptions": {"binary": chromium, "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", data,
            ]},
        }}});
        let answer = client.post(format!("{base}/session")).json(&capabilities).send().await?;
        let answer: Value = answer.json().await?;
        let id = answer["value"]["sessionId"]
            .as_str()
            .with_context(|| format!("Chromium does not start: {answer}"))?;
        Ok(Self { session: format!("{base}/session/{id}"), client, port, _driver: driver, _profile: profile })
    }

    /// Opens `url` and signs in by the page's form, as a person would.
    ///
    /// # Errors
    /// The form is not there.
    pub async fn sign_in(&self, url: &str, login: &str, password: &str) -> Result<()> {
        self.open(url).await?;
        self.fill_in(login, password).await
    }

    /// Fills in the form of the page that is shown, and presses its button.
    ///
    /// # Errors
    /// The form is not there.
    pub async fn fill_in(&self, login: &str, password: &str) -> Result<()> {
        self.type_into("username", login).await?;
        self.type_into("password", password).await?;
        self.click("sign-in").await
    }

    /// Opens `url`.
    ///
    /// # Errors
    /// Nothing is there.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.call(Method::POST, "url", Some(json!({"url": url}))).await.map(drop)
    }

    /// Where the window is now.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn url(&self) -> Result<String> {
        let url = self.call(Method::GET, "url", None).await?;
        Ok(url.as_str().unwrap_or_default().to_owned())
    }

    /// What a person reads in the element with this id, once it is there.
    ///
    /// # Errors
    /// It does not come.
    pub async fn text(&self, id: &str) -> Result<String> {
        let element = self.element(&format!("[id='{id}']")).await?;
        let text = self.call(Method::GET, &format!("element/{element}/text"), None).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// What a person reads on the whole page.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn page_text(&self) -> Result<String> {
        let element = self.element("body").await?;
        let text = self.call(Method::GET, &format!("element/{element}/text"), None).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Types into the field with this id, in place of what is there.
    ///
    /// # Errors
    /// It is not there.
    pub async fn type_into(&self, id: &str, text: &str) -> Result<()> {
        let element = self.element(&format!("[id='{id}']")).await?;
        self.call(Method::POST, &format!("element/{element}/clear"), Some(json!({}))).await?;
        let keys = Some(json!({"text": text}));
        self.call(Method::POST, &format!("element/{element}/value"), keys).await.map(drop)
    }

    /// Presses the button, or follows the link, with this id.
    ///
    /// # Errors
    /// It is not there.
    pub async fn click(&self, id: &str) -> Result<()> {
        let element = self.element(&format!("[id='{id}']")).await?;
        self.call(Method::POST, &format!("element/{element}/click"), Some(json!({}))).await.map(drop)
    }

    async fn element(&self, selector: &str) -> Result<String> {
        let query = json!({"using": "css selector", "value": selector});
        eventually(&format!("{selector} is on the page"), Duration::from_secs(15), async || {
            match self.call(Method::POST, "element", Some(query.clone())).await {
                Ok(found) => Ok(found[ELEMENT].as_str().map(str::to_owned)),
                Err(error) if error.to_string().contains("no such element") => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn call(&self, method: Method, command: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.client.request(method, format!("{}/{command}", self.session));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let mut answer: Value = request.send().await?.json().await?;
        let value = answer["value"].take();
        if let Some(error) = value["error"].as_str() {
            bail!("{command}: {error}: {}", value["message"].as_str().unwrap_or_default());
        }
        Ok(value)
    }
}

/// The driver and its port. It takes a free port for IPv4 and wants the same for IPv6, which another one may
/// have just taken; then it ends, and is started again.
async fn start_driver(folder: &Path) -> Result<(Running, u16)> {
    let mut ended = None;
    for _ in 0..5 {
        let mut command = tied(&environment::program("chromedriver")?);
        command.arg("--port=0").env("HOME", folder);
        let mut driver = Running::start("chromedriver", command, folder)?;
        let port = eventually("chromedriver says its port", Duration::from_secs(30), async || {
            driver.still_runs()?;
            let printed = driver.stdout();
            let port = printed.split_once("started successfully on port ").map(|(_, rest)| rest);
            Ok(port.and_then(|rest| rest.split(['.', '\n']).next()?.parse::<u16>().ok()))
        });
        match port.await {
            Ok(port) => return Ok((driver, port)),
            Err(error) => ended = Some(error),
        }
    }
    Err(ended.unwrap_or_else(|| anyhow!("chromedriver was not started")))
}

impl Drop for Browser {
    /// Ends Chromium: the driver would leave it behind when it is killed. By hand, because nothing can be
    /// awaited here, and the runtime may be gone.
    fn drop(&mut self) {
        let path = self.session.split_once(&format!(":{}", self.port)).map_or("", |(_, path)| path);
        let request = format!("DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        let ended = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).and_then(|mut driver| {
            driver.set_read_timeout(Some(Duration::from_secs(10)))?;
            driver.write_all(request.as_bytes())?;
            driver.read(&mut [0; 512])
        });
        if let Err(error) = ended {
            eprintln!("Chromium may still be running: {error}");
        }
    }
}
