//! The row of a pod: what its containers are doing, taken together.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{age, moment, since};
use super::cells::{list, number, or_none, text};

/// The cells of a pod.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = Summary::of(pod);
    let restarts = match (summary.restarts, summary.last_restart) {
        (0, _) | (_, None) => summary.restarts.to_string(),
        (restarts, Some(last)) => format!("{restarts} ({} ago)", since(Some(last), now)),
    };
    vec![
        text(pod, "/metadata/name").into(),
        format!("{}/{}", summary.ready, summary.containers).into(),
        summary.reason.into(),
        restarts.into(),
        age(pod, now),
        or_none(text(pod, "/status/podIPs/0/ip")),
        or_none(text(pod, "/spec/nodeName")),
        or_none(text(pod, "/status/nominatedNodeName")),
        readiness_gates(pod).into(),
    ]
}

/// A pod that has ended is marked, so that clients can hide it.
pub(super) fn row_conditions(pod: &Value) -> Option<Value> {
    let (reason, message) = match text(pod, "/status/phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{ "type": "Completed", "status": "True", "reason": reason, "message": message }]))
}

struct Summary {
    ready: usize,
    containers: usize,
    reason: String,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += number(status, "/restartCount");
        let ended = status.pointer("/lastState/terminated").and_then(|state| moment(state.get("finishedAt")));
        self.last = self.last.max(ended);
    }
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let phase = text(pod, "/status/phase");
        let own_reason = text(pod, "/status/reason");
        let mut reason = if own_reason.is_empty() { phase } else { own_reason }.to_owned();
        if list(pod, "/status/conditions").any(|condition| {
            text(condition, "/type") == "PodScheduled" && text(condition, "/reason") == "SchedulingGated"
        }) {
            "SchedulingGated".clone_into(&mut reason);
        }

        let is_sidecar = |name: &str| {
            list(pod, "/spec/initContainers")
                .any(|container| text(container, "/name") == name && restarts_always(container))
        };
        let mut containers = list(pod, "/spec/containers").count();
        containers +=
            list(pod, "/spec/initContainers").filter(|container| restarts_always(container)).count();
        let mut ready = 0;
        let (mut all, mut sidecars) = (Restarts::default(), Restarts::default());
        let mut initializing = false;

        let init_total = list(pod, "/spec/initContainers").count();
        for (index, status) in list(pod, "/status/initContainerStatuses").enumerate() {
            all.add(status);
            let sidecar = is_sidecar(text(status, "/name"));
            if sidecar {
                sidecars.add(status);
            }
            let terminated = status.pointer("/state/terminated");
            if terminated.is_some_and(|state| number(state, "/exitCode") == 0) {
                continue;
            }
            if sidecar && flag(status, "/started") {
                ready += usize::from(flag(status, "/ready"));
                continue;
            }
            reason = if let Some(state) = terminated {
                format!("Init:{}", ending(state))
            } else {
                match text(status, "/state/waiting/reason") {
                    "" | "PodInitializing" => format!("Init:{index}/{init_total}"),
                    waiting => format!("Init:{waiting}"),
                }
            };
            initializing = true;
            break;
        }

        if !initializing || condition_is_true(pod, "Initialized") {
            all = sidecars;
            let mut running = false;
            let mut failure = None;
            let statuses: Vec<&Value> = list(pod, "/status/containerStatuses").collect();
            for status in statuses.into_iter().rev() {
                all.add(status);
                let waiting = text(status, "/state/waiting/reason");
                if !waiting.is_empty() {
                    waiting.clone_into(&mut reason);
                } else if let Some(state) = status.pointer("/state/terminated") {
                    reason = ending(state);
                    if number(state, "/exitCode") != 0 {
                        failure = Some(reason.clone());
                    }
                } else if flag(status, "/ready") && status.pointer("/state/running").is_some() {
                    running = true;
                    ready += 1;
                }
            }
            if reason == "Completed" {
                if running && condition_is_true(pod, "Ready") {
                    "Running".clone_into(&mut reason);
                } else if let Some(failure) = failure {
                    reason = failure;
                } else if running {
                    "NotReady".clone_into(&mut reason);
                }
            }
        }

        if pod.pointer("/metadata/deletionTimestamp").is_some() {
            if own_reason == "NodeLost" {
                "Unknown".clone_into(&mut reason);
            } else if !matches!(phase, "Failed" | "Succeeded") {
                "Terminating".clone_into(&mut reason);
            }
        }
        Self { ready, containers, reason, restarts: all.count, last_restart: all.last }
    }
}

/// How a container ended.
fn ending(terminated: &Value) -> String {
    match (text(terminated, "/reason"), number(terminated, "/signal")) {
        ("", 0) => format!("ExitCode:{}", number(terminated, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn restarts_always(container: &Value) -> bool {
    text(container, "/restartPolicy") == "Always"
}

fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

fn condition_is_true(pod: &Value, kind: &str) -> bool {
    list(pod, "/status/conditions")
        .any(|condition| text(condition, "/type") == kind && text(condition, "/status") == "True")
}

fn readiness_gates(pod: &Value) -> String {
    let gates: Vec<&str> =
        list(pod, "/spec/readinessGates").map(|gate| text(gate, "/conditionType")).collect();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let passed = gates.iter().filter(|kind| {
        // Only the first condition of the type counts.
        let found = list(pod, "/status/conditions").find(|condition| text(condition, "/type") == **kind);
        found.is_some_and(|condition| text(condition, "/status") == "True")
    });
    format!("{}/{}", passed.count(), gates.len())
}
