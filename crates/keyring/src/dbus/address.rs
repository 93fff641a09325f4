//! Server addresses: `unix:path=/run/user/1000/bus;unix:abstract=…`. Only Unix sockets are spoken to: a session's
//! bus has no other on this machine.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

/// Where a bus listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A name of Linux' abstract sockets.
    Abstract(Vec<u8>),
    Path(PathBuf),
}

impl Endpoint {
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Path(path) => UnixStream::connect(path),
            Self::Abstract(name) => UnixStream::connect_addr(&abstract_address(name)?),
        }
    }
}

/// The endpoints of the session's bus, in the order in which they are tried; none if there is no such bus.
pub(crate) fn session(address: Option<&str>, runtime_directory: Option<&Path>) -> Vec<Endpoint> {
    match address.filter(|address| !address.is_empty()) {
        Some(address) => parse(address, runtime_directory),
        None => {
            runtime_directory.map(|directory| Endpoint::Path(directory.join("bus"))).into_iter().collect()
        }
    }
}

fn parse(address: &str, runtime_directory: Option<&Path>) -> Vec<Endpoint> {
    address.split(';').filter_map(|one| endpoint(one, runtime_directory)).collect()
}

fn endpoint(address: &str, runtime_directory: Option<&Path>) -> Option<Endpoint> {
    let pairs = address.strip_prefix("unix:")?;
    pairs.split(',').find_map(|pair| match pair.split_once('=')? {
        ("path", value) => Some(Endpoint::Path(OsString::from_vec(unescape(value)?).into())),
        ("abstract", value) => Some(Endpoint::Abstract(unescape(value)?)),
        ("runtime", "yes") => Some(Endpoint::Path(runtime_directory?.join("bus"))),
        _ => None,
    })
}

/// `%` and two hexadecimal digits stand for a byte.
fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { digit(rest.next()?)? << 4 | digit(rest.next()?)? } else { byte });
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;

    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_bus_is_found_as_its_address_says() {
        let path = |path: &str| Endpoint::Path(path.into());
        let runtime = Some(Path::new("/run/user/7"));
        for (address, runtime, found) in [
            (None, None, vec![]),
            (None, runtime, vec![path("/run/user/7/bus")]),
            (Some(""), runtime, vec![path("/run/user/7/bus")]),
            (Some("unix:path=/a/bus"), runtime, vec![path("/a/bus")]),
            (Some("unix:path=/a%20b/%c3%a9,guid=00ff"), None, vec![path("/a b/é")]),
            (Some("unix:guid=00ff,path=/a"), None, vec![path("/a")]),
            (Some("unix:abstract=/tmp/dbus-x1"), None, vec![Endpoint::Abstract(b"/tmp/dbus-x1".to_vec())]),
            (Some("unix:runtime=yes"), runtime, vec![path("/run/user/7/bus")]),
            (Some("unix:runtime=yes"), None, vec![]),
            (Some("tcp:host=h,port=1;unix:path=/a;unix:path=/b"), None, vec![path("/a"), path("/b")]),
            (Some("unix:path=/a%2"), None, vec![]),
            (Some("unix:path=/a%zz"), None, vec![]),
            (Some("autolaunch:"), None, vec![]),
            (Some("disabled:"), runtime, vec![]),
        ] {
            assert_eq!(session(address, runtime), found, "{address:?} {runtime:?}");
        }
    }
}
