//! People, groups, passwords, the audit trail.

use jiff::SignedDuration;
use kubesso_ambient::SeededEntropy;
use serde_json::Map;

use super::{Outcome, Replicas, TERMS, World, some};
use crate::application::UserAssignment;
use crate::audit::{AuditEvent, Outcome as AuditOutcome};
use crate::authorization_server::Scope;
use crate::consent::ConsentGrant;
use crate::filter::Filter;
use crate::group::Group;
use crate::id::{ApplicationId, AuditEventId, ConsentId, GroupId, UserId};
use crate::name::{Email, GroupName, Login};
use crate::password::PasswordHash;
use crate::policy::Lifetimes;
use crate::query::UserQuery;
use crate::refresh::{EndReason, RefreshRefusal, Rotation};
use crate::secret::{CodeValue, SessionToken};
use crate::store::{Batch, Change, Page};
use crate::store_error::StoreError;
use crate::user::{User, UserProfile};

/// Groups sorted by name whatever the order of joining; what one replica writes the other reads.
pub async fn a_person_comes_with_groups_by_name_and_direct_assignments(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let early = Group::new(GroupId::generate(&world.entropy), GroupName::parse("a-team")?, "", world.now);
    let guest = world.guest.id.clone();
    let changes = vec![
        Change::AddMember(world.admins.id.clone(), guest.clone()),
        Change::PutGroup(early.clone()),
        Change::AddMember(early.id.clone(), guest.clone()),
    ];
    replicas.one.commit(Batch::new(world.now, changes)).await?;
    let person = some(replicas.other.person(&guest).await?)?;
    let names: Vec<_> = person.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["Everyone", "a-team", "k8s-admins"]);
    assert_eq!(person.applications, [world.application.id.clone()].into());

    let leave = vec![
        Change::RemoveMember(world.admins.id.clone(), guest.clone()),
        Change::UnassignUser(world.application.id.clone(), guest.clone()),
    ];
    replicas.other.commit(Batch::new(world.now, leave)).await?;
    let person = some(replicas.one.person(&guest).await?)?;
    assert_eq!((person.groups.len(), person.applications.len()), (2, 0));
    assert_eq!(replicas.one.person(&UserId::parse("nobody")?).await?, None);
    Ok(())
}

/// Logins are compared folded and kept as written.
pub async fn a_login_is_found_in_any_case(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let found = replicas.one.user_by_login(&Login::parse("ADMIN@Example.COM")?).await?;
    assert_eq!(found.as_ref(), Some(&world.admin));
    assert_eq!(replicas.one.user(&world.admin.id).await?, found);
    assert_eq!(replicas.one.user_by_login(&Login::parse("nobody@example.com")?).await?, None);
    assert_eq!(replicas.one.user(&UserId::parse("nobody")?).await?, None);
    assert_eq!(replicas.one.group(&world.admins.id).await?, Some(world.admins.clone()));
    assert_eq!(
        replicas.one.group_by_name(&GroupName::parse("K8S-admins")?).await?,
        None,
        "group names have case"
    );
    Ok(())
}

/// Every object once, in the order of ids, whatever the size of a page.
pub async fn lists_come_in_pages(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let entropy = SeededEntropy::new(99);
    let mut changes = Vec::new();
    for number in 0..20 {
        let profile = UserProfile::with_email(Email::parse(&format!("u{number}@example.com"))?)?;
        let user = User::new(UserId::generate(&entropy), profile, world.now);
        changes.push(Change::PutUser(user.clone()));
        changes.push(Change::AddMember(world.admins.id.clone(), user.id.clone()));
        changes.push(Change::AssignUser(UserAssignment::new(
            world.application.id.clone(),
            user.id,
            world.now,
        )));
    }
    replicas.one.commit(Batch::new(world.now, changes)).await?;

    for limit in [1, 7, 100] {
        let mut users: Vec<UserId> = Vec::new();
        loop {
            let page = replicas.one.users(Page { after: users.last(), limit }).await?;
            assert!(page.len() <= 100_usize.min(usize::try_from(limit)?));
            if page.is_empty() {
                break;
            }
            users.extend(page.into_iter().map(|user| user.id));
        }
        assert_eq!(users.len(), 24);
        assert!(users.is_sorted());
    }
    let first = replicas.one.members(&world.admins.id, Page::first(15)).await?;
    let rest = replicas
        .one
        .members(&world.admins.id, Page { after: first.last().map(|user| &user.id), limit: 15 })
        .await?;
    assert_eq!((first.len(), rest.len()), (15, 6));
    let assigned = replicas.one.assigned_users(&world.application.id, Page::first(100)).await?;
    assert_eq!(assigned.len(), 21);
    assert_eq!(replicas.one.groups(Page::first(100)).await?.len(), 3);
    Ok(())
}

