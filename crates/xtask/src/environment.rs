//! What xtask asks of its surroundings: variables, folders and programs on the path.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A variable that is set to something.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask is a program of its own; this is its one place that reads variables"
)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether this is a CI run, where nothing may be skipped.
pub(crate) fn is_ci() -> bool {
    variable("CI").is_some_and(|value| value == "true")
}

/// The root of the checkout.
pub(crate) fn workspace() -> &'static Path {
    const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(MANIFEST).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// The `target` folder of the workspace.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Where what is slow to make outlives a `cargo clean`: `$KUBESSO_CACHE_DIR`, or `kubesso` in the user's
/// cache folder (XDG Base Directory Specification).
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(chosen) = variable("KUBESSO_CACHE_DIR") {
        return Ok(PathBuf::from(chosen));
    }
    variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .map(|folder| folder.join("kubesso"))
        .context("no home folder; set KUBESSO_CACHE_DIR to a folder for tools and peers")
}

/// The first executable of this name on `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}
