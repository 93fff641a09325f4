//! The database's primary ends without a word, the standby takes its place, and two servers go on: what somebody was told
//! is so, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_https::pki::CertificateAuthority;
use kubesso_https::{Timeouts, Trust, client_with_redirects};
use kubesso_store_postgres::testkit::Pair;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::kubesso;
use crate::served::{Serving, Site, free_port, returned};
use crate::text;

/// How many of each kind work at once.
const WORKERS: usize = 3;
/// What each does before and after, at least.
const ENOUGH: usize = 8;

/// Two servers on one pair of databases, and somebody who has signed in.
struct Stage {
    sites: [Site; 2],
    http: reqwest::Client,
    client: String,
    server: String,
    cookie: String,
    api_token: String,
    is_over: AtomicBool,
    /// What was answered well, by worker.
    done: Vec<AtomicUsize>,
}

/// What a client got for a request.
enum Answer {
    Good(Value),
    /// 5xx, or nothing: nobody knows whether it was done.
    Unknown,
    Bad(String),
}

impl Stage {
    /// Asks one of the two, by turns.
    async fn ask(&self, turn: usize, request: impl Fn(&Site) -> reqwest::RequestBuilder) -> Answer {
        let site = &self.sites[turn % 2];
        let Ok(answered) = request(site).send().await else { return Answer::Unknown };
        let status = answered.status();
        let Ok(body) = answered.text().await else { return Answer::Unknown };
        if status.is_success() {
            return Answer::Good(serde_json::from_str(&body).unwrap());
        }
        if status.is_server_error() { Answer::Unknown } else { Answer::Bad(format!("{status}: {body}")) }
    }

    async fn token(&self, turn: usize, form: &[(&str, &str)]) -> Answer {
        let url = format!("/oauth2/{}/v1/token", self.server);
        self.ask(turn, |site| self.http.post(site.url(&url)).form(form)).await
    }

    async fn refresh(&self, turn: usize, refresh_token: &str) -> Answer {
        let form =
            [("grant_type", "refresh_token"), ("client_id", &*self.client), ("refresh_token", refresh_token)];
        self.token(turn, &form).await
    }

