//! Entries that kubelogin left behind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use jiff::SignedDuration;
use kubesso_ambient::{Clock, SystemClock};
use serde_json::Value;

use crate::world::World;

/// Lets kubelogin sign in with `flags`, and returns its token.
fn kubelogin(program: &PathBuf, world: &World, flags: &[String]) -> String {
    let output = Command::new(program)
        .args([
            "get-token",
            "--oidc-client-id=kubernetes",
            &format!("--oidc-issuer-url={}", world.stub.issuer),
        ])
        .args(flags)
        .env_clear()
        .env("HOME", world.home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    let credential: Value = serde_json::from_slice(&output.stdout).unwrap();
    credential["status"]["token"].as_str().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the peers are where the environment says")]
fn peer() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("KUBESSO_PEERS_DIR")?).join("kubelogin");
    assert!(program.exists(), "{} is missing; run cargo xtask peers", program.display());
    Some(program)
}

/// kubelogin's own binary signs in, ours goes on with what it kept.
#[test]
fn after_the_change_of_the_binary_nobody_signs_in_again() {
    let Some(program) = peer() else {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
        return;
    };
    let password = ["--username=dev", "--password=correct horse"];
    let application = ["--grant-type=client-credentials", "--oidc-client-secret=s"];
    for flags in [
        &[&password[..]].concat(),
        &[&password[..], &["--oidc-extra-scope=email,email", "--oidc-extra-scope=openid"]].concat(),
        &[&password[..], &["--oidc-request-header=x-a=1,x-b=2", "--oidc-request-header=x-c=3"]].concat(),
        &[&application[..]].concat(),
        &[&application[..], &["--oidc-auth-request-extra-params=a=1,b=2,c=3,d=4"]].concat(),
    ] {
        let mut world = World::with_tls();
        // kubelogin knows only the machine's clock.
        world.clock.set(SystemClock.now());
        world.variables.remove("KUBERNETES_EXEC_INFO");
        let mut flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        fs::write(world.home.path().join("ca.pem"), world.stub.ca.as_ref().unwrap()).unwrap();
        flags.push("--certificate-authority=~/ca.pem".to_owned());
        let token = kubelogin(&program, &world, &flags);
        let theirs = world.cache_files("").into_iter().find(|path| path.extension().is_none()).unwrap();
        let content = fs::read(&theirs).unwrap();
        let asked = world.stub.behaviour().requests.len();

        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        assert_eq!(world.get_token(&flags).token(), token, "{flags:?}");
        fs::write(&theirs, "overwritten").unwrap();
        assert_eq!(world.get_token(&flags).token(), token, "ours is there now: {flags:?}");
        assert_eq!(world.stub.behaviour().requests.len(), asked, "nobody was asked: {flags:?}");

        // An ended token is refreshed with kubelogin's refresh token.
        fs::write(&theirs, content).unwrap();
        fs::remove_file(&world.cache_files(".json")[0]).unwrap();
        world.clock.advance(SignedDuration::from_hours(2));
        assert_ne!(world.get_token(&flags).token(), token);
        let grants: Vec<_> = world.stub.behaviour().requests[asked..]
            .iter()
            .filter_map(|(_, form)| form.get("grant_type").cloned())
            .collect();
        assert_eq!(grants, ["refresh_token"], "{flags:?}");
        assert!(theirs.exists(), "kubelogin may still be used");
    }
}
