//! What an application proves itself with, besides a secret on the command line.

use std::path::PathBuf;

use serde::Serialize;

use crate::arguments::ProviderArguments;
use crate::error::Error;
use crate::surroundings::Surroundings;
use crate::values::expand_home;

/// What an application proves itself with. Where it is; it is looked up only when a token is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientProof {
    /// A JWT that somebody else signs and replaces before it ends.
    AssertionFile(PathBuf),
    /// A private key that signs JWTs of the application's own.
    AssertionKey {
        /// PEM or JWK.
        file: PathBuf,
        /// The key's name, if it is not the JWK's.
        key_id: Option<String>,
    },
    /// A command that prints the secret.
    SecretCommand(String),
    /// A file that holds the secret.
    SecretFile(PathBuf),
}

impl ClientProof {
    /// Reads the flags: only one of them can be meant.
    pub(super) fn from_flags(
        provider: &ProviderArguments,
        surroundings: &Surroundings,
    ) -> Result<Option<Self>, Error> {
        let home = surroundings.home.as_deref();
        let file = |path: &Option<PathBuf>| {
            path.as_deref().filter(|path| !path.as_os_str().is_empty()).map(|path| expand_home(path, home))
        };
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let key_id = text(&provider.oidc_client_assertion_key_id);
        if key_id.is_some() && provider.oidc_client_assertion_key.is_none() {
            return Err(Error::Flag {
                flag: "--oidc-client-assertion-key-id",
                problem: "it needs --oidc-client-assertion-key beside it".to_owned(),
            });
        }
        let secret = provider.oidc_client_secret.as_ref().is_some_and(|secret| !secret.is_empty());
        let given = [
            ("--oidc-client-secret-file", file(&provider.oidc_client_secret_file).map(Self::SecretFile)),
            (
                "--oidc-client-secret-command",
                text(&provider.oidc_client_secret_command).map(Self::SecretCommand),
            ),
            (
                "--oidc-client-assertion-key",
                file(&provider.oidc_client_assertion_key).map(|file| Self::AssertionKey { file, key_id }),
            ),
            (
                "--oidc-client-assertion-file",
                file(&provider.oidc_client_assertion_file).map(Self::AssertionFile),
            ),
        ];
        let mut first = secret.then_some(("--oidc-client-secret", None));
        for (flag, proof) in given {
            let Some(proof) = proof else { continue };
            if let Some((other, _)) = first {
                return Err(Error::Flag {
                    flag,
                    problem: format!("an application proves itself in one way; leave it or {other} away"),
                });
            }
            first = Some((flag, Some(proof)));
        }
        Ok(first.and_then(|(_, proof)| proof))
    }
}
