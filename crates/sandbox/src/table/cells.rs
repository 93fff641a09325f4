//! The rows of the kinds that are not about running pods.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{age, moment, since};
use crate::schema::canonical_quantity;

pub(super) fn any(object: &Value, _now: Timestamp) -> Vec<Value> {
    let created = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    // Go's zero time, for an object that was never stored.
    vec![name(object), created.unwrap_or("0001-01-01T00:00:00Z").into()]
}

pub(super) fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
    let (mut users, mut groups, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
    for subject in list(object, "/subjects") {
        let name = text(subject, "/name");
        match text(subject, "/kind") {
            "User" => users.push(name.to_owned()),
            "Group" => groups.push(name.to_owned()),
            "ServiceAccount" => accounts.push(format!("{}/{name}", text(subject, "/namespace"))),
            _ => {}
        }
    }
    let mut cells = vec![name(object), role.into(), age(object, now)];
    cells.extend([users, groups, accounts].map(|names| Value::from(names.join(", "))));
    cells
}

pub(super) fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(entries(object, "/data") + entries(object, "/binaryData")), age(object, now)]
}

pub(super) fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), format_endpoints(object).into(), age(object, now)]
}

fn format_endpoints(object: &Value) -> String {
    const SHOWN: usize = 3;
    if list(object, "/subsets").next().is_none() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        let addresses: Vec<&str> = list(subset, "/addresses").map(|address| text(address, "/ip")).collect();
        // A headless service may have no ports.
        if list(subset, "/ports").next().is_none() {
            all.extend(addresses.iter().map(|&address| address.to_owned()));
        }
        for port in list(subset, "/ports") {
            let number = number(port, "/port");
            all.extend(addresses.iter().map(|address| {
                if address.contains(':') {
                    format!("[{address}]:{number}")
                } else {
                    format!("{address}:{number}")
                }
            }));
        }
    }
    if all.len() > SHOWN {
        format!("{} + {} more...", all[..SHOWN].join(","), all.len() - SHOWN)
    } else {
        all.join(",")
    }
}

pub(super) fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports = list(object, "/ports").map(|port| {
        let number = port.get("port").and_then(Value::as_i64).map(|port| port.to_string());
        number
            .or_else(|| port.get("name").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_else(|| "*".to_owned())
    });
    let addresses = list(object, "/endpoints")
        .flat_map(|endpoint| list(endpoint, "/addresses"))
        .map(|address| address.as_str().unwrap_or_default().to_owned());
    vec![
        name(object),
        text(object, "/addressType").into(),
        first_three(&ports.collect::<Vec<_>>()).into(),
        first_three(&addresses.collect::<Vec<_>>()).into(),
        age(object, now),
    ]
}

fn first_three(all: &[String]) -> String {
    const SHOWN: usize = 3;
    if all.len() > SHOWN {
        return format!("{} + {} more...", all[..SHOWN].join(","), all.len() - SHOWN);
    }
    let text = all.join(",");
    if text.is_empty() { "<unset>".to_owned() } else { text }
}

pub(super) fn event(object: &Value, now: Timestamp) -> Vec<Value> {
    let time = |pointer: &str| moment(object.pointer(pointer));
    let first = since(time("/firstTimestamp").or_else(|| time("/eventTime")), now);
    let series = object.get("series").filter(|series| series.is_object());
    let last = match (series, time("/lastTimestamp")) {
        (Some(series), _) => since(moment(series.get("lastObservedTime")), now),
        (None, Some(last)) => since(Some(last), now),
        (None, None) => first.clone(),
    };
    let count = match (series, number(object, "/count")) {
        (Some(series), _) => number(series, "/count"),
        (None, 0) => 1,
        (None, count) => count,
    };
    let kind = text(object, "/involvedObject/kind").to_lowercase();
    let target = match text(object, "/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let either = |one, other| match text(object, one) {
        "" => text(object, other),
        found => found,
    };
    let source = match (
        either("/source/component", "/reportingComponent"),
        either("/source/host", "/reportingInstance"),
    ) {
        (component, "") => component.to_owned(),
        (component, instance) => format!("{component}, {instance}"),
    };
    vec![
        last.into(),
        text(object, "/type").into(),
        text(object, "/reason").into(),
        target.into(),
        text(object, "/involvedObject/fieldPath").into(),
        source.into(),
        text(object, "/message").trim().into(),
        first.into(),
        count.into(),
        name(object),
    ]
}

pub(super) fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
    let class = object.pointer("/spec/ingressClassName").and_then(Value::as_str).unwrap_or("<none>");
    let tls = list(object, "/spec/tls").next().is_some();
    vec![
        name(object),
        class.into(),
        hosts(object).into(),
        balancer_addresses(object).join(",").into(),
        if tls { "80, 443" } else { "80" }.into(),
        age(object, now),
    ]
}

