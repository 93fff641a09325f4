use kubesso_k8s_types::meta::ObjectMeta;
use proptest::prelude::*;

use super::*;
use crate::ResourceTarget;

fn cluster_role(name: &str, rules: &[PolicyRule]) -> ClusterRole {
    ClusterRole { metadata: ObjectMeta::named(name), rules: rules.to_vec(), ..ClusterRole::default() }
}

fn role(namespace: &str, name: &str, rules: &[PolicyRule]) -> Role {
    Role { metadata: ObjectMeta::namespaced(namespace, name), rules: rules.to_vec(), ..Role::default() }
}

fn cluster_binding(name: &str, role: RoleRef, subjects: &[Subject]) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: ObjectMeta::named(name),
        subjects: subjects.to_vec(),
        role_ref: role,
        ..ClusterRoleBinding::default()
    }
}

fn binding(namespace: &str, name: &str, role: RoleRef, subjects: &[Subject]) -> RoleBinding {
    RoleBinding {
        metadata: ObjectMeta::namespaced(namespace, name),
        subjects: subjects.to_vec(),
        role_ref: role,
        ..RoleBinding::default()
    }
}

fn user(name: &str, groups: &[&str]) -> UserInfo {
    UserInfo {
        username: name.to_owned(),
        groups: groups.iter().map(ToString::to_string).collect(),
        ..UserInfo::default()
    }
}

fn get_pods(user: UserInfo, namespace: &str) -> Attributes {
    let target = ResourceTarget {
        namespace: namespace.to_owned(),
        resource: "pods".to_owned(),
        ..ResourceTarget::default()
    };
    Attributes { user, verb: "get".to_owned(), target: Target::Resource(target) }
}

fn pods() -> PolicyRule {
    PolicyRule::resources(&["get"], &[""], &["pods"])
}

