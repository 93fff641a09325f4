//! Signing in with the browser (kubelogin's own cases: AuthCode, TLS, PKCE, TLSData, ExtraScopes, …).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use serde_json::json;

use crate::world::{World, visit};

#[test]
fn a_first_call_signs_in_and_prints_the_credential() {
    let world = World::new();
    let run = world.get_token(&[]);
    let token = run.token();
    assert_eq!(
        run.stdout,
        format!(
            "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"spec\":{{\"interactive\":false}},\
             \"status\":{{\"expirationTimestamp\":\"2020-01-01T01:00:00Z\",\"token\":\"{token}\"}}}}\n"
        )
    );
    assert_eq!(run.stderr, "", "a browser that opens needs no words");

    let behaviour = world.stub.behaviour();
    let request = behaviour.requests_to("/auth")[0];
    assert_eq!(request["scope"], "openid");
    assert!(request["redirect_uri"].starts_with("http://localhost:"));
    assert!(!request["redirect_uri"].ends_with('/'));
    assert_eq!(request["code_challenge_method"], "S256");
    assert_eq!((request["access_type"].as_str(), request["response_type"].as_str()), ("offline", "code"));
    assert_eq!((request["state"].len(), request["nonce"].len()), (43, 43));
    let exchange = behaviour.requests_to("/token")[0];
    assert_eq!(exchange["client_id"], "kubernetes");
    assert_eq!(exchange["redirect_uri"], request["redirect_uri"]);
    drop(behaviour);

    let page = world.browser.page(0);
    assert_eq!((page.status, page.cache_control.as_str()), (200, "no-store"));
    assert!(page.body.contains("Authenticated"), "{}", page.body);
}

#[test]
fn the_browser_is_sent_through_our_own_address_first() {
    let world = World::new();
    world.get_token(&[]).token();
    let opened = world.browser.opened.lock().unwrap();
    assert_eq!(opened.len(), 1);
    let url = opened[0].0.as_str();
    assert!(
        url.starts_with("http://localhost:") && url.ends_with('/'),
        "no state in the process list: {url}"
    );
}

#[test]
fn a_provider_with_a_private_certificate_authority_is_trusted_by_file_or_by_data() {
    let world = World::with_tls();
    let ca = world.stub.ca.clone().unwrap();
    let file = world.home.path().join("ca.pem");
    std::fs::write(&file, &ca).unwrap();
    world.get_token(&[&format!("--certificate-authority={}", file.display())]).token();
    world.get_token(&[&format!("--certificate-authority-data={}", STANDARD.encode(&ca))]).token();
    world.get_token(&["--certificate-authority=~/ca.pem", "--oidc-extra-scope=email"]).token();
    assert_eq!(world.browser.openings(), 3);
}

#[test]
fn without_its_authority_a_private_provider_is_refused_and_the_flag_is_named() {
    let world = World::with_tls();
    let run = world.get_token(&[]);
    assert!(run.error().contains("--certificate-authority"), "{}", run.error());
    assert_eq!(world.browser.openings(), 0);
    let other = CertificateAuthority::generate("other", "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    let data = STANDARD.encode(other.certificate_pem());
    let run = world.get_token(&[&format!("--certificate-authority-data={data}")]);
    assert!(run.error().contains("--certificate-authority"), "{}", run.error());
}

#[test]
fn verification_can_be_skipped_and_is_warned_about() {
    let world = World::with_tls();
    let run = world.get_token(&["--insecure-skip-tls-verify"]);
    run.token();
    assert!(run.stderr.starts_with("warning: --insecure-skip-tls-verify"), "{}", run.stderr);
}

#[test]
fn a_proof_key_is_sent_when_the_provider_offers_it_or_the_person_asks() {
    for (offered, flag, sent) in [
        (json!(["plain", "S256"]), None, true),
        (json!(["plain", "S256"]), Some("--oidc-pkce-method=no"), false),
        (json!(["plain"]), None, false),
        (json!(null), None, false),
        (json!(null), Some("--oidc-pkce-method=S256"), true),
        (json!(null), Some("--oidc-use-pkce"), true),
    ] {
        let world = World::new();
        world.stub.behaviour().discovery.insert("code_challenge_methods_supported".into(), offered.clone());
        let run = world.get_token(flag.as_slice());
        run.token();
        let behaviour = world.stub.behaviour();
        let method = behaviour.requests_to("/auth")[0].get("code_challenge_method").map(String::as_str);
        assert_eq!(method, sent.then_some("S256"), "{offered} {flag:?}");
        assert_eq!(behaviour.requests_to("/token")[0].contains_key("code_verifier"), sent);
        assert_eq!(run.stderr.contains("deprecated"), flag == Some("--oidc-use-pkce"));
    }
}

#[test]
fn extra_scopes_come_before_openid_however_they_are_written() {
    for (flags, scope) in [
        (&["--oidc-extra-scope=email", "--oidc-extra-scope=profile"][..], "email profile openid"),
        (&["--oidc-extra-scope=email,profile"], "email profile openid"),
        (&["--oidc-extra-scope=email offline_access profile openid"], "email offline_access profile openid"),
    ] {
        let world = World::new();
        world.get_token(flags).token();
        assert_eq!(world.stub.behaviour().requests_to("/auth")[0]["scope"], scope);
    }
}

#[test]
fn extra_parameters_arrive_in_the_authorization_request() {
    let world = World::new();
    world
        .get_token(&[
            "--oidc-auth-request-extra-params=ttl=86400",
            "--oidc-auth-request-extra-params=reauth=true,prompt=login",
            "--oidc-auth-request-extra-params=state=chosen",
        ])
        .token();
    let behaviour = world.stub.behaviour();
    let request = behaviour.requests_to("/auth")[0];
    assert_eq!((request["ttl"].as_str(), request["reauth"].as_str()), ("86400", "true"));
    assert_eq!(request["prompt"], "login");
    assert_ne!(request["state"], "chosen", "what protects the request stays ours");
}

#[test]
fn the_last_page_can_lead_on() {
    let world = World::new();
    world.get_token(&["--open-url-after-authentication=https://example.com/?a=1&b=2"]).token();
    assert!(world.browser.page(0).body.contains("URL=https://example.com/?a=1&amp;b=2"));
}

#[test]
fn the_local_server_can_speak_tls() {
    let mut world = World::new();
    std::sync::Arc::get_mut(&mut world.browser).unwrap().trust_anybody();
    let now = kubesso_ambient::Clock::now(&kubesso_ambient::SystemClock);
    let authority = CertificateAuthority::generate("local", now).unwrap();
    let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
    std::fs::write(world.home.path().join("cert.pem"), identity.chain_pem()).unwrap();
    std::fs::write(world.home.path().join("key.pem"), identity.key_pem()).unwrap();
    world.get_token(&["--local-server-cert=~/cert.pem", "--local-server-key=~/key.pem"]).token();
    assert!(world.stub.behaviour().requests_to("/auth")[0]["redirect_uri"].starts_with("https://localhost:"));
    assert!(world.browser.page(0).body.contains("Authenticated"));

    let run = world.get_token(&["--local-server-cert=~/cert.pem", "--force-refresh"]);
    assert!(run.error().contains("--local-server-key"), "{}", run.error());
}

#[test]
fn a_redirect_url_is_sent_as_written_and_its_path_is_the_callback() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::new();
    let redirect = format!("http://LOCALHOST:{port}/callback");
    world
        .get_token(&[
            &format!("--oidc-redirect-url={redirect}"),
            &format!("--listen-address=127.0.0.1:{port}"),
        ])
        .token();
    assert_eq!(world.stub.behaviour().requests_to("/auth")[0]["redirect_uri"], redirect);
    assert!(world.browser.page(0).body.contains("Authenticated"));
}

