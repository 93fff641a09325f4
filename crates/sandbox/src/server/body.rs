//! Bodies: bytes → an object of the expected kind, refused in the words of Go's decoders.

use http::HeaderMap;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::negotiate::BodyFormat;
use crate::catalog::{Catalog, ResourceType};
use crate::object;
use crate::schema::{self, FieldValidation};
use crate::status::{ApiError, quoted};

/// The largest body that is read, as kube-apiserver's.
pub(crate) const MAX_BODY: usize = 3 * 1024 * 1024;
/// The kind of a deletion's body.
const OPTIONS: &str = "DeleteOptions";
/// How much of a body an error shows.
const SHOWN: usize = 1024;

/// A body that could be read.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The object.
    pub(crate) object: Value,
    /// Texts for `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

/// Reads the object of a `POST` or `PUT`. What the kind does not have is dropped, warned of or refused.
pub(crate) fn decode(
    resource: &ResourceType,
    headers: &HeaderMap,
    body: &[u8],
    validation: FieldValidation,
) -> Result<Decoded, ApiError> {
    let (mut object, duplicates) = parse(resource.kind, headers, body)?;
    check_kind(resource, &mut object)?;
    let warnings = check_fields(resource, &object, &duplicates, validation).map_err(|why| {
        let version = resource.version;
        let kind = resource.kind;
        ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
    })?;
    schema::prune(resource, &mut object);
    Ok(Decoded { object, warnings })
}

/// The warnings about unknown and duplicate fields, or why the object cannot be read.
pub(crate) fn check_fields(
    resource: &ResourceType,
    object: &Value,
    duplicates: &[String],
    validation: FieldValidation,
) -> Result<Vec<String>, String> {
    let report = schema::validate(resource, object, validation);
    let duplicates: Vec<String> =
        duplicates.iter().map(|path| format!("duplicate field {}", quoted(path))).collect();
    match (report.error, validation) {
        (Some(error), FieldValidation::Strict) if !duplicates.is_empty() => {
            const STRICT: &str = "strict decoding error: ";
            match error.strip_prefix(STRICT) {
                Some(unknown) => Err(format!("{STRICT}{}, {unknown}", duplicates.join(", "))),
                None => Err(error),
            }
        }
        (Some(error), _) => Err(error),
        (None, FieldValidation::Strict) if !duplicates.is_empty() => {
            Err(format!("strict decoding error: {}", duplicates.join(", ")))
        }
        (None, FieldValidation::Warn) => Ok(duplicates.into_iter().chain(report.warnings).collect()),
        (None, _) => Ok(report.warnings),
    }
}

/// Reads a `DeleteOptions` body; an empty one is none.
pub(crate) fn decode_options(headers: &HeaderMap, body: &[u8]) -> Result<Option<Value>, ApiError> {
    if body.is_empty() {
        return Ok(None);
    }
    parse(OPTIONS, headers, body).map(|(value, _)| Some(value))
}

fn parse(kind: &str, headers: &HeaderMap, body: &[u8]) -> Result<(Value, Vec<String>), ApiError> {
    let unrecognized = |why: &str| {
        if kind == OPTIONS {
            return ApiError::bad_request(format!("couldn't get version/kind; json parse error: {why}"));
        }
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({})",
            summary(body)
        ))
    };
    let (value, duplicates) = match BodyFormat::negotiate(headers)? {
        BodyFormat::Json => parse_json(body).map_err(|why| unrecognized(&why))?,
        BodyFormat::Protobuf => {
            let object = schema::decode_protobuf(body).map_err(|why| {
                let summary = summary(body);
                ApiError::bad_request(format!(
                    "the object provided is unrecognized (must be of type {kind}): {why} ({summary})"
                ))
            })?;
            (object, Vec::new())
        }
        BodyFormat::Yaml => {
            let text = std::str::from_utf8(body).map_err(|error| unrecognized(&error.to_string()))?;
            (serde_saphyr::from_str(text).map_err(|error| unrecognized(&error.to_string()))?, Vec::new())
        }
    };
    let found = match &value {
        Value::Object(_) => return Ok((value, duplicates)),
        Value::Array(_) => "array",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        // Go reads null as the empty object.
        Value::Null => return Ok((Value::Object(Map::new()), duplicates)),
    };
    Err(unrecognized(&format!(
        "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )))
}

/// JSON with the paths of the fields that it has twice; the last one counts.
pub(crate) fn parse_json(body: &[u8]) -> Result<(Value, Vec<String>), String> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Tracking { path: String::new(), duplicates: &mut duplicates }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| go_syntax_error(&error, body))?;
    Ok((value, duplicates))
}

/// Fills in kind and version where they are missing, and refuses another kind.
fn check_kind(resource: &ResourceType, value: &mut Value) -> Result<(), ApiError> {
    let (kind, api_version) =
        (object::text(value, "kind").to_owned(), object::text(value, "apiVersion").to_owned());
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let right_kind = kind.is_empty() || kind == resource.kind;
    let right_version = api_version.is_empty() || api_version == resource.api_version();
    if !right_kind || !right_version {
        let kind = if kind.is_empty() { resource.kind } else { &kind };
        let (group, version) =
            if api_version.is_empty() { (resource.group, resource.version) } else { (group, version) };
        let why = match Catalog::get().kind(group, version, kind) {
            Some(found) => format!(
                "converting ({}.{}) to ({}.{}): unknown conversion",
                found.version,
                found.kind,
                internal_package(resource.group),
                resource.kind
            ),
            None => format!(
                "no kind {} is registered for version {} in scheme \"pkg/runtime/scheme.go:111\"",
                quoted(kind),
                quoted(&crate::catalog::api_version(group, version)),
            ),
        };
        return Err(ApiError::bad_request(format!(
            "{kind} in version {} cannot be handled as a {}: {why}",
            quoted(version),
            resource.kind
        )));
    }
    let fields = object::members(value);
    fields.insert("kind".to_owned(), resource.kind.into());
    fields.insert("apiVersion".to_owned(), resource.api_version().into());
    Ok(())
}

