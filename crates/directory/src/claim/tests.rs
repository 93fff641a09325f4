use jiff::Timestamp;
use kubesso_ambient::SeededEntropy;
use serde_json::json;

use super::*;
use crate::group::Group;
use crate::id::{ApplicationId, GroupId, UserId};
use crate::name::{Email, GroupName, Label};
use crate::user::{User, UserProfile};

fn person(groups: &[&str]) -> Person {
    let mut profile = UserProfile::with_email(Email::parse("dev@example.com").unwrap()).unwrap();
    profile.first_name = Some("Dev".to_owned());
    profile.other.insert("department".to_owned(), "IT".into());
    let entropy = SeededEntropy::new(1);
    Person {
        user: User::new(UserId::parse("00u1").unwrap(), profile, Timestamp::UNIX_EPOCH),
        groups: groups
            .iter()
            .map(|name| {
                let name = GroupName::parse(name).unwrap();
                Group::new(GroupId::generate(&entropy), name, "", Timestamp::UNIX_EPOCH)
            })
            .collect(),
        applications: BTreeSet::new(),
    }
}

fn application() -> Application {
    let id = ApplicationId::parse("0oa1").unwrap();
    Application::native(id, Label::parse("k8s OIDC").unwrap(), Vec::new(), Timestamp::UNIX_EPOCH)
}

fn claim(name: &str, value: ClaimValue) -> Claim {
    Claim {
        id: ClaimId::parse("ocl1").unwrap(),
        server: AuthorizationServerId::parse("aus1").unwrap(),
        name: ClaimName::parse(name).unwrap(),
        status: Status::Active,
        claim_type: ClaimType::Identity,
        value,
        always_include_in_token: true,
        scopes: BTreeSet::new(),
        system: false,
    }
}

fn groups(value: &str) -> ClaimValue {
    ClaimValue::Groups(GroupFilter::new(FilterType::StartsWith, value).unwrap())
}

fn expression(text: &str) -> ClaimValue {
    ClaimValue::Expression(Expression::new(text))
}

fn scopes(text: &str) -> Vec<ScopeName> {
    crate::name::parse_scopes(text).unwrap()
}

fn values(configured: &[Claim], wanted: ClaimsFor, scope: &str, groups: &[&str]) -> Value {
    Value::Object(claims(configured, wanted, &scopes(scope), Some(&person(groups)), &application()).values)
}

#[test]
fn the_tutorials_id_token_says_who_it_is_and_which_groups_count() {
    let configured = [claim("groups", groups("k8s-"))];
    let token = values(
        &configured,
        ClaimsFor::IdToken,
        "openid email profile offline_access",
        &["k8s-restricted-users", "everybody", "k8s-admins"],
    );
    assert_eq!(
        token,
        json!({
            "email": "dev@example.com",
            "email_verified": true,
            "given_name": "Dev",
            "groups": ["k8s-admins", "k8s-restricted-users"],
            "name": "Dev",
            "preferred_username": "dev@example.com",
        })
    );
}

#[test]
fn without_the_scopes_the_token_is_bare() {
    assert_eq!(values(&[], ClaimsFor::IdToken, "openid", &["k8s-admins"]), json!({}));
    assert_eq!(values(&[], ClaimsFor::AccessToken, "openid email profile", &[]), json!({}));
}

#[test]
fn a_person_in_none_of_the_groups_gets_no_groups_claim() {
    assert_eq!(
        values(&[claim("groups", groups("k8s-"))], ClaimsFor::IdToken, "openid", &["other"]),
        json!({})
    );
}

#[test]
fn the_order_of_joining_does_not_show() {
    let configured = [claim("groups", groups(""))];
    let token = |names: &[&str]| values(&configured, ClaimsFor::IdToken, "openid", names);
    assert_eq!(token(&["b", "a", "c"]), token(&["c", "b", "a"]));
}

