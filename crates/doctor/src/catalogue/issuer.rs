//! Between the API server and the provider: addresses, certificates, discovery (rows 1 to 8), keys (13, 14).

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, authentication, certain, compared, flag, likely, possible};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(1),
        title: "The token is from another issuer than the API server trusts",
        symptom: "401 Unauthorized",
        log: &["invalid bearer token, and nothing about oidc beside it"],
        looks_at: &[Source::Token, Source::Flags],
        cause: "`iss` in the token and the issuer in the API server's settings are compared byte by byte. A slash at the \
                end, http instead of https, a port, another name of the same host, another realm, or Entra's version 1 \
                address (sts.windows.net) instead of version 2 make them different.",
        why: "The API server passes over a token of an issuer that it does not know, without a word in its log. Let it \
              trust an issuer because it is yours, not because a token names it: whoever runs the issuer can be anybody \
              in the cluster.",
        compares: Some(compared("issuer in the API server's settings", "iss in the token")),
        mends: &[
            flag("oidc-issuer-url", "{got}"),
            authentication("issuer: {url: \"{got}\"}"),
            at(
                Place::Kubeconfig,
                "or, where the token is from the wrong place: --oidc-issuer-url={expected} in the plugin's arguments, \
                 then kubectl oidc-login clean",
            ),
            at(
                Place::Entra,
                "api.requestedAccessTokenVersion: 2 in the application's manifest, and the issuer \
                 https://login.microsoftonline.com/TENANT/v2.0",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "issued by a different provider",
            r#"id token issued by a different provider, expected "(?<expected>[^"]*)" got "(?<got>[^"]*)""#,
        )],
    },
    Row {
        id: CheckId::new(2),
        title: "The provider calls itself by another name than the API server does",
        symptom: "401 Unauthorized",
        log: &[
            "oidc authenticator: initializing plugin: oidc: issuer did not match the issuer returned by provider, expected \
             \"A\" got \"B\"",
            "then, at every token: oidc: authenticator not initialized",
        ],
        looks_at: &[Source::Issuer, Source::Flags],
        cause: "The discovery document's `issuer` is not, byte for byte, the URL that the API server was given: a slash, a \
                port, or a reverse proxy that hands the provider another host or scheme than the browser used.",
        why: "The API server tries again every ten seconds for ever and refuses every token of this issuer until then.",
        compares: Some(compared("issuer in the API server's settings", "issuer in the discovery document")),
        mends: &[
            flag("oidc-issuer-url", "{got}"),
            authentication("issuer: {url: \"{got}\"}"),
            at(
                Place::LoadBalancer,
                "where the provider is right to be called {expected}: pass Host, X-Forwarded-Host and X-Forwarded-Proto \
                 on to it, and set its public URL",
            ),
        ],
        retest: "curl -s {expected}/.well-known/openid-configuration | jq -r .issuer   # must print {expected}",
        signs: &[certain(
            "issuer did not match the issuer returned by provider",
            r#"issuer did not match the issuer returned by provider, expected "(?<expected>[^"]*)" got "(?<got>[^"]*)""#,
        )],
    },
    Row {
        id: CheckId::new(3),
        title: "The provider's certificate authority is not trusted",
        symptom: "401 Unauthorized; from the plugin: certificate signed by unknown authority",
        log: &[
            "oidc authenticator: initializing plugin: Get \"https://…/.well-known/openid-configuration\": tls: failed to \
             verify certificate: x509: certificate signed by unknown authority",
        ],
        looks_at: &[Source::Issuer, Source::Flags],
        cause: "The provider has a certificate of a private authority, and the API server (or the plugin) was not given \
                it. A plugin that skips the verification hides this: signing in works, the cluster still refuses.",
        why: "The API server cannot read the provider's keys, so it refuses every token. Skipping the verification is no \
              way out: whoever stands between could give it keys of their own and be anybody in the cluster.",
        compares: None,
        mends: &[
            flag("oidc-ca-file", "/etc/kubernetes/pki/oidc-ca.crt"),
            authentication(
                "issuer: {certificateAuthority: \"-----BEGIN CERTIFICATE-----…\"}   # the PEM text, no path",
            ),
            at(Place::Kubeconfig, "--certificate-authority=FILE in the plugin's arguments"),
        ],
        retest: "curl -sS --cacert FILE ISSUER/.well-known/openid-configuration >/dev/null && echo trusted",
        signs: &[
            certain(
                "unknown authority",
                r#"initializing plugin.*?Get "?https?://(?<host>[^/" ]+)[^" ]*"?: (?:tls: failed to verify certificate: )?x509: certificate signed by unknown authority"#,
            ),
            certain(
                "unknown authority",
                r#"https?://(?<host>[^/" ]+)[^" ]*(?:\.well-known/openid-configuration|/token|/keys|/certs|/jwks[^" ]*)"?: (?:tls: failed to verify certificate: )?x509: certificate signed by unknown authority"#,
            ),
            // As Rust's TLS says it: kubesso's own plugin and sandbox.
            likely(
                "unknownissuer",
                r#"(?:https?://(?<host>[^/" ]+)[^ ]* ?.*)?invalid peer certificate: UnknownIssuer"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(4),
        title: "The provider's certificate is for another name, expired, or without names",
        symptom: "401 Unauthorized",
        log: &[
            "initializing plugin: …: x509: certificate is valid for A, not B",
            "… x509: certificate has expired or is not yet valid",
            "… x509: certificate relies on legacy Common Name field, use SANs instead",
        ],
        looks_at: &[Source::Issuer],
        cause: "The certificate that the provider serves does not name the host in the issuer's URL among its subject \
                alternative names, or its time is over; often a default certificate of the ingress, or one that was \
                renewed and not loaded.",
        why: "The API server refuses to talk to the provider; every token is refused until the certificate is right.",
        compares: Some(compared("name in the issuer's URL", "names in the certificate")),
        mends: &[
            at(
                Place::Provider,
                "serve a certificate, with its intermediates, whose subjectAltName has DNS:{expected}",
            ),
            at(
                Place::LoadBalancer,
                "route the name {expected} to the provider's own certificate, not to the default one",
            ),
        ],
        retest: "openssl s_client -connect {expected}:443 -servername {expected} </dev/null 2>/dev/null | openssl x509 \
                 -noout -ext subjectAltName -enddate",
        signs: &[
            certain(
                "certificate is valid for",
                r"(?:initializing plugin|openid-configuration|oidc).*x509: certificate is valid for (?<got>.+?), not (?<expected>[A-Za-z0-9.:-]+[A-Za-z0-9])",
            ),
            certain(
                "expired or is not yet valid",
                r#"(?:initializing plugin|openid-configuration|oidc).*x509: certificate has expired or is not yet valid(?:: (?<when>[^"\]]+))?"#,
            ),
            certain(
                "legacy Common Name",
                r"(?:initializing plugin|openid-configuration|oidc).*x509: certificate relies on legacy Common Name field",
            ),
            likely(
                "certificate not valid for name",
                r#"certificate not valid for name "(?<expected>[^"]*)"(?:; certificate is (?:only )?valid for (?<got>.+))?"#,
            ),
            likely(
                "invalid peer certificate",
                r"invalid peer certificate: (?<got>certificate (?:expired|not valid yet)[^;]*)",
            ),
            likely(
                "certificate is valid for",
                r"x509: certificate is valid for (?<got>.+?), not (?<expected>[A-Za-z0-9.:-]+[A-Za-z0-9])",
            ),
            possible(
                "expired or is not yet valid",
                r#"x509: certificate has expired or is not yet valid(?:: (?<when>[^"\]]+))?"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(5),
        title: "The control plane cannot resolve the provider's name",
        symptom: "401 Unauthorized",
        log: &["initializing plugin: Get \"https://…\": dial tcp: lookup HOST on …: no such host"],
        looks_at: &[Source::Flags, Source::Cluster],
        cause: "The API server runs in its node's network and asks the node's DNS, not the cluster's. Names that end in \
                .svc or that only CoreDNS knows do not exist for it.",
        why: "Discovery never succeeds, and every token is refused, although the same URL works in pods and browsers.",
        compares: None,
        mends: &[
            at(
                Place::Network,
                "give {host} an address in the DNS that the nodes use, or in /etc/hosts of each control-plane node",
            ),
            authentication(
                "issuer: {url: https://NAME-IN-TOKENS, discoveryURL: \
                 https://NAME-THE-NODE-RESOLVES/.well-known/openid-configuration}",
            ),
        ],
        retest: "on a control-plane node: getent hosts {host}",
        signs: &[
            certain(
                "no such host",
                r"initializing plugin.*dial tcp: lookup (?<host>[^ :]+)(?: on [^ ]+)?: no such host",
            ),
            likely(
                "no such host",
                r"(?:openid-configuration|oidc).*dial tcp: lookup (?<host>[^ :]+)(?: on [^ ]+)?: no such host",
            ),
            likely(
                "failed to lookup address",
                r#"(?:https?://(?<host>[^/" ]+)[^ ]* ?.*)?failed to lookup address information"#,
            ),
            certain(
                "server misbehaving",
                r"initializing plugin.*lookup (?<host>[^ :]+)(?: on [^ ]+)?: server misbehaving",
            ),
        ],
    },
    Row {
        id: CheckId::new(6),
        title: "The control plane cannot reach the provider",
        symptom: "401 Unauthorized",
        log: &[
            "initializing plugin: Get \"https://…\": dial tcp A:443: i/o timeout",
            "… connect: connection refused",
            "… connect: no route to host",
        ],
        looks_at: &[Source::Cluster, Source::Issuer],
        cause: "A firewall, a load balancer that cannot reach itself from inside (hairpin), a private provider behind a \
                managed control plane, or a provider in the same cluster that is not up yet.",
        why: "The API server tries again every ten seconds; until it succeeds every token is refused. A provider inside \
              the cluster that it guards also cannot help when the cluster is down: keep a client certificate.",
        compares: None,
        mends: &[
            at(Place::Network, "allow the control-plane nodes to reach {host}"),
            authentication(
                "issuer: {discoveryURL: https://ADDRESS-THAT-IS-REACHED/.well-known/openid-configuration}",
            ),
            at(
                Place::Gateway,
                "where a managed control plane cannot reach a private provider: authenticate people in a gateway in front \
                 of the API server",
            ),
        ],
        retest: "on a control-plane node: curl -sS -m 10 https://{host}/ -o /dev/null -w '%{http_code}\\n'",
        signs: &[
            certain(
                "initializing plugin",
                r"initializing plugin.*dial tcp (?<host>[^ ]+?)(?:->[^ ]+)?: (?:connect: )?(?<problem>i/o timeout|connection refused|no route to host|network is unreachable)",
            ),
            certain(
                "initializing plugin",
                r#"initializing plugin.*https?://(?<host>[^/" ]+).*(?<problem>context deadline exceeded|Client\.Timeout exceeded|TLS handshake timeout|connection reset by peer|: EOF)"#,
            ),
            likely(
                "openid-configuration",
                r#"https?://(?<host>[^/" ]+)[^" ]*openid-configuration.*(?<problem>Connection refused \(os error|operation timed out|deadline has elapsed)"#,
            ),
            likely(
                "openid-configuration",
                r#"https?://(?<host>[^/" ]+)[^" ]*openid-configuration"?: .*(?<problem>i/o timeout|connection refused|no route to host|network is unreachable|context deadline exceeded)"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(7),
        title: "The API server asks the provider by way of an HTTP proxy that refuses",
        symptom: "401 Unauthorized",
        log: &["initializing plugin: Get \"https://…\": Forbidden"],
        looks_at: &[Source::Cluster],
        cause: "HTTPS_PROXY in the API server's environment is obeyed for discovery too, and the proxy does not let it \
                through; the provider's host is missing from NO_PROXY.",
        why: "Discovery never succeeds and every token is refused, although curl on the node may work: its environment \
              is another.",
        compares: None,
        mends: &[
            at(Place::Manifest, "env of the kube-apiserver container: NO_PROXY with {host} added"),
            at(
                Place::ApiServerHost,
                "k3s, RKE2: NO_PROXY in /etc/default/k3s or /etc/default/rke2-server, then restart",
            ),
        ],
        retest: "kubectl -n kube-system get pod -l component=kube-apiserver -o yaml | grep -iA1 proxy",
        signs: &[
            certain(
                "initializing plugin",
                r#"initializing plugin.*Get "?https?://(?<host>[^/" ]+)[^" ]*"?: (?<problem>Forbidden|Proxy Authentication Required|Method Not Allowed|proxyconnect tcp: [^"]*)"#,
            ),
            likely("proxyconnect tcp", r"(?<problem>proxyconnect tcp: .*)"),
        ],
    },
    Row {
        id: CheckId::new(8),
        title: "There is no discovery document at the issuer's address",
        symptom: "401 Unauthorized",
        log: &[
            "initializing plugin: 404 Not Found: …",
            "… expected Content-Type = application/json, got \"text/html\"",
        ],
        looks_at: &[Source::Issuer, Source::Flags],
        cause: "The issuer's path is wrong: the realm of Keycloak (/realms/NAME), /v2.0 of Entra, /oauth2/ID of Okta or \
                /application/o/NAME/ of authentik is missing; or a page to sign in with answers instead of JSON.",
        why: "Without the document the API server has no keys, and refuses every token.",
        compares: None,
        mends: &[
            flag("oidc-issuer-url", "<the `issuer` that the provider's discovery document says>"),
            authentication("issuer: {url: \"<the `issuer` that the provider's discovery document says>\"}"),
            at(
                Place::LoadBalancer,
                "let /.well-known/openid-configuration and the keys through without signing in",
            ),
        ],
        retest: "curl -si ISSUER/.well-known/openid-configuration | head -20   # 200 and application/json",
        signs: &[
            certain(
                "expected Content-Type = application/json",
                r#"expected Content-Type = application/json, got "(?<got>[^"]*)""#,
            ),
            certain(
                "initializing plugin",
                r"initializing plugin(?::|.*?err=.?) ?(?<problem>[345]\d\d [A-Z][A-Za-z ]+):",
            ),
            likely(
                "failed to decode provider discovery object",
                r"failed to decode provider discovery object: (?<problem>[^,]+)",
            ),
            certain("provider did not return JWKS URL", r"provider did not return JWKS URL"),
        ],
    },
    Row {
        id: CheckId::new(13),
        title: "The API server does not know the key yet that signed the token",
        symptom: "401 Unauthorized after the provider changed its signing key; mends itself",
        log: &["oidc: verify token: failed to verify signature: failed to verify id token signature"],
        looks_at: &[Source::Token, Source::Issuer, Source::Cluster],
        cause: "The API server keeps the key set for as long as the answer's Cache-Control says and does not fetch it \
                again for an unknown key id before. A provider that signs with a new key at once is ahead of it. If the \
                key id is not in the live set either, the token was signed by somebody else.",
        why: "Everybody who signs in is refused for up to max-age after each exchange of keys, on each API server at its \
              own time.",
        compares: Some(compared("key ids of the live set", "kid in the token")),
        mends: &[
            at(
                Place::Provider,
                "publish a new key at least max-age and 30 s before it signs, and send a short max-age with the key set",
            ),
            at(Place::Kubesso, "it does so by itself; `kubesso keys rotate` without --danger-at-once"),
            at(Place::ApiServerHost, "now: wait for max-age, or restart the API server"),
        ],
        retest: "curl -si JWKS_URI | grep -i cache-control; curl -s JWKS_URI | jq -r '.keys[].kid'",
        signs: &[
            certain("failed to verify id token signature", r"failed to verify id token signature"),
            likely(
                "failed to verify signature",
                r"failed to verify signature: no (?:valid )?(?:key|signature)",
            ),
        ],
    },
    Row {
        id: CheckId::new(14),
        title: "The control plane cannot fetch the provider's keys",
        symptom: "401 Unauthorized",
        log: &[
            "oidc: verify token: failed to verify signature: fetching keys oidc: get keys failed Get \"https://…\": …",
        ],
        looks_at: &[Source::Issuer, Source::Cluster],
        cause: "Discovery succeeded, but `jwks_uri` in it is on a host or a scheme that the control plane does not reach: \
                a public name behind a firewall, another certificate, or a set with a key in it that cannot be read.",
        why: "Tokens cannot be verified, so all are refused.",
        compares: None,
        mends: &[
            at(
                Place::Provider,
                "make jwks_uri of the discovery document an address that the control plane reaches",
            ),
            at(Place::Network, "allow the control-plane nodes to reach {host}"),
        ],
        retest: "on a control-plane node: curl -sS $(curl -s ISSUER/.well-known/openid-configuration | jq -r .jwks_uri)",
        signs: &[
            certain(
                "get keys failed",
                r#"get keys failed:? ?(?:Get "?https?://(?<host>[^/" ]+)[^" ]*"?: )?(?<problem>[^"\]]*)"#,
            ),
            likely("failed to decode keys", r"failed to decode keys: (?<problem>.*)"),
        ],
    },
];
