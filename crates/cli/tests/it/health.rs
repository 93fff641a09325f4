//! `/livez`, `/readyz`, `/metrics`, and how a server ends.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::served::{Site, free_port};

/// SIGTERM, by the system's own tool.
fn terminate(process: u32) {
    assert!(Command::new("kill").arg(process.to_string()).status().unwrap().success());
}

async fn get(site: &Site, url: &str) -> (u16, String) {
    let answer = site.http.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_ending_server_says_that_it_is_not_ready_before_its_listeners_close() {
    let site = Site::new("drain_seconds: 60\n");
    let mut serving = site.serve().await;
    assert_eq!(get(&site, &site.url("/livez")).await, (200, "ok".to_owned()));
    assert_eq!(get(&site, &site.url("/readyz")).await, (200, "ok".to_owned()));
    let expected = "[+]store ok\n[+]keys ok\n[+]shutdown ok\nreadyz check passed".to_owned();
    assert_eq!(get(&site, &site.url("/readyz?verbose")).await, (200, expected));

    terminate(serving.0.id());
    let deadline = Instant::now() + Duration::from_secs(20);
    let said = loop {
        let (status, said) = get(&site, &site.url("/readyz")).await;
        if status == 503 {
            break said;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(said.contains("[-]shutdown failed: the process is ending"), "{said}");
    assert_eq!(get(&site, &site.url("/livez")).await.0, 200, "it still answers");
    // A second signal ends the waiting.
    terminate(serving.0.id());
    assert!(serving.0.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_what_was_asked_and_answered_at_a_listener_of_its_own() {
    let port = free_port();
    let site = Site::new(&format!("metrics: 127.0.0.1:{port}\ndrain_seconds: 0\n"));
    let _serving = site.serve().await;
    get(&site, &site.url("/oauth2/nothing/.well-known/openid-configuration")).await;
    get(&site, &site.url("/who/knows?what=secret")).await;
    let (status, text) = get(&site, &format!("http://127.0.0.1:{port}/metrics")).await;
    assert_eq!(status, 200);
    for line in [
        r#"kubesso_requests_total{endpoint="discovery",status="404"} 1"#,
        r#"kubesso_requests_total{endpoint="other",status="404"} 1"#,
        r#"kubesso_request_duration_seconds_count{endpoint="discovery"} 1"#,
        r#"kubesso_sign_ins_total{outcome="success"} 0"#,
        r#"kubesso_signing_keys{state="active"} "#,
        "kubesso_refreshes_total 0",
        "kubesso_store_latency_seconds_count ",
        "kubesso_build_info{version=",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("secret") && !text.contains("who/knows"));
    assert_eq!(get(&site, &format!("http://127.0.0.1:{port}/readyz")).await.0, 200);
    assert_eq!(get(&site, &site.url("/metrics")).await.0, 404, "not for strangers");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_counted_by_outcome_and_come_from_where_a_trusted_proxy_says() {
    let port = free_port();
    let mut said = Vec::new();
    for (trusted, address) in [("['127.0.0.0/8', '::1']", "198.51.100.7"), ("[]", "127.0.0.1")] {
        let site = Site::new(&format!("metrics: 127.0.0.1:{port}\ntrusted_proxies: {trusted}\n"));
        let mut serving = site.serve().await;
        let made = site.run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
        let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        let seen = site.run(&["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"]);
        let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
        let client = seen["client"].as_str().unwrap();
        let server = site.server_id(&site.data().display().to_string());
        let password = made["password"].as_str().unwrap();
        assert!(!site.signs_in(client, &server, "jo@example.com", "wrong").await);
        assert!(site.signs_in(client, &server, "jo@example.com", password).await);
        let (_, metrics) = get(&site, &format!("http://127.0.0.1:{port}/metrics")).await;
        for line in [
            r#"kubesso_sign_ins_total{outcome="success"} 1"#,
            r#"kubesso_sign_ins_total{outcome="wrong_password"} 1"#,
            r#"kubesso_requests_total{endpoint="/sign-in",status="422"} 1"#,
        ] {
            assert!(metrics.contains(line), "{line} is not in {metrics}");
        }
        let _ = serving.0.kill();
        let log = serving.said();
        let refused = log.lines().find(|line| line.contains("wrong login or password")).unwrap().to_owned();
        assert!(refused.contains(address), "{trusted}: {refused}");
        said.push(refused);
    }
    assert!(!said[1].contains("198.51.100.7"), "{}", said[1]);
}
