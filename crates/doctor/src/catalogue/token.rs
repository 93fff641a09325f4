//! The token and what the API server wants of it: rows 9 to 12, 15 to 23, 63, 65.

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, authentication, certain, compared, flag, likely};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(9),
        title: "The token is meant for another client than the API server accepts",
        symptom: "401 Unauthorized",
        log: &["oidc: verify token: oidc: expected audience \"kubernetes\" got [\"headlamp\"]"],
        looks_at: &[Source::Token, Source::Flags],
        cause: "`aud` in the token is the client that signed the person in: a dashboard, another plugin, another cluster. \
                The API server accepts the one of --oidc-client-id, or those of `audiences`.",
        why: "The audience is what keeps a token for one thing from being used at another. Add an audience because that \
              client is meant to speak for people at this cluster, not to make the message go away.",
        compares: Some(compared("audience that the API server accepts", "aud in the token")),
        mends: &[
            at(
                Place::Kubeconfig,
                "--oidc-client-id={expected} in the plugin's arguments, then kubectl oidc-login clean",
            ),
            authentication("issuer: {audiences: [\"{expected}\", \"{got}\"], audienceMatchPolicy: MatchAny}"),
            flag("oidc-client-id", "{got}"),
            at(
                Place::Dex,
                "staticClients: - id: {expected}, trustedPeers: [\"{got}\"]; ask for the scope audience:server:client_id:{expected}",
            ),
            at(
                Place::Keycloak,
                "client scope with a mapper of type Audience: Included Client Audience {expected}, Add to ID token on",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "expected audience",
            r#"expected audience (?:in )?(?<expected>"[^"]*"|\[[^\]]*\]) got (?<got>\[[^\]]*\])"#,
        )],
    },
    Row {
        id: CheckId::new(10),
        title: "What is sent is no ID token",
        symptom: "401 Unauthorized",
        log: &["invalid bearer token, and nothing about oidc beside it"],
        looks_at: &[Source::Token, Source::Kubeconfig],
        cause: "An access token is sent, or an opaque one. An access token of some providers is a JWT with another `aud` \
                or `iss`; of others it is a handle that only they can read.",
        why: "An access token is a key to the provider's own interfaces; it has no business at the API server and is \
              refused there without a word.",
        compares: Some(compared("an ID token: three parts, with iss, aud, sub, exp", "what was sent")),
        mends: &[
            at(
                Place::Kubeconfig,
                "remove --oidc-use-access-token from the plugin's arguments, then kubectl oidc-login clean",
            ),
            at(
                Place::Kubeconfig,
                "in a script: send id_token of the token endpoint's answer, not access_token",
            ),
        ],
        retest: "kubectl oidc-login setup --oidc-issuer-url=… --oidc-client-id=…   # shows the ID token's claims",
        signs: &[certain("oidc: malformed jwt", r"oidc: malformed jwt(?::? ?(?<problem>[^\],]*))?")],
    },
    Row {
        id: CheckId::new(11),
        title: "The token has expired and was not renewed",
        symptom: "401 Unauthorized",
        log: &["oidc: verify token: oidc: token is expired (Token Expiry: 2026-11-28 12:00:00 +0000 UTC)"],
        looks_at: &[Source::Token, Source::Kubeconfig, Source::Issuer],
        cause: "The kubeconfig has a copied `token:`, or a tool keeps an old one, or there is no refresh token: the scope \
                offline_access was not asked for, or the client may not use refresh_token.",
        why: "The API server gives no leeway at all: the second after `exp` the token is nothing.",
        compares: Some(compared("exp later than now", "exp in the token")),
        mends: &[
            at(Place::CommandLine, "kubectl oidc-login clean; the next command signs in"),
            at(
                Place::Kubeconfig,
                "an exec user with kubectl oidc-login get-token in the place of `token:`, and --oidc-extra-scope=offline_access",
            ),
            at(
                Place::Okta,
                "grant type refresh_token for the application, offline_access in the rule's scopes",
            ),
            at(
                Place::Kubesso,
                "grant type refresh_token for the application; `kubesso token preview` says how long tokens live",
            ),
        ],
        retest: "kubectl auth whoami; and once more after the token's lifetime",
        signs: &[
            certain("token is expired", r"oidc: token is expired \(Token Expiry: (?<got>[^)]*)\)"),
            likely("token has expired", r"(?:^|[^t] )token has expired"),
        ],
    },
    Row {
        id: CheckId::new(12),
        title: "The clocks of the provider and the API server differ",
        symptom: "401 Unauthorized right after signing in",
        log: &[
            "oidc: token is expired (Token Expiry: …), for a token that was issued a moment ago",
            "oidc: current time … before the nbf (not before) time: …",
        ],
        looks_at: &[Source::Issuer, Source::Cluster, Source::Token],
        cause: "One machine's clock is wrong. `exp` has no leeway, `nbf` one minute (the version of the library decides).",
        why: "Short-lived tokens, which are the safe ones, stop to work first. Certificates and audit times suffer too.",
        compares: Some(compared("a difference of less than 30 s", "the difference")),
        mends: &[
            at(Place::ApiServerHost, "timedatectl set-ntp true; chronyc tracking"),
            at(Place::Provider, "the same on the provider's machines"),
        ],
        retest: "curl -sI ISSUER/.well-known/openid-configuration | grep -i ^date; date -u   # on each control-plane node",
        signs: &[certain(
            "before the nbf (not before) time",
            r"current time (?<expected>\d[^b]*?) before the nbf \(not before\) time: (?<got>\d[^\]\x22]*)",
        )],
    },
    Row {
        id: CheckId::new(15),
        title: "The token is signed with an algorithm that the API server does not accept",
        symptom: "401 Unauthorized",
        log: &["oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got \"ES256\""],
        looks_at: &[Source::Token, Source::Flags],
        cause: "--oidc-signing-algs is RS256 unless it is set. Providers that sign with an elliptic curve or PSS need it. \
                An AuthenticationConfiguration accepts all nine of RS, ES and PS.",
        why: "No token of this provider is accepted, whoever signs in.",
        compares: Some(compared("algorithms that the API server accepts", "alg in the token")),
        mends: &[
            flag("oidc-signing-algs", "{got}"),
            at(Place::Provider, "sign this client's ID tokens with RS256"),
            authentication("nothing to set: every RS, ES and PS algorithm is accepted"),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "unsupported algorithm",
            r#"signed with unsupported algorithm, expected (?<expected>\[[^\]]*\]) got "(?<got>(?:[REP]S|Ed)[^"]*)""#,
        )],
    },
    Row {
        id: CheckId::new(16),
        title: "The provider signs with a shared secret, or has no key",
        symptom: "401 Unauthorized",
        log: &["oidc: id token signed with unsupported algorithm, expected [\"RS256\"] got \"HS256\""],
        looks_at: &[Source::Token, Source::Issuer],
        cause: "The provider has no asymmetric key for this client and signs with the client's secret (HS256); its key set \
                is empty. authentik does so for a provider without a signing key.",
        why: "An HS256 token can be forged by everybody who knows the client's secret, the kubeconfig's readers among \
              them. The API server never accepts one, whatever is set.",
        compares: Some(compared("an asymmetric algorithm", "alg in the token")),
        mends: &[
            at(
                Place::Authentik,
                "Applications, Providers, your provider: Signing Key = a certificate, not empty",
            ),
            at(
                Place::Keycloak,
                "Realm settings, Keys: an active RS256 provider; the client's ID token signature algorithm RS256",
            ),
            at(Place::Provider, "sign this client's ID tokens with RS256"),
        ],
        retest: "curl -s JWKS_URI | jq '.keys | length'   # more than 0",
        signs: &[certain(
            "unsupported algorithm",
            r#"signed with unsupported algorithm, expected (?<expected>\[[^\]]*\]) got "(?<got>(?:HS[^"]*|none)?)""#,
        )],
    },
    Row {
        id: CheckId::new(17),
        title: "The token lacks the claim that the API server makes the user name of",
        symptom: "401 Unauthorized, although signing in succeeded",
        log: &["oidc: parse username claims \"email\": claim not present"],
        looks_at: &[Source::Token, Source::Flags, Source::Kubeconfig],
        cause: "The API server is told to use the claim, and the token was asked for without the scope that brings it: \
                `email` for email, `profile` for preferred_username.",
        why: "Everybody is refused, and all they see is Unauthorized.",
        compares: Some(compared("claim that the user name is made of", "claims in the token")),
        mends: &[
            at(
                Place::Kubeconfig,
                "--oidc-extra-scope=email (or profile) in the plugin's arguments, then kubectl oidc-login clean",
            ),
            flag("oidc-username-claim", "sub"),
            authentication("claimMappings: {username: {claim: sub, prefix: \"\"}}"),
            at(Place::Provider, "put {claim} into the ID token of this client"),
        ],
        retest: "kubectl oidc-login setup --oidc-issuer-url=… --oidc-client-id=… --oidc-extra-scope=email   # shows the claims",
        signs: &[
            certain("parse username claims", r#"parse username claims "(?<claim>[^"]*)": claim not present"#),
            likely(
                "parse username claims",
                r#"parse username claims "(?<claim>[^"]*)": (?<problem>json: [^\]]*)"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(18),
        title: "The provider says that the e-mail address is not verified",
        symptom: "401 Unauthorized",
        log: &["oidc: email not verified"],
        looks_at: &[Source::Token, Source::Flags],
        cause: "The claim `email` makes the user name, and the token says `email_verified: false`, as for people who came \
                by way of a directory (Active Directory, LDAP), and by default in Keycloak and authentik.",
        why: "Whoever may enter any address at the provider could otherwise be anybody in the cluster. Do not make the \
              provider say `true` for addresses that it did not check.",
        compares: Some(compared("email_verified: true, or no such claim", "email_verified in the token")),
        mends: &[
            at(Place::Provider, "verify the address of the person"),
            flag("oidc-username-claim", "sub"),
            authentication("claimMappings: {username: {claim: sub, prefix: \"\"}}"),
            at(Place::Keycloak, "user federation, LDAP: Trust Email on, if the directory owns the addresses"),
            at(
                Place::Authentik,
                "scope mapping email: return {\"email\": request.user.email, \"email_verified\": True}, if authentik owns the addresses",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain("email not verified", r"oidc: email not verified")],
    },
    Row {
        id: CheckId::new(19),
        title: "email_verified is a text, not true or false",
        symptom: "401 Unauthorized",
        log: &[
            "oidc: parse 'email_verified' claim: json: cannot unmarshal string into Go value of type bool",
        ],
        looks_at: &[Source::Token],
        cause: "The provider sends `\"true\"` in quotes. The API server wants JSON's true.",
        why: "Everybody of this provider is refused as long as the user name is made of `email`.",
        compares: Some(compared("true", "email_verified in the token")),
        mends: &[
            at(Place::Keycloak, "the mapper email verified: Claim JSON Type = boolean"),
            at(Place::Provider, "send email_verified as a JSON boolean"),
            flag("oidc-username-claim", "sub"),
            authentication(
                "claimMappings: {username: {expression: \"claims.email\"}}, claimValidationRules: [{expression: \
                 \"claims.email_verified == true || claims.email_verified == 'true'\", message: \"the address is not \
                 verified\"}]",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[certain(
            "email_verified",
            r"parse 'email_verified' claim: (?<problem>json: cannot unmarshal (?<got>\w+)[^\],]*)",
        )],
    },
    Row {
        id: CheckId::new(20),
        title: "A claim that the API server requires is missing or has another value",
        symptom: "401 Unauthorized",
        log: &[
            "oidc: required claim X not present in ID token",
            "oidc: required claim X value does not match. Got = A, want = B",
            "oidc: parse claim X: json: cannot unmarshal … (its value is no text)",
        ],
        looks_at: &[Source::Token, Source::Flags],
        cause: "--oidc-required-claim, or a rule of claimValidationRules, wants a claim of the token to be a certain text: \
                a tenant, a department. The token does not have it, or the value is a list or a number.",
        why: "The rule keeps out the tenants that do not belong here; mend the token, not the rule, unless the rule is \
              wrong.",
        compares: Some(compared("value that the API server requires", "value in the token")),
        mends: &[
            at(Place::Provider, "put {claim}={expected} into the ID token, as a text"),
            flag("oidc-required-claim", "{claim}={got}"),
            authentication("claimValidationRules: [{claim: {claim}, requiredValue: \"{got}\"}]"),
        ],
        retest: "kubectl auth whoami",
        signs: &[
            certain("required claim", r"required claim (?<claim>\S+) not present in ID token"),
            certain(
                "required claim",
                r"required claim (?<claim>\S+) value does not match\. Got = (?<got>.*?), want = (?<expected>[^\]\x22,]*)",
            ),
            likely("parse claim", r"oidc: parse claim (?<claim>[^:]+): (?<problem>json: [^\],]*)"),
        ],
    },
    Row {
        id: CheckId::new(21),
        title: "A CEL rule of the AuthenticationConfiguration refuses the token",
        symptom: "401 Unauthorized",
        log: &[
            "oidc: error evaluating claim validation expression: validation expression '…' failed: MESSAGE",
            "oidc: error evaluating user info validation rule: …",
            "expression '…' resulted in error: no such key: X",
        ],
        looks_at: &[Source::Token, Source::Flags],
        cause: "An expression of claimValidationRules or userValidationRules is false for this token, or it speaks of a \
                claim that the token does not have, or a mapping gives no text.",
        why: "The rule is a decision of who may be in the cluster. An error in it refuses everybody.",
        compares: Some(compared("the expression to be true", "what the API server says of it")),
        mends: &[
            at(
                Place::Provider,
                "where the rule is right: put the claim into the token, or the person into the group",
            ),
            authentication(
                "where it is not: correct the expression; has(claims.x) and claims.?x.orValue('') are for claims that may \
                 be missing",
            ),
        ],
        retest: "kubectl auth whoami",
        signs: &[
            certain(
                "validation expression",
                r"validation expression '(?<expected>.*?)' failed:? ?(?<got>[^\]\x22]*)",
            ),
            certain(
                "resulted in error",
                r"expression '(?<expected>.*?)' resulted in error: (?<got>[^\]\x22]*)",
            ),
            certain(
                "user info validation rule",
                r"error evaluating user info validation rule: (?<got>[^\]\x22]*)",
            ),
            certain(
                "claim expression",
                r"(?<got>(?:username|groups|uid|extra) claim expression must return [^\],\x22]*|empty username via CEL expression is not allowed)",
            ),
        ],
    },
    Row {
        id: CheckId::new(22),
        title: "The groups are no list of texts",
        symptom: "401 Unauthorized",
        log: &[
            "oidc: parse groups claim \"realm_access\": json: cannot unmarshal object into Go value of type …",
        ],
        looks_at: &[Source::Token, Source::Flags],
        cause: "The groups claim must be a text or a list of texts. Keycloak's `realm_access` is an object with the list in \
                it; some providers send objects with names and ids.",
        why: "A groups claim that cannot be read does not mean no groups: the whole token is refused.",
        compares: Some(compared("a text, or a list of texts", "type of the groups claim")),
        mends: &[
            at(
                Place::Keycloak,
                "a mapper of type Group Membership (or User Realm Role) with Token Claim Name groups, Full group path off; then --oidc-groups-claim=groups",
            ),
            flag("oidc-groups-claim", "groups"),
            authentication("claimMappings: {groups: {expression: \"claims.realm_access.roles\"}}"),
        ],
        retest: "kubectl auth whoami   # shows the groups",
        signs: &[certain(
            "parse groups claim",
            r#"parse groups claim "(?<claim>[^"]*)": (?<problem>json: cannot unmarshal (?<got>\w+)[^\]]*)"#,
        )],
    },
    Row {
        id: CheckId::new(23),
        title: "The token points at a place where the groups can be read, and the API server cannot read there",
        symptom: "401 Unauthorized for people with many groups",
        log: &[
            "oidc: could not expand distributed claims: while getting distributed claim \"groups\": error while getting \
             distributed claim JWT: 401 …",
            "oidc: verifier not initialized for issuer …",
        ],
        looks_at: &[Source::Token],
        cause: "Entra puts up to 200 groups into a token. For people with more it writes `_claim_names` with an address of \
                Microsoft Graph instead. The API server calls it, without a key, and is refused.",
        why: "The people with the most groups, administrators often, are those who are locked out.",
        compares: None,
        mends: &[
            at(
                Place::Entra,
                "Token configuration, groups claim: Groups assigned to the application; or app roles, and --oidc-groups-claim=roles",
            ),
            flag("oidc-groups-claim", "roles"),
            authentication("claimMappings: {groups: {claim: roles, prefix: \"\"}}"),
        ],
        retest: "kubectl oidc-login setup …   # the claims must have groups (or roles), and no _claim_names",
        signs: &[
            certain(
                "could not expand distributed claims",
                r#"could not expand distributed claims: (?:while getting distributed claim "(?<claim>[^"]*)": )?(?<problem>[^\]\x22]*)"#,
            ),
            certain(
                "verifier not initialized for issuer",
                r#"verifier not initialized for issuer "?(?<issuer>[^"\] ]+)"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(63),
        title: "The token has characters in it that do not belong there",
        symptom: "401 Unauthorized, though the token looks right",
        log: &[
            "invalid bearer token",
            "a warning to kubectl: the Authorization header contains extra space before the bearer token",
        ],
        looks_at: &[Source::Token, Source::Kubeconfig],
        cause: "A line end, quotes, `Bearer ` or a second space came along when the token was copied into the kubeconfig or \
                a variable.",
        why: "The API server does not take it for a token of anybody and says only that it is invalid.",
        compares: Some(compared("letters, digits, `-`, `_` and two dots", "what else is in it")),
        mends: &[
            at(Place::Kubeconfig, "an exec user with kubectl oidc-login get-token in the place of `token:`"),
            at(Place::CommandLine, "TOKEN=$(tr -d '\\n\"' < FILE)"),
        ],
        retest: "kubectl auth whoami",
        signs: &[
            certain("extra space before the bearer token", r"extra space before the bearer token"),
            certain("invalid header field value", r#"invalid header field value for "Authorization""#),
            likely("malformed token", r"malformed token"),
        ],
    },
    Row {
        id: CheckId::new(65),
        title: "A change of groups, or of the person, is not seen yet",
        symptom: "a new group does not help; a removed or disabled person still gets in",
        log: &[],
        looks_at: &[Source::Token],
        cause: "Groups are in the token. They are read when it is issued, and count until it expires; the API server asks \
                nobody in between.",
        why: "Somebody who was let go keeps their rights for the token's lifetime. That lifetime is the time it takes to \
              lock somebody out.",
        compares: Some(compared("a lifetime of 15 minutes or less", "lifetime of the token")),
        mends: &[
            at(Place::CommandLine, "to see a change now: kubectl oidc-login clean"),
            at(
                Place::Kubesso,
                "a rule with accessTokenLifetimeMinutes of 15 or less: it bounds the ID token too",
            ),
            at(Place::Provider, "ID tokens of 15 minutes or less, and refresh tokens"),
        ],
        retest: "kubectl oidc-login clean; kubectl auth whoami   # the groups of now",
        signs: &[],
    },
];
