//! The proof that an API server is well with a change: it is ready, has loaded it, and takes somebody's token.

use std::time::{Duration, Instant};

use kubesso_clusters::{InForce, Loaded, Verdict};
use kubesso_directory::Secret;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::live;
use crate::api_server::ApiServer;
use crate::error::CommandError;

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(500);
/// What is not known without one.
const NO_TOKEN: &str = "whether somebody can sign in: no token was given";
const WHO_AM_I: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Looks at one API server before, and after.
pub(super) struct Proof {
    server: ApiServer,
    before: Loaded,
    processes: Processes,
    token: Option<ApiServer>,
    limit: Duration,
}

/// The processes of an API server that were seen, told apart by when they began.
#[derive(Clone, Copy, Debug)]
struct Processes {
    first: Option<f64>,
    last: Option<f64>,
    /// Whether the first one had the change already.
    first_has_the_change: bool,
}

impl Processes {
    fn of(first: Option<f64>, first_has_the_change: bool) -> Self {
        Self { first, last: first, first_has_the_change }
    }

    /// Whether it was begun anew since the first one.
    fn is_new(&self) -> bool {
        self.last > self.first
    }

    /// Looks from now on for a process behind the last one. Whether that must come: one that was seen with the new settings
    /// must be gone, while the one from before may still be there.
    fn turn_back(&mut self) -> bool {
        let has_begun = self.first_has_the_change || self.last != self.first;
        self.first = self.last;
        has_begun
    }
}

/// What was seen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proven {
    /// Of which API server.
    pub(super) endpoint: String,
    /// It says that it has the file; none: by flags, or it does not say.
    pub(super) has_file: Option<bool>,
    /// Whom it took the token for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<String>,
    /// What was not looked at.
    pub(super) not_looked_at: Vec<String>,
}

impl Proven {
    /// A cloud says itself that it is ready; whom it takes a token for is seen.
    pub(super) fn of_cloud(name: String, identity: Option<String>) -> Self {
        let not_looked_at = if identity.is_none() { vec![NO_TOKEN.to_owned()] } else { Vec::new() };
        Self { endpoint: name, has_file: None, identity, not_looked_at }
    }
}

impl Proof {
    /// Looks at an API server before it is changed. It must be ready then, or nothing could be told from what it is after.
    pub(super) async fn begin(
        server: ApiServer,
        token: Option<Secret>,
        limit: Duration,
    ) -> Result<Self, CommandError> {
        let refused = |what: String| {
            CommandError::new(format!("{} cannot be watched: {what}", server.url)).mend(
                "name an administrator's credentials (--kubeconfig) and the API server of this machine (--endpoint)",
            )
        };
        let ready = server.get("/readyz").await.map_err(refused)?;
        if ready.status != StatusCode::OK {
            return Err(refused(format!("it is not ready now: /readyz answered {}", ready.status)));
        }
        let before = live::loaded(&server).await.map_err(refused)?;
        let token = token.map(|token| server.as_bearer(token)).transpose()?;
        Ok(Self { processes: Processes::of(before.started, false), server, before, token, limit })
    }

    /// Watches an API server that may be down. `has_the_change`: whether the process that runs now is known to have begun with
    /// what is taken back.
    pub(super) async fn of_any_state(server: ApiServer, has_the_change: bool, limit: Duration) -> Self {
        let before = live::loaded(&server).await.unwrap_or_default();
        let processes = Processes::of(before.started, has_the_change);
        Self { processes, server, before, token: None, limit }
    }

    /// Whom it looks at.
    pub(super) fn server(&self) -> &ApiServer {
        &self.server
    }

