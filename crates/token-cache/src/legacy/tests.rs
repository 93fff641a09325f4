use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::name::Shape;
use super::*;
use crate::arguments::GetTokenArguments;
use crate::testing;

#[derive(Debug, Parser)]
struct GetToken {
    #[command(flatten)]
    arguments: GetTokenArguments,
}

fn key(flags: &[&str]) -> KubeloginKey {
    let always =
        ["get-token", "--oidc-issuer-url=https://issuer.example.com", "--oidc-client-id=YOUR_CLIENT_ID"];
    let call = GetToken::parse_from(always.iter().chain(flags));
    KubeloginKey::new(&call.arguments, &testing::surroundings()).unwrap()
}

/// All names of one shape.
fn names(key: &KubeloginKey, shape: Shape) -> BTreeSet<String> {
    let all = std::cell::RefCell::new(BTreeSet::new());
    let collect = |name: &str| {
        all.borrow_mut().insert(name.to_owned());
        false
    };
    assert_eq!(key.find_name_of(shape, collect), None);
    all.into_inner()
}

fn is_named(key: &KubeloginKey, name: &str) -> bool {
    key.find_name(|candidate| candidate == name).is_some()
}

#[test]
fn every_recorded_name_is_derived() {
    let lines = include_str!("names.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let flags: Vec<_> = words.collect();
        assert_eq!(
            names(&key(&flags), Shape::WithParameters),
            BTreeSet::from([name.to_owned()]),
            "{flags:?}"
        );
        count += 1;
    }
    assert_eq!(count, 17);
}

#[test]
fn the_definitions_of_the_latest_version_are_the_recorded_ones() {
    // From the same record as the names.
    let definitions = Shape::WithParameters.definitions();
    assert_eq!(definitions.len(), 398);
    assert_eq!(
        crate::key::hex_digest(&definitions),
        "adbceff8d95e0d2eb7edb076f713ad27bcde11159cd18951c4d9a25d62c079de"
    );
}

#[test]
fn flags_count_as_kubelogin_read_them() {
    let name = |flags: &[&str]| names(&key(flags), Shape::WithParameters);
    for (flags, same) in [
        // Scopes are a list of CSV cells: spaces, doubles and openid all count.
        (
            &["--oidc-extra-scope=email,profile"][..],
            &["--oidc-extra-scope=email", "--oidc-extra-scope=profile"][..],
        ),
        (&["--oidc-use-pkce"], &["--oidc-pkce-method=S256"]),
        (&["--certificate-authority=~/ca.pem"], &["--certificate-authority=/home/dev/ca.pem"]),
        (&["--certificate-authority=~other/../ca.pem"], &["--certificate-authority=/home/dev/ca.pem"]),
        // A user name is the password grant's alone, extra parameters are the browser's and the application's.
        (&["--grant-type=authcode", "--username=u"], &[]),
        (&["--grant-type=device-code", "--oidc-auth-request-extra-params=a=b"], &[]),
        (&["--grant-type=password", "--oidc-auth-request-extra-params=a=b"], &[]),
        (&["--grant-type=password", "--username=u"], &["--username=u"]),
        (
            &["--grant-type=authcode-keyboard", "--oidc-auth-request-extra-params=a=b"],
            &["--oidc-auth-request-extra-params=a=b"],
        ),
        (&["--oidc-client-secret="], &[]),
        (&["--tls-renegotiation-once", "--tls-renegotiation-freely"], &["--tls-renegotiation-once"]),
        (&["--listen-address=127.0.0.1:0", "--token-cache-dir=/x", "--force-refresh"], &[]),
    ] {
        assert_eq!(name(flags), name(same), "{flags:?}");
    }
    for (flags, other) in [
        (&["--oidc-extra-scope=email profile"][..], &["--oidc-extra-scope=email,profile"][..]),
        (&["--oidc-extra-scope=email,email"], &["--oidc-extra-scope=email"]),
        (&["--oidc-extra-scope=openid"], &[]),
        (&["--oidc-extra-scope=a,b"], &["--oidc-extra-scope=b,a"]),
        (&["--grant-type=client-credentials"], &[]),
    ] {
        assert_ne!(name(flags), name(other), "{flags:?}");
    }
}

