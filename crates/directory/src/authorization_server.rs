//! Authorization servers and their scopes. One server is one issuer: `<base URL>/oauth2/<id>`.

use jiff::Timestamp;
use kubesso_ambient::Entropy;
use serde::{Deserialize, Serialize};

use crate::application::Status;
use crate::id::{AuthorizationServerId, ScopeId};
use crate::name::{Audience, Label, ScopeName};

/// Who decides when a server's signing key is exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RotationMode {
    /// The system, by the calendar.
    #[default]
    Auto,
    /// An administrator.
    Manual,
}

/// Which address the issuer of a server begins with; Okta's values. Here there is one address, so the value is kept for
/// whoever wrote it and changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IssuerMode {
    /// The organization's own domain.
    CustomUrl,
    /// Whichever the request came by.
    Dynamic,
    /// The organization's address.
    #[default]
    OrgUrl,
}

/// An authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationServer {
    /// The id; the last part of the issuer.
    pub id: AuthorizationServerId,
    /// What people read.
    pub name: Label,
    /// What it is for.
    pub description: String,
    /// The audiences of its access tokens: opaque text.
    pub audiences: Vec<Audience>,
    /// Whether it gives tokens.
    pub status: Status,
    /// Who decides on key rotation.
    pub rotation_mode: RotationMode,
    /// Which address its issuer begins with.
    pub issuer_mode: IssuerMode,
    /// The JWS algorithm of its tokens (`RS256`, `ES256` …). `RS256` by default, because kube-apiserver's
    /// flags accept nothing else unless told so.
    pub algorithm: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_updated: Timestamp,
}

impl AuthorizationServer {
    /// A new active server that signs with RS256.
    pub fn new(id: AuthorizationServerId, name: Label, audiences: Vec<Audience>, now: Timestamp) -> Self {
        Self {
            id,
            name,
            description: String::new(),
            audiences,
            status: Status::Active,
            rotation_mode: RotationMode::Auto,
            issuer_mode: IssuerMode::default(),
            algorithm: "RS256".to_owned(),
            created: now,
            last_updated: now,
        }
    }
}

/// Whether a person is asked before a scope is given; Okta's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Consent {
    /// Never asked.
    #[default]
    Implicit,
    /// Asked; a client may have it for itself, where there is nobody to ask.
    Flexible,
    /// Asked, and not for clients by themselves.
    Required,
}

impl Consent {
    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Implicit => "IMPLICIT",
            Self::Flexible => "FLEXIBLE",
            Self::Required => "REQUIRED",
        }
    }

    /// The value that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Implicit, Self::Flexible, Self::Required].into_iter().find(|consent| consent.as_str() == text)
    }
}

/// Whether a scope stands in the discovery document; Okta's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MetadataPublish {
    /// It does.
    AllClients,
    /// It does not.
    NoClients,
}

/// A scope of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The id.
    pub id: ScopeId,
    /// The server.
    pub server: AuthorizationServerId,
    /// The name; unique in its server.
    pub name: ScopeName,
    /// A title for people.
    pub display_name: Option<String>,
    /// What it allows.
    pub description: String,
    /// Whether people are asked.
    pub consent: Consent,
    /// Whether it is published.
    pub metadata_publish: MetadataPublish,
    /// Whether it is given to a client that asks for no scope.
    pub default: bool,
    /// Whether a person who is asked may leave it out.
    pub optional: bool,
    /// Whether it came with the server (then it can be neither renamed nor deleted).
    pub system: bool,
}

/// Scopes that every server has (OpenID Connect Core §5.4, §11): name and what it gives.
const SYSTEM_SCOPES: [(&str, &str); 6] = [
    ("openid", "Signals that a request is an OpenID request."),
    ("profile", "Gives the person's name and user name."),
    ("email", "Gives the person's e-mail address."),
    ("address", "Gives the person's postal address."),
    ("phone", "Gives the person's telephone number."),
    ("offline_access", "Gives a refresh token, so that the person is not asked to sign in each time."),
];

impl Scope {
    /// The scopes that a new server comes with.
    pub fn system(server: &AuthorizationServerId, entropy: &dyn Entropy) -> Vec<Self> {
        SYSTEM_SCOPES
            .iter()
            .filter_map(|(name, description)| {
                Some(Self {
                    id: ScopeId::generate(entropy),
                    server: server.clone(),
                    name: ScopeName::parse(name).ok()?,
                    display_name: None,
                    description: (*description).to_owned(),
                    consent: Consent::Implicit,
                    metadata_publish: MetadataPublish::AllClients,
                    default: false,
                    optional: false,
                    system: true,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    #[test]
    fn a_server_comes_with_the_scopes_of_openid_connect() {
        let server = AuthorizationServerId::parse("default").unwrap();
        let scopes = Scope::system(&server, &SeededEntropy::new(1));
        let names: Vec<_> = scopes.iter().map(|scope| scope.name.as_str()).collect();
        assert_eq!(names, ["openid", "profile", "email", "address", "phone", "offline_access"]);
        assert!(scopes.iter().all(|scope| scope.system && scope.server == server));
    }
}