/// A profile that was read earlier and written later brings back neither an old password nor an old sign-in
/// time.
pub async fn a_password_is_kept_apart_from_the_profile(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let admin = &world.admin.id;
    assert_eq!(store.password_hash(admin).await?, None);

    let hash = some(PasswordHash::parse(
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ))?;
    store.commit(Batch::new(world.after(5), vec![Change::SetPassword(admin.clone(), hash.clone())])).await?;
    let token = SessionToken::generate(&world.entropy);
    store.begin_session(&world.session(&token)).await?;
    store.commit(Batch::new(world.after(9), vec![Change::PutUser(world.admin.clone())])).await?;

    let user = some(store.user(admin).await?)?;
    assert_eq!(user.password_changed, Some(world.after(5)));
    assert_eq!(user.last_login, Some(world.now));
    assert_eq!(replicas.other.password_hash(admin).await?.as_ref(), Some(&hash));
    let nobody = UserId::parse("nobody")?;
    assert_eq!(store.password_hash(&nobody).await?, None);
    let refused = store.commit(Batch::new(world.now, vec![Change::SetPassword(nobody, hash)])).await;
    assert!(matches!(refused, Err(StoreError::Dangling { .. })), "{refused:?}");
    Ok(())
}

/// The group remembers when somebody joined or left; joining twice is no change.
pub async fn a_membership_is_noted_when_it_changes(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let noted = async |seconds, change| {
        replicas.one.commit(Batch::new(world.after(seconds), vec![change])).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            some(replicas.one.group(&world.admins.id).await?)?.last_membership_updated,
        )
    };
    let (group, admin, guest) = (&world.admins.id, &world.admin.id, &world.guest.id);
    assert_eq!(noted(1, Change::AddMember(group.clone(), admin.clone())).await?, world.now, "was in it");
    assert_eq!(noted(2, Change::AddMember(group.clone(), guest.clone())).await?, world.after(2));
    assert_eq!(noted(3, Change::RemoveMember(group.clone(), guest.clone())).await?, world.after(3));
    assert_eq!(
        noted(4, Change::RemoveMember(group.clone(), guest.clone())).await?,
        world.after(3),
        "was gone"
    );
    Ok(())
}

/// Whoever is removed is out everywhere at once.
pub async fn with_a_user_go_sessions_codes_and_grants(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let token = SessionToken::generate(&world.entropy);
    store.begin_session(&world.session(&token)).await?;
    let value = CodeValue::generate(&world.entropy);
    store.add_code(&world.code(&value)?).await?;
    let (_, refresh) = world.family(&**store, &Lifetimes::default()).await?;

    store.commit(Batch::new(world.now, vec![Change::RemoveUser(world.admin.id.clone())])).await?;
    assert_eq!(store.use_session(&token.hash(), world.now).await?, None);
    assert_eq!(store.code(&value.hash(), world.now).await?, None);
    assert_eq!(store.refresh_family(&refresh).await?, None);
    assert_eq!(
        store.rotate_refresh_token(&refresh, &TERMS, world.now).await?,
        Rotation::Refused(RefreshRefusal::Unknown)
    );
    assert!(store.members(&world.admins.id, Page::first(10)).await?.is_empty());
    Ok(())
}

