//! The provider as both `up` and `serve` run it: told who calls, and kept in order.

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use kubesso_https::PeerAddress;
use kubesso_provider::{ClientAddress, Provider};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The provider's router, which knows the address that a request comes from: attempts to sign in are counted by it.
pub(crate) fn router(provider: &Provider) -> Router {
    provider.router().layer(map_request(async |mut request: Request| {
        let peer = request.extensions().get::<PeerAddress>().map(|PeerAddress(peer)| peer.ip());
        request.extensions_mut().insert(ClientAddress(peer));
        request
    }))
}

/// Rotates keys and takes away what has ended, until `shutdown`.
pub(crate) fn maintain(provider: Provider, tasks: &TaskTracker, shutdown: CancellationToken) {
    tasks.spawn(async move {
        shutdown.run_until_cancelled(provider.keep_maintained()).await;
    });
}
