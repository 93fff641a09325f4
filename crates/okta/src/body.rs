//! The body of a request: JSON, read into a type, or refused with the path of what does not fit.
//!
//! Members that nobody here reads are passed over: SDKs echo whatever an answer contained.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::error::ApiError;

/// The largest body that is read, in bytes.
pub(crate) const LARGEST: usize = 1 << 20;

/// A body that must be there.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A body that may be missing.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            return Err(ApiError::malformed("The body is empty: send a JSON object"));
        }
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = read(request, state).await?;
        if bytes.is_empty() { Ok(Self(None)) } else { parse(&bytes).map(|value| Self(Some(value))) }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|_| ApiError::malformed(format!("The body is larger than {LARGEST} bytes or was cut off")))
}

/// Reads JSON. Text that is none is E0000003; JSON that does not fit is E0000001 and names the member.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A derived reader would take an array for an object, member by member.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ApiError::malformed("Send a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.classify() == Category::Data && path != "." {
            ApiError::invalid(&path, without_position(&error))
        } else {
            ApiError::malformed(error.to_string())
        }
    })?;
    json.end().map_err(|error| ApiError::malformed(error.to_string()))?;
    match place_of_nul(bytes) {
        Some(place) => Err(ApiError::invalid(&place, NUL)),
        None => Ok(value),
    }
}

/// What is said of the character that PostgreSQL cannot hold, wherever it is: SDKs and people never mean it.
pub(crate) const NUL: &str = "the character U+0000 cannot be stored: leave it out";

/// Where U+0000 is in a JSON text, if it is anywhere: it must be written `\u0000`.
fn place_of_nul(bytes: &[u8]) -> Option<String> {
    if !bytes.windows(6).any(|window| window == b"\\u0000") {
        return None;
    }
    let value: Value = serde_json::from_slice(bytes).ok()?;
    find_nul(&value, "").map(|path| if path.is_empty() { "body".to_owned() } else { path })
}

fn find_nul(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| path.to_owned()),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .find_map(|(index, element)| find_nul(element, &format!("{path}[{index}]"))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') {
                return Some(path.to_owned());
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            find_nul(member, &path)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The message without ` at line 1 column 2`: the path says where.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Group {
        #[expect(dead_code, reason = "only reading it is tested")]
        profile: Profile,
    }

    #[derive(Debug, Deserialize)]
    struct Profile {
        #[expect(dead_code, reason = "only reading it is tested")]
        name: String,
    }

    #[test]
    fn a_body_that_does_not_fit_is_refused_with_the_member_and_one_that_is_no_json_with_the_place() {
        let cases = [
            (
                r#"{"profile":{"name":5}}"#,
                "E0000001 Api validation failed: profile.name; profile.name: invalid type: integer `5`, expected a string",
            ),
            (r#"{"profile":{}}"#, "E0000001 Api validation failed: profile; profile: missing field `name`"),
            ("[]", "E0000003 The request body was not well-formed.; Send a JSON object"),
            ("nonsense", "E0000003 The request body was not well-formed.; Send a JSON object"),
            (
                "{",
                "E0000003 The request body was not well-formed.; EOF while parsing an object at line 1 column 1",
            ),
            (
                r#"{"profile":{"name":"x"}} x"#,
                "E0000003 The request body was not well-formed.; trailing characters at line 1 column 26",
            ),
            (
                r#"{"profile":{"name":"x"},"more":[{"y":"a\u0000b"}]}"#,
                "E0000001 Api validation failed: more[0].y; more[0].y: the character U+0000 cannot be stored: leave it out",
            ),
            (
                r#"{"profile":{"name":"x"},"\u0000":1}"#,
                "E0000001 Api validation failed: body; body: the character U+0000 cannot be stored: leave it out",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(parse::<Group>(body.as_bytes()).unwrap_err().to_string(), expected, "{body}");
        }
        parse::<Group>(br#"{"profile":{"name":"x","more":1},"more":{}}"#).unwrap();
        parse::<Group>(br#"{"profile":{"name":"written \\u0000"}}"#).unwrap();
    }
}