/// Signing somebody out everywhere leaves the user, and other people, as they are.
pub async fn sessions_and_grants_of_a_user_can_be_ended(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let (token, others) = (SessionToken::generate(&world.entropy), SessionToken::generate(&world.entropy));
    store.begin_session(&world.session(&token)).await?;
    let mut session = world.session(&others);
    session.user = world.guest.id.clone();
    store.begin_session(&session).await?;
    let value = CodeValue::generate(&world.entropy);
    store.add_code(&world.code(&value)?).await?;
    let (_, refresh) = world.family(&**store, &Lifetimes::default()).await?;

    let admin = world.admin.id.clone();
    let changes = vec![Change::EndSessions(admin.clone()), Change::EndGrants(admin)];
    store.commit(Batch::new(world.after(1), changes)).await?;
    assert_eq!(store.use_session(&token.hash(), world.after(1)).await?, None);
    assert!(store.use_session(&others.hash(), world.after(1)).await?.is_some());
    assert_eq!(store.code(&value.hash(), world.after(1)).await?, None);
    assert_eq!(
        store.rotate_refresh_token(&refresh, &TERMS, world.after(1)).await?,
        Rotation::Refused(RefreshRefusal::Ended(EndReason::Revoked))
    );
    Ok(())
}

/// Entries come back as they were written, the latest first.
pub async fn the_audit_trail_shows_the_latest_first(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let event = |seconds, event_type: &str| AuditEvent {
        id: AuditEventId::generate(&world.entropy),
        published: world.after(seconds),
        event_type: event_type.to_owned(),
        actor: world.admin.id.to_string(),
        target: Some(world.guest.id.to_string()),
        outcome: AuditOutcome::Success,
        message: "Suspended the user".to_owned(),
        details: Map::from_iter([("client".to_owned(), "127.0.0.1".into())]),
    };
    let (later, earlier) = (event(60, "user.lifecycle.suspend"), event(0, "user.session.start"));
    let changes = vec![Change::Audit(later.clone()), Change::Audit(earlier.clone())];
    replicas.one.commit(Batch::new(world.now + SignedDuration::from_secs(60), changes)).await?;
    assert_eq!(replicas.other.audit_events(10).await?, [later.clone(), earlier]);
    assert_eq!(replicas.other.audit_events(1).await?, std::slice::from_ref(&later));

    let ninety_days = 90 * 24 * 3_600;
    assert_eq!(replicas.one.purge(world.after(ninety_days)).await?.audit_events, 1);
    assert_eq!(replicas.one.audit_events(10).await?, [later]);
    Ok(())
}

/// Ending the others leaves the one, and other people's.
pub async fn all_sessions_but_one_can_be_ended(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let tokens: Vec<_> = (0..3).map(|_| SessionToken::generate(&world.entropy)).collect();
    let mut sessions: Vec<_> = tokens.iter().map(|token| world.session(token)).collect();
    sessions[2].user = world.guest.id.clone();
    for session in &sessions {
        store.begin_session(session).await?;
    }
    let change = Change::EndOtherSessions(world.admin.id.clone(), sessions[0].id.clone());
    store.commit(Batch::new(world.now, vec![change])).await?;
    for (token, lives) in tokens.iter().zip([true, false, true]) {
        assert_eq!(replicas.other.use_session(&token.hash(), world.now).await?.is_some(), lives);
    }
    Ok(())
}

/// Of the passwords that somebody had so many are remembered as were asked for last, the latest first; they go with
/// the user.
pub async fn old_passwords_are_kept_up_to_a_number(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let id = &world.admin.id;
    let mut hashes = Vec::new();
    for salt in ["AAAA", "BBBB", "CCCC", "DDDD", "EEEE"] {
        let salt = salt.repeat(5);
        let text =
            format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$3Mx1VxXLoKDBzFn4WAAzLIXXA8YVNJFcjVzQmnlSvBg");
        let hash = some(PasswordHash::parse(&text))?;
        let keep = Change::KeepOldPassword(id.clone(), 3);
        let set = Change::SetPassword(id.clone(), hash.clone());
        store.commit(Batch::new(world.after(1), vec![keep, set])).await?;
        hashes.insert(0, hash);
    }
    assert_eq!(replicas.other.old_passwords(id, 10).await?, hashes[1..4]);
    assert_eq!(store.old_passwords(id, 1).await?, hashes[1..2]);
    let none = Change::KeepOldPassword(id.clone(), 0);
    let guest = Change::KeepOldPassword(world.guest.id.clone(), 3);
    store.commit(Batch::new(world.after(2), vec![none, guest])).await?;
    for id in [id, &world.guest.id] {
        assert_eq!(store.old_passwords(id, 10).await?, [], "{id}");
    }
    let gone = vec![Change::KeepOldPassword(id.clone(), 3), Change::RemoveUser(id.clone())];
    store.commit(Batch::new(world.after(3), gone)).await?;
    assert_eq!(store.old_passwords(id, 10).await?, []);
    Ok(())
}

