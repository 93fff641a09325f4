//! Which database the directory is in: a file in the data directory, or a PostgreSQL server that replicas share.
//!
//! The commands that work on the machine itself know the data directory and nothing else. So a provider that uses a
//! server leaves its URL there, beside the sealing key and for its owner's eyes alone.

mod moved;

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kubesso_ambient::OsEntropy;
use kubesso_directory::{SealingKey, Store};
use kubesso_store_postgres::{ConnectError, PostgresStore};
use kubesso_store_sql::Inspection;
use kubesso_store_sql::master_key::MasterKey;
use kubesso_store_sqlite::{OpenError, SqliteStore};
use serde::Deserialize;

use crate::error::{CommandError, chain};
use crate::master_key::{self, Source};

/// The file in the data directory with the server's URL.
const URL_FILE: &str = "database.url";

/// A server's URL. There may be a password in it: it is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// What a file holds, without the line's end.
    pub(crate) fn read(file: &Path) -> Result<Self, CommandError> {
        let text = fs::read_to_string(file).map_err(|e| {
            CommandError::because(format!("the database's URL in {} cannot be read", file.display()), &e)
        })?;
        Ok(Self(text.trim().to_owned()))
    }

    /// Whether it says which kind of database it is of.
    pub(crate) fn is_known(&self) -> bool {
        self.0.starts_with("postgres://") || self.0.starts_with("postgresql://")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl([redacted])")
    }
}

/// The directory's database, open.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file in the data directory.
    File(SqliteStore),
    /// A server.
    Server(PostgresStore),
}

impl Database {
    /// Opens it for the provider, with the key that its secrets are sealed under; made if missing. Without a URL it is
    /// the file. `key`: where the master key is, if the configuration says so.
    pub(crate) async fn open(
        data_dir: &Path,
        url: Option<&DatabaseUrl>,
        key: Option<Source>,
    ) -> Result<(Self, SealingKey), CommandError> {
        refuse_another(data_dir, url)?;
        let places = master_key::places(data_dir, key)?;
        let (opened, place) = match url {
            None => Self::open_file(data_dir, &places).await?,
            Some(url) => {
                let opened = Self::connect(data_dir, url, &places).await?;
                keep(url, &data_dir.join(URL_FILE))?;
                opened
            }
        };
        master_key::keep(data_dir, &[place])?;
        Ok(opened)
    }

    /// What [`open`](Self::open) would find, with the errors that it would give; nothing is made or changed.
    pub(crate) async fn inspect(
        data_dir: &Path,
        url: Option<&DatabaseUrl>,
        places: &[Source],
    ) -> Result<Inspection, CommandError> {
        refuse_another(data_dir, url)?;
        let found = first_that_fits(data_dir, places, async |key: &MasterKey| match url {
            None => SqliteStore::inspect_with(data_dir, key).await.map_err(|e| file_problem(&e)),
            Some(url) => PostgresStore::inspect_with(&url.0, key).await.map_err(|e| server_problem(&e)),
        });
        found.await.map(|(found, _)| found)
    }

    /// Opens the database of an installation that exists: a mistyped `--data-dir` must not make a new one.
    pub(crate) async fn open_existing(data_dir: &Path) -> Result<(Self, SealingKey), CommandError> {
        Self::open_at(data_dir).await.map(|(opened, _)| opened)
    }

    /// As [`open_existing`](Self::open_existing), with the place where the master key was found.
    pub(crate) async fn open_at(data_dir: &Path) -> Result<((Self, SealingKey), Source), CommandError> {
        let kept = data_dir.join(URL_FILE);
        if kept.exists() {
            let places = master_key::places(data_dir, None)?;
            return Self::connect(data_dir, &DatabaseUrl::read(&kept)?, &places).await;
        }
        if !data_dir.join(SqliteStore::FILE).exists() {
            return Err(CommandError::new(format!("there is no installation in {}", data_dir.display()))
                .mend("start one with `kubesso up`, or name its directory with --data-dir"));
        }
        Self::open_file(data_dir, &master_key::places(data_dir, None)?).await
    }

    async fn open_file(
        data_dir: &Path,
        places: &[Source],
    ) -> Result<((Self, SealingKey), Source), CommandError> {
        let ((store, key), place) = file(data_dir, places).await?;
        Ok(((Self::File(store), key), place))
    }

    async fn connect(
        data_dir: &Path,
        url: &DatabaseUrl,
        places: &[Source],
    ) -> Result<((Self, SealingKey), Source), CommandError> {
        let ((store, key), place) = server(data_dir, url, places).await?;
        Ok(((Self::Server(store), key), place))
    }

    /// For those that share it.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::File(store) => Arc::new(store.clone()),
            Self::Server(store) => Arc::new(store.clone()),
        }
    }

    /// Waits for what is under way and closes it.
    pub(crate) async fn close(&self) {
        match self {
            Self::File(store) => store.close().await,
            Self::Server(store) => store.close().await,
        }
    }
}

