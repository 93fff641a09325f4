//! A provider under load, by what clients know of it.

use anyhow::{Context, Result};
use kubesso_e2e::form::{FormClient, Tokens};
use kubesso_e2e::installation::Person;
use serde_json::Value;

/// An authorization server, an application of it, and somebody who may sign in.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) ca_pem: String,
    pub(crate) issuer: String,
    pub(crate) client: String,
    person: Person,
    metadata: Value,
}

impl Target {
    /// Reads the discovery document.
    pub(crate) async fn of(ca_pem: &str, issuer: String, client: String, person: Person) -> Result<Self> {
        let metadata = FormClient::new(ca_pem)?.metadata(&issuer).await?;
        Ok(Self { ca_pem: ca_pem.to_owned(), issuer, client, person, metadata })
    }

    /// By its name in the discovery document.
    pub(crate) fn endpoint(&self, name: &str) -> Result<String> {
        self.metadata[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"))
    }

    /// The person signs in; with a browser that has done so before, without a password.
    pub(crate) async fn tokens(&self, browser: &mut FormClient) -> Result<Tokens> {
        let Person { login, password } = &self.person;
        browser.tokens(&self.issuer, &self.client, login, password).await
    }

    pub(crate) fn http(&self) -> Result<reqwest::Client> {
        kubesso_e2e::form::client(&self.ca_pem)
    }
}
