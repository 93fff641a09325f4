//! The servers that a URL names, and which of them takes writes.
//!
//! Several stand between commas, each with its port, as libpq has it
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>). A server that takes no writes, a
//! standby say, is passed over, also for reading: what it says may be older than what somebody was told already.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, query_scalar};
use tokio::time::timeout;

use crate::connect::ConnectError;

/// How long a server may take to answer whether it takes writes, when there are others.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the only one may take.
const ONLY_ANSWER: Duration = Duration::from_secs(15);

/// At least one.
#[derive(Clone)]
pub(crate) struct Servers(Vec<PgConnectOptions>);

impl fmt::Debug for Servers {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({})", self.name())
    }
}

impl Servers {
    /// Reads `postgres://user:password@one:5432,two:5432/database?…`. The hosts, and their ports, may also be in `host=`
    /// and `port=`.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let parts = Parts::of(url).ok_or(ConnectError::Url)?;
        let servers: Result<Vec<PgConnectOptions>, _> = parts.urls()?.iter().map(|url| url.parse()).collect();
        let servers = servers.map_err(|_| ConnectError::Url)?;
        Ok(Self(
            servers
                .into_iter()
                .map(|it| it.disable_statement_logging().application_name("kubesso"))
                .collect(),
        ))
    }

    /// Which database, without user and password.
    pub(crate) fn name(&self) -> String {
        let place = |options: &PgConnectOptions| match options.get_socket() {
            Some(socket) => format!("`{}`", socket.display()),
            None => format!("`{}:{}`", options.get_host(), options.get_port()),
        };
        let first = self.0.first();
        let database =
            first.and_then(|one| one.get_database().or(Some(one.get_username()))).unwrap_or_default();
        let places: Vec<_> = self.0.iter().map(place).collect();
        format!("`{database}` at {}", places.join(", "))
    }

    /// A connection to the first that takes writes, and the way to it.
    pub(crate) async fn find(&self) -> Result<(PgConnection, PgConnectOptions), ConnectError> {
        let patience = if self.0.len() > 1 { ANSWER } else { ONLY_ANSWER };
        let mut refusal = None;
        for options in &self.0 {
            let found = match timeout(patience, writable(options)).await {
                Ok(found) => found,
                Err(_) => Err(silence()),
            };
            match found {
                Ok(Some(connection)) => return Ok((connection, options.clone())),
                Ok(None) => {
                    refusal.get_or_insert_with(|| ConnectError::ReadOnly { database: self.name() });
                }
                Err(source) => {
                    let database = Self(vec![options.clone()]).name();
                    refusal.get_or_insert(ConnectError::Unreachable { database, source });
                }
            }
        }
        Err(refusal.unwrap_or(ConnectError::Url))
    }

    /// Whether two ways lead to the same server.
    pub(crate) fn is_same(one: &PgConnectOptions, other: &PgConnectOptions) -> bool {
        let place = |options: &PgConnectOptions| {
            (options.get_host().to_owned(), options.get_port(), options.get_socket().cloned())
        };
        place(one) == place(other)
    }
}

/// A connection to a server, if that takes writes.
async fn writable(options: &PgConnectOptions) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = options.connect().await?;
    if takes_writes(&mut connection).await? {
        return Ok(Some(connection));
    }
    let _ = connection.close().await;
    Ok(None)
}

/// Whether the server takes writes. A standby says no, and so does a database that was set read-only; it is what libpq
/// asks for `target_session_attrs=read-write`, and CockroachDB and YugabyteDB know it too.
pub(crate) async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let read_only: String = query_scalar("SHOW transaction_read_only").fetch_one(connection).await?;
    Ok(read_only != "on")
}

/// Nothing came back.
pub(crate) fn silence() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the server did not answer in time"))
}

