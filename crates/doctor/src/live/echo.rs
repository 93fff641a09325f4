//! Asking for an echo: `cat` in a container, through each hop, by both protocols that kubectl and its kin speak.

use std::time::{Duration, Instant};

use kubesso_https::{ClientError, Link, Timeouts};
use kubesso_streams::{Event, Exec, ExecStatus, Offer, Protocol, Refusal, StreamError, exec_path};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderName, SERVER, VIA};
use serde_json::Value;
use tokio::time::timeout;

use super::Credentials;
use super::call::Caller;
use crate::evidence::{AnswerHead, Answered, Broken, Echo, EchoEvidence, EchoTarget, HopEcho, HopKind, Step};

/// The API server calls the kubelet before it answers, in some clusters through a tunnel.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    read: Duration::from_secs(10),
    total: Duration::from_secs(12),
};
/// For each text to come back, and for the command to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A few bytes; more than a packet; more than the window that SPDY would have, and more than any one buffer.
const SIZES: [usize; 4] = [6, 6, 2_000, 100_000];
/// So much may be on its way. It is less than what a few sockets hold, so that nobody waits for the other.
const ON_THE_WAY: usize = 32 << 10;
/// An answer that is no upgrade is read so far.
const LONGEST_ANSWER: usize = 64 << 10;

/// A wish for an echo.
#[derive(Clone, Debug)]
pub struct EchoWish {
    /// Where.
    pub target: EchoTarget,
    /// How long to be silent in between.
    pub idle: Option<Duration>,
}

/// Runs it through each of these addresses, by both protocols, all at once.
pub(super) async fn echo(
    wish: &EchoWish,
    addresses: &[(String, HopKind)],
    link: &Link,
    as_whom: &Credentials,
) -> Result<EchoEvidence, ClientError> {
    let callers = addresses
        .iter()
        .map(|(url, _)| Caller::with_timeouts(url, link, as_whom, TIMEOUTS))
        .collect::<Result<Vec<_>, _>>()?;
    let mut target = wish.target.clone();
    if target.container.is_none() {
        target.container = first_container(&callers, &target).await;
    }
    let path = exec_path(&target.namespace, &target.pod, target.container.as_deref(), &["cat"]);
    let through = callers.iter().zip(addresses).map(|(caller, (url, kind))| {
        let path = &path;
        async move {
            let (websocket, spdy) = tokio::join!(
                once(caller, path, Protocol::WebSocket, wish.idle),
                once(caller, path, Protocol::Spdy, wish.idle),
            );
            HopEcho { url: url.clone(), kind: *kind, websocket, spdy }
        }
    });
    let hops = futures_util::future::join_all(through).await;
    Ok(EchoEvidence { target, idle: wish.idle, hops })
}

/// The container that kubectl takes: the one that an annotation names, or else the first. Nothing if the pod may not be read;
/// the API server chooses then, where there is only one.
async fn first_container(callers: &[Caller], target: &EchoTarget) -> Option<String> {
    let path = format!("/api/v1/namespaces/{}/pods/{}", target.namespace, target.pod);
    for caller in callers {
        let Ok(pod) = caller.json(&path).await else { continue };
        let annotated = pod.pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container");
        let first = || pod.pointer("/spec/containers/0/name");
        return annotated.or_else(first).and_then(Value::as_str).map(str::to_owned);
    }
    None
}

async fn once(caller: &Caller, path: &str, protocol: Protocol, idle: Option<Duration>) -> Echo {
    let offer = Offer::new(protocol);
    let headers = offer.headers();
    let request = headers
        .iter()
        .fold(caller.request(protocol.method(), path), |request, (name, value)| request.header(*name, value));
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Echo::Broken(unanswered(caller, &error)),
    };
    let head = head(&response);
    let agreed = match offer.agreed(response.status(), response.headers()) {
        Ok(agreed) => agreed,
        Err(Refusal::Status(_)) => return not_upgraded(response, head).await,
        Err(refusal) => return broken(Step::Upgrade, refusal.to_string(), head),
    };
    let upgraded = match response.upgrade().await {
        Ok(upgraded) => upgraded,
        Err(error) => return broken(Step::Upgrade, words(&error), head),
    };
    let opened = patiently(Exec::open(upgraded, protocol, agreed)).await;
    let mut exec = match opened {
        Ok(exec) => exec,
        Err(why) => return broken(Step::FirstBytes, why, head),
    };
    match converse(&mut exec, idle).await {
        Ok((bytes, round_trip)) => match end(&mut exec).await {
            Ok(closed) => Echo::Answered(Answered { subprotocol: agreed.name(), bytes, round_trip, closed }),
            Err(why) => broken(Step::Close, why, head),
        },
        Err(Stop::Broken(step, why)) => broken(step, why, head),
        Err(Stop::Ended(status)) => ended(&status, head),
    }
}

/// Why a conversation stopped.
enum Stop {
    Broken(Step, String),
    /// The command ended by itself.
    Ended(String),
}

