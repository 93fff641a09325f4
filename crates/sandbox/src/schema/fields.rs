//! Reading an object as Go's decoder does: which fields it does not know, which values have the wrong type.
//!
//! Source of the texts: sigs.k8s.io/json and apimachinery `runtime/serializer/json`, recorded from kube-apiserver
//! 1.36.3. Fields are visited in alphabetical order, which is the order in which kubectl sends them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesso_k8s_types::go::json_kind;
use serde_json::Value;

use super::{SchemaNode, Shape, quantity, time};
use crate::catalog::ResourceType;

/// The query parameter `fieldValidation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Unknown fields are dropped without a word.
    Ignore,
    /// Unknown fields are dropped, with a warning each.
    #[default]
    Warn,
    /// An unknown field refuses the request.
    Strict,
}

impl FieldValidation {
    /// The value of the query parameter: `Ignore`, `Warn`, `Strict`; empty means [`Self::Warn`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "Ignore" => Some(Self::Ignore),
            "" | "Warn" => Some(Self::Warn),
            "Strict" => Some(Self::Strict),
            _ => None,
        }
    }
}

/// What is wrong with the fields of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldReport {
    /// Texts for `Warning` headers, when unknown fields are to be warned of.
    pub(crate) warnings: Vec<String>,
    /// Why the object cannot be read, as Go's decoder says it; the caller puts
    /// `<kind> in version "<version>" cannot be handled as a <kind>: ` before it.
    pub(crate) error: Option<String>,
}

/// Reads an object with the eyes of its kind.
///
/// A value of the wrong type is an error whatever `validation` says.
pub(crate) fn validate(resource: &ResourceType, object: &Value, validation: FieldValidation) -> FieldReport {
    let Some(node) = SchemaNode::of(resource) else { return FieldReport::default() };
    let mut reader = Reader::default();
    reader.read(node, object, node.go_name().unwrap_or_default());
    if let Some(error) = reader.mismatch {
        return FieldReport { warnings: Vec::new(), error: Some(error) };
    }
    let warnings: Vec<String> = reader
        .unknown
        .iter()
        .map(|path| format!("unknown field {}", kubesso_k8s_types::go::quote(path)))
        .collect();
    match validation {
        FieldValidation::Ignore => FieldReport::default(),
        FieldValidation::Warn => FieldReport { warnings, error: None },
        FieldValidation::Strict if warnings.is_empty() => FieldReport::default(),
        FieldValidation::Strict => FieldReport {
            error: Some(format!("strict decoding error: {}", warnings.join(", "))),
            warnings: Vec::new(),
        },
    }
}

/// Brings an object into the form in which Go writes it back: unknown fields, nulls and empty lists and maps go,
/// quantities and moments become canonical.
pub(crate) fn prune(resource: &ResourceType, object: &mut Value) {
    if let Some(node) = SchemaNode::of(resource) {
        prune_node(node, object);
    }
}

fn prune_node(node: SchemaNode, value: &mut Value) {
    match (node.shape(), value) {
        (Shape::Struct, Value::Object(fields)) => {
            fields.retain(|name, value| {
                let Some(field) = node.field(name) else { return false };
                if value.is_null() {
                    return false;
                }
                prune_node(field, value);
                !is_left_out(node, name, field, value) || node.is_required(name)
            });
        }
        (Shape::Map, Value::Object(entries)) => {
            if let Some(node) = node.additional() {
                entries.values_mut().for_each(|value| {
                    if value.is_null() {
                        *value = zero(node);
                    }
                    prune_node(node, value);
                });
            }
        }
        (Shape::Array, Value::Array(elements)) => {
            if let Some(node) = node.items() {
                for value in elements {
                    if value.is_null() {
                        *value = zero(node);
                    }
                    prune_node(node, value);
                }
            }
        }
        (Shape::Quantity, value) => {
            let text = match &*value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if let Some(canonical) = quantity::canonical(&text) {
                *value = Value::String(canonical);
            }
        }
        (Shape::Time, Value::String(text)) => {
            if let Ok(canonical) = time::canonical(text, time::Precision::Seconds) {
                *text = canonical;
            }
        }
        (Shape::MicroTime, Value::String(text)) => {
            if let Ok(canonical) = time::canonical(text, time::Precision::Microseconds) {
                *text = canonical;
            }
        }
        _ => {}
    }
}

