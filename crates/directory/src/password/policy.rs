//! What a password must be like that somebody chooses.
//!
//! NIST SP 800-63B §5.1.1.2: length, and not one of those that attackers try first; no rules about kinds of characters.
//! Whether attackers try it first, `zxcvbn` says (MIT), which brings lists of common passwords, names and words and
//! knows their usual disguises: it is kept up, asks no service, and says why in words. A score of 2 is asked for: a
//! million guesses at least, of which the sign-in page lets some sixty an hour through.

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;
use zxcvbn::feedback::Feedback;
use zxcvbn::{Score, zxcvbn};

use super::{LONGEST, Password, PasswordHash, PasswordHasher, Verification};
use crate::name::Login;

/// A login's name part counts from this many characters on: shorter ones stand in many good passwords.
const SHORTEST_NAME: usize = 4;

/// The rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// How many characters at least.
    pub shortest: usize,
    /// Whether what is guessed first is refused.
    pub refuses_guessable: bool,
    /// So many of the last passwords are not taken again, the present one among them.
    pub history: u32,
    /// How long a password is good; `None`: for ever, as NIST SP 800-63B asks.
    pub max_age: Option<SignedDuration>,
}

impl Default for PasswordPolicy {
    /// Eight characters, nothing that is guessed first, none of the last five.
    fn default() -> Self {
        Self { shortest: 8, refuses_guessable: true, history: 5, max_age: None }
    }
}

/// What a password lacks to be chosen. The texts do not repeat the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRuleError {
    /// Fewer characters than that.
    #[error("the password must have at least {0} characters")]
    TooShort(usize),
    /// More than 1024 bytes.
    #[error("the password must have at most {LONGEST} bytes")]
    TooLong,
    /// It has [`name_part`] in it.
    #[error("the password must not contain the login's name")]
    ContainsName,
    /// It is guessed first; why, and what would be better.
    #[error("the password is easy to guess. {0}")]
    Guessable(String),
    /// It is the present one, or was before; so many are not taken again.
    #[error("the password was used before, and the last {0} are not taken again")]
    Used(u32),
}

impl PasswordPolicy {
    /// Whether whoever signs in as `login` may choose `password`, as far as that can be told without knowing the ones
    /// before. Takes some milliseconds: call it where blocking is allowed.
    pub fn check(&self, password: &Password, login: &Login) -> Result<(), PasswordRuleError> {
        self.check_form(password, login)?;
        if !self.refuses_guessable {
            return Ok(());
        }
        let inputs =
            [Some(login.as_str()), name_part(login), Some("kubesso"), Some("kubernetes"), Some("kubectl")];
        let inputs: Vec<&str> = inputs.into_iter().flatten().collect();
        let judged = zxcvbn(password.expose(), &inputs);
        if judged.score() >= Score::Two {
            return Ok(());
        }
        let feedback = judged.feedback();
        let mut reasons: Vec<String> =
            feedback.and_then(Feedback::warning).iter().map(ToString::to_string).collect();
        reasons.extend(feedback.iter().flat_map(|feedback| feedback.suggestions()).map(ToString::to_string));
        if reasons.is_empty() {
            reasons.push("Make it longer.".to_owned());
        }
        Err(PasswordRuleError::Guessable(reasons.join(" ").trim_end_matches('.').to_owned()))
    }

    /// Length and name: what can be told at once.
    fn check_form(&self, password: &Password, login: &Login) -> Result<(), PasswordRuleError> {
        let text = password.expose();
        if text.len() > LONGEST {
            return Err(PasswordRuleError::TooLong);
        }
        if text.chars().count() < self.shortest {
            return Err(PasswordRuleError::TooShort(self.shortest));
        }
        let lowered = Zeroizing::new(text.to_lowercase());
        if name_part(login).is_some_and(|name| lowered.contains(&name.to_lowercase())) {
            return Err(PasswordRuleError::ContainsName);
        }
        Ok(())
    }

    /// Whether `password` is none of `before`, the latest first, of which as many are looked at as the rule names. Each
    /// takes a computation of `hasher`.
    pub fn check_history<'a>(
        &self,
        hasher: &PasswordHasher,
        password: &Password,
        before: impl IntoIterator<Item = &'a PasswordHash>,
    ) -> Result<(), PasswordRuleError> {
        let number = usize::try_from(self.history).unwrap_or(usize::MAX);
        let mut known = before.into_iter().take(number);
        if known.any(|hash| hasher.verify(password, Some(hash)) != Verification::Wrong) {
            return Err(PasswordRuleError::Used(self.history));
        }
        Ok(())
    }

    /// The rules in a sentence, for whoever chooses a password for `login`.
    pub fn sentence(&self, login: &Login) -> String {
        let name = name_part(login).map(|name| format!(", and without “{name}” in it")).unwrap_or_default();
        let guessable = if self.refuses_guessable { ", not easy to guess" } else { "" };
        format!("At least {} characters and at most {LONGEST} bytes{guessable}{name}.", self.shortest)
    }

    /// Whether a password that was set at `set` has been good for as long as it may.
    pub fn is_too_old(&self, set: Timestamp, now: Timestamp) -> bool {
        self.max_age.is_some_and(|most| now.duration_since(set) >= most)
    }

    /// How many of the passwords before the present one must be remembered.
    pub fn remembered(&self) -> u32 {
        self.history.saturating_sub(1)
    }
}

