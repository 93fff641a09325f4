//! Distinguished names of certificates' subjects, and their text (RFC 4514).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The names that attribute types have in texts, and their object identifiers: those of RFC 4514 §3 first, with which they
/// are written.
const TYPES: [(&str, &str); 20] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SN", "2.5.4.4"),
    ("serialNumber", "2.5.4.5"),
    ("title", "2.5.4.12"),
    ("businessCategory", "2.5.4.15"),
    ("postalCode", "2.5.4.17"),
    ("givenName", "2.5.4.42"),
    ("GN", "2.5.4.42"),
    ("organizationIdentifier", "2.5.4.97"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
    ("S", "2.5.4.8"),
];

/// Longer ones are nobody's.
const LONGEST: usize = 2048;

/// A distinguished name. Two are equal if they have the same values in the same order, letter by letter; how they are
/// written (names of types, escapes, spaces around separators) does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistinguishedName(
    /// The most specific first, as in texts; each a set of object identifiers with values.
    Vec<BTreeSet<(String, String)>>,
);

/// Why a text is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistinguishedNameError {
    /// No value in it.
    #[error("the distinguished name is empty")]
    Empty,
    /// Too long.
    #[error("the distinguished name is longer than {LONGEST} bytes")]
    TooLong,
    /// An attribute without `=`.
    #[error("in the distinguished name `{0}` is not of the form type=value")]
    NoValue(String),
    /// A type that is neither known by its name nor an object identifier.
    #[error(
        "in the distinguished name `{0}` is no attribute type that is known here: write its object identifier"
    )]
    UnknownType(String),
    /// What is escaped is not to be escaped so.
    #[error("in the distinguished name a backslash escapes nothing (RFC 4514 §2.4)")]
    Escape,
    /// `#` with the encoding of a value.
    #[error("in the distinguished name the value of {0} is encoded (#…): write it as text")]
    Encoded(String),
}

impl DistinguishedName {
    /// Reads a text of RFC 4514. Spaces around separators do not count.
    ///
    /// # Errors
    /// [`DistinguishedNameError`]: the first that is wrong.
    pub fn parse(text: &str) -> Result<Self, DistinguishedNameError> {
        if text.len() > LONGEST {
            return Err(DistinguishedNameError::TooLong);
        }
        if text.trim_matches(' ').is_empty() {
            return Err(DistinguishedNameError::Empty);
        }
        let mut names = vec![BTreeSet::new()];
        let mut rest = text;
        loop {
            let (attribute, separator, behind) = first_attribute(rest);
            let read = read_attribute(attribute)?;
            if let Some(last) = names.last_mut() {
                last.insert(read);
            }
            match separator {
                None => return Ok(Self(names)),
                Some(',') => names.push(BTreeSet::new()),
                Some(_) => {}
            }
            rest = behind;
        }
    }

    /// The subject of a certificate: its relative names in the order of the encoding, each with object identifiers and
    /// values. `None`: it has none.
    pub fn of_certificate(names: Vec<Vec<(String, String)>>) -> Option<Self> {
        let names: Vec<BTreeSet<_>> =
            names.into_iter().rev().map(|name| name.into_iter().collect()).collect();
        (!names.is_empty() && names.iter().all(|name| !name.is_empty())).then_some(Self(names))
    }
}

/// The first attribute of `text`, the separator behind it, and what is behind that.
fn first_attribute(text: &str) -> (&str, Option<char>, &str) {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | '+' => return (text.split_at(at).0, Some(character), text.split_at(at + 1).1),
            _ => {}
        }
    }
    (text, None, "")
}

fn read_attribute(text: &str) -> Result<(String, String), DistinguishedNameError> {
    let no_value = || DistinguishedNameError::NoValue(text.trim().to_owned());
    let (name, value) = text.split_once('=').ok_or_else(no_value)?;
    let name = name.trim_matches(' ');
    let is_identifier = name.contains('.')
        && name.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()));
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let identifier = match known {
        Some((_, identifier)) => (*identifier).to_owned(),
        None if is_identifier => name.to_owned(),
        None => return Err(DistinguishedNameError::UnknownType(name.to_owned())),
    };
    let value = value.trim_start_matches(' ');
    if value.starts_with('#') {
        return Err(DistinguishedNameError::Encoded(name.to_owned()));
    }
    Ok((identifier, unescaped(value)?))
}

/// Without escapes, and without the spaces at its end that are not escaped.
fn unescaped(text: &str) -> Result<String, DistinguishedNameError> {
    let mut bytes = Vec::with_capacity(text.len());
    // Up to where nothing is trimmed.
    let mut kept = 0;
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            bytes.push(*first);
            if *first != b' ' {
                kept = bytes.len();
            }
            continue;
        }
        let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match rest {
            [special, behind @ ..] if b" \"#+,;<=>\\".contains(special) => {
                bytes.push(*special);
                rest = behind;
            }
            [high, low, behind @ ..] => {
                let (high, low) = hex(high).zip(hex(low)).ok_or(DistinguishedNameError::Escape)?;
                bytes.push(high * 16 + low);
                rest = behind;
            }
            _ => return Err(DistinguishedNameError::Escape),
        }
        kept = bytes.len();
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).map_err(|_| DistinguishedNameError::Escape)
}

