//! One connection, seen from the client.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Frame, HeaderCompressor, HeaderDecompressor, StreamId};
use crate::exec::StreamError;

/// Data is sent in frames of this size, as `io.Copy` in client-go makes them.
const PIECE: usize = 32 << 10;
/// What is read at once.
const CHUNK: usize = 16 << 10;

/// A connection that speaks SPDY/3.1.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    io: S,
    read: Vec<u8>,
    compressor: HeaderCompressor,
    decompressor: HeaderDecompressor,
    next: u32,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A stream was taken.
    Reply { stream: StreamId, fin: bool },
    /// Data.
    Data { stream: StreamId, fin: bool, bytes: Vec<u8> },
    /// A stream ended at once.
    Reset { stream: StreamId, status: u32 },
    /// No further stream is taken.
    GoAway { status: u32 },
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    pub(crate) fn new(io: S) -> Result<Self, StreamError> {
        Ok(Self {
            io,
            read: Vec::new(),
            compressor: HeaderCompressor::new()?,
            decompressor: HeaderDecompressor::default(),
            next: 1,
        })
    }

    /// Opens a stream. Nothing may be sent on it before its [`Incoming::Reply`].
    pub(crate) async fn open(&mut self, headers: &[(&str, &str)]) -> Result<StreamId, StreamError> {
        let stream = StreamId::new(self.next).ok_or(StreamError::Ended)?;
        self.next += 2;
        let block = self.compressor.compress(headers)?;
        let frame =
            Frame::SynStream { stream, associated: 0, priority: 0, fin: false, unidirectional: false, block };
        self.write(&frame).await?;
        Ok(stream)
    }

    /// Sends data.
    pub(crate) async fn send(&mut self, stream: StreamId, bytes: &[u8]) -> Result<(), StreamError> {
        for piece in bytes.chunks(PIECE) {
            self.write(&Frame::Data { stream, fin: false, bytes: piece.to_vec() }).await?;
        }
        Ok(())
    }

    /// Says that nothing more is sent on a stream.
    pub(crate) async fn finish(&mut self, stream: StreamId) -> Result<(), StreamError> {
        self.write(&Frame::Data { stream, fin: true, bytes: Vec::new() }).await
    }

    async fn write(&mut self, frame: &Frame) -> Result<(), StreamError> {
        self.io.write_all(&frame.encode()?).await?;
        Ok(self.io.flush().await?)
    }

    /// The next that is of interest; pings are answered. Nothing: the connection ended between two frames.
    pub(crate) async fn next(&mut self) -> Result<Option<Incoming>, StreamError> {
        loop {
            let Some(frame) = self.frame().await? else { return Ok(None) };
            match frame {
                Frame::SynReply { stream, fin, block } => {
                    self.decompressor.decompress(&block)?;
                    return Ok(Some(Incoming::Reply { stream, fin }));
                }
                Frame::Data { stream, fin, bytes } => return Ok(Some(Incoming::Data { stream, fin, bytes })),
                Frame::RstStream { stream, status } => return Ok(Some(Incoming::Reset { stream, status })),
                Frame::GoAway { status, .. } => return Ok(Some(Incoming::GoAway { status })),
                // Even numbers are the server's (section 2.6.5); odd ones answer ours, and we send none.
                Frame::Ping(id) if id.is_multiple_of(2) => self.write(&Frame::Ping(id)).await?,
                // What is not used has to be unpacked all the same: later blocks build on it.
                Frame::Headers { block, .. } => drop(self.decompressor.decompress(&block)?),
                Frame::SynStream { stream, block, .. } => {
                    self.decompressor.decompress(&block)?;
                    // REFUSED_STREAM: a server opens none in Kubernetes.
                    self.write(&Frame::RstStream { stream, status: 3 }).await?;
                }
                Frame::Ping(_)
                | Frame::Settings { .. }
                | Frame::WindowUpdate { .. }
                | Frame::Unknown { .. } => {}
            }
        }
    }

    async fn frame(&mut self) -> Result<Option<Frame>, StreamError> {
        loop {
            if let Some((frame, length)) = Frame::parse(&self.read)? {
                self.read.drain(..length);
                return Ok(Some(frame));
            }
            // Not more than the longest frame and this is ever kept.
            self.read.reserve(CHUNK);
            match self.io.read_buf(&mut self.read).await? {
                0 if self.read.is_empty() => return Ok(None),
                0 => return Err(StreamError::Ended),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> StreamId {
        StreamId::new(number).unwrap()
    }

    #[tokio::test]
    async fn pings_are_answered_and_what_is_not_used_is_passed_over() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut connection = Connection::new(ours).unwrap();
        let mut compressor = HeaderCompressor::new().unwrap();
        let block = compressor.compress(&[("streamtype", "resize")]).unwrap();
        for frame in [
            Frame::Settings { clear: false, settings: Vec::new() },
            Frame::Ping(2),
            Frame::Ping(1),
            Frame::WindowUpdate { stream: 0, delta: 9 },
            Frame::Unknown { kind: 99 },
            Frame::Headers { stream: id(1), fin: false, block },
            Frame::SynReply { stream: id(1), fin: false, block: compressor.compress(&[]).unwrap() },
        ] {
            theirs.write_all(&frame.encode().unwrap()).await.unwrap();
        }
        assert_eq!(connection.next().await.unwrap(), Some(Incoming::Reply { stream: id(1), fin: false }));
        let mut answer = [0; 12];
        theirs.read_exact(&mut answer).await.unwrap();
        assert_eq!(Frame::parse(&answer), Ok(Some((Frame::Ping(2), 12))));
        drop(theirs);
        assert_eq!(connection.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_end_within_a_frame_is_told_from_an_end_between_two() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut connection = Connection::new(ours).unwrap();
        theirs.write_all(&[0x80, 3, 0]).await.unwrap();
        drop(theirs);
        assert!(matches!(connection.next().await, Err(StreamError::Ended)));
    }
}
