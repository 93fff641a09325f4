//! The long way: `kubesso` does what a cache hit cannot.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use kubesso_token_cache::helper;

/// Why there is nobody to hand over to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandOverError {
    #[error(
        "this is the small plugin, which only answers from the cache; for the rest it needs `kubesso`, which is neither \
         beside it ({}) nor on PATH: install it there, or link kubesso itself as kubectl-oidc_login",
        beside.display()
    )]
    Missing { beside: PathBuf },
    #[error("{} cannot be started: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
}

/// Runs `kubesso` as the plugin with the same arguments. On Unix it takes this process' place.
pub(crate) fn to_kubesso(command_line: &[OsString]) -> Result<ExitCode, HandOverError> {
    let program = kubesso()?;
    let mut command = Command::new(&program);
    command.arg(PLUGIN).args(command_line.iter().skip(1));
    run(command).map_err(|source| HandOverError::Start { program, source })
}

/// Sends `kubesso` for the next token, and does not wait for it.
pub(crate) fn refresh(command_line: &[OsString]) -> Result<(), HandOverError> {
    let program = kubesso()?;
    let mut command = Command::new(&program);
    command.args([PLUGIN, helper::REFRESH]).args(command_line.iter().skip(1));
    helper::set_free(&mut command);
    command.spawn().map(drop).map_err(|source| HandOverError::Start { program, source })
}

/// kubesso's command that is the plugin.
const PLUGIN: &str = "oidc-login";

fn kubesso() -> Result<PathBuf, HandOverError> {
    find(&env::current_exe().unwrap_or_default(), search_path().as_deref())
}

/// `kubesso` beside this program, else the first on `PATH`; never this program under that name.
fn find(own: &Path, path: Option<&OsStr>) -> Result<PathBuf, HandOverError> {
    let name = format!("kubesso{}", env::consts::EXE_SUFFIX);
    let beside = own.with_file_name(&name);
    // A relative folder of the path would be wherever the person happens to be.
    let folders = path.into_iter().flat_map(env::split_paths).filter(|folder| folder.is_absolute());
    let own_file = own.canonicalize().ok();
    let is_other = |candidate: &PathBuf| {
        candidate.is_file() && (own_file.is_none() || candidate.canonicalize().ok() != own_file)
    };
    let mut candidates = std::iter::once(beside.clone()).chain(folders.map(|folder| folder.join(&name)));
    candidates.find(is_other).ok_or(HandOverError::Missing { beside })
}

#[expect(clippy::disallowed_methods, reason = "a binary of its own; PATH is where kubesso is looked for")]
fn search_path() -> Option<OsString> {
    env::var_os("PATH")
}

#[cfg(unix)]
fn run(mut command: Command) -> io::Result<ExitCode> {
    // Returns only when it could not.
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

/// Windows has no `exec`: the child shares the console, and its exit code becomes ours.
#[cfg(not(unix))]
fn run(mut command: Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn kubesso_is_looked_for_beside_the_plugin_and_then_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| {
            let folder = folder.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            folder.canonicalize().unwrap()
        };
        let (beside, elsewhere) = (place("bin"), place("elsewhere"));
        let own = beside.join("kubectl-oidc_login");
        fs::write(&own, "").unwrap();
        let path = env::join_paths([place("empty"), elsewhere.clone()]).unwrap();
        let name = format!("kubesso{}", env::consts::EXE_SUFFIX);

        let error = find(&own, Some(&path)).unwrap_err().to_string();
        assert!(error.contains(beside.to_str().unwrap()) && error.contains("PATH"), "{error}");
        fs::write(elsewhere.join(&name), "").unwrap();
        assert_eq!(find(&own, Some(&path)).unwrap(), elsewhere.join(&name));
        fs::write(beside.join(&name), "").unwrap();
        assert_eq!(find(&own, Some(&path)).unwrap(), beside.join(&name));
        assert!(find(&own, None).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_plugin_under_the_name_kubesso_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("kubectl-oidc_login");
        fs::write(&own, "").unwrap();
        std::os::unix::fs::symlink(&own, folder.path().join("kubesso")).unwrap();
        assert!(find(&own, None).is_err(), "it would hand over to itself for ever");
    }
}
