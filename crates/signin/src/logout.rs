//! `logout`: ends one sign-in, here and at the provider.
//!
//! In this order, so that nothing is forgotten that could still be used: the refresh token is revoked (RFC 7009), the entry
//! is deleted, ours and kubelogin's, and the browser ends the provider's session (OpenID Connect RP-Initiated Logout 1.0).
//! What the provider does not do is said, and keeps nothing from being deleted here.

mod arguments;
mod selection;

use std::collections::BTreeSet;

use kubesso_token_cache::options::{BrowserLogin, Grant};
use kubesso_token_cache::{Entry, Options, Secret, values::printable};
use url::Url;

pub use arguments::LogoutArguments;

use self::selection::Target;
use crate::browser;
use crate::environment::Environment;
use crate::error::Error;
use crate::flow::send_browser;
use crate::lock::{Claim, Turn};
use crate::relying_party::RelyingParty;
use crate::runtime::block_on;

/// Signs out of what the arguments name. Where nothing is kept it says so, and that is no failure.
pub(crate) fn run(arguments: &LogoutArguments, environment: &Environment) -> Result<(), Error> {
    let targets = selection::select(arguments, environment)?;
    if targets.iter().all(|target| target.kept.is_empty()) {
        environment.say("Nothing is kept here: signed out already");
        return Ok(());
    }
    block_on(environment, async {
        let mut ended = BTreeSet::new();
        for target in targets.iter().filter(|target| !target.kept.is_empty()) {
            sign_out(target, arguments.flags.local, &mut ended, environment).await?;
        }
        Ok(())
    })
}

/// `ended` are the issuers whose session the browser has ended in this run.
async fn sign_out(
    target: &Target,
    is_local: bool,
    ended: &mut BTreeSet<String>,
    environment: &Environment,
) -> Result<(), Error> {
    // Whoever is signing in would put the entry back. Where there can be no lock, nobody is.
    let _turn = match target.paths() {
        Some(paths) => Turn::take(paths, Claim::Newcomer, environment).await.ok(),
        None => None,
    };
    let target = &target.reloaded(environment).await;
    let entries: Vec<_> = target.kept.iter().filter_map(|kept| kept.entry.as_ref()).collect();
    let options = target.options(environment);
    let party = match &options {
        _ if is_local => None,
        Ok(options) => reach(options, &entries, environment).await,
        Err(error) => {
            environment.warn(&format!("the provider was not asked ({error}): {LIVES_ON}"));
            None
        }
    };
    for kept in &target.kept {
        kept.delete().map_err(|source| Error::Clean { path: kept.path(), source })?;
    }
    if let (Some(party), Ok(options)) = (&party, &options)
        && ended.insert(options.issuer.as_str().to_owned())
    {
        end_session(party, options, &entries).await;
        party.settle().await;
    }
    let where_else = if is_local { " on this machine only" } else { "" };
    environment.say(&format!("Signed out{}{where_else}", describe(target)));
    Ok(())
}

/// What may be left at the provider.
const LIVES_ON: &str = "the session there, and the refresh token, may live on";

/// Finds the provider and revokes the refresh tokens.
async fn reach<'a>(
    options: &'a Options,
    entries: &[&Entry],
    environment: &'a Environment,
) -> Option<RelyingParty<'a>> {
    let party = match RelyingParty::discover(options, environment, None).await {
        Ok(party) => party,
        Err(error) => {
            environment.warn(&format!("{error}: {LIVES_ON}"));
            return None;
        }
    };
    let mut tokens: Vec<&Secret> = entries.iter().filter_map(|entry| entry.refresh_token.as_ref()).collect();
    tokens.dedup();
    for token in tokens {
        match party.revoke(token).await {
            Ok(true) => environment.explain(1, || "revoked the refresh token".to_owned()),
            Ok(false) => {
                environment.warn("the provider revokes no tokens: the refresh token lives until its end");
            }
            Err(error) => environment.warn(&format!("{error}: the refresh token may live on")),
        }
    }
    Some(party)
}

/// Has the browser end the provider's session, if there can be one that came from a browser here.
async fn end_session(party: &RelyingParty<'_>, options: &Options, entries: &[&Entry]) {
    let login = match &options.grant {
        Grant::AuthorizationCode(login) => login,
        Grant::Automatic(login) if browser::can_open(party.environment) => login,
        _ => return,
    };
    let Some(mut url) = party.metadata().end_session_endpoint() else { return };
    let is_id_token = |entry: &&&Entry| {
        !options.use_access_token && entry.claims().is_some_and(|claims| claims.contains_key("aud"))
    };
    if let Some(entry) = entries.iter().find(is_id_token) {
        url.query_pairs_mut().append_pair("id_token_hint", entry.token.expose());
    }
    url.query_pairs_mut().append_pair("client_id", &options.client_id);
    through_browser(party, login, &url).await;
}

async fn through_browser(party: &RelyingParty<'_>, login: &BrowserLogin, url: &Url) {
    let problem = match send_browser(party, login, url).await {
        Ok(true) => return,
        Ok(false) => "no browser came".to_owned(),
        Err(error) => error.to_string(),
    };
    let issuer = &party.options.issuer;
    party.environment.warn(&format!("{problem}: the session at {issuer} may live on; sign out there"));
}

/// ` dev@example.com of https://… (client kubernetes)`, as far as it is known.
fn describe(target: &Target) -> String {
    let Some(kept) = target.kept.first() else { return String::new() };
    let part = |before: &str, text: Option<String>, after: &str| {
        text.map(|text| format!("{before}{}{after}", printable(&text))).unwrap_or_default()
    };
    let who = part(" ", kept.person().name().map(str::to_owned), "");
    let issuer = part(" of ", kept.issuer(), "");
    who + &issuer + &part(" (client ", kept.client_id(), ")")
}
