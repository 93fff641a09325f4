//! `kubesso backup` and `kubesso restore`: what is restored signs people in again.

use kubesso_store_postgres::testkit::Server;
use serde_json::Value;

use crate::served::Site;
use crate::{kubesso, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_it_runs_is_restored_elsewhere_and_signs_in_again() {
    let site = Site::new("");
    let serving = site.serve().await;
    let made = site.run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let password = made["password"].as_str().unwrap();
    let preview =
        || site.run(&["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"]).stdout;
    let before: Value = serde_json::from_slice(&preview()).unwrap();
    let client = before["client"].as_str().unwrap();
    let path = |name: &str| site.home.path().join(name).display().to_string();
    let (file, phrase, other) = (path("kubesso.bak"), path("phrase"), path("other"));
    std::fs::write(&phrase, "correct horse battery\n").unwrap();
    std::fs::write(&other, "another horse battery\n").unwrap();
    let from = format!("--passphrase-file={phrase}");
    let saved = site.run(&["backup", "--out", &file, &from]);
    assert!(saved.status.success(), "{}", text(&saved.stderr));
    assert!(text(&saved.stdout).contains("holds directory.db, master.key"), "{}", text(&saved.stdout));
    let again = site.run(&["backup", "--out", &file, &from]);
    assert!(text(&again.stderr).contains("name another file with --out"), "{}", text(&again.stderr));
    let left: Vec<_> = std::fs::read_dir(site.data()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".backup")), "{left:?}");
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"SQLite" || window == b"jo@exa"), "it is encrypted");
    drop(serving);

    // Into the place of the old one, which is not empty; by another passphrase; from a damaged file.
    let restore = |file: &str, into: &str, phrase: &str| {
        let from = format!("--passphrase-file={phrase}");
        let ended = kubesso(site.home.path(), &["restore", file, "--data-dir", into, &from]);
        (ended.status.success(), text(&ended.stderr))
    };
    let (into, cut) = (path("restored"), path("cut.bak"));
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    for (file, into, phrase, expected) in [
        (&file, &site.data().display().to_string(), &phrase, "is not empty"),
        (&file, &into, &other, "the passphrase is not right"),
        (&cut, &into, &phrase, "nothing was put in place"),
        (&phrase, &into, &phrase, "it is not a backup of kubesso"),
        (&file, &into, &into, "the passphrase's file"),
    ] {
        let (is_restored, said) = restore(file, into, phrase);
        assert!(!is_restored && said.contains(expected), "{expected}: {said}");
    }
    let unattended = kubesso(site.home.path(), &["restore", &file, "--data-dir", &into]);
    assert!(text(&unattended.stderr).contains("KUBESSO_BACKUP_PASSPHRASE_FILE"));
    assert!(!std::path::Path::new(&into).exists());

    std::fs::create_dir(&into).unwrap();
    let (is_restored, said) = restore(&file, &into, &phrase);
    assert!(is_restored, "{said}");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config =
        config.replace(&format!("data_dir: {}", site.data().display()), &format!("data_dir: {into}"));
    std::fs::write(site.config(), config).unwrap();
    std::fs::remove_dir_all(site.data()).unwrap();
    let _serving = site.serve().await;
    let discovered = kubesso(
        site.home.path(),
        &["token", "preview", "--user=jo@example.com", "--client", client, "-o=json", "--data-dir", &into],
    );
    let after: Value = serde_json::from_slice(&discovered.stdout).unwrap();
    assert_eq!(after["id_token"]["sub"], before["id_token"]["sub"]);
    let server = site.server_id(&into);
    assert!(site.signs_in(client, &server, "jo@example.com", password).await);
    assert!(!site.signs_in(client, &server, "jo@example.com", "wrong").await);
}

