//! What became of an echo: a command that runs in a container and says again what it is told, through each hop.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use kubesso_streams::Protocol;

use super::HopKind;

/// A container to run `cat` in, as `NAMESPACE/POD[/CONTAINER]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoTarget {
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container; without one, the pod's own choice as kubectl makes it.
    pub container: Option<String>,
}

/// What names no container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no NAMESPACE/POD or NAMESPACE/POD/CONTAINER, in the letters of Kubernetes' names (a-z, 0-9, - and .)"
)]
pub struct NoEchoTarget(String);

impl FromStr for EchoTarget {
    type Err = NoEchoTarget;

    fn from_str(text: &str) -> Result<Self, NoEchoTarget> {
        let parts: Vec<_> = text.split('/').collect();
        let is_name = |part: &&str| {
            let letters = part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
            letters
                && (1..=253).contains(&part.len())
                && part.starts_with(|first: char| first.is_ascii_alphanumeric())
        };
        match parts.as_slice() {
            [namespace, pod, rest @ ..] if rest.len() < 2 && parts.iter().all(is_name) => Ok(Self {
                namespace: (*namespace).to_owned(),
                pod: (*pod).to_owned(),
                container: rest.first().map(|container| (*container).to_owned()),
            }),
            _ => Err(NoEchoTarget(text.to_owned())),
        }
    }
}

impl fmt::Display for EchoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.pod)?;
        self.container.as_ref().map_or(Ok(()), |container| write!(f, "/{container}"))
    }
}

/// An echo through each hop.
#[derive(Clone, Debug)]
pub struct EchoEvidence {
    /// Where `cat` ran.
    pub target: EchoTarget,
    /// How long the connection was silent in between.
    pub idle: Option<Duration>,
    /// In the order of the hops.
    pub hops: Vec<HopEcho>,
}

/// What became of it through one hop.
#[derive(Clone, Debug)]
pub struct HopEcho {
    /// `https://host:port`
    pub url: String,
    /// Which.
    pub kind: HopKind,
    /// By kubectl's own way since 1.31.
    pub websocket: Echo,
    /// By what came before it, and what others still use.
    pub spdy: Echo,
}

impl HopEcho {
    /// Both ways.
    pub fn both(&self) -> [(Protocol, &Echo); 2] {
        [(Protocol::WebSocket, &self.websocket), (Protocol::Spdy, &self.spdy)]
    }
}

/// What became of it by one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echo {
    /// All that was sent came back, and the end was said.
    Answered(Answered),
    /// It broke on the way.
    Broken(Broken),
    /// The API server does not allow it; in its words.
    Forbidden(String),
    /// It says nothing of the way: the pod is not there, has no `cat`, the caller is not known …
    Unusable(String),
}

/// An echo that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// `v5.channel.k8s.io`
    pub subprotocol: &'static str,
    /// So many bytes came back.
    pub bytes: usize,
    /// The shortest time from a few bytes sent to the same received.
    pub round_trip: Duration,
    /// Whether stdin could be closed, and the command's end was said. Only an old API server's WebSocket cannot.
    pub closed: bool,
}

/// Where and how it broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// At what.
    pub step: Step,
    /// How.
    pub why: String,
    /// What was answered to the request, if anything was.
    pub answer: Option<AnswerHead>,
}

/// The steps of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// TCP.
    Connect,
    /// TLS.
    Tls,
    /// The request was sent, and no answer came.
    Request,
    /// The answer is not 101, or a wrong one.
    Upgrade,
    /// The API server has no connection to the pod's node.
    Kubelet,
    /// 101 came, and nothing passes.
    FirstBytes,
    /// Something passed, and then nothing any more.
    Bytes {
        /// So much had come back.
        after: usize,
    },
    /// It did not outlive being silent.
    AfterIdle {
        /// For how long it was.
        silent: Duration,
    },
    /// Stdin was to be closed, and the end said.
    Close,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("at the TCP connection"),
            Self::Tls => f.write_str("at TLS"),
            Self::Request => f.write_str("at the request"),
            Self::Upgrade => f.write_str("at the answer to the upgrade"),
            Self::Kubelet => f.write_str("between the API server and the kubelet"),
            Self::FirstBytes => f.write_str("at the first bytes after 101"),
            Self::Bytes { after } => write!(f, "after {after} bytes"),
            Self::AfterIdle { silent } => write!(f, "after {:.1} s of silence", silent.as_secs_f64()),
            Self::Close => f.write_str("when stdin was closed"),
        }
    }
}

/// Who answered a request, as far as it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerHead {
    /// The status.
    pub status: u16,
    /// The header `Server`.
    pub server: Option<String>,
    /// The header `Via`.
    pub via: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
}

impl fmt::Display for AnswerHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        let named = [("Server", &self.server), ("Via", &self.via), ("Content-Type", &self.content_type)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            write!(f, ", {name}: {value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(it) => {
                let milliseconds = it.round_trip.as_secs_f64() * 1000.0;
                write!(f, "{} bytes echoed, round trip {milliseconds:.1} ms", it.bytes)?;
                write!(
                    f,
                    " ({}{})",
                    it.subprotocol,
                    if it.closed { "" } else { ", which cannot close stdin" }
                )
            }
            Self::Broken(it) => write!(f, "broke {it}"),
            Self::Forbidden(why) => write!(f, "forbidden: {why}"),
            Self::Unusable(why) => write!(f, "not tried: {why}"),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.why)?;
        self.answer.as_ref().map_or(Ok(()), |answer| write!(f, " ({answer})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_named_by_two_or_three_names() {
        for (text, shown) in [
            ("default/web-0", Some("default/web-0")),
            ("kube-system/coredns-x.y/coredns", Some("kube-system/coredns-x.y/coredns")),
            ("web-0", None),
            ("default/", None),
            ("/web", None),
            ("a/b/c/d", None),
            ("default/../secrets", None),
            ("default/web?x", None),
            ("Default/web", None),
            ("", None),
        ] {
            let parsed = text.parse::<EchoTarget>().ok().map(|target| target.to_string());
            assert_eq!(parsed.as_deref(), shown, "{text}");
        }
    }
}
