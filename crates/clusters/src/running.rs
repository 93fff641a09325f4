//! API servers that run as pods: in what they differ from each other, and from what writes their manifests.

use serde_json::Value;

use crate::arguments::{Arguments, is_about_issuers};
use crate::found::Manifest;
use crate::host::Host;
use crate::target::Target;

/// An API server's pod, as the cluster shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningServer {
    /// The node that it runs on.
    pub node: String,
    /// The pod's name.
    pub pod: String,
    /// What it was started with.
    pub arguments: Arguments,
    /// What of its node it sees: where it sees it, and where it is on the node.
    pub mounts: Vec<(String, String)>,
    /// Whether the kubelet runs it by a file of its node (`kubernetes.io/config.source`), and no controller.
    pub is_static: bool,
}

/// An argument in which API servers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// Without its dashes.
    pub flag: String,
    /// What most have, and the nodes that have it.
    pub common: (String, Vec<String>),
    /// The others: node and value.
    pub others: Vec<(String, String)>,
}

/// An argument that is one thing where the API server runs, and another in what its manifest is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Without its dashes.
    pub flag: String,
    /// Its values in force.
    pub running: Vec<String>,
    /// Its values in what the manifest is written from.
    pub kept: Vec<String>,
}

/// What kubeadm writes manifests from: its ClusterConfiguration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeadmKept {
    /// `apiServer.extraArgs`
    pub arguments: Arguments,
    /// Where `apiServer.extraVolumes` are mounted.
    pub mounts: Vec<String>,
    /// Whether arguments are a list (v1beta4), not a mapping.
    pub is_list: bool,
}

/// Of a value that is not there.
const NOT_SET: &str = "(not set)";

/// Folders that kubeadm mounts by itself (`kubeadm/app/phases/controlplane/volumes.go`).
const KUBEADM_MOUNTS: [&str; 6] = [
    "/etc/kubernetes/pki",
    "/etc/ssl/certs",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

/// The API servers among the pods of a list, by node.
pub fn running_servers(pods: &Value) -> Vec<RunningServer> {
    let items = pods.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut all: Vec<_> = items.iter().filter_map(running_server).collect();
    all.sort_by(|one, other| one.node.cmp(&other.node));
    all
}

fn running_server(pod: &Value) -> Option<RunningServer> {
    let manifest = Manifest::of_pod(pod.clone()).ok()?;
    let text = |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mounts = manifest.container().get("volumeMounts").and_then(Value::as_array);
    let mounts = mounts.into_iter().flatten().filter_map(|mount| {
        let volume = manifest.volume(mount["name"].as_str()?)?;
        let on_node = volume.pointer("/hostPath/path").and_then(Value::as_str)?;
        Some((mount["mountPath"].as_str()?.to_owned(), on_node.to_owned()))
    });
    Some(RunningServer {
        node: text("/spec/nodeName"),
        pod: text("/metadata/name"),
        arguments: manifest.arguments(),
        mounts: mounts.collect(),
        is_static: text("/metadata/annotations/kubernetes.io~1config.source") == "file",
    })
}

/// Whether an argument decides who gets in, and what they may.
fn decides(name: &str) -> bool {
    is_about_issuers(name)
        || name.starts_with("authorization-")
        || name.starts_with("authentication-token-webhook")
        || name.starts_with("requestheader-")
        || [
            "anonymous-auth",
            "api-audiences",
            "client-ca-file",
            "enable-bootstrap-token-auth",
            "feature-gates",
            "service-account-issuer",
            "token-auth-file",
        ]
        .contains(&name)
}

/// Those that kubeadm writes by itself; they are not in its ClusterConfiguration, unless somebody wants another value.
fn is_kubeadms_own(name: &str) -> bool {
    ["authorization-mode", "client-ca-file", "enable-bootstrap-token-auth", "service-account-issuer"]
        .contains(&name)
        || (name.starts_with("requestheader-") && name != "requestheader-uid-headers")
}

/// The values of an argument: of one that lists, in order of the alphabet; of others the last.
fn values(arguments: &Arguments, name: &str) -> Vec<String> {
    let mut all: Vec<_> = match name {
        "oidc-required-claim" | "service-account-issuer" => {
            arguments.values(name).map(str::to_owned).collect()
        }
        _ => arguments.value(name).map(str::to_owned).into_iter().collect(),
    };
    all.sort();
    all
}

fn shown(values: &[String]) -> String {
    if values.is_empty() { NOT_SET.to_owned() } else { values.join(", ") }
}

fn names<'a>(all: impl Iterator<Item = &'a Arguments>, counts: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<_> =
        all.flat_map(Arguments::iter).map(|(name, _)| name.to_owned()).filter(|name| counts(name)).collect();
    names.sort();
    names.dedup();
    names
}

