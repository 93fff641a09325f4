use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::evidence::{KubeconfigEvidence, RbacEvidence, Settings, TokenEvidence};
use crate::print::{self, Paint};

const NOW: &str = "2026-11-28T12:00:00Z";
const FLAGS: &str = "--oidc-issuer-url=https://sso.example.com --oidc-client-id=kubernetes --oidc-username-claim=email \
                     --oidc-groups-claim=groups --authorization-mode=Node,RBAC";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn raw(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(header), part(claims))
}

/// Good in every way for [`FLAGS`].
fn claims() -> Value {
    json!({
        "iss": "https://sso.example.com", "aud": "kubernetes", "sub": "00u1", "email": "jo@example.com",
        "email_verified": true, "groups": ["k8s-admins"], "iat": now().as_second() - 60, "exp": now().as_second() + 600,
    })
}

/// With some claims changed; null takes one out.
fn token(changes: &Value) -> TokenEvidence {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    TokenEvidence::read(&raw(&json!({"alg": "RS256", "kid": "k1"}), &claims))
}

fn flags(text: &str) -> Settings {
    Settings::from_flags(text).unwrap()
}

fn evidence(token: TokenEvidence, settings: Settings) -> Evidence {
    Evidence { token: Some(token), settings: Some(settings), ..Evidence::new(now()) }
}

