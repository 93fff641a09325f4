//! Known, and not allowed: groups, prefixes, roles and bindings (rows 24 to 32).

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, authentication, certain, compared, flag, likely, possible};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(24),
        title: "The ID token has no groups",
        symptom: "403 Forbidden; kubectl auth whoami shows no group of yours",
        log: &[],
        looks_at: &[Source::Token, Source::Issuer, Source::Kubeconfig],
        cause: "The scope that brings the groups was not asked for, or the provider puts them into the access token or the \
                userinfo answer only. kube-apiserver reads the ID token and nothing else. Or --oidc-groups-claim is not \
                set: without it groups are not read at all.",
        why: "Bindings to groups do nothing, so people get bindings of their own, which nobody takes away again.",
        compares: Some(compared("the groups claim", "claims in the token")),
        mends: &[
            at(
                Place::Kubeconfig,
                "--oidc-extra-scope=groups in the plugin's arguments, then kubectl oidc-login clean",
            ),
            flag("oidc-groups-claim", "groups"),
            authentication("claimMappings: {groups: {claim: groups, prefix: \"\"}}"),
            at(
                Place::Keycloak,
                "client scope with a mapper of type Group Membership: Token Claim Name groups, Add to ID token on",
            ),
            at(
                Place::Okta,
                "Security, API, authorization server, Claims: groups, ID Token, Always, Groups filter",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[],
    },
    Row {
        id: CheckId::new(25),
        title: "Okta's organization server gives no groups",
        symptom: "403 Forbidden; kubectl auth whoami shows no group of yours",
        log: &[],
        looks_at: &[Source::Issuer, Source::Token],
        cause: "The issuer is https://NAME.okta.com. With the authorization code flow its ID tokens are thin: groups are \
                only in the userinfo answer. A custom authorization server, /oauth2/ID, puts claims into the ID token.",
        why: "Nothing that is set for the groups claim takes effect with this issuer.",
        compares: Some(compared("https://NAME.okta.com/oauth2/ID", "issuer")),
        mends: &[
            at(
                Place::Okta,
                "Security, API: use the authorization server `default` or a new one, with a groups claim",
            ),
            flag("oidc-issuer-url", "{got}/oauth2/default"),
            authentication("issuer: {url: \"{got}/oauth2/default\"}"),
            at(Place::Kubeconfig, "--oidc-issuer-url={got}/oauth2/default in the plugin's arguments"),
        ],
        retest: "kubectl oidc-login setup --oidc-issuer-url={got}/oauth2/default --oidc-client-id=…",
        signs: &[],
    },
    Row {
        id: CheckId::new(26),
        title: "The groups vanish when the token is refreshed",
        symptom: "works after signing in, and is 403 Forbidden when the first token has ended",
        log: &[],
        looks_at: &[Source::Token, Source::Issuer],
        cause: "The provider puts the groups into the first ID token and leaves them out of those that a refresh gives.",
        why: "It looks as if rights came and went; people sign in again and again to get them back.",
        compares: Some(compared("claims of the first token", "claims of the refreshed one")),
        mends: &[
            at(
                Place::Provider,
                "map the groups for refreshed ID tokens too (a newer version, or another mapper)",
            ),
            at(Place::Kubeconfig, "until then, without offline_access the browser renews the token"),
        ],
        retest: "kubectl oidc-login get-token --force-refresh …; kubectl auth whoami   # the same groups as before",
        signs: &[],
    },
    Row {
        id: CheckId::new(27),
        title: "The binding names the user without the prefix that the API server puts before it",
        symptom: "403 Forbidden for User \"https://ISSUER#NAME\"",
        log: &[],
        looks_at: &[Source::Cluster, Source::Rbac, Source::Flags],
        cause: "Without --oidc-username-prefix, and with another claim than `email`, the API server puts the issuer and `#` \
                before the name. The binding has the bare name.",
        why: "A binding whose subject nobody can be does nothing; it waits for whoever gets that name some day.",
        compares: Some(compared("user as the API server calls them", "subject of the binding")),
        mends: &[
            at(
                Place::Rbac,
                "subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: \"{user}\"}]",
            ),
            flag("oidc-username-prefix", "oidc:"),
            authentication("claimMappings: {username: {claim: sub, prefix: \"oidc:\"}}"),
        ],
        retest: "kubectl auth whoami; kubectl auth can-i {verb} {resource}",
        signs: &[
            likely(
                "is forbidden: User",
                r##"forbidden: User "(?<user>https://[^"#]*#[^"]*)" cannot (?<verb>\S+) resource "(?<resource>[^"]*)""##,
            ),
            likely(
                "forbidden: User",
                r##"forbidden: User "(?<user>https://[^"#]*#[^"]*)" cannot (?<verb>\S+) path"##,
            ),
        ],
    },
    Row {
        id: CheckId::new(28),
        title: "The prefix of the groups is in the binding and not in the cluster, or the other way round",
        symptom: "403 Forbidden, although kubectl auth whoami shows the group",
        log: &[],
        looks_at: &[Source::Cluster, Source::Rbac, Source::Flags],
        cause: "--oidc-groups-prefix (or `prefix` of the mapping) makes oidc:admins of admins. The binding has the other of \
                the two.",
        why: "A binding whose group nobody is in does nothing.",
        compares: Some(compared("group as the API server calls it", "subject of the binding")),
        mends: &[
            at(
                Place::Rbac,
                "subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: \"{expected}\"}]",
            ),
            flag("oidc-groups-prefix", "oidc:"),
            authentication("claimMappings: {groups: {claim: groups, prefix: \"oidc:\"}}"),
        ],
        retest: "kubectl auth whoami; kubectl get clusterrolebindings,rolebindings -A -o wide",
        signs: &[],
    },
    Row {
        id: CheckId::new(29),
        title: "The groups in the token are ids, paths or differ in case from those in the bindings",
        symptom: "403 Forbidden, although kubectl auth whoami shows groups",
        log: &[],
        looks_at: &[Source::Token, Source::Rbac],
        cause: "Entra sends object ids, Keycloak paths (/admins); and RBAC compares letter by letter, with case.",
        why: "Bindings that were written from what the provider's pages show do nothing.",
        compares: Some(compared("group in the token", "subject of the binding")),
        mends: &[
            at(
                Place::Rbac,
                "subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: \"{expected}\"}]",
            ),
            at(Place::Keycloak, "the mapper Group Membership: Full group path off"),
            at(
                Place::Entra,
                "Token configuration, groups claim: sAMAccountName or cloud-only display names, for groups assigned to the application",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[],
    },
    Row {
        id: CheckId::new(30),
        title: "No binding allows it",
        symptom: "403 Forbidden, sometimes ending in RBAC: clusterrole… \"x\" not found",
        log: &[
            "the audit log's annotation authorization.k8s.io/reason is empty, unless a binding names a role that is not there",
        ],
        looks_at: &[Source::Rbac, Source::Cluster],
        cause: "A RoleBinding allows in its own namespace only, and nothing that has no namespace; resourceNames never \
                allow list or create; a rule has another apiGroup or lacks the subresource; or a binding names a role that \
                does not exist.",
        why: "Somebody will be tempted to bind cluster-admin to make it work.",
        compares: None,
        mends: &[
            at(
                Place::Rbac,
                "rules: [{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}] in a role that is bound to {user} or one of their groups",
            ),
            at(
                Place::Rbac,
                "where a role is not found: create it, or delete the binding that names it and bind one that exists",
            ),
        ],
        retest: "kubectl auth can-i {verb} {resource} -n {namespace}",
        signs: &[
            certain(
                "not found",
                r#"RBAC: (?<role>\[?(?:cluster)?role\.rbac\.authorization\.k8s\.io "(?<name>[^"]*)" not found)"#,
            ),
            possible(
                "is forbidden: User",
                r#"forbidden: User "(?<user>[^"]*)" cannot (?<verb>[a-z]+) resource "(?<resource>[^"]*)" in API group "(?<group>[^"]*)"(?: in the namespace "(?<namespace>[^"]*)")?"#,
            ),
            possible(
                "forbidden: User",
                r#"forbidden: User "(?<user>[^"]*)" cannot (?<verb>[a-z]+) path "(?<path>[^"]*)""#,
            ),
        ],
    },
    Row {
        id: CheckId::new(31),
        title: "exec, attach and port-forward need both get and create",
        symptom: "403 Forbidden on pods/exec, pods/attach or pods/portforward",
        log: &[],
        looks_at: &[Source::Rbac],
        cause: "Over a WebSocket exec is a GET, over SPDY a POST. Since Kubernetes 1.35 a GET of these wants `create` as \
                well. A role with only one of the verbs works with some versions of kubectl and not with others.",
        why: "Before 1.35 whoever may `get` pods/exec may run commands: a role that looks read-only is not.",
        compares: Some(compared("get and create", "verb that is not allowed")),
        mends: &[
            at(
                Place::Rbac,
                "rules: [{apiGroups: [\"\"], resources: [\"{resource}\"], verbs: [\"get\", \"create\"]}]",
            ),
            at(
                Place::Rbac,
                "in roles that are to read only: name resources, not `*`, so that pods/exec is not among them",
            ),
        ],
        retest: "kubectl auth can-i create pods --subresource=exec; kubectl auth can-i get pods --subresource=exec   # or attach, portforward",
        signs: &[certain(
            "pods/",
            r#"User "(?<user>[^"]*)" cannot (?<got>get|create) resource "(?<resource>pods/(?:exec|attach|portforward))""#,
        )],
    },
    Row {
        id: CheckId::new(32),
        title: "Another credential than the token is used",
        symptom: "403 Forbidden for User \"kubernetes-admin\" or another that you are not; or everything is allowed",
        log: &[],
        looks_at: &[Source::Kubeconfig, Source::Cluster],
        cause: "The context's user has a client certificate beside the token, or the context is another user's. The API \
                server takes the certificate and does not look at the token.",
        why: "Whoever works by the administrator's certificate is in system:masters: no role bounds them, and the audit \
              log knows no person.",
        compares: Some(compared("the user of the token", "user as the API server calls them")),
        mends: &[
            at(Place::Kubeconfig, "kubectl config set-context --current --user=oidc"),
            at(
                Place::Kubeconfig,
                "kubectl config unset users.oidc.client-certificate-data; … users.oidc.client-key-data",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[likely(
            "forbidden: User",
            r#"forbidden: User "(?<got>kubernetes-admin|kubernetes-super-admin|system:admin|minikube-user|minikube|docker-for-desktop|kubecfg|admin)" cannot (?<verb>\S+) (?:resource|path) "(?<resource>[^"]*)""#,
        )],
    },
];
