//! From a route to the verb: options and bodies are read here, and the reply gets its shape.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;
use kubesso_authz::{Attributes, RequestInfo};
use kubesso_k8s_types::UserInfo;
use serde_json::Value;

use super::body::{self, MAX_BODY};
use super::negotiate::{Format, Shape};
use super::route::{Action, ResourceRoute};
use super::{Server, shape};
use crate::admission::names;
use crate::catalog::{ResourceType, Storage};
use crate::patch::Patch;
use crate::rest::options::{DeleteOptions, ListOptions, Query, WriteOptions};
use crate::rest::selector::Selector;
use crate::rest::{Reply, Target, scale};
use crate::schema::SchemaNode;
use crate::status::{ApiError, quoted};
use crate::table::IncludeObject;
use crate::{reviews, watch, workloads};

/// Subresources that need a running container.
const CONNECTIONS: &[&str] = &["attach", "exec", "log", "portforward", "proxy"];

/// An authorized request for a resource.
pub(super) struct Asked<'a> {
    /// What is asked for, as it was authorized.
    pub(super) info: &'a RequestInfo,
    /// Where that is.
    pub(super) route: ResourceRoute,
    /// Who asks.
    pub(super) user: UserInfo,
    /// The form of the reply, if one is served.
    pub(super) format: Result<Format, ApiError>,
}

/// A request for a resource, read as far as all verbs need it.
struct Call {
    target: Target,
    action: Action,
    query: Query,
    headers: HeaderMap,
    body: Bytes,
    format: Format,
    include_object: IncludeObject,
    attributes: Attributes,
}

impl Server {
    /// Answers a request for a resource. It is finished even if the client goes away: a write and what follows
    /// from it belong together.
    pub(super) async fn resource(
        self: &Arc<Self>,
        request: &Parts,
        body: &mut Option<Body>,
        Asked { info, route, user, format }: Asked<'_>,
    ) -> Result<Response, ApiError> {
        let asked = info.resource().ok_or_else(ApiError::no_such_resource)?;
        let query = Query::parse(request.uri.query().unwrap_or_default());
        let target = Target {
            resource: route.resource,
            subresource: route.subresource,
            namespace: if route.resource.namespaced { asked.namespace.clone() } else { String::new() },
            name: info.parts.get(1).cloned().unwrap_or_default(),
            user: user.clone(),
        };
        if let Some(wrong) = names::path_segment(&target.name).first() {
            let name = quoted(&target.name);
            return Err(ApiError::bad_request(format!("Name parameter invalid: {name}: {wrong}")));
        }
        if target.subresource.is_some_and(|subresource| CONNECTIONS.contains(&subresource.name)) {
            return Err(self.connection(&target, info.attributes(user)));
        }
        let format = format?;
        let body = body.take().unwrap_or_default();
        let body = to_bytes(body, MAX_BODY).await.map_err(|_| ApiError::too_large(MAX_BODY))?;
        let call = Call {
            target,
            action: route.action,
            include_object: shape::include_object(&query)?,
            query,
            headers: request.headers.clone(),
            body,
            format,
            attributes: info.attributes(user),
        };
        let server = self.clone();
        let finished = tokio::spawn(async move { server.call(call).await }).await;
        finished.map_err(ApiError::internal)?
    }

    /// Nothing runs here, so there is nothing to connect to; that is said to those who might connect elsewhere.
    fn connection(&self, target: &Target, mut attributes: Attributes) -> ApiError {
        let name = target.subresource.map_or("", |subresource| subresource.name);
        if name != "log" && attributes.verb != "create" {
            // A WebSocket opens with GET, and must not need less than SPDY's POST.
            "create".clone_into(&mut attributes.verb);
            let verdict = self.api.access.authorize(&attributes);
            if !verdict.is_allowed() {
                return kubesso_authz::forbidden_status(&attributes, &verdict.reason).into();
            }
        }
        if self.api.store.read(|state| state.get(&target.key()).is_some()) {
            workloads::refuse_connection(name, &target.name)
        } else {
            ApiError::not_found(target.resource, &target.name)
        }
    }