/// Given again, a consent keeps its id; it goes with the scope, the application and the person, and by itself.
pub async fn a_consent_is_given_once_a_scope_and_goes_with_what_it_is_about(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let system: Vec<_> =
        some(store.snapshot().await?.server(&world.server.id))?.scopes.values().cloned().collect();
    let grant = |user: &User, scope: &Scope, seconds| ConsentGrant {
        id: ConsentId::generate(&world.entropy),
        user: user.id.clone(),
        application: world.application.id.clone(),
        scope: scope.id.clone(),
        server: world.server.id.clone(),
        scope_name: scope.name.clone(),
        created: world.after(seconds),
    };
    let give = async |grant: &ConsentGrant| {
        store.commit(Batch::new(grant.created, vec![Change::GiveConsent(grant.clone())])).await
    };
    let (first, second) = (some(system.first())?, some(system.get(1))?);
    let once = grant(&world.admin, first, 0);
    give(&once).await?;
    let again = grant(&world.admin, first, 9);
    give(&again).await?;
    let other = grant(&world.admin, second, 1);
    give(&other).await?;
    give(&grant(&world.guest, first, 2)).await?;

    let kept = ConsentGrant { id: once.id.clone(), ..again };
    let mut expected = vec![kept, other.clone()];
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    let admin = &world.admin.id;
    assert_eq!(replicas.other.consents(admin, None).await?, expected);
    assert_eq!(replicas.other.consents(admin, Some(&world.application.id)).await?, expected);
    let unknown = ApplicationId::generate(&world.entropy);
    assert!(store.consents(admin, Some(&unknown)).await?.is_empty());

    store.commit(Batch::new(world.now, vec![Change::WithdrawConsent(once.id)])).await?;
    assert_eq!(replicas.other.consents(admin, None).await?, [other]);
    store.commit(Batch::new(world.now, vec![Change::RemoveScope(second.id.clone())])).await?;
    assert!(store.consents(admin, None).await?.is_empty());
    assert_eq!(store.consents(&world.guest.id, None).await?.len(), 1, "another person's");
    store
        .commit(Batch::new(world.now, vec![Change::RemoveApplication(world.application.id.clone())]))
        .await?;
    assert!(store.consents(&world.guest.id, None).await?.is_empty());
    let dangling = give(&grant(&world.guest, first, 3)).await;
    assert!(matches!(dangling, Err(StoreError::Dangling { .. })), "{dangling:?}");
    Ok(())
}

/// PostgreSQL cannot hold it in a text, SQLite could: no store takes it, neither to write nor to look for. Inside of JSON
/// it can be.
pub async fn text_with_the_character_0_is_refused_and_nothing_is_written(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let store = &replicas.one;
    let group = Group { description: "a\0b".to_owned(), ..world.admins.clone() };
    let fine = Group::new(GroupId::generate(&world.entropy), GroupName::parse("fine")?, "fine", world.now);
    let changes = vec![Change::PutGroup(fine.clone()), Change::PutGroup(group)];
    let refused = store.commit(Batch::new(world.now, changes)).await;
    assert!(matches!(refused, Err(StoreError::UnstorableText)), "{refused:?}");
    assert_eq!(replicas.other.group(&fine.id).await?, None);
    assert_eq!(replicas.other.group(&world.admins.id).await?, Some(world.admins.clone()));

    let mut code = world.code(&CodeValue::generate(&world.entropy))?;
    code.nonce = Some("\0".to_owned());
    let refused = store.add_code(&code).await;
    assert!(matches!(refused, Err(StoreError::UnstorableText)), "{refused:?}");

    let filter = Filter::parse(r#"profile.nickName eq "a\u0000""#)?;
    let query = UserQuery { filter: Some(&filter), ..UserQuery::all(1) };
    let refused = store.find_users(&query).await;
    assert!(matches!(refused, Err(StoreError::UnstorableText)), "{refused:?}");

    let mut profile = world.guest.clone();
    profile.profile.other.insert("odd".to_owned(), "a\0b".into());
    store.commit(Batch::new(world.now, vec![Change::PutUser(profile.clone())])).await?;
    assert_eq!(some(replicas.other.user(&profile.id).await?)?.profile, profile.profile);
    Ok(())
}
