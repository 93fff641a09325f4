//! The pages that people see: server-rendered, plain forms with stable ids, one style sheet, and no scripts but the one
//! line that sends an answer on (`form_post`), which has a button too.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};

use crate::oauth_error::never_stored;

pub(crate) mod account;
pub(crate) mod consent;

const STYLE: &str = include_str!("../assets/style.css");
const MARK: &str = include_str!("../assets/mark.svg");

/// Where the pages find what they are drawn with. The paths change with the content, so that a browser may
/// keep it for ever.
pub(crate) struct Assets {
    pub(crate) style: String,
    pub(crate) mark: String,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: format!("/assets/style-{}.css", fingerprint(STYLE)),
    mark: format!("/assets/mark-{}.svg", fingerprint(MARK)),
});

fn fingerprint(content: &str) -> String {
    let hash = digest(&SHA256, content.as_bytes());
    hash.as_ref()
        .first_chunk()
        .map(|first| format!("{:016x}", u64::from_be_bytes(*first)))
        .unwrap_or_default()
}

/// The routes of the style sheet and the mark.
pub(crate) fn asset_routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(&ASSETS.style, get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route(&ASSETS.mark, get(|| async { asset("image/svg+xml", MARK) }))
        .route("/favicon.ico", get(|| async { asset("image/svg+xml", MARK) }))
}

fn asset(content_type: &'static str, content: &'static str) -> Response {
    let forever = "public, max-age=31536000, immutable";
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, forever)], content).into_response()
}

/// The sign-in page.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn<'a> {
    pub(crate) assets: &'static Assets,
    /// What the person is signing in to: the application's label.
    pub(crate) application: &'a str,
    /// The authorization server's name; none where the person signs in to the own account here.
    pub(crate) server: Option<&'a str>,
    /// Host and port, as the address bar shows them.
    pub(crate) host: &'a str,
    /// Where the forms go.
    pub(crate) action: &'a str,
    /// The sealed authorization request.
    pub(crate) request: &'a str,
    /// What to put in the field: the `login_hint`, or what was typed before.
    pub(crate) username: &'a str,
    /// Why the last attempt came to nothing.
    pub(crate) problem: Option<String>,
    /// Who is signed in with this browser already.
    pub(crate) current: Option<CurrentUser<'a>>,
}

/// Who is signed in with this browser already.
pub(crate) struct CurrentUser<'a> {
    pub(crate) login: &'a str,
    /// Whether that person may use the application.
    pub(crate) is_assigned: bool,
}

impl SignIn<'_> {
    /// Whether the first button is the one to go on with the account that is signed in.
    fn may_continue(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.is_assigned)
    }
}

/// The page for whatever cannot be told to the client by a redirect.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) heading: &'a str,
    /// What is wrong, with what.
    pub(crate) what: &'a str,
    /// What to do.
    pub(crate) advice: &'a str,
    /// Names and values that an administrator will ask for.
    pub(crate) details: Vec<(&'static str, String)>,
    pub(crate) request_id: &'a str,
}

/// What stands at `/`.
#[derive(Template)]
#[template(path = "landing.html")]
pub(crate) struct Landing<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) issuers: Vec<IssuerEntry>,
}

/// An issuer on the landing page.
pub(crate) struct IssuerEntry {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) discovery: String,
}

/// Asks for the code that a device shows.
#[derive(Template)]
#[template(path = "device_code.html")]
pub(crate) struct DeviceCode<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) action: &'a str,
    /// What was typed before.
    pub(crate) user_code: &'a str,
    /// Why that led nowhere.
    pub(crate) problem: Option<String>,
}

/// Asks whether a device may sign in.
#[derive(Template)]
#[template(path = "device_confirm.html")]
pub(crate) struct DeviceConfirm<'a> {
    pub(crate) assets: &'static Assets,
    /// The application's label.
    pub(crate) application: &'a str,
    /// The authorization server's name.
    pub(crate) server: &'a str,
    pub(crate) host: &'a str,
    pub(crate) action: &'a str,
    pub(crate) request: &'a str,
    pub(crate) login: &'a str,
    pub(crate) user_code: &'a str,
}

/// Says what became of a device.
#[derive(Template)]
#[template(path = "device_done.html")]
pub(crate) struct DeviceDone<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) heading: &'a str,
    pub(crate) what: &'a str,
}

/// Asks for a new password.
#[derive(Template)]
#[template(path = "choose_password.html")]
pub(crate) struct ChoosePassword<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) heading: &'a str,
    /// Whose password it is.
    pub(crate) login: &'a str,
    /// What it is for.
    pub(crate) what: &'a str,
    /// What it must be like, in a sentence.
    pub(crate) rule: &'a str,
    pub(crate) shortest: usize,
    pub(crate) action: &'a str,
    pub(crate) request: &'a str,
    /// Why the last one was not taken.
    pub(crate) problem: Option<String>,
    /// Whether it is a step of a sign-in, which can be cancelled.
    pub(crate) may_cancel: bool,
}

