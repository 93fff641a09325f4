use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3600).unwrap()
}

fn key(number: usize, state: KeyState, created: Timestamp) -> SigningKeyRecord {
    SigningKeyRecord {
        kid: Kid::parse(&format!("k{number}")).unwrap(),
        server: AuthorizationServerId::parse("aus1").unwrap(),
        algorithm: "RS256".to_owned(),
        public_jwk: Value::Null,
        sealed_pkcs8: Sealed::from_bytes([]),
        state,
        created,
    }
}

const SCHEDULE: RotationSchedule = RotationSchedule {
    signs_for: SignedDuration::from_hours(100),
    published_ahead: SignedDuration::from_hours(10),
    longest_token: SignedDuration::from_hours(24),
};

/// Does what is due, as the provider would.
fn carry_out(keys: &mut Vec<SigningKeyRecord>, made: &mut usize, now: Timestamp) -> Vec<KeyStep> {
    carry_out_for(&RS256, keys, made, now)
}

const RS256: WantedAlgorithms<'_> = WantedAlgorithms { own: "RS256", others: BTreeSet::new() };

fn carry_out_for(
    wanted: &WantedAlgorithms<'_>,
    keys: &mut Vec<SigningKeyRecord>,
    made: &mut usize,
    now: Timestamp,
) -> Vec<KeyStep> {
    let steps = SCHEDULE.due(keys, wanted, now);
    for step in &steps {
        match step {
            KeyStep::MakeActive { algorithm } => {
                *made += 1;
                let algorithm = algorithm.clone();
                keys.push(SigningKeyRecord { algorithm, ..key(*made, KeyState::Active { since: now }, now) });
            }
            KeyStep::PublishNext { algorithm } => {
                *made += 1;
                let algorithm = algorithm.clone();
                keys.push(SigningKeyRecord {
                    algorithm,
                    ..key(*made, KeyState::Pending { since: now }, now)
                });
            }
            KeyStep::Exchange { signs } => {
                let next = keys.iter().find(|record| record.kid == *signs).unwrap().algorithm.clone();
                let change = |record: SigningKeyRecord| match record.state {
                    _ if record.kid == *signs => record.promoted(now),
                    KeyState::Active { .. } if record.algorithm == next => {
                        record.retired(now, SCHEDULE.longest_token)
                    }
                    _ => record,
                };
                *keys = std::mem::take(keys).into_iter().map(change).collect();
            }
            KeyStep::Retire(kid) => {
                let change = |record: SigningKeyRecord| {
                    if record.kid == *kid { record.retired(now, SCHEDULE.longest_token) } else { record }
                };
                *keys = std::mem::take(keys).into_iter().map(change).collect();
            }
            KeyStep::Remove(kid) => keys.retain(|record| record.kid != *kid),
        }
    }
    steps
}

