//! Strategic merge patch: a merge patch that knows, from the kind's schema, which lists are merged by a key,
//! with the directives `$patch`, `$setElementOrder/…`, `$retainKeys` and `$deleteFromPrimitiveList/…`.
//!
//! The rules of apimachinery `pkg/util/strategicpatch/patch.go` (`StrategicMergePatch`), and its error texts.

use serde_json::{Map, Value};

use crate::schema::SchemaNode;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// Applies `patch` to `original`. Both are objects of the kind that `schema` describes; without a schema all
/// lists are replaced.
pub(crate) fn merge(schema: Option<SchemaNode>, original: &Value, patch: &Value) -> Result<Value, String> {
    let (Value::Object(original), Value::Object(patch)) = (original, patch) else {
        return Ok(patch.clone());
    };
    merge_map(schema, original.clone(), patch).map(Value::Object)
}

fn merge_map(
    schema: Option<SchemaNode>,
    mut original: Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    match patch.get(PATCH) {
        None => {}
        Some(Value::String(directive)) => match directive.as_str() {
            "replace" => {
                let mut replaced = patch.clone();
                replaced.remove(PATCH);
                return Ok(replaced);
            }
            "delete" => return Ok(Map::new()),
            "merge" => {}
            _ => return Err(unknown_directive(patch)),
        },
        Some(_) => return Err(unknown_directive(patch)),
    }
    retain_keys(&mut original, patch)?;
    for (key, value) in patch {
        if key == PATCH || key == RETAIN_KEYS || key.starts_with(ELEMENT_ORDER) {
            continue;
        }
        if let Some(field) = key.strip_prefix(DELETE_FROM) {
            delete_from_primitives(&mut original, field, value)?;
            continue;
        }
        if value.is_null() {
            original.remove(key);
            continue;
        }
        let field = schema.and_then(|schema| schema.field(key).or_else(|| schema.additional()));
        let merged =
            merge_field(field, original.remove(key), value, patch.get(&format!("{ELEMENT_ORDER}{key}")))?;
        original.insert(key.clone(), merged);
    }
    // An order may also be given for a list that the patch does not change.
    for (key, order) in patch {
        let Some(name) = key.strip_prefix(ELEMENT_ORDER) else { continue };
        if patch.contains_key(name) {
            continue;
        }
        let field = schema.and_then(|schema| schema.field(name));
        if let (Some(Value::Array(list)), Value::Array(order)) = (original.get(name), order) {
            let key = field.and_then(SchemaNode::patch_merge_key);
            let ordered = in_order(list.clone(), list, order, key);
            original.insert(name.to_owned(), Value::Array(ordered));
        }
    }
    Ok(original)
}

fn merge_field(
    field: Option<SchemaNode>,
    original: Option<Value>,
    patch: &Value,
    order: Option<&Value>,
) -> Result<Value, String> {
    let replaces = field.and_then(SchemaNode::patch_strategy).is_some_and(|strategy| strategy == "replace");
    match (original, patch) {
        (Some(Value::Object(original)), Value::Object(patch)) if !replaces => {
            merge_map(field, original, patch).map(Value::Object)
        }
        (_, Value::Object(patch)) => {
            let mut patch = patch.clone();
            if replaces {
                patch.remove(PATCH);
                return Ok(Value::Object(patch));
            }
            merge_map(field, Map::new(), &patch).map(Value::Object)
        }
        (original, Value::Array(patch)) => {
            let merges = field
                .and_then(SchemaNode::patch_strategy)
                .is_some_and(|strategy| strategy.split(',').any(|part| part == "merge"));
            if !merges {
                return Ok(Value::Array(patch.clone()));
            }
            let original = match original {
                Some(Value::Array(original)) => original,
                _ => Vec::new(),
            };
            let order = order.and_then(Value::as_array).map(Vec::as_slice);
            merge_list(field, &original, patch, order).map(Value::Array)
        }
        (_, scalar) => Ok(scalar.clone()),
    }
}

