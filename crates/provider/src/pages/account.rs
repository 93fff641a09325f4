//! The pages of somebody's own account.

use askama::Template;

use super::Assets;
use crate::moments::Moment;

/// Who one is, where one is signed in, and how to end it.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    /// What was just done.
    pub(crate) done: Option<&'static str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) login: &'a str,
    pub(crate) email: &'a str,
    pub(crate) groups: Vec<&'a str>,
    pub(crate) password_changed: Option<Moment>,
    /// This browser's first.
    pub(crate) sessions: Vec<SessionEntry>,
    pub(crate) applications: Vec<ApplicationEntry>,
    /// What the person has allowed, by application.
    pub(crate) allowed: Vec<AllowedEntry>,
    pub(crate) action: &'a str,
    pub(crate) password_page: &'a str,
    pub(crate) request: &'a str,
}

/// A session on that page.
pub(crate) struct SessionEntry {
    pub(crate) id: String,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
    pub(crate) address: Option<String>,
    pub(crate) since: Moment,
    pub(crate) last_used: Moment,
    pub(crate) is_this: bool,
}

/// An application that goes on without asking.
pub(crate) struct ApplicationEntry {
    /// The grant's.
    pub(crate) id: String,
    pub(crate) label: String,
    /// The authorization server's name.
    pub(crate) server: String,
    pub(crate) since: Moment,
    /// When it last got a token, where that is known.
    pub(crate) last_used: Option<Moment>,
}

/// What the person has allowed an application.
pub(crate) struct AllowedEntry {
    /// The application's.
    pub(crate) id: String,
    pub(crate) label: String,
    /// Titles of scopes.
    pub(crate) scopes: Vec<String>,
    /// When it was last asked.
    pub(crate) since: Moment,
}

impl Account<'_> {
    /// Whether there is anything that "End all others" would end.
    fn has_others(&self) -> bool {
        self.sessions.iter().any(|session| !session.is_this)
    }
}

/// Asks for the present password and another one.
#[derive(Template)]
#[template(path = "change_password.html")]
pub(crate) struct ChangePassword<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) host: &'a str,
    pub(crate) login: &'a str,
    /// What a password must be like, in a sentence.
    pub(crate) rule: &'a str,
    pub(crate) shortest: usize,
    pub(crate) action: &'a str,
    /// The page to go back to.
    pub(crate) back: &'a str,
    pub(crate) request: &'a str,
    /// Why nothing was changed.
    pub(crate) problem: Option<String>,
    /// Whether the present password is what was wrong.
    pub(crate) is_old_wrong: bool,
}
