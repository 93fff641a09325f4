//! `list`: what is kept on this machine, without its secrets.

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use jiff::{SignedDuration, Timestamp};
use kubesso_token_cache::{CacheDirectory, cache, values::printable};
use serde::Serialize;

use crate::environment::Environment;
use crate::error::Error;
use crate::kept::{Kept, Place};

/// `list`.
#[derive(Args, Clone, Debug)]
pub struct ListArguments {
    /// Where the tokens are.
    #[command(flatten)]
    pub directory: CacheDirectory,
    /// table for people, json or yaml for scripts
    #[arg(long = "output", short = 'o', value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ListFormat,
}

/// How the list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// One line.
    Json,
    /// One document.
    Yaml,
}

/// One entry, as scripts read it.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    kept_by: &'static str,
    issuer: Option<String>,
    client_id: Option<String>,
    subject: Option<String>,
    email: Option<String>,
    preferred_username: Option<String>,
    scopes: Option<String>,
    profile: Option<String>,
    signed_in_at: Option<String>,
    expires_at: Option<String>,
    can_refresh: bool,
    #[serde(skip)]
    who: Option<String>,
    #[serde(skip)]
    end: Option<Timestamp>,
}

/// Prints the list.
pub(crate) fn run(arguments: &ListArguments, environment: &Environment) -> Result<(), Error> {
    let directory = cache::directory(&arguments.directory, &environment.surroundings)?;
    let rows: Vec<_> = Kept::all(&directory, environment).iter().map(Row::new).collect();
    let unwritable = |problem: String| Error::Output(std::io::Error::other(problem));
    let text = match arguments.format {
        ListFormat::Json => serde_json::to_string(&rows).map_err(|error| unwritable(error.to_string()))?,
        ListFormat::Yaml => serde_saphyr::to_string(&rows).map_err(|error| unwritable(error.to_string()))?,
        ListFormat::Table if rows.is_empty() => {
            environment.say(&format!("Nothing is kept in {}", directory.display()));
            return Ok(());
        }
        ListFormat::Table => table(&rows, environment.clock.now()),
    };
    environment.stdout.write(&format!("{}\n", text.trim_end_matches('\n'))).map_err(Error::Output)
}

impl Row {
    fn new(kept: &Kept) -> Self {
        let (about, entry, person) = (kept.about(), kept.entry.as_ref(), kept.person());
        let time = |time: Timestamp| format!("{time:.0}");
        Self {
            id: kept.id.clone(),
            kept_by: match kept.place {
                Place::Ours(ref paths) if paths.is_sealed() => "keyring",
                Place::Ours(_) => "disk",
                Place::Kubelogin(_) | Place::KubeloginItem(_) => "kubelogin",
            },
            issuer: kept.issuer(),
            client_id: kept.client_id(),
            who: person.name().map(str::to_owned),
            subject: person.subject,
            email: person.email,
            preferred_username: person.preferred_username,
            scopes: about.map(|about| about.scopes.clone()),
            profile: about.and_then(|about| about.profile.clone()),
            signed_in_at: about.and_then(|about| about.signed_in_at().map(time)),
            expires_at: entry.map(|entry| time(entry.expires_at)),
            can_refresh: entry.is_some_and(|entry| entry.refresh_token.is_some()),
            end: entry.map(|entry| entry.expires_at),
        }
    }
}

/// As kubectl prints tables: capital headings, no lines, three spaces between columns.
fn table(rows: &[Row], now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "WHO",
        "ISSUER",
        "CLIENT",
        "EXPIRES IN",
        "CAN REFRESH",
        "PROFILE",
        "KEPT BY",
        "ID",
    ]);
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), printable);
    for row in rows {
        table.add_row([
            text(&row.who),
            text(&row.issuer),
            text(&row.client_id),
            row.end.map_or_else(|| "cannot be read".to_owned(), |end| remaining(end.duration_since(now))),
            if row.can_refresh { "yes" } else { "no" }.to_owned(),
            text(&row.profile),
            row.kept_by.to_owned(),
            row.id.chars().take(SHORT_ID).collect(),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.trim_fmt()
}

/// Enough to tell entries apart, and to type.
const SHORT_ID: usize = 12;

/// `2h5m`, or that it is over.
fn remaining(left: SignedDuration) -> String {
    let minutes = left.as_mins();
    match (minutes / (24 * 60), minutes / 60, minutes) {
        _ if left <= SignedDuration::ZERO => "expired".to_owned(),
        (0, 0, 0) => format!("{}s", left.as_secs()),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h{}m", minutes % 60),
        (days, hours, _) => format!("{days}d{}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_said_in_two_units_at_most() {
        for (seconds, text) in [
            (-5, "expired"),
            (0, "expired"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h0m"),
            (7_500, "2h5m"),
            (90_000, "1d1h"),
        ] {
            assert_eq!(remaining(SignedDuration::from_secs(seconds)), text, "{seconds}");
        }
    }
}