/// A URL's text, taken apart as far as the hosts need it. `url` takes no list of hosts with ports.
struct Parts<'u> {
    user: Option<&'u str>,
    hosts: &'u str,
    path: &'u str,
    query: Vec<(&'u str, &'u str)>,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Option<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        Some(Self { user, hosts, path, query })
    }

    /// A URL for each server.
    fn urls(&self) -> Result<Vec<String>, ConnectError> {
        let of_query =
            |name: &str| self.query.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value);
        match of_query("target_session_attrs") {
            None | Some("" | "any" | "read-write" | "primary") => {}
            Some(_) => return Err(ConnectError::Attributes),
        }
        let ours = ["target_session_attrs", "host", "port"];
        let rest: Vec<_> = self.query.iter().filter(|(key, _)| !ours.contains(key)).collect();
        let hosts = of_query("host").unwrap_or_default().replace("%2C", ",").replace("%2c", ",");
        let ports = of_query("port").unwrap_or_default().replace("%2C", ",").replace("%2c", ",");
        let listed = |text: &str| -> Vec<String> {
            text.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect()
        };
        let (named, hosts, ports) = (listed(self.hosts), listed(&hosts), listed(&ports));
        let several = named.len().max(hosts.len()).max(1);
        let fits = |length: usize| length <= 1 || length == several;
        if !fits(named.len()) || !fits(hosts.len()) || !fits(ports.len()) {
            return Err(ConnectError::Url);
        }
        // A user without a host is no URL, whatever `host=` says.
        let unnamed = if hosts.is_empty() { "" } else { "localhost" };
        let one_of = |list: &[String], at: usize| list.get(at).or(list.first()).cloned();
        let url = |at: usize| {
            let user = self.user.map_or_else(String::new, |user| format!("{user}@"));
            let host = one_of(&named, at).unwrap_or_else(|| unnamed.to_owned());
            let mut pairs: Vec<_> = rest.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let lists = [("host", &hosts), ("port", &ports)];
            pairs.extend(lists.iter().filter_map(|(key, list)| Some(format!("{key}={}", one_of(list, at)?))));
            format!("postgres://{user}{host}{}?{}", self.path, pairs.join("&"))
        };
        Ok((0..several).map(url).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(url: &str) -> Result<Vec<String>, String> {
        let Servers(servers) = Servers::parse(url).map_err(|error| error.to_string())?;
        Ok(servers
            .iter()
            .map(|it| {
                let user = format!("{}@{}", it.get_username(), it.get_database().unwrap_or_default());
                match it.get_socket() {
                    Some(socket) => format!("{user} {}", socket.display()),
                    None => format!("{user} {}:{}", it.get_host(), it.get_port()),
                }
            })
            .collect())
    }

    #[test]
    fn servers_stand_between_commas_in_either_place() {
        for (url, expected) in [
            ("postgres://k@db.example.com/sso?sslmode=verify-full", &["k@sso db.example.com:5432"][..]),
            ("postgresql://k:p%40ss@a:6432,b/sso", &["k@sso a:6432", "k@sso b:5432"]),
            (
                "postgres://k:p@ss@[::1]:6432,b:7432,c/sso?target_session_attrs=read-write",
                &["k@sso [::1]:6432", "k@sso b:7432", "k@sso c:5432"],
            ),
            ("postgres://k@localhost/sso?host=/run/a,/run/b", &["k@sso /run/a", "k@sso /run/b"]),
            ("postgres://k@/sso?host=a%2Cb&port=6432", &["k@sso a:6432", "k@sso b:6432"]),
            ("postgres:///sso?user=k&host=a,b&port=1,2", &["k@sso a:1", "k@sso b:2"]),
        ] {
            assert_eq!(places(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (url, expected) in [
            ("mysql://k@a/sso", "the database's URL cannot be read"),
            ("postgres://k@a:x,b/sso", "the database's URL cannot be read"),
            ("postgres://k@a,b,c/sso?port=1,2", "the database's URL cannot be read"),
            ("postgres://k@a,b/sso?target_session_attrs=standby", "needs a server that takes writes"),
        ] {
            let said = places(url).unwrap_err();
            assert!(said.contains(expected), "{url}: {said}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let servers = Servers::parse("postgres://k:hunter2@a,b/sso").unwrap();
        assert_eq!(format!("{servers:?}"), "Servers(`sso` at `a:5432`, `b:5432`)");
    }
}
