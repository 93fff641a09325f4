//! Sessions, authorization codes and refresh tokens: what must happen once.

use jiff::SignedDuration;
use kubesso_ambient::SeededEntropy;

use super::{Outcome, Replicas, TERMS, World, some, together};
use crate::application::{GrantType, RefreshRotation};
use crate::authorization::Authorization;
use crate::code::Redemption;
use crate::id::SessionId;
use crate::policy::Lifetimes;
use crate::query::FamilyQuery;
use crate::refresh::{
    EndReason, FamilyState, RefreshFamily, RefreshRefusal, RefreshTerms, RefreshToken, Rotation,
};
use crate::secret::{CodeValue, SessionToken, TokenHash};
use crate::store::{Batch, Change, Purged};
use crate::store_error::StoreError;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn granted(rotation: Rotation) -> Result<(RefreshToken, RefreshFamily), Failure> {
    match rotation {
        Rotation::Granted { token, family } => Ok((token, *family)),
        Rotation::Refused(refusal) => Err(refusal.into()),
    }
}

/// Use moves the idle end, on whichever replica; the cookie itself is not stored.
pub async fn a_session_lives_while_it_is_used(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let token = SessionToken::generate(&world.entropy);
    let session = world.session(&token);
    replicas.one.begin_session(&session).await?;
    let later = world.after(7_000);
    let used = some(replicas.other.use_session(&token.hash(), later).await?)?;
    assert_eq!(used, some(session.used(later))?);
    assert!(replicas.one.use_session(&token.hash(), world.after(14_000)).await?.is_some());
    assert_eq!(replicas.one.use_session(&token.hash(), world.after(14_000 + 7_200)).await?, None, "idle");
    assert_eq!(replicas.one.use_session(&TokenHash::of(b"invented"), world.now).await?, None);
    Ok(())
}

/// Signing out ends it everywhere, once.
pub async fn a_session_that_has_ended_is_gone(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let token = SessionToken::generate(&world.entropy);
    replicas.one.begin_session(&world.session(&token)).await?;
    assert!(replicas.one.end_session(&token.hash()).await?);
    assert!(!replicas.one.end_session(&token.hash()).await?);
    assert_eq!(replicas.other.use_session(&token.hash(), world.now).await?, None);
    Ok(())
}

/// The token endpoint looks first (client, PKCE, policy) and redeems when all is right.
pub async fn looking_at_a_code_does_not_redeem_it(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let value = CodeValue::generate(&world.entropy);
    let code = world.code(&value)?;
    replicas.one.add_code(&code).await?;
    for store in [&replicas.one, &replicas.other] {
        assert_eq!(store.code(&value.hash(), world.now).await?.as_ref(), Some(&code));
    }
    assert_eq!(replicas.other.redeem_code(&value.hash(), None, world.now).await?, Redemption::Redeemed);
    assert_eq!(replicas.one.code(&value.hash(), world.now).await?, None);
    Ok(())
}

/// At its sixtieth second it is worth nothing.
pub async fn a_code_is_good_for_a_minute(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let (late, timely) = (CodeValue::generate(&world.entropy), CodeValue::generate(&world.entropy));
    for value in [&late, &timely] {
        store.add_code(&world.code(value)?).await?;
    }
    assert!(store.code(&late.hash(), world.after(59)).await?.is_some());
    assert_eq!(store.redeem_code(&timely.hash(), None, world.after(59)).await?, Redemption::Redeemed);
    assert_eq!(store.code(&late.hash(), world.after(60)).await?, None);
    assert_eq!(store.redeem_code(&late.hash(), None, world.after(60)).await?, Redemption::Unknown);
    assert_eq!(store.redeem_code(&TokenHash::of(b"invented"), None, world.now).await?, Redemption::Unknown);
    Ok(())
}

