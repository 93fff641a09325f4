//! `kubesso keys export` and `import`: signing keys out of an installation, and into one.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_ambient::{Clock as _, OsEntropy, SystemClock};
use kubesso_directory::{
    AuditEvent, AuditEventId, AuthorizationServerId, Batch, Change, KeyState, Outcome, Server,
    SigningKeyRecord, Snapshot,
};
use kubesso_provider::KeyCommand;
use kubesso_token::{Algorithm, Kid, PrivateKey, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use super::{find_server, own_servers};
use crate::args::{DataDir, PassphraseFrom};
use crate::backup::passphrase::{self, Use};
use crate::backup::sealed::{Opener, Sealer, is_sealed};
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;

/// A private key is no larger, nor are some hundred of them.
const LARGEST: u64 = 1024 * 1024;

/// What the file of an export holds, under its passphrase.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    /// Says what it is, and in which version.
    signing_keys: u32,
    keys: Vec<ExportedKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportedKey {
    authorization_server: String,
    kid: String,
    algorithm: Algorithm,
    /// In base64.
    pkcs8: String,
}

impl Drop for ExportedKey {
    fn drop(&mut self) {
        self.pkcs8.zeroize();
    }
}

const VERSION: u32 = 1;

/// How an imported key is to be known.
pub(super) struct Wanted {
    pub(super) server: Option<String>,
    pub(super) kid: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
}

/// Prints the JWK set of a server.
pub(super) async fn print_public(server: Option<&str>, data: &DataDir) -> Result<(), CommandError> {
    let (database, _) = Database::open_existing(&environment::data_dir(data)?).await?;
    let snapshot = database.snapshot().await;
    database.close().await;
    let snapshot = snapshot.map_err(|e| CommandError::because("the keys cannot be read", &e))?;
    let server = find_server(&snapshot, server)?;
    let now = SystemClock.now();
    let is_published = |key: &&SigningKeyRecord| match key.state {
        KeyState::Pending { .. } | KeyState::Active { .. } => true,
        KeyState::Retiring { until } => now < until,
        KeyState::Revoked { .. } => false,
    };
    let keys: Vec<&Value> = server.keys.iter().filter(is_published).map(|key| &key.public_jwk).collect();
    println!("{:#}", json!({ "keys": keys }));
    Ok(())
}

/// Writes the keys that sign into a new file, under a passphrase.
pub(super) async fn export(
    out: &Path,
    server: Option<&str>,
    phrase: &PassphraseFrom,
    data: &DataDir,
) -> Result<(), CommandError> {
    let (database, sealing_key) = Database::open_existing(&environment::data_dir(data)?).await?;
    let failed = |e: &dyn std::error::Error| CommandError::because("the keys were not exported", e);
    let work = async {
        let snapshot = database.snapshot().await.map_err(|e| failed(&e))?;
        let servers: Vec<&Server> = match server {
            Some(named) => vec![find_server(&snapshot, Some(named))?],
            None => own_servers(&snapshot).collect(),
        };
        let mut keys = Vec::new();
        for key in servers.iter().flat_map(|server| &server.keys).filter(|key| key.is_active()) {
            let purpose = SigningKeyRecord::purpose(&key.server, &key.kid);
            let pkcs8 = sealing_key.open(&purpose, &key.sealed_pkcs8).map_err(|e| failed(&e))?;
            keys.push(ExportedKey {
                authorization_server: key.server.to_string(),
                kid: key.kid.to_string(),
                algorithm: key.algorithm.parse().map_err(|e| failed(&e))?,
                pkcs8: BASE64_STANDARD.encode(&pkcs8),
            });
        }
        if keys.is_empty() {
            return Err(CommandError::new("there is no key that signs"));
        }
        let phrase = passphrase::get(phrase, Use::Seal)?;
        let number = keys.len();
        let text = serde_json::to_vec(&Exported { signing_keys: VERSION, keys }).map_err(|e| failed(&e))?;
        let text = Zeroizing::new(text);
        // Noted before it is there: whoever has the file can sign as this provider.
        database.commit(Batch::new(SystemClock.now(), vec![entry(number)])).await.map_err(|e| failed(&e))?;
        let file = create(out).map_err(|e| failed(&e))?;
        let written = Sealer::new(file, &phrase, &OsEntropy).and_then(|mut sealer| {
            sealer.write_all(&text)?;
            sealer.finish()?.sync_all()
        });
        written.map_err(|e| {
            // Half a file is none.
            let _ = fs::remove_file(out);
            failed(&e)
        })?;
        Ok(number)
    };
    let done = work.await;
    database.close().await;
    let number = done?;
    println!("{} holds {number} private keys, under the passphrase", out.display());
    println!("Whoever opens it can make tokens that everybody takes for this provider's.");
    Ok(())
}

fn create(out: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(out)
}

fn entry(number: usize) -> Change {
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&OsEntropy),
        published: SystemClock.now(),
        event_type: "oauth2.as.key.export".to_owned(),
        actor: "system".to_owned(),
        target: None,
        outcome: Outcome::Success,
        message: format!("exported {number} private signing keys"),
        details: serde_json::Map::new(),
    })
}