/// Go leaves out what is empty (`omitempty`), unless it is behind a pointer: an empty struct means something
/// (`emptyDir`), and so does `replicas: 0`.
fn is_left_out(parent: SchemaNode, name: &str, field: SchemaNode, value: &Value) -> bool {
    let is_empty = match (field.shape(), value) {
        (Shape::Array, Value::Array(elements)) => elements.is_empty(),
        (Shape::Map, Value::Object(entries)) => entries.is_empty(),
        (Shape::String | Shape::Bytes, Value::String(text)) => text.is_empty(),
        (Shape::Boolean, Value::Bool(value)) => !value,
        (Shape::Int32 | Shape::Int64, Value::Number(number)) => number.as_i64() == Some(0),
        _ => false,
    };
    is_empty && !parent.is_pointer(name)
}

/// Go's zero value, which stands for a null in a list or map.
fn zero(node: SchemaNode) -> Value {
    match node.shape() {
        Shape::Struct | Shape::Map => Value::Object(serde_json::Map::new()),
        Shape::Boolean => Value::Bool(false),
        Shape::Int32 | Shape::Int64 | Shape::IntOrString => Value::from(0),
        Shape::String | Shape::Bytes => Value::String(String::new()),
        Shape::Quantity => Value::String("0".to_owned()),
        Shape::Array | Shape::Any | Shape::Time | Shape::MicroTime => Value::Null,
    }
}

#[derive(Default)]
struct Reader {
    /// Path with indices: `spec.containers[0].foo`.
    path: Vec<String>,
    /// Path as Go's decoder tells it: field names only.
    fields: Vec<String>,
    unknown: Vec<String>,
    mismatch: Option<String>,
}

impl Reader {
    fn read(&mut self, node: SchemaNode, value: &Value, owner: &str) {
        if value.is_null() {
            return;
        }
        match (node.shape(), value) {
            (Shape::Struct, Value::Object(fields)) => {
                let owner = node.go_name().unwrap_or(owner);
                for (name, value) in fields {
                    let dot = if self.path.is_empty() { "" } else { "." };
                    self.path.push(format!("{dot}{name}"));
                    match node.field(name) {
                        Some(field) => {
                            self.fields.push(name.clone());
                            self.read(field, value, owner);
                            self.fields.pop();
                        }
                        None => self.unknown.push(self.path.concat()),
                    }
                    self.path.pop();
                }
            }
            (Shape::Map, Value::Object(entries)) => {
                if let Some(node) = node.additional() {
                    for (key, value) in entries {
                        self.path.push(format!(".{key}"));
                        self.read(node, value, owner);
                        self.path.pop();
                    }
                }
            }
            (Shape::Array, Value::Array(elements)) => {
                if let Some(node) = node.items() {
                    for (index, value) in elements.iter().enumerate() {
                        self.path.push(format!("[{index}]"));
                        self.read(node, value, owner);
                        self.path.pop();
                    }
                }
            }
            (Shape::Bytes, Value::String(text)) => {
                if let Err(at) = base64_error(text) {
                    self.fail(|_| format!("illegal base64 data at input byte {at}"));
                }
            }
            (Shape::Quantity, value) => {
                if let Err(error) = quantity::check(value) {
                    self.fail(|_| error);
                }
            }
            (Shape::Time, Value::String(text)) => {
                if let Err(error) = time::canonical(text, time::Precision::Seconds) {
                    self.fail(|_| error);
                }
            }
            (Shape::MicroTime, Value::String(text)) => {
                if let Err(error) = time::canonical(text, time::Precision::Microseconds) {
                    self.fail(|_| error);
                }
            }
            (Shape::Any, _)
            | (Shape::String | Shape::IntOrString, Value::String(_))
            | (Shape::Boolean, Value::Bool(_)) => {}
            (Shape::Int32 | Shape::IntOrString, Value::Number(number))
                if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {}
            (Shape::Int64, Value::Number(number)) if number.as_i64().is_some() => {}
            (shape, value) => {
                let is_number = matches!(shape, Shape::Int32 | Shape::Int64 | Shape::IntOrString);
                let what = match value {
                    Value::Number(number) if is_number => format!("number {number}"),
                    other => json_kind(other).to_owned(),
                };
                let field = self.fields.last().cloned().unwrap_or_default();
                let go_type = named_type(owner, &field, shape).map_or_else(|| go_type(node), str::to_owned);
                self.fail(|fields| {
                    if fields.is_empty() {
                        format!("json: cannot unmarshal {what} into Go value of type {go_type}")
                    } else {
                        format!("json: cannot unmarshal {what} into Go struct field {owner}.{fields} of type {go_type}")
                    }
                });
            }
        }
    }