#[test]
fn type_status_scopes_and_inclusion_decide_where_a_claim_appears() {
    let base = || claim("x", expression("\"v\""));
    let cases = [
        ("an identity claim", base(), [true, false, true]),
        ("a resource claim", Claim { claim_type: ClaimType::Resource, ..base() }, [false, true, false]),
        ("not always included", Claim { always_include_in_token: false, ..base() }, [false, false, true]),
        ("inactive", Claim { status: Status::Inactive, ..base() }, [false; 3]),
        (
            "for a scope that was asked",
            Claim { scopes: scopes("a openid").into_iter().collect(), ..base() },
            [true, false, true],
        ),
        (
            "for a scope that was not",
            Claim { scopes: scopes("a b").into_iter().collect(), ..base() },
            [false; 3],
        ),
        (
            "with a name of the protocol's",
            Claim { name: ClaimName::parse("sub").unwrap(), ..base() },
            [false; 3],
        ),
    ];
    for (what, claim, expected) in cases {
        let appears = [ClaimsFor::IdToken, ClaimsFor::AccessToken, ClaimsFor::UserInfo]
            .map(|wanted| values(std::slice::from_ref(&claim), wanted, "openid", &[]) != json!({}));
        assert_eq!(appears, expected, "{what}");
    }
}

#[test]
fn a_configured_claim_goes_before_the_standard_one_of_that_name() {
    let token = values(&[claim("email", expression("user.id"))], ClaimsFor::IdToken, "openid email", &[]);
    assert_eq!(token["email"], "00u1");
}

#[test]
fn no_configured_claim_passes_for_one_of_the_protocols_in_whatever_case() {
    for name in ["aud", "AUD", "Exp", "i\u{17f}s", "\u{17f}ub", "_claim_names", "_CLAIM_SOURCES"] {
        let forged = claim(name, expression("\"forged\""));
        assert_eq!(values(&[forged], ClaimsFor::IdToken, "openid", &[]), json!({}), "{name}");
    }
    let own = claim("audience", expression("\"ours\""));
    assert_eq!(values(&[own], ClaimsFor::IdToken, "openid", &[]), json!({ "audience": "ours" }));
}

#[test]
fn a_claim_that_cannot_be_computed_is_left_out_and_reported() {
    let configured = [claim("bad", expression("Arrays.first(x)")), claim("good", expression("user.id"))];
    let result =
        claims(&configured, ClaimsFor::IdToken, &scopes("openid"), Some(&person(&[])), &application());
    assert_eq!(Value::Object(result.values), json!({"good": "00u1"}));
    insta::assert_snapshot!(result.problems[0], @"the claim `bad` is left out: at position 1 of the expression: there is no function `Arrays.first`; docs/languages.md lists those there are");
}

#[test]
fn a_token_without_a_person_says_nothing_of_one() {
    let configured = [
        claim("client", expression("app.clientId")),
        claim("fallback", expression("user.login ?: \"nobody\"")),
        claim("groups", groups("")),
        claim("names", expression("Groups.startsWith(\"OKTA\", \"\", 10)")),
        claim("user", expression("\"oidc:\" + user.login")),
    ];
    for wanted in [ClaimsFor::IdToken, ClaimsFor::UserInfo] {
        let result = claims(&configured, wanted, &scopes("openid email profile"), None, &application());
        assert_eq!(Value::Object(result.values), json!({"client": "0oa1", "fallback": "nobody"}));
        assert_eq!(result.problems, []);
    }
}

#[test]
fn an_application_says_which_claims_stand_in_its_id_tokens_and_userinfo_has_all() {
    let scopes = ["openid", "email", "profile"].map(|scope| ScopeName::parse(scope).unwrap());
    let configured = [
        claim("groups", groups("k8s-")),
        claim("team", ClaimValue::Expression(Expression::new("user.department"))),
    ];
    let named = |list: Option<Value>, wanted: ClaimsFor| {
        let mut application = application();
        if let Some(list) = list {
            application.other.insert("oauthClient".to_owned(), json!({ "id_token_claims": list }));
        }
        let given = claims(&configured, wanted, &scopes, Some(&person(&["k8s-admins"])), &application);
        given.values.keys().cloned().collect::<Vec<_>>()
    };
    let all = named(None, ClaimsFor::IdToken);
    for name in ["email", "email_verified", "groups", "team"] {
        assert!(all.iter().any(|one| one == name), "{name} is not in {all:?}");
    }
    assert_eq!(named(Some(json!(["groups", "email"])), ClaimsFor::IdToken), ["email", "groups"]);
    assert!(named(Some(json!([])), ClaimsFor::IdToken).is_empty());
    assert!(named(Some(json!(["nothing"])), ClaimsFor::IdToken).is_empty());
    assert_eq!(named(Some(json!([])), ClaimsFor::UserInfo), named(None, ClaimsFor::UserInfo));
    assert_eq!(named(Some(json!([])), ClaimsFor::AccessToken), named(None, ClaimsFor::AccessToken));
}
