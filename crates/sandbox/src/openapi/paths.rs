//! The operations of each kind: addresses, methods and parameters.

use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, ResourceType, Subresource};
use crate::schema::SchemaNode;

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const RESOURCE_LIST: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

const READ_LIST: &[(&str, &str)] = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const WRITE: &[(&str, &str)] =
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const DELETE: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];
const PATCH_TYPES: [&str; 3] =
    ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];

/// All paths of a group's version.
pub(super) fn of_group_version(group: &str, version: &str) -> Map<String, Value> {
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let mut paths = Map::new();
    let resources =
        Operation { verb: "get", action: None, answer: RESOURCE_LIST.to_owned(), ..Operation::default() };
    let discovery = resources.describe(group, version, &format!("get{}APIResources", camel(group, version)));
    paths.insert(format!("{root}/"), json!({ "get": discovery }));
    for resource in Catalog::get().of_group_version(group, version) {
        let kind = schema_name(SchemaNode::of(resource));
        let collection = collection(resource, &kind);
        let single = single(resource, &kind);
        let (base, scope) = if resource.namespaced {
            (format!("{root}/namespaces/{{namespace}}/{}", resource.plural), "Namespaced")
        } else {
            (format!("{root}/{}", resource.plural), "")
        };
        insert(&mut paths, base.clone(), resource, scope, collection);
        insert(&mut paths, format!("{base}/{{name}}"), resource, scope, single);
        for subresource in resource.subresources {
            let operations = below(resource, subresource, &kind);
            insert(&mut paths, format!("{base}/{{name}}/{}", subresource.name), resource, scope, operations);
        }
        if resource.namespaced {
            let everywhere = listing(resource).into_iter().collect();
            insert(
                &mut paths,
                format!("{root}/{}", resource.plural),
                resource,
                "ForAllNamespaces",
                everywhere,
            );
        }
    }
    paths
}

/// One method on a path.
#[derive(Default)]
struct Operation {
    /// The method, in small letters.
    verb: &'static str,
    /// `x-kubernetes-action`
    action: Option<&'static str>,
    /// Prefix of the operation's identifier.
    prefix: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    /// The schema of the body.
    body: Option<String>,
    /// The schema of the reply.
    answer: String,
    /// Group, version and kind, if they are not those of the resource.
    kind: Option<(&'static str, &'static str, &'static str)>,
    /// Suffix of the operation's identifier.
    suffix: String,
}

impl Operation {
    fn describe(&self, group: &str, version: &str, identifier: &str) -> Value {
        let reference = |name: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } });
        let mut operation = json!({
            "tags": [tag(group, version)],
            "operationId": identifier,
            "responses": {
                "200": { "description": "OK", "content": { "application/json": reference(&self.answer) } },
                "401": { "description": "Unauthorized" },
            },
        });
        if let Some(action) = self.action {
            operation["x-kubernetes-action"] = action.into();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.iter().map(|(name, kind)| query(name, kind)).collect();
        }
        if let Some(body) = &self.body {
            let types: &[&str] = if self.verb == "patch" { &PATCH_TYPES } else { &["*/*"] };
            let content: Map<String, Value> =
                types.iter().map(|media_type| ((*media_type).to_owned(), reference(body))).collect();
            operation["requestBody"] = json!({ "content": content, "required": self.verb != "delete" });
        }
        operation
    }
}

fn collection(resource: &ResourceType, kind: &str) -> Vec<Operation> {
    let mut operations: Vec<Operation> = listing(resource).into_iter().collect();
    if resource.has_verb("create") {
        operations.push(Operation {
            verb: "post",
            action: Some("post"),
            prefix: "create",
            parameters: WRITE,
            body: Some(kind.to_owned()),
            answer: kind.to_owned(),
            ..Operation::default()
        });
    }
    if resource.has_verb("deletecollection") {
        operations.push(Operation {
            verb: "delete",
            action: Some("deletecollection"),
            prefix: "deleteCollection",
            parameters: DELETE,
            body: Some(DELETE_OPTIONS.to_owned()),
            answer: STATUS.to_owned(),
            ..Operation::default()
        });
    }
    operations
}

