//! Lists in pages, with `Link` headers.
//!
//! One header line for each relation, with absolute addresses from the configured base URL: Okta's clients take the first
//! address of a line and do not look further. The cursor is the last id of the page and means nothing to clients.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;

use crate::context::Context;
use crate::error::ApiError;
use crate::parameters::Parameters;

/// Which part of a list is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    parameters: Parameters,
    pub(crate) limit: u32,
}

impl Paging {
    /// Reads `limit`. One that is larger than `most` is taken as `most`, as Okta does.
    pub(crate) fn read(parameters: &Parameters, default: u32, most: u32) -> Result<Self, ApiError> {
        let limit = parameters.number("limit", 1, u32::MAX)?.unwrap_or(default).min(most);
        Ok(Self { parameters: parameters.clone(), limit })
    }

    /// Reads `after`.
    pub(crate) fn after<Id: std::str::FromStr>(&self) -> Result<Option<Id>, ApiError> {
        let Some(text) = self.parameters.get("after") else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| ApiError::invalid("after", "this is no cursor of an earlier page's next link"))
    }

    /// How many to read: one more than asked for tells whether there is a next page.
    pub(crate) fn to_read(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The page's answer. `found` has up to [`to_read`](Self::to_read) elements.
    pub(crate) fn answer<T>(
        &self,
        context: &Context,
        mut found: Vec<T>,
        cursor: impl Fn(&T) -> String,
        view: impl FnMut(&T) -> Value,
    ) -> Response {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(cursor);
        let body: Vec<Value> = found.iter().map(view).collect();
        self.linked(context, next.as_deref(), Json(body))
    }

    /// A part of a list that is wholly in memory, in the order of `all`.
    pub(crate) fn answer_all<T>(
        &self,
        context: &Context,
        all: Vec<T>,
        cursor: impl Fn(&T) -> String,
        view: impl FnMut(&T) -> Value,
    ) -> Response {
        let mut rest = all;
        if let Some(after) = self.parameters.get("after") {
            let Some(start) = place_after(&rest, after, &cursor) else {
                let cause = "the last element of the page before is gone: begin anew, without `after`";
                return ApiError::invalid("after", cause).into_response();
            };
            rest.drain(..start);
        }
        rest.truncate(usize::try_from(self.to_read()).unwrap_or(usize::MAX));
        self.answer(context, rest, cursor, view)
    }

    /// Adds the links to an answer.
    pub(crate) fn linked(
        &self,
        context: &Context,
        next: Option<&str>,
        answer: impl IntoResponse,
    ) -> Response {
        let path = self.parameters.uri.path();
        let own: Vec<_> = self.parameters.without(&[]).collect();
        let mut links = vec![link(context, path, own, "self")];
        if let Some(next) = next {
            let limit = self.limit.to_string();
            let mut query: Vec<_> = self.parameters.without(&["after", "limit"]).collect();
            query.extend([("after", next), ("limit", limit.as_str())]);
            links.push(link(context, path, query, "next"));
        }
        let mut response = answer.into_response();
        for link in links {
            if let Ok(value) = HeaderValue::try_from(link) {
                response.headers_mut().append(header::LINK, value);
            }
        }
        response
    }
}

/// Where the elements behind a cursor begin. If its element is gone, the place is known still where the list is in the
/// order of its cursors; elsewhere nobody knows.
fn place_after<T>(all: &[T], after: &str, cursor: impl Fn(&T) -> String) -> Option<usize> {
    let cursors: Vec<String> = all.iter().map(cursor).collect();
    match cursors.iter().position(|cursor| cursor == after) {
        Some(position) => Some(position + 1),
        None if cursors.is_sorted() => Some(cursors.partition_point(|cursor| cursor.as_str() < after)),
        None => None,
    }
}

fn link(context: &Context, path: &str, query: Vec<(&str, &str)>, relation: &str) -> String {
    let mut url = context.url(path);
    if !query.is_empty() {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        url.push('?');
        url.push_str(&query);
    }
    format!("<{url}>; rel=\"{relation}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_behind_its_cursor_even_if_its_element_is_gone() {
        let cases: [(&[&str], &str, Option<usize>); 6] = [
            (&["a", "b", "c"], "b", Some(2)),
            (&["a", "c"], "b", Some(1)),
            (&["a"], "z", Some(1)),
            (&[], "z", Some(0)),
            (&["c", "a"], "a", Some(2)),
            (&["c", "a"], "b", None),
        ];
        for (all, after, expected) in cases {
            assert_eq!(place_after(all, after, ToString::to_string), expected, "{all:?} {after}");
        }
    }
}
