//! Small languages: Okta's filters and expressions, kubeconfig files, the headers of proxies.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::HeaderMap;
use jiff::Timestamp;
use kubesso_directory::{
    Application, ApplicationId, Email, Expression, Filter, Group, GroupId, GroupName, Label, Person, User,
    UserId, UserProfile,
};
use kubesso_https::{Proxies, ProxyHeader};
use kubesso_kubeconfig::{Document, Place};
use serde_json::{Value, json};

/// A filter that is read is the same when it is written and read again; it is true of something or not.
pub(crate) fn okta_filter(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(filter) = Filter::parse(text) else { return false };
    // Written with all its parentheses it may be longer or deeper than one may write. Numbers with exponents are read to the
    // last digit but one, as they are in the JSON that they are compared with.
    let written = filter.to_string();
    let has_exponent = written.contains("e+") || written.contains("e-");
    if let Ok(again) = Filter::parse(&written) {
        assert!(again == filter || has_exponent, "{again} is not {filter}");
    }
    let values = [json!("a"), json!(7), json!(true), json!("2026-11-22T08:00:00.000Z"), Value::Null];
    for value in values {
        filter.matches(&|_| Some(value.clone()));
    }
    filter.matches(&|_| None);
    true
}

/// An expression that is read has a value of bounded size, or an error; it is always the same.
pub(crate) fn okta_expression(data: &[u8]) -> bool {
    const LONGEST: usize = 64 * 1024;
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let expression = Expression::new(text);
    let (person, application) = (person(), application());
    let readable = expression.check();
    let value = expression.evaluate(&person, &application);
    assert_eq!(value, expression.evaluate(&person, &application));
    if value.is_ok() {
        assert!(readable.is_ok(), "it has a value, and cannot be kept: {readable:?}");
    }
    if let Ok(Value::String(text)) = &value {
        assert!(text.len() <= LONGEST, "{} bytes", text.len());
    }
    let _ = expression.check_condition();
    let _ = expression.condition(&person);
    let _ = expression.evaluate(None, &application);
    value.is_ok()
}

/// An edit changes what it is about, or nothing; what is secret is not shown.
pub(crate) fn kubeconfig(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(mut document) = Document::parse(text) else { return false };
    let _ = document.config();
    let place = Place::user("dev").key("token");
    let is_set = document.set(&place, "s3cret-of-the-target").is_ok();
    if is_set {
        let again = Document::parse(document.text()).expect("what was written is read");
        assert!(again.has(&place), "it is not there:\n{}", document.text());
        assert!(!format!("{document:?}").contains("s3cret-of-the-target"));
    } else {
        assert_eq!(document.text(), text, "a refused edit leaves everything");
    }
    let before = document.text().to_owned();
    if document.remove(&place).is_ok() {
        assert!(!document.has(&place));
        Document::parse(document.text()).expect("what was left is read");
    } else {
        assert_eq!(document.text(), before);
    }
    is_set
}

/// Whatever a stranger writes to the left, the hop that our proxy adds to the right is the client.
pub(crate) fn forwarded_header(data: &[u8]) -> bool {
    const PROXY: &str = "10.0.0.1";
    const CLIENT: &str = "198.51.100.1";
    let address = |text: &str| text.parse::<IpAddr>().expect("an address");
    let client = |header, name: &'static str, line: &[u8], peer: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_bytes(line).ok()?);
        let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
        Some(Proxies { trusted, header }.client(address(peer), &headers))
    };
    for (header, name, added) in [
        (ProxyHeader::XForwardedFor, "x-forwarded-for", CLIENT.to_owned()),
        (ProxyHeader::Forwarded, "forwarded", format!("for={CLIENT};proto=https")),
    ] {
        let strangers = client(header, name, data, "203.0.113.9");
        assert!(strangers.is_none_or(|found| found == address("203.0.113.9")), "a stranger is believed");
        let line = [data, b", ", added.as_bytes()].concat();
        let found = client(header, name, &line, PROXY);
        // A line that is not all ASCII is not read; then the proxy itself is all that is known.
        let readable = line.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t'));
        if readable {
            assert_eq!(found, Some(address(CLIENT)), "{name}: {}", String::from_utf8_lossy(&line));
        }
    }
    let said = client(ProxyHeader::Forwarded, "forwarded", data, PROXY);
    said.is_some_and(|said| said != address(PROXY))
}

fn person() -> Person {
    let mut profile =
        UserProfile::with_email(Email::parse("dev@example.com").expect("an address")).expect("a profile");
    profile.first_name = Some("Dev".to_owned());
    let other = json!({ "department": "IT", "level": 5, "contractor": false, "tags": ["a", "b"] });
    profile.other = other.as_object().cloned().unwrap_or_default();
    let group = Group::new(
        GroupId::parse("00g1").expect("an id"),
        GroupName::parse("k8s-admins").expect("a name"),
        "",
        Timestamp::UNIX_EPOCH,
    );
    Person {
        user: User::new(UserId::parse("00u1").expect("an id"), profile, Timestamp::UNIX_EPOCH),
        groups: vec![group],
        applications: BTreeSet::new(),
    }
}

fn application() -> Application {
    let id = ApplicationId::parse("0oa1").expect("an id");
    Application::native(id, Label::parse("k8s OIDC").expect("a label"), Vec::new(), Timestamp::UNIX_EPOCH)
}