/// Twenty at once over two replicas: one redeems, and what it got is ended by the others.
pub async fn of_two_that_redeem_a_code_one_wins(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let value = CodeValue::generate(&world.entropy);
    let code = world.code(&value)?;
    replicas.one.add_code(&code).await?;
    let families: Vec<_> = (0..20)
        .map(|_| {
            RefreshFamily::begin(&code.authorization(), &Lifetimes::default(), &world.entropy, world.now)
        })
        .collect();
    let hash = value.hash();
    let redeemers = families.iter().enumerate().map(|(number, (family, _))| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        store.redeem_code(&hash, Some(family), world.now)
    });
    let results = together(redeemers.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let won: Vec<_> = (0..20).filter(|number| results[*number] == Redemption::Redeemed).collect();
    assert_eq!(won.len(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|result| **result == Redemption::Replayed).count(), 19);

    let (_, token) = &families[won[0]];
    let family = some(replicas.one.refresh_family(token).await?)?;
    assert_eq!(family.state, FamilyState::Ended { at: world.now, reason: EndReason::CodeReplayed });
    Ok(())
}

/// RFC 6749 §4.1.2: a second redeeming revokes what the first one gave, even after the code's minute.
pub async fn a_code_redeemed_twice_ends_what_came_of_it(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let value = CodeValue::generate(&world.entropy);
    let code = world.code(&value)?;
    replicas.one.add_code(&code).await?;
    let (family, token) =
        RefreshFamily::begin(&code.authorization(), &Lifetimes::default(), &world.entropy, world.now);
    assert_eq!(replicas.one.redeem_code(&code.hash, Some(&family), world.now).await?, Redemption::Redeemed);
    let (token, _) = granted(replicas.one.rotate_refresh_token(&token, &TERMS, world.after(30)).await?)?;
    assert_eq!(replicas.other.redeem_code(&code.hash, None, world.after(90)).await?, Redemption::Replayed);
    assert_eq!(
        replicas.one.rotate_refresh_token(&token, &TERMS, world.after(91)).await?,
        Rotation::Refused(RefreshRefusal::Ended(EndReason::CodeReplayed))
    );
    Ok(())
}

/// A family that cannot be stored (here: its id is taken) leaves the code as it was.
pub async fn a_redeeming_that_fails_redeems_nothing(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (existing, _) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let value = CodeValue::generate(&world.entropy);
    let mut code = world.code(&value)?;
    code.grant = existing.grant;
    replicas.one.add_code(&code).await?;
    let (family, _) =
        RefreshFamily::begin(&code.authorization(), &Lifetimes::default(), &world.entropy, world.now);
    let refused = replicas.one.redeem_code(&code.hash, Some(&family), world.now).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(replicas.one.code(&code.hash, world.now).await?, Some(code));
    Ok(())
}

/// The password grant has no code; refreshing is judged by the grant that began the family, and by the key that the
/// family is bound to.
pub async fn a_family_can_begin_without_a_code(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let code = world.code(&CodeValue::generate(&world.entropy))?;
    let authorization = Authorization { grant_type: GrantType::Password, ..code.authorization() };
    let (mut family, token) =
        RefreshFamily::begin(&authorization, &Lifetimes::default(), &world.entropy, world.now);
    family.dpop_jkt = Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned());
    replicas.one.begin_family(&family).await?;
    assert_eq!(replicas.other.refresh_family(&token).await?, Some(family.clone()));
    let rotated = replicas.other.rotate_refresh_token(&token, &TERMS, world.after(100)).await?;
    let (_, rotated) = granted(rotated)?;
    assert_eq!((rotated.grant_type, rotated.dpop_jkt), (GrantType::Password, family.dpop_jkt));
    assert_eq!(rotated.other, code.other, "what was asked of the tokens is kept");
    Ok(())
}

/// By each of the things that a query can name, alone and together, and only while they live.
pub async fn living_families_are_found_by_what_they_are_of(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (one, _) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let (two, _) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let all = FamilyQuery { limit: 10, now: world.after(1), ..FamilyQuery::default() };
    let nowhere = SessionId::parse("nowhere")?;
    for (query, expected) in [
        (FamilyQuery { grant: Some(&one.grant), ..all }, 1),
        (FamilyQuery { session: Some(&two.session), grant: Some(&two.grant), ..all }, 1),
        (FamilyQuery { session: Some(&nowhere), ..all }, 0),
        (
            FamilyQuery {
                user: Some(&one.user),
                client: Some(&one.client),
                server: Some(&one.server),
                ..all
            },
            2,
        ),
    ] {
        assert_eq!(replicas.other.families(&query).await?.len(), expected, "{query:?}");
    }
    replicas.one.end_family(&one.grant, world.after(1)).await?;
    let ended = FamilyQuery { grant: Some(&one.grant), ..all };
    assert_eq!(replicas.other.families(&ended).await?, []);
    Ok(())
}

