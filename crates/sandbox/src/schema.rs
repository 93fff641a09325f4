//! What the objects of each kind look like: field names, types, defaults and merge rules.
//!
//! The structure is recorded from the OpenAPI documents of a kube-apiserver (see `../data/README.md`) and parsed at the
//! first use. On it stand the decoding of bodies ([`fields`], [`protobuf`]), what the server fills in ([`defaults`]),
//! strategic merge patch (`crate::patch`) and the published documents (`openapi`).

mod convert;
mod defaults;
mod fields;
mod protobuf;
mod quantity;
mod time;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::catalog::ResourceType;

pub(crate) use convert::conversion_error;
pub(crate) use defaults::apply_defaults;
pub(crate) use fields::{FieldValidation, prune, validate};
pub(crate) use protobuf::{MEDIA_TYPE as PROTOBUF, decode as decode_protobuf};
pub(crate) use quantity::canonical as canonical_quantity;

const RECORDED: &str = include_str!("../data/schemas.json");
const REFERENCE_PREFIX: &str = "#/components/schemas/";

/// All recorded schemas by their OpenAPI name, for example `io.k8s.api.core.v1.Pod`.
pub(crate) fn definitions() -> &'static Map<String, Value> {
    static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        // The data are part of this program; `every_reference_is_recorded` reads them in the tests.
        serde_json::from_str(RECORDED).unwrap_or_default()
    });
    &DEFINITIONS
}

/// What a value is in JSON, as Go's types read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anything (a raw extension, a field set).
    Any,
    /// A list of [`SchemaNode::items`].
    Array,
    /// Base64 text.
    Bytes,
    /// `true` or `false`.
    Boolean,
    /// A 32 bit number.
    Int32,
    /// A 64 bit number.
    Int64,
    /// A 32 bit number or a text (`intstr.IntOrString`).
    IntOrString,
    /// Text keys, values of [`SchemaNode::additional`].
    Map,
    /// A moment with microseconds.
    MicroTime,
    /// A quantity (`resource.Quantity`): a text or a number.
    Quantity,
    /// Text.
    String,
    /// An object with fixed fields.
    Struct,
    /// A moment with seconds.
    Time,
}

/// One place in the structure of a kind.
///
/// A field that refers to a named schema has that schema's fields and its own merge rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SchemaNode {
    /// The schema as it stands in the parent, with the merge rules of the field.
    site: &'static Value,
    /// The schema that it refers to, or itself.
    target: &'static Value,
    /// The name of the schema that it refers to.
    name: Option<&'static str>,
}

impl SchemaNode {
    /// The structure of the objects of a kind.
    pub(crate) fn of(resource: &ResourceType) -> Option<Self> {
        Self::of_kind(resource.group, resource.version, resource.kind)
    }

    /// The structure of a kind that need not be in the catalogue: `DeleteOptions`, `Scale`.
    pub(crate) fn of_kind(group: &str, version: &str, kind: &str) -> Option<Self> {
        type ByKind = HashMap<(&'static str, &'static str, &'static str), &'static str>;
        static BY_KIND: LazyLock<ByKind> = LazyLock::new(|| {
            let mut by_kind = HashMap::new();
            for (name, definition) in definitions() {
                let kinds = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
                for found in kinds.into_iter().flatten() {
                    let text = |key| found.get(key).and_then(Value::as_str).unwrap_or_default();
                    by_kind.insert((text("group"), text("version"), text("kind")), name.as_str());
                }
            }
            by_kind
        });
        let name = match BY_KIND.get(&(group, version, kind)) {
            Some(name) => name,
            // Every group has this kind, the same one.
            None if kind == "DeleteOptions" => "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
            None => return None,
        };
        Self::named(name)
    }

    /// The schema of that OpenAPI name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (name, definition) = definitions().get_key_value(name)?;
        Some(Self { site: definition, target: definition, name: Some(name) })
    }

    fn at(site: &'static Value) -> Self {
        let reference = site.get("$ref").or_else(|| site.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        let named =
            reference.and_then(|reference| reference.strip_prefix(REFERENCE_PREFIX)).and_then(Self::named);
        match named {
            Some(Self { target, name, .. }) => Self { site, target, name },
            None => Self { site, target: site, name: None },
        }
    }

    /// The field of that name, if this is an object with fixed fields that has it.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        self.properties()?.get(name).map(Self::at)
    }

    /// The elements, if this is a list.
    pub(crate) fn items(self) -> Option<Self> {
        self.target.get("items").map(Self::at)
    }

    /// The values, if this is a map.
    pub(crate) fn additional(self) -> Option<Self> {
        self.target.get("additionalProperties").filter(|schema| schema.is_object()).map(Self::at)
    }

    /// How a strategic merge patch treats the field: `merge`, `replace`, `retainKeys` or `merge,retainKeys`.
    pub(crate) fn patch_strategy(self) -> Option<&'static str> {
        self.site.get("x-kubernetes-patch-strategy").and_then(Value::as_str)
    }

    /// The field by which a strategic merge patch finds the element of a list that it means.
    pub(crate) fn patch_merge_key(self) -> Option<&'static str> {
        self.site.get("x-kubernetes-patch-merge-key").and_then(Value::as_str)
    }

    /// The OpenAPI name of the schema: `io.k8s.api.core.v1.Container`.
    pub(crate) fn name(self) -> Option<&'static str> {
        self.name
    }

    /// The Go type's bare name: `Container`.
    pub(crate) fn go_name(self) -> Option<&'static str> {
        self.name.and_then(|name| name.rsplit('.').next())
    }

    /// What values are.
    pub(crate) fn shape(self) -> Shape {
        match self.name {
            Some("io.k8s.apimachinery.pkg.apis.meta.v1.Time") => return Shape::Time,
            Some("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime") => return Shape::MicroTime,
            Some("io.k8s.apimachinery.pkg.api.resource.Quantity") => return Shape::Quantity,
            Some("io.k8s.apimachinery.pkg.util.intstr.IntOrString") => return Shape::IntOrString,
            _ => {}
        }
        let text = |key| self.target.get(key).and_then(Value::as_str);
        match (text("type"), text("format")) {
            (Some("array"), _) => Shape::Array,
            (Some("boolean"), _) => Shape::Boolean,
            (Some("integer"), Some("int64")) => Shape::Int64,
            (Some("integer"), _) => Shape::Int32,
            (Some("string"), Some("byte")) => Shape::Bytes,
            (Some("string"), _) => Shape::String,
            _ if self.properties().is_some() => Shape::Struct,
            _ if self.additional().is_some() => Shape::Map,
            _ => Shape::Any,
        }
    }

    fn properties(self) -> Option<&'static Map<String, Value>> {
        self.target.get("properties").and_then(Value::as_object)
    }

    /// The fields of an object, in alphabetical order.
    fn fields(self) -> impl Iterator<Item = (&'static str, Self)> {
        self.properties().into_iter().flatten().map(|(name, site)| (name.as_str(), Self::at(site)))
    }

    /// Whether Go holds the field behind a pointer, so that zero, `false` and the empty text are told from nothing.
    fn is_pointer(self, field: &str) -> bool {
        static POINTERS: LazyLock<Map<String, Value>> =
            LazyLock::new(|| serde_json::from_str(include_str!("../data/pointers.json")).unwrap_or_default());
        let names = self.name.and_then(|name| POINTERS.get(name)).and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(field)))
    }

    fn default(self) -> Option<&'static Value> {
        self.site.get("default")
    }

    fn is_required(self, field: &str) -> bool {
        let required = self.target.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(field)))
    }
}

#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
mod tests;
