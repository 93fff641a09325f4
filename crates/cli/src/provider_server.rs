//! The provider and its management API as both `up` and `serve` run them: told who calls, and kept in order.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use kubesso_https::PeerAddress;
use kubesso_okta::{CallerAddress, ManagementApi};
use kubesso_provider::{ClientAddress, Provider};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything, at one address. The routers know the address that a request comes from: attempts to sign in are counted
/// by it, and the audit names it.
pub(crate) fn router(provider: &Provider, api: &ManagementApi) -> Router {
    provider.router().merge(api.router()).layer(map_request(async |mut request: Request| {
        let peer = peer(&request);
        request.extensions_mut().insert(ClientAddress(peer));
        request.extensions_mut().insert(CallerAddress(peer));
        request
    }))
}

/// The management API alone.
pub(crate) fn management_router(api: &ManagementApi) -> Router {
    api.router().layer(map_request(async |mut request: Request| {
        let peer = peer(&request);
        request.extensions_mut().insert(CallerAddress(peer));
        request
    }))
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<PeerAddress>().map(|PeerAddress(peer)| peer.ip())
}

/// Rotates keys and takes away what has ended, until `shutdown`.
pub(crate) fn maintain(provider: Provider, tasks: &TaskTracker, shutdown: CancellationToken) {
    tasks.spawn(async move {
        shutdown.run_until_cancelled(provider.keep_maintained()).await;
    });
}
