//! `setup`: one sign-in, what the cluster will see of it, and the command that makes it permanent.
//!
//! All of it goes to standard error, as in kubelogin. The token cache is neither read nor written.

mod command;
mod kubeconfig;
mod review;

pub(crate) use command::{PluginArgument, plugin_arguments};

use kubesso_token_cache::{Options, shell};

use self::kubeconfig::Destination;
use crate::arguments::SetupArguments;
use crate::environment::Environment;
use crate::error::Error;
use crate::flow;
use crate::provider::{Provider, ProviderMetadata};
use crate::relying_party::{RelyingParty, SignIn};
use crate::runtime::block_on;

/// Signs in once and says what was found. Without an issuer and a client ID it prints its help.
pub(crate) fn run(arguments: &SetupArguments, environment: &Environment) -> Result<(), Error> {
    let client_id = arguments.oidc_client_id.as_deref().filter(|id| !id.is_empty());
    let (Some(issuer), Some(client_id)) = (&arguments.oidc_issuer_url, client_id) else {
        environment.say(&crate::help_of("setup"));
        return Ok(());
    };
    let mut options = Options::new(
        issuer,
        client_id,
        &arguments.provider,
        &arguments.tls,
        &arguments.authentication,
        &environment.surroundings,
    )?;
    environment.warn_of_flags(&options, &arguments.provider, &arguments.tls, &arguments.authentication);
    let destination =
        arguments.kubeconfig.write.then(|| Destination::find(arguments, environment)).transpose()?;
    let signed_in = block_on(environment, sign_in(&mut options, arguments, environment))?;
    environment.say(seen(&options, &signed_in).trim_end());
    let next = match destination {
        Some(destination) => destination.write(arguments, &options, environment)?,
        None => to_paste(arguments, &options, environment),
    };
    environment.say(next.trim_end());
    Ok(())
}

async fn sign_in(
    options: &mut Options,
    arguments: &SetupArguments,
    environment: &Environment,
) -> Result<(SignIn, ProviderMetadata), Error> {
    let provider = Provider::find(options, environment, None).await?;
    let metadata = provider.metadata.clone();
    let chosen = arguments.provider.oidc_extra_scope.iter().any(|value| !value.trim().is_empty());
    let added = if chosen { Vec::new() } else { add_scopes(options, &metadata) };
    environment.say(&format!("Signing in at {} as application {}.", options.issuer, options.client_id));
    environment.say(&format!("Asking for the scopes: {}", options.scopes));
    if !added.is_empty() {
        environment.say(&format!(
            "Added because clusters need them: {}. Name scopes with --oidc-extra-scope to choose yourself.",
            added.join(", ")
        ));
    }
    let party = RelyingParty::new(options, environment, provider)?;
    let signed_in = flow::sign_in(&party).await?;
    Ok((signed_in, metadata))
}

/// The scopes that a cluster lives from: who somebody is, their groups, and not having to sign in each hour.
/// `email` and `profile` are of OpenID Connect itself; the others are asked for only where the provider lists them,
/// because some providers refuse a scope that they do not know.
fn add_scopes(options: &mut Options, metadata: &ProviderMetadata) -> Vec<&'static str> {
    let listed =
        |scope: &str| metadata.scopes_supported.as_ref().map(|all| all.iter().any(|one| one == scope));
    let wanted = [("email", true), ("profile", true), ("groups", false), ("offline_access", false)];
    let mut added = Vec::new();
    for (scope, standard) in wanted {
        if scope == "offline_access" && options.no_refresh_token {
            continue;
        }
        if listed(scope).unwrap_or(standard) && options.scopes.add(scope) {
            added.push(scope);
        }
    }
    added
}

/// The token, and what a cluster makes of it.
fn seen(options: &Options, (signed_in, metadata): &(SignIn, ProviderMetadata)) -> String {
    let claims = serde_json::to_string_pretty(&signed_in.claims).unwrap_or_default();
    let review = review::review(options, metadata, signed_in);
    format!(
        "\n## The token\n\nYou are signed in. The token has these claims:\n\n```json\n{claims}\n```\n\n\
         ## What the cluster will see\n\n{review}"
    )
}

/// The command that makes the sign-in permanent, and what to do then.
fn to_paste(arguments: &SetupArguments, options: &Options, environment: &Environment) -> String {
    let set_credentials = command::set_credentials(arguments, options, environment);
    let user = shell::quote(&format!("--user={}", arguments.kubeconfig.user));
    format!(
        "\n## Use it from kubectl\n\nPaste this to put the sign-in into your kubeconfig (setup --write does it for you):\n\n\
         ```sh\n{set_credentials}\n```\n\nThen try it, and make it the user of the current context:\n\n```sh\n\
         kubectl auth whoami {user}\nkubectl get pods {user}\nkubectl config set-context --current {user}\n```\n"
    )
}

#[cfg(test)]
mod tests;
