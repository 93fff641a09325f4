use super::*;

const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
const GOOD: &str = "jwt:\n- issuer: {url: 'https://sso', audiences: [k8s]}\n  claimMappings: {username: {claim: sub, prefix: ''}}\n";

fn of_file(text: &str) -> Lint {
    Lint::of(&Subject { file: Some(text), ..Subject::default() })
}

fn flags(text: &str) -> Vec<(String, String)> {
    let pairs = text.split_whitespace().map(|word| word.split_once('=').unwrap_or((word, "true")));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `KS033 jwt[0].issuer.url:4`
fn shown(finding: &Finding) -> String {
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{} {}{line}", finding.id(), finding.field)
}

fn all(lint: &Lint) -> Vec<String> {
    lint.findings.iter().map(shown).collect()
}

#[test]
fn a_file_that_is_right_has_no_findings() {
    for text in [GOOD, "", "jwt: []\n", "jwt:\nanonymous: {enabled: true, conditions: [{path: /livez}]}\n"] {
        let lint = of_file(&format!("{HEAD}{text}"));
        assert_eq!(lint.findings, [], "{text}");
        assert!(lint.is_accepted() && lint.configuration.is_some());
    }
}

#[test]
fn each_mistake_in_a_file_has_its_row_its_field_and_its_line() {
    let jwt = |issuer: &str, rest: &str| format!("jwt:\n- issuer: {issuer}\n{rest}");
    let name = "  claimMappings: {username: {claim: sub, prefix: ''}}\n";
    for (text, expected) in [
        (jwt("{url: 'http://sso', audiences: [a]}", name), "KS033 jwt[0].issuer.url:4"),
        (jwt("{audiences: [a]}", name), "KS033 jwt[0].issuer.url:4"),
        (jwt("{url: 'https://u:p@sso', audiences: [a]}", name), "KS033 jwt[0].issuer.url:4"),
        (jwt("{url: 'https://sso?a', audiences: [a]}", name), "KS033 jwt[0].issuer.url:4"),
        (
            jwt("{url: 'https://sso', discoveryURL: 'https://sso/', audiences: [a]}", name),
            "KS061 jwt[0].issuer.discoveryURL:4",
        ),
        (jwt("{url: 'https://sso'}", name), "KS041 jwt[0].issuer.audiences:4"),
        (
            jwt("{url: 'https://sso', audiences: [a, a], audienceMatchPolicy: MatchAny}", name),
            "KS061 jwt[0].issuer.audiences[1]:4",
        ),
        (jwt("{url: 'https://sso', audiences: [a, b]}", name), "KS038 jwt[0].issuer.audienceMatchPolicy:4"),
        (
            jwt("{url: 'https://sso', audiences: [a], certificateAuthority: /etc/ca.crt}", name),
            "KS037 jwt[0].issuer.certificateAuthority:4",
        ),
        (
            jwt("{url: 'https://sso', audiences: [a], egressSelectorType: x}", name),
            "KS038 jwt[0].issuer.egressSelectorType:4",
        ),
        (jwt("{url: 'https://sso', audiences: [a]}", ""), "KS038 jwt[0].claimMappings.username:4"),
        (
            jwt(
                "{url: 'https://sso', audiences: [a]}",
                "  claimMappings:\n    username:\n      claim: sub\n",
            ),
            "KS036 jwt[0].claimMappings.username.prefix:6",
        ),
        (
            jwt(
                "{url: 'https://sso', audiences: [a]}",
                "  claimMappings:\n    username: {expression: claims.sub, prefix: a}\n",
            ),
            "KS036 jwt[0].claimMappings.username.prefix:6",
        ),
        (
            jwt(
                "{url: 'https://sso', audiences: [a]}",
                "  claimMappings:\n    username: {expression: claims.email}\n",
            ),
            "KS038 jwt[0].claimMappings.username.expression:6",
        ),
        (
            jwt(
                "{url: 'https://sso', audiences: [a]}",
                "  claimMappings:\n    username: {claim: sub, prefix: ''}\n    extra:\n    - {key: kubernetes.io/x, valueExpression: claims.x}\n",
            ),
            "KS038 jwt[0].claimMappings.extra[0].key:8",
        ),
        (
            format!("{GOOD}  claimValidationRules:\n  - {{claim: a, message: b}}\n"),
            "KS038 jwt[0].claimValidationRules[0].message:7",
        ),
        (
            format!("{GOOD}  userValidationRules:\n  - {{expression: 'true'}}\n  - {{expression: 'true'}}\n"),
            "KS061 jwt[0].userValidationRules[1].expression:8",
        ),
        (format!("{GOOD}anonymous:\n  conditions: [{{path: /}}]\n"), "KS038 anonymous.conditions:7"),
        (format!("{GOOD}  claimValidationRules: {{claim: a}}\n"), "KS038 jwt[0].claimValidationRules:6"),
        (format!("{GOOD}  expression: x\n"), "KS038 jwt[0].expression:6"),
        (format!("{GOOD}jwt: []\n"), "KS038 jwt:6"),
        (format!("{GOOD}  x: [\n"), "KS038 the file:6"),
    ] {
        assert_eq!(all(&of_file(&format!("{HEAD}{text}"))), [expected], "{text}");
    }
    for (text, expected) in [
        ("", "KS038 the file:1"),
        ("kind: AuthenticationConfiguration\n", "KS038 apiVersion:1"),
        ("apiVersion: apiserver.config.k8s.io/v2\nkind: AuthenticationConfiguration\n", "KS038 apiVersion:1"),
        ("apiVersion: v1\nkind: Pod\n", "KS038 kind:2"),
        ("{\"kind\": ", "KS038 the file:1"),
    ] {
        assert_eq!(all(&of_file(text)), [expected], "{text}");
    }
}

#[test]
fn what_was_meant_is_said_where_it_can_be_guessed() {
    let text = format!(
        "{HEAD}jwt:\n- issuer: {{URL: 'https://sso', audience: [a]}}\n  claimMappings:\n    extra: [{{expression: x}}]\n"
    );
    let lint = of_file(&text);
    let instead: Vec<_> = lint.findings.iter().map(|it| (it.field.as_str(), it.instead.as_str())).collect();
    assert_eq!(
        instead,
        [
            ("jwt[0].claimMappings.extra[0].expression", "valueExpression: …"),
            ("jwt[0].issuer.URL", "url: …"),
            ("jwt[0].issuer.audience", "audiences: …"),
        ]
    );
}

#[test]
fn expressions_are_passed_over_and_named() {
    let lint = of_file(&format!("{HEAD}{GOOD}  claimValidationRules: [{{expression: 'this is no CEL'}}]\n"));
    assert!(lint.is_accepted());
    assert_eq!(lint.expressions, ["jwt[0].claimValidationRules[0].expression"]);
}

#[test]
fn flags_are_judged_alone_and_beside_the_file() {
    let file = format!("{HEAD}{GOOD}");
    let anonymous = format!("{file}anonymous: {{enabled: false}}\n");
    for (given, file, expected) in [
        ("oidc-issuer-url=https://sso oidc-client-id=k8s", None, &[][..]),
        ("oidc-issuer-url=http://sso oidc-client-id=k8s", None, &["KS033 --oidc-issuer-url"]),
        ("oidc-issuer-url=https://sso", None, &["KS041 --oidc-client-id"]),
        ("oidc-groups-claim=groups", None, &["KS041 --oidc-issuer-url"]),
        ("oidc-issuer-url=https://sso oidc-client-id=k8s oidc-groups=g", None, &["KS041 --oidc-groups"]),
        (
            "oidc-issuer-url=https://sso oidc-client-id=k8s oidc-username-claim=",
            None,
            &["KS038 --oidc-username-claim"],
        ),
        (
            "oidc-issuer-url=https://sso oidc-client-id=k8s oidc-signing-algs=HS256",
            None,
            &["KS015 --oidc-signing-algs"],
        ),
        (
            "oidc-issuer-url=https://sso oidc-client-id=k8s oidc-required-claim=a",
            None,
            &["KS020 --oidc-required-claim"],
        ),
        (
            "oidc-issuer-url=https://sso oidc-client-id=k8s service-account-issuer=https://sso",
            None,
            &["KS061 --oidc-issuer-url"],
        ),
        ("service-account-issuer=https://sso", Some(&file), &["KS061 jwt[0].issuer.url:4"]),
        ("authentication-config=/f oidc-client-id=k8s", None, &["KS034 --authentication-config"]),
        ("oidc-client-id=k8s", Some(&file), &["KS034 --authentication-config"]),
        ("anonymous-auth=false", Some(&anonymous), &["KS035 --anonymous-auth"]),
        ("anonymous-auth=false", Some(&file), &[]),
        ("authorization-mode=RBAC", None, &["KS062 --authorization-mode"]),
        ("authorization-mode=Node,RBAC", None, &[]),
        ("feature-gates=A=true,StructuredAuthenticationConfiguration=true", None, &["KS040 --feature-gates"]),
    ] {
        let given = flags(given);
        let lint =
            Lint::of(&Subject { flags: Some(&given), file: file.map(String::as_str), ..Subject::default() });
        assert_eq!(all(&lint), expected, "{given:?}");
    }
}

#[test]
fn a_version_decides_what_of_it_is_refused() {
    let file = format!("{HEAD}{GOOD}");
    let anonymous = format!("{}{GOOD}anonymous: {{enabled: false}}\n", HEAD.replace("/v1", "/v1beta1"));
    let gate = flags("authentication-config=/f feature-gates=StructuredAuthenticationConfiguration=true");
    let gate_off =
        flags("authentication-config=/f feature-gates=StructuredAuthenticationConfiguration=false");
    let none = flags("");
    for (given, file, minor, expected) in [
        (&none, Some(&file), 33, &["Refused apiVersion"][..]),
        (&none, Some(&file), 34, &[]),
        (&none, Some(&anonymous), 30, &["Refused anonymous"]),
        (&none, Some(&anonymous), 31, &["Refused anonymous"]),
        (&none, Some(&anonymous), 32, &[]),
        (&none, Some(&anonymous), 29, &["Refused --authentication-config", "Refused anonymous"]),
        (&gate, None, 29, &[]),
        (&gate, None, 36, &["Works --feature-gates"]),
        (&gate, None, 37, &["Refused --feature-gates"]),
        (&gate_off, None, 33, &["Refused --feature-gates"]),
        (&gate_off, None, 35, &["Refused --feature-gates"]),
    ] {
        let lint = Lint::of(&Subject {
            flags: Some(given),
            file: file.map(String::as_str),
            kubernetes: Some(KubernetesVersion::new(1, minor)),
            ..Subject::default()
        });
        let found: Vec<_> = lint.findings.iter().map(|it| format!("{:?} {}", it.effect, it.field)).collect();
        assert_eq!(found, expected, "1.{minor} {given:?}");
    }
}

#[test]
fn a_target_adds_its_own_rules() {
    let anonymous = format!("{HEAD}{GOOD}anonymous: {{enabled: false}}\n");
    let oidc = flags("oidc-issuer-url=https://sso oidc-client-id=k8s oidc-groups-prefix=system:x:");
    for (target, version, given, file, expected) in [
        (Target::Talos, None, None, Some(&anonymous), &["Refused KS035 anonymous"][..]),
        (Target::Talos, Some((1, 14)), None, Some(&anonymous), &[]),
        (Target::Talos, Some((1, 14)), Some(&oidc), None, &["RefusedByTarget KS034 --oidc-issuer-url"]),
        (Target::Rke2, None, None, Some(&anonymous), &["Works KS035 anonymous"]),
        (Target::Kubeadm, None, None, Some(&anonymous), &[]),
        (Target::Eks, None, Some(&oidc), None, &["RefusedByTarget KS055 --oidc-groups-prefix"]),
        (Target::Eks, None, None, Some(&anonymous), &["RefusedByTarget KS055 Amazon EKS"]),
        (
            Target::Aks,
            None,
            None,
            Some(&anonymous),
            &["RefusedByTarget KS055 jwt[0].claimMappings.username.prefix"],
        ),
        (Target::Gke, None, Some(&oidc), None, &["RefusedByTarget KS055 Google GKE"]),
    ] {
        let lint = Lint::of(&Subject {
            flags: given.map(Vec::as_slice),
            file: file.map(String::as_str),
            target: Some(target),
            target_version: version.map(|(major, minor)| KubernetesVersion::new(major, minor)),
            ..Subject::default()
        });
        let found: Vec<_> =
            lint.findings.iter().map(|it| format!("{:?} {} {}", it.effect, it.id(), it.field)).collect();
        assert_eq!(found, expected, "{target} {version:?}");
    }
}

#[test]
fn a_file_must_be_in_a_volume_and_better_in_a_directory_of_it() {
    let given = flags("authentication-config=/etc/kubernetes/authn/config.yaml");
    let mount = |path: &str, is_file| Mount { path: path.to_owned(), is_file };
    for (mounts, expected) in [
        (vec![mount("/etc/kubernetes/pki", false)], &["KS039 --authentication-config"][..]),
        (vec![mount("/etc/kubernetes/authn", false)], &[]),
        (vec![mount("/etc/kubernetes/auth", false)], &["KS039 --authentication-config"]),
        (vec![mount("/", false)], &[]),
        (vec![mount("/etc/kubernetes/authn/config.yaml", false)], &["KS044 --authentication-config"]),
    ] {
        let lint = Lint::of(&Subject { flags: Some(&given), mounts: Some(&mounts), ..Subject::default() });
        assert_eq!(all(&lint), expected, "{mounts:?}");
    }
}

#[test]
fn a_finding_is_shown_to_scripts_with_its_name() {
    let lint = of_file(&format!(
        "{HEAD}jwt:\n- issuer: {{url: 'http://sso', audiences: [a]}}\n  claimMappings: {{username: {{claim: a, prefix: ''}}}}\n"
    ));
    assert_eq!(
        serde_json::to_value(&lint.findings[0]).unwrap(),
        serde_json::json!({
            "id": "KS033",
            "effect": "refused",
            "field": "jwt[0].issuer.url",
            "line": 4,
            "what": "jwt[0].issuer.url: it is not https",
            "got": "http://sso",
            "upstream": "jwt[0].issuer.url: Invalid value: \"http://sso\": URL scheme must be https",
            "instead": "https://…",
        })
    );
}
