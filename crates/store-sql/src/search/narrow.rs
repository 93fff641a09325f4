//! Two ways through the users, of which SQLite cannot know the shorter one: what is asked for may fit ten or half of
//! them.
//!
//! If it fits few, an index gives their ids. If it fits many, collecting these takes longer (33 ms for all whose name
//! begins with "a", of 100,000 people) than reading the list in its order until the page is full, which then is soon.

use jiff::Timestamp;
use kubesso_directory::{Comparison, Filter, Literal, StoreError, UserQuery};

use super::{Draft, range};
use crate::connection::Connection;
use crate::database;
use crate::dialect::Dialect;
use crate::row::{Row, micros};

/// Up to so many ids are collected: about 5 ms, as long as it takes to find a page of 200 where one in twenty fits.
const FEW: i64 = 5000;

/// What a prefix is looked for in. The expressions are those of the indexes.
fn names(dialect: &dyn Dialect) -> [String; 3] {
    let of_profile = |name| format!("lower({})", dialect.json_text("users.profile", name));
    ["users.email_folded".to_owned(), of_profile("firstName"), of_profile("lastName")]
}

/// What the indexes can say of a query.
pub enum Narrowed {
    /// Nothing.
    No,
    /// One of the names begins so.
    Prefix {
        /// From here …
        from: String,
        /// … up to this, exclusively.
        to: String,
        /// Whether the filter may leave few of many.
        is_filtered: bool,
    },
    /// Changed then or later, in microseconds.
    Updated(i64),
}

impl Narrowed {
    /// What the indexes can say of this one.
    pub fn of(wanted: &UserQuery<'_>) -> Self {
        if let Some(prefix) = wanted.prefix {
            let (from, to) = range(prefix);
            // A negation is taken to leave most.
            let is_filtered = wanted.filter.is_some_and(|filter| !matches!(filter, Filter::Not(_)));
            return Self::Prefix { from, to, is_filtered };
        }
        wanted.filter.and_then(updated_since).map_or(Self::No, Self::Updated)
    }

    /// Whether to go by ids.
    pub async fn is_selective(&self, connection: &mut dyn Connection) -> Result<bool, StoreError> {
        if matches!(self, Self::No | Self::Prefix { is_filtered: true, .. }) {
            return Ok(true);
        }
        let mut sql = Draft::new("SELECT count(*) AS number FROM (", connection.dialect());
        self.push_ids(&mut sql, " UNION ALL ");
        sql.push(" LIMIT ").push_bind(FEW).push(") AS some_users");
        let row = sql.statement.fetch_one(connection).await.map_err(database("count users"))?;
        let count: i64 = Row::new(&row, "number of users", "number").number("number")?;
        Ok(count < FEW)
    }

    /// Adds what is asked for to a condition, or what follows from it.
    pub(crate) fn push(&self, sql: &mut Draft, by_ids: bool) {
        match self {
            Self::No => {}
            _ if by_ids => {
                sql.push(" AND users.id IN (");
                self.push_ids(sql, " UNION ");
                sql.push(")");
            }
            Self::Prefix { from, to, .. } => {
                for (position, column) in names(sql.dialect).iter().enumerate() {
                    // Otherwise SQLite collects ids after all.
                    let column = sql.dialect.without_index(column);
                    sql.push(if position == 0 { " AND (" } else { " OR " });
                    sql.push(format!("{column} >= ")).push_bind(from.clone());
                    sql.push(format!(" AND {column} < ")).push_bind(to.clone());
                }
                sql.push(")");
            }
            // The filter says it.
            Self::Updated(_) => {}
        }
    }

    fn push_ids(&self, sql: &mut Draft, with: &str) {
        match self {
            Self::No => {}
            Self::Prefix { from, to, .. } => {
                for (position, column) in names(sql.dialect).iter().enumerate() {
                    sql.push(if position == 0 { "" } else { with });
                    sql.push(format!("SELECT id FROM users WHERE {column} >= ")).push_bind(from.clone());
                    sql.push(format!(" AND {column} < ")).push_bind(to.clone());
                }
            }
            Self::Updated(since) => {
                sql.push("SELECT id FROM users WHERE users.last_updated >= ").push_bind(*since);
            }
        }
    }
}

/// The moment since which somebody must have been changed to fit.
fn updated_since(filter: &Filter) -> Option<i64> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(updated_since),
        Filter::Compare {
            attribute,
            operator: Comparison::Greater | Comparison::GreaterOrEqual,
            value: Literal::Text(text),
        } if attribute.as_str() == "lastUpdated" => Some(micros(text.parse::<Timestamp>().ok()?)),
        _ => None,
    }
}
