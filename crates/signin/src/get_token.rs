//! `get-token`: the credential plugin.

use kubesso_token_cache::{GetTokenArguments, Hit, Secret, cached_token, exec_credential};

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
    if let Some(hit) = hit {
        return hand_out(&hit, environment);
    }
    environment.warn_all(notices);
    print(&fetched_token(arguments, environment)?, environment)
}

/// Prints a token that is there, and has the next one fetched when that is due.
pub(crate) fn hand_out(hit: &Hit, environment: &Environment) -> Result<(), Error> {
    print(&hit.credential, environment)?;
    if hit.is_due {
        // The token at hand is good; if nobody can be sent for the next one now, a later call will.
        let _ = environment.launcher.refresh();
    }
    Ok(())
}

fn print(credential: &Secret, environment: &Environment) -> Result<(), Error> {
    environment.stdout.write(credential.expose()).map_err(Error::Output)
}

/// The long way to the credential line.
fn fetched_token(arguments: &GetTokenArguments, environment: &Environment) -> Result<Secret, Error> {
    let errand = Errand::new(arguments, environment)?;
    errand.warn_of_flags(arguments);
    let entry = block_on(environment, errand.obtain())?;
    Ok(exec_credential::render(errand.version, &entry.token, entry.expires_at))
}
