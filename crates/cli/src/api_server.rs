//! An API server as an administrator's kubeconfig reaches it: by certificate, token or plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kubesso_directory::Secret;
use kubesso_https::{Connections, Link, Route, ServerClient, Timeouts, Trust};
use kubesso_k8s_types::exec_credential::ExecCredential;
use kubesso_k8s_types::kubeconfig::{Cluster, Data, ExecConfig, User};
use kubesso_kubeconfig::{Entry, Kubeconfig, Selection};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::environment;
use crate::error::CommandError;

/// An API server in another state than ready must not keep anybody waiting.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    read: Duration::from_secs(8),
    total: Duration::from_secs(10),
};

/// Whom to ask, and by what.
#[derive(Clone)]
pub(crate) struct ApiServer {
    /// `https://host:port`
    pub(crate) url: Url,
    client: ServerClient,
    bearer: Option<Secret>,
    credentials: Credentials,
}

/// What a kubeconfig says of a context.
#[derive(Clone)]
struct Credentials {
    link: Link,
    identity: Option<Zeroizing<Vec<u8>>>,
    bearer: Option<Secret>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl ApiServer {
    /// The API server of a context. `named`: the file, instead of kubectl's.
    pub(crate) async fn of_kubeconfig(
        named: Option<&Path>,
        context: Option<&str>,
    ) -> Result<Self, CommandError> {
        let locations = environment::kubeconfig_locations(named);
        let kubeconfig = Kubeconfig::load(&locations)
            .map_err(|e| CommandError::because("the API server cannot be asked", &e))?;
        let entry = kubeconfig.select_context(context).map_err(|e| {
            CommandError::because("the API server cannot be asked", &e)
                .mend("name an administrator's kubeconfig with --kubeconfig")
        })?;
        let cluster = kubeconfig.cluster(&entry.value.cluster).ok_or_else(|| {
            let (context, name) = (&entry.name, &entry.value.cluster);
            CommandError::new(format!("the context {context} is of the cluster {name:?}, which is not there"))
        })?;
        let user = kubeconfig
            .select_user(Selection { context, user: None })
            .map_err(|e| CommandError::because("the API server cannot be asked", &e))?;
        let url = server_url(&cluster.value)?;
        let credentials = Credentials::of(cluster, user).await?;
        Self::with(url, credentials)
    }

    /// The same credentials at another of the cluster's API servers.
    pub(crate) fn at(&self, endpoint: &Url) -> Result<Self, CommandError> {
        Self::with(endpoint.clone(), self.credentials.clone())
    }

    /// With somebody's token instead.
    pub(crate) fn as_bearer(&self, token: Secret) -> Result<Self, CommandError> {
        let credentials = Credentials { identity: None, bearer: Some(token), ..self.credentials.clone() };
        Self::with(self.url.clone(), credentials)
    }

    fn with(url: Url, credentials: Credentials) -> Result<Self, CommandError> {
        if url.scheme() != "https" {
            return Err(CommandError::usage(format!("{url} is not https")));
        }
        let identity = credentials.identity.as_ref().map(|pem| pem.as_slice());
        let client = ServerClient::new(&url, &credentials.link, TIMEOUTS, identity, Connections::Kept)
            .map_err(|e| CommandError::because("the API server cannot be asked", &e))?;
        Ok(Self { url, client, bearer: credentials.bearer.clone(), credentials })
    }

    /// GETs a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(reqwest::Method::GET, path, None).await
    }

    /// GETs an object of JSON.
    pub(crate) async fn get_json(&self, path: &str) -> Result<Value, String> {
        let answer = self.get(path).await?;
        if answer.status != StatusCode::OK {
            return Err(format!("{path} answered {}", answer.status));
        }
        serde_json::from_str(&answer.body).map_err(|error| format!("{path}: {error}"))
    }

    /// Sends JSON. A `PATCH` is server-side apply.
    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let is_apply = method == reqwest::Method::PATCH;
        let kind = if is_apply { "application/apply-patch+yaml" } else { "application/json" };
        self.call(method, path, body.map(|body| (kind, body))).await
    }

    /// Changes fields of an object (RFC 7396).
    pub(crate) async fn merge(&self, path: &str, fields: &Value) -> Result<Answer, String> {
        self.call(reqwest::Method::PATCH, path, Some(("application/merge-patch+json", fields))).await
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Answer, String> {
        let said = |error: reqwest::Error| match self.client.obstacle() {
            Some(why) if error.is_connect() => why,
            _ => crate::error::chain(&error.without_url()),
        };
        let mut request = self.client.request(method, path);
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token.expose());
        }
        if let Some((kind, body)) = body {
            request = request.header(http::header::CONTENT_TYPE, kind).body(body.to_string());
        }
        let answer = request.send().await.map_err(said)?;
        let status = answer.status();
        Ok(Answer { status, body: answer.text().await.map_err(said)? })
    }
}

