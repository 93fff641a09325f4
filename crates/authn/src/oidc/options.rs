//! The `--oidc-*` flags of kube-apiserver and what they come to.
//!
//! Sources: `pkg/kubeapiserver/options/authentication.go` and `apiserver/pkg/apis/apiserver/validation` of Kubernetes 1.36.

use std::collections::BTreeMap;

use kubesso_k8s_types::go::{aggregate, quote, url};
use kubesso_token::Algorithm;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::verify::Expectations;

/// The flags as given. [`Default`] has kube-apiserver's defaults; issuer and client id must be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcOptions {
    /// `--oidc-issuer-url`: compared byte by byte with `iss` and with the issuer in the discovery document.
    pub issuer_url: String,
    /// `--oidc-client-id`: the audience.
    pub client_id: String,
    /// The content of `--oidc-ca-file`; `None` trusts the machine's authorities.
    pub ca_pem: Option<String>,
    /// `--oidc-username-claim`.
    pub username_claim: String,
    /// `--oidc-username-prefix`. Not given or empty, it is `<issuer>#` for every claim but `email`, which gets none; `-`
    /// is none.
    pub username_prefix: Option<String>,
    /// `--oidc-groups-claim`; without one no groups are read.
    pub groups_claim: Option<String>,
    /// `--oidc-groups-prefix`.
    pub groups_prefix: Option<String>,
    /// `--oidc-signing-algs`; empty means `RS256`.
    pub signing_algs: Vec<String>,
    /// `--oidc-required-claim`: claim to value. See [`parse_required_claim`].
    pub required_claims: BTreeMap<String, String>,
}

impl Default for OidcOptions {
    fn default() -> Self {
        Self {
            issuer_url: String::new(),
            client_id: String::new(),
            ca_pem: None,
            username_claim: "sub".to_owned(),
            username_prefix: None,
            groups_claim: None,
            groups_prefix: None,
            signing_algs: vec![Algorithm::Rs256.to_string()],
            required_claims: BTreeMap::new(),
        }
    }
}

/// Why kube-apiserver would not start with these flags. Texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// One or several fields of the resulting configuration are wrong.
    #[error("invalid authentication configuration: {0}")]
    Invalid(String),
    /// A required claim without `=`.
    #[error("malformed pair, expect string=string")]
    MalformedPair,
    /// Issuer or client id is missing.
    #[error("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set")]
    NotTogether,
    /// An algorithm that is not among the nine.
    #[error("oidc: unsupported signing alg: {}", quote(.0))]
    UnsupportedAlgorithm(String),
}

/// Reads one `--oidc-required-claim`: cut at the first `=`, both sides without surrounding white space.
///
/// # Errors
/// [`OptionsError::MalformedPair`].
pub fn parse_required_claim(pair: &str) -> Result<(String, String), OptionsError> {
    let (claim, value) = pair.split_once('=').ok_or(OptionsError::MalformedPair)?;
    Ok((claim.trim().to_owned(), value.trim().to_owned()))
}

/// Checked options.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    pub(crate) issuer_url: String,
    pub(crate) ca_pem: Option<String>,
    pub(crate) username_claim: String,
    pub(crate) username_prefix: String,
    pub(crate) groups_claim: Option<String>,
    pub(crate) groups_prefix: String,
    pub(crate) required_claims: BTreeMap<String, String>,
    pub(crate) expectations: Expectations,
}

