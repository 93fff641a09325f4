//! Who may write which RBAC object.

use kubesso_authz::escalation::Requester;
use kubesso_authz::{Rbac, RbacObjects};
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::meta::{ManagedFieldsEntry, ObjectMeta, Status};
use serde_json::{Value, json};

use crate::generate::{
    Random, cluster_role, cluster_role_binding, objects, objects_json, role, role_binding, user,
};
use crate::oracle::Oracle;

/// An old object, perhaps, and a new one that differs in nothing, in what the garbage collector changes,
/// or in anything.
fn old_and_new<T: Clone>(
    random: &mut Random,
    make: impl Fn(&mut Random) -> T,
    metadata: impl Fn(&mut T) -> &mut ObjectMeta,
) -> (Option<T>, T) {
    let old = random.one_in(2).then(|| make(random));
    let new = match &old {
        Some(old) if random.one_in(2) => {
            let mut new = old.clone();
            match random.below(3) {
                0 => metadata(&mut new).finalizers.push("example.com/wait".to_owned()),
                1 => {
                    metadata(&mut new).labels.insert("k".to_owned(), "v".to_owned());
                }
                _ => metadata(&mut new).managed_fields.push(ManagedFieldsEntry::default()),
            }
            new
        }
        _ => make(random),
    };
    (old, new)
}

fn answer(result: Result<(), Box<Status>>) -> Value {
    match result {
        Ok(()) => Value::Null,
        Err(status) => json!(status),
    }
}

/// Kind, namespace, old, new and our answer.
fn attempt(
    random: &mut Random,
    rbac: &Rbac,
    user: &UserInfo,
) -> (&'static str, &'static str, Value, Value, Value, usize) {
    let kind = random.below(4);
    let namespace = if kind < 2 { "n" } else { "" };
    let rules = rbac.rules_for(user, namespace);
    let mut errors: Vec<String> = rules.errors.iter().map(ToString::to_string).collect();
    errors.sort();
    errors.dedup();
    let who = Requester { user, authorizer: rbac, rules: &rules };
    // As in a request: the path of a POST names nothing.
    let (kind, old, new, ours) = match kind {
        0 => {
            let (old, new) = old_and_new(random, |random| role(random, "n", "a"), |role| &mut role.metadata);
            let name = if old.is_some() { "a" } else { "" };
            ("Role", json!(old), json!(new), who.check_role("n", name, old.as_ref(), &new))
        }
        1 => {
            let (old, new) =
                old_and_new(random, |random| role_binding(random, "n", "a"), |binding| &mut binding.metadata);
            let referenced = rbac.role_rules(&new.role_ref, "n");
            (
                "RoleBinding",
                json!(old),
                json!(new),
                who.check_role_binding("n", old.as_ref(), &new, referenced),
            )
        }
        2 => {
            let (old, new) =
                old_and_new(random, |random| cluster_role(random, "a"), |role| &mut role.metadata);
            let name = if old.is_some() { "a" } else { "" };
            ("ClusterRole", json!(old), json!(new), who.check_cluster_role(name, old.as_ref(), &new))
        }
        _ => {
            let (old, new) = old_and_new(
                random,
                |random| cluster_role_binding(random, "a"),
                |binding| &mut binding.metadata,
            );
            let referenced = rbac.role_rules(&new.role_ref, "");
            (
                "ClusterRoleBinding",
                json!(old),
                json!(new),
                who.check_cluster_role_binding(old.as_ref(), &new, referenced),
            )
        }
    };
    (kind, namespace, old, new, answer(ours), errors.len())
}

#[test]
fn escalation_is_refused_when_and_as_upstream_refuses() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(4);
    let (mut all, mut allowed, mut word_for_word) = (0, 0, 0);
    for _ in 0..300 {
        let objects: RbacObjects = objects(&mut random);
        let rbac = Rbac::new(objects.clone());
        let mut writes = Vec::new();
        let mut answers = Vec::new();
        for _ in 0..20 {
            let mut user = user(&mut random);
            if random.one_in(20) {
                user.groups.push("system:masters".to_owned());
            }
            let (kind, namespace, old, new, ours, errors) = attempt(&mut random, &rbac, &user);
            let user = json!({"username": user.username, "groups": user.groups});
            writes.push(json!({"user": user, "namespace": namespace, "kind": kind, "old": old, "new": new}));
            answers.push((ours, errors));
        }
        let objects = objects_json(&objects);
        let theirs = oracle.ask(&json!({"op": "escalate", "objects": objects, "writes": writes}));
        for ((write, (ours, errors)), theirs) in writes.iter().zip(answers).zip(theirs.as_array().unwrap()) {
            all += 1;
            let context = || format!("{write}\n{objects}");
            if theirs.is_null() || ours.is_null() {
                assert_eq!(ours, *theirs, "{}", context());
                allowed += 1;
                continue;
            }
            let mut theirs = theirs.clone();
            theirs["kind"] = json!("Status");
            theirs["apiVersion"] = json!("v1");
            if errors > 1 {
                // Several resolution errors come in any order.
                let cut = |status: &Value| {
                    let message = status["message"].as_str().unwrap();
                    (message.split("; resolution errors").next().unwrap().to_owned(), message.len())
                };
                assert_eq!(cut(&ours), cut(&theirs), "{}", context());
            } else {
                word_for_word += 1;
                assert_eq!(ours, theirs, "{}", context());
            }
        }
    }
    println!("{all} writes compared, {allowed} of them allowed, {word_for_word} refusals word for word");
    assert!(
        allowed > all / 10 && word_for_word > all / 10,
        "out of balance: {allowed}, {word_for_word} of {all}"
    );
}
