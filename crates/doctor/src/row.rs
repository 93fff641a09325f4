//! What the catalogue says about one failure.

use crate::CheckId;
use crate::place::Place;

/// One failure that people have had, and what to do about it.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub id: CheckId,
    /// What is wrong, as a short sentence without a full stop.
    pub title: &'static str,
    /// What the person sees.
    pub symptom: &'static str,
    /// What the API server's log, or another signal, says. Empty: nothing.
    pub log: &'static [&'static str],
    /// Where the evidence lies.
    pub looks_at: &'static [Source],
    /// How it comes about.
    pub cause: &'static str,
    /// Why it matters, beyond the command that failed.
    pub why: &'static str,
    /// What `expected` and `got` are, where a text or the evidence gives the two.
    pub compares: Option<Compared>,
    /// What to change; the first is the usual one.
    pub mends: &'static [Mend],
    /// How to see that it is mended.
    pub retest: &'static str,
    /// Texts by which it is recognised.
    pub signs: &'static [Sign],
}

/// The two sides of a comparison, in words.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Compared {
    /// Whose is what was expected.
    pub expected: &'static str,
    /// Whose is what came.
    pub got: &'static str,
}

/// Where evidence lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The provider's endpoints: discovery, keys, certificate.
    Issuer,
    /// The token that is sent.
    Token,
    /// The API server's flags, or its AuthenticationConfiguration.
    Flags,
    /// The API server itself: its answers, metrics and log; its pod.
    Cluster,
    /// The kubeconfig, and the plugin's arguments in it.
    Kubeconfig,
    /// Roles and bindings.
    Rbac,
}

impl Source {
    /// As a reader says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issuer => "the issuer's endpoints",
            Self::Token => "the token",
            Self::Flags => "the API server's settings",
            Self::Cluster => "the API server's answers and log",
            Self::Kubeconfig => "the kubeconfig",
            Self::Rbac => "roles and bindings",
        }
    }
}

/// Something to change. `{name}` in a line stands for what was found of that name (`{expected}`, `{claim}` …).
#[derive(Clone, Copy, Debug)]
pub enum Mend {
    /// A flag of kube-apiserver, which each kind of cluster has in another place.
    Flag {
        /// Without the dashes.
        name: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// The same in an AuthenticationConfiguration.
    Authentication {
        /// The lines, beginning at `jwt`'s element.
        yaml: &'static str,
    },
    /// Lines for another place.
    At {
        /// Where.
        place: Place,
        /// What to write, run or set.
        line: &'static str,
    },
}

/// A text that speaks of a row.
#[derive(Debug)]
pub struct Sign {
    /// A part that must be there letter by letter: looked for first, because it is cheap.
    pub needle: &'static str,
    /// The regular expression. Its named groups are facts; `expected` and `got` are shown side by side.
    pub pattern: &'static str,
    /// How much it proves.
    pub strength: Strength,
}

/// How much a text proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// It fits; other causes give the same text.
    Possible,
    /// Seldom anything else.
    Likely,
    /// Nothing else gives this text.
    Certain,
}

impl Strength {
    /// As a reader says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

pub(crate) const fn certain(needle: &'static str, pattern: &'static str) -> Sign {
    Sign { needle, pattern, strength: Strength::Certain }
}

pub(crate) const fn likely(needle: &'static str, pattern: &'static str) -> Sign {
    Sign { needle, pattern, strength: Strength::Likely }
}

pub(crate) const fn possible(needle: &'static str, pattern: &'static str) -> Sign {
    Sign { needle, pattern, strength: Strength::Possible }
}

pub(crate) const fn flag(name: &'static str, value: &'static str) -> Mend {
    Mend::Flag { name, value }
}

pub(crate) const fn authentication(yaml: &'static str) -> Mend {
    Mend::Authentication { yaml }
}

pub(crate) const fn at(place: Place, line: &'static str) -> Mend {
    Mend::At { place, line }
}

pub(crate) const fn compared(expected: &'static str, got: &'static str) -> Compared {
    Compared { expected, got }
}