fn hosts(object: &Value) -> String {
    const SHOWN: usize = 3;
    let rules = list(object, "/spec/rules").count();
    let (mut shown, mut more) = (Vec::new(), false);
    for rule in list(object, "/spec/rules") {
        more |= shown.len() == SHOWN;
        let host = text(rule, "/host");
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match (shown.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (false, true) => format!("{} + {} more...", shown.join(","), rules - SHOWN),
        (false, false) => shown.join(","),
    }
}

pub(super) fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, "/spec/holderIdentity").into(), age(object, now)]
}

pub(super) fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, "/status/phase").into(), age(object, now)]
}

pub(super) fn network_policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), label_selector(object.pointer("/spec/podSelector")).into(), age(object, now)]
}

pub(super) fn node(object: &Value, now: Timestamp) -> Vec<Value> {
    let ready =
        list(object, "/status/conditions").filter(|condition| text(condition, "/type") == "Ready").last();
    let mut status = match ready.map(|condition| text(condition, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if object.pointer("/spec/unschedulable") == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let found = list(object, "/status/addresses").find(|address| text(address, "/type") == kind);
        Value::from(found.map_or("<none>", |address| text(address, "/address")))
    };
    let info = |field: &str| match text(object, &format!("/status/nodeInfo/{field}")) {
        "" => "<unknown>".to_owned(),
        found => found.to_owned(),
    };
    let kernel = match text(object, "/status/nodeInfo/architecture") {
        "" => info("kernelVersion"),
        architecture => format!("{} ({architecture})", info("kernelVersion")),
    };
    vec![
        name(object),
        status.into(),
        roles(object).into(),
        age(object, now),
        text(object, "/status/nodeInfo/kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage").into(),
        kernel.into(),
        info("containerRuntimeVersion").into(),
    ]
}

fn roles(object: &Value) -> String {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    let roles: BTreeSet<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    if roles.is_empty() { "<none>".to_owned() } else { roles.into_iter().collect::<Vec<_>>().join(",") }
}

pub(super) fn persistent_volume(object: &Value, now: Timestamp) -> Vec<Value> {
    let claim = object.pointer("/spec/claimRef").filter(|claim| claim.is_object());
    let claim = claim.map(|claim| format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")));
    vec![
        name(object),
        quantity(object.pointer("/spec/capacity/storage")).into(),
        access_modes(object.pointer("/spec/accessModes")).into(),
        text(object, "/spec/persistentVolumeReclaimPolicy").into(),
        phase(object).into(),
        claim.unwrap_or_default().into(),
        storage_class_of(object).into(),
        or_unset(object.pointer("/spec/volumeAttributesClassName")),
        text(object, "/status/reason").into(),
        age(object, now),
        or_unset(object.pointer("/spec/volumeMode")),
    ]
}

pub(super) fn persistent_volume_claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let volume = text(object, "/spec/volumeName");
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (
            quantity(object.pointer("/status/capacity/storage")),
            access_modes(object.pointer("/status/accessModes")),
        )
    };
    vec![
        name(object),
        phase(object).into(),
        volume.into(),
        capacity.into(),
        modes.into(),
        storage_class_of(object).into(),
        or_unset(object.pointer("/spec/volumeAttributesClassName")),
        age(object, now),
        or_unset(object.pointer("/spec/volumeMode")),
    ]
}

fn phase(object: &Value) -> &str {
    let deleting = object.pointer("/metadata/deletionTimestamp").is_some();
    if deleting { "Terminating" } else { text(object, "/status/phase") }
}

fn storage_class_of(object: &Value) -> &str {
    const BETA: &str = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";
    let old = object.pointer(BETA).and_then(Value::as_str);
    old.unwrap_or_else(|| text(object, "/spec/storageClassName"))
}

fn access_modes(modes: Option<&Value>) -> String {
    let given: Vec<&str> =
        modes.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let found: Vec<&str> =
        short.iter().filter(|(mode, _)| given.contains(mode)).map(|(_, short)| *short).collect();
    found.join(",")
}

pub(super) fn resource_quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let hard: BTreeMap<&String, &Value> =
        object.pointer("/status/hard").and_then(Value::as_object).into_iter().flatten().collect();
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in hard {
        let used = object.pointer("/status/used").and_then(|used| used.get(resource));
        let entry = format!("{resource}: {}/{}", quantity(used), quantity(Some(hard)));
        if resource.starts_with("limits.") { limits.push(entry) } else { requests.push(entry) }
    }
    vec![name(object), requests.join(", ").into(), limits.join(", ").into(), age(object, now)]
}

pub(super) fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), text(object, "/type").into(), json!(entries(object, "/data")), age(object, now)]
}

pub(super) fn service_account(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), age(object, now)]
}

