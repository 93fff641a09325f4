//! Checked names: a value of these types has been looked at, so that nobody looks again.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text cannot be the name that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
    given: String,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` in, if it can be one.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let parse: fn(&str) -> Option<String> = $parse;
                parse(text).map(Self).ok_or_else(|| NameError {
                    what: $what,
                    rule: $rule,
                    given: text.chars().take(100).collect(),
                })
            }

            /// The name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// What a person types to sign in, in general an e-mail address. Kept as written; two that differ only in
    /// case are the same login ([`Login::folded`]).
    Login, "login", "use 1 to 100 characters without spaces or control characters",
    |text| printable(text, 100).filter(|login| !login.contains(char::is_whitespace));

    /// An e-mail address: something, an `@`, a domain. Only a mail that arrives proves more.
    Email, "e-mail address", "use the form name@domain, at most 254 characters",
    |text| {
        let (local, domain) = text.rsplit_once('@')?;
        let ok = !local.is_empty()
            && local.len() <= 64
            && !domain.is_empty()
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ','));
        ok.then_some(())?;
        printable(text, 254)
    };

    /// A group's name, as it arrives in the `groups` claim and in a RoleBinding's subjects.
    GroupName, "group name", "use 1 to 255 characters, no control characters, no space at either end",
    |text| printable(text, 255);

    /// What administrators call an application, a server, a policy, a rule.
    Label, "name", "use 1 to 255 characters, no control characters, no space at either end",
    |text| printable(text, 255);

    /// A scope: printable ASCII without space, `"` and `\` (RFC 6749 §3.3 `scope-token`).
    ScopeName, "scope", "use 1 to 255 printable ASCII characters without space, `\"` and `\\`",
    |text| {
        let ok = (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
        ok.then(|| text.to_owned())
    };

    /// The name of a claim in a token.
    ClaimName, "claim name", "use 1 to 255 characters without spaces or control characters",
    |text| printable(text, 255).filter(|name| !name.contains(char::is_whitespace));

    /// What an authorization server's access tokens are for: **opaque text**. It need not be a URL, and a
    /// typing error in it (`http:://localhost:8000`) is kept as it is.
    Audience, "audience", "use 1 to 500 characters, no control characters",
    |text| printable(text, 500);
}

fn printable(text: &str, most: usize) -> Option<String> {
    let ok = !text.is_empty()
        && text.chars().count() <= most
        && text.trim() == text
        && !text.contains(char::is_control);
    ok.then(|| text.to_owned())
}

impl Login {
    /// The form in which logins are compared and must be unique.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Reads a space-separated scope parameter (RFC 6749 §3.3), each scope once, in the order given.
pub fn parse_scopes(text: &str) -> Result<Vec<ScopeName>, NameError> {
    let mut scopes = Vec::new();
    // A set, because strangers send the parameter: comparing each with each of a hundred thousand takes a minute.
    let mut seen = HashSet::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if seen.insert(word) {
            scopes.push(ScopeName::parse(word)?);
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_or_refused_with_the_rule_in_the_message() {
        for good in ["dev@example.com", "a+b@x", "ü@bücher.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "x", "@x", "x@", "a b@x", "x@.y", "x@y.", "a@b\n", "<a@b>"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Email::parse("dev").unwrap_err().to_string(),
            "`dev` is no e-mail address: use the form name@domain, at most 254 characters"
        );
        assert!(GroupName::parse("k8s admins").is_ok());
        assert!(GroupName::parse(" k8s").is_err());
        assert!(ScopeName::parse("a b").is_err());
        assert!(Audience::parse("http:://localhost:8000").is_ok(), "opaque text, typing errors included");
    }

    #[test]
    fn logins_that_differ_only_in_case_are_one() {
        let folded = |text| Login::parse(text).unwrap().folded();
        assert_eq!(folded("Dev@Example.com"), folded("dev@example.COM"));
    }

    #[test]
    fn a_scope_parameter_is_a_list_of_words_each_once() {
        let scopes = parse_scopes("openid  email openid offline_access").unwrap();
        let names: Vec<_> = scopes.iter().map(ScopeName::as_str).collect();
        assert_eq!(names, ["openid", "email", "offline_access"]);
        assert!(parse_scopes("openid \"x\"").is_err());
    }

    #[test]
    fn a_scope_parameter_as_long_as_a_request_can_be_is_read_without_comparing_each_word_with_each() {
        // Pair by pair these would be more than ten thousand million comparisons.
        let words: Vec<_> = (0..200_000).map(|number| number.to_string()).collect();
        let line = words.join(" ");
        assert_eq!(parse_scopes(&format!("{line} {line}")).unwrap().len(), words.len());
    }
}
