use kubesso_ambient::SeededEntropy;

use super::*;

/// Cheap, so that tests are about the rules and not about Argon2's speed.
fn quick() -> PasswordHasher {
    PasswordHasher::with(8, 1, 1).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text)
}

#[test]
fn the_default_is_argon2id_with_owasps_minimum_and_the_parameters_are_stored() {
    let hash = PasswordHasher::default().hash(&password("x"), &SeededEntropy::new(1)).unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    assert_eq!(PasswordHash::parse(hash.expose()), Some(hash.clone()));
    assert_eq!(PasswordHasher::default().verify(&password("x"), Some(&hash)), Verification::Right);
}

#[test]
fn the_right_password_is_right_and_any_other_is_wrong() {
    let hash = quick().hash(&password("correct horse"), &SeededEntropy::new(1)).unwrap();
    for (typed, expected) in [
        ("correct horse", Verification::Right),
        ("correct horse ", Verification::Wrong),
        ("Correct horse", Verification::Wrong),
        ("", Verification::Wrong),
    ] {
        assert_eq!(quick().verify(&password(typed), Some(&hash)), expected, "{typed}");
    }
}

#[test]
fn a_hash_with_other_parameters_verifies_and_asks_to_be_made_anew() {
    let hash = quick().hash(&password("x"), &SeededEntropy::new(1)).unwrap();
    let stronger = PasswordHasher::with(16, 2, 1).unwrap();
    assert_eq!(stronger.verify(&password("x"), Some(&hash)), Verification::RightButOutdated);
    assert_eq!(stronger.verify(&password("y"), Some(&hash)), Verification::Wrong);
    let renewed = stronger.hash(&password("x"), &SeededEntropy::new(2)).unwrap();
    assert_eq!(stronger.verify(&password("x"), Some(&renewed)), Verification::Right);
}

#[test]
fn hashes_are_those_of_the_library_by_itself() {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};
    let params = || Params::new(32, 2, 2, None).unwrap();
    for (algorithm, version) in [(Algorithm::Argon2id, Version::V0x13), (Algorithm::Argon2id, Version::V0x10)]
    {
        let library = Argon2::new(algorithm, version, params());
        let theirs = library.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
        let stored = PasswordHash::parse(&theirs.to_string()).unwrap();
        assert_ne!(quick().verify(&password("correct horse"), Some(&stored)), Verification::Wrong);
        assert_eq!(quick().verify(&password("correct horses"), Some(&stored)), Verification::Wrong);
    }
    let ours = PasswordHasher::with(32, 2, 2).unwrap().hash(&password("x"), &SeededEntropy::new(1)).unwrap();
    assert!(Argon2::default().verify_password(b"x", ours.expose()).is_ok());
    assert!(Argon2::default().verify_password(b"y", ours.expose()).is_err());
}

#[test]
fn without_a_user_every_password_is_wrong() {
    for typed in ["", "x", "correct horse"] {
        assert_eq!(quick().verify(&password(typed), None), Verification::Wrong);
    }
}

#[test]
fn the_same_password_is_hashed_differently_each_time() {
    let entropy = SeededEntropy::new(1);
    let hash = || quick().hash(&password("x"), &entropy).unwrap();
    assert_ne!(hash(), hash());
}

#[test]
fn an_empty_or_an_endless_password_is_refused_before_any_work() {
    let hash = |text: &str| quick().hash(&password(text), &SeededEntropy::new(1)).map(|_| ());
    assert_eq!(hash(""), Err(PasswordError::Empty));
    assert_eq!(hash(&"x".repeat(1024)), Ok(()));
    assert_eq!(hash(&"x".repeat(1025)), Err(PasswordError::TooLong));
    assert_eq!(quick().verify(&password(&"x".repeat(2_000_000)), None), Verification::Wrong);
}

#[test]
fn only_a_known_hash_is_taken_from_the_store() {
    let good = quick().hash(&password("x"), &SeededEntropy::new(1)).unwrap();
    let other = good.expose().replace("argon2id", "argon2i");
    for bad in
        ["", "x", "plaintext", "$2b$12$abcdefghijklmnopqrstuv", other.as_str(), "$argon2id$v=19$m=8,t=1,p=1"]
    {
        assert_eq!(PasswordHash::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_generated_password_is_readable_and_never_the_same() {
    let entropy = SeededEntropy::new(1);
    let first = Password::generate(&entropy);
    let groups: Vec<&str> = first.expose().split('-').collect();
    assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [4; 4]);
    assert!(!first.expose().contains(['0', '1', 'l', 'o']), "what looks alike is left out");
    assert_ne!(first, Password::generate(&entropy));
}

#[test]
fn a_password_and_its_hash_do_not_print() {
    let secret = password("hunter2");
    let hash = quick().hash(&secret, &SeededEntropy::new(1)).unwrap();
    assert_eq!(format!("{secret:?} {hash:?}"), "Password([redacted]) PasswordHash([redacted])");
}
