//! What goes wrong, and what the person reads then: one line, exit code 1, no secret.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Recording, World};

#[test]
fn a_refusal_at_the_provider_is_said_in_the_browser_and_in_the_terminal_at_once() {
    let world = World::new();
    world.stub.behaviour().redirect.extend([
        ("error".to_owned(), "access_denied".to_owned()),
        (
            "error_description".to_owned(),
            "User is <b>not</b> assigned\u{1b}[2J to the application".to_owned(),
        ),
    ]);
    let run = world.get_token(&[]);
    assert_eq!(
        run.error(),
        "error: get-token: the provider refused the sign-in: access_denied: User is <b>not</b> assigned [2J to the application"
    );
    let page = world.browser.page(0);
    assert_eq!(page.status, 400);
    assert!(page.body.contains("User is &lt;b&gt;not&lt;/b&gt; assigned"), "{}", page.body);
    assert!(!page.body.contains("Authenticated"));
}

#[test]
fn a_failing_exchange_is_said_in_the_browser_and_in_the_terminal() {
    let world = World::new();
    let refused = json!({"error": "invalid_grant", "error_description": "PKCE failed"}).to_string();
    world.stub.behaviour().answer_next("/token", 400, "application/json", &refused);
    let run = world.get_token(&[]);
    assert!(run.error().ends_with("the provider refused the authorization code: invalid_grant: PKCE failed"));
    let page = world.browser.page(0);
    assert!(page.status == 400 && page.body.contains("PKCE failed"), "{page:?}");
    assert_eq!(world.stub.behaviour().requests_to("/token").len(), 1, "a code is spent once");
}

#[test]
fn tokens_that_are_not_to_be_believed_are_refused() {
    let now = 1_577_836_800;
    let cases: [(&str, Value, &str); 12] = [
        ("iss", json!("https://evil.example.com"), "issuer"),
        ("aud", json!("other"), "client"),
        ("aud", json!(["other"]), "client"),
        ("exp", json!(now - 1), "expired"),
        ("exp", json!("2030"), "exp"),
        ("exp", json!(null), "exp"),
        ("nonce", json!("replayed"), "nonce"),
        ("nonce", json!(null), "nonce"),
        ("nbf", json!(now + 3600), "not valid before"),
        ("at_hash", json!("AAAA"), "at_hash"),
        ("at_hash", json!(7), "at_hash"),
        ("sub", json!(null), "sub"),
    ];
    for (claim, value, says) in cases {
        let world = World::new();
        world.stub.behaviour().claims.insert(claim.to_owned(), value.clone());
        let run = world.get_token(&[]);
        assert!(run.error().contains(says), "{claim} {value}: {}", run.error());
        assert!(world.cache_files(".json").is_empty(), "and not kept");
        assert_eq!(world.browser.page(0).status, 400);
    }
}

#[test]
fn a_signature_by_a_key_that_is_not_the_providers_is_refused() {
    let world = World::new();
    world.stub.behaviour().sign_with_unpublished_key();
    assert!(world.get_token(&[]).error().contains("key"));
}

#[test]
fn an_algorithm_that_the_provider_does_not_list_is_refused() {
    for listed in [json!(["RS256"]), json!(null), json!(["none", "HS256"])] {
        let world = World::new();
        world.stub.behaviour().discovery.insert("id_token_signing_alg_values_supported".into(), listed);
        assert!(world.get_token(&[]).error().contains("ES256"));
    }
}

