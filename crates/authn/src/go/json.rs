//! `encoding/json` of Go: which texts are JSON, what is said about others, and how values are read from it.
//!
//! go-jose carries an old copy of the same package; the two differ in what they do with the values (case of names,
//! duplicates), not in what they read.

use std::borrow::Cow;

use kubesso_k8s_types::go::quote;

/// One valid JSON value, as its bytes without surrounding white space. Children are found by scanning, so no nesting can
/// exhaust the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Json<'a>(&'a [u8]);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// How Go's messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

impl<'a> Json<'a> {
    /// Checks that `text` is one JSON value; the error is Go's.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, String> {
        check(text)?;
        Ok(Self(trim(text)))
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0.first() {
            Some(b'n') => Kind::Null,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// The bytes as they stand in the document.
    pub(crate) fn raw(self) -> &'a [u8] {
        self.0
    }

    /// The bytes as text, for numbers and messages.
    pub(crate) fn text(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    /// The content of a string; `None` for anything else. Invalid UTF-8 and lone surrogates become U+FFFD.
    pub(crate) fn string(self) -> Option<String> {
        (self.kind() == Kind::String).then(|| unquote(self.0))
    }

    /// Name and value of each member of an object, in order, duplicates and all; nothing for anything else.
    pub(crate) fn members(self) -> impl Iterator<Item = (String, Json<'a>)> {
        let mut rest = inside(self.0, b'{');
        std::iter::from_fn(move || {
            let (name, after) = next_value(rest)?;
            let (value, after) = next_value(skip_separator(after))?;
            rest = skip_separator(after);
            Some((unquote(name), Json(value)))
        })
    }

    /// The elements of an array; nothing for anything else.
    pub(crate) fn elements(self) -> impl Iterator<Item = Json<'a>> {
        let mut rest = inside(self.0, b'[');
        std::iter::from_fn(move || {
            let (value, after) = next_value(rest)?;
            rest = skip_separator(after);
            Some(Json(value))
        })
    }
}

/// Whether `encoding/json` stores a member of this name in a struct field of that (ASCII) name: equal but for simple case
/// folding, under which U+017F is an `s` and U+212A a `k`.
pub(crate) fn names_field(member: &str, field: &str) -> bool {
    let folded = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    member.chars().map(folded).eq(field.chars().map(|c| c.to_ascii_lowercase()))
}

/// `json: cannot unmarshal number into Go value of type string`.
pub(crate) fn wrong_type(value: Json<'_>, into: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {into}", value.kind().name())
}

/// `json: cannot unmarshal number into Go struct field idToken.iss of type string`.
pub(crate) fn wrong_field_type(value: Json<'_>, field: &str, into: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field {field} of type {into}", value.kind().name())
}

/// Decodes into a Go `string`: null leaves it empty.
pub(crate) fn to_string(value: Json<'_>) -> Result<String, String> {
    match value.kind() {
        Kind::Null => Ok(String::new()),
        _ => value.string().ok_or_else(|| wrong_type(value, "string")),
    }
}

/// Decodes into a Go `bool`: null leaves it false.
pub(crate) fn to_bool(value: Json<'_>) -> Result<bool, String> {
    match value.kind() {
        Kind::Null => Ok(false),
        Kind::Bool(value) => Ok(value),
        _ => Err(wrong_type(value, "bool")),
    }
}

/// Decodes into a Go `[]string`: null gives none.
pub(crate) fn to_strings(value: Json<'_>) -> Result<Vec<String>, String> {
    match value.kind() {
        Kind::Null => Ok(Vec::new()),
        Kind::Array => value.elements().map(to_string).collect(),
        _ => Err(wrong_type(value, "[]string")),
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// What follows the opening bracket, if `value` opens with it.
fn inside(value: &[u8], bracket: u8) -> &[u8] {
    match value {
        [first, rest @ ..] if *first == bracket => trim(rest),
        _ => &[],
    }
}

fn skip_separator(text: &[u8]) -> &[u8] {
    match trim(text) {
        [b',' | b':', rest @ ..] => trim(rest),
        text => text,
    }
}

/// The value at the start of valid JSON, and what follows; `None` at a closing bracket.
fn next_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at += string_length(text.get(at..)?),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => break,
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            break;
        }
    }
    (at > 0).then(|| text.split_at_checked(at)).flatten()
}

/// Length of the string literal at the start, quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn unquote(literal: &[u8]) -> String {
    let [b'"', content @ .., b'"'] = literal else { return String::new() };
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    loop {
        let plain = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
        let (text, escaped) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        push_lossy(&mut out, text);
        match escaped {
            [b'\\', b'u', after @ ..] => rest = push_unicode_escape(&mut out, after),
            [b'\\', letter, after @ ..] => {
                out.push(match letter {
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    other => char::from(*other),
                });
                rest = after;
            }
            _ => return out,
        }
    }
}

/// Every byte that is not part of a valid character becomes a U+FFFD of its own.
fn push_lossy(out: &mut String, mut text: &[u8]) {
    loop {
        match std::str::from_utf8(text) {
            Ok(valid) => return out.push_str(valid),
            Err(error) => {
                let (valid, rest) = text.split_at_checked(error.valid_up_to()).unwrap_or((&[], text));
                out.push_str(&String::from_utf8_lossy(valid));
                out.push(char::REPLACEMENT_CHARACTER);
                text = rest.get(1..).unwrap_or_default();
            }
        }
    }
}

