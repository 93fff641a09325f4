//! The installation's certificate authority: made at the first start, kept, and what it issues renewed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kubesso_ambient::Clock;
use kubesso_https::ServerTls;
use kubesso_https::pki::{CertificateAuthority, PkiError, ServerNames};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::data_directory::{DataDirectory, DataDirectoryError, Mode};
use crate::error::CommandError;

const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";

/// The authority in `directory`, made if there is none. Half of one is an error: it is never overwritten.
pub(crate) fn open(directory: &DataDirectory, now: Timestamp) -> Result<CertificateAuthority, CommandError> {
    let read = |name| directory.read(name).map_err(|e| CommandError::new(e.to_string()));
    match (read(CERTIFICATE)?, read(KEY)?) {
        (Some(certificate), Some(key)) => {
            CertificateAuthority::load(&certificate, &key, now).map_err(|e| unusable(directory, &e))
        }
        (None, None) => create(directory, now),
        (Some(_), None) | (None, Some(_)) => Err(CommandError::new(format!(
            "{} holds only one of {CERTIFICATE} and {KEY}",
            directory.root().display()
        ))
        .mend("restore the other from a backup, or choose another --data-dir")),
    }
}

/// The authority's certificate in the directory at `root`, if `kubesso up` made one there.
pub(crate) fn certificate_at(root: &Path) -> Option<String> {
    std::fs::read_to_string(root.join(CERTIFICATE)).ok()
}

fn create(directory: &DataDirectory, now: Timestamp) -> Result<CertificateAuthority, CommandError> {
    let authority = CertificateAuthority::generate("kubesso", now).map_err(|e| unusable(directory, &e))?;
    let keep = |name, content: &str, mode| directory.write(name, content.as_bytes(), mode);
    // The key first: a certificate without its key could be trusted somewhere and never used again.
    keep(KEY, &authority.key_pem(), Mode::Private)
        .and_then(|()| keep(CERTIFICATE, authority.certificate_pem(), Mode::Public))
        .map_err(|e: DataDirectoryError| CommandError::new(e.to_string()))?;
    Ok(authority)
}

fn unusable(directory: &DataDirectory, error: &PkiError) -> CommandError {
    let file = if matches!(error, PkiError::MalformedKey) { KEY } else { CERTIFICATE };
    CommandError::because(directory.path(file).display(), error)
}

/// Issues the server's next certificate long before the one it shows ends, for as long as it serves.
pub(crate) async fn renew(
    authority: Arc<CertificateAuthority>,
    names: ServerNames,
    servers: Vec<ServerTls>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    const DAY: Duration = Duration::from_hours(24);
    loop {
        tokio::select! {
            () = tokio::time::sleep(DAY) => {}
            () = shutdown.cancelled() => return,
        }
        let renewed =
            authority.issue_server(&names, clock.now()).map_err(|e| e.to_string()).and_then(|next| {
                servers.iter().try_for_each(|tls| tls.replace_identity(&next)).map_err(|e| e.to_string())
            });
        match renewed {
            Ok(()) => info!("server certificate renewed"),
            Err(error) => error!(%error, "the server certificate could not be renewed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T08:00:00Z";

    #[test]
    fn the_authority_of_the_first_start_is_kept() {
        let path = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(path.path()).unwrap();
        let first = open(&directory, NOW.parse().unwrap()).unwrap();
        let second = open(&directory, NOW.parse().unwrap()).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
    }

    #[test]
    fn half_an_authority_is_refused_and_left_as_it_is() {
        let path = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(path.path()).unwrap();
        open(&directory, NOW.parse().unwrap()).unwrap();
        std::fs::remove_file(directory.path(KEY)).unwrap();
        let refused = open(&directory, NOW.parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("holds only one of ca.crt and ca.key"), "{refused}");
        assert!(!directory.path(KEY).exists());
    }

    #[test]
    fn a_clock_before_the_authority_is_named() {
        let path = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(path.path()).unwrap();
        open(&directory, NOW.parse().unwrap()).unwrap();
        let refused = open(&directory, "2020-01-01T00:00:00Z".parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("the clock shows 2020-01-01T00:00:00Z, before"), "{refused}");
    }
}
