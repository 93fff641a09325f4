//! The management API of an installation elsewhere, as whoever signs in there: by the same way as kubectl's users, so that
//! the browser, the device code and the cached session are the same.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use kubesso_directory::{MANAGEMENT_CLIENT, MANAGEMENT_SERVER, Secret};
use kubesso_https::{Timeouts, Trust, client};
use kubesso_k8s_types::exec_credential::ExecCredential;
use kubesso_signin::Output;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use crate::args::{Place, SignInBy};
use crate::environment;
use crate::error::CommandError;

/// Calls the management API.
pub(crate) struct ManagementClient {
    runtime: Runtime,
    client: reqwest::Client,
    origin: String,
    token: Secret,
}

/// A refusal of the API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    error_summary: String,
    #[serde(default)]
    error_causes: Vec<Cause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cause {
    error_summary: String,
}

impl ManagementClient {
    /// Signs in at `server`. Not to be called from inside a runtime.
    pub(crate) fn sign_in(server: &Url, place: &Place) -> Result<Self, CommandError> {
        if server.scheme() != "https" || server.host_str().is_none() {
            return Err(CommandError::usage(
                "--server must be a base URL: https://host or https://host:port",
            ));
        }
        let origin = server.as_str().trim_end_matches('/').to_owned();
        let trust = match &place.certificate_authority {
            None => Trust::System,
            Some(file) => Trust::Only(std::fs::read_to_string(file).map_err(|e| {
                CommandError::because(
                    format!("the certificate authority {} cannot be read", file.display()),
                    &e,
                )
            })?),
        };
        let client = client(&trust, Timeouts::default())
            .map_err(|e| CommandError::because("the HTTPS client cannot be set up", &e))?;
        let token = access_token(&origin, place.certificate_authority.as_deref(), place.grant_type)?;
        Ok(Self { runtime: crate::runtime()?, client, origin, token })
    }

    /// Sends a request and reads the answer. An empty answer is JSON's null.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, CommandError> {
        let failed =
            |e: &dyn std::error::Error| CommandError::because(format!("{} did not do it", self.origin), e);
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| failed(&e))?;
        let mut request =
            self.client.request(method, format!("{}{path}", self.origin)).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        let (status, bytes) = self.runtime.block_on(async {
            let response = request.send().await.map_err(|e| failed(&e))?;
            let status = response.status();
            Ok::<_, CommandError>((status, response.bytes().await.map_err(|e| failed(&e))?))
        })?;
        if !status.is_success() {
            let said = refusal_text(&bytes).unwrap_or_else(|| format!("it answered {status}"));
            return Err(CommandError::new(format!("{} refuses: {said}", self.origin)));
        }
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|e| failed(&e))
    }
}

impl Refusal {
    fn text(&self) -> String {
        let causes: Vec<_> = self.error_causes.iter().map(|cause| cause.error_summary.as_str()).collect();
        if causes.is_empty() { self.error_summary.clone() } else { causes.join("; ") }
    }
}

/// What a refusal says, if the body is one.
pub(crate) fn refusal_text(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.text())
}

/// An access token for the management API: the plugin's `get-token`, whose output comes here instead of to kubectl.
/// Not to be called from inside a runtime.
pub(crate) fn access_token(
    origin: &str,
    certificate_authority: Option<&Path>,
    grant_type: SignInBy,
) -> Result<Secret, CommandError> {
    let mut words: Vec<OsString> = vec![
        "get-token".into(),
        format!("--oidc-issuer-url={origin}/oauth2/{MANAGEMENT_SERVER}").into(),
        format!("--oidc-client-id={MANAGEMENT_CLIENT}").into(),
        "--oidc-extra-scope=profile".into(),
        "--oidc-extra-scope=offline_access".into(),
        "--oidc-use-access-token".into(),
        match grant_type {
            SignInBy::Authcode => "--grant-type=authcode".into(),
            SignInBy::DeviceCode => "--grant-type=device-code".into(),
        },
    ];
    if let Some(file) = certificate_authority {
        let mut flag = OsString::from("--certificate-authority=");
        flag.push(file);
        words.push(flag);
    }
    let printed = Printed::default();
    let environment = kubesso_signin::Environment {
        stdout: Output::new(printed.clone()),
        ..environment::for_sign_in(&words)
    };
    let command_line = std::iter::once(OsString::from(crate::PLUGIN)).chain(words);
    if kubesso_signin::run_plugin(command_line, environment) != 0 {
        return Err(CommandError::new(format!("nobody is signed in at {origin}")));
    }
    let bytes = printed.0.lock().unwrap_or_else(PoisonError::into_inner);
    let credential: ExecCredential = serde_json::from_slice(&bytes)
        .map_err(|e| CommandError::because("the token that signing in gave cannot be read", &e))?;
    let token = credential.status.map(|status| Secret::new(status.token.expose()));
    token.ok_or_else(|| CommandError::new("signing in gave no token"))
}

/// What a command printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