    async fn redeem(&self, turn: usize, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &*self.client),
            ("redirect_uri", "http://localhost:8000"),
            ("code", code),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ];
        self.token(turn, &form).await
    }

    /// A code, for whoever has signed in; tried until there is one.
    async fn code(&self, turn: &mut usize) -> String {
        loop {
            *turn += 1;
            let site = &self.sites[*turn % 2];
            let url = site.authorize_url(&self.client, &self.server);
            let asked = self.http.get(url).header("cookie", &self.cookie).send().await;
            if let Ok(answered) = asked
                && let Some(code) =
                    (answered.status().is_redirection()).then(|| returned(&answered)).flatten()
            {
                return code;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn first_refresh_token(&self, turn: &mut usize) -> String {
        let code = self.code(turn).await;
        match self.redeem(*turn, &code).await {
            Answer::Good(tokens) => tokens["refresh_token"].as_str().unwrap().to_owned(),
            _ => panic!("no tokens before anything has happened"),
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Waits until every worker has done so much more.
    async fn until_each_has_done(&self, more: usize) {
        let before: Vec<_> = self.done.iter().map(|done| done.load(Ordering::Relaxed)).collect();
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let now = self.done.iter().map(|done| done.load(Ordering::Relaxed));
            if now.clone().zip(&before).all(|(now, before)| now >= before + more) {
                return;
            }
            let now: Vec<_> = now.collect();
            assert!(Instant::now() < deadline, "somebody does not get on: {before:?}, {now:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a worker was told.
#[derive(Default)]
struct Told {
    /// Refresh tokens that are to be good: one a grant.
    living: Vec<String>,
    rotations: usize,
    grants: usize,
    /// Redemptions that were not answered: there may be a grant, or not.
    unknown_grants: usize,
    /// Groups that were made, by id.
    groups: BTreeMap<String, String>,
}

/// Refreshes, each time with what came before, and with the same again if nothing came.
async fn refresher(stage: Arc<Stage>, worker: usize) -> Told {
    let mut turn = worker;
    let mut token = stage.first_refresh_token(&mut turn).await;
    let mut told = Told { grants: 1, ..Told::default() };
    while stage.goes_on() {
        turn += 1;
        match stage.refresh(turn, &token).await {
            Answer::Good(tokens) => {
                let next = tokens["refresh_token"].as_str().unwrap().to_owned();
                assert_ne!(next, token);
                token = next;
                told.rotations += 1;
                stage.done[worker].fetch_add(1, Ordering::Relaxed);
            }
            Answer::Unknown => tokio::time::sleep(Duration::from_millis(20)).await,
            Answer::Bad(said) => panic!("a refresh token that was given is not taken: {said}"),
        }
    }
    told.living.push(token);
    told
}

/// Redeems one code after the other.
async fn redeemer(stage: Arc<Stage>, worker: usize) -> Told {
    let (mut turn, mut told) = (worker, Told::default());
    while stage.goes_on() {
        let code = stage.code(&mut turn).await;
        match stage.redeem(turn + 1, &code).await {
            Answer::Good(tokens) => {
                told.living.push(tokens["refresh_token"].as_str().unwrap().to_owned());
                told.grants += 1;
                stage.done[worker].fetch_add(1, Ordering::Relaxed);
            }
            Answer::Unknown => told.unknown_grants += 1,
            Answer::Bad(said) => panic!("a code that was given is not taken: {said}"),
        }
    }
    told
}

/// Makes one group after the other; each is in the audit trail.
async fn administrator(stage: Arc<Stage>, worker: usize) -> Told {
    let (mut turn, mut told) = (worker, Told::default());
    while stage.goes_on() {
        turn += 1;
        let name = format!("group-{worker}-{turn}");
        let body = json!({"profile": {"name": name, "description": ""}});
        let made = stage.ask(turn, |site| {
            let request = stage.http.post(site.url("/api/v1/groups"));
            request.header("authorization", format!("SSWS {}", stage.api_token)).json(&body)
        });
        match made.await {
            Answer::Good(group) => {
                told.groups.insert(group["id"].as_str().unwrap().to_owned(), name);
                stage.done[worker].fetch_add(1, Ordering::Relaxed);
            }
            Answer::Unknown => tokio::time::sleep(Duration::from_millis(20)).await,
            Answer::Bad(said) => panic!("{name} cannot be made: {said}"),
        }
    }
    told
}

async fn stage(pair: &Pair) -> (Arc<Stage>, [Serving; 2]) {
    let authority = || CertificateAuthority::generate("test", SystemClock.now()).unwrap();
    let authorities = [authority(), authority()];
    let trusted = authorities.iter().map(|it| it.certificate_pem().to_owned()).collect::<String>();
    let (database, ports) = (format!("database: {}\n", pair.url()), [free_port(), free_port()]);
    let base_url = format!("https://localhost:{}", ports[0]);
    let [one, other] = authorities;
    let sites =
        [Site::of(one, ports[0], &base_url, &database), Site::of(other, ports[1], &base_url, &database)];
    let first = sites[0].serve().await;
    std::fs::create_dir(sites[1].data()).unwrap();
    std::fs::copy(sites[0].data().join("master.key"), sites[1].data().join("master.key")).unwrap();
    let second = sites[1].serve().await;

    let made = sites[0].run(&["user", "create", "jo@example.com", "--group=k8s-admins", "-o=json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let token = sites[1].run(&["api-token", "create", "--name=ci", "-o=json"]);
    let token: Value = serde_json::from_slice(&token.stdout).unwrap();
    let seen = sites[0].run(&["token", "preview", "--user=jo@example.com", "--client=k8s OIDC", "-o=json"]);
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    let client = seen["client"].as_str().unwrap().to_owned();
    let server = sites[0].server_id(&sites[0].data().display().to_string());
    let password = made["password"].as_str().unwrap();
    let (_, cookie) = sites[0].sign_in(&client, &server, "jo@example.com", password).await.unwrap();
    let http = client_with_redirects(
        &Trust::Only(trusted),
        Timeouts { read: Duration::from_mins(1), total: Duration::from_mins(1), ..Timeouts::default() },
        reqwest::redirect::Policy::none(),
    );
    let stage = Stage {
        sites,
        http: http.unwrap(),
        client,
        server,
        cookie,
        api_token: token["token"].as_str().unwrap().to_owned(),
        is_over: AtomicBool::new(false),
        done: (0..3 * WORKERS).map(|_| AtomicUsize::new(0)).collect(),
    };
    (Arc::new(stage), [first, second])
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_primary_dies_and_the_standby_takes_over_nothing_acknowledged_is_lost_or_doubled() {
    let pair = Pair::start([free_port(), free_port()]).unwrap();
    let (stage, _serving) = stage(&pair).await;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(refresher(stage.clone(), worker));
        workers.spawn(redeemer(stage.clone(), WORKERS + worker));
        workers.spawn(administrator(stage.clone(), 2 * WORKERS + worker));
    }
    stage.until_each_has_done(ENOUGH).await;
    pair.kill_primary().unwrap();
    // A moment without any.
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.promote().unwrap();
    stage.until_each_has_done(ENOUGH).await;
    stage.is_over.store(true, Ordering::Relaxed);
    let told = workers.join_all().await;

    // Every grant that somebody was told of is good, at both servers, and was rotated as often as somebody was told.
    let all = |count: fn(&Told) -> usize| told.iter().map(count).sum::<usize>();
    let counted = pair.ask_standby("SELECT count(*), sum(generation) FROM refresh_families").unwrap();
    let (families, generations) = counted.split_once('|').unwrap();
    let families: usize = families.parse().unwrap();
    let (grants, unknown) = (all(|told| told.grants), all(|told| told.unknown_grants));
    assert!((grants..=grants + unknown).contains(&families), "{families} of {grants} and perhaps {unknown}");
    assert_eq!(generations, all(|told| told.rotations).to_string());
    let ended = pair.ask_standby("SELECT count(*) FROM refresh_families WHERE ended IS NOT NULL").unwrap();
    assert_eq!(ended, "0");
    for (turn, token) in told.iter().flat_map(|told| &told.living).enumerate() {
        assert!(matches!(stage.refresh(turn, token).await, Answer::Good(_)));
    }

    // Every change is there, and in the audit trail once.
    let data = stage.sites[1].data().display().to_string();
    let trail = kubesso(stage.sites[1].home.path(), &["audit", "export", "--data-dir", &data]);
    assert!(trail.status.success(), "{}", text(&trail.stderr));
    let mut created = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for line in text(&trail.stdout).lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(ids.insert(entry["id"].as_str().or(entry["uuid"].as_str()).unwrap().to_owned()), "{line}");
        if line.contains("group.lifecycle.create") {
            *created.entry(line.to_owned()).or_insert(0) += 1;
        }
    }
    for (id, name) in told.iter().flat_map(|told| &told.groups) {
        let entries: Vec<_> = created.keys().filter(|line| line.contains(id.as_str())).collect();
        assert_eq!(entries.len(), 1, "{name} ({id})");
        let there = pair.ask_standby(&format!("SELECT name FROM groups WHERE id = '{id}'")).unwrap();
        assert_eq!(there, *name);
    }
}
