//! The claims of an ID token, in the two ways that upstream reads them.
//!
//! [`TypedClaims`] is go-oidc's struct: names in any case, of several members the last, a wrong type refuses the token.
//! [`Claims`] is Kubernetes' map for the mapped claims: exact names, only what is asked for is looked at.

use std::collections::BTreeMap;

use crate::go::json::{self, Json, Kind};
use crate::go::time::GoTime;

/// What go-oidc v2.5.0 reads from every token (`idToken`).
#[derive(Debug, PartialEq)]
pub(crate) struct TypedClaims {
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    /// The year 1 if there is no `exp`.
    pub(crate) expiry: GoTime,
    pub(crate) not_before: Option<GoTime>,
    /// Claim to name of its source.
    pub(crate) claim_names: BTreeMap<String, String>,
    pub(crate) source_names: Vec<String>,
}

impl TypedClaims {
    pub(crate) fn read(payload: Json<'_>) -> Result<Self, String> {
        let mut claims = Self {
            issuer: String::new(),
            audience: Vec::new(),
            expiry: GoTime::ZERO,
            not_before: None,
            claim_names: BTreeMap::new(),
            source_names: Vec::new(),
        };
        match payload.kind() {
            Kind::Object => {}
            Kind::Null => return Ok(claims),
            _ => return Err(json::wrong_type(payload, "oidc.idToken")),
        }
        // A wrong type is reported when all is read; what a field's own decoder refuses, at once.
        let mut saved = Ok(());
        for (name, value) in payload.members() {
            let Some(field) = FIELDS.into_iter().find(|field| json::names_field(&name, field)) else {
                continue;
            };
            let qualified = format!("idToken.{field}");
            let text = |value: Json<'_>| match value.kind() {
                Kind::Null => Ok(None),
                _ => match value.string() {
                    Some(text) => Ok(Some(text)),
                    None => Err(json::wrong_field_type(value, &qualified, "string")),
                },
            };
            let outcome = match field {
                "iss" => {
                    text(value).map(|text| claims.issuer = text.unwrap_or(std::mem::take(&mut claims.issuer)))
                }
                "aud" => {
                    claims.audience = read_audience(value, &qualified)?;
                    Ok(())
                }
                "exp" => {
                    claims.expiry = read_time(value, &qualified)?;
                    Ok(())
                }
                "iat" => read_time(value, &qualified).map(drop).map(Ok)?,
                "nbf" if value.kind() == Kind::Null => {
                    claims.not_before = None;
                    Ok(())
                }
                "nbf" => {
                    claims.not_before = Some(read_time(value, &qualified)?);
                    Ok(())
                }
                "_claim_names" => claims.read_claim_names(value, &qualified),
                "_claim_sources" => claims.read_claim_sources(value, &qualified),
                _ => text(value).map(drop),
            };
            saved = saved.and(outcome);
        }
        saved.map(|()| claims)
    }

    fn read_claim_names(&mut self, value: Json<'_>, field: &str) -> Result<(), String> {
        match value.kind() {
            Kind::Null => self.claim_names.clear(),
            Kind::Object => {
                let mut saved = Ok(());
                for (claim, source) in value.members() {
                    let source = match source.kind() {
                        Kind::Null => String::new(),
                        _ => source.string().unwrap_or_else(|| {
                            if saved.is_ok() {
                                saved = Err(json::wrong_field_type(source, field, "string"));
                            }
                            String::new()
                        }),
                    };
                    self.claim_names.insert(claim, source);
                }
                return saved;
            }
            _ => return Err(json::wrong_field_type(value, field, "map[string]string")),
        }
        Ok(())
    }

    fn read_claim_sources(&mut self, value: Json<'_>, field: &str) -> Result<(), String> {
        match value.kind() {
            Kind::Null => self.source_names.clear(),
            Kind::Object => {
                let mut saved = Ok(());
                for (source, members) in value.members() {
                    saved = saved.and(check_claim_source(members, field));
                    self.source_names.push(source);
                }
                return saved;
            }
            _ => return Err(json::wrong_field_type(value, field, "map[string]oidc.claimSource")),
        }
        Ok(())
    }
}

