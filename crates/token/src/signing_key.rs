//! A private key and what it signs.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaKeyPair, RsaSignatureEncoding,
};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::verifying_key::Material;
use crate::{Algorithm, Jwk, Kid, TokenError, VerifyingKey, base64url, der};

/// A private key, bound to the one algorithm that it signs with, and named by its RFC 7638 thumbprint.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: KeyPair,
    public: Jwk,
    kid: Kid,
}

enum KeyPair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
}

/// How the library signs for an algorithm.
enum Scheme {
    Ec(&'static EcdsaSigningAlgorithm),
    Rsa(&'static RsaSignatureEncoding),
}

impl SigningKey {
    /// A new key from the operating system's randomness: RSA with 2048 bits, or a point on the algorithm's curve.
    ///
    /// # Errors
    /// [`TokenError::Crypto`] if the library cannot make one.
    pub fn generate(algorithm: Algorithm) -> Result<Self, TokenError> {
        let failed = |_| TokenError::Crypto("generate a key");
        let pair = match scheme(algorithm) {
            Scheme::Ec(ecdsa) => KeyPair::Ec(EcdsaKeyPair::generate(ecdsa).map_err(failed)?),
            Scheme::Rsa(encoding) => {
                KeyPair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?, encoding)
            }
        };
        Self::new(algorithm, pair)
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5208), as [`Self::to_pkcs8`] writes it.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] if it is not one, is of another type or curve than `algorithm` needs, or is an RSA key
    /// of fewer than 2048 or more than 8192 bits.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, TokenError> {
        let refused = |_| TokenError::InvalidKey("not an unencrypted PKCS#8 key of the algorithm's type");
        let pair = match scheme(algorithm) {
            Scheme::Ec(ecdsa) => KeyPair::Ec(EcdsaKeyPair::from_pkcs8(ecdsa, pkcs8).map_err(refused)?),
            Scheme::Rsa(encoding) => KeyPair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(refused)?, encoding),
        };
        Self::new(algorithm, pair)
    }

    /// Reads an unencrypted private key in any of the DER forms that people keep: PKCS#8, SEC 1 (RFC 5915), PKCS#1.
    pub(crate) fn from_any_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, TokenError> {
        let refused = |_| TokenError::InvalidKey("not a private key of the algorithm's type");
        let pair = match scheme(algorithm) {
            Scheme::Ec(ecdsa) => {
                KeyPair::Ec(EcdsaKeyPair::from_private_key_der(ecdsa, der).map_err(refused)?)
            }
            Scheme::Rsa(encoding) => {
                let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
                KeyPair::Rsa(pair.map_err(refused)?, encoding)
            }
        };
        Self::new(algorithm, pair)
    }

    /// A point and its private number (RFC 7518 §6.2.2). The point must be the number's.
    pub(crate) fn from_ec_parts(
        algorithm: Algorithm,
        number: &[u8],
        point: &[u8],
    ) -> Result<Self, TokenError> {
        let Scheme::Ec(ecdsa) = scheme(algorithm) else {
            return Err(TokenError::InvalidKey("not an RSA key"));
        };
        let pair = EcdsaKeyPair::from_private_key_and_public_key(ecdsa, number, point)
            .map_err(|_| TokenError::InvalidKey("its private half does not belong to its public half"))?;
        Self::new(algorithm, KeyPair::Ec(pair))
    }

    /// The key as unencrypted PKCS#8 DER, wiped when dropped. Seal it before it is stored.
    ///
    /// # Errors
    /// [`TokenError::Crypto`] if the library cannot write it.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let failed = |_| TokenError::Crypto("write a key as PKCS#8");
        match &self.pair {
            KeyPair::Ec(pair) => Ok(Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())),
            KeyPair::Rsa(pair, _) => Ok(Zeroizing::new(pair.as_der().map_err(failed)?.as_ref().to_vec())),
        }
    }

    /// The algorithm that the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's name: the RFC 7638 SHA-256 thumbprint of its public half, base64url, unless it was given another one
    /// ([`named`](Self::named)).
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The public half, with `kid`, `alg` and `use: sig`.
    pub fn public_jwk(&self) -> Jwk {
        self.public.clone()
    }

    /// The same key by another name: that under which verifiers know it already.
    #[must_use]
    pub fn named(self, kid: Kid) -> Self {
        Self { public: self.public.named(kid.clone()), kid, ..self }
    }

    /// Signs `claims` as a compact JWS whose header has `alg`, `kid` and `typ` (`JWT`, `at+jwt`, …).
    ///
    /// # Errors
    /// [`TokenError::Claims`] if `claims` do not serialise to a JSON object; [`TokenError::Crypto`] if signing fails.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, TokenError> {
        #[derive(Serialize)]
        struct Written<'a> {
            alg: Algorithm,
            kid: &'a Kid,
            typ: &'a str,
        }
        let written = |error: serde_json::Error| TokenError::Claims(error.to_string());
        let header = Written { alg: self.algorithm, kid: &self.kid, typ };
        let header = serde_json::to_vec(&header).map_err(written)?;
        let claims = serde_json::to_vec(claims).map_err(written)?;
        if claims.first() != Some(&b'{') {
            return Err(TokenError::Claims("not a JSON object".to_owned()));
        }
        let mut token = base64url::encode(&header);
        token.push('.');
        token.push_str(&base64url::encode(&claims));
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url::encode(&signature));
        Ok(token)
    }

    /// The bare JWS signature over `signing_input` (RFC 7515 §5.1 step 5).
    ///
    /// # Errors
    /// [`TokenError::Crypto`] if signing fails.
    pub fn sign_bytes(&self, signing_input: &[u8]) -> Result<Vec<u8>, TokenError> {
        let failed = |_| TokenError::Crypto("sign");
        let random = SystemRandom::new();
        match &self.pair {
            KeyPair::Ec(pair) => Ok(pair.sign(&random, signing_input).map_err(failed)?.as_ref().to_vec()),
            KeyPair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, signing_input, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }

    fn new(algorithm: Algorithm, pair: KeyPair) -> Result<Self, TokenError> {
        let material = match (&pair, algorithm.curve()) {
            (KeyPair::Ec(pair), Some(curve)) => {
                Material::Ec { curve, point: pair.public_key().as_ref().to_vec() }
            }
            (KeyPair::Rsa(pair, _), _) => {
                let (modulus, exponent) = der::read_rsa_public_key(pair.public_key().as_ref())
                    .ok_or(TokenError::Crypto("read its own public key"))?;
                Material::Rsa { modulus, exponent }
            }
            (KeyPair::Ec(_), None) => return Err(TokenError::InvalidKey("not an RSA key")),
        };
        let key = VerifyingKey::from_material(material);
        if key.rsa_bits().is_some_and(|bits| !(2048..=8192).contains(&bits)) {
            return Err(TokenError::InvalidKey("an RSA key needs 2048 to 8192 bits"));
        }
        let public = Jwk::for_signing(key, algorithm);
        let kid = public.thumbprint();
        Ok(Self { algorithm, pair, public, kid })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("pair", &format_args!("[redacted]"))
            .finish_non_exhaustive()
    }
}