/// Sends the texts and takes them back. How many bytes, and the shortest time.
async fn converse<S>(exec: &mut Exec<S>, idle: Option<Duration>) -> Result<(usize, Duration), Stop>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    let (mut all, mut shortest) = (0, Duration::MAX);
    for size in SIZES {
        let begun = Instant::now();
        exchange(exec, size, &mut all).await?;
        shortest = shortest.min(begun.elapsed());
    }
    if let Some(idle) = idle {
        let begun = Instant::now();
        // A connection that is given up while it is silent says how long it was borne.
        let silent = |why: String| Stop::Broken(Step::AfterIdle { silent: begun.elapsed() }, why);
        match timeout(idle, exec.next()).await {
            Err(_) => {}
            Ok(Ok(Event::Status(status))) => {
                return Err(silent(format!("the command ended: {status}")));
            }
            Ok(Ok(_)) => return Err(silent("something came that nobody sent".to_owned())),
            Ok(Err(error)) => return Err(silent(error.to_string())),
        }
        let silent = Step::AfterIdle { silent: idle };
        exchange(exec, SIZES[0], &mut all).await.map_err(|stop| match stop {
            Stop::Broken(_, why) | Stop::Ended(why) => Stop::Broken(silent, why),
        })?;
    }
    Ok((all, shortest))
}

/// Sends a text of that size, and takes it back; `all` counts what came.
async fn exchange<S>(exec: &mut Exec<S>, size: usize, all: &mut usize) -> Result<(), Stop>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    let text = text(size);
    let (mut sent, mut received, mut said) = (0, 0, String::new());
    while received < text.len() {
        let step = if *all == 0 { Step::FirstBytes } else { Step::Bytes { after: *all } };
        let stop = |why: String| Stop::Broken(step, why);
        if sent < text.len() && sent - received < ON_THE_WAY {
            let piece = text.get(sent..text.len().min(sent + ON_THE_WAY / 2)).unwrap_or_default();
            patiently(exec.send(piece)).await.map_err(stop)?;
            sent += piece.len();
            continue;
        }
        match patiently(exec.next()).await.map_err(stop)? {
            Event::Stdout(bytes) => {
                if text.get(received..received + bytes.len()) != Some(bytes.as_slice()) {
                    return Err(stop("other bytes came back than were sent".to_owned()));
                }
                received += bytes.len();
                *all += bytes.len();
            }
            Event::Stderr(bytes) => said.push_str(String::from_utf8_lossy(&bytes).trim()),
            Event::Status(status) if *all == 0 => {
                let words = [said, status.to_string()];
                let words: Vec<_> = words.into_iter().filter(|text| !text.is_empty()).collect();
                return Err(Stop::Ended(words.join("; ")));
            }
            Event::Status(status) => return Err(stop(format!("the command ended: {status}"))),
        }
    }
    Ok(())
}

/// Bytes of every kind, in an order in which none can be lost or moved unseen.
fn text(size: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).take(size).collect()
}

/// Closes stdin, and waits for the end. Whether it could be closed.
async fn end<S>(exec: &mut Exec<S>) -> Result<bool, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    match timeout(PATIENCE, exec.close_stdin()).await {
        Ok(Err(StreamError::CannotClose)) => return Ok(false),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(())) => {}
        Err(_) => return Err(late()),
    }
    loop {
        match patiently(exec.next()).await? {
            Event::Status(ExecStatus::Success) => return Ok(true),
            Event::Status(failure) => return Err(format!("the command ended: {failure}")),
            Event::Stdout(_) => return Err("more came back than was sent".to_owned()),
            Event::Stderr(_) => {}
        }
    }
}

async fn patiently<T>(doing: impl Future<Output = Result<T, StreamError>>) -> Result<T, String> {
    match timeout(PATIENCE, doing).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(late()),
    }
}

fn late() -> String {
    format!("nothing came for {} s", PATIENCE.as_secs())
}

fn broken(step: Step, why: impl Into<String>, answer: AnswerHead) -> Echo {
    Echo::Broken(Broken { step, why: why.into(), answer: Some(answer) })
}

fn unanswered(caller: &Caller, error: &reqwest::Error) -> Broken {
    let why = caller.obstacle().filter(|_| error.is_connect()).unwrap_or_else(|| words(error));
    let is_tls = ["certificate", "tls", "handshake"].iter().any(|word| why.to_lowercase().contains(word));
    let step = match (error.is_connect(), is_tls) {
        (true, true) => Step::Tls,
        (true, false) => Step::Connect,
        (false, _) => Step::Request,
    };
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { why };
    Broken { step, why, answer: None }
}

