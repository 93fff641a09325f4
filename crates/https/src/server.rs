//! Serving an axum router over TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use hyper::body::Incoming;
use hyper::{Request, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

use crate::ServerTls;

/// The address a request came from. In the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The certificates that the client showed, the leaf first; empty when none. The client holds the leaf's key,
/// **nothing else has been checked**. In the extensions of every request.
#[derive(Clone, Debug, Default)]
pub struct ClientCertificates(pub Arc<[CertificateDer<'static>]>);

/// What a stranger may cost the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time; further ones wait in the listener's queue.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the head of an HTTP/1.1 request, idle time before it included.
    pub request_head: Duration,
    /// How long an ending server goes on taking requests on connections that it has: whoever is about to send one gets an
    /// answer, and with it the word that the connection ends.
    pub farewell: Duration,
    /// How long an ending server waits for requests under way, the farewell included.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            request_head: Duration::from_mins(1),
            farewell: Duration::from_secs(1),
            drain: Duration::from_secs(4),
        }
    }
}

/// Serves `router` on `listener` until `shutdown` is cancelled, then lets requests under way finish for
/// [`Limits::drain`] and cuts the rest.
///
/// Each request carries [`PeerAddress`] and [`ClientCertificates`] in its extensions.
pub async fn serve(
    listener: TcpListener,
    tls: ServerTls,
    router: Router,
    shutdown: CancellationToken,
    limits: Limits,
) {
    let acceptor = TlsAcceptor::from(tls.config);
    let accept = move |stream, peer, router, shutdown| {
        serve_connection(stream, peer, acceptor.clone(), router, shutdown, limits)
    };
    accept_until(listener, router, shutdown, limits, accept).await;
}

/// As [`serve`], in plain http: whoever can read the traffic sees every token in it. For the loopback interface, where
/// nothing else works.
pub async fn serve_dangerously_without_tls(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    limits: Limits,
) {
    let accept = move |stream: TcpStream, peer, router, shutdown| async move {
        let _ = stream.set_nodelay(true);
        serve_requests(stream, peer, ClientCertificates::default(), router, shutdown, limits).await;
    };
    accept_until(listener, router, shutdown, limits, accept).await;
}

/// Gives every connection to `serve_one`, until `shutdown` is cancelled.
async fn accept_until<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    limits: Limits,
    serve_one: impl Fn(TcpStream, SocketAddr, Router, CancellationToken) -> F,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    // Cancelled when the time for draining is over.
    let cut = CancellationToken::new();
    let begin = |stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit| {
        let (served, cut) = (serve_one(stream, peer, router.clone(), shutdown.clone()), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = served => {}
                () = cut.cancelled() => debug!(%peer, "cut at shutdown"),
            }
            drop(permit);
        });
    };
    loop {
        // Never closed, so that an error cannot come.
        let Ok(permit) = permits.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, say: going on at once would spin.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        begin(stream, peer, permit);
    }
    // Whoever stands in the listener's queue has connected, and would be cut off with it.
    for (stream, peer) in queued(listener) {
        let Ok(permit) = permits.clone().try_acquire_owned() else { break };
        begin(stream, peer, permit);
    }
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        cut.cancel();
        connections.wait().await;
    }
}

/// The connections that wait to be accepted; the listener is closed then.
fn queued(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut queued = Vec::new();
    let Ok(listener) = listener.into_std() else { return queued };
    while let Ok((stream, peer)) = listener.accept() {
        if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            queued.push((stream, peer));
        }
    }
    queued
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    shutdown: CancellationToken,
    limits: Limits,
) {
    // Small answers must not wait for an acknowledgement (Nagle's algorithm).
    let _ = stream.set_nodelay(true);
    let stream = match timeout(limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return debug!(%peer, "TLS handshake timed out"),
    };
    let shown: Arc<[CertificateDer<'static>]> = stream
        .get_ref()
        .1
        .peer_certificates()
        .map(|chain| chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
        .unwrap_or_default();
    serve_requests(stream, peer, ClientCertificates(shown), router, shutdown, limits).await;
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    certificates: ClientCertificates,
    router: Router,
    shutdown: CancellationToken,
    limits: Limits,
) {
    let ending = shutdown.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddress(peer));
        request.extensions_mut().insert(certificates.clone());
        let (is_http1, ending) = (request.version() < Version::HTTP_2, ending.clone());
        let answered = router.clone().oneshot(request);
        async move {
            let mut response = answered.await?;
            // HTTP/2 has a frame for it (GOAWAY).
            if is_http1 && ending.is_cancelled() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.request_head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(15));
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = farewell(&shutdown, limits) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "connection ended");
    }
}

