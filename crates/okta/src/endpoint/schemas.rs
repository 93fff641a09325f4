//! Schemas of profiles. Every attribute may be set without being declared first; the schema shows those that everybody has.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use kubesso_directory::{Access, Resource};
use serde_json::{Value, json};

use crate::authentication::Caller;
use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::Ids;
use crate::view::USER_TYPE;

/// The id of the only schema of users.
const USER_SCHEMA: &str = "osckubesso0000000000";

pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/meta/types/user", get(user_types).post(unchangeable))
        .route("/api/v1/meta/types/user/{id}", get(user_type).put(unchangeable).post(unchangeable))
        .route("/api/v1/meta/schemas/user/{id}", get(user_schema).post(unchangeable))
        .route("/api/v1/meta/schemas/group/default", get(group_schema).post(unchangeable))
        .route("/api/v1/mappings", get(nothing))
        .route("/api/v1/zones", get(nothing))
        .route("/api/v1/trustedOrigins", get(nothing))
}

async fn user_types(State(context): State<Context>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Schemas, Access::Read)?;
    Ok(Json(json!([only_user_type(&context)])))
}

async fn user_type(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Schemas, Access::Read)?;
    if !matches!(id.as_str(), USER_TYPE | "default") {
        return Err(ApiError::not_found("UserType", &id));
    }
    Ok(Json(only_user_type(&context)))
}

fn only_user_type(context: &Context) -> Value {
    json!({
        "id": USER_TYPE,
        "name": "user",
        "displayName": "User",
        "description": "A person",
        "default": true,
        "_links": {
            "self": { "href": context.url(&format!("/api/v1/meta/types/user/{USER_TYPE}")) },
            "schema": { "href": context.url(&format!("/api/v1/meta/schemas/user/{USER_SCHEMA}")) },
        },
    })
}

async fn user_schema(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Schemas, Access::Read)?;
    if !matches!(id.as_str(), USER_SCHEMA | "default") {
        return Err(ApiError::not_found("UserSchema", &id));
    }
    let text = |title: &str, longest: u32| attribute(title, longest);
    let properties = json!({
        "login": text("Username", 100),
        "email": text("Primary email", 100),
        "firstName": text("First name", 4096),
        "lastName": text("Last name", 4096),
        "displayName": text("Display name", 4096),
        "mobilePhone": text("Mobile phone", 4096),
        "secondEmail": text("Secondary email", 4096),
        "department": text("Department", 4096),
    });
    Ok(Json(schema(
        &context,
        &format!("/api/v1/meta/schemas/user/{id}"),
        "user",
        "User",
        &properties,
        &["login", "email"],
    )))
}

async fn group_schema(State(context): State<Context>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Schemas, Access::Read)?;
    let properties = json!({ "name": attribute("Name", 255), "description": attribute("Description", 1024) });
    Ok(Json(schema(
        &context,
        "/api/v1/meta/schemas/group/default",
        "group",
        "Okta group",
        &properties,
        &["name"],
    )))
}

fn attribute(title: &str, longest: u32) -> Value {
    json!({
        "title": title,
        "type": "string",
        "maxLength": longest,
        "mutability": "READ_WRITE",
        "scope": "NONE",
        "permissions": [{ "principal": "SELF", "action": "READ_ONLY" }],
        "master": { "type": "OKTA" },
    })
}

fn schema(
    context: &Context,
    path: &str,
    name: &str,
    title: &str,
    properties: &Value,
    required: &[&str],
) -> Value {
    json!({
        "id": context.url(path),
        "$schema": "http://json-schema.org/draft-04/schema#",
        "name": name,
        "title": title,
        "type": "object",
        "definitions": {
            "custom": { "id": "#custom", "type": "object", "properties": {}, "required": [] },
            "base": { "id": "#base", "type": "object", "properties": properties, "required": required },
        },
        "properties": {
            "profile": { "allOf": [{ "$ref": "#/definitions/custom" }, { "$ref": "#/definitions/base" }] },
        },
        "_links": { "self": { "href": context.url(path) } },
    })
}

/// Okta has it, and nothing of it is here.
async fn nothing(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Orgs, Access::Read)?;
    Ok(Json(json!([])))
}

async fn unchangeable(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Schemas, Access::Manage)?;
    Err(ApiError::unsupported(
        "Attributes of a profile need no declaration here: set them with the user or the group",
    ))
}
