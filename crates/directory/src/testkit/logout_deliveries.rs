//! Who is to be told of the end of a session: noted with it, delivered by one replica or another.

use serde_json::json;

use super::{Outcome, Replicas, World, together};
use crate::audit::{self, AuditEvent};
use crate::id::{AuditEventId, SessionId, UserId};
use crate::logout_delivery::{DeliveryOutcome, LogoutDelivery};
use crate::policy::Lifetimes;
use crate::refresh::RefreshFamily;
use crate::store::{Batch, Change, Purged, Store};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A world whose application has an address to be told at, or none, and three sessions in which it got tokens.
async fn signed_in(store: &dyn Store, with_address: bool) -> Result<(World, Vec<RefreshFamily>), Failure> {
    let world = World::seeded(store).await?;
    let mut application = world.application.clone();
    if with_address {
        let settings = json!({ "backchannel_logout_uri": "https://app.example/logout" });
        application.other.insert("oauthClient".to_owned(), settings);
    }
    store.commit(Batch::new(world.now, vec![Change::PutApplication(application)])).await?;
    let mut families = Vec::new();
    for _ in 0..3 {
        families.push(world.family(store, &Lifetimes::default()).await?.0);
    }
    Ok((world, families))
}

async fn end(store: &dyn Store, world: &World, change: Change) -> Result<(), Failure> {
    store.commit(Batch::new(world.now, vec![change])).await?;
    Ok(())
}

async fn taken(store: &dyn Store, world: &World, seconds: i64) -> Result<Vec<LogoutDelivery>, Failure> {
    let mut taken =
        store.take_logout_deliveries(100, world.after(seconds), world.after(seconds + 60)).await?;
    taken.sort();
    Ok(taken)
}

fn sessions(deliveries: &[LogoutDelivery]) -> Vec<SessionId> {
    deliveries.iter().map(|delivery| delivery.session.clone()).collect()
}

fn sorted<'a>(families: impl IntoIterator<Item = &'a RefreshFamily>) -> Vec<SessionId> {
    let mut sessions: Vec<_> = families.into_iter().map(|family| family.session.clone()).collect();
    sessions.sort();
    sessions
}

/// One session, all of a person, all but one; whether the families live or not; once however often it is ended.
pub async fn the_end_of_a_session_notes_who_is_to_be_told(replicas: &Replicas) -> Outcome {
    let (store, other) = (&*replicas.one, &*replicas.other);
    let (world, families) = signed_in(store, true).await?;
    let user = families[0].user.clone();
    assert_eq!(other.next_logout_delivery().await?, None);

    end(store, &world, Change::EndSession(families[0].session.clone())).await?;
    end(store, &world, Change::EndSession(families[0].session.clone())).await?;
    end(store, &world, Change::EndSession(SessionId::parse("nowhere")?)).await?;
    assert_eq!(other.next_logout_delivery().await?, Some(world.now));
    let deliveries = taken(other, &world, 0).await?;
    let expected = LogoutDelivery {
        session: families[0].session.clone(),
        client: families[0].client.clone(),
        server: families[0].server.clone(),
        user: user.clone(),
        created: world.now,
        attempts: 1,
    };
    assert_eq!(deliveries, [expected]);
    assert!(other.finish_logout_delivery(&deliveries[0], &DeliveryOutcome::Done).await?);

    store.end_family(&families[1].grant, world.now).await?;
    end(store, &world, Change::EndOtherSessions(user.clone(), families[0].session.clone())).await?;
    let deliveries = taken(other, &world, 0).await?;
    assert_eq!(sessions(&deliveries), sorted(&families[1..]));
    for delivery in &deliveries {
        assert!(store.finish_logout_delivery(delivery, &DeliveryOutcome::Done).await?);
    }

    end(store, &world, Change::EndSessions(user.clone())).await?;
    end(store, &world, Change::EndSessions(UserId::parse("nobody")?)).await?;
    end(store, &world, Change::RemoveUser(user)).await?;
    assert_eq!(sessions(&taken(other, &world, 0).await?), sorted(&families), "also when the person is gone");
    Ok(())
}

