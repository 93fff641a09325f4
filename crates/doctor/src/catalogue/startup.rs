//! Settings with which the API server does not start (rows 33 to 42, 61, 62).

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, authentication, certain, compared, flag, likely, possible};

/// How a start that fails is looked at, for all of these.
const RETEST: &str = "crictl ps -a --name kube-apiserver; crictl logs CONTAINER   # k3s: journalctl -u k3s; then kubectl get \
                      --raw /readyz";

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(33),
        title: "The issuer's URL is not https",
        symptom: "The connection to the server … was refused",
        log: &["jwt[0].issuer.url: Invalid value: \"http://…\": URL scheme must be https"],
        looks_at: &[Source::Flags],
        cause: "An issuer with http:// was set. The API server does not start with it.",
        why: "The whole cluster is without an API server until the setting is right. Over plain HTTP whoever stands between \
              could hand it keys of their own.",
        compares: Some(compared("https://…", "issuer in the API server's settings")),
        mends: &[
            flag("oidc-issuer-url", "https://…"),
            authentication("issuer: {url: https://…}"),
            at(
                Place::Provider,
                "serve https; with a private authority give its certificate to the API server (KS003)",
            ),
        ],
        retest: RETEST,
        signs: &[
            certain(
                "URL scheme must be https",
                r#"(?:(?<field>[A-Za-z\[\]0-9.]*(?:url|discoveryURL)): Invalid value: "(?<got>[^"]*)": )?URL scheme must be https"#,
            ),
            likely("has invalid scheme", r#"'oidc-issuer-url' \("(?<got>[^"]*)"\) has invalid scheme"#),
        ],
    },
    Row {
        id: CheckId::new(34),
        title: "--authentication-config and --oidc-* flags are both set",
        symptom: "The connection to the server … was refused",
        log: &["authentication-config file and oidc-* flags are mutually exclusive"],
        looks_at: &[Source::Flags],
        cause: "The API server takes issuers from flags or from the file, not from both.",
        why: "The API server does not start.",
        compares: None,
        mends: &[
            at(Place::Manifest, "remove every --oidc-… flag; what they said goes into the file's jwt[]"),
            authentication(
                "claimMappings: {username: {claim: sub, prefix: \"ISSUER#\"}}   # the prefix that the flags gave by default \
                 must be written out",
            ),
        ],
        retest: RETEST,
        signs: &[certain(
            "mutually exclusive",
            r"authentication-config file and oidc-\* flags are mutually exclusive",
        )],
    },
    Row {
        id: CheckId::new(35),
        title: "--anonymous-auth and an `anonymous` block are both set",
        symptom: "The connection to the server … was refused",
        log: &[
            "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication \
             configuration file (spelled --anonynous-auth in some versions)",
        ],
        looks_at: &[Source::Flags],
        cause: "The distribution passes --anonymous-auth by itself (RKE2, Talos, older k3s and k0s), and the file has an \
                `anonymous` block.",
        why: "The API server does not start.",
        compares: None,
        mends: &[
            authentication("leave the top-level `anonymous:` block out"),
            at(
                Place::Manifest,
                "or remove --anonymous-auth, where the distribution lets you: k3s and RKE2 since the patch releases of May 2025, k0s since July 2026",
            ),
        ],
        retest: RETEST,
        signs: &[certain(
            "auth flag cannot be set",
            r"--anon\w*-auth flag cannot be set when anonymous field is configured",
        )],
    },
    Row {
        id: CheckId::new(36),
        title: "A claim mapping has no prefix",
        symptom: "The connection to the server … was refused",
        log: &[
            "jwt[0].claimMappings.username: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
        ],
        looks_at: &[Source::Flags],
        cause: "An AuthenticationConfiguration has no default for `prefix`. Samples of early versions leave it out.",
        why: "The API server does not start; or, when the file changed while it ran, it keeps the old settings (KS043).",
        compares: None,
        mends: &[authentication("claimMappings: {username: {claim: sub, prefix: \"\"}}   # \"\" for none")],
        retest: RETEST,
        signs: &[certain(
            "prefix is required when claim is set",
            r"(?:(?<field>jwt\[\d+\][A-Za-z.\[\]0-9]*): Required value: )?prefix is required when claim is set",
        )],
    },
    Row {
        id: CheckId::new(37),
        title: "certificateAuthority is no PEM text",
        symptom: "The connection to the server … was refused",
        log: &[
            "jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": data does not contain any valid RSA or ECDSA certificates",
        ],
        looks_at: &[Source::Flags],
        cause: "A path was written where the certificate itself belongs, or base64 of it. --oidc-ca-file takes a path; the \
                file's certificateAuthority does not.",
        why: "The API server does not start, or keeps the old settings.",
        compares: None,
        mends: &[
            authentication(
                "issuer: {certificateAuthority: \"-----BEGIN CERTIFICATE-----\\n…\"}   # in YAML: `certificateAuthority: |` and the PEM lines",
            ),
            at(
                Place::ApiServerHost,
                "with flags: --oidc-ca-file names a PEM file with at least one certificate",
            ),
        ],
        retest: RETEST,
        signs: &[certain(
            "certificateAuthority: Invalid value",
            r#"(?<field>(?:jwt\[\d+\]\.)?issuer\.certificateAuthority): Invalid value: "[^"]*": (?<problem>[^,\]]*)"#,
        )],
    },
    Row {
        id: CheckId::new(38),
        title: "The configuration file has a field that does not exist, or says what the API server does not take",
        symptom: "The connection to the server … was refused",
        log: &["strict decoding error: unknown field \"jwt[0].claimMappings.extra[0].expression\""],
        looks_at: &[Source::Flags],
        cause: "The file is read strictly: a wrong name (`expression` for extra's `valueExpression`), a wrong indentation, \
                a mapping where a list belongs (claimValidationRules), a field twice, or one that this apiVersion lacks.",
        why: "The API server does not start, or keeps the old settings.",
        compares: None,
        mends: &[
            authentication(
                "{field}: not a field here; compare with the reference of apiserver.config.k8s.io of your version",
            ),
            authentication("claimMappings: {extra: [{key: example.com/team, valueExpression: claims.team}]}"),
        ],
        retest: RETEST,
        signs: &[
            certain(
                "strict decoding error",
                r#"strict decoding error: (?<problem>unknown field|duplicate field) "(?<field>[^"]*)""#,
            ),
            certain("strict decoding error", r"strict decoding error: (?<problem>.*)"),
            likely(
                "AuthenticationConfiguration",
                r"json: cannot unmarshal (?<problem>\w+ into Go struct field AuthenticationConfiguration\S*)",
            ),
            certain(
                "no kind",
                r#"(?<problem>no kind "AuthenticationConfiguration" is registered for version "[^"]*")"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(39),
        title: "A file that a flag names is not where the API server looks",
        symptom: "The connection to the server … was refused",
        log: &["open /etc/kubernetes/authn/config.yaml: no such file or directory"],
        looks_at: &[Source::Flags],
        cause: "kube-apiserver runs in a container: a file of the node must be mounted into it, and must be on every \
                control-plane node.",
        why: "The API server of that node does not start.",
        compares: None,
        mends: &[
            at(
                Place::Manifest,
                "volumes: [{name: authn, hostPath: {path: /etc/kubernetes/authn, type: Directory}}] and volumeMounts: [{name: authn, mountPath: /etc/kubernetes/authn, readOnly: true}]",
            ),
            at(
                Place::ApiServerHost,
                "RKE2: kube-apiserver-extra-mount: [\"/etc/rancher/rke2/authn:/etc/rancher/rke2/authn:ro\"]",
            ),
            at(
                Place::ApiServerHost,
                "minikube: put the file below ~/.minikube/files/var/lib/minikube/certs; kind: nodes[].extraMounts",
            ),
        ],
        retest: RETEST,
        signs: &[
            certain(
                "no such file or directory",
                r"(?:oidc|[Aa]uthentication[ -]?[Cc]onfig(?:uration)?|kube-apiserver|authn).*?open (?<file>[^ :]+): no such file or directory",
            ),
            likely(
                "no such file or directory",
                r"open (?<file>/\S*(?:oidc|authn|authentication|pki)[^ :]*): no such file or directory",
            ),
        ],
    },
    Row {
        id: CheckId::new(40),
        title: "A feature gate is set that this version no longer has",
        symptom: "The connection to the server … was refused",
        log: &["unrecognized feature gate: StructuredAuthenticationConfiguration"],
        looks_at: &[Source::Flags],
        cause: "The gate was needed in 1.29, is on since 1.30, and was removed later. A gate that does not exist stops the \
                start.",
        why: "The API server does not start after the upgrade.",
        compares: None,
        mends: &[at(Place::Manifest, "remove {gate}=true from --feature-gates")],
        retest: RETEST,
        signs: &[certain(
            "unrecognized feature gate",
            r"unrecognized feature gate: (?<gate>StructuredAuthentication\w*|AnonymousAuthConfigurableEndpoints|\w+)",
        )],
    },
    Row {
        id: CheckId::new(41),
        title: "An issuer is set without a client, or a client without an issuer",
        symptom: "The connection to the server … was refused",
        log: &["oidc-issuer-url and oidc-client-id must be specified together"],
        looks_at: &[Source::Flags],
        cause: "Any --oidc- flag needs both --oidc-issuer-url and --oidc-client-id.",
        why: "The API server does not start.",
        compares: None,
        mends: &[flag("oidc-issuer-url", "https://…"), flag("oidc-client-id", "…")],
        retest: RETEST,
        signs: &[certain("oidc-client-id", r"oidc-issuer-url and oidc-client-id must be specified together")],
    },
    Row {
        id: CheckId::new(42),
        title: "The AuthenticationConfiguration was applied as if it were a resource",
        symptom: "no matches for kind \"AuthenticationConfiguration\" in version \"apiserver.config.k8s.io/…\"",
        log: &[],
        looks_at: &[Source::Flags],
        cause: "It is a file that the API server reads from its own disk, not an object of the cluster.",
        why: "Nothing was changed.",
        compares: None,
        mends: &[
            at(Place::ApiServerHost, "put the file on every control-plane node"),
            flag("authentication-config", "/etc/kubernetes/authn/config.yaml"),
        ],
        retest: "kubectl get --raw /metrics | grep apiserver_authentication_config_controller",
        signs: &[certain(
            "no matches for kind",
            r#"no matches for kind "Authentication(?:Configuration|Config)" in version "(?<got>[^"]*)""#,
        )],
    },
    Row {
        id: CheckId::new(61),
        title: "Two issuers, audiences or rules are the same, or an issuer is that of service accounts",
        symptom: "The connection to the server … was refused",
        log: &[
            "URL must not overlap with disallowed issuers: […]",
            "jwt[1].issuer.url: Duplicate value: \"…\"",
        ],
        looks_at: &[Source::Flags],
        cause: "Each issuer, each audience of an issuer, and each rule may be there once; and the issuer of service \
                accounts (--service-account-issuer) cannot be an issuer of people.",
        why: "The API server does not start, or keeps the old settings.",
        compares: None,
        mends: &[authentication(
            "issuer: {url: https://ANOTHER-ISSUER}   # one element of jwt[] for each issuer, with all its audiences",
        )],
        retest: RETEST,
        signs: &[
            certain(
                "overlap with disallowed issuers",
                r"URL must not overlap with disallowed issuers: (?<expected>\[[^\]]*\])",
            ),
            certain(
                "Duplicate value",
                r#"(?<field>(?:jwt\[\d+\]\.)?(?:issuer|claim|user)[A-Za-z0-9.\[\]]*): Duplicate value: "?(?<got>[^"]*)"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(62),
        title: "The authorization mode lost Node",
        symptom: "nodes are NotReady after the change",
        log: &["User \"system:node:NAME\" cannot get resource … (forbidden)"],
        looks_at: &[Source::Flags, Source::Cluster],
        cause: "An example replaced --authorization-mode by RBAC alone. Kubelets are allowed by Node.",
        why: "No kubelet can read its pods or renew its lease: the cluster comes to a stop.",
        compares: Some(compared("Node,RBAC", "authorization mode")),
        mends: &[flag("authorization-mode", "Node,RBAC")],
        retest: "kubectl get nodes",
        signs: &[
            likely(
                "system:node:",
                r#"User "(?<user>system:node:[^"]*)" cannot (?<verb>\S+) resource "(?<resource>[^"]*)""#,
            ),
            possible("authorization-mode", r"authorization-mode=(?<got>RBAC)(?:[^,A-Za-z]|$)"),
        ],
    },
];