#[test]
fn the_issuer_in_the_redirect_must_be_the_one_that_was_asked() {
    for (promised, iss, accepted) in [
        (true, Some("right"), true),
        (false, Some("right"), true),
        (false, None, true),
        (true, None, false),
        (false, Some("https://evil.example.com"), false),
    ] {
        let world = World::new();
        let iss = iss.map(|iss| if iss == "right" { world.stub.issuer.clone() } else { iss.to_owned() });
        world
            .stub
            .behaviour()
            .discovery
            .insert("authorization_response_iss_parameter_supported".into(), json!(promised));
        world.stub.behaviour().redirect.extend(iss.clone().map(|iss| ("iss".to_owned(), iss)));
        let run = world.get_token(&[]);
        if accepted {
            run.token();
        } else {
            assert!(run.error().contains("RFC 9207"), "{promised} {iss:?}: {}", run.error());
            assert!(world.stub.behaviour().requests_to("/token").is_empty(), "no code leaves us");
        }
    }
}

#[test]
fn a_discovery_document_that_does_not_fit_is_named() {
    let path = "/.well-known/openid-configuration";
    for (status, content_type, body, says) in [
        (404, "text/plain", "", "404 Not Found; check the issuer URL"),
        (200, "text/html; charset=utf-8", "<html>", "HTML page"),
        (200, "application/json", "{\"issuer\":", "not as the protocol asks"),
        (200, "application/json", r#"{"issuer":"https://other.example.com"}"#, "--oidc-issuer-url"),
    ] {
        let world = World::new();
        world.stub.behaviour().answer_next(path, status, content_type, body);
        let run = world.get_token(&[]);
        assert!(run.error().contains(says), "{}", run.error());
    }
    for missing in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let world = World::new();
        world.stub.behaviour().discovery.insert(missing.to_owned(), json!(null));
        assert!(world.get_token(&[]).error().contains(missing));
        assert_eq!(world.browser.openings(), 0, "{missing}");
    }
}

#[test]
fn who_reaches_nobody_is_told_what_to_check() {
    let world = World::new();
    world.stub.stop();
    let run = world.get_token(&[]);
    assert!(run.error().ends_with("; check the URL and the network, then try again"), "{}", run.error());
    assert_eq!(world.browser.openings(), 0);
}

#[test]
fn an_https_issuer_does_not_send_codes_over_http() {
    let world = World::with_tls();
    world.stub.behaviour().discovery.insert("token_endpoint".into(), json!("http://login.example.com/token"));
    assert!(world.get_token(&["--insecure-skip-tls-verify"]).error().contains("token_endpoint is not"));
}

#[test]
fn a_provider_that_is_not_there_is_reported_with_its_address() {
    let world = World::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = world.get_token(&[]);
    run.token();
    let line = ["kubelogin", "get-token", "--oidc-client-id=x"].map(str::to_owned);
    let mut line = line.to_vec();
    line.push(format!("--oidc-issuer-url=http://127.0.0.1:{free}"));
    let run = world.run_line(line, &Recording::default());
    assert!(
        run.error().contains(&format!("discovery of the provider at http://127.0.0.1:{free}/")),
        "{}",
        run.error()
    );
}

#[test]
fn a_provider_that_never_answers_is_given_up_and_not_asked_again() {
    use std::io::{Read, Write};

    // One says nothing at all, the other begins an answer and stops.
    for beginning in ["", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"] {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = silent.accept().unwrap();
            // On a busy machine the other side may have given up before it has said anything.
            drop(stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(beginning.as_bytes())));
            // Until the other side has had enough.
            drop(stream.read_to_end(&mut Vec::new()));
            silent.set_nonblocking(true).unwrap();
            silent.accept().is_ok()
        });
        let mut world = World::new();
        world.request.read = Duration::from_millis(100);
        let mut line = ["kubelogin", "get-token", "--oidc-client-id=x"].map(str::to_owned).to_vec();
        line.push(format!("--oidc-issuer-url=http://{address}"));
        let run = world.run_line(line, &Recording::default());
        assert!(run.error().contains("no complete answer in time"), "{}", run.error());
        assert!(!asked.join().unwrap(), "there was a second request");
    }
}

