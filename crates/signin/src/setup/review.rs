//! What kube-apiserver would make of the token's claims, with the flags that nearly every cluster has
//! (`--oidc-username-claim=email --oidc-groups-claim=groups`), and what is missing.

use std::fmt::Write as _;

use kubesso_token_cache::{Options, shell, values::printable};
use serde_json::{Map, Value};

use crate::provider::ProviderMetadata;
use crate::relying_party::SignIn;

/// User name, groups, the flags that make the cluster read them, and a warning for each that is missing.
pub(super) fn review(options: &Options, metadata: &ProviderMetadata, signed_in: &SignIn) -> String {
    let claims = &signed_in.claims;
    let mut warnings = Vec::new();
    let username = username(claims, options).unwrap_or_else(|warning| {
        warnings.push(warning);
        "none".to_owned()
    });
    let groups = groups(claims, options, metadata).unwrap_or_else(|warning| {
        warnings.push(warning);
        "none".to_owned()
    });
    if signed_in.entry.refresh_token.is_none() && !options.no_refresh_token {
        warnings.push(no_refresh_token(options));
    }

    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  user name  {username}   (claim email)");
    let _ = writeln!(text, "  groups     {groups}   (claim groups)");
    let _ = writeln!(text, "\nif kube-apiserver runs with these flags:\n");
    for (flag, value) in [
        ("--oidc-issuer-url", options.issuer.as_str()),
        ("--oidc-client-id", &options.client_id),
        ("--oidc-username-claim", "email"),
        ("--oidc-groups-claim", "groups"),
    ] {
        let _ = writeln!(text, "  {}", shell::quote(&format!("{flag}={value}")));
    }
    if !options.trust.files.is_empty() || !options.trust.data.is_empty() {
        let _ = writeln!(
            text,
            "  --oidc-ca-file=PATH   (a copy of the certificate authority, where kube-apiserver runs)"
        );
    }
    if !warnings.is_empty() {
        text.push('\n');
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// kube-apiserver takes `email` unless `email_verified` is there and not true
/// (apiserver `plugin/pkg/authenticator/token/oidc/oidc.go`).
fn username(claims: &Map<String, Value>, options: &Options) -> Result<String, String> {
    let email = match claims.get("email") {
        Some(Value::String(email)) if !email.is_empty() => email,
        _ if !options.scopes.contains("email") => {
            return Err("the token has no email, so the cluster would answer Unauthorized; add --oidc-extra-scope=email"
                .to_owned());
        }
        _ => {
            return Err("the token has no email although the scope email was asked for, so the cluster would answer \
                        Unauthorized; give the person an email address at the provider, or read another claim with \
                        kube-apiserver's --oidc-username-claim"
                .to_owned());
        }
    };
    match claims.get("email_verified") {
        None | Some(Value::Bool(true)) => Ok(printable(email)),
        Some(Value::Bool(false)) => Err(format!(
            "{} is not verified (email_verified is false), so the cluster would answer Unauthorized; have the address \
             verified at the provider",
            printable(email)
        )),
        Some(_) => {
            Err("email_verified is not true or false, so the cluster would answer Unauthorized; have the \
                        provider send a boolean"
                .to_owned())
        }
    }
}

/// kube-apiserver takes a list of strings, or one string.
fn groups(
    claims: &Map<String, Value>,
    options: &Options,
    metadata: &ProviderMetadata,
) -> Result<String, String> {
    let listed =
        metadata.scopes_supported.as_ref().is_some_and(|all| all.iter().any(|scope| scope == "groups"));
    match claims.get("groups") {
        Some(Value::String(group)) => Ok(printable(group)),
        Some(Value::Array(groups)) if groups.iter().all(Value::is_string) => {
            let names: Vec<_> = groups.iter().filter_map(Value::as_str).map(printable).collect();
            if names.is_empty() {
                return Err("the person is in no group that the provider puts into the token, so only bindings to the \
                            user name apply; put them into a group at the provider"
                    .to_owned());
            }
            Ok(names.join(", "))
        }
        Some(_) => {
            Err("the claim groups is not a list of texts, so the cluster would answer Unauthorized; change \
                        the claim at the provider"
                .to_owned())
        }
        None if listed && !options.scopes.contains("groups") => {
            Err("the token has no groups, so bindings to groups do not apply; add --oidc-extra-scope=groups"
                .to_owned())
        }
        None => Err(
            "the token has no groups, so bindings to groups do not apply; put the person into a group, and \
                     have the provider add the claim groups to the ID token"
                .to_owned(),
        ),
    }
}

fn no_refresh_token(options: &Options) -> String {
    let mend = if options.scopes.contains("offline_access") {
        "allow the application the grant type refresh_token at the provider"
    } else {
        "add --oidc-extra-scope=offline_access if the provider knows that scope, and allow the application the grant \
         type refresh_token"
    };
    format!("the provider gave no refresh token, so the browser opens each time the token ends; {mend}")
}
