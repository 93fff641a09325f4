//! Odd files, edited in every way, by chance and one after the other: nothing else of them changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kubesso_k8s_types::kubeconfig::{Cluster, Context, ExecConfig};
use kubesso_kubeconfig::{Document, Place};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::kubectl::{Kubectl, comparable};

/// What can be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Every edit of the table is made.
    Edited,
    /// New entries come in; of what is there, some things cannot be changed alone, and say so.
    Some,
    /// kubectl reads it, and every edit is refused.
    Kept,
    /// It is no kubeconfig.
    Refused,
}

const FILES: &[(&str, Fate)] = &[
    ("anchored-entry.yaml", Fate::Some),
    ("anchors.yaml", Fate::Edited),
    ("bom.yaml", Fate::Edited),
    ("comments-everywhere.yaml", Fate::Edited),
    ("crlf.yaml", Fate::Edited),
    ("dash-alone.yaml", Fate::Edited),
    ("document-marks.yaml", Fate::Edited),
    ("duplicate-keys.yaml", Fate::Some),
    ("duplicate-names.yaml", Fate::Refused),
    ("empty.yaml", Fate::Edited),
    ("explicit-keys.yaml", Fate::Some),
    ("extensions.yaml", Fate::Edited),
    ("flow-all.yaml", Fate::Edited),
    ("flow.yaml", Fate::Edited),
    ("folded-authority.yaml", Fate::Edited),
    ("huge-authority.yaml", Fate::Edited),
    ("kubeconfig.json", Fate::Edited),
    ("merge-keys.yaml", Fate::Edited),
    ("minified.json", Fate::Edited),
    ("no-final-newline.yaml", Fate::Edited),
    ("not-a-kubeconfig.yaml", Fate::Refused),
    ("nothing-in-the-lists.yaml", Fate::Edited),
    ("only-comments.yaml", Fate::Edited),
    ("other-order.yaml", Fate::Edited),
    ("plain.yaml", Fate::Edited),
    ("quoted-keys.yaml", Fate::Edited),
    ("set-in.yaml", Fate::Edited),
    ("tab-indent.yaml", Fate::Refused),
    ("tabs-after-values.yaml", Fate::Edited),
    ("tabs.json", Fate::Edited),
    ("two-documents.yaml", Fate::Kept),
    ("unicode-names.yaml", Fate::Edited),
    ("unknown-fields.yaml", Fate::Edited),
    ("windows-paths.yaml", Fate::Edited),
];

