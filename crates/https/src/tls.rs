//! What a server shows of itself, and whether it asks clients for certificates.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use zeroize::Zeroizing;

/// Why a server's certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate chain is not PEM, or empty.
    #[error("the server's certificate chain cannot be read: {0}")]
    Chain(String),
    /// The key is not PEM, not of a supported kind, or does not fit the certificate.
    #[error("the server's private key cannot be used: {0}")]
    Key(String),
    /// The authorities for clients are not PEM, or none.
    #[error("the certificate authorities for clients cannot be used: {0}")]
    Authorities(String),
    /// The TLS library refuses the configuration.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// A certificate chain with its private key, both PEM.
pub struct Identity {
    chain_pem: String,
    key_pem: Zeroizing<String>,
}

impl Identity {
    /// `chain_pem`: the leaf first; `key_pem`: PKCS#8, PKCS#1 or SEC1.
    pub fn new(chain_pem: String, key_pem: String) -> Self {
        Self { chain_pem, key_pem: Zeroizing::new(key_pem) }
    }

    /// Both in one text, as a client takes it.
    pub fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n{}", self.chain_pem(), self.key_pem()))
    }

    /// The certificates, the leaf first.
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The private key.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    fn certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| TlsError::Chain(e.to_string()))?;
        if chain.is_empty() {
            return Err(TlsError::Chain("no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())
            .map_err(|e| TlsError::Key(e.to_string()))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|e| TlsError::Key(e.to_string()))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("chain_pem", &self.chain_pem).finish_non_exhaustive()
    }
}

/// Whether a server asks for a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// It does not.
    None,
    /// It asks and takes what comes, as kube-apiserver does: possession of the key is proved by the handshake,
    /// **whether the certificate means anything is decided later** (`authn`). It arrives with each request as
    /// [`ClientCertificates`](crate::ClientCertificates).
    Requested,
}

/// A server's TLS configuration. Cheap to clone; the identity can be replaced while it serves.
#[derive(Clone, Debug)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    identity: Arc<CurrentIdentity>,
}

impl ServerTls {
    /// Offers HTTP/2 and HTTP/1.1, TLS 1.3 and 1.2.
    pub fn new(identity: &Identity, clients: ClientAuthentication) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let current = Arc::new(CurrentIdentity(ArcSwap::from_pointee(identity.certified_key(&provider)?)));
        Self::showing(current, provider, clients)
    }

    /// The same identity, also when it is replaced, for a listener that treats clients otherwise.
    pub fn with_clients(&self, clients: ClientAuthentication) -> Result<Self, TlsError> {
        Self::showing(self.identity.clone(), Arc::new(rustls::crypto::aws_lc_rs::default_provider()), clients)
    }

    fn showing(
        current: Arc<CurrentIdentity>,
        provider: Arc<CryptoProvider>,
        clients: ClientAuthentication,
    ) -> Result<Self, TlsError> {
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match clients {
            ClientAuthentication::None => builder.with_no_client_auth(),
            ClientAuthentication::Requested => {
                builder.with_client_cert_verifier(Arc::new(ProofOfPossession { provider }))
            }
        };
        let mut config = builder.with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), identity: current })
    }

    /// New connections see `identity` from now on.
    pub fn replace_identity(&self, identity: &Identity) -> Result<(), TlsError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        self.identity.0.store(Arc::new(identity.certified_key(&provider)?));
        Ok(())
    }
}

#[derive(Debug)]
struct CurrentIdentity(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for CurrentIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Checks that the client holds the key of the certificate it shows, and nothing else.
#[derive(Debug)]
struct ProofOfPossession {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for ProofOfPossession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
