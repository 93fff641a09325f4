//! Between kubectl and the API server: proxies, gateways, clouds (rows 52 to 57).

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, authentication, certain, compared, flag, likely, possible};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(52),
        title: "The token is too long for something on the way",
        symptom: "400 or 431, header too large; or only what uses a WebSocket fails",
        log: &["nginx: client sent too large header; 400 Request Header Or Cookie Too Large"],
        looks_at: &[Source::Token],
        cause: "A proxy takes headers of 4 or 8 KiB. A token with some hundred groups is longer.",
        why: "It meets the people with the most groups first.",
        compares: Some(compared("less than 4 KiB", "length of the token")),
        mends: &[
            at(
                Place::Provider,
                "put only the groups that the cluster's bindings name into the token (a filter: k8s-…)",
            ),
            at(
                Place::LoadBalancer,
                "nginx: large_client_header_buffers 4 32k; http2_max_field_size where it is old",
            ),
        ],
        retest: "kubectl auth whoami; kubectl exec POD -- true",
        signs: &[
            certain(
                "Too Large",
                r"(?<problem>431 Request Header Fields Too Large|Request Header Or Cookie Too Large|Request Header Fields Too Large)",
            ),
            certain("too large header", r"client sent too large header"),
            likely("header", r"(?i)(?:request )?header(?:s| fields?)? (?:is |are )?too (?:large|long|big)"),
        ],
    },
    Row {
        id: CheckId::new(53),
        title: "The gateway may not hand on what it knows of the person",
        symptom: "403 Forbidden: cannot impersonate resource \"userextras/…\"",
        log: &["the audit log's user is the gateway's service account"],
        looks_at: &[Source::Rbac, Source::Cluster],
        cause: "A gateway speaks for people by impersonation, and needs a rule for users, groups, uids and for each extra: \
                since 1.32 tokens with a `jti` bring authentication.kubernetes.io/credential-id.",
        why: "Every request through the gateway is refused.",
        compares: Some(compared("resource that the gateway may impersonate", "resource that it was refused")),
        mends: &[at(
            Place::Rbac,
            "rules: [{apiGroups: [\"authentication.k8s.io\"], resources: [\"{got}\"], verbs: [\"impersonate\"]}] in the ClusterRole that is bound to {user}",
        )],
        retest: "kubectl auth can-i impersonate {got} --as={user}",
        signs: &[certain(
            "cannot impersonate",
            r#"User "(?<user>[^"]*)" cannot impersonate\S* resource "(?<got>[^"]*)""#,
        )],
    },
    Row {
        id: CheckId::new(54),
        title: "GKE Autopilot refuses to speak for system identities",
        symptom: "403 Forbidden: impersonating system identities are not allowed",
        log: &["GKE Warden"],
        looks_at: &[Source::Cluster],
        cause: "A gateway maps administrators to system:masters. Autopilot does not let anybody impersonate that.",
        why: "It cannot be allowed there, and elsewhere it should not: no role bounds system:masters.",
        compares: None,
        mends: &[
            at(Place::Gateway, "map administrators to a group of your own, cluster-admins say"),
            at(
                Place::Rbac,
                "kubectl create clusterrolebinding cluster-admins --clusterrole=cluster-admin --group=cluster-admins",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "impersonating system identities",
            r"impersonating system identities are not allowed",
        )],
    },
    Row {
        id: CheckId::new(55),
        title: "The cloud refuses the prefix, or a second provider",
        symptom: "an error when the provider is added to EKS or AKS",
        log: &[],
        looks_at: &[Source::Flags],
        cause: "EKS takes one OIDC provider a cluster, and no prefix with system: in it. AKS wants every user name and group \
                to begin with aks:jwt:, and takes no Entra issuer there.",
        why: "The rules keep your people from being taken for the cloud's own identities.",
        compares: Some(compared("a prefix that the cloud takes", "prefix in the settings")),
        mends: &[
            at(
                Place::Eks,
                "--oidc usernamePrefix=oidc:,groupsPrefix=oidc:,… ; disassociate the other provider first",
            ),
            at(
                Place::Aks,
                "claimMappings: {username: {expression: \"'aks:jwt:' + claims.sub\"}, groups: {expression: \"…\"}}",
            ),
            at(Place::Gateway, "for several providers on EKS: a gateway in front of the API server"),
        ],
        retest: "aws eks describe-identity-provider-config …; az aks jwtauthenticator show …",
        signs: &[
            likely("aks:jwt:", r"(?i)must[^\n]*(?<expected>aks:jwt:)"),
            likely(
                "refix",
                r"(?i)(?<field>usernamePrefix|groupsPrefix|prefix)[^\n]*(?:cannot|must not|not allowed|invalid)[^\n]*(?<got>system:)",
            ),
            likely(
                "dentity provider config",
                r"(?i)(?<problem>(?:limit|already|in use)[^\n]*identity provider config|identity provider config[^\n]*(?:limit|already|in use))",
            ),
        ],
    },
    Row {
        id: CheckId::new(56),
        title: "Aggregated API servers do not get the person's uid",
        symptom: "403 Forbidden, or an empty uid, from metrics, KubeVirt and other aggregated interfaces",
        log: &[],
        looks_at: &[Source::Flags],
        cause: "The API server hands the uid on in the header that --requestheader-uid-headers names, and that flag has no \
                value by default.",
        why: "What decides by uid cannot tell two people of the same name apart.",
        compares: Some(compared("X-Remote-Uid", "--requestheader-uid-headers")),
        mends: &[
            flag("requestheader-uid-headers", "X-Remote-Uid"),
            authentication(
                "claimMappings: {uid: {claim: sub}}   # where the uid comes from; flags cannot set it",
            ),
        ],
        retest: "kubectl auth whoami -o yaml   # has uid",
        signs: &[],
    },
    Row {
        id: CheckId::new(57),
        title: "Something on the way does not let connections be upgraded",
        symptom: "exec and port-forward: lost connection to pod, EOF, unable to upgrade connection",
        log: &["error dialing backend: …   # the API server has no connection to the kubelet"],
        looks_at: &[Source::Cluster],
        cause: "A load balancer that speaks HTTP drops the upgrade to SPDY or WebSocket, lets only one of the two through, or \
                closes what was quiet for a minute.",
        why: "Logs and lists work, so it is taken for an error of the pod.",
        compares: Some(compared("a connection that is upgraded and echoes", "what came")),
        mends: &[
            at(
                Place::LoadBalancer,
                "pass TCP through, or pass Connection and Upgrade on and set idle timeouts of an hour or more",
            ),
            at(
                Place::LoadBalancer,
                "nginx: map $http_upgrade $connection_upgrade { default upgrade; '' close; } proxy_http_version 1.1; \
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; \
                 proxy_read_timeout 1h; proxy_send_timeout 1h;",
            ),
            at(Place::LoadBalancer, "HAProxy: timeout tunnel 1h; in mode http no `option httpclose`"),
            at(
                Place::LoadBalancer,
                "Envoy: upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: SPDY/3.1}]; stream_idle_timeout: 3600s",
            ),
            at(
                Place::LoadBalancer,
                "AWS: an NLB with tcp.idle_timeout.seconds=6000; an ALB upgrades to WebSocket only \
                 (idle_timeout.timeout_seconds=4000)",
            ),
            at(Place::LoadBalancer, "Traefik: a TCP router with tls: {passthrough: true}"),
            at(
                Place::LoadBalancer,
                "Apache httpd: ProxyPass / https://…:6443/ upgrade=ANY; ProxyTimeout 3600",
            ),
            at(
                Place::CommandLine,
                "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true (or false) tells which of the two is dropped",
            ),
        ],
        retest: "kubesso doctor --context CONTEXT --echo {pod} --echo-idle 90",
        signs: &[
            likely("lost connection to pod", r"lost connection to pod"),
            likely("unable to upgrade", r#"unable to upgrade(?: connection)?:? ?(?<problem>[^"\n]{0,120})"#),
            likely("Upgrade request required", r"(?<problem>Upgrade request required)"),
            likely("websocket: bad handshake", r"websocket: bad handshake"),
            possible(
                "error sending request",
                r#"error sending request: Post "?https?://(?<host>[^/" ]+)[^" ]*"?: EOF"#,
            ),
        ],
    },
];
