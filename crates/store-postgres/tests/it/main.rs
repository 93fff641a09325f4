//! The store against a PostgreSQL server of its own.

#[cfg(test)]
mod bad_starts;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod portable;
