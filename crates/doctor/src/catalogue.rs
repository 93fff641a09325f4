//! The failures that people have had on the way from kubectl to their rights, one row each.
//!
//! A row is data: what it looks like, how it comes about, why it matters, what mends it. The files below are by
//! the place where the cause lies; [`row`] and [`rows`] give them by name and in order.

mod access;
mod client;
mod issuer;
mod path;
mod rollout;
mod startup;
mod token;

use crate::check_id::CheckId;
use crate::row::Row;

const PARTS: [&[Row]; 7] =
    [issuer::ROWS, token::ROWS, access::ROWS, startup::ROWS, rollout::ROWS, client::ROWS, path::ROWS];

/// All rows, by number.
pub fn rows() -> Vec<&'static Row> {
    let mut rows: Vec<_> = PARTS.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.id);
    rows
}

/// The row of this name.
pub fn row(id: CheckId) -> Option<&'static Row> {
    PARTS.into_iter().flatten().find(|row| row.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_id::COUNT;

    #[test]
    fn every_number_has_one_row() {
        let numbers: Vec<_> = rows().iter().map(|row| row.id.number()).collect();
        assert_eq!(numbers, (1..=COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn every_row_says_all_that_a_row_says() {
        for row in rows() {
            let id = row.id;
            assert!(!row.title.ends_with('.') && row.title.len() > 15, "{id}: {}", row.title);
            assert!(!row.symptom.is_empty() && !row.looks_at.is_empty() && !row.mends.is_empty(), "{id}");
            assert!(row.cause.ends_with('.') && row.why.ends_with('.'), "{id}: {} {}", row.cause, row.why);
            assert!(!row.retest.is_empty(), "{id}");
        }
    }
}
