//! The certified provider `oidc-provider` from npm, in a small program of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::sorted;
use crate::environment::workspace;
use crate::tools;

/// The program; beside it may be a developer's `node_modules`.
fn sources() -> Result<Vec<PathBuf>> {
    let all = sorted(&workspace().join("tests/peers/oidc-provider"))?;
    Ok(all.into_iter().filter(|file| file.is_file()).collect())
}

/// Node and npm.
pub(super) fn require() -> Result<()> {
    tools::debian("oidc-provider", &["node", "npm"], &["nodejs", "npm"])
}

/// What it is made of.
pub(super) fn ingredients() -> Result<Vec<u8>> {
    let mut ingredients = Vec::new();
    for file in sources()? {
        let content = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        ingredients.extend(format!("{name} {}\n", content.len()).into_bytes());
        ingredients.extend(content);
    }
    Ok(ingredients)
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
