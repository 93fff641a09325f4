//! The text of one kubeconfig, and changes to it that leave everything else as it was.
//!
//! A change is made at the positions that the parser gives, one small patch after the other. Then the whole text is
//! parsed again: unless it says what it said before, but for the one thing that was asked for, the change is
//! refused. So a form of YAML that nobody thought of costs an error message, never somebody's configuration.

mod excerpt;
mod flow;
mod lines;
mod patch;
mod render;

use std::fmt;

use kubesso_k8s_types::kubeconfig::Config;
use serde::Serialize;
use serde_json::Value;

use crate::decode::{self, Undecodable};
use crate::mask;
use crate::place::Place;
use crate::yaml::{self, Parsed, Unreadable};

pub use excerpt::Excerpt;

/// The text of one kubeconfig.
#[derive(Clone)]
pub struct Document {
    text: String,
    parsed: Parsed,
}

/// Why a document was not changed. Its text is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The same key, or name in a list, more than once on the way.
    #[error("{place} cannot be changed: it is there more than once; remove all but one")]
    Ambiguous {
        /// Where.
        place: Place,
    },
    /// Something else is where a mapping or a list must be.
    #[error("{place} cannot be set: on the way to it is something that is no {wanted}; mend the file first")]
    InTheWay {
        /// Where.
        place: Place,
        /// `mapping` or `list`
        wanted: &'static str,
    },
    /// More than one YAML document.
    #[error(
        "the file holds more than one YAML document, of which kubectl reads the first; split it before it is changed"
    )]
    SeveralDocuments,
    /// An alias, a `? key`, or some other form; or the proof failed.
    #[error("{place} cannot be changed without touching the rest of the file ({why}); change it by hand")]
    Unsafe {
        /// Where.
        place: Place,
        /// What stands in the way.
        why: &'static str,
    },
    /// The given value has no JSON.
    #[error("the new value of {place} cannot be written")]
    Value {
        /// Where.
        place: Place,
    },
}

impl Document {
    /// Reads a text as kubectl does. The empty text is an empty kubeconfig.
    pub fn parse(text: impl Into<String>) -> Result<Self, Unreadable> {
        let text = text.into();
        let parsed = yaml::parse(&text)?;
        Ok(Self { text, parsed })
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        match &self.parsed.value {
            Value::Null => true,
            value => value.as_object().is_some_and(serde_json::Map::is_empty),
        }
    }

    /// Whether it is the only document of its text: kubectl reads the first one and ignores the others.
    pub fn is_alone(&self) -> bool {
        self.parsed.alone
    }

    /// The text with its secrets masked, line for line.
    pub fn masked(&self) -> String {
        mask::masked(&self.text, &self.parsed)
    }

    /// What the document says, as kubectl takes it.
    pub fn config(&self) -> Result<Config, Undecodable> {
        decode::config(&self.parsed.value)
    }

    /// Whether there is something at this place.
    pub fn has(&self, place: &Place) -> bool {
        place.find(&self.parsed.value).is_some()
    }

    /// Sets the value at this place, and adds what is missing on the way to it: an item of a list comes behind the
    /// others. Of a value that is there already only the difference is written, so that its comments and its order
    /// stay.
    pub fn set(&mut self, place: &Place, value: impl Serialize) -> Result<(), EditError> {
        let value = serde_json::to_value(value).map_err(|_| EditError::Value { place: place.clone() })?;
        let mut wanted = self.parsed.value.clone();
        place.put(&mut wanted, value)?;
        self.reach(place, &wanted)
    }

    /// Removes what is at this place; whether there was something. What held it stays, if need be as `{}` or `[]`.
    pub fn remove(&mut self, place: &Place) -> Result<bool, EditError> {
        let mut wanted = self.parsed.value.clone();
        if !place.take(&mut wanted) {
            return Ok(false);
        }
        self.reach(place, &wanted).map(|()| true)
    }

    /// Patches until the value at the place is the wanted one, and proves that nothing else changed.
    fn reach(&mut self, place: &Place, wanted: &Value) -> Result<(), EditError> {
        if *wanted == self.parsed.value {
            return Ok(());
        }
        if !self.parsed.alone {
            return Err(EditError::SeveralDocuments);
        }
        let unsafe_ = |why| EditError::Unsafe { place: place.clone(), why };
        let mut draft = self.clone();
        for _ in 0..MOST_PATCHES {
            let patches = patch::next(&draft.text, &draft.parsed, place, wanted)?;
            if patches.is_empty() {
                break;
            }
            let text = patch::apply(&draft.text, patches).ok_or_else(|| unsafe_("the changes overlap"))?;
            draft = Self::parse(text).map_err(|_| unsafe_("the outcome would not be valid YAML"))?;
        }
        if draft.parsed.value != *wanted || !draft.parsed.alone {
            return Err(unsafe_("the outcome would say something else"));
        }
        *self = draft;
        Ok(())
    }
}

/// More small changes than there are in a value that anybody sets; a bound for what does not come to an end.
const MOST_PATCHES: usize = 10_000;

/// Shows no text: most of it may be secret.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}
