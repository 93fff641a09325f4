//! The kinds of clusters that are known.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::instructions::{Impossible, Instructions};
use crate::request::Request;
use crate::targets;

type Writer = fn(&Request<'_>) -> Result<Instructions, Impossible>;

macro_rules! targets {
    ($($variant:ident, $name:literal, $title:literal, $writer:path;)*) => {
        /// A kind of cluster.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Target {
            $(#[doc = $title] $variant,)*
        }

        impl Target {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is given on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// As people call it.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            fn writer(self) -> Writer {
                match self { $(Self::$variant => $writer,)* }
            }
        }
    };
}

targets! {
    Kubeadm, "kubeadm", "kubeadm", targets::kubeadm::instructions;
    StaticPod, "static-pod", "a static-pod manifest", targets::static_pod::instructions;
    Kind, "kind", "kind", targets::kind::instructions;
    Minikube, "minikube", "minikube", targets::minikube::instructions;
    K3s, "k3s", "k3s", targets::k3s::instructions;
    K3d, "k3d", "k3d", targets::k3d::instructions;
    Rke2, "rke2", "RKE2", targets::rke2::instructions;
    K0s, "k0s", "k0s", targets::k0s::instructions;
    MicroK8s, "microk8s", "MicroK8s", targets::microk8s::instructions;
    Talos, "talos", "Talos Linux", targets::talos::instructions;
    Kops, "kops", "kOps", targets::kops::instructions;
    Kubespray, "kubespray", "Kubespray", targets::kubespray::instructions;
    KubeOne, "kubeone", "KubeOne", targets::kubeone::instructions;
    ClusterApi, "cluster-api", "Cluster API", targets::cluster_api::instructions;
    Kamaji, "kamaji", "Kamaji", targets::kamaji::instructions;
    K0rdent, "k0rdent", "k0rdent", targets::k0rdent::instructions;
    VCluster, "vcluster", "vCluster", targets::vcluster::instructions;
    Gardener, "gardener", "Gardener", targets::gardener::instructions;
    OpenShift, "openshift", "OpenShift", targets::openshift::instructions;
    Eks, "eks", "Amazon EKS", targets::eks::instructions;
    Aks, "aks", "Azure AKS", targets::aks::instructions;
    Gke, "gke", "Google GKE", targets::gke::instructions;
}

impl Target {
    /// What it needs for what is asked.
    ///
    /// # Errors
    /// It cannot do that, with all reasons.
    pub fn instructions(self, request: &Request<'_>) -> Result<Instructions, Impossible> {
        self.writer()(request)
    }
}

impl Target {
    /// Whether kubesso can change it where it runs: a machine's files, a container of this machine, or a cloud's program.
    pub fn can_be_changed_from_here(self) -> bool {
        use Target::{Aks, Eks, K0s, K3d, K3s, Kind, Kubeadm, MicroK8s, Minikube, Rke2, StaticPod};
        matches!(self, Kubeadm | StaticPod | Kind | Minikube | K3s | K3d | Rke2 | K0s | MicroK8s | Eks | Aks)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The name of no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not known")]
pub struct UnknownTarget(String);

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let found = Self::ALL.iter().find(|target| target.name() == text);
        found.copied().ok_or_else(|| UnknownTarget(text.to_owned()))
    }
}
