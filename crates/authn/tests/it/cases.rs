//! The tables, a file a subject.

mod claims;
mod discovery;
mod distributed;
mod forms;
mod headers;
mod keys;
mod mutations;
mod options;

use crate::table::Case;

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [
        claims::cases(),
        discovery::cases(),
        distributed::cases(),
        forms::cases(),
        headers::cases(),
        keys::cases(),
        mutations::cases(),
        options::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
