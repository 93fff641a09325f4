//! Administrators: which roles there are, what each may do, and who has them.
//!
//! The roles are Okta's standard roles, and the resources are named as in Okta's OAuth scopes, so that one table
//! decides both for people (by role) and for programs (by role **and** by scope). A role gives what its holder needs
//! and no more; in particular nobody but a super administrator can make or change administrators, also not in a
//! roundabout way, by taking over the account of one ([`AdminRole::may_change_holder_of`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ClientId, GroupId, RoleAssignmentId, UserId};
use crate::name::ScopeName;

/// What an administrator can be; Okta's standard roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AdminRole {
    /// Authorization servers.
    ApiAccessManagementAdmin,
    /// Applications and who may use them.
    AppAdmin,
    /// People, groups and the organization, not applications.
    OrgAdmin,
    /// Sees everything, changes nothing.
    ReadOnlyAdmin,
    /// Everything.
    SuperAdmin,
    /// People and their groups.
    UserAdmin,
}

/// What can be managed; named as in the scopes `okta.<resource>.read` and `okta.<resource>.manage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Tokens of the management API.
    ApiTokens,
    /// Which scopes a service application was granted.
    AppGrants,
    /// Applications and their assignments.
    Apps,
    /// Authorization servers with scopes, claims, policies, keys.
    AuthorizationServers,
    /// OAuth clients, as the roles of programs name them.
    Clients,
    /// Groups, memberships, group rules.
    Groups,
    /// The system log.
    Logs,
    /// The organization's own settings.
    Orgs,
    /// The organization's policies.
    Policies,
    /// Who is an administrator.
    Roles,
    /// The schemas of profiles.
    Schemas,
    /// Browser sessions.
    Sessions,
    /// People.
    Users,
}

/// Looking or changing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Looking.
    Read,
    /// Changing, and looking.
    Manage,
}

impl AdminRole {
    /// All of them, the mightiest first.
    pub const ALL: [Self; 6] = [
        Self::SuperAdmin,
        Self::OrgAdmin,
        Self::AppAdmin,
        Self::UserAdmin,
        Self::ApiAccessManagementAdmin,
        Self::ReadOnlyAdmin,
    ];

    /// Okta's word: `SUPER_ADMIN`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiAccessManagementAdmin => "API_ACCESS_MANAGEMENT_ADMIN",
            Self::AppAdmin => "APP_ADMIN",
            Self::OrgAdmin => "ORG_ADMIN",
            Self::ReadOnlyAdmin => "READ_ONLY_ADMIN",
            Self::SuperAdmin => "SUPER_ADMIN",
            Self::UserAdmin => "USER_ADMIN",
        }
    }

    /// What people read.
    pub fn label(self) -> &'static str {
        match self {
            Self::ApiAccessManagementAdmin => "API Access Management Administrator",
            Self::AppAdmin => "Application Administrator",
            Self::OrgAdmin => "Organization Administrator",
            Self::ReadOnlyAdmin => "Read-only Administrator",
            Self::SuperAdmin => "Super Administrator",
            Self::UserAdmin => "Group Administrator",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether the role allows `access` to `resource`.
    pub fn permits(self, resource: Resource, access: Access) -> bool {
        use Resource::{
            ApiTokens, AppGrants, Apps, AuthorizationServers, Clients, Groups, Logs, Orgs, Policies, Roles,
            Schemas, Sessions, Users,
        };
        let manages: &[Resource] = match self {
            Self::SuperAdmin => return true,
            Self::OrgAdmin => &[Groups, Logs, Orgs, Policies, Schemas, Sessions, Users],
            Self::AppAdmin => &[Apps],
            Self::UserAdmin => &[Groups, Sessions, Users],
            Self::ApiAccessManagementAdmin => &[AuthorizationServers],
            Self::ReadOnlyAdmin => &[],
        };
        if manages.contains(&resource) {
            return true;
        }
        let sees: &[Resource] = match self {
            Self::SuperAdmin => return true,
            Self::OrgAdmin | Self::ReadOnlyAdmin => &[
                ApiTokens,
                AppGrants,
                Apps,
                AuthorizationServers,
                Clients,
                Groups,
                Logs,
                Orgs,
                Policies,
                Roles,
                Schemas,
                Sessions,
                Users,
            ],
            Self::AppAdmin => &[
                AppGrants,
                AuthorizationServers,
                Clients,
                Groups,
                Logs,
                Orgs,
                Policies,
                Roles,
                Schemas,
                Users,
            ],
            Self::UserAdmin => &[Apps, Logs, Orgs, Policies, Roles, Schemas],
            Self::ApiAccessManagementAdmin => {
                &[Apps, Clients, Groups, Logs, Orgs, Policies, Roles, Schemas, Users]
            }
        };
        access == Access::Read && sees.contains(&resource)
    }

    /// Whether a holder of this role may change the account, the credentials or the groups of somebody who holds
    /// `other`. Whoever could reset the password of an administrator would be one.
    pub fn may_change_holder_of(self, other: Self) -> bool {
        match self {
            Self::SuperAdmin => true,
            Self::OrgAdmin => other != Self::SuperAdmin,
            _ => false,
        }
    }
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ApiTokens,
        Self::AppGrants,
        Self::Apps,
        Self::AuthorizationServers,
        Self::Clients,
        Self::Groups,
        Self::Logs,
        Self::Orgs,
        Self::Policies,
        Self::Roles,
        Self::Schemas,
        Self::Sessions,
        Self::Users,
    ];

    /// The middle of the scope: `authorizationServers`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiTokens => "apiTokens",
            Self::AppGrants => "appGrants",
            Self::Apps => "apps",
            Self::AuthorizationServers => "authorizationServers",
            Self::Clients => "clients",
            Self::Groups => "groups",
            Self::Logs => "logs",
            Self::Orgs => "orgs",
            Self::Policies => "policies",
            Self::Roles => "roles",
            Self::Schemas => "schemas",
            Self::Sessions => "sessions",
            Self::Users => "users",
        }
    }

    /// The scope that allows `access` to it.
    pub fn scope(self, access: Access) -> String {
        let verb = match access {
            Access::Read => "read",
            Access::Manage => "manage",
        };
        format!("okta.{}.{verb}", self.as_str())
    }

    /// What a scope of that name allows, if it is one of the management API's.
    pub fn of_scope(scope: &ScopeName) -> Option<(Self, Access)> {
        let (name, verb) = scope.as_str().strip_prefix("okta.")?.rsplit_once('.')?;
        let access = match verb {
            "read" => Access::Read,
            "manage" => Access::Manage,
            _ => return None,
        };
        Self::ALL.into_iter().find(|resource| resource.as_str() == name).map(|resource| (resource, access))
    }
}