/// As RFC 4514 writes it.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            for (number, (identifier, value)) in name.iter().enumerate() {
                let separator = match (place, number) {
                    (0, 0) => "",
                    (_, 0) => ",",
                    _ => "+",
                };
                let known = TYPES.iter().find(|(_, known)| known == identifier);
                let name = known.map_or(identifier.as_str(), |(name, _)| name);
                write!(f, "{separator}{name}=")?;
                let last = value.chars().count().saturating_sub(1);
                for (at, character) in value.chars().enumerate() {
                    let at_an_end =
                        (at == 0 && matches!(character, ' ' | '#')) || (at == last && character == ' ');
                    if at_an_end || "\"+,;<=>\\".contains(character) {
                        f.write_str("\\")?;
                    }
                    if character == '\0' { f.write_str("\\00")? } else { write!(f, "{character}")? }
                }
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for DistinguishedName {
    type Error = DistinguishedNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<DistinguishedName> for String {
    fn from(name: DistinguishedName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate(names: &[&[(&str, &str)]]) -> DistinguishedName {
        let owned = |(identifier, value): &(&str, &str)| ((*identifier).to_owned(), (*value).to_owned());
        let names = names.iter().map(|name| name.iter().map(owned).collect());
        DistinguishedName::of_certificate(names.collect()).unwrap()
    }

    #[test]
    fn the_examples_of_the_specification_are_the_names_that_they_stand_for() {
        let (dc, uid) = ("0.9.2342.19200300.100.1.25", "0.9.2342.19200300.100.1.1");
        let cases = [
            (
                "UID=jsmith,DC=example,DC=net",
                certificate(&[&[(dc, "net")], &[(dc, "example")], &[(uid, "jsmith")]]),
            ),
            (
                "OU=Sales+CN=J.  Smith,DC=example,DC=net",
                certificate(&[
                    &[(dc, "net")],
                    &[(dc, "example")],
                    &[("2.5.4.3", "J.  Smith"), ("2.5.4.11", "Sales")],
                ]),
            ),
            (
                r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#,
                certificate(&[
                    &[(dc, "net")],
                    &[(dc, "example")],
                    &[("2.5.4.3", "James \"Jim\" Smith, III")],
                ]),
            ),
            (
                r"CN=Before\0dAfter,DC=example,DC=net",
                certificate(&[&[(dc, "net")], &[(dc, "example")], &[("2.5.4.3", "Before\rAfter")]]),
            ),
            (r"CN=Lu\C4\8Di\C4\87", certificate(&[&[("2.5.4.3", "Lučić")]])),
            (
                "cn = app , o = Example Inc ",
                certificate(&[&[("2.5.4.10", "Example Inc")], &[("2.5.4.3", "app")]]),
            ),
            ("2.5.4.3=a=b", certificate(&[&[("2.5.4.3", "a=b")]])),
            (r"CN=\ a\ ", certificate(&[&[("2.5.4.3", " a ")]])),
        ];
        for (text, expected) in cases {
            let parsed = DistinguishedName::parse(text).unwrap();
            assert_eq!(parsed, expected, "{text}");
            assert_eq!(DistinguishedName::parse(&parsed.to_string()).unwrap(), parsed, "{text}");
        }
        for (one, other) in
            [("CN=a,O=b", "O=b,CN=a"), ("CN=a", "CN=A"), ("CN=a", "CN=a,O=b"), ("CN=a+O=b", "CN=a,O=b")]
        {
            assert_ne!(DistinguishedName::parse(one), DistinguishedName::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_distinguished_name_is_refused_with_the_reason() {
        let long = format!("CN={}", "x".repeat(LONGEST));
        for (text, says) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("CN", "`CN` is not of the form"),
            ("CN=a,", "`` is not of the form"),
            ("CN=a,,O=b", "`` is not of the form"),
            ("XY=a", "`XY` is no attribute type"),
            ("1..2=a", "is no attribute type"),
            (r"CN=a\", "escapes nothing"),
            (r"CN=a\x", "escapes nothing"),
            (r"CN=a\zz", "escapes nothing"),
            (r"CN=\ff", "escapes nothing"),
            ("CN=#0c0161", "is encoded"),
            (&long, "longer than"),
        ] {
            let error = DistinguishedName::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert_eq!(DistinguishedName::of_certificate(Vec::new()), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = DistinguishedName::parse(&text);
        }

        #[test]
        fn what_is_written_is_read_as_the_same(names in prop::collection::vec(
            prop::collection::vec(("(2\\.5\\.4\\.(3|10|42|99))", any::<String>()), 1..3), 1..4
        )) {
            let name = DistinguishedName::of_certificate(names).unwrap();
            let text = name.to_string();
            prop_assume!(text.len() <= LONGEST);
            prop_assert_eq!(DistinguishedName::parse(&text).unwrap(), name);
        }
    }
}
