//! `get-token`: the credential plugin.

use kubesso_token_cache::{GetTokenArguments, Secret, cached_token, exec_credential};

use crate::environment::Environment;
use crate::errand::Errand;
use crate::error::Error;
use crate::runtime::block_on;

/// Prints a token, signing in if there is no valid one.
pub(crate) fn run(
    arguments: &GetTokenArguments,
    notices: &[String],
    environment: &Environment,
) -> Result<(), Error> {
    let hit = cached_token(arguments, &environment.surroundings, environment.clock.now());
    let credential = if let Some(hit) = &hit {
        &hit.credential
    } else {
        environment.warn_all(notices);
        &fetched_token(arguments, environment)?
    };
    environment.stdout.write(credential.expose()).map_err(Error::Output)?;
    if hit.is_some_and(|hit| hit.is_due) {
        // The token at hand is good; if nobody can be sent for the next one now, a later call will.
        let _ = environment.launcher.refresh();
    }
    Ok(())
}

/// The long way to the credential line.
fn fetched_token(arguments: &GetTokenArguments, environment: &Environment) -> Result<Secret, Error> {
    let errand = Errand::new(arguments, environment)?;
    errand.warn_of_flags(arguments);
    let entry = block_on(environment, errand.obtain())?;
    Ok(exec_credential::render(errand.version, &entry.token, entry.expires_at))
}
