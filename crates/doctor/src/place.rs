//! Where a line stands: the places that a mend can name, and kube-apiserver's flags in each kind of cluster.

/// A place to change something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// AKS.
    Aks,
    /// A machine's own settings.
    ApiServerHost,
    /// authentik.
    Authentik,
    /// What a person types on their own machine.
    CommandLine,
    /// Dex.
    Dex,
    /// EKS.
    Eks,
    /// Microsoft Entra ID.
    Entra,
    /// A gateway in front of the API server.
    Gateway,
    /// GKE.
    Gke,
    /// Keycloak.
    Keycloak,
    /// A user of a kubeconfig.
    Kubeconfig,
    /// kubesso as the provider.
    Kubesso,
    /// A load balancer or reverse proxy.
    LoadBalancer,
    /// The static pod's manifest.
    Manifest,
    /// Networks and names.
    Network,
    /// Okta.
    Okta,
    /// Any provider.
    Provider,
    /// A role or a binding.
    Rbac,
}

impl Place {
    /// As a heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aks => "AKS",
            Self::ApiServerHost => "on the control plane's machines",
            Self::Authentik => "authentik",
            Self::CommandLine => "on your machine",
            Self::Dex => "Dex",
            Self::Eks => "EKS",
            Self::Entra => "Entra ID",
            Self::Gateway => "gateway",
            Self::Gke => "GKE",
            Self::Keycloak => "Keycloak",
            Self::Kubeconfig => "kubeconfig",
            Self::Kubesso => "kubesso",
            Self::LoadBalancer => "load balancer",
            Self::Manifest => "static pod",
            Self::Network => "network",
            Self::Okta => "Okta",
            Self::Provider => "provider",
            Self::Rbac => "RBAC",
        }
    }
}

/// A kind of cluster: where kube-apiserver's flags stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Amazon's managed clusters: no flags, an API of its own.
    Eks,
    /// kube-apiserver's flags as they are.
    Flags,
    /// A static pod that k0s starts from its own file.
    K0s,
    /// k3s in containers.
    K3d,
    /// k3s.
    K3s,
    /// kind.
    Kind,
    /// kOps.
    Kops,
    /// kubeadm.
    Kubeadm,
    /// Kubespray.
    Kubespray,
    /// MicroK8s.
    MicroK8s,
    /// minikube.
    Minikube,
    /// RKE2.
    Rke2,
    /// Talos.
    Talos,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Flags,
        Self::Kubeadm,
        Self::Kind,
        Self::Minikube,
        Self::K3s,
        Self::K3d,
        Self::Rke2,
        Self::K0s,
        Self::MicroK8s,
        Self::Talos,
        Self::Kops,
        Self::Kubespray,
        Self::Eks,
    ];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eks => "EKS",
            Self::Flags => "kube-apiserver",
            Self::K0s => "k0s",
            Self::K3d => "k3d",
            Self::K3s => "k3s",
            Self::Kind => "kind",
            Self::Kops => "kOps",
            Self::Kubeadm => "kubeadm",
            Self::Kubespray => "Kubespray",
            Self::MicroK8s => "MicroK8s",
            Self::Minikube => "minikube",
            Self::Rke2 => "RKE2",
            Self::Talos => "Talos",
        }
    }

    /// How a flag of kube-apiserver is set here, and how it takes effect.
    pub fn flag_line(self, name: &str, value: &str) -> String {
        match self {
            Self::Flags => format!("--{name}={value}"),
            Self::Kubeadm => format!(
                "ClusterConfiguration (v1beta4): apiServer.extraArgs: [{{name: {name}, value: {}}}]; then on each \
                 control-plane node: kubeadm init phase control-plane apiserver --config FILE",
                quoted(value)
            ),
            Self::Kind => format!(
                "kubeadmConfigPatches, kind: ClusterConfiguration: apiServer.extraArgs.{name}: {}; kind reads it when it \
                 creates the cluster",
                quoted(value)
            ),
            Self::Minikube => format!("minikube start --extra-config=apiserver.{name}={value}"),
            Self::K3s => format!(
                "/etc/rancher/k3s/config.yaml: kube-apiserver-arg: [\"{name}={value}\"]; then: systemctl restart k3s"
            ),
            Self::K3d => format!(
                "k3d cluster create --k3s-arg '--kube-apiserver-arg={name}={value}@server:*'; an existing cluster keeps \
                 what it was created with"
            ),
            Self::Rke2 => format!(
                "/etc/rancher/rke2/config.yaml: kube-apiserver-arg: [\"{name}={value}\"]; then, one server after the \
                 other: systemctl restart rke2-server"
            ),
            Self::K0s => format!(
                "/etc/k0s/k0s.yaml: spec.api.extraArgs.{name}: {}; then: systemctl restart k0scontroller",
                quoted(value)
            ),
            Self::MicroK8s => format!(
                "/var/snap/microk8s/current/args/kube-apiserver: --{name}={value}; then: snap restart \
                 microk8s.daemon-kubelite"
            ),
            Self::Talos => format!(
                "cluster.apiServer.extraArgs.{name}: {}; apply with: talosctl patch mc (Talos 1.14 and later: a \
                 KubeAuthenticationConfig document instead of oidc-* flags)",
                quoted(value)
            ),
            Self::Kops => format!(
                "kops edit cluster: spec.kubeAPIServer.{}: {}; then: kops update cluster --yes; kops rolling-update \
                 cluster --yes",
                kops_field(name),
                quoted(value)
            ),
            Self::Kubespray => format!(
                "{}: {}; then run the playbook for the control plane",
                kubespray_variable(name),
                quoted(value)
            ),
            Self::Eks => match eks_field(name) {
                Some(field) => format!(
                    "aws eks disassociate-identity-provider-config …; then aws eks associate-identity-provider-config \
                     --oidc {field}={value},… (it has no update)"
                ),
                None => format!(
                    "EKS has no setting for --{name}: it has no flags and no AuthenticationConfiguration"
                ),
            },
        }
    }
}

