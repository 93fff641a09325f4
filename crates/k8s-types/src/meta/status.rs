//! `Status`: the body of every failure, with upstream's texts
//! (`k8s.io/apimachinery/pkg/api/errors/errors.go`).

use serde::{Deserialize, Serialize};

use super::{GroupResource, ListMeta};
use crate::go;
use crate::wire::{is_default, nullable};

/// The machine-readable reason in a [`Status`]. Open: upstream adds reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusReason(pub String);

impl StatusReason {
    /// Whether no reason is given (upstream's `StatusReasonUnknown`).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for StatusReason {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl PartialEq<str> for StatusReason {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for StatusReason {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// The result of a call that returns no object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `Status`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// `v1`
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Mostly empty.
    #[serde(default, deserialize_with = "nullable")]
    pub metadata: ListMeta,
    /// `Success` or `Failure`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// For people.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// For programs.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "StatusReason::is_empty")]
    pub reason: StatusReason,
    /// About which object, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<StatusDetails>,
    /// The HTTP status code.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub code: u16,
}

/// What a [`Status`] is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusDetails {
    /// Name of the object.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its API group.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its resource (sic) or, for invalid objects, its kind.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its UID.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// What exactly is wrong.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<StatusCause>,
    /// When to try again, in seconds.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub retry_after_seconds: i32,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCause {
    /// E.g. `FieldValueRequired`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// E.g. `Required value: must be set`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// E.g. `rules[0].verbs`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            kind: "Status".to_owned(),
            api_version: "v1".to_owned(),
            metadata: ListMeta::default(),
            status: String::new(),
            message: String::new(),
            reason: StatusReason::default(),
            details: None,
            code: 0,
        }
    }
}

impl Status {
    /// A bare failure; the named constructors below are upstream's common cases.
    pub fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "Failure".to_owned(),
            message: message.into(),
            reason: reason.into(),
            code,
            ..Self::default()
        }
    }

    /// 200 with details, as a finished deletion of an object without grace answers.
    pub fn success(details: Option<StatusDetails>) -> Self {
        Self { status: "Success".to_owned(), details, ..Self::default() }
    }

    /// 400 `BadRequest`
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, "BadRequest", message)
    }

    /// 401 as the API server answers every failed authentication; the cause stays in the log.
    pub fn unauthorized() -> Self {
        Self::failure(401, "Unauthorized", "Unauthorized")
    }

    /// 403 for any cause: `pods "p" is forbidden: <cause>`.
    pub fn forbidden(resource: &GroupResource, name: &str, cause: &str) -> Self {
        let message = if resource.is_empty() {
            format!("forbidden: {cause}")
        } else if name.is_empty() {
            format!("{resource} is forbidden: {cause}")
        } else {
            format!("{resource} {} is forbidden: {cause}", go::quote(name))
        };
        Self::failure(403, "Forbidden", message).about(resource, name)
    }

    /// 404 for an object.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::failure(404, "NotFound", format!("{resource} {} not found", go::quote(name)))
            .about(resource, name)
    }

    /// 404 for a path that nothing serves.
    pub fn no_such_resource() -> Self {
        Self {
            details: Some(StatusDetails::default()),
            ..Self::failure(404, "NotFound", "the server could not find the requested resource")
        }
    }

    /// 405
    pub fn method_not_supported(resource: &GroupResource, action: &str) -> Self {
        let kind = go::quote(&resource.to_string());
        let message = format!("{action} is not supported on resources of kind {kind}");
        Self::failure(405, "MethodNotAllowed", message).about(resource, "")
    }

    /// 406
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::failure(406, "NotAcceptable", message)
    }

    /// 409 because the name is taken.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} already exists", go::quote(name));
        Self::failure(409, "AlreadyExists", message).about(resource, name)
    }

    /// 409 because somebody else was faster, or a precondition does not hold.
    pub fn conflict(resource: &GroupResource, name: &str, cause: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {}: {cause}", go::quote(name));
        Self::failure(409, "Conflict", message).about(resource, name)
    }

    /// 410 because the resource version is too old.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::failure(410, "Expired", message)
    }

    /// 413
    pub fn request_entity_too_large(message: impl Into<String>) -> Self {
        Self::failure(413, "RequestEntityTooLarge", message)
    }

    /// 415
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::failure(415, "UnsupportedMediaType", message)
    }

    /// 422: `Role.rbac.authorization.k8s.io "r" is invalid: [a: …, b: …]`. `kind` holds group and kind.
    pub fn invalid(kind: &GroupResource, name: &str, causes: Vec<StatusCause>) -> Self {
        let texts = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message));
        let mut message = format!("{kind} {} is invalid", go::quote(name));
        if let Some(all) = go::aggregate(texts) {
            message = format!("{message}: {all}");
        }
        let mut status = Self::failure(422, "Invalid", message).about(kind, name);
        if let Some(details) = &mut status.details {
            details.causes = causes;
        }
        status
    }

    /// An error that is no API error: 500 with its text and nothing else, as upstream's
    /// `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters` (`ErrorToAPIStatus`) writes it.
    pub fn plain_error(text: &str) -> Self {
        Self {
            kind: "Status".to_owned(),
            api_version: "v1".to_owned(),
            status: "Failure".to_owned(),
            message: text.to_owned(),
            code: 500,
            ..Self::default()
        }
    }

    /// 500: `Internal error occurred: <cause>`.
    pub fn internal_error(cause: &str) -> Self {
        let details = StatusDetails {
            causes: vec![StatusCause { message: cause.to_owned(), ..StatusCause::default() }],
            ..StatusDetails::default()
        };
        Self {
            details: Some(details),
            ..Self::failure(500, "InternalError", format!("Internal error occurred: {cause}"))
        }
    }

    /// 503
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::failure(503, "ServiceUnavailable", message)
    }

    fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        self.details = Some(StatusDetails {
            name: name.to_owned(),
            group: resource.group.clone(),
            kind: resource.resource.clone(),
            ..StatusDetails::default()
        });
        self
    }
}

