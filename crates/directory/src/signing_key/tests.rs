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
    let steps = SCHEDULE.due(keys, now);
    for step in &steps {
        match step {
            KeyStep::MakeSigning => {
                *made += 1;
                keys.push(key(*made, KeyState::Signing { since: now }, now));
            }
            KeyStep::PublishNext => {
                *made += 1;
                keys.push(key(*made, KeyState::Published { since: now }, now));
            }
            KeyStep::Exchange { signs } => {
                let change = |record: SigningKeyRecord| match record.state {
                    _ if record.kid == *signs => record.promoted(now),
                    KeyState::Signing { .. } => record.retired(now, SCHEDULE.longest_token),
                    _ => record,
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
      0 MakeSigning
     90 PublishNext
    100 Exchange { signs: k2 }
    124 Remove(k1)
    190 PublishNext
    200 Exchange { signs: k3 }
    224 Remove(k2)
    "#);
}

#[test]
fn a_provider_that_was_off_for_a_year_publishes_ahead_all_the_same() {
    let mut keys = vec![key(1, KeyState::Signing { since: at(0) }, at(0))];
    let mut made = 1;
    assert_eq!(carry_out(&mut keys, &mut made, at(9000)), [KeyStep::PublishNext]);
    assert_eq!(carry_out(&mut keys, &mut made, at(9009)), []);
    assert_eq!(carry_out(&mut keys, &mut made, at(9010)).len(), 1);
}

#[test]
fn a_published_key_signs_at_once_where_none_signs() {
    let keys = [key(1, KeyState::Published { since: at(0) }, at(0))];
    assert_eq!(SCHEDULE.due(&keys, at(0)), [KeyStep::Exchange { signs: keys[0].kid.clone() }]);
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
                keys.iter().filter(|key| matches!(key.state, KeyState::Signing { .. })).collect();
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
