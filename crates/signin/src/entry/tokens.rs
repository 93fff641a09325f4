//! The tokens that somebody has from before, for the entry that theirs becomes: they go into the cache of its call, so that
//! nobody has to sign in again.
//!
//! They stand in the kubeconfig (kubectl's old auth provider), in kubelogin's cache, or in our own under the old call's
//! flags. Each is read as whoever kept it did: nothing is verified here that was not verified then. A refresh token that is
//! taken over is the same one: where the provider rotates them, the first who uses it ends the other's.

use std::fmt;

use kubesso_k8s_types::kubeconfig::{AuthProvider, ExecConfig, User};
use kubesso_kubeconfig::Entry;
use kubesso_token_cache::legacy::{KubeloginEntry, KubeloginKey};
use kubesso_token_cache::{About, Call, Entry as TokenEntry, Person};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::kept::{Kept, Place};
use crate::kubeconfig_user::of_exec;
use crate::lock::{Claim, Turn};
use crate::store;

/// Tokens that are good for something.
#[derive(Clone, Debug)]
pub struct OldTokens {
    entry: TokenEntry,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Kubeconfig,
    Kubelogin,
    Ours,
}

/// Why tokens were not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The call keeps none.
    #[error("its call keeps no tokens (--token-cache-storage=none)")]
    NothingIsKept,
    /// The call cannot be read.
    #[error("its call cannot be read: {0}")]
    Call(String),
    /// They could not be written.
    #[error("they cannot be kept: {0}")]
    Unkept(String),
}

/// What somebody has from before; nothing if that is none.
///
/// # Errors
/// There is something that is good for nothing; why.
pub fn old_tokens(user: &Entry<User>, environment: &Environment) -> Result<Option<OldTokens>, String> {
    match (&user.value.auth_provider, &user.value.exec) {
        (Some(provider), _) => of_auth_provider(provider, environment),
        (None, Some(exec)) => Ok(of_call(exec, environment)),
        (None, None) => Ok(None),
    }
}

fn of_auth_provider(provider: &AuthProvider, environment: &Environment) -> Result<Option<OldTokens>, String> {
    let (id_token, refresh_token) = (provider.setting("id-token"), provider.setting("refresh-token"));
    let Some(id_token) = id_token else {
        return match refresh_token {
            None => Ok(None),
            Some(_) => {
                Err("there is a refresh token without an ID token, which alone is not kept".to_owned())
            }
        };
    };
    let content = Zeroizing::new(json!({ "id_token": id_token, "refresh_token": refresh_token }).to_string());
    let found = KubeloginEntry::parse("", content.as_bytes()).ok_or("its ID token cannot be read")?;
    let claim = |name: &str| found.claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let issuer = provider.setting("idp-issuer-url").unwrap_or_default();
    if claim("iss") != issuer {
        return Err(format!("its ID token is of {:?}, which is another issuer", claim("iss")));
    }
    let client_id = provider.setting("client-id").unwrap_or_default();
    let is_for_client = match found.claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(|one| one == client_id),
        other => other.and_then(Value::as_str) == Some(client_id),
    };
    if !is_for_client {
        return Err("its ID token is for another application".to_owned());
    }
    let tokens = OldTokens { entry: found.entry, source: Source::Kubeconfig };
    if tokens.is_usable(environment) {
        Ok(Some(tokens))
    } else {
        Err("its ID token has ended, and there is no refresh token".to_owned())
    }
}

/// What is kept for a call: by us, or by kubelogin. A call that cannot be read had none.
fn of_call(exec: &ExecConfig, environment: &Environment) -> Option<OldTokens> {
    let (arguments, surroundings) = of_exec(exec, environment).ok()?;
    let paths = Call::new(&arguments, &surroundings).ok()?.paths?;
    let ours = store::load_now(&paths, environment);
    let ours = ours.map(|entry| OldTokens { entry, source: Source::Ours });
    let theirs = || {
        let kept = Kept::of_kubelogin(&KubeloginKey::new(&arguments, &surroundings)?, &paths, environment)?;
        let is_theirs = matches!(kept.place, Place::Kubelogin(_) | Place::KubeloginItem(_));
        let entry = kept.entry.filter(|_| is_theirs)?;
        Some(OldTokens { entry, source: Source::Kubelogin })
    };
    ours.or_else(theirs).filter(|tokens| tokens.is_usable(environment))
}

impl OldTokens {
    fn is_usable(&self, environment: &Environment) -> bool {
        self.entry.refresh_token.is_some() || self.entry.expires_at > environment.clock.now()
    }

    /// Puts them into the cache of a call, unless there are some. Whether they were put there.
    ///
    /// # Errors
    /// The call keeps none, or they cannot be written.
    pub async fn keep(&self, exec: &ExecConfig, environment: &Environment) -> Result<bool, KeepError> {
        let (arguments, surroundings) = of_exec(exec, environment).map_err(KeepError::Call)?;
        let call = Call::new(&arguments, &surroundings).map_err(|e| KeepError::Call(e.to_string()))?;
        let Some(paths) = call.paths else { return Err(KeepError::NothingIsKept) };
        // Whoever signs in meanwhile has the newer ones. Where there can be no lock, nobody is.
        let _turn = Turn::take(&paths, Claim::Newcomer, environment).await.ok();
        let there = store::load(&paths, environment).await;
        if there.is_some_and(|entry| Self { entry, source: Source::Ours }.is_usable(environment)) {
            return Ok(false);
        }
        let saved = store::save(&paths, &self.entry, environment).await;
        saved.map_err(|why| KeepError::Unkept(why.to_string()))?;
        // A list for people, which can be told the same by the token.
        let _ = paths.save_about(&About::new(&call.options, &self.entry), &*environment.entropy);
        Ok(true)
    }

    /// Whether the plugin had them itself, by the old call.
    pub fn are_ours(&self) -> bool {
        self.source == Source::Ours
    }
}

/// Whose they are and how long they are good; no token.
impl fmt::Display for OldTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let person = self.entry.claims().map(|claims| Person::of(&claims)).unwrap_or_default();
        let name =
            person.name().map_or_else(|| "somebody".to_owned(), kubesso_token_cache::values::printable);
        let source = match self.source {
            Source::Kubeconfig => "the file",
            Source::Kubelogin => "kubelogin's cache",
            Source::Ours => "this plugin's cache",
        };
        let refresh = if self.entry.refresh_token.is_some() { ", and can be renewed" } else { "" };
        write!(f, "{name}'s tokens of {source} (good until {}{refresh})", self.entry.expires_at)
    }
}

#[cfg(test)]
mod tests;
