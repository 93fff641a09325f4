//! kubesso is killed (SIGKILL) at random moments, again and again, while people sign in and refresh and an administrator
//! writes; with PostgreSQL, the database's processes are killed too. Whatever was answered before is there afterwards, once.
//!
//! What is held after each kill:
//!
//! - the last refresh token that somebody was given is good, and presented twice it gives the same successor: a rotation
//!   that nobody heard of is the one that comes again;
//! - every grant that was answered is good; the code that it came from is not good again;
//! - a refresh token that is older than the last two is refused, and ends its family;
//! - the browser's session is still there;
//! - every group that was answered is there, and each that is there is in the audit trail, all of them once.
//!
//! At the end the file to which the audit trail is written has each of its entries, once.

mod granting;
mod making;
mod refreshing;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use kubesso_ambient::{OsEntropy, draw};
use kubesso_store_postgres::testkit;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::granting::Granting;
use self::making::Making;
use self::refreshing::Refreshing;
use crate::deadline::eventually;
use crate::installation::{Installation, Serving};

/// How many people's tokens are refreshed all the while.
const REFRESHING: usize = 6;
/// How many browsers sign in all the while.
const GRANTING: usize = 2;

/// Where the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// In a file; kubesso alone is killed.
    Sqlite,
    /// In a PostgreSQL server; by turns kubesso, the server, and both are killed.
    Postgres,
}

/// How long it takes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the directory is.
    pub database: Database,
    /// How many rounds.
    pub rounds: u32,
    /// How long the load lasts in a round; what lies between is not counted.
    pub round: Duration,
    /// The longest time from one kill to the next.
    pub longest_pause: Duration,
}

/// What was done, and found to be there.
#[derive(Clone, Debug, Default)]
pub struct Proven {
    /// How often kubesso was killed.
    pub kills: u32,
    /// How often the database was.
    pub database_kills: u32,
    /// Refreshes that were answered.
    pub refreshes: u64,
    /// Code flows that were answered.
    pub grants: u64,
    /// Groups of which it was answered that they were made.
    pub groups: u64,
    /// Entries of the audit trail.
    pub audited: usize,
    /// The longest time from a start after a kill to its first answer.
    pub longest_start: Duration,
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, database_kills, refreshes, grants, groups, audited, longest_start } = self;
        write!(
            f,
            "kubesso killed {kills} times, the database {database_kills} times; {refreshes} refreshes, {grants} code \
             flows and {groups} groups were answered, all of them there, once; {audited} entries in the audit trail, \
             each once in its file; {} ms from a start to the first answer at most",
            longest_start.as_millis()
        )
    }
}

/// Runs it to its end.
///
/// # Errors
/// Something was lost or doubled; with what it was.
pub async fn run(plan: Plan, progress: impl Fn(&str)) -> Result<Proven> {
    let mut soak = Soak::begin(plan).await?;
    for round in 1..=plan.rounds {
        let mut loaded = Duration::ZERO;
        while loaded < plan.round {
            let pause = pause(plan.longest_pause.min(plan.round));
            loaded += pause;
            let kills = soak.proven.kills;
            soak.load_and_kill(pause).await.with_context(|| format!("round {round}, after {kills} kills"))?;
        }
        progress(&format!("round {round} of {}: {}", plan.rounds, soak.proven));
    }
    soak.end().await
}

/// Who is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Kubesso,
    Database,
    Both,
}

impl Victim {
    fn draw(has_server: bool) -> Self {
        let [byte] = draw::<1>(&OsEntropy);
        match byte % 3 {
            1 if has_server => Self::Database,
            2 if has_server => Self::Both,
            _ => Self::Kubesso,
        }
    }
}

struct Soak {
    installation: Installation,
    serving: Option<Serving>,
    postgres: Option<testkit::Server>,
    refreshing: Vec<Refreshing>,
    granting: Vec<Granting>,
    making: Option<Making>,
    proven: Proven,
}

impl Soak {
    async fn begin(plan: Plan) -> Result<Self> {
        let postgres = match plan.database {
            Database::Sqlite => None,
            Database::Postgres => Some(testkit::Server::alone().map_err(|error| anyhow!(error))?),
        };
        let url = postgres.as_ref().map(testkit::Server::database).transpose();
        let installation = Installation::new(url.map_err(|error| anyhow!(error))?.as_deref())?;
        let serving = installation.serve().await?;
        let world = installation.first_world(&serving).await?;
        let person = installation.create_person()?;
        let mut refreshing = Vec::new();
        for _ in 0..REFRESHING {
            refreshing.push(Refreshing::begin(&installation, &world, &person).await?);
        }
        let mut granting = Vec::new();
        for _ in 0..GRANTING {
            granting.push(Granting::begin(&installation, &world, &person).await?);
        }
        let making = Some(Making::new(&installation)?);
        let proven = Proven::default();
        Ok(Self { installation, serving: Some(serving), postgres, refreshing, granting, making, proven })
    }

