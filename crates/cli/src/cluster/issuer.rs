//! Whether an issuer answers: a cluster that trusts one that does not is a cluster that nobody can sign in to.

use std::time::{Duration, Instant};

use kubesso_clusters::{Access, TrustedIssuer};
use kubesso_https::{Timeouts, Trust, client};
use serde_json::Value;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(10),
    total: Duration::from_secs(10),
};
/// A provider that was changed a moment ago may take a little.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(500);

/// Asks each issuer for its discovery document and its keys, as an API server will. One whose discovery document is
/// elsewhere (`discoveryURL`) may be reached only from there, and is not asked.
///
/// # Errors
/// Which one does not answer as it has to, and what it said.
pub(crate) async fn all_answer(access: &Access) -> Result<(), String> {
    let started = Instant::now();
    for issuer in access.issuers.iter().filter(|issuer| issuer.discovery_url.is_none()) {
        while let Err(No { what, may_come }) = answers(issuer).await {
            if !may_come || started.elapsed() > PATIENCE {
                return Err(format!("the issuer {} does not answer as it has to: {what}", issuer.url));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Why an issuer is not one that signs people in.
struct No {
    what: String,
    /// Somebody answers, who may not know yet what was made a moment ago.
    may_come: bool,
}

async fn answers(issuer: &TrustedIssuer) -> Result<(), No> {
    let not = |what: String| No { what, may_come: false };
    let not_yet = |what: String| No { what, may_come: true };
    let authority = issuer.certificate_authority.as_ref();
    let trust = authority.map_or(Trust::System, |authority| Trust::Only(authority.as_pem().to_owned()));
    let client = client(&trust, TIMEOUTS).map_err(|error| not(error.to_string()))?;
    let get = async |url: &str| -> Result<Value, No> {
        let answer = client.get(url).send().await.map_err(|error| not(crate::error::chain(&error)))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| not(crate::error::chain(&error)))?;
        if !status.is_success() {
            return Err(not_yet(format!("{url} answered {status}")));
        }
        serde_json::from_str(&text).map_err(|error| not(format!("{url}: {error}")))
    };
    let url = issuer.url.as_str();
    let document = get(&format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'))).await?;
    let said = document["issuer"].as_str().unwrap_or_default();
    if said != url {
        return Err(not(format!("its discovery document says that it is {said:?}")));
    }
    let keys = document["jwks_uri"].as_str();
    let keys = get(keys.ok_or_else(|| not("its discovery document names no keys".to_owned()))?).await?;
    match keys["keys"].as_array() {
        Some(keys) if !keys.is_empty() => Ok(()),
        _ => Err(not_yet("it has no keys".to_owned())),
    }
}
