//! A live cluster: which API servers it has, what they were started with, and what they say that they have loaded.

use kubesso_clusters::{
    Found, KubeadmKept, Loaded, Verdict, arguments_of_node, config_map_of_pod, drift, running_servers, unlike,
};
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::kubeadm;
use crate::api_server::ApiServer;
use crate::error::CommandError;

/// What one API server says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    pub(super) endpoint: Url,
    /// Whether it has loaded the file that is meant; none: no file is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verdict: Option<Verdict>,
    /// Its metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) loaded: Option<Loaded>,
    /// Why it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// What an API server's metrics say.
pub(super) async fn loaded(server: &ApiServer) -> Result<Loaded, String> {
    let answer = server.get("/metrics").await?;
    match answer.status {
        StatusCode::OK => Ok(Loaded::of_metrics(&answer.body)),
        StatusCode::UNAUTHORIZED => Err("it does not take these credentials".to_owned()),
        StatusCode::FORBIDDEN => {
            Err("these credentials may not read /metrics; take an administrator's".to_owned())
        }
        other => Err(format!("/metrics answered {other}")),
    }
}

/// Asks each whether it has loaded the file of that hash.
pub(super) async fn ask_all(servers: &[ApiServer], hash: Option<&str>) -> Vec<Said> {
    let mut all = Vec::new();
    for server in servers {
        let (loaded, error) = match loaded(server).await {
            Ok(loaded) => (Some(loaded), None),
            Err(error) => (None, Some(error)),
        };
        let verdict = loaded.as_ref().zip(hash).map(|(loaded, hash)| loaded.verdict(hash));
        all.push(Said { endpoint: server.url.clone(), verdict, loaded, error });
    }
    all
}

/// The API servers: those that are named, else those of the cluster's own list. One that cannot be reached from here is
/// left out unless it was named; the one of the kubeconfig always answers for itself.
pub(super) async fn servers(one: ApiServer, named: &[Url]) -> Result<Vec<ApiServer>, CommandError> {
    if !named.is_empty() {
        return named.iter().map(|endpoint| one.at(endpoint)).collect();
    }
    let mut all = Vec::new();
    for endpoint in endpoints(&one).await {
        let server = one.at(&endpoint)?;
        if server.get("/readyz").await.is_ok() {
            all.push(server);
        }
    }
    if all.is_empty() {
        all.push(one);
    }
    Ok(all)
}

/// The slices of the service `kubernetes`, which the API servers write themselves.
async fn endpoints(server: &ApiServer) -> Vec<Url> {
    let path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes";
    let Ok(slices) = server.get_json(path).await else { return Vec::new() };
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for slice in list(&slices, "items") {
        for port in list(&slice, "ports").iter().filter_map(|port| port["port"].as_u64()) {
            for endpoint in list(&slice, "endpoints") {
                for address in list(&endpoint, "addresses").iter().filter_map(Value::as_str) {
                    let host =
                        if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
                    all.extend(Url::parse(&format!("https://{host}:{port}")));
                }
            }
        }
    }
    all
}

/// What the API servers were started with, as far as the cluster tells it.
pub(super) async fn found(server: &ApiServer) -> Option<Found> {
    if let Some(found) = of_pods(server).await {
        return Some(found);
    }
    let nodes = server.get_json("/api/v1/nodes").await.ok()?;
    nodes["items"].as_array()?.iter().find_map(of_node)
}

async fn of_pods(server: &ApiServer) -> Option<Found> {
    let path = "/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver";
    let pods = server.get_json(path).await.ok()?;
    let pod = pods["items"].as_array()?.first()?.clone();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut file = None;
    if let Some((map, key)) = config_map_of_pod(&pod) {
        let path = format!("/api/v1/namespaces/kube-system/configmaps/{map}");
        let map = server.get_json(&path).await.ok();
        file = map.and_then(|map| map["data"][&key].as_str().map(str::to_owned));
    }
    Found::of_running_pod(pod, &format!("pod {name}"), file).ok()
}

/// k3s and RKE2 write what they were started with beside each server's node.
fn of_node(node: &Value) -> Option<Found> {
    let (key, arguments) = arguments_of_node(node)?;
    let name = node["metadata"]["name"].as_str().unwrap_or_default();
    Some(Found::of_running(arguments, &format!("{key} of node {name}")))
}

/// What of the cluster's own word would not last, or is not the same everywhere: each pod's arguments beside the others', and
/// beside what kubeadm keeps.
pub(super) async fn problems(server: &ApiServer) -> Vec<String> {
    let path = "/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver";
    let Ok(pods) = server.get_json(path).await else { return Vec::new() };
    let servers = running_servers(&pods);
    let mut problems: Vec<_> = unlike(&servers)
        .into_iter()
        .map(|one| {
            let (value, nodes) = one.common;
            let others: Vec<_> =
                one.others.iter().map(|(node, value)| format!("{value} on {node}")).collect();
            format!(
                "the API servers have different arguments (KS045): --{} is {value} on {}, and {}",
                one.flag,
                nodes.join(", "),
                others.join(", ")
            )
        })
        .collect();
    let kept = kubeadm::read(server).await.ok().flatten();
    let Some(kept) = kept.and_then(|text| KubeadmKept::read(&text)) else { return problems };
    for server in &servers {
        for one in drift(&server.arguments, &kept.arguments) {
            let words = |values: &[String]| {
                if values.is_empty() { "not set".to_owned() } else { values.join(", ") }
            };
            problems.push(format!(
                "--{} is {} on {}, and {} in what kubeadm writes manifests from (KS046): the next upgrade has the latter; {}",
                one.flag,
                words(&one.running),
                server.node,
                words(&one.kept),
                kubeadm::NAME
            ));
        }
    }
    problems
}
