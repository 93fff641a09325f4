//! Access reviews: their question as [`Attributes`], and a verdict as their answer
//! (`k8s.io/kubernetes/pkg/registry/authorization/util/helpers.go`).

use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::authorization::{
    FieldSelectorAttributes, LabelSelectorAttributes, NonResourceAttributes, ResourceAttributes,
    SubjectAccessReviewStatus,
};

use crate::selector::{FieldSelector, LabelSelector};
use crate::{Attributes, Decision, ResourceTarget, Target, Verdict};

/// The attributes of a question about a resource; an empty version is any.
pub fn resource_attributes(user: UserInfo, asked: &ResourceAttributes) -> Attributes {
    let text = |raw: Option<&String>| raw.cloned().unwrap_or_default();
    let version = if asked.version.is_empty() { "*" } else { &asked.version };
    let target = ResourceTarget {
        namespace: asked.namespace.clone(),
        api_group: asked.group.clone(),
        api_version: version.to_owned(),
        resource: asked.resource.clone(),
        subresource: asked.subresource.clone(),
        name: asked.name.clone(),
        field_selector: text(asked.field_selector.as_ref().map(|selector| &selector.raw_selector)),
        label_selector: text(asked.label_selector.as_ref().map(|selector| &selector.raw_selector)),
    };
    Attributes { user, verb: asked.verb.clone(), target: Target::Resource(target) }
}

/// The attributes of a question about a path.
pub fn non_resource_attributes(user: UserInfo, asked: &NonResourceAttributes) -> Attributes {
    let target = Target::NonResource { path: asked.path.clone() };
    Attributes { user, verb: asked.verb.clone(), target }
}

/// The answer. `asked` is the question about a resource, if it was one: parts of its selectors that
/// cannot be read are ignored, and that is said.
pub fn review_status(verdict: Verdict, asked: Option<&ResourceAttributes>) -> SubjectAccessReviewStatus {
    let field = asked.and_then(|asked| asked.field_selector.as_ref()).and_then(field_selector_note);
    let label = asked.and_then(|asked| asked.label_selector.as_ref()).and_then(label_selector_note);
    let notes: Vec<String> = verdict
        .error
        .into_iter()
        .chain(field.map(|how| format!("spec.resourceAttributes.fieldSelector {how} due to parse error")))
        .chain(label.map(|how| format!("spec.resourceAttributes.labelSelector {how} due to parse error")))
        .collect();
    SubjectAccessReviewStatus {
        allowed: verdict.decision == Decision::Allow,
        denied: verdict.decision == Decision::Deny,
        reason: verdict.reason,
        evaluation_error: notes.join("; "),
    }
}

/// Requirements win over the text, as upstream overwrites.
fn field_selector_note(selector: &FieldSelectorAttributes) -> Option<&'static str> {
    if selector.requirements.is_empty() {
        return FieldSelector::parse(&selector.raw_selector).is_err().then_some("ignored");
    }
    let readable = selector.requirements.iter().filter(|requirement| {
        matches!(requirement.operator.as_str(), "In" | "NotIn") && requirement.values.len() == 1
    });
    note(readable.count(), selector.requirements.len())
}

fn label_selector_note(selector: &LabelSelectorAttributes) -> Option<&'static str> {
    if selector.requirements.is_empty() {
        return LabelSelector::parse(&selector.raw_selector).is_err().then_some("ignored");
    }
    let readable = selector.requirements.iter().filter(|requirement| {
        let counts = match requirement.operator.as_str() {
            "In" | "NotIn" => !requirement.values.is_empty(),
            "Exists" | "DoesNotExist" => requirement.values.is_empty(),
            _ => false,
        };
        counts && crate::selector::is_valid_requirement(&requirement.key, &requirement.values)
    });
    note(readable.count(), selector.requirements.len())
}

fn note(readable: usize, all: usize) -> Option<&'static str> {
    match readable {
        _ if readable == all => None,
        0 => Some("ignored"),
        _ => Some("partially ignored"),
    }
}

#[cfg(test)]
mod tests {
    use kubesso_k8s_types::authorization::FieldSelectorRequirement;
    use kubesso_k8s_types::meta::LabelSelectorRequirement;

    use super::*;

    #[test]
    fn the_version_is_open_unless_given() {
        let asked = ResourceAttributes { verb: "get".to_owned(), ..ResourceAttributes::default() };
        let Target::Resource(target) = resource_attributes(UserInfo::default(), &asked).target else {
            panic!("a resource")
        };
        assert_eq!(target.api_version, "*");
    }

    #[test]
    fn selectors_that_cannot_be_read_are_mentioned() {
        let field = |raw: &str, requirements: &[(&str, &[&str])]| FieldSelectorAttributes {
            raw_selector: raw.to_owned(),
            requirements: requirements
                .iter()
                .map(|(operator, values)| FieldSelectorRequirement {
                    key: "k".to_owned(),
                    operator: (*operator).to_owned(),
                    values: values.iter().map(ToString::to_string).collect(),
                })
                .collect(),
        };
        let label = |raw: &str, requirements: &[(&str, &[&str])]| LabelSelectorAttributes {
            raw_selector: raw.to_owned(),
            requirements: requirements
                .iter()
                .map(|(operator, values)| LabelSelectorRequirement {
                    key: "k".to_owned(),
                    operator: (*operator).to_owned(),
                    values: values.iter().map(ToString::to_string).collect(),
                })
                .collect(),
        };
        for (field_selector, label_selector, error) in [
            (field("a=b", &[]), label("a", &[]), ""),
            (
                field("a", &[]),
                label("", &[]),
                "spec.resourceAttributes.fieldSelector ignored due to parse error",
            ),
            (
                field("", &[("In", &["a"]), ("In", &["a", "b"])]),
                label("", &[("In", &[]), ("Gt", &["1"])]),
                "spec.resourceAttributes.fieldSelector partially ignored due to parse error; spec.resourceAttributes.labelSelector ignored due to parse error",
            ),
            (
                field("", &[("NotIn", &["a"])]),
                label("", &[("In", &["-"]), ("Exists", &[])]),
                "spec.resourceAttributes.labelSelector partially ignored due to parse error",
            ),
        ] {
            let asked = ResourceAttributes {
                field_selector: Some(field_selector),
                label_selector: Some(label_selector),
                ..ResourceAttributes::default()
            };
            let status = review_status(Verdict::new(Decision::NoOpinion, "because"), Some(&asked));
            assert_eq!((status.allowed, status.denied, status.reason.as_str()), (false, false, "because"));
            assert_eq!(status.evaluation_error, error);
        }
    }
}
