//! Ctrl-C and SIGTERM, as something to wait for.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears every interrupt from its making on, also one that comes while nobody waits; without one the system ends the process.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    heard: Option<[Signal; 2]>,
}

impl Interrupts {
    /// Hears from now on.
    pub(crate) fn begin() -> Self {
        #[cfg(unix)]
        return Self {
            heard: signal(SignalKind::interrupt())
                .and_then(|interrupt| Ok([interrupt, signal(SignalKind::terminate())?]))
                .ok(),
        };
        #[cfg(not(unix))]
        Self {}
    }

    /// Resolves at the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some([interrupt, terminate]) = &mut self.heard {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        // Where it cannot be heard of, nobody is told that it came.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
