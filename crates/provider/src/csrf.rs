//! Forms that nobody else can submit for the person.
//!
//! Every page with a form gives the browser a random cookie ([`crate::cookies::BROWSER`]) and carries, sealed
//! inside the form, the SHA-256 of it. A submission counts only when the two fit. An attacker's page can
//! therefore neither submit a form of its own making (it cannot seal one), nor one that it fetched from us
//! itself (that one is bound to the attacker's cookie: *login CSRF*), nor read the person's. Beneath that,
//! the cookie is `SameSite=Lax`, which no cross-site submission carries, and an `Origin` other than ours is
//! refused. Nothing has to be stored for any of it.

use aws_lc_rs::digest::{SHA256, digest};
use axum_extra::extract::CookieJar;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use kubesso_ambient::{Entropy, draw};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::Url;

use crate::cookies::{self, BROWSER};

/// The SHA-256 of the browser's cookie, as it stands in a sealed form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BrowserBinding(String);

impl BrowserBinding {
    /// The binding to the browser that sent `jar`, with a new cookie for it if it had none. One browser keeps
    /// one cookie, so that two tabs do not undo each other.
    pub(crate) fn of_browser(jar: CookieJar, entropy: &dyn Entropy) -> (Self, CookieJar) {
        if let Some(binding) = Self::presented(&jar) {
            return (binding, jar);
        }
        let secret = URL_SAFE_NO_PAD.encode(draw::<32>(entropy));
        let binding = Self::to(&secret);
        (binding, jar.add(cookies::host_cookie(BROWSER, secret)))
    }

    /// Whether a submission with `jar` and `headers` comes from the browser that was given the form, and from
    /// a page of ours at `base_url`.
    pub(crate) fn admits(&self, jar: &CookieJar, headers: &HeaderMap, base_url: &Url) -> bool {
        let is_same_browser = Self::presented(jar)
            .is_some_and(|presented| presented.0.as_bytes().ct_eq(self.0.as_bytes()).into());
        is_same_browser && is_same_origin(headers, base_url)
    }

    fn presented(jar: &CookieJar) -> Option<Self> {
        let secret = jar.get(BROWSER)?.value();
        (secret.len() == 43).then(|| Self::to(secret))
    }

    fn to(secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes())))
    }
}

/// Whether `Sec-Fetch-Site` and `Origin`, where a browser sends them, speak of a page of ours. Under our
/// `Referrer-Policy: no-referrer` the origin of our own forms is `null`, which therefore says nothing.
fn is_same_origin(headers: &HeaderMap, base_url: &Url) -> bool {
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return false;
    }
    match headers.get(header::ORIGIN).map(http::HeaderValue::as_bytes) {
        None | Some(b"null") => true,
        Some(origin) => origin == base_url.origin().ascii_serialization().as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use axum_extra::extract::cookie::Cookie;
    use kubesso_ambient::SeededEntropy;

    use super::*;

    fn base_url() -> Url {
        "https://localhost:8443".parse().unwrap()
    }

    #[test]
    fn a_form_is_taken_from_the_browser_that_got_it_only() {
        let entropy = SeededEntropy::new(1);
        let (mine, my_jar) = BrowserBinding::of_browser(CookieJar::new(), &entropy);
        let (theirs, their_jar) = BrowserBinding::of_browser(CookieJar::new(), &entropy);
        let headers = HeaderMap::new();
        assert!(mine.admits(&my_jar, &headers, &base_url()));
        assert!(!mine.admits(&their_jar, &headers, &base_url()));
        assert!(!theirs.admits(&my_jar, &headers, &base_url()));
        assert!(!mine.admits(&CookieJar::new(), &headers, &base_url()));
    }

    #[test]
    fn a_second_tab_keeps_the_first_ones_cookie_and_a_stunted_cookie_is_replaced() {
        let entropy = SeededEntropy::new(1);
        let (first, jar) = BrowserBinding::of_browser(CookieJar::new(), &entropy);
        let (second, _) = BrowserBinding::of_browser(jar, &entropy);
        assert_eq!(first, second);
        let (_, jar) = BrowserBinding::of_browser(CookieJar::new().add(Cookie::new(BROWSER, "x")), &entropy);
        assert_eq!(jar.get(BROWSER).unwrap().value().len(), 43);
    }

    #[test]
    fn a_submission_from_another_origin_is_refused() {
        let (binding, jar) = BrowserBinding::of_browser(CookieJar::new(), &SeededEntropy::new(1));
        let cases = [
            (None, None, true),
            (Some("https://localhost:8443"), Some("same-origin"), true),
            (Some("https://localhost:8443"), None, true),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), Some("cross-site"), false),
            (Some("https://evil.example"), None, false),
            (Some("https://localhost:8444"), Some("same-site"), false),
            (Some("http://localhost:8443"), None, false),
            (None, Some("cross-site"), false),
        ];
        for (origin, site, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            assert_eq!(binding.admits(&jar, &headers, &base_url()), expected, "{origin:?} {site:?}");
        }
    }
}
