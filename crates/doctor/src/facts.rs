//! What was found of a name, and lines that speak of it.

use std::collections::BTreeMap;

use kubesso_clusters::{Target, flag_line};

use crate::place::heading;
use crate::row::{Compared, Mend, Row};

/// What a text, or the evidence, gives: a name (`expected`, `claim`, `host` …) with its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Facts(BTreeMap<String, Vec<String>>);

impl Facts {
    /// Adds what a log says of `name`: a text, or a list as Go writes it (`["a" "b"]`).
    pub(crate) fn add(&mut self, name: &str, said: &str) {
        self.0.insert(name.to_owned(), values(said));
    }

    /// Adds what a check says: values between commas.
    pub(crate) fn add_list(&mut self, name: &str, said: &str) {
        self.0.insert(name.to_owned(), said.split(", ").map(str::to_owned).collect());
    }

    /// The values.
    pub fn of(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The values on one line; what is empty is shown as such.
    pub fn shown(&self, name: &str) -> Option<String> {
        let values = self.of(name)?;
        Some(match values {
            [] => "(nothing)".to_owned(),
            [only] if only.is_empty() => "\"\"".to_owned(),
            several => several.join(", "),
        })
    }

    /// Takes what the other has and this one lacks.
    pub(crate) fn complete_with(&mut self, other: &Self) {
        for (name, values) in &other.0 {
            self.0.entry(name.clone()).or_insert_with(|| values.clone());
        }
    }

    /// Names with their values, but for the two that stand side by side.
    pub fn besides_the_pair(&self) -> impl Iterator<Item = (&str, String)> {
        let names = self.0.keys().filter(|name| !["expected", "got"].contains(&name.as_str()));
        names.filter_map(|name| Some((name.as_str(), self.shown(name)?)))
    }

    /// Fills `{name}` in: by the first value, or by words for what is meant.
    pub fn fill(&self, template: &str, compares: Option<Compared>) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (before, behind) = rest.split_at(open);
            filled.push_str(before);
            let name = behind[1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
            let Some(name) = name else {
                filled.push('{');
                rest = &behind[1..];
                continue;
            };
            match (self.of(name).and_then(<[String]>::first), compares) {
                (Some(value), _) if !value.is_empty() => filled.push_str(value),
                (_, Some(words)) if name == "expected" => filled.extend(["<", words.expected, ">"]),
                (_, Some(words)) if name == "got" => filled.extend(["<", words.got, ">"]),
                _ => filled.extend(["<", name, ">"]),
            }
            rest = &behind[name.len() + 2..];
        }
        filled.push_str(rest);
        filled
    }

    /// The mends of a row with what was found filled in; flags as `target` has them.
    pub fn mends(&self, row: &Row, target: Target) -> Vec<FilledMend> {
        let fill = |text| self.fill(text, row.compares);
        row.mends
            .iter()
            .map(|mend| match *mend {
                Mend::Flag { name, value } => {
                    FilledMend { at: heading(target).to_owned(), line: flag_line(target, name, &fill(value)) }
                }
                Mend::Authentication { yaml } => {
                    FilledMend { at: "AuthenticationConfiguration".to_owned(), line: fill(yaml) }
                }
                Mend::At { place, line } => FilledMend { at: place.name().to_owned(), line: fill(line) },
            })
            .collect()
    }
}

/// Something to change, ready to be copied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FilledMend {
    /// Where.
    #[serde(rename = "where")]
    pub at: String,
    /// What.
    pub line: String,
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn values(said: &str) -> Vec<String> {
    let said = said.trim();
    let Some(list) = said.strip_prefix('[') else {
        let quoted = said.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        return vec![quoted.unwrap_or(said).to_owned()];
    };
    let list = list.strip_suffix(']').unwrap_or(list);
    if list.contains('"') {
        return list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    }
    list.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::compared;

    #[test]
    fn lists_are_read_as_go_writes_them() {
        for (said, expected) in [
            (r#"["a" "b c"]"#, &["a", "b c"][..]),
            ("[a b]", &["a", "b"]),
            (r#""kubernetes""#, &["kubernetes"]),
            (r#"claims.hd == "x""#, &[r#"claims.hd == "x""#]),
            ("[]", &[]),
            ("plain", &["plain"]),
            ("", &[""]),
            (r#"["cut off"#, &["cut off"]),
        ] {
            assert_eq!(values(said), expected, "{said}");
        }
    }

    #[test]
    fn what_is_not_known_is_named_and_braces_of_yaml_stay() {
        let mut facts = Facts::default();
        facts.add("got", r#"["headlamp" "x"]"#);
        let words = Some(compared("the API server's", "the token's"));
        let filled =
            facts.fill("issuer: {audiences: [\"{expected}\", \"{got}\"]} {claim} %{http_code} {", words);
        assert_eq!(
            filled,
            "issuer: {audiences: [\"<the API server's>\", \"headlamp\"]} <claim> %{http_code} {"
        );
    }
}