fn kubeconfig(user: &str) -> KubeconfigEvidence {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: oidc}}}}]\nclusters: [{{name: k, cluster: {{server: \
         'https://k:6443'}}}}]\nusers: [{{name: oidc, user: {user}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    let locations = kubesso_kubeconfig::Locations::new(Some(&file), None, None);
    KubeconfigEvidence::read(&kubesso_kubeconfig::Kubeconfig::load(&locations).unwrap(), None).unwrap()
}

fn rbac(text: &str) -> RbacEvidence {
    let mut rbac = RbacEvidence::default();
    rbac.add(text).unwrap();
    rbac
}

fn first(report: &Report) -> String {
    let first = report.checks.first().unwrap();
    match &first.outcome {
        Outcome::Finding(diagnosis) => format!("{} {}", first.id, diagnosis.severity.name()),
        _ => "well".to_owned(),
    }
}

#[test]
fn every_check_is_of_a_row_and_there_is_one_of_each() {
    let numbers: Vec<_> = checks::all().iter().map(|(number, _)| *number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.iter().all(|number| catalogue::row(CheckId::new(*number)).is_some()));
}

#[test]
fn with_nothing_given_every_check_says_what_it_needs() {
    let report = examine(&Evidence::new(now()));
    assert!(report.checks.iter().all(|it| matches!(it.outcome, Outcome::NotLookedAt { .. })), "{report:#?}");
    assert!(report.well);
    assert_eq!(report.verdict, "Nothing could be looked at with what was given.");
}

#[test]
fn a_good_token_for_good_settings_is_well() {
    let report = examine(&evidence(token(&json!({})), flags(FLAGS)));
    assert!(report.well, "{report:#?}");
    let identity = report.identity.unwrap();
    assert_eq!(
        (identity.username.as_str(), identity.groups, identity.verified),
        ("jo@example.com", vec!["k8s-admins".into()], false)
    );
}

#[test]
fn a_token_of_another_issuer_is_nobody() {
    let report = examine(&evidence(token(&json!({"iss": "https://another.example"})), flags(FLAGS)));
    assert!(report.identity.is_none(), "{report:#?}");
}

#[test]
fn each_fault_of_a_token_is_named_first() {
    let cases = [
        ("KS001 error", json!({"iss": "https://sso.example.com/"})),
        ("KS001 error", json!({"iss": "http://sso.example.com"})),
        ("KS009 error", json!({"aud": ["headlamp"]})),
        ("KS010 error", json!({"exp": null})),
        ("KS010 warning", json!({"scp": ["openid"]})),
        ("KS011 error", json!({"exp": now().as_second() - 5})),
        ("KS012 warning", json!({"iat": now().as_second() + 300})),
        ("KS017 error", json!({"email": null})),
        ("KS017 error", json!({"email": 7})),
        ("KS018 error", json!({"email_verified": false})),
        ("KS019 error", json!({"email_verified": "true"})),
        ("KS022 error", json!({"groups": {"roles": ["a"]}})),
        ("KS022 error", json!({"groups": [{"name": "a"}]})),
        ("KS023 error", json!({"groups": null, "_claim_names": {"groups": "src1"}})),
        ("KS024 warning", json!({"groups": null})),
        ("KS052 warning", json!({"groups": (0..900).map(|n| format!("group-{n}")).collect::<Vec<_>>()})),
        ("KS065 warning", json!({"exp": now().as_second() + 86_400 * 7})),
    ];
    for (expected, changes) in cases {
        let report = examine(&evidence(token(&changes), flags(FLAGS)));
        assert_eq!(first(&report), expected, "{changes}\n{report:#?}");
    }
}

#[test]
fn algorithms_and_characters_count() {
    for (expected, alg) in [("KS015 error", "ES256"), ("KS016 error", "HS256"), ("KS016 error", "none")] {
        let token = TokenEvidence::read(&raw(&json!({"alg": alg}), &claims()));
        assert_eq!(first(&examine(&evidence(token, flags(FLAGS)))), expected, "{alg}");
    }
    let good = raw(&json!({"alg": "RS256"}), &claims());
    for (expected, text) in [
        ("KS063 error", format!("\"{good}\"")),
        ("KS063 error", format!("Bearer {good}")),
        ("KS063 error", format!("{}\n{}", &good[..40], &good[40..])),
        ("KS010 error", "0pAqueT0ken".to_owned()),
        ("well", format!("{good}\n")),
        ("well", json!({"kind": "ExecCredential", "status": {"token": good}}).to_string()),
    ] {
        let mut report = examine(&evidence(TokenEvidence::read(&text), flags(FLAGS)));
        report.checks.retain(|it| it.severity() != Some(Severity::Note));
        assert_eq!(first(&report), expected, "{report:#?}");
    }
}

#[test]
fn each_fault_of_the_flags_is_named_first() {
    for (expected, changed) in [
        ("KS033 error", "--oidc-issuer-url=http://sso.example.com"),
        ("KS034 error", "--authentication-config=/etc/kubernetes/authn.yaml"),
        ("KS040 warning", "--feature-gates=A=true,StructuredAuthenticationConfiguration=true"),
        ("KS061 error", "--service-account-issuer=https://sso.example.com"),
        ("KS062 error", "--authorization-mode=RBAC"),
    ] {
        let settings = flags(&format!("{FLAGS} {changed}"));
        let report = examine(&Evidence { settings: Some(settings), ..Evidence::new(now()) });
        assert_eq!(first(&report), expected, "{changed}\n{report:#?}");
    }
    let alone =
        examine(&Evidence { settings: Some(flags("--oidc-groups-claim=groups")), ..Evidence::new(now()) });
    assert_eq!(first(&alone), "KS041 error");
}

#[test]
fn each_fault_of_an_authentication_configuration_is_named_first() {
    let file = |jwt: &str| {
        format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n{jwt}")
    };
    let good = "- issuer: {url: 'https://a', audiences: [k]}\n  claimMappings: {username: {claim: sub, prefix: ''}}\n";
    for (expected, text) in [
        ("well", file(good)),
        (
            "KS036 error",
            file("- issuer: {url: 'https://a', audiences: [k]}\n  claimMappings: {username: {claim: sub}}\n"),
        ),
        ("KS037 error", file(&good.replace("audiences", "certificateAuthority: /etc/ca.crt, audiences"))),
        (
            "KS038 error",
            file(&good.replace(
                "claimMappings: {",
                "claimMappings: {extra: [{key: a.b/c, expression: claims.c}], ",
            )),
        ),
        ("KS038 error", file(&format!("{good}  claimValidationRules: {{claim: hd}}\n"))),
        ("KS038 error", "kind: Pod\n".to_owned()),
        ("KS038 error", "a: [".to_owned()),
        ("KS061 error", file(&format!("{good}{good}"))),
        ("KS033 error", file(&good.replace("https", "http"))),
    ] {
        let settings = Settings::default().with_authentication(&text);
        let report = examine(&Evidence { settings: Some(settings), ..Evidence::new(now()) });
        assert_eq!(first(&report), expected, "{text}\n{report:#?}");
    }
    let both = flags("--anonymous-auth=false")
        .with_authentication(&format!("{}anonymous: {{enabled: true}}\n", file(good)));
    let report = examine(&Evidence { settings: Some(both), ..Evidence::new(now()) });
    assert_eq!(first(&report), "KS035 error");
}

#[test]
fn a_file_that_is_not_mounted_is_named() {
    let pod = |mount: &str| {
        flags(&format!(
            "kind: Pod\nspec: {{containers: [{{command: [kube-apiserver, '--authentication-config=/etc/kubernetes/authn/c.yaml'], \
             volumeMounts: [{{name: a, mountPath: {mount}}}]}}]}}\n"
        ))
    };
    for (expected, mount) in [
        ("KS039 error", "/etc/kubernetes/pki"),
        ("KS039 error", "/etc/kubernetes/aut"),
        ("KS044 warning", "/etc/kubernetes/authn/c.yaml"),
        ("well", "/etc/kubernetes/authn"),
    ] {
        let report = examine(&Evidence { settings: Some(pod(mount)), ..Evidence::new(now()) });
        assert_eq!(first(&report), expected, "{mount}\n{report:#?}");
    }
}

#[test]
fn each_fault_of_a_kubeconfig_is_named_first() {
    let exec = "apiVersion: client.authentication.k8s.io/v1, command: kubectl, args: [oidc-login, get-token, \
                '--oidc-issuer-url=https://sso.example.com', '--oidc-client-id=kubernetes', '--oidc-extra-scope=email offline_access']";
    for (expected, user) in [
        ("well", format!("{{exec: {{{exec}, interactiveMode: IfAvailable}}}}")),
        ("KS047 error", format!("{{exec: {{{exec}}}}}")),
        (
            "KS048 error",
            format!("{{exec: {{{}, interactiveMode: Never}}}}", exec.replace("k8s.io/v1", "k8s.io/v1alpha1")),
        ),
        ("KS032 error", format!("{{client-certificate: a.crt, exec: {{{exec}, interactiveMode: Never}}}}")),
        ("KS032 warning", "{client-certificate: a.crt, client-key: a.key}".to_owned()),
        ("KS058 error", "{auth-provider: {name: oidc}}".to_owned()),
        ("KS058 error", "{}".to_owned()),
        (
            "KS009 warning",
            format!(
                "{{exec: {{{}, interactiveMode: Never}}}}",
                exec.replace("client-id=kubernetes", "client-id=other")
            ),
        ),
        ("KS017 warning", format!("{{exec: {{{}, interactiveMode: Never}}}}", exec.replace("email ", ""))),
        (
            "KS010 warning",
            format!(
                "{{exec: {{{}, interactiveMode: Never}}}}",
                exec.replace("[oidc-login", "['--oidc-use-access-token', oidc-login")
            ),
        ),
    ] {
        let evidence = Evidence {
            kubeconfig: Some(kubeconfig(&user)),
            settings: Some(flags(FLAGS)),
            ..Evidence::new(now())
        };
        let report = examine(&evidence);
        assert_eq!(first(&report), expected, "{user}\n{report:#?}");
    }
}

#[test]
fn a_copied_token_in_the_kubeconfig_is_looked_at_and_warned_of() {
    let user = format!("{{token: '{}'}}", raw(&json!({"alg": "RS256"}), &claims()));
    let evidence = Evidence {
        kubeconfig: Some(kubeconfig(&user)),
        settings: Some(flags(FLAGS)),
        ..Evidence::new(now())
    };
    let report = examine(&evidence);
    assert_eq!(first(&report), "KS011 warning");
    assert!(report.next_sign_in.unwrap().contains("nothing renews it"));
}

#[test]
fn bindings_that_name_somebody_nearly_are_found() {
    let binding = |kind: &str, name: &str| {
        format!(
            "kind: ClusterRoleBinding\nmetadata: {{name: b}}\nroleRef: {{kind: ClusterRole, name: view}}\nsubjects: [{{kind: {kind}, name: \
             '{name}'}}]\n"
        )
    };
    let by_sub = FLAGS.replace("--oidc-username-claim=email", "--oidc-username-claim=sub");
    let with_prefix = format!("{FLAGS} --oidc-groups-prefix=oidc:");
    for (expected, flags_text, text, changes) in [
        ("well", FLAGS, binding("Group", "k8s-admins"), json!({})),
        ("well", FLAGS, binding("User", "jo@example.com"), json!({"groups": ["x"]})),
        ("KS027 warning", &by_sub, binding("User", "00u1"), json!({})),
        ("KS028 warning", &with_prefix, binding("Group", "k8s-admins"), json!({})),
        ("KS028 warning", FLAGS, binding("Group", "oidc:k8s-admins"), json!({})),
        ("KS029 warning", FLAGS, binding("Group", "K8s-Admins"), json!({})),
        ("KS029 warning", FLAGS, binding("Group", "k8s-admins"), json!({"groups": ["/k8s-admins"]})),
        (
            "KS029 warning",
            FLAGS,
            binding("Group", "admins"),
            json!({"groups": ["6dae42f8-4368-4678-94ff-3960e28e3630"]}),
        ),
        (
            "KS030 warning",
            FLAGS,
            binding("Group", "k8s-admins").replace("name: view", "name: gone"),
            json!({}),
        ),
        (
            "KS031 warning",
            FLAGS,
            format!(
                "{}---\nkind: ClusterRole\nmetadata: {{name: e}}\nrules: [{{verbs: [create], apiGroups: [''], resources: [pods/exec]}}]\n",
                binding("Group", "k8s-admins")
            ),
            json!({}),
        ),
    ] {
        let mut evidence = evidence(token(&changes), flags(flags_text));
        evidence.rbac = Some(rbac(&text));
        let mut report = examine(&evidence);
        report.checks.retain(|it| it.severity() != Some(Severity::Note));
        assert_eq!(first(&report), expected, "{text}\n{report:#?}");
    }
}

#[test]
fn the_setting_that_decides_the_next_sign_in_is_named() {
    let user = |scopes: &str| {
        kubeconfig(&format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: kubectl, args: [oidc-login, get-token, \
             '--oidc-extra-scope={scopes}']}}}}"
        ))
    };
    for (scopes, expected) in
        [("email", "lack offline_access"), ("email offline_access", "its lifetime and its idle window")]
    {
        let mut evidence = evidence(token(&json!({})), flags(FLAGS));
        evidence.kubeconfig = Some(user(scopes));
        let said = examine(&evidence).next_sign_in.unwrap();
        assert!(
            said.starts_with("The ID token is good until 12:10 UTC (10 min more)") && said.contains(expected),
            "{said}"
        );
    }
}

