//! Several files changed together, another kubeconfig taken in, and one handed out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubesso_k8s_types::kubeconfig::{Config, ExecConfig, User};
use kubesso_kubeconfig::{
    Clash, Document, Editing, EditingError, EntryKind, Incoming, Kubeconfig, Locations, NotForOthers,
    Patience, Place, Purpose, Renames, hand_out, make_paths_absolute,
};
use serde_json::json;
use tempfile::TempDir;

const NO_PATIENCE: Patience = Patience { tries: 0, pause: Duration::ZERO };

/// Files of these names and contents, and the list of them.
fn files(contents: &[(&str, &str)]) -> (TempDir, Locations) {
    let home = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = contents.iter().map(|(name, _)| home.path().join(name)).collect();
    for (path, (_, content)) in paths.iter().zip(contents) {
        if *content != "-" {
            fs::write(path, content).unwrap();
        }
    }
    let list = std::env::join_paths(&paths).unwrap();
    (home, Locations::new(None, Some(&list), None))
}

fn open(locations: &Locations) -> Editing {
    Editing::open(locations, Purpose::Change, NO_PATIENCE).unwrap()
}

#[test]
fn what_is_there_changes_in_its_own_file_and_what_is_new_goes_where_kubectl_puts_it() {
    let one = "# one\nusers: [{name: u, user: {}}]\n";
    let two = "# two\nclusters:\n- name: k\n  cluster: {server: 'https://old'}\n";
    let (home, locations) = files(&[("one", one), ("two", two), ("gone", "-")]);
    let mut editing = open(&locations);
    let k = editing.kubeconfig().cluster("k").unwrap().file.clone();
    editing.set(&k, &Place::cluster("k").key("server"), "https://new").unwrap();
    let new = editing.default_file().unwrap();
    editing.set(&new, &Place::context("c"), json!({"cluster": "k", "user": "u"})).unwrap();
    editing.use_context("c").unwrap();
    assert!(editing.is_changed());
    let shown = editing.difference();
    assert!(
        shown.contains("-  cluster: {server: 'https://old'}\n+  cluster: {server: 'https://new'}"),
        "{shown}"
    );
    let saved = editing.save().unwrap();
    assert_eq!(saved.len(), 2);
    let read = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    assert_eq!(read("two"), two.replace("old", "new"));
    assert_eq!(
        read("one"),
        format!("{one}contexts:\n- context:\n    cluster: k\n    user: u\n  name: c\ncurrent-context: c\n")
    );
    assert!(!home.path().join("gone").exists());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "no lock is left");
}

#[test]
fn a_preview_locks_and_writes_nothing() {
    let (home, locations) = files(&[("one", "-")]);
    fs::write(home.path().join("one.lock"), "").unwrap();
    let mut editing = Editing::open(&locations, Purpose::Preview, NO_PATIENCE).unwrap();
    let file = editing.default_file().unwrap();
    editing.set(&file, &Place::user("u").key("token"), "s3cret").unwrap();
    let shown = editing.difference();
    let expected = "+apiVersion: v1\n+kind: Config\n+users:\n+- name: u\n+  user:\n+    token: [redacted]\n";
    assert!(shown.ends_with(expected), "{shown}");
    assert_eq!(editing.save().unwrap(), []);
    assert!(!home.path().join("one").exists());
}

#[test]
fn all_files_are_locked_until_the_end_and_a_locked_one_is_waited_for() {
    let (home, locations) = files(&[("one", ""), ("two", "")]);
    let editing = open(&locations);
    assert!(home.path().join("one.lock").exists() && home.path().join("two.lock").exists());
    let second = Editing::open(&locations, Purpose::Change, NO_PATIENCE).unwrap_err();
    assert!(second.to_string().contains("one.lock"), "{second}");
    drop(editing);
    assert!(!home.path().join("one.lock").exists());
}

#[test]
fn the_file_that_is_asked_for_may_be_new() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("deep/config");
    let locations = Locations::new(Some(&file), None, None);
    let mut editing = open(&locations);
    editing.set(&file, &Place::top("current-context"), "c").unwrap();
    editing.save().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "apiVersion: v1\nkind: Config\ncurrent-context: c\n");
    let nowhere = Editing::open(&Locations::new(None, None, None), Purpose::Change, NO_PATIENCE).unwrap();
    assert!(matches!(nowhere.default_file(), Err(EditingError::Nowhere)));
}

