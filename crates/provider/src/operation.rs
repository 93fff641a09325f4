//! What operators are told of a provider: whether it is ready, and what it has counted since it started.

use std::sync::atomic::{AtomicU64, Ordering};

use kubesso_directory::{GrantType, KeyState, Outcome};

use crate::audit;
use crate::context::Context;
use crate::keys::{KeyError, is_the_stores};
use crate::password_check::Denied;
use crate::provider::Provider;

/// How a sign-in can come out, in words for a label.
const SIGN_INS: [&str; 6] =
    ["success", "not_allowed", "wrong_password", "not_active", "too_many_attempts", "busy"];

/// Counted since the start. Names nobody.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sign_ins: [AtomicU64; SIGN_INS.len()],
    tokens: [AtomicU64; GrantType::ALL.len()],
}

impl Counters {
    /// Somebody signed in, or may not use the application.
    pub(crate) fn entered(&self, event_type: &str, outcome: Outcome) {
        if event_type == audit::SIGN_IN {
            self.sign_in(if outcome == Outcome::Success { "success" } else { "not_allowed" });
        }
    }

    /// A password did not sign anybody in.
    pub(crate) fn denied(&self, denied: &Denied) {
        self.sign_in(match denied {
            Denied::WrongPassword => "wrong_password",
            Denied::NotActive(_) => "not_active",
            Denied::TooEarly(_) => "too_many_attempts",
            Denied::Busy => "busy",
        });
    }

    /// The token endpoint gave tokens for a grant.
    pub(crate) fn issued(&self, grant_type: Option<&str>) {
        let position = grant_type
            .and_then(GrantType::parse)
            .and_then(|grant| GrantType::ALL.iter().position(|known| *known == grant));
        add(position.and_then(|position| self.tokens.get(position)));
    }

    fn sign_in(&self, outcome: &str) {
        let position = SIGN_INS.iter().position(|known| *known == outcome);
        add(position.and_then(|position| self.sign_ins.get(position)));
    }
}

fn add(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was counted since the start; labels are of a fixed set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// By outcome.
    pub sign_ins: Vec<(&'static str, u64)>,
    /// Responses with tokens, by grant type; `refresh_token` is refreshing.
    pub tokens: Vec<(&'static str, u64)>,
}

/// Whether the provider can do its work, question by question: a name, and what is wrong.
pub type Readiness = Vec<(&'static str, Result<(), String>)>;

impl Provider {
    /// What was counted since the start.
    pub fn counts(&self) -> Counts {
        let Counters { sign_ins, tokens } = &self.context.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sign_ins: SIGN_INS.into_iter().zip(sign_ins.iter().map(read)).collect(),
            tokens: GrantType::ALL.map(GrantType::as_str).into_iter().zip(tokens.iter().map(read)).collect(),
        }
    }

    /// How many signing keys of active servers there are, by state.
    pub async fn keys_by_state(&self) -> [(&'static str, u64); KeyState::NAMES.len()] {
        let configuration = self.context.configuration().await;
        let mut counts = KeyState::NAMES.map(|name| (name, 0));
        let servers = configuration.snapshot.servers().filter(|server| server.server.status.is_active());
        for key in servers.flat_map(|server| &server.keys) {
            if let Some((_, count)) = counts.iter_mut().find(|(name, _)| *name == key.state.name()) {
                *count += 1;
            }
        }
        counts
    }

    /// Whether the store answers, and every active server has a key to sign with.
    pub async fn readiness(&self) -> Readiness {
        vec![("store", store(&self.context).await), ("keys", keys(&self.context).await)]
    }
}

async fn store(context: &Context) -> Result<(), String> {
    context.store.revision().await.map(drop).map_err(|error| {
        tracing::error!(%error, cause = ?error, "not ready: the store does not answer");
        "the store does not answer; the log says why".to_owned()
    })
}

async fn keys(context: &Context) -> Result<(), String> {
    // A store that does not answer has a line of its own.
    if let Err(KeyError::OtherMasterKey(error)) = is_the_stores(&context.sealing_key, &*context.store).await {
        return Err(error.to_string());
    }
    let configuration = context.configuration().await;
    let without: Vec<_> = configuration
        .snapshot
        .servers()
        .filter(|server| server.server.status.is_active() && configuration.signing_key(server).is_none())
        .map(|server| server.server.id.to_string())
        .collect();
    if without.is_empty() { Ok(()) } else { Err(format!("no signing key for {}", without.join(", "))) }
}
