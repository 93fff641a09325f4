//! The device authorization grant (RFC 8628), with PKCE where the provider takes it.

use std::collections::BTreeMap;
use std::iter;
use std::time::Duration;

use kubesso_token_cache::{options::BrowserStart, values::printable};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::loopback::open_browser;
use super::proof_key::ProofKey;
use crate::error::Error;
use crate::http::Repeat;
use crate::relying_party::{Preference, RelyingParty, SignIn, TokenAnswer, refusal};

/// RFC 8628, section 3.2.
#[derive(Deserialize)]
struct DeviceAuthorization {
    device_code: String,
    user_code: String,
    /// Google writes `verification_url`.
    #[serde(alias = "verification_url")]
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    /// Seconds.
    #[serde(default = "default_lifetime")]
    expires_in: u32,
    /// Seconds between two questions.
    #[serde(default = "default_interval")]
    interval: u32,
}

fn default_lifetime() -> u32 {
    600
}

fn default_interval() -> u32 {
    5
}

const WHAT: &str = "the device authorization request";

/// A code that the provider has given, and that nobody has seen yet.
pub(super) struct DeviceFlow {
    device: DeviceAuthorization,
    proof: Option<ProofKey>,
}

/// Asks for a code, and has it entered.
pub(super) async fn sign_in(
    party: &RelyingParty<'_>,
    start: &BrowserStart,
    timeout_seconds: u32,
) -> Result<SignIn, Error> {
    begin(party).await?.finish(party, start, timeout_seconds).await
}

/// Asks for a code. Nobody is told anything.
pub(super) async fn begin(party: &RelyingParty<'_>) -> Result<DeviceFlow, Error> {
    let proof = ProofKey::wanted_by(party);
    let device = authorize(party, proof.as_ref()).await?;
    Ok(DeviceFlow { device, proof })
}

impl DeviceFlow {
    /// Shows the code and asks the token endpoint until the person has entered it somewhere, the code has ended, or
    /// `timeout_seconds` are over.
    pub(super) async fn finish(
        self,
        party: &RelyingParty<'_>,
        start: &BrowserStart,
        timeout_seconds: u32,
    ) -> Result<SignIn, Error> {
        let Self { device, proof } = self;
        let environment = party.environment;
        let page = device.verification_uri_complete.as_ref().unwrap_or(&device.verification_uri);
        environment.say(&format!(
            "Please enter the following code when asked in your browser: {}",
            printable(&device.user_code)
        ));
        open_browser(party, start, page);

        let seconds = device.expires_in.min(timeout_seconds);
        let deadline = Instant::now() + environment.pacing.device_second * seconds;
        let mut interval = device.interval;
        loop {
            let mut pause = interval;
            match poll(party, &device.device_code, proof.as_ref()).await {
                Ok(answer) => return party.accept(answer, None).await,
                Err(Error::Refused { code, .. }) if code == "authorization_pending" => {}
                // RFC 8628, section 3.5: five seconds more for this and all further requests.
                Err(Error::Refused { code, .. }) if code == "slow_down" => {
                    interval = interval.saturating_add(5);
                    pause = interval;
                }
                // The same section: what failed on the way is asked again, less often.
                Err(error) if error.is_outage() => {
                    environment.explain(1, || format!("{error}; asking again"));
                    pause = interval.saturating_mul(2);
                }
                Err(error) => return Err(error),
            }
            let pause: Duration = environment.pacing.device_second * pause;
            if Instant::now() + pause > deadline {
                let ended_by_provider = device.expires_in <= timeout_seconds;
                return Err(if ended_by_provider {
                    Error::CodeEnded(seconds)
                } else {
                    Error::LoginTimeout(seconds)
                });
            }
            tokio::time::sleep(pause).await;
        }
    }
}

async fn authorize(party: &RelyingParty<'_>, proof: Option<&ProofKey>) -> Result<DeviceAuthorization, Error> {
    let metadata = party.metadata();
    let url = metadata.device_authorization_endpoint()?;
    let scopes = party.options.scopes.to_string();
    let mut form: BTreeMap<&str, &str> =
        party.options.extra_parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.insert("scope", &scopes);
    if let Some(proof) = proof {
        form.extend([("code_challenge", proof.challenge.as_str()), ("code_challenge_method", "S256")]);
    }
    let answer = party.post_as_client(WHAT, url, &form, Repeat::IfUnavailable, Preference::Form).await?;
    if !answer.status.is_success() {
        return Err(refusal(&answer, "the device sign-in").unwrap_or_else(|| answer.unexpected(WHAT, url)));
    }
    let device: DeviceAuthorization = answer.json(WHAT, url)?;
    let mut pages = iter::once(&device.verification_uri).chain(&device.verification_uri_complete);
    if let Some(page) = pages.find(|page| !matches!(page.scheme(), "https" | "http")) {
        // The desktop would start whatever program is registered for it.
        let problem = format!("with a page to open that is not on the web ({}:)", page.scheme());
        return Err(Error::Answer { what: WHAT, url: url.to_owned(), problem });
    }
    Ok(device)
}

async fn poll(
    party: &RelyingParty<'_>,
    device_code: &str,
    proof: Option<&ProofKey>,
) -> Result<TokenAnswer, Error> {
    let mut form = BTreeMap::from([
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device_code),
    ]);
    if let Some(proof) = proof {
        form.insert("code_verifier", proof.verifier.expose());
    }
    party.request_token("the device sign-in", form, Repeat::Never).await
}
