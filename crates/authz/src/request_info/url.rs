//! Paths and queries, decoded as Go's `net/url` decodes them.

use percent_encoding::percent_decode_str;

use super::RequestInfoError;

/// The decoded path. Every `%` must begin an escape, as for Go's `url.ParseRequestURI`.
pub(super) fn decode_path(path: &str) -> Result<String, RequestInfoError> {
    if !escapes_are_whole(path) || path.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err(RequestInfoError::BadPath { path: path.to_owned() });
    }
    match percent_decode_str(path).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(RequestInfoError::NotUtf8 { path: path.to_owned() }),
    }
}

/// A decoded value; broken UTF-8 is replaced, and said.
pub(super) struct QueryValue {
    pub(super) text: String,
    pub(super) is_utf8: bool,
}

/// Names and values in order.
pub(super) struct QueryValues(Vec<(String, QueryValue)>);

impl QueryValues {
    /// The first value of that name; only it counts.
    pub(super) fn first(&self, name: &str) -> Option<&QueryValue> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

/// The values of a query (`url.ParseQuery` without its error): pairs with a semicolon or a broken
/// escape are left out.
pub(super) fn query_values(query: &str) -> QueryValues {
    let pairs = query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
    let decoded = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode_component(name)?.text, decode_component(value)?))
    });
    QueryValues(decoded.collect())
}

fn decode_component(text: &str) -> Option<QueryValue> {
    if !escapes_are_whole(text) {
        return None;
    }
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    Some(match String::from_utf8(bytes) {
        Ok(text) => QueryValue { text, is_utf8: true },
        Err(error) => {
            QueryValue { text: String::from_utf8_lossy(error.as_bytes()).into_owned(), is_utf8: false }
        }
    })
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        let two = (digits.next(), digits.next());
        matches!(two, (Some(first), Some(second)) if first.is_ascii_hexdigit() && second.is_ascii_hexdigit())
    })
}
