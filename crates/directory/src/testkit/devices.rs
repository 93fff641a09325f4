//! Decisions about user codes: the first stands, and is redeemed once.

use super::{Outcome, Replicas, World, some, together};
use crate::device::{DeviceDecision, DeviceRefusal, DeviceState};
use crate::id::{GrantId, SessionId};
use crate::name::ScopeName;
use crate::policy::Lifetimes;
use crate::refresh::RefreshFamily;
use crate::secret::TokenHash;
use crate::store::{Batch, Change, Purged};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn decision(world: &World, state: DeviceState) -> DeviceDecision {
    DeviceDecision {
        user_code: TokenHash::of(b"BCDFG-HJKLM"),
        server: world.server.id.clone(),
        client: world.application.client_id.clone(),
        user: world.admin.id.clone(),
        session: SessionId::generate(&world.entropy),
        auth_time: world.now,
        amr: vec!["pwd".to_owned()],
        ends: world.after(600),
        state,
    }
}

fn family(world: &World, decision: &DeviceDecision) -> Result<RefreshFamily, Failure> {
    let scopes = vec![ScopeName::parse("openid")?, ScopeName::parse("offline_access")?];
    let authorization = decision.authorization(GrantId::generate(&world.entropy), scopes);
    Ok(RefreshFamily::begin(&authorization, &Lifetimes::default(), &world.entropy, world.now).0)
}

/// Whoever comes second, on whichever replica, changes nothing.
pub async fn the_first_decision_about_a_user_code_stands(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let denied =
        decision(&world, DeviceState::Denied { at: world.now, reason: "The person said no.".to_owned() });
    let allowed = decision(&world, DeviceState::Allowed { at: world.after(1) });
    assert_eq!(replicas.one.device_decision(&denied.user_code).await?, None);
    assert!(replicas.one.add_device_decision(&denied).await?);
    assert!(!replicas.other.add_device_decision(&allowed).await?);
    assert_eq!(replicas.other.device_decision(&denied.user_code).await?, Some(denied));
    Ok(())
}

/// Twenty at once over two replicas: one gets its family stored, and the others are told who was first.
pub async fn of_many_that_redeem_a_user_code_one_wins(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let allowed = decision(&world, DeviceState::Allowed { at: world.now });
    replicas.one.add_device_decision(&allowed).await?;
    let families =
        (0..20).map(|_| family(&world, &allowed)).collect::<Result<Vec<RefreshFamily>, Failure>>()?;
    let redeemers = families.iter().enumerate().map(|(number, family)| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        store.redeem_device_code(&allowed.user_code, family, world.after(5))
    });
    let results = together(redeemers.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let won: Vec<_> = (0..20).filter(|number| results[*number].is_ok()).collect();
    assert_eq!(won.len(), 1, "{results:?}");
    let winner = &families[won[0]].grant;
    let told = results.iter().filter(|result| **result == Err(DeviceRefusal::Redeemed(winner.clone())));
    assert_eq!(told.count(), 19);

    let stored = some(replicas.other.device_decision(&allowed.user_code).await?)?;
    assert_eq!(stored.state, DeviceState::Redeemed { at: world.after(5), grant: winner.clone() });
    for family in &families {
        let lives = replicas.one.end_family(&family.grant, world.after(6)).await?;
        assert_eq!(lives, family.grant == *winner);
    }
    Ok(())
}

/// A refusal leaves no family behind.
pub async fn what_was_denied_or_has_ended_is_not_redeemed(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let reason = "The person said no.".to_owned();
    let denied = decision(&world, DeviceState::Denied { at: world.now, reason: reason.clone() });
    let family = family(&world, &denied)?;
    let undecided = store.redeem_device_code(&denied.user_code, &family, world.now).await?;
    assert_eq!(undecided, Err(DeviceRefusal::Undecided));
    store.add_device_decision(&denied).await?;
    let refused = store.redeem_device_code(&denied.user_code, &family, world.now).await?;
    assert_eq!(refused, Err(DeviceRefusal::Denied(reason)));
    let mut late = decision(&world, DeviceState::Allowed { at: world.now });
    late.user_code = TokenHash::of(b"another");
    store.add_device_decision(&late).await?;
    let refused = store.redeem_device_code(&late.user_code, &family, late.ends).await?;
    assert_eq!(refused, Err(DeviceRefusal::Ended));
    assert!(!store.end_family(&family.grant, world.now).await?, "there is none");
    Ok(())
}

/// A new password takes back what was allowed and not redeemed; an hour after its end a decision is forgotten.
pub async fn decisions_end_with_their_person_and_their_time(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let allowed = decision(&world, DeviceState::Allowed { at: world.now });
    store.add_device_decision(&allowed).await?;
    store.commit(Batch::new(world.now, vec![Change::EndGrants(world.admin.id.clone())])).await?;
    assert_eq!(store.device_decision(&allowed.user_code).await?, None);
    store.add_device_decision(&allowed).await?;
    assert_eq!(store.purge(world.after(600 + 3599)).await?, Purged::default());
    let purged = store.purge(world.after(600 + 3600)).await?;
    assert_eq!(purged, Purged { device_decisions: 1, ..Purged::default() });
    store.add_device_decision(&allowed).await?;
    store.commit(Batch::new(world.now, vec![Change::RemoveUser(world.admin.id.clone())])).await?;
    assert_eq!(store.device_decision(&allowed.user_code).await?, None);
    Ok(())
}
