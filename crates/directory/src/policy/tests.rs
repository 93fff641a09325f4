use jiff::Timestamp;
use kubesso_ambient::SeededEntropy;

use super::*;
use crate::application::Application;
use crate::authorization_server::{AuthorizationServer, Scope};
use crate::group::Group;
use crate::id::ApplicationId;
use crate::name::{Audience, Email, GroupName, parse_scopes};
use crate::snapshot::{Configuration, Server, Snapshot};
use crate::user::{Person, User, UserProfile};

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn policy(name: &str, priority: u32) -> Policy {
    Policy {
        id: PolicyId::parse(name).unwrap(),
        server: AuthorizationServerId::parse("aus1").unwrap(),
        name: label(name),
        description: "x".to_owned(),
        status: Status::Active,
        priority,
        clients: PolicyClients::All,
        system: false,
        created: Timestamp::UNIX_EPOCH,
        last_updated: Timestamp::UNIX_EPOCH,
    }
}

fn rule(policy: &str, name: &str, priority: u32) -> Rule {
    Rule {
        id: RuleId::parse(&format!("{policy}.{priority}")).unwrap(),
        policy: PolicyId::parse(policy).unwrap(),
        name: label(name),
        status: Status::Active,
        priority,
        grant_types: [GrantType::AuthorizationCode].into(),
        people: RulePeople::everyone(),
        scopes: RuleScopes::Any,
        lifetimes: Lifetimes::default(),
        system: false,
        created: Timestamp::UNIX_EPOCH,
        last_updated: Timestamp::UNIX_EPOCH,
    }
}

fn server(policies: Vec<Policy>, rules: Vec<Rule>) -> Server {
    let id = AuthorizationServerId::parse("aus1").unwrap();
    let audience = Audience::parse("api").unwrap();
    let server =
        AuthorizationServer::new(id.clone(), label("k8s-auth"), vec![audience], Timestamp::UNIX_EPOCH);
    let scopes = Scope::system(&id, &SeededEntropy::new(1));
    let snapshot = Snapshot::new(Configuration {
        servers: vec![server],
        scopes,
        policies,
        rules,
        ..Configuration::default()
    });
    snapshot.server(&id).unwrap().clone()
}

fn person(groups: &[&str]) -> Person {
    let profile = UserProfile::with_email(Email::parse("dev@example.com").unwrap()).unwrap();
    let group = |name: &&str| {
        Group::new(GroupId::parse(name).unwrap(), GroupName::parse(name).unwrap(), "", Timestamp::UNIX_EPOCH)
    };
    Person {
        user: User::new(UserId::parse("00udev").unwrap(), profile, Timestamp::UNIX_EPOCH),
        groups: groups.iter().map(group).collect(),
        applications: BTreeSet::new(),
    }
}