/// The last of the causes, which says most.
fn words(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn head(response: &Response) -> AnswerHead {
    let text = |name: HeaderName| {
        let value = response.headers().get(name)?;
        let text: String = String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect();
        (!text.is_empty()).then_some(text)
    };
    AnswerHead {
        status: response.status().as_u16(),
        server: text(SERVER),
        via: text(VIA),
        content_type: text(CONTENT_TYPE),
    }
}

/// An answer with another status than 101: the API server's own, or somebody else's.
async fn not_upgraded(mut response: Response, head: AnswerHead) -> Echo {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            break;
        }
    }
    let status: Option<Value> = serde_json::from_slice(&body).ok();
    let of_kubernetes = status.filter(|it| it.get("kind").and_then(Value::as_str) == Some("Status"));
    let Some(status) = of_kubernetes else {
        let said = shown_text(&String::from_utf8_lossy(&body));
        let said = if said.is_empty() { "an empty answer".to_owned() } else { said };
        return if is_of_kubelet(&said, &head) {
            ended(&said, head)
        } else {
            broken(Step::Upgrade, said, head)
        };
    };
    let message = status.get("message").and_then(Value::as_str).unwrap_or("(no message)").to_owned();
    match head.status {
        403 if message.contains("system:anonymous") => Echo::Unusable(format!(
            "{message} (a client certificate ends where TLS ends: a token passes, --token -)"
        )),
        403 => Echo::Forbidden(message),
        // k8s.io/apimachinery/pkg/util/proxy/upgradeaware.go; the other two are a WebSocket's.
        400 if ["Upgrade request required", "unable to upgrade", "websocket"]
            .iter()
            .any(|it| message.contains(it)) =>
        {
            let said = format!("the request reached the API server without its wish to upgrade: {message}");
            broken(Step::Upgrade, said, head)
        }
        500.. => ended(&message, head),
        _ => Echo::Unusable(message),
    }
}

/// The API server hands on what a kubelet answers, as it is: then the request has come all the way. It is plain text, by the
/// container runtime (k8s.io/cri-streaming/pkg/streaming/errors.go) or the kubelet itself.
fn is_of_kubelet(said: &str, head: &AnswerHead) -> bool {
    let is_text = head.content_type.as_ref().is_none_or(|it| it.starts_with("text/plain"));
    is_text && ["rpc error:", "pod does not exist", "container"].iter().any(|word| said.contains(word))
}

/// What is said instead of an echo by the API server, or through it: of the node, or of the container.
fn ended(message: &str, head: AnswerHead) -> Echo {
    let lower = message.to_lowercase();
    let of_container =
        ["in container", "executable file", "not found", "not running", "oci runtime", "terminated with"];
    let of_node = ["dial", "connection refused", "timeout", "no such host", "x509", "tunnel", "backend"];
    if !of_container.iter().any(|word| lower.contains(word))
        && of_node.iter().any(|word| lower.contains(word))
    {
        return broken(Step::Kubelet, message, head);
    }
    Echo::Unusable(message.to_owned())
}

/// The title of a page, or the beginning of a text.
fn shown_text(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + "<title>".len());
    let title = title.and_then(|start| body.get(start..start + lower.get(start..)?.find("</title>")?));
    let shown = title.unwrap_or(body).split_whitespace().collect::<Vec<_>>().join(" ");
    shown.chars().take(150).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_by_its_title() {
        for (body, expected) in [
            ("<html>\n<head><title>403  Forbidden</title></head>", "403 Forbidden"),
            ("upstream connect error\n", "upstream connect error"),
            ("<title>cut off", "<title>cut off"),
            ("", ""),
        ] {
            assert_eq!(shown_text(body), expected);
        }
        assert_eq!(shown_text(&"x".repeat(1000)).len(), 150);
    }

    #[test]
    fn a_kubelet_s_answer_is_told_from_a_proxy_s() {
        for (said, content_type, expected) in [
            (
                "rpc error: code = NotFound desc = an error occurred when try to find container",
                "text/plain",
                true,
            ),
            ("pod does not exist", "text/plain; charset=utf-8", true),
            ("container web is gone", "text/html", false),
            ("upstream connect error or disconnect/reset before headers", "text/plain", false),
        ] {
            let head = AnswerHead { content_type: Some(content_type.to_owned()), ..AnswerHead::default() };
            assert_eq!(is_of_kubelet(said, &head), expected, "{said}");
        }
    }

    #[test]
    fn what_is_said_of_the_node_is_told_from_what_is_said_of_the_container() {
        for (message, is_of_node) in [
            ("error dialing backend: dial tcp 10.0.0.9:10250: connect: connection refused", true),
            ("error dialing backend: No agent available", true),
            ("error dialing backend: remote error: tls: internal error", true),
            (
                "Internal error occurred: error executing command in container: exec: \"cat\": executable file not found in $PATH",
                false,
            ),
            ("container not found (\"web\")", false),
            ("Internal error occurred: unable to upgrade connection: container is not running", false),
            (
                "Internal error occurred: error sending request: Post \"https://10.0.0.9:10250/exec/…\": dial tcp: i/o timeout",
                true,
            ),
            ("command terminated with non-zero exit code: 126", false),
        ] {
            let echo = ended(message, AnswerHead::default());
            let is_broken = matches!(echo, Echo::Broken(Broken { step: Step::Kubelet, .. }));
            assert_eq!(is_broken, is_of_node, "{message}");
        }
    }

    #[test]
    fn a_text_has_the_size_that_was_wished_for_and_no_part_twice() {
        let long = text(100_000);
        assert_eq!((text(6).len(), long.len()), (6, 100_000));
        assert_ne!(long[..4096], long[4096..8192]);
        assert!((0..=255_u8).all(|byte| long.contains(&byte)));
    }
}
