//! Looking at a server that may be anything: a client with a certificate of its own, and what a server shows before anybody
//! trusts it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::redirect;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::client::build;
use crate::dial::{bare, dial};
use crate::inspect::names;
use crate::{ClientError, Identity, Link, Timeouts, Trust};

/// A client that presents a certificate, if it is given one. It follows no redirect, keeps no connection, and speaks
/// HTTP/1.1 only, so that each request is a connection of its own and may be upgraded.
///
/// # Errors
/// The authorities or the certificate are unusable.
pub fn client_as(
    trust: &Trust,
    timeouts: Timeouts,
    identity: Option<&Identity>,
) -> Result<reqwest::Client, ClientError> {
    crate::install_crypto_provider();
    let mut builder = reqwest::Client::builder().http1_only().pool_max_idle_per_host(0);
    if let Some(identity) = identity {
        let pem = identity.pem();
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).map_err(ClientError::Setup)?);
    }
    build(builder, trust, timeouts, redirect::Policy::none())
}

/// A certificate as a server shows it to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The names that it is for.
    pub names: Vec<String>,
    /// When it ends.
    pub ends: Option<Timestamp>,
}

/// Asks a server for its certificate, by the way that leads there. Nothing is sent to it: the handshake is broken off as soon as the certificate is there.
///
/// # Errors
/// It cannot be reached in `wait`, or does not speak TLS; in words.
pub async fn shown_certificate(link: &Link, host: &str, port: u16, wait: Duration) -> Result<Shown, String> {
    crate::install_crypto_provider();
    let host = bare(host);
    let called = link.route.server_name().unwrap_or(host).to_owned();
    let name = ServerName::try_from(called).map_err(|_| format!("{host} is no name of a server"))?;
    let config = ClientConfig::builder();
    let recorder = Arc::new(Recorder {
        seen: OnceLock::new(),
        algorithms: config.crypto_provider().signature_verification_algorithms,
    });
    let verifier = Arc::clone(&recorder);
    let config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let handshake = async {
        let stream = dial(link, host, port).await?;
        match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
            Ok(_) => Ok(()),
            Err(error) if recorder.seen.get().is_some() => {
                // The recorder's own refusal.
                drop(error);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    };
    tokio::time::timeout(wait, handshake)
        .await
        .map_err(|_| format!("no answer in {} s", wait.as_secs()))??;
    let certificate = recorder.seen.get().ok_or("it shows no certificate")?;
    read(certificate).ok_or_else(|| "its certificate cannot be read".to_owned())
}

/// The subject of each certificate in a PEM text: whom it makes one trust.
pub fn subjects(pem: &str) -> Vec<String> {
    use rustls_pki_types::pem::PemObject;
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
    certificates.filter_map(|certificate| Some(read(&certificate)?.subject)).collect()
}

fn read(certificate: &CertificateDer<'_>) -> Option<Shown> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Shown {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names: names(&parsed),
        ends: Timestamp::from_second(parsed.validity().not_after.timestamp()).ok(),
    })
}

/// Keeps the certificate and trusts nobody.
#[derive(Debug)]
struct Recorder {
    seen: OnceLock<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Recorder {
    fn refusal() -> rustls::Error {
        rustls::Error::General("the certificate is looked at, not trusted".to_owned())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let _ = self.seen.set(end_entity.clone().into_owned());
        Err(Self::refusal())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(Self::refusal())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(Self::refusal())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::pki::{CertificateAuthority, ServerNames};
    use crate::{ClientAuthentication, Limits, ServerTls, serve};

    const WAIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_certificate_is_shown_to_somebody_who_trusts_nobody() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let authority = CertificateAuthority::generate("somebody", now).unwrap();
        let identity = authority.issue_server(&ServerNames::loopback(), now).unwrap();
        let tls = ServerTls::new(&identity, ClientAuthentication::None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let end = CancellationToken::new();
        tokio::spawn(serve(listener, tls, axum::Router::new(), end.clone(), Limits::default()));
        let shown = shown_certificate(&Link::of(Trust::System), "127.0.0.1", port, WAIT).await.unwrap();
        assert_eq!(subjects(authority.certificate_pem()), [shown.issuer]);
        assert!(shown.names.contains(&"localhost".to_owned()), "{:?}", shown.names);
        end.cancel();
        assert!(shown_certificate(&Link::of(Trust::System), "not a name", port, WAIT).await.is_err());
    }

    #[tokio::test]
    async fn what_speaks_no_tls_shows_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        assert!(shown_certificate(&Link::of(Trust::System), "127.0.0.1", port, WAIT).await.is_err());
    }
}
