//! Batches, the snapshot and its revision.

use jiff::SignedDuration;
use kubesso_ambient::{ManualClock, SeededEntropy};
use serde_json::json;

use super::{BEGINNING, Outcome, Replicas, World, some, together};
use crate::application::{
    Application, ApplicationType, ClientAuthentication, ClientKeys, ClientSecret, GroupAssignment,
    RefreshRotation, Status, assignment,
};
use crate::authorization_server::Scope;
use crate::certificate_subject::CertificateSubject;
use crate::claim::{ClaimType, ClaimValue, FilterType, GroupFilter};
use crate::distinguished_name::DistinguishedName;
use crate::expression::Expression;
use crate::group::Group;
use crate::id::{
    ApplicationId, AuthorizationServerId, ClaimId, ClientId, ClientSecretId, GroupId, Kid, RuleId, ScopeId,
    UserId,
};
use crate::name::{ClaimName, GroupName, Label, ScopeName};
use crate::policy::{Lifetimes, RuleGroups, RulePeople, RuleScopes};
use crate::resealing::Resealing;
use crate::seal::{Sealed, SealingKey};
use crate::secret::ClientSecretValue;
use crate::seed::{FirstWorld, seed};
use crate::signing_key::{KeyState, SigningKeyRecord};
use crate::snapshot::{Revision, Snapshot};
use crate::store::{Batch, Change, Expectation, Page};
use crate::store_error::StoreError;
use crate::user::User;

/// No people, no configuration, revision 0.
pub async fn a_fresh_store_is_empty(replicas: &Replicas) -> Outcome {
    assert_eq!(replicas.one.revision().await?, Revision(0));
    assert_eq!(replicas.one.snapshot().await?, Snapshot::default());
    assert!(replicas.one.users(Page::first(10)).await?.is_empty());
    assert!(replicas.one.groups(Page::first(10)).await?.is_empty());
    Ok(())
}

