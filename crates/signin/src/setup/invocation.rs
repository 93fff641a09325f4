//! How kubectl starts this plugin.

use std::path::Path;

use crate::environment::Environment;

/// A program and the arguments that make it `get-token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) command: String,
    pub(super) arguments: &'static [&'static str],
}

const PLUGIN: &str = "kubectl-oidc_login";

impl Invocation {
    /// By an absolute path, since a dashboard has another `PATH` than a shell: the plugin beside this program, which
    /// answers from the cache fastest, else this program. By kubectl's name if no file is known.
    pub(super) fn by_path(environment: &Environment) -> Self {
        let Some(program) = environment.program.as_deref() else { return Self::by_name() };
        let plugin = program.with_file_name(format!("{PLUGIN}{}", std::env::consts::EXE_SUFFIX));
        for candidate in [plugin.as_path(), program] {
            let Some(command) = candidate.to_str().filter(|_| candidate.is_file()) else { continue };
            let arguments: &[_] =
                if is_plugin(candidate) { &["get-token"] } else { &["oidc-login", "get-token"] };
            return Self { command: command.to_owned(), arguments };
        }
        Self::by_name()
    }

    /// As people know it, if kubectl finds it so.
    pub(super) fn by_habit(environment: &Environment) -> Self {
        match environment.program.as_deref() {
            Some(program) if !is_plugin(program) => Self::by_path(environment),
            _ => Self::by_name(),
        }
    }

    fn by_name() -> Self {
        Self { command: "kubectl".to_owned(), arguments: &["oidc-login", "get-token"] }
    }
}

/// kubelogin's own name has its commands at the top too.
fn is_plugin(program: &Path) -> bool {
    program.file_stem().is_some_and(|name| name == PLUGIN || name == "kubelogin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_plugin_beside_the_program_is_taken_then_the_program_then_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let mut environment = testing::environment();
        let invocation = |environment: &Environment| {
            let Invocation { command, arguments } = Invocation::by_path(environment);
            (command, arguments.join(" "))
        };
        let text = |name: &str| path(name).to_str().unwrap().to_owned();
        environment.program = None;
        assert_eq!(invocation(&environment), ("kubectl".to_owned(), "oidc-login get-token".to_owned()));
        std::fs::write(path("kubesso"), "").unwrap();
        environment.program = Some(path("kubesso"));
        assert_eq!(invocation(&environment), (text("kubesso"), "oidc-login get-token".to_owned()));
        std::fs::write(path(PLUGIN), "").unwrap();
        assert_eq!(invocation(&environment), (text(PLUGIN), "get-token".to_owned()));
        environment.program = Some(path(PLUGIN));
        assert_eq!(Invocation::by_habit(&environment).command, "kubectl", "kubectl found it");
    }
}
