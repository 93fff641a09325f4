//! The page that asks whether an application may have what it asks for.

use askama::Template;
use kubesso_directory::Scope;

use super::Assets;

/// Who asks whom for what.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    pub(crate) assets: &'static Assets,
    pub(crate) application: &'a str,
    /// The authorization server's name.
    pub(crate) server: &'a str,
    pub(crate) host: &'a str,
    pub(crate) login: &'a str,
    pub(crate) scopes: Vec<AskedScope<'a>>,
    /// Where the application says what it does with what it gets.
    pub(crate) policy: Option<&'a str>,
    /// Its terms of service.
    pub(crate) terms: Option<&'a str>,
    pub(crate) action: &'a str,
    pub(crate) request: &'a str,
}

/// A scope on that page.
pub(crate) struct AskedScope<'a> {
    pub(crate) name: &'a str,
    /// What people read: the title, or the name.
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    /// Whether it may be left out.
    pub(crate) optional: bool,
}

impl<'a> AskedScope<'a> {
    pub(crate) fn of(scope: &'a Scope) -> Self {
        let name = scope.name.as_str();
        Self {
            name,
            title: scope.display_name.as_deref().unwrap_or(name),
            description: scope.description.as_str(),
            optional: scope.optional,
        }
    }
}

impl ConsentPage<'_> {
    fn has_optional(&self) -> bool {
        self.scopes.iter().any(|scope| scope.optional)
    }
}
