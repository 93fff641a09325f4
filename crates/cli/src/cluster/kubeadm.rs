//! What kubeadm keeps in the cluster for upgrades and new nodes: a manifest that is changed alone is written anew by the next.

use reqwest::StatusCode;
use serde_json::json;

use crate::api_server::ApiServer;

const CONFIG_MAP: &str = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";
/// Its key.
const KEY: &str = "ClusterConfiguration";
/// As people read it.
pub(super) const NAME: &str = "configmap/kubeadm-config (kube-system), ClusterConfiguration";

/// Its text; none: the cluster has none.
pub(super) async fn read(server: &ApiServer) -> Result<Option<String>, String> {
    let answer = server.get(CONFIG_MAP).await?;
    match answer.status {
        StatusCode::OK => {
            let map: serde_json::Value =
                serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
            Ok(map["data"][KEY].as_str().map(str::to_owned))
        }
        StatusCode::NOT_FOUND => Ok(None),
        other => Err(format!("{NAME}: {other}")),
    }
}

/// Replaces it.
pub(super) async fn write(server: &ApiServer, text: &str) -> Result<(), String> {
    let patch = json!({ "data": { KEY: text } });
    let answer = server.merge(CONFIG_MAP, &patch).await?;
    if answer.status == StatusCode::OK {
        Ok(())
    } else {
        Err(format!("{NAME} cannot be changed: {}", answer.status))
    }
}
