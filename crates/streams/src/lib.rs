//! Kubernetes' remote commands over one upgraded connection: what `kubectl exec` speaks.
//!
//! An exec is an HTTP request that asks to become something else: a WebSocket with numbered channels (`v5.channel.k8s.io`,
//! kubectl since 1.31) or SPDY/3.1 with a stream for each of stdin, stdout, stderr and the end (everything before, and other
//! programs that use client-go). [`Offer`] says what to ask for and judges the answer; [`Exec`] is the session on the
//! connection that came of it. Who makes the connection, and through what, is not known here.
//!
//! [`spdy`] is as much of SPDY/3.1 as Kubernetes speaks. Whatever comes from the other side is bounded before it is kept.
//!
//! ```
//! use kubesso_streams::{Offer, Protocol};
//!
//! let offer = Offer::new(Protocol::Spdy);
//! let headers = offer.headers();
//! assert!(headers.iter().any(|(name, value)| *name == "upgrade" && value == "SPDY/3.1"));
//! ```

mod exec;
pub mod spdy;
mod status;
mod upgrade;
mod websocket;

pub use exec::{Event, Exec, StreamError};
pub use status::ExecStatus;
pub use upgrade::{Offer, Protocol, Refusal, Subprotocol, exec_path};
