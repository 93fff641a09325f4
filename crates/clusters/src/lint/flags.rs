//! Flags of kube-apiserver, alone and together with the file.

use kubesso_k8s_types::authentication_configuration::{
    AuthenticationConfiguration, ClaimMappings, Issuer, JwtAuthenticator, PrefixedClaimOrExpression,
};
use kubesso_k8s_types::go::quote;

use super::validation::{Problem, validate};
use super::{Effect, Finding, Subject};
use crate::flag_line::flag_line;
use crate::pem;
use crate::target::Target;

/// The flags for OpenID Connect: kube-apiserver knows no other that begins with `oidc-`.
const OIDC: [&str; 9] = [
    "oidc-issuer-url",
    "oidc-client-id",
    "oidc-ca-file",
    "oidc-username-claim",
    "oidc-username-prefix",
    "oidc-groups-claim",
    "oidc-groups-prefix",
    "oidc-signing-algs",
    "oidc-required-claim",
];

/// What a token may be signed with.
const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

/// Flags in order.
pub(super) struct Flags<'a> {
    given: &'a [(String, String)],
    target: Option<Target>,
}

impl<'a> Flags<'a> {
    pub(super) fn new(given: &'a [(String, String)], target: Option<Target>) -> Self {
        Self { given, target }
    }

