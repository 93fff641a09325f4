//! Lists, whole or in pages. A continued list shows the state at which it began, as long as the history reaches
//! back to it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::options::ListOptions;
use super::selector::Selector;
use super::{Api, Target};
use crate::status::{ApiError, quoted};
use crate::storage::Stored;

/// A list, or a page of one.
#[derive(Debug)]
pub(crate) struct Page {
    /// The state that it shows.
    pub(crate) revision: u64,
    /// By namespace and name.
    pub(crate) objects: Vec<Arc<Stored>>,
    /// How the next page is asked for; empty on the last.
    pub(crate) continue_token: String,
    /// How many objects follow, if that is known.
    pub(crate) remaining: Option<usize>,
}

impl Page {
    /// The `metadata` of the list.
    pub(crate) fn metadata(&self) -> Value {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if !self.continue_token.is_empty() {
            metadata["continue"] = self.continue_token.clone().into();
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
        metadata
    }
}

/// Where a page begins (apiserver `pkg/storage/continue.go`).
#[derive(Debug, Deserialize, Serialize)]
struct Continue {
    v: String,
    rv: u64,
    start: String,
}

const CONTINUE_VERSION: &str = "meta.k8s.io/v1";

impl Api {
    /// The objects of a collection.
    pub(crate) fn list(
        &self,
        target: &Target,
        options: &ListOptions,
        selector: &Selector,
    ) -> Result<Page, ApiError> {
        let asked = asked_version(&options.resource_version)?;
        let began =
            if options.continue_token.is_empty() { None } else { Some(decode(&options.continue_token)?) };
        let exact = options.resource_version_match == "Exact";
        let current = self.store.read(crate::storage::State::revision);
        if let Some(asked) = asked.filter(|asked| *asked > current) {
            return Err(ApiError::version_too_large(asked, current));
        }
        let at = match (&began, asked) {
            (Some(began), _) => Some(began.rv),
            (None, Some(asked)) if exact => Some(asked),
            _ => None,
        };
        let namespace = (!target.namespace.is_empty()).then_some(target.namespace.as_str());
        let resource = target.resource.group_resource();
        let (revision, objects) = self.store.list_at(&resource, namespace, at).map_err(|_| {
            ApiError::from(kubesso_k8s_types::meta::Status::expired(if began.is_some() {
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
            } else {
                "The resourceVersion for the provided list is too old."
            }))
        })?;
        let start = began.as_ref().map(|began| began.start.as_str()).unwrap_or_default();
        let mut objects = objects
            .into_iter()
            .filter(|stored| place(&stored.object).as_str() >= start)
            .filter(|stored| selector.matches(target.resource, &stored.object));
        let Some(limit) = options.limit else {
            return Ok(Page {
                revision,
                objects: objects.collect(),
                continue_token: String::new(),
                remaining: None,
            });
        };
        let page: Vec<Arc<Stored>> = objects.by_ref().take(limit).collect();
        let rest: Vec<Arc<Stored>> = objects.collect();
        let Some(next) = rest.first() else {
            return Ok(Page { revision, objects: page, continue_token: String::new(), remaining: None });
        };
        let token = Continue { v: CONTINUE_VERSION.to_owned(), rv: revision, start: place(&next.object) };
        let continue_token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).map_err(ApiError::internal)?);
        // As upstream, which counts only what it need not look at.
        let remaining = selector.is_everything().then_some(rest.len());
        Ok(Page { revision, objects: page, continue_token, remaining })
    }
}

/// Where the object stands in the list.
fn place(object: &Value) -> String {
    crate::storage::place(crate::object::meta(object, "namespace"), crate::object::name(object))
}

/// `resourceVersion` of a list; absent and `0` are any.
fn asked_version(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let text = quoted(text);
        ApiError::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: invalid syntax"
        ))
    })
}

fn decode(token: &str) -> Result<Continue, ApiError> {
    let refuse = |why: String| {
        ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| {
        use base64::DecodeError::{InvalidByte, InvalidLastSymbol};
        let at = match error {
            InvalidByte(at, _) | InvalidLastSymbol(at, _) => at,
            _ => token.len() / 4 * 4,
        };
        refuse(format!("illegal base64 data at input byte {at}"))
    })?;
    let decoded: Continue = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    if decoded.v != CONTINUE_VERSION {
        return Err(refuse(format!("server does not recognize this encoded version {}", quoted(&decoded.v))));
    }
    Ok(decoded)
}
