//! `get-token`: the credential plugin.

use kubesso_token_cache::{
    Call, Entry, EntryPaths, GetTokenArguments, Options, Secret, cached_token, exec_credential,
    legacy::KubeloginKey,
};

use crate::environment::Environment;
use crate::error::Error;
use crate::flow;
use crate::lock::{Outcome, Turn};
use crate::relying_party::RelyingParty;
use crate::runtime::block_on;

/// Prints a token, signing in if there is no valid one.
pub(crate) fn run(arguments: &GetTokenArguments, environment: &Environment) -> Result<(), Error> {
    let credential = match cached_token(arguments, &environment.surroundings, environment.clock.now()) {
        Some(hit) => hit.credential,
        None => fetched_token(arguments, environment)?,
    };
    environment.stdout.write(credential.expose()).map_err(Error::Output)
}

/// The long way to the credential line.
fn fetched_token(arguments: &GetTokenArguments, environment: &Environment) -> Result<Secret, Error> {
    let Call { version, options, paths } = Call::new(arguments, &environment.surroundings)?;
    environment.warn_of_flags(&options, &arguments.provider, &arguments.tls, &arguments.authentication);
    let kubelogin = KubeloginKey::new(arguments, &environment.surroundings);
    let errand = Errand { options, paths, kubelogin };
    let entry = block_on(environment, errand.obtain(arguments.force_refresh, environment))?;
    Ok(exec_credential::render(version, &entry.token, entry.expires_at))
}

/// A call that the cache did not answer.
struct Errand {
    options: Options,
    /// None when nothing is kept.
    paths: Option<EntryPaths>,
    /// What kubelogin calls the entry.
    kubelogin: Option<KubeloginKey>,
}

impl Errand {
    async fn obtain(&self, force: bool, environment: &Environment) -> Result<Entry, Error> {
        let Some(paths) = &self.paths else { return self.sign_in(None, environment).await };
        match Turn::take(paths, environment).await {
            Ok(turn) => self.obtain_in_turn(turn, paths, force, environment).await,
            Err(error) => {
                warn_of_unsaved(paths, &error, environment);
                let known = self.known(paths, environment);
                if let Some(entry) =
                    known.as_ref().filter(|entry| !force && entry.is_fresh(environment.clock.now()))
                {
                    return Ok(entry.clone());
                }
                let entry = self.sign_in(known.as_ref(), environment).await?;
                // It was warned of already.
                let _ = paths.save(&entry, &*environment.entropy);
                Ok(entry)
            }
        }
    }

    async fn obtain_in_turn(
        &self,
        turn: Turn,
        paths: &EntryPaths,
        force: bool,
        environment: &Environment,
    ) -> Result<Entry, Error> {
        if let Some(Outcome::Failed(message)) = &turn.awaited {
            return Err(Error::Leader(message.clone()));
        }
        let renewed_meanwhile = turn.awaited == Some(Outcome::Succeeded);
        let known = self.known(paths, environment);
        if let Some(entry) = &known
            && (!force || renewed_meanwhile)
            && entry.is_fresh(environment.clock.now())
        {
            return Ok(entry.clone());
        }
        let running = turn.begin(environment);
        let result = self.sign_in(known.as_ref(), environment).await;
        let outcome = match &result {
            Ok(entry) => {
                if let Err(error) = paths.save(entry, &*environment.entropy) {
                    warn_of_unsaved(paths, &error, environment);
                }
                Outcome::Succeeded
            }
            Err(error) => Outcome::Failed(error.to_string()),
        };
        running.end(outcome, environment);
        result
    }

    /// The entry, taken over from kubelogin if there is none of ours.
    fn known(&self, paths: &EntryPaths, environment: &Environment) -> Option<Entry> {
        paths.load().or_else(|| {
            let theirs = self.kubelogin.as_ref()?.find_in(paths.directory())?;
            environment.explain(1, || format!("taking over kubelogin's cache entry {}", theirs.name));
            // Unsaved, it is looked for again by the next call.
            let _ = paths.save(&theirs.entry, &*environment.entropy);
            Some(theirs.entry)
        })
    }

    /// The refresh token has ended: the next call need not try it, should the sign-in that follows fail.
    fn forget_refresh_token(&self, known: &Entry, environment: &Environment) {
        if let Some(paths) = &self.paths {
            // If it stays, the next call asks the provider in vain, and that is all.
            let _ = paths.save(&Entry { refresh_token: None, ..known.clone() }, &*environment.entropy);
        }
    }

    /// Refreshes if there is something to refresh with; signs in anew only if the provider says that this has ended.
    async fn sign_in(&self, known: Option<&Entry>, environment: &Environment) -> Result<Entry, Error> {
        let directory = self.paths.as_ref().map(EntryPaths::directory);
        let party = RelyingParty::discover(&self.options, environment, directory).await?;
        let result = self.sign_in_at(&party, known).await;
        party.settle().await;
        result
    }

    async fn sign_in_at(&self, party: &RelyingParty<'_>, known: Option<&Entry>) -> Result<Entry, Error> {
        let environment = party.environment;
        if let Some(known) = known
            && let Some(refresh_token) = &known.refresh_token
        {
            environment.explain(1, || "refreshing the token".to_owned());
            match party.refresh(known, refresh_token).await {
                Ok(renewed) => return Ok(renewed.entry),
                Err(error @ Error::Refused { .. }) if is_invalid_grant(&error) => {
                    environment.explain(1, || format!("{error}; signing in anew"));
                    self.forget_refresh_token(known, environment);
                }
                // Some providers never give an ID token for a refresh.
                Err(error @ Error::NoIdToken) => {
                    environment.warn(&format!("the token could not be refreshed: {error}; signing in anew"));
                }
                Err(error) => return Err(error),
            }
        }
        let signed_in = flow::sign_in(party).await?;
        environment.explain(1, || {
            let claims = serde_json::to_string_pretty(&signed_in.claims).unwrap_or_default();
            format!("the token has these claims:\n{claims}")
        });
        Ok(signed_in.entry)
    }
}

fn is_invalid_grant(error: &Error) -> bool {
    matches!(error, Error::Refused { code, .. } if code == "invalid_grant")
}

fn warn_of_unsaved(paths: &EntryPaths, error: &std::io::Error, environment: &Environment) {
    environment.warn(&format!(
        "tokens cannot be kept in {} ({error}), so that each call signs in; make it writable, or give another \
         --token-cache-dir, or --token-cache-storage=none",
        paths.directory().display()
    ));
}
