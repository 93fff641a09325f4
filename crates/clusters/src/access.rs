//! Who may sign in to a cluster, said once and for no cluster in particular: `access.yaml`, or flags.

use std::collections::BTreeMap;
use std::fmt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use url::Url;

use crate::pem;
use crate::public_address::is_public_host;

/// Who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// At least one; no two with the same address.
    pub issuers: Vec<TrustedIssuer>,
    /// What is said about requests without credentials; nothing: it stays as it is.
    pub anonymous: Option<Anonymous>,
}

/// An issuer and what its claims come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// Its address.
    pub url: IssuerUrl,
    /// Where its discovery document is, if not below its address.
    pub discovery_url: Option<IssuerUrl>,
    /// At least one; a token for any of them is taken.
    pub audiences: Vec<String>,
    /// The authorities of its TLS certificate, as PEM; none: those of the machine.
    pub certificate_authority: Option<CertificateAuthority>,
    /// The name.
    pub username: Mapping,
    /// The groups; none are read without it.
    pub groups: Option<Mapping>,
    /// The uid.
    pub uid: Option<Mapping>,
    /// Whatever else: key to CEL expression.
    pub extra: BTreeMap<String, String>,
    /// Claims that must say exactly that.
    pub required_claims: BTreeMap<String, String>,
    /// CEL expressions over `claims` that must be true.
    pub claim_rules: Vec<Condition>,
    /// CEL expressions over `user` that must be true.
    pub user_rules: Vec<Condition>,
    /// The signatures that are taken, where that can be said (flags only); none: RS256.
    pub signing_algorithms: Vec<String>,
    /// Whether its people may have names and groups that begin with `system:`, which are Kubernetes' own.
    pub system_names: SystemNames,
}

/// Whether an issuer may speak for `system:` names, `system:masters` among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SystemNames {
    /// A token that comes to such a name or group is refused.
    #[default]
    Refused,
    /// Whoever names groups at the issuer can be everything in the cluster.
    Dangerous,
}

/// What a claim, or an expression over claims, comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// The claim, behind a prefix.
    Claim {
        /// Its name.
        claim: String,
        /// May be empty.
        prefix: String,
    },
    /// A CEL expression over `claims`.
    Expression(String),
}

/// A CEL expression that must be true, and what is said when it is not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The expression.
    pub expression: String,
    /// What is logged.
    #[serde(default)]
    pub message: String,
}

/// What is said about requests without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// None is taken.
    Refused,
    /// Only for these paths, each compared as a whole.
    For(Vec<String>),
}

/// An address that kube-apiserver takes as an issuer: https, without user, query and fragment. Kept to the byte, because
/// it is compared so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// Checks it as `validateURL` of `apiserver/pkg/apis/apiserver/validation` does.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty: give the issuer as its discovery document says it".to_owned());
        }
        let url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
        if url.scheme() != "https" {
            return Err(format!("`{text}` must begin with https://, or the API server does not start"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an issuer has no user and no password in its address".to_owned());
        }
        if text.contains('?') || text.contains('#') {
            return Err(format!("`{text}` must have no `?` and no `#`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be reached from the public internet, as far as its name says.
    pub fn is_public(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.host().is_some_and(|host| is_public_host(&host)))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One or more certificates as PEM, nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateAuthority(String);

impl CertificateAuthority {
    /// Keeps the certificates of a text, without what stands around them.
    ///
    /// # Errors
    /// There is none in it, or one that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(if text.contains("-----BEGIN") {
                "there is no certificate in it: give the issuer's certificate authority, not a key".to_owned()
            } else {
                "it is not PEM: give the certificates themselves (-----BEGIN CERTIFICATE-----), not a path"
                    .to_owned()
            }),
            Ok(_) => {
                let kept = certificate_blocks(text);
                match pem::check_certificates(&kept) {
                    Ok(()) => Ok(Self(kept)),
                    Err(why) => Err(format!("no API server takes it: {why}")),
                }
            }
            Err(error) => Err(format!("it cannot be read as PEM: {error}")),
        }
    }

    /// The certificates, each with a line end.
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of PEM", self.0.len())
    }
}

/// The lines of certificates, as they are written.
fn certificate_blocks(pem: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in pem.lines().map(str::trim) {
        inside |= line == "-----BEGIN CERTIFICATE-----";
        if inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= line != "-----END CERTIFICATE-----";
    }
    kept
}

/// Why a description is no good, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct AccessError {
    /// `issuers[0].url`
    pub at: String,
    /// What is wrong there, and what to do.
    pub what: String,
}

impl AccessError {
    fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

/// `access.yaml` as people write it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    issuers: Vec<IssuerEntry>,
    #[serde(default)]
    anonymous: Option<AnonymousEntry>,
}

/// `anonymous:` as people write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnonymousEntry {
    enabled: bool,
    #[serde(default)]
    paths: Vec<String>,
}

