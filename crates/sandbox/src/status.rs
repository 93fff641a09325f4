//! The `Status` objects with which this server refuses: code, reason, message and details equal to upstream's,
//! because clients decide on the reason and people search for the message.
//!
//! Source of the texts: apimachinery `pkg/api/errors/errors.go` and apiserver `pkg/endpoints/handlers`, checked
//! against the replies of kube-apiserver 1.36.3.

pub(crate) mod field;

use kubesso_k8s_types::go;
use kubesso_k8s_types::meta::{GroupResource, Status, StatusCause, StatusDetails};

use crate::catalog::ResourceType;
use crate::storage::StorageError;
use field::FieldError;

/// A request that was refused, as the `Status` that says so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} {}: {}", .0.code, .0.reason.0, .0.message)]
pub(crate) struct ApiError(pub(crate) Box<Status>);

impl From<Status> for ApiError {
    fn from(status: Status) -> Self {
        Self(Box::new(status))
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the objects could not be written");
        Self::internal(error)
    }
}

/// The resource as a `Status` names it: `deployments.apps`.
pub(crate) fn group_resource(resource: &ResourceType) -> GroupResource {
    GroupResource::new(resource.group, resource.plural)
}

/// The kind as a `Status` names it: `Deployment.apps`.
pub(crate) fn group_kind(resource: &ResourceType) -> GroupResource {
    GroupResource::new(resource.group, resource.kind)
}

impl ApiError {
    fn with_details(code: u16, reason: &str, message: impl Into<String>, details: StatusDetails) -> Self {
        Status { details: Some(details), ..Status::failure(code, reason, message) }.into()
    }

    /// 400 with a sentence of the caller's.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Status::bad_request(message).into()
    }

    /// 404 for an object.
    pub(crate) fn not_found(resource: &ResourceType, name: &str) -> Self {
        Status::not_found(&group_resource(resource), name).into()
    }

    /// 404 for a path under a group that is served.
    pub(crate) fn no_such_resource() -> Self {
        Status::no_such_resource().into()
    }

    /// 403 from an admission check.
    pub(crate) fn forbidden(resource: &ResourceType, name: &str, why: &str) -> Self {
        Status::forbidden(&group_resource(resource), name, why).into()
    }

    /// 405
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::with_details(405, "MethodNotAllowed", message, StatusDetails::default())
    }

    /// 406 for an `Accept` header of which nothing is served.
    pub(crate) fn not_acceptable(available: &str) -> Self {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {available}");
        Self::with_details(406, "NotAcceptable", message, StatusDetails::default())
    }

    /// 409 on create.
    pub(crate) fn already_exists(resource: &ResourceType, name: &str) -> Self {
        Status::already_exists(&group_resource(resource), name).into()
    }

    /// 409 for a write that lost.
    pub(crate) fn conflict(resource: &ResourceType, name: &str, why: &str) -> Self {
        Status::conflict(&group_resource(resource), name, why).into()
    }

    /// 409 for an update of an old state.
    pub(crate) fn modified(resource: &ResourceType, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// 413
    pub(crate) fn too_large(limit: usize) -> Self {
        Status::request_entity_too_large(format!("Request entity too large: limit is {limit}")).into()
    }

    /// 415 with upstream's sentence for bodies (`POST`, `PUT`).
    pub(crate) fn unknown_body_format() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: \
                       application/json, application/yaml, application/vnd.kubernetes.protobuf";
        Status::unsupported_media_type(message).into()
    }

    /// 415 with upstream's sentence for patches.
    pub(crate) fn unsupported_patch() -> Self {
        let message = "415: Unsupported Media Type";
        Self::with_details(415, "UnsupportedMediaType", message, StatusDetails::default())
    }

    /// 422 for an object with field errors.
    pub(crate) fn invalid(kind: &GroupResource, name: &str, errors: &[FieldError]) -> Self {
        Status::invalid(kind, name, errors.to_vec()).into()
    }

    /// 422 with which upstream answers a JSON patch that does not apply.
    pub(crate) fn patch_rejected() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::with_details(422, "Invalid", message, StatusDetails::default())
    }

    /// 500 without a reason, as upstream wraps an error that is no API status.
    pub(crate) fn unclassified(message: impl Into<String>) -> Self {
        Status::failure(500, "", message).into()
    }

    /// 500 for a failure of this server.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        let message = format!("Internal error occurred: {cause}");
        let causes = vec![StatusCause { message: cause, ..StatusCause::default() }];
        Self::with_details(
            500,
            "InternalError",
            message,
            StatusDetails { causes, ..StatusDetails::default() },
        )
    }

    /// 501 for what this server says plainly that it does not do.
    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Status::failure(501, "NotImplemented", message).into()
    }

    /// 504 for a resource version from the future.
    pub(crate) fn version_too_large(asked: u64, current: u64) -> Self {
        let causes = vec![StatusCause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            ..StatusCause::default()
        }];
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let details = StatusDetails { causes, retry_after_seconds: 1, ..StatusDetails::default() };
        Self::with_details(504, "Timeout", message, details)
    }
}

/// `text` as upstream's messages print a name.
pub(crate) fn quoted(text: &str) -> String {
    go::quote(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn refusals_are_worded_as_kube_apiserver_words_them() {
        let pods = Catalog::get().resource("", "v1", "pods").unwrap();
        let deployments = Catalog::get().resource("apps", "v1", "deployments").unwrap();
        for (error, code, reason, message) in [
            (ApiError::not_found(pods, "x"), 404, "NotFound", "pods \"x\" not found"),
            (ApiError::not_found(deployments, "x"), 404, "NotFound", "deployments.apps \"x\" not found"),
            (ApiError::already_exists(pods, "x"), 409, "AlreadyExists", "pods \"x\" already exists"),
            (ApiError::forbidden(pods, "", "no"), 403, "Forbidden", "pods is forbidden: no"),
            (
                ApiError::conflict(pods, "x", "why"),
                409,
                "Conflict",
                "Operation cannot be fulfilled on pods \"x\": why",
            ),
            (
                ApiError::version_too_large(9, 2),
                504,
                "Timeout",
                "Timeout: Too large resource version: 9, current: 2",
            ),
        ] {
            let Status { code: had, reason: why, message: said, .. } = *error.0;
            assert_eq!((had, why.0.as_str(), said.as_str()), (code, reason, message));
        }
    }

    #[test]
    fn an_unclassified_failure_has_no_reason_and_no_details() {
        let status = serde_json::to_value(&*ApiError::unclassified("x").0).unwrap();
        assert_eq!(
            status,
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "x", "code": 500})
        );
    }
}