/// A client without an address has nothing to be told; with a client go its deliveries.
pub async fn only_clients_with_an_address_are_to_be_told(replicas: &Replicas) -> Outcome {
    let store = &*replicas.one;
    let (world, families) = signed_in(store, false).await?;
    end(store, &world, Change::EndSessions(families[0].user.clone())).await?;
    assert_eq!(store.next_logout_delivery().await?, None);

    let mut application = world.application.clone();
    let settings = json!({ "backchannel_logout_uri": "https://app.example/logout" });
    application.other.insert("oauthClient".to_owned(), settings);
    end(store, &world, Change::PutApplication(application)).await?;
    end(store, &world, Change::EndSessions(families[0].user.clone())).await?;
    assert_eq!(store.next_logout_delivery().await?, Some(world.now));
    end(store, &world, Change::RemoveApplication(world.application.id.clone())).await?;
    assert_eq!(store.next_logout_delivery().await?, None);
    Ok(())
}

/// Each is taken by one of many that ask at once, and by another only when the time of the first is over; the first one
/// has nothing to say then.
pub async fn a_delivery_is_one_replicas_for_a_time(replicas: &Replicas) -> Outcome {
    let (world, families) = signed_in(&*replicas.one, true).await?;
    end(&*replicas.one, &world, Change::EndSessions(families[0].user.clone())).await?;
    let takers = (0..8).map(|number| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        store.take_logout_deliveries(2, world.now, world.after(60))
    });
    let taken_at_once = together(takers.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert!(taken_at_once.iter().all(|deliveries| deliveries.len() <= 2), "{taken_at_once:?}");
    let mut first = taken_at_once.concat();
    first.sort();
    assert_eq!(sessions(&first), sorted(&families));

    assert_eq!(replicas.other.next_logout_delivery().await?, Some(world.after(60)));
    assert_eq!(taken(&*replicas.other, &world, 59).await?, []);
    let second = taken(&*replicas.other, &world, 60).await?;
    assert!(second.iter().all(|delivery| delivery.attempts == 2), "{second:?}");
    assert_eq!(second[0].jti(), first[0].jti());
    assert!(!replicas.one.finish_logout_delivery(&first[0], &DeliveryOutcome::Done).await?, "too late");
    let postponed = DeliveryOutcome::Postponed(world.after(100));
    assert!(!replicas.one.finish_logout_delivery(&first[1], &postponed).await?);
    assert!(replicas.other.finish_logout_delivery(&second[0], &DeliveryOutcome::Done).await?);
    assert!(replicas.other.finish_logout_delivery(&second[1], &postponed).await?);
    assert_eq!(taken(&*replicas.one, &world, 99).await?, []);
    assert_eq!(
        taken(&*replicas.one, &world, 100).await?,
        [LogoutDelivery { attempts: 3, ..second[1].clone() }]
    );
    Ok(())
}

/// What is given up goes, with an entry in the audit trail by whoever had it; what nobody takes goes after a day.
pub async fn what_is_given_up_is_written_down(replicas: &Replicas) -> Outcome {
    let store = &*replicas.one;
    let (world, families) = signed_in(store, true).await?;
    end(store, &world, Change::EndSession(families[0].session.clone())).await?;
    end(store, &world, Change::EndSession(families[1].session.clone())).await?;
    let first = store.take_logout_deliveries(1, world.now, world.after(60)).await?.remove(0);
    let entry = AuditEvent {
        id: AuditEventId::generate(&world.entropy),
        published: world.after(5),
        event_type: "test".to_owned(),
        actor: "system".to_owned(),
        target: None,
        outcome: audit::Outcome::Failure,
        message: "given up".to_owned(),
        details: serde_json::Map::new(),
    };
    let given_up = DeliveryOutcome::GivenUp(Box::new(entry.clone()));
    assert!(store.finish_logout_delivery(&first, &given_up).await?);
    assert!(!store.finish_logout_delivery(&first, &given_up).await?, "once");
    let entries = store.audit_events(10).await?;
    assert_eq!(entries.iter().filter(|found| **found == entry).count(), 1);

    store.purge(world.after(24 * 3600 - 1)).await?;
    assert_eq!(store.next_logout_delivery().await?, Some(world.now));
    let purged = store.purge(world.after(24 * 3600)).await?;
    assert_eq!(purged, Purged { logout_deliveries: 1, ..purged });
    assert_eq!(store.next_logout_delivery().await?, None);
    Ok(())
}