/// Every field of every object of the configuration, through the other replica; then the same objects
/// changed.
pub async fn what_is_written_is_read_back(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let before = replicas.one.snapshot().await?;
    let server = some(before.server(&world.server.id))?;

    let mut web = world.application.clone();
    web.id = ApplicationId::generate(&world.entropy);
    web.client_id = ClientId::parse("chosen-by-terraform")?;
    web.application_type = ApplicationType::Web;
    web.status = Status::Inactive;
    web.authentication = ClientAuthentication::ClientSecretPost(
        [Status::Active, Status::Inactive]
            .map(|status| ClientSecret {
                id: ClientSecretId::generate(&world.entropy),
                hash: ClientSecretValue::generate(&world.entropy).hash(),
                sealed: Sealed::from_bytes([1, 2, 3]),
                status,
                created: world.after(i64::from(status == Status::Inactive)),
            })
            .into(),
    );
    web.refresh_rotation = RefreshRotation::Static;
    web.other.insert("consent_method".to_owned(), "TRUSTED".into());
    let mut service = web.clone();
    service.id = ApplicationId::generate(&world.entropy);
    service.client_id = ClientId::from_application(&service.id);
    service.authentication =
        ClientAuthentication::PrivateKeyJwt(ClientKeys::At("https://example.com/jwks".parse()?));
    service.application_type = ApplicationType::Service;
    service.redirect_uris.clear();
    let with_certificate = [
        ClientAuthentication::SelfSignedTls(ClientKeys::Inline(json!({ "keys": [{ "x5c": ["AA=="] }] }))),
        ClientAuthentication::Tls(CertificateSubject::Dn(DistinguishedName::parse("CN=app\\, x,O=Example")?)),
        ClientAuthentication::Tls(CertificateSubject::Ip("2001:db8::1".parse()?)),
    ]
    .map(|authentication| {
        let id = ApplicationId::generate(&world.entropy);
        Application { client_id: ClientId::from_application(&id), id, authentication, ..service.clone() }
    });

    let mut changed_server = server.server.clone();
    "for the clusters".clone_into(&mut changed_server.description);
    changed_server.status = Status::Inactive;
    let mut claim = some(server.claims.first())?.clone();
    claim.id = ClaimId::generate(&world.entropy);
    claim.name = ClaimName::parse("department")?;
    claim.claim_type = ClaimType::Resource;
    claim.value = ClaimValue::Expression(Expression::new("user.department"));
    claim.scopes = [ScopeName::parse("email")?].into();
    let (policy, rules) = some(server.policies().next())?;
    let mut policy = policy.clone();
    policy.priority = 7;
    let mut rule = some(rules.first())?.clone();
    rule.id = RuleId::generate(&world.entropy);
    rule.name = Label::parse("short")?;
    rule.priority = 0;
    rule.people = RulePeople {
        include_users: [world.admin.id.clone()].into(),
        exclude_users: [world.guest.id.clone()].into(),
        include_groups: RuleGroups::Only([world.admins.id.clone()].into()),
        exclude_groups: [GroupId::parse("00g")?].into(),
    };
    rule.scopes = RuleScopes::Only([ScopeName::parse("openid")?].into());
    rule.lifetimes = Lifetimes::new(6, 10, 7, Some(5))?;
    let key = SigningKeyRecord {
        kid: Kid::parse("k1")?,
        server: world.server.id.clone(),
        algorithm: "RS256".to_owned(),
        public_jwk: json!({"kty": "RSA", "n": "…", "e": "AQAB"}),
        sealed_pkcs8: Sealed::from_bytes([9; 40]),
        state: KeyState::Retiring { until: world.after(77) },
        created: world.now,
    };
    let assigned = GroupAssignment {
        application: web.id.clone(),
        group: world.admins.id.clone(),
        priority: 3,
        profile: some(json!({"team": "platform"}).as_object().cloned())?,
        last_updated: world.after(1),
    };
    let mut changes = vec![
        Change::PutApplication(web.clone()),
        Change::PutApplication(service.clone()),
        Change::PutAuthorizationServer(changed_server.clone()),
        Change::PutClaim(claim.clone()),
        Change::PutPolicy(policy.clone()),
        Change::PutRule(rule.clone()),
        Change::PutSigningKey(key.clone()),
        Change::AssignGroup(assigned.clone()),
    ];
    changes.extend(with_certificate.iter().cloned().map(Change::PutApplication));
    let revision = replicas.one.commit(Batch::new(world.now, changes)).await?;

    let read = replicas.other.snapshot().await?;
    assert_eq!(read.revision(), revision);
    assert_eq!(read.application(&web.client_id), Some(&web));
    assert_eq!(read.application_by_id(&service.id), Some(&service));
    for application in &with_certificate {
        assert_eq!(read.application_by_id(&application.id), Some(application));
    }
    assert_eq!(
        read.application(&world.application.client_id),
        Some(&world.application),
        "the others as before"
    );
    assert_eq!(read.group_assignments(&web.id), [assigned]);
    let server = some(read.server(&world.server.id))?;
    assert_eq!(server.server, changed_server);
    assert_eq!(server.scopes.len(), 6);
    assert!(server.claims.contains(&claim));
    assert_eq!(server.keys, [key]);
    let (read_policy, rules) = some(server.policies().next())?;
    assert_eq!(read_policy, &policy);
    assert_eq!(rules.first(), Some(&rule), "the smaller priority first");
    assert_eq!(rules.len(), 2);
    Ok(())
}

/// The world is written once; what an administrator removed stays removed.
pub async fn the_tutorials_world_is_seeded_once(replicas: &Replicas) -> Outcome {
    let world = FirstWorld::tutorial()?;
    let clock = ManualClock::at(BEGINNING);
    let first = seed(&*replicas.one, &clock, &SeededEntropy::new(1), &world).await?;
    assert!(first.created);
    let logins: Vec<_> = first.users.iter().map(|user| user.profile.login.as_str()).collect();
    assert_eq!(logins, ["admin@example.com", "dev@example.com", "guest@example.com", "outsider@example.com"]);

    let snapshot = replicas.one.snapshot().await?;
    let application = some(first.application.clone())?;
    let mut assigned = Vec::new();
    for user in &first.users {
        let person = some(replicas.one.person(&user.id).await?)?;
        assigned.push(assignment(&snapshot, &application.id, &person).is_some());
    }
    assert_eq!(assigned, [true, true, true, false], "everybody but the outsider");

    let guest = first.users[2].id.clone();
    replicas.one.commit(Batch::new(BEGINNING, vec![Change::RemoveUser(guest)])).await?;
    clock.advance(SignedDuration::from_hours(1));
    let second = seed(&*replicas.other, &clock, &SeededEntropy::new(2), &world).await?;
    assert!(!second.created);
    assert_eq!(second.users.len(), 3, "the guest stays removed");
    assert_eq!((second.application, second.server), (first.application, first.server));
    Ok(())
}

