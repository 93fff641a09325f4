//! What a caller may do, and to whom.

use std::collections::BTreeSet;

use kubesso_directory::{Access, AdminRole, GroupId, Person, Resource, RoleHolder, User};

use crate::context::Context;
use crate::error::ApiError;

/// What a caller may do. Every set of roles must allow it, and the scopes if there are any to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    roles: Vec<BTreeSet<AdminRole>>,
    scopes: Option<BTreeSet<(Resource, Access)>>,
}

impl Authority {
    /// What roles give.
    pub(crate) fn of_roles(roles: impl IntoIterator<Item = AdminRole>) -> Self {
        Self { roles: vec![roles.into_iter().collect()], scopes: None }
    }

    /// And no more than these other roles give.
    #[must_use]
    pub(crate) fn limited_by(mut self, roles: impl IntoIterator<Item = AdminRole>) -> Self {
        self.roles.push(roles.into_iter().collect());
        self
    }

    /// And no more than these scopes.
    #[must_use]
    pub(crate) fn within(mut self, scopes: BTreeSet<(Resource, Access)>) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Whether it gives `access` to `resource`.
    pub(crate) fn permits(&self, resource: Resource, access: Access) -> bool {
        let by_scope = self.scopes.as_ref().is_none_or(|scopes| {
            scopes.contains(&(resource, access)) || scopes.contains(&(resource, Access::Manage))
        });
        by_scope && self.roles.iter().all(|roles| roles.iter().any(|role| role.permits(resource, access)))
    }

    /// Refuses unless it gives `access` to `resource`.
    pub(crate) fn require(&self, resource: Resource, access: Access) -> Result<(), ApiError> {
        if self.permits(resource, access) {
            return Ok(());
        }
        let by_role = Self { scopes: None, ..self.clone() }.permits(resource, access);
        let scope = resource.scope(access);
        Err(if by_role {
            ApiError::insufficient_scope(
                "Bearer",
                format!(
                    "The access token lacks the scope {scope}: ask for it, and grant it to the application"
                ),
            )
        } else {
            let (verb, noun) = (if access == Access::Read { "see" } else { "manage" }, resource.as_str());
            ApiError::forbidden(format!("The caller's administrator role does not allow to {verb} {noun}"))
        })
    }

    /// Whether it is a super administrator's: only such make administrators.
    pub(crate) fn is_super_admin(&self) -> bool {
        self.roles.iter().all(|roles| roles.contains(&AdminRole::SuperAdmin))
    }

    /// Whether it gives all that `role` gives, so that the caller may hand `role` on.
    pub(crate) fn has_all_of(&self, role: AdminRole) -> bool {
        (role != AdminRole::SuperAdmin || self.is_super_admin())
            && Resource::ALL.into_iter().all(|resource| {
                [Access::Read, Access::Manage]
                    .into_iter()
                    .all(|access| !role.permits(resource, access) || self.permits(resource, access))
            })
    }

    /// Refuses unless it is a super administrator's. `what` completes "Only a super administrator may …".
    pub(crate) fn require_super_admin(&self, what: &str) -> Result<(), ApiError> {
        if self.is_super_admin() {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("Only a super administrator may {what}")))
    }

    /// Refuses if somebody has a role whose account, credentials or groups this caller must not touch.
    pub(crate) fn require_over(&self, holder: &BTreeSet<AdminRole>) -> Result<(), ApiError> {
        for other in holder {
            if !self.roles.iter().all(|roles| roles.iter().any(|role| role.may_change_holder_of(*other))) {
                return Err(ApiError::forbidden(format!(
                    "This concerns somebody who is a {}, whom the caller's role does not allow to change",
                    other.label()
                )));
            }
        }
        Ok(())
    }
}

/// The roles that a person has, directly and by groups.
pub(crate) async fn roles_of_person(
    context: &Context,
    person: &Person,
) -> Result<BTreeSet<AdminRole>, ApiError> {
    let all = context.store.roles().await?;
    Ok(all
        .into_iter()
        .filter(|assignment| match &assignment.holder {
            RoleHolder::User(id) => *id == person.user.id,
            RoleHolder::Group(id) => person.is_in(id),
            RoleHolder::Client(_) => false,
        })
        .map(|assignment| assignment.role)
        .collect())
}

/// The roles that everybody in a group has.
pub(crate) async fn roles_of_group(
    context: &Context,
    group: &GroupId,
) -> Result<BTreeSet<AdminRole>, ApiError> {
    let found = context.store.roles_of(&RoleHolder::Group(group.clone())).await?;
    Ok(found.into_iter().map(|assignment| assignment.role).collect())
}

/// Refuses a change of `user` by somebody who must not touch it.
pub(crate) async fn require_over_user(
    context: &Context,
    authority: &Authority,
    user: &User,
) -> Result<(), ApiError> {
    if authority.is_super_admin() {
        return Ok(());
    }
    let Some(person) = context.store.person(&user.id).await? else { return Ok(()) };
    authority.require_over(&roles_of_person(context, &person).await?)
}

/// Refuses a change of who is in `group`: whoever is put into a group with roles becomes an administrator.
pub(crate) async fn require_over_group(
    context: &Context,
    authority: &Authority,
    group: &GroupId,
) -> Result<(), ApiError> {
    if authority.is_super_admin() || roles_of_group(context, group).await?.is_empty() {
        return Ok(());
    }
    authority.require_super_admin("change a group that makes its members administrators")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_what_every_limit_allows() {
        use Access::{Manage, Read};
        use Resource::{Apps, Groups, Users};
        let read_groups = BTreeSet::from([(Groups, Read)]);
        let manage_groups = BTreeSet::from([(Groups, Manage)]);
        let cases = [
            (Authority::of_roles([AdminRole::OrgAdmin]), Groups, Manage, true),
            (Authority::of_roles([AdminRole::OrgAdmin]), Apps, Manage, false),
            (Authority::of_roles([AdminRole::OrgAdmin, AdminRole::AppAdmin]), Apps, Manage, true),
            (
                Authority::of_roles([AdminRole::SuperAdmin]).limited_by([AdminRole::UserAdmin]),
                Apps,
                Manage,
                false,
            ),
            (Authority::of_roles([AdminRole::SuperAdmin]).limited_by([]), Users, Read, false),
            (Authority::of_roles([AdminRole::SuperAdmin]).within(read_groups.clone()), Groups, Read, true),
            (Authority::of_roles([AdminRole::SuperAdmin]).within(read_groups.clone()), Groups, Manage, false),
            (Authority::of_roles([AdminRole::SuperAdmin]).within(manage_groups), Groups, Read, true),
            (Authority::of_roles([AdminRole::SuperAdmin]).within(read_groups), Users, Read, false),
            (Authority::of_roles([]), Groups, Read, false),
        ];
        for (authority, resource, access, expected) in cases {
            assert_eq!(
                authority.permits(resource, access),
                expected,
                "{authority:?} {resource:?} {access:?}"
            );
            assert_eq!(authority.require(resource, access).is_ok(), expected);
        }
    }
}