/// Until the server ends and has said so. Before, a connection must not be shut down: one without a request under way would
/// be closed at once, and the request that is on its way over it would be lost.
async fn farewell(shutdown: &CancellationToken, limits: Limits) {
    shutdown.cancelled().await;
    tokio::time::sleep(limits.farewell).await;
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::routing::get;
    use jiff::Timestamp;
    use tokio::sync::oneshot;

    use super::*;
    use crate::pki::{CertificateAuthority, ServerNames};
    use crate::{ClientAuthentication, Timeouts, Trust, client};

    struct Running {
        url: String,
        authority: CertificateAuthority,
        shutdown: CancellationToken,
        ended: tokio::task::JoinHandle<()>,
    }

    fn now() -> Timestamp {
        use kubesso_ambient::{Clock, SystemClock};
        SystemClock.now()
    }

    async fn start(router: Router) -> Running {
        let authority = CertificateAuthority::generate("test", now()).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), now()).unwrap();
        let tls = ServerTls::new(&identity, ClientAuthentication::Requested).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let shutdown = CancellationToken::new();
        let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
        let ended = tokio::spawn(serve(listener, tls, router, shutdown.clone(), limits));
        Running { url, authority, shutdown, ended }
    }

    fn trusting(running: &Running) -> reqwest::Client {
        client(&Trust::Only(running.authority.certificate_pem().to_owned()), Timeouts::default()).unwrap()
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_authority_is_answered_over_http2() {
        let running = start(Router::new().route("/", get(|| async { "hello" }))).await;
        let answer = trusting(&running).get(&running.url).send().await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn without_tls_a_request_is_answered_too_and_shows_no_certificate() {
        async fn count(Extension(shown): Extension<ClientCertificates>) -> String {
            shown.0.len().to_string()
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(count));
        let served = serve_dangerously_without_tls(listener, router, shutdown.clone(), Limits::default());
        let ended = tokio::spawn(served);
        assert_eq!(reqwest::get(&url).await.unwrap().text().await.unwrap(), "0");
        shutdown.cancel();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_trusts_another_authority_is_not() {
        let running = start(Router::new()).await;
        let other = CertificateAuthority::generate("other", now()).unwrap();
        let client = client(&Trust::Only(other.certificate_pem().to_owned()), Timeouts::default()).unwrap();
        assert!(client.get(&running.url).send().await.is_err());
    }

    #[tokio::test]
    async fn a_shown_client_certificate_arrives_with_the_request() {
        async fn count(Extension(shown): Extension<ClientCertificates>) -> String {
            shown.0.len().to_string()
        }
        let running = start(Router::new().route("/", get(count))).await;
        let identity = running.authority.issue_client("admin", "system:masters", now()).unwrap();
        let pem = format!("{}{}", identity.chain_pem(), identity.key_pem());
        let with = reqwest::Client::builder()
            .tls_certs_only([
                reqwest::Certificate::from_pem(running.authority.certificate_pem().as_bytes()).unwrap()
            ])
            .identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap())
            .build()
            .unwrap();
        assert_eq!(with.get(&running.url).send().await.unwrap().text().await.unwrap(), "1");
        let without = trusting(&running);
        assert_eq!(without.get(&running.url).send().await.unwrap().text().await.unwrap(), "0");
    }

    #[tokio::test]
    async fn an_ending_server_answers_on_the_connections_it_has_and_says_that_they_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(|| async { "hello" }));
        // The client is as slow as it likes: what it sends afterwards ends the farewell, not the clock.
        let limits =
            Limits { farewell: Duration::from_mins(1), drain: Duration::from_mins(2), ..Limits::default() };
        let served = serve_dangerously_without_tls(listener, router, shutdown.clone(), limits);
        let ended = tokio::spawn(served);
        let client = reqwest::Client::builder().http1_only().build().unwrap();
        let before = client.get(&url).send().await.unwrap();
        assert_eq!(before.headers().get("connection"), None);
        assert_eq!(before.text().await.unwrap(), "hello");
        shutdown.cancel();
        let after = client.get(&url).send().await.unwrap();
        assert_eq!(after.headers()["connection"], "close");
        assert_eq!(after.text().await.unwrap(), "hello");
        ended.await.unwrap();
        assert!(client.get(&url).send().await.is_err());
    }

    #[tokio::test]
    async fn whoever_stands_in_the_queue_when_the_server_ends_is_answered() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            waiting.push(stream);
        }
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let router = Router::new().route("/", get(|| async { "hello" }));
        serve_dangerously_without_tls(listener, router, shutdown, Limits::default()).await;
        for mut stream in waiting {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_ending_server_cuts_what_does_not_finish() {
        let (entered, inside) = oneshot::channel::<()>();
        let entered = Arc::new(std::sync::Mutex::new(Some(entered)));
        let hang = move || {
            let entered = entered.clone();
            async move {
                if let Some(entered) = entered.lock().unwrap().take() {
                    let _ = entered.send(());
                }
                std::future::pending::<()>().await;
            }
        };
        let running = start(Router::new().route("/", get(hang))).await;
        let request = tokio::spawn(trusting(&running).get(&running.url).send());
        inside.await.unwrap();
        running.shutdown.cancel();
        running.ended.await.unwrap();
        assert!(request.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_replaced_identity_is_shown_to_new_connections() {
        let authority = CertificateAuthority::generate("old", now()).unwrap();
        let next = CertificateAuthority::generate("new", now()).unwrap();
        let names = ServerNames::loopback();
        let tls = ServerTls::new(&authority.issue_server(&names, now()).unwrap(), ClientAuthentication::None)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let router = Router::new().route("/", get(|| async { "hello" }));
        tokio::spawn(serve(listener, tls.clone(), router, CancellationToken::new(), Limits::default()));
        let fetch = async |authority: &CertificateAuthority| {
            let trust = Trust::Only(authority.certificate_pem().to_owned());
            client(&trust, Timeouts::default()).unwrap().get(&url).send().await
        };
        assert!(fetch(&authority).await.is_ok());
        tls.replace_identity(&next.issue_server(&names, now()).unwrap()).unwrap();
        assert!(fetch(&authority).await.is_err());
        assert!(fetch(&next).await.is_ok());
    }
}
