//! Requests to the provider, with an end to every wait, and errors that say what to do.

mod proxy;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubesso_https::Trust;
use kubesso_token_cache::{Options, Secret, key::hex_digest, values::printable};
use reqwest::header::{
    ACCEPT, AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, LOCATION,
};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use self::proxy::Proxies;
use self::trace::Trace;
use crate::environment::Environment;
use crate::error::Error;

/// The provider, reached over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    proxies: Proxies,
    headers: HeaderMap,
    first_retry: Duration,
    trace: Trace,
    /// Digest of whom we believe and which headers we send.
    identity: String,
}

/// Whether a failed request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice more, if the connection failed or the provider had a fault of its own (5xx). What took too long, or was
    /// refused for its certificate, would end the same way again.
    IfUnavailable,
    /// Never: what it spends can be spent once.
    Never,
}

/// Why there is no answer.
struct Failure {
    error: Error,
    /// Whether the same request may succeed a moment later.
    may_pass: bool,
}

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    content_type: String,
    location: Option<String>,
    pub(crate) etag: Option<String>,
    /// For how many seconds the answer is fresh, if it says so (RFC 9111, section 4.2).
    pub(crate) fresh_seconds: Option<i64>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

const TRIES: u32 = 3;
/// As many as other clients follow.
const MOST_REDIRECTS: usize = 10;
/// No document of this protocol comes near.
const LONGEST_BODY: usize = 1024 * 1024;

impl Http {
    /// Reads the certificate authorities and makes the client.
    pub(crate) fn new(options: &Options, environment: &Environment) -> Result<Self, Error> {
        let (trust, timeouts) = (trust(options)?, environment.pacing.request);
        // Redirects are followed by hand: a document's, but never a form's, which holds a code or a token.
        let proxies = Proxies::find(&environment.surroundings)?;
        let chosen = proxies.clone();
        let client =
            kubesso_https::client_through(&trust, timeouts, Policy::none(), move |url| chosen.for_url(url))?;
        let believed = match &trust {
            Trust::System => "the system's",
            Trust::Only(pem) => pem,
            Trust::DangerouslyAnybody => "anybody",
        };
        let identity = Zeroizing::new(format!("{believed}\n{:?}", options.request_headers));
        Ok(Self {
            client,
            proxies,
            headers: options.header_map()?,
            first_retry: environment.pacing.retry,
            trace: Trace::new(environment),
            identity: hex_digest(identity.as_bytes()),
        })
    }

    /// What makes this client another one than that of another call: whom it believes, and the headers that it sends.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Fetches a document, from another address if the provider says so. One that is still as `etag` names it is
    /// answered with 304 and no body.
    pub(crate) async fn get(
        &self,
        what: &'static str,
        url: &str,
        etag: Option<&str>,
    ) -> Result<Answer, Error> {
        let wrong = |problem: &str| Error::Answer { what, url: url.to_owned(), problem: problem.to_owned() };
        let mut at = Url::parse(url).map_err(|_| wrong("by nobody, since that is not a URL"))?;
        let asked = at.origin();
        for _ in 0..MOST_REDIRECTS {
            // The person's headers are for the provider; where it sends us on to may be somebody else.
            let headers = if at.origin() == asked { self.headers.clone() } else { HeaderMap::new() };
            let request = || {
                let request = self.client.get(at.clone()).header(ACCEPT, "application/json");
                let request = match etag {
                    Some(etag) => request.header(IF_NONE_MATCH, etag),
                    None => request,
                };
                request.headers(headers.clone())
            };
            let answer = self.send(what, at.as_str(), Repeat::IfUnavailable, request).await?;
            let Some(location) = answer.location.as_deref().filter(|_| answer.status.is_redirection()) else {
                return Ok(answer);
            };
            let next = at.join(location).map_err(|_| wrong("with a redirect to what is not a URL"))?;
            if at.scheme() == "https" && next.scheme() != "https" {
                return Err(wrong("with a redirect from https to what is not"));
            }
            at = next;
        }
        Err(wrong("with one redirect after the other; check the URL"))
    }

