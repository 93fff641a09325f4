//! `kubesso keys rewrap`: everything that is sealed, under another master key.

use std::path::Path;

use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{
    AuditEvent, AuditEventId, Batch, Change, Expectation, Outcome, Resealing, SealingKey, StoreError,
};
use kubesso_store_sql::master_key::{MasterKey, prepare_successor, succeed};
use kubesso_store_sqlite::SqliteStore;

use crate::args::{DataDir, NewMasterKey};
use crate::data_directory::DataDirectory;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::master_key::{self, MasterKeySetting, Source};

pub(super) async fn run(new_key: &NewMasterKey, data: &DataDir) -> Result<(), CommandError> {
    let root = environment::data_dir(data)?;
    // Found before the directory is taken into use, which would make it.
    if !root.join(SqliteStore::FILE).exists() && !crate::database::is_on_a_server(&root) {
        return Err(CommandError::new(format!("there is no installation in {}", root.display()))
            .mend("name its directory with --data-dir"));
    }
    let _in_use = DataDirectory::open(&root).map_err(|e| CommandError::new(e.to_string()))?;
    let ((database, old), from) = Database::open_at(&root).await?;
    let changed = change(&root, &database, &old, &from, new_key).await;
    database.close().await;
    let (to, sealed) = changed?;
    println!("{sealed} secrets are sealed under another master key: {to}");
    let next = match to {
        Source::DataDirectory => {
            "Copy master.key to the data directories of other replicas before they start."
        }
        Source::Variable => "Have every replica started with it in KUBESSO_MASTER_KEY from now on.",
        Source::File(_) | Source::Command { .. } => {
            "Say so in the configuration of every replica (docs/serve.md, \"The master key\")."
        }
    };
    println!("{next}");
    println!("Backups and dumps made before need the old key: keep it with them, and nowhere else.");
    Ok(())
}

async fn change(
    root: &Path,
    database: &Database,
    old: &SealingKey,
    from: &Source,
    new_key: &NewMasterKey,
) -> Result<(Source, usize), CommandError> {
    let file = root.join(SqliteStore::KEY_FILE);
    let (new, to) = match named(new_key, root).await? {
        Some(named) => named,
        None => (SealingKey::generate(&OsEntropy), Source::DataDirectory),
    };
    if new.expose() == old.expose() {
        return Err(CommandError::new("the new master key is the old one: nothing was changed"));
    }
    let failed = |e: &dyn std::error::Error| CommandError::because("nothing was changed", e);
    let snapshot = database.snapshot().await.map_err(|e| failed(&e))?;
    let resealing = Resealing::of(&snapshot, old, &new, &OsEntropy).map_err(|e| failed(&e))?;
    let sealed = resealing.keys.len() + resealing.secrets.len();
    // First the new key is where a start looks for it, beside the old one. Then one transaction decides.
    if to == Source::DataDirectory {
        prepare_successor(&file, &new).map_err(|e| failed(&e))?;
    }
    if to != *from {
        master_key::keep(root, &[from.clone(), to.clone()])?;
    }
    let now = SystemClock.now();
    let batch = Batch::new(now, vec![Change::Reseal(resealing), entry(now, &to)])
        .expecting(Expectation::Revision(snapshot.revision()));
    match database.commit(batch).await {
        Ok(_) => {}
        Err(StoreError::Stale) => {
            return Err(CommandError::new(
                "nothing was changed, because somebody changed the directory meanwhile",
            )
            .mend("end every replica and try again"));
        }
        // Which key counts now, the next start finds out.
        Err(error) => return Err(CommandError::because("the secrets may not be sealed again", &error)),
    }
    if to == Source::DataDirectory {
        succeed(&file)
            .map_err(|e| CommandError::because("the new key counts, but lies beside the old one", &e))?;
    }
    master_key::keep(root, std::slice::from_ref(&to))?;
    Ok((to, sealed))
}

/// The new key and its place, if flags name one.
async fn named(flags: &NewMasterKey, root: &Path) -> Result<Option<(SealingKey, Source)>, CommandError> {
    let setting = if let Some(file) = &flags.file {
        MasterKeySetting::of_file(file.clone())
    } else if let Some(list) = &flags.command {
        let command = serde_json::from_str(list).map_err(|e| {
            CommandError::usage(format!("--new-key-command is not a list in JSON: {e}"))
                .mend("write '[\"program\", \"argument\"]'")
        })?;
        MasterKeySetting::of_command(command, flags.wrapped.clone())
    } else if let Some(name) = &flags.variable {
        return Ok(Some((master_key::of_variable(name)?, Source::Variable)));
    } else {
        return Ok(None);
    };
    let Some(source) = setting.source().map_err(CommandError::usage)? else { return Ok(None) };
    match source.master_key(root).await? {
        MasterKey::Given { key, .. } => Ok(Some((key, source))),
        MasterKey::File(_) => Ok(None),
    }
}

fn entry(now: jiff::Timestamp, to: &Source) -> Change {
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&OsEntropy),
        published: now,
        event_type: "system.master_key.change".to_owned(),
        actor: "system".to_owned(),
        target: None,
        outcome: Outcome::Success,
        message: format!("every secret was sealed again; the key is now {to}"),
        details: serde_json::Map::new(),
    })
}
