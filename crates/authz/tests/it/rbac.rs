//! Decisions, reasons, rules and coverage.

use kubesso_authz::{
    Attributes, Authorizer, Decision, Rbac, RbacObjects, ResourceTarget, Target, compact, compact_text,
    covers,
};
use kubesso_k8s_types::authorization::SubjectRulesReviewStatus;
use kubesso_k8s_types::go;
use kubesso_k8s_types::rbac::PolicyRule;
use serde_json::{Value, json};

use crate::generate::{
    API_GROUPS, NAMES, RESOURCES, Random, URLS, VERBS, objects, objects_json, rules, user,
};
use crate::oracle::Oracle;

fn attributes(random: &mut Random) -> Attributes {
    let target = if random.one_in(4) {
        Target::NonResource { path: random.pick(&URLS).to_owned() }
    } else {
        // Requests can hold anything that rules can, wildcards included.
        let (resource, subresource) = match random.pick(&RESOURCES).split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), subresource.to_owned()),
            None => (random.pick(&RESOURCES).to_owned(), random.pick(&["", "", "log", "*"]).to_owned()),
        };
        Target::Resource(ResourceTarget {
            namespace: random.pick(&["", "n", "n", "n", "m", "other"]).to_owned(),
            api_group: random.pick(&API_GROUPS).to_owned(),
            api_version: "v1".to_owned(),
            resource,
            subresource,
            name: random.pick(&NAMES).to_owned(),
            ..ResourceTarget::default()
        })
    };
    Attributes { user: user(random), verb: random.pick(&VERBS).to_owned(), target }
}

/// A request made from a binding's subject and a rule of its role; mostly it is allowed.
fn aimed(random: &mut Random, objects: &RbacObjects) -> Option<Attributes> {
    let mut attributes = attributes(random);
    let cluster = random.one_in(2);
    let (namespace, subjects, role) = if cluster {
        let binding = choose(random, &objects.cluster_role_bindings)?;
        ("n", &binding.subjects, &binding.role_ref)
    } else {
        let binding = choose(random, &objects.role_bindings)?;
        (binding.metadata.namespace.as_str(), &binding.subjects, &binding.role_ref)
    };
    let rules = if role.kind == "Role" {
        let mut roles = objects.roles.iter();
        &roles.find(|own| own.metadata.namespace == namespace && own.metadata.name == role.name)?.rules
    } else {
        &objects.cluster_roles.iter().find(|own| own.metadata.name == role.name)?.rules
    };
    let (subject, rule) = (choose(random, subjects)?, choose(random, rules)?);
    match subject.kind.as_str() {
        "User" => attributes.user.username.clone_from(&subject.name),
        "Group" => attributes.user.groups.push(subject.name.clone()),
        _ => {
            let own = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
            attributes.user.username = format!("system:serviceaccount:{own}:{}", subject.name);
        }
    }
    attributes.verb.clone_from(choose(random, &rule.verbs)?);
    attributes.target = if let Some(url) = choose(random, &rule.non_resource_urls) {
        Target::NonResource { path: url.replace('*', random.pick(&["", "x", "*"])) }
    } else {
        let named = choose(random, &rule.resources)?.replace('*', random.pick(&["pods", "*"]));
        let (resource, subresource) = named.split_once('/').unwrap_or((&named, ""));
        Target::Resource(ResourceTarget {
            namespace: namespace.to_owned(),
            api_group: choose(random, &rule.api_groups)?.clone(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: choose(random, &rule.resource_names).cloned().unwrap_or_default(),
            ..ResourceTarget::default()
        })
    };
    Some(attributes)
}

fn choose<'a, T>(random: &mut Random, values: &'a [T]) -> Option<&'a T> {
    values.get(random.below(values.len().max(1)))
}

fn attributes_json(attributes: &Attributes) -> Value {
    let user = json!({"username": attributes.user.username, "groups": attributes.user.groups});
    match &attributes.target {
        Target::NonResource { path } => {
            json!({"user": user, "path": {"verb": attributes.verb, "path": path}})
        }
        Target::Resource(target) => json!({"user": user, "resource": {
            "verb": attributes.verb, "namespace": target.namespace, "group": target.api_group,
            "version": target.api_version, "resource": target.resource, "subresource": target.subresource,
            "name": target.name,
        }}),
    }
}

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn sorted<T: Ord + Clone>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    values.sort();
    values
}