#[test]
fn every_order_of_every_map_is_tried_and_too_large_maps_are_not() {
    let maps = |count: usize| -> Vec<String> {
        let flags = (0..count).flat_map(|n| {
            [format!("--oidc-request-header=h{n}=v"), format!("--oidc-auth-request-extra-params=p{n}=v")]
        });
        flags.collect()
    };
    for (count, orders) in [(1, 1), (2, 4), (3, 36), (4, 576), (7, 0)] {
        let flags = maps(count);
        let key = key(&flags.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(names(&key, Shape::WithParameters).len(), orders, "{count}");
    }
}

fn token(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn claims_of_this_call() -> Value {
    json!({"iss": "https://issuer.example.com", "aud": "YOUR_CLIENT_ID", "sub": "u", "iat": 100, "exp": 200})
}

/// A directory with `content` under the first name of the call without flags.
fn directory_with(content: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(names(&key(&[]), Shape::WithParameters).first().unwrap()), content)
        .unwrap();
    directory
}

#[test]
fn an_entry_of_this_call_is_found_with_its_tokens() {
    let id_token = token(&claims_of_this_call());
    let directory = directory_with(&json!({"id_token": id_token, "refresh_token": "r"}).to_string());
    let found = key(&[]).find_in(directory.path()).unwrap().entry;
    assert_eq!(found.token.expose(), id_token);
    assert_eq!(found.refresh_token.map(|token| token.expose().to_owned()).as_deref(), Some("r"));
    assert_eq!((found.issued_at.unwrap().as_second(), found.expires_at.as_second()), (100, 200));
    assert!(key(&["--oidc-extra-scope=email"]).find_in(directory.path()).is_none(), "another call");
    assert!(key(&[]).find_in(Path::new("/nonexistent")).is_none());
}

#[test]
fn a_broken_or_foreign_entry_is_none() {
    let with = |name: &str, value: Value| {
        let mut claims = claims_of_this_call();
        claims[name] = value;
        json!({ "id_token": token(&claims) }).to_string()
    };
    for content in [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        r#"{"id_token":""}"#.to_owned(),
        r#"{"id_token":"a.b.c"}"#.to_owned(),
        r#"{"id_token":"a.b"}"#.to_owned(),
        r#"{"refresh_token":"r"}"#.to_owned(),
        json!({ "id_token": token(&claims_of_this_call()) + ".x" }).to_string(),
        json!({ "id_token": token(&claims_of_this_call()) + "\n" }).to_string(),
        json!({ "id_token": token(&json!([])) }).to_string(),
        with("iss", json!("https://elsewhere.example.com")),
        with("aud", json!("another")),
        with("aud", json!(["another"])),
        with("exp", json!("200")),
        with("exp", json!(200.5)),
        with("exp", json!(null)),
    ] {
        assert!(key(&[]).find_in(directory_with(&content).path()).is_none(), "{content}");
    }
    for content in [with("aud", json!(["another", "YOUR_CLIENT_ID"])), with("iat", json!("x"))] {
        assert!(key(&[]).find_in(directory_with(&content).path()).is_some(), "{content}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the peers are where the environment says")]
fn oracle() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("KUBESSO_PEERS_DIR")?).join("kubelogin-oracle"))
}

#[derive(Clone, Debug)]
struct Case {
    flags: Vec<String>,
    /// The same as the oracle reads it: the members of Go's structs.
    question: Value,
}

