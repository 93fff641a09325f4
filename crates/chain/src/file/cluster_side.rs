//! Grants, clusters and the kubeconfig.

use kubesso_clusters::{Access, Form, GrantedRole, KubernetesVersion, Request, Target};
use kubesso_k8s_types::rbac::PolicyRule;
use serde::Deserialize;
use url::Url;

use super::{AccessFile, FileError};

/// `grants:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantSection {
    /// The group as the provider has it; a prefix that the cluster puts in front of it is added.
    pub group: String,
    /// `pod-reader`, a ClusterRole that is there, or one that `rules` make.
    pub role: String,
    /// Where; left out: in the whole cluster.
    #[serde(default)]
    pub namespace: Option<String>,
    /// What the role allows; it is made then, as a Role or, without a namespace, a ClusterRole.
    #[serde(default)]
    pub rules: Vec<RuleOfRole>,
    /// The binding's name; left out: group and role.
    #[serde(default)]
    pub name: Option<String>,
    /// On these; left out: on all.
    #[serde(default)]
    pub clusters: Option<Vec<String>>,
}

/// `rules:` of a grant.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleOfRole {
    /// get, list, watch …
    pub verbs: Vec<String>,
    /// pods, services …
    pub resources: Vec<String>,
    /// Left out: the core group.
    #[serde(default = "core")]
    pub api_groups: Vec<String>,
    /// Left out: all.
    #[serde(default)]
    pub resource_names: Vec<String>,
}

impl RuleOfRole {
    pub(crate) fn policy_rule(&self) -> PolicyRule {
        PolicyRule {
            verbs: self.verbs.clone(),
            api_groups: self.api_groups.clone(),
            resources: self.resources.clone(),
            resource_names: self.resource_names.clone(),
            ..PolicyRule::default()
        }
    }
}

/// `clusters:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSection {
    /// What it is called here.
    pub name: String,
    /// The administrator's context, by which grants are applied.
    #[serde(default)]
    pub context: Option<String>,
    /// The kubeconfig that has it; left out: kubectl's.
    #[serde(default)]
    pub kubeconfig: Option<String>,
    /// The distribution, as `kubesso cluster config --for`: its files and steps are written.
    #[serde(default, rename = "for")]
    target: Option<String>,
    /// Left out: 1.34.
    #[serde(default)]
    kubernetes_version: Option<String>,
    /// The distribution's own version.
    #[serde(default)]
    target_version: Option<String>,
    /// config or flags.
    #[serde(default)]
    form: Option<String>,
    /// Where files are written; left out: a folder of the cluster's name beside this file.
    #[serde(default)]
    pub out: Option<String>,
    /// The cluster's name in commands; left out: its name here.
    #[serde(default)]
    pub cluster_name: Option<String>,
    /// The namespace, resource group, project or organization that it is in, for commands.
    #[serde(default)]
    pub scope: Option<String>,
    /// It is changed from here, and no files are written for somebody to do it; `{}`: as the distribution has it.
    #[serde(default)]
    pub apply: Option<ApplySection>,
}

/// `apply:` of a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplySection {
    /// The folder in which the machine's files are; left out: `/`.
    #[serde(default)]
    pub root: Option<String>,
    /// The static pod's manifest, on the machine; left out: where kubeadm has it.
    #[serde(default)]
    pub manifest: Option<String>,
    /// The node, where several are of the control plane (kind, k3d).
    #[serde(default)]
    pub node: Option<String>,
    /// The API server of this machine, where a load balancer stands before it.
    #[serde(default)]
    pub endpoint: Option<Url>,
    /// Where is kept what is needed to go back.
    #[serde(default)]
    pub backup_dir: Option<String>,
    /// How long the API server may take until it is ready: `5m`.
    #[serde(default)]
    pub timeout: Option<String>,
    /// Somebody's ID token: the change stays only if the API server takes it.
    #[serde(default)]
    pub test_token_file: Option<String>,
}

/// `kubeconfig:`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeconfigSection {
    /// Left out: kubectl's.
    #[serde(default)]
    pub file: Option<String>,
    /// The user that signs in.
    #[serde(default = "oidc_user")]
    pub user: String,
    /// What it asks for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The program; left out: this one. `kubectl` calls it as `kubectl oidc-login`.
    #[serde(default)]
    pub command: Option<String>,
}

fn core() -> Vec<String> {
    vec![String::new()]
}

fn oidc_user() -> String {
    "oidc-user".to_owned()
}

fn scopes() -> Vec<String> {
    ["email", "profile", "offline_access"].map(str::to_owned).to_vec()
}

impl ClusterSection {
    /// For which distribution files are written, or which one is changed.
    pub fn target(&self) -> Option<Target> {
        self.target.as_deref().and_then(|name| name.parse().ok())
    }

    /// Its name in commands.
    pub fn name_in_commands(&self) -> &str {
        self.cluster_name.as_deref().unwrap_or(&self.name)
    }