/// Two kubectl refresh at once: both get the same successor, which then goes on.
pub async fn a_refresh_token_gives_its_successor_and_again_within_the_grace(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (family, first) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    assert_eq!(replicas.other.refresh_family(&first).await?, Some(family));

    let (second, _) = granted(replicas.one.rotate_refresh_token(&first, &TERMS, world.after(100)).await?)?;
    assert_ne!(first, second);
    let (again, _) = granted(replicas.other.rotate_refresh_token(&first, &TERMS, world.after(130)).await?)?;
    assert_eq!(again, second, "thirty seconds later, through the other replica");

    let written = second.expose();
    let presented = some(RefreshToken::parse(written.expose()))?;
    let (third, family) =
        granted(replicas.other.rotate_refresh_token(&presented, &TERMS, world.after(140)).await?)?;
    assert_ne!(second, third);
    assert_eq!((family.generation, family.state), (2, FamilyState::Live));
    Ok(())
}

/// RFC 9700 §4.14.2: the thief or the owner comes second; both are out, and the owner signs in again.
pub async fn a_spent_token_after_the_grace_ends_the_family(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (_, first) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let (_, bystander) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let (second, _) = granted(replicas.one.rotate_refresh_token(&first, &TERMS, world.after(100)).await?)?;
    assert_eq!(
        replicas.other.rotate_refresh_token(&first, &TERMS, world.after(131)).await?,
        Rotation::Refused(RefreshRefusal::Reused)
    );
    for token in [&first, &second] {
        assert_eq!(
            replicas.one.rotate_refresh_token(token, &TERMS, world.after(132)).await?,
            Rotation::Refused(RefreshRefusal::Ended(EndReason::Reused))
        );
    }
    granted(replicas.one.rotate_refresh_token(&bystander, &TERMS, world.after(132)).await?)?;
    Ok(())
}

/// The grace is for the immediate predecessor alone.
pub async fn an_older_token_within_the_grace_ends_the_family(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (_, first) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let (second, _) = granted(replicas.one.rotate_refresh_token(&first, &TERMS, world.after(1)).await?)?;
    let (third, _) = granted(replicas.one.rotate_refresh_token(&second, &TERMS, world.after(2)).await?)?;
    assert_eq!(
        replicas.one.rotate_refresh_token(&first, &TERMS, world.after(3)).await?,
        Rotation::Refused(RefreshRefusal::Reused)
    );
    assert_eq!(
        replicas.one.rotate_refresh_token(&third, &TERMS, world.after(3)).await?,
        Rotation::Refused(RefreshRefusal::Ended(EndReason::Reused))
    );
    Ok(())
}

/// Twenty at once over two replicas: one rotation, one successor for all.
pub async fn of_many_that_refresh_at_once_all_get_the_same_successor(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (_, token) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let at = world.after(10);
    let refreshes = (0..20).map(|number| {
        let store = if number % 2 == 0 { &replicas.one } else { &replicas.other };
        store.rotate_refresh_token(&token, &TERMS, at)
    });
    let mut successors = Vec::new();
    for rotation in together(refreshes.collect()).await {
        let (successor, family) = granted(rotation?)?;
        assert_eq!(family.generation, 1);
        successors.push(successor);
    }
    assert!(successors.iter().all(|successor| *successor == successors[0]));
    granted(replicas.one.rotate_refresh_token(&successors[0], &TERMS, world.after(11)).await?)?;
    Ok(())
}

/// An application that wants it so keeps its token; the window still moves.
pub async fn a_static_refresh_token_stays_the_same(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (_, token) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let terms = RefreshTerms { rotation: RefreshRotation::Static, window: SignedDuration::from_mins(7) };
    for seconds in [100, 500, 900] {
        let rotated = replicas.one.rotate_refresh_token(&token, &terms, world.after(seconds)).await?;
        let (same, family) = granted(rotated)?;
        assert_eq!(same, token);
        assert_eq!(family.idle_end, world.after(seconds + 420));
    }
    Ok(())
}

