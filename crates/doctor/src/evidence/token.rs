//! The token that somebody sends, taken apart. It is read, not believed: nothing here checks a signature.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// Takes what Go's decoder takes and more: what is wrong with the characters is said by [`TokenEvidence::oddities`].
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token. It is never printed.
#[derive(Clone)]
pub struct TokenEvidence {
    raw: Zeroizing<String>,
    oddities: Vec<&'static str>,
    shape: Shape,
}

/// What it turned out to be.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Three parts, the first two of them JSON objects.
    Jwt {
        /// `alg`, `kid`, `typ`.
        header: Map<String, Value>,
        /// What it says.
        claims: Map<String, Value>,
    },
    /// Something else, and why it is no JSON Web Token.
    Opaque(&'static str),
}

impl std::fmt::Debug for TokenEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEvidence").field("length", &self.raw.len()).finish_non_exhaustive()
    }
}

impl TokenEvidence {
    /// Reads a token; or what a plugin prints (an ExecCredential), or a token endpoint's answer, with one in it.
    pub fn read(text: &str) -> Self {
        // One line end is how a pipe ends.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let inside = serde_json::from_str::<Value>(text).ok().and_then(|value| {
            let token = value.pointer("/status/token").or_else(|| value.get("id_token"))?.as_str()?;
            Some(Zeroizing::new(token.to_owned()))
        });
        Self::new(inside.unwrap_or_else(|| Zeroizing::new(text.to_owned())))
    }

    fn new(raw: Zeroizing<String>) -> Self {
        let oddities = oddities(&raw);
        let shape = shape(raw.trim().trim_matches(['"', '\'']).trim_start_matches("Bearer "));
        Self { raw, oddities, shape }
    }

    /// The token itself, for those who send or check it.
    pub(crate) fn expose(&self) -> &str {
        &self.raw
    }

    /// Its length in bytes.
    pub fn length(&self) -> usize {
        self.raw.len()
    }

    /// Characters that do not belong into a token.
    pub fn oddities(&self) -> &[&'static str] {
        &self.oddities
    }

    /// What it is.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its claims, if it has any.
    pub fn claims(&self) -> Option<&Map<String, Value>> {
        match &self.shape {
            Shape::Jwt { claims, .. } => Some(claims),
            Shape::Opaque(_) => None,
        }
    }

    /// A claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims()?.get(name)
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// A member of the header that is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        match &self.shape {
            Shape::Jwt { header, .. } => header.get(name)?.as_str(),
            Shape::Opaque(_) => None,
        }
    }

    /// `aud`, as a list.
    pub fn audiences(&self) -> Vec<String> {
        self.claim("aud").map(texts).unwrap_or_default()
    }

    /// A claim that is a time.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        let value = self.claim(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "as the API server reads a fraction of a second")]
        let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
        Timestamp::from_second(seconds).ok()
    }
}

/// A text, or a list of texts, as a list; what is no text in it is left out.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
fn oddities(raw: &str) -> Vec<&'static str> {
    let tests: [(&'static str, bool); 5] = [
        ("a line end", raw.contains(['\n', '\r'])),
        ("a space", raw.contains([' ', '\t', '\u{a0}'])),
        ("quotes", raw.contains(['"', '\''])),
        ("the word Bearer", raw.trim_start().starts_with("Bearer ")),
        ("letters that no token has", raw.chars().any(|char| !char.is_ascii() && char != '\u{a0}')),
    ];
    tests.into_iter().filter_map(|(what, is_so)| is_so.then_some(what)).collect()
}

fn shape(token: &str) -> Shape {
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, _signature] = parts.as_slice() else {
        return Shape::Opaque(if parts.len() == 5 {
            "five parts: it is encrypted, and only its audience can read it"
        } else {
            "not three parts between dots: an opaque token"
        });
    };
    let object = |part: &str| -> Option<Map<String, Value>> {
        let bytes = LENIENT.decode(part.replace(['\n', '\r', ' '], "")).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    match (object(header), object(claims)) {
        (Some(header), Some(claims)) => Shape::Jwt { header, claims },
        _ => Shape::Opaque("three parts, but they are no JSON in base64url"),
    }
}
