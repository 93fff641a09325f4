//! User codes (RFC 8628 §6.1): ten letters that a person reads from one screen and types on another.
//!
//! Seven letters are drawn, and three are computed from them, the authorization server, the client and the time of
//! issue, under the sealing key. So a code that somebody types says by itself whether it is one of ours, which
//! application shows it and when it ends, and nothing has to be stored for a device that asks. A typing error is
//! noticed in all but one of 2,700 cases for each application that may use the grant, and is harmless then: no device
//! has that code.
//!
//! # Guessing
//!
//! - Whoever guesses at the page wants to sign somebody else's device in with an account of the guesser's. There are
//!   20¹⁰ codes, and after ten wrong ones a network waits ([`kubesso_directory::ThrottleRule::USER_CODES`]).
//! - Whoever asks for devices of one's own hopes that one of them shows the code that somebody else is just
//!   confirming. It has to be drawn in the same five minutes, at a chance of 1 : 20⁷ for each, and to be redeemed before
//!   the rightful device asks again, five seconds later: a thousand requests a second make it 1 : 250,000 a sign-in. The
//!   rightful device's question then ends what the other one got.

use jiff::Timestamp;
use kubesso_ambient::{Entropy, draw};
use kubesso_directory::{AuthorizationServerId, ClientId, SealingKey, TokenHash};
use serde::{Deserialize, Serialize};

/// Without vowels, so that no words come about, and without digits, so that nothing looks alike.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const DRAWN: usize = 7;
const COMPUTED: usize = 3;
/// Times of issue are told apart by this many seconds …
const PERIOD: i64 = 300;
/// … and a code is good until the end of so many periods: for ten to fifteen minutes.
const PERIODS: i64 = 3;
/// So often is another code drawn because the first could be mistaken for another client's.
const TRIES: usize = 64;

/// A code as somebody typed it: ten of the twenty letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UserCode(String);

/// A code of ours, with what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssuedCode {
    pub(crate) code: UserCode,
    pub(crate) server: AuthorizationServerId,
    pub(crate) client: ClientId,
    /// The time of issue, in periods since 1970.
    period: i64,
}

impl UserCode {
    /// Reads what was typed, in any case of letters, with or without hyphens and spaces; `None` if it cannot be one.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let is_separator = |character: &char| character.is_whitespace() || "-‐‑‒–—.".contains(*character);
        // As long as nobody types, so that nothing long is looked through.
        let letters: String = typed
            .chars()
            .take(64)
            .filter(|character| !is_separator(character))
            .map(|character| character.to_ascii_uppercase())
            .collect();
        let is_code =
            letters.len() == DRAWN + COMPUTED && letters.bytes().all(|byte| LETTERS.contains(&byte));
        is_code.then_some(Self(letters))
    }

    fn drawn(&self) -> &str {
        self.0.get(..DRAWN).unwrap_or_default()
    }
}

/// As it is shown: `BCDFG-HJKLM`.
impl std::fmt::Display for UserCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, second) = self.0.split_at_checked(self.0.len() / 2).unwrap_or_default();
        write!(f, "{first}-{second}")
    }
}

/// A server and a client that may use the grant there.
pub(crate) type Party = (AuthorizationServerId, ClientId);

impl IssuedCode {
    /// A new code for `party`, which none of the `parties` could be mistaken for; `None` if there are so many of them
    /// that none was found.
    pub(crate) fn issue(
        key: &SealingKey,
        entropy: &dyn Entropy,
        party: &Party,
        parties: &[Party],
        now: Timestamp,
    ) -> Option<Self> {
        let period = now.as_second().div_euclid(PERIOD);
        (0..TRIES).find_map(|_| {
            let code = code(key, &letters::<DRAWN>(u64::from_be_bytes(draw(entropy))), party, period);
            Self::recognise(key, &code, parties, now).filter(|found| found.is_of(party))
        })
    }

