//! The SQLite store against the specification of every store, and its own bad starts.

#[cfg(test)]
mod bad_starts;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod growing_up;