    async fn call(&self, call: Call) -> Result<Response, ApiError> {
        let now = self.api.clock.now();
        let shape_of = call.format.shape;
        let include = call.include_object;
        let resource = call.target.resource;
        let watches = call.action == Action::Watch || call.action == Action::List && call.query.flag("watch");
        if watches {
            let mut options = ListOptions::parse(&call.query)?;
            options.watch = true;
            let selector = selector(resource, &call)?;
            return watch::start(
                &self.api,
                &call.target,
                &options,
                selector,
                call.format,
                include,
                self.shutdown.clone(),
            );
        }
        match call.action {
            Action::List => {
                let options = ListOptions::parse(&call.query)?;
                let page = self.api.list(&call.target, &options, &selector(resource, &call)?)?;
                let list = shape::list(resource, &page, shape_of, include, now);
                Ok(call.format.respond(200, &list, &[]))
            }
            Action::DeleteCollection => {
                let list = ListOptions::parse(&call.query)?;
                let options = delete_options(&call)?;
                let selector = selector(resource, &call)?;
                let page = self.api.delete_collection(&call.target, &list, &selector, &options).await?;
                Ok(call.format.respond(200, &shape::list(resource, &page, Shape::Whole, include, now), &[]))
            }
            _ => {
                let reply = self.one(&call).await?;
                let object = shape::object(resource, reply.object, shape_of, include, now);
                Ok(call.format.respond(reply.code, &object, &reply.warnings))
            }
        }
    }

    /// The verbs whose answer is one object.
    async fn one(&self, call: &Call) -> Result<Reply, ApiError> {
        let target = &call.target;
        let representation = representation(target);
        match call.action {
            Action::Create => {
                let options = WriteOptions::parse(&call.query, "CreateOptions")?;
                let decoded =
                    body::decode(representation, &call.headers, &call.body, options.field_validation)?;
                let reply = match target.resource.storage {
                    Storage::CreateOnly => {
                        reviews::answer(self, target, &call.attributes.user, decoded.object).await?
                    }
                    Storage::Stored => self.api.create(target, decoded.object, options).await?,
                };
                Ok(Reply { warnings: decoded.warnings, ..reply })
            }
            Action::Update => {
                let options = WriteOptions::parse(&call.query, "UpdateOptions")?;
                let decoded =
                    body::decode(representation, &call.headers, &call.body, options.field_validation)?;
                let reply = self.api.update(target, decoded.object, options).await?;
                Ok(Reply { warnings: decoded.warnings, ..reply })
            }
            Action::Patch => {
                let options = WriteOptions::parse(&call.query, "PatchOptions")?;
                let patch = Patch::read(&call.headers, &call.body)?;
                let schema = SchemaNode::of(representation);
                let mut warnings = Vec::new();
                let object = self
                    .api
                    .change(target, options, |current| {
                        let (object, warned) =
                            patch.apply(representation, schema, current, options.field_validation)?;
                        warnings = warned;
                        Ok(object)
                    })
                    .await?;
                Ok(Reply { warnings, ..Reply::ok(object) })
            }
            Action::Delete => self.api.delete(target, &delete_options(call)?).await,
            Action::DeleteCollection | Action::Get | Action::List | Action::Watch => {
                self.api.get(target).map(Reply::ok)
            }
        }
    }
}

/// The kind of the body: a subresource may have one of its own.
fn representation(target: &Target) -> &'static ResourceType {
    match target.subresource.map(|subresource| subresource.name) {
        Some("scale") => &scale::KIND,
        _ => target.resource,
    }
}

fn selector(resource: &ResourceType, call: &Call) -> Result<Selector, ApiError> {
    let text = |name| call.query.get(name).unwrap_or_default();
    Selector::parse(resource, text("labelSelector"), text("fieldSelector"))
}

fn delete_options(call: &Call) -> Result<DeleteOptions, ApiError> {
    let body: Option<Value> = body::decode_options(&call.headers, &call.body)?;
    DeleteOptions::parse(&call.query, body)
}
