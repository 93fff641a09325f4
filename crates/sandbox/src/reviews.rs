//! The review APIs: who am I, may I, may they, what may I; and who is behind this token.
//!
//! Source: kubernetes `pkg/registry/{authorization,authentication}`, `pkg/apis/authorization/validation`.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use kubesso_authz::review;
use kubesso_k8s_types::UserInfo;
use kubesso_k8s_types::authentication::TokenReview;
use kubesso_k8s_types::authorization::{
    NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview, SelfSubjectRulesReview,
    SubjectAccessReview, SubjectAccessReviewStatus,
};
use kubesso_k8s_types::meta::GroupResource;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::object;
use crate::rest::{Reply, Target};
use crate::server::Server;
use crate::status::ApiError;
use crate::status::field::{self, FieldError};

/// Answers a review. Nothing is stored.
pub(crate) async fn answer(
    server: &Server,
    target: &Target,
    user: &UserInfo,
    mut review: Value,
) -> Result<Reply, ApiError> {
    let fields = object::members(&mut review);
    fields.remove("status");
    let status = match target.resource.plural {
        "selfsubjectreviews" => {
            object::members(&mut review)
                .insert("metadata".to_owned(), json!({"creationTimestamp": server.api.now()}));
            json!({"userInfo": user})
        }
        "tokenreviews" => token_review(server, &review).await?,
        "selfsubjectrulesreviews" => rules_review(server, user, &mut review)?,
        "selfsubjectaccessreviews" => {
            let asked: SelfSubjectAccessReview = typed(&review)?;
            let question = Question {
                resource: asked.spec.resource_attributes.as_ref(),
                path: asked.spec.non_resource_attributes.as_ref(),
            };
            check(question.errors(), &review, None)?;
            json!(question.answer(server, user.clone()))
        }
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            subject_access_review(server, target, &mut review)?
        }
        _ => return Err(ApiError::method_not_allowed()),
    };
    object::members(&mut review).insert("status".to_owned(), status);
    object::child(&mut review, "metadata");
    Ok(Reply { code: 201, object: review, warnings: Vec::new() })
}

/// A question about access: exactly one of the two.
struct Question<'a> {
    resource: Option<&'a ResourceAttributes>,
    path: Option<&'a NonResourceAttributes>,
}

impl Question<'_> {
    fn errors(&self) -> Vec<FieldError> {
        match (self.resource, self.path) {
            (Some(_), Some(path)) => {
                let value = go_path(path);
                let why = "cannot be specified in combination with resourceAttributes";
                vec![field::invalid("spec.nonResourceAttributes", &value, why)]
            }
            (None, None) => {
                let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                vec![field::invalid("spec.resourceAttributes", &Value::Null, why)]
            }
            _ => Vec::new(),
        }
    }

    fn answer(&self, server: &Server, user: UserInfo) -> SubjectAccessReviewStatus {
        let attributes = match (self.resource, self.path) {
            (Some(resource), _) => review::resource_attributes(user, resource),
            (None, Some(path)) => review::non_resource_attributes(user, path),
            (None, None) => return SubjectAccessReviewStatus::default(),
        };
        review::review_status(server.api.access.authorize(&attributes), self.resource)
    }
}

fn subject_access_review(server: &Server, target: &Target, review: &mut Value) -> Result<Value, ApiError> {
    let asked: SubjectAccessReview = typed(review)?;
    let local = target.resource.namespaced.then_some(target.namespace.as_str());
    let spec = &asked.spec;
    let question =
        Question { resource: spec.resource_attributes.as_ref(), path: spec.non_resource_attributes.as_ref() };
    let mut errors = question.errors();
    if spec.user.is_empty() && spec.groups.is_empty() {
        let why = "at least one of user or group must be specified";
        errors.push(field::invalid("spec.user", &json!(spec.user), why));
    }
    if let Some(namespace) = local {
        let own = object::meta(review, "namespace");
        if !own.is_empty() && own != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        object::set_meta(review, "namespace", namespace);
        if let Some(asked) = question.resource.filter(|asked| asked.namespace != namespace) {
            let why = "must match metadata.namespace";
            errors.push(field::invalid("spec.resourceAttributes.namespace", &json!(asked.namespace), why));
        }
        if let Some(path) = question.path {
            let why = "disallowed on this kind of request";
            errors.push(field::invalid("spec.nonResourceAttributes", &go_path(path), why));
        }
    }
    check(errors, review, local)?;
    let user = UserInfo {
        username: spec.user.clone(),
        uid: spec.uid.clone(),
        groups: spec.groups.clone(),
        extra: spec.extra.clone(),
    };
    Ok(json!(question.answer(server, user)))
}

/// Upstream clears the spec of the answer.
fn rules_review(server: &Server, user: &UserInfo, review: &mut Value) -> Result<Value, ApiError> {
    let asked: SelfSubjectRulesReview = typed(review)?;
    if asked.spec.namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    object::members(review).insert("spec".to_owned(), json!({}));
    let rules = server.api.access.rbac().rules_for(user, &asked.spec.namespace);
    Ok(json!(rules.review_status()))
}

/// A token is reviewed as a request that carries it.
async fn token_review(server: &Server, review: &Value) -> Result<Value, ApiError> {
    let asked: TokenReview = typed(review)?;
    let token = asked.spec.token.expose();
    if token.is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    let refused = |why: &str| json!({"user": {}, "error": why});
    let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) else {
        return Ok(refused("invalid bearer token"));
    };
    value.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value);
    // The tokens of this server are for this server: it knows no other audience.
    let audiences = [crate::AUDIENCE];
    let wanted = &asked.spec.audiences;
    if !wanted.is_empty() && !wanted.iter().any(|audience| audiences.contains(&audience.as_str())) {
        return Ok(refused("invalid bearer token"));
    }
    Ok(match server.authenticator.authenticate(&headers, &[]).await {
        Ok(user) => json!({"authenticated": true, "user": user, "audiences": audiences}),
        Err(error) => refused(&error.cause),
    })
}

/// Refuses wrong fields, and metadata, which a review has none of but its namespace.
fn check(mut errors: Vec<FieldError>, review: &Value, namespace: Option<&str>) -> Result<(), ApiError> {
    let mut metadata = review.get("metadata").cloned().unwrap_or_else(|| json!({}));
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("managedFields");
        if namespace.is_some() {
            fields.remove("namespace");
        }
        if !fields.is_empty() {
            let why =
                if namespace.is_some() { "must be empty except for namespace" } else { "must be empty" };
            errors.push(field::invalid("metadata", &metadata, why));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    // Upstream leaves the kind of these errors empty.
    let kind = GroupResource::new("authorization.k8s.io", "");
    Err(ApiError::invalid(&kind, "", &errors))
}

/// Upstream prints its internal struct.
fn go_path(path: &NonResourceAttributes) -> Value {
    json!({"Path": path.path, "Verb": path.verb})
}

fn typed<T: DeserializeOwned>(review: &Value) -> Result<T, ApiError> {
    T::deserialize(review).map_err(|error| ApiError::bad_request(format!("cannot read the review: {error}")))
}
