//! Aggregated ClusterRoles: what kube-controller-manager's clusterrole-aggregation controller does.
//!
//! A ClusterRole with an `aggregationRule` has the rules of all ClusterRoles that its selectors choose, each
//! selector's roles by name, equal rules once; what was written into it by hand is replaced. Roles may aggregate
//! aggregated roles (`view` ⊂ `edit` ⊂ `admin`), so it goes on until nothing changes.

use std::collections::BTreeMap;

use kubesso_k8s_types::rbac::{ClusterRole, GROUP, PolicyRule};
use serde::Deserialize as _;
use serde_json::json;

use crate::storage::{Key, State, Write};

/// More rounds than any sensible nesting needs; roles that aggregate each other for ever stop here.
const MAX_ROUNDS: usize = 32;

/// The writes that make all aggregated roles what they should be.
pub(crate) fn pending(state: &State) -> Vec<Write> {
    let resource = format!("clusterroles.{GROUP}");
    let mut roles: BTreeMap<String, ClusterRole> = state
        .list(&resource, None)
        .filter_map(|stored| ClusterRole::deserialize(&stored.object).ok())
        .map(|role| (role.metadata.name.clone(), role))
        .collect();
    let before = roles.clone();
    for _ in 0..MAX_ROUNDS {
        let changes: Vec<(String, Vec<PolicyRule>)> = roles
            .values()
            .filter_map(|role| {
                let rules = aggregated(role, &roles)?;
                (rules != role.rules).then(|| (role.metadata.name.clone(), rules))
            })
            .collect();
        if changes.is_empty() {
            break;
        }
        for (name, rules) in changes {
            if let Some(role) = roles.get_mut(&name) {
                role.rules = rules;
            }
        }
    }
    roles
        .into_iter()
        .filter(|(name, role)| before.get(name).is_some_and(|before| before.rules != role.rules))
        .filter_map(|(name, role)| {
            let key = Key { resource: resource.clone(), namespace: String::new(), name };
            let mut object = state.get(&key)?.object.clone();
            object.as_object_mut()?.insert("rules".to_owned(), json!(role.rules));
            Some(Write::Put(key, object))
        })
        .collect()
}

fn aggregated(role: &ClusterRole, roles: &BTreeMap<String, ClusterRole>) -> Option<Vec<PolicyRule>> {
    let selectors = &role.aggregation_rule.as_ref()?.cluster_role_selectors;
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in selectors {
        for other in roles.values().filter(|other| other.metadata.name != role.metadata.name) {
            if selector.matches(&other.metadata.labels) {
                for rule in &other.rules {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
        }
    }
    Some(rules)
}
