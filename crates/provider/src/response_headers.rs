//! What every response carries: the headers that keep a browser from being turned against its owner, and the
//! request's id, which also stands in every line of the log that the request caused.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use kubesso_ambient::draw;
use tracing::Instrument as _;
use url::Url;

use crate::context::Context;
use crate::endpoint::choose_password as links;
use crate::pages;

/// The id of a request: sixteen hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Gives the request an id and the response its headers.
pub(crate) async fn add(State(context): State<Context>, mut request: Request, next: Next) -> Response {
    let id = format!("{:016x}", u64::from_be_bytes(draw(&*context.entropy)));
    // The path only: queries carry login hints and states.
    let path = logged(request.uri().path());
    let span = tracing::info_span!("request", id, method = %request.method(), path);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).instrument(span).await;

    let headers = response.headers_mut();
    let defaults = [
        (header::CONTENT_SECURITY_POLICY, pages::content_security_policy("")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(value);
    }
    if has_strict_transport(&context.base_url) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(X_REQUEST_ID, id);
    }
    response
}

/// What of a path the log may know: who reads the log must not be able to use the links that work once.
fn logged(path: &str) -> &str {
    links::DIRECTORIES.into_iter().find(|directory| path.starts_with(directory)).unwrap_or(path)
}

/// Whether to tell browsers that this host speaks https only. Not on `localhost`: the promise counts for
/// every port of the host, and would break the `http://localhost:8000` to which kubectl's plugin wants the
/// code.
fn has_strict_transport(base_url: &Url) -> bool {
    match base_url.host() {
        Some(url::Host::Domain(name)) => name != "localhost" && !name.ends_with(".localhost"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_part_of_a_link_is_not_logged() {
        for (path, expected) in [
            ("/welcome/secret", "/welcome/"),
            ("/reset_password/secret", "/reset_password/"),
            ("/reset_password/secret/more", "/reset_password/"),
            ("/sign-in", "/sign-in"),
            ("/", "/"),
        ] {
            assert_eq!(logged(path), expected);
        }
    }

    #[test]
    fn strict_transport_is_promised_for_real_hosts_only() {
        let cases = [
            ("https://sso.example.com", true),
            ("https://localhost:8443", false),
            ("https://kubesso.localhost", false),
            ("https://127.0.0.1:8443", false),
            ("https://[::1]:8443", false),
        ];
        for (url, expected) in cases {
            assert_eq!(has_strict_transport(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
