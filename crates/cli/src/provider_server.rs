//! The provider and its management API as both `up` and `serve` run them: told who calls, and kept in order.

use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use kubesso_https::{PeerAddress, Proxies};
use kubesso_okta::{CallerAddress, ManagementApi};
use kubesso_provider::{ClientAddress, Provider};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client_certificates::Vouching;

/// Everything, at one address. The routers know the address that a request comes from: attempts to sign in are counted
/// by it, and the audit names it.
///
/// `vouching`: for the certificates of which proxies tell; `None`: they are not believed.
pub(crate) fn router(
    provider: &Provider,
    api: &ManagementApi,
    proxies: &Arc<Proxies>,
    vouching: Option<Vouching>,
) -> Router {
    let proxies = proxies.clone();
    provider.router().merge(api.router()).layer(map_request(move |mut request: Request| {
        let peer = client(&request, &proxies);
        request.extensions_mut().insert(ClientAddress(peer));
        request.extensions_mut().insert(CallerAddress(peer));
        if let Some(vouching) = &vouching {
            vouching.of_proxy(&proxies, &mut request);
        }
        ready(request)
    }))
}

/// What clients call by themselves, at an address that asks them for a certificate.
pub(crate) fn mutual_tls_router(provider: &Provider, vouching: Vouching, proxies: &Arc<Proxies>) -> Router {
    let proxies = proxies.clone();
    provider.mutual_tls_router().layer(map_request(move |mut request: Request| {
        let peer = client(&request, &proxies);
        request.extensions_mut().insert(ClientAddress(peer));
        vouching.of_handshake(&mut request);
        ready(request)
    }))
}

/// The management API alone.
pub(crate) fn management_router(api: &ManagementApi, proxies: &Arc<Proxies>) -> Router {
    let proxies = proxies.clone();
    api.router().layer(map_request(move |mut request: Request| {
        let peer = client(&request, &proxies);
        request.extensions_mut().insert(CallerAddress(peer));
        ready(request)
    }))
}

/// Who sent it, as far as those between are to be believed.
fn client(request: &Request, proxies: &Proxies) -> Option<IpAddr> {
    let peer = request.extensions().get::<PeerAddress>();
    peer.map(|PeerAddress(peer)| proxies.client(peer.ip(), request.headers()))
}

/// Rotates keys, takes away what has ended, and tells applications of logouts, until `shutdown`.
pub(crate) fn maintain(provider: Provider, tasks: &TaskTracker, shutdown: CancellationToken) {
    let (telling, ended) = (provider.clone(), shutdown.clone());
    tasks.spawn(async move {
        ended.run_until_cancelled(telling.keep_delivering()).await;
    });
    tasks.spawn(async move {
        shutdown.run_until_cancelled(provider.keep_maintained()).await;
    });
}
