//! By what a thing is known to be ours: a word in front of its description, or in its administrators' notes.
//!
//! No file keeps a state. Whoever copies a description copies the marker too, so it is looked for only where kubesso
//! writes it, and at the very beginning.

use std::fmt;

use serde::Serialize;

/// The name of a chain: which of several files in one organization a thing belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainName(String);

impl ChainName {
    /// Small letters, digits and `-`, at most 40: a Kubernetes label has it too.
    ///
    /// # Errors
    /// What may stand there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=40).contains(&text.len())
            && text.bytes().all(is_inside)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` cannot be a name: use small letters, digits and `-`, at most 40"))
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `[kubesso k8s]`
    pub fn marker(&self) -> String {
        format!("{BEGIN}{self}{END}")
    }

    /// A description behind the marker.
    pub(crate) fn mark(&self, text: &str) -> String {
        if text.is_empty() { self.marker() } else { format!("{} {text}", self.marker()) }
    }
}

impl Default for ChainName {
    fn default() -> Self {
        Self("k8s".to_owned())
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const BEGIN: &str = "[kubesso ";
const END: &str = "]";

/// Whose a thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This chain made it.
    Ours,
    /// Another chain made it; its name.
    Another(String),
    /// Somebody else did.
    Somebody,
}

/// The owner that a description names, and the description without the marker.
pub(crate) fn read<'a>(text: &'a str, chain: &ChainName) -> (Owner, &'a str) {
    let Some((name, rest)) = text.strip_prefix(BEGIN).and_then(|rest| rest.split_once(END)) else {
        return (Owner::Somebody, text);
    };
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    match ChainName::parse(name) {
        Ok(name) if name == *chain => (Owner::Ours, rest),
        Ok(name) => (Owner::Another(name.0), rest),
        Err(_) => (Owner::Somebody, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_description_is_read_as_it_was() {
        let chain = ChainName::parse("prod-1").unwrap();
        for text in ["", "Administrators", "[kubesso other] nested", " spaces "] {
            let marked = chain.mark(text);
            assert_eq!(read(&marked, &chain), (Owner::Ours, text), "{marked}");
        }
    }

    #[test]
    fn only_the_marker_at_the_beginning_counts() {
        let chain = ChainName::default();
        for (text, owner, rest) in [
            ("[kubesso k8s] x", Owner::Ours, "x"),
            ("[kubesso dev] x", Owner::Another("dev".to_owned()), "x"),
            ("see [kubesso k8s]", Owner::Somebody, "see [kubesso k8s]"),
            ("[kubesso NO WAY] x", Owner::Somebody, "[kubesso NO WAY] x"),
            ("[kubesso k8s", Owner::Somebody, "[kubesso k8s"),
        ] {
            assert_eq!(read(text, &chain), (owner, rest));
        }
    }

    #[test]
    fn a_name_that_a_label_could_not_have_is_refused() {
        for text in ["", "K8s", "a b", "-a", "a-", &"x".repeat(41)] {
            assert!(ChainName::parse(text).is_err(), "{text}");
        }
    }
}
