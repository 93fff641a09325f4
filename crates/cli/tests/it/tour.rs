//! `kubesso up --tour` as the self-check of an installation.

use std::path::Path;
use std::process::Output;

use kubesso_cli::up::{Options, PortChoice, start};
use kubesso_https::pki::CertificateAuthority;
use serde_json::Value;

use crate::{kubesso, text};

fn tour(home: &Path, data: &Path) -> Output {
    let data = data.display().to_string();
    kubesso(home, &["up", "--data-dir", &data, "--provider-port=0", "--cluster-port=0", "--tour", "-o=json"])
}

/// Deletes an object of the installation in `data` as the break-glass administrator.
async fn delete(data: &Path, path: &str) {
    let options = Options {
        provider_port: Some(PortChoice::AnyFree),
        cluster_port: Some(PortChoice::AnyFree),
        ..Options::new(data)
    };
    let running = start(options).await.unwrap();
    let read = |name| std::fs::read_to_string(data.join(name)).unwrap();
    let now = kubesso_ambient::Clock::now(&kubesso_ambient::SystemClock);
    let authority = CertificateAuthority::load(&read("ca.crt"), &read("ca.key"), now).unwrap();
    let administrator = authority.issue_client("test", "system:masters", now).unwrap();
    let pem = format!("{}{}", administrator.chain_pem(), administrator.key_pem());
    let trusted = running.authority_pem();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap()])
        .identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
        .build()
        .unwrap();
    let answer = client.delete(format!("{}{path}", running.facts().cluster)).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_ends_with_0_when_all_is_well_and_with_1_when_a_binding_is_gone() {
    let (home, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = tour(home.path(), data.path());
    assert!(first.status.success(), "{}", text(&first.stderr));

    // Passwords are not known any more: stand-ins go, and are taken away again.
    let second = tour(home.path(), data.path());
    assert!(second.status.success(), "{}", text(&second.stderr));
    let people =
        kubesso(home.path(), &["user", "list", "-o=json", "--data-dir", &data.path().display().to_string()]);
    let people: Value = serde_json::from_str(&text(&people.stdout)).unwrap();
    assert_eq!(people.as_array().unwrap().len(), 4, "{people}");

    // A cluster that was taken away is made again, with what the first world has in it.
    std::fs::remove_dir_all(data.path().join("sandbox")).unwrap();
    let anew = tour(home.path(), data.path());
    assert!(anew.status.success(), "{}{}", text(&anew.stdout), text(&anew.stderr));

    let binding = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings/oidc-cluster-user";
    delete(data.path(), binding).await;
    let third = tour(home.path(), data.path());
    assert_eq!(third.status.code(), Some(1), "{}", text(&third.stderr));
    let journeys: Value = serde_json::from_str(&text(&third.stdout)).unwrap();
    let differences: Vec<_> = journeys
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|journey| journey["differences"].as_array().unwrap())
        .collect();
    assert_eq!(
        differences,
        [
            "should be allowed to list pods in default, but is not",
            "should be allowed to list services in default, but is not"
        ]
    );
}