#[cfg(unix)]
#[test]
fn a_file_with_two_names_is_one_and_a_read_only_one_matters_only_if_it_changes() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let (home, locations) =
        files(&[("a", "users: [{name: u, user: {}}]\n"), ("b", "-"), ("fixed", "kind: Config\n")]);
    symlink(home.path().join("a"), home.path().join("b")).unwrap();
    let fixed = home.path().join("fixed");
    fs::set_permissions(&fixed, fs::Permissions::from_mode(0o444)).unwrap();
    let mut editing = open(&locations);
    editing.set(&home.path().join("b"), &Place::user("u").key("token"), "t").unwrap();
    let refused = editing.set(&fixed, &Place::top("current-context"), "c").unwrap_err();
    assert!(refused.to_string().contains("is read-only"), "{refused}");
    editing.save().unwrap();
    assert_eq!(fs::read_to_string(home.path().join("a")).unwrap(), "users: [{name: u, user: {token: t}}]\n");
    assert!(fs::symlink_metadata(home.path().join("b")).unwrap().is_symlink());
}

fn config(text: &str) -> Config {
    Document::parse(text).unwrap().config().unwrap()
}

fn kubeconfig(text: &str) -> Kubeconfig {
    let mut all = Kubeconfig::default();
    all.add_file(Path::new("/home/me/.kube/config"), config(text));
    all
}

const ADMIN: &str = "clusters: [{name: kubernetes, cluster: {server: 'https://one'}}]\n\
                     users: [{name: admin, user: {token: t}}]\n\
                     contexts: [{name: admin@kubernetes, context: {cluster: kubernetes, user: admin}}]\n\
                     current-context: admin@kubernetes\n";

fn clash(kind: EntryKind, old_name: &str, name: &str) -> Clash {
    Clash { kind, old_name: old_name.to_owned(), name: name.to_owned() }
}

#[test]
fn what_would_be_replaced_is_told_all_at_once_and_what_is_the_same_is_no_clash() {
    let there = kubeconfig(ADMIN);
    let same = Incoming::new(&there, config(ADMIN), &Renames::default()).unwrap();
    assert_eq!((same.clusters.len(), same.users.len(), same.contexts.len(), same.known.len()), (0, 0, 0, 3));
    let other = ADMIN.replace("https://one", "https://two").replace("token: t", "token: u");
    let clashes = Incoming::new(&there, config(&other), &Renames::default()).unwrap_err();
    assert_eq!(
        clashes,
        [clash(EntryKind::Cluster, "kubernetes", "kubernetes"), clash(EntryKind::User, "admin", "admin")]
    );
}

#[test]
fn renamed_entries_are_named_so_in_their_contexts_too() {
    let there = kubeconfig(ADMIN);
    let other = ADMIN.replace("https://one", "https://two");
    let prefix = Renames { prefix: "prod-".to_owned(), ..Renames::default() };
    let come = Incoming::new(&there, config(&other), &prefix).unwrap();
    assert_eq!(come.clusters[0].name, "prod-kubernetes");
    assert_eq!(
        (come.contexts[0].context.cluster.as_str(), come.contexts[0].context.user.as_str()),
        ("prod-kubernetes", "prod-admin")
    );
    assert_eq!(come.current_context.as_deref(), Some("prod-admin@kubernetes"));

    let mut names = Renames::default();
    names.names.insert((EntryKind::Cluster, "kubernetes".to_owned()), "two".to_owned());
    // The context says something else now, and its name is taken.
    let clashes = Incoming::new(&there, config(&other), &names).unwrap_err();
    assert_eq!(clashes, [clash(EntryKind::Context, "admin@kubernetes", "admin@kubernetes")]);
    names.names.insert((EntryKind::Context, "admin@kubernetes".to_owned()), "two".to_owned());
    let come = Incoming::new(&there, config(&other), &names).unwrap();
    assert_eq!((come.clusters[0].name.as_str(), come.contexts[0].name.as_str()), ("two", "two"));
    assert_eq!((come.users.len(), come.known.len()), (0, 1));

    // Two under one name.
    let two = "users: [{name: a, user: {token: t}}, {name: b, user: {token: u}}]\n";
    let mut names = Renames::default();
    names.names.insert((EntryKind::User, "b".to_owned()), "a".to_owned());
    let clashes = Incoming::new(&Kubeconfig::default(), config(two), &names).unwrap_err();
    assert_eq!(clashes, [clash(EntryKind::User, "b", "a")]);
}

