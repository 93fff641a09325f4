//! Posts logout tokens to clients (OpenID Connect Back-Channel Logout 1.0 §2.5).

use std::time::Duration;

use async_trait::async_trait;
use kubesso_directory::Secret;
use kubesso_https::{Timeouts, Trust, direct_client, names_public_host, public_client};
use kubesso_provider::{BackChannel, BackChannelError};
use reqwest::redirect;
use url::Url;

use crate::error::{CommandError, chain};

/// Nobody who is told has to do much.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(5),
    total: Duration::from_secs(10),
};

/// Which addresses may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of the public internet.
    #[default]
    Public,
    /// All that this machine reaches: whoever may change an application can have it call inside the network.
    DangerouslyEverything,
}

/// Over https.
#[derive(Debug)]
pub(crate) struct OverHttps {
    client: reqwest::Client,
    reach: Reach,
}

impl OverHttps {
    pub(crate) fn new(reach: Reach) -> Result<Self, CommandError> {
        let client = match reach {
            Reach::Public => public_client(&Trust::System, TIMEOUTS),
            Reach::DangerouslyEverything => direct_client(&Trust::System, TIMEOUTS, redirect::Policy::none()),
        };
        let client =
            client.map_err(|e| CommandError::because("the client for logouts cannot be set up", &e))?;
        Ok(Self { client, reach })
    }
}

#[async_trait]
impl BackChannel for OverHttps {
    async fn post_logout_token(&self, uri: &Url, logout_token: &Secret) -> Result<(), BackChannelError> {
        if uri.scheme() != "https" {
            return Err(BackChannelError::Refused("the address is not https".to_owned()));
        }
        if self.reach == Reach::Public && !names_public_host(uri) {
            return Err(BackChannelError::Refused(
                "the address is not on the public internet; see danger_backchannel_logout_to_private_addresses"
                    .to_owned(),
            ));
        }
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", logout_token.expose())
            .finish();
        let request = self
            .client
            .post(uri.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let status = match request.send().await {
            Ok(response) => response.status(),
            Err(error) => return Err(BackChannelError::Failed(chain(&error))),
        };
        // 200 by the specification (§2.8); frameworks answer 204.
        if status.is_success() {
            Ok(())
        } else if status.is_server_error() || status.as_u16() == 429 {
            Err(BackChannelError::Failed(format!("the client answered {status}")))
        } else {
            Err(BackChannelError::Refused(format!("the client answered {status}")))
        }
    }
}
