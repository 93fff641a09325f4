//! What an API server is told: its flags, its AuthenticationConfiguration, and the issuers that they come to.

use serde_json::Value;

use super::token::texts;
use crate::place::Target;

/// The settings of an API server, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The kind of cluster that the file is of; none if nothing says it.
    pub target: Option<Target>,
    /// Flags in order, without dashes.
    pub flags: Vec<(String, String)>,
    /// Whether there are flags at all: an empty list is something else than none.
    pub has_flags: bool,
    /// The pod that it runs in, if the file is a static pod's.
    pub pod: Option<Pod>,
    /// The AuthenticationConfiguration.
    pub authentication: Option<AuthenticationFile>,
    /// The content of `--oidc-ca-file`, given beside it.
    pub ca_pem: Option<String>,
}

/// What of a static pod decides whether a file is there.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// Paths in the container that are mounted.
    pub mounts: Vec<String>,
    /// Names and values of proxy variables.
    pub proxies: Vec<(String, String)>,
}

/// An AuthenticationConfiguration as it was given.
#[derive(Clone, Debug)]
pub struct AuthenticationFile {
    /// Its text.
    pub text: String,
    /// Its content; or why it is no YAML.
    pub value: Result<Value, String>,
}

/// An issuer that the API server trusts.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// Compared with `iss` byte by byte.
    pub url: String,
    /// Where the discovery document lies, if elsewhere.
    pub discovery_url: Option<String>,
    /// Any of these must be in `aud`. Empty: not known.
    pub audiences: Vec<String>,
    /// Exactly these authorities; none: the machine's.
    pub ca_pem: Option<String>,
    /// What tokens may be signed with. None: not known.
    pub algorithms: Option<Vec<String>>,
    /// The user's name.
    pub username: Mapping,
    /// The groups.
    pub groups: Mapping,
    /// Claims that must have a value.
    pub required: Vec<(String, String)>,
    /// Whether rules in CEL decide too.
    pub has_rules: bool,
}

/// Where a name or groups come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// A claim, with something before its value.
    Claim {
        /// Its name.
        claim: String,
        /// May be empty.
        prefix: String,
    },
    /// In CEL.
    Expression,
    /// Nothing.
    Nothing,
    /// Nobody said.
    Unknown,
}

/// The nine that an AuthenticationConfiguration accepts.
const ALL_ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

impl Settings {
    /// The value of a flag: the last one counts.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// All values of a flag that may be given several times.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(move |(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// The names of the `oidc-` flags that are set.
    pub fn oidc_flags(&self) -> Vec<&str> {
        self.flags.iter().map(|(flag, _)| flag.as_str()).filter(|flag| flag.starts_with("oidc-")).collect()
    }

    /// The issuers that these settings come to.
    pub fn trusted(&self) -> Vec<Trusted> {
        let by_file = self.authentication.as_ref().and_then(|file| file.value.as_ref().ok());
        let mut trusted: Vec<_> = by_file.map(from_file).unwrap_or_default();
        trusted.extend(self.by_flags());
        trusted
    }

    /// What the flags come to, with kube-apiserver's defaults.
    fn by_flags(&self) -> Option<Trusted> {
        let filled = |name| self.flag(name).filter(|value| !value.is_empty());
        let url = filled("oidc-issuer-url")?.to_owned();
        let claim = self.flag("oidc-username-claim").unwrap_or("sub").to_owned();
        let prefix = match self.flag("oidc-username-prefix").unwrap_or_default() {
            "" if claim != "email" => format!("{url}#"),
            "-" => String::new(),
            prefix => prefix.to_owned(),
        };
        let groups = filled("oidc-groups-claim").map_or(Mapping::Nothing, |claim| Mapping::Claim {
            claim: claim.to_owned(),
            prefix: self.flag("oidc-groups-prefix").unwrap_or_default().to_owned(),
        });
        let algorithms =
            filled("oidc-signing-algs").unwrap_or("RS256").split(',').map(str::to_owned).collect();
        let required = self.all("oidc-required-claim").filter_map(|pair| {
            let (claim, value) = pair.split_once('=')?;
            Some((claim.trim().to_owned(), value.trim().to_owned()))
        });
        Some(Trusted {
            discovery_url: None,
            audiences: filled("oidc-client-id").map(str::to_owned).into_iter().collect(),
            ca_pem: self.ca_pem.clone(),
            algorithms: Some(algorithms),
            username: Mapping::Claim { claim, prefix },
            groups,
            required: required.collect(),
            has_rules: false,
            url,
        })
    }
}

/// The elements of `jwt`, as far as they can be read; what is wrong with them is for the lints to say.
fn from_file(value: &Value) -> Vec<Trusted> {
    let authenticators = value.get("jwt").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value, path: &str| {
        value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let mapping = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Mapping::Nothing,
        Some(value) => match (text(value, "/claim"), text(value, "/expression")) {
            (Some(claim), _) => Mapping::Claim { claim, prefix: text(value, "/prefix").unwrap_or_default() },
            (None, Some(_)) => Mapping::Expression,
            (None, None) => Mapping::Nothing,
        },
    };
    let one = |jwt: &Value| {
        let rules = |name: &str| jwt.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let claim_rules = rules("claimValidationRules");
        let required = claim_rules.iter().filter_map(|rule| {
            Some((text(rule, "/claim")?, text(rule, "/requiredValue").unwrap_or_default()))
        });
        Some(Trusted {
            url: text(jwt, "/issuer/url")?,
            discovery_url: text(jwt, "/issuer/discoveryURL"),
            audiences: jwt.pointer("/issuer/audiences").map(texts).unwrap_or_default(),
            ca_pem: text(jwt, "/issuer/certificateAuthority"),
            algorithms: Some(ALL_ALGORITHMS.map(str::to_owned).to_vec()),
            username: mapping(jwt.pointer("/claimMappings/username")),
            groups: mapping(jwt.pointer("/claimMappings/groups")),
            has_rules: claim_rules.iter().any(|rule| rule.get("expression").is_some())
                || !rules("userValidationRules").is_empty(),
            required: required.collect(),
        })
    };
    authenticators.iter().filter_map(one).collect()
}
