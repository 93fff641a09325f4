//! HTTP request → what it asks for (`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`), with the
//! prefixes of kube-apiserver: `api` without groups and `apis` with them.

use kubesso_k8s_types::{UserInfo, go};

use crate::selector::{FieldSelector, LabelSelector};
use crate::{Attributes, ResourceTarget, Target};

mod url;

use url::{QueryValue, decode_path, query_values};

/// A request, read as the API server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// The Kubernetes verb, or the lower-case method for a path that is no resource. Empty for a
    /// resource with a method that has no verb.
    pub verb: String,
    /// The decoded path.
    pub path: String,
    /// `api`, `apis`, or empty when the path is not below them.
    pub api_prefix: String,
    /// The path's segments from the resource on; empty for a path that is no resource.
    pub parts: Vec<String>,
    /// What is acted on.
    pub target: Target,
}

/// Why a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestInfoError {
    /// The path has a broken percent escape or a control character. Go's server answers 400 before any
    /// handler runs.
    #[error("invalid path {}: percent escapes need two hexadecimal digits", go::quote(path))]
    BadPath {
        /// As it came.
        path: String,
    },
    /// The path is no text. Upstream goes on with raw bytes and finds nothing; here it is refused.
    #[error("invalid path {}: it does not decode to UTF-8", go::quote(path))]
    NotUtf8 {
        /// As it came.
        path: String,
    },
    /// Nothing follows the deprecated `watch` or `proxy` segment. Upstream answers 500.
    #[error("unable to determine kind and namespace from url, {url}")]
    NoKind {
        /// Path and query as they came.
        url: String,
    },
}

impl RequestInfo {
    /// Reads a request. `path` and `query` are as on the request line: percent-encoded, the query
    /// without its question mark (empty if there is none).
    pub fn resolve(method: &str, path: &str, query: &str) -> Result<Self, RequestInfoError> {
        let decoded = decode_path(path)?;
        let non_resource = |api_prefix: &str| Self {
            verb: method.to_lowercase(),
            api_prefix: api_prefix.to_owned(),
            parts: Vec::new(),
            target: Target::NonResource { path: decoded.clone() },
            path: decoded.clone(),
        };

        // Empty segments inside are kept: `//` gives empty names.
        let segments: Vec<&str> = decoded.trim_matches('/').split('/').collect();
        let (api_prefix, api_group, api_version, parts) = match segments.as_slice() {
            ["api", version, parts @ ..] if !parts.is_empty() => ("api", "", *version, parts),
            ["apis", group, version, parts @ ..] if !parts.is_empty() => ("apis", *group, *version, parts),
            [prefix @ "apis", _, _] => return Ok(non_resource(prefix)),
            _ => return Ok(non_resource("")),
        };

        let (mut verb, parts, verb_in_path) = match parts {
            ["watch" | "proxy"] => {
                let mark = if query.is_empty() { "" } else { "?" };
                return Err(RequestInfoError::NoKind { url: format!("{path}{mark}{query}") });
            }
            [verb @ ("watch" | "proxy"), rest @ ..] => (*verb, rest, true),
            parts => (verb_of(method), parts, false),
        };

        let namespace = match parts {
            ["namespaces", namespace, ..] => *namespace,
            _ => "",
        };
        let parts = match parts {
            ["namespaces", _, third, ..] if !matches!(*third, "status" | "finalize") => &parts[2..],
            parts => parts,
        };

        let segment = |position: usize| parts.get(position).copied().unwrap_or_default();
        let mut name = segment(1).to_owned();
        let subresource = if verb == "proxy" { "" } else { segment(2) };

        let values = query_values(query);
        if name.is_empty() && verb == "get" {
            let options = ListOptions::decode(&values);
            verb = if options.watch { "watch" } else { "list" };
            if let Some(pinned) = options.pinned_name {
                name = pinned;
            }
        }
        if name.is_empty() && verb == "delete" {
            verb = "deletecollection";
        }

        // The verb in the path has no selectors that every endpoint honours.
        let selects = !verb_in_path && matches!(verb, "list" | "watch" | "deletecollection");
        let selector = |name: &str| match values.first(name) {
            Some(value) if selects => value.text.clone(),
            _ => String::new(),
        };
        let target = ResourceTarget {
            namespace: namespace.to_owned(),
            api_group: api_group.to_owned(),
            api_version: api_version.to_owned(),
            resource: segment(0).to_owned(),
            subresource: subresource.to_owned(),
            name,
            field_selector: selector("fieldSelector"),
            label_selector: selector("labelSelector"),
        };
        Ok(Self {
            verb: verb.to_owned(),
            api_prefix: api_prefix.to_owned(),
            parts: parts.iter().map(ToString::to_string).collect(),
            target: Target::Resource(target),
            path: decoded,
        })
    }

    /// What the user asks for with this request.
    pub fn attributes(&self, user: UserInfo) -> Attributes {
        Attributes { user, verb: self.verb.clone(), target: self.target.clone() }
    }

    /// The resource that is asked for, if it is one.
    pub fn resource(&self) -> Option<&ResourceTarget> {
        match &self.target {
            Target::Resource(resource) => Some(resource),
            Target::NonResource { .. } => None,
        }
    }
}

/// Methods are case-sensitive; one without a verb gives the empty verb.
fn verb_of(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

/// What of `meta/v1.ListOptions` matters here.
#[derive(Default)]
struct ListOptions {
    watch: bool,
    pinned_name: Option<String>,
}

impl ListOptions {
    /// All options decode or none does, but for `watch`, which is honoured in any case.
    fn decode(values: &url::QueryValues) -> Self {
        let text = |name: &str| values.first(name).map_or("", |value| value.text.as_str());
        let integer = |name: &str| values.first(name).is_none_or(|value| value.text.parse::<i64>().is_ok());
        let field_selector = FieldSelector::parse(text("fieldSelector"));
        let decoded = integer("timeoutSeconds")
            && integer("limit")
            && LabelSelector::parse(text("labelSelector")).is_ok();
        match field_selector {
            Ok(selector) if decoded => Self {
                watch: values.first("watch").is_some_and(|value| !is_false_folded(&value.text)),
                pinned_name: selector
                    .requires_exact_match("metadata.name")
                    .filter(|name| is_pinnable(name, values.first("fieldSelector")))
                    .map(ToOwned::to_owned),
            },
            _ => Self {
                watch: values.first("watch").is_some_and(|value| !is_false_lower(&value.text)),
                pinned_name: None,
            },
        }
    }
}

/// The decoder compares with `strings.EqualFold`, for which the long s is an s …
fn is_false_folded(value: &str) -> bool {
    value == "0" || is_false_lower(&value.replace('ſ', "s"))
}

/// … and the fallback with `strings.ToLower`, for which it is not.
fn is_false_lower(value: &str) -> bool {
    value == "0" || value.eq_ignore_ascii_case("false")
}

/// A name that fits into a path segment. A value with bytes that are no UTF-8 is another name upstream
/// than the one we could write down, so it pins nothing.
fn is_pinnable(name: &str, value: Option<&QueryValue>) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '%']) && value.is_some_and(|value| value.is_utf8)
}

#[cfg(test)]
mod tests;
