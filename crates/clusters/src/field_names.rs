//! How targets that have fields in place of kube-apiserver's flags call them. Both ways: to say where a flag is set, and to read what
//! is there.

/// Fields with the flags, without dashes, that they become.
pub(crate) type Fields = &'static [(&'static str, &'static str)];

/// EKS: what `aws eks describe-identity-provider-config` answers, and `associate-identity-provider-config` takes.
pub(crate) const EKS: Fields = &[
    ("issuerUrl", "oidc-issuer-url"),
    ("clientId", "oidc-client-id"),
    ("usernameClaim", "oidc-username-claim"),
    ("usernamePrefix", "oidc-username-prefix"),
    ("groupsClaim", "oidc-groups-claim"),
    ("groupsPrefix", "oidc-groups-prefix"),
    ("requiredClaims", "oidc-required-claim"),
];

/// A Shoot's `oidcConfig`.
pub(crate) const GARDENER: Fields = &[
    ("issuerURL", "oidc-issuer-url"),
    ("clientID", "oidc-client-id"),
    ("usernameClaim", "oidc-username-claim"),
    ("usernamePrefix", "oidc-username-prefix"),
    ("groupsClaim", "oidc-groups-claim"),
    ("groupsPrefix", "oidc-groups-prefix"),
    ("requiredClaims", "oidc-required-claim"),
    ("signingAlgs", "oidc-signing-algs"),
];

/// kOps' `kubeAPIServer`.
pub(crate) const KOPS: Fields = &[
    ("oidcIssuerURL", "oidc-issuer-url"),
    ("oidcClientID", "oidc-client-id"),
    ("oidcUsernameClaim", "oidc-username-claim"),
    ("oidcUsernamePrefix", "oidc-username-prefix"),
    ("oidcGroupsClaim", "oidc-groups-claim"),
    ("oidcGroupsPrefix", "oidc-groups-prefix"),
    ("oidcCAFile", "oidc-ca-file"),
    ("oidcRequiredClaim", "oidc-required-claim"),
    ("authenticationConfigFile", "authentication-config"),
    ("authorizationMode", "authorization-mode"),
];

/// KubeOne's `openidConnect`, after its defaults.
pub(crate) const KUBEONE: Fields = &[
    ("issuerUrl", "oidc-issuer-url"),
    ("clientId", "oidc-client-id"),
    ("usernameClaim", "oidc-username-claim"),
    ("usernamePrefix", "oidc-username-prefix"),
    ("groupsClaim", "oidc-groups-claim"),
    ("groupsPrefix", "oidc-groups-prefix"),
    ("requiredClaim", "oidc-required-claim"),
    ("signingAlgs", "oidc-signing-algs"),
    ("caFile", "oidc-ca-file"),
];

/// Kubespray's variables.
pub(crate) const KUBESPRAY: Fields = &[
    ("kube_oidc_url", "oidc-issuer-url"),
    ("kube_oidc_client_id", "oidc-client-id"),
    ("kube_oidc_username_claim", "oidc-username-claim"),
    ("kube_oidc_username_prefix", "oidc-username-prefix"),
    ("kube_oidc_groups_claim", "oidc-groups-claim"),
    ("kube_oidc_groups_prefix", "oidc-groups-prefix"),
    ("kube_oidc_ca_file", "oidc-ca-file"),
];

/// The field that becomes a flag.
pub(crate) fn field_of(fields: Fields, flag: &str) -> Option<&'static str> {
    fields.iter().find(|(_, becomes)| *becomes == flag).map(|(field, _)| *field)
}
