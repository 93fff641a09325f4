//! A person with a browser, at the pages of any provider: forms, cookies and redirects.
//!
//! What differs from provider to provider is only what their fields are called, so a visitor knows what to type by
//! the field's name, presses the first button that does not turn away, and goes on until the provider lets go.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use url::Url;

use crate::form::FormClient;
use crate::form::page::{Form, element_text};

/// More pages than any provider shows on the way.
const LONGEST_WAY: usize = 25;

/// A person's browser, and what the person knows.
#[derive(Debug)]
pub struct Visitor {
    browser: FormClient,
    known: BTreeMap<&'static str, String>,
    /// Every address on the way, in order.
    pub visited: Vec<Url>,
    /// How often a page asked for the password.
    pub passwords: usize,
}

/// Where a visit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// On the way back to the application, with an answer in the query; nobody has gone there yet.
    Answer(Url),
    /// At a page that asks for nothing more.
    Page(String),
}

impl Visitor {
    /// Somebody who trusts `ca_pem` and signs in with these words.
    ///
    /// # Errors
    /// `ca_pem` holds no certificate.
    pub fn new(ca_pem: &str, login: &str, password: &str) -> Result<Self> {
        let known = [("username", login), ("login", login), ("password", password)];
        Ok(Self {
            browser: FormClient::new(ca_pem)?,
            known: known.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
            visited: Vec::new(),
            passwords: 0,
        })
    }

    /// Opens `start` and does what each page asks for, until there is an answer or nothing more to do.
    ///
    /// # Errors
    /// A page asks for something unknown, or for the same thing again, or refuses.
    pub async fn visit(&mut self, start: &str) -> Result<Arrival> {
        let mut here = Url::parse(start).with_context(|| start.to_owned())?;
        let mut answer = self.browser.request(Method::GET, &here, None, &here).await?;
        let before = self.passwords;
        for _ in 0..LONGEST_WAY {
            self.visited.push(here.clone());
            if answer.status().is_redirection() {
                let location = answer.headers().get(LOCATION).context("a redirect without a location")?;
                let next = here.join(location.to_str()?)?;
                if is_answer(&next) {
                    return Ok(Arrival::Answer(next));
                }
                answer = self.browser.request(Method::GET, &next, None, &here).await?;
                here = next;
                continue;
            }
            let status = answer.status();
            let page = answer.text().await?;
            if let Some(error) = element_text(&page, "error") {
                bail!("{here} refuses ({status}): {error}");
            }
            let Some(form) = Form::all(&page).next() else {
                ensure!(status.is_success(), "{here} answers {status}:\n{page}");
                return Ok(Arrival::Page(page));
            };
            self.passwords += usize::from(form.fields.contains_key("password"));
            ensure!(self.passwords < before + 2, "asked for the password again at {here}:\n{page}");
            let action = here.join(&form.action)?;
            let fields = self.fill_in(form).with_context(|| format!("at {here}:\n{page}"))?;
            answer = self.browser.request(Method::POST, &action, Some(&fields), &here).await?;
            here = action;
        }
        bail!("the pages go round in circles, last at {here}")
    }

    /// Visits, and goes back to the application with the answer; its page.
    ///
    /// # Errors
    /// As [`visit`](Self::visit), or the application is not there.
    pub async fn sign_in(&mut self, start: &str) -> Result<(StatusCode, String)> {
        match self.visit(start).await? {
            Arrival::Answer(url) => {
                self.visited.push(url.clone());
                self.browser.follow(&url).await
            }
            Arrival::Page(page) => bail!("the provider keeps the person at a page of its own:\n{page}"),
        }
    }

    /// The query of the authorization request that the visit began with.
    ///
    /// # Errors
    /// There was none.
    pub fn authorization_request(&self) -> Result<BTreeMap<String, String>> {
        let queries = self.visited.iter().map(|url| url.query_pairs().into_owned().collect());
        queries
            .into_iter()
            .find(|query: &BTreeMap<String, String>| query.contains_key("response_type"))
            .with_context(|| format!("no authorization request in {:?}", self.visited))
    }

    fn fill_in(&self, form: Form) -> Result<BTreeMap<String, String>> {
        let mut fields = form.fields;
        for name in form.typed {
            let Some(value) = fields.get_mut(&name) else { continue };
            match self.known.get(name.as_str()) {
                Some(known) => known.clone_into(value),
                // Filled in by the provider, as a user code from the address.
                None => ensure!(!value.is_empty(), "nobody knows what to type into {name:?}"),
            }
        }
        let turns_away = |word: &str| matches!(word, "abort" | "cancel" | "deny");
        let button = form.buttons.into_iter().find(|(name, value)| !turns_away(name) && !turns_away(value));
        fields.extend(button);
        Ok(fields)
    }
}

/// What goes back to the application carries its `state` (RFC 6749, section 4.1.2).
fn is_answer(url: &Url) -> bool {
    let has = |name: &str| url.query_pairs().any(|(key, _)| key == name);
    has("state") && (has("code") || has("error"))
}
