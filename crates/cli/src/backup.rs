//! `kubesso backup` and `kubesso restore`: an installation in one file, under a passphrase.

mod archive;
pub(crate) mod passphrase;
pub(crate) mod sealed;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kubesso_ambient::OsEntropy;
use kubesso_store_sql::Inspection;
use kubesso_store_sqlite::SqliteStore;

use crate::args::{Backup, Restore};
use crate::database::{Database, DatabaseUrl, is_on_a_server};
use crate::environment;
use crate::error::CommandError;
use crate::serve;
use passphrase::Use;
use sealed::{Opener, Sealer};

/// Runs `kubesso backup …`. A running kubesso goes on.
pub(crate) async fn backup(command: Backup) -> Result<ExitCode, CommandError> {
    let root = environment::data_dir(&command.data)?;
    if !is_on_a_server(&root) && !root.join(SqliteStore::FILE).exists() {
        return Err(CommandError::new(format!("there is no installation in {}", root.display()))
            .mend("name its directory with --data-dir"));
    }
    let passphrase = passphrase::get(&command.passphrase, Use::Seal)?;
    let out = command.out;
    let file = create(&out)?;
    let written = async {
        // The copy is as secret as the original, and lies beside it.
        let room = Temporary::new(&root.join(format!(".backup-{}", std::process::id())))?;
        Database::copy(&root, &room.path).await?;
        let failed = |e| CommandError::because(format!("the backup {} cannot be written", out.display()), &e);
        let mut sealer = Sealer::new(file, &passphrase, &OsEntropy).map_err(failed)?;
        let packed = archive::pack(&mut sealer, &[&room.path, &root]).map_err(failed)?;
        let file = sealer.finish().map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(packed)
    };
    let packed = written.await.inspect_err(|_: &CommandError| {
        // Half a backup is none.
        let _ = fs::remove_file(&out);
    })?;
    println!("{} holds {} of {}", out.display(), packed.join(", "), root.display());
    println!("Without the passphrase nobody can restore it: keep that elsewhere.");
    Ok(ExitCode::SUCCESS)
}

/// Runs `kubesso restore …`.
pub(crate) async fn restore(command: Restore) -> Result<ExitCode, CommandError> {
    let (root, url) = place(&command)?;
    let root = std::path::absolute(&root)
        .map_err(|e| CommandError::because(format!("{} cannot be found", root.display()), &e))?;
    refuse_used(&root)?;
    let name = command.file.display();
    let file = File::open(&command.file)
        .map_err(|e| CommandError::because(format!("the backup {name} cannot be read"), &e))?;
    let passphrase = passphrase::get(&command.passphrase, Use::Open)?;
    let above = root.parent().unwrap_or(&root);
    fs::create_dir_all(above)
        .map_err(|e| CommandError::because(format!("{} cannot be made", above.display()), &e))?;
    let last = root.file_name().unwrap_or_default().to_string_lossy();
    let room = Temporary::new(&root.with_file_name(format!(".{last}.restore-{}", std::process::id())))?;
    let failed = |e: &dyn std::error::Error| {
        CommandError::because(format!("the backup {name} cannot be restored"), e)
            .mend("nothing was put in place")
    };
    let mut opener = Opener::new(BufReader::new(file), &passphrase).map_err(|e| failed(&e))?;
    let unpacked = archive::unpack(&mut opener, &room.path).map_err(|e| failed(&e))?;
    SqliteStore::verify(&room.path).await.map_err(|e| failed(&e))?;
    // Whether the key is the one that the secrets are sealed with, and this version knows the schema.
    match Database::inspect_restored(&room.path).await.map_err(|e| failed(&e))? {
        Inspection::Found { .. } => {}
        Inspection::Missing => return Err(failed(&io::Error::other("the database in it is empty"))),
    }
    let Some(url) = url else {
        room.put_in_place(&root)?;
        println!("{} is restored from {name}: {}", root.display(), unpacked.join(", "));
        return Ok(ExitCode::SUCCESS);
    };
    Database::put_on_server(&room.path, &url).await?;
    room.put_in_place(&root)
        .map_err(|e| e.mend("the database on the server is filled: empty it before you try again"))?;
    let rest: Vec<_> = unpacked.into_iter().filter(|name| *name != SqliteStore::FILE).collect();
    println!("{} is restored from {name}: {}", root.display(), rest.join(", "));
    println!("People, groups, applications, keys and the audit trail are in the database on the server.");
    println!("Each replica's data directory needs the same master.key.");
    Ok(ExitCode::SUCCESS)
}

/// The data directory, and the server that the directory goes to, if it does not go into a file.
fn place(command: &Restore) -> Result<(PathBuf, Option<DatabaseUrl>), CommandError> {
    if let Some(config) = &command.config {
        return serve::place(config);
    }
    let root = environment::data_dir(&command.data)?;
    let named = command.database_url_file.clone();
    let file = named.or_else(|| environment::set("KUBESSO_DATABASE_URL_FILE").map(PathBuf::from));
    Ok((root, file.map(|file| DatabaseUrl::read(&file)).transpose()?))
}

fn create(out: &Path) -> Result<File, CommandError> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(out).map_err(|error| {
        let failed = CommandError::because(format!("the backup {} cannot be made", out.display()), &error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => failed.mend("name another file with --out"),
            _ => failed,
        }
    })
}

/// Only an empty directory, or none, takes a backup.
fn refuse_used(root: &Path) -> Result<(), CommandError> {
    let mut entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(CommandError::because(format!("{} cannot be read", root.display()), &e)),
    };
    if entries.next().is_none() {
        return Ok(());
    }
    Err(CommandError::new(format!("{} is not empty", root.display()))
        .mend("restore into a new directory, or move this one away first"))
}

/// A private directory that is gone at the end, unless it was put in place.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn new(path: &Path) -> Result<Self, CommandError> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(path)
            .map_err(|e| CommandError::because(format!("{} cannot be made", path.display()), &e))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Becomes `place`, which is empty or missing.
    fn put_in_place(self, place: &Path) -> Result<(), CommandError> {
        let failed = |e| CommandError::because(format!("{} cannot be put in place", place.display()), &e);
        match fs::remove_dir(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::rename(&self.path, place).map_err(failed)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
