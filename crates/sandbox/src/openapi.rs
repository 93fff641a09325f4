//! The published schema: an OpenAPI v3 document for each API group and version, and the index with their hashes.
//!
//! kubectl reads from it whether the server validates fields (the `fieldValidation` parameter of a kind's `PATCH`),
//! the merge rules for `apply`, and what `explain` shows. The structure is the recorded one (see [`crate::schema`]);
//! descriptions are our own, for the fields that are asked for most. Source of the protocol: kube-openapi
//! `pkg/handler3`, checked against kube-apiserver 1.36.3.

mod descriptions;
mod paths;
mod v2;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY};
use http::response::Builder;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::discovery::hex_digest;
use crate::schema::{SchemaNode, definitions};
use crate::version::GIT_VERSION;

const REFERENCE_PREFIX: &str = "#/components/schemas/";
/// What every group's document speaks of beside its kinds.
const SHARED: [&str; 5] = [
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
];

/// The reply to a `GET` under `/openapi`; `None` for every other path. `query` is the raw query string.
pub(crate) fn handle(path: &str, query: &str, headers: &HeaderMap) -> Option<Response> {
    let below = path.strip_prefix("/openapi/")?;
    if below == "v2" {
        return Some(version_two(headers));
    }
    if !accepts_json(headers) {
        return Some(finish(reply(StatusCode::NOT_ACCEPTABLE), Body::empty()));
    }
    if below == "v3" {
        return Some(finish(
            reply(StatusCode::OK).header(CONTENT_TYPE, "application/json"),
            Body::from(index()),
        ));
    }
    let Some((name, document)) = below.strip_prefix("v3/").and_then(|name| DOCUMENTS.get_key_value(name))
    else {
        return Some(finish(reply(StatusCode::NOT_FOUND), Body::empty()));
    };
    let tag = format!("\"{}\"", document.hash);
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("hash="));
    let builder = Response::builder().header(VARY, "Accept").header(ETAG, &tag);
    let response = match asked {
        Some(hash) if hash != document.hash => finish(
            builder
                .status(StatusCode::MOVED_PERMANENTLY)
                .header(CACHE_CONTROL, "no-cache, private")
                .header(LOCATION, document.address(name)),
            Body::empty(),
        ),
        asked => {
            // An address with a hash always means the same document.
            let lifetime =
                if asked.is_some() { "public, immutable, max-age=31536000" } else { "no-cache, private" };
            let builder = builder.header(CACHE_CONTROL, lifetime);
            if is_known(headers, &tag) {
                finish(builder.status(StatusCode::NOT_MODIFIED), Body::empty())
            } else {
                finish(builder.header(CONTENT_TYPE, "application/json"), Body::from(document.body.clone()))
            }
        }
    };
    Some(response)
}

/// The reply to `GET /openapi/v2`.
fn version_two(headers: &HeaderMap) -> Response {
    let mut accepted = accepted(headers).filter_map(|media_type| match media_type {
        v2::PROTOBUF | "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" => {
            Some((v2::in_protobuf(), v2::PROTOBUF))
        }
        "application/json" | "application/*" | "*/*" => Some((v2::in_json(), "application/json")),
        _ => None,
    });
    let (document, media_type) = match (accepted.next(), headers.contains_key(ACCEPT)) {
        (Some(form), _) => form,
        (None, false) => (v2::in_json(), "application/json"),
        (None, true) => return finish(reply(StatusCode::NOT_ACCEPTABLE), Body::empty()),
    };
    let builder = Response::builder()
        .header(CACHE_CONTROL, "no-cache, private")
        .header(VARY, "Accept")
        .header(ETAG, &document.tag);
    if is_known(headers, &document.tag) {
        return finish(builder.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    finish(builder.header(CONTENT_TYPE, media_type), Body::from(document.body.clone()))
}

struct Document {
    body: Vec<u8>,
    hash: String,
}

impl Document {
    fn address(&self, name: &str) -> String {
        format!("/openapi/v3/{name}?hash={}", self.hash)
    }
}

/// By name: `api/v1`, `apis/apps/v1`.
static DOCUMENTS: LazyLock<BTreeMap<String, Document>> = LazyLock::new(|| {
    let groups = Catalog::get().group_versions();
    groups
        .into_iter()
        .map(|(group, version)| {
            let body = document(group, version).to_string().into_bytes();
            let name =
                if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
            let hash = hex_digest(&body);
            (name, Document { body, hash })
        })
        .collect()
});

fn index() -> String {
    let paths: Map<String, Value> = DOCUMENTS
        .iter()
        .map(|(name, document)| (name.clone(), json!({ "serverRelativeURL": document.address(name) })))
        .collect();
    json!({ "paths": paths }).to_string()
}

fn document(group: &str, version: &str) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": { "title": "kubesso sandbox", "version": GIT_VERSION },
        "paths": paths::of_group_version(group, version),
        "components": {
            "schemas": schemas(group, version),
            "securitySchemes": {
                "BearerToken": { "type": "apiKey", "name": "authorization", "in": "header" },
            },
        },
    })
}

/// The schemas of a group's kinds and all that they refer to, with our descriptions.
fn schemas(group: &str, version: &str) -> Map<String, Value> {
    let mut wanted: Vec<String> = SHARED.iter().map(|name| (*name).to_owned()).collect();
    for resource in Catalog::get().of_group_version(group, version) {
        let list = SchemaNode::of_kind(group, version, &resource.list_kind());
        let subresources = resource.subresources.iter().filter_map(|subresource| {
            let (group, version) = subresource.group_version?;
            SchemaNode::of_kind(group, version, subresource.kind)
        });
        let nodes = SchemaNode::of(resource).into_iter().chain(list).chain(subresources);
        wanted.extend(nodes.filter_map(|node| node.name().map(str::to_owned)));
    }
    let mut found = Map::new();
    while let Some(name) = wanted.pop() {
        if let (false, Some(definition)) = (found.contains_key(&name), definitions().get(&name)) {
            collect_references(definition, &mut wanted);
            let mut definition = definition.clone();
            if name.ends_with(".DeleteOptions") || name.ends_with(".WatchEvent") {
                register_in_group(&mut definition, group, version);
            }
            descriptions::describe(&name, &mut definition);
            found.insert(name, definition);
        }
    }
    found
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            into.extend(reference.and_then(|name| name.strip_prefix(REFERENCE_PREFIX)).map(str::to_owned));
            fields.values().for_each(|value| collect_references(value, into));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect_references(value, into)),
        _ => {}
    }
}

/// The kinds that belong to every group.
fn register_in_group(definition: &mut Value, group: &str, version: &str) {
    let key = "x-kubernetes-group-version-kind";
    let kind = definition.pointer(&format!("/{key}/0/kind")).cloned().unwrap_or_default();
    definition[key] = json!([{ "group": group, "version": version, "kind": kind }]);
}

/// The media types of the `Accept` headers.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|clause| clause.split(';').next().unwrap_or_default().trim())
}

fn accepts_json(headers: &HeaderMap) -> bool {
    !headers.contains_key(ACCEPT)
        || accepted(headers)
            .any(|media_type| matches!(media_type, "application/json" | "application/*" | "*/*"))
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| value.to_str().is_ok_and(|value| value == tag))
}

fn reply(status: StatusCode) -> Builder {
    Response::builder().status(status).header(CACHE_CONTROL, "no-cache, private")
}

fn finish(builder: Builder, body: Body) -> Response {
    builder.body(body).unwrap_or_default()
}

#[cfg(test)]
mod tests;
