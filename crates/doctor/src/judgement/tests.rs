use serde_json::{Value, json};

use crate::evidence::{AccessEvidence, Evidence, Person, PersonFrom, Question, RbacEvidence, ServerAnswer};
use crate::{Outcome, Report, examine};

/// `jo`, in `k8s-devs`, at a cluster with these roles and bindings.
fn evidence(rbac: &str, question: &str, server: Option<ServerAnswer>) -> Evidence {
    let mut given = RbacEvidence::default();
    given.add(rbac).unwrap();
    let question = Question::parse(question, "default").unwrap();
    Evidence {
        rbac: Some(given),
        access: vec![AccessEvidence { question, server: server.map(Ok) }],
        named_person: Some(Person::named("oidc:jo", &["k8s-devs".to_owned()], PersonFrom::Named)),
        ..Evidence::new("2026-11-22T08:00:00Z".parse().unwrap())
    }
}

/// One binding of one role.
fn one(namespace: &str, role: &str, rule: &Value, subject: &Value) -> String {
    let kind = if namespace.is_empty() { "Cluster" } else { "" };
    let metadata = |name: &str| match namespace {
        "" => json!({"name": name}),
        namespace => json!({"name": name, "namespace": namespace}),
    };
    let role_object = json!({"kind": format!("{kind}Role"), "metadata": metadata(role), "rules": [rule]});
    let binding = json!({
        "kind": format!("{kind}RoleBinding"), "metadata": metadata("devs"), "subjects": [subject],
        "roleRef": {"kind": format!("{kind}Role"), "name": role},
    });
    format!("{role_object}\n---\n{binding}\n")
}

fn rule(verbs: &[&str], resources: &[&str]) -> Value {
    json!({"apiGroups": [""], "resources": resources, "verbs": verbs})
}

fn group(name: &str) -> Value {
    json!({"kind": "Group", "name": name})
}

/// The first finding: its row, what it says, and the first line to change.
fn first(report: &Report) -> (String, String, String) {
    let checked = &report.checks[0];
    match &checked.outcome {
        Outcome::Finding(diagnosis) => {
            let line = diagnosis.mend.first().map(|mend| mend.line.clone());
            (checked.id.to_string(), diagnosis.said.clone(), line.unwrap_or_default())
        }
        other => panic!("no finding: {other:?}"),
    }
}

#[test]
fn a_refusal_is_explained_by_what_nearly_allows_it_and_mended_by_one_line() {
    let delete = "delete pods/web -n shop";
    let roles = [
        (
            one("shop", "dev", &rule(&["get"], &["pods"]), &group("k8s-devs")),
            delete,
            "KS030",
            "rules: [{apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"get\", \"delete\"]}] in Role shop/dev",
        ),
        (
            one("shop", "dev", &rule(&["delete"], &["pods"]), &group("oidc:k8s-devs")),
            delete,
            "KS028",
            "kubectl set subject rolebinding devs --group=k8s-devs -n shop",
        ),
        (
            one("shop", "dev", &rule(&["delete"], &["pods"]), &group("K8S-Devs")),
            delete,
            "KS029",
            "kubectl set subject rolebinding devs --group=k8s-devs -n shop",
        ),
        (
            one("shop", "dev", &rule(&["delete"], &["pods"]), &json!({"kind": "User", "name": "jo"})),
            delete,
            "KS027",
            "kubectl set subject rolebinding devs --user=oidc:jo -n shop",
        ),
        (
            one("shop", "dev", &rule(&["delete"], &["pods"]), &json!({"kind": "User", "name": "k8s-devs"})),
            delete,
            "KS030",
            "kubectl set subject rolebinding devs --group=k8s-devs -n shop",
        ),
        (
            one("other", "dev", &rule(&["delete"], &["pods"]), &group("k8s-devs")),
            delete,
            "KS030",
            "kubectl -n shop create role NAME --verb=delete --resource=pods --resource-name=web && kubectl -n shop create rolebinding NAME --role=NAME --group=k8s-devs",
        ),
        (
            one("", "pod-admin", &rule(&["delete"], &["pods"]), &group("ops")),
            delete,
            "KS030",
            "kubectl -n shop create role NAME --verb=delete --resource=pods --resource-name=web && kubectl -n shop create rolebinding NAME --role=NAME --group=k8s-devs",
        ),
        (
            one("shop", "dev", &rule(&["get"], &["pods"]), &group("k8s-devs")),
            "list nodes",
            "KS030",
            "kubectl create clusterrole NAME --verb=list --resource=nodes && kubectl create clusterrolebinding NAME --clusterrole=NAME --group=k8s-devs",
        ),
        (
            one("shop", "dev", &rule(&["create"], &["pods/exec"]), &group("k8s-devs")),
            "get pods/web/exec -n shop",
            "KS031",
            "rules: [{apiGroups: [\"\"], resources: [\"pods/exec\"], verbs: [\"get\", \"create\"]}]",
        ),
        (
            one("", "reader", &rule(&["get"], &["pods"]), &group("k8s-devs")),
            "get pods/web/log -n shop",
            "KS030",
            "rules: [{apiGroups: [\"\"], resources: [\"pods\", \"pods/log\"], verbs: [\"get\"]}] in ClusterRole reader",
        ),
        (
            one("", "view", &rule(&["get"], &["pods"]), &group("k8s-devs")),
            "get secrets -n shop",
            "KS030",
            "kubectl -n shop create role NAME --verb=get --resource=secrets && kubectl -n shop create rolebinding NAME --role=NAME --group=k8s-devs",
        ),
        (
            one("", "view", &rule(&["get"], &["pods"]), &group("k8s-devs")),
            delete,
            "KS030",
            "kubectl -n shop create role NAME --verb=delete --resource=pods --resource-name=web && kubectl -n shop create rolebinding NAME --role=NAME --group=k8s-devs",
        ),
    ];
    for (rbac, question, row, line) in roles {
        let report = examine(&evidence(&rbac, question, None));
        let (id, said, mend) = first(&report);
        assert_eq!((id.as_str(), mend.as_str()), (row, line), "{question}: {said}");
        assert_eq!(report.access[0].allowed, Some(false));
    }
}

