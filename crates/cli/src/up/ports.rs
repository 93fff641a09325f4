//! Listening on this machine: on 127.0.0.1 and, where there is one, on ::1 with the same port, because `localhost`
//! means either.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// Which port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// This one or none.
    Exactly(u16),
    /// This one, or any that is free.
    Preferably(u16),
    /// Any that is free.
    AnyFree,
}

/// Listeners on one port of the loopback interface.
#[derive(Debug)]
pub(super) struct Listening {
    /// One or two: IPv4, and IPv6 where the machine has it.
    pub listeners: Vec<TcpListener>,
    /// The port.
    pub port: u16,
}

/// How often another free port is tried when its IPv6 twin is taken.
const TRIES: usize = 16;

/// Listens on loopback.
pub(super) async fn listen(choice: PortChoice) -> io::Result<Listening> {
    match choice {
        PortChoice::Exactly(port) => listen_on(port).await,
        PortChoice::Preferably(port) => match listen_on(port).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => listen_on_any().await,
            result => result,
        },
        PortChoice::AnyFree => listen_on_any().await,
    }
}

async fn listen_on_any() -> io::Result<Listening> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match listen_on(0).await {
            Ok(listening) => return Ok(listening),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn listen_on(port: u16) -> io::Result<Listening> {
    let ipv4 = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?;
    let port = ipv4.local_addr()?.port();
    let ipv6 = TcpListener::bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await;
    let mut listeners = vec![ipv4];
    match ipv6 {
        Ok(listener) => listeners.push(listener),
        // Somebody else's `localhost` would answer half of the browsers.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
        Err(_no_ipv6_here) => {}
    }
    Ok(Listening { listeners, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_refused_or_replaced_as_chosen() {
        let taken = listen(PortChoice::AnyFree).await.unwrap();
        let refused = listen(PortChoice::Exactly(taken.port)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let other = listen(PortChoice::Preferably(taken.port)).await.unwrap();
        assert_ne!(other.port, taken.port);
    }

    #[tokio::test]
    async fn every_listener_has_the_same_port() {
        let listening = listen(PortChoice::AnyFree).await.unwrap();
        for listener in &listening.listeners {
            assert_eq!(listener.local_addr().unwrap().port(), listening.port);
        }
    }
}
