//! `setup`: one sign-in, what the cluster will see of it, and the command that makes it permanent.
//!
//! All of it goes to standard error, as in kubelogin. The token cache is neither read nor written.

mod command;
mod review;

pub(crate) use command::{PluginArgument, plugin_arguments};

use kubesso_token_cache::Options;
use std::fmt::Write as _;

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
    let signed_in = block_on(environment, sign_in(&mut options, arguments, environment))?;
    let report = report(arguments, &options, &signed_in, environment);
    environment.say(report.trim_end());
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
        if listed(scope).unwrap_or(standard) && options.scopes.add(scope) {
            added.push(scope);
        }
    }
    added
}

fn report(
    arguments: &SetupArguments,
    options: &Options,
    (signed_in, metadata): &(SignIn, ProviderMetadata),
    environment: &Environment,
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let claims = serde_json::to_string_pretty(&signed_in.claims).unwrap_or_default();
    let _ = write!(
        text,
        "\n## The token\n\nYou are signed in. The token has these claims:\n\n```json\n{claims}\n```\n"
    );
    let _ =
        write!(text, "\n## What the cluster will see\n\n{}", review::review(options, metadata, signed_in));
    let set_credentials = command::set_credentials(arguments, options, environment);
    let _ = write!(
        text,
        "\n## Use it from kubectl\n\nPaste this to put the sign-in into your kubeconfig:\n\n```sh\n{set_credentials}\n```\n"
    );
    let _ = write!(
        text,
        "\nThen try it, and make it the user of the current context:\n\n```sh\n\
         kubectl auth whoami --user={USER}\nkubectl get pods --user={USER}\n\
         kubectl config set-context --current --user={USER}\n```\n"
    );
    text
}

/// The name of the user entry, as tutorials have it.
const USER: &str = "oidc-user";

#[cfg(test)]
mod tests;
