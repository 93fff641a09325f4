//! What the suite takes from its surroundings: where the programs are, and a folder to work in.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "the harness' one place that reads variables")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The search path of programs.
pub fn path() -> OsString {
    variable("PATH").unwrap_or_default()
}

/// Where a person wants to see how the pages look: `$KUBESSO_SCREENSHOTS_DIR`.
pub fn screenshots() -> Option<PathBuf> {
    variable("KUBESSO_SCREENSHOTS_DIR").map(PathBuf::from)
}

/// The root of the checkout.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// A program on the path.
///
/// # Errors
/// Names the program that is missing.
pub fn program(name: &str) -> Result<PathBuf> {
    env::split_paths(&path())
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!("{name} is not on PATH; `cargo xtask test --only e2e` installs or explains it")
        })
}

/// A peer that `cargo xtask peers` builds.
///
/// # Errors
/// Says how to build it.
pub fn peer(name: &str) -> Result<PathBuf> {
    let program = peers().join(name);
    ensure!(program.is_file(), "{name} is not built; run `cargo xtask peers`");
    Ok(program)
}

/// A peer that is a folder.
///
/// # Errors
/// Says how to make it.
pub fn peer_folder(name: &str) -> Result<PathBuf> {
    let folder = peers().join(name);
    ensure!(folder.is_dir(), "{name} is not there; run `cargo xtask peers`");
    Ok(fs::canonicalize(folder)?)
}

fn peers() -> PathBuf {
    variable("KUBESSO_PEERS_DIR").map_or_else(|| target().join("peers"), PathBuf::from)
}

/// The binary under test: `$KUBESSO_BIN`, or built from the sources as they are now.
///
/// # Errors
/// Tells what the compiler says if it does not build.
pub fn kubesso() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BINARY.get_or_init(|| build_kubesso().map_err(|error| format!("{error:#}"))) {
        Ok(binary) => Ok(binary),
        Err(error) => bail!("{error}"),
    }
}

fn build_kubesso() -> Result<PathBuf> {
    if let Some(given) = variable("KUBESSO_BIN") {
        return Ok(PathBuf::from(given));
    }
    let output = Command::new("cargo")
        .args(["build", "--package=kubesso-cli", "--bin=kubesso"])
        .current_dir(workspace())
        .output()
        .context("cargo could not be started")?;
    ensure!(output.status.success(), "kubesso does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(target().join("debug/kubesso"))
}

/// The kubectl to test with: the one on the path, else the one that `cargo xtask test` has built. Where it is
/// Google's dispatcher, which runs another client for another server, the 1.32 client beside it, so that both
/// clusters meet the same one.
///
/// # Errors
/// kubectl is not there.
pub fn kubectl() -> Result<PathBuf> {
    let found = program("kubectl").or_else(|_| peer("kubectl"))?;
    let real = fs::canonicalize(&found).unwrap_or(found);
    let fixed = real.with_file_name("kubectl.1.32");
    Ok(if fixed.is_file() { fixed } else { real })
}

/// A new folder for one test, removed with the value. Folders of test processes that were killed are removed
/// by the next one.
///
/// # Errors
/// The file system's.
pub fn scratch(name: &str) -> Result<tempfile::TempDir> {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    let base = BASE.get_or_init(|| {
        let all = target().join("e2e");
        remove_leftovers(&all);
        all.join(std::process::id().to_string())
    });
    fs::create_dir_all(base).with_context(|| format!("{} cannot be made", base.display()))?;
    Ok(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(base)?)
}

fn remove_leftovers(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let process = Path::new("/proc").join(entry.file_name());
        if !process.exists() {
            // Another test process may be removing it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
