//! The session over a WebSocket: the first byte of each message says the channel.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::exec::{From, StreamError};
use crate::upgrade::Subprotocol;

// k8s.io/apimachinery/pkg/util/remotecommand.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;

/// Kubernetes' messages have 32 KiB at most.
const LONGEST_MESSAGE: usize = 1 << 20;
const PIECE: usize = 32 << 10;

/// The channels of a command.
#[derive(Debug)]
pub(crate) struct Channels<S> {
    socket: WebSocketStream<S>,
    agreed: Subprotocol,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Channels<S> {
    pub(crate) async fn new(io: S, agreed: Subprotocol) -> Self {
        let limits = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        Self { socket: WebSocketStream::from_raw_socket(io, Role::Client, Some(limits)).await, agreed }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        for piece in bytes.chunks(PIECE) {
            let message = [&[STDIN], piece].concat();
            self.socket.send(Message::binary(message)).await.map_err(broken)?;
        }
        Ok(())
    }

    pub(crate) async fn close_stdin(&mut self) -> Result<(), StreamError> {
        match self.agreed {
            Subprotocol::V5 => self.socket.send(Message::binary(vec![CLOSE, STDIN])).await.map_err(broken),
            Subprotocol::V4 => Err(StreamError::CannotClose),
        }
    }

    /// Nothing: the other side closed the WebSocket as it should.
    pub(crate) async fn next(&mut self) -> Result<Option<From>, StreamError> {
        loop {
            let message = match self.socket.next().await {
                Some(message) => message.map_err(broken)?,
                None => return Ok(None),
            };
            match message {
                Message::Binary(bytes) => match bytes.split_first() {
                    Some((&STDOUT, rest)) => return Ok(Some(From::Stdout(rest.to_vec()))),
                    Some((&STDERR, rest)) => return Ok(Some(From::Stderr(rest.to_vec()))),
                    Some((&ERROR, rest)) => return Ok(Some(From::Error(rest.to_vec()))),
                    _ => {}
                },
                Message::Text(_) => {
                    return Err(StreamError::WebSocket(
                        "a text message, where Kubernetes sends none".to_owned(),
                    ));
                }
                Message::Close(Some(frame)) if frame.code != CloseCode::Normal => {
                    return Err(StreamError::Closed {
                        code: frame.code.into(),
                        reason: frame.reason.as_str().chars().take(200).collect(),
                    });
                }
                // Nothing comes after it, whenever the connection ends.
                Message::Close(_) => return Ok(None),
                // Pings are answered by the library.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

fn broken(error: Error) -> StreamError {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => StreamError::Ended,
        Error::Io(error) => StreamError::Io(error),
        other => StreamError::WebSocket(other.to_string()),
    }
}