pub(super) fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = list(object, "/spec/ports")
        .map(|port| {
            let (number_of, protocol) = (number(port, "/port"), text(port, "/protocol"));
            match number(port, "/nodePort") {
                node @ 1.. => format!("{number_of}:{node}/{protocol}"),
                _ => format!("{number_of}/{protocol}"),
            }
        })
        .collect();
    vec![
        name(object),
        text(object, "/spec/type").into(),
        or_none_if_absent(object.pointer("/spec/clusterIPs/0")),
        external_ip(object).into(),
        or_none(&ports.join(",")),
        age(object, now),
        labels(object.pointer("/spec/selector")).into(),
    ]
}

fn external_ip(object: &Value) -> String {
    let external: Vec<String> =
        list(object, "/spec/externalIPs").filter_map(Value::as_str).map(str::to_owned).collect();
    match text(object, "/spec/type") {
        "ClusterIP" | "NodePort" if external.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => external.join(","),
        "LoadBalancer" => {
            let mut addresses = balancer_addresses(object);
            addresses.extend(external);
            if addresses.is_empty() { "<pending>".to_owned() } else { addresses.join(",") }
        }
        "ExternalName" => text(object, "/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// Addresses of the load balancer, sorted, each once. (Upstream shortens them for narrow tables, but the API server
/// always makes the wide one.)
fn balancer_addresses(object: &Value) -> Vec<String> {
    let addresses: BTreeSet<&str> = list(object, "/status/loadBalancer/ingress")
        .map(|ingress| match text(ingress, "/ip") {
            "" => text(ingress, "/hostname"),
            ip => ip,
        })
        .filter(|address| !address.is_empty())
        .collect();
    addresses.into_iter().map(str::to_owned).collect()
}

pub(super) fn storage_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let is_default =
        ["storageclass.kubernetes.io~1is-default-class", "storageclass.beta.kubernetes.io~1is-default-class"]
            .iter()
            .any(|key| text(object, &format!("/metadata/annotations/{key}")) == "true");
    let shown = format!("{}{}", text(object, "/metadata/name"), if is_default { " (default)" } else { "" });
    let or = |field: &str, default: &'static str| match text(object, field) {
        "" => default.to_owned(),
        found => found.to_owned(),
    };
    vec![
        shown.into(),
        text(object, "/provisioner").into(),
        or("/reclaimPolicy", "Delete").into(),
        or("/volumeBindingMode", "Immediate").into(),
        (object.get("allowVolumeExpansion") == Some(&Value::Bool(true))).into(),
        age(object, now),
    ]
}

// What the printers share.

pub(super) fn name(object: &Value) -> Value {
    text(object, "/metadata/name").into()
}

/// The text at a JSON pointer; empty if there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer; 0 if there is none.
pub(super) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The elements of the list at a JSON pointer.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>" } else { text }.into()
}

fn or_none_if_absent(value: Option<&Value>) -> Value {
    value.cloned().unwrap_or_else(|| "<none>".into())
}

fn or_unset(value: Option<&Value>) -> Value {
    value.and_then(Value::as_str).unwrap_or("<unset>").into()
}

/// A flag that may not be set, as upstream prints it.
pub(super) fn flag_of(value: Option<&Value>) -> &'static str {
    match value.and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    }
}

fn entries(object: &Value, pointer: &str) -> usize {
    object.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

fn quantity(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).and_then(canonical_quantity).unwrap_or_else(|| "0".to_owned())
}

/// Labels as `labels.FormatLabels` prints them: `a=1,b=2`, `<none>` if there are none.
pub(super) fn labels(value: Option<&Value>) -> String {
    let pairs = pairs(value);
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

fn pairs(value: Option<&Value>) -> Vec<String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect()
}

/// A label selector as `metav1.FormatLabelSelector` prints it; `<none>` if it selects everything or is not there.
pub(super) fn label_selector(value: Option<&Value>) -> String {
    match requirements(value) {
        None => "<error>".to_owned(),
        Some(requirements) if requirements.is_empty() => "<none>".to_owned(),
        Some(requirements) => requirements.join(","),
    }
}

/// The same for a deployment: nothing if it selects everything, `<invalid>` if it cannot be.
pub(super) fn selector(value: Option<&Value>) -> String {
    requirements(value).map_or_else(|| "<invalid>".to_owned(), |requirements| requirements.join(","))
}

/// The requirements of a label selector, by key; `None` if one has an unknown operator.
fn requirements(value: Option<&Value>) -> Option<Vec<String>> {
    let Some(selector) = value else { return Some(Vec::new()) };
    let mut found: Vec<(String, String)> = Vec::new();
    for pair in pairs(selector.get("matchLabels")) {
        let key = pair.split('=').next().unwrap_or_default().to_owned();
        found.push((key, pair));
    }
    for expression in list(selector, "/matchExpressions") {
        let key = text(expression, "/key");
        let values: BTreeSet<&str> = list(expression, "/values").filter_map(Value::as_str).collect();
        let values = values.into_iter().collect::<Vec<_>>().join(",");
        let text = match text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        };
        found.push((key.to_owned(), text));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(found.into_iter().map(|(_, text)| text).collect())
}
