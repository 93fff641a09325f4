//! Known, and not allowed: rows 27 to 31.

use super::{Check, RBAC, SETTINGS, TOKEN, echo};
use crate::evidence::{Evidence, Person, PersonFrom, RbacEvidence};
use crate::facts::FilledMend;
use crate::judgement::{Judgement, Ruling, judgements, new_role};
use crate::place::Place;
use crate::verdict::{Found, Verdict, error, missing, note, pass, warning};

pub(super) const CHECKS: &[Check] = &[
    (27, user_prefix),
    (28, groups_prefix),
    (29, groups_spelling),
    (30, allowed_or_why_not),
    (31, exec_needs_both_verbs),
];

/// Who the person is to the cluster, and what the bindings say.
fn both(evidence: &Evidence) -> Result<(Person, &RbacEvidence), Verdict> {
    let rbac = evidence.rbac.as_ref().ok_or_else(|| missing(RBAC))?;
    match evidence.person() {
        // Without a question it is the token that is looked at.
        Some(person) if evidence.token().is_some() || !evidence.access.is_empty() => Ok((person, rbac)),
        _ if evidence.token().is_none() => Err(missing(TOKEN)),
        _ if matches!(evidence.decision, Some(Err(_))) => Err(missing("a token that the API server accepts")),
        _ => Err(missing(SETTINGS)),
    }
}

/// Groups that bindings name, but for those that Kubernetes gives.
fn own_groups(rbac: &RbacEvidence) -> Vec<(&str, &str)> {
    rbac.groups().filter(|(_, group)| !group.starts_with("system:")).collect()
}

/// What a row has to do with a question that is answered by no.
fn refusal(evidence: &Evidence, row: u8) -> Option<Found> {
    judgements(evidence).iter().find_map(|judgement| of_judgement(judgement, row))
}

fn of_judgement(judgement: &Judgement<'_>, row: u8) -> Option<Found> {
    if judgement.is_allowed()? {
        return None;
    }
    let (question, person) = (judgement.question, &judgement.person);
    let what = question.shown();
    let name = &person.user.username;
    let with_facts = |mut found: Found| {
        found.retest = Some(format!("{}{}", question.command(), person.flags()));
        found
    };
    let Some(refused) = judgement.refused() else {
        if row != 30 {
            return None;
        }
        let answer = judgement.answer()?;
        let mut found = if let Some(Ruling::Allowed(by)) = &judgement.rbac {
            let mut found =
                error(format!("roles and bindings let {name} {what} ({by}), and the API server refuses it"));
            let lines = [
                "--authorization-mode, --authorization-config: an authorizer before RBAC denies it",
                "or the roles and bindings that were given are not those of this cluster, or have changed since",
            ];
            found.mends = lines.map(at_cluster).to_vec();
            found
        } else {
            let mut found = error(format!("the API server does not let {name} {what}"));
            found.mends = vec![at_cluster(
                "to see what nearly allows it, let the doctor read roles and bindings: --admin-context, or --rbac",
            )];
            found
        };
        let said = [&answer.reason, &answer.error];
        found.upstream = said.into_iter().find(|text| !text.is_empty()).cloned();
        return Some(with_facts(found));
    };
    if let Some(only) = refused.only {
        let verb = &question.verb;
        let found = error(format!("{name} may {only} {} and not {verb}", question.resource()))
            .pair("get and create", verb.as_str())
            .fact("resource", question.resource());
        return (row == 31).then(|| with_facts(found));
    }
    let nearest = refused.near.first();
    if nearest.map_or(30, |near| near.row) != row {
        return None;
    }
    let mut found = error(match nearest {
        Some(near) => format!("nothing lets {name} {what}. Nearest: {}", near.said),
        None => format!("nothing lets {name} {what}, and no binding of theirs comes near it"),
    });
    if let Some((expected, got)) = nearest.and_then(|near| near.pair.clone()) {
        found = found.pair(expected, got);
    }
    let own = person
        .own_groups()
        .next()
        .map_or_else(|| format!("--user={name}"), |group| format!("--group={group}"));
    found.mends = match nearest {
        Some(_) => refused.near.iter().take(MENDS).map(|near| near.mend.clone()).collect(),
        None if person.from == PersonFrom::Refusal => {
            let line = format!(
                "their groups are not known: --as {name} --as-group GROUP, or their token (--token -)"
            );
            vec![FilledMend { at: Place::CommandLine.name().to_owned(), line }, new_role(question, &own)]
        }
        None => vec![new_role(question, &own)],
    };
    found.upstream = judgement.answer().map(|answer| answer.reason.clone()).filter(|it| !it.is_empty());
    Some(with_facts(found))
}

