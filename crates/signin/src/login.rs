//! `login`: signs in now, so that the calls that follow find a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesso_token_cache::{Entry, GetTokenArguments, values::printable};
use serde_json::{Map, Value};

use crate::arguments::{LoginArguments, LoginUser};
use crate::environment::Environment;
use crate::errand::Errand;
use crate::error::Error;
use crate::kubeconfig_user;
use crate::runtime::block_on;

/// Makes sure that there is a token with most of its life before it, and says whose it is. Sign-ins that came to
/// nothing before do not count: somebody asked for this one.
pub(crate) fn run(arguments: &LoginArguments, environment: &Environment) -> Result<(), Error> {
    let LoginUser { kubeconfig, context, user } = &arguments.user;
    let names_user = kubeconfig.is_some() || context.is_some() || user.is_some();
    let entry = match &arguments.call {
        Some(call) if !names_user => obtain(call, environment)?,
        _ => {
            let (call, surroundings) = kubeconfig_user::call(
                kubeconfig.as_deref(),
                context.as_deref(),
                user.as_deref(),
                environment,
            )?;
            obtain(&call, &Environment { surroundings, ..environment.clone() })?
        }
    };
    environment.say(&format!("Signed in{}, until {:.0}", whose(&entry), entry.expires_at));
    Ok(())
}

fn obtain(arguments: &GetTokenArguments, environment: &Environment) -> Result<Entry, Error> {
    let mut errand = Errand::of_login(arguments, environment)?;
    errand.warn_of_flags(arguments);
    block_on(environment, async {
        let known = match &errand.paths {
            Some(paths) => errand.known(paths).await,
            None => None,
        };
        errand.is_forced |= known.is_some_and(|entry| entry.is_due(environment.clock.now()));
        errand.obtain().await
    })
}

/// ` as NAME`, from the claim that tells a person most.
fn whose(entry: &Entry) -> String {
    let claims = entry.token.expose().split('.').nth(1).and_then(|payload| {
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    });
    let name = ["email", "preferred_username", "name", "sub"]
        .into_iter()
        .find_map(|claim| claims.as_ref()?.get(claim)?.as_str().filter(|name| !name.is_empty()));
    name.map(|name| format!(" as {}", printable(name))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use kubesso_token_cache::Secret;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_says_whose_it_is_if_it_is_one_that_can_be_read() {
        let whose_is = |token: String| {
            let expires_at = "2026-11-22T09:00:00Z".parse().unwrap();
            let token = Secret::from(token);
            whose(&Entry { token, issued_at: None, expires_at, refresh_token: None, scope: None })
        };
        let token = |claims: Value| format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()));
        for (claims, says) in [
            (json!({"email": "dev@example.com", "sub": "00u1"}), " as dev@example.com"),
            (json!({"email": "", "preferred_username": "dev", "sub": "00u1"}), " as dev"),
            (json!({"email": 7, "sub": "00u1"}), " as 00u1"),
            (json!({"sub": "a\u{1b}[2Jb"}), " as a [2Jb"),
            (json!({}), ""),
            (json!([]), ""),
        ] {
            let said = whose_is(token(claims.clone()));
            assert_eq!(said, says, "{claims}");
        }
        assert_eq!(whose_is("opaque".to_owned()), "");
    }
}
