//! The audit trail for people and for other programs: `kubesso audit …`, and the log that `kubesso serve` appends to.

pub(crate) mod follow;

use std::io::{self, Write as _};
use std::process::ExitCode;

use jiff::Timestamp;
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_directory::{AuditEvent, AuditQuery, Filter, Login, SortOrder, Store, StoreError, UserId};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::args::{Audit as Command, ExportFormat, Which};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// How many entries are read at once.
const PAGE: u32 = 500;

/// An entry, as it is printed and exported.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    id: &'a str,
    published: Timestamp,
    event_type: &'a str,
    actor: &'a str,
    target: Option<&'a str>,
    outcome: &'static str,
    message: &'a str,
    details: &'a Map<String, Value>,
}

impl<'a> From<&'a AuditEvent> for Entry<'a> {
    fn from(event: &'a AuditEvent) -> Self {
        Self {
            id: event.id.as_str(),
            published: event.published,
            event_type: &event.event_type,
            actor: &event.actor,
            target: event.target.as_deref(),
            outcome: event.outcome.as_str(),
            message: &event.message,
            details: &event.details,
        }
    }
}

/// An entry as a line of JSON, with its end.
fn line(event: &AuditEvent) -> String {
    // Texts and JSON values can always be written.
    serde_json::to_string(&Entry::from(event)).unwrap_or_default() + "\n"
}

/// Runs `kubesso audit …`.
pub(crate) async fn run(command: Command) -> Result<ExitCode, CommandError> {
    let data = match &command {
        Command::List { data, .. } | Command::Export { data, .. } => data,
    };
    let (store, _) = Database::open_existing(&environment::data_dir(data)?).await?;
    let done = match &command {
        Command::List { which, limit, output, .. } => list(&*store, which, *limit, output.format).await,
        Command::Export { which, format: ExportFormat::Jsonl, .. } => export(&*store, which).await,
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(
    store: &dyn Store,
    which: &Which,
    limit: u32,
    format: crate::args::OutputFormat,
) -> Result<(), CommandError> {
    let range = Range::of(store, which).await?;
    let query = AuditQuery { order: SortOrder::Descending, limit, ..range.query(None) };
    let mut found = store.find_audit_events(&query).await.map_err(|e| unreadable(&e))?;
    found.reverse();
    let entries: Vec<_> = found.iter().map(Entry::from).collect();
    output::print(format, &entries, || table(&entries))
}

async fn export(store: &dyn Store, which: &Which) -> Result<(), CommandError> {
    let range = Range::of(store, which).await?;
    let mut last: Option<AuditEvent> = None;
    loop {
        let after = last.as_ref().map(|event| (event.published, &event.id));
        let found = store.find_audit_events(&range.query(after)).await.map_err(|e| unreadable(&e))?;
        let lines: String = found.iter().map(line).collect();
        match io::stdout().lock().write_all(lines.as_bytes()) {
            Ok(()) => {}
            // Whoever read it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(CommandError::because("the entries cannot be written", &error)),
        }
        let is_last = found.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        last = found.into_iter().last();
        if is_last {
            return Ok(());
        }
    }
}

/// What was asked for, checked.
struct Range {
    since: Timestamp,
    until: Timestamp,
    filter: Option<Filter>,
}

impl Range {
    async fn of(store: &dyn Store, which: &Which) -> Result<Self, CommandError> {
        let now = SystemClock.now();
        let given = which.filter.as_deref();
        if let Some(given) = given {
            Filter::parse(given).map_err(|e| CommandError::usage(format!("--filter {given:?}: {e}")))?;
        }
        let by_user = match &which.user {
            None => None,
            Some(user) => {
                let id = user_id(store, user).await?;
                Some(format!("(actor.id eq \"{id}\" or target.id eq \"{id}\")"))
            }
        };
        let filter = match (given, by_user) {
            (Some(given), Some(by_user)) => Some(format!("({given}) and {by_user}")),
            (given, by_user) => by_user.or_else(|| given.map(str::to_owned)),
        };
        let filter = filter.map(|text| Filter::parse(&text)).transpose();
        Ok(Self {
            since: which.since.and_then(|it| it.before(now)).unwrap_or(Timestamp::MIN),
            until: which.until.and_then(|it| it.before(now)).unwrap_or(Timestamp::MAX),
            filter: filter.map_err(|e| CommandError::usage(e.to_string()))?,
        })
    }

    fn query<'a>(
        &'a self,
        after: Option<(Timestamp, &'a kubesso_directory::AuditEventId)>,
    ) -> AuditQuery<'a> {
        AuditQuery {
            since: self.since,
            until: self.until,
            filter: self.filter.as_ref(),
            words: &[],
            order: SortOrder::Ascending,
            after,
            limit: PAGE,
        }
    }
}

/// Of a login, or of somebody who may be gone, by id.
async fn user_id(store: &dyn Store, user: &str) -> Result<UserId, CommandError> {
    let login = Login::parse(user).map_err(|e| CommandError::usage(e.to_string()))?;
    if let Some(found) = store.user_by_login(&login).await.map_err(|e| unreadable(&e))? {
        return Ok(found.id);
    }
    UserId::parse(user).ok().filter(|id| id.as_str().starts_with("00u")).ok_or_else(|| {
        CommandError::new(format!("there is nobody with the login {user}"))
            .mend("see `kubesso user list`; whoever is gone can be named by id (00u…)")
    })
}

fn table(entries: &[Entry<'_>]) -> String {
    output::table(
        &["TIME", "EVENT", "OUTCOME", "BY", "TO", "MESSAGE"],
        entries.iter().map(|entry| {
            vec![
                entry.published.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                entry.event_type.to_owned(),
                entry.outcome.to_owned(),
                entry.actor.to_owned(),
                entry.target.unwrap_or("-").to_owned(),
                entry.message.to_owned(),
            ]
        }),
    )
}

fn unreadable(error: &StoreError) -> CommandError {
    CommandError::because("the audit trail cannot be read", error)
}