#[test]
fn the_reason_names_the_first_binding_and_its_first_subject() {
    let account = || Subject::service_account("", "sa");
    let rbac = Rbac::new(RbacObjects {
        roles: vec![role("n", "r", &[pods()])],
        cluster_roles: vec![cluster_role("c", &[pods()]), cluster_role("none", &[])],
        role_bindings: vec![
            binding(
                "n",
                "b",
                RoleRef::role("r"),
                &[Subject::user("x"), Subject::group("g"), Subject::user("u")],
            ),
            binding("n", "a", RoleRef::cluster_role("c"), &[account(), Subject::service_account("m", "sa")]),
        ],
        cluster_role_bindings: vec![
            cluster_binding("z", RoleRef::cluster_role("c"), &[Subject::group("ops \"x\"")]),
            cluster_binding("a", RoleRef::cluster_role("none"), &[Subject::user("u")]),
            cluster_binding("sa", RoleRef::cluster_role("c"), &[account()]),
        ],
    });
    for (user, namespace, reason) in [
        (user("u", &["g"]), "n", r#"RBAC: allowed by RoleBinding "b/n" of Role "r" to Group "g""#),
        (user("u", &[]), "n", r#"RBAC: allowed by RoleBinding "b/n" of Role "r" to User "u""#),
        (
            user("u", &["g", "ops \"x\""]),
            "n",
            r#"RBAC: allowed by ClusterRoleBinding "z" of ClusterRole "c" to Group "ops \"x\"""#,
        ),
        (user("u", &["g"]), "m", ""),
        (user("u", &["g"]), "", ""),
        (
            user("system:serviceaccount:n:sa", &[]),
            "n",
            r#"RBAC: allowed by RoleBinding "a/n" of ClusterRole "c" to ServiceAccount "sa/n""#,
        ),
        (
            user("system:serviceaccount:m:sa", &[]),
            "n",
            r#"RBAC: allowed by RoleBinding "a/n" of ClusterRole "c" to ServiceAccount "sa/m""#,
        ),
        (user("system:serviceaccount::sa", &[]), "", ""),
        (user("U", &["G"]), "n", ""),
    ] {
        let verdict = rbac.authorize(&get_pods(user.clone(), namespace));
        assert_eq!(verdict.reason, reason, "{user:?} {namespace}");
        assert_eq!(verdict.is_allowed(), !reason.is_empty());
        assert_eq!(verdict.error, None);
    }
}

#[test]
fn a_cluster_role_in_a_role_binding_grants_its_namespace_only_and_no_paths() {
    let rbac = Rbac::new(RbacObjects {
        cluster_roles: vec![cluster_role("c", &[pods(), PolicyRule::non_resource(&["*"], &["*"])])],
        role_bindings: vec![binding("n", "b", RoleRef::cluster_role("c"), &[Subject::user("u")])],
        ..RbacObjects::default()
    });
    let path = Target::NonResource { path: "/healthz".to_owned() };
    let healthz = Attributes { user: user("u", &[]), verb: "get".to_owned(), target: path };
    assert!(rbac.authorize(&get_pods(user("u", &[]), "n")).is_allowed());
    assert!(!rbac.authorize(&get_pods(user("u", &[]), "m")).is_allowed());
    assert!(!rbac.authorize(&healthz).is_allowed());
}

#[test]
fn missing_roles_are_named_only_when_nothing_allows() {
    let odd = RoleRef { kind: "Odd".to_owned(), ..RoleRef::default() };
    let objects = RbacObjects {
        cluster_role_bindings: vec![
            cluster_binding("a", RoleRef::cluster_role("gone"), &[Subject::user("u")]),
            cluster_binding("b", RoleRef::cluster_role("gone"), &[Subject::user("u")]),
            cluster_binding("c", RoleRef::role("r"), &[Subject::user("u")]),
            cluster_binding("d", odd, &[Subject::group("g")]),
        ],
        ..RbacObjects::default()
    };
    let refused = |user| Rbac::new(objects.clone()).authorize(&get_pods(user, "n")).reason;
    assert_eq!(
        refused(user("u", &["g"])),
        r#"RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "r" not found, unsupported role reference kind: "Odd"]"#
    );
    assert_eq!(refused(user("x", &["g"])), r#"RBAC: unsupported role reference kind: "Odd""#);
    assert_eq!(refused(user("x", &[])), "");

    let mut allowed = objects.clone();
    allowed.cluster_roles.push(cluster_role("gone", &[pods()]));
    assert!(Rbac::new(allowed).authorize(&get_pods(user("u", &["g"]), "n")).is_allowed());
}

#[test]
fn rules_come_in_resolution_order_with_duplicates() {
    let rbac = Rbac::new(RbacObjects {
        roles: vec![role("n", "r", &[PolicyRule::resources(&["list"], &[""], &["pods"])])],
        cluster_roles: vec![cluster_role("c", &[pods(), PolicyRule::non_resource(&["get"], &["/x"])])],
        role_bindings: vec![binding(
            "n",
            "b",
            RoleRef::role("r"),
            &[Subject::group("g"), Subject::user("u")],
        )],
        cluster_role_bindings: vec![
            cluster_binding("2", RoleRef::cluster_role("gone"), &[Subject::group("g")]),
            cluster_binding("1", RoleRef::cluster_role("c"), &[Subject::user("u")]),
            cluster_binding("3", RoleRef::cluster_role("c"), &[Subject::user("u")]),
        ],
    });
    let resolved = rbac.rules_for(&user("u", &["g"]), "n");
    let texts: Vec<String> = resolved.rules.iter().map(crate::compact_text).collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    {APIGroups:[""], Resources:["pods"], Verbs:["get"]}
    {NonResourceURLs:["/x"], Verbs:["get"]}
    {APIGroups:[""], Resources:["pods"], Verbs:["get"]}
    {NonResourceURLs:["/x"], Verbs:["get"]}
    {APIGroups:[""], Resources:["pods"], Verbs:["list"]}
    "#);
    let status = resolved.review_status();
    assert_eq!(
        (status.resource_rules.len(), status.non_resource_rules.len(), status.incomplete),
        (3, 2, false)
    );
    assert_eq!(status.evaluation_error, r#"clusterrole.rbac.authorization.k8s.io "gone" not found"#);
    assert_eq!(rbac.rules_for(&user("u", &["g"]), "").rules.len(), 4);
}

#[test]
fn who_can_lists_every_subject_of_every_binding_that_counts() {
    let unknown = Subject { kind: "Robot".to_owned(), ..Subject::default() };
    let rbac = Rbac::new(RbacObjects {
        cluster_roles: vec![cluster_role("c", &[pods()]), cluster_role("other", &[])],
        role_bindings: vec![
            binding(
                "n",
                "b",
                RoleRef::cluster_role("c"),
                &[Subject::user("u"), Subject::service_account("", "sa")],
            ),
            binding("m", "b", RoleRef::cluster_role("c"), &[Subject::user("v")]),
        ],
        cluster_role_bindings: vec![
            cluster_binding("a", RoleRef::cluster_role("c"), &[Subject::group("g"), unknown]),
            cluster_binding("b", RoleRef::cluster_role("other"), &[Subject::group("h")]),
        ],
        ..RbacObjects::default()
    });
    let lines: Vec<String> = rbac
        .who_can("get", &get_pods(UserInfo::default(), "n").target)
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    ClusterRoleBinding a of ClusterRole c to Group g
    RoleBinding b/n of ClusterRole c to User u
    RoleBinding b/n of ClusterRole c to ServiceAccount sa/n
    ");
}

// ---- properties ----

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b", "*", "a/b"]).prop_map(ToOwned::to_owned)
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(name(), 0..3)
}

fn rule() -> impl Strategy<Value = PolicyRule> {
    (names(), names(), names(), names(), names()).prop_map(
        |(verbs, api_groups, resources, resource_names, non_resource_urls)| PolicyRule {
            verbs,
            api_groups,
            resources,
            resource_names,
            non_resource_urls,
        },
    )
}

fn subject() -> impl Strategy<Value = Subject> {
    let kind = prop::sample::select(vec!["User", "Group", "ServiceAccount", "Robot"]);
    (kind, name(), name()).prop_map(|(kind, name, namespace)| Subject {
        kind: kind.to_owned(),
        name,
        namespace,
        ..Subject::default()
    })
}

fn role_ref() -> impl Strategy<Value = RoleRef> {
    (prop::sample::select(vec!["Role", "ClusterRole", "Odd"]), name()).prop_map(|(kind, name)| RoleRef {
        kind: kind.to_owned(),
        name,
        ..RoleRef::default()
    })
}

prop_compose! {
    fn objects()(
        roles in prop::collection::btree_map((name(), name()), prop::collection::vec(rule(), 0..3), 0..4),
        cluster_roles in prop::collection::btree_map(name(), prop::collection::vec(rule(), 0..3), 0..4),
        bindings in prop::collection::btree_map((name(), name()), (role_ref(), prop::collection::vec(subject(), 0..4)), 0..8),
        cluster_bindings in prop::collection::btree_map(name(), (role_ref(), prop::collection::vec(subject(), 0..4)), 0..5),
    ) -> RbacObjects {
        RbacObjects {
            roles: roles.iter().map(|((namespace, name), rules)| role(namespace, name, rules)).collect(),
            cluster_roles: cluster_roles.iter().map(|(name, rules)| cluster_role(name, rules)).collect(),
            role_bindings: bindings.into_iter().map(|((namespace, name), (role, subjects))| binding(&namespace, &name, role, &subjects)).collect(),
            cluster_role_bindings: cluster_bindings.into_iter().map(|(name, (role, subjects))| cluster_binding(&name, role, &subjects)).collect(),
        }
    }
}

prop_compose! {
    fn attributes()(
        username in prop::sample::select(vec!["", "a", "b", "system:serviceaccount:a:a", "system:serviceaccount:b:*"]),
        groups in names(),
        verb in name(),
        resource in any::<bool>(),
        parts in (name(), name(), name(), name(), name()),
    ) -> Attributes {
        let (namespace, api_group, resource_name, subresource, name) = parts;
        Attributes {
            user: UserInfo { username: username.to_owned(), groups, ..UserInfo::default() },
            verb,
            target: if resource {
                Target::Resource(ResourceTarget { namespace, api_group, resource: resource_name, subresource, name, ..ResourceTarget::default() })
            } else {
                Target::NonResource { path: name }
            },
        }
    }
}

/// Every binding in order, as upstream walks them; the specification of the index.
fn scan(objects: &RbacObjects, attributes: &Attributes) -> (Option<String>, Vec<PolicyRule>) {
    let mut walk: Vec<(Option<&str>, &str, &[Subject], &RoleRef)> = Vec::new();
    walk.extend(
        objects.cluster_role_bindings.iter().map(|b| (None, &*b.metadata.name, &*b.subjects, &b.role_ref)),
    );
    walk.extend(
        objects
            .role_bindings
            .iter()
            .filter(|b| !attributes.namespace().is_empty() && b.metadata.namespace == attributes.namespace())
            .map(|b| (Some(&*b.metadata.namespace), &*b.metadata.name, &*b.subjects, &b.role_ref)),
    );
    walk.sort_by_key(|(namespace, name, ..)| (*namespace, *name));
    let mut reason = None;
    let mut all = Vec::new();
    for (namespace, name, subjects, role) in walk {
        let user = &attributes.user;
        let applies = subjects.iter().find(|subject| match subject.kind.as_str() {
            "User" => user.username == subject.name,
            "Group" => user.groups.contains(&subject.name),
            "ServiceAccount" => {
                let own =
                    if subject.namespace.is_empty() { namespace.unwrap_or("") } else { &subject.namespace };
                !own.is_empty() && user.username == format!("system:serviceaccount:{own}:{}", subject.name)
            }
            _ => false,
        });
        let Some(subject) = applies else { continue };
        let rules = match role.kind.as_str() {
            "Role" => objects
                .roles
                .iter()
                .find(|r| Some(&*r.metadata.namespace) == namespace && r.metadata.name == role.name)
                .map(|r| &r.rules),
            "ClusterRole" => {
                objects.cluster_roles.iter().find(|r| r.metadata.name == role.name).map(|r| &r.rules)
            }
            _ => None,
        };
        let rules = rules.map(Vec::as_slice).unwrap_or_default();
        all.extend(rules.iter().cloned());
        if reason.is_none()
            && rules.iter().any(|rule| rule_allows(rule, &attributes.verb, &attributes.target))
        {
            let place = namespace.map_or(name.to_owned(), |namespace| format!("{name}/{namespace}"));
            reason = Some(format!("{place} {} {}", subject.kind, subject.name));
        }
    }
    (reason, all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_scan_of_all_bindings_finds(objects in objects(), attributes in attributes()) {
        let (reason, rules) = scan(&objects, &attributes);
        let rbac = Rbac::new(objects);
        let found = rbac.explain(&attributes).map(|grant| format!("{} {} {}", grant.binding.path(), grant.subject.kind, grant.subject.name));
        prop_assert_eq!(found, reason);
        prop_assert_eq!(rbac.rules_for(&attributes.user, attributes.namespace()).rules, rules);
    }

    #[test]
    fn a_further_binding_never_takes_anything_away(objects in objects(), more in objects(), attributes in attributes()) {
        let before = Rbac::new(objects.clone()).authorize(&attributes).is_allowed();
        let mut grown = objects;
        for (number, mut binding) in more.role_bindings.into_iter().enumerate() {
            binding.metadata.name = format!("new {number}");
            grown.role_bindings.push(binding);
        }
        for (number, mut binding) in more.cluster_role_bindings.into_iter().enumerate() {
            binding.metadata.name = format!("new {number}");
            grown.cluster_role_bindings.push(binding);
        }
        prop_assert!(!before || Rbac::new(grown).authorize(&attributes).is_allowed());
    }

    #[test]
    fn who_can_names_exactly_those_whom_the_decision_allows(objects in objects(), attributes in attributes()) {
        let rbac = Rbac::new(objects);
        let user = &attributes.user;
        let listed = rbac.who_can(&attributes.verb, &attributes.target).iter().any(|grant| match grant.subject.kind.as_str() {
            "User" => user.username == grant.subject.name,
            "Group" => user.groups.contains(&grant.subject.name),
            _ => {
                let own = if grant.subject.namespace.is_empty() { grant.binding.namespace() } else { &grant.subject.namespace };
                user.username == format!("system:serviceaccount:{own}:{}", grant.subject.name)
            }
        });
        prop_assert_eq!(listed, rbac.authorize(&attributes).is_allowed());
    }

    #[test]
    fn rules_cover_themselves_and_nothing_is_lost_by_compacting(mut rules in prop::collection::vec(rule(), 0..4)) {
        // Validation refuses names beside paths; such a rule does not cover itself, upstream neither.
        rules.iter_mut().filter(|rule| !rule.non_resource_urls.is_empty()).for_each(|rule| rule.resource_names.clear());
        prop_assert_eq!(crate::covers(&rules, &rules), vec![]);
        let atoms: Vec<PolicyRule> = rules.iter().flat_map(crate::breakdown).collect();
        prop_assert_eq!(crate::covers(&crate::compact(&atoms), &rules), vec![]);
    }

    #[test]
    fn what_is_covered_is_allowed(owner in prop::collection::vec(rule(), 0..3), attributes in attributes()) {
        // The servant's atom is the request itself, where a request can be written as one.
        if let Target::Resource(target) = &attributes.target
            && target.subresource.is_empty() && !target.resource.contains('/')
        {
            let atom = PolicyRule::resources(&[&attributes.verb], &[&target.api_group], &[&target.resource]).names(&[&target.name]);
            if crate::covers(&owner, &[atom]).is_empty() {
                prop_assert!(owner.iter().any(|rule| rule_allows(rule, &attributes.verb, &attributes.target)));
            }
        }
    }
}

/// A user `oidc:jo` in the group `k8s-devs`, who wants to do something with pods in `shop`.
fn wants(verb: &str, resource: &str, name: &str, namespace: &str) -> Attributes {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let target = ResourceTarget {
        namespace: namespace.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        name: name.to_owned(),
        ..ResourceTarget::default()
    };
    let user = user("oidc:jo", &["k8s-devs", "system:authenticated"]);
    Attributes { user, verb: verb.to_owned(), target: Target::Resource(target) }
}

#[test]
fn what_nearly_allows_is_what_differs_in_one_thing() {
    let devs = || Subject::group("k8s-devs");
    let in_shop = |rule: PolicyRule, subject: Subject| RbacObjects {
        roles: vec![role("shop", "r", &[rule])],
        role_bindings: vec![binding("shop", "b", RoleRef::role("r"), &[subject])],
        ..RbacObjects::default()
    };
    let rule =
        |verbs: &[&str], groups: &[&str], resources: &[&str]| PolicyRule::resources(verbs, groups, resources);
    let delete = || wants("delete", "pods", "web", "shop");
    for (name, objects, attributes, expected) in [
        ("verb", in_shop(rule(&["get"], &[""], &["pods"]), devs()), delete(), "Verb"),
        ("name", in_shop(rule(&["delete"], &[""], &["pods"]).names(&["db"]), devs()), delete(), "Name"),
        (
            "a list of named ones",
            in_shop(rule(&["list"], &[""], &["pods"]).names(&["web"]), devs()),
            wants("list", "pods", "", "shop"),
            "Name",
        ),
        ("group", in_shop(rule(&["delete"], &["apps"], &["pods"]), devs()), delete(), "ApiGroup"),
        (
            "subresource",
            in_shop(rule(&["get"], &[""], &["pods"]), devs()),
            wants("get", "pods/log", "web", "shop"),
            "Resource",
        ),
        ("singular", in_shop(rule(&["delete"], &[""], &["pod"]), devs()), delete(), "Resource"),
        ("two things", in_shop(rule(&["get"], &["apps"], &["pods"]), devs()), delete(), ""),
        ("another resource", in_shop(rule(&["delete"], &[""], &["secrets"]), devs()), delete(), ""),
        (
            "namespace",
            in_shop(rule(&["delete"], &[""], &["pods"]), devs()),
            wants("delete", "pods", "web", "other"),
            "Namespace",
        ),
        (
            "all namespaces",
            in_shop(rule(&["list"], &[""], &["pods"]), devs()),
            wants("list", "pods", "", ""),
            "Scope",
        ),
        (
            "capitals",
            in_shop(rule(&["delete"], &[""], &["pods"]), Subject::group("K8s-Devs")),
            delete(),
            "k8s-devs Spelling",
        ),
        (
            "a path",
            in_shop(rule(&["delete"], &[""], &["pods"]), Subject::group("/k8s-devs")),
            delete(),
            "k8s-devs Spelling",
        ),
        (
            "a group's prefix",
            in_shop(rule(&["delete"], &[""], &["pods"]), Subject::group("oidc:k8s-devs")),
            delete(),
            "k8s-devs Prefix",
        ),
        (
            "a user's prefix",
            in_shop(rule(&["delete"], &[""], &["pods"]), Subject::user("jo")),
            delete(),
            "oidc:jo Prefix",
        ),
        (
            "a group as a user",
            in_shop(rule(&["delete"], &[""], &["pods"]), Subject::user("k8s-devs")),
            delete(),
            "k8s-devs Kind",
        ),
        ("a stranger", in_shop(rule(&["delete"], &[""], &["pods"]), Subject::group("ops")), delete(), ""),
        (
            "a role that is not there",
            RbacObjects {
                role_bindings: vec![binding("shop", "b", RoleRef::role("gone"), &[devs()])],
                ..RbacObjects::default()
            },
            delete(),
            "RoleIsMissing",
        ),
        ("allowed", in_shop(rule(&["*"], &["*"], &["*"]), devs()), delete(), ""),
    ] {
        let rbac = Rbac::new(objects);
        let said: Vec<_> = rbac
            .near_misses(&attributes)
            .iter()
            .map(|near| match &near.miss {
                Miss::Subject { own, likeness } => format!("{own} {likeness:?}"),
                other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
            })
            .collect();
        assert_eq!(said.join(", "), expected, "{name}");
    }
}

#[test]
fn near_misses_begin_with_the_likeliest_mistake() {
    let rule = PolicyRule::resources(&["delete"], &[""], &["pods"]);
    let rbac = Rbac::new(RbacObjects {
        cluster_roles: vec![cluster_role("c", std::slice::from_ref(&rule)), cluster_role("view", &[pods()])],
        role_bindings: vec![
            binding("other", "a", RoleRef::cluster_role("c"), &[Subject::group("k8s-devs")]),
            binding("shop", "b", RoleRef::cluster_role("view"), &[Subject::group("k8s-devs")]),
            binding("shop", "c", RoleRef::cluster_role("c"), &[Subject::group("oidc:k8s-devs")]),
            binding("shop", "d", RoleRef::role("gone"), &[Subject::user("oidc:jo")]),
        ],
        ..RbacObjects::default()
    });
    let attributes = wants("delete", "pods", "web", "shop");
    let near = rbac.near_misses(&attributes);
    let bindings: Vec<_> = near.iter().map(|near| near.binding.path().into_owned()).collect();
    assert_eq!(bindings, ["d/shop", "c/shop", "b/shop", "a/other"]);
}