#[test]
fn a_list_of_named_objects_and_a_role_that_is_gone_are_said_to_be_that() {
    let named =
        json!({"apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"], "verbs": ["list"]});
    let report =
        examine(&evidence(&one("shop", "dev", &named, &group("k8s-devs")), "list pods -n shop", None));
    assert!(first(&report).1.contains("resourceNames never allow it"), "{:?}", first(&report));
    let gone = json!({
        "kind": "RoleBinding", "metadata": {"name": "devs", "namespace": "shop"}, "subjects": [group("k8s-devs")],
        "roleRef": {"kind": "Role", "name": "gone"},
    });
    let report = examine(&evidence(&gone.to_string(), "list pods -n shop", None));
    let (id, said, mend) = first(&report);
    assert_eq!(
        (id.as_str(), mend.as_str()),
        ("KS030", "kubectl create role gone --verb=list --resource=pods -n shop")
    );
    assert!(said.contains("role.rbac.authorization.k8s.io \"gone\" not found"), "{said}");
    // A file of bindings alone does not have what every cluster has.
    let edit = json!({
        "kind": "RoleBinding", "metadata": {"name": "devs", "namespace": "shop"}, "subjects": [group("k8s-devs")],
        "roleRef": {"kind": "ClusterRole", "name": "edit"},
    });
    let (_, said, mend) = first(&examine(&evidence(&edit.to_string(), "list pods -n shop", None)));
    assert!(said.contains("what it allows is not known here") && mend.contains("--rbac"), "{said} {mend}");
}

#[test]
fn what_is_allowed_says_by_what() {
    for (rbac, subject) in [
        (
            one("shop", "dev", &rule(&["*"], &["pods"]), &group("k8s-devs")),
            "RoleBinding shop/devs gives Role shop/dev to Group k8s-devs",
        ),
        (
            one("", "dev", &rule(&["*"], &["*"]), &json!({"kind": "User", "name": "oidc:jo"})),
            "ClusterRoleBinding devs gives ClusterRole dev to User oidc:jo",
        ),
    ] {
        let report = examine(&evidence(&rbac, "delete pods/web -n shop", None));
        assert!(report.well, "{}", report.verdict);
        assert_eq!((report.access[0].allowed, report.access[0].by.as_deref()), (Some(true), Some(subject)));
    }
}

#[test]
fn the_api_servers_own_answer_counts_and_a_difference_is_told() {
    let allows = one("shop", "dev", &rule(&["delete"], &["pods"]), &group("k8s-devs"));
    let refuses = one("shop", "dev", &rule(&["get"], &["pods"]), &group("k8s-devs"));
    let answer =
        |allowed, reason: &str| ServerAnswer { allowed, reason: reason.to_owned(), error: String::new() };
    for (rbac, server, allowed, differs, said) in [
        (&allows, answer(true, "RBAC: allowed"), true, false, ""),
        (&refuses, answer(false, ""), false, false, "nothing lets oidc:jo"),
        (&allows, answer(false, "denied by policy"), false, true, "and the API server refuses it"),
        (&refuses, answer(true, "webhook"), true, true, "another authorizer does"),
    ] {
        let report = examine(&evidence(rbac, "delete pods/web -n shop", Some(server.clone())));
        let access = &report.access[0];
        assert_eq!((access.allowed, access.differs), (Some(allowed), differs), "{server:?}");
        assert_eq!(report.well, allowed, "{server:?}");
        if !said.is_empty() {
            assert!(first(&report).1.contains(said), "{:?}", first(&report));
        }
    }
}

#[test]
fn a_refusal_of_another_user_is_another_credential() {
    let text = "pods is forbidden: User \"kubernetes-admin\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";
    let rbac = one("shop", "dev", &rule(&["get"], &["pods"]), &group("k8s-devs"));
    let report = examine(&evidence(&rbac, text, None));
    assert!(
        report.checks.iter().any(|checked| checked.id.to_string() == "KS032" && checked.severity().is_some())
    );
    // Without anybody else it is about whom it names.
    let mut alone = evidence(&rbac, text, None);
    alone.named_person = None;
    let report = examine(&alone);
    assert_eq!((report.access[0].user.as_str(), report.access[0].allowed), ("kubernetes-admin", Some(false)));
}

#[test]
fn what_is_not_known_is_no_yes() {
    let rbac = one("shop", "dev", &rule(&["get"], &["pods"]), &group("k8s-devs"));
    let mut nothing = evidence(&rbac, "get pods -n shop", None);
    assert!(examine(&nothing).well);
    nothing.rbac = None;
    let report = examine(&nothing);
    assert_eq!((report.well, report.access[0].allowed), (false, None));
    assert!(report.verdict.starts_with("What was asked is not known"), "{}", report.verdict);
    nothing.access[0].server = Some(Err("SubjectAccessReview: 403 Forbidden".to_owned()));
    assert!(!examine(&nothing).well);
}
