//! How the answer of an authorization request travels through the browser (`response_mode`; OAuth 2.0 Multiple
//! Response Type Encoding Practices §2.1, OAuth 2.0 Form Post Response Mode).

use serde::{Deserialize, Serialize};

/// A value of `response_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseMode {
    /// In the query of the redirect URI: the default of the code flow.
    #[default]
    Query,
    /// Behind its `#`, which servers and their logs do not see.
    Fragment,
    /// In a form that the browser posts to it.
    FormPost,
}

impl ResponseMode {
    /// All of them, the default first.
    pub(crate) const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    /// As it stands on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }

    /// The mode of that name, if the answer can go to `redirect_uri` by it: only web servers take posts, not the
    /// schemes of programs.
    pub(crate) fn parse(text: &str, redirect_uri: &str) -> Option<Self> {
        let is_web = ["http://", "https://"].iter().any(|scheme| redirect_uri.starts_with(scheme));
        let found = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        found.filter(|mode| *mode != Self::FormPost || is_web)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_go_to_web_servers_only() {
        let cases = [
            ("query", "com.example.app:/cb", Some(ResponseMode::Query)),
            ("fragment", "com.example.app:/cb", Some(ResponseMode::Fragment)),
            ("form_post", "com.example.app:/cb", None),
            ("form_post", "http://localhost:8000", Some(ResponseMode::FormPost)),
            ("form_post", "https://app.example/cb", Some(ResponseMode::FormPost)),
            ("FORM_POST", "https://app.example/cb", None),
            ("query.jwt", "https://app.example/cb", None),
        ];
        for (text, redirect_uri, expected) in cases {
            assert_eq!(ResponseMode::parse(text, redirect_uri), expected, "{text} {redirect_uri}");
        }
    }
}