/// The tutorial's 6, 10 and 7 minutes: what the rule says is what happens.
pub async fn refreshing_ends_at_its_lifetime_and_at_its_window_to_the_second(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let lifetimes = Lifetimes::new(6, 10, 7, None)?;
    let terms = RefreshTerms { window: lifetimes.refresh_window().duration(), ..TERMS };

    let (_, idle) = world.family(&**store, &lifetimes).await?;
    let refused = store.rotate_refresh_token(&idle, &terms, world.after(420)).await?;
    assert_eq!(refused, Rotation::Refused(RefreshRefusal::Idle), "at seven minutes");
    let (_, used) = world.family(&**store, &lifetimes).await?;
    let (used, family) = granted(store.rotate_refresh_token(&used, &terms, world.after(419)).await?)?;
    assert_eq!(family.end(), world.after(600), "rotation does not move the absolute end");
    let (used, _) = granted(store.rotate_refresh_token(&used, &terms, world.after(599)).await?)?;
    let refused = store.rotate_refresh_token(&used, &terms, world.after(600)).await?;
    assert_eq!(refused, Rotation::Refused(RefreshRefusal::Expired), "at ten minutes");

    let (_, unlimited) = world.family(&**store, &Lifetimes::default()).await?;
    let mut token = unlimited;
    for week in 1..=60 {
        let at = world.after(week * 7 * 24 * 3600 - week);
        (token, _) = granted(store.rotate_refresh_token(&token, &TERMS, at).await?)?;
    }
    Ok(())
}

/// Guessing at a known family ends nothing: only a token that was once given proves reuse.
pub async fn an_invented_refresh_token_is_unknown_and_harms_nobody(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (_, token) = world.family(&*replicas.one, &Lifetimes::default()).await?;
    let (token, _) = granted(replicas.one.rotate_refresh_token(&token, &TERMS, world.after(1)).await?)?;
    let (_, stranger) = {
        let entropy = SeededEntropy::new(666);
        let mut code = world.code(&CodeValue::generate(&entropy))?;
        code.grant = token.grant().clone();
        RefreshFamily::begin(&code.authorization(), &Lifetimes::default(), &entropy, world.now)
    };
    let ahead = stranger.expose().expose().replacen(".0.", ".4000000000.", 1);
    for invented in [stranger.clone(), some(RefreshToken::parse(&ahead))?] {
        assert_eq!(replicas.one.refresh_family(&invented).await?, None);
        assert_eq!(
            replicas.one.rotate_refresh_token(&invented, &TERMS, world.after(2)).await?,
            Rotation::Refused(RefreshRefusal::Unknown)
        );
    }
    granted(replicas.one.rotate_refresh_token(&token, &TERMS, world.after(3)).await?)?;
    Ok(())
}

/// Ended families stay for a day, so that a refusal can say why; redeemed codes for an hour.
pub async fn purging_takes_what_has_ended_and_nothing_else(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let session = SessionToken::generate(&world.entropy);
    store.begin_session(&world.session(&session)).await?;
    let (living, token) = world.family(&**store, &Lifetimes::default()).await?;
    let (ended, _) = world.family(&**store, &Lifetimes::default()).await?;
    assert!(!store.has_grant_ended(&ended.grant).await?);
    assert!(store.end_family(&ended.grant, world.now).await?);
    assert!(store.has_grant_ended(&ended.grant).await? && !store.has_grant_ended(&living.grant).await?);
    assert!(!store.end_family(&ended.grant, world.now).await?, "once");

    assert_eq!(store.purge(world.after(3_600)).await?, Purged::default());
    let after_an_hour = store.purge(world.after(3_660)).await?;
    assert_eq!(after_an_hour, Purged { codes: 2, ..Purged::default() });
    let after_a_day = store.purge(world.after(24 * 3_600)).await?;
    assert_eq!(after_a_day, Purged { sessions: 1, families: 1, ..Purged::default() });
    assert_eq!(store.refresh_family(&token).await?, Some(living.clone()));

    let changes = vec![Change::RemoveApplication(world.application.id.clone())];
    store.commit(Batch::new(world.now, changes)).await?;
    assert_eq!(store.refresh_family(&token).await?, None, "it goes with its application");
    Ok(())
}