fn server_url(cluster: &Cluster) -> Result<Url, CommandError> {
    Url::parse(&cluster.server)
        .map_err(|e| CommandError::because(format!("the server {:?} in the kubeconfig", cluster.server), &e))
}

impl Credentials {
    async fn of(cluster: &Entry<Cluster>, user: &Entry<User>) -> Result<Self, CommandError> {
        let of = &cluster.value;
        let authority =
            pem(&of.certificate_authority_data, &of.certificate_authority, |path| cluster.resolve(path))?;
        let trust = if of.insecure_skip_tls_verify {
            Trust::DangerouslyAnybody
        } else if let Some(pem) = authority {
            let text = String::from_utf8(pem.to_vec());
            Trust::Only(text.map_err(|_| CommandError::new("the cluster's certificate authority is no PEM"))?)
        } else {
            Trust::System
        };
        let route = Route::new(&of.proxy_url, &of.tls_server_name);
        let route =
            route.map_err(|e| CommandError::because("the kubeconfig's cluster cannot be reached", &e))?;
        let mut made = Self { link: Link { trust, route }, identity: None, bearer: None };
        let of = &user.value;
        let resolve = |path: &str| user.resolve(path);
        if let Some(mut identity) = pem(&of.client_certificate_data, &of.client_certificate, resolve)? {
            if let Some(key) = pem(&of.client_key_data, &of.client_key, resolve)? {
                identity.push(b'\n');
                identity.extend_from_slice(&key);
            }
            made.identity = Some(identity);
        }
        if !of.token_file.is_empty() {
            let path = user.resolve(&of.token_file);
            let text = fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))?;
            made.bearer = Some(Secret::new(text.trim().to_owned()));
        } else if !of.token.is_empty() {
            made.bearer = Some(Secret::new(of.token.expose()));
        } else if let Some(exec) = &of.exec {
            let command = user.exec_command().unwrap_or_else(|| PathBuf::from(&exec.command));
            made.take(plugin(&command, exec).await?)?;
        }
        Ok(made)
    }

    /// What a plugin gave.
    fn take(&mut self, given: ExecCredential) -> Result<(), CommandError> {
        let status =
            given.status.ok_or_else(|| CommandError::new("the kubeconfig's plugin gave no credential"))?;
        if !status.token.is_empty() {
            self.bearer = Some(Secret::new(status.token.expose()));
        }
        if !status.client_certificate_data.is_empty() {
            let pem = format!("{}\n{}", status.client_certificate_data, status.client_key_data.expose());
            self.identity = Some(Zeroizing::new(pem.into_bytes()));
        }
        Ok(())
    }
}

/// Embedded, or in a file.
fn pem(
    data: &Data,
    file: &str,
    resolve: impl Fn(&str) -> PathBuf,
) -> Result<Option<Zeroizing<Vec<u8>>>, CommandError> {
    if !data.is_empty() {
        return Ok(Some(Zeroizing::new(data.bytes().to_vec())));
    }
    if file.is_empty() {
        return Ok(None);
    }
    let path = resolve(file);
    let read = fs::read(&path).map_err(|e| unreadable(&path, &e))?;
    Ok(Some(Zeroizing::new(read)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::because(format!("{}, which the kubeconfig names, cannot be read", path.display()), error)
}

/// Asks the kubeconfig's plugin, as kubectl does where nobody sits.
async fn plugin(program: &Path, exec: &ExecConfig) -> Result<ExecCredential, CommandError> {
    let question = json!({
        "kind": "ExecCredential", "apiVersion": exec.api_version, "spec": { "interactive": false },
    });
    let failed = |what: String| {
        CommandError::new(format!("the kubeconfig's plugin {} gave no credential: {what}", program.display()))
    };
    let answered = tokio::process::Command::new(program)
        .args(&exec.args)
        .envs(exec.env.iter().map(|one| (&one.name, &one.value)))
        .env("KUBERNETES_EXEC_INFO", question.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let ended = answered.await.map_err(|e| failed(e.to_string()))?;
    if !ended.status.success() {
        return Err(failed(format!("it ended with {}", ended.status)));
    }
    serde_json::from_slice(&ended.stdout).map_err(|e| failed(e.to_string()))
}
