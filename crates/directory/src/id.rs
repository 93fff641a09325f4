//! Identifiers.
//!
//! They look like Okta's: twenty characters, of which the first three say what the object is (`00u` a user,
//! `00g` a group, `0oa` an application …), because scripts and people know objects by that prefix. Ids that
//! were given from outside (an authorization server called `default`, a client id chosen by Terraform) are
//! taken as they are, as long as they can stand in a URL path.

use std::fmt;
use std::str::FromStr;

use kubesso_ambient::Entropy;
use serde::{Deserialize, Serialize};

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {what}: use 1 to 100 letters, digits, `-`, `_` or `.`")]
pub struct IdError {
    what: &'static str,
    given: String,
}

fn well_formed(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !text.bytes().all(|byte| byte == b'.')
}

/// Seventeen characters of base 62 behind a prefix: 101 bits, without modulo bias.
fn generate(prefix: &str, entropy: &dyn Entropy) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut id = String::with_capacity(20);
    id.push_str(prefix);
    while id.len() < 20 {
        let mut drawn = [0_u8; 32];
        entropy.fill(&mut drawn);
        for byte in drawn {
            // 248 = 4 × 62: bytes above are thrown away.
            if byte < 248 && id.len() < 20 {
                id.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    id
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What Okta's ids of this kind begin with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: the prefix and random letters and digits, twenty characters together.
            pub fn generate(entropy: &dyn Entropy) -> Self {
                Self(generate(Self::PREFIX, entropy))
            }

            /// Takes an id that came from outside.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if well_formed(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { what: $what, given: text.chars().take(100).collect() })
                }
            }

            /// The id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// A user; also the `sub` of that user's ID tokens.
    UserId, "00u", "user id";
    /// A group.
    GroupId, "00g", "group id";
    /// An application, as the management API names it. Its [`ClientId`] is the same unless another was
    /// chosen.
    ApplicationId, "0oa", "application id";
    /// An application, as the OAuth protocol names it (RFC 6749 §2.2).
    ClientId, "0oa", "client id";
    /// A secret of a confidential client.
    ClientSecretId, "ocs", "client secret id";
    /// An authorization server: the last part of its issuer.
    AuthorizationServerId, "aus", "authorization server id";
    /// A scope of an authorization server.
    ScopeId, "scp", "scope id";
    /// A claim of an authorization server.
    ClaimId, "ocl", "claim id";
    /// An access policy of an authorization server.
    PolicyId, "00p", "policy id";
    /// A rule of an access policy.
    RuleId, "0pr", "rule id";
    /// A browser session at the provider. Not the cookie, of which only the hash is stored.
    SessionId, "idx", "session id";
    /// What one authorization gave: its code and the refresh token family that came of it carry the same id.
    GrantId, "oar", "grant id";
    /// That a person has allowed an application a scope.
    ConsentId, "oag", "consent id";
    /// An entry of the audit trail.
    AuditEventId, "evt", "audit event id";
    /// A token of the management API. Not the token, of which only the hash is stored.
    ApiTokenId, "00T", "API token id";
    /// A token that lets somebody register clients. Not the token, of which only the hash is stored.
    InitialAccessTokenId, "iat", "initial access token id";
    /// That somebody holds an administrator's role.
    RoleAssignmentId, "ra1", "role assignment id";
    /// A rule that puts people into groups.
    GroupRuleId, "0pr", "group rule id";
    /// A signing key: its RFC 7638 thumbprint in general, but any text that a JWK set may carry.
    Kid, "kid", "key id";
}

impl ClientId {
    /// The client id that an application has unless another was chosen: its own id.
    pub fn from_application(id: &ApplicationId) -> Self {
        Self(id.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    #[test]
    fn a_new_id_has_twenty_characters_and_the_prefix_of_its_kind() {
        let entropy = SeededEntropy::new(1);
        let id = UserId::generate(&entropy);
        assert_eq!(id.as_str().len(), 20);
        assert!(id.as_str().starts_with("00u"));
        assert_ne!(id, UserId::generate(&entropy));
        assert_eq!(UserId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn an_id_from_outside_must_be_able_to_stand_in_a_path() {
        for good in ["default", "0oaABC", "a", "my-client_1.x"] {
            assert!(ClientId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "..", ".", "a b", "ä", "a%2f", &"x".repeat(101)] {
            assert!(ClientId::parse(bad).is_err(), "{bad}");
        }
    }
}
