//! An authorization request on trial: does the provider know this client and this redirect URI? With `prompt=none` nobody is
//! asked for anything (OpenID Connect Core section 3.1.2.1), and no code comes of it.

use kubesso_https::{ClientError, Timeouts, Trust, client_as};

use crate::evidence::{Authorization, Evidence};

/// RFC 7636 appendix B: a challenge whose verifier everybody knows. A code that came of it would be worth nothing.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What a browser would ask for with the plugin's settings, and how the provider takes it.
pub(crate) async fn try_authorization(
    evidence: &Evidence,
    trust: &Trust,
    timeouts: Timeouts,
) -> Result<Option<Authorization>, ClientError> {
    let Some(plugin) = evidence.plugin().filter(|plugin| plugin.is_known) else { return Ok(None) };
    let uses_code = plugin.grant_type.as_deref().is_none_or(|grant| grant == "auto" || grant == "authcode");
    let endpoint = evidence.issuer.as_ref().and_then(|issuer| issuer.text("authorization_endpoint"));
    let (Some(client_id), Some(endpoint), true) = (&plugin.client_id, endpoint, uses_code) else {
        return Ok(None);
    };
    let redirect_uri = plugin.redirect_uri.clone();
    let http = client_as(trust, timeouts, None)?;
    let request = http.get(endpoint).query(&[
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", &redirect_uri),
        ("scope", "openid"),
        ("state", "kubesso-doctor"),
        ("nonce", "kubesso-doctor"),
        ("prompt", "none"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let Ok(response) = request.send().await else { return Ok(None) };
    let status = response.status().as_u16();
    let location =
        response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let error =
        location.strip_prefix(&redirect_uri).and_then(|_| reqwest::Url::parse(location).ok()).and_then(
            |url| url.query_pairs().find(|(name, _)| name == "error").map(|(_, value)| value.into_owned()),
        );
    Ok(Some(Authorization { client_id: client_id.clone(), redirect_uri, status, error }))
}
