//! The OpenID Connect provider: signs people in and gives their kubectl tokens.
//!
//! Each authorization server of the directory is an issuer, `<base URL>/oauth2/<id>`, with discovery (OpenID
//! Connect Discovery 1.0, RFC 8414), a JWK set, the authorization code flow with PKCE (RFC 6749, RFC 7636,
//! RFC 9207), pushed (RFC 9126) and signed requests (RFC 9101), device authorization (RFC 8628), refresh tokens, where
//! they are allowed the client credentials, the password grant and token exchange (RFC 8693), tokens bound to keys (DPoP,
//! RFC 9449), userinfo, introspection (RFC 7662), revocation (RFC 7009), RP-initiated and back-channel logout; besides,
//! `/healthz` and the pages, among them `/account` and those at which a password is chosen by a link that works once.
//! One file an endpoint, under `endpoint`.
//!
//! # What defends what
//!
//! - *Nothing is stored before somebody has signed in.* The pending request travels sealed with the browser
//!   (module `sealed`), so that anonymous traffic fills nothing but attempt counters, of which the store
//!   keeps a fixed number.
//! - *Forms* are bound to the browser that was given them (module `csrf`); *cookies* to the host (module
//!   `cookies`).
//! - *Passwords* are looked at after the attempt is counted, by as many threads as there are processors; a
//!   login that does not exist costs the same and is answered the same.
//! - *Redirects* go to registered URIs only, compared as text; everything else ends on a page.
//! - *Devices* leave nothing in the store either: a device code is the sealed request, and the first row is the
//!   decision of somebody who has signed in (module `user_code` says what guessing is worth).
//! - *New passwords* are judged by `kubesso_directory::password::PasswordPolicy` on the hashing threads; tries are counted,
//!   so that nobody finds out old ones.
//! - *One's own account* shows and ends only what is of the person whose session the page was made for.
//! - *Links* at which a password is chosen work once; looking at one, as mail scanners do, changes nothing, and
//!   the log does not know them.
//! - *Clients* prove who they are with a secret or with an assertion by their own key (RFC 7523), which every
//!   process takes once.
//! - *Registration* by clients themselves (RFC 7591, RFC 7592) is off unless a [`RegistrationPolicy`] says who may; nobody may
//!   use what was registered who is not assigned.
//! - *Client certificates* (RFC 8705) are those of [`ClientCertificate`]: whoever sets it answers for who has the key, and
//!   for whose word is taken on the names.
//! - *Tokens* that are bound to a key (RFC 9449) are taken with a proof of it only; which proofs were used, each process
//!   remembers for itself. *Exchanged* tokens (RFC 8693) never outlive what they came from, and a client that anybody can
//!   be exchanges nothing that others are shown.
//! - *Logout tokens* are posted by whoever is given as [`BackChannel`], which answers for the addresses that it calls.
//! - *Documents of clients* (their keys at `jwks_uri`, requests at registered `request_uris`) are got by whoever is given as
//!   [`Fetch`], likewise; how often an address is asked does not depend on strangers (module `fetch`).
//! - *Codes* work once and for a minute; a second use ends the refresh tokens that the first one gave.
//!   *Refresh tokens* rotate, with a grace for parallel kubectl; reuse after it ends the family.
//! - *Configuration* is read from a snapshot, refreshed within 250 ms of a change, whichever process made it;
//!   *people* (status, groups, assignments) are read at every sign-in and every refresh.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use axum::body::Body;
//! use kubesso_ambient::{OsEntropy, SystemClock};
//! use kubesso_provider::{Provider, ProviderConfig, Settings};
//! use kubesso_store_sqlite::SqliteStore;
//! use tower::ServiceExt as _;
//!
//! let data_directory = tempfile::tempdir()?;
//! let (store, sealing_key) = SqliteStore::open(data_directory.path(), &OsEntropy).await?;
//! let provider = Provider::new(ProviderConfig {
//!     base_url: "https://localhost:8443".parse()?,
//!     store: Arc::new(store),
//!     clock: Arc::new(SystemClock),
//!     entropy: Arc::new(OsEntropy),
//!     sealing_key,
//!     back_channel: None,
//!     settings: Settings::default(),
//!     fetch: None,
//!     mutual_tls: None,
//!     registration: None,
//! })
//! .await?;
//! let answer = provider.router().oneshot(http::Request::get("/healthz").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), 200);
//! # Ok(())
//! # }
//! ```

mod audit;
mod authentication_context;
mod authorization_request;
mod authorization_response;
mod back_channel;
mod browser_name;
mod browser_session;
mod change_password;
mod choose_password;
mod claims_parameter;
mod client_address;
mod client_authentication;
mod client_certificate;
mod client_keys;
mod client_metadata;
mod context;
mod cookies;
mod csrf;
mod device_request;
mod dpop;
mod endpoint;
mod fetch;
mod hashing;
mod id_token_hint;
mod key_commands;
mod keys;
mod management;
mod moments;
mod oauth_error;
mod operation;
mod pages;
mod parameters;
mod password_check;
mod pkce;
mod polls;
mod preview;
mod provider;
mod request_object;
mod requested;
mod response_headers;
mod response_mode;
mod sealed;
mod spare_key;
mod tokens;
mod user_code;

pub use back_channel::{BackChannel, BackChannelError};
pub use client_address::ClientAddress;
pub use client_certificate::{ClientCertificate, MutualTls};
pub use endpoint::registration::RegistrationPolicy;
pub use fetch::{Fetch, FetchError, Fetched};
pub use key_commands::{ImportError, KeyCommand};
pub use keys::{JWK_SET_MAX_AGE, KeyChange, KeyError, adopt_key, rotate_keys, rotate_promptly};
pub use management::{ClientKeysError, ManagementToken};
pub use operation::{Counts, Readiness};
pub use preview::{MADE_AT_ISSUE, Preview, PreviewRequest, preview};
pub use provider::{Provider, ProviderConfig, ProviderError, Settings};