/// Who can hold a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleHolder {
    /// A program (a service application).
    Client(ClientId),
    /// Everybody in a group.
    Group(GroupId),
    /// A person.
    User(UserId),
}

/// That somebody holds a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// The id.
    pub id: RoleAssignmentId,
    /// Who.
    pub holder: RoleHolder,
    /// What.
    pub role: AdminRole,
    /// Since when.
    pub created: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_gives_what_its_holder_needs_and_no_more() {
        use AdminRole::{ApiAccessManagementAdmin, AppAdmin, OrgAdmin, ReadOnlyAdmin, SuperAdmin, UserAdmin};
        use Resource::{ApiTokens, Apps, AuthorizationServers, Groups, Logs, Roles, Users};
        let cases = [
            (SuperAdmin, Roles, true, true),
            (SuperAdmin, ApiTokens, true, true),
            (OrgAdmin, Users, true, true),
            (OrgAdmin, Groups, true, true),
            (OrgAdmin, Apps, true, false),
            (OrgAdmin, AuthorizationServers, true, false),
            (OrgAdmin, Roles, true, false),
            (OrgAdmin, ApiTokens, true, false),
            (AppAdmin, Apps, true, true),
            (AppAdmin, Users, true, false),
            (AppAdmin, ApiTokens, false, false),
            (UserAdmin, Users, true, true),
            (UserAdmin, Groups, true, true),
            (UserAdmin, AuthorizationServers, false, false),
            (ApiAccessManagementAdmin, AuthorizationServers, true, true),
            (ApiAccessManagementAdmin, Apps, true, false),
            (ApiAccessManagementAdmin, Users, true, false),
            (ReadOnlyAdmin, Logs, true, false),
            (ReadOnlyAdmin, Users, true, false),
        ];
        for (role, resource, reads, manages) in cases {
            assert_eq!(role.permits(resource, Access::Read), reads, "{role:?} reads {resource:?}");
            assert_eq!(role.permits(resource, Access::Manage), manages, "{role:?} manages {resource:?}");
        }
        for role in AdminRole::ALL {
            assert_eq!(AdminRole::parse(role.as_str()), Some(role));
            for resource in Resource::ALL {
                let implied = !role.permits(resource, Access::Manage) || role.permits(resource, Access::Read);
                assert!(implied, "{role:?}: who manages {resource:?} sees it");
            }
            if role != SuperAdmin {
                assert!(!role.permits(Roles, Access::Manage), "{role:?} cannot make administrators");
                assert!(
                    !role.may_change_holder_of(SuperAdmin),
                    "{role:?} cannot take over a super administrator"
                );
            }
        }
    }

    #[test]
    fn a_scope_names_a_resource_and_an_access() {
        let of = |text: &str| Resource::of_scope(&ScopeName::parse(text).unwrap());
        for resource in Resource::ALL {
            for access in [Access::Read, Access::Manage] {
                assert_eq!(of(&resource.scope(access)), Some((resource, access)));
            }
        }
        for other in ["openid", "okta.users", "okta.users.write", "okta.unknown.read", "users.read"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