/// The arguments that decide who gets in, and that are not the same on all.
pub fn unlike(servers: &[RunningServer]) -> Vec<Unlike> {
    let all = names(servers.iter().map(|server| &server.arguments), decides);
    let differing = all.into_iter().filter_map(|flag| {
        let said: Vec<_> = servers
            .iter()
            .map(|server| (server.node.clone(), shown(&values(&server.arguments, &flag))))
            .collect();
        let count = |value: &str| said.iter().filter(|(_, other)| other == value).count();
        // Of as many the first node's.
        let common =
            said.iter().rev().max_by_key(|(_, value)| count(value)).map(|(_, value)| value.clone())?;
        let (with, others): (Vec<_>, Vec<_>) = said.into_iter().partition(|(_, value)| *value == common);
        let with = with.into_iter().map(|(node, _)| node).collect();
        (!others.is_empty()).then_some(Unlike { flag, common: (common, with), others })
    });
    differing.collect()
}

/// What differs between an API server that runs and what its manifest is written from.
pub fn drift(running: &Arguments, kept: &Arguments) -> Vec<Drift> {
    let counts = |name: &str| decides(name) && (!is_kubeadms_own(name) || kept.value(name).is_some());
    let all = names([running, kept].into_iter(), counts);
    let differing = all.into_iter().filter_map(|flag| {
        let (running, kept) = (values(running, &flag), values(kept, &flag));
        (running != kept).then_some(Drift { flag, running, kept })
    });
    differing.collect()
}

