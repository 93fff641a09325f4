//! A private key as a person keeps it in a file: PEM or JWK, and not yet bound to one algorithm.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{Algorithm, Curve, Kid, SigningKey, TokenError, base64url, der, strict_json};

/// An unencrypted RSA or EC private key.
pub struct PrivateKey {
    kid: Option<Kid>,
    /// The JWK's own, if it has one.
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    /// PKCS#8, SEC 1 or PKCS#1.
    Der(Zeroizing<Vec<u8>>),
    Ec {
        curve: Curve,
        number: Zeroizing<Vec<u8>>,
        point: Vec<u8>,
    },
}

impl PrivateKey {
    /// Reads a PEM text (PKCS#8, or the older forms with EC or RSA in their name) or a JWK (RFC 7517).
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] if it is none of these, is encrypted, or no algorithm of ours fits it.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let key = if text.trim_start().starts_with('{') {
            Self::from_jwk(&strict_json::object(text.as_bytes()).map_err(TokenError::Set)?)?
        } else if text.contains("ENCRYPTED") {
            return Err(TokenError::InvalidKey("it is encrypted; decrypt it with `openssl pkcs8`"));
        } else {
            let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
                .map_err(|_| TokenError::InvalidKey("it is neither a PEM private key nor a JWK"))?;
            let der = Zeroizing::new(der.secret_der().to_vec());
            Self { kid: None, algorithm: None, material: Material::Der(der) }
        };
        if key.algorithms().is_empty() {
            return Err(TokenError::InvalidKey(
                "it is no RSA key of 2048 to 8192 bits, and no EC key on P-256, P-384 or P-521",
            ));
        }
        Ok(key)
    }

    /// The name that a JWK gives itself.
    pub fn kid(&self) -> Option<&Kid> {
        self.kid.as_ref()
    }

    /// What the key can sign with, the most widely known first.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let own = |algorithm: &Algorithm| self.algorithm.is_none_or(|only| only == *algorithm);
        Algorithm::ALL
            .into_iter()
            .filter(|algorithm| own(algorithm) && self.signing_key(*algorithm).is_ok())
            .collect()
    }

    /// The key, bound to `algorithm`.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] if the algorithm is for other keys.
    pub fn signing_key(&self, algorithm: Algorithm) -> Result<SigningKey, TokenError> {
        match &self.material {
            Material::Der(der) => SigningKey::from_any_der(algorithm, der),
            Material::Ec { curve, number, point } if algorithm.curve() == Some(*curve) => {
                SigningKey::from_ec_parts(algorithm, number, point)
            }
            Material::Ec { .. } => Err(TokenError::InvalidKey("its curve is another algorithm's")),
        }
    }

    fn from_jwk(members: &Map<String, Value>) -> Result<Self, TokenError> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let bytes = |name: &str| {
            let bytes = text(name).and_then(base64url::decode).map(Zeroizing::new);
            bytes.ok_or(TokenError::InvalidKey("it is a JWK that lacks a member of a private key"))
        };
        let material = match text("kty") {
            Some("RSA") => {
                let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
                let numbers = names.map(bytes);
                let mut all = [&[][..]; 8];
                for (slot, number) in all.iter_mut().zip(&numbers) {
                    *slot = number.as_ref().map_err(Clone::clone)?;
                }
                Material::Der(der::write_rsa_private_key(all))
            }
            Some("EC") => {
                let curve: Curve = text("crv").unwrap_or_default().parse()?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                let point = [&[4][..], &x, &y].concat();
                Material::Ec { curve, number: bytes("d")?, point }
            }
            _ => return Err(TokenError::InvalidKey("its type is neither RSA nor EC")),
        };
        let algorithm = text("alg").map(str::parse).transpose()?;
        Ok(Self { kid: text("kid").map(Kid::new), algorithm, material })
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn openssl(arguments: &[&str], input: &str) -> String {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The public half that `openssl` sees, as the key's own thumbprint.
    fn signs_as_itself(text: &str, algorithms: &[Algorithm]) {
        let key = PrivateKey::parse(text).unwrap();
        assert_eq!(key.algorithms(), algorithms);
        for algorithm in algorithms {
            let signing = key.signing_key(*algorithm).unwrap();
            let signature = signing.sign_bytes(b"x").unwrap();
            assert!(signing.public_jwk().key().verify(*algorithm, b"x", &signature).is_ok());
        }
    }

    #[test]
    fn the_files_that_openssl_makes_are_read() {
        use Algorithm::{Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

        for (curve, algorithm) in [("prime256v1", Es256), ("secp384r1", Es384), ("secp521r1", Es512)] {
            let sec1 = openssl(&["ecparam", "-name", curve, "-genkey", "-noout"], "");
            assert!(sec1.contains("BEGIN EC PRIVATE KEY"));
            signs_as_itself(&sec1, &[algorithm]);
            let pkcs8 = openssl(&["pkcs8", "-topk8", "-nocrypt"], &sec1);
            signs_as_itself(&pkcs8, &[algorithm]);
            let same =
                |text: &str| PrivateKey::parse(text).unwrap().signing_key(algorithm).unwrap().kid().clone();
            assert_eq!(same(&sec1), same(&pkcs8));
        }
        let pkcs8 = openssl(&["genrsa", "2048"], "");
        let rsa = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
        signs_as_itself(&pkcs8, &rsa);
        let pkcs1 = openssl(&["rsa", "-traditional"], &pkcs8);
        assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"));
        signs_as_itself(&pkcs1, &rsa);
        let encrypted = openssl(&["pkcs8", "-topk8", "-passout", "pass:x"], &pkcs8);
        assert!(PrivateKey::parse(&encrypted).unwrap_err().to_string().contains("encrypted"));
    }

    #[test]
    fn a_jwk_is_read_with_its_name_and_its_algorithm() {
        // RFC 7517, appendix A.2.
        let ec = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
            "use":"enc","kid":"1"}"#;
        signs_as_itself(ec, &[Algorithm::Es256]);
        assert_eq!(PrivateKey::parse(ec).unwrap().kid().unwrap().as_str(), "1");
        let rsa = include_str!("private_key/rfc7517.json");
        signs_as_itself(rsa, &[Algorithm::Rs256]);
        let public = PrivateKey::parse(rsa).unwrap().signing_key(Algorithm::Rs256).unwrap().public_jwk();
        // RFC 7638, section 3.1, has the thumbprint of this key.
        assert_eq!(public.thumbprint().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn what_is_no_private_key_is_refused_and_nothing_of_it_is_shown() {
        let ec = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
        for text in [
            String::new(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            "-----BEGIN PRIVATE KEY-----\nSECRET00\n-----END PRIVATE KEY-----\n".to_owned(),
            format!("{ec}}}"),
            format!(r#"{ec},"d":"SECRET00"}}"#),
            r#"{"kty":"oct","k":"SECRET00"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","d":"SECRET00"}"#.to_owned(),
        ] {
            let error = PrivateKey::parse(&text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET00"), "{error}");
        }
    }
}
