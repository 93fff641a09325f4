use std::collections::BTreeSet;

use kubesso_ambient::SeededEntropy;

use super::*;
use crate::group::Group;
use crate::name::{Email, GroupName};
use crate::snapshot::Configuration;
use crate::user::{User, UserProfile};

fn native() -> Application {
    Application::native(
        ApplicationId::parse("0oa1").unwrap(),
        Label::parse("k8s OIDC").unwrap(),
        vec![RedirectUri::parse("http://localhost:8000").unwrap()],
        Timestamp::UNIX_EPOCH,
    )
}

fn secret(value: &ClientSecretValue, status: Status) -> ClientSecret {
    ClientSecret {
        id: ClientSecretId::parse("ocs1").unwrap(),
        hash: value.hash(),
        sealed: Sealed::from_bytes([]),
        status,
        created: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_public_client_must_use_pkce_whatever_its_setting_says() {
    let mut application = native();
    application.pkce_required = false;
    assert!(application.must_use_pkce());
    application.authentication = ClientAuthentication::ClientSecretBasic(Vec::new());
    assert!(!application.must_use_pkce());
    application.pkce_required = true;
    assert!(application.must_use_pkce());
}

#[test]
fn any_loopback_port_is_for_native_applications_only() {
    let mut application = native();
    assert!(application.may_redirect_to("http://localhost:18000"));
    assert!(application.may_redirect_after_logout_to("http://localhost:18000"));
    application.application_type = ApplicationType::Web;
    assert!(!application.may_redirect_to("http://localhost:18000"));
    assert!(application.may_redirect_to("http://localhost:8000"));
    assert!(!application.may_redirect_after_logout_to("http://localhost:18000"));
}

#[test]
fn a_client_secret_is_accepted_while_it_is_active() {
    let entropy = SeededEntropy::new(1);
    let (old, new, other) = (
        ClientSecretValue::generate(&entropy),
        ClientSecretValue::generate(&entropy),
        ClientSecretValue::generate(&entropy),
    );
    let authentication = ClientAuthentication::ClientSecretBasic(vec![
        secret(&old, Status::Inactive),
        secret(&new, Status::Active),
    ]);
    assert!(authentication.accepts_secret(&new));
    assert!(!authentication.accepts_secret(&old));
    assert!(!authentication.accepts_secret(&other));
    assert!(!ClientAuthentication::None.accepts_secret(&new));
}

#[test]
fn words_are_okta_s() {
    for grant in GrantType::ALL {
        assert_eq!(GrantType::parse(grant.as_str()), Some(grant));
        assert_eq!(serde_json::to_value(grant).unwrap(), grant.as_str());
    }
    assert_eq!(serde_json::to_value(ApplicationType::Native).unwrap(), "native");
    assert_eq!(serde_json::to_value(ResponseType::IdToken).unwrap(), "id_token");
    assert_eq!(serde_json::to_value(Status::Inactive).unwrap(), "INACTIVE");
    assert_eq!(Status::parse("ACTIVE"), Some(Status::Active));
}

#[test]
fn an_application_is_assigned_directly_or_by_the_first_group_in_priority() {
    let group = |id: &str| {
        let id = GroupId::parse(id).unwrap();
        Group::new(id.clone(), GroupName::parse(id.as_str()).unwrap(), "", Timestamp::UNIX_EPOCH)
    };
    let assigned = |group: &str, priority| {
        GroupAssignment::new(native().id, GroupId::parse(group).unwrap(), priority, Timestamp::UNIX_EPOCH)
    };
    let snapshot = Snapshot::new(Configuration {
        applications: vec![native()],
        group_assignments: vec![assigned("late", 5), assigned("early", 1)],
        ..Configuration::default()
    });
    let profile = UserProfile::with_email(Email::parse("dev@example.com").unwrap()).unwrap();
    let user = User::new(UserId::parse("00u1").unwrap(), profile, Timestamp::UNIX_EPOCH);
    let person = |groups: &[&str], direct: &[&str]| Person {
        user: user.clone(),
        groups: groups.iter().map(|id| group(id)).collect(),
        applications: direct.iter().map(|id| ApplicationId::parse(id).unwrap()).collect::<BTreeSet<_>>(),
    };
    let by = |id: &str| Some(Assignment::ByGroup(GroupId::parse(id).unwrap()));
    let cases = [
        (person(&[], &[]), None),
        (person(&["other"], &["0oa2"]), None),
        (person(&["late"], &[]), by("late")),
        (person(&["late", "early"], &[]), by("early")),
        (person(&["early"], &["0oa1"]), Some(Assignment::Direct)),
    ];
    for (person, expected) in cases {
        assert_eq!(assignment(&snapshot, &native().id, &person), expected);
    }
}
