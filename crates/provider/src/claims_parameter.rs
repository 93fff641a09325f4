//! The request parameter `claims` (OpenID Connect Core §5.5): single claims in the ID token or from userinfo, beside
//! those of the scopes.

use std::collections::BTreeSet;

use kubesso_directory::UserId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::authentication_context::AcrRequest;
use crate::oauth_error::OAuthError;

/// How many bytes: it travels in the sign-in form.
const LONGEST: usize = 4 * 1024;

/// What `claims` asks for. Whether a claim is essential makes a difference to `acr` only: the others are given where
/// there is a value (§5.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClaimsParameter {
    /// The names under `id_token`.
    pub(crate) id_token: BTreeSet<String>,
    /// The names under `userinfo`.
    pub(crate) userinfo: BTreeSet<String>,
    /// Of whom the answer may be (`sub` with `value` or `values`); `None`: of anybody.
    subjects: Option<BTreeSet<String>>,
    /// `acr` under `id_token`.
    pub(crate) acr: Option<AcrRequest>,
}

/// The request for one claim; `null` is one without conditions.
#[derive(Default, Deserialize)]
struct Single {
    #[serde(default)]
    essential: bool,
    value: Option<Value>,
    values: Option<Vec<Value>>,
}

impl ClaimsParameter {
    pub(crate) fn read(text: &str) -> Result<Self, OAuthError> {
        let invalid = |what: &str| {
            OAuthError::invalid_request(format!("The parameter claims {what} (OpenID Connect Core §5.5)."))
        };
        if text.len() > LONGEST {
            return Err(invalid("is longer than 4096 bytes"));
        }
        let members: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| invalid("is not a JSON object"))?;
        let mut read = Self::default();
        for (place, names) in [("id_token", &mut read.id_token), ("userinfo", &mut read.userinfo)] {
            let listed = match members.get(place) {
                None | Some(Value::Null) => continue,
                Some(Value::Object(listed)) => listed,
                Some(_) => return Err(invalid("has a member that is not an object")),
            };
            for (name, single) in listed {
                let single = Option::<Single>::deserialize(single)
                    .map_err(|_| invalid("asks for a claim in a way that is not known"))?
                    .unwrap_or_default();
                let values: Option<Vec<String>> = match (single.value, single.values) {
                    (None, None) => None,
                    (value, values) => {
                        let all = value.into_iter().chain(values.into_iter().flatten());
                        Some(all.filter_map(|value| value.as_str().map(str::to_owned)).collect())
                    }
                };
                match (name.as_str(), values) {
                    ("sub", Some(values)) => {
                        let values = values.into_iter().collect();
                        read.subjects = Some(match read.subjects.take() {
                            Some(others) => &others & &values,
                            None => values,
                        });
                    }
                    ("acr", values) if place == "id_token" => {
                        let values = values.unwrap_or_default();
                        read.acr = Some(AcrRequest { essential: single.essential, values });
                    }
                    _ => {
                        names.insert(name.clone());
                    }
                }
            }
        }
        Ok(read)
    }

    /// Whether `user` may be the answer.
    pub(crate) fn admits(&self, user: &UserId) -> bool {
        self.subjects.as_ref().is_none_or(|subjects| subjects.contains(user.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_with_what_counts_of_their_conditions() {
        let read = ClaimsParameter::read(
            r#"{
                "id_token": {
                    "email": null, "auth_time": {"essential": true}, "name": {"value": "x", "unknown": 1},
                    "acr": {"essential": true, "values": ["a", "b", 1]}, "sub": {"values": ["dev", "admin"]}
                },
                "userinfo": {"groups": {}, "acr": null, "sub": {"value": "dev"}},
                "other": 1
            }"#,
        )
        .unwrap();
        assert_eq!(read.id_token, ["auth_time", "email", "name"].map(str::to_owned).into());
        assert_eq!(read.userinfo, ["acr", "groups"].map(str::to_owned).into());
        assert_eq!(read.acr, Some(AcrRequest { essential: true, values: vec!["a".into(), "b".into()] }));
        assert_eq!(read.subjects, Some(["dev".to_owned()].into()));
        let user = |name| UserId::parse(name).unwrap();
        assert!(read.admits(&user("dev")) && !read.admits(&user("admin")));
        assert!(ClaimsParameter::default().admits(&user("admin")));
        assert_eq!(ClaimsParameter::read("{}").unwrap(), ClaimsParameter::default());
    }

    #[test]
    fn what_is_no_request_for_claims_is_said() {
        let long = format!(r#"{{"x": "{}"}}"#, "x".repeat(LONGEST));
        for (text, says) in [
            ("", "is not a JSON object"),
            ("[]", "is not a JSON object"),
            ("{\"id_token\": 1}", "a member that is not an object"),
            ("{\"userinfo\": {\"email\": 1}}", "asks for a claim in a way"),
            ("{\"userinfo\": {\"email\": {\"essential\": \"yes\"}}}", "asks for a claim in a way"),
            ("{\"userinfo\": {\"email\": {\"values\": \"x\"}}}", "asks for a claim in a way"),
            (long.as_str(), "longer than 4096 bytes"),
        ] {
            let error = ClaimsParameter::read(text).unwrap_err();
            assert!(error.description.contains(says), "{text}: {error}");
        }
    }
}
