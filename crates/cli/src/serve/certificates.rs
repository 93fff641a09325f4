//! Certificates and keys in files, and how renewed ones come to be shown.

use std::path::Path;
use std::time::Duration;

use kubesso_https::{Identity, ServerTls};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Tls;
use crate::error::CommandError;

/// How often the certificate's files are looked at: renewed ones are shown without a restart. SIGHUP has them looked at now.
const CERTIFICATE_CHECK: Duration = Duration::from_mins(1);

impl Tls {
    pub(super) fn read(&self) -> Result<Identity, CommandError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|e| CommandError::because(format!("{} cannot be read", path.display()), &e))
        };
        Ok(Identity::new(read(&self.certificate)?, read(&self.key)?))
    }
}

/// From now on SIGHUP does not end the process.
pub(super) fn mind_hangups() {
    // What is registered once stays so.
    drop(Hangups::new());
}

/// Looks at the files now and then, until `shutdown`.
pub(super) async fn show_renewed_certificates(files: Tls, tls: ServerTls, shutdown: CancellationToken) {
    let mut shown = files.read().map(|identity| identity.chain_pem().to_owned()).unwrap_or_default();
    let mut hangups = Hangups::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATE_CHECK) => {}
            () = hangups.next() => {}
            () = shutdown.cancelled() => return,
        }
        let identity = match files.read() {
            Ok(identity) if identity.chain_pem() != shown => identity,
            Ok(_) => continue,
            Err(error) => {
                error!(%error, "the certificate's files cannot be read; the old one is shown on");
                continue;
            }
        };
        match tls.replace_identity(&identity) {
            Ok(()) => {
                identity.chain_pem().clone_into(&mut shown);
                info!("the renewed certificate is shown");
            }
            // Key and certificate are two files: one may be renewed a moment before the other.
            Err(error) => {
                error!(%error, "the renewed certificate cannot be used yet; the old one is shown on");
            }
        }
    }
}

/// SIGHUP: look again.
struct Hangups {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signals: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
