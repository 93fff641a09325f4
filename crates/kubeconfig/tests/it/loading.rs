//! Several files together, and whose credentials are asked for.

use std::fs;
use std::path::Path;

use kubesso_kubeconfig::{Kubeconfig, LoadError, Locations, SelectError, Selection};
use tempfile::TempDir;

/// The files `a`, `b`, … with these contents, and the list of them.
fn load(contents: &[&str]) -> (TempDir, Result<Kubeconfig, LoadError>) {
    let home = tempfile::tempdir().unwrap();
    let paths: Vec<_> = ('a'..).map(|name| home.path().join(name.to_string())).take(contents.len()).collect();
    for (path, content) in paths.iter().zip(contents) {
        fs::write(path, content).unwrap();
    }
    let list = std::env::join_paths(&paths).unwrap();
    let loaded = Kubeconfig::load(&Locations::new(None, Some(&list), None));
    (home, loaded)
}

fn context(name: &str, user: &str) -> String {
    format!("contexts: [{{name: {name}, context: {{user: {user}, cluster: k}}}}]\n")
}

#[test]
fn the_first_file_that_names_a_thing_wins_and_is_known() {
    let (home, loaded) = load(&[
        "users: [{name: u, user: {token: one}}]",
        "current-context: two\nusers: [{name: u, user: {token: two, username: x}}, {name: v, user: {}}]",
        "current-context: three",
    ]);
    let all = loaded.unwrap();
    assert_eq!(all.current_context(), Some("two"));
    let user = all.user("u").unwrap();
    assert_eq!((user.value.token.expose(), user.value.username.as_str()), ("one", ""));
    assert_eq!(user.file, home.path().join("a"));
    assert_eq!(all.user("v").unwrap().file, home.path().join("b"));
    assert_eq!(all.files().len(), 3);
}

#[test]
fn only_a_file_that_was_asked_for_must_be_there() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing");
    let listed = Locations::new(None, Some(missing.as_os_str()), None);
    assert!(Kubeconfig::load(&listed).unwrap().files().is_empty());
    assert!(Kubeconfig::load(&Locations::new(None, None, Some(home.path()))).unwrap().users().is_empty());
    let asked = Kubeconfig::load(&Locations::new(Some(&missing), None, None));
    assert!(matches!(asked, Err(LoadError::Missing { .. })));
    // What cannot be read is an error wherever it stands.
    let directory = Locations::new(None, Some(home.path().as_os_str()), None);
    assert!(matches!(Kubeconfig::load(&directory), Err(LoadError::Read { .. })));
}

#[test]
fn a_user_is_chosen_by_name_then_by_context_then_by_the_current_one() {
    let files = format!(
        "current-context: a\n{}",
        "contexts: [{name: a, context: {user: ua}}, {name: b, context: {user: ub}}, {name: none, context: {}}]\n\
         users: [{name: ua, user: {}}, {name: ub, user: {}}, {name: uc, user: {}}]"
    );
    let (_home, loaded) = load(&[&files]);
    let all = loaded.unwrap();
    let name = |user, context| all.select_user(Selection { user, context }).map(|entry| entry.name.as_str());
    assert_eq!(name(None, None), Ok("ua"));
    assert_eq!(name(Some(""), Some("")), Ok("ua"));
    assert_eq!(name(None, Some("b")), Ok("ub"));
    assert_eq!(name(Some("uc"), Some("nowhere")), Ok("uc"));
    assert_eq!(name(Some("ud"), None), Err(SelectError::NoUser { name: "ud".into() }));
    assert_eq!(name(None, Some("d")), Err(SelectError::NoContext { name: "d".into() }));
    assert_eq!(name(None, Some("none")), Err(SelectError::ContextWithoutUser { context: "none".into() }));
    let (_home, loaded) = load(&[&context("a", "u")]);
    let all = loaded.unwrap();
    assert_eq!(all.select_user_name(Selection::default()), Err(SelectError::NoCurrentContext));
    assert_eq!(all.select_user_name(Selection { user: None, context: Some("a") }), Ok("u"));
}

#[test]
fn relative_paths_count_from_the_file_that_they_stand_in() {
    let (home, loaded) = load(&["users:\n\
         - {name: relative, user: {client-key: keys/k.pem, exec: {command: ./bin/plugin}}}\n\
         - {name: bare, user: {client-key: /k.pem, exec: {command: plugin}}}\n\
         - {name: without, user: {}}\n"]);
    let all = loaded.unwrap();
    let user = |name| all.user(name).unwrap();
    assert_eq!(user("relative").resolve("keys/k.pem"), home.path().join("keys/k.pem"));
    assert_eq!(user("relative").exec_command(), Some(home.path().join("./bin/plugin")));
    assert_eq!(user("bare").resolve("/k.pem"), Path::new("/k.pem"));
    assert_eq!(user("bare").exec_command().as_deref(), Some(Path::new("plugin")));
    assert_eq!(user("without").exec_command(), None);
}

#[test]
fn an_error_names_the_file_and_the_place_but_no_value() {
    let cases = [
        ("users: {name: s3cret}", "the value of users is not"),
        ("users: [{name: u, user: {token: {s3cret: 1}}}]", "the value of users[name=u].user.token is not"),
        (
            "users: [{name: u, user: {exec: {args: s3cret}}}]",
            "the value of users[name=u].user.exec.args is not",
        ),
        ("users: [{name: u, user: {client-key-data: s3cret!}}]", "users[name=u].user.client-key-data is not"),
        (
            "users: [{name: u, user: {auth-provider: {config: {id-token: [s3cret]}}}}]",
            "users[name=u].user.auth-provider is not",
        ),
        ("users: [{name: u}, {name: u, user: {token: s3cret}}]", "users has the name \"u\" more than once"),
        ("- s3cret", "the value of the whole file is not"),
        ("kind: Secret\ndata: {a: s3cret}", "it is no kubeconfig"),
        ("users:\n- token: \"s3cret", "line"),
        ("a: *s3cret", "line 1 is not valid YAML"),
    ];
    for (text, expected) in cases {
        let (home, loaded) = load(&[text]);
        let error = loaded.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains(&home.path().join("a").display().to_string()), "{message}");
        assert!(!format!("{message} {error:?}").contains("s3cret"), "{error:?}");
    }
}
