//! What the server fills in for fields that are not given.
//!
//! Two sources, as upstream has two: the defaults that the schema tells (and the empty values that Go always writes),
//! and the defaulting functions of each type (kubernetes `pkg/apis/*/v1/defaults.go`). Applying them twice changes
//! nothing.

use serde_json::{Map, Value, json};

use super::{SchemaNode, Shape};
use crate::catalog::ResourceType;
use crate::object::members;

type Fields = Map<String, Value>;

/// Fills in the defaults of an object that was read or changed.
///
/// What is decided anew for each object (addresses, ports, service accounts, generated names) is not a default.
pub(crate) fn apply_defaults(resource: &ResourceType, object: &mut Value) {
    if let Value::Object(object) = object {
        whole_object(resource, object);
    }
    if let Some(node) = SchemaNode::of(resource) {
        visit(node, object);
    }
}

/// Defaults the children of a type first, because a default of a whole stands on the defaults of its parts.
fn visit(node: SchemaNode, value: &mut Value) {
    match (node.shape(), value) {
        (Shape::Struct, Value::Object(fields)) => {
            for (name, field) in node.fields() {
                if let Some(default) = field.default()
                    && fields.get(name).is_none_or(Value::is_null)
                    && (node.is_required(name) || is_written(node, name, default))
                {
                    fields.insert(name.to_owned(), default.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    visit(field, value);
                }
            }
            let go_name = node.go_name().unwrap_or_default();
            by_type(go_name, fields);
            for name in written_as_null(go_name) {
                fields.entry(*name).or_insert(Value::Null);
            }
        }
        (Shape::Map, Value::Object(entries)) => {
            if let Some(node) = node.additional() {
                entries.values_mut().for_each(|value| visit(node, value));
            }
        }
        (Shape::Array, Value::Array(elements)) => {
            if let Some(node) = node.items() {
                for value in elements {
                    visit(node, value);
                }
            }
        }
        _ => {}
    }
}

/// Whether an optional field is written with its default. An empty default is not (`omitempty`), but for these.
fn is_written(node: SchemaNode, field: &str, default: &Value) -> bool {
    let is_empty = match default {
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(value) => !value,
        _ => false,
    };
    !is_empty
        || matches!(
            (node.go_name(), field),
            (Some("StatefulSetStatus"), "availableReplicas")
                | (Some("StatefulSetSpec"), "serviceName")
                | (Some("Event"), "reportingComponent" | "reportingInstance")
                | (Some("GRPCAction"), "service")
        )
}

/// Fields that Go writes even if there is nothing in them.
fn written_as_null(go_name: &str) -> &'static [&'static str] {
    match go_name {
        "ClusterRole" | "Role" => &["rules"],
        "Event" => &["eventTime", "firstTimestamp", "lastTimestamp"],
        "NodeCondition" => &["lastHeartbeatTime", "lastTransitionTime"],
        "PodCondition" => &["lastProbeTime", "lastTransitionTime"],
        _ => &[],
    }
}

