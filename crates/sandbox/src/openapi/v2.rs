//! The OpenAPI v2 document, in JSON and in protobuf.
//!
//! kubectl 1.32 still asks for it, in protobuf only, to check files whose kind is no API's: a `List`, above all. It
//! needs the definitions; the operations are in the v3 documents alone. Source of the encoding: gnostic
//! `openapiv2/OpenAPIv2.proto`.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::discovery::hex_digest;
use crate::schema::definitions;
use crate::version::GIT_VERSION;

/// The media type under which the protobuf form is sent; clients also ask for it with an `@` before the `v1.0`.
pub(super) const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A form of the document with its entity tag.
pub(super) struct Form {
    pub(super) body: Vec<u8>,
    pub(super) tag: String,
}

impl Form {
    fn new(body: Vec<u8>) -> Self {
        let tag = format!("\"{}\"", hex_digest(&body));
        Self { body, tag }
    }
}

/// The document in JSON.
pub(super) fn in_json() -> &'static Form {
    static FORM: LazyLock<Form> = LazyLock::new(|| Form::new(document().to_string().into_bytes()));
    &FORM
}

/// The document in protobuf.
pub(super) fn in_protobuf() -> &'static Form {
    static FORM: LazyLock<Form> = LazyLock::new(|| Form::new(encode(&document())));
    &FORM
}

fn document() -> Value {
    let definitions: Map<String, Value> =
        definitions().iter().map(|(name, schema)| (name.clone(), version_two(schema))).collect();
    json!({
        "swagger": "2.0",
        "info": { "title": "kubesso sandbox", "version": GIT_VERSION },
        "paths": {},
        "definitions": definitions,
    })
}

/// A schema of OpenAPI v3 in the words of v2, which has no alternatives and refers without a wrapper.
fn version_two(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    if let Some(target) =
        schema.pointer("/allOf/0/$ref").or_else(|| schema.get("$ref")).and_then(Value::as_str)
    {
        return json!({ "$ref": target.replace("#/components/schemas/", "#/definitions/") });
    }
    let mut converted = Map::new();
    for (key, value) in fields {
        match key.as_str() {
            "default" => {}
            "oneOf" => {
                converted.insert("type".to_owned(), "string".into());
            }
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties: Map<String, Value> =
                    properties.map(|(name, schema)| (name.clone(), version_two(schema))).collect();
                converted.insert(key.clone(), properties.into());
            }
            "items" | "additionalProperties" => {
                converted.insert(key.clone(), version_two(value));
            }
            _ => {
                converted.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(converted)
}

/// The message `Document`.
fn encode(document: &Value) -> Vec<u8> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut info = Message::default();
    info.text(1, text("/info/title"));
    info.text(2, text("/info/version"));
    let mut message = Message::default();
    message.text(1, text("/swagger"));
    message.message(2, &info);
    message.message(8, &Message::default());
    message.message(9, &named_schemas(document.get("definitions")));
    message.0
}

/// `Definitions` and `Properties` are the same on the wire.
fn named_schemas(schemas: Option<&Value>) -> Message {
    let mut all = Message::default();
    for (name, schema) in schemas.and_then(Value::as_object).into_iter().flatten() {
        let mut named = Message::default();
        named.text(1, name);
        named.message(2, &self::schema(schema));
        all.message(1, &named);
    }
    all
}

fn schema(schema: &Value) -> Message {
    let mut message = Message::default();
    for (key, value) in schema.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("$ref", Value::String(text)) => message.text(1, text),
            ("format", Value::String(text)) => message.text(2, text),
            ("required", Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).for_each(|name| message.text(19, name));
            }
            ("enum", Value::Array(values)) => {
                for value in values {
                    message.message(20, &any(value));
                }
            }
            ("additionalProperties", value) => {
                let mut item = Message::default();
                item.message(1, &self::schema(value));
                message.message(21, &item);
            }
            ("type", Value::String(text)) => {
                let mut item = Message::default();
                item.text(1, text);
                message.message(22, &item);
            }
            ("items", value) => {
                let mut item = Message::default();
                item.message(1, &self::schema(value));
                message.message(23, &item);
            }
            ("properties", value) => message.message(25, &named_schemas(Some(value))),
            (key, value) if key.starts_with("x-") => {
                let mut named = Message::default();
                named.text(1, key);
                named.message(2, &any(value));
                message.message(31, &named);
            }
            _ => {}
        }
    }
    message
}

/// A value as YAML, of which JSON is a part.
fn any(value: &Value) -> Message {
    let mut message = Message::default();
    message.text(2, &value.to_string());
    message
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn text(&mut self, number: u64, text: &str) {
        self.bytes(number, text.as_bytes());
    }

    fn message(&mut self, number: u64, message: &Self) {
        self.bytes(number, &message.0);
    }

    fn bytes(&mut self, number: u64, bytes: &[u8]) {
        const LENGTH_DELIMITED: u64 = 2;
        self.varint(number << 3 | LENGTH_DELIMITED);
        self.varint(u64::try_from(bytes.len()).unwrap_or_default());
        self.0.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_version_three_is_said_in_version_two() {
        let pod = &document()["definitions"]["io.k8s.api.core.v1.Pod"];
        assert_eq!(pod["properties"]["spec"], json!({ "$ref": "#/definitions/io.k8s.api.core.v1.PodSpec" }));
        let quantity = &document()["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"];
        assert_eq!(quantity, &json!({ "type": "string" }));
        let ports = &document()["definitions"]["io.k8s.api.core.v1.Container"]["properties"]["ports"];
        assert_eq!(ports["items"], json!({ "$ref": "#/definitions/io.k8s.api.core.v1.ContainerPort" }));
        assert_eq!(ports["x-kubernetes-patch-merge-key"], "containerPort");
    }

    #[test]
    fn a_document_is_encoded_as_gnostic_does() {
        let document = json!({
            "swagger": "2.0",
            "info": { "title": "t", "version": "v" },
            "definitions": { "A": { "type": "object", "required": ["b"], "properties": { "b": { "$ref": "C" } }, "x-d": [1] } },
        });
        let b = b"\x0a\x01b\x12\x03\x0a\x01C".as_slice();
        let properties = [b"\xca\x01\x0a\x0a\x08".as_slice(), b].concat();
        let schema = [
            properties.as_slice(),
            b"\x9a\x01\x01b",
            b"\xb2\x01\x08\x0a\x06object",
            b"\xfa\x01\x0c\x0a\x03x-d\x12\x05\x12\x03[1]",
        ]
        .concat();
        let named = [b"\x0a\x01A\x12".as_slice(), &[u8::try_from(schema.len()).unwrap()], &schema].concat();
        let definitions = [b"\x0a".as_slice(), &[u8::try_from(named.len()).unwrap()], &named].concat();
        let expected = [
            b"\x0a\x032.0\x12\x06\x0a\x01t\x12\x01v\x42\x00\x4a".as_slice(),
            &[u8::try_from(definitions.len()).unwrap()],
            &definitions,
        ]
        .concat();
        assert_eq!(encode(&document), expected);
    }
}
