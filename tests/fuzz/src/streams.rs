//! What a server sends on an upgraded connection: SPDY's frames and headers, and whole sessions of a command.

use std::io::Cursor;
use std::pin::Pin;
use std::task::{Context, Poll};

use kubesso_streams::spdy::{Frame, HeaderCompressor, HeaderDecompressor, LONGEST_FRAME};
use kubesso_streams::{Event, Exec, Protocol, Subprotocol};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A frame that is read is the same when it is written and read again, and so are its headers; nothing is longer than allowed.
pub(crate) fn spdy_frames(data: &[u8]) -> bool {
    let (mut rest, mut headers_read) = (data, 0);
    let (mut unpacking, mut again) = (HeaderDecompressor::default(), HeaderDecompressor::default());
    let mut packing = HeaderCompressor::new().expect("the dictionary is taken");
    loop {
        let (frame, length) = match Frame::parse(rest) {
            Ok(Some(read)) => read,
            Ok(None) => return rest.is_empty() && headers_read > 0,
            Err(_) => return false,
        };
        assert!(length >= 8 && length <= rest.len() && length <= LONGEST_FRAME + 8, "{length} bytes");
        let written = frame.encode().expect("it was short enough");
        assert_eq!(Frame::parse(&written), Ok(Some((frame.clone(), written.len()))));
        if let Frame::SynStream { block, .. } | Frame::SynReply { block, .. } | Frame::Headers { block, .. } =
            &frame
        {
            let Ok(headers) = unpacking.decompress(block) else { return false };
            headers_read += 1;
            let borrowed: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let block = packing.compress(&borrowed).expect("it was short enough");
            let lower: Vec<_> =
                headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
            assert_eq!(again.decompress(&block), Ok(lower));
        }
        rest = &rest[length..];
    }
}

/// A session ends whatever comes, with no more output than came in. The first byte says by which protocol.
pub(crate) fn exec_session(data: &[u8]) -> bool {
    let (protocol, subprotocol) = match data.first() {
        Some(b's') => (Protocol::Spdy, Subprotocol::V4),
        Some(_) => (Protocol::WebSocket, Subprotocol::V5),
        None => return false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let server = Recorded(Cursor::new(data[1..].to_vec()));
        let Ok(mut exec) = Exec::open(server, protocol, subprotocol).await else { return false };
        let mut output = 0;
        loop {
            match exec.next().await {
                Ok(Event::Stdout(bytes) | Event::Stderr(bytes)) => output += bytes.len(),
                Ok(Event::Status(_)) => return true,
                Err(_) => return false,
            }
            assert!(output <= data.len(), "more came out than went in");
        }
    })
}

/// A server that has said all that it will say, and hears everything.
struct Recorded(Cursor<Vec<u8>>);

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