    /// Loads it for a while, kills it, starts it, and looks.
    async fn load_and_kill(&mut self, pause: Duration) -> Result<()> {
        let stop = CancellationToken::new();
        let mut people = JoinSet::new();
        for mut one in std::mem::take(&mut self.refreshing) {
            let stop = stop.clone();
            people.spawn(async move { one.until(&stop).await.map(|()| one) });
        }
        let mut browsers = JoinSet::new();
        for mut one in std::mem::take(&mut self.granting) {
            let stop = stop.clone();
            browsers.spawn(async move { one.until(&stop).await.map(|()| one) });
        }
        let mut making = self.making.take().context("the administrator")?;
        let writing = {
            let stop = stop.clone();
            tokio::spawn(async move { making.until(&stop).await.map(|()| making) })
        };
        tokio::time::sleep(pause).await;
        let victim = Victim::draw(self.postgres.is_some());
        if victim != Victim::Database {
            self.serving.take();
        }
        if let Some(postgres) = self.postgres.as_ref().filter(|_| victim != Victim::Kubesso) {
            tokio::task::block_in_place(|| postgres.crash()).map_err(|error| anyhow!(error))?;
        }
        // What is under way ends by itself; nobody asks again.
        stop.cancel();
        self.making = Some(writing.await??);
        while let Some(one) = people.join_next().await {
            self.refreshing.push(one??);
        }
        while let Some(one) = browsers.join_next().await {
            self.granting.push(one??);
        }
        self.proven.kills += u32::from(victim != Victim::Database);
        self.proven.database_kills += u32::from(victim != Victim::Kubesso);
        if self.serving.is_none() {
            let serving = self.start_again().await?;
            self.proven.longest_start = self.proven.longest_start.max(serving.started);
            self.serving = Some(serving);
        }
        self.answers_again().await?;
        let log = || self.serving.as_ref().map(Serving::log).unwrap_or_default();
        for one in &mut self.refreshing {
            self.proven.refreshes += one.check().await.with_context(log)?;
        }
        for one in &mut self.granting {
            self.proven.grants += one.check().await.with_context(log)?;
        }
        if let Some(one) = &mut self.making {
            self.proven.groups += one.check().await.with_context(log)?;
        }
        Ok(())
    }

    /// As whoever supervises it does: where the database is not there yet, kubesso ends, and is started again.
    async fn start_again(&self) -> Result<Serving> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.installation.serve().await {
                Err(_) if self.postgres.is_some() && tries < 5 => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// After the database was away, connections are made anew.
    async fn answers_again(&self) -> Result<()> {
        let http = crate::form::client(&self.installation.ca_pem)?;
        let url = format!("{}/readyz", self.installation.base_url());
        eventually("the server is ready again", Duration::from_mins(1), async || {
            let answer = http.get(&url).send().await?;
            Ok((answer.status() == StatusCode::OK).then_some(()))
        })
        .await
    }

    /// The file with the audit trail has what the trail has, each entry once.
    async fn end(mut self) -> Result<Proven> {
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let exported = self.installation.command(&["audit", "export"])?;
        let exported = sorted(&exported);
        let written = eventually("the audit trail is in its file", Duration::from_secs(30), async || {
            let written = sorted(&read(&self.installation.audit_log())?);
            Ok((written.len() >= exported.len()).then_some(written))
        })
        .await?;
        let mut unique = exported.clone();
        unique.dedup();
        ensure!(unique.len() == exported.len(), "an entry is in the audit trail twice");
        let strange: Vec<&String> =
            written.iter().filter(|line| exported.binary_search(line).is_err()).collect();
        ensure!(strange.is_empty(), "in the file, and not in the audit trail: {strange:?}");
        ensure!(written == exported, "the file has {} lines, the trail {}", written.len(), exported.len());
        self.proven.audited = exported.len();
        let Proven { refreshes, grants, groups, .. } = self.proven;
        ensure!(refreshes > 0 && grants > 0 && groups > 0, "there was no load: {}", self.proven);
        Ok(self.proven)
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// Between the shortest in which something can be begun, and the longest.
fn pause(longest: Duration) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(200);
    let part = u32::from(u16::from_be_bytes(draw::<2>(&OsEntropy)));
    SHORTEST + longest.saturating_sub(SHORTEST) * part / u32::from(u16::MAX)
}

/// What was answered; `None` if nobody did, or the server said that it could not.
async fn ask(request: RequestBuilder) -> Result<Option<(StatusCode, reqwest::header::HeaderMap, String)>> {
    let Ok(answer) = request.send().await else { return Ok(None) };
    let (status, headers) = (answer.status(), answer.headers().clone());
    // On a busy machine a request can take longer than the server gives it.
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Ok(None);
    }
    // Cut off in the middle: not answered.
    Ok(answer.text().await.ok().map(|text| (status, headers, text)))
}

/// Refreshes: the successor, the refusal's `error`, or nothing if nobody answered.
async fn refresh(
    http: &reqwest::Client,
    endpoint: &str,
    client_id: &str,
    token: &str,
) -> Result<Option<Result<String, String>>> {
    let form = [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", token)];
    let Some((status, _, text)) = ask(http.post(endpoint).form(&form)).await? else { return Ok(None) };
    let answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    if status.is_success() {
        return Ok(Some(Ok(answer["refresh_token"].as_str().context("a refresh token")?.to_owned())));
    }
    let error = answer["error"].as_str().with_context(|| format!("{status} {text}"))?;
    Ok(Some(Err(format!("{error}: {}", answer["error_description"].as_str().unwrap_or_default()))))
}

/// How long something takes that is asked until it is answered; for what must be there now.
async fn answered<T>(what: &str, mut once: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(answer) = once().await? {
            return Ok(answer);
        }
        ensure!(begin.elapsed() < Duration::from_secs(20), "nobody answers: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