/// The likeliest ways to mend it; more confuse.
const MENDS: usize = 3;

fn at_cluster(line: &str) -> FilledMend {
    FilledMend { at: Place::ApiServerHost.name().to_owned(), line: line.to_owned() }
}

fn user_prefix(evidence: &Evidence) -> Verdict {
    if let Some(found) = refusal(evidence, 27) {
        return found.into();
    }
    let (person, rbac) = match both(evidence) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    let name = person.user.username.as_str();
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
    if let Some(found) = refusal(evidence, 28) {
        return found.into();
    }
    let (person, rbac) = match both(evidence) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    let own: Vec<_> = person.own_groups().collect();
    if own.is_empty() {
        return missing("groups in the token");
    }
    let named = own_groups(rbac);
    if let Some((binding, group)) = named.iter().find(|(_, group)| own.contains(group)) {
        return pass(format!("{binding} names the group {group}"));
    }
    let bare = |name: &str| name.rsplit([':', '#']).next().unwrap_or_default().to_owned();
    let near = named.iter().find_map(|(binding, subject)| {
        let own = own.iter().find(|own| *own != subject && bare(own) == bare(subject))?;
        Some((binding, *subject, *own))
    });
    match near {
        Some((binding, subject, own)) => {
            warning(format!("{binding} names the group with another prefix")).pair(own, subject).into()
        }
        None => pass("no binding names a group of the person under another prefix"),
    }
}

fn groups_spelling(evidence: &Evidence) -> Verdict {
    if let Some(found) = refusal(evidence, 29) {
        return found.into();
    }
    let (person, rbac) = match both(evidence) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    let own: Vec<_> = person.own_groups().collect();
    if own.is_empty() {
        return missing("groups in the token");
    }
    let named = own_groups(rbac);
    if named.iter().any(|(_, group)| own.contains(group)) {
        return pass("a binding names a group of the person");
    }
    let plain = |name: &str| name.trim_start_matches('/').to_lowercase();
    let near = named.iter().find_map(|(binding, subject)| {
        let own = own.iter().find(|own| plain(own) == plain(subject))?;
        Some((binding, *subject, *own))
    });
    if let Some((binding, subject, own)) = near {
        return warning(format!("{binding} spells the group otherwise")).pair(own, subject).into();
    }
    let of_bindings = || named.iter().map(|(_, group)| *group).collect::<Vec<_>>().join(", ");
    let ids = own.iter().filter(|group| is_an_id(group)).count();
    if ids > 0 && !named.is_empty() && !named.iter().any(|(_, group)| is_an_id(group)) {
        return warning("the token has ids for groups, and the bindings have names")
            .pair(own.join(", "), of_bindings())
            .into();
    }
    if !evidence.access.is_empty() {
        // The question says more.
        return pass("no binding spells a group of the person otherwise");
    }
    note("no binding of these names a group of the person").pair(own.join(", "), of_bindings()).into()
}

/// `8-4-4-4-12` in hexadecimal: an object id.
fn is_an_id(group: &str) -> bool {
    let lengths: Vec<_> = group.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && group.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn allowed_or_why_not(evidence: &Evidence) -> Verdict {
    if let Some(found) = refusal(evidence, 30) {
        return found.into();
    }
    if let Some(judgement) = judgements(evidence).iter().find(|judgement| judgement.differs()) {
        let reason = judgement.answer().map(|answer| answer.reason.as_str()).unwrap_or_default();
        let what = judgement.question.shown();
        let mut found = note(format!(
            "the API server lets {} {what}, and roles and bindings do not: another authorizer does (--authorization-mode, \
             --authorization-config), or other roles than these are in force",
            judgement.person.user.username
        ));
        found.upstream = Some(reason.to_owned()).filter(|it| !it.is_empty());
        return found.into();
    }
    roles_exist(evidence)
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
    if let Some(found) = refusal(evidence, 31) {
        return found.into();
    }
    if let Some(verdict) = echo::forbidden(evidence) {
        return verdict;
    }
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
