//! What goes wrong between kubectl, the provider and the API server: recognised, explained, mended.
//!
//! The [`catalogue`] has one [`Row`] for each failure that people have had, with a stable [`CheckId`]. [`explain`]
//! takes a text (an error, a screenshot's worth of it, a log of the API server) and names the rows that it speaks of;
//! where the text says too little, it says what to look at next. Every text is redacted before anything looks at it.
//!
//! The room only computes: it reads no file and asks no server.

mod ambiguity;
mod catalogue;
mod check_id;
mod explain;
mod facts;
mod handbook;
mod place;
pub mod print;
mod redact;
mod row;
mod signs;

pub use crate::ambiguity::{Ambiguity, Question};
pub use crate::catalogue::{row, rows};
pub use crate::check_id::{CheckId, NoSuchCheck, NotAName};
pub use crate::explain::{
    Answer, Asked, Candidate, Explainer, Explanation, Finding, Pair, Side, Undecided, explain,
};
pub use crate::facts::{Facts, FilledMend};
pub use crate::handbook::handbook;
pub use crate::place::{Place, Target};
pub use crate::row::{Compared, Mend, Row, Sign, Source, Strength};

#[cfg(test)]
mod tests;
