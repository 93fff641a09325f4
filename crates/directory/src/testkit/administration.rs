//! API tokens, administrators' roles, group rules, links that work once.

use super::{Outcome, Replicas, World, some, together};
use crate::admin::{AdminRole, RoleAssignment, RoleHolder};
use crate::api_token::ApiToken;
use crate::application::Status;
use crate::expression::Expression;
use crate::group_rule::GroupRule;
use crate::id::{ApiTokenId, GroupRuleId, InitialAccessTokenId, RoleAssignmentId};
use crate::initial_access_token::InitialAccessToken;
use crate::name::Label;
use crate::one_time_token::{OneTimePurpose, OneTimeToken};
use crate::secret::TokenHash;
use crate::store::{Batch, Change, Page};

/// What one replica writes the other reads; a token goes with the person that it acts for.
pub async fn an_api_token_is_found_by_its_hash_and_goes_with_its_person(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let token = |name: &str, user| -> Result<ApiToken, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ApiToken {
            id: ApiTokenId::generate(&world.entropy),
            name: Label::parse(name)?,
            hash: TokenHash::of(name.as_bytes()),
            roles: [AdminRole::OrgAdmin, AdminRole::AppAdmin].into(),
            user,
            created: world.now,
            expires: None,
        })
    };
    let (machine, person) = (token("terraform", None)?, token("script", Some(world.admin.id.clone()))?);
    let changes = vec![Change::PutApiToken(machine.clone()), Change::PutApiToken(person.clone())];
    replicas.one.commit(Batch::new(world.now, changes)).await?;
    assert_eq!(replicas.other.api_token(&machine.hash).await?, Some(machine.clone()));
    assert_eq!(replicas.other.api_tokens().await?.len(), 2);
    let leave = vec![Change::RemoveUser(world.admin.id.clone())];
    replicas.other.commit(Batch::new(world.now, leave)).await?;
    assert_eq!(replicas.one.api_tokens().await?, [machine]);
    Ok(())
}

