//! The authorization code flow (RFC 6749, section 4.1) with PKCE (RFC 7636): what its two variants share.

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_ambient::{Entropy, draw};
use kubesso_token_cache::{Secret, values::printable};
use url::Url;

use super::proof_key::ProofKey;
use crate::error::Error;
use crate::http::Repeat;
use crate::relying_party::{RelyingParty, SignIn};

/// An authorization request under way.
pub(super) struct AuthorizationRequest {
    /// Where the person signs in.
    pub(super) url: Url,
    state: String,
    nonce: String,
    proof: Option<ProofKey>,
    redirect_uri: Option<String>,
}

/// What the provider's redirect brings back.
pub(super) enum AuthorizationResponse {
    /// It answers another request, or none.
    Foreign,
    /// The provider refuses, or is not the one that was asked.
    Failed(Error),
    /// A code for the token endpoint.
    Code(Secret),
}

impl AuthorizationRequest {
    /// `redirect_uri` may be left out when the application has only one.
    pub(super) fn new(party: &RelyingParty<'_>, redirect_uri: Option<String>) -> Result<Self, Error> {
        let options = party.options;
        let entropy = &*party.environment.entropy;
        let (state, nonce) = (random_text(entropy), random_text(entropy));
        let proof = ProofKey::wanted_by(party);
        let scopes = options.scopes.to_string();

        let mut parameters = BTreeMap::from([
            ("client_id", options.client_id.as_str()),
            ("nonce", &nonce),
            ("response_type", "code"),
            ("scope", &scopes),
            ("state", &state),
        ]);
        if !options.no_refresh_token {
            // Google gives a refresh token only for this; others ignore it.
            parameters.insert("access_type", "offline");
        }
        if let Some(proof) = &proof {
            parameters
                .extend([("code_challenge", proof.challenge.as_str()), ("code_challenge_method", "S256")]);
        }
        if let Some(redirect_uri) = &redirect_uri {
            parameters.insert("redirect_uri", redirect_uri);
        }
        for (name, value) in &options.extra_parameters {
            // What ties the answer to this request is not the person's to set.
            if !matches!(name.as_str(), "state" | "nonce" | "code_challenge" | "code_challenge_method") {
                parameters.insert(name, value);
            }
        }
        let mut url = party.metadata().authorization_endpoint()?;
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(Self { url, state, nonce, proof, redirect_uri })
    }

    /// Reads the query of the redirect (RFC 6749, section 4.1.2; RFC 9207 for `iss`).
    pub(super) fn read_response(&self, party: &RelyingParty<'_>, query: &str) -> AuthorizationResponse {
        let parameters: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let parameter = |name: &str| parameters.get(name).map(AsRef::as_ref);
        let state = parameter("state").unwrap_or_default();
        if verify_slices_are_equal(state.as_bytes(), self.state.as_bytes()).is_err() {
            return AuthorizationResponse::Foreign;
        }
        if let Some(error) = wrong_issuer(party, parameter("iss")) {
            return AuthorizationResponse::Failed(error);
        }
        if let Some(code) = parameter("error") {
            return AuthorizationResponse::Failed(Error::Refused {
                what: "the sign-in",
                code: printable(code),
                description: parameter("error_description").map(printable).filter(|text| !text.is_empty()),
            });
        }
        match parameter("code").filter(|code| !code.is_empty()) {
            Some(code) => AuthorizationResponse::Code(Secret::from(code.to_owned())),
            None => AuthorizationResponse::Failed(Error::Untrusted(
                "the provider sent the browser back without a code; look for the reason in the provider's log"
                    .to_owned(),
            )),
        }
    }

    /// Exchanges the code for tokens and verifies them.
    pub(super) async fn exchange(&self, party: &RelyingParty<'_>, code: &Secret) -> Result<SignIn, Error> {
        let mut form = BTreeMap::from([("grant_type", "authorization_code"), ("code", code.expose())]);
        if let Some(redirect_uri) = &self.redirect_uri {
            form.insert("redirect_uri", redirect_uri);
        }
        if let Some(proof) = &self.proof {
            form.insert("code_verifier", proof.verifier.expose());
        }
        party.add_resource(&mut form);
        let answer = party.request_token("the authorization code", form, Repeat::Never).await?;
        party.accept(answer, Some(&self.nonce)).await
    }
}

/// RFC 9207, section 2.4: an issuer that is there must be right, and one that was promised must be there.
fn wrong_issuer(party: &RelyingParty<'_>, iss: Option<&str>) -> Option<Error> {
    let promised = party.metadata().authorization_response_iss_parameter_supported;
    match iss {
        Some(iss) if iss == party.metadata().issuer => None,
        None if !promised => None,
        other => Some(Error::Untrusted(format!(
            "the browser came back from issuer {:?}, not from {:?} (RFC 9207); somebody may be mixing providers up",
            printable(other.unwrap_or("none")),
            party.metadata().issuer
        ))),
    }
}

/// 256 random bits, 43 characters.
pub(super) fn random_text(entropy: &dyn Entropy) -> String {
    URL_SAFE_NO_PAD.encode(draw::<32>(entropy))
}
