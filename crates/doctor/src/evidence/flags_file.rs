//! Where people keep kube-apiserver's flags: a static pod, a list, and every configuration that room `clusters` reads.

use kubesso_clusters::lint::Mount;
use serde_json::Value;

use super::settings::{AuthenticationFile, Pod, Settings};
use kubesso_clusters::{Configuration, Target};

/// Why a file gives no flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagsError {
    /// It is the other file.
    #[error("it is an AuthenticationConfiguration, not flags: give it as --authentication-config")]
    IsAuthenticationConfiguration,
    /// Nothing in it looks like a flag.
    #[error(
        "it has no flag of kube-apiserver in it; a static pod's manifest, k3s' or RKE2's config.yaml, MicroK8s' args, the \
         specification of another kind of cluster, a cloud's answer or a list of --flag=value is wanted"
    )]
    Nothing,
}

impl Settings {
    /// Reads flags in whichever of these forms.
    ///
    /// # Errors
    /// There are none in it.
    pub fn from_flags(text: &str) -> Result<Self, FlagsError> {
        // A list of flags may be YAML by accident: `--oidc-groups-prefix=oidc:` ends like a key.
        let documents = documents(text);
        let kind = |kind: &str| documents.iter().find(|document| document["kind"] == kind);
        if let Some(pod) = kind("Pod") {
            return Ok(from_pod(pod));
        }
        if let Ok(read) = Configuration::read(&[("the file", text)]) {
            if read.target.is_none() {
                return Err(FlagsError::IsAuthenticationConfiguration);
            }
            return Ok(read.into());
        }
        let flags: Vec<_> = text.lines().flat_map(words).filter_map(|word| flag(&word)).collect();
        if flags.is_empty() {
            return Err(FlagsError::Nothing);
        }
        let is_microk8s =
            flags.iter().any(|(_, value)| value.contains("SNAP_DATA") || value.contains("/snap/"));
        let target = if is_microk8s { Some(Target::MicroK8s) } else { None };
        Ok(Self { target, flags, has_flags: true, ..Self::default() })
    }

    /// Adds the AuthenticationConfiguration.
    #[must_use]
    pub fn with_authentication(mut self, text: &str) -> Self {
        self.authentication = Some(AuthenticationFile { text: text.to_owned(), is_answer: false });
        self
    }
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple::<Value>(text).unwrap_or_default()
}

impl From<Configuration> for Settings {
    fn from(read: Configuration) -> Self {
        let authentication = read.found.configuration().map(str::to_owned);
        let authentication = authentication.map(|text| AuthenticationFile { text, is_answer: read.is_made });
        let file = read.found.file.and_then(|file| file.content.ok()).filter(|_| authentication.is_none());
        // A file that is nobody's has no flag that names it.
        let flags = read.found.arguments.iter().filter(|_| !read.is_made);
        Self {
            target: read.target,
            flags: flags.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            has_flags: !read.is_made,
            authentication,
            ca_pem: file,
            lacks_authorities: read.lacks_authorities,
            unfinished: read.unfinished,
            ..Self::default()
        }
    }
}

