//! What is kept of the provider between runs, and how many requests that saves.

use jiff::SignedDuration;
use serde_json::json;

use crate::world::World;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const DAY: &str = "public, max-age=86400";
const HOURS_2: SignedDuration = SignedDuration::from_hours(2);

/// A person who has signed in, at a provider whose documents may be kept for a day.
fn signed_in() -> World {
    let world = World::new();
    world.stub.behaviour().cache_control = Some(DAY);
    world.get_token(&[]).token();
    world.stub.behaviour().take_paths();
    world
}

/// The paths of the requests of one refresh, sorted.
fn refresh(world: &World, flags: &[&str]) -> Vec<String> {
    let flags: Vec<_> = flags.iter().copied().chain(["--force-refresh"]).collect();
    world.get_token(&flags).token();
    assert_eq!(world.browser.openings(), 1, "it was a refresh");
    let mut paths = world.stub.behaviour().take_paths();
    paths.sort();
    paths
}

#[test]
fn a_refresh_is_one_round_trip() {
    let world = signed_in();
    for _ in 0..3 {
        world.clock.advance(HOURS_2);
        assert_eq!(refresh(&world, &[]), ["/token"]);
    }
    let other_scopes = world.get_token(&["--oidc-extra-scope=email"]).token();
    assert!(!other_scopes.is_empty());
    assert_eq!(
        world.stub.behaviour().take_paths().iter().filter(|path| *path == "/certs").count(),
        0,
        "another entry at the same provider has its keys too"
    );
}

#[test]
fn documents_without_a_lifetime_are_kept_for_half_a_day() {
    let world = World::new();
    world.get_token(&[]).token();
    world.stub.behaviour().take_paths();
    world.clock.advance(SignedDuration::from_hours(12) - SignedDuration::from_secs(1));
    assert_eq!(refresh(&world, &[]), ["/token"]);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(refresh(&world, &[]), [DISCOVERY, "/certs", "/token"]);
    assert_eq!(refresh(&world, &[]), ["/token"]);
}

#[test]
fn what_has_lived_its_time_is_used_and_asked_for_again_beside() {
    for (cache_control, hours) in [
        ("max-age=3600", 2),
        // However long the provider says.
        ("max-age=31536000", 25),
        // Keycloak says so of documents that change once a year.
        ("no-cache, no-store", 0),
    ] {
        let world = World::new();
        world.stub.behaviour().cache_control = Some(cache_control);
        world.get_token(&[]).token();
        world.stub.behaviour().take_paths();
        world.clock.advance(SignedDuration::from_hours(hours));
        assert_eq!(refresh(&world, &[]), [DISCOVERY, "/certs", "/token"], "{cache_control}");
        assert_eq!(world.stub.behaviour().not_modified, 2, "{cache_control}: by their ETags");
        let again = refresh(&world, &[]);
        assert_eq!(again.len(), if hours == 0 { 3 } else { 1 }, "{cache_control}");
    }
}

#[test]
fn a_provider_that_cannot_be_asked_again_costs_no_token() {
    let world = signed_in();
    world.clock.advance(SignedDuration::from_hours(48));
    for path in [DISCOVERY, "/certs"] {
        for _ in 0..3 {
            world.stub.behaviour().answer_next(path, 503, "text/plain", "busy");
        }
    }
    world.get_token(&["--force-refresh"]).token();
    assert_eq!(world.browser.openings(), 1);
}

#[test]
fn what_is_older_than_a_week_is_not_used() {
    let world = signed_in();
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    world.stub.behaviour().answer_next(DISCOVERY, 404, "text/plain", "");
    assert!(world.get_token(&[]).error().contains("404"));
}

#[test]
fn an_unknown_key_is_looked_up_once() {
    let world = signed_in();
    world.stub.behaviour().rotate_key();
    assert_eq!(refresh(&world, &[]), [DISCOVERY, "/certs", "/token"]);
    assert_eq!(refresh(&world, &[]), ["/token"]);
    world.stub.behaviour().sign_with_unpublished_key();
    assert!(world.get_token(&["--force-refresh"]).error().contains("does not publish"));
    assert_eq!(world.stub.behaviour().take_paths(), ["/token", DISCOVERY, "/certs"], "and no more");
}

