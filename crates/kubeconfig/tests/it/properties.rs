//! What holds for every file and every edit.

use kubesso_kubeconfig::{Document, Place};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::generate::{Written, name, written, written_in};
use crate::kubectl::{Kubectl, comparable};

/// What another reader takes the text for.
fn read(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The places that edits are made at, as a list, the name in it, and keys.
type Spot = (&'static str, String, Vec<&'static str>);

fn spot() -> impl Strategy<Value = Spot> {
    prop_oneof![
        (name(), Just(vec!["user", "exec"])).prop_map(|(name, keys)| ("users", name, keys)),
        (name(), Just(vec!["user", "exec", "args"])).prop_map(|(name, keys)| ("users", name, keys)),
        (name(), Just(vec!["user", "token"])).prop_map(|(name, keys)| ("users", name, keys)),
        (name(), Just(vec!["user", "auth-provider", "config", "id-token"]))
            .prop_map(|(name, keys)| ("users", name, keys)),
        (name(), Just(vec!["user"])).prop_map(|(name, keys)| ("users", name, keys)),
        (name(), Just(vec!["cluster", "server"])).prop_map(|(name, keys)| ("clusters", name, keys)),
        (name(), Just(vec!["context", "user"])).prop_map(|(name, keys)| ("contexts", name, keys)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,20}".prop_map(Value::from),
        Just(json!("ä\n\u{85}\u{2028}\t\u{feff}\u{7f}")),
        proptest::collection::vec("[ -~]{0,9}", 0..4).prop_map(Value::from),
        Just(json!({})),
        Just(json!({"command": "/bin/k", "args": ["get-token", "--x=y: z", "12"], "env": null,
            "provideClusterInfo": false})),
        Just(json!({"a": {"b": [[1, 2], {"c": []}], "d": null}})),
    ]
}

fn place((list, name, keys): &Spot) -> Place {
    keys.iter().fold(Place::entry(*list, name.clone()), |place, key| place.key(*key))
}

/// The edit, written once more and simply.
fn put(root: &mut Value, (list, name, keys): &Spot, value: Value) {
    let list = root.as_object_mut().unwrap().entry(*list).or_insert(json!([]));
    let items = list.as_array_mut().unwrap();
    if !items.iter().any(|item| item["name"] == **name) {
        items.push(json!({ "name": name }));
    }
    let mut at = items.iter_mut().find(|item| item["name"] == **name).unwrap();
    for key in keys {
        if at.is_null() {
            *at = json!({});
        }
        at = at.as_object_mut().unwrap().entry(*key).or_insert(Value::Null);
    }
    *at = value;
}

fn take(root: &mut Value, (list, name, keys): &Spot) -> bool {
    let items = root.get_mut(*list).and_then(Value::as_array_mut);
    let Some(item) = items.and_then(|items| items.iter_mut().find(|item| item["name"] == **name)) else {
        return false;
    };
    let (last, way) = keys.split_last().unwrap();
    let holder = way.iter().try_fold(item, |at, key| at.get_mut(key));
    holder.and_then(Value::as_object_mut).is_some_and(|holder| holder.remove(*last).is_some())
}

/// What holds the last key of the spot.
fn holder<'a>(root: &'a Value, (list, name, keys): &Spot) -> Option<&'a Value> {
    let item = root.get(*list)?.as_array()?.iter().find(|item| item["name"] == **name)?;
    keys[..keys.len() - 1].iter().try_fold(item, |at, key| at.get(key))
}

/// Whether something is written for it: `null`, `{}` and `[]` make place, and then their line changes.
fn is_empty(value: &Value) -> bool {
    value.is_null() || *value == json!({}) || *value == json!([])
}

/// Whether an edit there only adds lines.
fn is_added(before: &Value, (list, name, keys): &Spot) -> bool {
    let Some(items) = before.get(*list) else { return true };
    let Some(mut at) = items.as_array().unwrap().iter().find(|item| item["name"] == **name) else {
        return !is_empty(items);
    };
    for key in keys {
        match at.get(key) {
            None => return true,
            Some(value) if is_empty(value) => return false,
            Some(value) => at = value,
        }
    }
    false
}

