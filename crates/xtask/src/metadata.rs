//! What cargo says of the workspace, as far as the checks need it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::environment;

/// Each package of the workspace, with the packages that its manifest names for normal use (not for tests).
pub(crate) type Named = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// The workspace's packages and what their manifests name.
pub(crate) fn members() -> Result<Named> {
    let metadata: Metadata = serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--no-deps"])?)
        .context("cargo metadata")?;
    let normal = |dependencies: Vec<Dependency>| {
        dependencies.into_iter().filter(|one| one.kind.is_none()).map(|one| one.name).collect()
    };
    Ok(metadata.packages.into_iter().map(|package| (package.name, normal(package.dependencies))).collect())
}

/// The packages that are linked into `package`, with the features that it really turns on. (`cargo metadata`
/// also shows what no feature asks for, so it would blame the innocent.)
pub(crate) fn linked(package: &str) -> Result<BTreeSet<String>> {
    tree(&["--package", package, "--edges", "normal"])
}

/// The packages that are compiled at all, build scripts and tests included.
pub(crate) fn compiled() -> Result<BTreeSet<String>> {
    tree(&["--workspace", "--edges", "normal,build,dev"])
}

fn tree(arguments: &[&str]) -> Result<BTreeSet<String>> {
    let fixed = ["tree", "--prefix", "none", "--format", "{p}", "--target", "x86_64-unknown-linux-gnu"];
    let listed = cargo(&[&fixed, arguments].concat())?;
    Ok(listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(environment::workspace())
        .output()
        .context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "cargo {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).context("cargo printed something that is not UTF-8")
}
