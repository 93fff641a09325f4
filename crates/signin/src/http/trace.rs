//! What `-v2` tells of the talk with the provider: requests and answers with their headers, and with `-v3` the names in
//! forms. kubelogin shows bodies too, with passwords and tokens; here nothing is shown that may be one: only the headers
//! of a list, and no value of a form or a query.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Request, Response};
use url::Url;

use crate::environment::{Environment, Output};

/// Tells of requests, if anybody wants to know.
#[derive(Clone)]
pub(super) struct Trace {
    stderr: Output,
    level: u8,
}

impl Trace {
    pub(super) fn new(environment: &Environment) -> Self {
        Self { stderr: environment.stderr.clone(), level: environment.verbosity }
    }

    pub(super) fn request(&self, request: &Request) {
        if self.level < 2 {
            return;
        }
        let mut lines = format!("> {} {}\n", request.method(), shown(request.url()));
        lines.extend(request.headers().iter().map(|(name, value)| header('>', name, value)));
        let form = request.body().and_then(|body| body.as_bytes()).filter(|_| self.level > 2);
        if let Some(form) = form {
            let names: Vec<_> =
                url::form_urlencoded::parse(form).map(|(name, _)| name.into_owned()).collect();
            lines.extend([">   (a form with ", &names.join(", "), ")\n"]);
        }
        self.tell(&lines);
    }

    pub(super) fn response(&self, response: &Response) {
        if self.level >= 2 {
            self.tell(&answer(response.status().as_u16(), response.headers()));
        }
    }

    fn tell(&self, lines: &str) {
        // That nobody may be listening is no failure.
        let _ = self.stderr.write(lines);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("level", &self.level).finish_non_exhaustive()
    }
}

fn answer(status: u16, headers: &HeaderMap) -> String {
    let mut lines = format!("< {status}\n");
    lines.extend(headers.iter().map(|(name, value)| header('<', name, value)));
    lines
}

/// The address without what stands behind its path.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // An address that cannot have them has none.
    let _ = (url.set_username(""), url.set_password(None));
    url.to_string()
}

/// Headers that hold no secret.
const OPEN: [&str; 15] = [
    "accept",
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "expires",
    "if-none-match",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
];

fn header(arrow: char, name: &HeaderName, value: &HeaderValue) -> String {
    let open = OPEN.contains(&name.as_str()) && !value.is_sensitive();
    let value = value.to_str().ok().filter(|_| open).unwrap_or("[masked]");
    format!("{arrow}   {name}: {value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn requests_are_told_as_much_as_asked_and_without_secrets() {
        let request = || {
            let mut mine = HeaderValue::from_static("s3cret");
            mine.set_sensitive(true);
            kubesso_https::install_crypto_provider();
            reqwest::Client::builder()
                .build()
                .unwrap()
                .post("http://me:s3cret@localhost/token?code=s3cret")
                .basic_auth("id", Some("s3cret"))
                .header("user-agent", mine)
                .header("x-key", "s3cret")
                .header("accept", "application/json")
                .form(&[("code", "s3cret"), ("grant_type", "s3cret")])
                .build()
                .unwrap()
        };
        let told = |verbosity| {
            let (mut environment, recording) = testing::recording_environment();
            environment.verbosity = verbosity;
            Trace::new(&environment).request(&request());
            recording.stderr()
        };
        assert_eq!((&*told(0), &*told(1)), ("", ""));
        insta::assert_snapshot!(told(3), @"
        > POST http://localhost/token
        >   authorization: [masked]
        >   authorization: [masked]
        >   user-agent: [masked]
        >   x-key: [masked]
        >   accept: application/json
        >   content-type: application/x-www-form-urlencoded
        >   (a form with code, grant_type)
        ");
        assert!(told(2).contains("content-type") && !told(2).contains("grant_type"));
        assert!(!told(3).contains("s3cret"));
    }

    #[test]
    fn answers_are_told_without_cookies_and_places() {
        let headers =
            [("content-type", "text/html"), ("set-cookie", "s3cret"), ("location", "/?code=s3cret")];
        let headers = headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let told = answer(302, &headers.collect());
        assert_eq!(
            told,
            "< 302\n<   content-type: text/html\n<   set-cookie: [masked]\n<   location: [masked]\n"
        );
    }
}
