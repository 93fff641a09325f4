//! What filters, prefixes and orders find, and in which pages.

use kubesso_ambient::SeededEntropy;
use serde_json::{Value, json};

use super::{Outcome, Replicas, World};
use crate::audit::{AuditEvent, Outcome as AuditOutcome};
use crate::filter::{AttributePath, Filter};
use crate::group::Group;
use crate::id::{AuditEventId, GroupId, UserId};
use crate::name::{Email, GroupName, Login};
use crate::query::{AuditQuery, GroupQuery, Sort, SortOrder, UserQuery};
use crate::store::{Batch, Change, Store};
use crate::user::{User, UserProfile};

/// Four people with much or nothing in their profiles, and the world's own.
async fn people(store: &dyn Store) -> Result<World, Box<dyn std::error::Error + Send + Sync>> {
    let world = World::seeded(store).await?;
    let entropy = SeededEntropy::new(5);
    let mut changes = Vec::new();
    for (login, first, last, other) in [
        (
            "zoe@corp.example",
            Some("Zoe"),
            Some("Ångström"),
            json!({"level": 3, "isRemote": true, "teams": ["Red", "Blue"]}),
        ),
        (
            "Bob@corp.example",
            Some("bob"),
            Some("Li"),
            json!({"level": 20, "teams": [], "address": {"city": "Ulm"}}),
        ),
        (
            "li@corp.example",
            None,
            Some("ANDO"),
            json!({"level": "3", "isRemote": false, "note": "50% _off\\"}),
        ),
        ("x-1@corp.example", Some("Xu"), None, json!({"teams": "red", "odd": "a\u{0}b"})),
    ] {
        let mut profile = UserProfile::with_email(Email::parse(login)?)?;
        (profile.first_name, profile.last_name) = (first.map(str::to_owned), last.map(str::to_owned));
        if let Value::Object(other) = other {
            profile.other = other;
        }
        changes.push(Change::PutUser(User::new(UserId::generate(&entropy), profile, world.after(60))));
    }
    store.commit(Batch::new(world.after(60), changes)).await?;
    Ok(world)
}

fn names(users: &[User]) -> Vec<&str> {
    let mut names: Vec<_> =
        users.iter().filter_map(|user| user.profile.login.as_str().strip_suffix("@corp.example")).collect();
    names.sort_unstable();
    names
}

