//! Field selectors: `metadata.name=a,status.phase!=Running`.

use super::SelectorError;

/// Terms that must all hold, sorted by their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// E.g. `metadata.name`; never trimmed.
    pub field: String,
    /// Equal or not.
    pub operator: FieldOperator,
    /// Unescaped.
    pub value: String,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldOperator {
    /// `=` or `==`
    Equals,
    /// `!=`
    NotEquals,
}

impl FieldSelector {
    /// Reads a selector; the empty text selects all. `\\`, `\,` and `\=` are escapes within values.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, operator, value)) = split_term(part) else {
                return Err(SelectorError(format!("invalid selector: '{text}'; can't understand '{part}'")));
            };
            let value = unescape(value)?;
            if !(field.is_empty() && value.is_empty()) {
                terms.push(FieldTerm { field: field.to_owned(), operator, value });
            }
        }
        Ok(Self { terms })
    }

    /// The comparisons.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// The value that the field must have, if a term says so; the first of several.
    pub fn requires_exact_match(&self, field: &str) -> Option<&str> {
        let mut equal = self.terms.iter().filter(|term| term.operator == FieldOperator::Equals);
        equal.find(|term| term.field == field).map(|term| term.value.as_str())
    }

    /// Whether all terms hold; `value` gives a field's value, empty for an unknown one.
    pub fn matches<'a>(&self, value: impl Fn(&str) -> &'a str) -> bool {
        self.terms
            .iter()
            .all(|term| (value(&term.field) == term.value) == (term.operator == FieldOperator::Equals))
    }
}

/// At commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let splits = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
    .collect()
}

/// At the first operator; the longer one where two begin.
fn split_term(term: &str) -> Option<(&str, FieldOperator, &str)> {
    let operators =
        [("!=", FieldOperator::NotEquals), ("==", FieldOperator::Equals), ("=", FieldOperator::Equals)];
    term.char_indices().find_map(|(position, _)| {
        let (field, rest) = term.split_at(position);
        operators
            .into_iter()
            .find_map(|(text, operator)| rest.strip_prefix(text).map(|value| (field, operator, value)))
    })
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    let message = format!("invalid field selector: invalid escape sequence: \\{other}");
                    return Err(SelectorError(message));
                }
            },
            ',' | '=' => {
                // Upstream prints the character's number.
                let number = u32::from(c);
                let message = format!("invalid field selector: unescaped character in value: {number}");
                return Err(SelectorError(message));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_split_sorted_and_unescaped() {
        let show = |text: &str| match FieldSelector::parse(text) {
            Ok(selector) => format!(
                "{:?}",
                selector.terms.iter().map(|t| (&*t.field, t.operator, &*t.value)).collect::<Vec<_>>()
            ),
            Err(error) => error.to_string(),
        };
        for (text, expected) in [
            ("", "[]"),
            (",,", "[]"),
            ("b=2,a!=1", r#"[("a", NotEquals, "1"), ("b", Equals, "2")]"#),
            ("a==1", r#"[("a", Equals, "1")]"#),
            ("a=\\,\\=\\\\", r#"[("a", Equals, ",=\\")]"#),
            ("=", "[]"),
            ("=x", r#"[("", Equals, "x")]"#),
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
            ("a=x\\", "invalid field selector: invalid escape sequence: \\"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn all_terms_must_hold() {
        let selector = FieldSelector::parse("metadata.name=a,metadata.namespace!=b").unwrap();
        let with = |namespace: &'static str| {
            selector.matches(move |field| if field == "metadata.name" { "a" } else { namespace })
        };
        assert!(with("c") && !with("b"));
    }
}
