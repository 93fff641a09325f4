//! What an edit leaves of a file, to the byte.

use kubesso_k8s_types::kubeconfig::ExecConfig;
use kubesso_kubeconfig::{Document, EditError, Place};
use serde_json::{Value, json};

/// The text after a value was set.
fn set(text: &str, place: &Place, value: &Value) -> String {
    let mut document = Document::parse(text).unwrap();
    document.set(place, value).unwrap_or_else(|error| panic!("{error}\n{text}"));
    document.text().to_owned()
}

fn removed(text: &str, place: &Place) -> String {
    let mut document = Document::parse(text).unwrap();
    assert!(
        document.remove(place).unwrap_or_else(|error| panic!("{error}\n{text}")),
        "nothing was there\n{text}"
    );
    document.text().to_owned()
}

fn exec() -> Place {
    Place::user("oidc").key("exec")
}

#[test]
fn values_are_set_where_they_are_and_nothing_else_moves() {
    let token = Place::user("a").key("token");
    let context = Place::top("current-context");
    let cases = [
        // The style stays as far as it can.
        (
            "users:\n- name: a\n  user: {token: old} # c\n",
            &token,
            json!("new"),
            "users:\n- name: a\n  user: {token: new} # c\n",
        ),
        (
            "users:\n- name: a\n  user: {token: 'old'}\n",
            &token,
            json!("it's"),
            "users:\n- name: a\n  user: {token: 'it''s'}\n",
        ),
        ("current-context: 'old'  # mine\n", &context, json!("it's"), "current-context: 'it''s'  # mine\n"),
        ("current-context: \"old\"\n", &context, json!("new"), "current-context: \"new\"\n"),
        ("current-context: old\n", &context, json!("yes"), "current-context: \"yes\"\n"),
        ("current-context: old\n", &context, json!("a\nb"), "current-context: \"a\\nb\"\n"),
        (
            "current-context: |\n  old\nkind: Config\n",
            &context,
            json!("new"),
            "current-context: new\nkind: Config\n",
        ),
        (
            "current-context: >-\n  o\n\n  ld\n\n# c\nkind: Config\n",
            &context,
            json!("new"),
            "current-context: new\n\n# c\nkind: Config\n",
        ),
        (
            "current-context:\n  old # c\nkind: Config\n",
            &context,
            json!("new"),
            "current-context: new\n  # c\nkind: Config\n",
        ),
        (
            "current-context:\n  old\nkind: Config\n",
            &context,
            json!("new"),
            "current-context: new\nkind: Config\n",
        ),
        ("\"current-context\" : old\n", &context, json!("new"), "\"current-context\" : new\n"),
        (
            "current-context:\n- a\n- b # c\nkind: Config\n",
            &context,
            json!("new"),
            "current-context: new\n# c\nkind: Config\n",
        ),
        // Nothing was written there.
        ("current-context:\nkind: Config\n", &context, json!("new"), "current-context: new\nkind: Config\n"),
        ("current-context:   # none\n", &context, json!("new"), "current-context: new   # none\n"),
        ("current-context: ~ # none\n", &context, json!("new"), "current-context: new # none\n"),
        ("kind: Config # last", &context, json!("new"), "kind: Config # last\ncurrent-context: new"),
        (
            "kind: Config\r\n# end\r\n",
            &context,
            json!("new"),
            "kind: Config\r\ncurrent-context: new\r\n# end\r\n",
        ),
        ("", &context, json!("new"), "current-context: new\n"),
        ("# mine", &context, json!("new"), "# mine\ncurrent-context: new\n"),
        ("---\n", &context, json!("new"), "---\ncurrent-context: new\n"),
        ("--- ~\n", &context, json!("new"), "--- \ncurrent-context: new\n"),
        ("\u{feff}kind: Config\n", &context, json!("new"), "\u{feff}kind: Config\ncurrent-context: new\n"),
        ("\u{feff}", &context, json!("new"), "\u{feff}current-context: new\n"),
        // The same again is no change.
        (
            "current-context:    new  # as it is\n",
            &context,
            json!("new"),
            "current-context:    new  # as it is\n",
        ),
    ];
    for (text, place, value, expected) in cases {
        assert_eq!(set(text, place, &value), expected, "{text:?}");
    }
}