#[test]
fn an_address_of_this_machine_may_be_named_without_a_port() {
    for host in ["127.0.0.1", "[::1]"] {
        if host == "[::1]" && std::net::TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let world = World::new();
        let flag = format!("--oidc-redirect-url=http://{host}:0/callback");
        world.get_token_automatically(&[&flag], &crate::world::Recording::default()).token();
        let behaviour = world.stub.behaviour();
        let redirect: url::Url = behaviour.requests_to("/auth")[0]["redirect_uri"].parse().unwrap();
        assert_eq!((redirect.host_str(), redirect.path()), (Some(host), "/callback"));
        assert_eq!(redirect.port(), world.browser.opened.lock().unwrap()[0].0.port(), "where it came in");
        assert_ne!(redirect.port(), Some(0));
    }
}

#[test]
fn strangers_at_the_local_address_change_nothing() {
    let world = World::new();
    world.browser.first(|url| {
        let at = |path: &str| url.join(path).unwrap();
        let trust = kubesso_https::Trust::System;
        let stray = visit(&trust, &at("/?code=stolen&state=wrong"));
        assert_eq!((stray.status, stray.cache_control.as_str()), (400, "no-store"));
        assert_eq!(visit(&trust, &at("/?error=access_denied")).status, 400, "no state, no say");
        assert_eq!(visit(&trust, &at("/favicon.ico")).status, 404);
        assert_eq!(visit(&trust, &at("/callback?code=x&state=y")).status, 404);
    });
    world.get_token(&[]).token();
    assert!(world.browser.page(0).body.contains("Authenticated"));
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), 1);
}

#[test]
fn without_a_browser_the_url_is_shown_and_waited_for() {
    for (flags, display) in [(&["--skip-open-browser"][..], ":0"), (&[], "")] {
        let mut world = World::new();
        world.variables.insert("DISPLAY", display.to_owned());
        let recording = crate::world::Recording::default();
        let shown = recording.clone();
        let browsing = std::thread::spawn(move || {
            shown.wait_for("/\n", 1);
            let text = shown.text();
            let url = text.lines().last().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            visit(&kubesso_https::Trust::System, &url)
        });
        let run = world.run_into("get-token", flags, &recording);
        run.token();
        assert!(
            run.stderr.contains("Please visit the following URL in your browser: http://localhost:"),
            "{}",
            run.stderr
        );
        assert!(browsing.join().unwrap().body.contains("Authenticated"));
    }
}

#[test]
fn the_browser_is_the_persons_choice() {
    use kubesso_signin::BrowserChoice;

    let commands = |lines: &[&[&str]]| {
        BrowserChoice::Commands(lines.iter().map(|l| l.iter().map(|w| (*w).to_owned()).collect()).collect())
    };
    let mut world = World::new();
    let mut choice = |variable: Option<&str>, flags: &[&str]| {
        world.variables.remove("BROWSER");
        world.variables.extend(variable.map(|value| ("BROWSER", value.to_owned())));
        let mut flags = flags.to_vec();
        flags.push("--token-cache-storage=none");
        world.get_token(&flags).token();
        world.browser.opened.lock().unwrap().last().unwrap().1.clone()
    };
    assert_eq!(choice(None, &[]), BrowserChoice::Default);
    assert_eq!(
        choice(Some("w3m:firefox -P 'my work' %s"), &[]),
        commands(&[&["w3m"], &["firefox", "-P", "my work", "%s"]])
    );
    assert_eq!(
        choice(Some("w3m"), &["--browser-command=chromium --incognito"]),
        commands(&[&["chromium", "--incognito"]])
    );
    assert_eq!(choice(Some(""), &[]), BrowserChoice::Default);
}
