//! What is exchanged for a token of the provider (RFC 8693).

use std::path::PathBuf;

use serde::Serialize;

use crate::arguments::AuthenticationArguments;
use crate::error::Error;
use crate::surroundings::Surroundings;
use crate::values::expand_home;

/// An exchange: what for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenExchange {
    /// Whose token is given.
    pub subject: SubjectToken,
    /// The URN of what that token is.
    pub subject_type: String,
    /// Whom the new token is for, if the provider is to be told.
    pub audience: Option<String>,
}

/// Where the token is that is given. It is looked up only when it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectToken {
    /// A command that prints it.
    Command(String),
    /// A file that holds it.
    File(PathBuf),
}

impl TokenExchange {
    /// Whether any flag names a token to exchange.
    pub(super) fn is_asked_for(arguments: &AuthenticationArguments) -> bool {
        arguments.oidc_subject_token_file.is_some() || arguments.oidc_subject_token_command.is_some()
    }

    /// Reads the flags.
    pub(super) fn from_flags(
        arguments: &AuthenticationArguments,
        surroundings: &Surroundings,
    ) -> Result<Self, Error> {
        let subject = match (&arguments.oidc_subject_token_file, &arguments.oidc_subject_token_command) {
            (Some(file), None) => SubjectToken::File(expand_home(file, surroundings.home.as_deref())),
            (None, Some(command)) => SubjectToken::Command(command.clone()),
            (None, None) => {
                return Err(Error::Flag {
                    flag: "--grant-type",
                    problem: "token-exchange needs --oidc-subject-token-file or --oidc-subject-token-command"
                        .to_owned(),
                });
            }
            (Some(_), Some(_)) => {
                return Err(Error::Flag {
                    flag: "--oidc-subject-token-command",
                    problem: "one token is exchanged; leave it or --oidc-subject-token-file away".to_owned(),
                });
            }
        };
        Ok(Self {
            subject,
            subject_type: token_type(&arguments.oidc_subject_token_type)?,
            audience: arguments.oidc_audience.clone().filter(|audience| !audience.is_empty()),
        })
    }
}

/// The URN of a token type (RFC 8693, section 3), from its last part.
fn token_type(name: &str) -> Result<String, Error> {
    const KNOWN: [&str; 5] = ["access_token", "id_token", "jwt", "saml1", "saml2"];
    if KNOWN.contains(&name) {
        return Ok(format!("urn:ietf:params:oauth:token-type:{name}"));
    }
    if name.contains(':') {
        return Ok(name.to_owned());
    }
    Err(Error::Flag {
        flag: "--oidc-subject-token-type",
        problem: format!("{name:?} is no type of token; use one of {}, or a URN", KNOWN.join(", ")),
    })
}
