//! An administrator's program that makes groups all the while, and those that it was told were made.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock as _, SystemClock};
use reqwest::header::LINK;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{answered, ask};
use crate::form;
use crate::installation::Installation;

/// Between two: all of them are looked at afterwards.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Making {
    http: Client,
    base_url: String,
    token: String,
    /// Which kill comes next.
    kill: u32,
    begun: Timestamp,
    made: Vec<String>,
}

impl Making {
    pub(super) fn new(installation: &Installation) -> Result<Self> {
        Ok(Self {
            http: form::client(&installation.ca_pem)?,
            base_url: installation.base_url().to_owned(),
            token: installation.api_token()?,
            kill: 0,
            begun: SystemClock.now(),
            made: Vec::new(),
        })
    }

    /// Makes groups until nobody answers any more, or it is over.
    pub(super) async fn until(&mut self, stop: &CancellationToken) -> Result<()> {
        self.begun = SystemClock.now();
        for number in 0_u64.. {
            if stop.is_cancelled() {
                break;
            }
            let name = format!("{}{number}", self.prefix());
            let body = json!({ "profile": { "name": name } });
            let url = format!("{}/api/v1/groups", self.base_url);
            let Some((status, _, text)) = ask(self.request(Method::POST, &url).json(&body)).await? else {
                break;
            };
            ensure!(status.is_success(), "a group is refused: {status} {text}");
            self.made.push(name);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// All of them are there, and each that is there is in the audit trail, once; how many were answered.
    pub(super) async fn check(&mut self) -> Result<u64> {
        let groups = self.all(&format!("/api/v1/groups?q={}&limit=1000", self.prefix())).await?;
        let there = once("group", groups.iter().filter_map(|group| group["profile"]["name"].as_str()))?;
        let since = self.begun.checked_sub(SignedDuration::from_secs(2))?;
        let filter = "eventType+eq+%22group.lifecycle.create%22&sortOrder=DESCENDING&limit=1000";
        let events = self.all(&format!("/api/v1/logs?since={since:.3}&filter={filter}")).await?;
        let named = events.iter().filter_map(|event| event["target"][0]["displayName"].as_str());
        let audited = once("entry", named.filter(|name| name.starts_with(&self.prefix())))?;
        for name in &self.made {
            ensure!(there.contains(name), "{name} was answered, and is not there");
        }
        let differing: Vec<_> = there.symmetric_difference(&audited).collect();
        ensure!(differing.is_empty(), "there or audited, and not both: {differing:?}");
        self.kill += 1;
        Ok(u64::try_from(std::mem::take(&mut self.made).len())?)
    }

    fn prefix(&self) -> String {
        format!("crash-{}-", self.kill)
    }

    /// All pages of a list.
    async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut page = Some(format!("{}{path}", self.base_url));
        let mut found = Vec::new();
        while let Some(url) = page {
            let answer = answered(&url, async || ask(self.request(Method::GET, &url)).await).await?;
            let (status, headers, text) = answer;
            ensure!(status == StatusCode::OK, "{url}: {status} {text}");
            let values: Vec<Value> = serde_json::from_str(&text).context("a list")?;
            page = headers.get_all(LINK).iter().find_map(|link| {
                Some(link.to_str().ok()?.strip_suffix(">; rel=\"next\"")?.strip_prefix('<')?.to_owned())
            });
            if values.is_empty() {
                break;
            }
            found.extend(values);
        }
        Ok(found)
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url).header("Authorization", format!("SSWS {}", self.token))
    }
}

/// The names, none of which is there twice.
fn once<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for name in names {
        ensure!(found.insert(name.to_owned()), "a {what} of {name} is there twice");
    }
    Ok(found)
}
