//! kubesso is killed (SIGKILL) while people refresh and an administrator writes. Whatever was answered before is there
//! afterwards, once.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_ambient::{OsEntropy, draw};
use kubesso_e2e::environment::scratch;
use kubesso_e2e::form::{self, FormClient};
use kubesso_e2e::kubesso::{Kubesso, email};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How often it is killed.
const KILLS: usize = 5;
/// How many people's tokens are refreshed all the while.
const REFRESHING: usize = 6;

/// What somebody asks all the while, and what was answered.
struct Refreshing {
    http: Client,
    endpoint: String,
    client_id: String,
    token: String,
    answered: u32,
}

impl Refreshing {
    /// Refreshes until nobody answers any more.
    async fn until_nobody_answers(mut self) -> Result<Self> {
        loop {
            match self.once().await {
                Ok(()) => self.answered += 1,
                Err(error) if is_connection(&error) => return Ok(self),
                Err(error) => return Err(error),
            }
        }
    }

    async fn once(&mut self) -> Result<()> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("refresh_token", self.token.as_str()),
        ];
        let answer = self.http.post(&self.endpoint).form(&form).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "refused after {} refreshes: {status} {text}", self.answered);
        let answer: Value = serde_json::from_str(&text)?;
        answer["refresh_token"].as_str().context("a refresh token")?.clone_into(&mut self.token);
        Ok(())
    }
}

fn is_connection(error: &anyhow::Error) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some_and(|error| !error.is_decode())
}

/// An administrator's program that makes groups, and those that it was told were made.
struct Making {
    http: Client,
    base_url: String,
    token: String,
    made: Vec<String>,
    next: u32,
}

impl Making {
    async fn until_nobody_answers(mut self) -> Result<Self> {
        loop {
            let name = format!("crash-{}", self.next);
            self.next += 1;
            let body = json!({ "profile": { "name": name } });
            match self.call(reqwest::Method::POST, "/api/v1/groups", Some(&body)).await {
                Ok(_) => self.made.push(name),
                Err(error) if is_connection(&error) => return Ok(self),
                Err(error) => return Err(error),
            }
        }
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, Option<String>)> {
        let url =
            if path.starts_with("https") { path.to_owned() } else { format!("{}{path}", self.base_url) };
        let mut request =
            self.http.request(method, url).header("Authorization", format!("SSWS {}", self.token));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let next = answer.headers().get_all("link").iter().find_map(|link| {
            Some(link.to_str().ok()?.strip_suffix(">; rel=\"next\"")?.strip_prefix('<')?.to_owned())
        });
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok((serde_json::from_str(&text)?, next))
    }

    /// The names of all groups that there are, as often as they are there.
    async fn there(&self) -> Result<Vec<String>> {
        let (groups, _) = self.call(reqwest::Method::GET, "/api/v1/groups?q=crash-", None).await?;
        let names = groups.as_array().context("a list")?.iter();
        Ok(names.filter_map(|group| group["profile"]["name"].as_str()).map(str::to_owned).collect())
    }

    /// The names of the groups that the audit says were made, as often as it says so.
    async fn audited(&self) -> Result<Vec<String>> {
        let filter = "filter=eventType+eq+%22group.lifecycle.create%22&sortOrder=DESCENDING&limit=1000";
        let mut page = Some(format!("/api/v1/logs?{filter}"));
        let mut names = Vec::new();
        while let Some(path) = page {
            let (events, next) = self.call(reqwest::Method::GET, &path, None).await?;
            let events = events.as_array().context("a list")?;
            let targets = events.iter().filter_map(|event| event["target"][0]["displayName"].as_str());
            names.extend(targets.filter(|name| name.starts_with("crash-")).map(str::to_owned));
            page = next.filter(|_| !events.is_empty());
        }
        Ok(names)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_kill_and_once() -> Result<()> {
    let folder = scratch("crashes")?;
    let mut kubesso = Kubesso::up_in(folder.path()).await?;
    let ready = kubesso.ready.clone();
    let password = kubesso.password("dev")?;
    let http = || form::client(&kubesso.ca_pem()?);
    let mut browser = FormClient::new(&kubesso.ca_pem()?)?;
    let mut refreshing = Vec::new();
    for _ in 0..REFRESHING {
        let tokens = browser.tokens(&ready.issuer, &ready.client_id, &email("dev"), &password).await?;
        refreshing.push(Refreshing {
            http: http()?,
            endpoint: format!("{}/v1/token", ready.issuer),
            client_id: ready.client_id.clone(),
            token: tokens.refresh_token.context("a refresh token")?,
            answered: 0,
        });
    }
    let mut making = Making {
        http: http()?,
        base_url: kubesso.base_url()?,
        token: kubesso.api_token("crash").await?,
        made: Vec::new(),
        next: 0,
    };
    for kill in 0..KILLS {
        let mut people = JoinSet::new();
        for one in std::mem::take(&mut refreshing) {
            people.spawn(one.until_nobody_answers());
        }
        let writing = tokio::spawn(making.until_nobody_answers());
        let [byte] = draw::<1>(&OsEntropy);
        tokio::time::sleep(Duration::from_millis(200 + 3 * u64::from(byte))).await;
        drop(kubesso);
        while let Some(one) = people.join_next().await {
            refreshing.push(one??);
        }
        making = writing.await??;
        kubesso = Kubesso::up_in(folder.path()).await?;

        // The last answered token is good: its successor, if one was made that nobody heard of, comes again.
        for one in &mut refreshing {
            one.once().await.with_context(|| format!("after kill {kill}: {}", kubesso.log()))?;
        }
        let (there, audited) = (making.there().await?, making.audited().await?);
        let unique: BTreeSet<&String> = there.iter().collect();
        assert_eq!(unique.len(), there.len(), "no group is there twice");
        let unique: BTreeSet<&String> = audited.iter().collect();
        assert_eq!(unique.len(), audited.len(), "no change is told twice");
        for name in &making.made {
            assert!(there.contains(name), "{name} was answered, and is not there after kill {kill}");
        }
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        assert_eq!(sorted(there), sorted(audited), "a change and its audit are written together");
    }
    let answered: u32 = refreshing.iter().map(|one| one.answered).sum();
    assert!(answered > 0 && !making.made.is_empty(), "{answered} refreshes, {} groups", making.made.len());
    Ok(())
}
