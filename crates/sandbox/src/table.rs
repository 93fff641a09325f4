//! Objects as rows of a `meta.k8s.io` Table: what `kubectl get` prints.
//!
//! Columns (name, type, format, priority) and cells are those of kube-apiserver 1.36 for every kind that is served
//! (source: kubernetes `pkg/printers/internalversion/printers.go`); the descriptions are our own. A kind without a
//! printer there shows its name and when it was created.

mod age;
mod cells;
mod columns;
mod pods;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalog::ResourceType;
use columns::Column;

/// What a row carries beside its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    /// The object's `metadata`.
    #[default]
    Metadata,
    /// Nothing.
    None,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// The query parameter `includeObject`; empty means [`Self::Metadata`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::None),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// How a Table is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TableOptions {
    /// What each row carries.
    pub(crate) include_object: IncludeObject,
    /// Leave the column definitions out (all but the first event of a watch).
    pub(crate) no_headers: bool,
    /// `v1`, or `v1beta1` for old clients; empty means `v1`.
    pub(crate) version: String,
    /// The `metadata` of the list (`resourceVersion`, `continue`, `remainingItemCount`); null for none.
    pub(crate) list_meta: Value,
}

/// The Table of some objects of one kind, ages as of `now`.
pub(crate) fn render(
    resource: &ResourceType,
    objects: &[Value],
    now: Timestamp,
    options: &TableOptions,
) -> Value {
    let printer = printer(resource);
    let version = if options.version.is_empty() { "v1" } else { &options.version };
    let api_version = format!("meta.k8s.io/{version}");
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({ "cells": (printer.cells)(object, now) });
            if let Some(conditions) = printer.conditions.and_then(|conditions| conditions(object)) {
                row["conditions"] = conditions;
            }
            match options.include_object {
                IncludeObject::None => row["object"] = Value::Null,
                IncludeObject::Object => row["object"] = object.clone(),
                IncludeObject::Metadata => {
                    row["object"] = json!({
                        "kind": "PartialObjectMetadata",
                        "apiVersion": api_version,
                        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
                    });
                }
            }
            row
        })
        .collect();
    let columns = if options.no_headers {
        Value::Null
    } else {
        printer.columns.iter().map(Column::definition).collect()
    };
    let metadata = if options.list_meta.is_object() { options.list_meta.clone() } else { json!({}) };
    json!({
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// How one kind is printed.
struct Printer {
    columns: &'static [Column],
    cells: fn(&Value, Timestamp) -> Vec<Value>,
    conditions: Option<fn(&Value) -> Option<Value>>,
}

fn printer(resource: &ResourceType) -> Printer {
    let plain = |columns, cells| Printer { columns, cells, conditions: None };
    match (resource.group, resource.plural) {
        ("", "configmaps") => plain(columns::CONFIG_MAPS, cells::config_map),
        ("", "endpoints") => plain(columns::ENDPOINTS, cells::endpoints),
        ("", "events") => plain(columns::EVENTS, cells::event),
        ("", "namespaces") => plain(columns::NAMESPACES, cells::namespace),
        ("", "nodes") => plain(columns::NODES, cells::node),
        ("", "persistentvolumeclaims") => {
            plain(columns::PERSISTENT_VOLUME_CLAIMS, cells::persistent_volume_claim)
        }
        ("", "persistentvolumes") => plain(columns::PERSISTENT_VOLUMES, cells::persistent_volume),
        ("", "pods") => {
            Printer { columns: columns::PODS, cells: pods::cells, conditions: Some(pods::row_conditions) }
        }
        ("", "replicationcontrollers") => plain(columns::REPLICA_SETS, workloads::replication_controller),
        ("", "resourcequotas") => plain(columns::RESOURCE_QUOTAS, cells::resource_quota),
        ("", "secrets") => plain(columns::SECRETS, cells::secret),
        ("", "serviceaccounts") => plain(columns::SERVICE_ACCOUNTS, cells::service_account),
        ("", "services") => plain(columns::SERVICES, cells::service),
        ("apps", "daemonsets") => plain(columns::DAEMON_SETS, workloads::daemon_set),
        ("apps", "deployments") => plain(columns::DEPLOYMENTS, workloads::deployment),
        ("apps", "replicasets") => plain(columns::REPLICA_SETS, workloads::replica_set),
        ("apps", "statefulsets") => plain(columns::STATEFUL_SETS, workloads::stateful_set),
        ("batch", "cronjobs") => plain(columns::CRON_JOBS, workloads::cron_job),
        ("batch", "jobs") => plain(columns::JOBS, workloads::job),
        ("coordination.k8s.io", "leases") => plain(columns::LEASES, cells::lease),
        ("discovery.k8s.io", "endpointslices") => plain(columns::ENDPOINT_SLICES, cells::endpoint_slice),
        ("networking.k8s.io", "ingresses") => plain(columns::INGRESSES, cells::ingress),
        ("networking.k8s.io", "networkpolicies") => plain(columns::NETWORK_POLICIES, cells::network_policy),
        ("rbac.authorization.k8s.io", "clusterrolebindings" | "rolebindings") => {
            plain(columns::BINDINGS, cells::binding)
        }
        ("storage.k8s.io", "storageclasses") => plain(columns::STORAGE_CLASSES, cells::storage_class),
        _ => plain(columns::ANY, cells::any),
    }
}

#[cfg(test)]
mod tests;