impl KubeadmKept {
    /// Reads a ClusterConfiguration.
    pub fn read(text: &str) -> Option<Self> {
        let read: Value = serde_saphyr::from_str(text).ok()?;
        if read["kind"] != "ClusterConfiguration" {
            return None;
        }
        let of = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let extra = read.pointer("/apiServer/extraArgs");
        let list = extra
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|one| Some((one.get("name")?.as_str()?.to_owned(), of(one.get("value")?))));
        let map = extra
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), of(value)));
        let volumes = read.pointer("/apiServer/extraVolumes").and_then(Value::as_array);
        let mounts = volumes.into_iter().flatten().filter_map(|volume| volume["mountPath"].as_str());
        let version = read["apiVersion"].as_str().unwrap_or_default();
        Some(Self {
            arguments: Arguments::of_pairs(list.chain(map)),
            mounts: mounts.map(str::to_owned).collect(),
            is_list: !["v1beta1", "v1beta2", "v1beta3"].iter().any(|old| version.ends_with(old)),
        })
    }

    /// The lines that keep an argument.
    pub fn line(&self, flag: &str, values: &[String]) -> String {
        let quoted = |value: &String| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        let items: Vec<_> = values
            .iter()
            .map(|value| {
                let value = quoted(value);
                if self.is_list {
                    format!("{{name: {flag}, value: {value}}}")
                } else {
                    format!("{flag}: {value}")
                }
            })
            .collect();
        let items = items.join(", ");
        if self.is_list {
            format!("apiServer: {{extraArgs: [{items}]}}")
        } else {
            format!("apiServer: {{extraArgs: {{{items}}}}}")
        }
    }

    /// The file that an API server is told of, and that it would not see if its manifest were written anew; with the lines that
    /// keep what is mounted now.
    pub fn lost_mount(&self, running: &RunningServer) -> Option<(String, String)> {
        let inside = |path: &str, folder: &str| {
            let rest = path.strip_prefix(folder.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let files = ["authentication-config", "oidc-ca-file"];
        files.into_iter().filter_map(|flag| running.arguments.filled(flag)).find_map(|path| {
            let mut kept = KUBEADM_MOUNTS.iter().copied().chain(self.mounts.iter().map(String::as_str));
            let mounts = running.mounts.iter().filter(|(at, _)| inside(path, at));
            let (at, on_node) = mounts.max_by_key(|(at, _)| at.len())?;
            let kind = if at == path { "File" } else { "DirectoryOrCreate" };
            let line = format!(
                "apiServer: {{extraVolumes: [{{name: authentication, hostPath: {on_node}, mountPath: {at}, readOnly: true, \
                 pathType: {kind}}}]}}"
            );
            (!kept.any(|folder| inside(path, folder))).then(|| (path.to_owned(), line))
        })
    }
}

/// The kind of cluster that writes an API server's manifest, by what it is told of; none: no trace of one.
pub fn writer_of(server: &RunningServer) -> Option<Target> {
    let any = |part: &str| server.arguments.iter().any(|(_, value)| value.contains(part));
    if any("/var/lib/rancher/rke2/") {
        Some(Target::Rke2)
    } else if any("/var/lib/minikube/") {
        Some(Target::Minikube)
    } else if any("/srv/kubernetes/kube-apiserver/") {
        // kOps: `nodeup/pkg/model/kube_apiserver.go`.
        Some(Target::Kops)
    } else if any("/system/secrets/kubernetes/kube-apiserver/") {
        Some(Target::Talos)
    } else {
        None
    }
}

/// What a node says that its k3s or RKE2 server tells the API server: the annotation's name, and the arguments.
pub fn arguments_of_node(node: &Value) -> Option<(&'static str, Arguments)> {
    let annotations = node.pointer("/metadata/annotations")?;
    let (key, text) = ["k3s.io/node-args", "rke2.io/node-args"]
        .into_iter()
        .find_map(|key| Some((key, annotations.get(key)?.as_str()?)))?;
    let words: Vec<String> = serde_json::from_str(text).ok()?;
    if words.first().is_none_or(|word| word != "server") {
        return None;
    }
    let given = Arguments::of_words(&words);
    Some((key, Arguments::of_assignments(given.values("kube-apiserver-arg"))))
}

/// The files of a folder that the kubelet takes for the API server's pod: there must be one. Names that begin with a dot it passes
/// over (`pkg/kubelet/config/file.go`), and no others.
///
/// # Errors
/// The folder cannot be read.
pub fn manifests_of_api_server(host: &dyn Host, folder: &str) -> Result<Vec<(String, Arguments)>, String> {
    let mut names = host.list(folder)?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let path = format!("{folder}/{name}");
        // What cannot be read as text, or is a folder, is no pod.
        let Ok(Some(text)) = host.read(&path) else { continue };
        if let Ok(manifest) = Manifest::parse(&text) {
            found.push((path, manifest.arguments()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(node: &str, words: &[&str]) -> Value {
        let command: Vec<_> = ["kube-apiserver"].iter().chain(words).collect();
        json!({
            "metadata": {"name": format!("kube-apiserver-{node}"), "annotations": {"kubernetes.io/config.source": "file"}},
            "spec": {"nodeName": node, "containers": [{
                "name": "kube-apiserver", "command": command,
                "volumeMounts": [{"name": "a", "mountPath": "/etc/kubernetes/authn"}, {"name": "p", "mountPath": "/etc/kubernetes/pki"}],
            }], "volumes": [
                {"name": "a", "hostPath": {"path": "/srv/authn"}}, {"name": "p", "hostPath": {"path": "/etc/kubernetes/pki"}},
            ]},
        })
    }

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::of_words(words)
    }

    #[test]
    fn what_most_have_is_what_the_others_lack() {
        let pods = json!({"items": [
            pod("c", &["--advertise-address=10.0.0.3", "--oidc-client-id=old"]),
            pod("a", &["--advertise-address=10.0.0.1", "--oidc-client-id=k8s", "--oidc-groups-claim=groups"]),
            pod("b", &["--advertise-address=10.0.0.2", "--oidc-client-id=k8s", "--oidc-groups-claim=groups"]),
            {"spec": {"containers": [{"name": "other", "command": ["x"]}]}},
        ]});
        let servers = running_servers(&pods);
        assert!(servers.iter().all(|server| server.is_static));
        let nodes = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let one = |flag: &str, common: &str, other: &str| Unlike {
            flag: flag.to_owned(),
            common: (common.to_owned(), nodes(&["a", "b"])),
            others: vec![("c".to_owned(), other.to_owned())],
        };
        assert_eq!(
            unlike(&servers),
            [one("oidc-client-id", "k8s", "old"), one("oidc-groups-claim", "groups", "(not set)")]
        );
        assert_eq!(unlike(&servers[..2]), []);
        assert_eq!(unlike(&[]), []);
    }

    #[test]
    fn what_somebody_added_by_hand_is_not_what_kubeadm_keeps() {
        let text = |arguments: &str| {
            format!(
                "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n  extraArgs: {arguments}\n"
            )
        };
        let kept = |arguments: &str| KubeadmKept::read(&text(arguments)).unwrap();
        let running = arguments(&[
            "--authorization-mode=Node,RBAC",
            "--oidc-issuer-url=https://sso",
            "--client-ca-file=/x",
            "--v=2",
        ]);
        let drifts = |kept: &KubeadmKept| {
            let all = drift(&running, &kept.arguments);
            all.iter()
                .map(|it| format!("{} {} {}", it.flag, shown(&it.running), shown(&it.kept)))
                .collect::<Vec<_>>()
        };
        assert_eq!(drifts(&kept("[{name: oidc-issuer-url, value: 'https://sso'}]")), Vec::<String>::new());
        assert_eq!(drifts(&kept("[]")), ["oidc-issuer-url https://sso (not set)"]);
        assert_eq!(
            drifts(&kept(
                "[{name: oidc-issuer-url, value: 'https://old'}, {name: authorization-mode, value: RBAC}, {name: oidc-client-id, value: k}]"
            )),
            [
                "authorization-mode Node,RBAC RBAC",
                "oidc-client-id (not set) k",
                "oidc-issuer-url https://sso https://old"
            ]
        );
        let old = KubeadmKept::read("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: {extraArgs: {oidc-client-id: k}}\n").unwrap();
        assert_eq!(old.arguments.value("oidc-client-id"), Some("k"));
        assert_eq!(old.line("a", &["b".to_owned()]), "apiServer: {extraArgs: {a: \"b\"}}");
        assert_eq!(
            kept("[]").line("a", &["b".to_owned()]),
            "apiServer: {extraArgs: [{name: a, value: \"b\"}]}"
        );
        assert_eq!(KubeadmKept::read("kind: Pod"), None);
    }

    #[test]
    fn a_file_whose_folder_kubeadm_does_not_mount_is_lost() {
        let servers = |path: &str| {
            running_servers(&json!({"items": [pod("a", &[&format!("--authentication-config={path}")])]}))
        };
        let kept = |mounts: &[&str]| KubeadmKept {
            mounts: mounts.iter().map(ToString::to_string).collect(),
            ..KubeadmKept::default()
        };
        let authn = servers("/etc/kubernetes/authn/config.yaml");
        let line = "apiServer: {extraVolumes: [{name: authentication, hostPath: /srv/authn, mountPath: /etc/kubernetes/authn, \
                    readOnly: true, pathType: DirectoryOrCreate}]}";
        let lost = ("/etc/kubernetes/authn/config.yaml".to_owned(), line.to_owned());
        assert_eq!(kept(&[]).lost_mount(&authn[0]), Some(lost));
        assert_eq!(kept(&["/etc/kubernetes/authn/"]).lost_mount(&authn[0]), None);
        assert_eq!(kept(&[]).lost_mount(&servers("/etc/kubernetes/pki/authn.yaml")[0]), None);
    }

    #[test]
    fn every_file_of_the_manifests_folder_is_run_but_hidden_ones() {
        struct Files;
        impl Host for Files {
            fn read(&self, path: &str) -> Result<Option<String>, String> {
                Ok(match path.rsplit('/').next().unwrap_or_default() {
                    "folder" => return Err("is a directory".to_owned()),
                    "etcd.yaml" => Some("spec: {containers: [{name: etcd}]}".to_owned()),
                    _ => Some(pod("a", &["--v=2"]).to_string()),
                })
            }
            fn list(&self, _folder: &str) -> Result<Vec<String>, String> {
                let names = [
                    "kube-apiserver.yaml",
                    "kube-apiserver.yaml.bak",
                    ".kube-apiserver.yaml.swp",
                    "etcd.yaml",
                    "folder",
                ];
                Ok(names.map(str::to_owned).to_vec())
            }
        }
        let found = manifests_of_api_server(&Files, "/m").unwrap();
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/m/kube-apiserver.yaml", "/m/kube-apiserver.yaml.bak"]);
    }
}
