//! Path and method → what is asked of which resource, with the same answers for what is not served as
//! go-restful's routes in kube-apiserver give: unknown groups are no path at all (`404 page not found`), unknown
//! resources of a known group are a `Status` 404, unknown methods a 405.

use http::Method;

use crate::catalog::{Catalog, ResourceType, Subresource};
use crate::status::ApiError;

/// Why `kubectl create token` does not work here.
const NO_TOKENS: &str = "this kubesso sandbox issues no service account tokens: nothing runs in it that could use \
                         one; sign in as a person, or act for a service account with --as";

/// Where a path leads.
#[derive(Debug, PartialEq)]
pub(crate) enum Route {
    /// Not below a group and version: discovery, health, OpenAPI or nothing.
    NonResource,
    /// A resource, an object or a subresource.
    Resource(ResourceRoute),
}

/// A path below a group and version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ResourceRoute {
    /// The kind that is addressed.
    pub(crate) resource: &'static ResourceType,
    /// The subresource, if one is.
    pub(crate) subresource: Option<&'static Subresource>,
    /// What is to be done.
    pub(crate) action: Action,
}

/// What is to be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `POST` on a collection, or on a subresource.
    Create,
    /// `GET` on an object.
    Get,
    /// `GET` on a collection; a watch if the query says so.
    List,
    /// `GET` below the deprecated `/watch/` prefix.
    Watch,
    /// `PUT`
    Update,
    /// `PATCH`
    Patch,
    /// `DELETE` on an object.
    Delete,
    /// `DELETE` on a collection.
    DeleteCollection,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// Resolves a decoded path. `Err(None)` is the plain-text 404 of a path that nothing serves.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Option<ApiError>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(Route::NonResource),
    };
    let catalog = Catalog::get();
    let served = catalog.group_versions();
    if !served.iter().any(|(known, _)| *known == group) {
        return Err(None);
    }
    if !served.contains(&(group, version)) {
        return Err(Some(ApiError::no_such_resource()));
    }
    let find = |plural: &str| catalog.resource(group, version, plural);
    let missing = || Some(ApiError::no_such_resource());

    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (resource, scoped, below) = match rest {
        ["namespaces", _, below @ ("status" | "finalize"), ..] if group.is_empty() => {
            let _ = below;
            (find("namespaces").ok_or_else(missing)?, false, &rest[1..])
        }
        ["namespaces", _, plural, below @ ..] => (find(plural).ok_or_else(missing)?, true, below),
        [plural, below @ ..] => (find(plural).ok_or_else(missing)?, false, below),
        [] => return Err(missing()),
    };
    if scoped && !resource.namespaced || !scoped && resource.namespaced && !below.is_empty() {
        return Err(missing());
    }
    let everywhere = resource.namespaced && !scoped;
    let (subresource, action) = match below {
        [] => (None, collection_action(method)),
        [_] => (None, object_action(method)),
        [_, "token"] if method == Method::POST && resource.plural == "serviceaccounts" => {
            return Err(Some(ApiError::not_implemented(NO_TOKENS)));
        }
        [_, name] => (Some(resource.subresource(name).ok_or_else(missing)?), subresource_action(method)),
        _ => return Err(missing()),
    };
    let kept = resource.has_verb("get") || resource.has_verb("list");
    if !kept && (below.len() == 1 || everywhere) {
        return Err(missing());
    }
    let action = action.ok_or_else(|| Some(ApiError::method_not_allowed()))?;
    let action = match action {
        Action::List | Action::Get if watch => Action::Watch,
        _ if watch => return Err(Some(ApiError::method_not_allowed())),
        action => action,
    };
    let verbs = subresource.map_or(resource.verbs, |subresource| subresource.verbs);
    if !verbs.contains(&action.verb()) || everywhere && !matches!(action, Action::List | Action::Watch) {
        return Err(Some(ApiError::method_not_allowed()));
    }
    Ok(Route::Resource(ResourceRoute { resource, subresource, action }))
}

