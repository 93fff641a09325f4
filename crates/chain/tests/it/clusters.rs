//! The cluster side: objects, files, and what the file says wrongly about them.

use std::sync::Mutex;

use kubesso_chain::{
    AccessFile, Action, Answer, ApiError, ChainName, Colours, Made, Plan, RestApi, SignInChange, Write,
    apply_grant, found_file, in_plan, read_grants,
};
use serde_json::{Value, json};

const FILE: &str = "
provider: {url: https://sso.example.com}
groups: [{name: k8s-admins}, {name: k8s-restricted-users}]
application: {label: k8s OIDC}
authorizationServer: {name: k8s-auth}
issuers: [{fromProvider: true, groups: {claim: groups, prefix: 'oidc:'}}]
grants:
- {group: k8s-admins, role: cluster-admin, name: oidc-cluster-admin}
- {group: k8s-restricted-users, role: pod-reader, namespace: default}
- {group: k8s-admins, role: nodes, rules: [{verbs: [get, list], resources: [nodes]}], clusters: [other]}
clusters: [{name: prod, for: kubeadm, context: admin}, {name: other}]
kubeconfig: {}
";

fn made() -> Made {
    Made {
        client_id: Some("0oa1".to_owned()),
        issuer: Some("https://sso.example.com/oauth2/aus1".to_owned()),
    }
}

fn no_file(_: &str) -> Result<String, String> {
    Err("there are no files".to_owned())
}

/// An API server of which only this is known: what it stores, and how writes come.
struct Cluster {
    objects: Mutex<Vec<(String, Value)>>,
    knows_apply: bool,
    calls: Mutex<Vec<String>>,
}

impl Cluster {
    fn new(knows_apply: bool) -> Self {
        Self { objects: Mutex::default(), knows_apply, calls: Mutex::default() }
    }
}

impl RestApi for Cluster {
    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        let refused = |status, said: &str| {
            Err(ApiError::Refused { method, path: path.to_owned(), status, said: said.to_owned() })
        };
        let mut objects = self.objects.lock().unwrap();
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        if method != "GET" {
            self.calls.lock().unwrap().push(format!("{method} {place}"));
        }
        let answer = |body: Value| Ok(Answer { body, ..Answer::default() });
        match method {
            "GET" if query.starts_with("labelSelector") => {
                let resource = place.rsplit('/').next().unwrap();
                let of = |path: &str| path.rsplit('/').nth(1) == Some(resource);
                let ours = |object: &Value| object["metadata"]["labels"]["kubesso.io/chain"] == "k8s";
                let items: Vec<Value> = objects
                    .iter()
                    .filter(|(path, object)| of(path) && ours(object))
                    .map(|(_, object)| object.clone())
                    .collect();
                answer(json!({ "items": items }))
            }
            "GET" => match objects.iter().find(|(path, _)| path == place) {
                Some((_, object)) => answer(object.clone()),
                None => refused(404, "not found"),
            },
            "DELETE" => {
                objects.retain(|(path, _)| path != place);
                answer(Value::Null)
            }
            "PATCH" if !self.knows_apply => refused(501, "this server has no server-side apply"),
            _ => {
                let mut object = body.unwrap().clone();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                let place = if method == "POST" { format!("{place}/{name}") } else { place.to_owned() };
                object["metadata"]["resourceVersion"] = json!("1");
                objects.retain(|(path, _)| *path != place);
                objects.push((place, object));
                answer(Value::Null)
            }
        }
    }
}

/// Plans and does; the steps in short.
async fn apply(cluster: &Cluster, text: &str) -> Vec<String> {
    let file = AccessFile::parse(text).unwrap();
    let chain = ChainName::default();
    let trust = file.whom_to_trust(&made(), None, no_file).unwrap().unwrap();
    let section = &file.clusters[0];
    let objects = file.grants_on(section, Some(&trust.access), &chain);
    let found = read_grants(cluster, section, &objects, &chain).await.unwrap();
    let wanted: Vec<_> = objects.iter().map(|object| object.wanted.clone()).collect();
    let plan = Plan::new(&wanted, &found).unwrap();
    for change in &plan.changes {
        let object = objects.iter().find(|object| object.wanted.address == change.address);
        let found = found.iter().find(|found| found.address == change.address);
        let is_replaced = change.action == Action::Replace;
        apply_grant(cluster, object, found, is_replaced, Write::ForReal).await.unwrap();
    }
    plan.changes.iter().map(|change| format!("{} {}", change.action.sign(), change.address)).collect()
}

#[tokio::test]
async fn grants_are_applied_once_and_a_binding_of_another_role_is_made_anew() {
    for knows_apply in [true, false] {
        let cluster = Cluster::new(knows_apply);
        assert_eq!(
            apply(&cluster, FILE).await,
            [
                "+ role \"pod-reader\" in \"default\" in \"prod\"",
                "+ cluster role binding \"oidc-cluster-admin\" in \"prod\"",
                "+ role binding \"oidc-k8s-restricted-users-pod-reader\" in \"default\" in \"prod\"",
            ]
        );
        let binding = cluster
            .objects
            .lock()
            .unwrap()
            .iter()
            .find(|(path, _)| path.ends_with("oidc-cluster-admin"))
            .unwrap()
            .1
            .clone();
        assert_eq!(binding["subjects"][0]["name"], "oidc:k8s-admins", "with the cluster's prefix");
        assert!(apply(&cluster, FILE).await.is_empty());

        cluster.calls.lock().unwrap().clear();
        let less = FILE.replace("role: cluster-admin", "role: view");
        let less =
            less.replace("- {group: k8s-restricted-users, role: pod-reader, namespace: default}\n", "");
        assert_eq!(
            apply(&cluster, &less).await,
            [
                "-/+ cluster role binding \"oidc-cluster-admin\" in \"prod\"",
                "- role binding \"oidc-k8s-restricted-users-pod-reader\" in \"default\" in \"prod\"",
                "- role \"pod-reader\" in \"default\" in \"prod\"",
            ]
        );
        let calls = cluster.calls.lock().unwrap().join("\n");
        assert!(
            calls.starts_with(
                "DELETE /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/oidc-cluster-admin\n"
            ),
            "{calls}"
        );
        assert!(apply(&cluster, &less).await.is_empty());
    }
}

