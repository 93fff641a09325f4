//! What one hop says.

use kubesso_ambient::Clock;
use kubesso_https::{ClientError, Link, shown_certificate};
use kubesso_k8s_types::authentication::SelfSubjectReview;
use reqwest::Method;
use reqwest::header::{CONNECTION, ORIGIN, UPGRADE};
use serde_json::{Value, json};

use super::Credentials;
use super::call::{Caller, Failure, date};
use super::metrics::{began, loaded_config};
use crate::evidence::{Hop, HopKind, Said, Upgrade};

/// How often the kubeconfig's server is asked who somebody is: behind one address there may be several API servers.
const TIMES: usize = 6;

/// Long enough for a handshake in a slow network.
const HANDSHAKE: std::time::Duration = std::time::Duration::from_millis(1_500);

/// Asks one address everything, all at once.
pub(super) async fn look(
    url: String,
    kind: HopKind,
    link: &Link,
    reader: &Credentials,
    person: &Credentials,
    clock: &dyn Clock,
) -> Result<Hop, ClientError> {
    let stranger = Caller::new(&url, link, &Credentials::default())?;
    let reader = Caller::new(&url, link, reader)?;
    let asker = if person.is_empty() { None } else { Some(Caller::new(&url, link, person)?) };
    let times = if kind == HopKind::Kubeconfig { TIMES } else { 1 };
    let version = stranger.send(stranger.request(Method::GET, "/version"));
    let (version, metrics, websocket, person) =
        tokio::join!(version, metrics(&reader), websocket(&reader), who(asker.as_ref(), times));
    let mut hop = Hop {
        url,
        kind,
        reached: Ok(()),
        shown: None,
        version: None,
        clock: None,
        person,
        config: metrics.as_deref().and_then(loaded_config),
        began: metrics.as_deref().and_then(began),
        websocket,
    };
    match version {
        Ok(response) => {
            hop.clock = date(&response).map(|theirs| (theirs, clock.now()));
            let text = response.text().await.unwrap_or_default();
            let read: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            hop.version = read.get("gitVersion").and_then(Value::as_str).map(str::to_owned);
        }
        Err(failure) => {
            hop.reached = Err(failure.words());
            if let Failure::Untrusted(_) = failure
                && let Some((host, port)) = authority(&hop.url)
            {
                hop.shown = shown_certificate(link, &host, port, HANDSHAKE).await.ok();
            }
        }
    }
    if hop.version.is_none() && hop.reached.is_ok() && !reader.is_nobody() {
        let read = reader.json("/version").await.ok();
        hop.version = read.and_then(|it| it.get("gitVersion")?.as_str().map(str::to_owned));
    }
    Ok(hop)
}

fn authority(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

async fn metrics(reader: &Caller) -> Option<String> {
    if reader.is_nobody() { None } else { reader.text("/metrics").await.ok() }
}

/// Who the token is, several times at once, each on its own connection.
async fn who(asker: Option<&Caller>, times: usize) -> Vec<Said> {
    let Some(asker) = asker else { return Vec::new() };
    let asked = (0..times).map(|_| who_once(asker));
    futures_util::future::join_all(asked).await
}

async fn who_once(asker: &Caller) -> Said {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    match asker.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &body).await {
        Ok((201, review)) => match serde_json::from_value::<SelfSubjectReview>(review) {
            Ok(review) => Said::User(Box::new(review.status.user_info)),
            Err(_) => Said::Other("an answer that is no SelfSubjectReview".to_owned()),
        },
        Ok((401, _)) => Said::Refused,
        Ok((status, _)) => Said::Other(Failure::Status(status).words()),
        Err(failure) => Said::Other(failure.words()),
    }
}

/// A watch over a WebSocket: the one thing that an API server upgrades by itself, without a pod. What exec and port-forward
/// need goes the same way.
async fn websocket(reader: &Caller) -> Option<Upgrade> {
    if reader.is_nobody() {
        return None;
    }
    let request = reader
        .request(
            Method::GET,
            "/api/v1/namespaces?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Ddefault",
        )
        // An API server refuses a handshake without one (golang.org/x/net/websocket, checkOrigin).
        .header(ORIGIN, reader.server())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header("Sec-WebSocket-Version", "13")
        // RFC 6455 section 4.1: sixteen bytes in base64. Nobody compares them here.
        .header("Sec-WebSocket-Key", "a3ViZXNzbyBkb2N0b3IhIQ==");
    Some(match reader.send(request).await.map(|response| response.status().as_u16()) {
        Ok(101) => Upgrade::Upgraded,
        Ok(401 | 403) => Upgrade::NotAllowed,
        Ok(status) => Upgrade::NotUpgraded(status),
        Err(failure) => Upgrade::Broken(failure.words()),
    })
}
