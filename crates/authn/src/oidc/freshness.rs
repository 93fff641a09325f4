//! How long a fetched key set stays fresh, as github.com/pquerna/cachecontrol v0.1.0 computes it.
//!
//! `s-maxage`, else `max-age`, else `Expires` less `Date`, else a tenth of the age by `Last-Modified` (a day at most).
//! `no-store`, `no-cache` and `private` beside these change nothing; whatever is malformed means "not at all".

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

/// The moment until which an answer received at `now` is fresh; `None` if nothing (valid) is said.
pub(crate) fn fresh_until(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ages = parse_cache_control(header("cache-control"))?;
    let expires = parse_time(header("expires"));
    let date = match header("date") {
        "" => now,
        text => parse_time(text)?,
    };
    let last_modified = match header("last-modified") {
        "" => None,
        text => Some(parse_time(text)?),
    };
    let lifetime = if let Some(seconds) = ages.shared.or(ages.any) {
        SignedDuration::from_secs(seconds)
    } else if let Some(expires) = expires {
        expires.duration_since(date)
    } else {
        let tenth = now.duration_since(last_modified?) / 10;
        tenth.min(SignedDuration::from_hours(24))
    };
    now.checked_add(lifetime).ok()
}

/// Seconds.
#[derive(Default)]
struct Ages {
    /// `s-maxage`.
    shared: Option<i64>,
    /// `max-age`.
    any: Option<i64>,
}

/// `None` if a directive is malformed.
fn parse_cache_control(value: &str) -> Option<Ages> {
    let bytes = value.as_bytes();
    let is_space = |byte: u8| byte == b' ' || byte == b'\t';
    let mut ages = Ages::default();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_space(byte) || byte == b',' {
            at += 1;
            continue;
        }
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let end = at + 1 + rest.iter().take_while(|byte| is_token(**byte)).count();
        let name = value.get(at..end)?.to_ascii_lowercase();
        // An equals sign at the very end is not taken as one.
        if bytes.get(end) == Some(&b'=') && end + 1 < bytes.len() {
            let start = end + 1;
            let argument = if bytes.get(start) == Some(&b'"') {
                let (argument, length) = unquote(bytes.get(start..)?)?;
                at = start + length;
                argument
            } else {
                let lists_fields = name == "no-cache" || name == "private";
                let rest = bytes.get(start..)?;
                let ends = |byte: &u8| is_space(*byte) || (*byte == b',' && !lists_fields);
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                at = start + length;
                let argument = value.get(start..at)?;
                argument.strip_suffix(',').unwrap_or(argument).to_owned()
            };
            match name.as_str() {
                "max-age" => ages.any = Some(parse_seconds(&argument)?),
                "s-maxage" => ages.shared = Some(parse_seconds(&argument)?),
                "stale-if-error" | "stale-while-revalidate" => drop(parse_seconds(&argument)?),
                "must-revalidate" | "no-store" | "no-transform" | "public" | "proxy-revalidate"
                | "immutable" => return None,
                _ => {}
            }
        } else {
            if matches!(name.as_str(), "max-age" | "s-maxage" | "stale-if-error" | "stale-while-revalidate") {
                return None;
            }
            at = end;
        }
    }
    Some(ages)
}

/// `strconv.ParseUint` of 32 bits, capped at 2^31-1.
fn parse_seconds(text: &str) -> Option<i64> {
    const MOST: i64 = i32::MAX as i64;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse::<i64>().map_or(MOST, |seconds| seconds.min(MOST)))
}

/// RFC 2616's token characters.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte)
}

/// A quoted text and its length with the quotes; `None` without a closing quote.
fn unquote(raw: &[u8]) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        match raw.get(at)? {
            b'"' => return Some((text, at + 1)),
            b'\\' => {
                text.push(char::from(*raw.get(at + 1)?));
                at += 2;
            }
            byte => {
                text.push(char::from(*byte));
                at += 1;
            }
        }
    }
}

/// The three forms of RFC 9110 §5.6.7.
fn parse_time(text: &str) -> Option<Timestamp> {
    const FORMATS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    FORMATS.into_iter().find_map(|format| {
        let time = jiff::civil::DateTime::strptime(format, text).ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const NOW: &str = "2026-11-22T08:00:00Z";

    /// Seconds of freshness.
    fn freshness(headers: &[(&'static str, &'static str)]) -> Option<i64> {
        let now: Timestamp = NOW.parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        fresh_until(&headers, now).map(|until| until.duration_since(now).as_secs())
    }

    #[test]
    fn the_cache_control_header_decides_first() {
        for (value, seconds) in [
            ("max-age=600", Some(600)),
            ("MAX-AGE=600", Some(600)),
            ("max-age=\"600\"", Some(600)),
            ("public, max-age=600, must-revalidate, no-transform", Some(600)),
            ("no-store, max-age=600", Some(600)),
            ("private, no-cache, max-age=600", Some(600)),
            ("no-cache=set-cookie, max-age=600", Some(600)),
            ("max-age=600, s-maxage=60", Some(60)),
            ("max-age=600,s-maxage=0", Some(0)),
            ("max-age=99999999999999999999", Some(2_147_483_647)),
            ("max-age=3000000000", Some(2_147_483_647)),
            ("max-age=600, unknown=x, other", Some(600)),
            ("max-age=1, max-age=2", Some(2)),
            ("", None),
            ("no-cache", None),
            ("max-age", None),
            ("max-age=", None),
            ("max-age=-1", None),
            ("max-age=+1", None),
            ("max-age=1.5", None),
            ("max-age=ten", None),
            ("max-age=600, s-maxage=x", None),
            ("max-age=600, no-store=x", None),
            ("max-age=600, x=\"", None),
        ] {
            assert_eq!(freshness(&[("cache-control", value)]), seconds, "{value}");
        }
    }

    #[test]
    fn without_it_the_dates_do() {
        let expires = ("expires", "Sun, 22 Nov 2026 08:10:00 GMT");
        for (headers, seconds) in [
            (&[expires][..], Some(600)),
            (&[("expires", "Sunday, 22-Nov-26 08:10:00 GMT")], Some(600)),
            (&[("expires", "Sun Nov 22 08:10:00 2026")], Some(600)),
            (&[expires, ("date", "Sun, 22 Nov 2026 08:05:00 GMT")], Some(300)),
            (&[expires, ("date", "yesterday")], None),
            (&[expires, ("cache-control", "max-age=5")], Some(5)),
            (&[expires, ("last-modified", "junk")], None),
            (&[("expires", "0")], None),
            (&[("expires", "Sun, 22 Nov 2026 07:00:00 GMT")], Some(-3600)),
            (&[("last-modified", "Sun, 22 Nov 2026 07:00:00 GMT")], Some(360)),
            (&[("last-modified", "Mon, 22 Nov 2010 07:00:00 GMT")], Some(86_400)),
            (&[], None),
        ] {
            assert_eq!(freshness(headers), seconds, "{headers:?}");
        }
    }
}
