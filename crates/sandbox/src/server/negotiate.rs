//! The form of a reply: JSON or YAML, whole objects, tables or metadata only, as the `Accept` header asks; and
//! the form of a body, by `Content-Type`.

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, USER_AGENT, WARNING};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::schema::PROTOBUF;
use crate::status::ApiError;

/// What is served, as the 406 lists it.
const AVAILABLE: &str = "application/json, application/yaml, application/json;stream=watch";

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/json`
    Json,
    /// `application/json`, indented for people.
    PrettyJson,
    /// `application/yaml`
    Yaml,
}

/// What of the objects is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects themselves.
    Whole,
    /// `Table` of `meta.k8s.io` in this version (`v1` or `v1beta1`).
    Table(&'static str),
    /// `PartialObjectMetadata` of `meta.k8s.io` in this version.
    Metadata(&'static str),
}

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// How it is written.
    pub(crate) encoding: Encoding,
    /// What is written.
    pub(crate) shape: Shape,
}

impl Format {
    /// Plain JSON: for refusals of requests whose `Accept` header cannot be met.
    pub(crate) const JSON: Self = Self { encoding: Encoding::Json, shape: Shape::Whole };

    /// The first alternative of the `Accept` header that is served; no header is JSON.
    pub(crate) fn negotiate(headers: &HeaderMap, query: &str) -> Result<Self, ApiError> {
        let accept: Vec<&str> =
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let accept = accept.join(",");
        let json = if is_pretty(headers, query) { Encoding::PrettyJson } else { Encoding::Json };
        if accept.trim().is_empty() {
            return Ok(Self { encoding: json, shape: Shape::Whole });
        }
        clauses(&accept)
            .into_iter()
            .find_map(|clause| clause.format(json))
            .ok_or_else(|| ApiError::not_acceptable(AVAILABLE))
    }

    /// `value` as a response.
    pub(crate) fn respond(self, code: u16, value: &Value, warnings: &[String]) -> Response {
        let (body, content_type) = match self.encoding {
            Encoding::Json => (value.to_string(), "application/json"),
            Encoding::PrettyJson => {
                let mut body = serde_json::to_string_pretty(value).unwrap_or_default();
                body.push('\n');
                (body, "application/json")
            }
            Encoding::Yaml => (serde_saphyr::to_string(value).unwrap_or_default(), "application/yaml"),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        for warning in warnings {
            let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
            // A text that no header can carry is left out rather than the reply.
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
                headers.append(WARNING, value);
            }
        }
        response
    }

    /// A refusal.
    pub(crate) fn refuse(self, error: &ApiError) -> Response {
        let status = serde_json::to_value(&*error.0).unwrap_or_default();
        let mut response = self.respond(error.0.code, &status, &[]);
        if error.0.code == 403 {
            // As upstream's authorization filter does.
            response
                .headers_mut()
                .insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        response
    }
}

/// One alternative of an `Accept` header.
struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl Clause<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn format(&self, json: Encoding) -> Option<Format> {
        let encoding = match self.media_type {
            "application/json" if self.parameter("pretty") == Some("1") => Encoding::PrettyJson,
            "*/*" | "application/*" | "application/json" => json,
            "application/yaml" => Encoding::Yaml,
            _ => return None,
        };
        let version = match self.parameter("v") {
            Some("v1") => Some("v1"),
            Some("v1beta1") => Some("v1beta1"),
            _ => None,
        };
        let shape = match (self.parameter("as"), self.parameter("g"), version) {
            (None, ..) => Shape::Whole,
            (Some("Table"), Some("meta.k8s.io"), Some(version)) => Shape::Table(version),
            (
                Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                Some("meta.k8s.io"),
                Some(version),
            ) => Shape::Metadata(version),
            _ => return None,
        };
        Some(Format { encoding, shape })
    }
}

/// The alternatives, the preferred first (RFC 9110, 12.5.1); equally preferred ones in their order.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = accept
        .split(',')
        .filter_map(|clause| {
            let mut parts = clause.split(';').map(str::trim);
            let media_type = parts.next().filter(|part| !part.is_empty())?;
            let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
            let quality = parameters
                .iter()
                .find(|(key, _)| *key == "q")
                .map_or(1.0, |(_, value)| value.parse().unwrap_or(0.0));
            Some(Clause { media_type, parameters, quality })
        })
        .collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
}

/// Upstream indents for `?pretty` and for the clients that people read with.
fn is_pretty(headers: &HeaderMap, query: &str) -> bool {
    if let Some((_, value)) = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "pretty") {
        return value != "0" && !value.eq_ignore_ascii_case("false");
    }
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|person| agent.starts_with(person))
}

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// `application/json`, or no `Content-Type`.
    Json,
    /// `application/vnd.kubernetes.protobuf`, which kubectl's typed commands send.
    Protobuf,
    /// `application/yaml`
    Yaml,
}

impl BodyFormat {
    /// By `Content-Type`.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Self, ApiError> {
        match media_type(headers) {
            None | Some("" | "application/json") => Ok(Self::Json),
            Some("application/yaml") => Ok(Self::Yaml),
            Some(PROTOBUF) => Ok(Self::Protobuf),
            Some(_) => Err(ApiError::unknown_body_format()),
        }
    }
}

/// The `Content-Type` without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        Format::negotiate(&headers, "").ok()
    }

    #[test]
    fn the_first_alternative_that_is_served_wins() {
        let json = |shape| Some(Format { encoding: Encoding::Json, shape });
        for (accept, expected) in [
            ("application/json", json(Shape::Whole)),
            ("*/*", json(Shape::Whole)),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                json(Shape::Table("v1")),
            ),
            ("application/vnd.kubernetes.protobuf,application/json", json(Shape::Whole)),
            ("application/json;as=Foo;v=v1;g=meta.k8s.io,application/json", json(Shape::Whole)),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", json(Shape::Metadata("v1"))),
            (
                "application/json;q=0.1, application/yaml;q=0.9",
                Some(Format { encoding: Encoding::Yaml, shape: Shape::Whole }),
            ),
            ("text/foo", None),
            ("application/vnd.kubernetes.protobuf", None),
        ] {
            assert_eq!(negotiated(accept), expected, "{accept}");
        }
    }

    #[test]
    fn people_get_indented_json() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "curl/8".parse().unwrap());
        assert_eq!(Format::negotiate(&headers, "").unwrap().encoding, Encoding::PrettyJson);
        assert_eq!(Format::negotiate(&headers, "pretty=false").unwrap().encoding, Encoding::Json);
        assert_eq!(Format::negotiate(&HeaderMap::new(), "pretty").unwrap().encoding, Encoding::PrettyJson);
    }
}