#[test]
fn an_algorithm_that_is_new_is_looked_up_once() {
    let world = World::new();
    world
        .stub
        .behaviour()
        .discovery
        .insert("id_token_signing_alg_values_supported".into(), json!(["ES256", "RS256"]));
    world.get_token(&[]).token();
    let file = &world.cache_files(".kubesso.provider")[0];
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace(r#"[\"ES256\",\"RS256\"]"#, r#"[\"RS256\"]"#)).unwrap();
    world.stub.behaviour().take_paths();
    assert_eq!(refresh(&world, &[]), [DISCOVERY, "/certs", "/token"]);
}

#[test]
fn an_endpoint_that_has_moved_is_looked_up_once() {
    for status in [404, 405] {
        let world = signed_in();
        let elsewhere = format!("{}/v2/token", world.stub.issuer);
        world.stub.behaviour().discovery.insert("token_endpoint".into(), json!(elsewhere));
        world.stub.behaviour().renamed.insert("/token", "/v2/token");
        world.stub.behaviour().answer_next("/token", status, "text/html", "<html>");
        let refreshed = refresh(&world, &[]);
        assert_eq!(refreshed, [DISCOVERY, "/token", "/v2/token"]);
        assert_eq!(refresh(&world, &[]), ["/v2/token"]);
        world.stub.behaviour().renamed.insert("/token", "/v3/token");
        assert!(
            world.get_token(&["--force-refresh"]).error().contains("404"),
            "it is where it is said to be"
        );
        assert_eq!(world.stub.behaviour().take_paths(), ["/v2/token", DISCOVERY, "/v2/token"]);
    }
}

#[test]
fn a_page_to_sign_in_at_is_where_the_provider_says_now() {
    let world = signed_in();
    world.get_token(&["--oidc-extra-scope=email"]).token();
    assert_eq!(world.stub.behaviour().take_paths()[0], DISCOVERY);
    assert_eq!(world.stub.behaviour().not_modified, 1);
}

#[test]
fn nothing_is_kept_when_nothing_is_to_be_kept() {
    let world = World::new();
    let flags = ["--token-cache-storage=none", "--username=dev", "--password=correct horse"];
    for _ in 0..2 {
        world.get_token(&flags).token();
        let mut paths = world.stub.behaviour().take_paths();
        paths.sort();
        assert_eq!(paths, [DISCOVERY, "/certs", "/token"]);
    }
    assert!(!world.cache_directory().exists());
}

#[test]
fn another_trust_another_header_and_another_issuer_have_their_own_documents() {
    let world = World::with_tls();
    let file = world.home.path().join("ca.pem");
    std::fs::write(&file, world.stub.ca.clone().unwrap()).unwrap();
    let ca = format!("--certificate-authority={}", file.display());
    let password = ["--username=dev", "--password=correct horse"];
    for flags in [&["--insecure-skip-tls-verify"][..], &[&ca], &[&ca, "--oidc-request-header=tenant=b"]] {
        world.stub.behaviour().take_paths();
        world.get_token(&[flags, &password].concat()).token();
        assert!(world.stub.behaviour().take_paths().contains(&DISCOVERY.to_owned()), "{flags:?}");
    }
    assert_eq!(world.cache_files(".kubesso.provider").len(), 3);
    // The same authority by another name is the same.
    std::fs::copy(&file, world.home.path().join("copy.pem")).unwrap();
    world.get_token(&[&["--certificate-authority=~/copy.pem"][..], &password].concat()).token();
    assert_eq!(world.stub.behaviour().take_paths(), ["/token"]);
}

#[test]
fn what_was_kept_and_spoilt_is_as_if_it_were_not_there() {
    type Spoil = fn(&str, &str) -> String;
    let spoils: [Spoil; 6] = [
        |_, _| String::new(),
        |text, _| text[..text.len() / 2].to_owned(),
        |text, _| text.replacen(r#""version":1"#, r#""version":2"#, 1),
        |text, issuer| text.replace(issuer, "https://evil.example.com"),
        |text, issuer| {
            text.replace(&format!(r#"issuer\":\"{issuer}"#), r#"issuer\":\"https://evil.example.com"#)
        },
        |text, _| format!("{}{text}", " ".repeat(512 * 1024)),
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let world = signed_in();
        let file = &world.cache_files(".kubesso.provider")[0];
        let text = std::fs::read_to_string(file).unwrap();
        let spoilt = spoil(&text, &world.stub.issuer);
        assert_ne!(spoilt, text, "{number}");
        std::fs::write(file, spoilt).unwrap();
        assert!(refresh(&world, &[]).contains(&DISCOVERY.to_owned()), "{number}");
        assert_eq!(refresh(&world, &[]), ["/token"], "{number}: it was written anew");
    }
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_its_owners_and_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    world.get_token(&["--oidc-client-secret=s3cret", "--oidc-request-header=x-key=header-secret"]).token();
    let file = &world.cache_files(".kubesso.provider")[0];
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(file).unwrap();
    for secret in ["s3cret", "header-secret", "TOKEN", "code-1"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
