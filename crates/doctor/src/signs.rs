//! Recognising texts: each sign of the catalogue against a line.

use std::sync::OnceLock;

use regex::Regex;

use crate::catalogue;
use crate::facts::Facts;
use crate::row::{Row, Sign, Strength};

/// The longest part of a line that is shown again.
const LONGEST_SHOWN: usize = 240;

/// A row that a line speaks of.
#[derive(Clone, Debug)]
pub(crate) struct Recognised {
    pub(crate) row: &'static Row,
    pub(crate) strength: Strength,
    pub(crate) facts: Facts,
    /// The part of the line that says it.
    pub(crate) text: String,
}

/// A sign, with its regular expression as soon as somebody needed it: most never match anything.
struct Known {
    row: &'static Row,
    sign: &'static Sign,
    needle: String,
    regex: OnceLock<Option<Regex>>,
}

fn known() -> &'static [Known] {
    static KNOWN: OnceLock<Vec<Known>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let signs =
            catalogue::rows().into_iter().flat_map(|row| row.signs.iter().map(move |sign| (row, sign)));
        signs
            .map(|(row, sign)| Known {
                row,
                sign,
                needle: sign.needle.to_ascii_lowercase(),
                regex: OnceLock::new(),
            })
            .collect()
    })
}

/// Whether a line may speak of a row; `lower` is the line in small letters. Most lines of a log do not.
pub(crate) fn may_say_something(lower: &str) -> bool {
    known().iter().any(|known| lower.contains(&known.needle))
}

/// The rows that a line, already redacted, speaks of: each once, by its strongest sign.
pub(crate) fn recognise(line: &str) -> Vec<Recognised> {
    let lower = line.to_ascii_lowercase();
    let mut found: Vec<Recognised> = Vec::new();
    for known in known().iter().filter(|known| lower.contains(&known.needle)) {
        let better = |it: &Recognised| it.row.id == known.row.id && it.strength >= known.sign.strength;
        if found.iter().any(better) {
            continue;
        }
        let regex = known.regex.get_or_init(|| Regex::new(known.sign.pattern).ok());
        let Some(captures) = regex.as_ref().and_then(|regex| regex.captures(line)) else {
            continue;
        };
        let mut facts = Facts::default();
        for name in regex.iter().flat_map(Regex::capture_names).flatten() {
            if let Some(value) = captures.name(name) {
                facts.add(name, value.as_str());
            }
        }
        found.retain(|it| it.row.id != known.row.id);
        let text = shown(&captures[0]);
        found.push(Recognised { row: known.row, strength: known.sign.strength, facts, text });
    }
    found
}

pub(crate) fn shown(text: &str) -> String {
    let text = text.trim();
    let cut = text.char_indices().nth(LONGEST_SHOWN).map_or(text.len(), |(at, _)| at);
    if cut == text.len() { text.to_owned() } else { format!("{}…", &text[..cut]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_a_regular_expression() {
        for known in known() {
            if let Err(error) = Regex::new(known.sign.pattern) {
                panic!("{}: {error}", known.row.id);
            }
            // The line is looked at before escapes are taken out of it.
            assert!(!known.needle.contains(['"', '\'', '\\']), "{}: {}", known.row.id, known.needle);
        }
    }
}
