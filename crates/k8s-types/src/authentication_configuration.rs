//! `apiserver.config.k8s.io`: the file that `--authentication-config` names.
//!
//! It is a file of the API server's and no resource: strict upstream, so unknown fields are refused here too.

use serde::{Deserialize, Serialize};

use crate::wire::{is_default, nullable};

/// The kind.
pub const KIND: &str = "AuthenticationConfiguration";

/// How an API server authenticates, besides what its flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationConfiguration {
    /// `apiserver.config.k8s.io/v1`, or `v1beta1`, `v1alpha1` of older releases.
    #[serde(default)]
    pub api_version: String,
    /// [`KIND`]
    #[serde(default)]
    pub kind: String,
    /// The issuers whose tokens are taken; at most 64.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub jwt: Vec<JwtAuthenticator>,
    /// Whether requests without credentials are taken. Left out, the flag `--anonymous-auth` decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<AnonymousAuthConfig>,
}

/// One issuer and what its claims come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtAuthenticator {
    /// Whose tokens, and for whom.
    #[serde(default, deserialize_with = "nullable")]
    pub issuer: Issuer,
    /// What must hold of the claims.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub claim_validation_rules: Vec<ClaimValidationRule>,
    /// Who the person is.
    #[serde(default, deserialize_with = "nullable")]
    pub claim_mappings: ClaimMappings,
    /// What must hold of the person.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub user_validation_rules: Vec<UserValidationRule>,
}

/// Whose tokens, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// Compared byte by byte with `iss`.
    #[serde(default, deserialize_with = "nullable")]
    pub url: String,
    /// Where the discovery document is, if not below [`Self::url`].
    #[serde(default, rename = "discoveryURL", skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// PEM, not a path.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub certificate_authority: String,
    /// At least one.
    #[serde(default, deserialize_with = "nullable")]
    pub audiences: Vec<String>,
    /// `MatchAny`; must be said where there are several audiences.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub audience_match_policy: String,
    /// `controlplane` or `cluster`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub egress_selector_type: String,
}

/// Something that must hold of the claims: a claim with its value, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimValidationRule {
    /// A claim's name.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// What it must say.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub required_value: String,
    /// CEL, over `claims`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// What is logged when the expression is false.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Who the person is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimMappings {
    /// The name.
    #[serde(default, deserialize_with = "nullable")]
    pub username: PrefixedClaimOrExpression,
    /// The groups.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub groups: PrefixedClaimOrExpression,
    /// The uid.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub uid: ClaimOrExpression,
    /// Whatever else is known.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<ExtraMapping>,
}

/// A claim with a prefix, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrefixedClaimOrExpression {
    /// A claim's name.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// Must be said beside a claim, be it empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// CEL, over `claims`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub expression: String,
}

/// A claim, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimOrExpression {
    /// A claim's name.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub claim: String,
    /// CEL, over `claims`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub expression: String,
}

/// A key of `UserInfo.extra`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtraMapping {
    /// Lower case, with a domain as its prefix.
    #[serde(default, deserialize_with = "nullable")]
    pub key: String,
    /// CEL, over `claims`.
    #[serde(default, deserialize_with = "nullable")]
    pub value_expression: String,
}

/// Something that must hold of the person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserValidationRule {
    /// CEL, over `user`.
    #[serde(default, deserialize_with = "nullable")]
    pub expression: String,
    /// What is logged when it is false.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Whether requests without credentials are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnonymousAuthConfig {
    /// Whether at all.
    #[serde(default)]
    pub enabled: bool,
    /// For which paths; none: for all.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<AnonymousAuthCondition>,
}

/// A path, compared as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnonymousAuthCondition {
    /// Such as `/livez`.
    #[serde(default)]
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_known_is_an_error_as_it_is_for_the_api_server() {
        let text = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n\
                    jwt:\n- issuer: {url: https://i, audiences: [a]}\n  claimMappings:\n    username: {claim: sub, prefx: ''}\n";
        let error = serde_saphyr::from_str::<AuthenticationConfiguration>(text).unwrap_err().to_string();
        assert!(error.contains("prefx"), "{error}");
    }

    #[test]
    fn what_is_empty_is_left_out_but_a_prefix_that_is_said() {
        let mut config = AuthenticationConfiguration {
            api_version: "apiserver.config.k8s.io/v1".to_owned(),
            kind: KIND.to_owned(),
            ..AuthenticationConfiguration::default()
        };
        config.jwt.push(JwtAuthenticator {
            issuer: Issuer {
                url: "https://i".to_owned(),
                audiences: vec!["a".to_owned()],
                ..Issuer::default()
            },
            claim_mappings: ClaimMappings {
                username: PrefixedClaimOrExpression {
                    claim: "email".to_owned(),
                    prefix: Some(String::new()),
                    ..PrefixedClaimOrExpression::default()
                },
                ..ClaimMappings::default()
            },
            ..JwtAuthenticator::default()
        });
        let expected = serde_json::json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [{
                "issuer": { "url": "https://i", "audiences": ["a"] },
                "claimMappings": { "username": { "claim": "email", "prefix": "" } },
            }],
        });
        assert_eq!(serde_json::to_value(&config).unwrap(), expected);
        assert_eq!(serde_json::from_value::<AuthenticationConfiguration>(expected).unwrap(), config);
    }
}
