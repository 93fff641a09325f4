use std::fmt::Write as _;

use kubesso_ambient::SeededEntropy;

use super::*;

fn user() -> User {
    let profile = UserProfile::with_email(Email::parse("dev@example.com").unwrap()).unwrap();
    User::new(UserId::generate(&SeededEntropy::new(1)), profile, Timestamp::UNIX_EPOCH)
}

fn now() -> Timestamp {
    Timestamp::from_second(60).unwrap()
}

type Transition = fn(User, Timestamp) -> Result<User, TransitionError>;

/// Okta's life of a user: from each status, where each transition leads (`-`: refused).
#[test]
fn each_transition_goes_from_the_statuses_that_allow_it_and_from_no_other() {
    let transitions: [(&str, Transition); 10] = [
        ("activate", User::activate),
        ("provision", User::provision),
        ("deactivate", User::deactivate),
        ("suspend", User::suspend),
        ("unsuspend", User::unsuspend),
        ("lock_out", User::lock_out),
        ("unlock", User::unlock),
        ("expire_password", User::expire_password),
        ("reset_password", User::reset_password),
        ("password_chosen", User::password_chosen),
    ];
    let mut table = String::new();
    for status in UserStatus::ALL {
        writeln!(table, "{}", status.as_str()).unwrap();
        for (name, transition) in transitions {
            match transition(User { status, ..user() }, now()) {
                Ok(after) => {
                    assert_eq!((after.status_changed, after.last_updated), (Some(now()), now()));
                    writeln!(table, "  {name} -> {}", after.status.as_str()).unwrap();
                }
                Err(error) => assert_eq!(error.from, status),
            }
        }
    }
    insta::assert_snapshot!(table, @r#"
    STAGED
      activate -> ACTIVE
      provision -> PROVISIONED
      deactivate -> DEPROVISIONED
    PROVISIONED
      activate -> ACTIVE
      deactivate -> DEPROVISIONED
      password_chosen -> ACTIVE
    ACTIVE
      deactivate -> DEPROVISIONED
      suspend -> SUSPENDED
      lock_out -> LOCKED_OUT
      expire_password -> PASSWORD_EXPIRED
      reset_password -> RECOVERY
    RECOVERY
      deactivate -> DEPROVISIONED
      reset_password -> RECOVERY
      password_chosen -> ACTIVE
    PASSWORD_EXPIRED
      deactivate -> DEPROVISIONED
      reset_password -> RECOVERY
      password_chosen -> ACTIVE
    LOCKED_OUT
      deactivate -> DEPROVISIONED
      unlock -> ACTIVE
      reset_password -> RECOVERY
    SUSPENDED
      deactivate -> DEPROVISIONED
      unsuspend -> ACTIVE
    DEPROVISIONED
      activate -> ACTIVE
      provision -> PROVISIONED
    "#);
}

#[test]
fn a_refused_transition_says_so() {
    let error = user().unsuspend(now()).unwrap_err();
    assert_eq!(error.to_string(), "a user that is STAGED cannot be unsuspended");
}

#[test]
fn the_first_activation_is_remembered() {
    let user = user().activate(now()).unwrap();
    let later = Timestamp::from_second(999).unwrap();
    let user = user.deactivate(later).unwrap().activate(later).unwrap();
    assert_eq!(user.activated, Some(now()));
}

#[test]
fn only_the_active_may_sign_in() {
    let may: Vec<_> = UserStatus::ALL.into_iter().filter(|status| status.may_sign_in()).collect();
    assert_eq!(may, [UserStatus::Active]);
    for status in UserStatus::ALL {
        assert_eq!(UserStatus::parse(status.as_str()), Some(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}

#[test]
fn a_profile_is_written_as_okta_writes_it_and_keeps_what_it_does_not_know() {
    let text = r#"{"login":"dev@example.com","email":"dev@example.com","firstName":"Dev","department":"IT"}"#;
    let profile: UserProfile = serde_json::from_str(text).unwrap();
    assert_eq!(profile.other["department"], "IT");
    assert_eq!(serde_json::to_string(&profile).unwrap(), text);
    assert!(serde_json::from_str::<UserProfile>(r#"{"login":"a b","email":"a@b"}"#).is_err());
}

#[test]
fn a_name_is_made_of_what_there_is() {
    let mut profile = user().profile;
    assert_eq!(profile.name(), None);
    profile.last_name = Some("Lovelace".to_owned());
    assert_eq!(profile.name().as_deref(), Some("Lovelace"));
    profile.first_name = Some("Ada".to_owned());
    assert_eq!(profile.name().as_deref(), Some("Ada Lovelace"));
    profile.display_name = Some("Countess".to_owned());
    assert_eq!(profile.name().as_deref(), Some("Countess"));
}
