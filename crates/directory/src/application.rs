//! Applications: OAuth clients that are assigned to users and groups.

mod client_settings;
mod registration;

pub use client_settings::{BackchannelLogout, parse_client_address, parse_request_uri};
pub use registration::Registration;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::certificate_subject::CertificateSubject;
use crate::id::{ApplicationId, ClientId, ClientSecretId, GroupId, UserId};
use crate::name::{Label, ScopeName};
use crate::redirect::{LoopbackPorts, RedirectUri};
use crate::seal::Sealed;
use crate::secret::{ClientSecretValue, TokenHash};
use crate::snapshot::Snapshot;
use crate::user::Person;

/// Whether an object takes part; Okta's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It does.
    #[default]
    Active,
    /// It is kept and does not.
    Inactive,
}

impl Status {
    /// Okta's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive].into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it is `ACTIVE`.
    pub fn is_active(self) -> bool {
        self == Self::Active
    }
}

/// What kind of program the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// A page that runs in the browser.
    Browser,
    /// A program on the person's own machine (RFC 8252): kubectl.
    Native,
    /// A program that acts for nobody but itself.
    Service,
    /// A program on a server.
    Web,
}

/// How a client obtains tokens (RFC 6749 §1.3 and its extensions), as written in `grant_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// RFC 6749 §4.4.
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// RFC 8628.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// RFC 6749 §4.2. Known, so that configurations can be read; never granted (RFC 9700 §2.1.2).
    #[serde(rename = "implicit")]
    Implicit,
    /// Okta's embedded sign-in. Known, never granted.
    #[serde(rename = "interaction_code")]
    InteractionCode,
    /// RFC 7523.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
    /// RFC 6749 §4.3. RFC 9700 §2.4 says that it must not be used: nothing that is created by itself lists it.
    #[serde(rename = "password")]
    Password,
    /// RFC 6749 §6.
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// RFC 7522. Known, never granted.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:saml2-bearer")]
    Saml2Bearer,
    /// RFC 8693.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::Implicit,
        Self::InteractionCode,
        Self::JwtBearer,
        Self::Password,
        Self::RefreshToken,
        Self::Saml2Bearer,
        Self::TokenExchange,
    ];

    /// The value of `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::Implicit => "implicit",
            Self::InteractionCode => "interaction_code",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::Saml2Bearer => "urn:ietf:params:oauth:grant-type:saml2-bearer",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// The grant type of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// A `response_type`, as far as configurations name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseType {
    /// A code (the only one that the provider gives).
    Code,
    /// An ID token from the authorization endpoint. Known, never given.
    IdToken,
    /// An access token from the authorization endpoint. Known, never given.
    Token,
}

/// A confidential client's secret: its hash for checking, sealed for the administrator who asks for it again
/// (Okta's API and Terraform read it back).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSecret {
    /// The id; Okta keeps up to two secrets an application, so that one can be rolled over to the other.
    pub id: ClientSecretId,
    /// What a presented secret is compared with.
    pub hash: TokenHash,
    /// The secret, sealed for [`ClientSecret::PURPOSE`].
    pub sealed: Sealed,
    /// Whether it may be used.
    pub status: Status,
    /// When it was made.
    pub created: Timestamp,
}

impl ClientSecret {
    /// The purpose for [`SealingKey::seal`](crate::SealingKey::seal).
    pub const PURPOSE: &'static str = "client secret";
}

/// Where a client's public keys are (`private_key_jwt`, RFC 7523 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKeys {
    /// In the registration: a JWK set (RFC 7517 §5).
    Inline(Value),
    /// At an https address.
    At(Url),
}

/// How a client proves at the token endpoint who it is (`token_endpoint_auth_method`, OpenID Connect Core
/// §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// Not at all: a public client, bound to its code by PKCE instead.
    None,
    /// With a secret in the `Authorization` header.
    ClientSecretBasic(Vec<ClientSecret>),
    /// With a secret in the form.
    ClientSecretPost(Vec<ClientSecret>),
    /// With an assertion signed by its own key.
    PrivateKeyJwt(ClientKeys),
    /// With a certificate that is among its registered keys (`x5c`), by which connection it comes (RFC 8705 §2.2).
    SelfSignedTls(ClientKeys),
    /// With a certificate by an authority that is trusted, which says this name (RFC 8705 §2.1).
    Tls(CertificateSubject),
}

impl ClientAuthentication {
    /// The value of `token_endpoint_auth_method`.
    pub fn method(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic(_) => "client_secret_basic",
            Self::ClientSecretPost(_) => "client_secret_post",
            Self::PrivateKeyJwt(_) => "private_key_jwt",
            Self::SelfSignedTls(_) => "self_signed_tls_client_auth",
            Self::Tls(_) => "tls_client_auth",
        }
    }

    /// The secrets, for the two methods that have them.
    pub fn secrets(&self) -> &[ClientSecret] {
        match self {
            Self::ClientSecretBasic(secrets) | Self::ClientSecretPost(secrets) => secrets,
            Self::None | Self::PrivateKeyJwt(_) | Self::SelfSignedTls(_) | Self::Tls(_) => &[],
        }
    }

    /// Whether `presented` is one of the active secrets. Hashes are compared, so the time tells nothing of
    /// the secret.
    pub fn accepts_secret(&self, presented: &ClientSecretValue) -> bool {
        let hash = presented.hash();
        self.secrets().iter().any(|secret| secret.status.is_active() && secret.hash == hash)
    }
}

