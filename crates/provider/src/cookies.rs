//! The two cookies of the sign-in pages.
//!
//! Both carry the `__Host-` prefix (RFC 6265bis §4.1.3.2): the browser takes them over https only, for this
//! host alone and the whole of it, so that no neighbouring host can plant one. They have no lifetime of their
//! own; when a session ends is decided here and not in the browser.
//!
//! Cookies know no ports (RFC 6265 §8.5). On `localhost` a browser therefore shows them to every program of the
//! person's own machine that it is sent to; for anything but trying kubesso out, give the provider a host name of
//! its own.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

/// Names the browser's session once somebody has signed in.
pub(crate) const SESSION: &str = "__Host-kubesso-session";
/// Names the browser before that. Every form is bound to it, see [`crate::csrf`].
pub(crate) const BROWSER: &str = "__Host-kubesso-browser";

/// A cookie that scripts cannot read and other sites cannot send with a form.
///
/// `SameSite=Lax` and not `Strict`: the authorization request is itself a navigation from elsewhere, and has
/// to find the session.
pub(crate) fn host_cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}

/// Makes the browser drop the cookie `name`.
pub(crate) fn dropped(jar: CookieJar, name: &'static str) -> CookieJar {
    let mut cookie = host_cookie(name, String::new());
    cookie.make_removal();
    jar.add(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_bound_to_the_host_and_out_of_reach() {
        let cookie = host_cookie(SESSION, "value".into()).to_string();
        assert_eq!(cookie, "__Host-kubesso-session=value; HttpOnly; SameSite=Lax; Secure; Path=/");
    }

    #[test]
    fn a_dropped_cookie_keeps_the_attributes_without_which_a_browser_would_ignore_it() {
        let cookie = dropped(CookieJar::new(), SESSION).get(SESSION).unwrap().to_string();
        for part in ["__Host-kubesso-session=;", "Secure", "Path=/", "Max-Age=0"] {
            assert!(cookie.contains(part), "{cookie}");
        }
    }
}
