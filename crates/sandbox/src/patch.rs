//! Patches: JSON patch (RFC 6902), merge patch (RFC 7396) and strategic merge patch.
//!
//! Server-side apply is refused in one sentence: this server keeps no field managers.

pub(crate) mod strategic;

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::catalog::ResourceType;
use crate::object;
use crate::schema::{self, FieldValidation, SchemaNode};
use crate::server::body;
use crate::server::negotiate::media_type;
use crate::status::ApiError;
use crate::status::field::{self, FieldError};

use kubesso_k8s_types::meta::GroupResource;

/// The most operations of a JSON patch, as kube-apiserver's.
const MAX_OPERATIONS: usize = 10_000;

/// A patch that could be read.
#[derive(Debug)]
pub(crate) enum Patch {
    /// RFC 6902
    Json(json_patch::Patch),
    /// RFC 7396, as it came; it is read when it is applied, as upstream does.
    Merge(Vec<u8>),
    /// Strategic merge patch, likewise.
    Strategic(Vec<u8>),
}

impl Patch {
    /// By `Content-Type`.
    pub(crate) fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, ApiError> {
        match media_type(headers) {
            Some("application/json-patch+json") => read_json_patch(bytes),
            Some("application/merge-patch+json") => Ok(Self::Merge(bytes.to_vec())),
            Some("application/strategic-merge-patch+json") => Ok(Self::Strategic(bytes.to_vec())),
            Some("application/apply-patch+yaml" | "application/apply-patch+cbor") => {
                Err(ApiError::not_implemented(
                    "this kubesso sandbox does not serve server-side apply, because it keeps no field managers; \
                     use kubectl apply without --server-side",
                ))
            }
            _ => Err(ApiError::unsupported_patch()),
        }
    }

    /// The object that the patch makes of `current`, with warnings about unknown fields.
    pub(crate) fn apply(
        &self,
        resource: &ResourceType,
        schema: Option<SchemaNode>,
        current: &Value,
        validation: FieldValidation,
    ) -> Result<(Value, Vec<String>), ApiError> {
        let (patched, shown) = match self {
            Self::Json(patch) => {
                let mut patched = current.clone();
                json_patch::patch(&mut patched, patch).map_err(|_| ApiError::patch_rejected())?;
                (patched, Shown::Object)
            }
            Self::Merge(bytes) => {
                let patch = parse(bytes)
                    .map_err(|why| ApiError::bad_request(format!("error decoding patch: {why}")))?;
                let mut patched = current.clone();
                json_patch::merge(&mut patched, &patch);
                (patched, Shown::Object)
            }
            Self::Strategic(bytes) => {
                let patch = match parse(bytes).map_err(ApiError::bad_request)? {
                    Value::Object(patch) => Value::Object(patch),
                    other => {
                        return Err(ApiError::bad_request(format!(
                            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                            go_kind(&other)
                        )));
                    }
                };
                let patched = strategic::merge(schema, current, &patch).map_err(ApiError::bad_request)?;
                (patched, Shown::Patch(patch))
            }
        };
        if !patched.is_object() {
            return Err(ApiError::patch_rejected());
        }
        decoded(resource, patched, &shown, validation)
    }
}

/// What upstream shows of a patch whose result cannot be read.
enum Shown {
    /// The result.
    Object,
    /// The patch.
    Patch(Value),
}

fn decoded(
    resource: &ResourceType,
    mut patched: Value,
    shown: &Shown,
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), ApiError> {
    let warnings = body::check_fields(resource, &patched, &[], validation).map_err(|why| {
        let error = match shown {
            Shown::Object => field::invalid("patch", &patched.to_string().into(), &why),
            Shown::Patch(patch) => {
                let why = schema::conversion_error(resource, &patched).unwrap_or(why);
                FieldError::invalid("patch", &kubesso_k8s_types::go::quote(&go_map(patch)), &why)
            }
        };
        ApiError::invalid(&GroupResource::default(), "", &[error])
    })?;
    schema::prune(resource, &mut patched);
    let fields = object::members(&mut patched);
    fields.insert("kind".to_owned(), resource.kind.into());
    fields.insert("apiVersion".to_owned(), resource.api_version().into());
    Ok((patched, warnings))
}

fn read_json_patch(bytes: &[u8]) -> Result<Patch, ApiError> {
    let bad = |why: String| ApiError::bad_request(format!("error decoding patch: {why}"));
    let value = parse(bytes).map_err(&bad)?;
    let Value::Array(operations) = &value else {
        let kind = go_kind(&value);
        return Err(bad(format!(
            "json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        )));
    };
    if operations.len() > MAX_OPERATIONS {
        let message = format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            operations.len()
        );
        return Err(kubesso_k8s_types::meta::Status::request_entity_too_large(message).into());
    }
    serde_json::from_value(value).map(Patch::Json).map_err(|_| ApiError::patch_rejected())
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    body::parse_json(bytes).map(|(value, _)| value)
}

fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Bool(_) => "bool",
        Value::Null => "null",
        Value::Number(_) => "number",
        Value::Object(_) => "object",
        Value::String(_) => "string",
    }
}

/// As Go's `%v` prints a decoded JSON value: `map[data:map[b:c] foo:1]`.
fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => format!("map[{}]", entries(map).join(" ")),
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn entries(map: &Map<String, Value>) -> Vec<String> {
    let mut entries: Vec<String> =
        map.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
    entries.sort_unstable();
    entries
}

#[cfg(test)]
mod tests;