/// Whether refreshing gives a new refresh token (`refresh_token.rotation_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRotation {
    /// It does; for `leeway` (0 to 60 s) the predecessor still gives the same successor again, because two
    /// kubectl may refresh at once.
    Rotate {
        /// The grace.
        leeway: SignedDuration,
    },
    /// The same token until it ends.
    Static,
}

impl Default for RefreshRotation {
    /// Rotate with 30 s of grace, which is Okta's default.
    fn default() -> Self {
        Self::Rotate { leeway: SignedDuration::from_secs(30) }
    }
}

/// An OAuth client with its settings; field names after Okta's `settings.oauthClient`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The management API's id.
    pub id: ApplicationId,
    /// The protocol's id; unique.
    pub client_id: ClientId,
    /// What people read.
    pub label: Label,
    /// Whether it may be used.
    pub status: Status,
    /// The kind of program.
    pub application_type: ApplicationType,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// Whether PKCE is asked for **where it is not anyway**; read [`Application::must_use_pkce`].
    pub pkce_required: bool,
    /// The grants it may use. `refresh_token` is needed for a refresh token to be given.
    pub grant_types: BTreeSet<GrantType>,
    /// The response types it may use.
    pub response_types: BTreeSet<ResponseType>,
    /// Where codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where the browser may go after logout.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// What happens to refresh tokens.
    pub refresh_rotation: RefreshRotation,
    /// Which scopes of the management API (`okta.users.read` …) it was granted; for service applications.
    pub api_scopes: BTreeSet<ScopeName>,
    /// What Okta's API knows beyond this (visibility, notes, consent …), given back as it came.
    pub other: Map<String, Value>,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_updated: Timestamp,
}

impl Application {
    /// A native public client (kubectl): no secret, PKCE, authorization code and refresh.
    pub fn native(id: ApplicationId, label: Label, redirect_uris: Vec<RedirectUri>, now: Timestamp) -> Self {
        Self {
            client_id: ClientId::from_application(&id),
            id,
            label,
            status: Status::Active,
            application_type: ApplicationType::Native,
            authentication: ClientAuthentication::None,
            pkce_required: true,
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            response_types: [ResponseType::Code].into(),
            post_logout_redirect_uris: redirect_uris.clone(),
            redirect_uris,
            refresh_rotation: RefreshRotation::default(),
            api_scopes: BTreeSet::new(),
            other: Map::new(),
            created: now,
            last_updated: now,
        }
    }

    /// Whether an authorization request needs a code challenge: always for clients without credentials (RFC
    /// 9700 §2.1.1), for others if it is set.
    pub fn must_use_pkce(&self) -> bool {
        self.pkce_required || self.authentication == ClientAuthentication::None
    }

    /// Whether an authorization response may go to `uri`.
    pub fn may_redirect_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered.matches(uri, self.loopback_ports()))
    }

    /// Whether the browser may go to `uri` after logout.
    pub fn may_redirect_after_logout_to(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|registered| registered.matches(uri, self.loopback_ports()))
    }

    fn loopback_ports(&self) -> LoopbackPorts {
        match self.application_type {
            ApplicationType::Native => LoopbackPorts::Any,
            _ => LoopbackPorts::AsRegistered,
        }
    }
}

/// That a group may use an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAssignment {
    /// The application.
    pub application: ApplicationId,
    /// The group.
    pub group: GroupId,
    /// Okta's order among the assignments; smaller first.
    pub priority: u32,
    /// What administrators say of the members in this application; given back as it came.
    pub profile: Map<String, Value>,
    /// When it was made or changed.
    pub last_updated: Timestamp,
}

/// That a user may use an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAssignment {
    /// The application.
    pub application: ApplicationId,
    /// The user.
    pub user: UserId,
    /// What the user is called there, if not by the login.
    pub user_name: Option<String>,
    /// What administrators say of the user in this application; given back as it came.
    pub profile: Map<String, Value>,
    /// When it was made or changed.
    pub last_updated: Timestamp,
}

impl UserAssignment {
    /// A plain assignment.
    pub fn new(application: ApplicationId, user: UserId, now: Timestamp) -> Self {
        Self { application, user, user_name: None, profile: Map::new(), last_updated: now }
    }
}

impl GroupAssignment {
    /// A plain assignment.
    pub fn new(application: ApplicationId, group: GroupId, priority: u32, now: Timestamp) -> Self {
        Self { application, group, priority, profile: Map::new(), last_updated: now }
    }
}

/// By what an application is somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// By an assignment to the person.
    Direct,
    /// By this group, the first by priority.
    ByGroup(GroupId),
}

/// By what `application` is assigned to `person`; `None` means that the person may not use it.
pub fn assignment(snapshot: &Snapshot, application: &ApplicationId, person: &Person) -> Option<Assignment> {
    if person.applications.contains(application) {
        return Some(Assignment::Direct);
    }
    snapshot
        .group_assignments(application)
        .iter()
        .find(|assigned| person.is_in(&assigned.group))
        .map(|assigned| Assignment::ByGroup(assigned.group.clone()))
}

#[cfg(test)]
mod tests;
