//! What of kubectl's output may differ between two clusters: ages, times, identifiers and the width of columns.

use serde_json::Value;

/// The same text from both clusters, if they said the same.
pub(crate) fn text(output: &str) -> String {
    let mut lines = Vec::new();
    for line in output.lines() {
        let trimmed = line.trim_start();
        let indent = " ".repeat(line.len() - trimmed.len());
        // klog: level and date, time, process, place.
        let trimmed = match trimmed.split_once("] ") {
            Some((prefix, message)) if prefix.starts_with(['E', 'W', 'I']) && prefix.contains(".go:") => {
                message
            }
            _ => trimmed,
        };
        let masked = match MASKED_KEYS.iter().find(|key| trimmed.starts_with(**key)) {
            Some(key) => (*key).to_owned() + " <masked>",
            None => trimmed.split_whitespace().map(word).collect::<Vec<_>>().join(" "),
        };
        lines.push(format!("{indent}{masked}"));
    }
    lines.join("\n")
}

/// Keys whose values are times, counters or identifiers.
const MASKED_KEYS: &[&str] = &[
    "uid:",
    "UID:",
    "resourceVersion:",
    "Resource Version:",
    "creationTimestamp:",
    "CreationTimestamp:",
    "Creation Timestamp:",
    "Start Time:",
    "Started:",
    "\"uid\":",
    "\"resourceVersion\":",
    "\"creationTimestamp\":",
];

fn word(word: &str) -> String {
    if is_age(word) || is_time(word) {
        return "<age>".to_owned();
    }
    if is_uuid(word.trim_matches(|c: char| !c.is_ascii_hexdigit())) {
        return "<uid>".to_owned();
    }
    word.to_owned()
}

/// `5s`, `3m20s`, `2d`, `<unknown>` is not one.
fn is_age(word: &str) -> bool {
    word.len() <= 8
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(['s', 'm', 'h', 'd', 'y'])
        && word.chars().all(|c| c.is_ascii_digit() || "smhdy".contains(c))
}

fn is_time(word: &str) -> bool {
    let word = word.trim_matches('"');
    word.len() == 20 && word.ends_with('Z') && word.get(10..11) == Some("T") && word.starts_with("20")
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

/// A message with every UUID in it masked.
fn without_uuids(message: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let words = message.split(|c: char| !is_part(c)).filter(|word| is_uuid(word));
    words.fold(message.to_owned(), |masked, uuid| masked.replace(uuid, "<uid>"))
}

/// An object or list without what each server sets for itself.
pub(crate) fn object(mut value: Value) -> Value {
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // The sandbox describes columns in its own words.
            for column in
                members.get_mut("columnDefinitions").and_then(Value::as_array_mut).into_iter().flatten()
            {
                column["description"] = Value::from("<description>");
            }
            // A controller fills these in, and no controller runs beside the real API server.
            if members.contains_key("aggregationRule") {
                members.insert("rules".to_owned(), Value::from("<aggregated>"));
            }
            for own in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
                members.remove(own);
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::String(text) if is_time(text) => "<time>".clone_into(text),
        Value::String(text) if text.contains('-') => *text = without_uuids(text),
        _ => {}
    }
}

#[test]
fn only_what_is_each_clusters_own_is_masked() {
    assert_eq!(text("NAME   AGE\nstorefront     5m3s"), "NAME AGE\nstorefront <age>");
    assert_eq!(text("  uid: 0b0c"), "  uid: <masked>");
    assert_eq!(text("at 2026-11-22T08:00:00Z by 123e4567-e89b-12d3-a456-426614174000"), "at <age> by <uid>");
    let message = "the UID (123e4567-e89b-12d3-a456-426614174000) does not match a-b";
    assert_eq!(object(Value::from(message)), "the UID (<uid>) does not match a-b");
    assert_eq!(text("10.0.0.20 80/TCP 1/1 pods"), "10.0.0.20 80/TCP 1/1 pods");
}