    /// The living code of one of the `parties` that `code` is.
    pub(crate) fn recognise(
        key: &SealingKey,
        typed: &UserCode,
        parties: &[Party],
        now: Timestamp,
    ) -> Option<Self> {
        let present = now.as_second().div_euclid(PERIOD);
        let periods = (present - PERIODS + 1)..=present;
        let mut found = parties.iter().flat_map(|party| {
            let fits = move |period: &i64| code(key, typed.drawn(), party, *period) == *typed;
            periods.clone().filter(fits).map(move |period| Self {
                code: typed.clone(),
                server: party.0.clone(),
                client: party.1.clone(),
                period,
            })
        });
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The moment from which it is worth nothing.
    pub(crate) fn ends(&self) -> Timestamp {
        let seconds = self.period.saturating_add(PERIODS).saturating_mul(PERIOD);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    }

    /// Under what the decision about it is stored.
    pub(crate) fn hash(&self, key: &SealingKey) -> TokenHash {
        let bound = format!("{}\0{}\0{}\0{}", self.server, self.client, self.period, self.code.0);
        TokenHash::of(&key.authenticate("device decision", bound.as_bytes()))
    }

    fn is_of(&self, party: &Party) -> bool {
        self.server == party.0 && self.client == party.1
    }
}

/// The code that begins with `drawn`.
fn code(key: &SealingKey, drawn: &str, (server, client): &Party, period: i64) -> UserCode {
    let bound = format!("{server}\0{client}\0{period}\0{drawn}");
    let authenticated = key.authenticate("user code", bound.as_bytes());
    let number = authenticated.first_chunk().copied().map_or(0, u64::from_be_bytes);
    let computed = letters::<COMPUTED>(number);
    UserCode(format!("{drawn}{computed}"))
}

/// `N` letters, each as likely as the others: 2⁶⁴ is very many times 20⁷.
fn letters<const N: usize>(mut number: u64) -> String {
    let letter = |_| {
        let index = usize::try_from(number % 20).unwrap_or_default();
        number /= 20;
        LETTERS.get(index).copied().map_or('B', char::from)
    };
    (0..N).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;
    use proptest::prelude::*;

    use super::*;

    fn party(name: &str) -> Party {
        ("k8s-auth".parse().unwrap(), name.parse().unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key() -> SealingKey {
        SealingKey::generate(&SeededEntropy::new(1))
    }

    fn issued(seed: u64, second: i64) -> IssuedCode {
        let parties = [party("kubectl"), party("k9s")];
        IssuedCode::issue(&key(), &SeededEntropy::new(seed), &parties[0], &parties, at(second)).unwrap()
    }

    #[test]
    fn a_code_says_whose_it_is_until_its_end_and_not_at_it() {
        let parties = [party("k9s"), party("kubectl")];
        for (issued_at, ends) in [(0, 900), (299, 900), (300, 1200)] {
            let code = issued(1, issued_at);
            assert_eq!(code.ends(), at(ends));
            let recognise = |second| IssuedCode::recognise(&key(), &code.code, &parties, at(second));
            assert_eq!(recognise(ends - 1), Some(code.clone()));
            assert_eq!(recognise(ends), None);
        }
    }

    #[test]
    fn a_code_is_nothing_to_another_key_and_once_its_client_may_not_use_it() {
        let code = issued(1, 0);
        let other = SealingKey::generate(&SeededEntropy::new(2));
        let recognise = |key: &SealingKey, parties: &[Party]| {
            IssuedCode::recognise(key, &code.code, parties, at(0)).is_some()
        };
        assert!(recognise(&key(), &[party("kubectl")]));
        assert!(!recognise(&other, &[party("kubectl")]));
        assert!(!recognise(&key(), &[party("k9s")]));
        assert!(!recognise(&key(), &[]));
    }

    #[test]
    fn of_a_thousand_wrong_codes_hardly_one_is_taken() {
        let parties = [party("kubectl")];
        let entropy = SeededEntropy::new(7);
        let taken = (0..1000).filter(|_| {
            let code = UserCode(letters::<10>(u64::from_be_bytes(draw(&entropy))));
            IssuedCode::recognise(&key(), &code, &parties, at(0)).is_some()
        });
        assert!(taken.count() <= 5, "3 : 8000 is expected");
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for typed in ["", "BCDFG", "BCDFG-HJKLMN", "ACDFG-HJKLM", "BCDFG-HJKL1", "BCDFG_HJKLM", "ＢCDFGHJKLM"]
        {
            assert_eq!(UserCode::parse(typed), None, "{typed}");
        }
        assert_eq!(UserCode::parse(&"B-".repeat(1_000_000)), None);
    }

    proptest! {
        #[test]
        fn a_code_is_read_however_it_is_typed(
            seed: u64,
            lower in proptest::collection::vec(any::<bool>(), 10),
            gaps in proptest::collection::vec("[-– ]{0,3}", 11),
        ) {
            let code = issued(seed, 0).code;
            let mut typed = gaps[0].clone();
            for ((letter, lower), gap) in code.0.chars().zip(lower).zip(&gaps[1..]) {
                typed.push(if lower { letter.to_ascii_lowercase() } else { letter });
                typed.push_str(gap);
            }
            prop_assert_eq!(UserCode::parse(&typed), Some(code.clone()));
            prop_assert_eq!(UserCode::parse(&code.to_string()), Some(code));
        }

        #[test]
        fn whatever_is_typed_is_a_code_of_ten_letters_or_none(typed: String) {
            if let Some(code) = UserCode::parse(&typed) {
                prop_assert!(code.0.len() == 10 && code.0.bytes().all(|byte| LETTERS.contains(&byte)));
            }
        }

        #[test]
        fn issued_codes_differ_from_draw_to_draw(one: u64, other: u64) {
            prop_assume!(one != other);
            prop_assert_ne!(issued(one, 0).code, issued(other, 0).code);
        }
    }
}