/// Compares one snapshot and many requests; answers how many were allowed.
fn compare(oracle: &mut Oracle, objects: RbacObjects, asked: &[Attributes]) -> usize {
    let question = json!({
        "op": "rbac",
        "objects": objects_json(&objects),
        "attributes": asked.iter().map(attributes_json).collect::<Vec<_>>(),
    });
    let answers = oracle.ask(&question);
    let rbac = Rbac::new(objects);
    let mut allowed = 0;
    for (attributes, answer) in asked.iter().zip(answers.as_array().unwrap()) {
        let verdict = rbac.authorize(attributes);
        let context = || format!("{attributes:?}\n{answer}\n{question}");
        let decision = match verdict.decision {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::NoOpinion => "noOpinion",
        };
        assert_eq!(decision, answer["decision"], "{}", context());
        assert_eq!((verdict.error.as_deref(), &answer["error"]), (None, &json!("")));

        let resolved = rbac.rules_for(&attributes.user, attributes.namespace());
        let rules: Vec<PolicyRule> = serde_json::from_value(answer["rules"].clone()).unwrap();
        assert_eq!(sorted(&resolved.rules), sorted(&rules), "{}", context());
        let mut errors: Vec<String> = resolved.errors.iter().map(ToString::to_string).collect();
        let aggregate = go::aggregate(errors.clone());
        errors.sort();
        errors.dedup();
        assert_eq!(errors, texts(&answer["errors"]), "{}", context());

        // Upstream walks maps: any of its possible reasons, and any order of errors, is the same answer.
        if verdict.is_allowed() {
            allowed += 1;
            assert!(texts(&answer["reasons"]).contains(&verdict.reason), "{}\n{}", verdict.reason, context());
        } else {
            assert_eq!(verdict.reason, aggregate.map(|errors| format!("RBAC: {errors}")).unwrap_or_default());
            assert_eq!(verdict.reason.len(), answer["reason"].as_str().unwrap().len(), "{}", context());
        }

        let review = resolved.review_status();
        let theirs: SubjectRulesReviewStatus = serde_json::from_value(answer["review"].clone()).unwrap();
        let count = |status: &SubjectRulesReviewStatus| {
            let error = status.evaluation_error.len();
            (status.resource_rules.len(), status.non_resource_rules.len(), status.incomplete, error)
        };
        assert_eq!(count(&review), count(&theirs), "{}", context());
        assert!(review.resource_rules.iter().all(|rule| theirs.resource_rules.contains(rule)));
        assert!(review.non_resource_rules.iter().all(|rule| theirs.non_resource_rules.contains(rule)));
    }
    allowed
}

#[test]
fn decisions_reasons_and_rules_are_upstreams() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(1);
    let (mut asked, mut allowed) = (0, 0);
    for _ in 0..400 {
        let objects = objects(&mut random);
        let attributes: Vec<Attributes> = (0..40)
            .map(|turn| match aimed(&mut random, &objects) {
                Some(attributes) if turn % 2 == 0 => attributes,
                _ => attributes(&mut random),
            })
            .collect();
        asked += attributes.len();
        allowed += compare(&mut oracle, objects, &attributes);
    }
    println!("{asked} decisions compared, {allowed} of them allowed");
    assert!(
        allowed > asked / 20 && allowed < asked / 2,
        "the generator is out of balance: {allowed} of {asked}"
    );
}

#[test]
fn coverage_and_its_texts_are_upstreams() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(2);
    let mut covered = 0;
    for _ in 0..5000 {
        let owner = rules(&mut random, 4);
        let mut servant = rules(&mut random, 3);
        if random.one_in(4) && !owner.is_empty() {
            servant.push(owner[random.below(owner.len())].clone());
        }
        let question = json!({"op": "covers", "owner": owner, "servant": servant});
        let answer = oracle.ask(&question);
        let missing = covers(&owner, &servant);
        let theirs: Vec<PolicyRule> = serde_json::from_value(answer["uncovered"].clone()).unwrap();
        assert_eq!(missing, theirs, "{question}");
        assert_eq!(answer["covered"], missing.is_empty());
        covered += usize::from(missing.is_empty());
        let mut lines: Vec<String> = compact(&missing).iter().map(compact_text).collect();
        lines.sort();
        lines.dedup();
        assert_eq!(lines, texts(&answer["compact"]), "{question}");
    }
    assert!(covered > 500 && covered < 4500, "the generator is out of balance: {covered}");
}
