//! Sending the browser to a URL that must not be in the process list, since it holds a token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response};
use kubesso_token_cache::options::BrowserLogin;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::{Hosts, listener, open_browser};
use crate::error::Error;
use crate::flow::authorization_code::random_text;
use crate::flow::callback_page;
use crate::relying_party::RelyingParty;

/// How long a browser may take to start, or a person to copy the address, unless they gave less.
const PATIENCE: Duration = Duration::from_mins(1);

/// Opens the browser on an address of ours that nobody can guess and that works once, and sends it on to `url`. Says
/// whether it came.
pub(crate) async fn send_browser(
    party: &RelyingParty<'_>,
    login: &BrowserLogin,
    url: &Url,
) -> Result<bool, Error> {
    let listeners = listener::bind(&["127.0.0.1:0".to_owned()]).await?;
    let path = format!("/{}", random_text(&*party.environment.entropy));
    let entrance = Url::parse(&format!("http://localhost:{}{path}", listeners.port))
        .map_err(|error| Error::Listen(error.to_string()))?;
    let (sender, came) = oneshot::channel();
    let passage = Arc::new(Passage { path, pass: Mutex::new(Some((url.clone(), sender))) });
    let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
    for socket in listeners.sockets {
        let router = Router::new().fallback(handle).with_state(passage.clone());
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            // It never ends by itself: errors of single connections stay with them.
            let _ = axum::serve(socket, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        });
    }
    tasks.close();
    open_browser(party, &login.start, &entrance);
    let has_come = matches!(timeout(login.timeout().min(PATIENCE), came).await, Ok(Ok(())));
    shutdown.cancel();
    let _ = timeout(party.environment.pacing.farewell, tasks.wait()).await;
    Ok(has_come)
}

struct Passage {
    path: String,
    /// Where to, and whom to tell; none when it was used.
    pass: Mutex<Option<(Url, oneshot::Sender<()>)>>,
}

async fn handle(State(passage): State<Arc<Passage>>, request: Request) -> Response<Body> {
    let is_the_browser = request.method() == Method::GET
        && Hosts::LoopbackOr(None).admit(&request)
        && request.uri().path() == passage.path;
    let pass =
        is_the_browser.then(|| passage.pass.lock().unwrap_or_else(PoisonError::into_inner).take()).flatten();
    let Some((url, sender)) = pass else { return callback_page::not_found() };
    let _ = sender.send(());
    callback_page::redirect(url.as_str())
}
