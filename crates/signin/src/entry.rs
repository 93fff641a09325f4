//! A user of a kubeconfig whose credential plugin this is: how it is written, told apart from others, and shown.

mod for_others;
mod migration;
mod program;
mod tokens;

use std::ffi::OsString;

use kubesso_k8s_types::kubeconfig::{ExecConfig, User};
use kubesso_kubeconfig::{is_secret_flag, plugin_entry};
use kubesso_token_cache::shell;

use crate::arguments::Command;
use crate::command_line;
use crate::environment::Environment;

pub use for_others::{NotPortable, for_others};
pub use kubesso_kubeconfig::PluginFlags;
pub use migration::{Migrated, Migration, migrate};
pub(crate) use program::Invocation;
pub use program::PluginProgram;
pub use tokens::{KeepError, OldTokens, old_tokens};

/// The scopes that are asked for unless somebody says others: who somebody is, and not having to sign in each hour.
pub const USUAL_SCOPES: [&str; 3] = ["email", "profile", "offline_access"];

/// A call of `get-token` with these flags, for `client.authentication.k8s.io/v1`, that may talk to a person if there is
/// one.
pub fn exec(program: &PluginProgram, flags: Vec<String>, environment: &Environment) -> ExecConfig {
    let invocation = program.invocation(environment);
    let mut words = invocation.arguments;
    words.extend(flags);
    plugin_entry(invocation.command, words)
}

/// Reads the call as the plugin will.
///
/// # Errors
/// One line that says what the plugin would say.
pub fn check(exec: &ExecConfig, environment: &Environment) -> Result<(), String> {
    let words: Vec<OsString> =
        exec.args.iter().skip_while(|word| *word != "get-token").map(Into::into).collect();
    match command_line::read(words, environment)? {
        Some(Command::GetToken(_)) => Ok(()),
        _ => Err("it does not ask for a token".to_owned()),
    }
}

/// Whether the entry is of this plugin's or kubelogin's kind: nothing but the call of `get-token`.
pub fn is_ours(user: &User) -> bool {
    let Some(exec) = &user.exec else { return false };
    let rest = User { exec: None, ..user.clone() };
    rest == User::default() && is_call(exec)
}

/// Whether it is a call of `get-token` for an OpenID provider.
pub(crate) fn is_call(exec: &ExecConfig) -> bool {
    exec.args.iter().any(|word| word == "get-token")
        && exec.args.iter().any(|word| word.starts_with("--oidc-issuer-url"))
}

/// What the entry is, without its secrets.
pub fn describe(user: &User) -> String {
    let parts = [
        (user.auth_provider.as_ref().map(|provider| format!("the auth provider {}", provider.name))),
        user.exec.as_ref().map(shown),
        (!user.token.is_empty() || !user.token_file.is_empty()).then(|| "a token".to_owned()),
        (!user.client_certificate.is_empty() || !user.client_certificate_data.is_empty())
            .then(|| "a client certificate".to_owned()),
        (!user.username.is_empty()).then(|| "a user name and password".to_owned()),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "an empty user".to_owned() } else { parts.join(" and ") }
}

/// The command line of an entry. What others wrote there may be secret, and base64 is for nobody to read.
pub fn shown(exec: &ExecConfig) -> String {
    let mut is_value = false;
    let words = exec.args.iter().map(|word| {
        let hidden = is_value && !word.starts_with('-');
        is_value = is_secret_flag(word);
        match word.split_once('=') {
            _ if hidden => "…".to_owned(),
            Some((flag, _)) if is_secret_flag(flag) => format!("{flag}=…"),
            Some((flag, value)) if flag.ends_with("-data") && value.len() > 40 => format!("{flag}=…"),
            _ => shell::quote(word),
        }
    });
    let command = shell::quote(&exec.command);
    std::iter::once(command).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