/// One of `issuers:` as people write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerEntry {
    #[serde(default)]
    url: Option<String>,
    /// `url`, `audiences` and authority are those that the provider of the same file makes.
    #[serde(default)]
    from_provider: bool,
    #[serde(default, rename = "discoveryURL")]
    discovery_url: Option<String>,
    #[serde(default)]
    audiences: Option<Vec<String>>,
    #[serde(default)]
    certificate_authority: Option<String>,
    #[serde(default)]
    certificate_authority_file: Option<String>,
    #[serde(default)]
    username: Option<FileMapping>,
    #[serde(default)]
    groups: Option<FileMapping>,
    #[serde(default)]
    uid: Option<FileMapping>,
    #[serde(default)]
    extra: BTreeMap<String, String>,
    #[serde(default)]
    required_claims: BTreeMap<String, String>,
    #[serde(default)]
    claim_rules: Vec<Condition>,
    #[serde(default)]
    user_rules: Vec<Condition>,
    #[serde(default)]
    signing_algorithms: Vec<String>,
    #[serde(default, rename = "dangerAllowSystemNames")]
    danger_allow_system_names: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMapping {
    #[serde(default)]
    claim: Option<String>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    expression: Option<String>,
}

impl FileMapping {
    fn read(self, at: &str) -> Result<Mapping, AccessError> {
        match self {
            Self { claim: Some(claim), prefix, expression: None } if !claim.is_empty() => {
                Ok(Mapping::Claim { claim, prefix: prefix.unwrap_or_default() })
            }
            Self { claim: None, prefix: None, expression: Some(expression) } if !expression.is_empty() => {
                Ok(Mapping::Expression(expression))
            }
            Self { prefix: Some(_), expression: Some(_), .. } => {
                Err(AccessError::new(at, "an expression has no prefix: put it into the expression"))
            }
            _ => Err(AccessError::new(at, "give either `claim` (and `prefix`) or `expression`")),
        }
    }
}

impl Access {
    /// Reads `access.yaml`. Files that it names are read by `file`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_yaml(text: &str, file: impl Fn(&str) -> Result<String, String>) -> Result<Self, AccessError> {
        let read: File = serde_saphyr::from_str(text).map_err(|error| {
            AccessError::new("the file", error.to_string().lines().next().unwrap_or_default())
        })?;
        Self::from_entries(read.issuers, read.anonymous, None, file)
    }

    /// As [`from_yaml`](Self::from_yaml), of a larger file's sections. `provider` is what entries with `fromProvider` get.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_entries(
        issuers: Vec<IssuerEntry>,
        anonymous: Option<AnonymousEntry>,
        provider: Option<&TrustedIssuer>,
        file: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Self, AccessError> {
        let issuers: Result<Vec<_>, _> = issuers
            .into_iter()
            .enumerate()
            .map(|(index, issuer)| issuer.completed(index, provider)?.read(index, &file))
            .collect();
        let anonymous = anonymous.map(|said| match said {
            AnonymousEntry { enabled: false, paths } if paths.is_empty() => Ok(Anonymous::Refused),
            AnonymousEntry { enabled: true, paths } if !paths.is_empty() => Ok(Anonymous::For(paths)),
            AnonymousEntry { enabled: false, .. } => {
                Err(AccessError::new("anonymous.paths", "paths have a meaning only where `enabled` is true"))
            }
            AnonymousEntry { enabled: true, .. } => Err(AccessError::new(
                "anonymous.paths",
                "say for which paths (/livez, /readyz, /healthz), or leave `anonymous` out to change nothing",
            )),
        });
        Self::new(issuers?, anonymous.transpose()?)
    }

    /// Checks what several issuers must not have in common.
    ///
    /// # Errors
    /// None, more than 64, or two of the same address.
    pub fn new(issuers: Vec<TrustedIssuer>, anonymous: Option<Anonymous>) -> Result<Self, AccessError> {
        if issuers.is_empty() || issuers.len() > 64 {
            return Err(AccessError::new("issuers", "give one to 64 issuers"));
        }
        for (index, issuer) in issuers.iter().enumerate() {
            if issuers.iter().take(index).any(|other| other.url == issuer.url) {
                return Err(AccessError::new(
                    format!("issuers[{index}].url"),
                    format!("{} is there already: put its audiences into one entry", issuer.url),
                ));
            }
        }
        Ok(Self { issuers, anonymous })
    }
}

impl TrustedIssuer {
    /// With the mappings that people expect: the address of the e-mail as the name, `groups` as groups, no prefix.
    pub fn new(url: IssuerUrl, audiences: Vec<String>) -> Self {
        let claim = |claim: &str| Mapping::Claim { claim: claim.to_owned(), prefix: String::new() };
        Self {
            url,
            discovery_url: None,
            audiences,
            certificate_authority: None,
            username: claim("email"),
            groups: Some(claim("groups")),
            uid: None,
            extra: BTreeMap::new(),
            required_claims: BTreeMap::new(),
            claim_rules: Vec::new(),
            user_rules: Vec::new(),
            signing_algorithms: Vec::new(),
            system_names: SystemNames::default(),
        }
    }
}