/// Of all who use it at once so many win as it has uses left, and nobody after its end.
pub async fn an_initial_access_token_registers_so_many_clients(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let token = InitialAccessToken {
        id: InitialAccessTokenId::generate(&world.entropy),
        name: Label::parse("ci")?,
        hash: TokenHash::of(b"ci"),
        uses_left: 3,
        created: world.now,
        expires: world.after(60),
    };
    replicas.one.commit(Batch::new(world.now, vec![Change::PutInitialAccessToken(token.clone())])).await?;
    assert_eq!(replicas.other.initial_access_tokens().await?, std::slice::from_ref(&token));
    assert_eq!(replicas.other.use_initial_access_token(&TokenHash::of(b"other"), world.now).await?, None);
    assert_eq!(replicas.other.use_initial_access_token(&token.hash, world.after(60)).await?, None);
    let used = replicas.one.use_initial_access_token(&token.hash, world.after(59)).await?;
    assert_eq!(used, Some(InitialAccessToken { uses_left: 2, ..token.clone() }));
    let takers = [&replicas.one, &replicas.other, &replicas.one, &replicas.other]
        .map(|store| store.use_initial_access_token(&token.hash, world.now));
    let used = together(takers.into()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(used.into_iter().flatten().count(), 2);
    replicas.one.commit(Batch::new(world.now, vec![Change::RemoveInitialAccessToken(token.id)])).await?;
    assert!(replicas.other.initial_access_tokens().await?.is_empty());
    Ok(())
}

/// Assigned twice is assigned once; it goes with its holder.
pub async fn a_role_is_held_once_and_goes_with_its_holder(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let holders = [
        RoleHolder::User(world.guest.id.clone()),
        RoleHolder::Group(world.admins.id.clone()),
        RoleHolder::Client(world.application.client_id.clone()),
    ];
    let of_the_seed = replicas.one.roles().await?;
    for _ in 0..2 {
        let changes = holders
            .iter()
            .map(|holder| {
                Change::AssignRole(RoleAssignment {
                    id: RoleAssignmentId::generate(&world.entropy),
                    holder: holder.clone(),
                    role: AdminRole::UserAdmin,
                    created: world.now,
                })
            })
            .collect();
        replicas.one.commit(Batch::new(world.now, changes)).await?;
    }
    assert_eq!(replicas.other.roles().await?.len(), of_the_seed.len() + 3);
    for holder in &holders {
        let held = replicas.other.roles_of(holder).await?;
        assert_eq!(held.iter().filter(|held| held.role == AdminRole::UserAdmin).count(), 1);
    }
    let id = some(replicas.one.roles_of(&holders[0]).await?.pop())?.id;
    let changes = vec![Change::UnassignRole(id), Change::RemoveGroup(world.admins.id.clone())];
    replicas.one.commit(Batch::new(world.now, changes)).await?;
    let mut left = replicas.one.roles().await?;
    left.retain(|held| !of_the_seed.contains(held));
    let left: Vec<_> = left.into_iter().map(|held| held.holder).collect();
    assert_eq!(left, holders[2..]);
    Ok(())
}

/// A membership that rules made goes with the last of them; an administrator's stays.
pub async fn what_rules_made_goes_with_the_last_rule(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let (store, group, guest) = (&replicas.one, world.admins.id.clone(), world.guest.id.clone());
    let rule = |name: &str| -> Result<GroupRule, Box<dyn std::error::Error + Send + Sync>> {
        Ok(GroupRule {
            id: GroupRuleId::generate(&world.entropy),
            name: Label::parse(name)?,
            status: Status::Active,
            expression: Expression::new("true"),
            excluded_users: [world.admin.id.clone()].into(),
            groups: [group.clone()].into(),
            created: world.now,
            last_updated: world.now,
        })
    };
    let (one, two) = (rule("one")?, rule("two")?);
    let by = |rule: &GroupRule| Change::AddRuleMember(rule.id.clone(), group.clone(), guest.clone());
    let not_by = |rule: &GroupRule| Change::RemoveRuleMember(rule.id.clone(), group.clone(), guest.clone());
    let changes =
        vec![Change::PutGroupRule(two.clone()), Change::PutGroupRule(one.clone()), by(&one), by(&two)];
    store.commit(Batch::new(world.after(1), changes)).await?;
    assert_eq!(replicas.other.group_rules().await?, [one.clone(), two.clone()]);
    assert_eq!(store.rule_memberships(&guest).await?.len(), 2);
    let page = store.rule_members(&one.id, Page::first(10)).await?;
    assert_eq!(page, [(guest.clone(), group.clone())]);
    let noted = async || {
        Ok::<_, crate::StoreError>(store.group(&group).await?.map(|group| group.last_membership_updated))
    };
    assert_eq!(noted().await?, Some(world.after(1)));

    store.commit(Batch::new(world.after(2), vec![not_by(&one)])).await?;
    assert!(some(store.person(&guest).await?)?.is_in(&group));
    assert_eq!(noted().await?, Some(world.after(1)));
    store.commit(Batch::new(world.after(3), vec![not_by(&two)])).await?;
    assert!(!some(store.person(&guest).await?)?.is_in(&group));
    assert_eq!(noted().await?, Some(world.after(3)));

    let kept =
        vec![by(&one), Change::AddMember(group.clone(), guest.clone()), not_by(&one), by(&two), not_by(&two)];
    store.commit(Batch::new(world.after(4), kept)).await?;
    assert!(some(store.person(&guest).await?)?.is_in(&group));
    store
        .commit(Batch::new(world.after(5), vec![Change::RemoveMember(group.clone(), guest.clone())]))
        .await?;
    assert_eq!(noted().await?, Some(world.after(5)));
    assert_eq!(store.rule_memberships(&guest).await?, []);
    Ok(())
}

/// Looking leaves it; of many that take it at once, at two replicas, one gets it.
pub async fn a_link_works_once(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let link = |secret: &str| OneTimeToken {
        hash: TokenHash::of(secret.as_bytes()),
        user: world.guest.id.clone(),
        purpose: OneTimePurpose::PasswordReset,
        ends: world.after(60),
    };
    let (old, new) = (link("old"), link("new"));
    let changes = vec![Change::PutOneTimeToken(old.clone()), Change::PutOneTimeToken(new.clone())];
    replicas.one.commit(Batch::new(world.now, changes)).await?;
    assert_eq!(replicas.other.one_time_token(&old.hash, world.now).await?, None);
    assert_eq!(replicas.other.one_time_token(&new.hash, world.after(60)).await?, None);
    assert_eq!(replicas.other.one_time_token(&new.hash, world.now).await?, Some(new.clone()));
    let mut takers = Vec::new();
    for _ in 0..5 {
        takers.push(replicas.one.take_one_time_token(&new.hash, world.now));
        takers.push(replicas.other.take_one_time_token(&new.hash, world.now));
    }
    let taken = together(takers).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [new]);
    Ok(())
}