    /// What its distribution is asked for. `running`: the version that is seen there, for a file that names none.
    pub fn request<'a>(&'a self, access: &'a Access, running: Option<KubernetesVersion>) -> Request<'a> {
        let given = self.kubernetes_version.as_deref().and_then(|text| text.parse().ok());
        Request {
            target_version: self.target_version(),
            form: self.form(),
            cluster: Some(self.name_in_commands()),
            scope: self.scope.as_deref(),
            ..Request::new(access, given.or(running).unwrap_or(KubernetesVersion::ASSUMED))
        }
    }

    fn form(&self) -> Option<Form> {
        match self.form.as_deref() {
            Some("config") => Some(Form::Config),
            Some("flags") => Some(Form::Flags),
            _ => None,
        }
    }

    fn target_version(&self) -> Option<KubernetesVersion> {
        self.target_version.as_deref().and_then(|text| text.parse().ok())
    }
}

impl ClusterSection {
    /// Whether it can be changed from here at all; the field and what is wrong with it.
    fn check_apply(&self) -> Result<(), (&'static str, String)> {
        let Some(target) = self.target() else {
            return Err(("apply", "say which distribution it is: `for`".to_owned()));
        };
        if !target.can_be_changed_from_here() {
            let what = format!(
                "{target} is not changed from here: leave `apply` out, and its files and steps are written"
            );
            return Err(("apply", what));
        }
        if target == Target::Aks && self.scope.is_none() {
            return Err(("scope", "name the resource group that it is in".to_owned()));
        }
        Ok(())
    }
}

impl AccessFile {
    pub(super) fn check_cluster_side(&self) -> Result<(), FileError> {
        for (index, cluster) in self.clusters.iter().enumerate() {
            let at = |field: &str| format!("clusters[{index}].{field}");
            let name = &cluster.name;
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(FileError::new(at("name"), format!("`{name}` cannot be the name of a folder")));
            }
            if self.clusters.iter().take(index).any(|other| other.name == *name) {
                return Err(FileError::new(at("name"), format!("`{name}` stands there twice")));
            }
            if let Some(target) = &cluster.target
                && cluster.target().is_none()
            {
                let what = format!("`{target}` is not known: see `kubesso cluster targets`");
                return Err(FileError::new(at("for"), what));
            }
            if cluster.form.is_some() && cluster.form().is_none() {
                return Err(FileError::new(at("form"), "use config or flags"));
            }
            for (field, version) in [
                ("kubernetesVersion", &cluster.kubernetes_version),
                ("targetVersion", &cluster.target_version),
            ] {
                if let Some(text) = version
                    && text.parse::<KubernetesVersion>().is_err()
                {
                    return Err(FileError::new(
                        at(field),
                        format!("`{text}` is no version: use 1.34, in quotes"),
                    ));
                }
            }
            if cluster.kubeconfig.is_some() && cluster.context.is_none() {
                return Err(FileError::new(at("context"), "say which context of that kubeconfig"));
            }
            let has_issuer = self.issuers.is_some() || self.has_issuer_of_provider();
            if cluster.target.is_some() && !has_issuer {
                let what = "nothing says whom it is to trust: give `application` and `authorizationServer`, or `issuers`";
                return Err(FileError::new(at("for"), what));
            }
            if cluster.apply.is_some() {
                cluster.check_apply().map_err(|(field, what)| FileError::new(at(field), what))?;
            }
        }
        for (index, grant) in self.grants.iter().enumerate() {
            let at = |field: &str| format!("grants[{index}].{field}");
            if grant.role == GrantedRole::POD_READER && grant.rules.is_empty() && grant.namespace.is_none() {
                return Err(FileError::new(
                    at("namespace"),
                    "pod-reader is a role of one namespace: say which",
                ));
            }
            if grant.group.starts_with("system:") {
                return Err(FileError::new(
                    at("group"),
                    format!(
                        "`{}` is one of Kubernetes' own groups: give a group of your provider",
                        grant.group
                    ),
                ));
            }
            for name in grant.clusters.iter().flatten() {
                if !self.clusters.iter().any(|cluster| cluster.name == *name) {
                    return Err(FileError::new(at("clusters"), format!("`{name}` is not in `clusters`")));
                }
            }
        }
        if !self.grants.is_empty() && self.clusters.is_empty() {
            return Err(FileError::new("clusters", "say on which clusters `grants` hold"));
        }
        if self.kubeconfig.is_some() && !self.has_issuer_of_provider() {
            let what = "it needs `application` and `authorizationServer` in the same file";
            return Err(FileError::new("kubeconfig", what));
        }
        Ok(())
    }

    /// Whether the provider of this file makes an issuer and a client.
    pub(crate) fn has_issuer_of_provider(&self) -> bool {
        self.application.is_some() && self.authorization_server.is_some()
    }
}
