//! The running kubesso that is loaded.

use std::time::Duration;

use anyhow::Result;
use kubesso_e2e::installation::{Installation, Person, Serving};

use crate::target::Target;

/// The running server, ended with this value.
pub(crate) struct Served {
    installation: Installation,
    serving: Serving,
    person: Person,
    issuer: String,
    client: String,
    /// From the start of the process to its first answer.
    pub(crate) started: Duration,
}

impl Served {
    /// Starts it twice: the first time makes keys and people, the second is what an installation does every day.
    /// `database`: the URL of PostgreSQL's; `None`: SQLite.
    pub(crate) async fn start(database: Option<&str>) -> Result<Self> {
        let installation = Installation::new(database)?;
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
            issuer: world.issuer,
            client: world.client_id,
            installation,
            serving,
        })
    }

    /// The first authorization server, which signs by RS256, as kube-apiserver's flags want it.
    pub(crate) async fn target(&self) -> Result<Target> {
        let (issuer, client) = (self.issuer.clone(), self.client.clone());
        Target::of(&self.installation.ca_pem, issuer, client, self.person.clone()).await
    }

    /// The built-in authorization server, which signs with an elliptic curve.
    pub(crate) async fn management(&self) -> Result<Target> {
        let (issuer, client) = (self.installation.management_issuer(), "kubesso-cli".to_owned());
        Target::of(&self.installation.ca_pem, issuer, client, self.person.clone()).await
    }

    /// What the kernel says of the process' memory (`VmRSS`, `VmHWM`), in MiB.
    pub(crate) fn memory(&self, name: &str) -> Result<f64> {
        self.serving.memory(name)
    }
}
