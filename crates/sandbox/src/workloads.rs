//! What a cluster would do with the objects, as far as a server does it that runs no containers.
//!
//! Only what kube-apiserver itself does is done: a new pod is `Pending` and stays so, a service gets an address
//! that leads nowhere, a secret's `stringData` is encoded. There is no scheduler, no kubelet and no controller
//! for workloads; a deployment has no pods, and what would need a running container is refused in one sentence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use kubesso_ambient::{Entropy, draw};

use crate::catalog::ResourceType;
use crate::object::{child, members};
use crate::status::ApiError;
use crate::storage::State;

/// Why `exec`, `attach`, `logs` and `port-forward` do not work here.
const NO_CONTAINERS: &str = "this is a kubesso sandbox: it stores Kubernetes objects and decides who may do what, \
                             but it runs no containers, so there is nothing to connect to";

/// The answer to a subresource that needs a running container.
pub(crate) fn refuse_connection(subresource: &str, pod: &str) -> ApiError {
    let what = match subresource {
        "log" => "read the logs of",
        "portforward" => "forward ports to",
        "attach" => "attach to",
        _ => "run a command in",
    };
    ApiError::not_implemented(format!("cannot {what} pod {}: {NO_CONTAINERS}", crate::status::quoted(pod)))
}

/// Fills in what the API server decides about a new object, as the `PrepareForCreate` of its kind and the
/// default admission plugins do.
pub(crate) fn prepare_new(resource: &ResourceType, object: &mut Value, state: &State, entropy: &dyn Entropy) {
    match (resource.group, resource.plural) {
        ("", "namespaces") => {
            let name = object.pointer("/metadata/name").cloned().unwrap_or_default();
            let labels = child(object, "metadata").entry("labels").or_insert_with(|| json!({}));
            members(labels).insert("kubernetes.io/metadata.name".to_owned(), name);
            let finalizers = child(object, "spec").entry("finalizers").or_insert_with(|| json!([]));
            if let Some(finalizers) = finalizers.as_array_mut()
                && !finalizers.iter().any(|name| name == "kubernetes")
            {
                finalizers.push("kubernetes".into());
            }
            set(object, "status", json!({"phase": "Active"}));
        }
        ("", "pods") => prepare_pod(object),
        ("", "services") => prepare_service(object, state, entropy),
        ("", "secrets") => encode_strings(object),
        ("", "nodes") => prepare_node(object),
        ("batch", "jobs") => prepare_job(object),
        _ => {}
    }
    if let Some(status) = first_status(resource) {
        set(object, "status", status);
    }
    if counts_generations(resource) {
        child(object, "metadata").insert("generation".to_owned(), json!(1));
    }
}

/// The status of a new object, where its kind has one that is not [`prepare_pod`]'s and the like.
fn first_status(resource: &ResourceType) -> Option<Value> {
    Some(match (resource.group, resource.plural) {
        ("", "namespaces" | "nodes" | "pods" | "services") => return None,
        ("", "persistentvolumeclaims" | "persistentvolumes") => json!({"phase": "Pending"}),
        ("", "replicationcontrollers") | ("apps", "replicasets") => json!({"replicas": 0}),
        ("apps", "daemonsets") => json!({
            "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
        }),
        ("apps", "statefulsets") => json!({"replicas": 0, "availableReplicas": 0}),
        ("networking.k8s.io", "ingresses") => json!({"loadBalancer": {}}),
        _ if resource.subresource("status").is_some() => json!({}),
        _ => return None,
    })
}

