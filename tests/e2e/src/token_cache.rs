//! The plugin's token cache, as it is on disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kubesso_ambient::{Clock, SystemClock};
use serde_json::{Map, Value, json};

use crate::forge;

/// The cache directory of one home.
#[derive(Clone, Debug)]
pub struct TokenCache {
    folder: PathBuf,
}

impl TokenCache {
    /// The default one below `home`.
    pub fn below(home: &Path) -> Self {
        Self { folder: home.join(".kube/cache/oidc-login") }
    }

    /// The entries that hold a token.
    ///
    /// # Errors
    /// The file system's.
    pub fn entries(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(|| self.folder.display().to_string())? {
            let path = entry?.path();
            let content: Value = serde_json::from_slice(&fs::read(&path)?).unwrap_or_default();
            if content["token"].is_string() {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// Makes the cached token one that has ended, and keeps the refresh token: what the next morning does.
    ///
    /// # Errors
    /// There is not exactly one entry, or it has no refresh token.
    pub fn let_the_token_expire(&self) -> Result<()> {
        let (path, mut entry) = self.entry()?;
        ensure!(entry["refresh_token"].is_string(), "the cache holds no refresh token");
        let now = SystemClock.now().as_second();
        entry["issued_at"] = json!(now - 3660);
        entry["expires_at"] = json!(now - 60);
        fs::write(path, entry.to_string())?;
        Ok(())
    }

    /// The claims of the cached token.
    ///
    /// # Errors
    /// There is not exactly one entry, or its token is no JWT.
    pub fn claims(&self) -> Result<Map<String, Value>> {
        forge::claims(self.entry()?.1["token"].as_str().context("a token")?)
    }

    /// The cached refresh token.
    ///
    /// # Errors
    /// There is not exactly one entry, or it has no refresh token.
    pub fn refresh_token(&self) -> Result<String> {
        let (_, entry) = self.entry()?;
        Ok(entry["refresh_token"].as_str().context("the cache holds no refresh token")?.to_owned())
    }

    fn entry(&self) -> Result<(PathBuf, Value)> {
        let mut entries = self.entries()?;
        ensure!(entries.len() == 1, "not one cache entry but {entries:?}");
        let path = entries.pop().context("one entry")?;
        let entry = serde_json::from_slice(&fs::read(&path)?)?;
        Ok((path, entry))
    }
}
