//! What a case consists of, and the making of tokens and key sets byte by byte.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kubesso_authn::{Fetch, Fetched, OidcOptions};
use kubesso_k8s_types::go::quote;
use kubesso_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

/// The issuer of all tables.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// The time in all tables.
pub(crate) const NOW: &str = "2026-11-22T08:00:00Z";
/// The same in seconds.
pub(crate) const NOW_SECONDS: i64 = 1_795_334_400;

/// One configuration with one provider, and tokens to decide about in turn.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) options: OidcOptions,
    pub(crate) provider: BTreeMap<String, Response>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) compared: Compared,
}

/// What of the answers must be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// All of it.
    Everything,
    /// Not how often the provider is asked, because either side waits for a background task by asking.
    AllButFetches,
    /// Only whether it starts, because Go writes the URL another way afterwards.
    Start,
}

impl Case {
    pub(crate) fn new(
        name: impl Into<String>,
        options: OidcOptions,
        provider: BTreeMap<String, Response>,
        tokens: Vec<Token>,
    ) -> Self {
        Self { name: name.into(), options, provider, tokens, compared: Compared::Everything }
    }
}

/// A token, and what it shows.
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Set where we decide otherwise than upstream: our error. Each such place is documented.
    pub(crate) we_say: Option<&'static str>,
}

impl Token {
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), we_say: None }
    }
}

/// An answer of the provider.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// A text, or JSON as text.
pub(crate) struct Body(String);

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self(value.to_string())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Response {
    pub(crate) fn json(body: impl Into<Body>) -> Self {
        let headers = BTreeMap::from([("Content-Type".to_owned(), "application/json".to_owned())]);
        Self { status: 200, headers, body: body.into().0 }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: BTreeMap::new(), body: body.to_owned() }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// The issuer's options: RS256, groups claim `groups`.
pub(crate) fn options() -> OidcOptions {
    OidcOptions {
        issuer_url: ISSUER.to_owned(),
        client_id: "k8s".to_owned(),
        groups_claim: Some("groups".to_owned()),
        ..OidcOptions::default()
    }
}

/// Discovery and a key set.
pub(crate) fn provider(key_set: Response) -> BTreeMap<String, Response> {
    let discovery = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")});
    BTreeMap::from([
        (format!("{ISSUER}/.well-known/openid-configuration"), Response::json(discovery)),
        (format!("{ISSUER}/keys"), key_set),
    ])
}

/// A provider that publishes these keys for an hour.
pub(crate) fn publishing(keys: &[Value]) -> BTreeMap<String, Response> {
    provider(Response::json(json!({ "keys": keys })).with_header("Cache-Control", "max-age=3600"))
}

/// A provider that publishes the key of [`signed`].
pub(crate) fn ordinary_provider() -> BTreeMap<String, Response> {
    publishing(&[jwk(key(Algorithm::Rs256), "k1")])
}

/// The key of an algorithm.
pub(crate) fn key(algorithm: Algorithm) -> &'static SigningKey {
    static KEYS: LazyLock<HashMap<Algorithm, SigningKey>> = LazyLock::new(|| {
        Algorithm::ALL
            .into_iter()
            .map(|algorithm| (algorithm, SigningKey::generate(algorithm).unwrap()))
            .collect()
    });
    &KEYS[&algorithm]
}

/// The public half of a key under another name.
pub(crate) fn jwk(key: &SigningKey, kid: &str) -> Value {
    let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
    jwk["kid"] = json!(kid);
    jwk
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these very bytes, signed with the RS256 key.
pub(crate) fn signed(header: &str, payload: impl AsRef<[u8]>) -> String {
    signed_by(key(Algorithm::Rs256), header, payload)
}

pub(crate) fn signed_by(key: &SigningKey, header: &str, payload: impl AsRef<[u8]>) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    format!("{input}.{}", encode(key.sign_bytes(input.as_bytes()).unwrap()))
}

/// The header of an ordinary token.
pub(crate) const HEADER: &str = r#"{"alg":"RS256","kid":"k1","typ":"JWT"}"#;

/// The claims of an ordinary token as JSON text, with some members replaced (by name), left out (empty text) or added.
pub(crate) fn claims(changes: &[(&str, &str)]) -> String {
    let expiry = (NOW_SECONDS + 3_600).to_string();
    let issued = NOW_SECONDS.to_string();
    let ordinary = [
        ("iss", "\"https://issuer.example\""),
        ("sub", "\"alice\""),
        ("aud", "\"k8s\""),
        ("exp", &expiry),
        ("iat", &issued),
        ("groups", r#"["admins","devs"]"#),
    ];
    let mut members: Vec<(&str, &str)> = ordinary.to_vec();
    for (name, value) in changes {
        match members.iter_mut().find(|(member, _)| member == name) {
            Some(member) => member.1 = value,
            None => members.push((name, value)),
        }
    }
    let members: Vec<String> = members
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// An ordinary token with these claims changed, named after the change.
pub(crate) fn with_claims(changes: &[(&str, &str)]) -> Token {
    let name: Vec<String> = changes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Token::new(name.join(" "), signed(HEADER, claims(changes)))
}

/// The provider as [`Fetch`], counting.
#[derive(Debug)]
pub(crate) struct Table {
    responses: BTreeMap<String, Response>,
    fetches: Mutex<BTreeMap<String, u64>>,
}

impl Table {
    pub(crate) fn new(responses: BTreeMap<String, Response>) -> Self {
        Self { responses, fetches: Mutex::default() }
    }

    pub(crate) fn fetches(&self) -> BTreeMap<String, u64> {
        self.fetches.lock().unwrap().clone()
    }
}

#[async_trait]
impl Fetch for Table {
    async fn get(&self, url: &str, _bearer: Option<&str>) -> Result<Fetched, String> {
        *self.fetches.lock().unwrap().entry(url.to_owned()).or_default() += 1;
        let response =
            self.responses.get(url).ok_or_else(|| format!("Get {}: no such address", quote(url)))?;
        let headers: HeaderMap = response
            .headers
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect();
        let status = StatusCode::from_u16(response.status).unwrap();
        Ok(Fetched { status, headers, body: response.body.clone().into_bytes() })
    }
}
