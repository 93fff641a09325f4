//! The address at which Terraform's Okta provider and Okta's SDKs find this machine's management API.
//!
//! They make the address of an organization's name and a domain, and the provider leaves a port out from version 4 on. So
//! the API also listens on port 443 of an address of the loopback network that nobody else uses: with the name `127` and
//! the domain `0.0.77` they call `https://127.0.0.77`.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::net::TcpListener;
use tracing::warn;

use crate::data_directory::{DataDirectory, Mode};
use crate::error::CommandError;

/// The address, and as many after it for further installations on the same machine.
const FIRST: u8 = 77;
const HOW_MANY: u8 = 16;
const PORT: u16 = 443;
const TRUST: &str = "trust.pem";

/// What Terraform must be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// `org_name`.
    pub org_name: String,
    /// `base_url`.
    pub base_url: String,
    /// `SSL_CERT_FILE`: the certificate authorities of this machine, and ours.
    pub ssl_cert_file: PathBuf,
}

/// A listener at an address of its own.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listener: TcpListener,
    pub(super) address: Ipv4Addr,
}

impl Listening {
    /// Where clients find it.
    pub(super) fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What Terraform must be told. Writes the file with the certificate authorities.
    pub(super) fn organization(
        &self,
        directory: &DataDirectory,
        authority_pem: &str,
    ) -> Result<Organization, CommandError> {
        let trusted = trusted(authority_pem);
        directory
            .write(TRUST, trusted.as_bytes(), Mode::Public)
            .map_err(|e| CommandError::new(e.to_string()))?;
        let [first, rest @ ..] = self.address.octets();
        Ok(Organization {
            org_name: first.to_string(),
            base_url: rest.map(|octet| octet.to_string()).join("."),
            ssl_cert_file: directory.path(TRUST),
        })
    }
}

/// Listens at the first address that is free.
///
/// # Errors
/// Says what a person can do about it.
pub(super) async fn listen() -> Result<Listening, String> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for octet in FIRST..FIRST + HOW_MANY {
        let address = Ipv4Addr::new(127, 0, 0, octet);
        match TcpListener::bind(SocketAddr::new(IpAddr::V4(address), PORT)).await {
            Ok(listener) => return Ok(Listening { listener, address }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(unavailable(&error)),
        }
    }
    Err(unavailable(&last))
}

fn unavailable(error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "allow it with `sudo sysctl net.ipv4.ip_unprivileged_port_start=443`"
        }
        io::ErrorKind::AddrNotAvailable => {
            "give the machine the address with `sudo ifconfig lo0 alias 127.0.0.77`"
        }
        _ => "end what listens there",
    };
    format!(
        "Terraform's Okta provider from version 4 on needs port 443, and 127.0.0.{FIRST}:{PORT} cannot be used ({error}): \
         {mend}, or see --danger-plain-http-port"
    )
}

/// Ours, and those of this machine: Terraform fetches providers by the same setting.
fn trusted(authority_pem: &str) -> String {
    let mut pem = authority_pem.trim_end().to_owned();
    pem.push('\n');
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        warn!(%error, "some of this machine's certificate authorities cannot be read");
    }
    for certificate in &system.certs {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = STANDARD.encode(certificate);
        for line in text.as_bytes().chunks(64) {
            // Base64 is ASCII, and writing to a string does not fail.
            let _ = writeln!(pem, "{}", String::from_utf8_lossy(line));
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_comes_first_and_each_authority_is_one_block() {
        let pem = trusted("-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n");
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\nb3Vycw==\n"));
        let count = |what: &str| pem.matches(what).count();
        assert_eq!(count("-----BEGIN CERTIFICATE-----"), count("-----END CERTIFICATE-----"));
        assert!(pem.lines().all(|line| line.len() <= 64));
    }

    #[tokio::test]
    async fn an_organization_is_named_by_the_parts_of_its_address() {
        let directory = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(directory.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listening = Listening { listener, address: Ipv4Addr::new(127, 0, 0, 78) };
        let organization = listening.organization(&directory, "ours").unwrap();
        assert_eq!((organization.org_name.as_str(), organization.base_url.as_str()), ("127", "0.0.78"));
        assert!(std::fs::read_to_string(&organization.ssl_cert_file).unwrap().starts_with("ours\n"));
    }

    #[test]
    fn what_stands_in_the_way_is_said_with_what_to_do() {
        for (kind, mend) in [
            (io::ErrorKind::PermissionDenied, "sysctl"),
            (io::ErrorKind::AddrNotAvailable, "ifconfig"),
            (io::ErrorKind::AddrInUse, "end what listens there"),
        ] {
            let said = unavailable(&kind.into());
            assert!(said.contains(mend) && said.contains("127.0.0.77:443"), "{said}");
        }
    }
}