fn listing(resource: &ResourceType) -> Option<Operation> {
    resource.has_verb("list").then(|| Operation {
        verb: "get",
        action: Some("list"),
        prefix: "list",
        parameters: READ_LIST,
        answer: schema_name(SchemaNode::of_kind(resource.group, resource.version, &resource.list_kind())),
        ..Operation::default()
    })
}

fn single(resource: &ResourceType, kind: &str) -> Vec<Operation> {
    ["get", "update", "patch", "delete"]
        .into_iter()
        .filter(|verb| resource.has_verb(verb))
        .filter_map(|verb| operation(verb, kind))
        .collect()
}

fn below(resource: &ResourceType, subresource: &'static Subresource, kind: &str) -> Vec<Operation> {
    let (group, version) = subresource.group_version.unwrap_or((resource.group, resource.version));
    let other = schema_name(SchemaNode::of_kind(group, version, subresource.kind));
    let kind = if other.is_empty() { kind } else { &other };
    let verbs = subresource.verbs.iter().filter_map(|verb| operation(verb, kind));
    verbs
        .map(|operation| Operation {
            kind: Some((group, version, subresource.kind)),
            suffix: capital(subresource.name),
            ..operation
        })
        .collect()
}

fn operation(verb: &str, kind: &str) -> Option<Operation> {
    let kind = kind.to_owned();
    Some(match verb {
        "get" => Operation {
            verb: "get",
            action: Some("get"),
            prefix: "read",
            answer: kind,
            ..Operation::default()
        },
        "create" => Operation {
            verb: "post",
            action: Some("post"),
            prefix: "create",
            parameters: WRITE,
            body: Some(kind.clone()),
            answer: kind,
            ..Operation::default()
        },
        "update" => Operation {
            verb: "put",
            action: Some("put"),
            prefix: "replace",
            parameters: WRITE,
            body: Some(kind.clone()),
            answer: kind,
            ..Operation::default()
        },
        "patch" => Operation {
            verb: "patch",
            action: Some("patch"),
            prefix: "patch",
            parameters: WRITE,
            body: Some(PATCH.to_owned()),
            answer: kind,
            ..Operation::default()
        },
        "delete" => Operation {
            verb: "delete",
            action: Some("delete"),
            prefix: "delete",
            parameters: DELETE,
            body: Some(DELETE_OPTIONS.to_owned()),
            answer: STATUS.to_owned(),
            ..Operation::default()
        },
        _ => return None,
    })
}

fn insert(
    paths: &mut Map<String, Value>,
    path: String,
    resource: &ResourceType,
    scope: &str,
    operations: Vec<Operation>,
) {
    let mut item = Map::new();
    for operation in operations {
        let (middle, after) = if scope == "Namespaced" { (scope, "") } else { ("", scope) };
        let identifier = format!(
            "{}{}{middle}{}{}{after}",
            operation.prefix,
            camel(resource.group, resource.version),
            resource.kind,
            operation.suffix
        );
        let mut described = operation.describe(resource.group, resource.version, &identifier);
        let (group, version, kind) =
            operation.kind.unwrap_or((resource.group, resource.version, resource.kind));
        described["x-kubernetes-group-version-kind"] =
            json!({ "group": group, "version": version, "kind": kind });
        item.insert(operation.verb.to_owned(), described);
    }
    if item.is_empty() {
        return;
    }
    let in_path = ["name", "namespace"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "uniqueItems": true } }))
        .collect();
    parameters.push(query("pretty", "string"));
    item.insert("parameters".to_owned(), parameters.into());
    paths.insert(path, Value::Object(item));
}

fn query(name: &str, kind: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": { "type": kind, "uniqueItems": true } })
}

fn schema_name(node: Option<SchemaNode>) -> String {
    node.and_then(SchemaNode::name).unwrap_or_default().to_owned()
}

/// `RbacAuthorizationV1`
fn camel(group: &str, version: &str) -> String {
    let group = if group.is_empty() { "core" } else { group.trim_end_matches(".k8s.io") };
    group.split('.').chain([version]).map(capital).collect()
}

/// `rbacAuthorization_v1`
fn tag(group: &str, version: &str) -> String {
    let name = camel(group, "");
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    format!("{}_{version}", first.into_iter().chain(letters).collect::<String>())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
