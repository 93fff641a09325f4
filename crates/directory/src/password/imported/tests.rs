use kubesso_ambient::SeededEntropy;
use proptest::prelude::*;
use serde_json::json;

use super::super::{PasswordHasher, Verification};
use super::*;

/// Cheap, so that tests are about the rules and not about Argon2's speed.
fn quick() -> PasswordHasher {
    PasswordHasher::with(8, 1, 1).unwrap()
}

fn read(hash: &Value) -> Result<PasswordHash, ImportedHashError> {
    ImportedHash::read(hash.as_object().unwrap())
}

/// The first of jBCrypt's published vectors for `a`; the others are hashlib's for `password` and `salt`, the PBKDF2 one
/// with SHA-256 being widely published too (c5e478d5…).
fn vectors() -> Vec<(&'static str, Value, &'static str)> {
    let sha = |algorithm: &str, order: &str, value: &str| json!({"algorithm": algorithm, "salt": "c2FsdA==", "saltOrder": order, "value": value});
    let pbkdf2 = |digest: &str, size: u64, value: &str| {
        json!({
            "algorithm": "PBKDF2", "digestAlgorithm": digest, "iterationCount": 4096, "keySize": size,
            "salt": "c2FsdA==", "value": value,
        })
    };
    let bcrypt = json!({
        "algorithm": "BCRYPT", "workFactor": 6, "salt": "m0CrhHm10qJ3lXRY.5zDGO", "value": "3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
    });
    let mut loose = bcrypt.clone();
    loose["salt"] = json!("m0CrhHm10qJ3lXRY.5zDGP");
    let unsalted = json!({"algorithm": "SHA-256", "value": "XohImNooBHFR0OVvjcYpJ3NgPQ1qq73WKhHvch0VQtg="});
    vec![
        ("a", bcrypt, "$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ("a", loose, "$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        (
            "password",
            pbkdf2("SHA256_HMAC", 32, "xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o="),
            "$pbkdf2-sha256$i=4096$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o",
        ),
        (
            "password",
            pbkdf2(
                "SHA512_HMAC",
                64,
                "0Zexsz2wFD4BixLz0dFHnmzevcyXxcD4f2kC4HL0V7UUPzBgJkGz1VzTNZiMs2uEN2Bg7NUy4Dm3QqI5Q0ry1Q",
            ),
            "$pbkdf2-sha512$i=4096$c2FsdA$0Zexsz2wFD4BixLz0dFHnmzevcyXxcD4f2kC4HL0V7UUPzBgJkGz1VzTNZiMs2uEN2Bg7NUy4Dm3QqI5Q0ry1Q",
        ),
        (
            "password",
            sha("SHA-1", "PREFIX", "WbPo1jfPl+2+I4TPWct0U9/jB4k="),
            "$kubesso-sha1$prefix$c2FsdA$WbPo1jfPl+2+I4TPWct0U9/jB4k",
        ),
        (
            "password",
            sha("SHA-256", "POSTFIX", "eje4XIkY6sGakInA+loqtNzj+QUo3N7sEIsj3fNge5k="),
            "$kubesso-sha256$postfix$c2FsdA$eje4XIkY6sGakInA+loqtNzj+QUo3N7sEIsj3fNge5k",
        ),
        (
            "password",
            sha(
                "SHA-512",
                "PREFIX",
                "KQjSwo38BHdB/FkKAm/63iN6srp+EmbwEP5JveVItZh6U0qGZVoNF/M2WI5UDNZvZyNLFSu7ZFtLuFdYoTJdZA==",
            ),
            "$kubesso-sha512$prefix$c2FsdA$KQjSwo38BHdB/FkKAm/63iN6srp+EmbwEP5JveVItZh6U0qGZVoNF/M2WI5UDNZvZyNLFSu7ZFtLuFdYoTJdZA",
        ),
        ("password", unsalted, "$kubesso-sha256$prefix$$XohImNooBHFR0OVvjcYpJ3NgPQ1qq73WKhHvch0VQtg"),
    ]
}

#[test]
fn the_right_password_of_an_imported_hash_asks_for_it_to_be_made_anew() {
    for (password, hash, stored) in vectors() {
        let hash = read(&hash).unwrap();
        assert_eq!(hash.expose(), stored);
        assert_eq!(PasswordHash::parse(stored), Some(hash.clone()), "{stored}");
        let verify = |typed: &str| quick().verify(&Password::new(typed), Some(&hash));
        assert_eq!(verify(password), Verification::RightButOutdated, "{stored}");
        for wrong in ["", "b", "passwor", "password ", "saltpassword", "Password"] {
            assert_eq!(verify(wrong), Verification::Wrong, "{stored} {wrong}");
        }
        let renewed = quick().hash(&Password::new(password), &SeededEntropy::new(1)).unwrap();
        assert_eq!(quick().verify(&Password::new(password), Some(&renewed)), Verification::Right);
    }
}

#[test]
fn the_hash_of_the_empty_password_signs_nobody_in() {
    let empty = json!({"algorithm": "SHA-1", "value": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="});
    let hash = read(&empty).unwrap();
    assert_eq!(quick().verify(&Password::new(""), Some(&hash)), Verification::Wrong);
}

#[test]
fn a_hash_that_cannot_be_used_is_refused_with_the_member_and_what_it_should_be() {
    let sha = json!({"algorithm": "SHA-1", "salt": "c2FsdA==", "saltOrder": "PREFIX", "value": "WbPo1jfPl+2+I4TPWct0U9/jB4k="});
    let bcrypt = json!({
        "algorithm": "BCRYPT", "workFactor": 6, "salt": "m0CrhHm10qJ3lXRY.5zDGO", "value": "3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
    });
    let pbkdf2 = json!({
        "algorithm": "PBKDF2", "digestAlgorithm": "SHA256_HMAC", "iterationCount": 4096, "keySize": 32, "salt": "c2FsdA==",
        "value": "xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o=",
    });
    let algorithms = "should be BCRYPT, PBKDF2, SHA-512, SHA-256 or SHA-1";
    let cases = [
        (&sha, "algorithm", json!("sha1"), algorithms),
        (&sha, "algorithm", Value::Null, algorithms),
        (&sha, "algorithm", json!("SHA-256"), "`value` should be a hash of the algorithm's length in base64"),
        (&sha, "algorithm", json!("MD5"), "an MD5 password hash is not taken in"),
        (&sha, "value", json!("hunter2!"), "`value` should be a hash of the algorithm's length in base64"),
        (&sha, "value", json!(7), "`value` should be a hash of the algorithm's length in base64"),
        (&sha, "salt", json!("*"), "`salt` should be at most 256 bytes in base64"),
        (&sha, "salt", json!("AAAA".repeat(86)), "`salt` should be at most 256 bytes in base64"),
        (&sha, "saltOrder", Value::Null, "`saltOrder` should be PREFIX or POSTFIX"),
        (&sha, "saltOrder", json!("MIDDLE"), "`saltOrder` should be PREFIX or POSTFIX"),
        (&bcrypt, "workFactor", json!(3), "`workFactor` should be a number from 4 to 15"),
        (&bcrypt, "workFactor", json!(16), "`workFactor` should be a number from 4 to 15"),
        (&bcrypt, "workFactor", json!("6"), "`workFactor` should be a number from 4 to 15"),
        (
            &bcrypt,
            "salt",
            json!("m0CrhHm10qJ3lXRY.5zDG"),
            "`salt` should be 22 characters of bcrypt's base64",
        ),
        (
            &bcrypt,
            "salt",
            json!("m0CrhHm10qJ3lXRY+5zDGO"),
            "`salt` should be 22 characters of bcrypt's base64",
        ),
        (
            &bcrypt,
            "value",
            json!("$2b$06$"),
            "`value` should be 31 characters of bcrypt's base64, without salt",
        ),
        (
            &pbkdf2,
            "digestAlgorithm",
            json!("SHA1_HMAC"),
            "`digestAlgorithm` should be SHA256_HMAC or SHA512_HMAC",
        ),
        (&pbkdf2, "iterationCount", json!(4095), "`iterationCount` should be a number from 4096 to 1000000"),
        (
            &pbkdf2,
            "iterationCount",
            json!(1_000_001),
            "`iterationCount` should be a number from 4096 to 1000000",
        ),
        (&pbkdf2, "keySize", json!(8), "`keySize` should be a number of bytes from 16 to 64"),
        (&pbkdf2, "keySize", json!(33), "`value` should be as many bytes in base64 as `keySize` says"),
        (&pbkdf2, "salt", json!(""), "`salt` should be 1 to 256 bytes in base64"),
    ];
    for (good, field, value, expected) in cases {
        let mut hash = good.clone();
        assert!(read(&hash).is_ok(), "{hash}");
        hash[field] = value;
        let error = read(&hash).unwrap_err().to_string();
        assert!(error.contains(expected), "{field}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn no_other_text_is_taken_for_an_imported_hash() {
    for bad in [
        "$2b$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfx",
        "$2b$20$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
        "$2x$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe",
        "$kubesso-md5$prefix$$XohImNooBHFR0OVvjcYpJw",
        "$kubesso-sha1$middle$c2FsdA$WbPo1jfPl+2+I4TPWct0U9/jB4k",
        "$kubesso-sha1$prefix$c2FsdA$WbPo1jfPl+2+I4TPWct0U9/jB4k$x",
        "$kubesso-sha256$prefix$c2FsdA$WbPo1jfPl+2+I4TPWct0U9/jB4k",
        "$pbkdf2-sha1$i=4096$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o",
        "$pbkdf2-sha256$i=99999999$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o",
        "$pbkdf2-sha256$4096$c2FsdA$xeR41ZKIyEGqUw22hFxMjZYok6ABzk4RpJY4c6qYE0o",
    ] {
        assert_eq!(PasswordHash::parse(bad), None, "{bad}");
    }
}

#[test]
fn an_imported_hash_does_not_print() {
    let imported = ImportedHash::parse("$kubesso-sha1$prefix$c2FsdA$WbPo1jfPl+2+I4TPWct0U9/jB4k").unwrap();
    assert_eq!(format!("{imported:?}"), "ImportedHash([redacted])");
}

proptest! {
    #[test]
    fn any_text_is_a_hash_or_none(text in "\\$(2b|pbkdf2-sha256|kubesso-sha1)\\$\\PC{0,60}") {
        if let Some(imported) = ImportedHash::parse(&text) {
            prop_assert!(ImportedHash::parse(&imported.to_text()).is_some());
        }
    }
}