#[test]
fn the_line_to_change_is_that_of_the_kind_of_cluster_that_the_file_is_of() {
    let settings =
        flags("kube-apiserver-arg: [oidc-issuer-url=https://sso.example.com, oidc-client-id=k8s]\n");
    let report = examine(&evidence(token(&json!({})), settings));
    let Outcome::Finding(diagnosis) = &report.checks[0].outcome else { panic!("{report:#?}") };
    assert!(
        diagnosis.mend.iter().any(|mend| mend.at == "k3s" && mend.line.contains("oidc-client-id=kubernetes")),
        "{diagnosis:#?}"
    );
}

#[test]
fn what_people_read_when_a_token_is_for_another_client() {
    let evidence =
        evidence(token(&json!({"aud": ["headlamp"], "exp": now().as_second() + 3600})), flags(FLAGS));
    insta::assert_snapshot!(print::report(&examine(&evidence), false, Paint::Plain));
}

#[test]
fn what_people_read_when_all_is_well() {
    let evidence = evidence(token(&json!({})), flags(FLAGS));
    insta::assert_snapshot!(print::report(&examine(&evidence), true, Paint::Plain));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_evidence_makes_it_panic_and_no_token_comes_out(
        text in "(?s).{0,200}",
        signature in "[A-Za-z0-9_-]{30,60}",
        flags_text in "(?s)(--oidc-[a-z-]{1,20}=.{0,20} ){0,5}",
        claim in prop::sample::select(vec!["aud", "iss", "email", "groups", "exp", "_claim_names", "email_verified"]),
        number in any::<i64>(),
    ) {
        let mut changed = claims();
        changed[claim] = if text.len() % 2 == 0 { json!(number) } else { json!([text.clone(), {"a": number}]) };
        let good = raw(&json!({"alg": "RS256"}), &changed);
        let token = format!("{}.{signature}", good.rsplit_once('.').unwrap().0);
        for given in [token.as_str(), text.as_str()] {
            let evidence = Evidence {
                token: Some(TokenEvidence::read(given)),
                settings: Settings::from_flags(&flags_text).ok(),
                named_issuer: Some(text.clone()),
                named_audience: Some("k".to_owned()),
                ..Evidence::new(now())
            };
            let report = examine(&evidence);
            let said = format!(
                "{}{}{}{evidence:?}",
                print::report(&report, true, Paint::Plain),
                serde_json::to_string(&report).unwrap(),
                serde_json::to_string(&crate::bundle(&evidence, &report)).unwrap(),
            );
            prop_assert!(!said.contains(&signature), "{said}");
        }
    }
}
