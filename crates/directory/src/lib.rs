//! The directory: people, groups, applications, authorization servers, and the rules by which they get
//! tokens.
//!
//! The model is the one that Okta's administrators and Terraform code use: field names, values, statuses and
//! the look of ids are theirs. Here are the types, the rules on them (pure functions), and the [`Store`]
//! trait; no SQL, no HTTP, no runtime. An adapter of the trait proves itself with [`testkit`].
//!
//! | question | answer |
//! |---|---|
//! | may this person use this application? | [`assignment`] |
//! | may it have this token, and for how long? | [`decide`]; why not another way: [`decide_with_reasons`] |
//! | what does the token say? | [`claims`] |
//! | what is an expression's value, whom does a rule mean? | [`Expression`] |
//! | where may the answer go? | [`Application::may_redirect_to`] |
//! | is this refresh token good? | [`RefreshFamily::present`] |
//! | which key signs, which is only published? | [`RotationSchedule::due`] |
//! | may somebody try another password? | [`Throttle::attempt`] |
//!
//! ```
//! use kubesso_directory::{Application, ApplicationId, Label, RedirectUri};
//! use kubesso_ambient::SeededEntropy;
//!
//! let kubectl = Application::native(
//!     ApplicationId::generate(&SeededEntropy::new(1)),
//!     Label::parse("k8s OIDC")?,
//!     vec![RedirectUri::parse("http://localhost:8000")?],
//!     "2026-11-22T08:00:00Z".parse()?,
//! );
//! assert!(kubectl.must_use_pkce(), "a public client");
//! assert!(kubectl.may_redirect_to("http://localhost:18000"), "a native client listens on any loopback port");
//! assert!(!kubectl.may_redirect_to("https://localhost.evil.example:8000"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admin;
mod api_token;
mod application;
mod audit;
mod authorization;
mod authorization_server;
mod built_in;
mod certificate_subject;
mod claim;
mod code;
mod consent;
mod device;
mod distinguished_name;
mod dpop_nonce;
mod expression;
mod filter;
mod group;
mod group_rule;
mod id;
mod initial_access_token;
mod logout_delivery;
mod name;
mod one_time_token;
pub mod password;
mod policy;
mod query;
mod redirect;
mod refresh;
mod resealing;
mod seal;
mod secret;
mod seed;
mod session;
mod sign_in_rules;
mod signing_key;
mod single_use;
mod snapshot;
mod store;
mod store_error;
pub mod testkit;
mod throttle;
mod user;

pub use admin::{Access, AdminRole, Resource, RoleAssignment, RoleHolder};
pub use api_token::ApiToken;
pub use application::{
    Application, ApplicationType, Assignment, BackchannelLogout, ClientAuthentication, ClientKeys,
    ClientSecret, GrantType, GroupAssignment, RefreshRotation, Registration, ResponseType, Status,
    UserAssignment, assignment, parse_client_address, parse_request_uri,
};
pub use audit::{AuditEvent, Outcome};
pub use authorization::Authorization;
pub use authorization_server::{
    AuthorizationServer, Consent, IssuerMode, MetadataPublish, RotationMode, Scope,
};
pub use built_in::{BuiltInError, MANAGEMENT_CLIENT, MANAGEMENT_SERVER, everyone, management_login};
pub use certificate_subject::{CertificateNames, CertificateSubject};
pub use claim::{
    Claim, ClaimProblem, ClaimType, ClaimValue, Claims, ClaimsFor, FilterError, FilterType, GroupFilter,
    claims,
};
pub use code::{AuthorizationCode, CODE_LIFETIME, Redemption};
pub use consent::{ConsentGrant, ConsentMethod, consents_to_ask, is_for_people_only, missing_consents};
pub use device::{DeviceDecision, DeviceRefusal, DeviceState};
pub use distinguished_name::{DistinguishedName, DistinguishedNameError};
pub use dpop_nonce::DpopNonces;
pub use expression::{Expression, ExpressionError};
pub use filter::{AttributePath, Comparison, Filter, FilterSyntaxError, Literal};
pub use group::{Group, GroupType};
pub use group_rule::GroupRule;
pub use id::{
    ApiTokenId, ApplicationId, AuditEventId, AuthorizationServerId, ClaimId, ClientId, ClientSecretId,
    ConsentId, GrantId, GroupId, GroupRuleId, IdError, InitialAccessTokenId, Kid, PolicyId, RoleAssignmentId,
    RuleId, ScopeId, SessionId, UserId,
};
pub use initial_access_token::InitialAccessToken;
pub use logout_delivery::{DeliveryOutcome, LOGOUT_DELIVERY_MEMORY, LogoutDelivery};
pub use name::{Audience, ClaimName, Email, GroupName, Label, Login, NameError, ScopeName, parse_scopes};
pub use one_time_token::{OneTimePurpose, OneTimeToken};
pub use password::{ImportedHash, ImportedHashError, PasswordHash};
pub use policy::{
    AccessRequest, Grant, LifetimeError, LifetimeWarning, Lifetimes, Minutes, Miss, Policy, PolicyClients,
    Refusal, Rule, RuleGroups, RulePeople, RuleScopes, decide, decide_with_reasons, lifetime_warnings,
    rule_warnings, server_warnings,
};
pub use query::{AuditQuery, FamilyQuery, GroupQuery, Sort, SortOrder, UserQuery};
pub use redirect::{LoopbackPorts, RedirectUri, RedirectUriError};
pub use refresh::{
    EndReason, FamilyKey, FamilyState, Presented, RefreshFamily, RefreshRefusal, RefreshTerms, RefreshToken,
    Rotation,
};
pub use resealing::{OtherMasterKey, ResealError, Resealing};
pub use seal::{Sealed, SealingKey, UnsealError};
pub use secret::{
    ApiTokenValue, ClientSecretValue, CodeValue, InitialAccessTokenValue, OneTimeTokenValue,
    RegistrationTokenValue, Secret, SessionToken, TokenHash,
};
pub use seed::{FirstGroup, FirstUser, FirstWorld, SeedError, Seeded, seed};
pub use session::{Assurance, Session, SessionLifetime, SessionOrigin};
pub use sign_in_rules::SignInRules;
pub use signing_key::{KeyState, KeyStep, RotationSchedule, SigningKeyRecord, WantedAlgorithms};
pub use single_use::SingleUse;
pub use snapshot::{Configuration, Revision, Server, Snapshot};
pub use store::{Batch, Change, Expectation, Page, Purged, Store};
pub use store_error::StoreError;
pub use throttle::{Attempt, MOST_THROTTLES, NOTED_AT, Throttle, ThrottleKey, ThrottleRule};
pub use user::{Person, TransitionError, User, UserProfile, UserStatus};
