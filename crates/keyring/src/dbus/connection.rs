//! A connection to the bus, on which nothing waits longer than its deadline.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::address::Endpoint;
use super::message::{Call, FIXED, Kind, Message};
use super::wire::{Malformed, Writer};

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The bus, or the one that was called, answered with an error.
    Answered { name: String, text: String },
    /// The connection broke.
    Lost(io::Error),
    /// What came is no D-Bus.
    Malformed,
    /// The bus does not admit this user: it is another person's session.
    Rejected,
    /// The deadline is over.
    Timeout,
    /// There is no bus at that address.
    Unreachable(io::Error),
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The moment until which an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    fn remaining(self) -> Result<Duration, Fault> {
        let remaining = self.0.saturating_duration_since(Instant::now());
        // A socket takes a timeout of zero for none.
        if remaining.is_zero() { Err(Fault::Timeout) } else { Ok(remaining) }
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    serial: u32,
    /// Signals that came while an answer was awaited.
    signals: VecDeque<Message>,
}

impl Connection {
    /// Connects to the first endpoint that answers.
    pub(crate) fn open(endpoints: Vec<Endpoint>, deadline: Deadline) -> Result<Self, Fault> {
        let stream = connect(endpoints, deadline)?;
        let mut connection = Self { stream, serial: 0, signals: VecDeque::new() };
        connection.authenticate(deadline)?;
        connection.call_bus("Hello", "", Writer::default(), deadline)?;
        Ok(connection)
    }

    /// Calls a method and waits for its answer.
    pub(crate) fn call(&mut self, call: Call<'_>, deadline: Deadline) -> Result<Message, Fault> {
        self.serial += 1;
        let serial = self.serial;
        self.send(&call.marshal(serial), deadline)?;
        loop {
            let message = self.receive(deadline)?;
            match message.kind {
                Kind::Signal => self.signals.push_back(message),
                Kind::Return if message.reply_serial == Some(serial) => return Ok(message),
                Kind::Error if message.reply_serial == Some(serial) => {
                    let text = message.body().string().unwrap_or_default().to_owned();
                    return Err(Fault::Answered { name: message.error_name, text });
                }
                _ => {}
            }
        }
    }

    /// Calls a method of the bus itself.
    pub(crate) fn call_bus(
        &mut self,
        method: &str,
        signature: &str,
        arguments: Writer,
        deadline: Deadline,
    ) -> Result<Message, Fault> {
        let call = Call { destination: BUS, path: BUS_PATH, interface: BUS, method, signature, arguments };
        self.call(call, deadline)
    }

    /// Asks the bus for the signals that `rule` describes.
    pub(crate) fn subscribe(&mut self, rule: &str, deadline: Deadline) -> Result<(), Fault> {
        let mut arguments = Writer::default();
        arguments.string(rule);
        self.call_bus("AddMatch", "s", arguments, deadline).map(drop)
    }

    /// The next signal `member` of the object at `path`.
    pub(crate) fn signal(&mut self, path: &str, member: &str, deadline: Deadline) -> Result<Message, Fault> {
        loop {
            let message = match self.signals.pop_front() {
                Some(message) => message,
                None => self.receive(deadline)?,
            };
            if message.kind == Kind::Signal && message.path == path && message.member == member {
                return Ok(message);
            }
        }
    }

    /// The user, as the socket tells the bus. In one go as systemd's client does it: the bus reads in order.
    fn authenticate(&mut self, deadline: Deadline) -> Result<(), Fault> {
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", deadline)?;
        for expected in ["DATA", "OK "] {
            let line = self.line(deadline)?;
            if line.starts_with("REJECTED") {
                return Err(Fault::Rejected);
            }
            if !line.starts_with(expected) {
                return Err(Fault::Malformed);
            }
        }
        Ok(())
    }

    fn line(&mut self, deadline: Deadline) -> Result<String, Fault> {
        const LONGEST: usize = 1024;
        let mut line = Vec::new();
        // Byte by byte: what follows the line is not text.
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.fill(&mut byte, deadline)?;
            line.push(byte[0]);
            if line.len() > LONGEST {
                return Err(Fault::Malformed);
            }
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(|_| Fault::Malformed)
    }

    fn receive(&mut self, deadline: Deadline) -> Result<Message, Fault> {
        let mut fixed = [0; FIXED];
        self.fill(&mut fixed, deadline)?;
        let (fields, body) = Message::lengths(&fixed)?;
        let mut fields = vec![0; fields];
        self.fill(&mut fields, deadline)?;
        let mut body = Zeroizing::new(vec![0; body]);
        self.fill(&mut body, deadline)?;
        Ok(Message::parse(&fixed, &fields, body)?)
    }

    fn fill(&mut self, mut buffer: &mut [u8], deadline: Deadline) -> Result<(), Fault> {
        while !buffer.is_empty() {
            self.stream.set_read_timeout(Some(deadline.remaining()?)).map_err(Fault::Lost)?;
            match self.stream.read(buffer) {
                Ok(0) => return Err(Fault::Lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => buffer = &mut buffer[read..],
                Err(error) => retry(error)?,
            }
        }
        Ok(())
    }

    fn send(&mut self, mut bytes: &[u8], deadline: Deadline) -> Result<(), Fault> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(deadline.remaining()?)).map_err(Fault::Lost)?;
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) => retry(error)?,
            }
        }
        Ok(())
    }
}

/// Whether it is worth another try: the deadline tells.
fn retry(error: io::Error) -> Result<(), Fault> {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(Fault::Lost(error)),
    }
}

/// A Unix socket whose listener does not accept blocks `connect` without end, so a thread does it.
fn connect(endpoints: Vec<Endpoint>, deadline: Deadline) -> Result<UnixStream, Fault> {
    let (sender, receiver) = mpsc::channel();
    let attempt = move || {
        let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
        for endpoint in endpoints {
            result = endpoint.connect();
            if result.is_ok() {
                break;
            }
        }
        // Nobody waits any more if the deadline is over.
        let _ = sender.send(result);
    };
    thread::Builder::new().spawn(attempt).map_err(Fault::Unreachable)?;
    match receiver.recv_timeout(deadline.remaining()?) {
        Ok(result) => result.map_err(Fault::Unreachable),
        Err(_) => Err(Fault::Timeout),
    }
}
