//! What only a moved clock can show: lifetimes to the minute, and a clock that is wrong. Here kubesso runs in the
//! test process, with all of its rooms and real connections, but with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock, ManualClock, SystemClock};
use kubesso_cli::up::{Options, PortChoice, Running, start};
use kubesso_directory::{Batch, Change, Lifetimes, MANAGEMENT_SERVER};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::scratch;
use kubesso_e2e::forge;
use kubesso_e2e::form::{FormClient, Tokens};
use kubesso_e2e::kubesso::{Ready, email};
use kubesso_e2e::reply::{Call, Cluster};

/// An installation whose clock is in the hand of the test.
struct Installation {
    clock: Arc<ManualClock>,
    running: Running,
    ready: Ready,
    _folder: tempfile::TempDir,
}

impl Installation {
    /// Starts now, by the real time: the certificates are judged by clients with real clocks.
    async fn start() -> Result<Self> {
        let folder = scratch("moved-clock")?;
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let running = start(options(&folder, &clock)).await?;
        let ready = serde_json::from_value(serde_json::to_value(running.facts())?)?;
        Ok(Self { clock, running, ready, _folder: folder })
    }

    /// Gives the only rule these lifetimes, in minutes, and waits until the provider goes by them.
    async fn set_lifetimes(&self, access: u32, refresh: u32, window: u32) -> Result<()> {
        let store = self.running.store();
        let snapshot = store.snapshot().await?;
        let servers = snapshot.servers().filter(|server| server.server.id.as_str() != MANAGEMENT_SERVER);
        let policies = servers.flat_map(kubesso_directory::Server::policies);
        let mut rules: Vec<_> = policies.flat_map(|(_, rules)| rules.to_vec()).collect();
        ensure!(rules.len() == 1, "the first world has one rule, not {}", rules.len());
        let mut rule = rules.pop().context("one rule")?;
        rule.lifetimes = Lifetimes::new(access, refresh, window, None)?;
        store.commit(Batch::new(self.clock.now(), vec![Change::PutRule(rule)])).await?;
        eventually("the provider goes by the new lifetimes", Duration::from_secs(10), async || {
            // It looks for changes a few times a second, by its own clock.
            self.pass(0, 1);
            Ok((self.life_of(&self.sign_in().await?)? == i64::from(access) * 60).then_some(()))
        })
        .await
    }

    async fn sign_in(&self) -> Result<Tokens> {
        let person = self.ready.users.iter().find(|person| person.email == email("dev")).context("dev")?;
        let password = person.password.as_deref().context("a first start prints passwords")?;
        let mut browser = FormClient::new(self.running.authority_pem())?;
        browser.tokens(&self.ready.issuer, &self.ready.client_id, &person.email, password).await
    }

    /// Seconds from issue to end.
    fn life_of(&self, tokens: &Tokens) -> Result<i64> {
        let claims = forge::claims(&tokens.id_token)?;
        let time = |name: &str| claims[name].as_i64().with_context(|| format!("{name} is a number"));
        ensure!(time("iat")? == self.clock.now().as_second(), "iat is now");
        Ok(time("exp")? - time("iat")?)
    }

    /// The next tokens, or the OAuth error.
    async fn refresh(&self, tokens: &Tokens) -> Result<Result<Tokens, String>> {
        let browser = FormClient::new(self.running.authority_pem())?;
        let token = tokens.refresh_token.as_deref().context("offline_access gives a refresh token")?;
        let answer = browser.refresh(&self.ready.issuer, &self.ready.client_id, token).await?;
        Ok(answer.map_err(|refused| refused.error))
    }

    fn pass(&self, minutes: i64, seconds: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes) + SignedDuration::from_secs(seconds));
    }
}

fn options(folder: &tempfile::TempDir, clock: &Arc<ManualClock>) -> Options {
    Options {
        provider_port: Some(PortChoice::AnyFree),
        cluster_port: Some(PortChoice::AnyFree),
        clock: clock.clone(),
        program: Some("kubesso".into()),
        ..Options::new(folder.path().join("data"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_lies_unused_for_longer_than_its_window_has_ended() -> Result<()> {
    let installation = Installation::start().await?;
    installation.set_lifetimes(6, 10, 7).await?;
    let tokens = installation.sign_in().await?;
    let others = installation.sign_in().await?;
    installation.pass(6, 59);
    ensure!(installation.refresh(&tokens).await?.is_ok(), "within the window of seven minutes");
    installation.pass(0, 2);
    assert_eq!(installation.refresh(&others).await?.err().as_deref(), Some("invalid_grant"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshing_ends_ten_minutes_after_signing_in_however_often_it_was_done() -> Result<()> {
    let installation = Installation::start().await?;
    installation.set_lifetimes(6, 10, 7).await?;
    let mut tokens = installation.sign_in().await?;
    for _ in 0..2 {
        installation.pass(4, 55);
        tokens = installation.refresh(&tokens).await?.map_err(anyhow::Error::msg)?;
    }
    // 9 minutes and 50 seconds have gone.
    installation.pass(0, 11);
    assert_eq!(installation.refresh(&tokens).await?.err().as_deref(), Some("invalid_grant"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_lifetime_bounds_the_id_token_and_the_cluster_holds_to_it() -> Result<()> {
    let installation = Installation::start().await?;
    installation.set_lifetimes(6, 10, 7).await?;
    let tokens = installation.sign_in().await?;
    assert_eq!(installation.life_of(&tokens)?, 360);
    let sandbox = Cluster::new("sandbox", &installation.ready.cluster, installation.running.authority_pem())?;
    let call = Call::get("/api/v1/namespaces/default/pods").with_token(Some(&tokens.id_token));
    assert_eq!(sandbox.call(&call).await?.status, 200);
    installation.pass(5, 50);
    assert_eq!(sandbox.call(&call).await?.status, 200);
    // Verified tokens are remembered for ten seconds, as in kube-apiserver.
    installation.pass(0, 21);
    assert_eq!(sandbox.call(&call).await?.status, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_lifetime_of_their_own_refresh_tokens_go_on_as_long_as_they_are_used() -> Result<()> {
    let installation = Installation::start().await?;
    let mut tokens = installation.sign_in().await?;
    assert_eq!(installation.life_of(&tokens)?, 3600);
    for _ in 0..3 {
        installation.clock.advance(SignedDuration::from_hours(24 * 6));
        tokens = installation.refresh(&tokens).await?.map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_shows_a_time_before_the_certificates_stops_the_start_and_changes_nothing() -> Result<()>
{
    let folder = scratch("early-clock")?;
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    start(options(&folder, &clock)).await?.stop().await;
    let before = crate::bad_starts::contents(folder.path())?;
    let factory_setting: Timestamp = "2000-01-01T00:00:00Z".parse()?;
    clock.set(factory_setting);
    let refused = match start(options(&folder, &clock)).await {
        Ok(_) => anyhow::bail!("it started in the year 2000"),
        Err(refused) => refused.to_string(),
    };
    assert_eq!(refused.lines().count(), 1, "one sentence: {refused}");
    assert!(refused.contains("clock"), "{refused}");
    assert_eq!(crate::bad_starts::contents(folder.path())?, before);
    Ok(())
}
