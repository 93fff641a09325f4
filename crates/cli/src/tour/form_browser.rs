//! A browser for the tour: it follows redirects, keeps cookies, and fills in the sign-in form.
//!
//! It knows of HTML just what the provider's pages need: the form with the password, the element that says what went
//! wrong. Whatever it meets otherwise is an error, not a guess.

use std::collections::BTreeMap;
use std::fmt;

use kubesso_https::{ClientError, Timeouts, Trust, client_with_redirects};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Response, redirect};
use url::Url;

/// Redirects followed in one sign-in. An honest one needs five.
const REDIRECTS: usize = 10;

/// Who signs in.
#[derive(Clone)]
pub(super) struct Credentials {
    /// The login.
    pub(super) username: String,
    /// The password.
    pub(super) password: zeroize::Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// The provider sent the browser back to the application; this is the text of the page it was shown there.
    Application(String),
    /// The provider showed a page that says why it goes no further.
    Refused(String),
}

/// Why a sign-in could not be walked through.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrowserError {
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Somebody did not answer.
    #[error("{url} did not answer: {cause}")]
    Unreachable {
        /// Without its query, which may hold a code.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// A page without what should be there.
    #[error("the page at {url} has {missing}")]
    Page {
        /// Without its query.
        url: String,
        /// What was looked for.
        missing: &'static str,
    },
    /// Round and round.
    #[error("more than {REDIRECTS} redirects")]
    Redirects,
}

/// A browser with a cookie jar of its own.
#[derive(Debug)]
pub(super) struct FormBrowser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl FormBrowser {
    /// A browser that believes `trust`. Redirects are followed by hand, for their cookies.
    pub(super) fn new(trust: &Trust) -> Result<Self, BrowserError> {
        let http = client_with_redirects(trust, Timeouts::default(), redirect::Policy::none())?;
        Ok(Self { http, cookies: BTreeMap::new() })
    }

    /// Opens `url` (the plugin's own, which leads to the provider, or an authorization request), signs in if asked to,
    /// and goes wherever that leads.
    pub(super) async fn sign_in(
        &mut self,
        url: &Url,
        credentials: &Credentials,
    ) -> Result<Landing, BrowserError> {
        let (mut at, answer) = self.follow(url.clone()).await?;
        let mut page = text(&at, answer).await?;
        if is_provider(&at) && tags(&page, "form").next().is_some() {
            let form = SignInForm::find(&at, &page)?;
            let submission = self.http.post(form.action.clone()).form(&form.filled(credentials));
            let submitted = self.send(submission, &form.action).await?;
            let answer = match target(&form.action, &submitted) {
                Some(next) => {
                    let (landed, answer) = self.follow(next).await?;
                    at = landed;
                    answer
                }
                None => submitted,
            };
            page = text(&at, answer).await?;
        }
        if is_provider(&at) {
            let error = element_text(&page, "error").ok_or(BrowserError::Page {
                url: without_query(&at),
                missing: "neither a way on nor an element with the id `error`",
            })?;
            return Ok(Landing::Refused(error));
        }
        Ok(Landing::Application(plain_text(&page)))
    }

    async fn follow(&mut self, mut url: Url) -> Result<(Url, Response), BrowserError> {
        for _ in 0..REDIRECTS {
            let answer = self.send(self.http.get(url.clone()), &url).await?;
            match target(&url, &answer) {
                Some(next) => url = next,
                None => return Ok((url, answer)),
            }
        }
        Err(BrowserError::Redirects)
    }

