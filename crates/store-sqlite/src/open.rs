//! Opening the data directory: every look that only reads comes before anything is written.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kubesso_ambient::Entropy;
use kubesso_directory::{Sealed, SealingKey};
use kubesso_store_sql::master_key::{self, KeyError, MasterKey};
use sqlx::{SqliteConnection, query, query_scalar};
use tokio::time::{sleep, timeout};

use crate::SqliteStore;
use crate::schema::{self, Mark};

/// Up to this size the whole file is checked when it is opened (some milliseconds); beyond, SQLite's own
/// checks in use must do.
const CHECKED: u64 = 16 * 1024 * 1024;

/// How long to wait before connecting again.
const RETRY: Duration = Duration::from_millis(10);

/// Why a data directory cannot be used. Nothing in it has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Files cannot be created or written there.
    #[error("cannot write `{}`: choose another data directory or mend its permissions ({source})", .path.display())]
    NotWritable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process keeps it locked.
    #[error("the database `{}` is locked by another process: stop that one first", .file.display())]
    Busy {
        /// The file.
        file: PathBuf,
    },
    /// Written by a newer version.
    #[error(
        "the database `{}` is from a newer version of kubesso (schema {found}, this one knows up to {known}): use that \
         version or another data directory", .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i32,
        /// The latest schema here.
        known: i32,
    },
    /// A SQLite database, but another program's.
    #[error("the database `{}` belongs to another program: choose another data directory", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// Not a database, or a broken one.
    #[error("the database `{}` is damaged ({cause}): restore it from a backup, or move it away to begin anew", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Anything else that SQLite says.
    #[error("cannot open the database `{}`: {source}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

pub(crate) async fn open(
    directory: &Path,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<(SqliteStore, SealingKey), OpenError> {
    let file = directory.join(SqliteStore::FILE);
    if !look_at_header(&file)? {
        create_directory(directory)
            .map_err(|source| OpenError::NotWritable { path: directory.to_owned(), source })?;
        match master_key::create_private(&file) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(OpenError::NotWritable { path: file, source: error });
            }
            _ => {}
        }
    }
    let store = match timeout(crate::BUSY, connect(&file)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(OpenError::Busy { file }),
    };
    let prepared = prepare(&store, &file, master_key, entropy).await;
    match prepared {
        Ok(key) => Ok((store, key)),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

/// Connects, again and again while another process does the same: switching a new file to write-ahead logging
/// takes a lock for which SQLite does not wait by itself
/// (<https://www.sqlite.org/wal.html#activating_and_configuring_wal_mode>).
async fn connect(file: &Path) -> Result<SqliteStore, OpenError> {
    loop {
        match SqliteStore::connect(file).await.map_err(|error| translate(file, error)) {
            Err(OpenError::Busy { .. }) => sleep(RETRY).await,
            connected => return connected,
        }
    }
}

/// Looks at the first bytes of the file (<https://www.sqlite.org/fileformat2.html#the_database_header>)
/// without opening it as a database; whether there is one.
pub(crate) fn look_at_header(file: &Path) -> Result<bool, OpenError> {
    let unreadable = |source| OpenError::NotWritable { path: file.to_owned(), source };
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unreadable(error)),
    };
    let mut header = Vec::with_capacity(100);
    opened.by_ref().take(100).read_to_end(&mut header).map_err(unreadable)?;
    if header.is_empty() {
        return Ok(true);
    }
    let number =
        |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
    let (Some(version), Some(application), true) =
        (number(60), number(68), header.starts_with(b"SQLite format 3\0"))
    else {
        return Err(OpenError::Damaged {
            file: file.to_owned(),
            cause: "it is not a SQLite database".to_owned(),
        });
    };
    if let Some(cause) = cut_short(file, &opened, &header) {
        return Err(OpenError::Damaged { file: file.to_owned(), cause });
    }
    match application {
        // The marks may still be in the write-ahead log.
        0 => Ok(true),
        schema::APPLICATION_ID if version > schema::LATEST => Err(newer(file, version)),
        schema::APPLICATION_ID => Ok(true),
        _ => Err(OpenError::Foreign { file: file.to_owned() }),
    }
}

/// Whether the file has fewer bytes than its header says. With a write-ahead log beside it, which may hold
/// the rest, that is SQLite's to judge.
fn cut_short(file: &Path, opened: &File, header: &[u8]) -> Option<String> {
    let log = file.with_extension("db-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return None;
    }
    let page_size = match u16::from_be_bytes(header.get(16..18)?.try_into().ok()?) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes(header.get(28..32)?.try_into().ok()?);
    let (expected, found) = (page_size * u64::from(pages), opened.metadata().ok()?.len());
    (found < expected).then(|| format!("it is cut short: {found} of {expected} bytes"))
}

pub(crate) fn newer(file: &Path, found: i32) -> OpenError {
    OpenError::Newer { file: file.to_owned(), found, known: schema::LATEST }
}

fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Checks, migrates, and brings key and database together, in one transaction.
async fn prepare(
    store: &SqliteStore,
    file: &Path,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<SealingKey, OpenError> {
    let said = |error| translate(file, error);
    let mut transaction = store.writer.begin_with("BEGIN IMMEDIATE").await.map_err(said)?;
    let version = match schema::mark(&mut transaction).await.map_err(said)? {
        Mark::Foreign => return Err(OpenError::Foreign { file: file.to_owned() }),
        Mark::Ours(version) if version > schema::LATEST => return Err(newer(file, version)),
        Mark::Ours(version) => version,
        Mark::Fresh => 0,
    };
    if version > 0 {
        check(&mut transaction, file).await?;
    }
    let sealed: Option<Vec<u8>> = if version > 0 {
        query_scalar("SELECT sealed_check FROM directory").fetch_one(&mut *transaction).await.map_err(said)?
    } else {
        None
    };
    let sealed = sealed.map(Sealed::from_bytes);
    let key = master_key.open(sealed.as_ref(), entropy)?;
    if sealed.is_some() && version == schema::LATEST {
        return Ok(key);
    }
    if version < schema::LATEST {
        schema::migrate(&mut transaction, version).await.map_err(said)?;
    }
    query("UPDATE directory SET sealed_check = ? WHERE sealed_check IS NULL")
        .bind(key.check(entropy).as_bytes())
        .execute(&mut *transaction)
        .await
        .map_err(said)?;
    transaction.commit().await.map_err(said)?;
    Ok(key)
}

/// Reads the whole file through, if it is small.
pub(crate) async fn check(connection: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    if fs::metadata(file).is_ok_and(|metadata| metadata.len() > CHECKED) {
        return Ok(());
    }
    let verdict: String = query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|error| translate(file, error))?;
    if verdict == "ok" {
        return Ok(());
    }
    let cause = verdict.lines().last().unwrap_or_default().to_owned();
    Err(OpenError::Damaged { file: file.to_owned(), cause })
}

/// Says what a SQLite result code means (<https://www.sqlite.org/rescode.html>).
pub(crate) fn translate(file: &Path, error: sqlx::Error) -> OpenError {
    let file = file.to_owned();
    let Some(said) = error.as_database_error() else { return OpenError::Database { file, source: error } };
    let primary = said.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    let message = said.message().to_owned();
    match primary {
        Some(5 | 6) => OpenError::Busy { file },
        Some(8 | 14) => OpenError::NotWritable { path: file, source: io::Error::other(message) },
        Some(11 | 26) => OpenError::Damaged { file, cause: message },
        _ => OpenError::Database { file, source: error },
    }
}
