//! Which objects a list or watch wants: label and field selectors, and the fields that a kind has for them.

use std::borrow::Cow;

use kubesso_authz::selector::{FieldOperator, FieldSelector, LabelSelector};
use serde_json::Value;

use crate::catalog::ResourceType;
use crate::object;
use crate::status::ApiError;

/// Which objects a list or watch wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Selector {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selector {
    /// Parses both query parameters; the fields must be ones that the kind can be selected by.
    pub(crate) fn parse(resource: &ResourceType, labels: &str, fields: &str) -> Result<Self, ApiError> {
        let labels =
            LabelSelector::parse(labels).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let fields =
            FieldSelector::parse(fields).map_err(|error| ApiError::bad_request(error.to_string()))?;
        for term in fields.terms() {
            check_field(resource, &term.field)?;
        }
        Ok(Self { labels, fields })
    }

    /// Whether it chooses everything.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.requirements().is_empty() && self.fields.terms().is_empty()
    }

    /// Whether it chooses the object.
    pub(crate) fn matches(&self, resource: &ResourceType, object: &Value) -> bool {
        let labels = || object::string_map(object.pointer("/metadata/labels"));
        (self.labels.requirements().is_empty() || self.labels.matches(&labels()))
            && self.fields.terms().iter().all(|term| {
                let equal = field_value(resource, object, &term.field) == term.value;
                equal == (term.operator == FieldOperator::Equals)
            })
    }
}

/// The fields beside name and namespace by which upstream's conversion functions let a kind be selected
/// (kubernetes `pkg/apis/*/v1/conversion.go`), with the path of the value.
fn selectable(resource: &ResourceType) -> &'static [(&'static str, &'static str)] {
    match (resource.group, resource.plural) {
        ("", "pods") => &[
            ("spec.nodeName", "/spec/nodeName"),
            ("spec.restartPolicy", "/spec/restartPolicy"),
            ("spec.schedulerName", "/spec/schedulerName"),
            ("spec.serviceAccountName", "/spec/serviceAccountName"),
            ("spec.hostNetwork", "/spec/hostNetwork"),
            ("status.phase", "/status/phase"),
            ("status.podIP", "/status/podIP"),
            ("status.nominatedNodeName", "/status/nominatedNodeName"),
        ],
        ("", "events") => &[
            ("involvedObject.kind", "/involvedObject/kind"),
            ("involvedObject.namespace", "/involvedObject/namespace"),
            ("involvedObject.name", "/involvedObject/name"),
            ("involvedObject.uid", "/involvedObject/uid"),
            ("involvedObject.apiVersion", "/involvedObject/apiVersion"),
            ("involvedObject.resourceVersion", "/involvedObject/resourceVersion"),
            ("involvedObject.fieldPath", "/involvedObject/fieldPath"),
            ("reason", "/reason"),
            ("reportingComponent", "/reportingComponent"),
            ("source", "/source/component"),
            ("type", "/type"),
        ],
        ("", "secrets") => &[("type", "/type")],
        ("", "namespaces") => &[("status.phase", "/status/phase")],
        ("", "nodes") => &[("spec.unschedulable", "/spec/unschedulable")],
        ("", "services") => &[("spec.clusterIP", "/spec/clusterIP"), ("spec.type", "/spec/type")],
        ("", "replicationcontrollers") | ("apps", "replicasets") => {
            &[("status.replicas", "/status/replicas")]
        }
        ("batch", "jobs") => &[("status.successful", "/status/succeeded")],
        _ => &[],
    }
}

fn check_field(resource: &ResourceType, key: &str) -> Result<(), ApiError> {
    let namespaced = key == "metadata.namespace" && resource.namespaced;
    if key == "metadata.name" || namespaced || selectable(resource).iter().any(|(known, _)| *known == key) {
        return Ok(());
    }
    // Kinds of the core group and jobs have conversion functions of their own, with a text of their own.
    let own = matches!(
        (resource.group, resource.plural),
        ("", "pods" | "events" | "secrets" | "namespaces" | "nodes" | "services" | "replicationcontrollers")
            | ("batch", "jobs")
    );
    if own {
        return Err(ApiError::bad_request(format!("field label not supported: {key}")));
    }
    if key == "metadata.namespace" {
        return Ok(());
    }
    let message =
        format!("\"{key}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
    Err(ApiError::bad_request(message))
}

/// The value as text; what is missing is the type's zero value, as in the typed objects upstream selects on.
fn field_value<'a>(resource: &ResourceType, object: &'a Value, key: &str) -> Cow<'a, str> {
    let path = match key {
        "metadata.name" => "/metadata/name",
        "metadata.namespace" => "/metadata/namespace",
        key => selectable(resource).iter().find(|(known, _)| *known == key).map_or("", |(_, path)| path),
    };
    match object.pointer(path) {
        Some(Value::String(text)) => text.into(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string().into(),
        _ => match key {
            "spec.hostNetwork" | "spec.unschedulable" => "false".into(),
            "status.replicas" | "status.successful" => "0".into(),
            "source" => object.get("reportingComponent").and_then(Value::as_str).unwrap_or_default().into(),
            _ => "".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;

    fn resource(group: &str, plural: &str) -> &'static ResourceType {
        Catalog::get().resource(group, "v1", plural).unwrap()
    }

    #[test]
    fn fields_choose_objects() {
        let pod = json!({"metadata": {"name": "a", "namespace": "d", "labels": {"app": "x"}}, "spec": {"nodeName": "n,1"}});
        for (labels, fields, chosen) in [
            ("", "", true),
            ("app=x", "metadata.name=a", true),
            ("app=y", "metadata.name=a", false),
            ("", "metadata.name!=a", false),
            ("", "metadata.name==a,metadata.namespace=d", true),
            ("", r"spec.nodeName=n\,1", true),
            ("", "spec.hostNetwork=false", true),
            ("", "status.phase=", true),
            ("", "status.phase!=Running", true),
            ("", "status.phase=Running", false),
        ] {
            let selector = Selector::parse(resource("", "pods"), labels, fields).unwrap();
            assert_eq!(selector.matches(resource("", "pods"), &pod), chosen, "{labels} {fields}");
        }
    }

    #[test]
    fn what_cannot_be_selected_by_is_refused_as_upstream_refuses_it() {
        for (group, plural, fields, message) in [
            ("", "pods", "foo=b", "field label not supported: foo"),
            ("", "nodes", "foo=b", "field label not supported: foo"),
            (
                "",
                "configmaps",
                "foo=b",
                "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            ),
            (
                "apps",
                "deployments",
                "foo=b",
                "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            ),
            ("", "configmaps", "foob", "invalid selector: 'foob'; can't understand 'foob'"),
        ] {
            let refused = Selector::parse(resource(group, plural), "", fields).unwrap_err();
            assert_eq!((refused.0.code, refused.0.message.as_str()), (400, message));
        }
    }
}