/// The defaulting functions that look at one type wherever it stands.
fn by_type(go_name: &str, fields: &mut Fields) {
    match go_name {
        "Container" | "EphemeralContainer" => container(fields),
        "Volume" => volume(fields),
        "PodSpec" => pod_spec(fields),
        "Probe" => {
            for (name, value) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                set_unless_zero(fields, name, json!(value));
            }
        }
        "HTTPGetAction" => {
            set(fields, "path", json!("/"));
            set(fields, "scheme", json!("HTTP"));
        }
        "SecretVolumeSource"
        | "ConfigMapVolumeSource"
        | "DownwardAPIVolumeSource"
        | "ProjectedVolumeSource" => {
            set(fields, "defaultMode", json!(0o644));
        }
        "ServiceAccountTokenProjection" => set(fields, "expirationSeconds", json!(3600)),
        "ObjectFieldSelector" => set(fields, "apiVersion", json!("v1")),
        "HostPathVolumeSource" => set(fields, "type", json!("")),
        "NamespaceStatus" => set(fields, "phase", json!("Active")),
        "PersistentVolumeClaimSpec" => set(fields, "volumeMode", json!("Filesystem")),
        "NodeSpec" => one_and_many(fields, "podCIDR", "podCIDRs"),
        "NodeStatus" => {
            if let Some(capacity) = fields.get("capacity").cloned() {
                set(fields, "allocatable", capacity);
            }
        }
        "LimitRangeItem" => limit_range_item(fields),
        "EndpointPort" | "NetworkPolicyPort" => set(fields, "protocol", json!("TCP")),
        "PodFailurePolicyOnPodConditionsPattern" => set(fields, "status", json!("True")),
        // Both decide about API groups: apis/rbac/v1/defaults.go.
        "RoleRef" => set(fields, "apiGroup", json!("rbac.authorization.k8s.io")),
        "Subject" if matches!(text(fields, "kind"), "User" | "Group") => {
            set(fields, "apiGroup", json!("rbac.authorization.k8s.io"));
        }
        "DeploymentSpec" => deployment(fields),
        "DaemonSetSpec" => daemon_set(fields),
        "StatefulSetSpec" => stateful_set(fields),
        "ReplicaSetSpec" => set(fields, "replicas", json!(1)),
        "CronJobSpec" => {
            set(fields, "concurrencyPolicy", json!("Allow"));
            set(fields, "suspend", json!(false));
            set(fields, "successfulJobsHistoryLimit", json!(3));
            set(fields, "failedJobsHistoryLimit", json!(1));
        }
        "NetworkPolicySpec" if is_empty(fields.get("policyTypes")) => {
            let egress = !is_empty(fields.get("egress"));
            let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            fields.insert("policyTypes".to_owned(), types);
        }
        _ => {}
    }
}

/// The defaulting functions that look at a whole object.
fn whole_object(resource: &ResourceType, object: &mut Fields) {
    match (resource.group, resource.kind) {
        ("", "Namespace") => {
            if let Some(name) = object.get("metadata").and_then(|metadata| metadata.get("name")).cloned() {
                child(child(object, "metadata"), "labels")
                    .insert("kubernetes.io/metadata.name".to_owned(), name);
            }
        }
        ("", "Pod") => pod(object),
        ("", "Service") => service(object),
        ("", "Secret") => set(object, "type", json!("Opaque")),
        ("", "PersistentVolume") => {
            set(child(object, "status"), "phase", json!("Pending"));
            let spec = child(object, "spec");
            set(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            set(spec, "volumeMode", json!("Filesystem"));
        }
        ("", "PersistentVolumeClaim") => set(child(object, "status"), "phase", json!("Pending")),
        ("", "ReplicationController") => replication_controller(object),
        ("batch", "Job") => {
            job(child(object, "spec"));
            labels_of_template(object);
        }
        ("storage.k8s.io", "StorageClass") => {
            set(object, "reclaimPolicy", json!("Delete"));
            set(object, "volumeBindingMode", json!("Immediate"));
        }
        ("discovery.k8s.io", "EndpointSlice") => {
            for port in elements(object, "ports") {
                set(port, "name", json!(""));
            }
        }
        _ => {}
    }
}

fn container(fields: &mut Fields) {
    let policy = if is_latest(text(fields, "image")) { "Always" } else { "IfNotPresent" };
    set(fields, "imagePullPolicy", json!(policy));
    set(fields, "terminationMessagePath", json!("/dev/termination-log"));
    set(fields, "terminationMessagePolicy", json!("File"));
}

/// Whether an image reference names the tag `latest`, which it does when it names neither a tag nor a digest.
fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    let (named, digest) = last.split_once('@').map_or((last, None), |(named, digest)| (named, Some(digest)));
    match named.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => digest.is_none() && !image.is_empty(),
    }
}

