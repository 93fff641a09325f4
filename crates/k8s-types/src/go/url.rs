//! `net/url` of Go 1.26, as far as an issuer's URL is checked with it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::quote;

/// The parts of a URL that are asked about.
#[derive(Debug, PartialEq, Eq)]
pub struct GoUrl {
    /// In lower case; empty if there is none.
    pub scheme: String,
    /// Whether something stands before an `@`.
    pub has_user: bool,
    /// A question mark with nothing after it is no query.
    pub has_query: bool,
    /// A hash with nothing after it is no fragment.
    pub has_fragment: bool,
}

/// `url.Parse`.
///
/// # Errors
/// Go's own words.
pub fn parse(text: &str) -> Result<GoUrl, String> {
    let (without_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
    let failed = |shown: &str, why: String| format!("parse {}: {why}", quote(shown));
    let mut url = parse_without_fragment(without_fragment).map_err(|why| failed(without_fragment, why))?;
    check_escapes(fragment, Part::Other).map_err(|why| failed(text, why))?;
    url.has_fragment = !fragment.is_empty();
    Ok(url)
}

fn parse_without_fragment(text: &str) -> Result<GoUrl, String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = split_scheme(text)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut url = GoUrl {
        scheme: scheme.to_ascii_lowercase(),
        has_user: false,
        has_query: !query.is_empty(),
        has_fragment: false,
    };
    if text == "*" {
        return Ok(url);
    }
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(url);
        }
        if rest.split('/').next().unwrap_or_default().contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let mut path = rest;
    if let Some(after) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !rest.starts_with("///"))
    {
        let (authority, after) =
            after.split_at_checked(after.find('/').unwrap_or(after.len())).unwrap_or((after, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        check_host(host)?;
        if let Some(user) = user {
            if !user.chars().all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c)) {
                return Err("net/url: invalid userinfo".to_owned());
            }
            check_escapes(user, Part::Other)?;
            url.has_user = true;
        }
        path = after;
    }
    check_escapes(path, Part::Other)?;
    Ok(url)
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())),
            _ => break,
        }
    }
    Ok(("", text))
}

fn check_host(host: &str) -> Result<(), String> {
    let check_port = |port: &str| {
        let digits = port.strip_prefix(':');
        if port.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(());
        }
        Err(format!("invalid port {} after host", quote(port)))
    };
    match host.rfind('[') {
        Some(0) => {
            let Some((address, port)) = host.get(1..).and_then(|host| host.rsplit_once(']')) else {
                return Err("missing ']' in host".to_owned());
            };
            check_port(port)?;
            let (address, zone) = address
                .split_at_checked(address.find("%25").unwrap_or(address.len()))
                .unwrap_or((address, ""));
            check_escapes(address, Part::Host)?;
            check_escapes(zone, Part::Zone)?;
            if address.parse::<Ipv4Addr>().is_ok() {
                return Err("invalid IP-literal".to_owned());
            }
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(format!("invalid host: ParseAddr({}): unable to parse IP", quote(address)));
            }
            Ok(())
        }
        Some(_) => Err("invalid IP-literal".to_owned()),
        None => {
            // Only the first colon may begin a port; the strict reading is for http and https, which is all that is
            // accepted in the end.
            if let Some(colon) = host.find(':') {
                check_port(host.get(colon..).unwrap_or_default())?;
            }
            check_escapes(host, Part::Host)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Zone,
    Other,
}

/// `unescape`, for its errors.
fn check_escapes(text: &str, part: Part) -> Result<(), String> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let shown = String::from_utf8_lossy(bytes.get(at..bytes.len().min(at + 3)).unwrap_or_default())
                .into_owned();
            let refused = || Err(format!("invalid URL escape {}", quote(&shown)));
            let (Some(high), Some(low)) = (hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) else {
                return refused();
            };
            let escaped = u8::try_from(high << 4 | low).unwrap_or_default();
            let allowed = match part {
                Part::Host => high >= 8 || shown == "%25",
                Part::Zone => shown == "%25" || escaped == b' ' || may_stand_in_host(escaped),
                Part::Other => true,
            };
            if !allowed {
                return refused();
            }
            at += 3;
        } else {
            if part != Part::Other && byte < 0x80 && !may_stand_in_host(byte) {
                return Err(format!(
                    "invalid character {} in host name",
                    quote(&char::from(byte).to_string())
                ));
            }
            at += 1;
        }
    }
    Ok(())
}

fn may_stand_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_parts_are_found() {
        let url = parse("HTTPS://user:pass@host:1/path?query#fragment").unwrap();
        assert_eq!(
            url,
            GoUrl { scheme: "https".to_owned(), has_user: true, has_query: true, has_fragment: true }
        );
        for plain in
            ["https://host", "https://[::1]:8443/a", "https://host/?", "https://host/#", "https://h%c3%a9"]
        {
            let url = parse(plain).unwrap();
            assert!(url.scheme == "https" && !url.has_user && !url.has_query && !url.has_fragment, "{plain}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z:/@%#?\\[\\]0-9é ]{0,20}") {
            let _ = parse(&text);
        }
    }
}
