//! How a database is found by whoever only looks.

/// How a database is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// There is none of ours: opening it makes one.
    Missing,
    /// There is one, and its key fits.
    Found {
        /// How many changes of the schema opening it will bring.
        pending: u32,
    },
}
