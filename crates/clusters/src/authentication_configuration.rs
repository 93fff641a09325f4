//! From the neutral description to `AuthenticationConfiguration`, the file of `--authentication-config`.

use std::fmt::Write as _;

use kubesso_k8s_types::authentication_configuration::{
    AnonymousAuthCondition, AnonymousAuthConfig, AuthenticationConfiguration, ClaimMappings,
    ClaimOrExpression, ClaimValidationRule, ExtraMapping, Issuer, JwtAuthenticator, KIND,
    PrefixedClaimOrExpression, UserValidationRule,
};
use sha2::{Digest as _, Sha256};

use crate::access::{Access, Anonymous, Mapping, SystemNames, TrustedIssuer};
use crate::kubernetes_version::KubernetesVersion;
use crate::yaml;

/// What keeps an issuer from speaking for Kubernetes' own names (Kubernetes documentation, "Using Authentication
/// Configuration", recommends the same).
pub(crate) const NO_SYSTEM_NAMES: [(&str, &str); 2] = [
    (
        "!user.username.startsWith('system:')",
        "the name begins with system:, which only Kubernetes itself may",
    ),
    (
        "user.groups.all(group, !group.startsWith('system:'))",
        "a group begins with system:, which only Kubernetes itself may",
    ),
];

/// The configuration for an API server of that version.
pub fn authentication_configuration(
    access: &Access,
    version: KubernetesVersion,
) -> AuthenticationConfiguration {
    let api_version = if version >= KubernetesVersion::STRUCTURED_V1 { "v1" } else { "v1beta1" };
    AuthenticationConfiguration {
        api_version: format!("apiserver.config.k8s.io/{api_version}"),
        kind: KIND.to_owned(),
        jwt: access.issuers.iter().map(authenticator).collect(),
        anonymous: access.anonymous.as_ref().map(anonymous),
    }
}

/// The file's text, and what the API server shows of it once it is loaded.
pub fn as_file(configuration: &AuthenticationConfiguration) -> (String, String) {
    let text = yaml::to_string(configuration);
    let hash = loaded_hash(text.as_bytes());
    (text, hash)
}

/// The label `hash` of `apiserver_authentication_config_controller_last_config_info` for a file of these bytes.
pub fn loaded_hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn authenticator(issuer: &TrustedIssuer) -> JwtAuthenticator {
    let several = issuer.audiences.len() > 1;
    let required = issuer.required_claims.iter().map(|(claim, value)| ClaimValidationRule {
        claim: claim.clone(),
        required_value: value.clone(),
        ..ClaimValidationRule::default()
    });
    let rules = issuer.claim_rules.iter().map(|rule| ClaimValidationRule {
        expression: rule.expression.clone(),
        message: rule.message.clone(),
        ..ClaimValidationRule::default()
    });
    let guards = NO_SYSTEM_NAMES.iter().filter(|_| issuer.system_names == SystemNames::Refused);
    let guards = guards.map(|(expression, message)| UserValidationRule {
        expression: (*expression).to_owned(),
        message: (*message).to_owned(),
    });
    let user_rules = issuer.user_rules.iter().map(|rule| UserValidationRule {
        expression: rule.expression.clone(),
        message: rule.message.clone(),
    });
    JwtAuthenticator {
        issuer: Issuer {
            url: issuer.url.to_string(),
            discovery_url: issuer.discovery_url.as_ref().map(ToString::to_string),
            certificate_authority: issuer
                .certificate_authority
                .as_ref()
                .map(|authority| authority.as_pem().to_owned())
                .unwrap_or_default(),
            audiences: issuer.audiences.clone(),
            audience_match_policy: if several { "MatchAny".to_owned() } else { String::new() },
            egress_selector_type: String::new(),
        },
        claim_validation_rules: required.chain(rules).collect(),
        claim_mappings: ClaimMappings {
            username: prefixed(&issuer.username),
            groups: issuer.groups.as_ref().map(prefixed).unwrap_or_default(),
            uid: issuer.uid.as_ref().map(unprefixed).unwrap_or_default(),
            extra: issuer
                .extra
                .iter()
                .map(|(key, expression)| ExtraMapping {
                    key: key.clone(),
                    value_expression: expression.clone(),
                })
                .collect(),
        },
        user_validation_rules: guards.chain(user_rules).collect(),
    }
}

