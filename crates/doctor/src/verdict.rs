//! What a check says.

use serde::Serialize;

use crate::facts::FilledMend;

/// What a check says of the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well; what was compared.
    Pass(String),
    /// Something is wrong.
    Finding(Box<Found>),
    /// It cannot say; what is missing.
    NotLookedAt(&'static str),
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing fails.
    Note,
    /// Something will fail, or does for some.
    Warning,
    /// It fails.
    Error,
}

impl Severity {
    /// As a reader says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How bad it is.
    pub severity: Severity,
    /// What exactly, as a sentence.
    pub said: String,
    /// What was expected.
    pub expected: Option<String>,
    /// What came.
    pub got: Option<String>,
    /// Names for the lines to change (`claim`, `host` …).
    pub facts: Vec<(&'static str, String)>,
    /// The API server's own words, if it says any.
    pub upstream: Option<String>,
    /// What exactly to change, where it is known better than by the row.
    pub mends: Vec<FilledMend>,
    /// How exactly to see that it is mended, where it is known better than by the row.
    pub retest: Option<String>,
}

impl Found {
    /// With a sentence that says what exactly is wrong.
    pub(crate) fn new(severity: Severity, said: impl Into<String>) -> Self {
        Self {
            severity,
            said: said.into(),
            expected: None,
            got: None,
            facts: Vec::new(),
            upstream: None,
            mends: Vec::new(),
            retest: None,
        }
    }

    pub(crate) fn pair(self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), got: Some(got.into()), ..self }
    }

    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }
}

impl From<Found> for Verdict {
    fn from(found: Found) -> Self {
        Self::Finding(Box::new(found))
    }
}

pub(crate) fn error(said: impl Into<String>) -> Found {
    Found::new(Severity::Error, said)
}

pub(crate) fn warning(said: impl Into<String>) -> Found {
    Found::new(Severity::Warning, said)
}

pub(crate) fn note(said: impl Into<String>) -> Found {
    Found::new(Severity::Note, said)
}

pub(crate) fn pass(compared: impl Into<String>) -> Verdict {
    Verdict::Pass(compared.into())
}

pub(crate) fn missing(what: &'static str) -> Verdict {
    Verdict::NotLookedAt(what)
}
