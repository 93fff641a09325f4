//! The stable name of a check: `KS001` … `KS066`.

use std::fmt;
use std::str::FromStr;

/// The number of checks.
pub(crate) const COUNT: u8 = 66;

/// The name of a check. It never changes its meaning; scripts and tickets may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(u8);

impl CheckId {
    /// For the catalogue, where each number is written once; a test holds that they are 1 to 66.
    pub(crate) const fn new(number: u8) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KS{:03}", self.0)
    }
}

impl serde::Serialize for CheckId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text looks like a check's name, and no check has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {0}; they are KS001 to KS066, and `kubesso doctor list` shows them")]
pub struct NoSuchCheck(String);

/// A text does not even look like a check's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a check")]
pub struct NotAName;

impl CheckId {
    /// `text` as a name: in any case, with or without leading zeros. `None` if it is something else, an error's text say.
    ///
    /// # Errors
    /// It is written like a name, and nothing has it.
    pub fn recognise(text: &str) -> Result<Option<Self>, NoSuchCheck> {
        let text = text.trim();
        match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(NotAName) if is_written_like_one(text) => Err(NoSuchCheck(text.to_owned())),
            Err(NotAName) => Ok(None),
        }
    }
}

impl FromStr for CheckId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let digits = is_written_like_one(text).then(|| &text[2..]).ok_or(NotAName)?;
        match digits.parse() {
            Ok(number @ 1..=COUNT) => Ok(Self(number)),
            _ => Err(NotAName),
        }
    }
}

fn is_written_like_one(text: &str) -> bool {
    let (Some(letters), Some(digits)) = (text.get(..2), text.get(2..)) else {
        return false;
    };
    letters.eq_ignore_ascii_case("ks")
        && (1..=4).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_any_case_and_with_fewer_zeros() {
        for text in ["KS013", "ks013", "KS13", " ks0013 "] {
            assert_eq!(CheckId::recognise(text), Ok(Some(CheckId(13))), "{text}");
        }
        assert_eq!(CheckId(13).to_string(), "KS013");
    }

    #[test]
    fn a_name_that_nothing_has_is_an_error_and_a_text_is_a_text() {
        for text in ["KS000", "KS067", "ks9999"] {
            assert!(CheckId::recognise(text).is_err(), "{text}");
        }
        for text in ["Unauthorized", "KS", "KS01 failed", "", "kß13", "KS99999"] {
            assert_eq!(CheckId::recognise(text), Ok(None), "{text}");
        }
    }
}