fn merge_list(
    field: Option<SchemaNode>,
    original: &[Value],
    patch: &[Value],
    order: Option<&[Value]>,
) -> Result<Vec<Value>, String> {
    let Some(merge_key) = field.and_then(SchemaNode::patch_merge_key) else {
        return Ok(merge_primitives(original, patch, order));
    };
    let mut merged = original.to_vec();
    let mut additions = Vec::with_capacity(patch.len());
    let mut replaced = false;
    for element in patch {
        let Value::Object(element) = element else {
            return Err(format!("expected a map for list element, got {element}"));
        };
        match element.get(PATCH).and_then(Value::as_str) {
            None | Some("merge") => additions.push(element),
            Some("delete") => {
                let Some(value) = element.get(merge_key) else {
                    return Err(without_merge_key(element, merge_key));
                };
                merged.retain(|have| have.get(merge_key) != Some(value));
            }
            Some("replace") => replaced = true,
            Some(_) => return Err(unknown_directive(element)),
        }
    }
    if replaced {
        // The list is what the patch says, without the elements that only carry the directive.
        let kept =
            patch.iter().filter(|element| element.get(PATCH).and_then(Value::as_str) != Some("replace"));
        return Ok(kept.cloned().collect());
    }
    let elements = field.and_then(SchemaNode::items);
    for element in additions {
        let Some(value) = element.get(merge_key) else {
            return Err(without_merge_key(element, merge_key));
        };
        match merged.iter_mut().find(|have| have.get(merge_key) == Some(value)) {
            Some(Value::Object(have)) => *have = merge_map(elements, std::mem::take(have), element)?,
            _ => merged.push(Value::Object(merge_map(elements, Map::new(), element)?)),
        }
    }
    match order {
        Some(order) => Ok(in_order(merged, original, order, Some(merge_key))),
        None => Ok(in_patch_order(merged, original, patch, merge_key)),
    }
}

/// Without a given order, the elements that the patch names stand as in the patch, among the others where they
/// stood: upstream takes the patch itself for the order.
fn in_patch_order(merged: Vec<Value>, original: &[Value], patch: &[Value], merge_key: &str) -> Vec<Value> {
    let order: Vec<Value> = patch.iter().filter(|element| element.get(PATCH).is_none()).cloned().collect();
    in_order(merged, original, &order, Some(merge_key))
}

fn unknown_directive(patch: &Map<String, Value>) -> String {
    let directive = patch.get(PATCH).map(super::go_map).unwrap_or_default();
    format!("unknown patch type: {directive} in map: {}", super::go_map(&Value::Object(patch.clone())))
}

fn without_merge_key(element: &Map<String, Value>, merge_key: &str) -> String {
    format!(
        "map: {} does not contain declared merge key: {merge_key}",
        super::go_map(&Value::Object(element.clone()))
    )
}

fn merge_primitives(original: &[Value], patch: &[Value], order: Option<&[Value]>) -> Vec<Value> {
    let mut merged = original.to_vec();
    for value in patch {
        if !merged.contains(value) {
            merged.push(value.clone());
        }
    }
    in_order(merged, original, order.unwrap_or(patch), None)
}

/// Puts the elements that `order` names into that order. The others, which only the server has, stay where they
/// stood among the original's elements (`normalizeElementOrder`).
fn in_order(merged: Vec<Value>, original: &[Value], order: &[Value], merge_key: Option<&str>) -> Vec<Value> {
    let identity =
        |element: &Value| merge_key.map_or_else(|| Some(element.clone()), |key| element.get(key).cloned());
    let position = |list: &[Value], element: &Value| {
        let wanted = identity(element);
        list.iter().position(|other| identity(other) == wanted)
    };
    let (mut named, others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|element| position(order, element).is_some());
    named.sort_by_key(|element| position(order, element));

    let mut ordered = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let take_other = match (named.peek(), others.peek()) {
            (None, None) => return ordered,
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (Some(first), Some(other)) => match (position(original, first), position(original, other)) {
                // What is new to the list comes before what only the server has.
                (None, _) | (Some(_), None) => false,
                (Some(first), Some(other)) => other < first,
            },
        };
        ordered.extend(if take_other { others.next() } else { named.next() });
    }
}

/// Of a map with `$retainKeys`, what is not listed goes.
fn retain_keys(original: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), String> {
    let Some(directive) = patch.get(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(keys) = directive else {
        return Err("invalid patch format of retainKeys".to_owned());
    };
    let listed = |key: &str| keys.iter().any(|listed| listed == key);
    let unlisted = patch.iter().any(|(key, value)| !key.starts_with('$') && !value.is_null() && !listed(key));
    if unlisted {
        return Err("invalid patch format of retainKeys".to_owned());
    }
    original.retain(|key, _| listed(key));
    Ok(())
}

fn delete_from_primitives(
    original: &mut Map<String, Value>,
    field: &str,
    values: &Value,
) -> Result<(), String> {
    let Value::Array(values) = values else {
        return Err("invalid patch format of delete primitive list".to_owned());
    };
    if let Some(Value::Array(list)) = original.get_mut(field) {
        list.retain(|value| !values.contains(value));
    }
    Ok(())
}
