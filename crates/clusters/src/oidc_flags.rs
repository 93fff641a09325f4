//! From the neutral description to the `--oidc-*` flags of kube-apiserver, where they can say it.

use crate::access::{Access, Mapping, SystemNames};

/// A flag without its dashes, and its value.
pub(crate) type Argument = (String, String);

/// Why flags cannot say what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotByFlags(pub(crate) Vec<String>);

/// The flags. `ca_file` is where the issuer's certificate authority will be, if it has one of its own.
pub(crate) fn oidc_flags(access: &Access, ca_file: &str) -> Result<Vec<Argument>, NotByFlags> {
    let against = against(access);
    let Some(issuer) = access.issuers.first().filter(|_| against.is_empty()) else {
        return Err(NotByFlags(against));
    };
    let mut flags: Vec<Argument> = Vec::new();
    let mut flag = |name: &str, value: &str| flags.push((name.to_owned(), value.to_owned()));
    flag("oidc-issuer-url", issuer.url.as_str());
    for audience in &issuer.audiences {
        flag("oidc-client-id", audience);
    }
    if issuer.certificate_authority.is_some() {
        flag("oidc-ca-file", ca_file);
    }
    if let Mapping::Claim { claim, prefix } = &issuer.username {
        flag("oidc-username-claim", claim);
        flag("oidc-username-prefix", username_prefix(prefix));
    }
    if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
        flag("oidc-groups-claim", claim);
        if !prefix.is_empty() {
            flag("oidc-groups-prefix", prefix);
        }
    }
    for (claim, value) in &issuer.required_claims {
        flag("oidc-required-claim", &format!("{claim}={value}"));
    }
    if !issuer.signing_algorithms.is_empty() {
        flag("oidc-signing-algs", &issuer.signing_algorithms.join(","));
    }
    Ok(flags)
}

/// The value of `--oidc-username-prefix`: left out or empty, every claim but `email` gets the issuer as its prefix.
pub(crate) fn username_prefix(prefix: &str) -> &str {
    if prefix.is_empty() { "-" } else { prefix }
}

/// What of it no flag can say.
pub(crate) fn against(access: &Access) -> Vec<String> {
    let mut against = Vec::new();
    let mut note = |is_so: bool, what: &str| {
        if is_so && !against.iter().any(|said| said == what) {
            against.push(what.to_owned());
        }
    };
    note(access.issuers.len() > 1, "several issuers");
    note(access.anonymous.is_some(), "what becomes of requests without credentials");
    for issuer in &access.issuers {
        let by_expression = |mapping: &Mapping| matches!(mapping, Mapping::Expression(_));
        note(issuer.audiences.len() > 1, "several audiences");
        note(issuer.discovery_url.is_some(), "a discovery address of its own");
        note(
            by_expression(&issuer.username) || issuer.groups.as_ref().is_some_and(by_expression),
            "expressions (CEL)",
        );
        note(issuer.uid.is_some(), "a uid");
        note(!issuer.extra.is_empty(), "extra attributes");
        note(!issuer.claim_rules.is_empty() || !issuer.user_rules.is_empty(), "rules");
    }
    against
}

/// What flags leave open that a file would close. `who` has only flags, or what comes to the same; `or` is what else to do.
pub(crate) fn warnings(access: &Access, who: &str, or: &str) -> Vec<String> {
    let unguarded = |mapping: &Option<Mapping>| matches!(mapping, Some(Mapping::Claim { prefix, .. }) if prefix.is_empty());
    let open = access
        .issuers
        .iter()
        .any(|issuer| issuer.system_names == SystemNames::Refused && unguarded(&issuer.groups));
    if open {
        vec![format!(
            "{who} cannot refuse groups that begin with system: — whoever may name groups at the issuer can make somebody \
             system:masters, who may do everything. Give groups a prefix{or}."
        )]
    } else {
        Vec::new()
    }
}