/// The part of `login` that must not stand in its password: what is before the last `@`, or all of it where there
/// is none, if that has at least four characters.
fn name_part(login: &Login) -> Option<&str> {
    let name = login.as_str().rsplit_once('@').map_or(login.as_str(), |(name, _)| name);
    (name.chars().count() >= SHORTEST_NAME).then_some(name)
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;

    use super::*;

    fn login(text: &str) -> Login {
        Login::parse(text).unwrap()
    }

    #[test]
    fn a_password_that_somebody_chooses_is_long_enough_and_not_made_of_the_login() {
        use PasswordRuleError::{ContainsName, TooLong, TooShort};
        let policy = PasswordPolicy { refuses_guessable: false, ..PasswordPolicy::default() };
        for (who, text, expected) in [
            ("jane@example.com", "", Err(TooShort(8))),
            ("jane@example.com", "1234567", Err(TooShort(8))),
            ("jane@example.com", "12345678", Ok(())),
            ("jane@example.com", "ääääääää", Ok(())),
            ("jane@example.com", "äääääää", Err(TooShort(8))),
            ("jane@example.com", &"x".repeat(1024), Ok(())),
            ("jane@example.com", &"x".repeat(1025), Err(TooLong)),
            ("jane@example.com", &"ä".repeat(513), Err(TooLong)),
            ("jane@example.com", "jane", Err(TooShort(8))),
            ("jane@example.com", "my name is JANE", Err(ContainsName)),
            ("Jane@example.com", "planejanes", Err(ContainsName)),
            ("jane@example.com", "example.com", Ok(())),
            ("jo@example.com", "jo jo jo jo", Ok(())),
            ("jane", "plain-jane", Err(ContainsName)),
            ("a@b@example.com", "my a@b is it", Ok(())),
            ("ja@ne@example.com", "my ja@ne is it", Err(ContainsName)),
            ("ÄRGER@example.com", "viel ärger hier", Err(ContainsName)),
        ] {
            assert_eq!(policy.check(&Password::new(text), &login(who)), expected, "{who} {text}");
        }
        let longer = PasswordPolicy { shortest: 15, ..policy };
        assert_eq!(longer.check(&Password::new("fourteen chars"), &login("x")), Err(TooShort(15)));
    }

    #[test]
    fn what_attackers_try_first_is_refused_with_the_reason() {
        let policy = PasswordPolicy::default();
        for text in [
            "password",
            "P@ssw0rd1",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "iloveyou1",
            "sunshine",
            "jo@example.com",
            "kubernetes",
            "drowssap",
        ] {
            let error = policy.check(&Password::new(text), &login("jo@example.com")).unwrap_err();
            let PasswordRuleError::Guessable(why) = &error else { panic!("{text}: {error}") };
            assert!(
                why.len() > 10 && (text == "password" || !why.contains(text)) && !why.ends_with('.'),
                "{text}: {why}"
            );
        }
        for text in
            ["correct horse battery", "a better battery", "k7mw-x2pf-9tqr-hn4d", "viel Ärger mit Äpfeln"]
        {
            assert_eq!(policy.check(&Password::new(text), &login("jo@example.com")), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_longest_password_is_judged_soon() {
        let began = std::time::Instant::now();
        for text in ["a1!".repeat(341), "ab".repeat(512), "passw0rd".repeat(128), "ä".repeat(512)] {
            let _ = PasswordPolicy::default().check(&Password::new(text), &login("jo@example.com"));
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn the_last_ones_are_not_taken_again() {
        let hasher = PasswordHasher::with(8, 1, 1).unwrap();
        let hashes: Vec<_> = ["six", "five", "four", "three", "two", "one"]
            .map(|text| hasher.hash(&Password::new(text), &SeededEntropy::new(1)).unwrap())
            .into();
        let used = |history: u32, text: &str| {
            let policy = PasswordPolicy { history, ..PasswordPolicy::default() };
            policy.check_history(&hasher, &Password::new(text), &hashes).is_err()
        };
        for (history, text, expected) in [
            (5, "six", true),
            (5, "two", true),
            (5, "one", false),
            (5, "seven", false),
            (1, "six", true),
            (1, "five", false),
            (0, "six", false),
        ] {
            assert_eq!(used(history, text), expected, "{history} {text}");
        }
        assert_eq!(PasswordPolicy::default().remembered(), 4);
        assert_eq!(PasswordPolicy { history: 0, ..PasswordPolicy::default() }.remembered(), 0);
    }

    #[test]
    fn what_a_password_lacks_is_said_in_words() {
        for (error, expected) in [
            (PasswordRuleError::TooShort(8), "the password must have at least 8 characters"),
            (PasswordRuleError::TooLong, "the password must have at most 1024 bytes"),
            (PasswordRuleError::ContainsName, "the password must not contain the login's name"),
            (PasswordRuleError::Guessable("Because".to_owned()), "the password is easy to guess. Because"),
            (PasswordRuleError::Used(5), "the password was used before, and the last 5 are not taken again"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        let sentence = PasswordPolicy::default().sentence(&login("jane@example.com"));
        assert_eq!(
            sentence,
            "At least 8 characters and at most 1024 bytes, not easy to guess, and without “jane” in it."
        );
    }
}