/// Publishes what is in a file.
pub(super) async fn import(
    file: &Path,
    wanted: &Wanted,
    phrase: &PassphraseFrom,
    data: &DataDir,
) -> Result<(), CommandError> {
    let content = read(file)?;
    let (database, sealing_key) = Database::open_existing(&environment::data_dir(data)?).await?;
    let work = async {
        let snapshot =
            database.snapshot().await.map_err(|e| CommandError::because("the keys cannot be read", &e))?;
        let keys = if is_sealed(&content) {
            opened(file, &content, phrase, wanted, &snapshot)?
        } else {
            let server = find_server(&snapshot, wanted.server.as_deref())?;
            vec![(server.server.id.clone(), single(file, &content, wanted)?)]
        };
        for (server, key) in keys {
            let command = KeyCommand {
                store: &*database,
                sealing_key: &sealing_key,
                entropy: &OsEntropy,
                now: SystemClock.now(),
            };
            let kid = key.kid().clone();
            command
                .import(&server, &key)
                .await
                .map_err(|e| CommandError::because(format!("the key {kid} was not imported"), &e))?;
            eprintln!(
                "{kid} is published for {server}; it signs after `kubesso keys rotate`, or by the schedule"
            );
        }
        Ok(())
    };
    let done = work.await;
    database.close().await;
    done
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let mut content = Zeroizing::new(Vec::new());
    File::open(file)
        .and_then(|opened| opened.take(LARGEST).read_to_end(&mut content))
        .map_err(|e| CommandError::because(format!("{} cannot be read", file.display()), &e))?;
    Ok(content)
}

/// PEM or JWK.
fn single(file: &Path, content: &[u8], wanted: &Wanted) -> Result<SigningKey, CommandError> {
    let refused = |e: &dyn std::error::Error| {
        CommandError::because(format!("{} holds no usable key", file.display()), e)
    };
    let text = std::str::from_utf8(content).map_err(|e| refused(&e))?;
    let private = PrivateKey::parse(text).map_err(|e| refused(&e))?;
    let fitting = private.algorithms();
    let algorithm = match wanted.algorithm {
        Some(algorithm) if fitting.contains(&algorithm) => algorithm,
        Some(algorithm) => {
            return Err(CommandError::usage(format!(
                "the key in {} does not sign by {algorithm}",
                file.display()
            )));
        }
        None => *fitting.first().ok_or_else(|| CommandError::new("the key signs by no algorithm"))?,
    };
    let key = private.signing_key(algorithm).map_err(|e| refused(&e))?;
    let kid = wanted.kid.clone().map(Kid::new).or_else(|| private.kid().cloned());
    Ok(match kid {
        Some(kid) => key.named(kid),
        None => key,
    })
}

/// What `kubesso keys export` wrote: each key for the server of its id, or for the one that is named.
fn opened(
    file: &Path,
    content: &[u8],
    phrase: &PassphraseFrom,
    wanted: &Wanted,
    snapshot: &Snapshot,
) -> Result<Vec<(AuthorizationServerId, SigningKey)>, CommandError> {
    let refused =
        |e: &dyn std::error::Error| CommandError::because(format!("{} cannot be opened", file.display()), e);
    let phrase = passphrase::get(phrase, Use::Open)?;
    let mut text = Zeroizing::new(Vec::new());
    Opener::new(content, &phrase).and_then(|mut it| it.read_to_end(&mut text)).map_err(|e| refused(&e))?;
    let exported: Exported = serde_json::from_slice(&text)
        .map_err(|_| CommandError::new(format!("{} is no export of signing keys", file.display())))?;
    if exported.signing_keys != VERSION {
        return Err(CommandError::new(format!("{} was written by a newer version", file.display())));
    }
    let is_chosen = |key: &&ExportedKey| wanted.kid.as_ref().is_none_or(|kid| *kid == key.kid);
    let mut keys = Vec::new();
    for key in exported.keys.iter().filter(is_chosen) {
        let named = wanted.server.as_deref();
        let own = || {
            find_server(snapshot, Some(&key.authorization_server)).or_else(|_| find_server(snapshot, None))
        };
        let server = named.map_or_else(own, |named| find_server(snapshot, Some(named)))?;
        let pkcs8 =
            BASE64_STANDARD.decode(key.pkcs8.as_bytes()).map(Zeroizing::new).map_err(|e| refused(&e))?;
        let signing = SigningKey::from_pkcs8(key.algorithm, &pkcs8).map_err(|e| refused(&e))?;
        keys.push((server.server.id.clone(), signing.named(Kid::new(&*key.kid))));
    }
    if keys.is_empty() {
        return Err(CommandError::new(format!("{} holds no such key", file.display())));
    }
    Ok(keys)
}