/// What commands say of an installation, without anything that an address is part of.
fn said(site: &Site, data: &str) -> Vec<String> {
    [
        &["audit", "export"][..],
        &["user", "list", "-o=json"],
        &["api-token", "list", "-o=json"],
        &["keys", "list", "-o=json"],
        &["doctor", "-o=json"],
        &["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=yaml"],
    ]
    .map(|command| {
        let ended = kubesso(site.home.path(), &[command, &["--data-dir", data]].concat());
        assert!(ended.stderr.is_empty(), "{command:?}: {}", text(&ended.stderr));
        assert!(!ended.stdout.is_empty(), "{command:?}");
        let is_moment =
            |line: &&str| !["iat:", "exp:", "auth_time:", "jti:"].iter().any(|it| line.contains(it));
        text(&ended.stdout).lines().filter(is_moment).collect::<Vec<_>>().join("\n")
    })
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_moves_to_postgresql_and_back_and_whoever_was_signed_in_stays_so() {
    let site = Site::new("");
    let path = |name: &str| site.home.path().join(name).display().to_string();
    let (phrase, url) = (path("phrase"), path("url"));
    std::fs::write(&phrase, "correct horse battery\n").unwrap();
    std::fs::write(&url, Server::shared().unwrap().database().unwrap() + "\n").unwrap();
    let from = format!("--passphrase-file={phrase}");
    let succeeds = |arguments: &[&str]| {
        let ended = kubesso(site.home.path(), arguments);
        assert!(ended.status.success(), "{arguments:?}: {}", text(&ended.stderr));
        text(&ended.stdout)
    };
    let fails = |arguments: &[&str]| {
        let ended = kubesso(site.home.path(), arguments);
        assert!(!ended.status.success(), "{arguments:?}: {}", text(&ended.stdout));
        text(&ended.stderr)
    };
    let file = site.data().display().to_string();
    let on_file = std::fs::read_to_string(site.config()).unwrap();
    let configure = |data: &str, more: &str| {
        let config = on_file.replace(&format!("data_dir: {file}"), &format!("data_dir: {data}\n{more}"));
        std::fs::write(site.config(), config).unwrap();
    };

    let serving = site.serve().await;
    let made = site.run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let password = made["password"].as_str().unwrap();
    site.run(&["api-token", "create", "--name=ci"]);
    let seen = site.run(&["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"]);
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    let (client, server) = (seen["client"].as_str().unwrap(), site.server_id(&file));
    let first = site.refresh_token(client, &server, "jo@example.com", password).await;
    succeeds(&["backup", "--out", &path("file.bak"), "--data-dir", &file, &from]);
    drop(serving);
    let before = said(&site, &file);

    // Into the database that the configuration names.
    let there = path("there");
    configure(&file, &format!("database_url_file: {url}"));
    let config = site.config().display().to_string();
    let refused = fails(&["serve", "--check", "--config", &config]);
    assert!(refused.is_empty(), "what is wrong is the answer: {refused}");
    configure(&there, &format!("database_url_file: {url}"));
    let restored = succeeds(&["restore", &path("file.bak"), "--config", &config, &from]);
    assert!(restored.contains("are in the database on the server"), "{restored}");
    let mut left: Vec<_> = std::fs::read_dir(&there).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["database.url", "master.key"]);
    assert_eq!(said(&site, &there), before);
    // It goes nowhere twice.
    let twice = fails(&[
        "restore",
        &path("file.bak"),
        "--data-dir",
        &path("twice"),
        "--database-url-file",
        &url,
        &from,
    ]);
    assert!(twice.contains("is not empty") && twice.contains("make an empty database"), "{twice}");
    assert!(!std::path::Path::new(&path("twice")).exists());
    let checked = succeeds(&["serve", "--check", "--config", &config]);
    assert!(checked.contains("it can serve") && !checked.contains("it will be made"), "{checked}");

    // Out of it, while it is in use.
    let serving = site.serve().await;
    let second = site.refreshed(client, &server, &first).await.unwrap();
    succeeds(&["backup", "--out", &path("server.bak"), "--data-dir", &there, &from]);
    drop(serving);
    let before = said(&site, &there);
    let back = path("back");
    succeeds(&["restore", &path("server.bak"), "--data-dir", &back, &from]);
    assert!(std::path::Path::new(&back).join("directory.db").exists());
    assert_eq!(said(&site, &back), before);
    configure(&back, "");
    let _serving = site.serve().await;
    assert!(site.refreshed(client, &server, &second).await.is_some());
    assert!(site.signs_in(client, &server, "jo@example.com", password).await);
}
