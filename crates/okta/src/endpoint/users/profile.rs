//! What a request wants a user's profile to be.

use kubesso_directory::{Email, Login, UserProfile};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::fields::Fields;

/// The longest text in a profile, in characters.
const LONGEST_TEXT: usize = 4096;
/// How many characters a name may have: people are searched by it, and an index of PostgreSQL holds 2704 bytes of one.
const LONGEST_NAME: usize = 255;
/// So many attributes at most beyond those that everybody has.
const MOST_ATTRIBUTES: usize = 200;

/// How much of a profile a request speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it: what it leaves out goes.
    Whole,
    /// A part: what it leaves out stays, and what is null goes.
    Part,
}

/// A profile as it was sent: a member that is `None` was sent as null.
#[derive(Clone, Debug)]
pub(super) struct WantedProfile {
    login: Option<Login>,
    email: Option<Email>,
    others: Map<String, Value>,
}

impl WantedProfile {
    /// Reads `profile`.
    pub(super) fn read(mut profile: Fields) -> Result<Self, ApiError> {
        let login = profile.parsed("login", Login::parse)?;
        let email = profile.parsed("email", Email::parse)?;
        let others = profile.clone().all();
        for (name, value) in &others {
            check(&profile, name, value)?;
        }
        if others.len() > MOST_ATTRIBUTES {
            return Err(ApiError::invalid("profile", format!("use at most {MOST_ATTRIBUTES} attributes")));
        }
        Ok(Self { login, email, others })
    }

    /// What the profile becomes; `before` is `None` for a new user.
    pub(super) fn apply(
        &self,
        before: Option<&UserProfile>,
        extent: Extent,
    ) -> Result<UserProfile, ApiError> {
        let missing = |name: &str| ApiError::invalid(name, format!("{name}: The field cannot be left blank"));
        let login = self.login.clone().or_else(|| before.map(|before| before.login.clone()));
        let email = self.email.clone().or_else(|| before.map(|before| before.email.clone()));
        let email = email.ok_or_else(|| missing("email"))?;
        let login = login.ok_or_else(|| missing("login"))?;
        let mut profile = match (before, extent) {
            (Some(before), Extent::Part) => UserProfile { login, email, ..before.clone() },
            _ => UserProfile {
                login,
                email,
                first_name: None,
                last_name: None,
                display_name: None,
                other: Map::new(),
            },
        };
        for (name, value) in &self.others {
            let text = value.as_str().map(str::to_owned);
            match name.as_str() {
                "firstName" => profile.first_name = text,
                "lastName" => profile.last_name = text,
                "displayName" => profile.display_name = text,
                _ if value.is_null() => {
                    profile.other.remove(name);
                }
                _ => {
                    profile.other.insert(name.clone(), value.clone());
                }
            }
        }
        Ok(profile)
    }
}

/// Attributes are texts, numbers, true or false, and lists of these: what claims and rules can work with.
fn check(profile: &Fields, name: &str, value: &Value) -> Result<(), ApiError> {
    let is_name = matches!(name, "firstName" | "lastName" | "displayName");
    let longest = if is_name { LONGEST_NAME } else { LONGEST_TEXT };
    let fits = |value: &Value| match value {
        Value::String(text) => text.chars().count() <= longest,
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    };
    let good = match value {
        Value::Null => true,
        Value::String(_) if is_name => fits(value),
        _ if is_name => return Err(profile.refuse(name, "use a text")),
        Value::Array(elements) => elements.iter().all(fits),
        other => fits(other),
    };
    if good {
        return Ok(());
    }
    Err(profile.refuse(
        name,
        if is_name {
            format!("use a text of at most {longest} characters")
        } else {
            format!("use a text of at most {longest} characters, a number, true, false, or a list of them")
        },
    ))
}
