//! What an API server is told: its flags, its AuthenticationConfiguration, and the issuers that they come to.

use kubesso_clusters::lint::{Lint, Mount, Subject};
use kubesso_k8s_types::authentication_configuration::{
    AuthenticationConfiguration, JwtAuthenticator, PrefixedClaimOrExpression,
};
use serde_json::Value;

use kubesso_clusters::{KubernetesVersion, Target, Unfinished};

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
    /// The content of `--oidc-ca-file`, or of the authorities that a resource names, given beside it.
    pub ca_pem: Option<String>,
    /// The version of Kubernetes.
    pub kubernetes: Option<KubernetesVersion>,
    /// Whether the issuer has authorities of its own that the file only names.
    pub lacks_authorities: bool,
    /// What a cloud says of settings that are not in force.
    pub unfinished: Option<Unfinished>,
}

/// What of a static pod decides whether a file is there.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// What is mounted into the container.
    pub mounts: Vec<Mount>,
    /// Names and values of proxy variables.
    pub proxies: Vec<(String, String)>,
}

/// An AuthenticationConfiguration as it was given.
#[derive(Clone, Debug)]
pub struct AuthenticationFile {
    /// Its text.
    pub text: String,
    /// Whether it was made of a cloud's answer, and is nobody's file.
    pub is_answer: bool,
}

impl AuthenticationFile {
    /// What an API server reads in it; none if it would not take the file's form.
    pub fn configuration(&self) -> Option<AuthenticationConfiguration> {
        Lint::of(&Subject { file: Some(&self.text), ..Subject::default() }).configuration
    }

    /// What it says, whatever that is; the text itself if it is no YAML.
    pub(crate) fn value(&self) -> Value {
        kubesso_kubeconfig::Reading::of(&self.text)
            .map_or_else(|_| Value::String(self.text.clone()), |it| it.value)
    }
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

    /// What an API server, or the distribution, would refuse of them.
    pub fn lint(&self, target: Option<Target>) -> Lint {
        let is_answer = self.authentication.as_ref().is_some_and(|file| file.is_answer);
        // That a cloud has no such file is no fault of what it answers.
        let target = target.or(self.target).filter(|target| !is_answer || *target != Target::Gke);
        Lint::of(&Subject {
            flags: self.has_flags.then_some(&self.flags),
            file: self.authentication.as_ref().map(|file| file.text.as_str()),
            ca_file: self.ca_pem.as_deref().filter(|_| self.flag("oidc-ca-file").is_some()),
            mounts: self.pod.as_ref().map(|pod| pod.mounts.as_slice()),
            target,
            kubernetes: self.kubernetes,
            ..Subject::default()
        })
    }

    /// The issuers that these settings come to.
    pub fn trusted(&self) -> Vec<Trusted> {
        let by_file = self.authentication.as_ref().and_then(AuthenticationFile::configuration);
        let mut trusted: Vec<_> = by_file.map(from_file).unwrap_or_default();
        if self.lacks_authorities {
            for issuer in trusted.iter_mut().filter(|issuer| issuer.ca_pem.is_none()) {
                issuer.ca_pem.clone_from(&self.ca_pem);
            }
        }
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

/// The issuers of a file.
fn from_file(configuration: AuthenticationConfiguration) -> Vec<Trusted> {
    let mapping = |mapping: PrefixedClaimOrExpression| match (mapping.claim, mapping.expression) {
        (claim, _) if !claim.is_empty() => {
            Mapping::Claim { claim, prefix: mapping.prefix.unwrap_or_default() }
        }
        (_, expression) if !expression.is_empty() => Mapping::Expression,
        _ => Mapping::Nothing,
    };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let one = |jwt: JwtAuthenticator| {
        let has_rules = jwt.claim_validation_rules.iter().any(|rule| !rule.expression.is_empty())
            || !jwt.user_validation_rules.is_empty();
        let rules = jwt.claim_validation_rules.into_iter().filter(|rule| !rule.claim.is_empty());
        Some(Trusted {
            url: filled(jwt.issuer.url)?,
            discovery_url: jwt.issuer.discovery_url.and_then(filled),
            audiences: jwt.issuer.audiences,
            ca_pem: filled(jwt.issuer.certificate_authority),
            algorithms: Some(ALL_ALGORITHMS.map(str::to_owned).to_vec()),
            username: mapping(jwt.claim_mappings.username),
            groups: mapping(jwt.claim_mappings.groups),
            has_rules,
            required: rules.map(|rule| (rule.claim, rule.required_value)).collect(),
        })
    };
    configuration.jwt.into_iter().filter_map(one).collect()
}
