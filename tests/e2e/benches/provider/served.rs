//! The running kubesso that is loaded.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use kubesso_e2e::form::{FormClient, Tokens};
use kubesso_e2e::installation::{Installation, Person, Serving};

/// The running server, ended with the last of those who know it.
#[derive(Clone)]
pub(crate) struct Served {
    installation: Arc<Installation>,
    serving: Arc<Serving>,
    person: Person,
    pub(crate) ca_pem: String,
    pub(crate) issuer: String,
    pub(crate) client: String,
    /// From the start of the process to its first answer.
    pub(crate) started: Duration,
}

impl Served {
    /// Starts it twice: the first time makes keys and people, the second is what an installation does every day.
    pub(crate) async fn start() -> Result<Self> {
        let installation = Installation::new(None)?;
        let first = installation.serve().await?;
        let person = installation.create_person()?;
        // Rows of the first start are in the log that is read back now; give its background work time to end.
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(first);
        let serving = installation.serve().await?;
        let world = installation.first_world(&serving).await?;
        Ok(Self {
            started: serving.started,
            person,
            ca_pem: installation.ca_pem.clone(),
            issuer: world.issuer,
            client: world.client_id,
            installation: Arc::new(installation),
            serving: Arc::new(serving),
        })
    }

    /// The built-in authorization server, which signs with an elliptic curve.
    pub(crate) fn management_issuer(&self) -> String {
        self.installation.management_issuer()
    }

    pub(crate) async fn tokens(
        &self,
        browser: &mut FormClient,
        issuer: &str,
        client: &str,
    ) -> Result<Tokens> {
        self.installation.tokens(browser, (issuer, client), &self.person).await
    }

    /// What the kernel says of the process' memory (`VmRSS`, `VmHWM`), in MiB.
    pub(crate) fn memory(&self, name: &str) -> Result<f64> {
        self.serving.memory(name)
    }
}
