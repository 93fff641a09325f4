//! Slowing down who guesses.

use jiff::SignedDuration;

use super::{BEGINNING, Outcome, Replicas, together};
use crate::StoreError;
use crate::throttle::{Attempt, MOST_THROTTLES, ThrottleKey, ThrottleRule};

/// Forty attempts at the same moment through two replicas: the free ones pass, one more, and no other.
pub async fn parallel_attempts_are_all_counted(replicas: &Replicas) -> Outcome {
    let key = ThrottleKey::login("admin@example.com");
    let attempts = (0..40).map(|number| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        Box::pin(store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING)) as _
    });
    let results = together(attempts.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let allowed = results.iter().filter_map(|attempt| match attempt {
        Attempt::Allowed { number } => Some(*number),
        Attempt::Wait { .. } => None,
    });
    let mut allowed: Vec<_> = allowed.collect();
    allowed.sort_unstable();
    assert_eq!(allowed, [1, 2, 3, 4, 5], "{results:?}");
    let until = BEGINNING + SignedDuration::from_secs(1);
    assert!(
        results
            .iter()
            .all(|attempt| matches!(*attempt, Attempt::Allowed { .. }) || *attempt == Attempt::Wait { until })
    );
    assert_eq!(
        replicas.other.attempt(&key, &ThrottleRule::LOGIN, until).await?,
        Attempt::Allowed { number: 6 }
    );
    Ok(())
}

/// After a success the next five are free again; other keys are not touched.
pub async fn signing_in_takes_the_count_away(replicas: &Replicas) -> Outcome {
    let store = &replicas.one;
    let (key, other) = (ThrottleKey::login("a"), ThrottleKey::login("b"));
    for _ in 0..6 {
        store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await?;
        store.attempt(&other, &ThrottleRule::LOGIN, BEGINNING).await?;
    }
    assert!(matches!(store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Wait { .. }));
    assert_eq!(store.forget_attempts(&key).await?, 5, "waiting was not counted");
    assert_eq!(store.forget_attempts(&key).await?, 0);
    assert_eq!(store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Allowed { number: 1 });
    assert!(matches!(store.attempt(&other, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Wait { .. }));
    Ok(())
}

/// What is taken back is free again, and not more than was there.
pub async fn attempts_can_be_taken_back_one_by_one(replicas: &Replicas) -> Outcome {
    let store = &replicas.one;
    let key = ThrottleKey::login("a");
    let free = async || -> Result<u32, StoreError> {
        let mut allowed = 0;
        while let Attempt::Allowed { .. } = store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await? {
            allowed += 1;
        }
        Ok(allowed)
    };
    assert_eq!(free().await?, 5);
    for (number, freed) in [(0, 0), (2, 2), (100, 5)] {
        replicas.other.take_back_attempts(&key, number).await?;
        assert_eq!(free().await?, freed, "{number} taken back");
    }
    store.take_back_attempts(&ThrottleKey::login("nobody"), 1).await?;
    Ok(())
}

/// A flood of invented logins pushes out its own kind, and never the counter of a login that is being
/// guessed.
pub async fn counters_are_bounded_and_the_lightest_goes_first(replicas: &Replicas) -> Outcome {
    let store = &replicas.one;
    let guessed = ThrottleKey::login("admin@example.com");
    for _ in 0..6 {
        store.attempt(&guessed, &ThrottleRule::LOGIN, BEGINNING).await?;
    }
    let flood = MOST_THROTTLES + 50;
    for number in 0..flood {
        let key = ThrottleKey::login(&format!("invented-{number}"));
        assert_eq!(
            store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await?,
            Attempt::Allowed { number: 1 }
        );
    }
    assert!(matches!(store.attempt(&guessed, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Wait { .. }));
    let purged = store.purge(BEGINNING + SignedDuration::from_hours(24)).await?;
    assert_eq!(purged.throttles, u64::from(MOST_THROTTLES));
    Ok(())
}
