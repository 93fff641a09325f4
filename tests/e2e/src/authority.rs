//! One certificate authority for all servers that this test process starts on loopback.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use kubesso_ambient::{Clock, SystemClock};
use kubesso_https::pki::{CertificateAuthority, ServerNames};
use tempfile::TempDir;

use crate::environment;

/// The authority's certificate, and a certificate for `localhost` with its key, as files.
#[derive(Debug)]
pub struct Authority {
    /// For whoever is to trust it.
    pub certificate_pem: String,
    /// The same as a file.
    pub file: PathBuf,
    /// The server's certificate.
    pub server_certificate: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
    _folder: TempDir,
}

/// The authority, made when it is first asked for.
///
/// # Errors
/// The file system's.
pub fn shared() -> Result<&'static Authority> {
    static AUTHORITY: OnceLock<Result<Authority, String>> = OnceLock::new();
    let made = AUTHORITY.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow!("{error}"))
}

fn make() -> Result<Authority> {
    let now = SystemClock.now();
    let authority = CertificateAuthority::generate("kubesso tests", now)?;
    let server = authority.issue_server(&ServerNames::loopback(), now)?;
    let folder = environment::scratch("authority")?;
    let write = |name: &str, pem: &str| -> Result<PathBuf> {
        let path = folder.path().join(name);
        fs::write(&path, pem)?;
        Ok(path)
    };
    Ok(Authority {
        certificate_pem: authority.certificate_pem().to_owned(),
        file: write("ca.crt", authority.certificate_pem())?,
        server_certificate: write("tls.crt", server.chain_pem())?,
        server_key: write("tls.key", server.key_pem())?,
        _folder: folder,
    })
}
