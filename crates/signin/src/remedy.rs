//! The command that signs in now, for whoever is told that nobody will be asked for a while.

use kubesso_token_cache::{CacheStorage, Call, GetTokenArguments, Options, Surroundings, shell};

use crate::environment::Environment;
use crate::kubeconfig_user;
use crate::setup::{PluginArgument, plugin_arguments};

/// `kubectl oidc-login login` for the same call: by the name of the user, if the kubeconfig has one who makes it, and by
/// flags otherwise.
pub(crate) fn login_command(
    arguments: &GetTokenArguments,
    options: &Options,
    environment: &Environment,
) -> String {
    match user_of(arguments, environment) {
        Some(user) => format!("kubectl oidc-login login {}", shell::quote(&format!("--user={user}"))),
        None => by_flags(arguments, options, environment),
    }
}

/// The first user of the kubeconfig whose call uses the same entry of the cache.
fn user_of(arguments: &GetTokenArguments, environment: &Environment) -> Option<String> {
    let entry = |arguments: &GetTokenArguments, surroundings: &Surroundings| {
        Call::new(arguments, surroundings).ok()?.paths.map(|paths| paths.lock())
    };
    let ours = entry(arguments, &environment.surroundings)?;
    let makes_our_call = |user: &String| {
        kubeconfig_user::call(None, None, Some(user), environment)
            .is_ok_and(|(theirs, surroundings)| entry(&theirs, &surroundings).as_ref() == Some(&ours))
    };
    kubeconfig_user::names(environment).into_iter().find(makes_our_call)
}

/// Quoted for the shell. Secrets stay out of it: what the person has to put in is an ellipsis.
fn by_flags(arguments: &GetTokenArguments, options: &Options, environment: &Environment) -> String {
    let mut words = vec!["kubectl oidc-login login".to_owned()];
    let (provider, authentication) = (&arguments.provider, &arguments.authentication);
    for argument in plugin_arguments(provider, authentication, options, environment) {
        words.push(match argument {
            PluginArgument::Plain(text) => shell::quote(&without_header_value(text)),
            PluginArgument::FromVariable { flag, .. } => format!("{flag}=…"),
        });
    }
    if let Some(directory) = &arguments.cache.directory.token_cache_dir {
        words.push(shell::quote(&format!("--token-cache-dir={}", directory.display())));
    }
    if arguments.cache.token_cache_storage == CacheStorage::None {
        words.push("--token-cache-storage=none".to_owned());
    }
    words.join(" ")
}

/// A header may be a key to the provider.
fn without_header_value(argument: String) -> String {
    let header = argument.strip_prefix("--oidc-request-header=").and_then(|pair| pair.split_once('='));
    match header {
        Some((name, _)) => format!("--oidc-request-header={name}=…"),
        None => argument,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use kubesso_token_cache::{Call, GetTokenArguments};

    use super::*;
    use crate::testing;

    #[derive(Parser)]
    struct GetToken {
        #[command(flatten)]
        arguments: GetTokenArguments,
    }

    #[test]
    fn the_command_has_every_flag_and_no_secret() {
        let environment = testing::environment();
        let arguments = GetToken::parse_from([
            "get-token",
            "--oidc-issuer-url=https://idp.example.com",
            "--oidc-client-id=my app",
            "--oidc-client-secret=hunter2",
            "--oidc-extra-scope=email,groups",
            "--oidc-request-header=x-key=hunter3",
            "--token-cache-dir=/var/cache/my tokens",
            "--password=hunter4",
        ])
        .arguments;
        let call = Call::new(&arguments, &environment.surroundings).unwrap();
        let command = login_command(&arguments, &call.options, &environment);
        insta::assert_snapshot!(command, @"kubectl oidc-login login --oidc-issuer-url=https://idp.example.com '--oidc-client-id=my app' --oidc-client-secret=… --oidc-extra-scope=email --oidc-extra-scope=groups '--oidc-request-header=x-key=…' '--token-cache-dir=/var/cache/my tokens'");
        assert!(!command.contains("hunter"));
    }
}
