//! kubectl's configuration file, `Config` in `v1` (`k8s.io/client-go/tools/clientcmd/api/v1`).
//!
//! A kubeconfig belongs to its owner: every struct keeps the fields that it does not know in `other`
//! and writes them back. Reading and writing YAML is the caller's; these are serde types.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use zeroize::Zeroize;

use crate::exec_credential::ExecApiVersion;
use crate::secret::Secret;
use crate::wire::{is_default, nullable};

/// Fields that this version does not know, by name. Their values do not print: any of them may be secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Other(pub BTreeMap<String, Value>);

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Bytes that the file holds as standard base64. Never printed: half of the uses are private keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data(Vec<u8>);

impl Data {
    /// From the raw bytes, e.g. PEM.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none (Go's "not set").
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "[]" } else { "[redacted]" })
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        // Go's decoder skips line breaks, and people break long base64 in YAML.
        text.retain(|c| c != '\n' && c != '\r');
        let bytes = STANDARD.decode(&text);
        text.zeroize();
        bytes.map(Self).map_err(|_| de::Error::custom("not standard base64"))
    }
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// `v1`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `Config`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Servers.
    #[serde(default, deserialize_with = "nullable")]
    pub clusters: Vec<NamedCluster>,
    /// Pairs of a cluster and a user.
    #[serde(default, deserialize_with = "nullable")]
    pub contexts: Vec<NamedContext>,
    /// The context that kubectl uses unless told otherwise; may be empty.
    #[serde(default, rename = "current-context", deserialize_with = "nullable")]
    pub current_context: String,
    /// Credentials.
    #[serde(default, deserialize_with = "nullable")]
    pub users: Vec<NamedUser>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Other,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_version: "v1".to_owned(),
            kind: "Config".to_owned(),
            clusters: Vec::new(),
            contexts: Vec::new(),
            current_context: String::new(),
            users: Vec::new(),
            other: Other::default(),
        }
    }
}

impl Config {
    /// Adds what is missing from a later file, as kubectl merges the files of `KUBECONFIG`: the first
    /// one to name a thing wins, also for the current context.
    pub fn merge(&mut self, later: Self) {
        fn add<T>(entries: &mut Vec<T>, later: Vec<T>, name: impl Fn(&T) -> &str) {
            for entry in later {
                if !entries.iter().any(|old| name(old) == name(&entry)) {
                    entries.push(entry);
                }
            }
        }
        add(&mut self.clusters, later.clusters, |entry| &entry.name);
        add(&mut self.contexts, later.contexts, |entry| &entry.name);
        add(&mut self.users, later.users, |entry| &entry.name);
        if self.current_context.is_empty() {
            self.current_context = later.current_context;
        }
        for (name, value) in later.other.0 {
            self.other.0.entry(name).or_insert(value);
        }
    }

    /// Adds or replaces a cluster (`kubectl config set-cluster`).
    pub fn set_cluster(&mut self, name: &str, cluster: Cluster) {
        match self.clusters.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => entry.cluster = cluster,
            None => {
                self.clusters.push(NamedCluster { name: name.to_owned(), cluster, other: Other::default() });
            }
        }
    }

    /// Adds or replaces a context (`kubectl config set-context`).
    pub fn set_context(&mut self, name: &str, context: Context) {
        match self.contexts.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => entry.context = context,
            None => {
                self.contexts.push(NamedContext { name: name.to_owned(), context, other: Other::default() });
            }
        }
    }

    /// Adds or replaces a user (`kubectl config set-credentials`).
    pub fn set_user(&mut self, name: &str, user: User) {
        match self.users.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => entry.user = user,
            None => self.users.push(NamedUser { name: name.to_owned(), user, other: Other::default() }),
        }
    }

    /// The cluster of that name.
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|entry| entry.name == name).map(|entry| &entry.cluster)
    }

    /// The context of that name.
    pub fn context(&self, name: &str) -> Option<&Context> {
        self.contexts.iter().find(|entry| entry.name == name).map(|entry| &entry.context)
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|entry| entry.name == name).map(|entry| &entry.user)
    }
}

macro_rules! named {
    ($name:ident, $field:ident: $type:ty, $what:literal) => {
        #[doc = concat!("A ", $what, " with its name.")]
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            #[doc = concat!("The ", $what, " itself.")]
            #[serde(default, deserialize_with = "nullable")]
            pub $field: $type,
            /// Unique in its list.
            #[serde(default, deserialize_with = "nullable")]
            pub name: String,
            /// Unknown fields.
            #[serde(flatten)]
            pub other: Other,
        }
    };
}