fn from_pod(pod: &Value) -> Settings {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut settings = Settings { has_flags: true, target: Some(Target::Kubeadm), ..Settings::default() };
    let mut found = Pod::default();
    let volumes =
        pod.pointer("/spec/volumes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_file = |it: &&Value| {
        it.pointer("/hostPath/type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("File"))
    };
    let single_files: Vec<_> = volumes.iter().filter(is_file).filter_map(|it| it.get("name")).collect();
    for container in &containers {
        let words = ["command", "args"].into_iter().filter_map(|name| container.get(name));
        settings.flags.extend(words.flat_map(super::token::texts).filter_map(|word| flag(&word)));
        let list = |name: &str| container.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        found.mounts.extend(list("volumeMounts").iter().filter_map(|it| {
            let path = it.get("mountPath")?.as_str()?.to_owned();
            let is_part = it.get("subPath").and_then(Value::as_str).is_some_and(|part| !part.is_empty());
            let is_file = is_part || single_files.iter().any(|name| it.get("name") == Some(name));
            Some(Mount { path, is_file })
        }));
        found.proxies.extend(list("env").iter().filter_map(|it| {
            let name = it.get("name")?.as_str()?.to_owned();
            let value = it.get("value").and_then(Value::as_str).unwrap_or_default().to_owned();
            name.to_ascii_lowercase().ends_with("_proxy").then_some((name, value))
        }));
    }
    if found.mounts.iter().any(|mount| mount.path.contains("/minikube/")) {
        settings.target = Some(Target::Minikube);
    } else if found.mounts.iter().any(|mount| mount.path.contains("/rke2")) {
        settings.target = Some(Target::Rke2);
    }
    settings.pod = Some(found);
    settings
}

/// `--name=value`; `--name` alone is true.
fn flag(word: &str) -> Option<(String, String)> {
    let word = word.trim().trim_end_matches([',', '\\']).trim();
    let word = word.trim_matches(['"', '\'']);
    let flag = word.strip_prefix("--")?;
    let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
}

/// The words of a line, with `--flag value` made one; a comment has none.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Vec::new();
    }
    let mut words: Vec<String> = Vec::new();
    for word in line.trim_start_matches("- ").split_whitespace() {
        match words.last_mut() {
            Some(last) if last.starts_with("--") && !last.contains('=') && !word.starts_with('-') => {
                last.push('=');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        Settings::from_flags(text).unwrap()
    }

    #[test]
    fn flags_are_found_in_each_of_the_forms() {
        let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --oidc-issuer-url=https://sso\n    \
                   - --oidc-client-id=k8s\n    volumeMounts:\n    - {name: a, mountPath: /etc/kubernetes/pki}\n    env:\n    - {name: \
                   HTTPS_PROXY, value: 'http://proxy:3128'}\n";
        let k3s = "write-kubeconfig-mode: '0644'\nkube-apiserver-arg:\n- oidc-issuer-url=https://sso\n- \"oidc-client-id=k8s\"\n";
        let rke2 = "cni: canal\nkube-apiserver-arg: [oidc-issuer-url=https://sso, oidc-client-id=k8s]\n";
        let microk8s =
            "--cert-dir=${SNAP_DATA}/certs\n--oidc-issuer-url=https://sso\n# --x=y\n--oidc-client-id=k8s\n";
        let list = "kube-apiserver --oidc-issuer-url https://sso --oidc-client-id='k8s'";
        let kubeadm = "kind: ClusterConfiguration\napiServer:\n  extraArgs:\n  - {name: oidc-issuer-url, value: 'https://sso'}\n  - {name: \
                       oidc-client-id, value: k8s}\n";
        let talos =
            "cluster:\n  apiServer:\n    extraArgs: {oidc-issuer-url: 'https://sso', oidc-client-id: k8s}\n";
        for (text, target) in [
            (pod, Some(Target::Kubeadm)),
            (k3s, Some(Target::K3s)),
            (rke2, Some(Target::Rke2)),
            (microk8s, Some(Target::MicroK8s)),
            (list, None),
            (kubeadm, Some(Target::Kubeadm)),
            (talos, Some(Target::Talos)),
            ("--oidc-client-id=k8s --oidc-issuer-url=https://sso --oidc-groups-prefix=oidc:", None),
        ] {
            let settings = read(text);
            assert_eq!(settings.target, target, "{text}");
            assert_eq!(settings.flag("oidc-issuer-url"), Some("https://sso"), "{text}");
            assert_eq!(settings.flag("oidc-client-id"), Some("k8s"), "{text}");
        }
        let pod = read(pod).pod.unwrap();
        assert_eq!((pod.mounts[0].path.as_str(), pod.proxies.len()), ("/etc/kubernetes/pki", 1));
    }

    #[test]
    fn what_clouds_and_distributions_answer_is_read_as_flags() {
        // As `aws eks describe-identity-provider-config` prints it (AWS CLI reference, its example).
        let eks = r#"{"identityProviderConfig": {"oidc": {
            "identityProviderConfigName": "my-oidc-provider", "clusterName": "prod", "issuerUrl": "https://sso", "clientId": "k8s",
            "usernameClaim": "email", "usernamePrefix": "my-username-prefix:", "groupsClaim": "groups",
            "groupsPrefix": "system:x:", "requiredClaims": {"hd": "example.com"}, "tags": {}, "status": "ACTIVE"}}}"#;
        let shoot = "kind: Shoot\nspec: {kubernetes: {kubeAPIServer: {oidcConfig: {issuerURL: 'https://sso', clientID: k8s}}}}\n";
        let kops = "kind: Cluster\nspec: {kubeAPIServer: {oidcIssuerURL: 'https://sso', oidcClientID: k8s, oidcGroupsClaim: [groups]}}\n";
        for (text, target) in [(eks, Target::Eks), (shoot, Target::Gardener), (kops, Target::Kops)] {
            let settings = read(text);
            assert_eq!(settings.target, Some(target), "{text}");
            assert_eq!(settings.flag("oidc-issuer-url"), Some("https://sso"), "{text}");
            assert_eq!(settings.flag("oidc-client-id"), Some("k8s"), "{text}");
        }
        let eks = read(eks);
        assert_eq!(eks.flag("oidc-required-claim"), Some("hd=example.com"));
        let rows: Vec<_> = eks.lint(None).findings.iter().map(|finding| finding.row).collect();
        assert_eq!(rows, [55]);
        assert_eq!(read(kops).flag("oidc-groups-claim"), Some("groups"));
    }

    #[test]
    fn another_file_is_said_to_be_one() {
        let wrong = Settings::from_flags(
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n",
        );
        assert_eq!(wrong.unwrap_err(), FlagsError::IsAuthenticationConfiguration);
        for text in ["", "hello", "a: b\n"] {
            assert_eq!(Settings::from_flags(text).unwrap_err(), FlagsError::Nothing, "{text}");
        }
    }
}