/// Whether all lines of one text are in another, in their order.
fn is_within(some: &str, all: &str) -> bool {
    let mut all = all.lines();
    some.lines().all(|line| all.any(|other| other == line))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// An entry that comes from another file with its comments.
    #[test]
    fn an_entry_as_it_is_written_elsewhere_says_what_it_says_and_everything_else_stays(
        from in written(),
        into in written(),
    ) {
        let (other, document) = (Document::parse(from.text).unwrap(), Document::parse(into.text).unwrap());
        for list in ["clusters", "contexts", "users"] {
            for item in from.value[list].as_array().into_iter().flatten() {
                let Some(name) = item["name"].as_str() else { continue };
                let place = Place::entry(list, name);
                let Some(excerpt) = other.excerpt(list, name) else { continue };
                let mut plain = document.clone();
                if document.has(&place) || plain.set(&place, item).is_err() {
                    continue;
                }
                let mut as_written = document.clone();
                as_written.set_as_written(&place, item, &excerpt).unwrap();
                prop_assert_eq!(read(as_written.text()), read(plain.text()), "{}", as_written.text());
                for comment in document.text().lines().filter(|line| line.trim_start().starts_with('#')) {
                    prop_assert!(as_written.text().contains(comment), "{comment:?} in\n{}", as_written.text());
                }
            }
        }
    }

    #[test]
    fn a_set_changes_the_value_there_and_nothing_else(
        Written { text, value: before, block } in written(), spot in spot(), new in value(),
    ) {
        let mut document = Document::parse(text.clone()).unwrap();
        prop_assert_eq!(read(&text), before.clone(), "the generator\n{}", text);
        let mut wanted = before.clone();
        put(&mut wanted, &spot, new.clone());
        document.set(&place(&spot), &new).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let after = document.text();
        prop_assert_eq!(read(after), wanted, "{}\nbecame\n{}", text, after);
        prop_assert_eq!(after.contains('\r'), text.contains('\r') && text.contains('\n'));
        if block && is_added(&before, &spot) {
            prop_assert!(is_within(&text, after), "{}\nbecame\n{}", text, after);
        }
        // Twice is once.
        let mut again = document.clone();
        again.set(&place(&spot), &new).unwrap();
        prop_assert_eq!(again.text(), document.text());
    }

    #[test]
    fn a_removal_takes_the_value_there_and_nothing_else(
        Written { text, value: before, block } in written(), spot in spot(),
    ) {
        let mut document = Document::parse(text.clone()).unwrap();
        let mut wanted = before;
        let was_there = take(&mut wanted, &spot);
        prop_assert_eq!(document.remove(&place(&spot)).unwrap_or_else(|error| panic!("{error}\n{text}")), was_there);
        prop_assert_eq!(read(document.text()), wanted, "{}\nbecame\n{}", text, document.text());
        if !was_there {
            prop_assert_eq!(document.text(), text);
        } else if block && !holder(&read(document.text()), &spot).is_some_and(is_empty) {
            prop_assert!(is_within(document.text(), &text), "{}\nbecame\n{}", text, document.text());
        }
    }

    #[test]
    fn what_was_added_can_be_removed_again_and_leaves_the_same_text(
        Written { text, value: before, .. } in written_in(true), new in value(),
    ) {
        if is_empty(&before["users"]) {
            return Ok(());
        }
        let spot = ("users", "brand-new".to_owned(), vec!["user"]);
        let mut document = Document::parse(text.clone()).unwrap();
        document.set(&place(&spot), &new).unwrap();
        prop_assert!(document.remove(&Place::entry("users", "brand-new")).unwrap());
        prop_assert_eq!(document.text(), text);
    }

    /// Whatever the text, nothing panics, and a refused edit leaves it.
    #[test]
    fn arbitrary_text_is_edited_rightly_or_not_at_all(
        pieces in proptest::collection::vec(piece(), 0..40), spot in spot(), new in value(),
    ) {
        let text = pieces.concat();
        let Ok(mut document) = Document::parse(text.clone()) else { return Ok(()) };
        let _ = document.config();
        if document.set(&place(&spot), &new).is_ok() {
            prop_assert!(Document::parse(document.text()).unwrap().has(&place(&spot)));
        } else {
            prop_assert_eq!(document.text(), &text);
        }
        let before = document.text().to_owned();
        if document.remove(&place(&spot)).is_ok() {
            prop_assert!(!document.has(&place(&spot)));
        } else {
            prop_assert_eq!(document.text(), before);
        }
        let shown = format!("{document:?}");
        prop_assert!(!shown.contains("s3cret"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What kubectl reads, it reads as we do, and so it is after an edit.
    #[test]
    fn kubectl_takes_a_file_as_we_do_before_and_after_an_edit(
        Written { text, .. } in written(), spot in spot(), new in value(),
    ) {
        let Some(kubectl) = Kubectl::find() else { return Ok(()) };
        let mut document = Document::parse(text.clone()).unwrap();
        prop_assert_eq!(same(&kubectl, &document), Some(true), "{}", text);
        document.set(&place(&spot), &new).unwrap();
        // What is set may be something that no kubeconfig has there: then kubectl must say so too.
        let readable = document.config().is_ok();
        prop_assert_eq!(same(&kubectl, &document), readable.then_some(true), "{}\nbecame\n{}", text, document.text());
    }

    #[test]
    fn arbitrary_text_that_kubectl_reads_is_read_as_kubectl_does(
        pieces in proptest::collection::vec(piece(), 0..40), spot in spot(), new in value(),
    ) {
        let Some(kubectl) = Kubectl::find() else { return Ok(()) };
        let text = pieces.concat();
        let Ok(mut document) = Document::parse(text.clone()) else { return Ok(()) };
        let before = same(&kubectl, &document);
        prop_assert_ne!(before, Some(false), "{:?}", text);
        if before.is_some() && document.set(&place(&spot), &new).is_ok() && document.config().is_ok() {
            prop_assert_eq!(same(&kubectl, &document), Some(true), "{:?} became {:?}", text, document.text());
        }
    }
}

/// Whether kubectl takes the text for the same; nothing if it cannot read it.
fn same(kubectl: &Kubectl, document: &Document) -> Option<bool> {
    let file = kubectl.file("config");
    std::fs::write(&file, document.text()).unwrap();
    let theirs = kubectl.view(file.as_os_str()).ok()?;
    Some(document.config().is_ok_and(|ours| comparable(ours) == theirs))
}

/// What YAML is made of.
fn piece() -> impl Strategy<Value = String> {
    let fixed = proptest::sample::select(vec![
        "users:",
        "users: ",
        "contexts:",
        "- ",
        "-",
        "name: a",
        "name: ",
        "user:",
        "user: ",
        "exec: ",
        "token: ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ", ",
        ": ",
        ":",
        "\n",
        "\n",
        "\n",
        "\n",
        "\r\n",
        " ",
        "  ",
        "  ",
        "    ",
        "\t",
        "# c",
        " # c",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "|",
        "|+",
        ">-",
        "'",
        "\"",
        "? ",
        "---\n",
        "...\n",
        "<<: ",
        "a",
        "b: c",
        "null",
        "~",
        "12",
        "yes",
        "s3cret",
        "\u{feff}",
        "é",
        "\\",
        "%YAML 1.2\n",
        "@",
        "\u{85}",
        "\u{2028}",
        "\0",
        "users:\n- name: a\n  user:\n    token: t\n",
        "users:\n- name: b\n",
    ]);
    prop_oneof![9 => fixed.prop_map(str::to_owned), 1 => any::<String>()]
}