/// As a YAML scalar that nothing else can be read from.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The field of kOps' `kubeAPIServer`.
fn kops_field(flag: &str) -> &str {
    match flag {
        "oidc-issuer-url" => "oidcIssuerURL",
        "oidc-client-id" => "oidcClientID",
        "oidc-username-claim" => "oidcUsernameClaim",
        "oidc-username-prefix" => "oidcUsernamePrefix",
        "oidc-groups-claim" => "oidcGroupsClaim",
        "oidc-groups-prefix" => "oidcGroupsPrefix",
        "oidc-ca-file" => "oidcCAFile",
        "oidc-required-claim" => "oidcRequiredClaim",
        "authentication-config" => "authenticationConfigFile",
        "authorization-mode" => "authorizationMode",
        other => other,
    }
}

/// Kubespray's variable.
fn kubespray_variable(flag: &str) -> String {
    match flag {
        "oidc-issuer-url" => "kube_oidc_url".to_owned(),
        "oidc-client-id" => "kube_oidc_client_id".to_owned(),
        "oidc-ca-file" => "kube_oidc_ca_file".to_owned(),
        "oidc-username-claim" => "kube_oidc_username_claim".to_owned(),
        "oidc-username-prefix" => "kube_oidc_username_prefix".to_owned(),
        "oidc-groups-claim" => "kube_oidc_groups_claim".to_owned(),
        "oidc-groups-prefix" => "kube_oidc_groups_prefix".to_owned(),
        other => format!("kube_kubeadm_apiserver_extra_args.{other}"),
    }
}

/// The field of EKS' `--oidc`.
fn eks_field(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "oidc-issuer-url" => "issuerUrl",
        "oidc-client-id" => "clientId",
        "oidc-username-claim" => "usernameClaim",
        "oidc-username-prefix" => "usernamePrefix",
        "oidc-groups-claim" => "groupsClaim",
        "oidc-groups-prefix" => "groupsPrefix",
        "oidc-required-claim" => "requiredClaims",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_cluster_has_its_own_line_for_a_flag() {
        let lines: Vec<_> = Target::ALL
            .iter()
            .map(|target| format!("{:15}{}", target.name(), target.flag_line("oidc-client-id", "k8s")))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_value_cannot_end_its_quotes() {
        let line = Target::K0s.flag_line("oidc-client-id", "a\"b\\");
        assert!(line.contains(r#""a\"b\\""#), "{line}");
    }

    #[test]
    fn what_eks_cannot_is_said() {
        assert!(Target::Eks.flag_line("oidc-ca-file", "/ca.crt").contains("no setting"));
    }
}
