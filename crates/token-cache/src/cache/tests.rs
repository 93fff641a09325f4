use kubesso_ambient::SeededEntropy;
use std::fs::File;

use super::*;

fn entry(expires_at: &str) -> Entry {
    Entry {
        token: Secret::from("header.payload.signature".to_owned()),
        issued_at: None,
        expires_at: expires_at.parse().unwrap(),
        refresh_token: Some(Secret::from("refresh".to_owned())),
        scope: Some("openid email".to_owned()),
    }
}

fn paths(directory: &Path) -> EntryPaths {
    EntryPaths {
        directory: directory.to_owned(),
        stem: format!("{}{SUFFIX}", "a".repeat(64)),
        protection: Protection::Open,
    }
}

#[test]
fn an_entry_reads_back_and_only_its_owner_can_read_it() {
    let parent = tempfile::tempdir().unwrap();
    let paths = paths(&parent.path().join("deep/cache"));
    assert_eq!(paths.load(), None);
    let mut first = entry("2026-11-22T09:00:00Z");
    first.issued_at = Some("2026-11-22T08:00:00Z".parse().unwrap());
    paths.save(&first, &SeededEntropy::new(1)).unwrap();
    assert_eq!(paths.load(), Some(first));
    let mut second = entry("2026-11-22T10:00:00Z");
    second.refresh_token = None;
    paths.save(&second, &SeededEntropy::new(2)).unwrap();
    assert_eq!(paths.load(), Some(second));

    let names: Vec<_> = fs::read_dir(&paths.directory)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1, "no temporary file stays: {names:?}");
    assert!(is_our_name(&names[0]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&paths.token()), 0o600);
        assert_eq!(mode(&paths.directory), 0o700);
    }
}

#[test]
fn a_broken_entry_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let paths = paths(directory.path());
    for text in [
        "",
        "{}",
        "null",
        "not json",
        r#"{"version":1,"token":"a.b.c"}"#,
        r#"{"version":2,"token":"a.b.c","expires_at":1}"#,
        r#"{"version":1,"token":"","expires_at":1}"#,
        r#"{"version":1,"token":"a b","expires_at":1}"#,
        r#"{"version":1,"token":"a\nb","expires_at":1}"#,
        r#"{"version":1,"token":"a.b.c","expires_at":99999999999999}"#,
        r#"{"version":1,"token":"a.b.c","expires_at":"1"}"#,
        r#"{"version":1,"token":"a.b"#,
    ] {
        fs::write(paths.token(), text).unwrap();
        assert_eq!(paths.load(), None, "{text}");
    }
    fs::write(paths.token(), [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(paths.load(), None);
    fs::write(paths.token(), r#"{"version":1,"token":"a.b.c","expires_at":1,"later":{}}"#).unwrap();
    assert!(paths.load().is_some(), "fields may be added");
}

#[test]
fn the_directory_is_the_flag_then_the_variable_then_the_home() {
    let find = |flag: Option<&str>, variable: Option<&'static str>, home: Option<&str>| {
        let variables = variable.map(|value| ("KUBECACHEDIR".to_owned(), value.to_owned()));
        let surroundings = Surroundings::of(variables.into_iter().collect(), home.map(PathBuf::from));
        let arguments = CacheDirectory { token_cache_dir: flag.map(PathBuf::from) };
        directory(&arguments, &surroundings).ok().map(|path| path.display().to_string())
    };
    let home = Some("/home/dev");
    assert_eq!(find(None, None, home).as_deref(), Some("/home/dev/.kube/cache/oidc-login"));
    assert_eq!(find(None, Some("/var/kube"), home).as_deref(), Some("/var/kube/oidc-login"));
    assert_eq!(find(None, Some(""), home).as_deref(), Some("oidc-login"), "set to nothing is set");
    assert_eq!(find(Some("~/c"), Some("/var/kube"), home).as_deref(), Some("/home/dev/c"));
    assert_eq!(find(None, None, None), None);
    assert_eq!(find(Some("/c"), None, None).as_deref(), Some("/c"));
}

#[test]
fn names_that_are_not_ours_are_told_apart() {
    let key = "0123456789abcdef".repeat(4);
    for (name, ours) in [
        (format!("{key}.kubesso.json"), true),
        (format!("{key}.kubesso.lock"), true),
        (format!("{key}.kubesso.attempt"), true),
        (format!("{key}.kubesso.json.new-0000000000000001"), true),
        (key.clone(), false),
        (format!("{key}.lock"), false),
        (format!("{key}.kubesso.txt"), false),
        (format!("{}.kubesso.json", key.to_uppercase()), false),
        ("config".to_owned(), false),
        ("é".repeat(40), false),
    ] {
        assert_eq!(is_our_name(&name), ours, "{name}");
    }
}

#[test]
fn what_the_killed_have_left_is_swept_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let key = "ab".repeat(32);
    let write = |name: &str, age: u64| {
        let path = directory.path().join(name);
        fs::write(&path, "x").unwrap();
        let modified = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 - age);
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        path
    };
    let litter = [
        write(&format!("{key}.kubesso.json.new-0000000000000001"), 11),
        write(&format!("{key}.kubesso.attempt.new-0000000000000002"), 900),
    ];
    let kept = [
        write(&format!("{key}.kubesso.json.new-0000000000000003"), 10),
        write(&format!("{key}.kubesso.json"), 900),
        write(&format!("{key}.kubesso.lock"), 900),
        write("notes.new-1", 900),
    ];
    sweep(directory.path(), Timestamp::from_second(1000).unwrap());
    assert!(litter.iter().all(|path| !path.exists()));
    assert!(kept.iter().all(|path| path.exists()));
    sweep(&directory.path().join("absent"), Timestamp::from_second(1000).unwrap());
}