/// Text whatever its case, numbers as numbers, of a list any element; what is not set equals nothing.
pub async fn a_filter_finds_people_by_what_is_in_their_profiles(replicas: &Replicas) -> Outcome {
    people(&*replicas.one).await?;
    for (filter, expected) in [
        (r#"profile.login eq "BOB@corp.example""#, &["Bob"][..]),
        (r#"profile.email sw "X-1@""#, &["x-1"]),
        (r#"profile.firstName eq "ZOE""#, &["zoe"]),
        (r#"profile.firstName sw "b""#, &["Bob"]),
        (r#"profile.lastName ew "i""#, &["Bob"]),
        (r#"profile.lastName co "ND""#, &["li"]),
        (r#"profile.lastName ge "b" and profile.login co "corp""#, &["Bob", "zoe"]),
        (r#"profile.firstName ne "Zoe" and profile.login ew "@corp.example""#, &["Bob", "li", "x-1"]),
        (r#"profile.firstName pr and profile.login ew "@corp.example""#, &["Bob", "x-1", "zoe"]),
        ("profile.level gt 2", &["Bob", "zoe"]),
        ("profile.level eq 3", &["zoe"]),
        (r#"profile.level eq "3""#, &["li", "zoe"]),
        ("profile.isRemote eq true", &["zoe"]),
        ("profile.isRemote eq false", &["li"]),
        (r#"profile.teams eq "red""#, &["x-1", "zoe"]),
        (r#"profile.teams ne "red" and profile.login co "corp.""#, &["Bob", "li"]),
        (r#"profile.address.city eq "ulm""#, &["Bob"]),
        (r#"profile.note co "0% _o""#, &["li"]),
        (r#"profile.nothing eq "a""#, &[]),
        (r#"not (profile.nothing pr) and profile.login co "corp.""#, &["Bob", "li", "x-1", "zoe"]),
        (r#"status eq "staged" and (profile.level eq 20 or profile.teams eq "blue")"#, &["Bob", "zoe"]),
        (r#"status eq "ACTIVE" and profile.login co "corp.""#, &[]),
        (r#"lastUpdated gt "2027-01-15T08:00:30Z""#, &["Bob", "li", "x-1", "zoe"]),
        (r#"lastUpdated lt "2027-01-15T08:00:30Z""#, &[]),
        (r#"activated pr and profile.login co "corp.""#, &[]),
    ] {
        let parsed = Filter::parse(filter)?;
        let wanted = UserQuery { filter: Some(&parsed), ..UserQuery::all(100) };
        let found = replicas.other.find_users(&wanted).await?;
        assert_eq!(names(&found), expected, "{filter}");
    }
    let odd = replicas.one.user_by_login(&Login::parse("x-1@corp.example")?).await?;
    assert_eq!(odd.and_then(|user| user.profile.other.get("odd").cloned()), Some(json!("a\u{0}b")));
    Ok(())
}

/// The beginning of a first name, a last name or an e-mail address.
pub async fn a_prefix_finds_people_by_their_names(replicas: &Replicas) -> Outcome {
    people(&*replicas.one).await?;
    for (prefix, expected) in [
        ("li", &["Bob", "li"][..]),
        ("AN", &["li"]),
        ("x", &["x-1"]),
        ("50%", &[]),
        ("_", &[]),
        ("nobody", &[]),
    ] {
        let wanted = UserQuery { prefix: Some(prefix), ..UserQuery::all(100) };
        assert_eq!(names(&replicas.one.find_users(&wanted).await?), expected, "{prefix}");
    }
    Ok(())
}

/// In every order and with pages of every size each one comes once; who has no name comes first.
pub async fn sorted_pages_have_everybody_once(replicas: &Replicas) -> Outcome {
    people(&*replicas.one).await?;
    let total = replicas.one.find_users(&UserQuery::all(100)).await?.len();
    for attribute in
        ["profile.firstName", "profile.login", "lastUpdated", "lastLogin", "status", "profile.level"]
    {
        for order in [SortOrder::Ascending, SortOrder::Descending] {
            let sort = Sort { attribute: AttributePath::parse(attribute)?, order };
            let all = UserQuery { sort: Some(&sort), ..UserQuery::all(100) };
            let whole: Vec<_> =
                replicas.one.find_users(&all).await?.into_iter().map(|user| user.id).collect();
            let mut paged: Vec<UserId> = Vec::new();
            loop {
                let wanted = UserQuery { sort: Some(&sort), after: paged.last(), ..UserQuery::all(3) };
                let page = replicas.one.find_users(&wanted).await?;
                if page.is_empty() {
                    break;
                }
                paged.extend(page.into_iter().map(|user| user.id));
            }
            assert_eq!(paged, whole, "{attribute} {order:?}");
            assert_eq!(paged.len(), total, "{attribute} {order:?}");
        }
    }
    let sort = Sort { attribute: AttributePath::parse("profile.firstName")?, order: SortOrder::Ascending };
    let filter = Filter::parse(r#"profile.login ew "@corp.example""#)?;
    let wanted = UserQuery { filter: Some(&filter), sort: Some(&sort), ..UserQuery::all(100) };
    let found = replicas.one.find_users(&wanted).await?;
    let firsts: Vec<_> = found.iter().map(|user| user.profile.first_name.as_deref()).collect();
    assert_eq!(firsts, [None, Some("bob"), Some("Xu"), Some("Zoe")]);
    Ok(())
}

/// Groups by filter, by the beginning of their name, by application.
pub async fn groups_are_found(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let entropy = SeededEntropy::new(6);
    let mut group =
        Group::new(GroupId::generate(&entropy), GroupName::parse("K8s-Ops")?, "on call", world.now);
    group.other.insert("floor".to_owned(), json!(4));
    replicas.one.commit(Batch::new(world.now, vec![Change::PutGroup(group.clone())])).await?;
    let filters = [
        (r#"profile.name eq "k8s-ops""#, 1),
        (r#"profile.description pr and profile.name sw "K8S-O""#, 1),
        ("profile.floor ge 4", 1),
        ("profile.floor lt 4", 0),
        (r#"type eq "BUILT_IN""#, 1),
        (r#"lastMembershipUpdated gt "2020-01-01T00:00:00Z" and id eq "nothing""#, 0),
    ];
    for (filter, number) in filters {
        let parsed = Filter::parse(filter)?;
        let wanted = GroupQuery { filter: Some(&parsed), ..GroupQuery::all(100) };
        assert_eq!(replicas.one.find_groups(&wanted).await?.len(), number, "{filter}");
    }
    let wanted = GroupQuery { prefix: Some("k8S-"), ..GroupQuery::all(100) };
    assert_eq!(replicas.one.find_groups(&wanted).await?.len(), 3);
    let wanted = GroupQuery { application: Some(&world.application.id), ..GroupQuery::all(100) };
    let assigned = replicas.one.find_groups(&wanted).await?;
    assert!(!assigned.is_empty() && !assigned.contains(&group), "{assigned:?}");
    Ok(())
}

/// By time, by words, by filter; in pages of either order.
pub async fn the_audit_trail_is_searched(replicas: &Replicas) -> Outcome {
    let world = World::seeded(&*replicas.one).await?;
    let before = world.after(500);
    let mut changes = Vec::new();
    for number in 0..10 {
        changes.push(Change::Audit(AuditEvent {
            id: AuditEventId::generate(&world.entropy),
            published: world.after(1000 + number / 2),
            event_type: "user.session.start".to_owned(),
            actor: format!("00u{number}"),
            target: (number == 3).then(|| "0oaX".to_owned()),
            outcome: if number == 7 { AuditOutcome::Failure } else { AuditOutcome::Success },
            message: "Signed In".to_owned(),
            details: serde_json::Map::new(),
        }));
    }
    replicas.one.commit(Batch::new(before, changes)).await?;
    let all = AuditQuery {
        since: world.after(1000),
        until: world.after(2000),
        filter: None,
        words: &[],
        order: SortOrder::Ascending,
        after: None,
        limit: 100,
    };
    for (words, filter, number) in [
        (&[][..], None, 10),
        (&["SIGNED", "failure"][..], None, 1),
        (&["50%"][..], None, 0),
        (&[][..], Some(r#"target.id eq "0oax""#), 1),
        (&[][..], Some(r#"outcome.result eq "SUCCESS" and published ge "2027-01-15T08:16:44Z""#), 2),
    ] {
        let words: Vec<String> = words.iter().map(|word: &&str| (*word).to_owned()).collect();
        let filter = filter.map(Filter::parse).transpose()?;
        let wanted = AuditQuery { words: &words, filter: filter.as_ref(), ..all.clone() };
        assert_eq!(replicas.one.find_audit_events(&wanted).await?.len(), number, "{words:?} {filter:?}");
    }
    for order in [SortOrder::Ascending, SortOrder::Descending] {
        let whole = replicas.one.find_audit_events(&AuditQuery { order, ..all.clone() }).await?;
        let mut paged: Vec<AuditEvent> = Vec::new();
        loop {
            let after = paged.last().map(|event| (event.published, &event.id));
            let page =
                replicas.one.find_audit_events(&AuditQuery { order, after, limit: 3, ..all.clone() }).await?;
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole);
    }
    Ok(())
}