#[test]
fn a_provider_that_answers_a_byte_at_a_time_is_given_up_in_the_end() {
    use std::io::{Read, Write};

    let slow = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = slow.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = slow.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        // Each byte comes in time, and there is no end to them until the other side has had enough.
        while stream.write_all(b" ").is_ok() {
            std::thread::yield_now();
        }
    });
    let mut world = World::new();
    world.request.total = Duration::from_millis(200);
    world.request.read = Duration::from_mins(1);
    let mut line = ["kubelogin", "get-token", "--oidc-client-id=x"].map(str::to_owned).to_vec();
    line.push(format!("--oidc-issuer-url=http://{address}"));
    let run = world.run_line(line, &Recording::default());
    assert!(run.error().contains("in time"), "{}", run.error());
}

#[test]
fn a_provider_with_a_fault_is_reported_as_one() {
    for path in ["/.well-known/openid-configuration", "/token", "/certs"] {
        let world = World::new();
        for _ in 0..3 {
            world.stub.behaviour().answer_next(path, 500, "text/html", "<html>secret</html>");
        }
        let run = world.get_token(&[]);
        assert!(run.error().contains("500") && run.error().contains("try again later"), "{}", run.error());
        assert!(!run.stderr.contains("secret"));
    }
}

#[test]
fn an_end_with_a_fraction_is_an_end() {
    let world = World::new();
    world.stub.behaviour().claims.insert("exp".to_owned(), json!(1_577_840_400.75));
    let run = world.get_token(&[]);
    run.token();
    assert!(run.stdout.contains("2020-01-01T01:00:00Z"), "{}", run.stdout);
    assert_eq!(world.get_token(&[]), run, "and it is kept");
}

#[test]
fn a_token_that_no_header_holds_is_refused() {
    let long = "x".repeat(1_000_000);
    for (member, value, flags) in [
        ("id_token", json!(format!("eyJhbGciOiJFUzI1NiJ9.{long}.x")), &[][..]),
        ("access_token", json!(long), &["--oidc-use-access-token"]),
    ] {
        let world = World::new();
        world.stub.behaviour().token_answer.insert(member.to_owned(), value);
        let run = world.get_token(flags);
        assert!(run.error().len() < 400, "{} bytes", run.error().len());
        assert!(run.error().contains("answer was refused"), "{}", run.error());
    }
}

/// The first line of the only request that a proxy gets, which it refuses.
fn refusing_proxy() -> (std::net::SocketAddr, std::thread::JoinHandle<String>) {
    use std::io::{BufRead, BufReader, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        line
    });
    (address, asked)
}

#[test]
fn a_proxy_is_used_and_named_in_the_error() {
    let (proxy, asked) = refusing_proxy();
    let mut world = World::new();
    world.variables.insert("HTTPS_PROXY", format!("http://user:hunter2@{proxy}"));
    let line = ["kubelogin", "get-token", "--oidc-client-id=x", "--oidc-issuer-url=https://idp.invalid"];
    let line = line.map(str::to_owned).to_vec();
    world.variables.insert("NO_PROXY", "other.invalid".to_owned());
    let run = world.run_line(line.clone(), &Recording::default());
    assert!(
        run.error().contains(&format!("through the proxy http://{proxy}/ (HTTPS_PROXY)")),
        "{}",
        run.error()
    );
    assert!(!run.stderr.contains("hunter2"));
    assert_eq!(asked.join().unwrap(), "CONNECT idp.invalid:443 HTTP/1.1\r\n");

    world.variables.insert("NO_PROXY", "idp.invalid".to_owned());
    assert!(!world.run_line(line, &Recording::default()).error().contains("proxy"));
    // The stub is on this machine, where no proxy is in between.
    world.variables.insert("HTTP_PROXY", "http://127.0.0.1:9".to_owned());
    world.get_token(&[]).token();
}

