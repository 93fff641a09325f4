//! Keycloak, started from what `cargo xtask peers` prepared: the server, and a database that holds the realm.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use reqwest::header::LOCATION;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{TokenRequest, Transport};
use crate::deadline::eventually;
use crate::process::{Running, free_port, last_lines, tied};
use crate::{authority, environment, form, installation};

/// It takes 12 s on two idle cores.
const START: Duration = Duration::from_mins(3);

/// A Keycloak with the realm `kubesso` (`tests/peers/keycloak/realm.json`).
#[derive(Debug)]
pub struct Keycloak {
    plain: String,
    tls: String,
    people: AtomicU32,
    running: Running,
    _home: TempDir,
    /// From the start of the process to its first answer.
    pub started: Duration,
}

/// How Java runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// For a short life: compile little, collect simply.
    Tests,
    /// As `kc.sh` does by itself.
    Production,
}

/// What clients know of a Keycloak, and somebody of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Whom they trust.
    pub ca_pem: String,
    /// The realm's issuer, over TLS.
    pub issuer: String,
    /// A public application.
    pub client_id: String,
    /// For signing in.
    pub person: installation::Person,
}

/// Somebody of the realm, in the group `developers`.
#[derive(Clone, Debug)]
pub struct Person {
    /// Keycloak's identifier, the `sub` of tokens.
    pub id: String,
    /// For signing in.
    pub name: String,
    /// For signing in.
    pub password: String,
}

impl Keycloak {
    /// The one of this test process, started when it is first asked for; once, also when that fails, so that tests do
    /// not wait for it one after another.
    ///
    /// # Errors
    /// It does not start; with the end of its log.
    pub async fn shared() -> Result<&'static Self> {
        static KEYCLOAK: OnceCell<Result<Keycloak, String>> = OnceCell::const_new();
        let start = async || Self::start(Machine::Tests).await.map_err(|error| format!("{error:#}"));
        KEYCLOAK
            .get_or_init(start)
            .await
            .as_ref()
            .map_err(|error| anyhow!("Keycloak does not start: {error}"))
    }

    /// One of its own.
    ///
    /// # Errors
    /// As [`shared`](Self::shared).
    pub async fn start(machine: Machine) -> Result<Self> {
        let prepared = environment::peer_folder("keycloak")?.join("server");
        let home = environment::scratch("keycloak")?;
        // A home of its own: what it reads is shared, what it writes is not.
        for shared in ["conf", "lib", "providers", "themes"] {
            symlink(prepared.join(shared), home.path().join(shared))?;
        }
        let database = home.path().join("data/h2");
        fs::create_dir_all(&database)?;
        fs::copy(prepared.join("data/h2/keycloakdb.mv.db"), database.join("keycloakdb.mv.db"))?;
        let (http, https) = (free_port()?, free_port()?);
        let begin = Instant::now();
        let mut running =
            Running::start("keycloak", command(home.path(), http, https, machine)?, home.path())?;
        let keycloak = |running| Self {
            plain: format!("http://localhost:{http}"),
            tls: format!("https://localhost:{https}"),
            people: AtomicU32::new(0),
            running,
            _home: home,
            started: begin.elapsed(),
        };
        let client = form::client(&authority::shared()?.certificate_pem)?;
        let document = format!("https://localhost:{https}/realms/kubesso/.well-known/openid-configuration");
        let ready = eventually("Keycloak is ready", START, async || {
            running.still_runs()?;
            let answer = client.get(&document).send().await;
            Ok(answer.is_ok_and(|answer| answer.status().is_success()).then_some(()))
        });
        ready
            .await
            .with_context(|| format!("its log ends with:\n{}\n", last_lines(&running.stdout(), 30)))?;
        let keycloak = keycloak(running);
        keycloak.add_optional_scope("groups").await?;
        Ok(keycloak)
    }

    /// A scope that the application may be asked for. Not in the realm's file: a realm that brings one scope has no
    /// other.
    async fn add_optional_scope(&self, name: &str) -> Result<()> {
        let scope = json!({"name": name, "protocol": "openid-connect"});
        let scope = last_segment(&self.administer(Method::POST, "client-scopes", Some(&scope)).await?)?;
        let clients = self.administer(Method::GET, "clients?clientId=kubernetes", None).await?;
        let clients: Value = clients.json().await?;
        let client = clients[0]["id"].as_str().context("the application is not there")?;
        let path = format!("clients/{client}/optional-client-scopes/{scope}");
        self.administer(Method::PUT, &path, None).await.map(drop)
    }

    /// The process' number.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// What clients know of it, with a new person.
    ///
    /// # Errors
    /// Keycloak refuses.
    pub async fn known(&self) -> Result<Known> {
        let person = self.new_person().await?;
        Ok(Known {
            ca_pem: authority::shared()?.certificate_pem.clone(),
            issuer: self.issuer(Transport::Tls),
            client_id: "kubernetes".to_owned(),
            person: installation::Person { login: person.name, password: person.password },
        })
    }

    /// The realm's issuer.
    pub fn issuer(&self, transport: Transport) -> String {
        let base = match transport {
            Transport::Plain => &self.plain,
            Transport::Tls => &self.tls,
        };
        format!("{base}/realms/kubesso")
    }

    /// Somebody who was not there before.
    ///
    /// # Errors
    /// Keycloak refuses.
    pub async fn new_person(&self) -> Result<Person> {
        let name = format!("dev-{}", self.people.fetch_add(1, Ordering::Relaxed));
        let password = "correct horse battery".to_owned();
        let user = json!({
            "username": name, "email": format!("{name}@example.com"), "emailVerified": true,
            "firstName": "Dev", "lastName": "Eloper", "enabled": true, "groups": ["/developers"],
            "credentials": [{"type": "password", "value": password}],
        });
        let made = self.administer(Method::POST, "users", Some(&user)).await?;
        Ok(Person { id: last_segment(&made)?, name, password })
    }

    /// An application that was not there before.
    ///
    /// # Errors
    /// Keycloak refuses.
    pub async fn new_client(&self, client: &Value) -> Result<()> {
        self.administer(Method::POST, "clients", Some(client)).await.map(drop)
    }

    /// What was asked at the token endpoint for a person, by the realm's events.
    ///
    /// # Errors
    /// Keycloak refuses.
    pub async fn token_requests(&self, user: &str) -> Result<Vec<TokenRequest>> {
        let events = self.administer(Method::GET, &format!("events?user={user}&max=1000"), None).await?;
        let events: Vec<Value> = events.json().await?;
        // The newest comes first.
        Ok(events.iter().rev().filter_map(token_request).collect())
    }

    /// Ends the sessions of a person.
    ///
    /// # Errors
    /// Keycloak refuses.
    pub async fn end_sessions(&self, user: &str) -> Result<()> {
        self.administer(Method::POST, &format!("users/{user}/logout"), None).await.map(drop)
    }

    async fn administer(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let client = form::client(&authority::shared()?.certificate_pem)?;
        let token = self.administrator(&client).await?;
        let url = format!("{}/admin/realms/kubesso/{path}", self.tls);
        let mut request = client.request(method, &url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?.error_for_status()?)
    }

    async fn administrator(&self, client: &Client) -> Result<String> {
        let url = format!("{}/realms/kubesso/protocol/openid-connect/token", self.tls);
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "administrator"),
            ("password", "administrator"),
        ];
        let tokens: Value = client.post(url).form(&form).send().await?.error_for_status()?.json().await?;
        Ok(tokens["access_token"].as_str().context("the administrator gets no token")?.to_owned())
    }
}

