//! How the application proves who it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kubesso_token::{Algorithm, JwkSet, SigningKey, VerifiedToken};
use serde_json::{Value, json};

use crate::world::World;

/// A file in the person's home.
fn file(world: &World, name: &str, content: &str) -> PathBuf {
    let path = world.home.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The flags of a grant in which nobody opens a browser.
const APPLICATION: &str = "--grant-type=client-credentials";

#[test]
fn the_secret_comes_from_a_file_or_from_a_command() {
    let world = World::new();
    let secret_file = file(&world, "secret", "p@ss word\n");
    let quoted = kubesso_signin::shell_quote(secret_file.to_str().unwrap());
    for flag in [
        "--oidc-client-secret-file=~/secret".to_owned(),
        format!("--oidc-client-secret-command=cat {quoted}"),
        "--oidc-client-secret-command=printf '%s\\r\\n' 'p@ss word'".to_owned(),
    ] {
        world.get_token(&[&flag, APPLICATION]).token();
        let sent = world.stub.behaviour().authorization.take();
        let expected = format!("Basic {}", STANDARD.encode("kubernetes:p%40ss+word"));
        assert_eq!(sent.as_deref(), Some(expected.as_str()), "{flag}");
    }
}

#[test]
fn a_command_for_the_secret_is_asked_once_and_only_when_a_token_is_needed() {
    let world = World::new();
    let counter = file(&world, "counter", "");
    let script = file(
        &world,
        "secret.sh",
        &format!("echo asked >> '{}'\necho unlocking >&2\necho s3cret\n", counter.display()),
    );
    let flag = format!("--oidc-client-secret-command=sh '{}'", script.display());
    let unknown = json!({"error": "invalid_client"}).to_string();
    world.stub.behaviour().answer_next("/token", 401, "application/json", &unknown);
    let run = world.get_token(&[&flag]);
    run.token();
    assert_eq!(run.stderr, "unlocking\n", "what it says is shown");
    assert_eq!(fs::read_to_string(&counter).unwrap(), "asked\n", "two requests, one question");
    world.get_token(&[&flag]).token();
    assert_eq!(fs::read_to_string(&counter).unwrap(), "asked\n", "the cache needs no secret");
}

#[test]
fn a_command_that_fails_is_named_without_its_arguments() {
    let mut world = World::new();
    world.request.total = Duration::from_millis(200);
    for (command, says) in [
        ("sh -c 'echo denied >&2; exit 3' s3cret", "\"sh\" ended with exit status: 3"),
        ("no-such-program s3cret", "\"no-such-program\" cannot be started"),
        ("sh -c 'exec sleep 1000' s3cret", "\"sh\" did not end within"),
        ("true s3cret", "\"true\" printed nothing"),
        ("sh 's3cret", "quote"),
        (" ", "names no program"),
    ] {
        let run = world.get_token(&[&format!("--oidc-client-secret-command={command}"), APPLICATION]);
        let error = run.error();
        assert!(error.contains("--oidc-client-secret-command") && error.contains(says), "{error}");
        assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
        assert!(world.stub.behaviour().requests_to("/token").is_empty());
    }
}

fn header_of(token: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

/// What the stub got, verified as a provider does.
fn verified(assertion: &str, key: &SigningKey) -> VerifiedToken {
    let algorithms = Algorithm::ALL;
    let jwk = serde_json::to_value(key.public_jwk()).unwrap();
    let mut jwk = jwk.as_object().unwrap().clone();
    jwk.remove("alg");
    jwk.remove("kid");
    jwk.extend(header_of(assertion).get("kid").map(|kid| ("kid".to_owned(), kid.clone())));
    let set = JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    set.verify(assertion, &algorithms).unwrap()
}

/// A key and its PEM.
fn key_and_pem(algorithm: Algorithm) -> (SigningKey, String) {
    let key = SigningKey::generate(algorithm).unwrap();
    let der = STANDARD.encode(&*key.to_pkcs8().unwrap());
    (key, format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n"))
}

#[test]
fn a_private_key_signs_an_assertion_for_each_request() {
    let world = World::new();
    let (key, pem) = key_and_pem(Algorithm::Es256);
    file(&world, "key.pem", &pem);
    let flags = ["--oidc-client-assertion-key=~/key.pem", "--oidc-client-assertion-key-id=k1"];
    world.get_token(&flags).token();
    world.get_token(&[&flags[..], &["--force-refresh"]].concat()).token();
    let behaviour = world.stub.behaviour();
    let mut ids = BTreeSet::new();
    for form in behaviour.requests_to("/token") {
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        assert_eq!(form["client_id"], "kubernetes");
        let VerifiedToken { header, payload } = verified(&form["client_assertion"], &key);
        assert_eq!(header.kid.unwrap().as_str(), "k1");
        let claim = |name: &str| payload[name].clone();
        assert_eq!((claim("iss"), claim("sub")), (json!("kubernetes"), json!("kubernetes")));
        assert_eq!(claim("aud"), json!(world.stub.issuer));
        assert_eq!(claim("exp").as_i64().unwrap() - claim("iat").as_i64().unwrap(), 60);
        ids.insert(claim("jti").to_string());
    }
    assert_eq!(ids.len(), 2, "each is another");
    assert_eq!(behaviour.authorization, None);
}

#[test]
fn a_jwk_brings_its_name_and_a_pem_has_none() {
    for (content, kid) in [
        (
            r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","kid":"own",
               "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#
                .to_owned(),
            Some("own"),
        ),
        (key_and_pem(Algorithm::Es256).1, None),
    ] {
        let world = World::new();
        file(&world, "key", &content);
        world.get_token(&["--oidc-client-assertion-key=~/key", APPLICATION]).token();
        let behaviour = world.stub.behaviour();
        let header = header_of(&behaviour.requests_to("/token")[0]["client_assertion"]);
        assert_eq!(header.get("kid").and_then(Value::as_str), kid);
    }
}

#[test]
fn the_algorithm_is_one_that_the_provider_lists_and_the_key_can() {
    let (key, pem) = key_and_pem(Algorithm::Rs256);
    for (listed, algorithm) in [
        (json!(null), Some(Algorithm::Rs256)),
        (json!(["ES256", "PS256"]), Some(Algorithm::Ps256)),
        (json!(["ES256", "HS256"]), None),
    ] {
        let world = World::new();
        world
            .stub
            .behaviour()
            .discovery
            .insert("token_endpoint_auth_signing_alg_values_supported".into(), listed);
        file(&world, "key.pem", &pem);
        let run = world.get_token(&["--oidc-client-assertion-key=~/key.pem", APPLICATION]);
        if let Some(algorithm) = algorithm {
            run.token();
            let form = world.stub.behaviour().requests_to("/token")[0].clone();
            assert_eq!(verified(&form["client_assertion"], &key).header.algorithm, algorithm);
        } else {
            assert!(run.error().contains("but ES256, HS256"), "{}", run.error());
        }
    }
}

#[test]
fn an_older_provider_gets_its_token_endpoint_as_the_audience_if_that_is_its_own() {
    let (key, pem) = key_and_pem(Algorithm::Es256);
    let unknown = json!({"error": "invalid_client", "error_description": "aud"}).to_string();
    let world = World::new();
    file(&world, "key.pem", &pem);
    let flags = ["--oidc-client-assertion-key=~/key.pem", APPLICATION];
    world.stub.behaviour().answer_next("/token", 401, "application/json", &unknown);
    world.get_token(&flags).token();
    world.get_token(&[flags[0], flags[1], "--force-refresh"]).token();
    let audiences: Vec<_> = world
        .stub
        .behaviour()
        .requests_to("/token")
        .iter()
        .map(|form| verified(&form["client_assertion"], &key).payload["aud"].as_str().unwrap().to_owned())
        .collect();
    let (issuer, endpoint) = (world.stub.issuer.clone(), format!("{}/token", world.stub.issuer));
    assert_eq!(audiences, [issuer, endpoint.clone(), endpoint], "and it is remembered");

    let world = World::new();
    file(&world, "key.pem", &pem);
    let elsewhere = format!("{}/token", world.stub.issuer.replace("localhost", "127.0.0.1"));
    world.stub.behaviour().discovery.insert("token_endpoint".into(), json!(elsewhere));
    world.stub.behaviour().answer_next("/token", 401, "application/json", &unknown);
    assert!(world.get_token(&flags).error().ends_with("invalid_client: aud"));
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), 1);
}

#[test]
fn a_ready_assertion_is_read_at_each_use() {
    let world = World::new();
    for assertion in ["first.as.is", "second.as.is"] {
        file(&world, "token", &format!("{assertion}\n"));
        world.get_token(&["--oidc-client-assertion-file=~/token", APPLICATION, "--force-refresh"]).token();
        let behaviour = world.stub.behaviour();
        assert_eq!(behaviour.requests_to("/token").last().unwrap()["client_assertion"], assertion);
    }
}

#[test]
fn only_the_ways_that_the_provider_lists_are_tried() {
    let unknown = json!({"error": "invalid_client"}).to_string();
    for (methods, tries) in [
        (json!(["client_secret_post"]), 1),
        (json!(["client_secret_basic", "private_key_jwt"]), 1),
        (json!(["client_secret_basic", "client_secret_post"]), 2),
        (json!(["none"]), 2),
        (json!(null), 2),
    ] {
        let world = World::new();
        world
            .stub
            .behaviour()
            .discovery
            .insert("token_endpoint_auth_methods_supported".into(), methods.clone());
        for _ in 0..3 {
            world.stub.behaviour().answer_next("/token", 401, "application/json", &unknown);
        }
        assert!(world.get_token(&["--oidc-client-secret=s", APPLICATION]).error().contains("invalid_client"));
        assert_eq!(world.stub.behaviour().requests_to("/token").len(), tries, "{methods}");
    }
}

#[test]
fn a_code_is_not_sent_again_after_any_other_refusal() {
    for code in ["invalid_grant", "invalid_request", "unauthorized_client", "server_error"] {
        let world = World::new();
        let refused = json!({ "error": code }).to_string();
        world.stub.behaviour().answer_next("/token", 400, "application/json", &refused);
        assert!(world.get_token(&["--oidc-client-secret=s"]).error().contains(code));
        assert_eq!(world.stub.behaviour().requests_to("/token").len(), 1, "{code}");
    }
}

#[test]
fn a_proof_that_cannot_be_used_is_named_and_not_shown() {
    let world = World::new();
    file(&world, "empty", "\n");
    file(&world, "public.pem", "-----BEGIN PUBLIC KEY-----\nSECRET00\n-----END PUBLIC KEY-----\n");
    file(&world, "long", &"x".repeat(70_000));
    for (flags, says) in [
        (&["--oidc-client-secret-file=~/nowhere"][..], "--oidc-client-secret-file: "),
        (&["--oidc-client-secret-file=~/empty"], "is empty"),
        (&["--oidc-client-secret-file=~/long"], "too long"),
        (&["--oidc-client-assertion-file=~/nowhere"], "--oidc-client-assertion-file: "),
        (&["--oidc-client-assertion-key=~/public.pem"], "neither a PEM private key nor a JWK"),
        (&["--oidc-client-assertion-key-id=k"], "--oidc-client-assertion-key beside it"),
        (
            &["--oidc-client-secret=SECRET00", "--oidc-client-assertion-file=~/empty"],
            "leave it or --oidc-client-secret away",
        ),
        (
            &["--oidc-client-secret-file=~/a", "--oidc-client-secret-command=b"],
            "leave it or --oidc-client-secret-file away",
        ),
    ] {
        let run = world.get_token(&[flags, &[APPLICATION]].concat());
        assert!(run.error().contains(says), "{}", run.error());
        assert!(!run.stderr.contains("SECRET00"));
        assert!(world.stub.behaviour().requests_to("/token").is_empty());
    }
}