#[test]
fn endless_answers_and_endless_redirects_have_an_end() {
    let path = "/.well-known/openid-configuration";
    let world = World::new();
    let long = format!("{{\"issuer\":\"{}\"}}", "x".repeat(1024 * 1024));
    world.stub.behaviour().answer_next(path, 200, "application/json", &long);
    assert!(world.get_token(&[]).error().contains("more than 1 MiB"));

    let world = World::new();
    world.stub.behaviour().moved.insert(path, path.to_owned());
    assert!(world.get_token(&[]).error().contains("one redirect after the other"));
}

#[test]
fn documents_may_be_elsewhere_but_codes_go_nowhere_else() {
    let world = World::new();
    world
        .stub
        .behaviour()
        .discovery
        .insert("jwks_uri".into(), json!(format!("{}/moved/certs", world.stub.issuer)));
    world.stub.behaviour().moved.insert("/moved/certs", "/certs".to_owned());
    world.get_token(&[]).token();

    world.stub.behaviour().moved.insert("/token", "/elsewhere".to_owned());
    let run = world.get_token(&["--oidc-extra-scope=email"]);
    assert!(run.error().contains("307") && run.error().contains("redirect"), "{}", run.error());
    assert!(world.stub.behaviour().requests_to("/elsewhere").is_empty());
}

#[test]
fn headers_for_the_provider_do_not_follow_a_redirect_to_another_host() {
    let world = World::new();
    let issuer = world.stub.issuer.clone();
    let elsewhere = format!("{}/certs", issuer.replace("localhost", "127.0.0.1"));
    world.stub.behaviour().discovery.insert("jwks_uri".into(), json!(format!("{issuer}/moved/certs")));
    world.stub.behaviour().moved.insert("/moved/certs", elsewhere);
    world.get_token(&["--oidc-request-header=x-key=secret"]).token();
    let mut seen = world.stub.behaviour().keys_seen.clone();
    seen.sort();
    assert_eq!(
        seen,
        ["/.well-known/openid-configuration", "/moved/certs", "/token"].map(|p| format!("localhost{p}"))
    );
}

#[test]
fn plain_http_to_another_machine_is_warned_about() {
    let world = World::new();
    let mut line = ["kubelogin", "get-token", "--oidc-client-id=x"].map(str::to_owned).to_vec();
    // A reserved name (RFC 2606): it never resolves.
    line.push("--oidc-issuer-url=http://idp.invalid".to_owned());
    let run = world.run_line(line, &Recording::default());
    assert!(run.error().contains("idp.invalid"));
    assert!(run.stderr.starts_with("warning: http://idp.invalid is not https"), "{}", run.stderr);
}

#[test]
fn nobody_at_the_browser_ends_in_time() {
    let world = World::new();
    world.browser.ignore();
    let run = world.get_token(&["--authentication-timeout-sec=0"]);
    assert!(run.error().contains("--authentication-timeout-sec"), "{}", run.error());
}

#[test]
fn a_busy_port_is_named_when_there_is_no_other() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = world.get_token(&[&format!("--listen-address={address}")]);
    assert!(run.error().contains(&address.to_string()) && run.error().contains("--listen-address"));
    world.get_token(&[&format!("--listen-address={address},127.0.0.1:0")]).token();
}

