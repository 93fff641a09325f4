use kubesso_ambient::SeededEntropy;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::code::AuthorizationCode;
use crate::secret::CodeValue;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn begin(lifetimes: &Lifetimes, seed: u64) -> (RefreshFamily, RefreshToken) {
    let entropy = SeededEntropy::new(seed);
    let code = AuthorizationCode {
        hash: CodeValue::generate(&entropy).hash(),
        grant: GrantId::parse("oar1").unwrap(),
        server: AuthorizationServerId::parse("aus1").unwrap(),
        client: ClientId::parse("kubectl").unwrap(),
        user: UserId::parse("00u1").unwrap(),
        session: SessionId::parse("idx1").unwrap(),
        redirect_uri: "http://localhost:8000".to_owned(),
        scopes: Vec::new(),
        nonce: None,
        code_challenge: None,
        auth_time: at(0),
        amr: vec!["pwd".to_owned()],
        other: Value::Null,
        issued: at(0),
    };
    RefreshFamily::begin(&code.authorization(), lifetimes, &entropy, at(0))
}

const LEEWAY: i64 = 30;

fn terms(window: i64) -> RefreshTerms {
    RefreshTerms {
        rotation: RefreshRotation::Rotate { leeway: SignedDuration::from_secs(LEEWAY) },
        window: SignedDuration::from_secs(window),
    }
}

/// What somebody does with the tokens of one family.
#[derive(Clone, Debug)]
enum Act {
    /// Waits so many seconds.
    Wait(i64),
    /// Waits until a second before, at or after the end of the grace, the window or the lifetime, if that is
    /// to come.
    WaitFor(Edge, i64),
    /// Presents one of the tokens that were ever given, counted from the latest.
    Present(usize),
    /// Presents a token that was never given.
    Invent,
    /// Revokes the family.
    Revoke,
}

#[derive(Clone, Copy, Debug)]
enum Edge {
    Grace,
    Window,
    Lifetime,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0_i64..400).prop_map(Act::Wait),
        4 => (prop_oneof![4 => Just(Edge::Grace), 1 => Just(Edge::Window), 1 => Just(Edge::Lifetime)], -1_i64..=1)
            .prop_map(|(edge, offset)| Act::WaitFor(edge, offset)),
        6 => Just(Act::Present(0)),
        3 => Just(Act::Present(1)),
        1 => (0_usize..6).prop_map(Act::Present),
        1 => Just(Act::Invent),
        1 => Just(Act::Revoke),
    ];
    prop::collection::vec(act, 0..40)
}

/// The rules in their plainest form: all tokens are remembered, nothing is computed.
struct Model {
    given: Vec<RefreshToken>,
    rotated: i64,
    absolute_end: Option<i64>,
    idle_end: i64,
    ended: Option<EndReason>,
}

impl Model {
    /// Presents the token at `index` in the order of giving: whether a successor comes, which must be new or
    /// must be the one that was given before.
    fn present(&mut self, index: usize, window: i64, now: i64) -> Result<Successor, RefreshRefusal> {
        if let Some(reason) = self.ended {
            return Err(RefreshRefusal::Ended(reason));
        }
        if self.absolute_end.is_some_and(|end| now >= end) {
            return Err(RefreshRefusal::Expired);
        }
        if now >= self.idle_end {
            return Err(RefreshRefusal::Idle);
        }
        let latest = self.given.len() - 1;
        if index == latest {
            self.rotated = now;
            self.idle_end = now + window;
            return Ok(Successor::New);
        }
        if index + 1 == latest && now - self.rotated <= LEEWAY {
            return Ok(Successor::GivenBefore);
        }
        self.ended = Some(EndReason::Reused);
        Err(RefreshRefusal::Reused)
    }
}

#[derive(Debug, PartialEq)]
enum Successor {
    New,
    GivenBefore,
}

