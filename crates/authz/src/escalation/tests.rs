use kubesso_k8s_types::rbac::{AggregationRule, LabelSelector, Subject};

use super::*;
use crate::{Rbac, RbacObjects};

/// A cluster where group `admins` has everything, `devs` get pods, `escalators` may escalate and bind
/// named roles, and `broken` is bound to a role that does not exist.
fn rbac() -> Rbac {
    let role = |name: &str, rules: &[PolicyRule]| ClusterRole {
        metadata: ObjectMeta::named(name),
        rules: rules.to_vec(),
        ..ClusterRole::default()
    };
    let binding = |name: &str, role: &str, group: &str| ClusterRoleBinding {
        metadata: ObjectMeta::named(name),
        subjects: vec![Subject::group(group)],
        role_ref: RoleRef::cluster_role(role),
        ..ClusterRoleBinding::default()
    };
    Rbac::new(RbacObjects {
        cluster_roles: vec![
            role(
                "all",
                &[PolicyRule::resources(&["*"], &["*"], &["*"]), PolicyRule::non_resource(&["*"], &["*"])],
            ),
            role("pods", &[PolicyRule::resources(&["get"], &[""], &["pods"])]),
            role(
                "escalate",
                &[
                    PolicyRule::resources(&["escalate"], &[GROUP], &["roles", "clusterroles"]).names(&["r"]),
                    PolicyRule::resources(&["bind"], &[GROUP], &["clusterroles"]).names(&["all"]),
                ],
            ),
        ],
        cluster_role_bindings: vec![
            binding("admins", "all", "admins"),
            binding("devs", "pods", "devs"),
            binding("escalators", "escalate", "escalators"),
            binding("broken", "gone", "broken"),
        ],
        ..RbacObjects::default()
    })
}

fn check(group: &str, act: impl Fn(&Requester<'_>, &Rbac) -> Result<(), Box<Status>>) -> String {
    let rbac = rbac();
    let user = UserInfo { username: "u".to_owned(), groups: vec![group.to_owned()], ..UserInfo::default() };
    let rules = rbac.rules_for(&user, "");
    match act(&Requester { user: &user, authorizer: &rbac, rules: &rules }, &rbac) {
        Ok(()) => "ok".to_owned(),
        Err(status) => format!("{} {}", status.code, status.message),
    }
}

fn pods_role(verbs: &[&str]) -> Role {
    Role {
        metadata: ObjectMeta::namespaced("n", "r"),
        rules: vec![PolicyRule::resources(verbs, &[""], &["pods", "services"])],
        ..Role::default()
    }
}

#[test]
fn a_role_may_only_hold_what_its_writer_holds() {
    let create =
        |group: &str| check(group, |who, _| who.check_role("n", "", None, &pods_role(&["list", "get"])));
    assert_eq!(create("admins"), "ok");
    assert_eq!(create("system:masters"), "ok");
    insta::assert_snapshot!(create("devs"), @r#"
    403 roles.rbac.authorization.k8s.io "r" is forbidden: user "u" (groups=["devs"]) is attempting to grant RBAC permissions not currently held:
    {APIGroups:[""], Resources:["pods"], Verbs:["list"]}
    {APIGroups:[""], Resources:["services"], Verbs:["list" "get"]}
    "#);
    insta::assert_snapshot!(create("broken"), @r#"
    403 roles.rbac.authorization.k8s.io "r" is forbidden: user "u" (groups=["broken"]) is attempting to grant RBAC permissions not currently held:
    {APIGroups:[""], Resources:["pods"], Verbs:["list" "get"]}
    {APIGroups:[""], Resources:["services"], Verbs:["list" "get"]}; resolution errors: [clusterroles.rbac.authorization.k8s.io "gone" not found]
    "#);
}

#[test]
fn escalate_on_a_name_allows_to_update_but_not_to_create() {
    let role = pods_role(&["get"]);
    assert_eq!(check("escalators", |who, _| who.check_role("n", "r", Some(&role), &pods_role(&["*"]))), "ok");
    assert!(check("escalators", |who, _| who.check_role("n", "", None, &role)).starts_with("403"));
}

#[test]
fn changes_of_owners_and_finalizers_are_free() {
    let old = pods_role(&["*"]);
    let mut collected = old.clone();
    collected.metadata.finalizers.push("x/y".to_owned());
    assert_eq!(check("devs", |who, _| who.check_role("n", "r", Some(&old), &collected)), "ok");
    collected.metadata.labels.insert("a".to_owned(), "b".to_owned());
    assert!(check("devs", |who, _| who.check_role("n", "r", Some(&old), &collected)).starts_with("403"));
}

#[test]
fn aggregation_needs_everything_also_when_it_is_taken_away() {
    let plain = ClusterRole { metadata: ObjectMeta::named("c"), ..ClusterRole::default() };
    let with = |selectors: usize| ClusterRole {
        aggregation_rule: Some(AggregationRule {
            cluster_role_selectors: vec![LabelSelector::default(); selectors],
        }),
        ..plain.clone()
    };
    let refused = r#"403 clusterroles.rbac.authorization.k8s.io "c" is forbidden: must have cluster-admin privileges to use the aggregationRule"#;
    for (group, old, new, answer) in [
        ("devs", None, plain.clone(), "ok"),
        ("devs", None, with(0), "ok"),
        ("devs", None, with(1), refused),
        ("admins", None, with(1), "ok"),
        ("devs", Some(with(1)), plain.clone(), refused),
        ("devs", Some(with(1)), with(1), "ok"),
    ] {
        assert_eq!(check(group, |who, _| who.check_cluster_role("c", old.as_ref(), &new)), answer, "{new:?}");
    }
}

#[test]
fn a_binding_needs_bind_or_the_rules_of_its_role() {
    let bind = |group: &str, role: RoleRef| {
        check(group, |who, rbac| {
            let new = ClusterRoleBinding {
                metadata: ObjectMeta::named("b"),
                role_ref: role.clone(),
                ..ClusterRoleBinding::default()
            };
            who.check_cluster_role_binding(None, &new, rbac.role_rules(&role, ""))
        })
    };
    assert_eq!(bind("devs", RoleRef::cluster_role("pods")), "ok");
    assert_eq!(bind("escalators", RoleRef::cluster_role("all")), "ok");
    assert_eq!(bind("system:masters", RoleRef::cluster_role("gone")), "ok");
    assert_eq!(
        bind("devs", RoleRef::cluster_role("gone")),
        r#"404 clusterroles.rbac.authorization.k8s.io "gone" not found"#
    );
    insta::assert_snapshot!(bind("escalators", RoleRef::cluster_role("pods")), @r#"
    403 clusterrolebindings.rbac.authorization.k8s.io "b" is forbidden: user "u" (groups=["escalators"]) is attempting to grant RBAC permissions not currently held:
    {APIGroups:[""], Resources:["pods"], Verbs:["get"]}
    "#);
}

#[test]
fn a_role_binding_is_checked_in_its_namespace() {
    let new = RoleBinding {
        metadata: ObjectMeta::namespaced("n", "b"),
        role_ref: RoleRef::role("missing"),
        ..RoleBinding::default()
    };
    let write = |old: Option<&RoleBinding>| {
        check("devs", |who, rbac| who.check_role_binding("n", old, &new, rbac.role_rules(&new.role_ref, "n")))
    };
    assert_eq!(write(None), r#"404 roles.rbac.authorization.k8s.io "missing" not found"#);
    assert_eq!(write(Some(&new)), "ok");
}
