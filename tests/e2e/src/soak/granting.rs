//! A browser with a session, in which somebody signs in to an application all the while.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{COOKIE, LOCATION};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{answered, ask, refresh};
use crate::form::{self, FormClient, REDIRECT_URI, SCOPE};
use crate::installation::{FirstWorld, Installation, Person};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Between two: each is looked at afterwards.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Granting {
    http: Client,
    cookies: String,
    issuer: String,
    client_id: String,
    /// The refresh tokens of those that were answered since the last kill, each with its code.
    granted: Vec<(String, String)>,
}

impl Granting {
    pub(super) async fn begin(
        installation: &Installation,
        world: &FirstWorld,
        person: &Person,
    ) -> Result<Self> {
        let mut browser = FormClient::new(&installation.ca_pem)?;
        installation.tokens(&mut browser, (&world.issuer, &world.client_id), person).await?;
        Ok(Self {
            http: form::client(&installation.ca_pem)?,
            cookies: browser.cookies(),
            issuer: world.issuer.clone(),
            client_id: world.client_id.clone(),
            granted: Vec::new(),
        })
    }

    /// Signs in until nobody answers any more, or it is over.
    pub(super) async fn until(&mut self, stop: &CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            let Some(code) = self.code().await? else { return Ok(()) };
            match self.redeem(&code).await? {
                Some(Ok(token)) => self.granted.push((token, code)),
                Some(Err(refused)) => bail!("a new code is refused under load: {refused}"),
                None => return Ok(()),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// All of it is still there, and no code is good again; how many were answered since the last time.
    pub(super) async fn check(&mut self) -> Result<u64> {
        // The session: without it there would be a page instead of a code.
        let code = answered("an authorization request", async || self.code().await).await?;
        let granted = answered("a code", async || self.redeem(&code).await).await?;
        ensure!(granted.is_ok(), "a new code is refused after a kill: {granted:?}");

        let all = std::mem::take(&mut self.granted);
        let number = u64::try_from(all.len())?;
        for (token, _) in &all {
            let next = self.refreshed(token).await?;
            ensure!(next.is_ok(), "a grant that was answered is lost: {next:?}");
        }
        let Some((token, code)) = all.last() else { return Ok(number) };
        let (first, second) = (token, self.refreshed(token).await?.map_err(anyhow::Error::msg)?);
        let third = self.refreshed(&second).await?.map_err(anyhow::Error::msg)?;
        let reused = self.refreshed(first).await?;
        ensure!(is_invalid_grant(&reused), "a refresh token is good after two others: {reused:?}");
        let ended = self.refreshed(&third).await?;
        ensure!(is_invalid_grant(&ended), "its family goes on: {ended:?}");
        let again = answered("a code", async || self.redeem(code).await).await?;
        ensure!(is_invalid_grant(&again), "a code is good twice: {again:?}");
        Ok(number)
    }

    async fn refreshed(&self, token: &str) -> Result<Result<String, String>> {
        let endpoint = format!("{}/v1/token", self.issuer);
        answered("a refresh", async || refresh(&self.http, &endpoint, &self.client_id, token).await).await
    }

    /// A code, without a password; `None` if nobody answers.
    async fn code(&self) -> Result<Option<String>> {
        let query = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT_URI),
            ("scope", SCOPE),
            ("state", "state"),
            ("nonce", "nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let authorize = Url::parse_with_params(&format!("{}/v1/authorize", self.issuer), query)?;
        let Some((status, headers, text)) =
            ask(self.http.get(authorize).header(COOKIE, &self.cookies)).await?
        else {
            return Ok(None);
        };
        let back = headers.get(LOCATION).with_context(|| format!("the session is lost: {status} {text}"))?;
        let back = Url::parse(back.to_str()?)?;
        let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        code.with_context(|| format!("no code: {back}")).map(Some)
    }

    async fn redeem(&self, code: &str) -> Result<Option<Result<String, String>>> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT_URI),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let request = self.http.post(format!("{}/v1/token", self.issuer)).form(&form);
        let Some((status, _, text)) = ask(request).await? else { return Ok(None) };
        let answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        if status == StatusCode::OK {
            return Ok(Some(Ok(answer["refresh_token"].as_str().context("a refresh token")?.to_owned())));
        }
        Ok(Some(Err(answer["error"].as_str().with_context(|| format!("{status} {text}"))?.to_owned())))
    }
}

fn is_invalid_grant(answer: &Result<String, String>) -> bool {
    answer.as_ref().is_err_and(|error| error.starts_with("invalid_grant"))
}