/// A job chooses its pods by its own UID, unless it chooses by hand (kubernetes `pkg/registry/batch/job`).
fn prepare_job(object: &mut Value) {
    if object.pointer("/spec/manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    let at = |name: &str| object.pointer(&format!("/metadata/{name}")).cloned().unwrap_or_default();
    let (uid, name) = (at("uid"), at("name"));
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    let add = |metadata: &mut Map<String, Value>| {
        let map = members(metadata.entry("labels").or_insert_with(|| json!({})));
        for (key, value) in labels {
            map.insert(key.to_owned(), value.clone());
        }
    };
    add(child(object, "metadata"));
    let spec = child(object, "spec");
    let template = spec.entry("template").or_insert_with(|| json!({}));
    add(child(template, "metadata"));
    spec.insert("selector".to_owned(), json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
}

/// Keeps what a change of an object must not touch, and counts its generations.
pub(crate) fn prepare_change(
    resource: &ResourceType,
    object: &mut Value,
    old: &Value,
    state: &State,
    entropy: &dyn Entropy,
) {
    if resource.subresource("status").is_some() {
        keep(object, old, "status");
    }
    match (resource.group, resource.plural) {
        ("", "namespaces") => keep(object, old, "spec"),
        ("", "pods") => prepare_pod_change(object, old),
        ("", "secrets") => encode_strings(object),
        ("", "services") => {
            let external = object.pointer("/spec/type").and_then(Value::as_str) == Some("ExternalName");
            if !external {
                for name in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                    let had = old.pointer(&format!("/spec/{name}")).cloned();
                    let spec = child(object, "spec");
                    if let (Some(had), false) = (had, spec.contains_key(name)) {
                        spec.insert(name.to_owned(), had);
                    }
                }
            }
            prepare_service_ports(object, state, entropy);
        }
        _ => {}
    }
    if counts_generations(resource) {
        let had = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
        let changed = object.get("spec") != old.get("spec");
        insert(child(object, "metadata"), "generation", json!(if changed { had + 1 } else { had }));
    } else if let Some(had) = old.pointer("/metadata/generation").cloned() {
        insert(child(object, "metadata"), "generation", had);
    }
}

/// The part of an object that its `status` subresource changes.
pub(crate) fn prepare_status_change(object: &mut Value, old: &Value) {
    let status = object.get("status").cloned();
    let metadata = object.get("metadata").cloned();
    let mut changed = old.clone();
    if let Some(status) = status {
        set(&mut changed, "status", status);
    }
    // Upstream lets the status writers change metadata, except what identifies the object.
    if let (Some(metadata), Some(old)) = (metadata.and_then(|m| m.as_object().cloned()), old.get("metadata"))
    {
        let mut metadata = metadata;
        for name in ["generation", "deletionTimestamp"] {
            match old.get(name) {
                Some(had) => metadata.insert(name.to_owned(), had.clone()),
                None => metadata.remove(name),
            };
        }
        set(&mut changed, "metadata", Value::Object(metadata));
    }
    *object = changed;
}

/// Kinds whose `metadata.generation` counts the changes of their spec.
fn counts_generations(resource: &ResourceType) -> bool {
    matches!(
        (resource.group, resource.plural),
        ("", "pods" | "replicationcontrollers") | ("apps" | "batch" | "networking.k8s.io", _)
    )
}

fn prepare_pod(object: &mut Value) {
    let spec = child(object, "spec");
    spec.entry("priority").or_insert_with(|| json!(0));
    spec.entry("preemptionPolicy").or_insert_with(|| json!("PreemptLowerPriority"));
    tolerate_for_a_while(spec);
    let class = quality_of_service(spec);
    set(object, "status", json!({"phase": "Pending", "qosClass": class}));
}

/// Admission plugin DefaultTolerationSeconds: on creation and on every change.
fn tolerate_for_a_while(spec: &mut Map<String, Value>) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|toleration| toleration.get("key").is_some_and(|have| have == key)) {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
}

/// Admission plugins on a pod's change: Priority gives back what was left out, DefaultTolerationSeconds adds again.
fn prepare_pod_change(object: &mut Value, old: &Value) {
    let spec = child(object, "spec");
    for name in ["priority", "preemptionPolicy"] {
        if let (Some(had), false) = (old.pointer(&format!("/spec/{name}")), spec.contains_key(name)) {
            spec.insert(name.to_owned(), had.clone());
        }
    }
    tolerate_for_a_while(spec);
}

/// kubernetes `pkg/apis/core/v1/helper/qos`.
fn quality_of_service(spec: &Map<String, Value>) -> &'static str {
    let containers = ["containers", "initContainers"];
    let all: Vec<&Value> =
        containers.iter().filter_map(|name| spec.get(*name)?.as_array()).flatten().collect();
    let part = |container: &Value, name: &str| container.pointer(&format!("/resources/{name}")).cloned();
    let asks = |container: &&Value| {
        ["requests", "limits"].iter().any(|name| {
            part(container, name).is_some_and(|map| map.as_object().is_some_and(|map| !map.is_empty()))
        })
    };
    if !all.iter().any(asks) {
        return "BestEffort";
    }
    let guaranteed = |container: &&Value| {
        let limits = part(container, "limits").unwrap_or_default();
        let requests = part(container, "requests").unwrap_or_else(|| limits.clone());
        ["cpu", "memory"]
            .iter()
            .all(|name| limits.get(name).is_some() && limits.get(name) == requests.get(name))
    };
    if all.iter().all(guaranteed) { "Guaranteed" } else { "Burstable" }
}