    /// Cookies are the provider's: they go nowhere else.
    async fn send(&mut self, request: reqwest::RequestBuilder, url: &Url) -> Result<Response, BrowserError> {
        let request = if is_provider(url) { request.header(COOKIE, self.cookie_header()) } else { request };
        let answer = request.send().await.map_err(|error| unreachable(url, error))?;
        for cookie in answer.headers().get_all(SET_COOKIE).iter().filter(|_| is_provider(url)) {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(answer)
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// A provider is served over TLS; what listens for the plugin's answer on loopback is not.
fn is_provider(url: &Url) -> bool {
    url.scheme() == "https"
}

fn target(at: &Url, answer: &Response) -> Option<Url> {
    if !answer.status().is_redirection() {
        return None;
    }
    at.join(answer.headers().get(LOCATION)?.to_str().ok()?).ok()
}

async fn text(url: &Url, answer: Response) -> Result<String, BrowserError> {
    answer.text().await.map_err(|error| unreachable(url, error))
}

fn unreachable(url: &Url, error: reqwest::Error) -> BrowserError {
    BrowserError::Unreachable { url: without_query(url), cause: crate::error::chain(&error.without_url()) }
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// The sign-in form: where it goes, and what it carries besides what the person types: hidden fields and the button pressed.
#[derive(Debug)]
struct SignInForm {
    action: Url,
    carried: Vec<(String, String)>,
}

impl SignInForm {
    fn find(at: &Url, page: &str) -> Result<Self, BrowserError> {
        let missing = |missing| BrowserError::Page { url: without_query(at), missing };
        // A page may have other forms: to continue as somebody, to cancel.
        let form = page
            .split("<form")
            .skip(1)
            .filter_map(|rest| rest.split("</form").next())
            .find(|form| {
                tags(form, "input").any(|input| attribute(input, "name").as_deref() == Some("password"))
            })
            .ok_or(missing("no form with a password field"))?;
        let action = attribute(form.split('>').next().unwrap_or_default(), "action").unwrap_or_default();
        let action = at.join(&action).map_err(|_| missing("a form without a usable action"))?;
        let hidden =
            tags(form, "input").filter(|input| attribute(input, "type").as_deref() == Some("hidden"));
        let carried = hidden
            .chain(tags(form, "button").take(1))
            .filter_map(|field| {
                Some((attribute(field, "name")?, attribute(field, "value").unwrap_or_default()))
            })
            .collect();
        Ok(Self { action, carried })
    }

    fn filled(&self, credentials: &Credentials) -> Vec<(String, String)> {
        let mut fields = self.carried.clone();
        fields.push(("username".to_owned(), credentials.username.clone()));
        fields.push(("password".to_owned(), credentials.password.to_string()));
        fields
    }
}

/// The opening tags `<name …>` of a page, without their brackets.
fn tags<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    page.split('<').filter_map(move |piece| {
        let inside = piece.strip_prefix(name)?;
        inside.starts_with([' ', '>', '\n']).then(|| inside.split('>').next().unwrap_or_default())
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.match_indices(&format!("{name}=\"")).find(|(at, _)| tag[..*at].ends_with([' ', '\n']))?.0;
    let value = &tag[start + name.len() + 2..];
    Some(unescape(&value[..value.find('"')?]))
}

/// The text of the element with an id; `None` when there is none or it is empty.
fn element_text(page: &str, id: &str) -> Option<String> {
    let from = page.find(&format!("id=\"{id}\""))?;
    let inner = &page[from + page[from..].find('>')? + 1..];
    let text = plain_text(&inner[..inner.find("</")?]);
    (!text.is_empty()).then_some(text)
}

/// A page's text as a person reads it: no tags, no head, white space folded.
fn plain_text(page: &str) -> String {
    let body = page.find("<body").map_or(page, |start| &page[start..]);
    let mut text = String::new();
    for piece in body.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, after)| after));
        text.push(' ');
    }
    unescape(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn unescape(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><head><title>t</title></head><body>
        <p id="error" role="alert">Wrong user &amp; password.</p>
        <form method="post" action="/continue"><input type="hidden" name="csrf" value="other"></form>
        <form method="post" action="/signin?x=1&amp;y=2"><input type="hidden" name="csrf" value="a&quot;b">
        <input id="username" name="username" type="email"><input name="password" type="password">
        <button id="sign-in" name="action" value="sign-in"></button></form></body>"#;

    #[test]
    fn the_form_is_found_with_what_it_carries() {
        let at = Url::parse("https://sso.example/oauth2/authorize").unwrap();
        let form = SignInForm::find(&at, PAGE).unwrap();
        assert_eq!(form.action.as_str(), "https://sso.example/signin?x=1&y=2");
        let carried =
            [("csrf", "a\"b"), ("action", "sign-in")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(form.carried, carried);
    }

    #[test]
    fn the_page_s_error_is_read_as_a_person_reads_it() {
        assert_eq!(element_text(PAGE, "error").as_deref(), Some("Wrong user & password."));
        assert_eq!(element_text(PAGE, "nothing"), None);
        assert_eq!(plain_text(PAGE), "Wrong user & password.");
    }

    #[test]
    fn a_page_without_a_form_is_an_error() {
        let at = Url::parse("https://sso.example/a?code=secret").unwrap();
        let error = SignInForm::find(&at, "<p>hello</p>").unwrap_err().to_string();
        assert_eq!(error, "the page at https://sso.example/a has no form with a password field");
    }
}
