//! A command that runs elsewhere.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::spdy::{Connection, FrameError, HeaderError, Incoming, StreamId};
use crate::status::ExecStatus;
use crate::upgrade::{Protocol, Subprotocol};
use crate::websocket::Channels;

/// A status is a few hundred bytes.
const LONGEST_STATUS: usize = 64 << 10;

/// What comes from the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It wrote to its standard output.
    Stdout(Vec<u8>),
    /// It wrote to its standard error.
    Stderr(Vec<u8>),
    /// It ended.
    Status(ExecStatus),
}

/// Why a session broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The connection was closed, and it had not been said how the command ended.
    #[error("the connection was closed before the command's end")]
    Ended,
    /// The operating system's, or TLS'.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is no SPDY.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What came is no SPDY either.
    #[error(transparent)]
    Headers(#[from] HeaderError),
    /// What came is no WebSocket.
    #[error("{0}")]
    WebSocket(String),
    /// A close frame that speaks of an error (RFC 6455 section 7.4).
    #[error("the WebSocket was closed with the code {code}{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Closed {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// A stream was not taken.
    #[error("the stream {name} was refused (RST_STREAM {status})")]
    Refused {
        /// Which.
        name: &'static str,
        /// Why (SPDY/3.1 section 2.6.3).
        status: u32,
    },
    /// GOAWAY before the streams were open.
    #[error("the connection was given up before it began (GOAWAY {0})")]
    GoneAway(u32),
    /// What came at the end is no status.
    #[error("what came as the command's status is none")]
    Status,
    /// Stdin cannot be closed.
    #[error("v4.channel.k8s.io cannot close stdin over a WebSocket")]
    CannotClose,
}

/// The session of a command: stdin, stdout, stderr, and how it ends.
#[derive(Debug)]
pub struct Exec<S> {
    way: Way<S>,
    status: Vec<u8>,
}

#[derive(Debug)]
enum Way<S> {
    WebSocket(Box<Channels<S>>),
    Spdy(Box<Spdy<S>>),
}

/// The streams of a session over SPDY.
#[derive(Debug)]
struct Spdy<S> {
    connection: Connection<S>,
    error: StreamId,
    stdin: StreamId,
    stdout: StreamId,
    stderr: StreamId,
}

/// Bytes, and where they come from.
#[derive(Debug)]
pub(crate) enum From {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Error(Vec<u8>),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Exec<S> {
    /// Begins the session on a connection that was upgraded to this.
    ///
    /// # Errors
    /// Over SPDY the streams are opened first, and it breaks already there.
    pub async fn open(io: S, protocol: Protocol, agreed: Subprotocol) -> Result<Self, StreamError> {
        let way = match protocol {
            Protocol::WebSocket => Way::WebSocket(Box::new(Channels::new(io, agreed).await)),
            Protocol::Spdy => Way::Spdy(Box::new(Spdy::open(io).await?)),
        };
        Ok(Self { way, status: Vec::new() })
    }

    /// Writes to the command's standard input. What the command writes meanwhile waits on the connection: whoever sends more
    /// than a connection's buffers hold has to take [`next`](Self::next) in between.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        match &mut self.way {
            Way::WebSocket(channels) => channels.send(bytes).await,
            Way::Spdy(spdy) => spdy.connection.send(spdy.stdin, bytes).await,
        }
    }

    /// Closes the command's standard input.
    ///
    /// # Errors
    /// The connection broke, or the version of the protocol has no way to say it.
    pub async fn close_stdin(&mut self) -> Result<(), StreamError> {
        match &mut self.way {
            Way::WebSocket(channels) => channels.close_stdin().await,
            Way::Spdy(spdy) => spdy.connection.finish(spdy.stdin).await,
        }
    }

    /// What comes next. After [`Event::Status`] nothing does.
    ///
    /// # Errors
    /// The connection broke, or ended without a status.
    pub async fn next(&mut self) -> Result<Event, StreamError> {
        loop {
            let from = match &mut self.way {
                Way::WebSocket(channels) => channels.next().await?,
                Way::Spdy(spdy) => spdy.next().await?,
            };
            match from {
                // The first message on a channel is empty: it says that the other side is there.
                Some(From::Stdout(bytes) | From::Stderr(bytes)) if bytes.is_empty() => {}
                Some(From::Stdout(bytes)) => return Ok(Event::Stdout(bytes)),
                Some(From::Stderr(bytes)) => return Ok(Event::Stderr(bytes)),
                Some(From::Error(bytes)) => {
                    self.status.extend(bytes);
                    if let Some(status) = ExecStatus::read(&self.status) {
                        return Ok(Event::Status(status));
                    }
                    if self.status.len() > LONGEST_STATUS {
                        return Err(StreamError::Status);
                    }
                }
                None if self.status.is_empty() => return Err(StreamError::Ended),
                None => return Err(StreamError::Status),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Spdy<S> {
    /// Opens the streams in client-go's order, and waits until all are taken.
    async fn open(io: S) -> Result<Self, StreamError> {
        let mut connection = Connection::new(io)?;
        let mut waiting = Vec::new();
        let mut opened = [None; 4];
        for (slot, name) in opened.iter_mut().zip(["error", "stdin", "stdout", "stderr"]) {
            let stream = connection.open(&[("streamtype", name)]).await?;
            waiting.push((stream, name));
            *slot = Some(stream);
        }
        let [Some(error), Some(stdin), Some(stdout), Some(stderr)] = opened else {
            return Err(StreamError::Ended);
        };
        while !waiting.is_empty() {
            match connection.next().await? {
                Some(Incoming::Reply { stream, .. }) => waiting.retain(|(other, _)| *other != stream),
                Some(Incoming::Reset { stream, status }) => {
                    if let Some((_, name)) = waiting.iter().find(|(other, _)| *other == stream) {
                        return Err(StreamError::Refused { name, status });
                    }
                }
                Some(Incoming::GoAway { status }) => return Err(StreamError::GoneAway(status)),
                // Nobody may send before the reply.
                Some(Incoming::Data { .. }) => {}
                None => return Err(StreamError::Ended),
            }
        }
        Ok(Self { connection, error, stdin, stdout, stderr })
    }

    /// Nothing: no status will come any more.
    async fn next(&mut self) -> Result<Option<From>, StreamError> {
        loop {
            match self.connection.next().await? {
                Some(Incoming::Data { stream, bytes, .. }) if stream == self.stdout => {
                    return Ok(Some(From::Stdout(bytes)));
                }
                Some(Incoming::Data { stream, bytes, .. }) if stream == self.stderr => {
                    return Ok(Some(From::Stderr(bytes)));
                }
                Some(Incoming::Data { stream, bytes, fin }) if stream == self.error => {
                    if !bytes.is_empty() {
                        return Ok(Some(From::Error(bytes)));
                    }
                    if fin {
                        return Ok(None);
                    }
                }
                Some(Incoming::Reset { stream, .. }) if stream == self.error => return Ok(None),
                Some(Incoming::GoAway { .. }) | None => return Ok(None),
                // The end of a stream, or what belongs to none.
                Some(_) => {}
            }
        }
    }
}
