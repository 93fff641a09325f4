//! Client certificates as the provider is told of them (RFC 8705): from our own handshake, or from a proxy that says who it
//! shook hands with (RFC 9440).

mod header;

use std::sync::Arc;

use axum::extract::Request;
use kubesso_ambient::Clock;
use kubesso_directory::{CertificateNames, DistinguishedName};
use kubesso_https::{ClientAuthorities, ClientCertificates, PeerAddress, Proxies, names_in_certificate};
use kubesso_provider::ClientCertificate;
use rustls_pki_types::CertificateDer;

/// Who vouches for certificates.
#[derive(Clone, Debug)]
pub(crate) struct Vouching {
    /// `None`: nobody; certificates are only compared.
    pub(crate) authorities: Option<ClientAuthorities>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Vouching {
    /// What is known of the owner of the first of `chain`, who has its key.
    fn known(&self, chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
        let leaf = chain.first()?;
        let Some(authorities) = &self.authorities else { return Some(ClientCertificate::of_anybody(leaf)) };
        if let Err(error) = authorities.check(chain, self.clock.now()) {
            tracing::debug!(%error, "a client certificate is not by an authority of mtls_client_ca");
            return Some(ClientCertificate::of_anybody(leaf));
        }
        Some(ClientCertificate::vouched_for(leaf, names(leaf)))
    }

    /// Tells the provider of the certificate that the client showed us.
    pub(crate) fn of_handshake(&self, request: &mut Request) {
        let shown = request.extensions().get::<ClientCertificates>();
        if let Some(known) = shown.and_then(|shown| self.known(&shown.0)) {
            request.extensions_mut().insert(known);
        }
    }

    /// Tells the provider of the certificate that a trusted proxy says the client showed it. Whatever others say in these
    /// headers is not read.
    pub(crate) fn of_proxy(&self, proxies: &Proxies, request: &mut Request) {
        let peer = request.extensions().get::<PeerAddress>();
        if !peer.is_some_and(|PeerAddress(peer)| proxies.trusts(peer.ip().to_canonical())) {
            return;
        }
        match header::chain(request.headers()) {
            Ok(None) => {}
            Ok(Some(chain)) => {
                if let Some(known) = self.known(&chain) {
                    request.extensions_mut().insert(known);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a proxy's Client-Cert cannot be read; it counts for nothing");
            }
        }
    }
}

fn names(leaf: &CertificateDer<'_>) -> CertificateNames {
    let names = names_in_certificate(leaf).unwrap_or_default();
    CertificateNames {
        subject: names.subject.and_then(DistinguishedName::of_certificate),
        dns: names.dns,
        uris: names.uris,
        addresses: names.addresses,
        emails: names.emails,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Body;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use kubesso_ambient::SystemClock;
    use kubesso_https::pki::CertificateAuthority;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_who_it_shook_hands_with() {
        let clock = Arc::new(SystemClock);
        let authority = CertificateAuthority::generate("clients", clock.now()).unwrap();
        let identity = authority.issue_client("app", "team", clock.now()).unwrap();
        let leaf = CertificateDer::from_pem_slice(identity.chain_pem().as_bytes()).unwrap();
        let vouching = Vouching {
            authorities: Some(ClientAuthorities::from_pem(authority.certificate_pem()).unwrap()),
            clock: clock.clone(),
        };
        let nobody = Vouching { authorities: None, clock };
        let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
        let vouched = ClientCertificate::vouched_for(&leaf, names(&leaf));
        let header = format!(":{}:", STANDARD.encode(&leaf));
        for (peer, header, vouching, expected) in [
            ("10.1.2.3:1", header.as_str(), &vouching, Some(&vouched)),
            ("[::ffff:10.1.2.3]:1", &header, &vouching, Some(&vouched)),
            ("10.1.2.3:1", &header, &nobody, Some(&ClientCertificate::of_anybody(&leaf))),
            ("10.1.2.3:1", ":AAAA:", &vouching, Some(&ClientCertificate::of_anybody(&[0, 0, 0]))),
            ("10.1.2.3:1", "AAAA", &vouching, None),
            ("192.0.2.1:1", &header, &vouching, None),
        ] {
            let mut request = Request::get("/").header("client-cert", header).body(Body::empty()).unwrap();
            let peer: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(PeerAddress(peer));
            vouching.of_proxy(&proxies, &mut request);
            assert_eq!(request.extensions().get::<ClientCertificate>(), expected, "{peer}");
        }
        let mut without_peer = Request::get("/").header("client-cert", header).body(Body::empty()).unwrap();
        vouching.of_proxy(&proxies, &mut without_peer);
        assert!(without_peer.extensions().get::<ClientCertificate>().is_none());
    }
}
