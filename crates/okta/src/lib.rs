//! The part of Okta's management API with which people set up access, over kubesso's directory: existing Terraform code,
//! scripts and SDKs work unchanged.
//!
//! Statuses, fields, error codes, paging and headers are the ones that these clients were seen to need. What Okta offers
//! and kubesso does not is answered by Okta's own errors with the reason, never by a false success.
//!
//! # How a request goes through
//!
//! 1. Module `answer` gives it an id and, at the end, writes Okta's headers and the body of a refusal.
//! 2. Module `authentication` finds the [caller](crate#callers) or refuses.
//! 3. An endpoint (one file a resource, under `endpoint`) asks the caller's authority ([`kubesso_directory::AdminRole`],
//!    scopes), reads parameters and body, decides by the directory as it is, and writes the change together with its audit
//!    entry, or nothing.
//! 4. A change of configuration is told to the provider ([`ProviderPort::configuration_changed`]): the very next token is
//!    judged by it.
//!
//! # Callers
//!
//! | who | by | may |
//! |---|---|---|
//! | an API token | `Authorization: SSWS …` | what its role allows; if it is somebody's, only while that person may |
//! | a service application | an access token of `/oauth2/v1/token` (Bearer or DPoP) | what its roles **and** its granted scopes allow |
//! | a person | an access token for kubesso's own command line | what the person's roles allow |
//!
//! ```
//! # use kubesso_okta::{ProviderPort, ProviderPortError};
//! # use kubesso_directory::{AuthorizationServerId, SigningKeyRecord, UserId};
//! # #[derive(Debug)]
//! # struct NoProvider;
//! # #[async_trait::async_trait]
//! # impl ProviderPort for NoProvider {
//! #     async fn first_key(&self, _: &AuthorizationServerId, _: &str) -> Result<SigningKeyRecord, ProviderPortError> {
//! #         Err(ProviderPortError("no provider".to_owned()))
//! #     }
//! #     async fn rotate_key(&self, _: &AuthorizationServerId) -> Result<(), ProviderPortError> {
//! #         Err(ProviderPortError("no provider".to_owned()))
//! #     }
//! #     async fn configuration_changed(&self) {}
//! #     async fn person(&self, _: &str) -> Result<Option<UserId>, ProviderPortError> { Ok(None) }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use axum::body::Body;
//! use http::Request;
//! use kubesso_ambient::{OsEntropy, SystemClock};
//! use kubesso_okta::{ManagementApi, ManagementConfig};
//! use kubesso_store_sqlite::SqliteStore;
//! use tower::ServiceExt as _;
//!
//! let data_directory = tempfile::tempdir()?;
//! let (store, sealing_key) = SqliteStore::open(data_directory.path(), &OsEntropy).await?;
//! let api = ManagementApi::new(ManagementConfig {
//!     base_url: "https://localhost:8443".parse()?,
//!     other_origins: Vec::new(),
//!     store: Arc::new(store),
//!     clock: Arc::new(SystemClock),
//!     entropy: Arc::new(OsEntropy),
//!     sealing_key,
//!     sign_in: kubesso_directory::SignInRules::default(),
//!     provider: Arc::new(NoProvider),
//! });
//! let answer = api.router().oneshot(Request::get("/api/v1/groups").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), 401, "nobody comes in without a token");
//! # Ok(())
//! # }
//! ```

mod access_token;
mod answer;
mod api;
mod audit;
mod authentication;
mod authority;
mod body;
mod context;
mod dpop;
mod endpoint;
mod error;
mod fields;
mod paging;
mod parameters;
mod ports;
mod rate_limit;
pub mod testkit;
mod time;
mod view;

pub use api::{ManagementApi, ManagementConfig};
pub use context::CallerAddress;
pub use ports::{ProviderPort, ProviderPortError};
