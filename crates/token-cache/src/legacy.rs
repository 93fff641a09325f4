//! kubelogin's cache, read so that nobody has to sign in again after the change of the binary.
//!
//! An entry there is a file `<directory>/<64 digits>` with `id_token` and `refresh_token`; the digits are the SHA-256 of
//! the call's flags in Go's gob encoding. Maps are encoded in a random order, so one call has as many possible
//! names as its maps have orders. All of them are tried, but only if the directory holds an entry of this issuer and
//! application at all, and only after our own entry was not found.
//!
//! kubelogin's file is left as it is: it may still be used beside us. Where the provider rotates refresh tokens, the one
//! in there ends with our first refresh.

mod gob;
mod name;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use name::KubeloginKey;

use crate::cache::{Entry, claims, is_header_safe, is_key};
use crate::secret::Secret;

/// An entry of kubelogin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeloginEntry {
    /// Its file name: 64 hexadecimal digits.
    pub name: String,
    /// Its tokens.
    pub entry: Entry,
    /// Whose token it is, and for whom; not verified here, but by kubelogin before it was stored.
    pub claims: Map<String, Value>,
}

impl KubeloginEntry {
    /// Reads the content of an entry. Whatever is not whole is none.
    pub fn parse(name: &str, content: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Content<'a> {
            id_token: &'a str,
            refresh_token: Option<&'a str>,
        }

        let content: Content<'_> = serde_json::from_slice(content).ok()?;
        let claims = is_header_safe(content.id_token).then(|| claims(content.id_token))??;
        let seconds = |claim: &str| Timestamp::from_second(claims.get(claim)?.as_i64()?).ok();
        let secret = |text: &str| Secret::from(text.to_owned());
        let entry = Entry {
            token: secret(content.id_token),
            issued_at: seconds("iat"),
            expires_at: seconds("exp")?,
            refresh_token: content.refresh_token.filter(|token| !token.is_empty()).map(secret),
            scope: None,
        };
        Some(Self { name: name.to_owned(), entry, claims })
    }

    /// All entries in `directory`, sorted by name.
    pub fn all(directory: &Path) -> Vec<Self> {
        let Ok(files) = fs::read_dir(directory) else { return Vec::new() };
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| is_key(name)).collect();
        names.sort_unstable();
        let read = |name: &String| Self::parse(name, &Zeroizing::new(fs::read(directory.join(name)).ok()?));
        names.iter().filter_map(read).collect()
    }

    /// Whether the token is this call's: from its issuer and, unless the cluster gets the access token (whose audience is
    /// the cluster's affair), for its application.
    fn is_for(&self, key: &KubeloginKey) -> bool {
        let issuer = self.claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let is_issuer = issuer == key.issuer
            // Google writes itself without the scheme.
            || (issuer == "accounts.google.com" && key.issuer == "https://accounts.google.com");
        let is_audience = match self.claims.get("aud") {
            Some(Value::String(audience)) => *audience == key.client_id,
            Some(Value::Array(audiences)) => audiences.iter().any(|audience| *audience == *key.client_id),
            _ => false,
        };
        is_issuer && (is_audience || key.use_access_token)
    }
}

impl KubeloginKey {
    /// kubelogin's entry for this call among those in `directory`.
    pub fn find_in(&self, directory: &Path) -> Option<KubeloginEntry> {
        self.find_among(KubeloginEntry::all(directory))
    }

    /// kubelogin's entry for this call among `entries`.
    pub fn find_among(&self, entries: impl IntoIterator<Item = KubeloginEntry>) -> Option<KubeloginEntry> {
        let of_this_call = entries.into_iter().filter(|entry| entry.is_for(self));
        let mut entries: BTreeMap<_, _> = of_this_call.map(|entry| (entry.name.clone(), entry)).collect();
        if entries.is_empty() {
            return None;
        }
        let name = self.find_name(|name| entries.contains_key(name))?;
        entries.remove(&name)
    }
}

#[cfg(test)]
mod tests;