/// Two replicas that start at once on an empty database end with one world.
pub async fn of_two_that_seed_at_once_one_creates(replicas: &Replicas) -> Outcome {
    let world = FirstWorld::tutorial()?;
    let clock = ManualClock::at(BEGINNING);
    let (one, other) = (SeededEntropy::new(1), SeededEntropy::new(2));
    let results = together(vec![
        Box::pin(seed(&*replicas.one, &clock, &one, &world)),
        Box::pin(seed(&*replicas.other, &clock, &other, &world)),
    ])
    .await;
    let mut created = Vec::new();
    for result in results {
        created.push(result?.created);
    }
    created.sort_unstable();
    assert_eq!(created, [false, true]);
    assert_eq!(replicas.one.users(Page::first(100)).await?.len(), 4);
    assert_eq!(replicas.one.snapshot().await?.servers().count(), 1);
    Ok(())
}

/// The last change of a batch contradicts what is there: the first ones are not written either.
pub async fn a_batch_is_all_or_nothing(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let before = replicas.one.snapshot().await?;
    let newcomer = Group::new(GroupId::generate(&world.entropy), GroupName::parse("new")?, "", world.now);
    let twin = Group::new(GroupId::generate(&world.entropy), world.admins.name.clone(), "", world.now);
    let mut application = world.application.clone();
    application.label = Label::parse("renamed")?;
    let changes = vec![
        Change::PutGroup(newcomer.clone()),
        Change::PutApplication(application),
        Change::RemoveUser(world.admin.id.clone()),
        Change::PutGroup(twin),
    ];
    let refused = replicas.one.commit(Batch::new(world.now, changes)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(replicas.one.group(&newcomer.id).await?, None);
    assert_eq!(replicas.one.user(&world.admin.id).await?, Some(world.admin));
    assert_eq!(replicas.one.snapshot().await?, before);
    Ok(())
}

/// Another sealing key: all that was sealed opens under it alone, for both replicas; whoever decided on what was there
/// before loses.
pub async fn what_is_sealed_is_sealed_again_as_a_whole(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (old, new) = (SealingKey::generate(&world.entropy), SealingKey::generate(&world.entropy));
    let kid = Kid::parse("k1")?;
    let purpose = SigningKeyRecord::purpose(&world.server.id, &kid);
    let key = SigningKeyRecord {
        kid,
        server: world.server.id.clone(),
        algorithm: "RS256".to_owned(),
        public_jwk: json!({}),
        sealed_pkcs8: old.seal(&purpose, b"private", &world.entropy),
        state: KeyState::Active { since: world.now },
        created: world.now,
    };
    let mut web = world.application.clone();
    web.application_type = ApplicationType::Web;
    web.authentication = ClientAuthentication::ClientSecretBasic(vec![ClientSecret {
        id: ClientSecretId::generate(&world.entropy),
        hash: ClientSecretValue::generate(&world.entropy).hash(),
        sealed: old.seal(ClientSecret::PURPOSE, b"secret", &world.entropy),
        status: Status::Active,
        created: world.now,
    }]);
    let first = Resealing { check: old.check(&world.entropy), secrets: Vec::new(), keys: Vec::new() };
    let changes =
        vec![Change::PutSigningKey(key), Change::PutApplication(web.clone()), Change::Reseal(first)];
    replicas.one.commit(Batch::new(world.now, changes)).await?;
    assert!(old.is_of(&replicas.other.key_check().await?));

    let before = replicas.one.snapshot().await?;
    assert!(Resealing::of(&before, &new, &old, &world.entropy).is_err(), "it opens under its own key only");
    let resealing = Resealing::of(&before, &old, &new, &world.entropy)?;
    let batch = || {
        let changes = vec![Change::Reseal(resealing.clone())];
        Batch::new(world.now, changes).expecting(Expectation::Revision(before.revision()))
    };
    replicas.other.commit(batch()).await?;
    assert!(matches!(replicas.one.commit(batch()).await, Err(StoreError::Stale)));
    let check = replicas.one.key_check().await?;
    assert!(new.is_of(&check) && !old.is_of(&check));
    let after = replicas.one.snapshot().await?;
    let key = some(some(after.server(&world.server.id))?.keys.first())?;
    assert_eq!(&**new.open(&purpose, &key.sealed_pkcs8)?, b"private");
    assert!(old.open(&purpose, &key.sealed_pkcs8).is_err());
    let secret = some(some(after.application_by_id(&web.id))?.authentication.secrets().first())?;
    assert_eq!(&**new.open(ClientSecret::PURPOSE, &secret.sealed)?, b"secret");
    Ok(())
}

/// Whoever decided on an old snapshot is told so, and nothing is written. Of two with the same one, one wins.
pub async fn a_batch_that_expects_another_revision_loses(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let revision = replicas.one.revision().await?;
    let rename = |name: &str| {
        let mut server = world.server.clone();
        server.name = Label::parse(name)?;
        let batch = Batch::new(world.now, vec![Change::PutAuthorizationServer(server)]);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(batch.expecting(Expectation::Revision(revision)))
    };
    let results =
        together(vec![replicas.one.commit(rename("one")?), replicas.other.commit(rename("other")?)]).await;
    let won: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(won, [&Revision(revision.0 + 1)]);
    assert!(results.iter().any(|result| matches!(result, Err(StoreError::Stale))), "{results:?}");
    let refused = replicas.one.commit(Batch::new(world.now, vec![]).expecting(Expectation::Empty)).await;
    assert!(matches!(refused, Err(StoreError::Stale)), "{refused:?}");
    Ok(())
}

/// People come and go without snapshots being rebuilt; everything that a snapshot shows moves the revision.
pub async fn the_revision_moves_with_configuration_and_with_nothing_else(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let server = some(replicas.one.snapshot().await?.server(&world.server.id).cloned())?;
    let (policy, rules) = some(server.policies().next())?;
    let rule = some(rules.first())?.clone();
    let scope = some(server.scopes.values().next())?.clone();
    let claim = some(server.claims.first())?.clone();
    let (user, group, app) = (&world.guest.id, &world.admins.id, &world.application.id);
    let quiet = [
        Change::PutUser(world.guest.clone()),
        Change::PutGroup(world.admins.clone()),
        Change::AddMember(group.clone(), user.clone()),
        Change::RemoveMember(group.clone(), user.clone()),
        Change::UnassignUser(app.clone(), user.clone()),
        Change::EndSessions(user.clone()),
        Change::RemoveUser(user.clone()),
    ];
    for change in quiet {
        let before = replicas.one.revision().await?;
        let after = replicas.one.commit(Batch::new(world.now, vec![change.clone()])).await?;
        assert_eq!((before, before), (after, replicas.other.revision().await?), "{change:?}");
    }
    let moving = [
        Change::PutApplication(world.application.clone()),
        Change::UnassignGroup(app.clone(), group.clone()),
        Change::PutScope(scope.clone()),
        Change::PutClaim(claim.clone()),
        Change::PutPolicy(policy.clone()),
        Change::PutRule(rule.clone()),
        Change::RemoveRule(rule.id),
        Change::RemovePolicy(policy.id.clone()),
        Change::RemoveClaim(claim.id),
        Change::RemoveScope(scope.id),
        Change::RemoveGroup(group.clone()),
        Change::RemoveApplication(app.clone()),
        Change::RemoveAuthorizationServer(world.server.id.clone()),
    ];
    for change in moving {
        let before = replicas.one.revision().await?;
        let after = replicas.one.commit(Batch::new(world.now, vec![change.clone()])).await?;
        assert!(before < after, "{change:?}");
        assert_eq!(replicas.other.revision().await?, after);
    }
    let snapshot = replicas.one.snapshot().await?;
    assert_eq!((snapshot.applications().count(), snapshot.servers().count()), (0, 0));
    Ok(())
}

/// The error says what kind of object and which name.
pub async fn names_are_unique(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let entropy = &world.entropy;
    let server = some(replicas.one.snapshot().await?.server(&world.server.id).cloned())?;
    let (policy, rules) = some(server.policies().next())?;
    let mut user = User::new(UserId::generate(entropy), world.admin.profile.clone(), world.now);
    user.profile.login = "ADMIN@example.com".parse()?;
    let group = Group::new(GroupId::generate(entropy), world.admins.name.clone(), "", world.now);
    let mut application = world.application.clone();
    application.id = ApplicationId::generate(entropy);
    let mut scope = some(server.scopes.values().next())?.clone();
    scope.id = ScopeId::generate(entropy);
    let mut claim = some(server.claims.first())?.clone();
    claim.id = ClaimId::generate(entropy);
    claim.value = ClaimValue::Groups(GroupFilter::new(FilterType::Equals, "x")?);
    let mut policy = policy.clone();
    policy.id = crate::id::PolicyId::generate(entropy);
    let mut rule = some(rules.first())?.clone();
    rule.id = RuleId::generate(entropy);
    let cases = [
        (
            Change::PutUser(user),
            "there is another user called `ADMIN@example.com` already: choose another name",
        ),
        (Change::PutGroup(group), "there is another group called `k8s-admins` already: choose another name"),
        (Change::PutScope(scope), "there is another scope called `address` already: choose another name"),
        (
            Change::PutClaim(claim.clone()),
            "there is another claim called `groups` already: choose another name",
        ),
        (
            Change::PutPolicy(policy),
            "there is another policy called `k8s_policy` already: choose another name",
        ),
        (
            Change::PutRule(rule),
            "there is another policy rule called `AuthCode + PKCE` already: choose another name",
        ),
    ];
    for (change, message) in cases {
        let refused = replicas.one.commit(Batch::new(world.now, vec![change])).await;
        assert_eq!(refused.map_err(|error| error.to_string()), Err(message.to_owned()));
    }
    let refused = replicas.one.commit(Batch::new(world.now, vec![Change::PutApplication(application)])).await;
    assert!(matches!(refused, Err(StoreError::Conflict { what: "application", .. })), "{refused:?}");

    claim.claim_type = ClaimType::Resource;
    replicas.one.commit(Batch::new(world.now, vec![Change::PutClaim(claim)])).await?;
    Ok(())
}

/// A membership of nobody, a rule of no policy, a scope of no server.
pub async fn what_is_referred_to_must_exist(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let nobody = UserId::parse("00unobody")?;
    let nowhere = AuthorizationServerId::parse("ausnowhere")?;
    let mut scopes = Scope::system(&nowhere, &world.entropy);
    let cases = [
        Change::AddMember(world.admins.id.clone(), nobody.clone()),
        Change::AddMember(GroupId::parse("00gnone")?, world.admin.id.clone()),
        Change::PutScope(some(scopes.pop())?),
        Change::AssignGroup(GroupAssignment::new(
            ApplicationId::parse("0oanone")?,
            world.admins.id.clone(),
            0,
            world.now,
        )),
    ];
    for change in cases {
        let refused = replicas.one.commit(Batch::new(world.now, vec![change.clone()])).await;
        assert!(matches!(refused, Err(StoreError::Dangling { .. })), "{change:?}: {refused:?}");
    }
    // Removing what is not there is no error: the wish is fulfilled.
    let remove = Change::RemoveMember(world.admins.id.clone(), nobody);
    replicas.one.commit(Batch::new(world.now, vec![remove])).await?;
    Ok(())
}

/// Scopes, claims, policies, rules and keys do not outlive their server; other servers stay.
pub async fn with_a_server_goes_what_is_part_of_it(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let mut second = world.server.clone();
    second.id = AuthorizationServerId::parse("default")?;
    let mut changes = vec![Change::PutAuthorizationServer(second.clone())];
    changes.extend(Scope::system(&second.id, &world.entropy).into_iter().map(Change::PutScope));
    changes.push(Change::RemoveAuthorizationServer(world.server.id.clone()));
    // The same id again: nothing of the old server may come back with it.
    changes.push(Change::PutAuthorizationServer(world.server.clone()));
    replicas.one.commit(Batch::new(world.now, changes)).await?;
    let snapshot = replicas.other.snapshot().await?;
    let again = some(snapshot.server(&world.server.id))?;
    assert_eq!((again.scopes.len(), again.claims.len(), again.policies().count()), (0, 0, 0));
    assert_eq!(some(snapshot.server(&second.id))?.scopes.len(), 6);
    Ok(())
}

/// A removed group gives nobody access any more.
pub async fn with_a_group_go_its_memberships_and_assignments(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let removed = Change::RemoveGroup(world.admins.id.clone());
    replicas.one.commit(Batch::new(world.now, vec![removed])).await?;
    let snapshot = replicas.other.snapshot().await?;
    let person = some(replicas.other.person(&world.admin.id).await?)?;
    let names: Vec<_> = person.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["Everyone"]);
    assert_eq!(assignment(&snapshot, &world.application.id, &person), None);
    assert_eq!(snapshot.group_assignments(&world.application.id).len(), 1, "the other group's stays");
    Ok(())
}

