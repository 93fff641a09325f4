//! Why a command line names no token.

use std::path::PathBuf;

/// What is wrong with a call before anything is looked up. Every message is one line that says what to do; none holds
/// a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `KUBERNETES_EXEC_INFO` is not JSON.
    #[error(
        "KUBERNETES_EXEC_INFO is not a JSON object ({0}); kubectl sets it, so do not set it by hand, or unset it"
    )]
    ExecInfo(#[source] serde_json::Error),
    /// A version of the ExecCredential that does not exist here.
    #[error(
        "kubectl asks for apiVersion {0}; set client.authentication.k8s.io/v1 as apiVersion of the user's exec section"
    )]
    ExecApiVersion(String),
    /// A flag's value cannot be used.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag, with its dashes.
        flag: &'static str,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The configuration file cannot be used.
    #[error("{}: {problem}; mend the file, or name another with KUBELOGIN_CONFIG", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No home directory, so no default place for tokens.
    #[error(
        "no home directory is known for the token cache; give --token-cache-dir, or --token-cache-storage=none"
    )]
    NoCacheDirectory,
}
