//! What the browser shows at the end of a sign-in.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
};
use axum::http::{Response, StatusCode};

/// To the provider.
pub(super) fn redirect(url: &str) -> Response<Body> {
    let mut response = page(StatusCode::FOUND, "Signing in", "You are being sent to the sign-in page.", "");
    if let Ok(location) = url.parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The sign-in is complete.
pub(super) fn success() -> Response<Body> {
    page(StatusCode::OK, "Authenticated", "You are signed in. Close this window and go back to kubectl.", "")
}

/// The sign-in is complete, and the person wants to go on to `url`.
pub(super) fn success_then(url: &str) -> Response<Body> {
    let url = escape(url);
    let refresh = format!(r#"<meta http-equiv="refresh" content="0;URL={url}">"#);
    let text = format!(r#"You are signed in. Going on to <a href="{url}">{url}</a>.</p>"#);
    page_with_markup(StatusCode::OK, "Authenticated", &text, &refresh)
}

/// The sign-in failed for `reason`.
pub(super) fn failure(reason: &str) -> Response<Body> {
    let reason = capitalized(reason);
    page(StatusCode::BAD_REQUEST, "Not signed in", &reason, "The same is said where you started kubectl.")
}

/// A reason follows a colon in the terminal; here it is a sentence of its own.
fn capitalized(reason: &str) -> String {
    let mut rest = reason.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// A request that has nothing to do with the sign-in under way.
pub(super) fn foreign() -> Response<Body> {
    let text = "This answer does not belong to the sign-in that is under way, which goes on.";
    page(StatusCode::BAD_REQUEST, "Not this sign-in", text, "Start again from kubectl if you are lost.")
}

/// There is nothing here.
pub(super) fn not_found() -> Response<Body> {
    page(StatusCode::NOT_FOUND, "Not found", "There is nothing here.", "")
}

fn page(status: StatusCode, title: &str, text: &str, more: &str) -> Response<Body> {
    let more =
        if more.is_empty() { String::new() } else { format!("\n<p class=\"more\">{}</p>", escape(more)) };
    page_with_markup(status, title, &format!("{}</p>{more}", escape(text)), "")
}

/// `body` is the markup of a paragraph and of what follows it.
fn page_with_markup(status: StatusCode, title: &str, body: &str, head: &str) -> Response<Body> {
    let class = match status {
        StatusCode::OK => "good",
        StatusCode::FOUND => "plain",
        _ => "bad",
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n{head}\
         <style>{STYLE}</style>\n</head>\n<body>\n<main class=\"{class}\">\n<h1>{title}</h1>\n<p>{body}\n</main>\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        // The address of the next sign-in is the same, and its answer another.
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        // The address bar holds the code.
        (REFERRER_POLICY, "no-referrer"),
        // The process ends soon; the browser is not to keep the connection for later.
        (CONNECTION, "close"),
    ] {
        headers.insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

const STYLE: &str = "\
    :root{color-scheme:light dark;--ground:#f4f6f9;--card:#fff;--line:#dde2ea;--text:#161b26;--soft:#566074}\
    @media(prefers-color-scheme:dark){:root{--ground:#0e1117;--card:#171b24;--line:#2a3140;--text:#eaedf3;--soft:#a3adbf}}\
    body{font:18px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;\
    background:var(--ground);color:var(--text)}\
    main{max-width:32rem;margin:1rem;padding:1.75rem 2rem;background:var(--card);border:1px solid var(--line);\
    border-top:4px solid #8a94a6;border-radius:10px;overflow-wrap:anywhere}\
    .good{border-top-color:#1f8a4c}.bad{border-top-color:#c2303f}\
    h1{font-size:1.4rem;margin:0 0 .5rem}p{margin:0}.more{margin-top:.75rem;color:var(--soft);font-size:1rem}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_from_outside_cannot_become_markup() {
        assert_eq!(escape(r#"<a href="x">'&"#), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn a_reason_begins_like_a_sentence() {
        for (reason, sentence) in
            [("the provider refused", "The provider refused"), ("émile", "Émile"), ("", "")]
        {
            assert_eq!(capitalized(reason), sentence);
        }
    }

    #[test]
    fn no_page_is_kept_by_the_browser() {
        for response in
            [redirect("https://idp/"), success(), success_then("https://x/"), failure("no"), foreign()]
        {
            assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        }
    }
}
