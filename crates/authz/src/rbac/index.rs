//! Subject → bindings.

use std::collections::HashMap;

use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::rbac::{GROUP_KIND, SERVICE_ACCOUNT_KIND, Subject, USER_KIND};

use super::{Binding, BindingName};

/// Which bindings name whom.
///
/// A subject that is named ten thousand times has mostly the same few roles: `distinct` keeps the first
/// binding of each role only, because whether a role allows something does not depend on the binding.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Users, and service accounts under their user name.
    users: HashMap<String, SubjectBindings>,
    groups: HashMap<String, SubjectBindings>,
}

#[derive(Debug, Default)]
struct SubjectBindings {
    cluster: Scope,
    namespaces: HashMap<String, Scope>,
}

#[derive(Debug, Default)]
struct Scope {
    /// Every binding, ascending.
    all: Vec<usize>,
    /// The first binding of each role, ascending.
    distinct: Vec<Entry>,
    /// Bindings whose role is missing, ascending.
    unresolved: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    binding: usize,
    /// Position among the binding's subjects.
    subject: usize,
    role: usize,
}

/// The first binding in resolution order that allows, and its first subject that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Best {
    pub(super) binding: usize,
    pub(super) subject: usize,
}

impl Index {
    pub(super) fn new(bindings: &[Binding]) -> Self {
        let mut index = Self::default();
        // Per subject and scope, the roles already in `distinct`.
        let mut known: HashMap<(bool, String, String), Vec<usize>> = HashMap::new();
        for (position, binding) in bindings.iter().enumerate() {
            for (subject_position, subject) in binding.subjects.iter().enumerate() {
                let Some((is_group, key)) = key(subject, &binding.name) else { continue };
                let namespace = binding.name.namespace();
                let subjects = if is_group { &mut index.groups } else { &mut index.users };
                let entry = subjects.entry(key.clone()).or_default();
                let scope = match &binding.name {
                    BindingName::Cluster { .. } => &mut entry.cluster,
                    BindingName::Namespaced { .. } => {
                        entry.namespaces.entry(namespace.to_owned()).or_default()
                    }
                };
                if scope.all.last() == Some(&position) {
                    continue; // Named twice by the same binding.
                }
                scope.all.push(position);
                match &binding.role {
                    Err(_) => scope.unresolved.push(position),
                    Ok(role) => {
                        let roles = known.entry((is_group, key, scope_key(&binding.name))).or_default();
                        if !roles.contains(role) {
                            roles.push(*role);
                            scope.distinct.push(Entry {
                                binding: position,
                                subject: subject_position,
                                role: *role,
                            });
                        }
                    }
                }
            }
        }
        index
    }

    /// The best binding of the user whose role `allows`; each role is asked at most once a subject.
    pub(super) fn best(
        &self,
        user: &UserInfo,
        namespace: &str,
        allows: impl Fn(usize) -> bool,
    ) -> Option<Best> {
        let mut best: Option<Best> = None;
        for scope in self.scopes(user, namespace) {
            for entry in &scope.distinct {
                let candidate = Best { binding: entry.binding, subject: entry.subject };
                match best {
                    Some(found) if found.binding < entry.binding => break,
                    Some(found) if found.binding == entry.binding => best = Some(found.min(candidate)),
                    _ if allows(entry.role) => best = Some(candidate),
                    _ => {}
                }
            }
        }
        best
    }

    /// Every binding of the user that counts in the namespace, ascending.
    pub(super) fn bindings_of(&self, user: &UserInfo, namespace: &str) -> Vec<usize> {
        sorted(self.scopes(user, namespace).flat_map(|scope| &scope.all))
    }

    /// Those of them whose role is missing.
    pub(super) fn unresolved_bindings_of(&self, user: &UserInfo, namespace: &str) -> Vec<usize> {
        sorted(self.scopes(user, namespace).flat_map(|scope| &scope.unresolved))
    }

    fn scopes<'a>(&'a self, user: &'a UserInfo, namespace: &'a str) -> impl Iterator<Item = &'a Scope> {
        let groups = user.groups.iter().filter_map(|group| self.groups.get(group));
        self.users.get(&user.username).into_iter().chain(groups).flat_map(move |subject| {
            // A RoleBinding without namespace cannot be stored; if it were, it would count nowhere.
            let local = if namespace.is_empty() { None } else { subject.namespaces.get(namespace) };
            [Some(&subject.cluster), local].into_iter().flatten()
        })
    }
}

/// Whether anybody at all can be this subject of that binding.
pub(super) fn can_apply(subject: &Subject, binding: &BindingName) -> bool {
    key(subject, binding).is_some()
}

/// Whether it is a group, and the name to find it by. Unknown kinds are nobody, and so is a service
/// account without a namespace.
fn key(subject: &Subject, binding: &BindingName) -> Option<(bool, String)> {
    match subject.kind.as_str() {
        USER_KIND => Some((false, subject.name.clone())),
        GROUP_KIND => Some((true, subject.name.clone())),
        SERVICE_ACCOUNT_KIND => {
            let own = subject.namespace.as_str();
            let namespace = if own.is_empty() { binding.namespace() } else { own };
            let name = format!("system:serviceaccount:{namespace}:{}", subject.name);
            (!namespace.is_empty()).then_some((false, name))
        }
        _ => None,
    }
}

/// A name is never a scope: the cluster's has no leading slash.
fn scope_key(binding: &BindingName) -> String {
    match binding {
        BindingName::Cluster { .. } => String::new(),
        BindingName::Namespaced { namespace, .. } => format!("/{namespace}"),
    }
}

fn sorted<'a>(positions: impl Iterator<Item = &'a usize>) -> Vec<usize> {
    let mut positions: Vec<usize> = positions.copied().collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}
