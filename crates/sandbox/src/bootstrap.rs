//! What is in a cluster before anybody has made anything: the bootstrap policy and the first namespaces.

use serde_json::{Value, json};

/// The bootstrap policy of kube-apiserver 1.36: 69 ClusterRoles, 50 ClusterRoleBindings, 7 Roles and 7 RoleBindings.
///
/// The aggregated roles (`admin`, `edit`, `view`) come without rules, as upstream creates them: what fills them is the
/// aggregation of roles by label.
pub(crate) fn policy() -> Vec<Value> {
    // The data are part of this program; `the_policy_is_that_of_upstream` reads them in the tests.
    serde_json::from_str(include_str!("../data/policy.json")).unwrap_or_default()
}

/// The namespaces that always are, their default service accounts, and the `kubernetes` service.
///
/// The service accounts are those that kube-controller-manager makes; the address of the service is the first of the
/// range 10.0.0.0/24, and `port` is where this server listens.
pub(crate) fn objects(port: u16) -> Vec<Value> {
    let namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];
    let mut objects: Vec<Value> = namespaces.iter().copied().map(namespace).collect();
    objects.extend(namespaces.iter().map(|namespace| {
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": { "name": "default", "namespace": namespace },
        })
    }));
    objects.push(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "component": "apiserver", "provider": "kubernetes" },
        },
        "spec": {
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1"],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": port }],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        "status": { "loadBalancer": {} },
    }));
    objects
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::schema::{FieldValidation, apply_defaults, prune, validate};

    #[test]
    fn the_policy_is_that_of_upstream() {
        let policy = policy();
        let count = |kind: &str| policy.iter().filter(|object| object["kind"] == kind).count();
        assert_eq!(["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"].map(count), [69, 50, 7, 7]);
        for object in &policy {
            assert_eq!(object["metadata"]["labels"]["kubernetes.io/bootstrapping"], "rbac-defaults");
            assert_eq!(
                object["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"],
                "true"
            );
        }
        let masters = policy.iter().find(|object| {
            object["kind"] == "ClusterRoleBinding" && object["metadata"]["name"] == "cluster-admin"
        });
        assert_eq!(masters.unwrap()["subjects"][0]["name"], "system:masters");
    }

    #[test]
    fn every_first_object_is_complete_and_right_in_the_eyes_of_its_kind() {
        for object in policy().into_iter().chain(objects(6443)) {
            let (group, version) =
                object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
            let resource = Catalog::get().kind(group, version, object["kind"].as_str().unwrap()).unwrap();
            assert_eq!(validate(resource, &object, FieldValidation::Strict).error, None, "{object}");
            let mut stored = object.clone();
            prune(resource, &mut stored);
            apply_defaults(resource, &mut stored);
            assert_eq!(stored, object);
        }
    }
}
