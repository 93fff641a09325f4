//! Somebody whose tokens are renewed all the while.

use anyhow::{Result, bail, ensure};
use reqwest::Client;
use tokio_util::sync::CancellationToken;

use super::{answered, refresh};
use crate::form::{self, FormClient};
use crate::installation::{FirstWorld, Installation, Person};

pub(super) struct Refreshing {
    http: Client,
    endpoint: String,
    client_id: String,
    /// The last that was answered.
    token: String,
    since_last: u64,
}

impl Refreshing {
    pub(super) async fn begin(
        installation: &Installation,
        world: &FirstWorld,
        person: &Person,
    ) -> Result<Self> {
        let mut browser = FormClient::new(&installation.ca_pem)?;
        let tokens = installation.tokens(&mut browser, (&world.issuer, &world.client_id), person).await?;
        let Some(token) = tokens.refresh_token else { bail!("no refresh token") };
        Ok(Self {
            http: form::client(&installation.ca_pem)?,
            endpoint: format!("{}/v1/token", world.issuer),
            client_id: world.client_id.clone(),
            token,
            since_last: 0,
        })
    }

    /// Refreshes until nobody answers any more, or it is over.
    pub(super) async fn until(&mut self, stop: &CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            match refresh(&self.http, &self.endpoint, &self.client_id, &self.token).await? {
                Some(Ok(next)) => {
                    self.token = next;
                    self.since_last += 1;
                }
                Some(Err(refused)) => bail!("refused under load: {refused}"),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The last token is good, and has one successor; how many were answered since the last time.
    pub(super) async fn check(&mut self) -> Result<u64> {
        let mut successors = Vec::new();
        for _ in 0..2 {
            let next = answered("a refresh", async || {
                refresh(&self.http, &self.endpoint, &self.client_id, &self.token).await
            });
            match next.await? {
                Ok(next) => successors.push(next),
                Err(refused) => bail!("the last refresh token is refused: {refused}"),
            }
        }
        successors.dedup();
        ensure!(successors.len() == 1, "a refresh token has two successors");
        self.token = successors.remove(0);
        Ok(std::mem::take(&mut self.since_last))
    }
}
