//! How kubectl starts this plugin.

use std::path::Path;

use crate::environment::Environment;

/// The program of a kubeconfig's user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PluginProgram {
    /// By an absolute path, since a dashboard has another `PATH` than a shell: the plugin beside this program, which
    /// answers from the cache fastest, else this program. By kubectl's name if no file is known.
    #[default]
    Here,
    /// By its file's name, on the `PATH`, where krew puts it. Not as `kubectl oidc-login`: where the plugin is missing, kubectl
    /// would say so without the hint for its installation, and one that looks for the cluster's version first (Google's)
    /// would start itself again without end.
    OnPath,
    /// This program, by its path or name.
    Named(String),
}

/// A program and the arguments that make it `get-token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) command: String,
    pub(crate) arguments: Vec<String>,
}

const PLUGIN: &str = "kubectl-oidc_login";

impl PluginProgram {
    pub(crate) fn invocation(&self, environment: &Environment) -> Invocation {
        match self {
            Self::Here => Invocation::by_path(environment),
            Self::OnPath => Invocation::of(PLUGIN.to_owned()),
            Self::Named(command) => Invocation::of(command.clone()),
        }
    }
}

impl Invocation {
    fn by_path(environment: &Environment) -> Self {
        let Some(program) = environment.program.as_deref() else { return Self::by_name() };
        let plugin = program.with_file_name(format!("{PLUGIN}{}", std::env::consts::EXE_SUFFIX));
        let found = [plugin.as_path(), program].into_iter().find(|candidate| candidate.is_file());
        match found.and_then(Path::to_str) {
            Some(command) => Self::of(command.to_owned()),
            None => Self::by_name(),
        }
    }

    /// As people know it, if kubectl finds it so.
    pub(crate) fn by_habit(environment: &Environment) -> Self {
        match environment.program.as_deref() {
            Some(program) if !is_plugin(program) => Self::by_path(environment),
            _ => Self::by_name(),
        }
    }

    fn by_name() -> Self {
        Self::of("kubectl".to_owned())
    }

    fn of(command: String) -> Self {
        let words: &[_] =
            if is_plugin(Path::new(&command)) { &["get-token"] } else { &["oidc-login", "get-token"] };
        Self { command, arguments: words.iter().map(|word| (*word).to_owned()).collect() }
    }
}

/// kubelogin's own name has its commands at the top too.
pub(super) fn is_plugin(program: &Path) -> bool {
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

    #[test]
    fn a_named_program_is_called_as_what_it_is() {
        for (name, words) in [
            ("/usr/local/bin/kubectl-oidc_login", "get-token"),
            ("kubelogin", "get-token"),
            ("kubectl", "oidc-login get-token"),
            ("/opt/kubesso", "oidc-login get-token"),
        ] {
            let invocation = PluginProgram::Named(name.to_owned()).invocation(&testing::environment());
            assert_eq!((invocation.command.as_str(), invocation.arguments.join(" ").as_str()), (name, words));
        }
    }
}
