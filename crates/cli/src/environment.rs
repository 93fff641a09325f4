//! What the operating system says: variables, the home directory, streams, signals.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kubesso_ambient::{OsEntropy, SystemClock};
use kubesso_keyring::{Patience, Session, SystemKeyring};
use kubesso_kubeconfig::Locations;
use kubesso_signin::{
    Environment, Interrupt, Launch, NoHelper, Output, Pacing, Surroundings, SystemBrowser, SystemLauncher,
    SystemTerminal, Terminal,
};

use crate::args::DataDir;
use crate::error::CommandError;
use crate::up::Colour;

/// The plugin's world: this process', which was called with `arguments` as the plugin.
pub(crate) fn for_sign_in(arguments: &[OsString]) -> Environment {
    Environment {
        surroundings: Surroundings {
            variables: Arc::new(variable),
            variable_names: Arc::new(variable_names),
            home: std::env::home_dir(),
        },
        program: program(),
        stdout: Output::new(io::stdout()),
        stderr: Output::new(io::stderr()),
        terminal: Arc::new(SystemTerminal),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        browser: Arc::new(SystemBrowser),
        keyring: Arc::new(keyring()),
        launcher: launcher(arguments),
        interrupt: Interrupt::Signals,
        pacing: Pacing::default(),
        verbosity: 0,
    }
}

/// The session's keyring. Where nobody sits, nobody is asked to unlock it.
fn keyring() -> SystemKeyring {
    let session = Session {
        bus_address: variable("DBUS_SESSION_BUS_ADDRESS"),
        runtime_directory: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
    };
    let patience = Patience::default();
    let unlock = if SystemTerminal.is_attended() { patience.unlock } else { Duration::ZERO };
    SystemKeyring::new(session, Patience { unlock, ..patience })
}

/// Starts this file again. On Linux that is `kubesso` also where the process was called by a link to it.
fn launcher(arguments: &[OsString]) -> Arc<dyn Launch> {
    let Ok(program) = std::env::current_exe() else { return Arc::new(NoHelper) };
    let role = if crate::is_plugin(&program) { vec![] } else { vec![crate::PLUGIN.into()] };
    Arc::new(SystemLauncher::new(program, role, arguments.to_vec()))
}

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The file that this program was started by. A link stays a link: what it leads to may move when it is upgraded.
fn program() -> Option<PathBuf> {
    let name = PathBuf::from(std::env::args_os().next()?);
    if name.components().count() > 1 {
        return std::path::absolute(name).ok();
    }
    let path = variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|file| file.is_file());
    found.filter(|file| file.is_absolute()).or_else(|| std::env::current_exe().ok())
}

/// The variable of that name, if it is set and not empty.
pub(crate) fn set(name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

/// Those whose name is Unicode; no variable of ours has another name.
pub(crate) fn variable_names() -> Vec<String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
}

/// kubectl's files: the one that was named, else those of `KUBECONFIG`, else the one at home.
pub(crate) fn kubeconfig_locations(named: Option<&Path>) -> Locations {
    let variable = set("KUBECONFIG").map(OsString::from);
    Locations::new(named, variable.as_deref(), std::env::home_dir().as_deref())
}

/// Whether a program is there: at its path, or in `PATH` for a bare name.
pub(crate) fn is_a_program(name: &str) -> bool {
    if Path::new(name).components().count() > 1 {
        return Path::new(name).is_file();
    }
    let path = variable("PATH").unwrap_or_default();
    let suffixes: &[&str] = if cfg!(windows) { &["", ".exe", ".cmd"] } else { &[""] };
    std::env::split_paths(&path)
        .any(|folder| suffixes.iter().any(|suffix| folder.join(format!("{name}{suffix}")).is_file()))
}

/// The data directory that was named, or the default.
pub(crate) fn data_dir(named: &DataDir) -> Result<PathBuf, CommandError> {
    named.data_dir.clone().or_else(default_data_dir).ok_or_else(|| {
        CommandError::new("there is no home directory to keep data in").mend("name one with --data-dir")
    })
}

/// The data directory for whoever names none.
pub(crate) fn default_data_dir() -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("KUBESSO_DATA_DIR")
        .or_else(|| set("XDG_DATA_HOME").map(|data| data.join("kubesso")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/share/kubesso")))
}

/// Whether somebody can be asked: there is a terminal to read from.
pub(crate) fn can_be_asked() -> bool {
    io::stdin().is_terminal()
}

/// Whether standard output may be coloured: it is a terminal, and <https://no-color.org> is not asked for.
pub(crate) fn colour() -> Colour {
    let unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stdout().is_terminal() && !unwanted { Colour::On } else { Colour::Off }
}
