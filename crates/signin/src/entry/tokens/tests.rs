use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_kubeconfig::Document;
use kubesso_token_cache::Surroundings;

use super::*;
use crate::entry::{Migrated, PluginProgram, migrate};
use crate::testing;

/// 2026-11-22T09:00:00Z, an hour from the tests' now.
const LATER: i64 = 1_795_338_000;
const EARLIER: i64 = LATER - 7200;

fn jwt(claims: &Value) -> String {
    let part = |value: &str| URL_SAFE_NO_PAD.encode(value);
    format!("{}.{}.{}", part("{}"), part(&claims.to_string()), part("signature"))
}

fn id_token(issuer: &str, audience: &str, expires_at: i64) -> String {
    jwt(&json!({"iss": issuer, "aud": audience, "exp": expires_at, "email": "dev@example.com"}))
}

fn environment(home: &Path) -> Environment {
    Environment {
        surroundings: Surroundings::of(BTreeMap::new(), Some(home.to_owned())),
        ..testing::environment()
    }
}

fn entry(value: User) -> Entry<User> {
    Entry { name: "a".to_owned(), file: PathBuf::from("/home/dev/.kube/config"), value }
}

/// A user of kubectl's old provider with these settings besides issuer and client.
fn legacy(more: &[(&str, &str)]) -> Entry<User> {
    let mut config = json!({"idp-issuer-url": "https://idp.example", "client-id": "k8s"});
    for (name, value) in more {
        config[*name] = (*value).into();
    }
    let user = json!({"auth-provider": {"name": "oidc", "config": config}});
    let text = json!({"users": [{"name": "a", "user": user}]}).to_string();
    entry(Document::parse(text).unwrap().config().unwrap().user("a").unwrap().clone())
}

fn plugin(flags: &[&str]) -> Entry<User> {
    let mut words = vec!["get-token", "--oidc-issuer-url=https://idp.example", "--oidc-client-id=k8s"];
    words.extend(flags);
    let exec = ExecConfig::new("kubelogin", words.into_iter().map(str::to_owned).collect());
    entry(User { exec: Some(exec), ..User::default() })
}

fn migrated(user: &Entry<User>, environment: &Environment) -> ExecConfig {
    match migrate(user, &PluginProgram::OnPath, environment) {
        Migrated::To(migration) => migration.exec,
        other => panic!("{other:?}"),
    }
}

/// What the plugin finds when it is called so.
fn kept(exec: &ExecConfig, environment: &Environment) -> Option<TokenEntry> {
    let (arguments, surroundings) = of_exec(exec, environment).unwrap();
    store::load_now(&Call::new(&arguments, &surroundings).unwrap().paths?, environment)
}

