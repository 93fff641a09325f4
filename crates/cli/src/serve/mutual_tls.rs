//! Where clients come with certificates, and whose word is taken for them (RFC 8705).

use std::path::Path;
use std::sync::Arc;

use kubesso_ambient::SystemClock;
use kubesso_https::ClientAuthorities;
use kubesso_provider::MutualTls;

use super::{Config, is_origin};
use crate::client_certificates::Vouching;
use crate::error::CommandError;

impl Config {
    /// What is wrong with the settings.
    pub(super) fn check_mutual_tls(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        match &self.mtls_base_url {
            Some(url) if url.scheme() != "https" || !is_origin(url) => {
                return wrong("mtls_base_url must be only https://host or https://host:port");
            }
            Some(url) if *url == self.base_url => {
                return wrong(
                    "mtls_base_url must be another than base_url: browsers would ask people for a certificate",
                );
            }
            Some(_) if self.mtls_listen.is_empty() && !self.client_cert_header => {
                return wrong("mtls_base_url needs mtls_listen, or client_cert_header of a proxy");
            }
            None if !self.mtls_listen.is_empty() => {
                return wrong("mtls_listen needs mtls_base_url, by which clients call it");
            }
            _ => {}
        }
        if self.client_cert_header && self.trusted_proxies.is_empty() {
            return wrong("client_cert_header is read from trusted_proxies only, and there are none");
        }
        if self.mtls_client_ca.is_some() && self.mutual_tls().is_none() {
            return wrong("mtls_client_ca needs mtls_listen, or client_cert_header of a proxy");
        }
        Ok(())
    }

    /// How clients' certificates come.
    pub(super) fn mutual_tls(&self) -> Option<MutualTls> {
        (self.client_cert_header || !self.mtls_listen.is_empty()).then(|| MutualTls {
            base_url: self.mtls_base_url.clone(),
            has_authorities: self.mtls_client_ca.is_some(),
        })
    }

    /// Who vouches for certificates.
    pub(super) fn vouching(&self) -> Result<Vouching, CommandError> {
        let authorities = self.mtls_client_ca.as_deref().map(read_authorities).transpose()?;
        Ok(Vouching { authorities, clock: Arc::new(SystemClock) })
    }
}

fn read_authorities(path: &Path) -> Result<ClientAuthorities, CommandError> {
    let pem = std::fs::read_to_string(path).map_err(|e| {
        CommandError::because(format!("mtls_client_ca: {} cannot be read", path.display()), &e)
    })?;
    ClientAuthorities::from_pem(&pem)
        .map_err(|e| CommandError::because(format!("mtls_client_ca: {}", path.display()), &e))
}