fn content(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn readable() -> Vec<(&'static str, Fate)> {
    FILES.iter().copied().filter(|(_, fate)| *fate != Fate::Refused).collect()
}

/// What `kubesso kubeconfig` does to a file, one place at a time.
#[derive(Clone, Debug)]
enum Edit {
    Cluster(String),
    Context(String),
    User(String),
    Server(String),
    Exec,
    NoToken,
    Current(String),
    Gone(&'static str, String),
}

impl Edit {
    fn place(&self) -> Place {
        match self {
            Self::Cluster(name) => Place::cluster(name),
            Self::Context(name) => Place::context(name),
            Self::User(name) => Place::user(name),
            Self::Server(_) => Place::cluster("k").key("server"),
            Self::Exec => Place::user("a").key("exec"),
            Self::NoToken => Place::user("a").key("token"),
            Self::Current(_) => Place::top("current-context"),
            Self::Gone(list, name) => Place::entry(*list, name),
        }
    }

    fn value(&self) -> Option<Value> {
        let exec = || {
            let mut exec = ExecConfig::new(
                "/usr/local/bin/kubectl-oidc_login",
                ["get-token", "--oidc-issuer-url=https://i: #x", "--oidc-client-id=12"]
                    .map(str::to_owned)
                    .to_vec(),
            );
            exec.install_hint = "Get it.\nThen: again".to_owned();
            json!(exec)
        };
        Some(match self {
            Self::Cluster(name) => json!(Cluster { server: format!("https://{name}"), ..Cluster::default() }),
            Self::Context(name) => {
                json!(Context { cluster: "k".to_owned(), user: name.clone(), ..Context::default() })
            }
            Self::User(_) => json!({ "exec": exec() }),
            Self::Server(server) => json!(server),
            Self::Exec => exec(),
            Self::Current(name) => json!(name),
            Self::NoToken | Self::Gone(..) => return None,
        })
    }

    /// Makes it; whether it was made. One that is refused leaves the text as it is.
    fn make(&self, document: &mut Document) -> bool {
        let before = document.text().to_owned();
        let made = match self.value() {
            Some(value) => document.set(&self.place(), value),
            None => document.remove(&self.place()).map(drop),
        };
        if let Err(error) = &made {
            assert_eq!(document.text(), before, "{error}");
            assert!(!error.to_string().is_empty());
        }
        made.is_ok()
    }

    /// The same, to what another reader makes of the file.
    fn model(&self, root: &mut Value) {
        if root.is_null() {
            *root = json!({});
        }
        let keyed = |list: &'static str, name: &str, key: &'static str| (list, name.to_owned(), key);
        let (list, name, key) = match self {
            Self::Current(name) => {
                root["current-context"] = json!(name);
                return;
            }
            Self::Gone(list, name) => {
                if let Some(items) = root.get_mut(*list).and_then(Value::as_array_mut) {
                    items.retain(|item| item["name"] != **name);
                }
                return;
            }
            Self::NoToken => {
                let items = root.get_mut("users").and_then(Value::as_array_mut);
                let item = items.and_then(|items| items.iter_mut().find(|item| item["name"] == "a"));
                if let Some(user) = item.and_then(|item| item.get_mut("user")).and_then(Value::as_object_mut)
                {
                    user.remove("token");
                }
                return;
            }
            Self::Cluster(name) => keyed("clusters", name, "cluster"),
            Self::Server(_) => keyed("clusters", "k", "cluster"),
            Self::Context(name) => keyed("contexts", name, "context"),
            Self::User(name) => keyed("users", name, "user"),
            Self::Exec => keyed("users", "a", "user"),
        };
        let items = &mut root[list];
        if items.is_null() {
            *items = json!([]);
        }
        let items = items.as_array_mut().unwrap();
        if !items.iter().any(|item| item["name"] == *name) {
            items.push(json!({ "name": name }));
        }
        let item = items.iter_mut().find(|item| item["name"] == *name).unwrap();
        match (self, self.value()) {
            (Self::Server(_), Some(value)) => item[key]["server"] = value,
            (Self::Exec, Some(value)) => item[key]["exec"] = value,
            (_, Some(value)) => item[key] = value,
            (_, None) => {}
        }
    }
}

/// As kubectl, the other reader takes the last of two keys.
fn read(text: &str) -> Value {
    let options =
        serde_saphyr::options! { duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Nothing but the value changed, and the ways of the file stayed.
fn assert_kept(before: &str, after: &str, edit: &Edit) {
    let mut wanted = read(before);
    edit.model(&mut wanted);
    assert_eq!(read(after), wanted, "{edit:?}\n{before}\nbecame\n{after}");
    let comments = |text: &str| {
        text.lines()
            .filter_map(|line| Some(line.trim().to_owned()).filter(|it| it.starts_with('#')))
            .collect::<Vec<_>>()
    };
    if !matches!(edit, Edit::Gone(..)) {
        let now = comments(after);
        let mut rest = now.iter();
        let lost = comments(before).into_iter().find(|comment| !rest.any(|line| line == comment));
        assert_eq!(lost, None, "{edit:?}\n{before}\nbecame\n{after}");
    }
    assert_eq!(before.starts_with('\u{feff}'), after.starts_with('\u{feff}'));
    if before.contains("\r\n") {
        assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{after:?}");
    } else {
        assert!(!after.contains('\r'), "{after:?}");
    }
    if !before.is_empty() {
        assert_eq!(before.ends_with('\n'), after.ends_with('\n'), "{edit:?}\n{after}");
    }
}

/// One of each kind, of something new and of something that is there.
fn every_edit() -> Vec<Edit> {
    let new = "new name".to_owned();
    vec![
        Edit::Cluster(new.clone()),
        Edit::Context(new.clone()),
        Edit::User(new.clone()),
        Edit::Current(new),
        Edit::Server("https://elsewhere:6443".to_owned()),
        Edit::Exec,
        Edit::NoToken,
        Edit::Cluster("k".to_owned()),
        Edit::Context("c".to_owned()),
        Edit::User("a".to_owned()),
        Edit::Gone("users", "a".to_owned()),
        Edit::Gone("contexts", "c".to_owned()),
    ]
}

#[test]
fn every_file_has_its_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let there: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(there, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
}

#[test]
fn every_edit_of_every_file_changes_that_and_nothing_else_or_is_refused() {
    for (name, fate) in FILES {
        let text = content(name);
        let document = Document::parse(text.as_str());
        let is_kubeconfig = document.as_ref().is_ok_and(|document| document.config().is_ok());
        assert_eq!(is_kubeconfig, *fate != Fate::Refused, "{name}");
        if !is_kubeconfig {
            continue;
        }
        let document = document.unwrap();
        let (mut refused, mut changed) = (Vec::new(), 0);
        let edits = every_edit();
        for edit in &edits {
            let mut edited = document.clone();
            if edit.make(&mut edited) {
                if edited.text() != text {
                    changed += 1;
                    assert_kept(&text, edited.text(), edit);
                }
                let mut again = edited.clone();
                assert!(edit.make(&mut again));
                assert_eq!(again.text(), edited.text(), "{name}: a second time changes something");
            } else {
                refused.push(edit);
            }
        }
        match fate {
            Fate::Edited => assert!(refused.is_empty(), "{name}: {refused:?}"),
            Fate::Some => assert!(!refused.is_empty() && refused.len() < edits.len(), "{name}: {refused:?}"),
            Fate::Kept => assert!(changed == 0 && !refused.is_empty(), "{name}: {changed} changed it"),
            Fate::Refused => {}
        }
    }
}

#[test]
fn kubectl_reads_what_was_written_and_goes_on_editing_it() {
    let Some(kubectl) = Kubectl::find() else { return };
    let file = kubectl.file("config");
    for (name, _) in readable() {
        let mut document = Document::parse(content(name)).unwrap();
        for edit in every_edit().iter().take(6) {
            edit.make(&mut document);
        }
        fs::write(&file, document.text()).unwrap();
        let theirs = kubectl.view(file.as_os_str()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(comparable(document.config().unwrap()), theirs, "{name}\n{}", document.text());
        let contexts = kubectl.run(file.as_os_str(), &["config", "get-contexts", "-o", "name"]).unwrap();
        let ours: Vec<_> = theirs.contexts.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(contexts.lines().collect::<BTreeSet<_>>(), ours.into_iter().collect(), "{name}");
        // kubectl writes the whole file anew, and we read that.
        kubectl
            .run(file.as_os_str(), &["config", "set-context", "theirs", "--cluster=k", "--user=a"])
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let after = Document::parse(fs::read_to_string(&file).unwrap()).unwrap().config().unwrap();
        assert!(after.context("theirs").is_some(), "{name}");
        assert_eq!(after.clusters.len(), theirs.clusters.len(), "{name}");
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("k".to_owned()),
        Just("c".to_owned()),
        Just("a".to_owned()),
        Just("arn:aws:eks:eu-west-1:1:cluster/x".to_owned()),
        "[ -~äß日]{1,12}",
    ]
}

fn any_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any_name().prop_map(Edit::Cluster),
        any_name().prop_map(Edit::Context),
        any_name().prop_map(Edit::User),
        any_name().prop_map(Edit::Server),
        Just(Edit::Exec),
        Just(Edit::NoToken),
        any_name().prop_map(Edit::Current),
        any_name().prop_map(|name| Edit::Gone("users", name)),
        any_name().prop_map(|name| Edit::Gone("clusters", name)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn edits_one_after_the_other_change_what_they_say(
        which in 0..64_usize,
        edits in proptest::collection::vec(any_edit(), 1..6),
    ) {
        let files = readable();
        let (name, _) = files[which % files.len()];
        let mut document = Document::parse(content(name)).unwrap();
        for edit in edits {
            let before = document.text().to_owned();
            if edit.make(&mut document) && document.text() != before {
                assert_kept(&before, document.text(), &edit);
            }
        }
    }
}
