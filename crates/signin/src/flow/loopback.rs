//! The authorization code flow with a browser that comes back to a port of this machine (RFC 8252, section 7.3).

mod listener;
mod passage;

use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, header};
use kubesso_https::{ClientAuthentication, Identity, Limits, ServerTls};
use kubesso_token_cache::{
    is_loopback,
    options::{BrowserLogin, BrowserStart},
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::{Host, Url};

pub(crate) use self::passage::send_browser;
use super::authorization_code::{AuthorizationRequest, AuthorizationResponse};
use super::callback_page;
use crate::browser::BrowserChoice;
use crate::environment::Environment;
use crate::error::Error;
use crate::relying_party::{RelyingParty, SignIn};

/// Opens the browser and waits for it to come back with a code, which is exchanged before the browser hears anything.
pub(super) async fn sign_in(party: &RelyingParty<'_>, login: &BrowserLogin) -> Result<SignIn, Error> {
    let tls = login.local_server.as_ref().map(local_tls).transpose()?;
    let listeners = listener::bind(&login.listen_addresses).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin = format!("{scheme}://localhost:{}", listeners.port);
    let entrance = entrance(party, &origin, listeners.port)?;
    let redirect_uri = match &party.options.redirect_url {
        None => origin,
        Some(redirect) if redirect.takes_any_port() => {
            let mut url = redirect.url().clone();
            // It has a host, so that it can have a port.
            let _ = url.set_port(Some(listeners.port));
            url.to_string()
        }
        Some(redirect) => redirect.as_str().to_owned(),
    };
    let request = AuthorizationRequest::new(party, Some(redirect_uri))?;

    let (answers, mut arrived) = mpsc::channel(8);
    let gate = Gate {
        authorization_url: request.url.to_string(),
        callback_path: party.options.redirect_url.as_ref().map_or("/", |r| r.url().path()).to_owned(),
        hosts: Hosts::new(party, &listeners.sockets),
        answers,
    };
    let server = Server::start(listeners.sockets, tls.as_ref(), gate, party.environment);
    open_browser(party, &login.start, &entrance);

    let waiting = async {
        while let Some(Arrival { query, reply }) = arrived.recv().await {
            let result = match request.read_response(party, &query) {
                // Anybody can send such a request, so it decides nothing.
                AuthorizationResponse::Foreign => {
                    let _ = reply.send(callback_page::foreign());
                    continue;
                }
                AuthorizationResponse::Failed(error) => Err(error),
                AuthorizationResponse::Code(code) => request.exchange(party, &code).await,
            };
            let page = match &result {
                Ok(_) => login
                    .success_url
                    .as_deref()
                    .map_or_else(callback_page::success, callback_page::success_then),
                Err(error) => callback_page::failure(&error.to_string()),
            };
            let _ = reply.send(page);
            return result;
        }
        // The server outlives this loop, so that there is always one who may send.
        Err(Error::LoginTimeout(login.timeout_seconds))
    };
    let result =
        timeout(login.timeout(), waiting).await.unwrap_or(Err(Error::LoginTimeout(login.timeout_seconds)));
    // Whoever comes now gets a page that says so, and does not hold the end up.
    drop(arrived);
    server.stop(party.environment).await;
    result
}

/// Starts the browser on `url`, or asks the person to. A sign-in goes on either way.
pub(super) fn open_browser(party: &RelyingParty<'_>, start: &BrowserStart, url: &Url) {
    let environment = party.environment;
    if start.skip {
        environment.say(&format!("Please visit the following URL in your browser: {url}"));
        return;
    }
    let by_hand = {
        let (environment, url) = (environment.clone(), url.clone());
        move |problem: String| {
            environment.warn(&problem);
            environment.say(&format!("Please visit the following URL in your browser: {url}"));
        }
    };
    let opened = BrowserChoice::find(start.command.as_deref(), environment)
        .and_then(|choice| environment.browser.open(url, &choice, Box::new(by_hand.clone())));
    if let Err(error) = opened {
        by_hand(error.to_string());
    }
}

/// Where the browser enters: our own address, which sends it on. So the request's state stays out of the process list.
fn entrance(party: &RelyingParty<'_>, origin: &str, port: u16) -> Result<Url, Error> {
    let mut url = match &party.options.redirect_url {
        Some(redirect) => redirect.url().clone(),
        None => Url::parse(origin).map_err(|e| Error::Listen(e.to_string()))?,
    };
    if url.port() == Some(0) {
        let _ = url.set_port(Some(port));
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn local_tls((cert, key): &(std::path::PathBuf, std::path::PathBuf)) -> Result<ServerTls, Error> {
    let read = |flag, path: &std::path::PathBuf| {
        fs::read_to_string(path).map_err(|source| Error::FlagFile { flag, path: path.clone(), source })
    };
    let identity = Identity::new(read("--local-server-cert", cert)?, read("--local-server-key", key)?);
    Ok(ServerTls::new(&identity, ClientAuthentication::None)?)
}

/// What the local server knows.
struct Gate {
    authorization_url: String,
    callback_path: String,
    hosts: Hosts,
    answers: mpsc::Sender<Arrival>,
}

/// The browser came back; its page is decided by who receives this.
struct Arrival {
    query: String,
    reply: oneshot::Sender<Response<Body>>,
}

/// The names that the browser may use for us. Any other is a page elsewhere whose name was pointed at this machine
/// (DNS rebinding) to read the authorization URL.
enum Hosts {
    /// The person opened the port to the network on purpose.
    Any,
    LoopbackOr(Option<String>),
}

impl Hosts {
    fn new(party: &RelyingParty<'_>, sockets: &[TcpListener]) -> Self {
        let local =
            |socket: &TcpListener| socket.local_addr().is_ok_and(|address| address.ip().is_loopback());
        if !sockets.iter().all(local) {
            return Self::Any;
        }
        let redirect = party.options.redirect_url.as_ref().and_then(|redirect| redirect.url().host_str());
        Self::LoopbackOr(redirect.map(str::to_owned))
    }

    fn admit(&self, request: &Request) -> bool {
        let Self::LoopbackOr(redirect) = self else { return true };
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
        let Some(url) = host.and_then(|host| Url::parse(&format!("http://{host}/")).ok()) else {
            return false;
        };
        is_loopback(&url)
            || (redirect.is_some() && url.host().map(|h: Host<&str>| h.to_string()) == *redirect)
    }
}

async fn handle(State(gate): State<Arc<Gate>>, request: Request) -> Response<Body> {
    if request.method() != Method::GET || !gate.hosts.admit(&request) {
        return callback_page::not_found();
    }
    let query = request.uri().query().unwrap_or_default();
    let is_answer =
        url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "code" || name == "error");
    match request.uri().path() {
        path if path == gate.callback_path && is_answer => {
            let (reply, page) = oneshot::channel();
            let arrival = Arrival { query: query.to_owned(), reply };
            if gate.answers.send(arrival).await.is_err() {
                return callback_page::foreign();
            }
            page.await.unwrap_or_else(|_| {
                callback_page::failure("The sign-in was given up before it was complete.")
            })
        }
        "/" => callback_page::redirect(&gate.authorization_url),
        _ => callback_page::not_found(),
    }
}

/// The local server: one task a socket.
struct Server {
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    fn start(
        sockets: Vec<TcpListener>,
        tls: Option<&ServerTls>,
        gate: Gate,
        environment: &Environment,
    ) -> Self {
        let server = Self { shutdown: CancellationToken::new(), tasks: TaskTracker::new() };
        let router = Router::new().fallback(handle).with_state(Arc::new(gate));
        // Whoever signed in has the page; kubectl does not wait for what the browser might still ask.
        let limits = Limits {
            connections: 64,
            farewell: std::time::Duration::ZERO,
            drain: environment.pacing.farewell,
            ..Limits::default()
        };
        for socket in sockets {
            let (router, shutdown, tls) = (router.clone(), server.shutdown.clone(), tls.cloned());
            server.tasks.spawn(async move {
                if let Some(tls) = tls {
                    kubesso_https::serve(socket, tls, router, shutdown, limits).await;
                } else {
                    let served =
                        axum::serve(socket, router).with_graceful_shutdown(shutdown.cancelled_owned());
                    // It never ends by itself: errors of single connections stay with them.
                    let _ = served.await;
                }
            });
        }
        server.tasks.close();
        server
    }

    /// Lets the browser collect its page, but not for long.
    async fn stop(self, environment: &Environment) {
        self.shutdown.cancel();
        let _ = timeout(environment.pacing.farewell, self.tasks.wait()).await;
    }
}