named!(NamedCluster, cluster: Cluster, "cluster");
named!(NamedContext, context: Context, "context");
named!(NamedUser, user: User, "user");

/// How to reach a server and why to trust it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cluster {
    /// PEM file.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub certificate_authority: String,
    /// PEM, embedded; wins over the file.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Data::is_empty")]
    pub certificate_authority_data: Data,
    /// Certificates are not checked.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub insecure_skip_tls_verify: bool,
    /// URL
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub proxy_url: String,
    /// URL
    #[serde(default, deserialize_with = "nullable")]
    pub server: String,
    /// Overrides the name in the server certificate.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub tls_server_name: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Other,
}

/// A cluster, a user and a default namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Name of the cluster.
    #[serde(default, deserialize_with = "nullable")]
    pub cluster: String,
    /// Empty is `default`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name of the user.
    #[serde(default, deserialize_with = "nullable")]
    pub user: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Other,
}

/// A credential, or how to get one. Impersonation stays in `other`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct User {
    /// How clients before 1.26 got a token; kubectl keeps it and does not use it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_provider: Option<AuthProvider>,
    /// PEM file.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub client_certificate: String,
    /// PEM, embedded; wins over the file.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Data::is_empty")]
    pub client_certificate_data: Data,
    /// PEM file.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub client_key: String,
    /// PEM, embedded; wins over the file.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Data::is_empty")]
    pub client_key_data: Data,
    /// A program that prints an `ExecCredential`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecConfig>,
    /// Bearer token.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Secret::is_empty")]
    pub token: Secret,
    /// File with a bearer token; wins over `token`.
    #[serde(
        default,
        rename = "tokenFile",
        deserialize_with = "nullable",
        skip_serializing_if = "String::is_empty"
    )]
    pub token_file: String,
    /// For basic authentication.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// For basic authentication.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Secret::is_empty")]
    pub password: Secret,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Other,
}

/// A way to get a token that was built into kubectl, such as `oidc`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthProvider {
    /// `oidc`
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its settings, and the tokens that it got.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, Secret>,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Other,
}

impl AuthProvider {
    /// A setting, if it is there and not empty.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }
}

/// How kubectl calls a credential plugin.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecConfig {
    /// One of [`ExecApiVersion`].
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Arguments, without the program.
    #[serde(default, deserialize_with = "nullable")]
    pub args: Vec<String>,
    /// The program: looked up in `PATH`, or relative to the file when it has a separator.
    #[serde(default, deserialize_with = "nullable")]
    pub command: String,
    /// Set in addition to kubectl's own environment; `null` when there are none, as kubectl writes it.
    #[serde(default, deserialize_with = "nullable", serialize_with = "crate::wire::null_if_empty")]
    pub env: Vec<ExecEnvVar>,
    /// What kubectl prints when the program is missing.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub install_hint: String,
    /// Whether the program may use standard input. Required by `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interactive_mode: Option<InteractiveMode>,
    /// Whether the program is told about the cluster.
    #[serde(default, deserialize_with = "nullable")]
    pub provide_cluster_info: bool,
    /// Unknown fields.
    #[serde(flatten)]
    pub other: Other,
}

impl ExecConfig {
    /// A plugin call for `client.authentication.k8s.io/v1` that may talk to the person if there is one.
    pub fn new(command: impl Into<String>, args: Vec<String>) -> Self {
        Self {
            api_version: ExecApiVersion::V1.to_string(),
            args,
            command: command.into(),
            interactive_mode: Some(InteractiveMode::IfAvailable),
            ..Self::default()
        }
    }
}

/// Shows the flags without their values: people put client secrets there.
impl fmt::Debug for ExecConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |argument: &String| match argument.split_once('=') {
            Some((flag, _)) if flag.starts_with('-') => format!("{flag}=[redacted]"),
            None if argument.starts_with('-') => argument.clone(),
            _ => "[redacted]".to_owned(),
        };
        f.debug_struct("ExecConfig")
            .field("api_version", &self.api_version)
            .field("args", &self.args.iter().map(flag).collect::<Vec<_>>())
            .field("command", &self.command)
            .field("env", &self.env)
            .field("install_hint", &self.install_hint)
            .field("interactive_mode", &self.interactive_mode)
            .field("provide_cluster_info", &self.provide_cluster_info)
            .field("other", &self.other)
            .finish()
    }
}

/// An environment variable of a plugin. Its value does not print.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecEnvVar {
    /// Its name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its value.
    #[serde(default, deserialize_with = "nullable")]
    pub value: String,
}

impl fmt::Debug for ExecEnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=[redacted]", self.name)
    }
}

