//! On the person's side: kubeconfig, plugin, signing in (rows 47 to 51, 58 to 60, 64, 66).

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, certain, compared, likely, possible};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(47),
        title: "The kubeconfig does not say whether the plugin may ask the person",
        symptom: "interactiveMode must be specified for U to use exec authentication plugin",
        log: &[],
        looks_at: &[Source::Kubeconfig],
        cause: "client.authentication.k8s.io/v1 wants `interactiveMode`; v1beta1 did not. A hand-written user, or one that \
                was changed from v1beta1, lacks it.",
        why: "kubectl does not start the plugin.",
        compares: None,
        mends: &[
            at(Place::Kubeconfig, "users[].user.exec.interactiveMode: IfAvailable"),
            at(
                Place::CommandLine,
                "kubectl config set-credentials {user} --exec-interactive-mode=IfAvailable",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "interactiveMode must be specified",
            r"interactiveMode must be specified for (?<user>\S+) to use exec authentication plugin",
        )],
    },
    Row {
        id: CheckId::new(48),
        title: "The plugin answers in another version than the kubeconfig asks for",
        symptom: "exec plugin is configured to use API version …, plugin returned version …",
        log: &[],
        looks_at: &[Source::Kubeconfig],
        cause: "`apiVersion` of the exec user is client.authentication.k8s.io/v1 and the plugin speaks v1beta1, or the other \
                way round.",
        why: "kubectl throws the token away.",
        compares: Some(compared("version in the kubeconfig", "version in the plugin's answer")),
        mends: &[
            at(Place::Kubeconfig, "users[].user.exec.apiVersion: {got}, with interactiveMode: IfAvailable"),
            at(
                Place::Kubeconfig,
                "or a plugin that answers in the version it is asked in, as kubesso's does",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "plugin returned version",
            r"configured to use API version (?<expected>[^, ]+), plugin returned version (?<got>[^\s]+)",
        )],
    },
    Row {
        id: CheckId::new(49),
        title: "The plugin's program is not found",
        symptom: "exec: executable … not found; exec: \"kubectl\": executable file not found in $PATH",
        log: &[],
        looks_at: &[Source::Kubeconfig],
        cause: "A program that a desktop started has another PATH than your shell; krew's directory is not in it. Or the \
                plugin is not installed on this machine.",
        why: "Lens, Headlamp and editors cannot reach the cluster, though kubectl can.",
        compares: None,
        mends: &[
            at(
                Place::Kubeconfig,
                "users[].user.exec.command: the plugin's absolute path (command -v kubectl-oidc_login)",
            ),
            at(Place::Kubeconfig, "users[].user.exec.installHint: where to get it"),
        ],
        retest: "env -i HOME=$HOME PATH=/usr/bin:/bin kubectl auth whoami",
        signs: &[
            certain("not found", r"exec: executable (?<command>\S+) not found"),
            certain("executable file not found", r#"exec: "(?<command>[^"]+)": executable file not found"#),
            certain("unknown command", r#"unknown command "(?<command>oidc-login)" for "kubectl""#),
        ],
    },
    Row {
        id: CheckId::new(50),
        title: "Several plugins want to sign in at once",
        symptom: "bind: address already in use; many tabs in the browser",
        log: &[],
        looks_at: &[Source::Kubeconfig],
        cause: "Several kubectl calls, or a dashboard that looks at every cluster, start the plugin at the same moment, and \
                each wants the same port and its own sign-in.",
        why: "People click away pages that they did not ask for, and get used to it.",
        compares: None,
        mends: &[
            at(Place::Kubeconfig, "kubesso's plugin: the first signs in, the others wait and take its token"),
            at(
                Place::Kubeconfig,
                "--listen-address=127.0.0.1:8000 and a second, 127.0.0.1:18000; both as redirect URIs at the provider",
            ),
        ],
        retest: "kubectl oidc-login clean; kubectl get ns & kubectl get ns & wait   # one page",
        signs: &[
            likely("address already in use", r"listen tcp (?<host>\S+): bind: address already in use"),
            likely(
                "address already in use",
                r"(?<host>(?:127\.0\.0\.1|localhost|\[::1\]):\d+)[^\n]*address already in use",
            ),
            possible("address already in use", r"(?i)address already in use"),
        ],
    },
    Row {
        id: CheckId::new(51),
        title: "The provider does not know this redirect URI, or this client",
        symptom: "in the browser: redirect_uri mismatch, invalid_client",
        log: &[],
        looks_at: &[Source::Issuer, Source::Kubeconfig],
        cause: "The plugin's address is not registered letter by letter: localhost or 127.0.0.1, the port, the slash. Or \
                the client is confidential and no secret was sent, or public and one was.",
        why: "Nobody can sign in.",
        compares: Some(compared("redirect URI that is registered", "redirect URI that was asked for")),
        mends: &[
            at(
                Place::Provider,
                "register http://localhost:8000 and http://127.0.0.1:8000 for the client; type native (public, PKCE)",
            ),
            at(
                Place::Kubeconfig,
                "--oidc-redirect-url=…, --listen-address=… and --oidc-client-id=… as the provider has them",
            ),
            at(
                Place::Entra,
                "Authentication, Mobile and desktop applications: http://localhost; Allow public client flows: yes",
            ),
        ],
        retest: "kubectl oidc-login setup --oidc-issuer-url=… --oidc-client-id=…",
        signs: &[
            certain(
                "redirect",
                r"(?i)(?:redirect_uri_mismatch|redirect_uri mismatch|invalid parameter: redirect_uri|invalid redirect[_ ]uri|mismatching redirection uri|redirect_uri' parameter must be|redirect uri (?:did|does) not match|unregistered redirect_uri)(?:.*?(?<got>https?://[^\x22' <>&]+))?",
            ),
            certain("AADSTS50011", r"AADSTS50011: The redirect URI '(?<got>[^']*)'"),
            certain("AADSTS7000218", r"(?<problem>AADSTS7000218): .*"),
            certain(
                "AADSTS700016",
                r"(?<problem>AADSTS700016): Application with identifier '(?<client>[^']*)' was not found",
            ),
            likely(
                "invalid_client",
                r#"(?<problem>invalid_client)(?:"?,? ?"?(?:error_description"?: ?)?"?(?<said>[^"\n]{1,120}))?"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(58),
        title: "The context has no user, or one of a kind that kubectl no longer knows",
        symptom: "Please enter Username:; no Auth Provider found for name \"oidc\"",
        log: &[],
        looks_at: &[Source::Kubeconfig],
        cause: "The context names a user that is not in the file, or names none. Or the user has the old `auth-provider: \
                oidc`, which other programs than kubectl, and newer kubectls, do not know.",
        why: "No credential is sent; where anonymous requests are allowed you are system:anonymous.",
        compares: Some(compared("a user with exec", "user of the context")),
        mends: &[
            at(Place::Kubeconfig, "kubectl config set-context --current --user=oidc"),
            at(
                Place::Kubeconfig,
                "in the place of auth-provider: the user that kubectl oidc-login setup prints",
            ),
        ],
        retest: "kubectl config view --minify; kubectl auth whoami",
        signs: &[
            certain("Please enter Username", r"Please enter Username"),
            certain("uth Provider found for name", r#"[Nn]o Auth Provider found for name "(?<got>[^"]*)""#),
            certain(
                "The azure auth plugin has been removed",
                r"The (?<got>azure|gcp) auth plugin has been removed",
            ),
            likely("system:anonymous", r#"User "(?<got>system:anonymous)" cannot"#),
        ],
    },
    Row {
        id: CheckId::new(59),
        title: "kubectl does not trust the certificate of what it talks to",
        symptom: "Unable to connect to the server: x509: certificate signed by unknown authority",
        log: &["http: TLS handshake error from …: remote error: tls: bad certificate"],
        looks_at: &[Source::Kubeconfig, Source::Cluster],
        cause: "`server` of the kubeconfig is a gateway or a new cluster, and certificate-authority-data is of another one; \
                or there is none.",
        why: "Do not turn the verification off: the next thing that kubectl sends is your token.",
        compares: Some(compared(
            "authority in the kubeconfig",
            "authority of the certificate that is served",
        )),
        mends: &[at(
            Place::Kubeconfig,
            "kubectl config set-cluster NAME --certificate-authority=FILE --embed-certs, with the authority of {host}",
        )],
        retest: "kubectl cluster-info",
        signs: &[
            certain(
                "Unable to connect to the server",
                r"Unable to connect to the server: (?:tls: failed to verify certificate: )?x509: (?<problem>certificate [^(]*[^( ])",
            ),
            likely(
                "x509: certificate signed by unknown authority",
                r#"Get "?https?://(?<host>[^/" ]+)/(?:api|apis|version|openapi|readyz)[^" ]*"?: (?:tls: failed to verify certificate: )?x509: (?<problem>certificate signed by unknown authority)"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(60),
        title: "The kubeconfig leads to the wrong hop",
        symptom: "401 Unauthorized at the API server and not at the gateway, or the other way round",
        log: &["invalid bearer token"],
        looks_at: &[Source::Kubeconfig, Source::Cluster],
        cause: "Only one of the two, gateway and API server, knows the issuer. `server` names the other.",
        why: "What a gateway records or forbids is passed by if the API server takes the token as well.",
        compares: Some(compared("the hop that knows the issuer", "server in the kubeconfig")),
        mends: &[at(Place::Kubeconfig, "kubectl config set-cluster NAME --server=https://GATEWAY")],
        retest: "kubectl auth whoami; kubectl --server=https://THE-OTHER auth whoami",
        signs: &[],
    },
    Row {
        id: CheckId::new(64),
        title: "The refresh token is no longer good",
        symptom: "exec: executable … failed with exit code 1, and invalid_grant before it",
        log: &["the provider's log: invalid_grant"],
        looks_at: &[Source::Issuer, Source::Kubeconfig],
        cause: "It expired, unused or by age; another program used it and got a new one; the person was disabled or signed \
                out; or the client may not use refresh_token.",
        why: "A refresh token used twice may have been stolen: good providers end the whole family.",
        compares: None,
        mends: &[
            at(Place::CommandLine, "kubectl oidc-login clean; then sign in again"),
            at(
                Place::Okta,
                "the rule's refresh token lifetime and idle window; grant type refresh_token for the application",
            ),
            at(Place::Kubesso, "refreshTokenLifetimeMinutes and refreshTokenWindowMinutes of the rule"),
        ],
        retest: "kubectl oidc-login get-token --force-refresh …   # without a page in the browser",
        signs: &[certain(
            "invalid_grant",
            r#"(?<problem>invalid_grant)(?:"?,? ?"?(?:error_description"?: ?)?"?(?<said>[^"\n]{1,120}))?"#,
        )],
    },
    Row {
        id: CheckId::new(66),
        title: "The provider does not offer this way of signing in",
        symptom: "when signing in: unsupported_grant_type, unauthorized_client, invalid_request",
        log: &[],
        looks_at: &[Source::Issuer, Source::Kubeconfig],
        cause: "The device flow is not offered or not allowed for this client, or the provider demands PKCE and none was \
                sent, or wants a secret.",
        why: "Nobody signs in from machines without a browser; the password grant that some fall back to shows the \
              password to every program.",
        compares: Some(compared("what the provider offers", "what was asked for")),
        mends: &[
            at(
                Place::Provider,
                "allow the grant type for the client: authorization_code, refresh_token, urn:ietf:params:oauth:grant-type:device_code",
            ),
            at(Place::Kubeconfig, "--grant-type=authcode, or device-code; --oidc-pkce-method=S256"),
            at(Place::Keycloak, "the client: OAuth 2.0 Device Authorization Grant on"),
        ],
        retest: "curl -s ISSUER/.well-known/openid-configuration | jq '{grant_types_supported, code_challenge_methods_supported, \
                 token_endpoint_auth_methods_supported}'",
        signs: &[
            certain("unsupported_grant_type", r"(?<got>unsupported_grant_type)"),
            likely("unauthorized_client", r"(?<got>unauthorized_client)"),
            certain(
                "code_challenge",
                r"(?i)(?:missing parameter|required|must)[^\n]{0,40}(?<got>code_challenge(?:_method)?)|(?:PKCE|code_challenge)[^\n]{0,40}(?:is )?required",
            ),
            certain("AADSTS9002325", r"(?<got>AADSTS9002325): Proof Key for Code Exchange is required"),
            possible("invalid_request", r"(?<got>invalid_request)"),
        ],
    },
];
