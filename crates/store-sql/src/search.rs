//! Filters as SQL: what a query asks of people, groups and the audit trail is answered by the database.
//!
//! Text is compared whatever its case, as Okta does. An attribute that is not set equals nothing and differs from
//! everything. What is asked for is always bound, never written into the statement; the names of attributes are checked
//! by their type ([`AttributePath`]) and stand in the statement as JSON paths.

use jiff::Timestamp;
use kubesso_directory::{
    AttributePath, AuditEvent, AuditQuery, Comparison, Filter, Group, GroupQuery, Literal, Outcome, Sort,
    SortOrder, StoreError, User, UserQuery,
};

use crate::connection::{Connection, Record};
use crate::dialect::Dialect;
use crate::row::{Row, micros};
use crate::statement::{Statement, Value};
use crate::{database, people};

mod narrow;

pub use narrow::Narrowed;

/// Greater than any text that begins with the one before it.
const LAST: char = '\u{10FFFF}';

/// A statement for a database whose SQL has its ways.
pub(crate) struct Draft {
    pub(crate) statement: Statement,
    pub(crate) dialect: &'static dyn Dialect,
}

impl Draft {
    fn new(sql: &'static str, dialect: &'static dyn Dialect) -> Self {
        Self { statement: Statement::new(sql), dialect }
    }

    fn push(&mut self, sql: impl AsRef<str>) -> &mut Self {
        self.statement.push(sql);
        self
    }

    fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.statement.push_bind(value);
        self
    }
}

