//! SPDY/3.1 as Kubernetes speaks it.
//!
//! The protocol was given up in 2015, and no crate keeps it alive. Its specification is Chromium's "SPDY Protocol – Draft 3.1";
//! what counts is the one other side that there is, `github.com/moby/spdystream`, which API servers and kubelets run. Where they
//! differ, we do as it does:
//!
//! - **No flow control.** It neither sends nor obeys WINDOW_UPDATE. Whoever waited for one would stop after 64 KiB.
//! - A frame of data that comes before the stream's SYN_REPLY was sent is dropped: nothing is sent before it has come.
//! - Header blocks need not have `:method` and its kin; Kubernetes sends `streamtype` only.

mod connection;
mod frame;
mod headers;

pub(crate) use connection::{Connection, Incoming};
pub use frame::{Frame, FrameError, LONGEST_FRAME, Setting, StreamId};
pub use headers::{HeaderCompressor, HeaderDecompressor, HeaderError};
