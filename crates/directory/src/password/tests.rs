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
fn a_password_that_somebody_chooses_is_long_enough_and_not_made_of_the_login() {
    use PasswordRuleError::{ContainsName, TooLong, TooShort};
    for (login, text, expected) in [
        ("jane@example.com", "", Err(TooShort)),
        ("jane@example.com", "1234567", Err(TooShort)),
        ("jane@example.com", "12345678", Ok(())),
        ("jane@example.com", "ääääääää", Ok(())),
        ("jane@example.com", "äääääää", Err(TooShort)),
        ("jane@example.com", &"x".repeat(1024), Ok(())),
        ("jane@example.com", &"x".repeat(1025), Err(TooLong)),
        ("jane@example.com", &"ä".repeat(513), Err(TooLong)),
        ("jane@example.com", "jane", Err(TooShort)),
        ("jane@example.com", "my name is JANE", Err(ContainsName)),
        ("Jane@example.com", "planejanes", Err(ContainsName)),
        ("jane@example.com", "example.com", Ok(())),
        ("jo@example.com", "jo jo jo jo", Ok(())),
        ("jane", "plain-jane", Err(ContainsName)),
        ("a@b@example.com", "my a@b is it", Ok(())),
        ("ja@ne@example.com", "my ja@ne is it", Err(ContainsName)),
        ("ÄRGER@example.com", "viel ärger hier", Err(ContainsName)),
    ] {
        let login = Login::parse(login).unwrap();
        assert_eq!(password(text).check_strength(&login), expected, "{login} {text}");
    }
}

#[test]
fn what_a_password_lacks_is_said_in_words() {
    for (error, expected) in [
        (PasswordRuleError::TooShort, "the password must have at least 8 characters"),
        (PasswordRuleError::TooLong, "the password must have at most 1024 bytes"),
        (PasswordRuleError::ContainsName, "the password must not contain the login's name"),
    ] {
        assert_eq!(error.to_string(), expected);
    }
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
