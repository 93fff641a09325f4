//! The certified provider `oidc-provider` from npm, in a small program of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{files_in, with_names};
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
    let mut npm = Command::new("npm");
    npm.arg("--prefix").arg(place).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    tools::succeed("npm-ci", &mut npm)?;
    ensure!(place.join("node_modules/oidc-provider").is_dir(), "npm ci installed no oidc-provider");
    Ok(())
}