fn collection_action(method: &Method) -> Option<Action> {
    match *method {
        Method::GET => Some(Action::List),
        Method::POST => Some(Action::Create),
        Method::DELETE => Some(Action::DeleteCollection),
        _ => None,
    }
}

fn object_action(method: &Method) -> Option<Action> {
    match *method {
        Method::GET => Some(Action::Get),
        Method::PUT => Some(Action::Update),
        Method::PATCH => Some(Action::Patch),
        Method::DELETE => Some(Action::Delete),
        _ => None,
    }
}

fn subresource_action(method: &Method) -> Option<Action> {
    if method == Method::POST { Some(Action::Create) } else { object_action(method) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(method: &str, path: &str) -> String {
        match route(&method.parse().unwrap(), path) {
            Ok(Route::NonResource) => "non-resource".to_owned(),
            Ok(Route::Resource(ResourceRoute { resource, subresource, action })) => {
                let below = subresource.map(|sub| format!("/{}", sub.name)).unwrap_or_default();
                format!("{} {}{below}", action.verb(), resource.group_resource())
            }
            Err(None) => "404 page not found".to_owned(),
            Err(Some(error)) => error.0.code.to_string(),
        }
    }

    #[test]
    fn paths_lead_where_kube_apiserver_leads_them() {
        for (method, path, expected) in [
            ("GET", "/api/v1/pods", "list pods"),
            ("GET", "/api/v1/namespaces/default/pods", "list pods"),
            ("GET", "/api/v1/namespaces/default/pods/", "list pods"),
            ("GET", "/api/v1/namespaces/default/pods/x", "get pods"),
            ("PUT", "/api/v1/namespaces/default/pods/x/status", "update pods/status"),
            ("POST", "/api/v1/namespaces/default/pods/x/exec", "create pods/exec"),
            ("GET", "/api/v1/namespaces/default/pods/x/exec", "get pods/exec"),
            ("GET", "/api/v1/namespaces", "list namespaces"),
            ("DELETE", "/api/v1/namespaces/x", "delete namespaces"),
            ("PUT", "/api/v1/namespaces/x/finalize", "update namespaces/finalize"),
            ("PATCH", "/apis/apps/v1/namespaces/d/deployments/x", "patch deployments.apps"),
            ("DELETE", "/api/v1/namespaces/d/configmaps", "deletecollection configmaps"),
            ("GET", "/api/v1/watch/namespaces/d/configmaps", "watch configmaps"),
            ("GET", "/api", "non-resource"),
            ("GET", "/api/v1", "non-resource"),
            ("GET", "/apis/apps/v1", "non-resource"),
            ("GET", "/healthz", "non-resource"),
            ("GET", "/apis/foo/v1/widgets", "404 page not found"),
            ("GET", "/apis/apps/v9/deployments", "404"),
            ("GET", "/api/v2/pods", "404"),
            ("GET", "/api/v1/pods/x", "404"),
            ("GET", "/api/v1/namespaces/default/nodes", "404"),
            ("GET", "/api/v1/namespaces/default/widgets", "404"),
            ("GET", "/api/v1/namespaces/default/pods/x/foo", "404"),
            ("GET", "/api/v1/namespaces/default/pods/x/log/y", "404"),
            ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", "404"),
            ("POST", "/apis/authorization.k8s.io/v1/localsubjectaccessreviews", "404"),
            ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "405"),
            ("DELETE", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "405"),
            ("POST", "/api/v1/namespaces/default/serviceaccounts/x/token", "501"),
            ("POST", "/api/v1/configmaps", "405"),
            ("POST", "/api/v1/namespaces/default/pods/x", "405"),
            ("PUT", "/api/v1/namespaces/default/pods", "405"),
            ("DELETE", "/api/v1/namespaces", "405"),
            ("HEAD", "/api/v1/namespaces/default/pods/x", "405"),
            ("OPTIONS", "/api/v1/namespaces/default/pods", "405"),
        ] {
            assert_eq!(resolved(method, path), expected, "{method} {path}");
        }
    }
}
