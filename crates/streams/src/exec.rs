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

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

    use super::*;
    use crate::spdy::{Frame, HeaderCompressor, HeaderDecompressor};

    const SUCCESS: &[u8] = br#"{"metadata":{},"status":"Success"}"#;

    async fn websocket(agreed: Subprotocol) -> (Exec<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let exec = Exec::open(ours, Protocol::WebSocket, agreed).await.unwrap();
        (exec, WebSocketStream::from_raw_socket(theirs, Role::Server, None).await)
    }

    fn message(channel: u8, bytes: &[u8]) -> Message {
        Message::binary([&[channel], bytes].concat())
    }

    #[tokio::test]
    async fn channels_are_told_apart_and_stdin_is_closed_by_a_message() {
        let (mut exec, mut server) = websocket(Subprotocol::V5).await;
        let long = vec![7; 40_000];
        exec.send(&long).await.unwrap();
        exec.close_stdin().await.unwrap();
        for expected in [message(0, &long[..32 << 10]), message(0, &long[32 << 10..]), message(255, &[0])] {
            assert_eq!(server.next().await.unwrap().unwrap(), expected);
        }
        let (half, rest) = SUCCESS.split_at(9);
        for sent in [
            message(1, b""),
            message(9, b"nobody's"),
            Message::Ping(Vec::new().into()),
            message(2, b"oh"),
            message(1, b"hello"),
            message(3, half),
            message(3, rest),
        ] {
            server.send(sent).await.unwrap();
        }
        assert_eq!(exec.next().await.unwrap(), Event::Stderr(b"oh".to_vec()));
        assert_eq!(exec.next().await.unwrap(), Event::Stdout(b"hello".to_vec()));
        assert_eq!(exec.next().await.unwrap(), Event::Status(ExecStatus::Success));
    }

    #[tokio::test]
    async fn an_older_websocket_cannot_close_stdin() {
        let (mut exec, _server) = websocket(Subprotocol::V4).await;
        assert!(matches!(exec.close_stdin().await, Err(StreamError::CannotClose)));
    }

    #[tokio::test]
    async fn an_end_without_a_status_says_how_it_came() {
        let (mut exec, mut server) = websocket(Subprotocol::V5).await;
        let frame = CloseFrame { code: 1011.into(), reason: "gone".into() };
        server.close(Some(frame)).await.unwrap();
        let error = exec.next().await.unwrap_err().to_string();
        assert_eq!(error, "the WebSocket was closed with the code 1011: gone");

        let (mut exec, server) = websocket(Subprotocol::V5).await;
        drop(server);
        assert!(matches!(exec.next().await, Err(StreamError::Ended)));

        let (mut exec, mut server) = websocket(Subprotocol::V5).await;
        server.send(message(3, b"{\"status\":")).await.unwrap();
        server.close(None).await.unwrap();
        assert!(matches!(exec.next().await, Err(StreamError::Status)));

        let (mut exec, mut server) = websocket(Subprotocol::V5).await;
        // `T` says that 84 bytes follow.
        let page = format!("HTTP/1.1 400 Bad Request\r\n\r\n{}", " ".repeat(100));
        server.get_mut().write_all(page.as_bytes()).await.unwrap();
        assert!(matches!(exec.next().await, Err(StreamError::WebSocket(_))));
    }

    /// The next frame that the client sent.
    async fn sent(server: &mut DuplexStream) -> Frame {
        let mut bytes = vec![0; 8];
        server.read_exact(&mut bytes).await.unwrap();
        let length = u32::from_be_bytes([0, bytes[5], bytes[6], bytes[7]]) as usize;
        bytes.resize(8 + length, 0);
        server.read_exact(&mut bytes[8..]).await.unwrap();
        Frame::parse(&bytes).unwrap().unwrap().0
    }

    async fn answer(server: &mut DuplexStream, frame: Frame) {
        server.write_all(&frame.encode().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn streams_are_opened_as_client_go_opens_them_and_stdin_is_closed_by_a_flag() {
        let (ours, mut server) = tokio::io::duplex(1 << 20);
        let client = tokio::spawn(async move {
            let mut exec = Exec::open(ours, Protocol::Spdy, Subprotocol::V4).await?;
            exec.send(b"hello").await?;
            exec.close_stdin().await?;
            Ok::<_, StreamError>([exec.next().await?, exec.next().await?])
        });
        let (mut unpacking, mut packing) = (HeaderDecompressor::default(), HeaderCompressor::new().unwrap());
        let mut streams = Vec::new();
        for name in ["error", "stdin", "stdout", "stderr"] {
            let Frame::SynStream { stream, block, fin: false, .. } = sent(&mut server).await else {
                panic!("a stream is opened")
            };
            assert_eq!(unpacking.decompress(&block).unwrap(), [("streamtype".to_owned(), name.to_owned())]);
            streams.push(stream);
        }
        let numbers: Vec<_> = streams.iter().map(|stream| stream.get()).collect();
        assert_eq!(numbers, [1, 3, 5, 7]);
        for stream in streams.iter().rev() {
            let block = packing.compress(&[]).unwrap();
            answer(&mut server, Frame::SynReply { stream: *stream, fin: false, block }).await;
        }
        let [error, stdin, stdout, _] = streams[..] else { panic!("four streams") };
        let data = |stream, fin, bytes: &[u8]| Frame::Data { stream, fin, bytes: bytes.to_vec() };
        assert_eq!(sent(&mut server).await, data(stdin, false, b"hello"));
        assert_eq!(sent(&mut server).await, data(stdin, true, b""));
        answer(&mut server, data(stdout, false, b"hello")).await;
        answer(&mut server, data(error, false, SUCCESS)).await;
        let events = client.await.unwrap().unwrap();
        assert_eq!(events, [Event::Stdout(b"hello".to_vec()), Event::Status(ExecStatus::Success)]);
    }

    #[tokio::test]
    async fn a_session_that_does_not_begin_says_why() {
        for (frame, expected) in [
            (
                Frame::RstStream { stream: StreamId::new(5).unwrap(), status: 3 },
                "the stream stdout was refused (RST_STREAM 3)",
            ),
            (Frame::GoAway { last: 0, status: 1 }, "the connection was given up before it began (GOAWAY 1)"),
        ] {
            let (ours, mut server) = tokio::io::duplex(1 << 16);
            answer(&mut server, frame).await;
            let error = Exec::open(ours, Protocol::Spdy, Subprotocol::V4).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
