//! `setup`, as a person reads it.

use serde_json::json;

use crate::world::{Recording, World};

fn setup(world: &World, flags: &[&str]) -> String {
    let run = world.run("setup", flags);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    let port = world.stub.issuer.rsplit(':').next().unwrap();
    let home = world.home.path().to_str().unwrap();
    run.stderr.replace(port, "PORT").replace(home, "HOME")
}

#[test]
fn a_good_sign_in_shows_the_claims_what_the_cluster_sees_and_a_command() {
    let world = World::new();
    let scopes = ["openid", "email", "profile", "groups", "offline_access"];
    world.stub.behaviour().discovery.insert("scopes_supported".into(), json!(scopes));
    let claims = json!({"groups": ["k8s-admins", "k8s-users"], "email_verified": true});
    world.stub.behaviour().claims.extend(claims.as_object().unwrap().clone());
    let text = setup(&world, &[]);
    // Random claims are left out.
    let random = |line: &&str| line.contains("\"nonce\"") || line.contains("\"at_hash\"");
    let expected = text.lines().filter(|line| !random(line)).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(expected, @r#"
    Signing in at http://localhost:PORT as application kubernetes.
    Asking for the scopes: openid email profile groups offline_access
    Added because clusters need them: email, profile, groups, offline_access. Name scopes with --oidc-extra-scope to choose yourself.

    ## The token

    You are signed in. The token has these claims:

    ```json
    {
      "aud": "kubernetes",
      "email": "dev@example.com",
      "email_verified": true,
      "exp": 1577840400,
      "groups": [
        "k8s-admins",
        "k8s-users"
      ],
      "iat": 1577836800,
      "iss": "http://localhost:PORT",
      "jti": "token-1",
      "sub": "00u1"
    }
    ```

    ## What the cluster will see

      user name  dev@example.com   (claim email)
      groups     k8s-admins, k8s-users   (claim groups)

    if kube-apiserver runs with these flags:

      --oidc-issuer-url=http://localhost:PORT
      --oidc-client-id=kubernetes
      --oidc-username-claim=email
      --oidc-groups-claim=groups

    ## Use it from kubectl

    Paste this to put the sign-in into your kubeconfig (setup --write does it for you):

    ```sh
    kubectl config set-credentials oidc \
      --exec-api-version=client.authentication.k8s.io/v1 \
      --exec-interactive-mode=IfAvailable \
      --exec-command=kubectl \
      --exec-arg=oidc-login \
      --exec-arg=get-token \
      --exec-arg=--oidc-issuer-url=http://localhost:PORT \
      --exec-arg=--oidc-client-id=kubernetes \
      --exec-arg=--oidc-extra-scope=email \
      --exec-arg=--oidc-extra-scope=profile \
      --exec-arg=--oidc-extra-scope=groups \
      --exec-arg=--oidc-extra-scope=offline_access \
      --exec-arg=--listen-address=127.0.0.1:0
    ```

    Then try it, and make it the user of the current context:

    ```sh
    kubectl auth whoami --user=oidc
    kubectl get pods --user=oidc
    kubectl config set-context --current --user=oidc
    ```
    "#);
    assert_eq!(
        world.stub.behaviour().requests_to("/auth")[0]["scope"],
        "openid email profile groups offline_access"
    );
    assert!(world.cache_files("").is_empty(), "setup keeps nothing");
}

#[test]
fn scopes_are_added_only_where_the_provider_may_know_them() {
    for (supported, scope) in [
        (json!(null), "email profile openid"),
        (json!(["openid", "email"]), "email openid"),
        (json!(["openid", "profile", "offline_access"]), "profile offline_access openid"),
    ] {
        let world = World::new();
        world.stub.behaviour().discovery.insert("scopes_supported".into(), supported);
        setup(&world, &[]);
        let behaviour = world.stub.behaviour();
        let mut asked: Vec<_> = behaviour.requests_to("/auth")[0]["scope"].split(' ').collect();
        let mut expected: Vec<_> = scope.split(' ').collect();
        asked.sort_unstable();
        expected.sort_unstable();
        assert_eq!(asked, expected);
    }
    let world = World::new();
    setup(&world, &["--oidc-extra-scope=groups"]);
    assert_eq!(
        world.stub.behaviour().requests_to("/auth")[0]["scope"],
        "groups openid",
        "the person's choice"
    );
}

#[test]
fn what_the_cluster_would_miss_is_said_with_the_flag_that_mends_it() {
    let cases = [
        (json!({"email": null}), json!({}), "--oidc-extra-scope=groups", "add --oidc-extra-scope=email"),
        (
            json!({"email": null}),
            json!({}),
            "--oidc-extra-scope=email",
            "although the scope email was asked for",
        ),
        (json!({"email_verified": false}), json!({}), "--oidc-extra-scope=email", "is not verified"),
        (
            json!({"email_verified": "true"}),
            json!({}),
            "--oidc-extra-scope=email",
            "have the provider send a boolean",
        ),
        (json!({}), json!({}), "--oidc-extra-scope=email", "add --oidc-extra-scope=groups"),
        (json!({}), json!({}), "--oidc-extra-scope=groups", "have the provider add the claim groups"),
        (json!({"groups": []}), json!({}), "--oidc-extra-scope=groups", "in no group"),
        (json!({"groups": {"a": 1}}), json!({}), "--oidc-extra-scope=groups", "not a list of texts"),
        (
            json!({}),
            json!({"refresh_token": null}),
            "--oidc-extra-scope=email",
            "add --oidc-extra-scope=offline_access",
        ),
        (
            json!({}),
            json!({"refresh_token": null}),
            "--oidc-extra-scope=offline_access",
            "grant type refresh_token",
        ),
    ];
    for (claims, answer, flag, says) in cases {
        let world = World::new();
        {
            let mut behaviour = world.stub.behaviour();
            behaviour.discovery.insert("scopes_supported".into(), json!(["openid", "groups"]));
            behaviour.claims.extend(claims.as_object().unwrap().clone());
            behaviour.token_answer.extend(answer.as_object().unwrap().clone());
        }
        let text = setup(&world, &[flag]);
        let warned = text.lines().any(|line| line.starts_with("warning: ") && line.contains(says));
        assert!(warned, "{claims} {answer} {flag}: no {says:?} in\n{text}");
    }
}

#[test]
fn a_private_certificate_authority_is_in_the_command_and_in_the_clusters_flags() {
    let world = World::with_tls();
    std::fs::write(world.home.path().join("ca.pem"), world.stub.ca.clone().unwrap()).unwrap();
    let text = setup(&world, &["--certificate-authority=~/ca.pem"]);
    assert!(text.contains("  --exec-arg=--certificate-authority=HOME/ca.pem"), "{text}");
    assert!(text.contains("  --oidc-ca-file=PATH"), "{text}");
}

#[test]
fn one_group_as_text_is_a_group() {
    let world = World::new();
    world.stub.behaviour().claims.insert("groups".into(), json!("k8s-admins"));
    assert!(setup(&world, &[]).contains("groups     k8s-admins "));
}

#[test]
fn without_issuer_or_client_the_help_is_shown() {
    let world = World::new();
    for line in [&["kubelogin", "setup"][..], &["kubelogin", "setup", "--oidc-issuer-url=https://x"]] {
        let run = world.run_line(line.iter().map(|word| (*word).to_owned()).collect(), &Recording::default());
        assert_eq!((run.code, run.stdout.as_str()), (0, ""));
        assert!(
            run.stderr.contains("--oidc-issuer-url <URL>") && run.stderr.contains("Examples:"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_failed_sign_in_prints_no_command() {
    let world = World::new();
    world.stub.behaviour().redirect.insert("error".into(), "access_denied".into());
    let run = world.run("setup", &[]);
    assert_eq!(run.error(), "error: setup: the provider refused the sign-in: access_denied");
    assert!(!run.stderr.contains("set-credentials"));
}
