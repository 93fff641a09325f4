//! How a flag of kube-apiserver is set in each kind of cluster, and how it takes effect.

use crate::field_names::{EKS, GARDENER, KOPS, KUBEONE, KUBESPRAY, field_of};
use crate::target::Target;

/// The line that sets `--name=value`, and what has to be done then.
pub fn flag_line(target: Target, name: &str, value: &str) -> String {
    let quoted = || format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    match target {
        Target::StaticPod => format!("--{name}={value}"),
        Target::Kubeadm => format!(
            "ClusterConfiguration (v1beta4): apiServer.extraArgs: [{{name: {name}, value: {}}}]; then on each control-plane \
             node: kubeadm init phase control-plane apiserver --config FILE",
            quoted()
        ),
        Target::Kind => format!(
            "kubeadmConfigPatches, kind: ClusterConfiguration: apiServer.extraArgs.{name}: {}; kind reads it when it creates \
             the cluster",
            quoted()
        ),
        Target::Minikube => format!("minikube start --extra-config=apiserver.{name}={value}"),
        Target::K3s => format!(
            "/etc/rancher/k3s/config.yaml: kube-apiserver-arg: [\"{name}={value}\"]; then: systemctl restart k3s"
        ),
        Target::K3d => format!(
            "k3d cluster create --k3s-arg '--kube-apiserver-arg={name}={value}@server:*'; an existing cluster keeps what it \
             was created with"
        ),
        Target::Rke2 => format!(
            "/etc/rancher/rke2/config.yaml: kube-apiserver-arg: [\"{name}={value}\"]; then, one server after the other: \
             systemctl restart rke2-server"
        ),
        Target::K0s => format!(
            "/etc/k0s/k0s.yaml: spec.api.extraArgs.{name}: {}; then: systemctl restart k0scontroller",
            quoted()
        ),
        Target::MicroK8s => format!(
            "/var/snap/microk8s/current/args/kube-apiserver: --{name}={value}; then: snap restart microk8s.daemon-kubelite"
        ),
        Target::Talos => format!(
            "cluster.apiServer.extraArgs.{name}: {}; apply with: talosctl patch mc (Talos 1.14 and later: a \
             KubeAuthenticationConfig document instead of oidc-* flags)",
            quoted()
        ),
        Target::Kops => format!(
            "kops edit cluster: spec.kubeAPIServer.{}: {}; then: kops update cluster --yes; kops rolling-update cluster --yes",
            field_of(KOPS, name).unwrap_or(name),
            quoted()
        ),
        Target::Kubespray => {
            format!("{}: {}; then run the playbook for the control plane", kubespray_variable(name), quoted())
        }
        Target::KubeOne => match field_of(KUBEONE, name) {
            Some(field) => format!(
                "KubeOneCluster: features.openidConnect.config.{field}: {}; then: kubeone apply --manifest kubeone.yaml",
                quoted()
            ),
            None => no_setting(
                target,
                name,
                "an AuthenticationConfiguration (features.authenticationConfiguration)",
            ),
        },
        Target::ClusterApi => format!(
            "KubeadmControlPlane: spec.kubeadmConfigSpec.clusterConfiguration.apiServer.extraArgs: [{{name: {name}, value: \
             {}}}] (v1beta1: a mapping); every control-plane machine is replaced",
            quoted()
        ),
        Target::Kamaji => format!(
            "TenantControlPlane: spec.controlPlane.deployment.extraArgs.apiServer: [\"--{name}={value}\"]"
        ),
        Target::K0rdent => {
            no_setting(target, name, "a ClusterAuthentication (spec.authenticationConfiguration)")
        }
        Target::VCluster => format!(
            "vcluster.yaml: controlPlane.distro.k8s.apiServer.extraArgs: [\"--{name}={value}\"]; then: vcluster create \
             NAME --upgrade --values vcluster.yaml"
        ),
        Target::Gardener => match gardener_field(name) {
            Some(field) => format!("Shoot: spec.kubernetes.kubeAPIServer.oidcConfig.{field}: {}", quoted()),
            None => no_setting(
                target,
                name,
                "an AuthenticationConfiguration (structuredAuthentication.configMapName)",
            ),
        },
        Target::Eks => match field_of(EKS, name) {
            Some(field) => format!(
                "aws eks disassociate-identity-provider-config …; then aws eks associate-identity-provider-config --oidc \
                 {field}={value},… (it has no update)"
            ),
            None => {
                format!("EKS has no setting for --{name}: it has no flags and no AuthenticationConfiguration")
            }
        },
        Target::OpenShift => {
            no_setting(target, name, "oc edit authentication.config/cluster (spec.oidcProviders)")
        }
        Target::Aks => no_setting(target, name, "az aks jwtauthenticator add --config-file FILE"),
        Target::Gke => no_setting(target, name, "Workforce Identity Federation, or a gateway"),
    }
}

fn no_setting(target: Target, name: &str, instead: &str) -> String {
    format!("{} has no setting for --{name}: {instead}", target.title())
}

/// Kubespray's variable: one of its own, or one for any flag.
fn kubespray_variable(flag: &str) -> String {
    field_of(KUBESPRAY, flag)
        .map_or_else(|| format!("kube_kubeadm_apiserver_extra_args.{flag}"), str::to_owned)
}

/// The field of a Shoot's `oidcConfig`, in which authorities stand themselves.
fn gardener_field(flag: &str) -> Option<&'static str> {
    if flag == "oidc-ca-file" { Some("caBundle") } else { field_of(GARDENER, flag) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_cluster_has_its_own_line_for_a_flag() {
        let lines: Vec<_> = Target::ALL
            .iter()
            .map(|target| format!("{:15}{}", target.name(), flag_line(*target, "oidc-client-id", "k8s")))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_value_cannot_end_its_quotes() {
        let line = flag_line(Target::K0s, "oidc-client-id", "a\"b\\");
        assert!(line.contains(r#""a\"b\\""#), "{line}");
    }

    #[test]
    fn what_a_cloud_cannot_is_said() {
        assert!(flag_line(Target::Eks, "oidc-ca-file", "/ca.crt").contains("no setting"));
        assert!(flag_line(Target::Gke, "oidc-client-id", "k8s").contains("no setting"));
    }
}
