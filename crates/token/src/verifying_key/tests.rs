use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{Jwk, SigningKey, base64url};

/// One key an algorithm, made once: RSA keys take a while.
static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    Algorithm::ALL.into_iter().map(|algorithm| SigningKey::generate(algorithm).unwrap()).collect()
});

/// Signatures over `signing input` made with Go 1.26.8's crypto/rsa and crypto/ecdsa, all of which Go verifies the way
/// go-jose v2.6.3 calls it.
fn vectors() -> Vec<(String, Algorithm, VerifyingKey, Vec<u8>)> {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let bytes = |value: &Value| base64url::decode(value.as_str().unwrap()).unwrap();
    vectors
        .iter()
        .map(|vector| {
            let key = &vector["key"];
            let key = match key["crv"].as_str() {
                Some(curve) => VerifyingKey::ec(curve.parse().unwrap(), &bytes(&key["x"]), &bytes(&key["y"])),
                None => VerifyingKey::rsa(&bytes(&key["n"]), &bytes(&key["e"])),
            };
            let algorithm = vector["alg"].as_str().unwrap().parse().unwrap();
            (
                vector["what"].as_str().unwrap().to_owned(),
                algorithm,
                key.unwrap(),
                bytes(&vector["signature"]),
            )
        })
        .collect()
}

#[test]
fn the_strict_check_takes_only_what_rfc_7518_defines() {
    let taken: Vec<String> = vectors()
        .into_iter()
        .filter(|(_, algorithm, key, signature)| key.verify(*algorithm, b"signing input", signature).is_ok())
        .map(|(what, ..)| what)
        .collect();
    assert_eq!(
        taken,
        [
            "ES256 by P-256",
            "ES384 by P-384",
            "ES512 by P-521",
            "RS256 by RSA 2048",
            "PS256 by RSA 2048, salt hash",
            "PS256 by RSA 2048, salt 32",
            "RS384 by RSA 2048",
            "PS384 by RSA 2048, salt hash",
            "PS384 by RSA 2048, salt 48",
            "RS512 by RSA 2048",
            "PS512 by RSA 2048, salt hash",
            "PS512 by RSA 2048, salt 64",
        ]
    );
}

#[test]
fn the_check_of_go_jose_is_followed_but_for_what_the_documentation_names() {
    let refused: Vec<String> = vectors()
        .into_iter()
        .filter(|(_, algorithm, key, signature)| {
            assert!(key.verify_as_go_jose(*algorithm, b"another input", signature).is_err());
            key.verify_as_go_jose(*algorithm, b"signing input", signature).is_err()
        })
        .map(|(what, ..)| what)
        .collect();
    assert_eq!(
        refused,
        [
            "PS256 by RSA 1024, salt hash",
            "RS384 by RSA 1024",
            "PS384 by RSA 1024, salt hash",
            "PS256 by RSA 2048, salt 33",
        ]
    );
}

#[test]
fn a_signature_of_another_algorithm_never_verifies() {
    for signer in KEYS.iter() {
        let signature = signer.sign_bytes(b"input").unwrap();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != signer.algorithm()) {
            for verifier in KEYS.iter().map(SigningKey::public_jwk).chain([signer.public_jwk()]) {
                assert!(
                    verifier.key().verify(algorithm, b"input", &signature).is_err(),
                    "{algorithm} by {signer:?}"
                );
                assert!(verifier.key().verify_as_go_jose(algorithm, b"input", &signature).is_err());
            }
        }
    }
}

#[test]
fn signatures_of_zeros_or_of_another_length_are_refused() {
    for key in KEYS.iter() {
        let (algorithm, public) = (key.algorithm(), key.public_jwk());
        let good = key.sign_bytes(b"input").unwrap();
        let zero_extended = [&[0], &good[..]].concat();
        for bad in [
            &[][..],
            &vec![0; good.len()],
            &vec![0xff; good.len()],
            &good[1..],
            &good[..good.len() - 1],
            &zero_extended,
        ] {
            assert!(public.key().verify(algorithm, b"input", bad).is_err(), "{algorithm}");
            assert!(public.key().verify_as_go_jose(algorithm, b"input", bad).is_err(), "{algorithm}");
        }
    }
}

#[test]
fn points_off_the_curve_and_coordinates_of_another_length_are_refused() {
    let jwk = KEYS[6].public_jwk();
    let Material::Ec { point, .. } = &jwk.key().0.material else { panic!("ES256 is EC") };
    let (x, y) = point[1..].split_at(32);
    assert!(VerifyingKey::ec(Curve::P256, x, y).is_ok());
    assert!(VerifyingKey::ec(Curve::P256, y, x).is_err());
    assert!(VerifyingKey::ec(Curve::P256, &x[1..], y).is_err());
    assert!(VerifyingKey::ec(Curve::P256, &[&[0], x].concat(), y).is_err());
    assert!(VerifyingKey::ec(Curve::P384, x, y).is_err());
    assert!(VerifyingKey::ec(Curve::P256, &[0; 32], &[0; 32]).is_err());
    assert!(VerifyingKey::rsa(&[0, 0], &[1, 0, 1]).is_err());
    assert_eq!(format!("{:?}", VerifyingKey::rsa(&[0, 0x80, 0], &[3]).unwrap()), "VerifyingKey(RSA 16)");
}

#[test]
fn debug_names_the_kind_of_key() {
    let jwk: Jwk = KEYS[0].public_jwk();
    assert_eq!(format!("{:?}", jwk.key()), "VerifyingKey(RSA 2048)");
    assert_eq!(format!("{:?}", KEYS[8].public_jwk().key()), "VerifyingKey(P-521)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_signed_verifies_and_no_flipped_bit_does(message in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>()) {
        for key in KEYS.iter() {
            let (algorithm, public) = (key.algorithm(), key.public_jwk());
            let signature = key.sign_bytes(&message).unwrap();
            prop_assert!(public.key().verify(algorithm, &message, &signature).is_ok());
            prop_assert!(public.key().verify_as_go_jose(algorithm, &message, &signature).is_ok());

            let mut other = message.clone();
            let bit = at.index(other.len() * 8);
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(public.key().verify(algorithm, &other, &signature).is_err());
            let mut forged = signature.clone();
            let bit = at.index(forged.len() * 8);
            forged[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(public.key().verify(algorithm, &message, &forged).is_err());
            prop_assert!(public.key().verify_as_go_jose(algorithm, &message, &forged).is_err());
        }
    }
}
