//! A public key and the bare signature check.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{
    self as lc, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPssSaltLength,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::{Algorithm, Curve, TokenError, der};

/// A public key, parsed once and shared by its clones.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

struct Inner {
    material: Material,
    /// The library's parsed form, made at the first use of each algorithm: an issuer uses one or two.
    parsed: [OnceLock<Option<ParsedPublicKey>>; Algorithm::ALL.len()],
}

/// The public numbers. Big-endian.
#[derive(PartialEq, Eq)]
pub(crate) enum Material {
    /// `point` is the uncompressed form: 0x04, x, y.
    Ec { curve: Curve, point: Vec<u8> },
    /// Both without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl VerifyingKey {
    /// An elliptic-curve key from its coordinates, each exactly as long as the curve's field.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] if a length is wrong or the point is not on the curve.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, TokenError> {
        if x.len() != curve.coordinate_length() || y.len() != curve.coordinate_length() {
            return Err(TokenError::InvalidKey("a coordinate has the wrong length for its curve"));
        }
        let point = [&[0x04], x, y].concat();
        let natural = match curve {
            Curve::P256 => Algorithm::Es256,
            Curve::P384 => Algorithm::Es384,
            Curve::P521 => Algorithm::Es512,
        };
        let key = Self::from_material(Material::Ec { curve, point });
        match key.parsed(natural) {
            Some(_) => Ok(key),
            None => Err(TokenError::InvalidKey("the point is not on its curve")),
        }
    }

    /// An RSA key from modulus and exponent; leading zeros are dropped. Its size is checked when it verifies.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`] if one of the numbers is zero.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, TokenError> {
        let (modulus, exponent) = (der::unsigned(modulus).to_vec(), der::unsigned(exponent).to_vec());
        if modulus.is_empty() || exponent.is_empty() {
            return Err(TokenError::InvalidKey("modulus or exponent is zero"));
        }
        Ok(Self::from_material(Material::Rsa { modulus, exponent }))
    }

    /// Checks `signature` over `signing_input` by the rules of RFC 7518 §3.3–3.5: an RSA modulus of 2048 to 8192 bits,
    /// a PSS salt as long as the hash, an ECDSA key on the algorithm's own curve and `r || s` of full length.
    ///
    /// # Errors
    /// [`TokenError::BadSignature`] if it is not that, or if the key is not one for `algorithm`.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        if !self.fits(algorithm) {
            return Err(TokenError::BadSignature);
        }
        self.parsed(algorithm)
            .and_then(|key| key.verify_sig(signing_input, signature).ok())
            .ok_or(TokenError::BadSignature)
    }

    /// Checks `signature` as go-jose v2.6.3 on Go 1.26 does, which is what kube-apiserver decides with. It is more
    /// generous than [`Self::verify`], and only room `authn` has a reason to be:
    ///
    /// - an ECDSA signature has the length that the *algorithm* says, but the key may be on any of the three curves;
    /// - a PSS salt may have another length than the hash;
    /// - an RSA modulus may be as short as 1024 bits.
    ///
    /// Where the cryptography library cannot follow, this refuses what Go accepts: a modulus under 2048 bits with PSS or
    /// with RS384, a modulus above 8192 bits, and PSS salts of a length other than 0, 20, 32, 48, 64 or the longest possible.
    ///
    /// # Errors
    /// [`TokenError::BadSignature`].
    pub fn verify_as_go_jose(
        &self,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        if self.verify(algorithm, signing_input, signature).is_ok() {
            return Ok(());
        }
        let verified = match &self.0.material {
            Material::Ec { curve, point } => {
                verify_ec_on_any_curve(*curve, point, algorithm, signing_input, signature)
            }
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                lenient_rsa(algorithm, modulus.len() * 8 >= 2048)
                    .iter()
                    .any(|parameters| key.verify(parameters, signing_input, signature).is_ok())
            }
        };
        if verified { Ok(()) } else { Err(TokenError::BadSignature) }
    }

    /// Whether the key's type and curve are those of `algorithm`.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        match &self.0.material {
            Material::Ec { curve, .. } => algorithm.curve() == Some(*curve),
            Material::Rsa { .. } => algorithm.curve().is_none(),
        }
    }

    /// Size of an RSA modulus in bits; `None` for an elliptic-curve key.
    pub fn rsa_bits(&self) -> Option<usize> {
        match &self.0.material {
            Material::Ec { .. } => None,
            Material::Rsa { modulus, .. } => {
                let spare = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
                Some(modulus.len() * 8 - spare)
            }
        }
    }

    pub(crate) fn from_material(material: Material) -> Self {
        Self(Arc::new(Inner { material, parsed: Default::default() }))
    }

    pub(crate) fn material(&self) -> &Material {
        &self.0.material
    }

    fn parsed(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let parse = || match &self.0.material {
            Material::Ec { point, .. } => ParsedPublicKey::new(strict_ec(algorithm)?, point).ok(),
            Material::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .to_parsed_public_key(strict_rsa(algorithm)?)
                .ok(),
        };
        self.0.parsed.get(algorithm as usize)?.get_or_init(parse).as_ref()
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.material == other.0.material
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.material {
            Material::Ec { curve, .. } => write!(f, "VerifyingKey({})", curve.as_str()),
            Material::Rsa { .. } => write!(f, "VerifyingKey(RSA {})", self.rsa_bits().unwrap_or_default()),
        }
    }
}

