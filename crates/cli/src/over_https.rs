//! Calls addresses that clients have registered, over https: posts logout tokens (OpenID Connect Back-Channel Logout 1.0
//! §2.5), and fetches keys and requests (OpenID Connect Core §6.2, §10.1).

mod cache_control;

use std::time::Duration;

use async_trait::async_trait;
use kubesso_directory::Secret;
use kubesso_https::{Timeouts, Trust, direct_client, names_public_host, public_client};
use kubesso_provider::{BackChannel, BackChannelError, Fetch, FetchError, Fetched};
use reqwest::redirect;
use url::Url;

use crate::error::{CommandError, chain};
use cache_control::max_age;

/// Nobody who is told has to do much.
const TO_TELL: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(5),
    total: Duration::from_secs(10),
};

/// A client, or a browser, waits for it.
const TO_FETCH: Timeouts =
    Timeouts { connect: Duration::from_secs(3), read: Duration::from_secs(3), total: Duration::from_secs(5) };

/// Which addresses may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of the public internet.
    #[default]
    Public,
    /// All that this machine reaches: whoever may change an application can have it call inside the network.
    DangerouslyEverything,
}

impl Reach {
    /// `lifted`: what the setting says.
    pub(crate) fn of_setting(lifted: bool) -> Self {
        if lifted { Self::DangerouslyEverything } else { Self::Public }
    }
}

/// Calls only what it may.
#[derive(Debug)]
pub(crate) struct OverHttps {
    client: reqwest::Client,
    reach: Reach,
    /// The setting that would let it call more.
    setting: &'static str,
}

impl OverHttps {
    /// For logouts.
    pub(crate) fn to_tell(reach: Reach) -> Result<Self, CommandError> {
        Self::new(reach, &Trust::System, TO_TELL, "danger_backchannel_logout_to_private_addresses")
    }

    /// For keys and requests.
    pub(crate) fn to_fetch(reach: Reach) -> Result<Self, CommandError> {
        Self::new(reach, &Trust::System, TO_FETCH, "danger_fetch_from_private_addresses")
    }

    fn new(
        reach: Reach,
        trust: &Trust,
        timeouts: Timeouts,
        setting: &'static str,
    ) -> Result<Self, CommandError> {
        let client = match reach {
            Reach::Public => public_client(trust, timeouts),
            Reach::DangerouslyEverything => direct_client(trust, timeouts, redirect::Policy::none()),
        };
        let client = client.map_err(|e| {
            CommandError::because("the HTTPS client for clients' addresses cannot be set up", &e)
        })?;
        Ok(Self { client, reach, setting })
    }

    /// Whether `uri` may be called; otherwise why not.
    fn check(&self, uri: &Url) -> Result<(), String> {
        if uri.scheme() != "https" {
            return Err("the address is not https".to_owned());
        }
        if self.reach == Reach::Public && !names_public_host(uri) {
            return Err(format!("the address is not on the public internet; see {}", self.setting));
        }
        Ok(())
    }
}

#[async_trait]
impl BackChannel for OverHttps {
    async fn post_logout_token(&self, uri: &Url, logout_token: &Secret) -> Result<(), BackChannelError> {
        self.check(uri).map_err(BackChannelError::Refused)?;
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

#[async_trait]
impl Fetch for OverHttps {
    async fn fetch(&self, uri: &Url, longest: usize) -> Result<Fetched, FetchError> {
        self.check(uri).map_err(FetchError)?;
        let failed = |error: reqwest::Error| FetchError(chain(&error));
        let mut response = self.client.get(uri.clone()).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError(format!("it was answered {}", response.status())));
        }
        let too_long = || FetchError(format!("the document is longer than {longest} bytes"));
        let max_age = max_age(response.headers());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > longest {
                return Err(too_long());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Fetched { body, max_age })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use kubesso_ambient::{Clock as _, SystemClock};
    use kubesso_https::pki::{CertificateAuthority, ServerNames};
    use kubesso_https::{ClientAuthentication, Limits, ServerTls, serve};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// A client's server, and who trusts it.
    async fn serving() -> (Trust, String) {
        let authority = CertificateAuthority::generate("test", SystemClock.now()).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), SystemClock.now()).unwrap();
        let tls = ServerTls::new(&identity, ClientAuthentication::None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/keys", get(async || ([("cache-control", "public, max-age=90")], "0123456789")))
            .route("/gone", get(async || http::StatusCode::GONE))
            .route("/elsewhere", get(async || axum::response::Redirect::to("/keys")));
        tokio::spawn(serve(listener, tls, router, CancellationToken::new(), Limits::default()));
        (Trust::Only(authority.certificate_pem().to_owned()), format!("https://localhost:{port}"))
    }

    #[tokio::test]
    async fn a_document_comes_with_its_age_and_nothing_else_comes() {
        let (trust, origin) = serving().await;
        let everything = OverHttps::new(Reach::DangerouslyEverything, &trust, TO_FETCH, "x").unwrap();
        let public = OverHttps::new(Reach::Public, &trust, TO_FETCH, "danger_x").unwrap();
        let stranger = OverHttps::to_fetch(Reach::DangerouslyEverything).unwrap();
        let port = origin.rsplit(':').next().unwrap();
        let cases = [
            (&everything, format!("{origin}/keys"), 10, "Ok(10, Some(90s))"),
            (&everything, format!("{origin}/keys"), 9, "longer than 9 bytes"),
            (&everything, format!("{origin}/gone"), 10, "answered 410"),
            (&everything, format!("{origin}/elsewhere"), 10, "answered 303"),
            (&everything, format!("http://localhost:{port}/keys"), 10, "not https"),
            (&public, format!("https://127.0.0.1:{port}/keys"), 10, "public internet; see danger_x"),
            (&public, format!("{origin}/keys"), 10, "no address on the public internet"),
            (&stranger, format!("{origin}/keys"), 10, "certificate"),
        ];
        for (client, uri, longest, says) in cases {
            let uri: Url = uri.parse().unwrap();
            let fetched = match client.fetch(&uri, longest).await {
                Ok(fetched) => format!("Ok({}, {:?})", fetched.body.len(), fetched.max_age),
                Err(error) => error.to_string(),
            };
            assert!(fetched.contains(says), "{uri} {longest}: {fetched}");
        }
    }
}
