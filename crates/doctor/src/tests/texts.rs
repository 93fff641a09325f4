//! Texts as kubectl, kube-apiserver, plugins and providers write them, with the row that they name and what they tell.

/// A row, a text, and what the text tells.
type Named = (u8, &'static str, &'static [(&'static str, &'static str)]);

pub(super) const AUDIENCE: &str = r#"E1128 12:00:00.123456       1 authentication.go:75] "Unable to authenticate the request" err="[invalid bearer token, oidc: verify token: oidc: expected audience \"kubernetes\" got [\"headlamp\" \"account\"]]""#;
pub(super) const UNAUTHORIZED: &str = "error: You must be logged in to the server (Unauthorized)";
pub(super) const FORBIDDEN: &str = r#"Error from server (Forbidden): pods is forbidden: User "jo@example.com" cannot list resource "pods" in API group "" in the namespace "default""#;

pub(super) const NAMED: &[Named] = &[
    (9, AUDIENCE, &[("expected", "kubernetes"), ("got", "headlamp, account")]),
    (
        9,
        r#"{"ts":1764331200000.1,"logger":"UnhandledError","msg":"Unable to authenticate the request","err":"[invalid bearer token, oidc: verify token: oidc: expected audience in [\"a\" \"b\"] got [\"c\"]]"}"#,
        &[("expected", "a, b"), ("got", "c")],
    ),
    (
        1,
        r#"oidc: verify token: oidc: id token issued by a different provider, expected "https://sso.example.com" got "https://sso.example.com/""#,
        &[("expected", "https://sso.example.com"), ("got", "https://sso.example.com/")],
    ),
    (
        2,
        r#"E1128 12:00:00.1 1 oidc.go:367] oidc authenticator: initializing plugin: oidc: issuer did not match the issuer returned by provider, expected "https://sso.example.com" got "https://keycloak:8443/realms/k""#,
        &[("expected", "https://sso.example.com"), ("got", "https://keycloak:8443/realms/k")],
    ),
    (
        3,
        r#"E1128 oidc authenticator: initializing plugin: Get "https://sso.example.com/.well-known/openid-configuration": tls: failed to verify certificate: x509: certificate signed by unknown authority"#,
        &[("host", "sso.example.com")],
    ),
    (
        3,
        r#"error: get-token: authentication error: oidc error: oidc discovery error: Get "https://sso.example.com:8443/.well-known/openid-configuration": x509: certificate signed by unknown authority"#,
        &[("host", "sso.example.com:8443")],
    ),
    (
        3,
        r#"Get "https://sso.example.com/.well-known/openid-configuration": client error (Connect): invalid peer certificate: UnknownIssuer"#,
        &[("host", "sso.example.com")],
    ),
    (
        4,
        r#"Get "https://sso/x": client error (Connect): invalid peer certificate: certificate not valid for name "sso"; certificate is only valid for DnsName("localhost")"#,
        &[("expected", "sso"), ("got", "DnsName(\"localhost\")")],
    ),
    (
        5,
        r#"Get "https://sso.nowhere/.well-known/openid-configuration": client error (Connect): dns error: failed to lookup address information: Name or service not known"#,
        &[("host", "sso.nowhere")],
    ),
    (
        6,
        r#"Get "https://sso/.well-known/openid-configuration": client error (Connect): tcp connect error: Connection refused (os error 111)"#,
        &[("host", "sso")],
    ),
    (
        4,
        r#"oidc authenticator: initializing plugin: Get "https://sso.example.com/.well-known/openid-configuration": tls: failed to verify certificate: x509: certificate is valid for ingress.local, *.apps.local, not sso.example.com"#,
        &[("expected", "sso.example.com"), ("got", "ingress.local, *.apps.local")],
    ),
    (
        4,
        r#"initializing plugin: Get "https://s/.well-known/openid-configuration": x509: certificate has expired or is not yet valid: current time 2026-11-28T12:00:00Z is after 2026-11-01T00:00:00Z"#,
        &[],
    ),
    (
        5,
        r#"initializing plugin: Get "https://dex.auth.svc/.well-known/openid-configuration": dial tcp: lookup dex.auth.svc on 10.0.0.2:53: no such host"#,
        &[("host", "dex.auth.svc")],
    ),
    (
        6,
        r#"initializing plugin: Get "https://sso/.well-known/openid-configuration": dial tcp 10.1.2.3:443: i/o timeout"#,
        &[("host", "10.1.2.3:443"), ("problem", "i/o timeout")],
    ),
    (
        6,
        r#"initializing plugin: Get "https://sso/.well-known/openid-configuration": dial tcp 10.1.2.3:443: connect: connection refused"#,
        &[("problem", "connection refused")],
    ),
    (
        6,
        r#"initializing plugin: Get "https://sso.example/.well-known/openid-configuration": net/http: TLS handshake timeout"#,
        &[("host", "sso.example"), ("problem", "TLS handshake timeout")],
    ),
    (
        7,
        r#"initializing plugin: Get "https://sso.example/.well-known/openid-configuration": Forbidden"#,
        &[("host", "sso.example")],
    ),
    (8, "initializing plugin: 404 Not Found: <html><head>", &[("problem", "404 Not Found")]),
    (
        8,
        r#"initializing plugin: oidc: failed to decode provider discovery object: expected Content-Type = application/json, got "text/html; charset=utf-8": invalid character '<'"#,
        &[("got", "text/html; charset=utf-8")],
    ),
    (10, "oidc: verify token: oidc: malformed jwt: illegal base64 data", &[]),
    (
        11,
        r#"err="[invalid bearer token, oidc: verify token: oidc: token is expired (Token Expiry: 2026-11-28 11:00:00 +0000 UTC)]""#,
        &[("got", "2026-11-28 11:00:00 +0000 UTC")],
    ),
    (
        12,
        r#"err="[invalid bearer token, oidc: verify token: oidc: current time 2026-11-28 12:00:00.1 +0000 UTC m=+9.1 before the nbf (not before) time: 2026-11-28 12:05:00 +0000 UTC]""#,
        &[("got", "2026-11-28 12:05:00 +0000 UTC")],
    ),
    (
        13,
        r#"err="[invalid bearer token, oidc: verify token: failed to verify signature: failed to verify id token signature]""#,
        &[],
    ),
    (
        14,
        r#"oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed Get "https://public.example/keys": dial tcp 1.2.3.4:443: i/o timeout"#,
        &[("host", "public.example"), ("problem", "dial tcp 1.2.3.4:443: i/o timeout")],
    ),
    (
        15,
        r#"err="[invalid bearer token, oidc: verify token: oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got \"ES256\"]""#,
        &[("expected", "RS256"), ("got", "ES256")],
    ),
    (
        16,
        r#"err="oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got \"HS256\"""#,
        &[("got", "HS256")],
    ),
    (
        17,
        r#"err="[invalid bearer token, oidc: parse username claims \"email\": claim not present]""#,
        &[("claim", "email")],
    ),
    (18, r#"err="[invalid bearer token, oidc: email not verified]""#, &[]),
    (
        19,
        r#"err="[invalid bearer token, oidc: parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool]""#,
        &[("got", "string")],
    ),
    (20, "oidc: required claim hd not present in ID token", &[("claim", "hd")]),
    (
        20,
        r#"err="[invalid bearer token, oidc: required claim hd value does not match. Got = other.example, want = example.com]""#,
        &[("claim", "hd"), ("got", "other.example"), ("expected", "example.com")],
    ),
    (
        21,
        "oidc: error evaluating claim validation expression: validation expression 'claims.hd == \"example.com\"' failed: the hd claim must be example.com",
        &[("expected", "claims.hd == \"example.com\""), ("got", "the hd claim must be example.com")],
    ),
    (
        21,
        "oidc: error evaluating claim validation expression: expression 'claims.hd == \"x\"' resulted in error: no such key: hd",
        &[("got", "no such key: hd")],
    ),
    (
        21,
        "oidc: error evaluating username claim expression: username claim expression must return a string",
        &[("got", "username claim expression must return a string")],
    ),
    (
        22,
        r#"oidc: parse groups claim "realm_access": json: cannot unmarshal object into Go value of type string"#,
        &[("claim", "realm_access"), ("got", "object")],
    ),
    (
        23,
        r#"err="[invalid bearer token, oidc: could not expand distributed claims: while getting distributed claim \"groups\": error while getting distributed claim JWT: 401 Unauthorized]""#,
        &[("claim", "groups")],
    ),
    (
        27,
        r#"Error from server (Forbidden): pods is forbidden: User "https://sso.example.com#00u1" cannot list resource "pods" in API group "" in the namespace "default""#,
        &[("user", "https://sso.example.com#00u1"), ("verb", "list"), ("resource", "pods")],
    ),
    (
        30,
        r#"pods is forbidden: User "jo" cannot list resource "pods" in API group "" in the namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "reader" not found"#,
        &[("name", "reader")],
    ),
    (
        31,
        r#"Error from server (Forbidden): pods "web" is forbidden: User "jo" cannot create resource "pods/exec" in API group "" in the namespace "default""#,
        &[("got", "create"), ("resource", "pods/exec")],
    ),
    (
        32,
        r#"nodes is forbidden: User "kubernetes-admin" cannot list resource "nodes" in API group "" at the cluster scope"#,
        &[("got", "kubernetes-admin")],
    ),
    (
        33,
        r#"Error: invalid authentication configuration: jwt[0].issuer.url: Invalid value: "http://keycloak:8080/realms/k8s": URL scheme must be https"#,
        &[("got", "http://keycloak:8080/realms/k8s")],
    ),
    (34, "Error: authentication-config file and oidc-* flags are mutually exclusive", &[]),
    (
        35,
        "Error: anonymous: Forbidden: --anonynous-auth flag cannot be set when anonymous field is configured in authentication configuration file",
        &[],
    ),
    (
        36,
        "jwt[0].claimMappings.username: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing",
        &[("field", "jwt[0].claimMappings.username")],
    ),
    (
        37,
        r#"jwt[0].issuer.certificateAuthority: Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates"#,
        &[("field", "jwt[0].issuer.certificateAuthority")],
    ),
    (
        38,
        r#"Error: failed to load authentication configuration: strict decoding error: unknown field "jwt[0].claimMappings.extra[0].expression""#,
        &[("field", "jwt[0].claimMappings.extra[0].expression"), ("problem", "unknown field")],
    ),
    (
        39,
        "Error: failed to read authentication configuration: open /etc/kubernetes/authn/config.yaml: no such file or directory",
        &[("file", "/etc/kubernetes/authn/config.yaml")],
    ),
    (
        40,
        "Error: invalid argument \"StructuredAuthenticationConfiguration=true\" for \"--feature-gates\" flag: unrecognized feature gate: StructuredAuthenticationConfiguration",
        &[("gate", "StructuredAuthenticationConfiguration")],
    ),
    (
        41,
        "Error: oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set",
        &[],
    ),
    (
        42,
        r#"error: resource mapping not found: no matches for kind "AuthenticationConfiguration" in version "apiserver.config.k8s.io/v1""#,
        &[("got", "apiserver.config.k8s.io/v1")],
    ),
    (
        43,
        r#"E1128 12:00:00.1 1 authentication.go:500] "failed to validate authentication config" err="jwt[0].issuer.audiences: Required value""#,
        &[("step", "validate"), ("got", "jwt[0].issuer.audiences: Required value")],
    ),
    (
        43,
        r#"apiserver_authentication_config_controller_automatic_reloads_total{apiserver_id_hash="sha256:4b86",status="failure"} 3"#,
        &[("got", "3")],
    ),
    (46, "/var/lib/rancher/rke2/agent/pod-manifests/kube-apiserver.yaml changed", &[]),
    (
        47,
        "error: interactiveMode must be specified for oidc to use exec authentication plugin",
        &[("user", "oidc")],
    ),
    (
        48,
        "Unable to connect to the server: getting credentials: exec plugin is configured to use API version client.authentication.k8s.io/v1, plugin returned version client.authentication.k8s.io/v1beta1",
        &[("expected", "client.authentication.k8s.io/v1"), ("got", "client.authentication.k8s.io/v1beta1")],
    ),
    (
        49,
        "Unable to connect to the server: getting credentials: exec: executable kubectl-oidc_login not found",
        &[("command", "kubectl-oidc_login")],
    ),
    (49, r#"error: unknown command "oidc-login" for "kubectl""#, &[("command", "oidc-login")]),
    (50, "error: listen tcp 127.0.0.1:8000: bind: address already in use", &[("host", "127.0.0.1:8000")]),
    (51, "Invalid parameter: redirect_uri", &[]),
    (
        51,
        "AADSTS50011: The redirect URI 'http://localhost:8000' specified in the request does not match",
        &[("got", "http://localhost:8000")],
    ),
    (51, r#"oauth2: "invalid_client" "Client authentication failed""#, &[("problem", "invalid_client")]),
    (52, "<html><head><title>400 Request Header Or Cookie Too Large</title></head>", &[]),
    (
        53,
        r#"userextras.authentication.k8s.io "JTI=1" is forbidden: User "system:serviceaccount:gw:gw" cannot impersonate resource "userextras/authentication.kubernetes.io/credential-id" in API group "authentication.k8s.io" at the cluster scope"#,
        &[("got", "userextras/authentication.kubernetes.io/credential-id")],
    ),
    (54, "GKE Warden rejected the request: impersonating system identities are not allowed", &[]),
    (55, "InvalidParameterException: usernamePrefix cannot contain system:", &[("got", "system:")]),
    (57, "error: lost connection to pod", &[]),
    (
        57,
        "Error from server (BadRequest): Upgrade request required",
        &[("problem", "Upgrade request required")],
    ),
    (58, "Please enter Username:", &[]),
    (58, r#"error: no Auth Provider found for name "oidc""#, &[("got", "oidc")]),
    (
        59,
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
        &[("problem", "certificate signed by unknown authority")],
    ),
    (
        61,
        "issuer.url: Invalid value: \"https://k\": URL must not overlap with disallowed issuers: [https://k]",
        &[("expected", "https://k")],
    ),
    (
        61,
        r#"jwt[1].issuer.url: Duplicate value: "https://sso.example.com""#,
        &[("field", "jwt[1].issuer.url")],
    ),
    (
        62,
        r#"leases.coordination.k8s.io "n1" is forbidden: User "system:node:n1" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "kube-node-lease""#,
        &[("user", "system:node:n1")],
    ),
    (
        63,
        "Warning: the provided Authorization header contains extra space before the bearer token, and is ignored",
        &[],
    ),
    (63, "net/http: invalid header field value for \"Authorization\"", &[]),
    (
        64,
        r#"error: get-token: oauth2: "invalid_grant" "The refresh token is invalid or expired.""#,
        &[("problem", "invalid_grant")],
    ),
    (66, r#"device authorization: {"error":"unsupported_grant_type"}"#, &[("got", "unsupported_grant_type")]),
    (
        66,
        "AADSTS9002325: Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
        &[],
    ),
];

/// An ambiguity's name, and a text that leaves it.
pub(super) const UNCLEAR: &[(&str, &str)] = &[
    ("unauthorized", UNAUTHORIZED),
    ("unauthorized", "Unauthorized"),
    (
        "unauthorized",
        "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
    ),
    (
        "unauthorized",
        r#"{"kind":"Status","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#,
    ),
    (
        "invalid-bearer-token",
        r#"E1128 12:00:00.1 1 authentication.go:75] "Unable to authenticate the request" err="invalid bearer token""#,
    ),
    (
        "invalid-bearer-token",
        r#"{"ts":1,"msg":"Unable to authenticate the request","err":"invalid bearer token"}"#,
    ),
    (
        "not-initialized",
        r#""Unable to authenticate the request" err="[invalid bearer token, oidc: authenticator not initialized]""#,
    ),
    ("forbidden", FORBIDDEN),
    (
        "refused",
        "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
    ),
    (
        "plugin-failed",
        "Unable to connect to the server: getting credentials: exec: executable kubectl failed with exit code 1",
    ),
    ("unknown-authority", "x509: certificate signed by unknown authority"),
];
