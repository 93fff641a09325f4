//! Where the API server's settings are found, by how sure each place is.

use kubesso_clusters::Target;
use serde_json::Value;

use super::call::{Caller, Failure};
use crate::evidence::{Looked, Settings};

/// What was found, and where it was looked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) settings: Option<Settings>,
    pub(super) looked: Vec<Looked>,
}

impl Found {
    fn note(&mut self, place: &str, outcome: impl Into<String>, found: bool) {
        self.looked.push(Looked { place: place.to_owned(), outcome: outcome.into(), found });
    }
}

const MAPS: &str = "/api/v1/namespaces/kube-system/configmaps?limit=500";
pub(super) const PODS: &str = "/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver";
pub(super) const NODES: &str = "/api/v1/nodes?limit=500";
const OPENSHIFT: &str = "/apis/config.openshift.io/v1/authentications/cluster";
const OPENSHIFT_AUTHORITIES: &str = "/api/v1/namespaces/openshift-config/configmaps/";

/// Looks in each place until one has them: a ConfigMap with the file, the API server's pods, k3s' annotation.
pub(super) async fn discover(reader: &Caller, server: &str, is_given: bool) -> Found {
    let mut found = Found::default();
    if is_given {
        return found;
    }
    if reader.is_nobody() {
        found.note(
            "the cluster",
            "nobody to ask as: the context has no credential that the doctor can use",
            false,
        );
    } else {
        let (maps, pods, nodes, openshift) =
            tokio::join!(reader.json(MAPS), reader.json(PODS), reader.json(NODES), reader.json(OPENSHIFT));
        if let Err(failure @ (Failure::Unreachable(_) | Failure::Untrusted(_))) = &pods {
            found.note("the cluster", failure.words(), false);
            return found;
        }
        // No other kind of cluster knows the resource, so that its absence says nothing.
        if let Ok(resource) = openshift {
            found.settings = openshift_settings(reader, &resource).await;
            found.note("authentication.config/cluster", "found", true);
            return found;
        }
        let file = read(
            &mut found,
            "ConfigMaps in kube-system",
            "none holds an AuthenticationConfiguration",
            maps,
            file_in,
        );
        let pod =
            read(&mut found, "pods with component=kube-apiserver", "there is none", pods, settings_of_pods);
        let node = match &pod {
            Some(_) => None,
            None => read(
                &mut found,
                "the annotation k3s.io/node-args of nodes",
                "no node has it",
                nodes,
                settings_of_nodes,
            ),
        };
        let settings = pod.or(node);
        found.settings = match (settings, file) {
            (Some(settings), Some(file)) => Some(settings.with_authentication(&file)),
            (Some(settings), None) => Some(settings),
            (None, Some(file)) => Some(Settings::default().with_authentication(&file)),
            (None, None) => None,
        };
    }
    if found.settings.is_none()
        && let Some((target, command)) = cloud_of(server)
    {
        let outcome = format!("not asked; give what it answers: {command}");
        found.note(&format!("{}'s own interface", target.title()), outcome, false);
    }
    found
}

fn read<T>(
    found: &mut Found,
    place: &str,
    nothing: &str,
    answer: Result<Value, Failure>,
    take: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    match answer {
        Err(failure) => {
            found.note(place, failure.words(), false);
            None
        }
        Ok(list) => {
            let taken = take(&list);
            found.note(place, if taken.is_some() { "found" } else { nothing }, taken.is_some());
            taken
        }
    }
}

fn items(list: &Value) -> &[Value] {
    list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn file_in(maps: &Value) -> Option<String> {
    let data = items(maps).iter().filter_map(|map| map.get("data")?.as_object());
    let mut texts = data.flat_map(serde_json::Map::values).filter_map(Value::as_str);
    texts
        .find(|text| {
            text.contains("apiserver.config.k8s.io/") && text.contains("AuthenticationConfiguration")
        })
        .map(str::to_owned)
}

fn settings_of_pods(pods: &Value) -> Option<Settings> {
    let pod = items(pods).first()?;
    let mut pod = pod.clone();
    pod["kind"] = "Pod".into();
    Settings::from_flags(&pod.to_string()).ok()
}

/// The resource, with the authorities that it names.
async fn openshift_settings(reader: &Caller, resource: &Value) -> Option<Settings> {
    let name = resource.pointer("/spec/oidcProviders/0/issuer/issuerCertificateAuthority/name");
    let map = match name.and_then(Value::as_str).filter(|name| !name.is_empty()) {
        Some(name) => reader.json(&format!("{OPENSHIFT_AUTHORITIES}{name}")).await.ok(),
        None => None,
    };
    let both = serde_json::json!({"kind": "List", "items": [resource, map]});
    Settings::from_flags(&both.to_string()).ok()
}

/// k3s and RKE2 write the words of their command line there, as a list in JSON.
fn settings_of_nodes(nodes: &Value) -> Option<Settings> {
    let node = items(nodes).iter().find(|node| {
        let labels = node.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get("node-role.kubernetes.io/control-plane")).is_some()
            && annotation(node).is_some()
    })?;
    let words: Vec<String> = serde_json::from_str(annotation(node)?).ok()?;
    let mut flags = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--kube-apiserver-arg") {
            Some(rest) => rest.strip_prefix('=').map(str::to_owned).or_else(|| words.next().cloned()),
            None => None,
        };
        if let Some((name, value)) = value.as_deref().and_then(|pair| pair.split_once('=')) {
            flags.push((name.to_owned(), value.to_owned()));
        }
    }
    Some(Settings { target: Some(Target::K3s), flags, has_flags: true, ..Settings::default() })
}

