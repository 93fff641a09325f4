//! A cluster's API server, as the user of a context.

use std::path::Path;

use kubesso_chain::{Answer, ApiError, KnownCluster, RestApi};
use kubesso_k8s_types::kubeconfig::Cluster;
use kubesso_kubeconfig::{Entry, Kubeconfig};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::api_server::ApiServer;
use crate::environment;
use crate::error::CommandError;

/// What a context says, and where.
pub(super) struct Entered {
    pub(super) api: ApiServer,
    pub(super) known: KnownCluster,
}

/// Enters the cluster of a context.
pub(super) fn enter(
    name: &str,
    context: &str,
    kubeconfig: Option<&Path>,
    runtime: &Runtime,
) -> Result<Entered, CommandError> {
    let failed =
        |error: &dyn std::error::Error| CommandError::because(format!("the cluster `{name}`"), error);
    let api = runtime.block_on(ApiServer::of_kubeconfig(kubeconfig, Some(context)));
    let api = api.map_err(|error| failed(&error))?;
    let locations = environment::kubeconfig_locations(kubeconfig);
    let config = Kubeconfig::load(&locations).map_err(|error| failed(&error))?;
    let context = config.select_context(Some(context)).map_err(|error| failed(&error))?;
    let entry = context.value.cluster.clone();
    let cluster = config.cluster(&entry).map(absolute).unwrap_or_default();
    let known = KnownCluster { name: name.to_owned(), entry: Some(entry), cluster };
    Ok(Entered { api, known })
}

/// With paths that do not depend on where the file is.
fn absolute(entry: &Entry<Cluster>) -> Cluster {
    let mut cluster = entry.value.clone();
    if !cluster.certificate_authority.is_empty() {
        let path = entry.resolve(&cluster.certificate_authority);
        let path = std::path::absolute(&path).unwrap_or(path);
        cluster.certificate_authority = path.display().to_string();
    }
    cluster
}

impl RestApi for ApiServer {
    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        let unreachable = |why: String| ApiError::Unreachable { method, path: path.to_owned(), why };
        let verb = reqwest::Method::from_bytes(method.as_bytes());
        let verb = verb.map_err(|error| unreachable(error.to_string()))?;
        let answer =
            self.send(verb, path, body).await.map_err(|why| unreachable(format!("{}: {why}", self.url)))?;
        let said: Option<Value> = serde_json::from_str(&answer.body).ok();
        if answer.status.is_success() {
            return Ok(Answer { body: said.unwrap_or_default(), next: None, warnings: Vec::new() });
        }
        let message = said.as_ref().and_then(|status| status["message"].as_str()).unwrap_or_default();
        let said = if message.is_empty() { "it does not say why" } else { message }.to_owned();
        Err(ApiError::Refused { method, path: path.to_owned(), status: answer.status.as_u16(), said })
    }
}
