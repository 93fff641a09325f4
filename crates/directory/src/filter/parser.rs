//! Reads the text of a filter.

use serde_json::{Number, Value};

use super::{AttributePath, Comparison, DEEPEST, Filter, FilterSyntaxError, LONGEST, Literal, MOST_TERMS};

pub(super) fn parse(text: &str) -> Result<Filter, FilterSyntaxError> {
    if text.len() > LONGEST {
        return Err(FilterSyntaxError::TooLong);
    }
    let mut parser = Parser { text, at: 0, terms: 0 };
    let filter = parser.any_of(0)?;
    parser.skip_space();
    if parser.at < text.len() { Err(parser.expected("`and`, `or` or the end")) } else { Ok(filter) }
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    /// `a or b or c`
    fn any_of(&mut self, depth: usize) -> Result<Filter, FilterSyntaxError> {
        let mut all = vec![self.all_of(depth)?];
        while self.takes_word("or") {
            all.push(self.all_of(depth)?);
        }
        Ok(single(all, Filter::Or))
    }

    /// `a and b and c`
    fn all_of(&mut self, depth: usize) -> Result<Filter, FilterSyntaxError> {
        let mut all = vec![self.term(depth)?];
        while self.takes_word("and") {
            all.push(self.term(depth)?);
        }
        Ok(single(all, Filter::And))
    }

    fn term(&mut self, depth: usize) -> Result<Filter, FilterSyntaxError> {
        if depth > DEEPEST {
            return Err(FilterSyntaxError::TooDeep);
        }
        let before = self.at;
        if self.takes_word("not") {
            if self.takes('(') {
                let inner = self.any_of(depth + 1)?;
                self.close()?;
                return Ok(Filter::Not(Box::new(inner)));
            }
            // An attribute that is called so.
            self.at = before;
        }
        if self.takes('(') {
            let inner = self.any_of(depth + 1)?;
            self.close()?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, FilterSyntaxError> {
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(FilterSyntaxError::TooManyTerms);
        }
        let word = self.word();
        if word.is_empty() {
            return Err(self.expected("an attribute"));
        }
        let attribute = AttributePath::parse(word)?;
        let before = self.at;
        let operator = self.word().to_ascii_lowercase();
        if operator == "pr" {
            return Ok(Filter::Present(attribute));
        }
        let Some(operator) = Comparison::ALL.into_iter().find(|known| known.as_str() == operator) else {
            self.at = before;
            self.skip_space();
            return Err(self.expected("eq, ne, co, sw, ew, gt, ge, lt, le or pr"));
        };
        Ok(Filter::Compare { attribute, operator, value: self.literal()? })
    }

    fn literal(&mut self) -> Result<Literal, FilterSyntaxError> {
        self.skip_space();
        let expected = "a text in quotation marks, a number, true, false or null";
        let rest = &self.text[self.at..];
        if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            let Some(Ok(Value::String(text))) = values.next() else { return Err(self.expected(expected)) };
            self.at += values.byte_offset();
            return Ok(Literal::Text(text));
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == ')').unwrap_or(rest.len());
        let word = &rest[..end];
        let literal = match word.to_ascii_lowercase().as_str() {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            "null" => Literal::Null,
            _ => match serde_json::from_str::<Number>(word) {
                Ok(number) => Literal::Number(number),
                Err(_) => return Err(self.expected(expected)),
            },
        };
        self.at += end;
        Ok(literal)
    }

    /// The characters up to space, a parenthesis or a quotation mark.
    fn word(&mut self) -> &'a str {
        self.skip_space();
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        let before = self.at;
        let found = self.word().eq_ignore_ascii_case(wanted);
        if !found {
            self.at = before;
        }
        found
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.text[self.at..].starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn close(&mut self) -> Result<(), FilterSyntaxError> {
        if self.takes(')') { Ok(()) } else { Err(self.expected("`and`, `or` or `)`")) }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn expected(&self, expected: &'static str) -> FilterSyntaxError {
        FilterSyntaxError::Unexpected { position: self.text[..self.at].chars().count() + 1, expected }
    }
}

fn single(mut all: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    if all.len() == 1 { all.swap_remove(0) } else { join(all) }
}
