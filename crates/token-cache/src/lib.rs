//! The tokens that a person keeps on a machine: what a `get-token` command line asks for, the cache entry that it
//! names, and the line that kubectl reads.
//!
//! This is all of a cache hit, which is the way of nearly every call, so it stays small: no event loop, no TLS, no
//! network. Signing in is the room `signin`'s, which writes the entries.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use clap::Parser;
//! use kubesso_token_cache::{GetTokenArguments, Surroundings, cached_token};
//!
//! #[derive(Parser)]
//! struct GetToken {
//!     #[command(flatten)]
//!     arguments: GetTokenArguments,
//! }
//!
//! let call = GetToken::parse_from([
//!     "get-token",
//!     "--oidc-issuer-url=https://login.example.com",
//!     "--oidc-client-id=kubernetes",
//! ]);
//! let surroundings = Surroundings::of(BTreeMap::new(), Some("/nobody".into()));
//! let now = "2026-11-22T08:00:00Z".parse().unwrap();
//! assert!(cached_token(&call.arguments, &surroundings, now).is_none(), "nobody has signed in");
//! ```

mod about;
mod arguments;
pub mod attempt;
pub mod cache;
mod call;
mod error;
pub mod exec_credential;
mod freshness;
pub mod helper;
mod issuer;
pub mod key;
pub mod layers;
pub mod legacy;
pub mod options;
mod scopes;
mod secret;
pub mod shell;
mod surroundings;
#[cfg(test)]
mod testing;
pub mod values;
mod words;

pub use about::{About, Person};
pub use arguments::{
    AuthenticationArguments, CacheArguments, CacheDirectory, CacheStorage, GetTokenArguments, GrantType,
    PkceMethod, ProviderArguments, TlsArguments, parse_bool,
};
pub use cache::{Entry, EntryPaths};
pub use call::{Call, Hit, cached_token};
pub use error::Error;
pub use issuer::{IssuerError, IssuerUrl, is_loopback};
pub use key::CacheKey;
pub use options::Options;
pub use scopes::Scopes;
pub use secret::Secret;
pub use surroundings::{Surroundings, VariableNames, Variables};
pub use words::answer;
