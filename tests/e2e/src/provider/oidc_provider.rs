//! The certified provider `oidc-provider`, in our program `tests/peers/oidc-provider`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{TokenRequest, Transport};
use crate::deadline::eventually;
use crate::process::{Running, last_lines, tied};
use crate::{application_key, authority, environment};

/// Who can sign in.
pub const PERSON: &str = "dev";
/// With what.
pub const PASSWORD: &str = "correct horse battery";

/// A running oidc-provider.
#[derive(Debug)]
pub struct OidcProvider {
    /// Its issuer.
    pub issuer: String,
    requests: PathBuf,
    _running: Running,
    _folder: TempDir,
}

/// How it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// By TLS or in the clear.
    pub transport: Transport,
    /// Whether its discovery document lists what it takes as a code challenge (RFC 8414).
    pub lists_challenges: bool,
}

impl Setup {
    /// As most providers are.
    pub fn usual(transport: Transport) -> Self {
        Self { transport, lists_challenges: true }
    }
}

impl OidcProvider {
    /// Starts one.
    ///
    /// # Errors
    /// It does not start; with what it said.
    pub async fn start(setup: Setup) -> Result<Self> {
        let program = environment::peer_folder("oidc-provider")?.join("server.js");
        let folder = environment::scratch("oidc-provider")?;
        let requests = folder.path().join("requests");
        fs::write(&requests, "")?;
        let authority = authority::shared()?;
        let tls = match setup.transport {
            Transport::Plain => Value::Null,
            Transport::Tls => {
                json!({"certificate": authority.server_certificate, "key": authority.server_key})
            }
        };
        let people = json!([{
            "name": PERSON, "password": PASSWORD, "email": "dev@example.com", "groups": ["developers"],
        }]);
        let settings = json!({
            "tls": tls, "requests": requests, "people": people, "clients": clients(&application_key::shared()?.public),
            "hideChallenges": !setup.lists_challenges,
        });
        let mut command = tied(&environment::program("node")?);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
        command.arg(program).arg(settings.to_string());
        let mut running = Running::start("oidc-provider", command, folder.path())?;
        let issuer = eventually("oidc-provider is ready", Duration::from_mins(3), async || {
            running.still_runs()?;
            Ok(running.stdout().strip_suffix('\n').map(str::to_owned))
        });
        let issuer = issuer.await;
        let issuer = issuer.with_context(|| format!("it said:\n{}", last_lines(&running.stderr(), 20)))?;
        Ok(Self { issuer, requests, _running: running, _folder: folder })
    }

    /// Every request so far, as the program wrote them down.
    ///
    /// # Errors
    /// The file is gone or broken.
    pub fn requests(&self) -> Result<Vec<Value>> {
        let lines = fs::read_to_string(&self.requests)?;
        lines.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// What was asked at the token endpoint.
    ///
    /// # Errors
    /// As [`requests`](Self::requests).
    pub fn token_requests(&self) -> Result<Vec<TokenRequest>> {
        let all = self.requests()?.into_iter().filter(|request| request["route"] == "token");
        Ok(all
            .map(|request| {
                let text = |name: &str| request["form"][name].as_str().map(str::to_owned);
                TokenRequest {
                    grant: text("grant_type").unwrap_or_default(),
                    scope: text("scope"),
                    refresh_token: text("refresh_token"),
                    granted: request["status"] == 200,
                }
            })
            .collect())
    }
}

fn clients(key: &Value) -> Value {
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    json!([
        {
            "client_id": "kubernetes",
            "application_type": "native",
            "token_endpoint_auth_method": "none",
            "redirect_uris": ["http://localhost"],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token", "password", device],
        },
        {
            "client_id": "kubernetes-confidential",
            "client_secret": "kubernetes-confidential-secret",
            "application_type": "native",
            "redirect_uris": ["http://localhost"],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials", device],
        },
        {
            "client_id": "kubernetes-key",
            "application_type": "native",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": key,
            "redirect_uris": ["http://localhost"],
            "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"],
        },
    ])
}
