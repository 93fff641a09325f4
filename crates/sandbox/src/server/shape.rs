//! Objects and lists in the shape that the client asked for.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::negotiate::Shape;
use crate::catalog::ResourceType;
use crate::rest::list::Page;
use crate::rest::options::Query;
use crate::status::ApiError;
use crate::status::field;
use crate::table::{self, IncludeObject, TableOptions};

use kubesso_k8s_types::meta::GroupResource;

/// The `includeObject` of a table.
pub(crate) fn include_object(query: &Query) -> Result<IncludeObject, ApiError> {
    let asked = query.get("includeObject").unwrap_or_default();
    IncludeObject::parse(asked).ok_or_else(|| {
        let error = field::not_supported("includeObject", asked, &["", "None", "Metadata", "Object"]);
        ApiError::invalid(&GroupResource::new("meta.k8s.io", "TableOptions"), "", &[error])
    })
}

/// One object.
pub(crate) fn object(
    resource: &ResourceType,
    object: Value,
    shape: Shape,
    include_object: IncludeObject,
    now: Timestamp,
) -> Value {
    match shape {
        // A `Status` is not of the kind and stays itself.
        _ if object.get("kind").is_none_or(|kind| kind != resource.kind) => object,
        Shape::Whole => object,
        Shape::Metadata(version) => metadata_only(&object, version),
        Shape::Table(version) => {
            let list_meta = json!({"resourceVersion": crate::object::meta(&object, "resourceVersion")});
            let options =
                TableOptions { include_object, no_headers: false, version: version.to_owned(), list_meta };
            table::render(resource, &[object], now, &options)
        }
    }
}

/// A list.
pub(crate) fn list(
    resource: &ResourceType,
    page: &Page,
    shape: Shape,
    include_object: IncludeObject,
    now: Timestamp,
) -> Value {
    let metadata = page.metadata();
    match shape {
        Shape::Whole => {
            let items: Vec<Value> = page.objects.iter().map(|stored| untyped(&stored.object)).collect();
            json!({
                "kind": resource.list_kind(),
                "apiVersion": resource.api_version(),
                "metadata": metadata,
                "items": items,
            })
        }
        Shape::Metadata(version) => {
            let items: Vec<Value> =
                page.objects.iter().map(|stored| metadata_only(&stored.object, version)).collect();
            // Upstream appends to a slice of Go's, which is null before the first.
            let items = if items.is_empty() { Value::Null } else { Value::Array(items) };
            json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": format!("meta.k8s.io/{version}"),
                "metadata": metadata,
                "items": items,
            })
        }
        Shape::Table(version) => {
            let objects: Vec<Value> = page.objects.iter().map(|stored| stored.object.clone()).collect();
            let options = TableOptions {
                include_object,
                no_headers: false,
                version: version.to_owned(),
                list_meta: metadata,
            };
            table::render(resource, &objects, now, &options)
        }
    }
}

/// `PartialObjectMetadata`
pub(crate) fn metadata_only(object: &Value, version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}

/// Within a list, objects do not repeat their kind.
fn untyped(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}
