//! What goes wrong with a store.

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A name that must be unique is taken.
    #[error("there is another {what} called `{name}` already: choose another name")]
    Conflict {
        /// `user`, `group` …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Something refers to an object that is not there.
    #[error("{what} refers to something that does not exist (any more)")]
    Dangling {
        /// What refers: `the membership of 00u… in 00g…`.
        what: String,
    },
    /// The batch's expectation is not met.
    #[error("the directory was changed by somebody else in the meantime: read it again and repeat")]
    Stale,
    /// A stored value cannot be read.
    #[error("the stored {what} `{id}` cannot be read: {cause}")]
    Corrupt {
        /// `user`, `policy rule` …
        what: &'static str,
        /// Which.
        id: String,
        /// Why not.
        cause: String,
    },
    /// A text has the character U+0000 in it, which not every database can hold, so that none does. Inside of JSON it can
    /// be.
    #[error("a text with the character U+0000 in it cannot be stored, nor looked for: leave it out")]
    UnstorableText,
    /// The database did not answer.
    #[error("the database could not {what}")]
    Database {
        /// What it should have done: `commit a batch`.
        what: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