fn volume(fields: &mut Fields) {
    if fields.keys().all(|name| name == "name") {
        fields.insert("emptyDir".to_owned(), json!({}));
    }
    if let Some(Value::Object(image)) = fields.get_mut("image") {
        let policy = if is_latest(text(image, "reference")) { "Always" } else { "IfNotPresent" };
        set(image, "pullPolicy", json!(policy));
    }
}

fn pod_spec(fields: &mut Fields) {
    set(fields, "dnsPolicy", json!("ClusterFirst"));
    set(fields, "restartPolicy", json!("Always"));
    set(fields, "securityContext", json!({}));
    set(fields, "terminationGracePeriodSeconds", json!(30));
    set(fields, "schedulerName", json!("default-scheduler"));
    // The conversion keeps the old name of the field beside the new one.
    let account = Some(text(fields, "serviceAccountName")).filter(|name| !name.is_empty());
    let account = account.unwrap_or_else(|| text(fields, "serviceAccount")).to_owned();
    if !account.is_empty() {
        fields.insert("serviceAccountName".to_owned(), account.clone().into());
        fields.insert("serviceAccount".to_owned(), account.into());
    }
    if fields.get("hostNetwork") == Some(&Value::Bool(true)) {
        for kind in ["containers", "initContainers"] {
            for container in elements(fields, kind) {
                for port in elements(container, "ports") {
                    if let Some(number) = port.get("containerPort").cloned() {
                        set_unless_zero(port, "hostPort", number);
                    }
                }
            }
        }
    }
}

fn pod(object: &mut Fields) {
    let spec = child(object, "spec");
    set(spec, "enableServiceLinks", json!(true));
    for kind in ["containers", "initContainers"] {
        for container in elements(spec, kind) {
            let resources = child(container, "resources");
            if let Some(Value::Object(limits)) = resources.get("limits").cloned() {
                let requests = child(resources, "requests");
                for (name, limit) in limits {
                    set(requests, &name, limit);
                }
            }
        }
    }
}

