//! What a preview found, for people and for scripts.

use std::fmt::Write as _;

use kubesso_directory::Minutes;
use serde::Serialize;
use serde_json::{Map, Value};

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether there would be tokens.
    pub(super) issued: bool,
    pub(super) user: String,
    /// Those that the person is in.
    pub(super) groups: Vec<String>,
    pub(super) client: String,
    pub(super) application: String,
    pub(super) authorization_server: String,
    /// `None`: the data directory does not say by which URL it is served.
    pub(super) issuer: Option<String>,
    pub(super) grant_type: &'static str,
    pub(super) scopes: Vec<String>,
    /// By what the application is the person's.
    pub(super) assigned: Option<String>,
    pub(super) decision: Option<Decision>,
    /// What was asked before the rule that decided, and why it did not.
    pub(super) passed_over: Vec<String>,
    /// Why there would be none; each of them is enough.
    pub(super) refused: Vec<String>,
    pub(super) lifetimes: Option<Lifetimes>,
    pub(super) access_token: Option<Map<String, Value>>,
    pub(super) id_token: Option<Map<String, Value>>,
    /// Claims that are left out because they cannot be computed.
    pub(super) problems: Vec<String>,
}

/// What decided.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    pub(super) policy: String,
    pub(super) rule: String,
}

/// In minutes, as rules have them.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Lifetimes {
    access_token_minutes: u32,
    id_token_minutes: Option<u32>,
    refresh_token: Option<Refreshing>,
}

/// How long refreshing goes on.
#[derive(Clone, Copy, Debug, Serialize)]
struct Refreshing {
    /// How long the token may lie unused.
    unused_minutes: u32,
    /// After which it ends for good; `None`: never.
    total_minutes: Option<u32>,
}

impl Lifetimes {
    pub(super) fn of(
        lifetimes: &kubesso_directory::Lifetimes,
        has_id_token: bool,
        has_refresh_token: bool,
    ) -> Self {
        Self {
            access_token_minutes: lifetimes.access_token().get(),
            id_token_minutes: has_id_token.then(|| lifetimes.id_token().get()),
            refresh_token: has_refresh_token.then(|| Refreshing {
                unused_minutes: lifetimes.refresh_window().get(),
                total_minutes: lifetimes.refresh_token().map(Minutes::get),
            }),
        }
    }
}

impl Report {
    /// For people. (Writing to a String cannot fail.)
    pub(super) fn screen(&self) -> String {
        let mut said = String::new();
        let Self { user, application, client, authorization_server: server, .. } = self;
        let verdict = if self.issued { "gets tokens" } else { "gets no tokens" };
        let _ = writeln!(said, "{user} {verdict} for {application} ({client}) from {server}\n");
        let _ = writeln!(said, "  asked for    {} by {}", self.scopes.join(" "), self.grant_type);
        let _ = writeln!(said, "  in groups    {}", self.groups.join(", "));
        let _ = writeln!(said, "  assigned     {}", self.assigned.as_deref().unwrap_or("no"));
        if let Some(Decision { policy, rule }) = &self.decision {
            let _ = writeln!(said, "  decided by   rule {rule:?} of policy {policy:?}");
        }
        for (heading, lines) in
            [("why not", &self.refused), ("passed over", &self.passed_over), ("left out", &self.problems)]
        {
            if !lines.is_empty() {
                let _ = write!(said, "\n{heading}:\n  - {}\n", lines.join("\n  - "));
            }
        }
        if let Some(lifetimes) = self.lifetimes {
            let refreshing = match lifetimes.refresh_token {
                None => "none (it needs the scope offline_access, and the grant refresh_token)".to_owned(),
                Some(Refreshing { unused_minutes, total_minutes }) => {
                    let total = total_minutes.map_or_else(|| "for ever".to_owned(), |it| format!("{it} min"));
                    format!("{total}, while used every {unused_minutes} min")
                }
            };
            let _ = writeln!(said, "\nrefresh token: {refreshing}");
            if let (Some(claims), Some(minutes)) = (&self.id_token, lifetimes.id_token_minutes) {
                let _ = writeln!(said, "\nID token, {minutes} min:\n{}", claims_text(claims));
            }
            if let Some(claims) = &self.access_token {
                let minutes = lifetimes.access_token_minutes;
                let _ = writeln!(said, "\naccess token, {minutes} min:\n{}", claims_text(claims));
            }
        }
        said
    }
}

fn claims_text(claims: &Map<String, Value>) -> String {
    let widest = claims.keys().map(String::len).max().unwrap_or_default();
    let lines = claims.iter().map(|(name, value)| format!("  {name:widest$}  {value}"));
    lines.collect::<Vec<_>>().join("\n")
}
