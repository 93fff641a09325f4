//! What may be used once.

use super::{BEGINNING, Outcome, Replicas, together};
use crate::single_use::SingleUse;
use crate::store::Purged;
use jiff::SignedDuration;

fn proof(jti: &str, seconds: i64) -> SingleUse {
    SingleUse::of_dpop_proof("key", jti, BEGINNING + SignedDuration::from_secs(seconds))
}

/// Twenty at once over two replicas: one is the first, and asking is no use.
pub async fn of_many_that_use_something_once_one_wins(replicas: &Replicas) -> Outcome {
    let what = proof("a", 60);
    assert!(!replicas.one.was_used(&what, BEGINNING).await?);
    let users = (0..20).map(|number| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        store.use_once(&what, BEGINNING)
    });
    let results = together(users.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(results.iter().filter(|first| **first).count(), 1, "{results:?}");
    for store in [&replicas.one, &replicas.other] {
        assert!(store.was_used(&what, BEGINNING).await?);
    }
    assert!(replicas.other.use_once(&proof("b", 60), BEGINNING).await?, "another one");
    Ok(())
}

/// From its end on it is refused by its age: the same id may be another thing, and its row goes.
pub async fn what_was_used_is_forgotten_at_its_end(replicas: &Replicas) -> Outcome {
    let (store, after) = (&replicas.one, |seconds| BEGINNING + SignedDuration::from_secs(seconds));
    assert!(store.use_once(&proof("a", 60), BEGINNING).await?);
    assert!(!store.use_once(&proof("a", 300), after(59)).await?, "whatever end it says this time");
    assert!(store.was_used(&proof("a", 60), after(59)).await?);
    assert!(!store.was_used(&proof("a", 60), after(60)).await?);
    assert!(store.use_once(&proof("a", 120), after(60)).await?);
    assert!(store.use_once(&proof("b", 60), BEGINNING).await?);
    assert_eq!(store.purge(after(119)).await?, Purged { single_uses: 1, ..Purged::default() });
    assert_eq!(store.purge(after(120)).await?, Purged { single_uses: 1, ..Purged::default() });
    assert_eq!(store.purge(after(120)).await?, Purged::default());
    Ok(())
}
