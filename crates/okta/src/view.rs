//! Objects as Okta shows them, where more than one endpoint does.

use kubesso_directory::{Group, GroupType, User, UserStatus};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::time;

/// The id of the only type of users.
pub(crate) const USER_TYPE: &str = "otykubesso0000000000";

/// A group.
pub(crate) fn group(context: &Context, group: &Group) -> Value {
    let url = |rest: &str| context.url(&format!("/api/v1/groups/{}{rest}", group.id));
    let mut profile = group.other.clone();
    profile.insert("name".to_owned(), group.name.as_str().into());
    profile.insert("description".to_owned(), group.description.as_str().into());
    let group_type = match group.group_type {
        GroupType::Okta => "OKTA_GROUP",
        GroupType::BuiltIn => "BUILT_IN",
        GroupType::App => "APP_GROUP",
    };
    json!({
        "id": group.id.as_str(),
        "created": time::text(group.created),
        "lastUpdated": time::text(group.last_updated),
        "lastMembershipUpdated": time::text(group.last_membership_updated),
        "objectClass": ["okta:user_group"],
        "type": group_type,
        "profile": profile,
        "_links": {
            "logo": [],
            "self": { "href": url("") },
            "users": { "href": url("/users") },
            "apps": { "href": url("/apps") },
        },
    })
}

/// A user. Nothing of a password but that there is or was one.
pub(crate) fn user(context: &Context, user: &User) -> Value {
    let profile = serde_json::to_value(&user.profile).unwrap_or_else(|_| Value::Object(Map::new()));
    let mut profile = match profile {
        Value::Object(profile) => profile,
        _ => Map::new(),
    };
    for usual in ["firstName", "lastName", "mobilePhone", "secondEmail"] {
        profile.entry(usual).or_insert(Value::Null);
    }
    let mut credentials = json!({
        "emails": [{ "value": user.profile.email.as_str(), "status": "VERIFIED", "type": "PRIMARY" }],
        "provider": { "type": "OKTA", "name": "OKTA" },
    });
    if user.password_changed.is_some() {
        credentials["password"] = json!({});
    }
    json!({
        "id": user.id.as_str(),
        "status": user.status.as_str(),
        "created": time::text(user.created),
        "activated": time::or_null(user.activated),
        "statusChanged": time::or_null(user.status_changed),
        "lastLogin": time::or_null(user.last_login),
        "lastUpdated": time::text(user.last_updated),
        "passwordChanged": time::or_null(user.password_changed),
        "type": { "id": USER_TYPE },
        "profile": profile,
        "credentials": credentials,
        "_links": user_links(context, user),
    })
}

/// What can be done with the user where it stands.
fn user_links(context: &Context, user: &User) -> Value {
    use UserStatus::{
        Active, Deprovisioned, LockedOut, PasswordExpired, Provisioned, Recovery, Staged, Suspended,
    };
    let url = |rest: &str| context.url(&format!("/api/v1/users/{}{rest}", user.id));
    let mut links = Map::new();
    links.insert("self".to_owned(), json!({ "href": url("") }));
    let possible: &[(&str, &str)] = match user.status {
        Staged => &[("activate", "activate"), ("deactivate", "deactivate")],
        Provisioned => {
            &[("reactivate", "reactivate"), ("resetPassword", "reset_password"), ("deactivate", "deactivate")]
        }
        Active => &[
            ("suspend", "suspend"),
            ("resetPassword", "reset_password"),
            ("expirePassword", "expire_password"),
            ("deactivate", "deactivate"),
        ],
        Recovery | PasswordExpired => &[("resetPassword", "reset_password"), ("deactivate", "deactivate")],
        LockedOut => {
            &[("unlock", "unlock"), ("resetPassword", "reset_password"), ("deactivate", "deactivate")]
        }
        Suspended => &[("unsuspend", "unsuspend"), ("deactivate", "deactivate")],
        Deprovisioned => &[("activate", "activate")],
    };
    for (name, verb) in possible {
        let href = url(&format!("/lifecycle/{verb}"));
        links.insert((*name).to_owned(), json!({ "href": href, "method": "POST" }));
    }
    links.into()
}