fn prefixed(mapping: &Mapping) -> PrefixedClaimOrExpression {
    match mapping {
        Mapping::Claim { claim, prefix } => PrefixedClaimOrExpression {
            claim: claim.clone(),
            prefix: Some(prefix.clone()),
            expression: String::new(),
        },
        Mapping::Expression(expression) => PrefixedClaimOrExpression {
            expression: expression.clone(),
            ..PrefixedClaimOrExpression::default()
        },
    }
}

/// A uid has no prefix of its own, so that one becomes an expression.
fn unprefixed(mapping: &Mapping) -> ClaimOrExpression {
    match mapping {
        Mapping::Claim { claim, prefix } if prefix.is_empty() => {
            ClaimOrExpression { claim: claim.clone(), expression: String::new() }
        }
        Mapping::Claim { .. } => {
            ClaimOrExpression { claim: String::new(), expression: as_expression(mapping, "") }
        }
        Mapping::Expression(expression) => {
            ClaimOrExpression { claim: String::new(), expression: expression.clone() }
        }
    }
}

/// A mapping of one text as CEL, with `before` in front of its prefix.
pub(crate) fn as_expression(mapping: &Mapping, before: &str) -> String {
    match mapping {
        Mapping::Claim { claim, prefix } => {
            let prefix = format!("{before}{prefix}");
            if prefix.is_empty() {
                claim_path(claim)
            } else {
                format!("{} + {}", quoted(&prefix), claim_path(claim))
            }
        }
        Mapping::Expression(expression) if before.is_empty() => expression.clone(),
        Mapping::Expression(expression) => format!("{} + ({expression})", quoted(before)),
    }
}

/// A mapping of a list as CEL. `dyn`, because claims have the static type `any`, over which no macro runs.
pub(crate) fn as_list_expression(mapping: &Mapping, before: &str) -> String {
    let (list, prefix) = match mapping {
        Mapping::Claim { claim, prefix } => (claim_path(claim), format!("{before}{prefix}")),
        Mapping::Expression(expression) => (format!("({expression})"), before.to_owned()),
    };
    if prefix.is_empty() { list } else { format!("dyn({list}).map(group, {} + group)", quoted(&prefix)) }
}

/// `claims.email`, or `claims["https://example.com/groups"]`.
fn claim_path(claim: &str) -> String {
    let is_plain = claim.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && claim.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { format!("claims.{claim}") } else { format!("claims[{}]", quoted(claim)) }
}

/// A CEL string literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn anonymous(said: &Anonymous) -> AnonymousAuthConfig {
    match said {
        Anonymous::Refused => AnonymousAuthConfig::default(),
        Anonymous::For(paths) => AnonymousAuthConfig {
            enabled: true,
            conditions: paths.iter().map(|path| AnonymousAuthCondition { path: path.clone() }).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_become_expressions_with_their_prefixes() {
        let claim =
            |claim: &str, prefix: &str| Mapping::Claim { claim: claim.to_owned(), prefix: prefix.to_owned() };
        let text = |mapping: &Mapping, before: &str| as_expression(mapping, before);
        assert_eq!(text(&claim("sub", ""), ""), "claims.sub");
        assert_eq!(text(&claim("sub", "it's:"), "aks:jwt:"), r"'aks:jwt:it\'s:' + claims.sub");
        assert_eq!(text(&claim("https://x/name", ""), ""), "claims['https://x/name']");
        let expression = Mapping::Expression("claims.a + claims.b".to_owned());
        assert_eq!(text(&expression, "p:"), "'p:' + (claims.a + claims.b)");
        let list = as_list_expression(&claim("groups", "oidc:"), "");
        assert_eq!(list, "dyn(claims.groups).map(group, 'oidc:' + group)");
        assert_eq!(as_list_expression(&claim("groups", ""), ""), "claims.groups");
    }
}
