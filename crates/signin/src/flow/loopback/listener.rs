//! Finding an address to wait on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, lookup_host};

use crate::error::Error;

/// The sockets of one address, all on one port.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) port: u16,
}

/// Takes the first address that is free. A loopback address means both families, because the browser chooses which of
/// them `localhost` is: if either is taken, whoever took it would get the code.
pub(super) async fn bind(addresses: &[String]) -> Result<Listeners, Error> {
    let mut failures = Vec::new();
    for address in addresses {
        match bind_one(address).await {
            Ok(listeners) => return Ok(listeners),
            Err(error) => failures.push(format!("{address}: {error}")),
        }
    }
    if failures.is_empty() {
        failures.push("none was given".to_owned());
    }
    Err(Error::Listen(failures.join(", ")))
}

async fn bind_one(address: &str) -> io::Result<Listeners> {
    let resolved: Vec<SocketAddr> = lookup_host(address).await?.collect();
    let Some(first) = resolved.first().copied() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    };
    if !first.ip().is_loopback() {
        let socket = TcpListener::bind(first).await?;
        let port = socket.local_addr()?.port();
        return Ok(Listeners { sockets: vec![socket], port });
    }
    if first.port() != 0 {
        return bind_both(first.ip(), first.port()).await;
    }
    // The system's choice for one family may be taken in the other.
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..8 {
        outcome = bind_both(first.ip(), 0).await;
        if !matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    outcome
}

async fn bind_both(ip: IpAddr, port: u16) -> io::Result<Listeners> {
    let first = TcpListener::bind((ip, port)).await?;
    let port = first.local_addr()?.port();
    let twin = match ip {
        IpAddr::V4(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    match TcpListener::bind((twin, port)).await {
        Ok(second) => Ok(Listeners { sockets: vec![first, second], port }),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // A machine with one family only.
        Err(_) => Ok(Listeners { sockets: vec![first], port }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listeners: &Listeners) -> Vec<IpAddr> {
        listeners.sockets.iter().map(|s| s.local_addr().unwrap().ip()).collect()
    }

    #[tokio::test]
    async fn a_loopback_address_means_both_families_on_one_port() {
        let listeners = bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
        let found = addresses(&listeners);
        assert_eq!(found.first(), Some(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(listeners.sockets.iter().all(|s| s.local_addr().unwrap().port() == listeners.port));
        let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok();
        assert_eq!(found.len(), if has_ipv6 { 2 } else { 1 });
    }

    #[tokio::test]
    async fn a_port_that_is_busy_in_either_family_is_skipped() {
        for family in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let Ok(other) = TcpListener::bind((family, 0)).await else { continue };
            let busy = other.local_addr().unwrap().port();
            let listeners = bind(&[format!("127.0.0.1:{busy}"), "127.0.0.1:0".to_owned()]).await.unwrap();
            assert_ne!(listeners.port, busy);
            let error = bind(&[format!("127.0.0.1:{busy}")]).await.unwrap_err().to_string();
            assert!(error.contains(&busy.to_string()) && error.contains("--listen-address"), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
    }
}