impl OidcConfig {
    /// Checks the options as kube-apiserver does at its start.
    ///
    /// # Errors
    /// What it would say; several findings are joined as `[a, b]`.
    pub fn new(options: OidcOptions) -> Result<Self, OptionsError> {
        if options.issuer_url.is_empty() || options.client_id.is_empty() {
            return Err(OptionsError::NotTogether);
        }
        let ca_pem = options.ca_pem.filter(|pem| !pem.is_empty());
        let mut findings = check_issuer_url(&options.issuer_url);
        if let Some(Err(error)) = ca_pem.as_deref().map(check_certificates) {
            findings
                .push(format!("jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": {error}"));
        }
        for (index, claim) in options.required_claims.keys().enumerate() {
            if claim.is_empty() {
                findings.push(format!(
                    "jwt[0].claimValidationRules[{index}]: Required value: claim or expression is required"
                ));
            }
        }
        if options.username_claim.is_empty() {
            let path = "jwt[0].claimMappings.username";
            findings.push(format!("{path}: Required value: claim or expression is required"));
        }
        if let Some(findings) = aggregate(findings) {
            return Err(OptionsError::Invalid(findings));
        }
        let mut algorithms = options.signing_algs;
        if algorithms.is_empty() {
            algorithms.push(Algorithm::Rs256.to_string());
        }
        if let Some(name) = algorithms.iter().find(|name| name.parse::<Algorithm>().is_err()) {
            return Err(OptionsError::UnsupportedAlgorithm(name.clone()));
        }
        let username_prefix = match options.username_prefix.as_deref().unwrap_or_default() {
            "" if options.username_claim != "email" => format!("{}#", options.issuer_url),
            "-" => String::new(),
            prefix => prefix.to_owned(),
        };
        Ok(Self {
            issuer_url: options.issuer_url,
            ca_pem,
            username_claim: options.username_claim,
            username_prefix,
            groups_claim: options.groups_claim.filter(|claim| !claim.is_empty()),
            groups_prefix: options.groups_prefix.unwrap_or_default(),
            required_claims: options.required_claims,
            expectations: Expectations { client_id: options.client_id, algorithms },
        })
    }

    /// The issuer.
    pub fn issuer_url(&self) -> &str {
        &self.issuer_url
    }

    /// What is put before every user name; may be empty.
    pub fn username_prefix(&self) -> &str {
        &self.username_prefix
    }
}

impl TryFrom<OidcOptions> for OidcConfig {
    type Error = OptionsError;

    fn try_from(options: OidcOptions) -> Result<Self, OptionsError> {
        Self::new(options)
    }
}

fn check_issuer_url(issuer: &str) -> Vec<String> {
    let finding = |what: &str| format!("jwt[0].issuer.url: Invalid value: {}: {what}", quote(issuer));
    let url = match url::parse(issuer) {
        Ok(url) => url,
        Err(error) => return vec![finding(&error)],
    };
    [
        (url.scheme != "https", "URL scheme must be https"),
        (url.has_user, "URL must not contain a username or password"),
        (url.has_query, "URL must not contain a query"),
        (url.has_fragment, "URL must not contain a fragment"),
    ]
    .into_iter()
    .filter(|(wrong, _)| *wrong)
    .map(|(_, what)| finding(what))
    .collect()
}

fn check_certificates(pem: &str) -> Result<(), String> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
        X509Certificate::from_der(&certificate).map_err(|_| "x509: malformed certificate".to_owned())?;
        found = true;
    }
    if found { Ok(()) } else { Err("data does not contain any valid RSA or ECDSA certificates".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> OidcOptions {
        OidcOptions {
            issuer_url: "https://issuer.example".to_owned(),
            client_id: "k8s".to_owned(),
            ..OidcOptions::default()
        }
    }

    fn with(change: impl FnOnce(&mut OidcOptions)) -> Result<OidcConfig, String> {
        let mut options = options();
        change(&mut options);
        OidcConfig::new(options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_username_prefix_that_is_not_given_is_the_issuer_for_every_claim_but_email() {
        for (claim, given, prefix) in [
            ("sub", None, "https://issuer.example#"),
            ("sub", Some(""), "https://issuer.example#"),
            ("sub", Some("-"), ""),
            ("sub", Some("oidc:"), "oidc:"),
            ("email", None, ""),
            ("email", Some(""), ""),
            ("email", Some("-"), ""),
            ("email", Some("oidc:"), "oidc:"),
            ("EMAIL", None, "https://issuer.example#"),
        ] {
            let config = with(|options| {
                options.username_claim = claim.to_owned();
                options.username_prefix = given.map(str::to_owned);
            });
            assert_eq!(config.unwrap().username_prefix(), prefix, "{claim} {given:?}");
        }
    }

    #[test]
    fn wrong_flags_are_refused_in_upstreams_words() {
        let together =
            "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set";
        assert_eq!(with(|options| options.client_id.clear()).unwrap_err(), together);
        assert_eq!(with(|options| options.issuer_url.clear()).unwrap_err(), together);
        assert_eq!(
            with(|options| options.signing_algs = vec!["EdDSA".to_owned()]).unwrap_err(),
            "oidc: unsupported signing alg: \"EdDSA\""
        );
        assert_eq!(
            with(|options| {
                options.issuer_url = "http://a@b?c#d".to_owned();
                options.username_claim.clear();
                options.ca_pem = Some("junk".to_owned());
            })
            .unwrap_err(),
            "invalid authentication configuration: [\
             jwt[0].issuer.url: Invalid value: \"http://a@b?c#d\": URL scheme must be https, \
             jwt[0].issuer.url: Invalid value: \"http://a@b?c#d\": URL must not contain a username or password, \
             jwt[0].issuer.url: Invalid value: \"http://a@b?c#d\": URL must not contain a query, \
             jwt[0].issuer.url: Invalid value: \"http://a@b?c#d\": URL must not contain a fragment, \
             jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": \
             data does not contain any valid RSA or ECDSA certificates, \
             jwt[0].claimMappings.username: Required value: claim or expression is required]"
        );
    }

    #[test]
    fn a_required_claim_is_cut_at_the_first_equals_sign() {
        let pair = |claim: &str, value: &str| Ok((claim.to_owned(), value.to_owned()));
        assert_eq!(parse_required_claim(" hd = example.com "), pair("hd", "example.com"));
        assert_eq!(parse_required_claim("a=b=c,d=e"), pair("a", "b=c,d=e"));
        assert_eq!(parse_required_claim("a="), pair("a", ""));
        assert_eq!(parse_required_claim("a"), Err(OptionsError::MalformedPair));
    }
}
