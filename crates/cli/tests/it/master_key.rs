//! Where the master key comes from, and changing it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::served::Site;
use crate::text;

/// 32 times the same byte, in base64.
fn key(byte: &str) -> String {
    let three = match byte {
        "0" => "AAAA",
        _ => "////",
    };
    let end = if byte == "0" { "AAA=" } else { "//8=" };
    format!("{}{end}\n", three.repeat(10))
}

fn private(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a command on the data directory with `variables`; whether it succeeded, and all that it said.
fn run(site: &Site, variables: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(arguments)
        .arg("--data-dir")
        .arg(site.data())
        .env_clear()
        .env("HOME", site.home.path())
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    (ended.status.success(), text(&ended.stdout) + &text(&ended.stderr))
}

fn check(site: &Site, variables: &[(&str, &str)]) -> (bool, String) {
    let config = site.config();
    run(site, variables, &["serve", "--check", "--config", config.to_str().unwrap()])
}

/// A person, and whether that one signs in again.
struct Jo {
    client: String,
    server: String,
    password: String,
}

impl Jo {
    fn new(site: &Site) -> Self {
        let made = site.run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let preview = ["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"];
        let seen: Value = serde_json::from_slice(&site.run(&preview).stdout).unwrap();
        Self {
            client: seen["client"].as_str().unwrap().to_owned(),
            server: site.server_id(site.data().to_str().unwrap()),
            password: made["password"].as_str().unwrap().to_owned(),
        }
    }

    async fn signs_in(&self, site: &Site) -> bool {
        site.signs_in(&self.client, &self.server, "jo@example.com", &self.password).await
    }
}

/// The kids in the JWK set of Jo's issuer.
async fn kids(site: &Site, jo: &Jo) -> Vec<String> {
    let set = site.http.get(site.url(&format!("/oauth2/{}/v1/keys", jo.server))).send().await.unwrap();
    let set: Value = serde_json::from_slice(&set.bytes().await.unwrap()).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn configure(site: &Site, more: &str) {
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.split_once("master_key").map_or(&*config, |(before, _)| before).to_owned();
    std::fs::write(site.config(), config + more).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_moves_from_the_data_directory_to_a_file_and_behind_a_program_and_everything_stays() {
    let site = Site::new("");
    let serving = site.serve().await;
    let jo = Jo::new(&site);
    let before = kids(&site, &jo).await;
    let path = |name: &str| site.home.path().join(name);
    let (elsewhere, wrapped) = (path("elsewhere.key"), path("wrapped"));
    private(&elsewhere, &key("0"));
    let to_file = ["keys", "rewrap", "--new-key-file", elsewhere.to_str().unwrap()];
    let (done, said) = run(&site, &[], &to_file);
    assert!(!done && said.contains("is in use by another kubesso"), "{said}");
    drop(serving);

    let (done, said) = run(&site, &[], &to_file);
    assert!(done && said.contains("Say so in the configuration"), "{said}");
    // Commands find it by themselves; the configuration that is silent takes it as well.
    let (_, said) = run(&site, &[], &["doctor"]);
    assert!(said.contains("secrets are sealed under the master key in"), "{said}");
    let (can, said) = check(&site, &[]);
    assert!(can && said.contains("master.key is not used"), "{said}");
    configure(&site, &format!("master_key: {{file: {}}}\n", elsewhere.display()));
    let serving = site.serve().await;
    assert!(jo.signs_in(&site).await);
    assert_eq!(kids(&site, &jo).await, before, "no key is lost");
    drop(serving);

    // The file is gone, is another, is everybody's.
    for (content, mode, expected) in [
        (None, 0, "is not there: mount it"),
        (Some(key("1")), 0o600, "is not the key that the secrets"),
        (Some("hunter2".to_owned()), 0o600, "does not hold a key"),
        (Some(key("0")), 0o644, "can be read by others (mode 0644)"),
    ] {
        let _ = std::fs::remove_file(&elsewhere);
        if let Some(content) = content {
            private(&elsewhere, &content);
            std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let (can, said) = check(&site, &[]);
        assert!(!can && said.contains(expected) && !said.contains("hunter2"), "{expected}: {said}");
        let (listed, said) = run(&site, &[], &["keys", "list"]);
        assert!(!listed && said.contains(expected), "{expected}: {said}");
    }
    private(&elsewhere, &key("0"));

    // A program that unwraps: here by turning every letter round.
    private(&wrapped, &key("1").chars().rev().collect::<String>());
    let program = path("unwrap");
    let script =
        "#!/bin/sh\nif [ \"$1\" != decrypt ]; then echo 'AccessDenied: no such key' >&2; exit 254; fi\nrev\n";
    private(&program, script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let command = |verb: &str| format!("[\"{}\", \"{verb}\"]", program.display());
    let rewrap = |verb: &str| {
        let (command, wrapped) = (command(verb), wrapped.to_str().unwrap());
        run(&site, &[], &["keys", "rewrap", "--new-key-command", &command, "--new-key-wrapped", wrapped])
    };
    let (done, said) = rewrap("encrypt");
    assert!(!done && said.contains("(exit status: 254); it says: AccessDenied: no such key"), "{said}");
    assert!(run(&site, &[], &["keys", "list"]).0, "nothing was changed");
    let (done, said) = rewrap("decrypt");
    assert!(done, "{said}");
    configure(
        &site,
        &format!("master_key: {{command: {}, wrapped: {}}}\n", command("decrypt"), wrapped.display()),
    );
    let serving = site.serve().await;
    assert!(jo.signs_in(&site).await);
    assert_eq!(kids(&site, &jo).await, before);
    drop(serving);

    // Back into the data directory, with a key of its own.
    let (done, said) = run(&site, &[], &["keys", "rewrap"]);
    assert!(done && said.contains("Copy master.key"), "{said}");
    let (can, said) = check(&site, &[]);
    assert!(!can && said.contains("(master_key.command) is not the key"), "{said}");
    configure(&site, "");
    assert!(!site.data().join("master-key.json").exists());
    let _serving = site.serve().await;
    assert!(jo.signs_in(&site).await);
    let trail = text(&site.run(&["audit", "list"]).stdout);
    assert_eq!(trail.matches("system.master_key.change").count(), 3, "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_a_variable_which_is_told_to_be_weaker() {
    let site = Site::new("");
    let (zero, ones) = (key("0"), key("1"));
    let given = [("KUBESSO_MASTER_KEY", &*zero)];
    let (made, said) = run(&site, &given, &["user", "create", "jo@example.com"]);
    assert!(!made && said.contains("there is no installation"), "{said}");
    let config = site.config();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubesso"))
        .args(["serve", "--config", config.to_str().unwrap()])
        .env_clear()
        .env("HOME", site.home.path())
        .envs(given)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::served::answers(&site.http, &site.url("/healthz")).await;
    let _ = child.kill();
    let _ = child.wait();
    assert!(!site.data().join("master.key").exists());
    let (_, said) = run(&site, &given, &["doctor"]);
    assert!(said.contains("whoever sees the process' environment has it"), "{said}");
    for (variables, expected) in [
        (&[][..], "the variable KUBESSO_MASTER_KEY is not set"),
        (&[("KUBESSO_MASTER_KEY", &*ones)], "is not the key that the secrets"),
        (&[("KUBESSO_MASTER_KEY", "hunter2")], "does not hold a key"),
        (&[given[0], ("KUBESSO_MASTER_KEY_FILE", "/k")], "two places of one key"),
    ] {
        let (can, said) = check(&site, variables);
        assert!(!can && said.contains(expected) && !said.contains("hunter2"), "{expected}: {said}");
    }
    let other: PathBuf = site.home.path().join("k");
    private(&other, &ones);
    let (done, said) = run(&site, &given, &["keys", "rewrap", "--new-key-file", other.to_str().unwrap()]);
    assert!(done, "{said}");
    assert!(check(&site, &[]).0);
}