    /// Go's decoder reports the first value that does not fit.
    fn fail(&mut self, message: impl FnOnce(&str) -> String) {
        if self.mismatch.is_none() {
            self.mismatch = Some(message(&self.fields.join(".")));
        }
    }
}

/// The Go type of a place: `[]v1.Container`, `map[string]string`, `int32`.
fn go_type(node: SchemaNode) -> String {
    match node.shape() {
        Shape::Any => "interface {}".to_owned(),
        Shape::Array => format!("[]{}", node.items().map_or_else(|| "interface {}".to_owned(), go_type)),
        Shape::Boolean => "bool".to_owned(),
        Shape::Bytes => "[]uint8".to_owned(),
        Shape::Int32 | Shape::IntOrString => "int32".to_owned(),
        Shape::Int64 => "int64".to_owned(),
        Shape::Map => match node.additional().map(|node| (node.shape(), node)) {
            Some((Shape::Quantity, _)) => "v1.ResourceList".to_owned(),
            Some((_, node)) => format!("map[string]{}", go_type(node)),
            None => "map[string]interface {}".to_owned(),
        },
        Shape::MicroTime | Shape::String | Shape::Time => "string".to_owned(),
        Shape::Quantity => "resource.Quantity".to_owned(),
        Shape::Struct => match node.name().map(|name| name.rsplitn(3, '.').collect::<Vec<_>>()).as_deref() {
            Some([name, package, ..]) => format!("{package}.{name}"),
            _ => "struct {}".to_owned(),
        },
    }
}

/// Fields whose Go type has a name of its own, which the published schema does not tell.
pub(super) fn named_type(owner: &str, field: &str, shape: Shape) -> Option<&'static str> {
    Some(match (owner, field, shape) {
        ("Container", "imagePullPolicy", _) => "v1.PullPolicy",
        ("PodSpec", "restartPolicy", _) => "v1.RestartPolicy",
        ("PodSpec", "dnsPolicy", _) => "v1.DNSPolicy",
        ("PodStatus", "phase", _) => "v1.PodPhase",
        ("NamespaceStatus", "phase", _) => "v1.NamespacePhase",
        ("ContainerPort" | "ServicePort" | "EndpointPort", "protocol", _) => "v1.Protocol",
        ("ServiceSpec", "type", _) => "v1.ServiceType",
        ("ServiceSpec", "sessionAffinity", _) => "v1.ServiceAffinity",
        ("Secret", "type", _) => "v1.SecretType",
        ("DeploymentStrategy", "type", _) => "v1.DeploymentStrategyType",
        ("LabelSelectorRequirement", "operator", _) => "v1.LabelSelectorOperator",
        ("SubjectAccessReviewSpec" | "UserInfo", "extra", Shape::Array) => "v1.ExtraValue",
        ("SubjectAccessReviewSpec" | "UserInfo", "extra", Shape::Map) => "map[string]v1.ExtraValue",
        _ => return None,
    })
}

/// Where Go's base64 decoder stops: the offset of the first byte that cannot be, or of the group that is cut short.
/// It skips line ends.
pub(super) fn base64_error(text: &str) -> Result<(), usize> {
    let bare: Vec<(usize, u8)> =
        text.bytes().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')).collect();
    let letters: Vec<u8> = bare.iter().map(|(_, byte)| *byte).collect();
    if STANDARD.decode(&letters).is_ok() {
        return Ok(());
    }
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let end = text.len();
    let mut group = 0;
    for (index, (offset, byte)) in bare.iter().enumerate() {
        match byte {
            byte if is_letter(*byte) => group = (group + 1) % 4,
            b'=' if group >= 2 => {
                let padding = 4 - group;
                let rest: Vec<&(usize, u8)> = bare.iter().skip(index).collect();
                for (at, byte) in rest.iter().take(padding).map(|entry| **entry) {
                    if byte != b'=' {
                        return Err(at);
                    }
                }
                // Padding that is cut short is told at the end of the text, more than padding where it begins.
                return Err(rest.get(padding).map_or(end, |(at, _)| *at));
            }
            _ => return Err(*offset),
        }
    }
    Err(end - group)
}
