//! The event loop, started only when there is something to wait for, and what interrupts it.

use crate::environment::{Environment, Interrupt};
use crate::error::Error;

/// Runs `work` to its end or to the interrupt, whichever is first. An interrupted work is dropped where it waits, which
/// releases its locks and its ports.
pub(crate) fn block_on<T>(
    environment: &Environment,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = interrupted(&environment.interrupt) => Err(Error::Interrupted),
        }
    });
    // A name look-up under way may take its time; nobody waits for it.
    runtime.shutdown_background();
    result
}

async fn interrupted(interrupt: &Interrupt) {
    match interrupt {
        Interrupt::Token(token) => token.cancelled().await,
        Interrupt::Signals => tokio::select! {
            // Where the signal cannot be caught it ends the process by itself.
            Ok(()) = tokio::signal::ctrl_c() => {}
            () = terminated() => {}
            else => std::future::pending().await,
        },
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