#[test]
fn what_is_not_made_yet_is_known_after_apply_and_what_changed_is_shown_line_by_line() {
    let file = AccessFile::parse(FILE).unwrap();
    let files = |made: &Made| {
        let trust = file.whom_to_trust(made, None, no_file).unwrap().unwrap();
        file.clusters[0].files(Some(&trust), &[]).unwrap()
    };
    let first = Plan::new(&files(&Made::default()), &[]).unwrap().text(Colours::None);
    insta::assert_snapshot!(first);

    let before = files(&made());
    let found: Vec<_> = before
        .iter()
        .map(|wanted| match wanted.field("content") {
            Some(kubesso_chain::FieldValue::Known(Value::String(text))) => {
                found_file(wanted, "x", text.replace("0oa1", "0oa0"))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    insta::assert_snapshot!(Plan::new(&before, &found).unwrap().text(Colours::None));
}

#[test]
fn a_cluster_without_a_context_gets_its_grants_as_a_file() {
    let file = AccessFile::parse(FILE).unwrap();
    let chain = ChainName::default();
    let objects = file.grants_on(&file.clusters[1], None, &chain);
    let files = file.clusters[1].files(None, &objects).unwrap();
    assert_eq!(files.len(), 1);
    let Some(kubesso_chain::FieldValue::Known(Value::String(text))) = files[0].field("content") else {
        panic!("no text")
    };
    insta::assert_snapshot!(text);
}

#[test]
fn a_cluster_that_is_changed_from_here_gets_no_files_and_is_shown_line_by_line() {
    let file = AccessFile::parse(&FILE.replace("for: kubeadm", "for: kubeadm, apply: {}")).unwrap();
    let trust = file.whom_to_trust(&Made::default(), None, no_file).unwrap().unwrap();
    assert_eq!(file.clusters[0].files(Some(&trust), &[]).unwrap(), []);

    let request = file.clusters[0].request(&trust.access, None);
    let made = kubesso_clusters::Target::Kubeadm.instructions(&request).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let change = SignInChange {
        action: Action::Change,
        texts: vec![
            (
                "/etc/kubernetes/authn/authentication-config.yaml".to_owned(),
                None,
                Some(made.files[0].content.clone()),
            ),
            ("/etc/k".to_owned(), text("password: old\n- --a\n"), text("password: old\n- --a\n- --b\n")),
            ("/etc/gone".to_owned(), text("one\ntwo\n"), None),
        ],
        commands: vec![("Restart it.".to_owned(), "systemctl restart k".to_owned())],
        in_force: "the API server begins anew".to_owned(),
        notes: vec!["its next run takes it away".to_owned()],
    };
    let plan = in_plan("prod", Some(change), &[]);
    assert_eq!(plan.changes.len(), 1);
    insta::assert_snapshot!(plan.text(Colours::None));
    let nothing = in_plan("prod", None, &["it has not loaded it".to_owned()]);
    assert_eq!((nothing.is_empty(), nothing.unchanged), (true, 1));
    assert_eq!(nothing.notes, ["cluster \"prod\": it has not loaded it"]);
}

#[test]
fn what_is_wrong_about_clusters_is_named() {
    for (from, to, expected) in [
        ("for: kubeadm", "for: kubadm", "clusters[0].for: `kubadm` is not known"),
        ("name: other}", "name: prod}", "clusters[1].name: `prod` stands there twice"),
        ("name: other}", "name: ../x}", "clusters[1].name: `../x` cannot be the name of a folder"),
        ("context: admin", "kubernetesVersion: new", "clusters[0].kubernetesVersion: `new` is no version"),
        ("context: admin", "kubeconfig: x", "clusters[0].context: say which context"),
        ("for: kubeadm", "apply: {}", "clusters[0].apply: say which distribution it is"),
        ("for: kubeadm", "for: talos, apply: {}", "clusters[0].apply: Talos Linux is not changed from here"),
        ("for: kubeadm", "for: aks, apply: {}", "clusters[0].scope: name the resource group"),
        ("context: admin", "form: both", "clusters[0].form: use config or flags"),
        ("clusters: [other]", "clusters: [others]", "grants[2].clusters: `others` is not in `clusters`"),
        ("namespace: default", "name: x", "grants[1].namespace: pod-reader is a role of one namespace"),
        (
            "group: k8s-admins, role: c",
            "group: 'system:masters', role: c",
            "grants[0].group: `system:masters` is one of",
        ),
    ] {
        let error = AccessFile::parse(&FILE.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = AccessFile::parse("kubeconfig: {}").unwrap_err().to_string();
    assert!(error.starts_with("kubeconfig: it needs `application`"), "{error}");
    let eks = AccessFile::parse(&FILE.replace("for: kubeadm", "for: gke")).unwrap();
    let trust = eks.whom_to_trust(&Made::default(), None, no_file).unwrap().unwrap();
    let error = eks.clusters[0].files(Some(&trust), &[]).unwrap_err().to_string();
    assert!(error.starts_with("the cluster `prod`: ") && error.contains("instead: "), "{error}");
}