#[test]
fn what_kubectl_must_not_ask_is_refused_before_anybody_signs_in() {
    for (exec_info, says) in [
        (r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#, "client.authentication.k8s.io/v1"),
        ("{", "KUBERNETES_EXEC_INFO"),
        ("[]", "KUBERNETES_EXEC_INFO"),
    ] {
        let mut world = World::new();
        world.variables.insert("KUBERNETES_EXEC_INFO", exec_info.to_owned());
        assert!(world.get_token(&[]).error().contains(says), "{exec_info}");
        assert!(world.stub.behaviour().requests.is_empty());
    }
    let mut world = World::new();
    world.variables.remove("KUBERNETES_EXEC_INFO");
    let run = world.get_token(&[]);
    assert!(run.stdout.contains(r#""apiVersion":"client.authentication.k8s.io/v1beta1""#), "{run:?}");
}

#[test]
fn flags_that_cannot_work_are_refused_with_a_sentence() {
    for (flag, says) in [
        (
            "--certificate-authority=/nowhere/ca.pem",
            "--certificate-authority: /nowhere/ca.pem cannot be read",
        ),
        ("--certificate-authority-data=%%%", "it is not base64"),
        ("--certificate-authority-data=bm90IHBlbQ==", "--certificate-authority"),
        ("--oidc-request-header=novalue", "key=value"),
        ("--oidc-request-header=bad name=x", "--oidc-request-header"),
        ("--oidc-auth-request-extra-params=x", "--oidc-auth-request-extra-params"),
        ("--oidc-redirect-url=localhost", "--oidc-redirect-url"),
        ("--grant-type=client-credentials", "--oidc-client-secret"),
        ("--browser-command=firefox 'x", "quote"),
    ] {
        let mut world = World::new();
        if flag.starts_with("--browser") {
            // A browser that cannot be started costs a warning: the person can still visit the URL.
            world.browser.ignore();
            world.variables.clear();
            let run = world.get_token(&[flag, "--authentication-timeout-sec=0"]);
            assert!(run.stderr.contains(says) && run.stderr.contains("Please visit"), "{run:?}");
            continue;
        }
        let run = world.get_token(&[flag]);
        assert!(run.error().contains(says), "{flag}: {}", run.error());
        assert_eq!(world.browser.openings(), 0);
    }
}

/// Makes a sign-in fail.
type Spoil = fn(&World);

#[test]
fn no_secret_is_printed_when_something_fails() {
    let secrets =
        ["s3cret", "hunter2", "ACCESS_TOKEN_", "REFRESH_TOKEN_", "eyJhbGciOi", "code-1", "DEVICE_CODE"];
    let spoils: [Spoil; 5] = [
        |world| drop(world.stub.behaviour().token_answer.insert("id_token".into(), json!(null))),
        |world| drop(world.stub.behaviour().claims.insert("aud".into(), json!("other"))),
        |world| world.stub.behaviour().sign_with_unpublished_key(),
        |world| {
            let leak = r#"{"id_token":"eyJhbGciOi","refresh_token":"REFRESH_TOKEN_1","access_token":7}"#;
            world.stub.behaviour().answer_next("/token", 200, "application/json", leak);
        },
        |world| world.stub.behaviour().answer_next("/token", 500, "text/plain", "REFRESH_TOKEN_1 code-1"),
    ];
    for spoil in spoils {
        for flags in [&["-v1"][..], &["-v1", "--username=dev", "--password=correct horse"]] {
            let world = World::new();
            spoil(&world);
            let mut flags = flags.to_vec();
            flags.push("--oidc-client-secret=s3cret");
            let run = world.get_token(&flags);
            run.error();
            for secret in secrets.iter().chain(&["correct horse"]) {
                assert!(!run.stderr.contains(secret), "{secret}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn a_mistake_in_the_arguments_is_exit_code_one() {
    let world = World::new();
    for line in [
        &["kubelogin"][..],
        &["kubelogin", "get-token"],
        &["kubelogin", "nonsense"],
        &["kubelogin", "clean", "x"],
    ] {
        let run = world.run_line(line.iter().map(|word| (*word).to_owned()).collect(), &Recording::default());
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line:?}");
        assert!(!run.stderr.is_empty());
    }
    let help = ["kubelogin", "get-token", "--help"].map(str::to_owned).to_vec();
    let run = world.run_line(help, &Recording::default());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("Examples:") && run.stdout.contains("--oidc-extra-scope"));
}

#[test]
fn an_interrupted_login_ends_at_once() {
    let world = World::new();
    world.browser.ignore();
    world.interrupt.cancel();
    let run = world.get_token(&["--authentication-timeout-sec=3600"]);
    assert_eq!(run.error(), "error: get-token: interrupted");
    assert!(world.quiet_wait > Duration::ZERO);
}
