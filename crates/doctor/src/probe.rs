//! Asking the issuer, and deciding as the API server would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kubesso_ambient::Clock;
use kubesso_authn::{Fetch, Fetched, HttpsFetch, OidcAuthenticator, OidcConfig, OidcOptions};
use kubesso_https::{ClientError, Timeouts, Trust};
use kubesso_k8s_types::UserInfo;

use crate::evidence::{Answer, Evidence, IssuerEvidence, Mapping};
use crate::probe_authorization::try_authorization;

/// Somebody waits for the doctor.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(2), read: Duration::from_secs(3), total: Duration::from_secs(5) };

/// What the issuer answered, kept so that the API server's own code can ask again.
#[derive(Debug, Default)]
struct Recorded(BTreeMap<String, Result<Fetched, String>>);

#[async_trait]
impl Fetch for Recorded {
    async fn get(&self, url: &str, _bearer: Option<&str>) -> Result<Fetched, String> {
        // Nobody sends a token to an address that stands in a token.
        self.0.get(url).cloned().unwrap_or_else(|| Err(format!("the doctor does not ask {url}")))
    }
}

/// Asks the issuer of the evidence for its documents, and decides the token with them.
///
/// # Errors
/// The authorities that were given are unusable.
pub async fn probe(evidence: &mut Evidence, clock: Arc<dyn Clock>) -> Result<(), ClientError> {
    let Some((issuer, discovery, ca)) = evidence.issuer_to_ask() else { return Ok(()) };
    let trust = ca.map_or(Trust::System, Trust::Only);
    let fetch = HttpsFetch::new(kubesso_https::client(&trust, TIMEOUTS)?);
    let well_known =
        format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(&issuer));
    let address = discovery.unwrap_or_else(|| well_known.clone());
    let mut recorded = Recorded::default();
    let document = fetch.get(&address, None).await;
    let mut found = IssuerEvidence {
        discovery: answer(&document),
        url: issuer,
        discovery_url: address,
        jwks_uri: None,
        keys: None,
        asked_at: clock.now(),
    };
    recorded.0.insert(well_known, document);
    if let Some(uri) = found.text("jwks_uri").filter(|uri| !uri.is_empty()).map(str::to_owned) {
        let keys = fetch.get(&uri, None).await;
        found.keys = Some(answer(&keys));
        recorded.0.insert(uri.clone(), keys);
        found.jwks_uri = Some(uri);
    }
    let is_itself = found.text("issuer") == Some(&found.url) && found.jwks_uri.is_some();
    evidence.issuer = Some(found);
    evidence.authorization = try_authorization(evidence, &trust, TIMEOUTS).await?;
    if is_itself {
        evidence.decision = decide(evidence, recorded, clock).await;
    }
    Ok(())
}

fn answer(fetched: &Result<Fetched, String>) -> Answer {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(sentence) => return Answer::Failed(sentence.clone()),
    };
    let header =
        |name: &str| fetched.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let max_age =
        header("cache-control").split(',').find_map(|it| it.trim().strip_prefix("max-age=")?.parse().ok());
    Answer::Came {
        status: fetched.status.as_u16(),
        content_type: header("content-type").to_owned(),
        max_age: max_age.map(Duration::from_secs),
        date: date(header("date")),
        json: serde_json::from_slice(&fetched.body).ok(),
    }
}

/// RFC 9110 section 5.6.7; `GMT` is what RFC 2822 calls an obsolete zone.
fn date(header: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(header).ok()
}

/// What kube-apiserver would say of the token with these settings and these documents.
async fn decide(
    evidence: &Evidence,
    recorded: Recorded,
    clock: Arc<dyn Clock>,
) -> Option<Result<UserInfo, String>> {
    let (token, trusted) = (evidence.token()?, evidence.trusted_for_token()?);
    let asked = evidence.issuer.as_ref().map(|issuer| issuer.url.as_str());
    let Mapping::Claim { claim, prefix } = trusted.username else { return None };
    if trusted.has_rules || trusted.groups == Mapping::Expression || asked != Some(trusted.url.as_str()) {
        return None;
    }
    let audiences = token.audiences();
    // Any of several is enough; the room's authenticator takes one.
    let client_id =
        trusted.audiences.iter().find(|it| audiences.contains(it)).or(trusted.audiences.first())?;
    let (groups_claim, groups_prefix) = match trusted.groups {
        Mapping::Claim { claim, prefix } => (Some(claim), Some(prefix)),
        _ => (None, None),
    };
    let options = OidcOptions {
        issuer_url: trusted.url,
        client_id: client_id.clone(),
        ca_pem: None,
        username_claim: claim,
        username_prefix: Some(if prefix.is_empty() { "-".to_owned() } else { prefix }),
        groups_claim,
        groups_prefix,
        signing_algs: trusted.algorithms.unwrap_or_default(),
        required_claims: trusted.required.into_iter().collect(),
    };
    let config = OidcConfig::new(options).ok()?;
    let authenticator = OidcAuthenticator::start_with(config, clock, Arc::new(recorded));
    authenticator.first_attempt().await.ok()?;
    match authenticator.authenticate(token.expose().trim()).await {
        Ok(Some(user)) => Some(Ok(user)),
        Ok(None) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