#[cfg(unix)]
#[test]
fn paths_that_count_from_the_other_file_are_made_absolute() {
    let mut other = config(
        "clusters: [{name: k, cluster: {server: s, certificate-authority: pki/ca.crt}}]\n\
         users:\n- name: a\n  user: {client-certificate: ./a.crt, client-key: /abs/a.key, exec: {command: bin/p}}\n\
         - name: b\n  user: {exec: {command: kubectl}}\n",
    );
    let changed = make_paths_absolute(&mut other, Path::new("/srv/admin"));
    assert_eq!(
        changed,
        [
            "cluster \"k\": certificate-authority",
            "user \"a\": client-certificate",
            "user \"a\": exec.command"
        ]
    );
    assert_eq!(other.clusters[0].cluster.certificate_authority, "/srv/admin/pki/ca.crt");
    let user = &other.users[0].user;
    assert_eq!(user.client_key, "/abs/a.key");
    assert_eq!(user.exec.as_ref().unwrap().command, "/srv/admin/bin/p");
    assert_eq!(other.users[1].user.exec.as_ref().unwrap().command, "kubectl");
}

#[test]
fn what_is_handed_out_holds_the_authority_and_nothing_that_is_somebodys_own() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("ca.crt"), "PEM").unwrap();
    let exec = |more: &str| {
        format!("{{exec: {{command: kubectl, args: [oidc-login, get-token], apiVersion: v, x: y}}{more}}}")
    };
    let text = |user: &str| {
        format!(
            "clusters: [{{name: k, cluster: {{server: s, certificate-authority: ca.crt, extensions: []}}}}]\n\
             users: [{{name: a, user: {user}}}]\n\
             contexts: [{{name: c, context: {{cluster: k, user: a}}}}, {{name: lost, context: {{cluster: x, user: a}}}}]\n"
        )
    };
    let all = |user: &str| {
        let mut all = Kubeconfig::default();
        all.add_file(&home.path().join("config"), config(&text(user)));
        all
    };
    let made = hand_out(&all(&exec(", as: boss, future: 1")), &["c"]).unwrap();
    assert_eq!(made.current_context, "c");
    let cluster = made.cluster("k").unwrap();
    assert_eq!(
        (cluster.certificate_authority.as_str(), cluster.certificate_authority_data.bytes()),
        ("", &b"PEM"[..])
    );
    assert!(cluster.other.0.is_empty());
    let user = made.user("a").unwrap();
    assert_eq!(user.other.0.keys().collect::<Vec<_>>(), ["as"]);
    let expected = ExecConfig {
        api_version: "v".to_owned(),
        interactive_mode: None,
        ..ExecConfig::new("kubectl", vec!["oidc-login".to_owned(), "get-token".to_owned()])
    };
    assert_eq!(*user, User { exec: Some(expected), other: user.other.clone(), ..User::default() });

    for (user, said) in [
        (exec(", client-certificate-data: QQ=="), "a client certificate"),
        (exec(", token: t"), "a token"),
        (exec(", password: t, username: u"), "a user name and password"),
        ("{exec: {command: k, args: [--oidc-client-secret=x]}}".to_owned(), "a secret in its plugin's flags"),
        ("{exec: {command: k, env: [{name: A, value: x}]}}".to_owned(), "variables for its plugin"),
        ("{auth-provider: {name: oidc}}".to_owned(), "an auth provider"),
        ("{}".to_owned(), "has no credential plugin"),
    ] {
        let refused = hand_out(&all(&user), &["c"]).unwrap_err().to_string();
        assert!(refused.contains(said), "{user}: {refused}");
    }
    assert!(matches!(hand_out(&all(&exec("")), &["lost"]), Err(NotForOthers::NoCluster { .. })));
    fs::remove_file(home.path().join("ca.crt")).unwrap();
    assert!(matches!(hand_out(&all(&exec("")), &["c"]), Err(NotForOthers::Authority { .. })));
}