prop_compose! {
    fn case(shape: &'static str)(
        secret in "[a-z]{0,200}",
        scopes in proptest::collection::vec("[a-z.:/]{1,12}", 0..4),
        redirect in prop_oneof![Just(String::new()), Just("http://localhost:8000/cb".to_owned())],
        pkce in 0..3_usize,
        booleans in any::<[bool; 2]>(),
        headers in proptest::collection::btree_map("[A-Za-z-]{1,8}", "[a-z0-9é]{0,9}", 0..4),
        parameters in proptest::collection::btree_map("[a-z_]{1,8}", "[a-z0-9{}:]{0,150}", 0..4),
        files in proptest::collection::vec("/[a-z]{1,8}", 0..3),
        data in proptest::collection::vec("[A-Za-z0-9+/]{1,300}", 0..2),
        renegotiation in 0..3_usize,
        username in proptest::option::of("[a-z@.]{1,20}"),
    ) -> Case {
        let is_plain = shape == "v1.32.4";
        let (redirect, headers) = if is_plain { Default::default() } else { (redirect, headers) };
        let mut flags: Vec<String> = Vec::new();
        flags.extend((!secret.is_empty()).then(|| format!("--oidc-client-secret={secret}")));
        flags.extend(scopes.iter().map(|scope| format!("--oidc-extra-scope={scope}")));
        flags.extend((!redirect.is_empty()).then(|| format!("--oidc-redirect-url={redirect}")));
        flags.push(format!("--oidc-pkce-method={}", ["auto", "no", "S256"][pkce]));
        flags.push(format!("--oidc-use-access-token={}", booleans[0]));
        flags.push(format!("--insecure-skip-tls-verify={}", booleans[1]));
        flags.extend(headers.iter().map(|(k, v)| format!("--oidc-request-header={k}={v}")));
        flags.extend(parameters.iter().map(|(k, v)| format!("--oidc-auth-request-extra-params={k}={v}")));
        flags.extend(files.iter().map(|file| format!("--certificate-authority={file}")));
        flags.extend(data.iter().map(|data| format!("--certificate-authority-data={data}")));
        flags.extend([None, Some("--tls-renegotiation-once"), Some("--tls-renegotiation-freely")][renegotiation].map(str::to_owned));
        flags.extend(username.iter().map(|name| format!("--username={name}")));
        let mut question = json!({
            "Provider": {
                "IssuerURL": "https://issuer.example.com", "ClientID": "YOUR_CLIENT_ID", "ClientSecret": secret,
                "ExtraScopes": scopes, "PKCEMethod": pkce, "UseAccessToken": booleans[0], "RedirectURL": redirect,
                "RequestHeaders": (!headers.is_empty()).then_some(headers),
            },
            "TLSClientConfig": {
                "CACertFilename": files, "CACertData": data, "SkipTLSVerify": booleans[1],
                "Renegotiation": renegotiation,
            },
            "Username": username.clone().unwrap_or_default(),
        });
        if username.is_none() && !parameters.is_empty() {
            question["AuthRequestExtraParams"] = json!(parameters);
        }
        Case { flags, question }
    }
}

/// The keys are named by kubelogin itself (its latest shape) and by Go's encoder (older ones).
#[test]
fn random_calls_have_the_names_that_kubelogin_gives_them() {
    let Some(oracle) = oracle() else {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
        return;
    };
    for (version, shape) in
        [("v1.36.0", Shape::WithParameters), ("v1.34.0", Shape::WithHeaders), ("v1.32.4", Shape::Plain)]
    {
        let mut runner = TestRunner::deterministic();
        let cases: Vec<Case> =
            (0..300).map(|_| case(version).new_tree(&mut runner).unwrap().current()).collect();
        let mut process = Command::new(&oracle)
            .arg(version)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", oracle.display()));
        let questions: String =
            cases.iter().flat_map(|case| [case.question.to_string(), "\n".to_owned()]).collect();
        let mut input = process.stdin.take().unwrap();
        let writing = std::thread::spawn(move || input.write_all(questions.as_bytes()).unwrap());
        let output = process.wait_with_output().unwrap();
        writing.join().unwrap();
        assert!(output.status.success(), "{version}");
        let theirs: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        assert_eq!(theirs.len(), cases.len(), "{version}");
        for (case, name) in cases.iter().zip(theirs) {
            let key = key(&case.flags.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(names(&key, shape).contains(name), "{version} {case:?}");
            assert!(is_named(&key, name), "{version} {case:?}");
        }
    }
}
