//! The API as a whole: what it is made of, and its router.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::password::PasswordHasher;
use kubesso_directory::{SealingKey, SignInRules, Store};
use url::Url;

use crate::context::{Context, Parts};
use crate::ports::ProviderPort;
use crate::{answer, authentication, body, endpoint};

/// What the API is made of.
#[derive(Debug)]
pub struct ManagementConfig {
    /// Where people reach the provider: issuers and links begin with it, whatever `Host` a request names.
    pub base_url: Url,
    /// Further origins under which the API is reached (`https://127.0.0.77`), without a slash at the end.
    pub other_origins: Vec<String>,
    /// The directory.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Seals client secrets and access tokens.
    pub sealing_key: SealingKey,
    /// What is asked of those who sign in.
    pub sign_in: SignInRules,
    /// The provider next door.
    pub provider: Arc<dyn ProviderPort>,
}

/// The management API.
#[derive(Clone, Debug)]
pub struct ManagementApi {
    context: Context,
}

impl ManagementApi {
    /// Puts it together.
    pub fn new(config: ManagementConfig) -> Self {
        Self {
            context: Context::new(Parts {
                base_url: config.base_url,
                other_origins: config.other_origins,
                store: config.store,
                clock: config.clock,
                entropy: config.entropy,
                sealing_key: config.sealing_key,
                provider: config.provider,
                password_hasher: PasswordHasher::default(),
                sign_in: config.sign_in,
            }),
        }
    }

    /// Its routes: `/api/v1/…`, `/oauth2/v1/…` for management, `/.well-known/okta-organization`. To be merged with the
    /// provider's, which has the rest.
    pub fn router(&self) -> Router {
        let context = self.context.clone();
        let guarded = endpoint::guarded()
            .layer(middleware::from_fn_with_state(context.clone(), authentication::authenticate));
        endpoint::open()
            .merge(guarded)
            .layer(DefaultBodyLimit::max(body::LARGEST))
            .layer(middleware::from_fn_with_state(context.clone(), answer::answer))
            .with_state(context)
    }
}