/// Says that the password is set.
#[derive(Template)]
#[template(path = "password_chosen.html")]
pub(crate) struct PasswordChosen<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) login: &'a str,
}

/// Asks whether to sign out.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub(crate) struct SignOut<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) action: &'a str,
    pub(crate) request: &'a str,
    pub(crate) login: &'a str,
}

/// Says that the session is over.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOut<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
}

/// Sends the browser to the client with a post (OAuth 2.0 Form Post Response Mode).
#[derive(Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPost<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    /// The host to which it leads.
    pub(crate) target: &'a str,
    /// Where the form goes: a registered address.
    pub(crate) redirect_uri: &'a str,
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    /// [`SUBMIT`].
    pub(crate) script: &'static str,
}

/// The only script of all pages. By its id, because a field may be called `submit`.
pub(crate) const SUBMIT: &str = "document.getElementById('answer').submit()";

/// The `Content-Security-Policy` of the page that sends an answer on: its one script by its hash. Forms are not
/// restricted: browsers hold that against the redirects which follow a post as well, and where the client goes on to is
/// its own affair; the page has one form, which leads to a registered address.
pub(crate) static FORM_POST_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, SUBMIT.as_bytes()));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(NOTHING)
});

/// What a page may do whose policy cannot stand in a header.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The assets, for the templates.
pub(crate) fn assets() -> &'static Assets {
    &ASSETS
}

/// A page as a response that no cache keeps.
pub(crate) fn render(status: StatusCode, page: &impl Template) -> Response {
    let mut response = match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be rendered.").into_response()
        }
    };
    never_stored(&mut response);
    response
}

/// The `Content-Security-Policy` of a page whose forms may lead to `form_targets` besides ourselves.
pub(crate) fn content_security_policy(form_targets: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{separator}{form_targets}; \
         frame-ancestors 'none'; base-uri 'none'",
        separator = if form_targets.is_empty() { "" } else { " " },
    );
    HeaderValue::try_from(policy).unwrap_or(NOTHING)
}

/// Where a form of ours may lead through `redirect_uri`, as a `form-action` source: its origin, or its scheme
/// where it has no host. Chromium holds `form-action` against the redirects that follow a submission too, so
/// that without this the last step of the sign-in would be blocked.
pub(crate) fn form_target(redirect_uri: &str) -> Option<String> {
    let uri = url::Url::parse(redirect_uri).ok()?;
    // The grammar of CSP has no IPv6 hosts.
    let is_nameable = uri.origin().is_tuple() && !matches!(uri.host(), Some(url::Host::Ipv6(_)));
    let source = if is_nameable { uri.origin().ascii_serialization() } else { format!("{}:", uri.scheme()) };
    source.bytes().all(|byte| byte.is_ascii_graphic() && !b";,'\"".contains(&byte)).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(problem: Option<&str>, current: Option<CurrentUser<'_>>) -> String {
        let page = SignIn {
            assets: assets(),
            application: "k8s <OIDC>",
            server: Some("k8s-auth"),
            host: "localhost:8443",
            action: "/sign-in",
            request: "sealed",
            username: "",
            problem: problem.map(str::to_owned),
            current,
        };
        page.render().unwrap()
    }

    #[test]
    fn the_sign_in_page_has_the_ids_that_scripts_rely_on_and_escapes_what_it_is_given() {
        let page = sign_in(Some("No <b>way</b>."), None);
        for id in ["username", "password", "sign-in", "cancel", "error"] {
            assert!(page.contains(&format!(r#"id="{id}""#)), "{id}: {page}");
        }
        assert!(
            page.contains("k8s &#60;OIDC&#62;") && page.contains("No &#60;b&#62;way&#60;/b&#62;."),
            "{page}"
        );
        assert!(!page.contains("<script") && !page.contains("style="), "{page}");
        assert!(!sign_in(None, None).contains(r#"id="error""#));
    }

    #[test]
    fn whoever_is_signed_in_can_go_on_or_is_told_why_not() {
        let page = sign_in(None, Some(CurrentUser { login: "dev@example.com", is_assigned: true }));
        assert!(page.contains("Continue as dev@example.com"), "{page}");
        let page = sign_in(None, Some(CurrentUser { login: "dev@example.com", is_assigned: false }));
        assert!(page.contains("not assigned to") && !page.contains("Continue as"), "{page}");
    }

    #[test]
    fn the_target_of_a_form_is_the_origin_or_the_scheme() {
        let cases = [
            ("http://localhost:8000", Some("http://localhost:8000")),
            ("https://app.example/callback?x=1", Some("https://app.example")),
            ("http://[::1]:9/x", Some("http:")),
            ("com.example.app:/callback", Some("com.example.app:")),
            ("not a uri", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(form_target(uri).as_deref(), expected, "{uri}");
        }
    }
}
