//! The kinds that the sandbox serves: names, scope, verbs, short names and subresources.
//!
//! This is the one list that routing, discovery, the OpenAPI documents, the schemas and the printed tables share.
//! What it says of a kind equals what a kube-apiserver 1.36 says in its own discovery documents, for the kinds and
//! subresources that are here.

mod kinds;

use std::collections::HashMap;
use std::sync::LazyLock;

/// All verbs of a kind that is stored, in the order of discovery documents.
pub(crate) const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// What the server does with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Objects are kept: they can be read, listed, watched, changed and deleted.
    Stored,
    /// `create` is answered and nothing is kept (the review APIs).
    CreateOnly,
}

/// A path below one object: `…/pods/<name>/log`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subresource {
    /// The last path segment, for example `status`.
    pub(crate) name: &'static str,
    /// API group of [`Self::kind`]; `None` if it is the parent's.
    pub(crate) group_version: Option<(&'static str, &'static str)>,
    /// The kind that is sent or answered.
    pub(crate) kind: &'static str,
    /// The verbs that it accepts, sorted.
    pub(crate) verbs: &'static [&'static str],
}

/// One kind of object, as it is addressed in a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResourceType {
    /// API group; empty for the core group.
    pub(crate) group: &'static str,
    /// API version, for example `v1`.
    pub(crate) version: &'static str,
    /// The path segment, for example `pods`.
    pub(crate) plural: &'static str,
    /// The singular name that kubectl accepts, for example `pod`.
    pub(crate) singular: &'static str,
    /// The `kind` of an object, for example `Pod`.
    pub(crate) kind: &'static str,
    /// Whether objects live in a namespace.
    pub(crate) namespaced: bool,
    /// The verbs that discovery announces, sorted.
    pub(crate) verbs: &'static [&'static str],
    /// Abbreviations that kubectl accepts, for example `po`.
    pub(crate) short_names: &'static [&'static str],
    /// Sets of kinds that kubectl accepts as a name, for example `all`.
    pub(crate) categories: &'static [&'static str],
    /// What is below one object.
    pub(crate) subresources: &'static [Subresource],
    /// What happens to a created object.
    pub(crate) storage: Storage,
}

impl ResourceType {
    /// The `apiVersion` of an object: `v1`, `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        api_version(self.group, self.version)
    }

    /// The `kind` of a list: `PodList`.
    pub(crate) fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// The resource as error messages name it: `pods`, `deployments.apps`.
    pub(crate) fn group_resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The subresource of that name.
    pub(crate) fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether discovery announces the verb.
    pub(crate) fn has_verb(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }
}

/// Every kind that the sandbox serves, with an index by resource and by kind.
#[derive(Debug)]
pub(crate) struct Catalog {
    kinds: &'static [ResourceType],
    by_resource: HashMap<(&'static str, &'static str, &'static str), &'static ResourceType>,
    by_kind: HashMap<(&'static str, &'static str, &'static str), &'static ResourceType>,
}

impl Catalog {
    /// The catalogue of this build.
    pub(crate) fn get() -> &'static Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog {
            kinds: kinds::KINDS,
            by_resource: kinds::KINDS
                .iter()
                .map(|kind| ((kind.group, kind.version, kind.plural), kind))
                .collect(),
            by_kind: kinds::KINDS.iter().map(|kind| ((kind.group, kind.version, kind.kind), kind)).collect(),
        });
        &CATALOG
    }

    /// The kind behind a path segment: `("apps", "v1", "deployments")`.
    pub(crate) fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&'static ResourceType> {
        self.by_resource.get(&(group, version, plural)).copied()
    }

    /// The kind behind an object's `apiVersion` and `kind`: `("apps", "v1", "Deployment")`.
    pub(crate) fn kind(&self, group: &str, version: &str, kind: &str) -> Option<&'static ResourceType> {
        self.by_kind.get(&(group, version, kind)).copied()
    }

    /// All kinds, grouped by API group; the core group first, resources of a group in alphabetical order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static ResourceType> + use<> {
        self.kinds.iter()
    }

    /// The API groups with their version, the core group (the empty name) first.
    pub(crate) fn group_versions(&self) -> Vec<(&'static str, &'static str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for kind in self.iter() {
            if !found.contains(&(kind.group, kind.version)) {
                found.push((kind.group, kind.version));
            }
        }
        found
    }

    /// The kinds of one group and version.
    pub(crate) fn of_group_version<'a>(
        &self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'static ResourceType> + use<'a> {
        self.iter().filter(move |kind| kind.group == group && kind.version == version)
    }
}

/// `v1` for the core group, else `group/version`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_resource_and_by_its_kind() {
        let catalog = Catalog::get();
        let deployments = catalog.resource("apps", "v1", "deployments").unwrap();
        assert_eq!(catalog.kind("apps", "v1", "Deployment"), Some(deployments));
        assert_eq!(deployments.api_version(), "apps/v1");
        assert_eq!(deployments.list_kind(), "DeploymentList");
        assert_eq!(deployments.group_resource(), "deployments.apps");
        assert_eq!(catalog.resource("", "v1", "pods").unwrap().group_resource(), "pods");
        assert_eq!(catalog.resource("extensions", "v1beta1", "deployments"), None);
    }

    #[test]
    fn no_two_kinds_claim_the_same_name_in_a_group() {
        let catalog = Catalog::get();
        assert_eq!(catalog.by_resource.len(), catalog.kinds.len());
        assert_eq!(catalog.by_kind.len(), catalog.kinds.len());
    }

    #[test]
    fn the_kinds_stand_in_the_order_of_discovery() {
        for pair in Catalog::get().kinds.windows(2) {
            assert!(
                pair[0].group != pair[1].group || pair[0].plural < pair[1].plural,
                "{} before {}",
                pair[0].plural,
                pair[1].plural
            );
        }
        for kind in Catalog::get().iter() {
            assert!(kind.verbs.is_sorted(), "{}", kind.plural);
            assert!(kind.subresources.is_sorted_by_key(|sub| sub.name), "{}", kind.plural);
        }
    }
}
