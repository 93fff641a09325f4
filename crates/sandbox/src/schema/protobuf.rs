//! Bodies in Kubernetes' protobuf encoding. kubectl sends them for everything that it writes through typed clients
//! (`kubectl create role`, `kubectl auth can-i`, …); it accepts JSON in the reply.
//!
//! The encoding: four bytes `k8s\0`, then the message `runtime.Unknown` (apimachinery `pkg/runtime/generated.proto`)
//! whose `raw` holds the object. The types come from the schema, the numbers of the fields from
//! `../data/protobuf.json`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{SchemaNode, Shape, time};

/// The media type of such a body.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";
/// Kubernetes' own types nest less than half as deep.
const MAX_DEPTH: u32 = 64;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtobufError {
    /// The four bytes at the start are not there.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    NotKubernetes,
    /// A length, a field type or a nesting that cannot be.
    #[error("proto: the message is malformed: {0}")]
    Malformed(&'static str),
    /// The message ends before it should.
    #[error("unexpected EOF")]
    Truncated,
}

/// Reads a body into the JSON form of the object, with `apiVersion` and `kind`; of a kind that is not served, only these.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let message = body.strip_prefix(MAGIC).ok_or(ProtobufError::NotKubernetes)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields(message) {
        match field? {
            (1, Wire::Bytes(type_meta)) => {
                for field in Fields(type_meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => api_version = text_of(text),
                        (2, Wire::Bytes(text)) => kind = text_of(text),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let node = SchemaNode::of_kind(group, version, &kind);
    let mut object = match node.map(|node| message_value(node, raw, 0)).transpose()? {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

/// A value on the wire.
enum Wire<'a> {
    Bytes(&'a [u8]),
    /// Skipped: no kind that is served has floating point fields.
    Fixed,
    Varint(u64),
}

/// The fields of a message in wire order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<(u64, Wire<'a>), ProtobufError> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => self.take(8).map(|_| Wire::Fixed)?,
            2 => {
                let length =
                    usize::try_from(self.varint()?).map_err(|_| ProtobufError::Malformed("a length"))?;
                Wire::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Wire::Fixed)?,
            _ => return Err(ProtobufError::Malformed("a field type")),
        };
        Ok((tag >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().ok_or(ProtobufError::Truncated)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ProtobufError::Malformed("a number"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(ProtobufError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// The numbers of a message: field name → number, or `[number, message]` for a message that JSON writes flat into the
/// object that holds it.
fn numbers(message: &str) -> Option<&'static Map<String, Value>> {
    static NUMBERS: LazyLock<Map<String, Value>> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../data/protobuf.json")).unwrap_or_default());
    NUMBERS.get(message).and_then(Value::as_object)
}

enum Place {
    Field(&'static str),
    Flat(&'static str),
}

fn place(message: &str, number: u64) -> Option<Place> {
    numbers(message)?.iter().find_map(|(name, found)| match found {
        Value::Array(pair) if pair.first().and_then(Value::as_u64) == Some(number) => {
            pair.get(1).and_then(Value::as_str).map(Place::Flat)
        }
        found if found.as_u64() == Some(number) => Some(Place::Field(name)),
        _ => None,
    })
}

/// The JSON form of a message.
fn message_value(node: SchemaNode, bytes: &[u8], depth: u32) -> Result<Value, ProtobufError> {
    match node.shape() {
        Shape::Struct => {
            let mut object = Map::new();
            read_struct(node, node.name().unwrap_or_default(), bytes, depth, &mut object)?;
            Ok(Value::Object(object))
        }
        Shape::Time => moment(bytes, time::Precision::Seconds),
        Shape::MicroTime => moment(bytes, time::Precision::Microseconds),
        Shape::Quantity => {
            let mut text = String::new();
            for field in Fields(bytes) {
                if let (1, Wire::Bytes(bytes)) = field? {
                    text = text_of(bytes);
                }
            }
            Ok(Value::String(text))
        }
        Shape::IntOrString => {
            let (mut is_text, mut number, mut text) = (false, 0, String::new());
            for field in Fields(bytes) {
                match field? {
                    (1, Wire::Varint(kind)) => is_text = kind == 1,
                    (2, Wire::Varint(value)) => number = signed(value),
                    (3, Wire::Bytes(bytes)) => text = text_of(bytes),
                    _ => {}
                }
            }
            Ok(if is_text { Value::String(text) } else { Value::from(number) })
        }
        // `FieldsV1` and `RawExtension` carry JSON.
        Shape::Any => {
            let mut json = &[][..];
            for field in Fields(bytes) {
                if let (1, Wire::Bytes(bytes)) = field? {
                    json = bytes;
                }
            }
            Ok(serde_json::from_slice(json).unwrap_or(Value::Null))
        }
        // A named list type (`authorization.ExtraValue`) is a message of its elements.
        Shape::Array => {
            let mut elements = Vec::new();
            for field in Fields(bytes) {
                if let (1, wire) = field? {
                    elements.extend(node.items().map(|items| value(items, wire, depth)).transpose()?);
                }
            }
            Ok(Value::Array(elements))
        }
        Shape::Boolean | Shape::Bytes | Shape::Int32 | Shape::Int64 | Shape::Map | Shape::String => {
            Err(ProtobufError::Malformed("a message where a plain value is due"))
        }
    }
}

fn read_struct(
    node: SchemaNode,
    message: &str,
    bytes: &[u8],
    depth: u32,
    object: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    if depth > MAX_DEPTH {
        return Err(ProtobufError::Malformed("nested too deep"));
    }
    for field in Fields(bytes) {
        let (number, wire) = field?;
        match (place(message, number), wire) {
            (Some(Place::Flat(inner)), Wire::Bytes(bytes)) => {
                read_struct(node, inner, bytes, depth + 1, object)?;
            }
            (Some(Place::Field(name)), wire) => {
                if let Some(field) = node.field(name) {
                    read_field(field, wire, depth, object.entry(name).or_insert(Value::Null))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts a value into its field: lists and maps come an element at a time.
fn read_field(field: SchemaNode, wire: Wire<'_>, depth: u32, slot: &mut Value) -> Result<(), ProtobufError> {
    match (field.shape(), field.items(), field.additional(), wire) {
        (Shape::Array, Some(items), _, wire) => {
            let element = value(items, wire, depth)?;
            match slot {
                Value::Array(elements) => elements.push(element),
                empty => *empty = Value::Array(vec![element]),
            }
        }
        (Shape::Map, _, Some(values), Wire::Bytes(entry)) => {
            let (mut key, mut found) = (String::new(), None);
            for field in Fields(entry) {
                match field? {
                    (1, Wire::Bytes(text)) => key = text_of(text),
                    (2, wire) => found = Some(map_value(values, wire, depth)?),
                    _ => {}
                }
            }
            let found = found.unwrap_or_else(|| Value::String(String::new()));
            match slot {
                Value::Object(entries) => {
                    entries.insert(key, found);
                }
                empty => *empty = Value::Object(Map::from_iter([(key, found)])),
            }
        }
        (_, _, _, wire) => *slot = value(field, wire, depth)?,
    }
    Ok(())
}

/// A list as the value of a map is a message; everywhere else the field is repeated.
fn map_value(node: SchemaNode, wire: Wire<'_>, depth: u32) -> Result<Value, ProtobufError> {
    match (node.shape(), wire) {
        (Shape::Array, Wire::Bytes(bytes)) => message_value(node, bytes, depth + 1),
        (_, wire) => value(node, wire, depth),
    }
}

fn value(node: SchemaNode, wire: Wire<'_>, depth: u32) -> Result<Value, ProtobufError> {
    Ok(match (node.shape(), wire) {
        (Shape::Boolean, Wire::Varint(number)) => Value::Bool(number != 0),
        (Shape::Int32 | Shape::Int64, Wire::Varint(number)) => Value::from(signed(number)),
        (Shape::String, Wire::Bytes(bytes)) => Value::String(text_of(bytes)),
        (Shape::Bytes, Wire::Bytes(bytes)) => Value::String(STANDARD.encode(bytes)),
        (_, Wire::Bytes(bytes)) => message_value(node, bytes, depth + 1)?,
        _ => return Err(ProtobufError::Malformed("a field of another type")),
    })
}

/// The second at which Go's zero time is: 1 January of the year 1.
const YEAR_ONE: i64 = -62_135_596_800;

/// Go writes its zero time as an empty message, or as what it is.
fn moment(bytes: &[u8], precision: time::Precision) -> Result<Value, ProtobufError> {
    let (mut seconds, mut nanoseconds) = (None, 0);
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Varint(value)) => seconds = Some(signed(value)),
            (2, Wire::Varint(value)) => nanoseconds = i32::try_from(signed(value)).unwrap_or(0),
            _ => {}
        }
    }
    let seconds = seconds.filter(|seconds| *seconds != YEAR_ONE);
    Ok(seconds
        .and_then(|seconds| time::from_parts(seconds, nanoseconds, precision))
        .map_or(Value::Null, Value::String))
}

/// Negative numbers are sent as their two's complement in 64 bits.
fn signed(number: u64) -> i64 {
    i64::from_le_bytes(number.to_le_bytes())
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
