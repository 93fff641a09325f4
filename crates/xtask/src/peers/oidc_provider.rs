//! The certified provider `oidc-provider` from npm, in a small program of ours.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{files_in, npm_ci, with_names};
use crate::environment::workspace;
use crate::tools;

fn sources() -> Result<Vec<PathBuf>> {
    files_in(&workspace().join("tests/peers/oidc-provider"))
}

/// Node and npm.
pub(super) fn require() -> Result<()> {
    tools::debian("oidc-provider", &["node", "npm"], &["nodejs", "npm"])
}

/// What it is made of.
pub(super) fn ingredients() -> Result<Vec<u8>> {
    with_names(&sources()?)
}

/// Copies our program and installs what its lock file names, by its hashes.
pub(super) fn make(place: &Path) -> Result<()> {
    fs::create_dir_all(place)?;
    for file in sources()? {
        fs::copy(&file, place.join(file.file_name().unwrap_or_default()))?;
    }
    npm_ci(place, "oidc-provider")
}
