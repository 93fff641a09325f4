//! Files as people write them, read by kubectl and by us, before and after an edit.

use std::ffi::OsStr;
use std::fs;

use kubesso_k8s_types::kubeconfig::{Config, ExecConfig};
use kubesso_kubeconfig::{Document, Kubeconfig, Locations, LockedFile, Patience, Place};
use serde_json::json;

use crate::kubectl::{Kubectl, comparable};

/// Oddities that kubectl reads.
const FILES: &[&str] = &[
    "",
    "\n\n",
    "# only a comment\n",
    "---\n",
    "{}",
    "null\n",
    "\u{feff}users: []\n",
    "users: null\nclusters: ~\ncontexts:\n",
    "current-context: c\r\nusers:\r\n- name: a\r\n  user: {token: t}\r\n",
    "{\"users\": [{\"name\": \"a\\u00e4\", \"user\": {\"token\": \"a\\\"c\"}}], \"current-context\": \"x\"}",
    "{\n\t\"users\": [\n\t\t{\"name\": \"a\", \"user\": {\"token\": \"t\"}}\n\t]\n}\n",
    "users:\n  - name: 'a'\n    user:\n      \"token\": \"t\"\n      future: [1, {x: y}]\n",
    "users:\n- name: a\n  user: &u\n    token: t\n- name: b\n  user: *u\n- name: c\n  user:\n    <<: *u\n    username: x\n",
    "users:\n- user:\n    token: one\n    token: two\n  name: a\n",
    "x: &x {username: merged, password: p}\nusers:\n- name: a\n  user: {username: before, <<: *x}\n",
    "users:\n- name: a\n  user:\n    token: |\n      t\n    exec:\n      command: >-\n        a\n        b\n      args: [a, 'b',\n        \"c\"]\n      env:\n      - {name: NAME, value: !!str 1}\n      apiVersion: client.authentication.k8s.io/v1beta1\n",
    "clusters:\n- cluster:\n    server: https://k\n    insecure-skip-tls-verify: yes\n    certificate-authority-data: |\n      QUJD\n      REVG\n  name: k\n",
    "contexts:\n- context: {cluster: k, user: u, namespace: \"12\"}\n  name: c\ncurrent-context: c\n---\ncurrent-context: d\n",
    "users:\n- name: a\n  user:\n    auth-provider:\n      name: oidc\n      config:\n        id-token: x\n        idp-issuer-url: https://i\n",
    "users:\n- name: a\n  user:\n    token: !!str 12\n    username: 2026-11-22\n    password: 'it''s'\n",
    "users:\n-\n  name: a\n  user:\n- # second\n  name: b\n",
    "? users\n: - name: a\n    user: {token: t}\n",
    "users: [{name: a, user: {token: t}},]\n",
    "apiVersion: v1\nkind: Config\npreferences: {}\n",
    "users:\n- name: a\n  user:\n    token: |\n      t",
    "users:\n- name: a\n  user:\n    token: |+\n      t\n\n",
    "users:\n- name: \"\"\n  user: {token: t}\n",
];

/// Files that kubectl refuses.
const REFUSED: &[&str] = &[
    "users: text\n",
    "- a\n",
    "current-context: 12\n",
    "current-context: yes\n",
    "users:\n- name: a\n  user: {token: 12}\n",
    "users:\n- name: a\n- name: a\n",
    "users:\n\t- name: a\n",
    "kind: Secret\napiVersion: v1\n",
    "clusters:\n- name: k\n  cluster: {certificate-authority-data: '!'}\n",
    "a: *nowhere\n",
    "users:\n- name: a\n  user: &u {x: *u}\n",
    "x: .nan\n",
    "users: [\n",
];

