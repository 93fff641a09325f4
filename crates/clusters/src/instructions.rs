//! What a target needs: files, commands, and how to see that it worked and to take it back.

use serde::Serialize;

use crate::target::Target;

/// By what an API server is told whom to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The file of `--authentication-config`.
    Config,
    /// The flags `--oidc-*`.
    Flags,
    /// The target's own way.
    Native,
}

/// What to do, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instructions {
    /// For what.
    pub target: Target,
    /// By what.
    pub form: Form,
    /// Files to write.
    pub files: Vec<ConfigFile>,
    /// How they come into force.
    pub apply: Vec<Step>,
    /// How to see that they did.
    pub verify: Vec<Step>,
    /// How to take it back.
    pub rollback: Vec<Step>,
    /// What to know before.
    pub warnings: Vec<String>,
}

/// A file, whole or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFile {
    /// What it is called where kubesso writes it.
    pub name: String,
    /// Where it belongs.
    pub place: String,
    /// Whether it is a part, to be merged into what is there already.
    pub is_part: bool,
    /// The text.
    pub content: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// In words.
    pub what: String,
    /// As a command for a shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Step {
    pub(crate) fn say(what: impl Into<String>) -> Self {
        Self { what: what.into(), command: None }
    }

    pub(crate) fn run(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { what: what.into(), command: Some(command.into()) }
    }
}

impl ConfigFile {
    pub(crate) fn whole(name: &str, place: impl Into<String>, content: String) -> Self {
        Self { name: name.to_owned(), place: place.into(), is_part: false, content }
    }

    pub(crate) fn part(name: &str, place: impl Into<String>, content: String) -> Self {
        Self { name: name.to_owned(), place: place.into(), is_part: true, content }
    }
}

/// Something that a target cannot do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restriction {
    /// What it is about.
    pub what: String,
    /// Who says so.
    pub source: String,
    /// What to do instead.
    pub instead: String,
}

impl Restriction {
    pub(crate) fn new(
        what: impl Into<String>,
        source: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), source: source.into(), instead: instead.into() }
    }
}

/// What is wanted cannot be had there: all reasons at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{target} cannot do what is described")]
pub struct Impossible {
    /// Where.
    pub target: Target,
    /// Why; at least one.
    pub restrictions: Vec<Restriction>,
}

/// A word as a shell takes it.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_one_word_for_a_shell() {
        for (text, expected) in [
            ("oidc-issuer-url=https://i/x", "oidc-issuer-url=https://i/x"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), expected);
        }
    }
}