/// Reads the four digits (and the escape that completes a surrogate pair); returns what follows.
fn push_unicode_escape<'a>(out: &mut String, after: &'a [u8]) -> &'a [u8] {
    let unit = |text: &[u8]| {
        let digits = std::str::from_utf8(text.get(..4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(after).unwrap_or(0xfffd);
    let rest = after.get(4..).unwrap_or_default();
    let second = match rest {
        [b'\\', b'u', low @ ..] => unit(low),
        _ => None,
    };
    let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    let (character, rest) = match (char::from_u32(u32::from(first)), pair) {
        (Some(character), _) => (character, rest),
        (None, Some(character)) => (character, rest.get(6..).unwrap_or_default()),
        (None, None) => (char::REPLACEMENT_CHARACTER, rest),
    };
    out.push(character);
    rest
}

/// Go's scanner (src/encoding/json/scanner.go), state by state, for the sake of its messages.
fn check(text: &[u8]) -> Result<(), String> {
    const MAX_DEPTH: usize = 10_000;
    // At the end Go feeds one space, which is what literals cut short complain about.
    let mut scanner = Scanner { text, at: 0 };
    let mut open: Vec<u8> = Vec::new();
    let mut expect_value = true;
    loop {
        if expect_value {
            let byte = scanner.next_token()?;
            match byte {
                b'{' | b'[' => {
                    open.push(byte);
                    if open.len() > MAX_DEPTH {
                        return Err(invalid(byte, "exceeded max depth"));
                    }
                    let first = scanner.peek_token()?;
                    if byte == b'{' {
                        if first == b'}' {
                            scanner.at += 1;
                            open.pop();
                        } else {
                            scanner.object_key()?;
                            continue;
                        }
                    } else if first == b']' {
                        scanner.at += 1;
                        open.pop();
                    } else {
                        continue;
                    }
                }
                b'"' => scanner.string()?,
                b'-' | b'0'..=b'9' => scanner.number(byte)?,
                b't' => scanner.literal(b"true")?,
                b'f' => scanner.literal(b"false")?,
                b'n' => scanner.literal(b"null")?,
                _ => return Err(invalid(byte, "looking for beginning of value")),
            }
        }
        // After a value.
        let Some(bracket) = open.last() else {
            return match scanner.skip_space() {
                None => Ok(()),
                Some(byte) => Err(invalid(byte, "after top-level value")),
            };
        };
        let byte = scanner.next_token()?;
        expect_value = true;
        match (bracket, byte) {
            (b'{', b',') => scanner.object_key()?,
            (b'[', b',') => {}
            (b'{', b'}') | (b'[', b']') => {
                open.pop();
                expect_value = false;
            }
            (b'{', _) => return Err(invalid(byte, "after object key:value pair")),
            _ => return Err(invalid(byte, "after array element")),
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !is_space(byte) {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn peek_token(&mut self) -> Result<u8, String> {
        self.skip_space().ok_or_else(unexpected_end)
    }

    fn next_token(&mut self) -> Result<u8, String> {
        let byte = self.peek_token()?;
        self.at += 1;
        Ok(byte)
    }

    /// A name and its colon.
    fn object_key(&mut self) -> Result<(), String> {
        match self.next_token()? {
            b'"' => self.string()?,
            byte => return Err(invalid(byte, "looking for beginning of object key string")),
        }
        match self.next_token()? {
            b':' => Ok(()),
            byte => Err(invalid(byte, "after object key")),
        }
    }

    /// What follows an opening quote.
    fn string(&mut self) -> Result<(), String> {
        loop {
            let byte = *self.text.get(self.at).ok_or_else(unexpected_end)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(()),
                b'\\' => {
                    let escape = self.in_literal();
                    self.at += 1;
                    match escape {
                        b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                        b'u' => {
                            for _ in 0..4 {
                                let digit = self.in_literal();
                                if !digit.is_ascii_hexdigit() {
                                    return Err(invalid(digit, "in \\u hexadecimal character escape"));
                                }
                                self.at += 1;
                            }
                        }
                        other => return Err(invalid(other, "in string escape code")),
                    }
                }
                0..0x20 => return Err(invalid(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        let mut leading = first;
        if first == b'-' {
            leading = self.in_literal();
            if !leading.is_ascii_digit() {
                return Err(invalid(leading, "in numeric literal"));
            }
            self.at += 1;
        }
        if leading != b'0' {
            self.digits();
        }
        if self.in_literal() == b'.' {
            self.at += 1;
            let digit = self.in_literal();
            if !digit.is_ascii_digit() {
                return Err(invalid(digit, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.in_literal(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.in_literal(), b'+' | b'-') {
                self.at += 1;
            }
            let digit = self.in_literal();
            if !digit.is_ascii_digit() {
                return Err(invalid(digit, "in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.in_literal().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// The rest of `word`, whose first letter was read.
    fn literal(&mut self, word: &'static [u8]) -> Result<(), String> {
        for expected in word.iter().skip(1) {
            let byte = self.in_literal();
            if byte != *expected {
                let word = String::from_utf8_lossy(word);
                let context = format!("in literal {word} (expecting '{}')", char::from(*expected));
                return Err(invalid(byte, &context));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The present byte, or the space that Go feeds at the end.
    fn in_literal(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }
}

fn unexpected_end() -> String {
    "unexpected end of JSON input".to_owned()
}

fn invalid(byte: u8, context: &str) -> String {
    let quoted = match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        byte => quote(&char::from(byte).to_string()).replace('"', "'"),
    };
    format!("invalid character {quoted} {context}")
}

#[cfg(test)]
mod tests;
