//! How long an answer may be kept (RFC 9111 §5.2.2).

use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, HeaderMap};

/// `max-age`; zero where the answer must not be kept, or where there are two that differ. Of directives that cannot be read
/// nothing is believed.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    for directive in lines.flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => {
                let digits = value.trim().trim_matches('"');
                // More than fits is for ever (§1.2.2); what is no number is not fresh (§4.2.1).
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let seconds = if is_number { digits.parse().unwrap_or(u64::from(u32::MAX)) } else { 0 };
                let age = Duration::from_secs(seconds.min(u64::from(u32::MAX)));
                if found.is_some_and(|found| found != age) {
                    return Some(Duration::ZERO);
                }
                found = Some(age);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, line.parse().unwrap());
        }
        max_age(&headers).map(|age| age.as_secs())
    }

    #[test]
    fn max_age_is_read_as_caches_read_it() {
        let most = u64::from(u32::MAX);
        for (lines, expected) in [
            (&[][..], None),
            (&["public"], None),
            (&["public, max-age=60"], Some(60)),
            (&["Max-Age = \"60\""], Some(60)),
            (&["public", "max-age=60", "max-age=60"], Some(60)),
            (&["max-age=60, max-age=61"], Some(0)),
            (&["max-age=60, no-store"], Some(0)),
            (&["no-cache"], Some(0)),
            (&["max-age"], Some(0)),
            (&["max-age=-1"], Some(0)),
            (&["max-age=99999999999999999999999"], Some(most)),
        ] {
            assert_eq!(of(lines), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_some_age_that_can_be_reckoned_with(line in "[ -~]{0,60}", age in any::<u64>()) {
            prop_assert!(of(&[&line]).is_none_or(|age| u32::try_from(age).is_ok()));
            let expected = age.min(u64::from(u32::MAX));
            prop_assert_eq!(of(&[&format!("x=\"{age}\", max-age={age}")]), Some(expected));
        }
    }
}