/// Whether a plugin may use standard input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InteractiveMode {
    /// Fails without a terminal.
    Always,
    /// Uses a terminal if there is one.
    IfAvailable,
    /// Gets no standard input.
    Never,
    /// What this version does not know; kubectl refuses it when it is used, not when it is read.
    #[serde(untagged)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_survives_a_rewrite() {
        let file = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "preferences": {"colors": true},
            "clusters": [{"name": "k", "x": 1, "cluster": {
                "server": "https://k:6443", "certificate-authority-data": "QUI=",
                "extensions": [{"name": "e", "extension": {"a": [1, "b", null]}}]}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n", "z": {}}}],
            "users": [{"name": "u", "user": {
                "as": "root", "auth-provider": {"name": "oidc"}, "token": "t", "tokenFile": "/f",
                "client-key-data": "QUI=",
                "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "kubectl",
                    "args": ["oidc-login"], "env": [{"name": "A", "value": "b"}], "installHint": "get it",
                    "interactiveMode": "IfAvailable", "provideClusterInfo": false, "future": true}}}],
        });
        let config: Config = serde_json::from_value(file.clone()).unwrap();
        assert_eq!(config.cluster("k").unwrap().certificate_authority_data.bytes(), b"AB");
        assert!(!format!("{config:?}").contains("QUI="));
        assert_eq!(serde_json::to_value(&config).unwrap(), file);
    }

    #[test]
    fn a_file_as_people_write_it_survives_a_rewrite() {
        let file = "\
apiVersion: v1
kind: Config
clusters:
- name: k
  cluster:
    certificate-authority-data: |
      QUJD
      REVG
    server: https://k:6443 # ours
    x-note: [1, two, null]
contexts: []
current-context: \"\"
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args: [oidc-login, get-token]
      command: kubectl
      env: null
      interactiveMode: Sometimes
      provideClusterInfo: false
preferences: {}
";
        let config: Config = serde_saphyr::from_str(file).unwrap();
        insta::assert_snapshot!(serde_saphyr::to_string(&config).unwrap(), @r#"
        apiVersion: v1
        kind: Config
        clusters:
        - cluster:
            certificate-authority-data: QUJDREVG
            server: https://k:6443
            x-note:
            - 1
            - two
            - null
          name: k
        contexts: []
        current-context: ""
        users:
        - user:
            exec:
              apiVersion: client.authentication.k8s.io/v1
              args:
              - oidc-login
              - get-token
              command: kubectl
              env: null
              interactiveMode: Sometimes
              provideClusterInfo: false
          name: u
        preferences: {}
        "#);
    }

    #[test]
    fn the_first_file_to_name_a_thing_wins() {
        let mut first = Config::default();
        first.set_user("u", User { token: Secret::new("one"), ..User::default() });
        let mut second = Config { current_context: "c".to_owned(), ..Config::default() };
        second.set_user("u", User { token: Secret::new("two"), ..User::default() });
        second.set_context("c", Context { cluster: "k".to_owned(), ..Context::default() });
        first.merge(second);
        assert_eq!(first.user("u").unwrap().token.expose(), "one");
        assert_eq!((first.current_context.as_str(), first.users.len()), ("c", 1));
        assert!(first.context("c").is_some());
    }

    #[test]
    fn debug_shows_no_secret_wherever_it_stands() {
        let user: User = serde_json::from_value(serde_json::json!({
            "token": "s3cret", "password": "s3cret", "misspelt": "s3cret", "client-key-data": "czNjcmV0",
            "auth-provider": {"name": "oidc", "config": {"id-token": "s3cret"}, "misspelt": "s3cret"},
            "exec": {"command": "c", "args": ["get-token", "--oidc-client-secret=s3cret", "--password", "s3cret"],
                "env": [{"name": "SECRET", "value": "s3cret"}]},
        }))
        .unwrap();
        let shown = format!("{user:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("czNj"), "{shown}");
        for known in ["misspelt", "--oidc-client-secret=", "SECRET=", "oidc"] {
            assert!(shown.contains(known), "{known}: {shown}");
        }
    }

    #[test]
    fn empty_files_and_null_lists_read() {
        let config: Config =
            serde_json::from_str(r#"{"clusters":null,"users":null,"contexts":null}"#).unwrap();
        assert_eq!(config.clusters, []);
    }

    #[test]
    fn setting_twice_replaces() {
        let mut config = Config::default();
        config.set_cluster("k", Cluster::default());
        config.set_cluster("k", Cluster { server: "https://k".to_owned(), ..Cluster::default() });
        assert_eq!((config.clusters.len(), config.clusters[0].cluster.server.as_str()), (1, "https://k"));
    }
}