    /// Waits until the change is in force.
    ///
    /// # Errors
    /// It refused it, or was not well with it in time; in words.
    pub(super) async fn wait(&mut self, by: InForce, hash: Option<&str>) -> Result<Proven, String> {
        let started = Instant::now();
        let mut last;
        loop {
            match self.look(by, hash).await? {
                Ok(proven) => return Ok(proven),
                Err(not_yet) => last = not_yet,
            }
            if started.elapsed() > self.limit {
                let seconds = self.limit.as_secs();
                return Err(format!("after {seconds} seconds {last}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until what was before is in force again, `hash` among it.
    pub(super) async fn wait_for_the_old(
        &mut self,
        by: InForce,
        hash: Option<&str>,
    ) -> Result<Proven, String> {
        let has_begun = self.processes.turn_back();
        self.token = None;
        // What was refused was the new file.
        self.before.last_refusal = None;
        let by = if has_begun { by } else { InForce::Reload };
        let started = Instant::now();
        loop {
            let last = match self.look(by, hash).await {
                Ok(Ok(proven)) => return Ok(proven),
                Ok(Err(last)) | Err(last) => last,
            };
            if started.elapsed() > self.limit {
                return Err(format!("after {} seconds {last}", self.limit.as_secs()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The outer error: it will never be. The inner: not yet.
    async fn look(&mut self, by: InForce, hash: Option<&str>) -> Result<Result<Proven, String>, String> {
        let not_yet = |what: String| Ok(Err(what));
        match self.server.get("/readyz").await {
            Err(error) => return not_yet(format!("{} does not answer: {error}", self.server.url)),
            Ok(answer) if answer.status != StatusCode::OK => {
                return not_yet(format!("{} is not ready: {}", self.server.url, answer.status));
            }
            Ok(_) => {}
        }
        let now = match live::loaded(&self.server).await {
            Ok(now) => now,
            Err(error) => return not_yet(format!("{}: {error}", self.server.url)),
        };
        self.processes.last = now.started;
        if by == InForce::Restart && !self.processes.is_new() {
            return not_yet(format!(
                "{} still runs with the old settings: whatever runs it has not begun it anew",
                self.server.url
            ));
        }
        let mut proven = Proven {
            endpoint: self.server.url.to_string(),
            has_file: None,
            identity: None,
            not_looked_at: Vec::new(),
        };
        if let Some(hash) = hash {
            match now.verdict(hash) {
                Verdict::Loaded => proven.has_file = Some(true),
                Verdict::Unknown if by == InForce::Restart || now.reloads > self.before.reloads => proven
                    .not_looked_at
                    .push("whether it has this very file: it does not say (older release)".to_owned()),
                Verdict::Refused if now.last_refusal != self.before.last_refusal => {
                    return Err(format!("{} refuses the new file, and keeps the old one", self.server.url));
                }
                Verdict::Unknown | Verdict::Another | Verdict::Refused => {
                    return not_yet(format!("{} has not loaded the file", self.server.url));
                }
            }
        }
        match &self.token {
            None => proven.not_looked_at.push(NO_TOKEN.to_owned()),
            Some(bearer) => match who(bearer).await {
                Ok(name) => proven.identity = Some(name),
                Err(what) => return not_yet(what),
            },
        }
        Ok(Ok(proven))
    }
}

/// Waits until an API server takes a token; for whom it takes it.
pub(super) async fn until_taken(bearer: &ApiServer, limit: Duration) -> Result<String, String> {
    let started = Instant::now();
    loop {
        match who(bearer).await {
            Ok(name) => return Ok(name),
            Err(last) if started.elapsed() > limit => {
                return Err(format!("after {} seconds {last}", limit.as_secs()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Whom an API server takes a token for.
async fn who(bearer: &ApiServer) -> Result<String, String> {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = bearer.send(Method::POST, WHO_AM_I, Some(&review)).await?;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(format!("{} does not take the test token", bearer.url));
    }
    if answer.status != StatusCode::CREATED {
        return Err(format!("{} answered the test token with {}", bearer.url, answer.status));
    }
    let said: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let user = &said["status"]["userInfo"];
    let groups: Vec<_> = user["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let name = user["username"].as_str().unwrap_or_default();
    Ok(format!("{name} ({})", groups.join(", ")))
}