fn annotation(node: &Value) -> Option<&str> {
    node.pointer("/metadata/annotations")?.get("k3s.io/node-args")?.as_str()
}

/// The cloud that an address belongs to, and the command whose answer the doctor reads.
pub(crate) fn cloud_of(server: &str) -> Option<(Target, &'static str)> {
    let host = server.split("://").last()?.split(['/', ':']).next()?;
    Some(if host.ends_with(".eks.amazonaws.com") {
        (
            Target::Eks,
            "aws eks describe-identity-provider-config --cluster-name CLUSTER --identity-provider-config type=oidc,name=NAME \
             > eks.json; then --flags eks.json",
        )
    } else if host.ends_with(".azmk8s.io") {
        (
            Target::Aks,
            "az aks jwtauthenticator list --resource-group GROUP --cluster-name CLUSTER -o json > aks.json; then --flags aks.json",
        )
    } else if host.ends_with(".gke.goog") {
        (
            Target::Gke,
            "gcloud iam workforce-pools providers list --workforce-pool=POOL --location=global --format=json > gke.json; then \
             --flags gke.json",
        )
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_of_k3s_are_read_in_both_forms() {
        let args = json!([
            "server",
            "--kube-apiserver-arg",
            "oidc-issuer-url=https://sso",
            "--kube-apiserver-arg=oidc-client-id=k8s",
            "--tls-san",
            "x"
        ]);
        let node = json!({"items": [{"metadata": {
            "labels": {"node-role.kubernetes.io/control-plane": "true"},
            "annotations": {"k3s.io/node-args": args.to_string()},
        }}]});
        let settings = settings_of_nodes(&node).unwrap();
        assert_eq!(settings.flag("oidc-issuer-url"), Some("https://sso"));
        assert_eq!(settings.flag("oidc-client-id"), Some("k8s"));
        assert_eq!(settings_of_nodes(&json!({"items": [{"metadata": {}}]})).map(|it| it.flags), None);
    }

    #[test]
    fn a_pod_of_the_api_server_gives_its_flags_and_its_mounts() {
        let pods = json!({"items": [{"spec": {"containers": [{
            "command": ["kube-apiserver", "--oidc-issuer-url=https://sso"],
            "volumeMounts": [{"name": "a", "mountPath": "/etc/kubernetes/pki"}],
        }]}}]});
        let settings = settings_of_pods(&pods).unwrap();
        assert_eq!(settings.flag("oidc-issuer-url"), Some("https://sso"));
        assert_eq!(settings.pod.unwrap().mounts.len(), 1);
        assert!(settings_of_pods(&json!({"items": []})).is_none());
    }

    #[test]
    fn a_config_map_with_the_file_is_found_among_others() {
        let maps = json!({"items": [
            {"data": {"x": "y"}}, {},
            {"data": {"config.yaml": "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"}},
        ]});
        assert!(file_in(&maps).unwrap().starts_with("apiVersion"));
        assert_eq!(file_in(&json!({"items": [{"data": {"x": "y"}}]})), None);
    }

    #[test]
    fn a_cloud_is_known_by_its_addresses() {
        for (server, expected) in [
            ("https://0123.gr7.eu-west-1.eks.amazonaws.com", Some(Target::Eks)),
            ("https://x-dns-1.hcp.westeurope.azmk8s.io:443", Some(Target::Aks)),
            ("https://10.0.0.1:6443", None),
            ("https://eks.amazonaws.com.example", None),
        ] {
            assert_eq!(cloud_of(server).map(|(target, _)| target), expected, "{server}");
        }
    }
}
