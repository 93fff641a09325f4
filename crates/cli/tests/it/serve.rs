//! `kubesso serve` from its first start.

use std::path::Path;
use std::time::{Duration, Instant};

use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use kubesso_https::{Timeouts, Trust, client};
use kubesso_store_postgres::testkit::Server;

use crate::served::{Site, answers, free_port, serve, tls};
use crate::{kubesso, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_a_name_and_a_certificate_of_its_own_over_an_empty_directory() {
    let home = tempfile::tempdir().unwrap();
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let elsewhere: std::net::IpAddr = "127.0.0.60".parse().unwrap();
    let own = tls(home.path(), &authority, "own", &ServerNames::loopback());
    let other = tls(home.path(), &authority, "other", &ServerNames::new(Vec::new(), vec![elsewhere]));
    let (port, plain) = (free_port(), free_port());
    let data = home.path().join("data");
    let config = format!(
        "base_url: https://localhost:{port}\nlisten: ['127.0.0.1:{port}']\ntls: {own}\ndata_dir: {}\n\
         begin_with: nothing\ndanger_plain_http: 127.0.0.1:{plain}\n\
         organization: {{url: 'https://{elsewhere}:{port}', listen: ['{elsewhere}:{port}'], tls: {other}}}\n",
        data.display()
    );
    let file = home.path().join("kubesso.yaml");
    std::fs::write(&file, config).unwrap();
    let _serving = serve(home.path(), &file);
    let http = client(&Trust::Only(authority.certificate_pem().to_owned()), Timeouts::default()).unwrap();
    answers(&http, &format!("https://{elsewhere}:{port}/healthz")).await;
    let data = data.display().to_string();
    let made = kubesso(home.path(), &["api-token", "create", "--name=ci", "-o=json", "--data-dir", &data]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let authorization = format!("SSWS {}", made["token"].as_str().unwrap());
    for origin in [
        format!("https://localhost:{port}"),
        format!("https://{elsewhere}:{port}"),
        format!("http://127.0.0.1:{plain}"),
    ] {
        let groups = http.get(format!("{origin}/api/v1/groups")).header("authorization", &authorization);
        let groups: serde_json::Value = groups.send().await.unwrap().json().await.unwrap();
        let names: Vec<_> =
            groups.as_array().unwrap().iter().map(|group| &group["profile"]["name"]).collect();
        assert_eq!(names, ["Everyone"], "{origin}: nothing but what is built in");
        // Links are built from the base URL, wherever somebody asks.
        let link = groups[0]["_links"]["self"]["href"].as_str().unwrap();
        assert!(link.starts_with(&format!("https://localhost:{port}/api/v1/groups/")), "{link}");
    }
    let sign_in = http.get(format!("http://127.0.0.1:{plain}/healthz")).send().await.unwrap();
    assert!(!sign_in.status().is_success(), "without TLS there is the management API and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_an_empty_directory_has_what_a_cluster_is_pointed_at() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let tls = tls(home.path(), &authority, "tls", &ServerNames::loopback());
    let port = free_port();
    let config = format!(
        "base_url: https://localhost:{port}\nlisten: ['127.0.0.1:{port}']\n\
         tls: {tls}\ndata_dir: {}\n",
        path("data")
    );
    std::fs::write(path("kubesso.yaml"), config).unwrap();
    let mut serving = serve(home.path(), Path::new(&path("kubesso.yaml")));

    let http = client(&Trust::Only(authority.certificate_pem().to_owned()), Timeouts::default()).unwrap();
    answers(&http, &format!("https://localhost:{port}/healthz")).await;
    let data = path("data");
    let person = ["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json", "--data-dir", &data];
    let made = kubesso(home.path(), &person);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let again = kubesso(home.path(), &person);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("there is somebody with the login jo@example.com already"));

    let _ = serving.0.kill();
    let said = serving.said();
    let issuer = said.lines().find_map(|line| line.trim().strip_prefix("issuer")).unwrap().trim();
    assert!(issuer.starts_with(&format!("https://localhost:{port}/oauth2/aus")), "{said}");
    assert!(said.lines().any(|line| line.trim().starts_with("client  0oa")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_act_as_one() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let tls = tls(home.path(), &authority, "tls", &ServerNames::loopback());
    std::fs::write(path("url"), Server::shared().unwrap().database().unwrap() + "\n").unwrap();
    let configure = |number: u8, port: u16| {
        let config = format!(
            "base_url: https://localhost\nlisten: ['127.0.0.1:{port}']\ntls: {tls}\ndata_dir: {}\n\
             database_url_file: {}\n",
            path(&format!("data{number}")),
            path("url")
        );
        let file = path(&format!("kubesso{number}.yaml"));
        std::fs::write(&file, config).unwrap();
        file
    };
    let http = client(&Trust::Only(authority.certificate_pem().to_owned()), Timeouts::default()).unwrap();
    let (one, other) = (free_port(), free_port());
    let _first = serve(home.path(), Path::new(&configure(1, one)));
    answers(&http, &format!("https://localhost:{one}/healthz")).await;

    // Without the key of the first, a second one does not start.
    let second = configure(2, other);
    let refused = kubesso(home.path(), &["serve", "--config", &second]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("is missing, without which the secrets"),
        "{}",
        text(&refused.stderr)
    );
    std::fs::copy(path("data1/master.key"), path("data2/master.key")).unwrap();
    let _second = serve(home.path(), Path::new(&second));
    answers(&http, &format!("https://localhost:{other}/healthz")).await;

    // What a command writes beside one is in force at the other.
    let data = path("data2");
    let made = kubesso(home.path(), &["api-token", "create", "--name=ci", "-o=json", "--data-dir", &data]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let authorization = format!("SSWS {}", made["token"].as_str().unwrap());
    let group = serde_json::json!({"profile": {"name": "k8s-ops", "description": ""}});
    let created = http
        .post(format!("https://localhost:{one}/api/v1/groups"))
        .header("authorization", &authorization)
        .json(&group)
        .send()
        .await
        .unwrap();
    assert!(created.status().is_success(), "{created:?}");
    let found = http
        .get(format!("https://localhost:{other}/api/v1/groups?q=K8S-O"))
        .header("authorization", &authorization)
        .send()
        .await
        .unwrap();
    let found: serde_json::Value = found.json().await.unwrap();
    assert_eq!(found[0]["profile"]["name"], "k8s-ops", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_after_a_hangup_and_a_broken_one_is_not() {
    let site = Site::new("");
    let serving = site.serve().await;
    let hang_up = || {
        let sent = std::process::Command::new("kill").args(["-HUP", &serving.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    let by = async |authority: &CertificateAuthority| {
        let trust = Trust::Only(authority.certificate_pem().to_owned());
        let http = client(&trust, Timeouts::default()).unwrap();
        http.get(site.url("/healthz")).send().await.is_ok()
    };
    let certificate = site.home.path().join("tls.crt");
    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\n").unwrap();
    hang_up();
    assert!(by(&site.authority).await);
    let renewed = CertificateAuthority::generate("renewed", SystemClock.now()).unwrap();
    tls(site.home.path(), &renewed, "tls", &ServerNames::loopback());
    let deadline = Instant::now() + Duration::from_mins(1);
    while !by(&renewed).await {
        assert!(Instant::now() < deadline, "the renewed certificate is not shown");
        hang_up();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!by(&site.authority).await);
}
