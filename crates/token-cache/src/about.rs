//! What an entry is for, in a file of its own beside it: for people who look what is kept here, and for who signs out. It
//! holds no secret, and the way of a cache hit does not read it.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cache::Entry;
use crate::options::Options;

/// What an entry is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct About {
    version: u8,
    /// The provider.
    pub issuer: String,
    /// The application there.
    pub client_id: String,
    /// The scopes that were asked for, as the request had them.
    pub scopes: String,
    /// The profile that was named, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Who signed in.
    #[serde(flatten)]
    pub person: Person,
    /// When, as far as the token says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<i64>,
    /// PEM files of certificate authorities to believe instead of the system's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_files: Vec<PathBuf>,
    /// The same as base64 of PEM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_data: Vec<String>,
    /// Whether anybody is believed.
    #[serde(default)]
    pub skip_verify: bool,
}

/// Whose token it is, by the claims that people know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Person {
    /// `sub`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `email`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// `preferred_username`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
}

impl Person {
    /// Whom the claims of a token name.
    pub fn of(claims: &Map<String, Value>) -> Self {
        let text = |name| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        Self {
            subject: text("sub").map(str::to_owned),
            email: text("email").map(str::to_owned),
            preferred_username: text("preferred_username").map(str::to_owned),
        }
    }

    /// The name that says most to people.
    pub fn name(&self) -> Option<&str> {
        [&self.email, &self.preferred_username, &self.subject].into_iter().find_map(Option::as_deref)
    }
}

/// Changes when a field changes its meaning. A file of another version is none.
const VERSION: u8 = 1;

impl About {
    /// What is known of `entry` after a sign-in with `options`.
    pub fn new(options: &Options, entry: &Entry) -> Self {
        let claims = entry.claims().unwrap_or_default();
        let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
        Self {
            version: VERSION,
            issuer: options.issuer.as_str().to_owned(),
            client_id: options.client_id.clone(),
            scopes: options.scopes.to_string(),
            profile: options.profile.clone(),
            person: Person::of(&claims),
            signed_in_at: seconds("auth_time").or(entry.issued_at.map(Timestamp::as_second)),
            trusted_files: options.trust.files.clone(),
            trusted_data: options.trust.data.clone(),
            skip_verify: options.trust.skip_verify,
        }
    }

    /// When the person signed in, as far as the token said it.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.signed_in_at?).ok()
    }

    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|about: &Self| about.version == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use kubesso_ambient::SeededEntropy;
    use serde_json::json;

    use super::*;
    use crate::cache::EntryPaths;
    use crate::call::Call;
    use crate::testing;

    #[test]
    fn what_an_entry_is_for_reads_back_and_holds_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let flags = [
            &format!("--token-cache-dir={}", directory.path().display()),
            "--oidc-client-secret=hunter2",
            "--oidc-request-header=authorization=hunter2",
            "--oidc-extra-scope=email",
            "--profile=work",
            "--certificate-authority=~/ca.pem",
        ];
        let Call { options, paths, .. } =
            Call::new(&testing::get_token(&flags), &testing::surroundings()).unwrap();
        let paths: EntryPaths = paths.unwrap();
        let claims = json!({"sub": "00u1", "email": "dev@example.com", "auth_time": 100});
        let entry = testing::entry(&claims);
        let about = About::new(&options, &entry);
        paths.save_about(&about, &SeededEntropy::new(1)).unwrap();
        assert_eq!(paths.load_about(), Some(about));
        let file = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("hunter2") && !text.contains(entry.token.expose()), "{text}");
        insta::assert_snapshot!(text, @r#"{"version":1,"issuer":"https://idp.example.com","client_id":"k8s","scopes":"email openid","profile":"work","subject":"00u1","email":"dev@example.com","signed_in_at":100,"trusted_files":["/home/dev/ca.pem"],"skip_verify":false}"#);
        std::fs::write(&file, text.replace(r#""version":1"#, r#""version":2"#)).unwrap();
        assert_eq!(paths.load_about(), None);
    }

    #[test]
    fn people_are_named_as_they_know_themselves() {
        for (claims, name) in [
            (
                json!({"sub": "00u1", "email": "dev@example.com", "preferred_username": "dev"}),
                Some("dev@example.com"),
            ),
            (json!({"sub": "00u1", "email": "", "preferred_username": "dev"}), Some("dev")),
            (json!({"sub": "00u1", "email": 7}), Some("00u1")),
            (json!({}), None),
        ] {
            assert_eq!(Person::of(claims.as_object().unwrap()).name(), name, "{claims}");
        }
    }
}