/// The field errors of `k8s.io/apimachinery/pkg/util/validation/field`.
impl StatusCause {
    /// `Required value: <detail>`
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::field("FieldValueRequired", field, with_detail("Required value".to_owned(), detail))
    }

    /// `Invalid value: <value>: <detail>`; the value as Go prints it (a string goes through
    /// [`go::quote`] first).
    pub fn invalid(field: impl Into<String>, printed_value: &str, detail: &str) -> Self {
        let body = with_detail(format!("Invalid value: {printed_value}"), detail);
        Self::field("FieldValueInvalid", field, body)
    }

    /// `Forbidden: <detail>`
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::field("FieldValueForbidden", field, with_detail("Forbidden".to_owned(), detail))
    }

    /// `Unsupported value: "x": supported values: "a", "b"`
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| go::quote(value)).collect();
        let body =
            format!("Unsupported value: {}: supported values: {}", go::quote(value), supported.join(", "));
        Self::field("FieldValueNotSupported", field, body)
    }

    /// `Duplicate value: "x"`
    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::field("FieldValueDuplicate", field, format!("Duplicate value: {}", go::quote(value)))
    }

    fn field(reason: &str, field: impl Into<String>, message: String) -> Self {
        Self { reason: reason.to_owned(), message, field: field.into() }
    }
}

fn with_detail(body: String, detail: &str) -> String {
    if detail.is_empty() { body } else { format!("{body}: {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_upstream_order_and_empty_ones_are_left_out() {
        let status = Status::not_found(&GroupResource::new("", "pods"), "p\"1");
        insta::assert_snapshot!(serde_json::to_string(&status).unwrap(), @r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"p\\\"1\" not found","reason":"NotFound","details":{"name":"p\"1","kind":"pods"},"code":404}"#);
    }

    #[test]
    fn messages_are_upstreams() {
        let deployments = GroupResource::new("apps", "deployments");
        for (status, code, message) in [
            (Status::forbidden(&deployments, "", "no"), 403, "deployments.apps is forbidden: no"),
            (Status::forbidden(&deployments, "d", "no"), 403, "deployments.apps \"d\" is forbidden: no"),
            (Status::forbidden(&GroupResource::default(), "", "no"), 403, "forbidden: no"),
            (Status::already_exists(&deployments, "d"), 409, "deployments.apps \"d\" already exists"),
            (
                Status::conflict(&deployments, "d", "changed"),
                409,
                "Operation cannot be fulfilled on deployments.apps \"d\": changed",
            ),
            (
                Status::invalid(
                    &GroupResource::new("rbac.authorization.k8s.io", "Role"),
                    "r",
                    vec![
                        StatusCause::required("rules[0].verbs", "verbs must contain at least one value"),
                        StatusCause::not_supported("roleRef.kind", "X", &["ClusterRole", "Role"]),
                    ],
                ),
                422,
                "Role.rbac.authorization.k8s.io \"r\" is invalid: [rules[0].verbs: Required value: verbs must contain at least one value, roleRef.kind: Unsupported value: \"X\": supported values: \"ClusterRole\", \"Role\"]",
            ),
            (Status::internal_error("boom"), 500, "Internal error occurred: boom"),
        ] {
            assert_eq!((status.code, status.message.as_str()), (code, message));
        }
    }
}
