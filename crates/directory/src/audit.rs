//! The audit trail: who did what, when.
//!
//! Only what people did who signed in, and what administrators changed. Failed sign-ins go to the log, where
//! an anonymous flood meets the log's own rotation instead of the database; with the one exception that an account is
//! being guessed at, which is written once in a row of failures, for accounts that exist, and takes half a minute.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::id::AuditEventId;

/// How it came out; Okta's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

impl Outcome {
    /// Okta's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
        }
    }

    /// The outcome of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// The id.
    pub id: AuditEventId,
    /// When.
    pub published: Timestamp,
    /// What, in Okta's words: `user.session.start`, `app.oauth2.token.grant` …
    pub event_type: String,
    /// Who: an id (`00u…`, `0oa…`) or a word (`system`).
    pub actor: String,
    /// To what: an id, if there is one.
    pub target: Option<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// A sentence for people; why, if it was refused. No secrets.
    pub message: String,
    /// Whatever else helps: client address, scopes, policy and rule.
    pub details: Map<String, Value>,
}