fn service(object: &mut Fields) {
    let spec = child(object, "spec");
    set(spec, "sessionAffinity", json!("None"));
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            set(child(child(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds", json!(10_800));
        }
        _ => {}
    }
    set(spec, "type", json!("ClusterIP"));
    for port in elements(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        if let Some(number) = port.get("port").cloned() {
            if port.get("targetPort").is_some_and(|target| *target == json!(0) || *target == json!("")) {
                port.remove("targetPort");
            }
            set(port, "targetPort", number);
        }
    }
    let kind = text(spec, "type").to_owned();
    let behind_a_balancer = matches!(kind.as_str(), "NodePort" | "LoadBalancer");
    if behind_a_balancer || kind == "ClusterIP" && !is_empty(spec.get("externalIPs")) {
        set(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if behind_a_balancer || kind == "ClusterIP" {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", json!(true));
        for ingress in elements(child(child(object, "status"), "loadBalancer"), "ingress") {
            if !text(ingress, "ip").is_empty() {
                set(ingress, "ipMode", json!("VIP"));
            }
        }
    }
}

fn deployment(spec: &mut Fields) {
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "progressDeadlineSeconds", json!(600));
    let strategy = child(spec, "strategy");
    set(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "type") == "RollingUpdate" {
        let update = child(strategy, "rollingUpdate");
        set(update, "maxUnavailable", json!("25%"));
        set(update, "maxSurge", json!("25%"));
    }
}

fn daemon_set(spec: &mut Fields) {
    set(spec, "revisionHistoryLimit", json!(10));
    let strategy = child(spec, "updateStrategy");
    set(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "type") == "RollingUpdate" {
        let update = child(strategy, "rollingUpdate");
        set(update, "maxUnavailable", json!(1));
        set(update, "maxSurge", json!(0));
    }
}

fn stateful_set(spec: &mut Fields) {
    set(spec, "podManagementPolicy", json!("OrderedReady"));
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    let strategy = child(spec, "updateStrategy");
    if text(strategy, "type").is_empty() {
        strategy.insert("type".to_owned(), json!("RollingUpdate"));
        child(strategy, "rollingUpdate");
    }
    if let ("RollingUpdate", Some(Value::Object(update))) =
        (text(strategy, "type").to_owned().as_str(), strategy.get_mut("rollingUpdate"))
    {
        set(update, "partition", json!(0));
    }
    let retention = child(spec, "persistentVolumeClaimRetentionPolicy");
    set(retention, "whenDeleted", json!("Retain"));
    set(retention, "whenScaled", json!("Retain"));
    for claim in elements(spec, "volumeClaimTemplates") {
        set(claim, "apiVersion", json!("v1"));
        set(claim, "kind", json!("PersistentVolumeClaim"));
        set(child(claim, "status"), "phase", json!("Pending"));
    }
}

fn job(spec: &mut Fields) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    set(spec, "parallelism", json!(1));
    let retries = if spec.contains_key("backoffLimitPerIndex") { i32::MAX } else { 6 };
    set(spec, "backoffLimit", json!(retries));
    set(spec, "completionMode", json!("NonIndexed"));
    set(spec, "suspend", json!(false));
    set(spec, "manualSelector", json!(false));
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    set(spec, "podReplacementPolicy", json!(replacement));
}

fn replication_controller(object: &mut Fields) {
    let labels = object
        .get("spec")
        .and_then(|spec| spec.pointer("/template/metadata/labels"))
        .filter(|labels| !is_empty(Some(labels)))
        .cloned();
    if let Some(labels) = labels {
        let spec = child(object, "spec");
        if is_empty(spec.get("selector")) {
            spec.insert("selector".to_owned(), labels.clone());
        }
    }
    labels_of_template(object);
}

/// An object without labels gets those of its pods.
fn labels_of_template(object: &mut Fields) {
    let labels = object.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
    let metadata = child(object, "metadata");
    if let Some(labels) = labels.filter(|labels| !is_empty(Some(labels)))
        && is_empty(metadata.get("labels"))
    {
        metadata.insert("labels".to_owned(), labels);
    }
}

fn limit_range_item(fields: &mut Fields) {
    if text(fields, "type") != "Container" {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        if let Some(Value::Object(limits)) = fields.get(from).cloned() {
            for (name, limit) in limits {
                set(child(fields, to), &name, limit);
            }
        }
    }
}

/// A field that became a list and kept its old name: each is filled from the other.
fn one_and_many(fields: &mut Fields, one: &str, many: &str) {
    match (text(fields, one).to_owned(), fields.get(many).and_then(|list| list.get(0)).cloned()) {
        (first, None) if !first.is_empty() => {
            fields.insert(many.to_owned(), json!([first]));
        }
        (absent, Some(first)) if absent.is_empty() => {
            fields.insert(one.to_owned(), first);
        }
        _ => {}
    }
}

/// Sets a field that is absent, null or the empty text.
fn set(fields: &mut Fields, name: &str, value: Value) {
    let absent = match fields.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty() && !value.as_str().is_none_or(str::is_empty),
        Some(_) => false,
    };
    if absent {
        fields.insert(name.to_owned(), value);
    }
}

/// Sets a field that is absent or zero.
fn set_unless_zero(fields: &mut Fields, name: &str, value: Value) {
    if fields.get(name).is_none_or(|value| value.is_null() || *value == json!(0)) {
        fields.insert(name.to_owned(), value);
    }
}

/// The object in a field, made if there is none. (A value of another type was refused before.)
fn child<'a>(fields: &'a mut Fields, name: &str) -> &'a mut Fields {
    members(fields.entry(name).or_insert_with(|| json!({})))
}

fn elements<'a>(fields: &'a mut Fields, name: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(entries)) => entries.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}