    /// The value of a flag: the last one counts.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.given.iter().rev().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// A value that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&'a str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// The names of the flags for OpenID Connect that are set.
    pub(super) fn oidc(&self) -> Vec<&'a str> {
        let mut names: Vec<_> = self
            .given
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| name.starts_with("oidc-"))
            .collect();
        names.dedup();
        names
    }

    /// How the flag is written in this kind of cluster.
    pub(super) fn line(&self, name: &str, value: &str) -> String {
        flag_line(self.target.unwrap_or(Target::StaticPod), name, value)
    }

    pub(super) fn findings(
        &self,
        subject: &Subject<'_>,
        file: Option<&AuthenticationConfiguration>,
    ) -> Vec<Finding> {
        let mut findings = self.unknown();
        let has_file = self.filled("authentication-config").is_some() || subject.file.is_some();
        if has_file {
            findings.extend(self.file_beside_flags());
        } else if !self.oidc().is_empty() {
            findings.extend(self.oidc_alone(subject));
        }
        findings.extend(self.anonymous(file));
        findings.extend(self.authorization_mode());
        findings
    }

    fn unknown(&self) -> Vec<Finding> {
        let unknown = self.oidc().into_iter().filter(|name| !OIDC.contains(name));
        unknown
            .map(|name| {
                let known: Vec<_> = OIDC.iter().map(|known| format!("--{known}")).collect();
                let instead = format!("one of: {}", known.join(", "));
                Finding::flag(41, Effect::Refused, name, format!("there is no flag --{name}"), instead)
                    .upstream(format!("unknown flag: --{name}"))
            })
            .collect()
    }

    fn file_beside_flags(&self) -> Option<Finding> {
        let flags = self.oidc();
        if flags.is_empty() {
            return None;
        }
        let got: Vec<_> = flags.iter().map(|name| format!("--{name}")).collect();
        let finding = Finding::flag(
            34,
            Effect::Refused,
            "authentication-config",
            "the file and flags for OpenID Connect are both there",
            "no --oidc-… flag; what they said goes into the file's jwt[], with the username's prefix written out: the flags \
             gave ISSUER# to every claim but email",
        );
        let upstream = "authentication-config file and oidc-* flags are mutually exclusive";
        Some(finding.got(got.join(", ")).upstream(upstream))
    }

    /// What the flags come to, judged as the file is.
    fn oidc_alone(&self, subject: &Subject<'_>) -> Vec<Finding> {
        let mut findings = self.pairs_and_algorithms();
        let (url, client) = (self.filled("oidc-issuer-url"), self.filled("oidc-client-id"));
        let (Some(url), Some(client)) = (url, client) else {
            let lacking = if url.is_none() { "oidc-issuer-url" } else { "oidc-client-id" };
            let value = if url.is_none() { "https://…" } else { "CLIENT-ID" };
            let flags: Vec<_> = self.oidc().iter().map(|name| format!("--{name}")).collect();
            let both = if url.is_none() && client.is_none() { " and --oidc-client-id" } else { "" };
            let finding = Finding::flag(
                41,
                Effect::Refused,
                lacking,
                format!("--{lacking}{both} is missing beside the other flags for OpenID Connect"),
                self.line(lacking, value),
            );
            let upstream =
                "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set";
            findings.push(finding.got(flags.join(", ")).upstream(upstream));
            return findings;
        };
        let mapping = |claim: &str| PrefixedClaimOrExpression {
            claim: claim.to_owned(),
            prefix: Some(String::new()),
            ..PrefixedClaimOrExpression::default()
        };
        let configuration = AuthenticationConfiguration {
            jwt: vec![JwtAuthenticator {
                issuer: Issuer {
                    url: url.to_owned(),
                    audiences: vec![client.to_owned()],
                    ..Issuer::default()
                },
                claim_mappings: ClaimMappings {
                    username: mapping(self.value("oidc-username-claim").unwrap_or("sub")),
                    ..ClaimMappings::default()
                },
                ..JwtAuthenticator::default()
            }],
            ..AuthenticationConfiguration::default()
        };
        let own = self.all("service-account-issuer").map(str::to_owned);
        let disallowed: Vec<_> = own.chain(subject.service_account_issuers.iter().cloned()).collect();
        findings
            .extend(validate(&configuration, &disallowed).problems.into_iter().map(|it| self.of_field(it)));
        if let Some(why) = subject.ca_file.and_then(|text| pem::check_certificates(text).err()) {
            let instead = "the certificates themselves, from -----BEGIN CERTIFICATE----- on";
            let finding = Finding::flag(
                37,
                Effect::Refused,
                "oidc-ca-file",
                "the file holds no certificate in PEM",
                instead,
            );
            let upstream = format!("jwt[0].issuer.certificateAuthority: Invalid value: \"<omitted>\": {why}");
            findings.push(finding.upstream(upstream));
        }
        findings
    }

    /// What validation says of a field, said of the flag that filled it.
    fn of_field(&self, problem: Problem) -> Finding {
        let (name, value) = match problem.field.as_str() {
            "jwt[0].issuer.url" => ("oidc-issuer-url", problem.instead.as_str()),
            "jwt[0].claimMappings.username" => ("oidc-username-claim", "sub"),
            _ => ("oidc-client-id", problem.instead.as_str()),
        };
        let what = problem.what.replacen(&problem.field, &format!("--{name}"), 1);
        Finding {
            got: problem.got,
            ..Finding::flag(problem.row, Effect::Refused, name, what, self.line(name, value))
        }
        .upstream(format!("{}: {}", problem.field, problem.body))
    }

    fn pairs_and_algorithms(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for pair in self.all("oidc-required-claim").filter(|pair| !pair.contains('=')) {
            let name = "oidc-required-claim";
            let finding = Finding::flag(
                20,
                Effect::Refused,
                name,
                "a required claim is CLAIM=VALUE",
                self.line(name, "CLAIM=VALUE"),
            );
            let upstream = format!(
                "invalid argument {} for \"--{name}\" flag: malformed pair, expect string=string",
                quote(pair)
            );
            findings.push(finding.got(pair).upstream(upstream));
        }
        let algorithms = self.all("oidc-signing-algs").flat_map(|value| value.split(','));
        for algorithm in algorithms.filter(|it| !ALGORITHMS.contains(it) && !it.is_empty()) {
            let name = "oidc-signing-algs";
            let what = format!("kube-apiserver knows no signature {algorithm}");
            let finding = Finding::flag(15, Effect::Refused, name, what, self.line(name, "RS256,ES256"));
            let upstream = format!("oidc: unsupported signing alg: {}", quote(algorithm));
            findings.push(finding.got(algorithm).upstream(upstream));
        }
        findings
    }

    fn anonymous(&self, file: Option<&AuthenticationConfiguration>) -> Option<Finding> {
        let value = self.value("anonymous-auth")?;
        file?.anonymous.as_ref()?;
        let finding = Finding::flag(
            35,
            Effect::Refused,
            "anonymous-auth",
            "the file has an `anonymous` block, and the flag is there too",
            "no `anonymous:` block in the file, or no --anonymous-auth",
        );
        let upstream = "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in \
                        authentication configuration file";
        Some(finding.got(format!("--anonymous-auth={value} and anonymous:")).upstream(upstream))
    }

    fn authorization_mode(&self) -> Option<Finding> {
        let name = "authorization-mode";
        let mode = self.value(name)?;
        let modes: Vec<_> = mode.split(',').map(str::trim).collect();
        let what = if !modes.contains(&"RBAC") {
            "without RBAC no binding decides anything"
        } else if !modes.contains(&"Node") {
            "without Node the kubelets are allowed nothing"
        } else {
            return None;
        };
        Some(Finding::flag(62, Effect::Harms, name, what, self.line(name, "Node,RBAC")).got(mode))
    }
}
