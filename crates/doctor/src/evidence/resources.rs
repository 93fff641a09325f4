//! Names of the resources that every cluster has, as people write them.

/// A resource of Kubernetes itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource {
    /// Plural, as rules and paths have it.
    pub(super) plural: &'static str,
    /// Empty: the core group.
    pub(super) group: &'static str,
    pub(super) is_namespaced: bool,
    short: &'static [&'static str],
}

const fn spaced(plural: &'static str, group: &'static str, short: &'static [&'static str]) -> Resource {
    Resource { plural, group, is_namespaced: true, short }
}

const fn of_cluster(plural: &'static str, group: &'static str, short: &'static [&'static str]) -> Resource {
    Resource { plural, group, is_namespaced: false, short }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// Kubernetes 1.36, `kubectl api-resources`; without what is asked about by nobody.
const KNOWN: &[Resource] = &[
    spaced("bindings", "", &[]),
    spaced("configmaps", "", &["cm"]),
    spaced("endpoints", "", &["ep"]),
    spaced("events", "", &["ev"]),
    spaced("limitranges", "", &["limits"]),
    of_cluster("namespaces", "", &["ns"]),
    of_cluster("nodes", "", &["no"]),
    spaced("persistentvolumeclaims", "", &["pvc"]),
    of_cluster("persistentvolumes", "", &["pv"]),
    spaced("pods", "", &["po"]),
    spaced("podtemplates", "", &[]),
    spaced("replicationcontrollers", "", &["rc"]),
    spaced("resourcequotas", "", &["quota"]),
    spaced("secrets", "", &[]),
    spaced("serviceaccounts", "", &["sa"]),
    spaced("services", "", &["svc"]),
    spaced("controllerrevisions", "apps", &[]),
    spaced("daemonsets", "apps", &["ds"]),
    spaced("deployments", "apps", &["deploy"]),
    spaced("replicasets", "apps", &["rs"]),
    spaced("statefulsets", "apps", &["sts"]),
    spaced("horizontalpodautoscalers", "autoscaling", &["hpa"]),
    spaced("cronjobs", "batch", &["cj"]),
    spaced("jobs", "batch", &[]),
    of_cluster("certificatesigningrequests", "certificates.k8s.io", &["csr"]),
    spaced("leases", "coordination.k8s.io", &[]),
    spaced("endpointslices", "discovery.k8s.io", &[]),
    spaced("ingresses", "networking.k8s.io", &["ing"]),
    of_cluster("ingressclasses", "networking.k8s.io", &[]),
    spaced("networkpolicies", "networking.k8s.io", &["netpol"]),
    spaced("poddisruptionbudgets", "policy", &["pdb"]),
    of_cluster("clusterrolebindings", RBAC, &[]),
    of_cluster("clusterroles", RBAC, &[]),
    spaced("rolebindings", RBAC, &[]),
    spaced("roles", RBAC, &[]),
    of_cluster("priorityclasses", "scheduling.k8s.io", &["pc"]),
    of_cluster("storageclasses", "storage.k8s.io", &["sc"]),
    of_cluster("volumeattachments", "storage.k8s.io", &[]),
    of_cluster("customresourcedefinitions", "apiextensions.k8s.io", &["crd", "crds"]),
    of_cluster("apiservices", "apiregistration.k8s.io", &[]),
    of_cluster("mutatingwebhookconfigurations", ADMISSION, &[]),
    of_cluster("validatingwebhookconfigurations", ADMISSION, &[]),
    of_cluster("validatingadmissionpolicies", ADMISSION, &[]),
    // Verbs of their own: impersonate, and access reviews.
    of_cluster("users", "", &[]),
    of_cluster("groups", "", &[]),
];

/// By its plural, its singular or a short name; in a group, if one is said.
pub(super) fn known(name: &str, group: Option<&str>) -> Option<Resource> {
    let name = name.to_lowercase();
    let is_it = |known: &&Resource| {
        let names = known.plural == name || known.short.contains(&name.as_str());
        (names || singular(known.plural) == name) && group.is_none_or(|group| group == known.group)
    };
    KNOWN.iter().find(is_it).copied()
}

fn singular(plural: &str) -> String {
    let ended = |end: &str, with: &str| plural.strip_suffix(end).map(|stem| format!("{stem}{with}"));
    if plural == "endpoints" {
        return plural.to_owned();
    }
    let es = ["sses", "sees"].iter().any(|end| plural.ends_with(end));
    let singular = ended("ies", "y").or_else(|| if es { ended("es", "") } else { None });
    singular.or_else(|| ended("s", "")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_found_by_each_of_its_names() {
        for (name, plural) in [
            ("pods", "pods"),
            ("Pod", "pods"),
            ("po", "pods"),
            ("networkpolicy", "networkpolicies"),
            ("ingress", "ingresses"),
            ("ingressclass", "ingressclasses"),
            ("storageclass", "storageclasses"),
            ("lease", "leases"),
            ("service", "services"),
            ("endpoints", "endpoints"),
            ("endpointslice", "endpointslices"),
        ] {
            assert_eq!(known(name, None).map(|it| it.plural), Some(plural), "{name}");
        }
        assert!(known("widgets", None).is_none());
        assert!(known("pods", Some("metrics.k8s.io")).is_none());
    }
}
