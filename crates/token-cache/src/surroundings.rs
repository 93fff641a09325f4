//! What a command line means depends on where it is typed.

use std::path::PathBuf;
use std::sync::Arc;

/// Looks an environment variable up.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The environment of the process, as values: the binary reads it, a test makes it up.
#[derive(Clone)]
pub struct Surroundings {
    /// Looks an environment variable up. A set but empty variable is `Some("")`.
    pub variables: Variables,
    /// The home directory, for `~` and the default cache directory.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// An environment variable that is set, possibly to nothing.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }
}