#[test]
fn tokens_of_the_file_are_good_if_they_are_its_users_own_and_can_still_be_used() {
    let good = id_token("https://idp.example", "k8s", LATER);
    let ended = id_token("https://idp.example", "k8s", EARLIER);
    let foreign = id_token("https://other.example", "k8s", LATER);
    let others = id_token("https://idp.example", "grafana", LATER);
    let environment = testing::environment();
    for (settings, expected) in [
        (&[][..], None),
        (&[("id-token", good.as_str())], Some(Ok("until 2026-11-22T09:00:00Z)"))),
        (&[("id-token", good.as_str()), ("refresh-token", "r")], Some(Ok("and can be renewed"))),
        (&[("id-token", ended.as_str()), ("refresh-token", "r")], Some(Ok("and can be renewed"))),
        (&[("id-token", ended.as_str())], Some(Err("has ended, and there is no refresh token"))),
        (&[("refresh-token", "r")], Some(Err("without an ID token"))),
        (&[("id-token", "no token")], Some(Err("cannot be read"))),
        (&[("id-token", foreign.as_str())], Some(Err("another issuer"))),
        (&[("id-token", others.as_str())], Some(Err("for another application"))),
    ] {
        let said = old_tokens(&legacy(settings), &environment).map(|old| old.map(|old| old.to_string()));
        match (said, expected) {
            (Ok(None), None) => {}
            (Ok(Some(said)), Some(Ok(part))) => {
                assert!(
                    said.starts_with("dev@example.com's tokens of the file") && said.contains(part),
                    "{said}"
                );
                assert!(!said.contains(&good) && !said.contains(&ended), "{said}");
            }
            (Err(said), Some(Err(part))) => assert!(said.contains(part), "{said}"),
            (said, expected) => panic!("{settings:?}: {said:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn the_call_that_an_old_entry_becomes_finds_its_tokens_and_newer_ones_stay() {
    let home = tempfile::tempdir().unwrap();
    let environment = environment(home.path());
    let token = id_token("https://idp.example", "k8s", LATER);
    let user = legacy(&[("id-token", &token), ("refresh-token", "first")]);
    let exec = migrated(&user, &environment);
    let old = old_tokens(&user, &environment).unwrap().unwrap();
    assert!(old.keep(&exec, &environment).await.unwrap());
    let entry = kept(&exec, &environment).unwrap();
    assert_eq!((entry.token.expose(), entry.refresh_token.unwrap().expose()), (token.as_str(), "first"));

    let again = legacy(&[("id-token", &token), ("refresh-token", "second")]);
    let old = old_tokens(&again, &environment).unwrap().unwrap();
    assert!(!old.keep(&exec, &environment).await.unwrap());
    assert_eq!(kept(&exec, &environment).unwrap().refresh_token.unwrap().expose(), "first");

    let nothing =
        ExecConfig::new("x", [exec.args.clone(), vec!["--token-cache-storage=none".to_owned()]].concat());
    let why = old.keep(&nothing, &environment).await.unwrap_err().to_string();
    assert!(why.contains("--token-cache-storage=none"), "{why}");
}

/// The new call has other flags, by which neither kubelogin's entry nor our own would be found.
#[tokio::test]
async fn tokens_of_a_cache_go_with_the_call_when_its_flags_change() {
    let home = tempfile::tempdir().unwrap();
    let environment = environment(home.path());
    let token = id_token("https://idp.example", "k8s", LATER);
    let user = plugin(&["--oidc-client-secret=s3cret", "--oidc-extra-scope=email"]);
    let folder = home.path().join(".kube/cache/oidc-login");
    fs::create_dir_all(&folder).unwrap();
    let (arguments, surroundings) = of_exec(user.value.exec.as_ref().unwrap(), &environment).unwrap();
    let name = KubeloginKey::new(&arguments, &surroundings).unwrap().names(1).remove(0);
    fs::write(folder.join(&name), json!({"id_token": token, "refresh_token": "r"}).to_string()).unwrap();

    let mut exec = migrated(&user, &environment);
    exec.args.push("--oidc-client-secret-file=/home/dev/secret".to_owned());
    assert_eq!(kept(&exec, &environment), None);
    let old = old_tokens(&user, &environment).unwrap().unwrap();
    assert!(old.to_string().contains("of kubelogin's cache") && !old.are_ours(), "{old}");
    assert!(old.keep(&exec, &environment).await.unwrap());
    assert_eq!(kept(&exec, &environment).unwrap().token.expose(), token);
    assert!(folder.join(&name).exists(), "kubelogin may still be used");

    // Our own, under the old call's name, are taken before kubelogin's.
    let ours = id_token("https://idp.example", "k8s", LATER + 60);
    let paths = Call::new(&arguments, &surroundings).unwrap().paths.unwrap();
    let entry = KubeloginEntry::parse("", json!({"id_token": ours}).to_string().as_bytes()).unwrap().entry;
    store::save(&paths, &entry, &environment).await.unwrap();
    assert!(old_tokens(&user, &environment).unwrap().unwrap().to_string().contains("of this plugin's cache"));
    assert!(old_tokens(&entry_without_plugin(), &environment).unwrap().is_none());
}

fn entry_without_plugin() -> Entry<User> {
    entry(User::default())
}