#[test]
fn every_file_says_what_kubectl_takes_it_for_before_and_after_an_edit() {
    let Some(kubectl) = Kubectl::find() else { return };
    let file = kubectl.file("config");
    let mut edited = 0;
    for text in FILES {
        fs::write(&file, text).unwrap();
        let theirs = kubectl.view(file.as_os_str()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let ours = Document::parse(*text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(comparable(ours.config().unwrap()), theirs, "{text}");

        let exec = ExecConfig::new("/bin/kubesso", vec!["get-token".into(), "--a=b: #c".into()]);
        let mut locked = LockedFile::open(&file, Patience::default()).unwrap();
        let place = Place::user("a").key("exec");
        if let Err(error) = locked.document_mut().set(&place, &exec) {
            println!("{error}: {text:?}");
            continue;
        }
        edited += 1;
        locked.save().unwrap();
        let mut wanted = theirs;
        match wanted.users.iter_mut().find(|entry| entry.name == "a") {
            Some(entry) => entry.user.exec = Some(exec),
            None => wanted.set_user(
                "a",
                kubesso_k8s_types::kubeconfig::User { exec: Some(exec), ..Default::default() },
            ),
        }
        let changed = fs::read_to_string(&file).unwrap();
        assert_eq!(kubectl.view(file.as_os_str()).unwrap(), comparable(wanted), "{changed}");
    }
    // The others: an alias, a second document, and a block scalar that would get its missing line break.
    assert_eq!(edited, FILES.len() - 3);
}

#[test]
fn what_kubectl_refuses_we_refuse() {
    let Some(kubectl) = Kubectl::find() else { return };
    let file = kubectl.file("config");
    for text in REFUSED {
        fs::write(&file, text).unwrap();
        let theirs = kubectl.view(file.as_os_str());
        assert!(theirs.is_err(), "kubectl reads {text:?}");
        let ours = Document::parse(*text).map(|document| document.config());
        assert!(!matches!(ours, Ok(Ok(_))), "we read {text:?}");
    }
}

#[test]
fn lists_of_files_are_merged_alike() {
    let Some(kubectl) = Kubectl::find() else { return };
    let one = "current-context: c1\ncontexts: [{name: c1, context: {user: u, cluster: k}}]\nusers: [{name: u, user: {token: one}}]\n";
    let two = "current-context: c2\ncontexts: [{name: c1, context: {user: v, namespace: ns}}, {name: c2, context: {user: v}}]\nusers: [{name: u, user: {username: two}}, {name: v, user: {tokenFile: f}}]\n";
    fs::write(kubectl.file("one"), one).unwrap();
    fs::write(kubectl.file("two"), two).unwrap();
    fs::write(kubectl.file("empty"), "").unwrap();
    fs::create_dir(kubectl.file(".kube")).unwrap();
    fs::write(kubectl.file(".kube/config"), two).unwrap();
    let lists: &[&[&str]] = &[
        &["one", "two"],
        &["two", "one"],
        &["empty", "two", "one", "two"],
        &["missing", "one"],
        &["", "one", ""],
        &["missing"],
        &[],
    ];
    for names in lists {
        let paths = names.iter().map(|name| if name.is_empty() { "".into() } else { kubectl.file(name) });
        let list = std::env::join_paths(paths).unwrap();
        let ours = Kubeconfig::load(&Locations::new(None, Some(&list), Some(kubectl.home()))).unwrap();
        let current = kubectl.run(&list, &["config", "current-context"]);
        assert_eq!(ours.current_context(), current.as_deref().ok().map(str::trim_end), "{names:?}");
        assert_eq!(comparable(together(&ours)), kubectl.view(&list).unwrap(), "{names:?}");
    }
}

#[test]
fn what_is_new_goes_where_kubectl_puts_it() {
    let lists: &[&[&str]] = &[&["a"], &["a", "b"], &["missing", "b"], &["missing", "missing2"]];
    for names in lists {
        let Some(kubectl) = Kubectl::find() else { return };
        for name in ["a", "b"] {
            fs::write(kubectl.file(name), "").unwrap();
        }
        let list = std::env::join_paths(names.iter().map(|name| kubectl.file(name))).unwrap();
        let locations = Locations::new(None, Some(&list), None);
        let ours = locations.default_file().unwrap().to_owned();
        kubectl.run(&list, &["config", "set-credentials", "new", "--token=t"]).unwrap();
        assert!(fs::read_to_string(&ours).unwrap().contains("name: new"), "{names:?}");
    }
}

#[test]
fn kubectl_waits_for_our_lock_as_we_wait_for_its() {
    let Some(kubectl) = Kubectl::find() else { return };
    let file = kubectl.file("config");
    let mut locked = LockedFile::open(&file, Patience::default()).unwrap();
    let refused = kubectl.run(file.as_os_str(), &["config", "set-credentials", "new", "--token=t"]);
    assert!(refused.unwrap_err().contains("config.lock"));
    locked.document_mut().set(&Place::top("current-context"), json!("c")).unwrap();
    locked.save().unwrap();
    kubectl.run(OsStr::new(&file), &["config", "set-credentials", "new", "--token=t"]).unwrap();
}

/// As one file.
fn together(all: &Kubeconfig) -> Config {
    let current_context = all.current_context().unwrap_or_default().to_owned();
    let mut config = Config { current_context, ..Config::default() };
    all.clusters().iter().for_each(|entry| config.set_cluster(&entry.name, entry.value.clone()));
    all.contexts().iter().for_each(|entry| config.set_context(&entry.name, entry.value.clone()));
    all.users().iter().for_each(|entry| config.set_user(&entry.name, entry.value.clone()));
    config
}