/// The identifier of what was made.
fn last_segment(made: &Response) -> Result<String> {
    let location = made.headers().get(LOCATION).context("something new without a location")?.to_str()?;
    Ok(location.rsplit('/').next().unwrap_or_default().to_owned())
}

/// An event of Keycloak that is about the token endpoint.
fn token_request(event: &Value) -> Option<TokenRequest> {
    let kind = event["type"].as_str()?;
    let details = &event["details"];
    let text = |name: &str| details[name].as_str().map(str::to_owned);
    let grant = match kind.strip_suffix("_ERROR").unwrap_or(kind) {
        "CODE_TO_TOKEN" => "authorization_code".to_owned(),
        // A sign-in by a page has no grant yet.
        "LOGIN" => text("grant_type")?,
        "OAUTH2_DEVICE_CODE_TO_TOKEN" => "urn:ietf:params:oauth:grant-type:device_code".to_owned(),
        "REFRESH_TOKEN" => "refresh_token".to_owned(),
        _ => return None,
    };
    Some(TokenRequest {
        refresh_token: (grant == "refresh_token").then(|| text("refresh_token_id")).flatten(),
        grant,
        scope: text("scope"),
        granted: !kind.ends_with("_ERROR"),
    })
}

/// As `kc.sh start --optimized` runs it, without the shell that would outlive or hide it.
fn command(home: &Path, http: u16, https: u16, machine: Machine) -> Result<Command> {
    let authority = authority::shared()?;
    let mut command = tied(&environment::program("java")?);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).current_dir(home);
    command.args(match machine {
        Machine::Tests => ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"],
        Machine::Production => ["-XX:MaxMetaspaceSize=256m", "-Xms64m", "-Xmx512m"],
    });
    for package in ["java.util", "java.util.concurrent", "java.security"] {
        command.arg(format!("--add-opens=java.base/{package}=ALL-UNNAMED"));
    }
    command
        .arg(
            "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=\
             io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        )
        .args(["-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-Dfile.encoding=UTF-8"])
        .args(["-Duser.language=en", "-Duser.country=US", "-Dpicocli.disable.closures=true"])
        .arg(format!("-Dkc.home.dir={}", home.display()))
        .arg(format!("-Djboss.server.config.dir={}", home.join("conf").display()))
        .arg("-cp")
        .arg(home.join("lib/quarkus-run.jar"))
        .args(["io.quarkus.bootstrap.runner.QuarkusEntryPoint", "start", "--optimized"])
        .args(["--http-host=127.0.0.1", "--http-enabled=true", "--hostname-strict=false", "--cache=local"])
        .arg(format!("--http-port={http}"))
        .arg(format!("--https-port={https}"))
        .arg(format!("--https-certificate-file={}", authority.server_certificate.display()))
        .arg(format!("--https-certificate-key-file={}", authority.server_key.display()));
    Ok(command)
}