    /// Posts a form.
    pub(crate) async fn post(
        &self,
        what: &'static str,
        url: &str,
        form: &BTreeMap<&str, &str>,
        basic: Option<(&str, &Secret)>,
        repeat: Repeat,
    ) -> Result<Answer, Error> {
        let request = || {
            let request = self.client.post(url).header(ACCEPT, "application/json").form(form);
            let request = match basic {
                // RFC 6749, section 2.3.1: both parts are form-encoded first.
                Some((id, secret)) => {
                    request.basic_auth(form_encoded(id), Some(form_encoded(secret.expose())))
                }
                None => request,
            };
            request.headers(self.headers.clone())
        };
        self.send(what, url, repeat, request).await
    }

    async fn send(
        &self,
        what: &'static str,
        url: &str,
        repeat: Repeat,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let mut pause = self.first_retry;
        for further in (0..TRIES).rev() {
            let last = further == 0 || repeat == Repeat::Never;
            match self.try_once(what, url, request()).await {
                Ok(answer) if last || !answer.status.is_server_error() => return Ok(answer),
                Err(failure) if last || !failure.may_pass => return Err(failure.error),
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        // The last round always returns.
        Err(Error::Unreachable { what, url: url.to_owned(), cause: "it was never sent".to_owned() })
    }

    async fn try_once(
        &self,
        what: &'static str,
        url: &str,
        request: RequestBuilder,
    ) -> Result<Answer, Failure> {
        let unreachable = |error: reqwest::Error| {
            let through = Url::parse(url).ok().and_then(|url| self.proxies.describe(&url));
            let cause = describe(&error, through.as_deref());
            let may_pass = !error.is_timeout() && !cause.contains("ertificate");
            Failure { error: Error::Unreachable { what, url: url.to_owned(), cause }, may_pass }
        };
        let request = request.build().map_err(unreachable)?;
        self.trace.request(&request);
        let mut response = self.client.execute(request).await.map_err(unreachable)?;
        self.trace.response(&response);
        let status = response.status();
        let header = |name: HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let content_type = header(CONTENT_TYPE).unwrap_or_else(|| "no content type".to_owned());
        let (location, etag) = (header(LOCATION), header(ETAG));
        let age = header(AGE).and_then(|age| age.parse::<i64>().ok()).unwrap_or(0).max(0);
        let fresh_seconds =
            header(CACHE_CONTROL).and_then(|text| fresh_seconds(&text)).map(|all| (all - age).max(0));
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LONGEST_BODY {
                let problem = "with more than 1 MiB; check the URL".to_owned();
                return Err(Failure {
                    error: Error::Answer { what, url: url.to_owned(), problem },
                    may_pass: false,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, content_type, location, etag, fresh_seconds, body })
    }
}

impl Answer {
    /// The JSON body of a successful answer.
    pub(crate) fn json<'a, T: serde::de::Deserialize<'a>>(
        &'a self,
        what: &'static str,
        url: &str,
    ) -> Result<T, Error> {
        if !self.status.is_success() {
            return Err(self.unexpected(what, url));
        }
        serde_json::from_slice(&self.body).map_err(|error| self.not_json(what, url, &error))
    }

    /// The JSON body of a successful answer, as text.
    pub(crate) fn json_text(&self, what: &'static str, url: &str) -> Result<&str, Error> {
        self.json::<serde::de::IgnoredAny>(what, url)?;
        std::str::from_utf8(&self.body)
            .map_err(|_| self.not_json(what, url, &serde::de::Error::custom("not UTF-8")))
    }

    fn not_json(&self, what: &'static str, url: &str, error: &serde_json::Error) -> Error {
        let problem = if self.content_type.starts_with("text/html") {
            "with an HTML page instead of JSON; check the URL, and whether a proxy or a login page is in between"
                    .to_owned()
        } else {
            // The reason may quote the body, which may hold a token.
            let (line, column) = (error.line(), error.column());
            format!(
                "with {}, which is not as the protocol asks (line {line}, column {column})",
                printable(&self.content_type)
            )
        };
        Error::Answer { what, url: url.to_owned(), problem }
    }

    /// The error for an answer whose status says that it failed.
    pub(crate) fn unexpected(&self, what: &'static str, url: &str) -> Error {
        if self.status.is_server_error() {
            return Error::Outage { what, url: url.to_owned(), status: self.status };
        }
        let mend = match self.status {
            StatusCode::NOT_FOUND => "; check the issuer URL",
            status if status.is_redirection() => ", a redirect, which is not followed here; check the URL",
            _ => "",
        };
        Error::Answer {
            what,
            url: url.to_owned(),
            problem: format!("with HTTP status {}{mend}", self.status),
        }
    }
}

/// What a `Cache-Control` header says of how long an answer is fresh. A document that must not be stored counts as one
/// that is never fresh: what it holds is public, and it is asked for again each time.
fn fresh_seconds(cache_control: &str) -> Option<i64> {
    let directives = || cache_control.split(',').map(|one| one.trim().to_ascii_lowercase());
    if directives().any(|one| matches!(one.as_str(), "no-store" | "no-cache")) {
        return Some(0);
    }
    directives().find_map(|one| one.strip_prefix("max-age=")?.trim_matches('"').parse::<i64>().ok())
}

/// The certificate authorities to believe. Any that is given replaces the system's.
fn trust(options: &Options) -> Result<Trust, Error> {
    if options.trust.skip_verify {
        return Ok(Trust::DangerouslyAnybody);
    }
    let mut pem = String::new();
    for path in &options.trust.files {
        pem += &fs::read_to_string(path).map_err(|source| Error::FlagFile {
            flag: "--certificate-authority",
            path: path.clone(),
            source,
        })?;
        pem.push('\n');
    }
    for data in &options.trust.data {
        let broken = |problem: &str| Error::Flag {
            flag: "--certificate-authority-data",
            problem: format!("{problem}; give the PEM file as base64 on one line"),
        };
        let bytes = STANDARD.decode(data.trim()).map_err(|_| broken("it is not base64"))?;
        pem += &String::from_utf8(bytes).map_err(|_| broken("its content is not PEM text"))?;
        pem.push('\n');
    }
    Ok(if pem.is_empty() { Trust::System } else { Trust::Only(pem) })
}

/// The innermost reason, and what may mend it.
fn describe(error: &reqwest::Error, proxy: Option<&str>) -> String {
    let through = proxy.map(|proxy| format!(", through {proxy}")).unwrap_or_default();
    if error.is_timeout() {
        let waited = if error.is_connect() { "no connection" } else { "no complete answer" };
        return format!(
            "{waited} in time{through}; check the network, HTTPS_PROXY and NO_PROXY, then try again"
        );
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = printable(&cause.to_string());
    let mend = if cause.contains("UnknownIssuer") {
        "; give the provider's certificate authority with --certificate-authority"
    } else if cause.contains("ertificate") {
        "; the provider's certificate is not for this name or time"
    } else if error.is_connect() {
        "; check the URL and the network, then try again"
    } else {
        ""
    };
    format!("{cause}{through}{mend}")
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_it_is_fresh() {
        for (header, seconds) in [
            ("public, max-age=3600, must-revalidate", Some(3600)),
            ("Max-Age=\"60\"", Some(60)),
            ("no-cache, must-revalidate, no-transform, no-store", Some(0)),
            ("max-age=600, no-cache", Some(0)),
            ("public", None),
            ("max-age=soon", None),
            ("", None),
        ] {
            assert_eq!(fresh_seconds(header), seconds, "{header}");
        }
    }
}