fn scheme(algorithm: Algorithm) -> Scheme {
    match algorithm {
        Algorithm::Rs256 => Scheme::Rsa(&lc::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Scheme::Rsa(&lc::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Scheme::Rsa(&lc::RSA_PKCS1_SHA512),
        Algorithm::Ps256 => Scheme::Rsa(&lc::RSA_PSS_SHA256),
        Algorithm::Ps384 => Scheme::Rsa(&lc::RSA_PSS_SHA384),
        Algorithm::Ps512 => Scheme::Rsa(&lc::RSA_PSS_SHA512),
        Algorithm::Es256 => Scheme::Ec(&lc::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Scheme::Ec(&lc::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => Scheme::Ec(&lc::ECDSA_P521_SHA512_FIXED_SIGNING),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkcs8_is_written_and_read_back_for_every_algorithm() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let read = SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
            assert_eq!(read.kid(), key.kid(), "{algorithm}");
            assert_eq!(read.public_jwk(), key.public_jwk(), "{algorithm}");
            let signature = read.sign_bytes(b"x").unwrap();
            assert!(key.public_jwk().key().verify(algorithm, b"x", &signature).is_ok(), "{algorithm}");
        }
    }

    #[test]
    fn a_key_of_another_type_or_curve_is_refused() {
        let p256 = SigningKey::generate(Algorithm::Es256).unwrap().to_pkcs8().unwrap();
        let rsa = SigningKey::generate(Algorithm::Rs256).unwrap().to_pkcs8().unwrap();
        for (algorithm, pkcs8) in [
            (Algorithm::Es384, &p256[..]),
            (Algorithm::Rs256, &p256),
            (Algorithm::Es256, &rsa),
            (Algorithm::Es256, &p256[..p256.len() - 1]),
            (Algorithm::Rs256, b""),
        ] {
            assert!(matches!(SigningKey::from_pkcs8(algorithm, pkcs8), Err(TokenError::InvalidKey(_))));
        }
        assert!(SigningKey::from_pkcs8(Algorithm::Ps512, &rsa).is_ok());
    }

    #[test]
    fn debug_prints_the_name_of_the_key_and_not_the_key() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let printed = format!("{key:?}");
        assert_eq!(
            printed,
            format!("SigningKey {{ algorithm: Es256, kid: {:?}, pair: [redacted], .. }}", key.kid())
        );
        let pkcs8 = format!("{:?}", key.to_pkcs8().unwrap());
        assert!(!printed.contains(&pkcs8));
    }

    #[test]
    fn only_objects_are_signed() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        assert!(key.sign("JWT", &serde_json::json!({"a": 1})).is_ok());
        assert!(matches!(key.sign("JWT", &[1, 2]), Err(TokenError::Claims(_))));
        assert!(matches!(key.sign("JWT", &"text"), Err(TokenError::Claims(_))));
    }
}