#[test]
fn a_key_is_published_ahead_then_signs_then_stays_until_its_last_token_has_ended() {
    let (mut keys, mut made) = (Vec::new(), 0);
    let mut diary = Vec::new();
    for hour in 0..=240 {
        for step in carry_out(&mut keys, &mut made, at(hour)) {
            diary.push(format!("{hour:3} {step:?}"));
        }
    }
    insta::assert_snapshot!(diary.join("\n"), @r#"
      0 MakeActive { algorithm: "RS256" }
     90 PublishNext { algorithm: "RS256" }
    100 Exchange { signs: k2 }
    124 Remove(k1)
    190 PublishNext { algorithm: "RS256" }
    200 Exchange { signs: k3 }
    224 Remove(k2)
    "#);
}

#[test]
fn a_provider_that_was_off_for_a_year_publishes_ahead_all_the_same() {
    let mut keys = vec![key(1, KeyState::Active { since: at(0) }, at(0))];
    let mut made = 1;
    assert_eq!(
        carry_out(&mut keys, &mut made, at(9000)),
        [KeyStep::PublishNext { algorithm: "RS256".to_owned() }]
    );
    assert_eq!(carry_out(&mut keys, &mut made, at(9009)), []);
    assert_eq!(carry_out(&mut keys, &mut made, at(9010)).len(), 1);
}

#[test]
fn a_published_key_signs_at_once_where_none_signs() {
    let keys = [key(1, KeyState::Pending { since: at(0) }, at(0))];
    assert_eq!(SCHEDULE.due(&keys, &RS256, at(0)), [KeyStep::Exchange { signs: keys[0].kid.clone() }]);
}

#[test]
fn another_algorithm_is_published_beside_and_signs_after_the_waiting_time() {
    let mut keys = vec![key(1, KeyState::Active { since: at(0) }, at(0))];
    let mut made = 1;
    let es256 = WantedAlgorithms { own: "ES256", others: BTreeSet::new() };
    let mut diary = Vec::new();
    for hour in [20, 25, 29, 30, 53, 54] {
        for step in carry_out_for(&es256, &mut keys, &mut made, at(hour)) {
            diary.push(format!("{hour:3} {step:?}"));
        }
    }
    insta::assert_snapshot!(diary.join("\n"), @r#"
     20 PublishNext { algorithm: "ES256" }
     30 Exchange { signs: k2 }
     30 Retire(k1)
     54 Remove(k1)
    "#);
    // Until it signs the old one does, also where the provider's mind is changed.
    let mut keys = vec![key(1, KeyState::Active { since: at(0) }, at(0))];
    carry_out_for(&es256, &mut keys, &mut made, at(20));
    assert_eq!(carry_out(&mut keys, &mut made, at(29)), []);
    assert!(keys[0].is_active());
}

#[test]
fn what_an_application_asks_for_signs_at_once_and_beside() {
    let mut keys = vec![key(1, KeyState::Active { since: at(0) }, at(0))];
    let mut made = 1;
    let both = WantedAlgorithms { own: "RS256", others: BTreeSet::from(["ES256"]) };
    let made_now = carry_out_for(&both, &mut keys, &mut made, at(1));
    assert_eq!(made_now, [KeyStep::MakeActive { algorithm: "ES256".to_owned() }]);
    assert_eq!(carry_out_for(&both, &mut keys, &mut made, at(1)), []);
    assert!(keys.iter().all(SigningKeyRecord::is_active));
    // Nobody asks any more.
    assert_eq!(carry_out(&mut keys, &mut made, at(2)), [KeyStep::Retire(keys[1].kid.clone())]);
}

#[test]
fn a_revoked_key_is_gone_for_good_and_so_is_its_private_half() {
    let entropy = kubesso_ambient::SeededEntropy::new(1);
    let sealing_key = SealingKey::generate(&entropy);
    let mut key = key(1, KeyState::Active { since: at(0) }, at(0));
    let purpose = SigningKeyRecord::purpose(&key.server, &key.kid);
    key.sealed_pkcs8 = sealing_key.seal(&purpose, b"private", &entropy);
    let revoked = key.revoked(at(1), &sealing_key, &entropy);
    assert_eq!(**sealing_key.open(&purpose, &revoked.sealed_pkcs8).unwrap(), *b"");
    let again = revoked.clone().promoted(at(2)).retired(at(2), SCHEDULE.longest_token);
    assert_eq!(again.revoked(at(3), &sealing_key, &entropy), revoked);
    let steps = SCHEDULE.due(&[revoked], &RS256, at(9));
    assert_eq!(
        steps,
        [KeyStep::MakeActive { algorithm: "RS256".to_owned() }],
        "it is kept, and does not count"
    );
}

proptest! {
    /// Whenever the provider is awake: exactly one key signs, no key that signed too little ago is gone, and
    /// asking again at the same moment finds nothing to do.
    #[test]
    fn one_key_signs_and_whoever_holds_a_token_can_verify_it(naps in prop::collection::vec(1_i64..60, 1..60)) {
        let (mut keys, mut made, mut hour) = (Vec::new(), 0, 0);
        let mut signed: Vec<(Kid, Timestamp)> = Vec::new();
        for nap in naps {
            hour += nap;
            carry_out(&mut keys, &mut made, at(hour));
            prop_assert_eq!(carry_out(&mut keys, &mut made, at(hour)), vec![]);
            let signing: Vec<_> =
                keys.iter().filter(|key| key.is_active()).collect();
            prop_assert_eq!(signing.len(), 1);
            signed.push((signing[0].kid.clone(), at(hour)));
            for (kid, when) in &signed {
                if at(hour).duration_since(*when) < SCHEDULE.longest_token {
                    prop_assert!(keys.iter().any(|key| key.kid == *kid), "{} signed {} ago", kid, hour);
                }
            }
        }
    }
}
