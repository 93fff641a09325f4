//! Why a strategic merge patch has a result that is no object of its kind.
//!
//! Upstream converts such a result from its generic form instead of decoding it, so that the sentences are others than
//! those of [`super::fields`]. Source: apimachinery `pkg/runtime/converter.go`.

use serde_json::Value;

use super::fields::{base64_error, named_type};
use super::{SchemaNode, Shape, quantity, time};
use crate::catalog::ResourceType;

/// The first place at which the value does not fit, as upstream's converter tells it.
pub(crate) fn conversion_error(resource: &ResourceType, object: &Value) -> Option<String> {
    let node = SchemaNode::of(resource)?;
    convert(node, object, node.go_name().unwrap_or_default(), "").err()
}

fn convert(node: SchemaNode, value: &Value, owner: &str, field: &str) -> Result<(), String> {
    match (node.shape(), value) {
        (_, Value::Null)
        | (Shape::Any, _)
        | (Shape::Boolean, Value::Bool(_))
        | (Shape::String | Shape::IntOrString, Value::String(_)) => Ok(()),
        (Shape::Struct, Value::Object(fields)) => {
            let owner = node.go_name().unwrap_or(owner);
            fields.iter().try_for_each(|(name, value)| {
                node.field(name).map_or(Ok(()), |field| convert(field, value, owner, name))
            })
        }
        (Shape::Struct, value) => Err(format!("cannot restore struct from: {}", go_kind(value))),
        (Shape::Map, Value::Object(entries)) => {
            let values = node.additional();
            let convert = |value| values.map_or(Ok(()), |node| convert(node, value, owner, field));
            entries.values().try_for_each(convert)
        }
        (Shape::Map, value) => Err(format!("cannot restore map from {}", go_kind(value))),
        (Shape::Array, Value::Array(elements)) => {
            let items = node.items();
            let convert = |value| items.map_or(Ok(()), |node| convert(node, value, owner, field));
            elements.iter().try_for_each(convert)
        }
        (Shape::Bytes, Value::String(text)) => base64_error(text)
            .map_err(|at| format!("error decoding from json: illegal base64 data at input byte {at}")),
        (Shape::Array | Shape::Bytes, value) => Err(format!("cannot restore slice from {}", go_kind(value))),
        (Shape::Quantity, value) => quantity::check(value),
        (Shape::Time, Value::String(text)) => time::canonical(text, time::Precision::Seconds).map(|_| ()),
        (Shape::MicroTime, Value::String(text)) => {
            time::canonical(text, time::Precision::Microseconds).map(|_| ())
        }
        (Shape::Time | Shape::MicroTime, value) => {
            Err(format!("json: cannot unmarshal {} into Go value of type string", json_kind(value)))
        }
        (Shape::IntOrString, Value::Number(number)) => {
            let fits = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
            let error = || format!("json: cannot unmarshal number {number} into Go value of type int32");
            if fits { Ok(()) } else { Err(error()) }
        }
        (Shape::IntOrString, value) => {
            Err(format!("json: cannot unmarshal {} into Go value of type int32", json_kind(value)))
        }
        (shape @ (Shape::Int32 | Shape::Int64), Value::Number(number)) => {
            let whole = number.is_i64() || number.as_f64().is_some_and(|number| number.fract() == 0.0);
            let error = || format!("cannot convert float64 to {}", simple_kind(shape));
            if whole { Ok(()) } else { Err(error()) }
        }
        (shape @ Shape::String, value @ Value::Number(_)) => {
            let go_type = named_type(owner, field, shape).unwrap_or("string");
            // Go can make a text of a whole number, which is not meant; of another one it cannot.
            match go_kind(value) {
                "int64" => Err(format!("cannot convert int64 to {go_type}")),
                _ => Err("unrecognized type: string".to_owned()),
            }
        }
        (shape @ (Shape::Boolean | Shape::Int32 | Shape::Int64 | Shape::String), _) => {
            Err(format!("unrecognized type: {}", simple_kind(shape)))
        }
    }
}

fn simple_kind(shape: Shape) -> &'static str {
    match shape {
        Shape::Boolean => "bool",
        Shape::Int64 => "int64",
        Shape::Int32 => "int32",
        _ => "string",
    }
}

/// The Go kind in which the generic form holds a value.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Number(_) => "number",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        other => go_kind(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;

    /// Recorded from kube-apiserver 1.36.3.
    #[test]
    fn a_patch_that_does_not_fit_is_refused_in_upstreams_words() {
        for (group, plural, object, error) in [
            ("apps", "deployments", json!({"spec": {"replicas": "x"}}), "unrecognized type: int32"),
            ("apps", "deployments", json!({"spec": {"replicas": 1.5}}), "cannot convert float64 to int32"),
            ("apps", "deployments", json!({"spec": {"paused": 1}}), "unrecognized type: bool"),
            ("apps", "deployments", json!({"spec": "x"}), "cannot restore struct from: string"),
            (
                "apps",
                "deployments",
                json!({"metadata": {"labels": {"a": 1}}}),
                "cannot convert int64 to string",
            ),
            (
                "apps",
                "deployments",
                json!({"metadata": {"labels": {"a": true}}}),
                "unrecognized type: string",
            ),
            ("apps", "deployments", json!({"metadata": {"labels": "x"}}), "cannot restore map from string"),
            (
                "apps",
                "deployments",
                json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": true}}}}),
                "json: cannot unmarshal bool into Go value of type int32",
            ),
            (
                "",
                "secrets",
                json!({"data": {"a": "!"}}),
                "error decoding from json: illegal base64 data at input byte 0",
            ),
            ("", "secrets", json!({"data": {"a": 1}}), "cannot restore slice from int64"),
            ("", "secrets", json!({"type": 1}), "cannot convert int64 to v1.SecretType"),
        ] {
            let resource = Catalog::get().resource(group, "v1", plural).unwrap();
            assert_eq!(conversion_error(resource, &object).as_deref(), Some(error), "{object}");
        }
        let deployments = Catalog::get().resource("apps", "v1", "deployments").unwrap();
        assert_eq!(conversion_error(deployments, &json!({"spec": {"replicas": 2.0, "x": 1}})), None);
    }
}
