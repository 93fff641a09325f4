//! Where a line stands: the places that a mend can name. Where kube-apiserver's flags stand in each kind of cluster, room
//! `clusters` knows.

use kubesso_clusters::Target;

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

/// As a heading of lines for that kind of cluster.
pub(crate) fn heading(target: Target) -> &'static str {
    if target == Target::StaticPod { "kube-apiserver" } else { target.title() }
}
