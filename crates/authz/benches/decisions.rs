//! Nanoseconds a decision at growing numbers of bindings: `cargo bench -p kubesso-authz`.
//!
//! One subject a binding, a user with 11 groups who has one binding, as in the table of upstream's
//! figures; nothing is asserted.

use std::hint::black_box;
use std::time::Instant;

use kubesso_authz::{Attributes, Authorizer, Rbac, RbacObjects, ResourceTarget, Target};
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::meta::ObjectMeta;
use kubesso_k8s_types::rbac::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef, Subject};

const CALLS: u32 = 20_000;

fn main() {
    println!("{:>9} {:>28} {:>14} {:>14} {:>10}", "bindings", "kind", "allow ns", "deny ns", "build ms");
    for count in [100, 1_000, 10_000, 100_000] {
        for (kind, namespaces) in
            [("ClusterRoleBindings", 0), ("RoleBindings, 1 namespace", 1), ("RoleBindings, 100 of them", 100)]
        {
            let objects = objects(count, namespaces);
            let start = Instant::now();
            let rbac = Rbac::new(objects);
            let build = start.elapsed();
            let allow = nanoseconds(&rbac, &get_pods("group-7"));
            let deny = nanoseconds(&rbac, &get_pods("nobody"));
            println!("{count:>9} {kind:>28} {allow:>14} {deny:>14} {:>10}", build.as_millis());
        }
    }
}

/// 50 roles of 6 rules, and bindings of them to one group each, in the cluster or in so many namespaces.
fn objects(count: usize, namespaces: usize) -> RbacObjects {
    let cluster_roles = (0..50)
        .map(|number| ClusterRole {
            metadata: ObjectMeta::named(format!("role-{number}")),
            rules: ["secrets", "configmaps", "services", "events", "endpoints", "pods"]
                .map(|resource| PolicyRule::resources(&["get", "list", "watch"], &[""], &[resource]))
                .to_vec(),
            ..ClusterRole::default()
        })
        .collect();
    let mut objects = RbacObjects { cluster_roles, ..RbacObjects::default() };
    for number in 0..count {
        let name = format!("binding-{number}");
        let subjects = vec![Subject::group(format!("group-{number}"))];
        let role_ref = RoleRef::cluster_role(format!("role-{}", number % 50));
        if namespaces == 0 {
            let metadata = ObjectMeta::named(name);
            objects.cluster_role_bindings.push(ClusterRoleBinding {
                metadata,
                subjects,
                role_ref,
                ..ClusterRoleBinding::default()
            });
        } else {
            let metadata = ObjectMeta::namespaced(format!("ns-{}", (number + 93) % namespaces), name);
            objects.role_bindings.push(RoleBinding {
                metadata,
                subjects,
                role_ref,
                ..RoleBinding::default()
            });
        }
    }
    objects
}

fn get_pods(group: &str) -> Attributes {
    let mut groups: Vec<String> = (0..10).map(|number| format!("team-{number}")).collect();
    groups.push(group.to_owned());
    let user = UserInfo { username: "dev@example.com".to_owned(), groups, ..UserInfo::default() };
    let target = ResourceTarget {
        namespace: "ns-0".to_owned(),
        resource: "pods".to_owned(),
        name: "p".to_owned(),
        ..ResourceTarget::default()
    };
    Attributes { user, verb: "get".to_owned(), target: Target::Resource(target) }
}

fn nanoseconds(rbac: &Rbac, attributes: &Attributes) -> u128 {
    // The best of twenty short windows: what the code costs when nothing else runs.
    (0..20)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS / 20 {
                black_box(rbac.authorize(black_box(attributes)));
            }
            start.elapsed().as_nanos() / u128::from(CALLS / 20)
        })
        .min()
        .unwrap_or_default()
}
