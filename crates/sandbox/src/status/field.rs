//! Field errors: what is wrong with one field of an object, worded as apimachinery's
//! `pkg/util/validation/field/errors.go` words it.

use kubesso_k8s_types::go;
pub(crate) use kubesso_k8s_types::meta::StatusCause as FieldError;
use serde_json::Value;

/// A value that is against the rules; `value` is printed as Go prints it.
pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> FieldError {
    FieldError::invalid(field, &printed(value), detail)
}

/// A value that must not be there.
pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> FieldError {
    FieldError::forbidden(field, detail)
}

/// A value that must be there.
pub(crate) fn required(field: impl Into<String>, detail: &str) -> FieldError {
    FieldError::required(field, detail)
}

/// A value out of a closed list.
pub(crate) fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> FieldError {
    FieldError::not_supported(field, value, supported)
}

/// A value that is there twice.
pub(crate) fn duplicate(field: impl Into<String>, value: &str) -> FieldError {
    FieldError::duplicate(field, value)
}

/// A text or list that is longer than `max`.
pub(crate) fn too_long(field: impl Into<String>, max: usize) -> FieldError {
    FieldError {
        reason: "FieldValueTooLong".to_owned(),
        message: format!("Too long: may not be more than {max} bytes"),
        field: field.into(),
    }
}

/// `value` as Go's field errors print it: a string quoted, anything else as JSON.
pub(crate) fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => go::quote(text),
        other => go::json(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_go_prints_them() {
        for (value, text) in [
            (json!("X\n"), r#"a: Invalid value: "X\n": no"#),
            (json!({"b": [1]}), r#"a: Invalid value: {"b":[1]}: no"#),
            (json!("<"), r#"a: Invalid value: "<": no"#),
            (json!(["<"]), r#"a: Invalid value: ["\u003c"]: no"#),
            (json!(null), "a: Invalid value: null: no"),
        ] {
            let error = invalid("a", &value, "no");
            assert_eq!(format!("{}: {}", error.field, error.message), text);
        }
    }
}