/// Of two replicas that make the first key at once, one loses; a rotation retires before it promotes.
pub async fn a_server_has_one_signing_key(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let key = |kid: &str, state| {
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(SigningKeyRecord {
            kid: Kid::parse(kid)?,
            server: world.server.id.clone(),
            algorithm: "RS256".to_owned(),
            public_jwk: json!({"kid": kid}),
            sealed_pkcs8: Sealed::from_bytes([0; 8]),
            state,
            created: world.now,
        })
    };
    let signing = KeyState::Active { since: world.now };
    let put = |record: &SigningKeyRecord| Batch::new(world.now, vec![Change::PutSigningKey(record.clone())]);
    let (one, other) = (key("one", signing)?, key("other", signing)?);
    let results = together(vec![replicas.one.commit(put(&one)), replicas.other.commit(put(&other))]).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let lost =
        results.iter().any(|result| matches!(result, Err(StoreError::Conflict { what: "signing key", .. })));
    assert!(lost, "{results:?}");

    let keys = some(replicas.one.snapshot().await?.server(&world.server.id).cloned())?.keys;
    let old = some(keys.first())?.clone();
    let next = key("next", KeyState::Pending { since: world.now })?;
    replicas.one.commit(put(&next)).await?;
    let at = world.after(60);
    let exchange = vec![
        Change::PutSigningKey(old.clone().retired(at, SignedDuration::from_hours(1))),
        Change::PutSigningKey(next.promoted(at)),
    ];
    replicas.one.commit(Batch::new(at, exchange)).await?;
    let keys = some(replicas.other.snapshot().await?.server(&world.server.id).cloned())?.keys;
    let states: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.state)).collect();
    let retired = (old.kid.as_str(), KeyState::Retiring { until: world.after(3660) });
    assert!(
        states.contains(&retired) && states.contains(&("next", KeyState::Active { since: at })),
        "{states:?}"
    );
    let beside = SigningKeyRecord { algorithm: "ES256".to_owned(), ..key("beside", signing)? };
    replicas.one.commit(put(&beside)).await?;
    let revoked = SigningKeyRecord { state: KeyState::Revoked { at }, ..beside };
    replicas.one.commit(put(&revoked)).await?;
    let keys = some(replicas.other.snapshot().await?.server(&world.server.id).cloned())?.keys;
    assert!(keys.contains(&revoked), "{keys:?}");
    let removed = Change::RemoveSigningKey(world.server.id.clone(), revoked.kid);
    replicas.one.commit(Batch::new(at, vec![removed])).await?;
    let removed = Change::RemoveSigningKey(world.server.id.clone(), old.kid);
    replicas.one.commit(Batch::new(at, vec![removed])).await?;
    assert_eq!(some(replicas.one.snapshot().await?.server(&world.server.id).cloned())?.keys.len(), 1);
    Ok(())
}