/// What an attribute is in a table.
enum Column {
    /// A text that is stored folded.
    Folded(&'static str),
    /// A text of ours: an id, a word.
    Text(&'static str),
    /// A moment, in microseconds.
    Time(&'static str),
    /// A member of the JSON object in a column, at a path: checked names (letters, digits, `_`, `-`) between dots.
    Json(&'static str, String),
    /// Nothing of that name: never set.
    Missing,
}

type Columns = fn(&AttributePath) -> Column;

fn user_column(attribute: &AttributePath) -> Column {
    match attribute.as_str() {
        "id" => Column::Text("users.id"),
        "status" => Column::Text("users.status"),
        "created" => Column::Time("users.created"),
        "activated" => Column::Time("users.activated"),
        "statusChanged" => Column::Time("users.status_changed"),
        "lastUpdated" => Column::Time("users.last_updated"),
        "lastLogin" => Column::Time("users.last_login"),
        "passwordChanged" => Column::Time("users.password_changed"),
        "profile.login" => Column::Folded("users.login_folded"),
        "profile.email" => Column::Folded("users.email_folded"),
        other => profile("profile", other),
    }
}

fn group_column(attribute: &AttributePath) -> Column {
    match attribute.as_str() {
        "id" => Column::Text("groups.id"),
        "type" => Column::Text("groups.group_type"),
        "created" => Column::Time("groups.created"),
        "lastUpdated" => Column::Time("groups.last_updated"),
        "lastMembershipUpdated" => Column::Time("groups.last_membership_updated"),
        "profile.name" => Column::Text("groups.name"),
        "profile.description" => Column::Text("groups.description"),
        other => profile("other", other),
    }
}

fn audit_column(attribute: &AttributePath) -> Column {
    match attribute.as_str() {
        "uuid" => Column::Text("id"),
        "published" => Column::Time("published"),
        "eventType" => Column::Text("event_type"),
        "displayMessage" => Column::Text("message"),
        "actor.id" => Column::Text("actor"),
        "target.id" => Column::Text("target"),
        "outcome.result" => Column::Text("outcome"),
        _ => Column::Missing,
    }
}

fn profile(column: &'static str, attribute: &str) -> Column {
    match attribute.strip_prefix("profile.") {
        Some(path) => Column::Json(column, path.to_owned()),
        None => Column::Missing,
    }
}

/// Does `Store::find_users`.
pub async fn users(connection: &mut dyn Connection, wanted: &UserQuery<'_>) -> Result<Vec<User>, StoreError> {
    let narrowed = Narrowed::of(wanted);
    let by_ids = narrowed.is_selective(connection).await?;
    let sql = users_statement(wanted, &narrowed, by_ids, connection.dialect());
    let rows = sql.fetch_all(connection).await.map_err(database("search users"))?;
    rows.iter().map(people::user).collect()
}

/// `by_ids`: the indexes give the ids that come into question; otherwise the list is read in its order until the page
/// is full.
pub fn users_statement(
    wanted: &UserQuery<'_>,
    narrowed: &Narrowed,
    by_ids: bool,
    dialect: &'static dyn Dialect,
) -> Statement {
    let mut sql = Draft::new("SELECT users.* FROM users WHERE true", dialect);
    narrowed.push(&mut sql, by_ids);
    if let Some(filter) = wanted.filter {
        sql.push(" AND ");
        condition(&mut sql, filter, user_column);
    }
    let after = wanted.after.map(AsRef::as_ref);
    page(&mut sql, "users", wanted.sort, user_column, after, wanted.limit);
    sql.statement
}

/// Does `Store::find_groups`.
pub async fn groups(
    connection: &mut dyn Connection,
    wanted: &GroupQuery<'_>,
) -> Result<Vec<Group>, StoreError> {
    let mut sql = Draft::new("SELECT groups.* FROM groups WHERE true", connection.dialect());
    if let Some(prefix) = wanted.prefix {
        let (from, to) = range(prefix);
        sql.push(" AND lower(groups.name) >= ").push_bind(from);
        sql.push(" AND lower(groups.name) < ").push_bind(to);
    }
    if let Some(application) = wanted.application {
        sql.push(" AND groups.id IN (SELECT group_id FROM application_groups WHERE application_id = ");
        sql.push_bind(application.to_string()).push(")");
    }
    if let Some(filter) = wanted.filter {
        sql.push(" AND ");
        condition(&mut sql, filter, group_column);
    }
    let after = wanted.after.map(AsRef::as_ref);
    page(&mut sql, "groups", wanted.sort, group_column, after, wanted.limit);
    let rows = sql.statement.fetch_all(connection).await.map_err(database("search groups"))?;
    rows.iter().map(people::group).collect()
}

/// Does `Store::find_audit_events`.
pub async fn audit_events(
    connection: &mut dyn Connection,
    wanted: &AuditQuery<'_>,
) -> Result<Vec<AuditEvent>, StoreError> {
    let mut sql = Draft::new("SELECT * FROM audit_events WHERE published >= ", connection.dialect());
    sql.push_bind(micros(wanted.since)).push(" AND published < ").push_bind(micros(wanted.until));
    for word in wanted.words {
        let text = "lower(event_type || ' ' || actor || ' ' || coalesce(target, '') || ' ' || outcome || ' ' || \
                    message || ' ' || details)";
        let position = sql.dialect.position();
        sql.push(format!(" AND {position}({text}, ")).push_bind(word.to_lowercase()).push(") > 0");
    }
    if let Some(filter) = wanted.filter {
        sql.push(" AND ");
        condition(&mut sql, filter, audit_column);
    }
    let (beyond, direction) = match wanted.order {
        SortOrder::Ascending => (">", "ASC"),
        SortOrder::Descending => ("<", "DESC"),
    };
    if let Some((published, id)) = wanted.after {
        sql.push(format!(" AND (published, id) {beyond} (")).push_bind(micros(published)).push(", ");
        sql.push_bind(id.to_string()).push(")");
    }
    sql.push(format!(" ORDER BY published {direction}, id {direction} LIMIT ")).push_bind(wanted.limit);
    let rows = sql.statement.fetch_all(connection).await.map_err(database("read the audit trail"))?;
    rows.iter().map(audit_event).collect()
}

/// The audit trail, the latest first.
pub async fn latest_audit_events(
    connection: &mut dyn Connection,
    limit: u32,
) -> Result<Vec<AuditEvent>, StoreError> {
    Statement::new("SELECT * FROM audit_events ORDER BY published DESC, id DESC LIMIT ?")
        .bind(limit)
        .fetch_all(connection)
        .await
        .map_err(database("read the audit trail"))?
        .iter()
        .map(audit_event)
        .collect()
}

fn audit_event(row: &Record) -> Result<AuditEvent, StoreError> {
    let row = Row::new(row, "audit event", "id");
    Ok(AuditEvent {
        id: row.parsed("id")?,
        published: row.time("published")?,
        event_type: row.text("event_type")?,
        actor: row.text("actor")?,
        target: row.optional_text("target")?,
        outcome: row.known("outcome", Outcome::parse)?,
        message: row.text("message")?,
        details: row.json("details")?,
    })
}

/// All texts that begin with `prefix`, folded.
fn range(prefix: &str) -> (String, String) {
    let from = prefix.to_lowercase();
    let to = format!("{from}{LAST}");
    (from, to)
}

/// Order, continuation and length of a list. The list goes on behind the object `after`, by its present place.
fn page(
    sql: &mut Draft,
    table: &'static str,
    sort: Option<&Sort>,
    columns: Columns,
    after: Option<&str>,
    limit: u32,
) {
    let key = sort.map(|sort| (sort_key(&columns(&sort.attribute), sql.dialect), sort.order));
    let (beyond, direction) = match key {
        Some((_, SortOrder::Descending)) => ("<", "DESC"),
        _ => (">", "ASC"),
    };
    match (&key, after) {
        (_, None) => {}
        (None, Some(id)) => {
            sql.push(format!(" AND {table}.id > ")).push_bind(id.to_owned());
        }
        (Some((key, _)), Some(id)) => {
            sql.push(format!(
                " AND ({key}, {table}.id) {beyond} (SELECT {key}, {table}.id FROM {table} WHERE id = "
            ));
            sql.push_bind(id.to_owned()).push(")");
        }
    }
    match key {
        None => sql.push(format!(" ORDER BY {table}.id LIMIT ")),
        Some((key, _)) => sql.push(format!(" ORDER BY {key} {direction}, {table}.id {direction} LIMIT ")),
    };
    sql.push_bind(limit);
}

fn sort_key(column: &Column, dialect: &dyn Dialect) -> String {
    match column {
        Column::Folded(name) => (*name).to_owned(),
        Column::Text(name) => format!("lower({name})"),
        Column::Time(name) if name.ends_with(".created") || name.ends_with(".last_updated") => {
            (*name).to_owned()
        }
        Column::Time(name) => format!("coalesce({name}, 0)"),
        Column::Json(name, path) => format!("coalesce(lower({}), '')", dialect.json_text(name, path)),
        Column::Missing => "''".to_owned(),
    }
}

fn condition(sql: &mut Draft, filter: &Filter, columns: Columns) {
    match filter {
        Filter::And(parts) => joined(sql, parts, " AND ", columns),
        Filter::Or(parts) => joined(sql, parts, " OR ", columns),
        Filter::Not(part) => {
            sql.push("NOT coalesce(");
            condition(sql, part, columns);
            sql.push(", false)");
        }
        Filter::Present(attribute) => match columns(attribute) {
            Column::Folded(name) | Column::Text(name) => {
                sql.push(format!("coalesce({name}, '') <> ''"));
            }
            Column::Time(name) => {
                sql.push(format!("{name} IS NOT NULL"));
            }
            Column::Json(name, path) => {
                let text = sql.dialect.json_text(name, &path);
                sql.push(format!("coalesce({text}, '') <> ''"));
            }
            Column::Missing => {
                sql.push("false");
            }
        },
        Filter::Compare { attribute, operator, value } => match columns(attribute) {
            Column::Folded(name) => text(sql, name, *operator, &folded(value)),
            Column::Text(name) => {
                let value = folded(value);
                // What the index of those who are not active asks for.
                if name == "users.status" && *operator == Comparison::Equal && value != "active" {
                    sql.push("users.status <> 'ACTIVE' AND ");
                }
                text(sql, &format!("lower({name})"), *operator, &value);
            }
            Column::Time(name) => time(sql, name, *operator, value),
            Column::Json(name, path) => member(sql, name, &path, *operator, value),
            Column::Missing => {
                sql.push(if *operator == Comparison::NotEqual { "true" } else { "false" });
            }
        },
    }
}

fn joined(sql: &mut Draft, parts: &[Filter], with: &str, columns: Columns) {
    sql.push("(");
    for (position, part) in parts.iter().enumerate() {
        sql.push(if position == 0 { "" } else { with });
        condition(sql, part, columns);
    }
    sql.push(")");
}

fn folded(value: &Literal) -> String {
    match value {
        Literal::Text(text) => text.to_lowercase(),
        other => other.to_string(),
    }
}

/// Compares a folded text.
fn text(sql: &mut Draft, column: &str, operator: Comparison, value: &str) {
    let value = value.to_owned();
    match operator {
        Comparison::Contains => {
            let position = sql.dialect.position();
            sql.push(format!("{position}({column}, ")).push_bind(value).push(") > 0");
        }
        Comparison::EndsWith => {
            let ending = sql.dialect.ending(column);
            let (before, after) = ending.split_once('?').unwrap_or((&ending, ""));
            sql.push(before).push_bind(value.clone()).push(after).push(" = ").push_bind(value);
        }
        Comparison::NotEqual => {
            sql.push(format!("coalesce({column} <> ")).push_bind(value).push(", true)");
        }
        Comparison::StartsWith => {
            let (from, to) = range(&value);
            sql.push(format!("({column} >= ")).push_bind(from);
            sql.push(format!(" AND {column} < ")).push_bind(to).push(")");
        }
        other => {
            sql.push(format!("{column} {} ", sign(other))).push_bind(value);
        }
    }
}

fn sign(operator: Comparison) -> &'static str {
    match operator {
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        _ => "=",
    }
}

/// Compares a moment; with what is no moment nothing compares.
fn time(sql: &mut Draft, column: &str, operator: Comparison, value: &Literal) {
    let moment = match value {
        Literal::Text(text) => text.parse::<Timestamp>().ok(),
        _ => None,
    };
    match (moment, operator) {
        (Some(_), Comparison::Contains | Comparison::EndsWith | Comparison::StartsWith) | (None, _) => {
            sql.push("false");
        }
        (Some(moment), Comparison::NotEqual) => {
            sql.push(format!("coalesce({column} <> ")).push_bind(micros(moment)).push(", true)");
        }
        (Some(moment), operator) => {
            sql.push(format!("{column} {} ", sign(operator))).push_bind(micros(moment));
        }
    }
}

/// Names in a profile that are always texts, so that their indexes serve.
const TEXTS: [&str; 3] = ["firstName", "lastName", "displayName"];

/// Compares a member of a JSON object; of a list any element may fit.
fn member(sql: &mut Draft, column: &str, path: &str, operator: Comparison, value: &Literal) {
    let extracted = sql.dialect.json_text(column, path);
    let number = match value {
        Literal::Text(_) => None,
        Literal::Number(number) => number.as_f64(),
        Literal::Boolean(boolean) => Some(f64::from(u8::from(*boolean))),
        Literal::Null => {
            sql.push(match operator {
                Comparison::Equal => format!("{extracted} IS NULL"),
                Comparison::NotEqual => format!("{extracted} IS NOT NULL"),
                _ => "false".to_owned(),
            });
            return;
        }
    };
    if let Some(number) = number {
        let found = sql.dialect.json_number(column, path);
        match operator {
            Comparison::Contains | Comparison::EndsWith | Comparison::StartsWith => {
                sql.push("false");
            }
            Comparison::NotEqual => {
                sql.push(format!("coalesce({found} <> ")).push_bind(number).push(", true)");
            }
            operator => {
                sql.push(format!("coalesce({found} {} ", sign(operator))).push_bind(number).push(", false)");
            }
        }
        return;
    }
    let value = folded(value);
    if TEXTS.contains(&path) {
        return text(sql, &format!("lower({extracted})"), operator, &value);
    }
    if operator == Comparison::NotEqual {
        sql.push("NOT ");
        return member(sql, column, path, Comparison::Equal, &Literal::Text(value));
    }
    let elements = sql.dialect.json_elements(column, path);
    sql.push(format!("EXISTS (SELECT 1 FROM {elements} WHERE "));
    let element = format!("lower({})", sql.dialect.json_element());
    text(sql, &element, operator, &value);
    sql.push(")");
}
