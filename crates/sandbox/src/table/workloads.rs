//! The rows of what makes pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{age, human, moment, since};
use super::cells::{flag_of, label_selector, labels, list, name, number, selector, text};

pub(super) fn daemon_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![name(object)];
    for field in [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ] {
        cells.push(number(object, &format!("/status/{field}")).into());
    }
    cells.push(labels(object.pointer("/spec/template/spec/nodeSelector")).into());
    cells.push(age(object, now));
    cells.extend(containers(object, "/spec/template"));
    cells.push(label_selector(object.pointer("/spec/selector")).into());
    cells
}

pub(super) fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![name(object), ready_of_wanted(object)];
    cells.push(number(object, "/status/updatedReplicas").into());
    cells.push(number(object, "/status/availableReplicas").into());
    cells.push(age(object, now));
    cells.extend(containers(object, "/spec/template"));
    cells.push(selector(object.pointer("/spec/selector")).into());
    cells
}

pub(super) fn stateful_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![name(object), ready_of_wanted(object), age(object, now)];
    cells.extend(containers(object, "/spec/template"));
    cells
}

pub(super) fn replica_set(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = replicas(object, now);
    cells.push(label_selector(object.pointer("/spec/selector")).into());
    cells
}

pub(super) fn replication_controller(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = replicas(object, now);
    cells.push(labels(object.pointer("/spec/selector")).into());
    cells
}

pub(super) fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let succeeded = number(object, "/status/succeeded");
    let completions = match object.pointer("/spec/completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None => match number(object, "/spec/parallelism") {
            parallel @ 2.. => format!("{succeeded}/1 of {parallel}"),
            _ => format!("{succeeded}/1"),
        },
    };
    let started = moment(object.pointer("/status/startTime"));
    let ended = moment(object.pointer("/status/completionTime")).unwrap_or(now);
    let duration = started.map(|started| human(ended.duration_since(started))).unwrap_or_default();
    let mut cells =
        vec![name(object), job_status(object).into(), completions.into(), duration.into(), age(object, now)];
    cells.extend(containers(object, "/spec/template"));
    cells.push(label_selector(object.pointer("/spec/selector")).into());
    cells
}

fn job_status(object: &Value) -> &'static str {
    let is = |kind: &str| {
        list(object, "/status/conditions")
            .any(|condition| text(condition, "/type") == kind && text(condition, "/status") == "True")
    };
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if object.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else {
        let rest = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
        rest.into_iter().find(|kind| is(kind)).unwrap_or("Running")
    }
}

pub(super) fn cron_job(object: &Value, now: Timestamp) -> Vec<Value> {
    let time_zone = object.pointer("/spec/timeZone").and_then(Value::as_str).unwrap_or("<none>");
    let last = object.pointer("/status/lastScheduleTime");
    let last = last.map_or_else(|| "<none>".to_owned(), |last| since(moment(Some(last)), now));
    let mut cells = vec![
        name(object),
        text(object, "/spec/schedule").into(),
        time_zone.into(),
        flag_of(object.pointer("/spec/suspend")).into(),
        json!(list(object, "/status/active").count()),
        last.into(),
        age(object, now),
    ];
    cells.extend(containers(object, "/spec/jobTemplate/spec/template"));
    cells.push(label_selector(object.pointer("/spec/jobTemplate/spec/selector")).into());
    cells
}

fn replicas(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![name(object)];
    for pointer in ["/spec/replicas", "/status/replicas", "/status/readyReplicas"] {
        cells.push(number(object, pointer).into());
    }
    cells.push(age(object, now));
    cells.extend(containers(object, "/spec/template"));
    cells
}

fn ready_of_wanted(object: &Value) -> Value {
    format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas")).into()
}

/// Names and images of the containers of a pod template.
fn containers(object: &Value, template: &str) -> [Value; 2] {
    let pointer = format!("{template}/spec/containers");
    ["/name", "/image"].map(|field| {
        let cells: Vec<&str> = list(object, &pointer).map(|container| text(container, field)).collect();
        cells.join(",").into()
    })
}
