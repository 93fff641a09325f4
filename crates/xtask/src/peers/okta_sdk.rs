//! Okta's own SDKs, each in a small program of ours. The one in Go is among the Go programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{files_in, npm_ci, with_names};
use crate::environment::{find_program, workspace};
use crate::tools;

/// The language of an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Node,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// The peer's name, and the folder of its sources.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "okta-sdk-python",
            Self::Node => "okta-sdk-nodejs",
        }
    }

    fn sources(self) -> Result<Vec<PathBuf>> {
        files_in(&workspace().join("tests/peers").join(self.name()))
    }

    /// What fetches and runs it.
    pub(super) fn require(self) -> Result<()> {
        match self {
            Self::Python => tools::debian(self.name(), &["python3"], &["python3", "python3-venv"]),
            Self::Node => tools::debian(self.name(), &["node", "npm"], &["nodejs", "npm"]),
        }
    }

    /// What it is made of: our program, and what it is installed for.
    pub(super) fn ingredients(self) -> Result<Vec<u8>> {
        let mut ingredients = with_names(&self.sources()?)?;
        match self {
            Self::Python => ingredients.extend(tools::version(&python()?, &["--version"])?.into_bytes()),
            Self::Node => {}
        }
        Ok(ingredients)
    }

    /// Copies our program and puts beside it what its lock file names, by its hashes.
    pub(super) fn make(self, place: &Path) -> Result<()> {
        fs::create_dir_all(place)?;
        for file in self.sources()? {
            fs::copy(&file, place.join(file.file_name().unwrap_or_default()))?;
        }
        match self {
            Self::Python => with_pip(place),
            Self::Node => npm_ci(place, "@okta/okta-sdk-nodejs"),
        }
    }
}

fn python() -> Result<PathBuf> {
    find_program("python3").context("python3 is missing")
}

/// A virtual environment, of which only the interpreter is started: its scripts would not outlive the move of the
/// finished peer to its place.
fn with_pip(place: &Path) -> Result<()> {
    let environment = place.join("python");
    tools::succeed("python-venv", Command::new(python()?).args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement"]);
    tools::succeed("pip-install", pip.arg(place.join("requirements.txt")))?;
    let mut import = Command::new(environment.join("bin/python"));
    tools::succeed("okta-sdk-python-import", import.args(["-c", "import okta.client"]))
}
