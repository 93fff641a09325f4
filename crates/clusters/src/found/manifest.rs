//! A static pod's manifest: the API server's words, and which file of the host is which of the container.

use serde_json::Value;

use crate::arguments::Arguments;

/// A manifest that runs kube-apiserver.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    pod: Value,
    /// Where in `spec.containers`.
    container: usize,
}

/// Where a path of the container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OnHost {
    /// A file of the host, at this path.
    File(String),
    /// As before, but the file itself is mounted, not a folder.
    FileAlone(String),
    /// In a volume that is no folder of the host.
    Elsewhere(&'static str),
    /// In nothing that is mounted.
    Nowhere,
}

impl Manifest {
    /// Reads a pod.
    ///
    /// # Errors
    /// It is no pod with kube-apiserver in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let pod: Value = serde_saphyr::from_str(text)
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
        Self::of_pod(pod)
    }

    /// Of a pod that was read already.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub(crate) fn of_pod(pod: Value) -> Result<Self, String> {
        let containers = list(&pod, "/spec/containers");
        let runs = |container: &Value| {
            let words = strings(container, "/command");
            words.first().is_some_and(|word| word.rsplit('/').next() == Some("kube-apiserver"))
        };
        let named = |container: &Value| container["name"] == "kube-apiserver";
        let found = containers.iter().position(named).or_else(|| containers.iter().position(runs));
        let container = found.ok_or("no container of it runs kube-apiserver")?;
        Ok(Self { pod, container })
    }

    pub(crate) fn container(&self) -> &Value {
        &self.pod["spec"]["containers"][self.container]
    }

    /// The container's name.
    pub(crate) fn name(&self) -> &str {
        self.container()["name"].as_str().unwrap_or_default()
    }

    /// Items of `command` or `args`.
    pub(crate) fn words(&self, field: &str) -> Vec<String> {
        strings(self.container(), &format!("/{field}"))
    }

    pub(crate) fn arguments(&self) -> Arguments {
        Arguments::of_words(self.words("command").into_iter().chain(self.words("args")))
    }

    /// The volume of that name.
    pub(crate) fn volume(&self, name: &str) -> Option<&Value> {
        list(&self.pod, "/spec/volumes").iter().find(|volume| volume["name"] == name)
    }

    /// Where a path of the container is on the host.
    pub(crate) fn on_host(&self, path: &str) -> OnHost {
        let Some((mount, at)) = self.mount_of(path) else { return OnHost::Nowhere };
        let name = mount["name"].as_str().unwrap_or_default();
        let Some(volume) = self.volume(name) else { return OnHost::Nowhere };
        let Some(host) = volume.pointer("/hostPath/path").and_then(Value::as_str) else {
            return OnHost::Elsewhere(match volume {
                volume if volume.get("configMap").is_some() => "a ConfigMap",
                volume if volume.get("secret").is_some() => "a Secret",
                _ => "a volume that is no folder of the host",
            });
        };
        let sub_path = mount["subPath"].as_str().map(|path| format!("/{path}")).unwrap_or_default();
        let rest = path.strip_prefix(at).unwrap_or_default();
        let host = format!("{}{sub_path}{rest}", host.trim_end_matches('/'));
        if rest.is_empty() { OnHost::FileAlone(host) } else { OnHost::File(host) }
    }

    /// The ConfigMap and its key that a path of the container is.
    pub(crate) fn config_map_of(&self, path: &str) -> Option<(String, String)> {
        let (mount, at) = self.mount_of(path)?;
        let volume = self.volume(mount["name"].as_str()?)?;
        let map = volume.pointer("/configMap/name").and_then(Value::as_str)?;
        let rest = path.strip_prefix(at)?.trim_start_matches('/');
        let file = mount["subPath"].as_str().filter(|_| rest.is_empty()).unwrap_or(rest);
        let items = list(volume, "/configMap/items");
        let key = items.iter().find(|item| item["path"] == file).and_then(|item| item["key"].as_str());
        Some((map.to_owned(), key.unwrap_or(file).to_owned()))
    }

    /// The mount that a path lies in, the deepest, and its place.
    fn mount_of(&self, path: &str) -> Option<(&Value, &str)> {
        let mounts = list(self.container(), "/volumeMounts").iter().filter_map(|mount| {
            let at = mount["mountPath"].as_str()?.trim_end_matches('/');
            let rest = path.strip_prefix(at)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((mount, at))
        });
        mounts.max_by_key(|(_, at)| at.len())
    }
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn strings(value: &Value, path: &str) -> Vec<String> {
    list(value, path).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_container_is_a_file_of_the_host_or_none() {
        let manifest = Manifest::parse(
            "spec:
  containers:
  - name: sidecar
  - name: main
    command: [/usr/local/bin/kube-apiserver, --a=1]
    args: [--b, '2']
    volumeMounts:
    - {name: pki, mountPath: /etc/kubernetes/pki}
    - {name: deep, mountPath: /etc/kubernetes/pki/deep/}
    - {name: one, mountPath: /etc/authn.yaml}
    - {name: map, mountPath: /etc/map}
    - {name: sub, mountPath: /etc/sub.yaml, subPath: a.yaml}
  volumes:
  - {name: pki, hostPath: {path: /host/pki}}
  - {name: deep, hostPath: {path: /host/deep/}}
  - {name: one, hostPath: {path: /host/authn.yaml, type: File}}
  - {name: map, configMap: {name: authn, items: [{key: config, path: c.yaml}]}}
  - {name: sub, configMap: {name: other}}
",
        )
        .unwrap();
        assert_eq!((manifest.name(), manifest.arguments().value("b")), ("main", Some("2")));
        let file = |path: &str| OnHost::File(path.to_owned());
        for (path, expected) in [
            ("/etc/kubernetes/pki/ca.crt", file("/host/pki/ca.crt")),
            ("/etc/kubernetes/pki/deep/x", file("/host/deep/x")),
            ("/etc/kubernetes/pkix", OnHost::Nowhere),
            ("/etc/authn.yaml", OnHost::FileAlone("/host/authn.yaml".to_owned())),
            ("/etc/map/c.yaml", OnHost::Elsewhere("a ConfigMap")),
            ("/tmp/x", OnHost::Nowhere),
        ] {
            assert_eq!(manifest.on_host(path), expected, "{path}");
        }
        let map = |path: &str| manifest.config_map_of(path);
        assert_eq!(map("/etc/map/c.yaml"), Some(("authn".to_owned(), "config".to_owned())));
        assert_eq!(map("/etc/sub.yaml"), Some(("other".to_owned(), "a.yaml".to_owned())));
        assert_eq!(map("/etc/authn.yaml"), None);
    }

    #[test]
    fn what_runs_no_api_server_is_refused() {
        for text in ["", "a: b", "spec: {containers: [{name: etcd, command: [etcd]}]}", "x: ["] {
            assert!(Manifest::parse(text).is_err(), "{text}");
        }
    }
}
