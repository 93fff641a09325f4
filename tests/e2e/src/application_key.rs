//! The key by which an application of these tests proves itself (`private_key_jwt`, OpenID Connect Core, section 9).

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_token::{Algorithm, JwkSet, SigningKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::environment;

/// A key of this test process.
#[derive(Debug)]
pub struct ApplicationKey {
    /// The private key, PEM (PKCS#8).
    pub file: PathBuf,
    /// Its name at the provider.
    pub id: String,
    /// What the provider is told.
    pub public: Value,
    _folder: TempDir,
}

/// The key, made when it is first asked for.
///
/// # Errors
/// The file system's.
pub fn shared() -> Result<&'static ApplicationKey> {
    static KEY: OnceLock<Result<ApplicationKey, String>> = OnceLock::new();
    let made = KEY.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!("{error}"))
}

fn make() -> Result<ApplicationKey> {
    let key = SigningKey::generate(Algorithm::Es256)?;
    let folder = environment::scratch("application-key")?;
    let file = folder.path().join("application.pem");
    let text = BASE64_STANDARD.encode(key.to_pkcs8()?.as_slice());
    fs::write(&file, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))?;
    let public = serde_json::to_value(JwkSet::new(vec![key.public_jwk()]))?;
    Ok(ApplicationKey { file, id: key.kid().as_str().to_owned(), public, _folder: folder })
}
