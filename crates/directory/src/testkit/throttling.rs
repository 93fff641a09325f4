//! Slowing down who guesses.

use jiff::SignedDuration;

use super::{BEGINNING, Outcome, Replicas, together};
use crate::throttle::{Attempt, MOST_THROTTLES, ThrottleKey, ThrottleRule};

/// Forty attempts at the same moment through two replicas: the free ones pass, one more, and no other.
pub async fn parallel_attempts_are_all_counted(replicas: &Replicas) -> Outcome {
    let key = ThrottleKey::login("admin@example.com");
    let attempts = (0..40).map(|number| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        Box::pin(store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING)) as _
    });
    let results = together(attempts.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let allowed = results.iter().filter(|attempt| **attempt == Attempt::Allowed).count();
    assert_eq!(allowed, 5, "{results:?}");
    let until = BEGINNING + SignedDuration::from_secs(1);
    assert!(
        results
            .iter()
            .all(|attempt| matches!(*attempt, Attempt::Allowed) || *attempt == Attempt::Wait { until })
    );
    assert_eq!(replicas.other.attempt(&key, &ThrottleRule::LOGIN, until).await?, Attempt::Allowed);
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
    store.forget_attempts(&key).await?;
    assert_eq!(store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Allowed);
    assert!(matches!(store.attempt(&other, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Wait { .. }));
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
        assert_eq!(store.attempt(&key, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Allowed);
    }
    assert!(matches!(store.attempt(&guessed, &ThrottleRule::LOGIN, BEGINNING).await?, Attempt::Wait { .. }));
    let purged = store.purge(BEGINNING + SignedDuration::from_hours(24)).await?;
    assert_eq!(purged.throttles, u64::from(MOST_THROTTLES));
    Ok(())
}
