//! Known, and not allowed: rows 27 to 31.

use kubesso_k8s_types::UserInfo;

use super::{Check, RBAC, SETTINGS, TOKEN};
use crate::evidence::{Evidence, RbacEvidence};
use crate::verdict::{Verdict, missing, note, pass, warning};

pub(super) const CHECKS: &[Check] = &[
    (27, user_prefix),
    (28, groups_prefix),
    (29, groups_spelling),
    (30, roles_exist),
    (31, exec_needs_both_verbs),
];

/// Who the person is to the cluster, and what the bindings say.
fn both(evidence: &Evidence) -> Result<(UserInfo, &RbacEvidence), Verdict> {
    let rbac = evidence.rbac.as_ref().ok_or_else(|| missing(RBAC))?;
    if evidence.token().is_none() {
        return Err(missing(TOKEN));
    }
    match evidence.identity() {
        Some(user) => Ok((user, rbac)),
        None if matches!(evidence.decision, Some(Err(_))) => {
            Err(missing("a token that the API server accepts"))
        }
        None => Err(missing(SETTINGS)),
    }
}

fn user_prefix(evidence: &Evidence) -> Verdict {
    let (user, rbac) = match both(evidence) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    let name = user.username.as_str();
    if rbac.users().any(|(_, subject)| subject == name) {
        return pass(format!("a binding names {name}"));
    }
    // The other's name at the end of ours, behind something like a prefix; or ours at the end of the other's.
    let near = |short: &str, long: &str| {
        let prefix = long.strip_suffix(short).filter(|_| !short.is_empty());
        prefix.is_some_and(|prefix| prefix.ends_with(['#', ':', '/', '-', '.']))
    };
    match rbac.users().find(|(_, subject)| near(subject, name) || near(name, subject)) {
        Some((binding, subject)) => warning(format!("{binding} names the person with another prefix"))
            .pair(name, subject)
            .fact("user", name)
            .into(),
        None => pass("no binding names the person under another prefix"),
    }
}

fn groups_prefix(evidence: &Evidence) -> Verdict {
    let (user, rbac) = match both(evidence) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    if user.groups.is_empty() {
        return missing("groups in the token");
    }
    if let Some((binding, group)) =
        rbac.groups().find(|(_, group)| user.groups.iter().any(|own| own == group))
    {
        return pass(format!("{binding} names the group {group}"));
    }
    let bare = |name: &str| name.rsplit([':', '#']).next().unwrap_or_default().to_owned();
    let near = rbac.groups().find_map(|(binding, subject)| {
        let own = user.groups.iter().find(|own| *own != subject && bare(own) == bare(subject))?;
        Some((binding, subject, own))
    });
    match near {
        Some((binding, subject, own)) => {
            warning(format!("{binding} names the group with another prefix")).pair(own, subject).into()
        }
        None => pass("no binding names a group of the person under another prefix"),
    }
}

fn groups_spelling(evidence: &Evidence) -> Verdict {
    let (user, rbac) = match both(evidence) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    if user.groups.is_empty() {
        return missing("groups in the token");
    }
    if rbac.groups().any(|(_, group)| user.groups.iter().any(|own| own == group)) {
        return pass("a binding names a group of the person");
    }
    let plain = |name: &str| name.trim_start_matches('/').to_lowercase();
    let near = rbac.groups().find_map(|(binding, subject)| {
        let own = user.groups.iter().find(|own| plain(own) == plain(subject))?;
        Some((binding, subject, own))
    });
    if let Some((binding, subject, own)) = near {
        return warning(format!("{binding} spells the group otherwise")).pair(own, subject).into();
    }
    let ids = user.groups.iter().filter(|group| is_an_id(group)).count();
    if ids > 0 && rbac.groups().next().is_some() && !rbac.groups().any(|(_, group)| is_an_id(group)) {
        return warning("the token has ids for groups, and the bindings have names")
            .pair(
                user.groups.join(", "),
                rbac.groups().map(|(_, group)| group).collect::<Vec<_>>().join(", "),
            )
            .into();
    }
    note("no binding of these names a group of the person")
        .pair(user.groups.join(", "), rbac.groups().map(|(_, group)| group).collect::<Vec<_>>().join(", "))
        .into()
}

/// `8-4-4-4-12` in hexadecimal: an object id.
fn is_an_id(group: &str) -> bool {
    let lengths: Vec<_> = group.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && group.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn roles_exist(evidence: &Evidence) -> Verdict {
    let Some(rbac) = &evidence.rbac else { return missing(RBAC) };
    match rbac.dangling.first() {
        Some((binding, role)) => warning(format!("{binding} names {role}, which is not in the files"))
            .fact("name", role.split_once(' ').map_or(role.as_str(), |(_, name)| name))
            .into(),
        None => pass("every binding's role is there"),
    }
}

fn exec_needs_both_verbs(evidence: &Evidence) -> Verdict {
    let Some(rbac) = &evidence.rbac else { return missing(RBAC) };
    for (role, rule) in &rbac.rules {
        let Some(resource) = rule
            .resources
            .iter()
            .find(|it| ["pods/exec", "pods/attach", "pods/portforward"].contains(&it.as_str()))
        else {
            continue;
        };
        let has = |verb: &str| rule.verbs.iter().any(|it| it == verb || it == "*");
        // A rule beside it may have the other verb.
        let elsewhere = |verb: &str| {
            let same = rbac.rules.iter().filter(|(other, _)| other == role);
            same.flat_map(|(_, rule)| {
                let covers = rule.resources.iter().any(|it| it == resource || it == "*");
                rule.verbs.iter().filter(move |_| covers)
            })
            .any(|it| it == verb || it == "*")
        };
        for (there, lacking) in [("get", "create"), ("create", "get")] {
            if has(there) && !elsewhere(lacking) {
                return warning(format!("{role} allows {there} on {resource} and not {lacking}"))
                    .pair("get and create", there)
                    .fact("resource", resource.clone())
                    .into();
            }
        }
    }
    pass("roles for exec, attach and port-forward have both verbs")
}
