//! Which kinds are served: the discovery documents, each kind alone and aggregated.
//!
//! kubectl 1.32 asks `/api` and `/apis` for the aggregated form (`apidiscovery.k8s.io/v2`) and keeps it with its
//! `ETag`; `kubectl auth can-i` and older clients ask each group. Source: apiserver
//! `pkg/endpoints/discovery/{aggregated,…}`, checked against kube-apiserver 1.36.3.

use std::sync::OnceLock;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, VARY};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, ResourceType, Storage, Subresource, api_version};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The reply to a `GET` of a discovery path: `/api`, `/api/<version>`, `/apis`, `/apis/<group>`,
/// `/apis/<group>/<version>`, with or without a slash at the end. `None` for every other path.
pub(crate) fn handle(path: &str, headers: &HeaderMap) -> Option<Response> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = trimmed.strip_prefix('/')?.split('/').collect();
    let form = negotiate(headers);
    let document = match segments.as_slice() {
        ["api"] if form == Some(Form::Aggregated) => return Some(aggregated(Part::Core, headers)),
        ["apis"] if form == Some(Form::Aggregated) => return Some(aggregated(Part::Groups, headers)),
        ["api"] => api_versions(headers),
        ["apis"] => group_list(),
        ["api", version] => match resource_list("", version) {
            Some(document) => document,
            None => return Some(no_such_version()),
        },
        ["apis", group] => match group_document(group) {
            Some(document) => document,
            None => return Some(no_such_group()),
        },
        ["apis", group, version] => match resource_list(group, version) {
            Some(document) => document,
            None if group_document(group).is_some() => return Some(no_such_version()),
            None => return Some(no_such_group()),
        },
        _ => return None,
    };
    Some(match form {
        Some(_) => reply(StatusCode::OK, &document),
        None => not_acceptable(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Aggregated,
    Plain,
}

/// The first form that the client accepts; `None` if it accepts neither.
fn negotiate(headers: &HeaderMap) -> Option<Form> {
    let accepted: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if accepted.is_empty() {
        return Some(Form::Plain);
    }
    let mut clauses: Vec<(f32, Option<Form>)> = accepted.join(",").split(',').map(clause).collect();
    clauses.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    clauses.into_iter().find_map(|(_, form)| form)
}

/// Weight and form of one clause of an `Accept` header.
fn clause(text: &str) -> (f32, Option<Form>) {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let (mut weight, mut wanted) = (1.0, Map::new());
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        if key == "q" {
            weight = value.parse().unwrap_or(1.0);
        } else {
            wanted.insert(key.to_owned(), value.into());
        }
    }
    let is = |key: &str, value: &str| wanted.get(key).is_some_and(|found| found == value);
    let form = match media_type {
        "application/json" if wanted.contains_key("as") => {
            let served = is("as", "APIGroupDiscoveryList") && is("g", "apidiscovery.k8s.io") && is("v", "v2");
            served.then_some(Form::Aggregated)
        }
        "application/json" | "application/*" | "*/*" => Some(Form::Plain),
        _ => None,
    };
    (weight, form)
}

#[derive(Clone, Copy)]
enum Part {
    Core,
    Groups,
}

/// The aggregated document, with an entity tag by which a client that has it is told that it is unchanged.
fn aggregated(part: Part, headers: &HeaderMap) -> Response {
    static CORE: OnceLock<(Vec<u8>, String)> = OnceLock::new();
    static GROUPS: OnceLock<(Vec<u8>, String)> = OnceLock::new();
    let cell = match part {
        Part::Core => &CORE,
        Part::Groups => &GROUPS,
    };
    let (body, tag) = cell.get_or_init(|| {
        let body = aggregated_document(part).to_string().into_bytes();
        let tag = format!("\"{}\"", hex_digest(&body));
        (body, tag)
    });
    let known =
        headers.get_all(IF_NONE_MATCH).iter().any(|value| value.to_str().is_ok_and(|value| value == tag));
    let builder =
        Response::builder().header(CACHE_CONTROL, "public").header(ETAG, tag).header(VARY, "Accept");
    let response = if known {
        builder.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        builder.header(CONTENT_TYPE, AGGREGATED).body(Body::from(body.clone()))
    };
    response.unwrap_or_default()
}

fn aggregated_document(part: Part) -> Value {
    let catalog = Catalog::get();
    let items: Vec<Value> = catalog
        .group_versions()
        .into_iter()
        .filter(|(group, _)| group.is_empty() == matches!(part, Part::Core))
        .map(|(group, version)| {
            let metadata = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
            let resources: Vec<Value> =
                catalog.of_group_version(group, version).map(aggregated_resource).collect();
            json!({
                "metadata": metadata,
                "versions": [{ "version": version, "resources": resources, "freshness": "Current" }],
            })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(resource: &ResourceType) -> Value {
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": { "group": "", "version": "", "kind": resource.kind },
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs,
    });
    insert_names(&mut entry, resource);
    if !resource.subresources.is_empty() {
        entry["subresources"] = resource.subresources.iter().map(aggregated_subresource).collect();
    }
    entry
}

fn aggregated_subresource(subresource: &Subresource) -> Value {
    let (group, version) = subresource.group_version.unwrap_or_default();
    json!({
        "subresource": subresource.name,
        "responseKind": { "group": group, "version": version, "kind": subresource.kind },
        "verbs": subresource.verbs,
    })
}

fn insert_names(entry: &mut Value, resource: &ResourceType) {
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
}

/// `GET /api`
fn api_versions(headers: &HeaderMap) -> Value {
    let address = headers.get(HOST).and_then(|host| host.to_str().ok());
    let addresses = address.map(|address| json!({ "clientCIDR": "0.0.0.0/0", "serverAddress": address }));
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": addresses.into_iter().collect::<Vec<_>>(),
    })
}