impl Deref for Database {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::File(store) => store,
            Self::Server(store) => store,
        }
    }
}

/// The store in the file of `data_dir`, with the key of one of `places`.
async fn file(
    data_dir: &Path,
    places: &[Source],
) -> Result<((SqliteStore, SealingKey), Source), CommandError> {
    let opened = first_that_fits(data_dir, places, async |key: &MasterKey| {
        SqliteStore::open_with(data_dir, key, &OsEntropy).await.map_err(|e| file_problem(&e))
    });
    opened.await
}

/// The store on the server at `url`, with the key of one of `places`.
async fn server(
    data_dir: &Path,
    url: &DatabaseUrl,
    places: &[Source],
) -> Result<((PostgresStore, SealingKey), Source), CommandError> {
    let connected = first_that_fits(data_dir, places, async |key: &MasterKey| {
        PostgresStore::connect_with(&url.0, key, &OsEntropy).await.map_err(|e| server_problem(&e))
    });
    connected.await
}

/// Why a database cannot be opened, and whether another key may help.
type Problem = (bool, CommandError);

fn file_problem(error: &OpenError) -> Problem {
    (matches!(error, OpenError::Key(_)), CommandError::new(chain(error)))
}

fn server_problem(error: &ConnectError) -> Problem {
    (matches!(error, ConnectError::Key(_)), CommandError::new(chain(error)))
}

/// Opens with the key of the first place whose key fits.
async fn first_that_fits<T>(
    data_dir: &Path,
    places: &[Source],
    open: impl AsyncFn(&MasterKey) -> Result<T, Problem>,
) -> Result<(T, Source), CommandError> {
    let mut first_problem = None;
    for place in places {
        let problem = match place.master_key(data_dir).await {
            Ok(key) => match open(&key).await {
                Ok(opened) => return Ok((opened, place.clone())),
                Err((false, problem)) => return Err(problem),
                Err((true, problem)) => problem,
            },
            Err(problem) => problem,
        };
        first_problem.get_or_insert(problem);
    }
    Err(first_problem.unwrap_or_else(|| CommandError::new("nothing says where the master key is")))
}

/// Whether the directory of `data_dir` is on a server.
pub(crate) fn is_on_a_server(data_dir: &Path) -> bool {
    data_dir.join(URL_FILE).exists()
}

/// A data directory does not change its database by what a configuration says, or no longer says.
fn refuse_another(data_dir: &Path, url: Option<&DatabaseUrl>) -> Result<(), CommandError> {
    let (kept, file) = (data_dir.join(URL_FILE), data_dir.join(SqliteStore::FILE));
    match url {
        None if kept.exists() => Err(CommandError::new(format!(
            "the data directory belongs to a provider with a database on a server, and the configuration names none: \
             set `database_url_file: {}`, or remove that file",
            kept.display()
        ))),
        Some(_) if file.exists() => Err(CommandError::new(format!(
            "people and settings are in {}, and the configuration names another database: move them there with \
             `kubesso backup` and `kubesso restore`, choose another data_dir, or take the database out of the \
             configuration",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Leaves the URL for the commands on the machine.
fn keep(url: &DatabaseUrl, file: &Path) -> Result<(), CommandError> {
    if fs::read_to_string(file).is_ok_and(|kept| kept.trim() == url.0) {
        return Ok(());
    }
    let failed = |e: &std::io::Error| {
        CommandError::because(format!("the database's URL cannot be kept in {}", file.display()), e)
    };
    // A new file, so that its permissions are right from the beginning.
    let draft: PathBuf = file.with_extension("url-new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut opened = options.open(&draft).map_err(|e| failed(&e))?;
    writeln!(opened, "{}", url.0).map_err(|e| failed(&e))?;
    opened.sync_all().map_err(|e| failed(&e))?;
    fs::rename(&draft, file).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_for_its_owner_and_never_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(URL_FILE);
        for password in ["hunter2", "hunter3"] {
            let url = DatabaseUrl(format!("postgres://kubesso:{password}@db.example.com/kubesso"));
            keep(&url, &file).unwrap();
            assert_eq!(DatabaseUrl::read(&file).unwrap(), url);
            assert!(!format!("{url:?}").contains("hunter"));
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_data_directory_does_not_change_its_database_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl("postgres://kubesso:hunter2@127.0.0.1:1/kubesso".to_owned());
        keep(&url, &folder.path().join(URL_FILE)).unwrap();
        let error = Database::open(folder.path(), None, None).await.unwrap_err().to_string();
        assert!(error.contains("database_url_file") && !error.contains("hunter2"), "{error}");
        assert!(!folder.path().join(SqliteStore::FILE).exists());

        let folder = tempfile::tempdir().unwrap();
        let (database, _) = Database::open(folder.path(), None, None).await.unwrap();
        database.close().await;
        let error = Database::open(folder.path(), Some(&url), None).await.unwrap_err().to_string();
        assert!(error.contains("choose another data_dir"), "{error}");
    }
}
