//! What a command line means depends on where it is typed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Looks an environment variable up.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Lists the names of the environment variables.
pub type VariableNames = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The environment of the process, as values: the binary reads it, a test makes it up.
#[derive(Clone)]
pub struct Surroundings {
    /// Looks an environment variable up. A set but empty variable is `Some("")`.
    pub variables: Variables,
    /// Lists the names of the environment variables, since some are found by how they begin.
    pub variable_names: VariableNames,
    /// The home directory, for `~` and the default cache directory.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// An environment of exactly these variables.
    pub fn of(variables: BTreeMap<String, String>, home: Option<PathBuf>) -> Self {
        let variables = Arc::new(variables);
        let names = variables.clone();
        Self {
            variables: Arc::new(move |name| variables.get(name).cloned()),
            variable_names: Arc::new(move || names.keys().cloned().collect()),
            home,
        }
    }

    /// An environment variable that is set, possibly to nothing.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }
}
