//! What an address says: ids in the path, parameters in the query.

use axum::extract::{FromRequestParts, Path};
use http::Uri;
use http::request::Parts;
use kubesso_directory::{AttributePath, Filter, Sort, SortOrder};
use serde::de::DeserializeOwned;

use crate::body::NUL;
use crate::error::ApiError;

/// The query's parameters, and the address that they were in.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    pub(crate) uri: Uri,
}

impl Parameters {
    /// The first of that name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// `true` or `false`, as `default` without one.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(ApiError::invalid(name, "use true or false")),
        }
    }

    /// A whole number between `least` and `most`.
    pub(crate) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
        number
            .map(Some)
            .ok_or_else(|| ApiError::invalid(name, format!("use a whole number from {least} to {most}")))
    }

    /// What `search` and `filter` say; with both, both.
    pub(crate) fn searched(&self) -> Result<Option<Filter>, ApiError> {
        let read = |name: &str| -> Result<Option<Filter>, ApiError> {
            let Some(text) = self.get(name) else { return Ok(None) };
            Filter::parse(text).map(Some).map_err(|error| ApiError::invalid(name, error))
        };
        Ok(match (read("search")?, read("filter")?) {
            (Some(search), Some(filter)) => Some(Filter::And(vec![search, filter])),
            (one, other) => one.or(other),
        })
    }

    /// What `sortBy` and `sortOrder` say.
    pub(crate) fn sort(&self) -> Result<Option<Sort>, ApiError> {
        let Some(attribute) = self.get("sortBy") else { return Ok(None) };
        let attribute =
            AttributePath::parse(attribute).map_err(|error| ApiError::invalid("sortBy", error))?;
        let order = match self.get("sortOrder").map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc" | "ascending") => SortOrder::Ascending,
            Some("desc" | "descending") => SortOrder::Descending,
            Some(_) => return Err(ApiError::invalid("sortOrder", "use asc or desc")),
        };
        Ok(Some(Sort { attribute, order }))
    }

    /// All but some, in their order: for the address of the next page.
    pub(crate) fn without<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !names.contains(name))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if let Some((name, _)) =
            pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            return Err(ApiError::invalid(&name.replace('\0', "�"), NUL));
        }
        Ok(Self { pairs, uri: parts.uri.clone() })
    }
}

/// The ids in the path: a `String`, or a tuple of them.
#[derive(Debug)]
pub(crate) struct Ids<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Nothing has U+0000 in its name.
        let has_nul = parts.uri.path().contains("%00");
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(ids)) if !has_nul => Ok(Self(ids)),
            _ => Err(ApiError::no_such_path()),
        }
    }
}
