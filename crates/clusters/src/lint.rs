//! What an API server would refuse, before it is asked: an AuthenticationConfiguration, flags, and the two together.
//!
//! The rules are kube-apiserver's own, one by one (`apiserver/pkg/apis/apiserver/validation`, `pkg/kubeapiserver/options`),
//! and so are the words of a refusal; a test puts every case to its code too. Beside them stand what a distribution adds
//! ([`Target`]) and what a version lacks ([`KubernetesVersion`]).
//!
//! What an expression of CEL says is not looked at: [`Lint::expressions`] names those that were passed over.
//!
//! ```
//! use kubesso_clusters::lint::{Lint, Subject};
//!
//! let file = "apiVersion: apiserver.config.k8s.io/v1
//! kind: AuthenticationConfiguration
//! jwt:
//! - issuer: {url: 'https://sso.example.com', audiences: [kubernetes]}
//!   claimMappings:
//!     username: {claim: email}
//! ";
//! let lint = Lint::of(&Subject { file: Some(file), ..Subject::default() });
//! let finding = &lint.findings[0];
//! assert_eq!((finding.id(), finding.line), ("KS036".to_owned(), Some(6)));
//! assert_eq!(finding.field, "jwt[0].claimMappings.username.prefix");
//! assert_eq!(finding.instead, "prefix: \"\"   # or what is to stand before every name, such as \"oidc:\"");
//! ```

mod cel_scan;
mod decoding;
mod flags;
mod mounts;
mod targets;
mod validation;
mod versions;

use kubesso_k8s_types::authentication_configuration::AuthenticationConfiguration;
use serde::{Serialize, Serializer};

use crate::kubernetes_version::KubernetesVersion;
use crate::target::Target;

pub use mounts::Mount;

/// What is looked at. Whatever is not known is left out, and what needs it is not judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// kube-apiserver's flags in order, without dashes; none: they are not known.
    pub flags: Option<&'a [(String, String)]>,
    /// The text of the AuthenticationConfiguration.
    pub file: Option<&'a str>,
    /// The content of `--oidc-ca-file`.
    pub ca_file: Option<&'a str>,
    /// What is mounted into the pod of the API server, if it has one.
    pub mounts: Option<&'a [Mount]>,
    /// The kind of cluster.
    pub target: Option<Target>,
    /// The distribution's own version, where it is not Kubernetes' (Talos, k0s).
    pub target_version: Option<KubernetesVersion>,
    /// The version of Kubernetes.
    pub kubernetes: Option<KubernetesVersion>,
    /// The issuers of service accounts, besides what the flags say.
    pub service_account_issuers: &'a [String],
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lint {
    /// In the order in which an API server would say it; what it takes nevertheless comes last.
    pub findings: Vec<Finding>,
    /// The fields with an expression of CEL, which is not looked at.
    pub expressions: Vec<String>,
    /// What the file says, if it can be read.
    #[serde(skip)]
    pub configuration: Option<AuthenticationConfiguration>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The number of the failure in the doctor's catalogue.
    #[serde(rename = "id", serialize_with = "as_id")]
    pub row: u8,
    /// What becomes of it.
    pub effect: Effect,
    /// The field (`jwt[0].issuer.url`), or the flag with its dashes.
    pub field: String,
    /// The line of the file, from 1; none for a flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong, as a sentence.
    pub what: String,
    /// What stands there, if that says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// The API server's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// What to write instead.
    pub instead: String,
}

/// What becomes of something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The API server does not start with it; or, where only the file changed, keeps what it had.
    Refused,
    /// The distribution or the cloud refuses it before an API server sees it.
    RefusedByTarget,
    /// It is taken, and something in the cluster fails by it.
    Harms,
    /// It is taken, and does not do what is meant.
    Works,
}

impl Finding {
    /// The name of the failure in the doctor's catalogue: `KS036`.
    pub fn id(&self) -> String {
        format!("KS{:03}", self.row)
    }

    fn flag(
        row: u8,
        effect: Effect,
        name: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            row,
            effect,
            field: format!("--{name}"),
            line: None,
            what: what.into(),
            got: None,
            upstream: None,
            instead: instead.into(),
        }
    }

    fn got(self, got: impl Into<String>) -> Self {
        Self { got: Some(got.into()), ..self }
    }

    fn upstream(self, words: impl Into<String>) -> Self {
        Self { upstream: Some(words.into()), ..self }
    }
}

impl Lint {
    /// Looks at what is there.
    pub fn of(subject: &Subject<'_>) -> Self {
        let mut lint = Self::default();
        if let Some(text) = subject.file {
            lint.file(text, subject);
        }
        if let Some(given) = subject.flags {
            let flags = flags::Flags::new(given, subject.target);
            lint.findings.extend(flags.findings(subject, lint.configuration.as_ref()));
            if let Some(mounts) = subject.mounts {
                lint.findings.extend(mounts::findings(&flags, mounts));
            }
        }
        lint.findings.extend(targets::findings(subject, lint.configuration.as_ref()));
        lint.findings.extend(versions::findings(subject, lint.configuration.as_ref()));
        lint.findings.sort_by_key(|finding| finding.effect);
        lint
    }

    /// Whether no API server refuses it, as far as can be seen.
    pub fn is_accepted(&self) -> bool {
        self.findings.iter().all(|finding| finding.effect >= Effect::Harms)
    }

    fn file(&mut self, text: &str, subject: &Subject<'_>) {
        match decoding::decode(text) {
            Err(findings) => self.findings.extend(findings),
            Ok((configuration, reading)) => {
                let of_flags = subject.flags.unwrap_or_default().iter();
                let of_flags =
                    of_flags.filter(|(name, _)| name == "service-account-issuer").map(|(_, url)| url);
                let disallowed: Vec<_> = of_flags.chain(subject.service_account_issuers).cloned().collect();
                let found = validation::validate(&configuration, &disallowed);
                self.findings.extend(found.problems.into_iter().map(|it| it.in_file(&reading)));
                self.expressions = found.expressions;
                self.configuration = Some(configuration);
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn as_id<S: Serializer>(row: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("KS{row:03}"))
}

#[cfg(test)]
mod tests;
