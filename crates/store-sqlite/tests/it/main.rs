//! The SQLite store against the specification of every store, and its own bad starts.

mod bad_starts;
mod conformance;
mod growing_up;
