//! Libraries of others, each in a small program of ours: Okta's own SDKs, and clients of OpenID Connect; and axe-core, which
//! a browser runs. What is in Go is among the Go programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{files_in, npm_ci, with_names};
use crate::environment::{find_program, workspace};
use crate::tools;

/// A program of ours around a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Library {
    /// The peer's name, and the folder of its sources.
    pub(super) name: &'static str,
    language: Language,
    /// What shows that the library is there: a module to import, a folder below `node_modules`; in Java, our class; in
    /// Rust, our program.
    shown_by: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Python,
    Node,
    Java,
    Rust,
}

/// All of them.
pub(super) const ALL: [Library; 8] = [
    Library { name: "axe-core", language: Language::Node, shown_by: "axe-core" },
    Library { name: "oidc-client-java", language: Language::Java, shown_by: "Client" },
    Library { name: "oidc-client-nodejs", language: Language::Node, shown_by: "openid-client" },
    Library { name: "oidc-client-python", language: Language::Python, shown_by: "authlib.jose" },
    Library { name: "oidc-client-rust", language: Language::Rust, shown_by: "oidc-client-rust" },
    Library { name: "okta-sdk-java", language: Language::Java, shown_by: "Peer" },
    Library { name: "okta-sdk-nodejs", language: Language::Node, shown_by: "@okta/okta-sdk-nodejs" },
    Library { name: "okta-sdk-python", language: Language::Python, shown_by: "okta.client" },
];

impl Library {
    fn sources(self) -> Result<Vec<PathBuf>> {
        files_in(&workspace().join("tests/peers").join(self.name))
    }

    /// What fetches and runs it.
    pub(super) fn require(self) -> Result<()> {
        match self.language {
            Language::Python => tools::debian(self.name, &["python3"], &["python3", "python3-venv"]),
            Language::Node => tools::debian(self.name, &["node", "npm"], &["nodejs", "npm"]),
            Language::Java => {
                let programs = ["java", "javac", "mvn"];
                tools::debian(self.name, &programs, &["default-jdk-headless", "maven"])
            }
            // Whoever runs this has it.
            Language::Rust => Ok(()),
        }
    }

    /// What it is made of: our program, and what it is installed for.
    pub(super) fn ingredients(self) -> Result<Vec<u8>> {
        let mut ingredients = with_names(&self.sources()?)?;
        match self.language {
            Language::Python => ingredients.extend(tools::version(&python()?, &["--version"])?.into_bytes()),
            Language::Node => {}
            Language::Rust => {
                ingredients.extend(tools::version(Path::new("rustc"), &["--version"])?.into_bytes());
            }
            Language::Java => ingredients.extend(tools::version(&javac()?, &["-version"])?.into_bytes()),
        }
        Ok(ingredients)
    }

    /// Copies our program and puts beside it what its lock file names, checked by its hashes.
    pub(super) fn make(self, place: &Path) -> Result<()> {
        fs::create_dir_all(place)?;
        for file in self.sources()? {
            fs::copy(&file, place.join(file.file_name().unwrap_or_default()))?;
        }
        match self.language {
            Language::Python => with_pip(place, self.name, self.shown_by),
            Language::Node => npm_ci(place, self.shown_by),
            Language::Java => with_maven(place, self.name, self.shown_by),
            Language::Rust => with_cargo(place, self.name, self.shown_by),
        }
    }
}

fn python() -> Result<PathBuf> {
    find_program("python3").context("python3 is missing")
}

/// A virtual environment, of which only the interpreter is started: its scripts would not outlive the move of the
/// finished peer to its place.
fn with_pip(place: &Path, name: &str, module: &str) -> Result<()> {
    let environment = place.join("python");
    tools::succeed("python-venv", Command::new(python()?).args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement"]);
    tools::succeed("pip-install", pip.arg(place.join("requirements.txt")))?;
    let mut import = Command::new(environment.join("bin/python"));
    tools::succeed(&format!("{name}-import"), import.args(["-c", &format!("import {module}")]))
}

fn javac() -> Result<PathBuf> {
    find_program("javac").context("javac is missing")
}

/// The libraries as Maven finds them, all of them known by their hashes, and our program compiled.
fn with_maven(place: &Path, name: &str, class: &str) -> Result<()> {
    let libraries = place.join("libraries");
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--strict-checksums", "--file"]).arg(place.join("pom.xml"));
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", libraries.display()));
    tools::succeed(&format!("{name}-fetch"), &mut maven)?;
    let known = fs::read_to_string(place.join("libraries.sha256"))?;
    ensure!(
        known.lines().count() == files_in(&libraries)?.len(),
        "Maven brought other libraries than libraries.sha256 names"
    );
    let mut check = Command::new("sh");
    check.args(["-c", "cd \"$1\" && sha256sum --check --quiet ../libraries.sha256", "sh"]).arg(&libraries);
    tools::succeed(&format!("{name}-check"), &mut check)?;
    let mut compile = Command::new(javac()?);
    compile
        .arg("-cp")
        .arg(libraries.join("*"))
        .arg("-d")
        .arg(place.join("classes"))
        .arg(place.join(format!("{class}.java")));
    tools::succeed(&format!("{name}-compile"), &mut compile)
}

/// What its own lock file names, and our program, in a workspace that is not ours: what is banned for us may be in it.
fn with_cargo(place: &Path, name: &str, program: &str) -> Result<()> {
    let build = place.join("target");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--quiet", "--manifest-path"]).arg(place.join("Cargo.toml"));
    tools::succeed(&format!("{name}-build"), cargo.arg("--target-dir").arg(&build))?;
    fs::rename(build.join("debug").join(program), place.join(program))
        .with_context(|| format!("cargo build of {name} made no {program}"))?;
    fs::remove_dir_all(&build).with_context(|| format!("{} cannot be removed", build.display()))
}
