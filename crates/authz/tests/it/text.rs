//! Selectors, quoting and access reviews.

use std::collections::BTreeMap;

use kubesso_authz::review::{resource_attributes, review_status};
use kubesso_authz::selector::{FieldOperator, FieldSelector, LabelSelector};
use kubesso_authz::{Decision, Target, Verdict};
use kubesso_k8s_types::authorization::{
    FieldSelectorAttributes, FieldSelectorRequirement, LabelSelectorAttributes, ResourceAttributes,
};
use kubesso_k8s_types::meta::LabelSelectorRequirement;
use kubesso_k8s_types::{UserInfo, go};
use serde_json::json;

use crate::generate::Random;
use crate::oracle::Oracle;
use crate::request::LABEL_PARTS;

const FIELD_PARTS: [&str; 13] =
    ["metadata.name", "a", "=", "==", "!=", "!", ",", "\\", "\\,", "é", "", " ", "x=y"];

#[test]
fn selectors_are_read_as_upstream_reads_them() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(5);
    let labels: BTreeMap<String, String> =
        [("a", "b"), ("app", "web"), ("in", "notin"), ("x/y", "5"), ("b", "")]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
    let mut readable = 0;
    for _ in 0..20_000 {
        let label = random.joined(&LABEL_PARTS, 6, "");
        let field = random.joined(&FIELD_PARTS, 5, "");
        let question = json!({"op": "selectors", "label": label, "field": field, "labels": labels});
        let answer = oracle.ask(&question);
        match LabelSelector::parse(&label) {
            Ok(selector) => {
                readable += 1;
                assert_eq!(answer["matches"], selector.matches(&labels), "{question}");
            }
            Err(error) => {
                let theirs = answer["labelError"].as_str().unwrap_or_else(|| panic!("readable: {question}"));
                assert_eq!(error.to_string(), theirs, "{question}");
            }
        }
        match FieldSelector::parse(&field) {
            Ok(selector) => {
                let terms: Vec<_> = selector
                    .terms()
                    .iter()
                    .map(|term| json!({"field": term.field, "equal": term.operator == FieldOperator::Equals, "value": term.value}))
                    .collect();
                assert_eq!(answer["terms"], json!(terms), "{question}");
            }
            Err(error) => assert_eq!(answer["fieldError"], error.to_string(), "{question}"),
        }
    }
    assert!(readable > 2000, "the generator is out of balance: {readable}");
}

#[test]
fn texts_are_quoted_as_go_quotes_them() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(6);
    // All of the Basic Multilingual Plane. Rust knows a newer Unicode than Go, so a few characters that
    // Go escapes stay as they are here; never the other way round.
    let mut newer = 0;
    for start in (0..0x1_0000_u32).step_by(64) {
        let block: String = (start..start + 64).filter_map(char::from_u32).collect();
        if oracle.ask(&json!({"op": "quote", "text": block})) == go::quote(&block) {
            continue;
        }
        for c in block.chars().map(String::from) {
            let theirs = oracle.ask(&json!({"op": "quote", "text": c}));
            if theirs != go::quote(&c) {
                newer += 1;
                assert_eq!(go::quote(&c), format!("\"{c}\""), "{theirs}");
            }
        }
    }
    assert!(newer < 200, "{newer} characters differ");
    for _ in 0..200 {
        let text = random.joined(
            &["a", "\"", "\\", "\u{1}", "\u{301}", "🙂", "\u{e0001}", "\u{10ffff}", "\u{a0}", "ß"],
            8,
            "",
        );
        assert_eq!(oracle.ask(&json!({"op": "quote", "text": text})), go::quote(&text));
    }
}

const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", ""];

#[test]
fn reviews_say_which_selector_was_ignored() {
    let Some(mut oracle) = Oracle::start() else { return };
    let mut random = Random::seeded(7);
    for _ in 0..5000 {
        let requirement = |random: &mut Random| {
            let key = random.pick(&["a", "x/y", "-", ""]).to_owned();
            (key, random.pick(&OPERATORS).to_owned(), random.texts(&["a", "", "-", "é"], 2))
        };
        let fields: Vec<_> = (0..random.below(3))
            .map(|_| requirement(&mut random))
            .map(|(key, operator, values)| FieldSelectorRequirement { key, operator, values })
            .collect();
        let labels: Vec<_> = (0..random.below(3))
            .map(|_| requirement(&mut random))
            .map(|(key, operator, values)| LabelSelectorRequirement { key, operator, values })
            .collect();
        let asked = ResourceAttributes {
            version: random.pick(&["", "v1"]).to_owned(),
            field_selector: random.one_in(2).then(|| FieldSelectorAttributes {
                raw_selector: random.joined(&FIELD_PARTS, 2, ""),
                requirements: fields,
            }),
            label_selector: random.one_in(2).then(|| LabelSelectorAttributes {
                raw_selector: random.joined(&LABEL_PARTS, 2, ""),
                requirements: labels,
            }),
            ..ResourceAttributes::default()
        };
        let question = json!({"op": "review", "asked": asked});
        let answer = oracle.ask(&question);
        let status = review_status(Verdict::new(Decision::NoOpinion, ""), Some(&asked));
        assert_eq!(answer["evaluationError"], status.evaluation_error, "{question}");
        let Target::Resource(target) = resource_attributes(UserInfo::default(), &asked).target else {
            panic!("a resource")
        };
        assert_eq!(answer["version"], target.api_version);
    }
}