impl IssuerEntry {
    /// An entry of which the provider says everything, with the usual mappings.
    pub fn of_provider() -> Self {
        Self {
            url: None,
            from_provider: true,
            discovery_url: None,
            audiences: None,
            certificate_authority: None,
            certificate_authority_file: None,
            username: None,
            groups: None,
            uid: None,
            extra: BTreeMap::new(),
            required_claims: BTreeMap::new(),
            claim_rules: Vec::new(),
            user_rules: Vec::new(),
            signing_algorithms: Vec::new(),
            danger_allow_system_names: false,
        }
    }

    /// Whether the provider of the same file says its address.
    pub fn is_of_provider(&self) -> bool {
        self.from_provider
    }

    /// With what the provider says filled in.
    fn completed(self, index: usize, provider: Option<&TrustedIssuer>) -> Result<Self, AccessError> {
        if !self.from_provider {
            return Ok(self);
        }
        let at = |field: &str| format!("issuers[{index}].{field}");
        if self.url.is_some() {
            return Err(AccessError::new(at("url"), "leave it out: `fromProvider` says it"));
        }
        let Some(provider) = provider else {
            let what = "it needs `provider`, `application` and `authorizationServer` in the same file";
            return Err(AccessError::new(at("fromProvider"), what));
        };
        let mut audiences = provider.audiences.clone();
        audiences.extend(self.audiences.into_iter().flatten());
        let has_authority = self.certificate_authority.is_some() || self.certificate_authority_file.is_some();
        let of_provider = provider.certificate_authority.as_ref().filter(|_| !has_authority);
        Ok(Self {
            url: Some(provider.url.as_str().to_owned()),
            audiences: Some(audiences),
            certificate_authority: of_provider
                .map_or(self.certificate_authority, |pem| Some(pem.as_pem().to_owned())),
            ..self
        })
    }

    fn read(
        self,
        index: usize,
        file: &impl Fn(&str) -> Result<String, String>,
    ) -> Result<TrustedIssuer, AccessError> {
        let at = |field: &str| format!("issuers[{index}].{field}");
        let url = IssuerUrl::parse(&self.url.unwrap_or_default())
            .map_err(|what| AccessError::new(at("url"), what))?;
        let discovery_url = self.discovery_url.as_deref().map(IssuerUrl::parse).transpose();
        let discovery_url = discovery_url.map_err(|what| AccessError::new(at("discoveryURL"), what))?;
        let audiences = audiences(self.audiences.unwrap_or_default())
            .map_err(|what| AccessError::new(at("audiences"), what))?;
        let pem = match (self.certificate_authority, self.certificate_authority_file) {
            (Some(_), Some(_)) => {
                let what = "give certificateAuthority or certificateAuthorityFile, not both";
                return Err(AccessError::new(at("certificateAuthority"), what));
            }
            (Some(pem), None) => Some((at("certificateAuthority"), pem)),
            (None, Some(path)) => {
                let at = at("certificateAuthorityFile");
                let pem = file(&path).map_err(|what| AccessError::new(&at, what))?;
                Some((at, pem))
            }
            (None, None) => None,
        };
        let certificate_authority = pem
            .map(|(at, pem)| CertificateAuthority::parse(&pem).map_err(|what| AccessError::new(at, what)))
            .transpose()?;
        let system_names =
            if self.danger_allow_system_names { SystemNames::Dangerous } else { SystemNames::Refused };
        let plain = TrustedIssuer::new(url, audiences);
        Ok(TrustedIssuer {
            discovery_url,
            certificate_authority,
            username: self.username.map_or(Ok(plain.username), |given| given.read(&at("username")))?,
            groups: self.groups.map_or(Ok(plain.groups), |given| given.read(&at("groups")).map(Some))?,
            uid: self.uid.map(|given| given.read(&at("uid"))).transpose()?,
            extra: self.extra,
            required_claims: self.required_claims,
            claim_rules: self.claim_rules,
            user_rules: self.user_rules,
            signing_algorithms: self.signing_algorithms,
            system_names,
            url: plain.url,
            audiences: plain.audiences,
        })
    }
}

/// Audiences that kube-apiserver takes: at least one, none empty, none twice.
///
/// # Errors
/// What is wrong with them.
pub fn audiences(given: Vec<String>) -> Result<Vec<String>, String> {
    if given.is_empty() || given.iter().any(String::is_empty) {
        return Err("give the client id that the tokens are for".to_owned());
    }
    match given.iter().enumerate().find(|(index, one)| given.iter().take(*index).any(|other| other == *one)) {
        Some((_, twice)) => Err(format!("`{twice}` stands there twice")),
        None => Ok(given),
    }
}

#[cfg(test)]
mod tests;
