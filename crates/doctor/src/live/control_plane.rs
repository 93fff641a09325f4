//! Each API server's pod, and what it is written from.

use kubesso_clusters::{KubeadmKept, arguments_of_node, running_servers};
use serde_json::Value;

use super::call::Caller;
use super::settings::{NODES, PODS};
use crate::evidence::ControlPlane;

const KUBEADM: &str = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";

/// None where the pods may not be read, or there is none.
pub(super) async fn control_plane(reader: &Caller) -> Option<ControlPlane> {
    if reader.is_nobody() {
        return None;
    }
    let (pods, kubeadm, nodes) = tokio::join!(reader.json(PODS), reader.json(KUBEADM), reader.json(NODES));
    let servers = running_servers(&pods.ok()?);
    if servers.is_empty() {
        return None;
    }
    let kubeadm = kubeadm.ok();
    let text = kubeadm.as_ref().and_then(|map| map.pointer("/data/ClusterConfiguration")?.as_str());
    let nodes = nodes.ok();
    let items = nodes.as_ref().and_then(|list| list.get("items")).and_then(Value::as_array);
    let rke2 = items.into_iter().flatten().filter_map(|node| {
        let (key, arguments) = arguments_of_node(node)?;
        let name = node.pointer("/metadata/name")?.as_str()?.to_owned();
        (key == "rke2.io/node-args").then_some((name, arguments))
    });
    Some(ControlPlane { servers, kubeadm: text.and_then(KubeadmKept::read), rke2: rke2.collect() })
}
