//! As much of D-Bus as the Secret Service needs: one connection to the session's bus, calls that wait for their
//! answer, signals that were asked for. <https://dbus.freedesktop.org/doc/dbus-specification.html>
//!
//! Written here because the libraries for it bring an async executor of their own, code generation and
//! forty-five more crates, or C.

pub(crate) mod address;
pub(crate) mod connection;
pub(crate) mod message;
pub(crate) mod wire;

pub(crate) use connection::{Connection, Deadline, Fault};
pub(crate) use message::Call;
pub(crate) use wire::{Reader, Writer};