fn strict_rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &lc::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &lc::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &lc::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &lc::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &lc::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &lc::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => return None,
    })
}

fn strict_ec(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::Es256 => &lc::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &lc::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &lc::ECDSA_P521_SHA512_FIXED,
        _ => return None,
    })
}

/// What else to try for an RSA signature that is not by the book.
fn lenient_rsa(algorithm: Algorithm, at_least_2048_bits: bool) -> Vec<RsaParameters> {
    let pss = |parameters: fn() -> RsaParameters, hash: u16| {
        if !at_least_2048_bits {
            return Vec::new();
        }
        [0, 20, 32, 48, 64]
            .into_iter()
            .filter(|length| *length != hash)
            .map(RsaPssSaltLength::Custom)
            .chain([RsaPssSaltLength::Max])
            .map(|length| parameters().with_pss_salt_length(length))
            .collect()
    };
    match algorithm {
        Algorithm::Rs256 if !at_least_2048_bits => vec![lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY],
        Algorithm::Rs512 if !at_least_2048_bits => vec![lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY],
        Algorithm::Ps256 => pss(|| lc::RSA_PSS_2048_8192_SHA256, 32),
        Algorithm::Ps384 => pss(|| lc::RSA_PSS_2048_8192_SHA384, 48),
        Algorithm::Ps512 => pss(|| lc::RSA_PSS_2048_8192_SHA512, 64),
        _ => Vec::new(),
    }
}

fn verify_ec_on_any_curve(
    curve: Curve,
    point: &[u8],
    algorithm: Algorithm,
    signing_input: &[u8],
    signature: &[u8],
) -> bool {
    let Some(half) = algorithm.curve().map(Curve::coordinate_length) else { return false };
    let Some((r, s)) = signature.split_at_checked(half) else { return false };
    if s.len() != half {
        return false;
    }
    let algorithm: &'static EcdsaVerificationAlgorithm = match (curve, algorithm) {
        (Curve::P256, Algorithm::Es384) => &lc::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, Algorithm::Es512) => &lc::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, Algorithm::Es256) => &lc::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, Algorithm::Es512) => &lc::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, Algorithm::Es256) => &lc::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, Algorithm::Es384) => &lc::ECDSA_P521_SHA384_ASN1,
        // The algorithm's own curve was tried before.
        _ => return false,
    };
    UnparsedPublicKey::new(algorithm, point).verify(signing_input, &der::write_ecdsa_signature(r, s)).is_ok()
}

#[cfg(test)]
mod tests;