proptest! {
    #[test]
    fn a_family_behaves_like_one_that_remembers_every_token(
        acts in acts(), refresh_minutes in prop_oneof![Just(0_u32), 5_u32..40], window_minutes in 5_u32..10
    ) {
        let window_minutes = if refresh_minutes == 0 { window_minutes } else { window_minutes.min(refresh_minutes) };
        let lifetimes = Lifetimes::new(5, refresh_minutes, window_minutes, None).unwrap();
        let window = i64::from(window_minutes) * 60;
        let (mut family, token) = begin(&lifetimes, 1);
        let mut model = Model {
            given: vec![token],
            rotated: 0,
            absolute_end: (refresh_minutes > 0).then(|| i64::from(refresh_minutes) * 60),
            idle_end: window,
            ended: None,
        };
        let mut now = 0;
        for act in acts {
            match act {
                Act::Wait(seconds) => now += seconds,
                Act::WaitFor(edge, offset) => {
                    let edge = match edge {
                        Edge::Grace => model.rotated + LEEWAY,
                        Edge::Window => model.idle_end,
                        Edge::Lifetime => model.absolute_end.unwrap_or(now),
                    };
                    now = now.max(edge + offset);
                }
                Act::Revoke => {
                    family = family.ended(EndReason::Revoked, at(now));
                    model.ended.get_or_insert(EndReason::Revoked);
                }
                Act::Invent => {
                    let (_, mut invented) = begin(&lifetimes, 2);
                    invented.generation = family.generation;
                    prop_assert!(!family.recognises(&invented));
                    let presented = family.clone().present(&invented, &terms(window), at(now));
                    prop_assert_eq!(presented, Presented::Refused(RefreshRefusal::Unknown));
                }
                Act::Present(back) => {
                    let index = (model.given.len() - 1).saturating_sub(back);
                    let token = model.given[index].clone();
                    prop_assert!(family.recognises(&token));
                    let end = family.end();
                    let expected = model.present(index, window, now);
                    match family.clone().present(&token, &terms(window), at(now)) {
                        Presented::Rotated { token, family: after } => {
                            prop_assert_eq!(expected, Ok(Successor::New));
                            prop_assert!(at(now) < end);
                            prop_assert!(!model.given.contains(&token));
                            model.given.push(token);
                            family = *after;
                        }
                        Presented::Repeated { token } => {
                            prop_assert_eq!(expected, Ok(Successor::GivenBefore));
                            prop_assert_eq!(Some(&token), model.given.last());
                        }
                        Presented::Ended { family: after } => {
                            prop_assert_eq!(expected, Err(RefreshRefusal::Reused));
                            family = *after;
                        }
                        Presented::Refused(refusal) => prop_assert_eq!(expected, Err(refusal)),
                    }
                }
            }
        }
    }

    #[test]
    fn a_token_reads_as_it_was_written(seed in any::<u64>(), rotations in 0_usize..5) {
        let (mut family, mut token) = begin(&Lifetimes::default(), seed);
        for _ in 0..rotations {
            let Presented::Rotated { token: next, family: after } = family.present(&token, &terms(600), at(0)) else {
                return Err(TestCaseError::fail("refused"));
            };
            (family, token) = (*after, next);
        }
        let written = token.expose();
        prop_assert_eq!(RefreshToken::parse(written.expose()), Some(token.clone()));
        prop_assert!(family.recognises(&RefreshToken::parse(written.expose()).unwrap()));
    }

    #[test]
    fn whatever_is_presented_is_read_or_refused(text in "\\PC*|oar1\\.[0-9]{0,12}\\.[A-Za-z0-9_-]{40,46}") {
        if let Some(token) = RefreshToken::parse(&text) {
            let (family, _) = begin(&Lifetimes::default(), 1);
            prop_assert!(!family.recognises(&token));
        }
    }
}

#[test]
fn a_token_does_not_print_and_names_nothing_but_its_family() {
    let (family, token) = begin(&Lifetimes::default(), 1);
    let printed = format!("{token:?} {family:?} {:?}", token.expose());
    let written = token.expose();
    let secret = written.expose().rsplit('.').next().unwrap();
    assert!(written.expose().starts_with("oar1.0.") && secret.len() == 43);
    assert!(!printed.contains(secret) && printed.contains("[redacted]"), "{printed}");
}

#[test]
fn a_stored_family_alone_gives_no_token() {
    let (family, token) = begin(&Lifetimes::default(), 1);
    // Everything that a reader of the store has: the key and the hash of the living secret.
    let key = RefreshToken { secret: family.key.0.clone(), ..token.clone() };
    let hash = ChainSecret(Zeroizing::new(*family.current.as_bytes()));
    for made in [key, RefreshToken { secret: hash, ..token }] {
        assert!(!family.recognises(&made));
    }
}

#[test]
fn a_token_of_thousands_of_generations_ago_still_proves_reuse() {
    let (mut family, first) = begin(&Lifetimes::default(), 1);
    let mut token = first.clone();
    for _ in 0..5_000 {
        let Presented::Rotated { token: next, family: after } = family.present(&token, &terms(600), at(0))
        else {
            panic!("refused");
        };
        (family, token) = (*after, next);
    }
    assert!(matches!(family.present(&first, &terms(600), at(1)), Presented::Ended { .. }));
}

#[test]
fn a_grace_of_nothing_means_that_a_token_is_spent_at_once() {
    let (family, first) = begin(&Lifetimes::default(), 1);
    let strict = RefreshTerms {
        rotation: RefreshRotation::Rotate { leeway: SignedDuration::ZERO },
        window: SignedDuration::from_mins(10),
    };
    let Presented::Rotated { family, .. } = family.present(&first, &strict, at(0)) else { panic!("refused") };
    assert!(matches!(family.present(&first, &strict, at(1)), Presented::Ended { .. }));
}

#[test]
fn a_clock_that_is_set_back_does_not_make_the_grace_longer() {
    for (back, granted) in [(LEEWAY, true), (LEEWAY + 1, false)] {
        let (family, first) = begin(&Lifetimes::default(), 1);
        let Presented::Rotated { family, .. } = family.present(&first, &terms(86_400), at(3_600)) else {
            panic!("refused")
        };
        let again = family.present(&first, &terms(86_400), at(3_600 - back));
        assert_eq!(matches!(again, Presented::Repeated { .. }), granted, "{back} s back");
    }
}
