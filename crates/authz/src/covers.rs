//! Does one set of rules contain another?
//! (`k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go`, `policy_compact.go`)

use kubesso_k8s_types::go;
use kubesso_k8s_types::rbac::PolicyRule;

/// What the owner's rules do not cover of the servant's, in atoms; empty means that all is covered.
///
/// Each atom must be covered by one owner rule alone: enumerating every verb never covers `*`.
pub fn covers(owner: &[PolicyRule], servant: &[PolicyRule]) -> Vec<PolicyRule> {
    servant
        .iter()
        .flat_map(breakdown)
        .filter(|atom| !owner.iter().any(|rule| rule_covers(rule, atom)))
        .collect()
}

/// The atoms of a rule: one group, resource and verb, with at most one name; or one path and verb.
pub fn breakdown(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut atoms = Vec::new();
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let atom = PolicyRule {
                    verbs: vec![verb.clone()],
                    api_groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    ..PolicyRule::default()
                };
                if rule.resource_names.is_empty() {
                    atoms.push(atom);
                } else {
                    atoms.extend(
                        rule.resource_names
                            .iter()
                            .map(|name| PolicyRule { resource_names: vec![name.clone()], ..atom.clone() }),
                    );
                }
            }
        }
    }
    for url in &rule.non_resource_urls {
        atoms.extend(rule.verbs.iter().map(|verb| PolicyRule {
            verbs: vec![verb.clone()],
            non_resource_urls: vec![url.clone()],
            ..PolicyRule::default()
        }));
    }
    atoms
}

/// Joins the verbs of rules that differ only in them and name one group, one resource and at most one
/// name; other rules come first and unchanged.
pub fn compact(rules: &[PolicyRule]) -> Vec<PolicyRule> {
    let (simple, mut compacted): (Vec<_>, Vec<_>) = rules.iter().cloned().partition(|rule| {
        rule.resource_names.len() <= 1
            && rule.non_resource_urls.is_empty()
            && rule.api_groups.len() == 1
            && rule.resources.len() == 1
    });
    let mut joined: Vec<PolicyRule> = Vec::new();
    for rule in simple {
        let same = joined.iter_mut().find(|old| {
            old.api_groups == rule.api_groups
                && old.resources == rule.resources
                && old.resource_names == rule.resource_names
        });
        match same {
            Some(old) => old.verbs.extend(rule.verbs),
            None => joined.push(rule),
        }
    }
    compacted.extend(joined);
    compacted
}

/// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as escalation messages print a rule.
pub fn compact_text(rule: &PolicyRule) -> String {
    let parts: Vec<String> = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("ResourceNames", &rule.resource_names),
        ("Verbs", &rule.verbs),
    ]
    .into_iter()
    .filter(|(_, values)| !values.is_empty())
    .map(|(name, values)| format!("{name}:{}", go::quote_list(values)))
    .collect();
    format!("{{{}}}", parts.join(", "))
}

fn rule_covers(owner: &PolicyRule, atom: &PolicyRule) -> bool {
    let names = owner.resource_names.is_empty()
        || (!atom.resource_names.is_empty() && has_all(&owner.resource_names, &atom.resource_names));
    wildcard_or_all(&owner.verbs, &atom.verbs)
        && wildcard_or_all(&owner.api_groups, &atom.api_groups)
        && atom.resources.iter().all(|resource| resource_covered(&owner.resources, resource))
        && names
        && atom.non_resource_urls.iter().all(|url| url_covered(&owner.non_resource_urls, url))
}

fn wildcard_or_all(owner: &[String], wanted: &[String]) -> bool {
    owner.iter().any(|value| value == "*") || has_all(owner, wanted)
}

fn has_all(owner: &[String], wanted: &[String]) -> bool {
    wanted.iter().all(|value| owner.contains(value))
}

fn resource_covered(owner: &[String], resource: &str) -> bool {
    owner.iter().any(|value| {
        value == "*"
            || value == resource
            || resource.split_once('/').is_some_and(|(_, sub)| value.strip_prefix("*/") == Some(sub))
    })
}

fn url_covered(owner: &[String], url: &str) -> bool {
    owner
        .iter()
        .any(|value| value == url || (value.ends_with('*') && url.starts_with(value.trim_end_matches('*'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uncovered(owner: &[PolicyRule], servant: PolicyRule) -> Vec<String> {
        covers(owner, &[servant]).iter().map(compact_text).collect()
    }

    #[test]
    fn an_atom_needs_one_rule_that_covers_it_whole() {
        let pods = |verbs: &[&str]| PolicyRule::resources(verbs, &[""], &["pods"]);
        let all = PolicyRule::resources(&["*"], &["*"], &["*"]);
        let urls = |urls: &[&str]| PolicyRule::non_resource(&["get"], urls);
        for (owner, servant, missing) in [
            (vec![all.clone()], pods(&["get"]), &[][..]),
            (vec![all.clone()], urls(&["/x"]), &[r#"{NonResourceURLs:["/x"], Verbs:["get"]}"#]),
            (vec![pods(&["get"]), pods(&["list"])], pods(&["get", "list"]), &[]),
            (
                vec![pods(&["get", "list"])],
                pods(&["*"]),
                &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["*"]}"#],
            ),
            (
                vec![PolicyRule::resources(&["get"], &[""], &["*/log"])],
                PolicyRule::resources(&["get"], &[""], &["pods/log", "pods"]),
                &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"#],
            ),
            (
                vec![PolicyRule::resources(&["get"], &[""], &["*/log/x"])],
                PolicyRule::resources(&["get"], &[""], &["pods/log/x"]),
                &[],
            ),
            (vec![pods(&["get"])], pods(&["get"]).names(&["a"]), &[]),
            (
                vec![pods(&["get"]).names(&["a"])],
                pods(&["get"]),
                &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"#],
            ),
            (
                vec![pods(&["get"]).names(&["a"])],
                pods(&["get"]).names(&["a", "b"]),
                &[r#"{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}"#],
            ),
            (vec![urls(&["/a/*"])], urls(&["/a/b", "/a/*", "/a/b*"]), &[]),
            (vec![urls(&["/a/*"])], urls(&["/a"]), &[r#"{NonResourceURLs:["/a"], Verbs:["get"]}"#]),
        ] {
            assert_eq!(uncovered(&owner, servant.clone()), missing, "{owner:?} covers {servant:?}");
        }
    }

    #[test]
    fn compacting_joins_verbs_of_one_resource_only() {
        let rules = [
            PolicyRule::resources(&["get"], &[""], &["pods"]),
            PolicyRule::resources(&["get"], &[""], &["pods"]).names(&["a"]),
            PolicyRule::non_resource(&["get"], &["/x"]),
            PolicyRule::resources(&["list"], &[""], &["pods"]),
            PolicyRule::resources(&["get"], &["", "apps"], &["pods"]),
        ];
        let texts: Vec<String> = compact(&rules).iter().map(compact_text).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        {NonResourceURLs:["/x"], Verbs:["get"]}
        {APIGroups:["" "apps"], Resources:["pods"], Verbs:["get"]}
        {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}
        {APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get"]}
        "#);
    }
}
