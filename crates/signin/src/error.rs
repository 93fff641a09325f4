//! What can go wrong, in words for the person at the keyboard.

use std::io;
use std::path::PathBuf;

use jiff::SignedDuration;
use reqwest::StatusCode;

use crate::browser::BrowserError;

/// Why a command of the plugin failed. Every message is one line that says what to do; none holds a token, a
/// password, a code or a client secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line, or the environment, cannot be used.
    #[error(transparent)]
    Call(#[from] kubesso_token_cache::Error),
    /// A flag's value cannot be used.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag, with its dashes.
        flag: &'static str,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// A file that a flag names cannot be read.
    #[error("{flag}: {} cannot be read ({source})", path.display())]
    FlagFile {
        /// The flag, with its dashes.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody is signed in, and nobody is to be asked.
    #[error("nobody is signed in, and KUBESSO_NEVER_ASK is set; sign in with: {command}")]
    NoSession {
        /// What signs in.
        command: String,
    },
    /// The refresh token was refused, and nobody is to be asked.
    #[error("the session has ended ({reason}), and KUBESSO_NEVER_ASK is set; sign in again with: {command}")]
    SessionEnded {
        /// What the provider said.
        reason: String,
        /// What signs in.
        command: String,
    },
    /// The HTTPS client refuses its configuration.
    #[error("{0}; check --certificate-authority and --certificate-authority-data")]
    HttpClient(#[from] kubesso_https::ClientError),
    /// A request did not get through.
    #[error("{what} at {url} failed: {cause}")]
    Unreachable {
        /// What was asked for: "discovery", "the token request".
        what: &'static str,
        /// The address.
        url: String,
        /// Why, and what may mend it.
        cause: String,
    },
    /// The provider has a fault of its own.
    #[error(
        "{what} at {url} was answered with HTTP status {status}; the provider has a fault, try again later"
    )]
    Outage {
        /// What was asked for.
        what: &'static str,
        /// The address.
        url: String,
        /// 5xx.
        status: StatusCode,
    },
    /// The answer is not what the protocol says.
    #[error("{what} at {url} was answered {problem}")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// The address.
        url: String,
        /// How the answer differs.
        problem: String,
    },
    /// The discovery document belongs to another issuer.
    #[error(
        "the provider calls itself {found:?}, not {expected:?}; give --oidc-issuer-url exactly as the provider writes it"
    )]
    IssuerMismatch {
        /// The issuer that was asked for.
        expected: String,
        /// The issuer in the document.
        found: String,
    },
    /// The provider cannot do what is asked for.
    #[error("the provider {0}")]
    Unsupported(String),
    /// The provider refuses, with an OAuth error code (RFC 6749, sections 4.1.2.1 and 5.2).
    #[error("the provider refused {what}: {code}{}", description.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    Refused {
        /// What it refused.
        what: &'static str,
        /// The error code.
        code: String,
        /// The provider's own words.
        description: Option<String>,
    },
    /// The ID token, or the authorization answer, is not to be believed.
    #[error("the provider's answer was refused: {0}")]
    Untrusted(String),
    /// The answer has no ID token.
    #[error(
        "the provider gave no ID token; have the scope openid allowed for the application, or give --oidc-use-access-token"
    )]
    NoIdToken,
    /// The answer has no access token.
    #[error("the provider gave no access token; leave --oidc-use-access-token away")]
    NoAccessToken,
    /// Nobody can sign in from here.
    #[error(
        "no browser can be opened here, {0}and standard input is no terminal to paste an address into; run it in a terminal, set BROWSER, or give --skip-open-browser and forward port 8000 (ssh -L 8000:localhost:8000)"
    )]
    NoWay(String),
    /// No address to wait on.
    #[error(
        "no address to wait for the browser on: {0}; give a free one with --listen-address=127.0.0.1:PORT"
    )]
    Listen(String),
    /// The certificate of the local server cannot be used.
    #[error("--local-server-cert and --local-server-key cannot be used: {0}")]
    LocalServer(#[from] kubesso_https::TlsError),
    /// The browser command cannot be read.
    #[error(transparent)]
    Browser(#[from] BrowserError),
    /// Nobody signed in.
    #[error(
        "nobody signed in within {0} seconds; run the command again, or give more with --authentication-timeout-sec"
    )]
    LoginTimeout(u32),
    /// Nobody entered the code of the device flow while it lasted.
    #[error(
        "the code was not entered within the {0} seconds that it lasts; run the command again for a new one"
    )]
    CodeEnded(u32),
    /// Too many prompts came to nothing.
    #[error(
        "the latest sign-in came to nothing ({reason}), so that the person is not asked again for {}; to sign in now, run: {command}",
        in_words(*.remaining)
    )]
    BackedOff {
        /// Why it came to nothing.
        reason: String,
        /// For how long there is no other.
        remaining: SignedDuration,
        /// What signs in at once.
        command: String,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
    /// The process that does the sign-in was killed.
    #[error("the process that waited for the sign-in has ended without a result; run the command again")]
    HelperEnded,
    /// Standard input ended where an answer was needed.
    #[error(
        "standard input ended before {0} was given; run it in a terminal, with `interactiveMode: IfAvailable` in the user's exec section"
    )]
    InputEnded(&'static str),
    /// Standard input cannot be read.
    #[error("standard input cannot be read: {0}")]
    Input(#[source] io::Error),
    /// The sign-in that this call waited for failed, in another process.
    #[error("{0}")]
    Leader(String),
    /// The credential cannot be written.
    #[error("standard output cannot be written: {0}")]
    Output(#[source] io::Error),
    /// The cache cannot be cleaned.
    #[error("{} cannot be deleted ({source})", path.display())]
    Clean {
        /// What could not be deleted.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kubeconfig cannot be read.
    #[error(transparent)]
    Kubeconfig(#[from] kubesso_kubeconfig::LoadError),
    /// No such user in the kubeconfig.
    #[error(transparent)]
    KubeconfigUser(#[from] kubesso_kubeconfig::SelectError),
    /// The kubeconfig cannot be written.
    #[error(transparent)]
    KubeconfigFile(#[from] kubesso_kubeconfig::FileError),
    /// The kubeconfig is not written as a change needs it.
    #[error(transparent)]
    KubeconfigEdit(#[from] kubesso_kubeconfig::EditError),
    /// There is no place for a kubeconfig.
    #[error("no home directory is known for the kubeconfig; name a file with --kubeconfig")]
    NoKubeconfig,
    /// A user of that name is there, and is not to be replaced.
    #[error(
        "the user {user:?} of the kubeconfig is {before} and was kept; give another name with --user, or --force"
    )]
    UserKept {
        /// The user's name.
        user: String,
        /// What the user is.
        before: String,
    },
    /// The entry to sign out of is not told apart.
    #[error("{} an id that begins with {prefix:?}; see: kubectl oidc-login list", match count {
        0 => "no entry has".to_owned(),
        count => format!("{count} entries have"),
    })]
    EntryId {
        /// What was given.
        prefix: String,
        /// How many fit.
        count: usize,
    },
    /// An entry does not tell which provider it came from.
    #[error("the entry does not say which provider it is from")]
    EntryWithoutProvider,
    /// The user of the kubeconfig is not signed in by this plugin.
    #[error("the user {user:?} of the kubeconfig {problem}; name another with --context or --user")]
    UserCall {
        /// The user's name.
        user: String,
        /// What is wrong.
        problem: String,
    },
    /// The user of the kubeconfig signs in otherwise.
    #[error("the user {user:?} of the kubeconfig needs the auth provider oidc and has {has}")]
    NoAuthProvider {
        /// The user's name.
        user: String,
        /// What there is instead.
        has: &'static str,
    },
    /// A setting of the auth provider cannot be used.
    #[error(
        "{name} of the user {user:?} in the kubeconfig {problem}; set it: kubectl config set-credentials {user:?} --auth-provider=oidc --auth-provider-arg={name}=VALUE"
    )]
    AuthProviderSetting {
        /// The user's name.
        user: String,
        /// The setting's.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The runtime cannot be started.
    #[error("the program could not start its event loop: {0}")]
    Runtime(#[source] io::Error),
}

impl Error {
    /// Why a prompt that ended so came to nothing; `None` if it was not for the person (the provider could not be
    /// reached, or has a fault).
    pub(crate) fn fruitless_prompt(&self) -> Option<String> {
        match self {
            Self::LoginTimeout(seconds) => Some(format!("nobody signed in within {seconds} seconds")),
            Self::CodeEnded(seconds) => Some(format!("the code was not entered within {seconds} seconds")),
            Self::Refused { .. } | Self::Untrusted(_) => Some(self.to_string()),
            _ => None,
        }
    }

    /// Whether the provider could not be reached, or has a fault: the same may succeed later.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Outage { .. })
    }

    /// Whether a grant or a refresh token has ended (RFC 6749, section 5.2).
    pub(crate) fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "invalid_grant")
    }
}

/// A duration for people: to the second below two minutes, to the minute above, never less than it is.
fn in_words(duration: SignedDuration) -> String {
    match duration.as_secs() {
        ..=1 => "1 second".to_owned(),
        seconds @ 2..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", (seconds + 59) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_a_unit_that_people_use() {
        for (seconds, words) in [
            (0, "1 second"),
            (2, "2 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (3600, "60 minutes"),
        ] {
            assert_eq!(in_words(SignedDuration::from_secs(seconds)), words);
        }
    }
}