/// The Go package of a group's internal types, which upstream's sentence names.
fn internal_package(group: &str) -> &str {
    if group.is_empty() { "core" } else { group.split('.').next().unwrap_or(group) }
}

/// What upstream shows of a body that it could not read.
fn summary(body: &[u8]) -> String {
    let cut = &body[..body.len().min(SHOWN)];
    let shown = match cut.first() {
        None => return "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(cut).into_owned(),
        Some(_) => hex(cut),
    };
    if cut.len() < body.len() { format!("{shown} ...") } else { shown }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The text of `encoding/json`'s scanner for what serde_json could not read.
fn go_syntax_error(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let text = error.to_string();
    let line = body.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let character = char::from(line.get(error.column().saturating_sub(1)).copied().unwrap_or(b' '));
    let place = [
        ("key must be a string", "looking for beginning of object key string"),
        (
            "trailing comma",
            if character == '}' || character == ']' {
                "looking for beginning of object key string"
            } else {
                "looking for beginning of value"
            },
        ),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("expected `:`", "after object key"),
        ("trailing characters", "after top-level value"),
        ("control character", "in string literal"),
        ("invalid escape", "in string escape code"),
    ];
    let place = place.iter().find(|(said, _)| text.starts_with(said)).map(|(_, go)| *go);
    format!("invalid character '{character}' {}", place.unwrap_or("looking for beginning of value"))
}

/// Reads any JSON value and notes duplicate names.
struct Tracking<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Tracking<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tracking<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let Self { path, duplicates } = self;
        loop {
            let path = format!("{path}[{}]", list.len());
            match access.next_element_seed(Tracking { path, duplicates: &mut *duplicates })? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let Self { path, duplicates } = self;
        while let Some(key) = access.next_key::<String>()? {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if map.contains_key(&key) {
                duplicates.push(path.clone());
            }
            let value = access.next_value_seed(Tracking { path, duplicates: &mut *duplicates })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_maps() -> &'static ResourceType {
        Catalog::get().resource("", "v1", "configmaps").unwrap()
    }

    fn refused(body: &str, validation: FieldValidation) -> String {
        decode(config_maps(), &HeaderMap::new(), body.as_bytes(), validation).unwrap_err().0.message
    }

    // Recorded from kube-apiserver 1.36.3.
    #[test]
    fn what_cannot_be_read_is_refused_in_go_s_words() {
        let unrecognized = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: ";
        let handled = " cannot be handled as a ConfigMap: ";
        for (body, message) in [
            ("{", format!("{unrecognized}unexpected end of JSON input ({{)")),
            ("", format!("{unrecognized}unexpected end of JSON input (<empty>)")),
            (
                "[]",
                format!(
                    "{unrecognized}json: cannot unmarshal array into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} (5b5d)"
                ),
            ),
            (
                r#"{"kind":"ConfigMap",]"#,
                format!(
                    "{unrecognized}invalid character ']' looking for beginning of object key string ({{\"kind\":\"ConfigMap\",])"
                ),
            ),
            (
                r#"{"kind":"Secret","apiVersion":"v1"}"#,
                format!(
                    "Secret in version \"v1\"{handled}converting (v1.Secret) to (core.ConfigMap): unknown conversion"
                ),
            ),
            (
                r#"{"kind":"ConfigMap","apiVersion":"v2"}"#,
                format!(
                    "ConfigMap in version \"v2\"{handled}no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"pkg/runtime/scheme.go:111\""
                ),
            ),
            (
                r#"{"kind":"Secret","apiVersion":"foo/v1"}"#,
                format!(
                    "Secret in version \"v1\"{handled}no kind \"Secret\" is registered for version \"foo/v1\" in scheme \"pkg/runtime/scheme.go:111\""
                ),
            ),
            (
                r#"{"data":{"a":1}}"#,
                format!(
                    "ConfigMap in version \"v1\"{handled}json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
                ),
            ),
        ] {
            assert_eq!(refused(body, FieldValidation::Warn), message, "{body}");
        }
    }

    #[test]
    fn unknown_and_duplicate_fields_are_warned_of_or_refused() {
        let body = r#"{"metadata":{"name":"x1"},"metadata":{"name":"x2"},"a":1,"b":{}}"#;
        assert_eq!(
            refused(body, FieldValidation::Strict),
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \"metadata\", unknown field \"a\", unknown field \"b\""
        );
        let decoded =
            decode(config_maps(), &HeaderMap::new(), body.as_bytes(), FieldValidation::Warn).unwrap();
        assert_eq!(
            decoded.warnings,
            ["duplicate field \"metadata\"", "unknown field \"a\"", "unknown field \"b\""]
        );
        assert_eq!(
            decoded.object,
            serde_json::json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x2"}})
        );
    }

    #[test]
    fn yaml_is_read_as_well() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, "application/yaml".parse().unwrap());
        let decoded = decode(
            config_maps(),
            &headers,
            b"metadata:\n  name: named\ndata:\n  a: b\n",
            FieldValidation::Strict,
        )
        .unwrap();
        assert_eq!(decoded.object["data"], serde_json::json!({"a": "b"}));
    }
}