const FIELDS: [&str; 10] =
    ["iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "at_hash", "_claim_names", "_claim_sources"];

fn check_claim_source(value: Json<'_>, field: &str) -> Result<(), String> {
    match value.kind() {
        Kind::Object => {}
        Kind::Null => return Ok(()),
        _ => return Err(json::wrong_field_type(value, field, "oidc.claimSource")),
    }
    let mut saved = Ok(());
    for (name, value) in value.members() {
        let Some(member) =
            ["endpoint", "access_token"].into_iter().find(|field| json::names_field(&name, field))
        else {
            continue;
        };
        if !matches!(value.kind(), Kind::Null | Kind::String) {
            let field = format!("claimSource._claim_sources.{member}");
            saved = saved.and(Err(json::wrong_field_type(value, &field, "string")));
        }
    }
    saved
}

/// A string, or a list of strings; null is the empty string.
fn read_audience(value: Json<'_>, field: &str) -> Result<Vec<String>, String> {
    match value.kind() {
        Kind::Null => Ok(vec![String::new()]),
        Kind::String => Ok(value.string().into_iter().collect()),
        Kind::Array => value
            .elements()
            .map(|element| {
                json::to_string(element).map_err(|_| json::wrong_field_type(element, field, "string"))
            })
            .collect(),
        _ => Err(json::wrong_field_type(value, field, "[]string")),
    }
}

/// Seconds: a number, or a string that holds one; what is no 64-bit integer is read as float64 and cut.
fn read_time(value: Json<'_>, field: &str) -> Result<GoTime, String> {
    let number = match value.kind() {
        Kind::Null => String::new(),
        Kind::Number => value.text().into_owned(),
        Kind::String => {
            let text = value.string().unwrap_or_default();
            let is_number = Json::parse(text.as_bytes())
                .is_ok_and(|json| json.kind() == Kind::Number && json.raw().len() == text.len());
            if !is_number {
                let quoted = kubesso_k8s_types::go::quote(&value.text());
                return Err(format!(
                    "json: invalid number literal, trying to unmarshal {quoted} into Number"
                ));
            }
            text
        }
        _ => return Err(json::wrong_field_type(value, field, "json.Number")),
    };
    if let Ok(seconds) = number.parse::<i64>() {
        return Ok(GoTime::from_unix(seconds));
    }
    let quoted = kubesso_k8s_types::go::quote(&number);
    let float: f64 =
        number.parse().map_err(|_| format!("strconv.ParseFloat: parsing {quoted}: invalid syntax"))?;
    if float.is_infinite() {
        return Err(format!("strconv.ParseFloat: parsing {quoted}: value out of range"));
    }
    // Out of range, amd64 gives the smallest number.
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "cutting the fraction is the rule; the range is checked"
    )]
    Ok(GoTime::from_unix(if in_range { float as i64 } else { i64::MIN }))
}

/// The claims by name (`map[string]json.RawMessage`): of several the last.
#[derive(Clone, Default)]
pub(crate) struct Claims<'a>(Vec<(String, Json<'a>)>);

impl<'a> Claims<'a> {
    pub(crate) fn read(payload: Json<'a>) -> Self {
        Self(payload.members().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<Json<'a>> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    pub(crate) fn insert(&mut self, name: &str, value: Json<'a>) {
        self.0.push((name.to_owned(), value));
    }

    /// A claim that must be there and be a string; null is the empty one.
    pub(crate) fn string(&self, name: &str) -> Result<String, String> {
        json::to_string(self.get(name).ok_or_else(|| "claim not present".to_owned())?)
    }
}

/// A list of strings or one string (`stringOrArray`): null is none.
pub(crate) fn to_string_or_strings(value: Json<'_>) -> Result<Vec<String>, String> {
    json::to_strings(value).or_else(|_| json::to_string(value).map(|one| vec![one]))
}