#[test]
fn a_stanza_is_added_in_the_way_of_the_file() {
    let value = json!({"command": "/bin/k", "args": ["get-token", "--a=b: c"], "env": null});
    let cases = [
        // kubectl's own style
        (
            "users:\n- name: a\n  user:\n    token: t # keep\n\n# the end\n",
            "users:\n- name: a\n  user:\n    token: t # keep\n- name: oidc\n  user:\n    exec:\n      args:\n      - get-token\n      - \"--a=b: c\"\n      command: /bin/k\n      env: null\n\n# the end\n",
        ),
        // Dashes set in, and four blanks a level.
        (
            "users:\n    - name: oidc\n      user:\n          token: t\n",
            "users:\n    - name: oidc\n      user:\n          token: t\n          exec:\n              args:\n                  - get-token\n                  - \"--a=b: c\"\n              command: /bin/k\n              env: null\n",
        ),
        (
            "users: []  # none yet\n",
            "users:  # none yet\n- name: oidc\n  user:\n    exec:\n      args:\n      - get-token\n      - \"--a=b: c\"\n      command: /bin/k\n      env: null\n",
        ),
        (
            "users: null\nkind: Config\n",
            "users:\n- name: oidc\n  user:\n    exec:\n      args:\n      - get-token\n      - \"--a=b: c\"\n      command: /bin/k\n      env: null\nkind: Config\n",
        ),
        (
            "users:\nkind: Config\n",
            "users:\n- name: oidc\n  user:\n    exec:\n      args:\n      - get-token\n      - \"--a=b: c\"\n      command: /bin/k\n      env: null\nkind: Config\n",
        ),
        (
            "users:\n- name: oidc\n  user: {}\n",
            "users:\n- name: oidc\n  user:\n    exec:\n      args:\n      - get-token\n      - \"--a=b: c\"\n      command: /bin/k\n      env: null\n",
        ),
        (
            "users:\n- {name: oidc, user: {token: t}}\n",
            "users:\n- {name: oidc, user: {token: t, exec: {args: [get-token, \"--a=b: c\"], command: /bin/k, env: null}}}\n",
        ),
        (
            "{\"users\": []}",
            "{\"users\": [{\"name\": \"oidc\", \"user\": {\"exec\": {\"args\": [\"get-token\", \"--a=b: c\"], \"command\": \"/bin/k\", \"env\": null}}}]}",
        ),
        (
            "{\n  \"kind\": \"Config\",\n  \"users\": [\n    {\n      \"name\": \"oidc\"\n    }\n  ]\n}\n",
            "{\n  \"kind\": \"Config\",\n  \"users\": [\n    {\n      \"name\": \"oidc\",\n      \"user\": {\n        \"exec\": {\n          \"args\": [\n            \"get-token\",\n            \"--a=b: c\"\n          ],\n          \"command\": \"/bin/k\",\n          \"env\": null\n        }\n      }\n    }\n  ]\n}\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(set(text, &exec(), &value), expected, "{text}");
    }
}

#[test]
fn of_a_stanza_that_is_there_only_the_difference_is_written() {
    let text = "users:\n- name: oidc   # me\n  user:\n    exec:\n      command: kubectl # by hand\n      # which provider\n      args:\n      - oidc-login\n      # and how\n      - \"get-token\"\n      apiVersion: 'client.authentication.k8s.io/v1beta1'\n      future: 1\n      provideClusterInfo: false\n";
    let mut document = Document::parse(text).unwrap();
    let exec_config = ExecConfig::new("/bin/k", vec!["oidc-login".into(), "get-token".into(), "-v1".into()]);
    document.set(&exec(), &exec_config).unwrap();
    assert_eq!(
        document.text(),
        "users:\n- name: oidc   # me\n  user:\n    exec:\n      command: /bin/k # by hand\n      # which provider\n      args:\n      - oidc-login\n      # and how\n      - \"get-token\"\n      - -v1\n      apiVersion: 'client.authentication.k8s.io/v1'\n      provideClusterInfo: false\n      env: null\n      interactiveMode: IfAvailable\n"
    );
    assert_eq!(document.config().unwrap().user("oidc").unwrap().exec, Some(exec_config));
}

#[test]
fn what_is_removed_takes_its_own_lines_and_no_others() {
    let token = Place::user("a").key("token");
    let entry = Place::entry("users", "a");
    let cases = [
        (
            "users:\n- name: a\n  user:\n    # c\n    token: t # t\n    x: 1\n",
            &token,
            "users:\n- name: a\n  user:\n    # c\n    x: 1\n",
        ),
        ("users:\n- name: a\n  user:\n    token: t\n", &token, "users:\n- name: a\n  user: {}\n"),
        (
            "users:\n- name: a\n  user:\n    x: 1\n    token: t",
            &token,
            "users:\n- name: a\n  user:\n    x: 1",
        ),
        (
            "users:\n- user:\n    token: t\n  name: a\n",
            &Place::entry("users", "a").key("user"),
            "users:\n- name: a\n",
        ),
        ("users:\n- name: a\n  user: {token: t, x: 1}\n", &token, "users:\n- name: a\n  user: {x: 1}\n"),
        ("users:\n- name: a\n  user: {x: 1, token: t, }\n", &token, "users:\n- name: a\n  user: {x: 1, }\n"),
        ("users:\n- name: a\n  user: {token: t}\n", &token, "users:\n- name: a\n  user: {}\n"),
        ("users:\n- name: a\n  user: {}\n# b\n- name: b\n", &entry, "users:\n# b\n- name: b\n"),
        ("users:\n- name: b\n- name: a\n  user: {}\n# end\n", &entry, "users:\n- name: b\n# end\n"),
        ("users: # u\n- name: a\n  user: {}\n# end\n", &entry, "users: [] # u\n# end\n"),
        (
            "{\n \"users\": [\n  {\"name\": \"a\"},\n  {\"name\": \"b\"}\n ]\n}",
            &entry,
            "{\n \"users\": [\n  {\"name\": \"b\"}\n ]\n}",
        ),
        (
            "{\n \"users\": [\n  {\"name\": \"b\"},\n  {\"name\": \"a\"}\n ]\n}",
            &entry,
            "{\n \"users\": [\n  {\"name\": \"b\"}\n ]\n}",
        ),
    ];
    for (text, place, expected) in cases {
        assert_eq!(removed(text, place), expected, "{text}");
    }
    let mut document = Document::parse("users: []\n").unwrap();
    assert!(!document.remove(&entry).unwrap());
}

#[test]
fn what_cannot_be_changed_alone_is_refused_and_stays() {
    let token = Place::user("a").key("token");
    let cases = [
        "users: &u\n- name: a\n  user: &x {token: t}\nold: *u\n",
        "x: &x {token: t}\nusers:\n- name: a\n  user: *x\n",
        "users:\n- name: a\n  user: {token: t}\n- name: a\n  user: {}\n",
        "users:\n- name: a\n  user:\n    token: t\n    token: t\n",
        "users: text\n",
        "users:\n- name: a\n  user: [t]\n",
        "users:\n- name: a\n  user:\n    ? x\n    : 1\n",
        "users:\n- name: a\n  user: {token: t}\n---\nusers: []\n",
        "users:\n- name: a\n  user: {token: t}\n...\n%BAD",
        "users:\n- name: a\n  user: {token: &t t}\nx: *t\n",
    ];
    for text in cases {
        let mut document = Document::parse(text).unwrap();
        let refused = document.set(&token, json!("s3cret"));
        if let Ok(()) = refused {
            panic!("{text}\nbecame\n{}", document.text());
        }
        let message = refused.unwrap_err().to_string();
        assert!(!message.contains("s3cret"), "{message}");
        assert_eq!(document.text(), text);
    }
    let mut document = Document::parse(cases[7]).unwrap();
    assert!(matches!(document.set(&token, json!("n")), Err(EditError::SeveralDocuments)));
}