fn prepare_node(object: &mut Value) {
    // Admission plugin TaintNodesByCondition: a node that nobody has seen ready takes no pods.
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let taints = child(object, "spec").entry("taints").or_insert_with(|| json!([]));
    if let Some(taints) = taints.as_array_mut()
        && !taints.iter().any(|have| have.get("key") == taint.get("key"))
    {
        taints.push(taint);
    }
    let status = child(object, "status");
    status.entry("daemonEndpoints").or_insert_with(|| json!({"kubeletEndpoint": {"Port": 0}}));
    status.entry("nodeInfo").or_insert_with(|| {
        let names = [
            "machineID",
            "systemUUID",
            "bootID",
            "kernelVersion",
            "osImage",
            "containerRuntimeVersion",
            "kubeletVersion",
            "kubeProxyVersion",
            "operatingSystem",
            "architecture",
        ];
        names.iter().map(|name| ((*name).to_owned(), json!(""))).collect()
    });
}

/// `stringData` is written over `data` and not kept.
fn encode_strings(object: &mut Value) {
    let strings = object.as_object_mut().and_then(|fields| fields.remove("stringData"));
    let Some(Value::Object(strings)) = strings else { return };
    let data = child(object, "data");
    for (key, value) in strings {
        data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
    }
}

/// Addresses are drawn from 10.0.0.0/24, kube-apiserver's default for tests; the first is `kubernetes`.
fn prepare_service(object: &mut Value, state: &State, entropy: &dyn Entropy) {
    set(object, "status", json!({"loadBalancer": {}}));
    let kind = object.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP").to_owned();
    if kind == "ExternalName" {
        return;
    }
    let taken: Vec<&str> = state
        .list("services", None)
        .filter_map(|service| service.object.pointer("/spec/clusterIP")?.as_str())
        .collect();
    let spec = child(object, "spec");
    let asked = spec.get("clusterIP").and_then(Value::as_str).unwrap_or_default().to_owned();
    if asked.is_empty() {
        let start = u16::from(draw::<1>(entropy)[0]);
        let address = (0..65_536_u32)
            .map(|step| {
                let host = u32::from(start) + 2 + step;
                format!("10.0.{}.{}", (host / 254) % 256, host % 254 + 1)
            })
            .find(|address| !taken.contains(&address.as_str()));
        if let Some(address) = address {
            spec.insert("clusterIP".to_owned(), address.into());
        }
    }
    if let Some(address) = spec.get("clusterIP").cloned() {
        spec.entry("clusterIPs").or_insert_with(|| json!([address]));
    }
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy").or_insert_with(|| json!("SingleStack"));
    if kind != "ClusterIP" {
        spec.entry("externalTrafficPolicy").or_insert_with(|| json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        spec.entry("allocateLoadBalancerNodePorts").or_insert_with(|| json!(true));
    }
    spec.entry("internalTrafficPolicy").or_insert_with(|| json!("Cluster"));
    prepare_service_ports(object, state, entropy);
}

/// Target ports default to the port; node ports are drawn from 30000-32767.
fn prepare_service_ports(object: &mut Value, state: &State, entropy: &dyn Entropy) {
    let spec = child(object, "spec");
    let exposed = matches!(spec.get("type").and_then(Value::as_str), Some("NodePort" | "LoadBalancer"));
    let mut taken: Vec<u64> = state
        .list("services", None)
        .filter_map(|service| service.object.pointer("/spec/ports")?.as_array())
        .flatten()
        .filter_map(|port| port.get("nodePort")?.as_u64())
        .collect();
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        let number = port.get("port").cloned().unwrap_or_default();
        port.entry("targetPort").or_insert(number);
        if exposed && port.get("nodePort").and_then(Value::as_u64).unwrap_or_default() == 0 {
            let start = u64::from(u16::from_le_bytes(draw::<2>(entropy)));
            let free =
                (0..2768).map(|step| 30_000 + (start + step) % 2768).find(|port| !taken.contains(port));
            if let Some(free) = free {
                taken.push(free);
                port.insert("nodePort".to_owned(), json!(free));
            }
        }
    }
}

fn keep(object: &mut Value, old: &Value, name: &str) {
    match (object.as_object_mut(), old.get(name)) {
        (Some(fields), Some(had)) => {
            fields.insert(name.to_owned(), had.clone());
        }
        (Some(fields), None) => {
            fields.remove(name);
        }
        (None, _) => {}
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn insert(map: &mut Map<String, Value>, name: &str, value: Value) {
    map.insert(name.to_owned(), value);
}