/// `policy/rule` that decides for kubectl's request, or the refusal.
fn decided(server: &Server, person: &Person, scopes: &str) -> Result<String, String> {
    let client = ClientId::parse("kubectl").unwrap();
    let request = AccessRequest {
        client: &client,
        grant_type: GrantType::AuthorizationCode,
        person: Some(person),
        scopes: &parse_scopes(scopes).unwrap(),
    };
    decide(server, &request)
        .map(|grant| format!("{}/{}", grant.policy.name, grant.rule.name))
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn policies_and_rules_are_asked_in_the_order_of_their_priorities() {
    let server = server(
        vec![policy("second", 2), policy("first", 1)],
        vec![rule("first", "late", 9), rule("second", "x", 1), rule("first", "early", 1)],
    );
    assert_eq!(decided(&server, &person(&[]), "openid").unwrap(), "first/early");
}

#[test]
fn what_was_passed_over_before_a_rule_decided_is_told_in_order() {
    let closed = Rule { status: Status::Inactive, ..rule("first", "closed", 1) };
    let server = server(
        vec![policy("empty", 1), policy("first", 2), policy("later", 3)],
        vec![closed, rule("first", "open", 2)],
    );
    let client = ClientId::parse("kubectl").unwrap();
    let person = person(&[]);
    let request = AccessRequest {
        client: &client,
        grant_type: GrantType::AuthorizationCode,
        person: Some(&person),
        scopes: &parse_scopes("openid").unwrap(),
    };
    let (grant, passed_over) = decide_with_reasons(&server, &request).unwrap();
    assert_eq!(grant.rule.name.as_str(), "open");
    let passed_over: Vec<_> = passed_over.iter().map(ToString::to_string).collect();
    assert_eq!(
        passed_over,
        [r#"policy "empty" has no rule"#, r#"rule "closed" of policy "first" is not active"#]
    );
}

#[test]
fn what_does_not_match_is_passed_over_to_the_next_rule_and_the_next_policy() {
    let only = |clients: &[&str]| {
        PolicyClients::Only(clients.iter().map(|client| ClientId::parse(client).unwrap()).collect())
    };
    let other = || Policy { clients: only(&["other"]), ..policy("a", 1) };
    let inactive = || Policy { status: Status::Inactive, ..policy("a", 1) };
    let named = || Policy { clients: only(&["kubectl", "other"]), ..policy("a", 1) };
    let base = || rule("a", "r", 1);
    let groups = |id: &str| RuleGroups::Only([GroupId::parse(id).unwrap()].into());
    let users = |id: &str| BTreeSet::from([UserId::parse(id).unwrap()]);
    let people = |people: RulePeople| Rule { people, ..base() };
    let scopes = |text| RuleScopes::Only(parse_scopes(text).unwrap().into_iter().collect());
    let cases = [
        ("for this client", named(), base(), true),
        ("for another client", other(), base(), false),
        ("an inactive policy", inactive(), base(), false),
        ("an inactive rule", policy("a", 1), Rule { status: Status::Inactive, ..base() }, false),
        (
            "another grant",
            policy("a", 1),
            Rule { grant_types: [GrantType::DeviceCode].into(), ..base() },
            false,
        ),
        (
            "all scopes allowed",
            policy("a", 1),
            Rule { scopes: scopes("openid email groups"), ..base() },
            true,
        ),
        ("one scope not allowed", policy("a", 1), Rule { scopes: scopes("openid"), ..base() }, false),
        (
            "in an included group",
            policy("a", 1),
            people(RulePeople { include_groups: groups("devs"), ..RulePeople::everyone() }),
            true,
        ),
        (
            "in no included group",
            policy("a", 1),
            people(RulePeople { include_groups: groups("ops"), ..RulePeople::everyone() }),
            false,
        ),
        (
            "included by name, in no included group",
            policy("a", 1),
            people(RulePeople {
                include_groups: groups("ops"),
                include_users: users("00udev"),
                ..RulePeople::everyone()
            }),
            true,
        ),
        (
            "excluded by name, whatever else",
            policy("a", 1),
            people(RulePeople {
                include_users: users("00udev"),
                exclude_users: users("00udev"),
                ..RulePeople::everyone()
            }),
            false,
        ),
        (
            "in an excluded group",
            policy("a", 1),
            people(RulePeople {
                exclude_groups: [GroupId::parse("devs").unwrap()].into(),
                ..RulePeople::everyone()
            }),
            false,
        ),
    ];
    for (what, policy_under_test, rule_under_test, matches) in cases {
        let server = server(
            vec![policy_under_test, policy("fallback", 2)],
            vec![rule_under_test, rule("fallback", "r", 1)],
        );
        let expected = if matches { "a/r" } else { "fallback/r" };
        assert_eq!(decided(&server, &person(&["devs"]), "openid email").unwrap(), expected, "{what}");
    }
}

#[test]
fn a_refusal_tells_the_administrator_what_was_looked_at() {
    let mut rules =
        vec![rule("k8s_policy", "device", 1), rule("k8s_policy", "ops", 2), rule("k8s_policy", "narrow", 3)];
    rules[0].grant_types = [GrantType::DeviceCode].into();
    rules[1].people.include_groups = RuleGroups::Only([GroupId::parse("ops").unwrap()].into());
    rules[2].scopes = RuleScopes::Only(parse_scopes("openid").unwrap().into_iter().collect());
    let old = Policy { status: Status::Inactive, ..policy("old", 2) };
    let others = Policy { clients: PolicyClients::Only(BTreeSet::new()), ..policy("others", 3) };
    let full = server(vec![policy("k8s_policy", 1), old, others, policy("empty", 4)], rules);
    insta::assert_snapshot!(decided(&full, &person(&[]), "openid email").unwrap_err(), @r#"no access policy of the authorization server `k8s-auth` allows this: rule "device" of policy "k8s_policy" does not allow the grant type `authorization_code`; rule "ops" of policy "k8s_policy" includes neither the person nor a group that the person is in; rule "narrow" of policy "k8s_policy" does not allow the scope `email`; policy "old" is not active; policy "others" is not for this client; policy "empty" has no rule"#);

    insta::assert_snapshot!(decided(&server(vec![], vec![]), &person(&[]), "openid").unwrap_err(), @"no access policy of the authorization server `k8s-auth` allows this: it has no policy (add one with a rule for this client)");
    insta::assert_snapshot!(decided(&full, &person(&[]), "openid groups").unwrap_err(), @"the authorization server `k8s-auth` has no scope `groups`");
    let mut inactive = full;
    inactive.server.status = Status::Inactive;
    insta::assert_snapshot!(decided(&inactive, &person(&[]), "openid").unwrap_err(), @"the authorization server `k8s-auth` is not active");
}

#[test]
fn a_client_that_acts_for_itself_is_not_asked_for_people() {
    let mut service = rule("a", "r", 1);
    service.grant_types = [GrantType::ClientCredentials].into();
    service.people.include_groups = RuleGroups::Only(BTreeSet::new());
    let server = server(vec![policy("a", 1)], vec![service]);
    let client = ClientId::parse("service").unwrap();
    let request = AccessRequest {
        client: &client,
        grant_type: GrantType::ClientCredentials,
        person: None,
        scopes: &[],
    };
    assert!(decide(&server, &request).is_ok());
}

#[test]
fn lifetimes_are_held_to_oktas_limits() {
    let message = |access, refresh, window, id| {
        Lifetimes::new(access, refresh, window, id).map(|_| ()).map_err(|error| error.to_string())
    };
    for (access, refresh, window, id) in [
        (60, 0, 10_080, None),
        (6, 10, 7, None),
        (5, 5, 5, Some(5)),
        (1440, 2_628_000, 2_628_000, Some(1440)),
    ] {
        assert_eq!(message(access, refresh, window, id), Ok(()));
    }
    for (access, refresh, window, id) in [
        (4, 0, 10_080, None),
        (1441, 0, 10_080, None),
        (60, 59, 60, None),
        (60, 2_628_001, 60, None),
        (60, 0, 59, None),
        (60, 100, 101, None),
        (60, 0, 2_628_001, None),
        (60, 0, 60, Some(0)),
        (60, 0, 60, Some(1441)),
    ] {
        assert!(message(access, refresh, window, id).is_err(), "{access} {refresh} {window} {id:?}");
    }
    insta::assert_snapshot!(message(60, 100, 101, None).unwrap_err(), @"the refresh token window is 101 minutes: use at least the access token's 60 and at most 100");
    insta::assert_snapshot!(message(60, 59, 60, None).unwrap_err(), @"the refresh token lifetime is 59 minutes: use at least the access token's 60 and at most 2628000, or 0 for unlimited");
    assert_eq!(Lifetimes::new(60, 0, 10_080, None), Ok(Lifetimes::default()));
}

#[test]
fn the_id_token_lives_as_long_as_the_access_token_unless_the_rule_says_otherwise() {
    let id_token = |own| Lifetimes::new(6, 0, 10_080, own).unwrap().id_token().get();
    assert_eq!((id_token(None), id_token(Some(30))), (6, 30));
}

/// The tutorial's second failure: lifetimes that have no effect, and nobody says so.
#[test]
fn lifetimes_that_cannot_take_effect_are_warned_about() {
    let id = ApplicationId::parse("0oa1").unwrap();
    let kubectl = Application::native(id, label("k8s OIDC"), Vec::new(), Timestamp::UNIX_EPOCH);
    let mut cannot_refresh = kubectl.clone();
    cannot_refresh.grant_types = [GrantType::AuthorizationCode].into();
    let with = |lifetimes: Result<Lifetimes, LifetimeError>| Rule {
        lifetimes: lifetimes.unwrap(),
        ..rule("k8s_policy", "AuthCode + PKCE", 1)
    };
    let online = Rule {
        scopes: RuleScopes::Only(parse_scopes("openid email").unwrap().into_iter().collect()),
        ..with(Lifetimes::new(6, 10, 7, None))
    };
    let cases = [
        (with(Ok(Lifetimes::default())), &kubectl),
        (with(Ok(Lifetimes::default())), &cannot_refresh),
        (with(Lifetimes::new(6, 10, 7, None)), &kubectl),
        (with(Lifetimes::new(6, 10, 7, None)), &cannot_refresh),
        (online, &kubectl),
        (with(Lifetimes::new(6, 10, 7, Some(60))), &kubectl),
        (with(Lifetimes::new(6, 0, 7, Some(7))), &kubectl),
        (with(Lifetimes::new(10, 10, 10, None)), &kubectl),
    ];
    let warnings: Vec<String> = cases
        .iter()
        .map(|(rule, application)| {
            let warnings = lifetime_warnings(rule, application);
            let lines: Vec<String> = warnings.iter().map(|warning| format!("\n  {warning}")).collect();
            format!("{}:{}", application.grant_types.len(), lines.concat())
        })
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @r#"
    2:
    1:
    2:
    1:
      the refresh token lifetime and window of rule `AuthCode + PKCE` have no effect for `k8s OIDC`: its grant types lack `refresh_token`, so people go through the browser whenever the ID token ends (6 minutes), and the browser session answers until it ends; add `refresh_token` to the application's grant types
    2:
      the refresh token lifetime and window of rule `AuthCode + PKCE` have no effect: its scopes lack `offline_access`, without which no refresh token is given; add the scope, or `*`
    2:
      kubectl uses the ID token, which rule `AuthCode + PKCE` lets live for 60 minutes: the access token's 6 minutes do not shorten it
      the refresh token lifetime of rule `AuthCode + PKCE` (10 minutes) is not longer than the ID token's (60 minutes): it ends before it is needed, so people sign in each time
    2:
      kubectl uses the ID token, which rule `AuthCode + PKCE` lets live for 7 minutes: the access token's 6 minutes do not shorten it
      the refresh window of rule `AuthCode + PKCE` (7 minutes) is not longer than the ID token's lifetime (7 minutes): kubectl refreshes when the ID token ends, so nobody can refresh; lengthen the window or shorten the ID token
    2:
      the refresh token lifetime of rule `AuthCode + PKCE` (10 minutes) is not longer than the ID token's (10 minutes): it ends before it is needed, so people sign in each time
    "#);
}