/// `GET /apis`
fn group_list() -> Value {
    let groups: Vec<Value> = Catalog::get()
        .group_versions()
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, version)| group_entry(group, version))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn group_entry(group: &str, version: &str) -> Value {
    let version = json!({ "groupVersion": api_version(group, version), "version": version });
    json!({ "name": group, "versions": [version], "preferredVersion": version })
}

/// `GET /apis/<group>`
fn group_document(group: &str) -> Option<Value> {
    let (group, version) =
        Catalog::get().group_versions().into_iter().find(|(name, _)| *name == group && !name.is_empty())?;
    let mut document = group_entry(group, version);
    document["kind"] = "APIGroup".into();
    document["apiVersion"] = "v1".into();
    Some(document)
}

/// `GET /api/v1`, `GET /apis/<group>/<version>`
fn resource_list(group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for resource in Catalog::get().of_group_version(group, version) {
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": resource.verbs,
        });
        insert_names(&mut entry, resource);
        if resource.storage == Storage::Stored {
            entry["storageVersionHash"] = storage_version_hash(resource).into();
        }
        resources.push(entry);
        for subresource in resource.subresources {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, subresource.name),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": subresource.kind,
                "verbs": subresource.verbs,
            });
            if let Some((group, version)) = subresource.group_version {
                entry["group"] = group.into();
                entry["version"] = version.into();
            }
            resources.push(entry);
        }
    }
    if resources.is_empty() {
        return None;
    }
    let mut document = json!({ "kind": "APIResourceList", "groupVersion": api_version(group, version), "resources": resources });
    if !group.is_empty() {
        // The core group's list is older than the field.
        document["apiVersion"] = "v1".into();
    }
    Some(document)
}

/// By which clients see that the stored form of a kind has changed.
fn storage_version_hash(resource: &ResourceType) -> String {
    let identity = format!("{}/{}/{}", resource.group, resource.version, resource.kind);
    let hash = digest::digest(&digest::SHA256, identity.as_bytes());
    STANDARD.encode(&hash.as_ref()[..8])
}

/// SHA-512 in capital hexadecimal letters, as upstream's entity tags and OpenAPI hashes are.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let hash = digest::digest(&digest::SHA512, bytes);
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02X}");
        text
    })
}

fn reply(status: StatusCode, document: &Value) -> Response {
    let response = Response::builder()
        .status(status)
        .header(CACHE_CONTROL, "no-cache, private")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(document.to_string()));
    response.unwrap_or_default()
}

fn refusal(status: StatusCode, reason: &str, message: &str) -> Response {
    let document = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": {},
        "code": status.as_u16(),
    });
    reply(status, &document)
}

fn not_acceptable() -> Response {
    let message = "406: Not Acceptable\n\nAvailable representations: application/json";
    refusal(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
}

fn no_such_version() -> Response {
    refusal(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource")
}

fn no_such_group() -> Response {
    let response = Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header(CACHE_CONTROL, "no-cache, private")
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header("x-content-type-options", "nosniff")
        .body(Body::from("404 page not found\n"));
    response.unwrap_or_default()
}

#[cfg(test)]
mod tests;
