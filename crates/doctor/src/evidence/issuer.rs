//! What the issuer's endpoints answered.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// What was asked, and what came.
#[derive(Clone, Debug)]
pub struct IssuerEvidence {
    /// The issuer that was asked for.
    pub url: String,
    /// The discovery document's address.
    pub discovery_url: String,
    /// Its answer.
    pub discovery: Answer,
    /// The address of the keys, if the document names one.
    pub jwks_uri: Option<String>,
    /// The keys.
    pub keys: Option<Answer>,
    /// This machine's time when the answer came.
    pub asked_at: Timestamp,
}

/// How a provider took an authorization request on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The client that asked.
    pub client_id: String,
    /// Where it wanted to be sent back to.
    pub redirect_uri: String,
    /// The status of the answer.
    pub status: u16,
    /// The error with which it was sent back, if it was.
    pub error: Option<String>,
}

/// An answer, or why there is none.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It came.
    Came {
        /// The status.
        status: u16,
        /// `Content-Type`.
        content_type: String,
        /// `Cache-Control`'s max-age.
        max_age: Option<Duration>,
        /// `Date`.
        date: Option<Timestamp>,
        /// The JSON in it.
        json: Option<Value>,
    },
    /// It did not; the whole sentence.
    Failed(String),
}

impl Answer {
    /// The JSON of an answer with status 200.
    pub fn json(&self) -> Option<&Value> {
        match self {
            Self::Came { status: 200, json, .. } => json.as_ref(),
            _ => None,
        }
    }

    /// Why nothing came.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(sentence) => Some(sentence),
            Self::Came { .. } => None,
        }
    }
}

impl IssuerEvidence {
    /// A text of the discovery document.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.discovery.json()?.get(name)?.as_str()
    }

    /// A list of the discovery document; none if it does not say.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        self.discovery.json()?.get(name).map(super::token::texts)
    }

    /// The key ids; none if the keys did not come.
    pub fn key_ids(&self) -> Option<Vec<String>> {
        let keys = self.keys.as_ref()?.json()?.get("keys")?.as_array()?;
        Some(
            keys.iter()
                .map(|key| key.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned())
                .collect(),
        )
    }
}
