//! Seeded cases.

use kubesso_authz::RbacObjects;
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::meta::ObjectMeta;
use kubesso_k8s_types::rbac::{
    AggregationRule, ClusterRole, ClusterRoleBinding, GROUP, LabelSelector, PolicyRule, Role, RoleBinding,
    RoleRef, Subject,
};
use serde_json::{Value, json};

/// SplitMix64: the same cases on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).expect("small"))
            .expect("below the bound")
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    pub(crate) fn texts(&mut self, choices: &[&str], most: usize) -> Vec<String> {
        (0..self.below(most + 1)).map(|_| self.pick(choices).to_owned()).collect()
    }

    pub(crate) fn joined(&mut self, choices: &[&str], most: usize, between: &str) -> String {
        self.texts(choices, most).join(between)
    }
}

pub(crate) const VERBS: [&str; 11] =
    ["get", "get", "get", "get", "list", "*", "", "Get", "create", "g*", "é"];
pub(crate) const API_GROUPS: [&str; 9] =
    ["", "", "", "", "apps", "*", "Apps", "rbac.authorization.k8s.io", "ap*"];
pub(crate) const RESOURCES: [&str; 20] = [
    "pods",
    "pods",
    "pods",
    "pods/log",
    "pods",
    "pods/log",
    "*",
    "*/log",
    "pods/*",
    "*/*",
    "",
    "/",
    "pods/",
    "*/",
    "Pods",
    "roles",
    "log",
    "*/log/x",
    "pods/log/x",
    "/log",
];
pub(crate) const NAMES: [&str; 10] = ["a", "a", "a", "", "b", "", "*", "a/b", "A", "ü"];
pub(crate) const URLS: [&str; 14] = [
    "*",
    "/",
    "/*",
    "/healthz",
    "/healthz/*",
    "/healthz/",
    "/a**",
    "/a*",
    "/a*b",
    "",
    "**",
    "/é*",
    "/healthz/ping",
    "a",
];
const NAMESPACES: [&str; 3] = ["n", "m", "kube-system"];
const USERS: [&str; 9] = [
    "u",
    "U",
    "",
    "a",
    "system:serviceaccount:n:a",
    "system:serviceaccount:m:a",
    "system:serviceaccount::a",
    "system:serviceaccount:n:b:c",
    "\"<quoted>\\ \u{7f}é\u{200b}🙂",
];
const GROUPS: [&str; 8] = ["g", "g", "g", "h", "", "G", "system:authenticated", "\n\"x\""];
const OBJECT_NAMES: [&str; 6] = ["a", "b", "c", "B", "x:y", "é"];

pub(crate) fn rule(random: &mut Random) -> PolicyRule {
    let valid = !random.one_in(6);
    let paths = random.one_in(3);
    PolicyRule {
        verbs: random.texts(&VERBS, 3),
        api_groups: if valid && paths { vec![] } else { random.texts(&API_GROUPS, 3) },
        resources: if valid && paths { vec![] } else { random.texts(&RESOURCES, 4) },
        resource_names: if (valid && paths) || !random.one_in(3) { vec![] } else { random.texts(&NAMES, 2) },
        non_resource_urls: if valid && !paths { vec![] } else { random.texts(&URLS, 3) },
    }
}

pub(crate) fn rules(random: &mut Random, most: usize) -> Vec<PolicyRule> {
    (0..random.below(most + 1)).map(|_| rule(random)).collect()
}

pub(crate) fn user(random: &mut Random) -> UserInfo {
    UserInfo {
        username: random.pick(&USERS).to_owned(),
        groups: random.texts(&GROUPS, 4),
        ..UserInfo::default()
    }
}

fn subject(random: &mut Random) -> Subject {
    match random.below(8) {
        0..3 => Subject::user(random.pick(&USERS)),
        3..6 => Subject::group(random.pick(&GROUPS)),
        6 => {
            let namespace = random.pick(&["", "n", "m"]);
            Subject::service_account(namespace, random.pick(&["a", "b:c", ""]))
        }
        _ => Subject { kind: random.pick(&["user", "", "Role"]).to_owned(), ..Subject::user("u") },
    }
}

fn subjects(random: &mut Random) -> Vec<Subject> {
    (0..random.below(4)).map(|_| subject(random)).collect()
}

fn role_ref(random: &mut Random, cluster_only: bool) -> RoleRef {
    let name = random.pick(&OBJECT_NAMES);
    if cluster_only || random.one_in(2) { RoleRef::cluster_role(name) } else { RoleRef::role(name) }
}

pub(crate) fn role(random: &mut Random, namespace: &str, name: &str) -> Role {
    Role { metadata: ObjectMeta::namespaced(namespace, name), rules: rules(random, 3), ..Role::default() }
}

pub(crate) fn cluster_role(random: &mut Random, name: &str) -> ClusterRole {
    let selectors = random.one_in(4).then(|| random.below(2));
    ClusterRole {
        metadata: ObjectMeta::named(name),
        rules: rules(random, 3),
        aggregation_rule: selectors
            .map(|count| AggregationRule { cluster_role_selectors: vec![LabelSelector::default(); count] }),
        ..ClusterRole::default()
    }
}

pub(crate) fn role_binding(random: &mut Random, namespace: &str, name: &str) -> RoleBinding {
    RoleBinding {
        metadata: ObjectMeta::namespaced(namespace, name),
        subjects: subjects(random),
        role_ref: role_ref(random, false),
        ..RoleBinding::default()
    }
}

pub(crate) fn cluster_role_binding(random: &mut Random, name: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: ObjectMeta::named(name),
        subjects: subjects(random),
        role_ref: role_ref(random, true),
        ..ClusterRoleBinding::default()
    }
}

/// Up to six of each kind, with unique names, and references that are sometimes to nothing. Now and then
/// somebody has everything.
pub(crate) fn objects(random: &mut Random) -> RbacObjects {
    let mut objects = RbacObjects::default();
    for name in OBJECT_NAMES {
        if random.one_in(2) {
            objects.cluster_roles.push(cluster_role(random, name));
        }
        if random.one_in(2) {
            objects.cluster_role_bindings.push(cluster_role_binding(random, name));
        }
        for namespace in NAMESPACES {
            if random.one_in(2) {
                objects.roles.push(role(random, namespace, name));
            }
            if random.one_in(2) {
                objects.role_bindings.push(role_binding(random, namespace, name));
            }
        }
    }
    if random.one_in(4) {
        let everything = [
            PolicyRule::resources(&["*"], &["*"], &["*"]),
            PolicyRule::non_resource(&["*"], &["*"]),
            PolicyRule::resources(&["bind", "escalate"], &[GROUP], &["roles"]).names(&["a", ""]),
        ];
        if let Some(role) = objects.cluster_roles.first_mut() {
            let from = random.below(3);
            role.rules.extend_from_slice(&everything[from..]);
        }
    }
    objects
}

pub(crate) fn objects_json(objects: &RbacObjects) -> Value {
    json!({
        "roles": objects.roles,
        "roleBindings": objects.role_bindings,
        "clusterRoles": objects.cluster_roles,
        "clusterRoleBindings": objects.cluster_role_bindings,
    })
}
