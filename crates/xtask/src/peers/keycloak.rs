//! Keycloak: its distribution from Maven, with its database already there.
//!
//! A first start takes the better part of a minute: the server is augmented for its database, the schema is made, the
//! realm is imported. All of that is done here, once; a test copies the database and starts what is ready.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::sorted;
use crate::environment::workspace;
use crate::tools;

const VERSION: &str = "26.4.0";
/// H2 in a file, so that it can be copied.
const BUILD: [&str; 2] = ["build", "--db=dev-file"];

fn sources() -> PathBuf {
    workspace().join("tests/peers/keycloak")
}

/// Java, Maven and Python, which fetch and start it.
pub(super) fn require() -> Result<()> {
    let programs = ["java", "mvn", "python3"];
    tools::debian("Keycloak", &programs, &["default-jre-headless", "maven", "python3"])
}

/// What it is made of.
pub(super) fn ingredients() -> Result<Vec<u8>> {
    let mut ingredients = format!("{VERSION} {BUILD:?}\n").into_bytes();
    for file in sorted(&sources())? {
        ingredients.extend(fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?);
    }
    Ok(ingredients)
}

/// Fetches, unpacks, augments, and imports the realm.
pub(super) fn make(place: &Path) -> Result<()> {
    let download = place.join("download");
    fs::create_dir_all(&download)?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--strict-checksums", "--file"]).arg(sources().join("pom.xml"));
    maven.arg("dependency:copy-dependencies").arg(format!("-DoutputDirectory={}", download.display()));
    tools::succeed("keycloak-fetch", &mut maven)?;
    let archive = download.join(format!("keycloak-quarkus-dist-{VERSION}.zip"));
    ensure!(archive.is_file(), "Maven brought no {}", archive.display());
    let mut check = Command::new("sh");
    check.args(["-c", "cd \"$1\" && sha256sum --check \"$2\"", "sh"]).arg(&download);
    tools::succeed("keycloak-check", check.arg(sources().join("keycloak.sha256")))?;
    tools::succeed(
        "keycloak-unpack",
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&archive).arg(place),
    )?;
    fs::remove_dir_all(&download)?;
    let server = place.join(format!("keycloak-{VERSION}"));
    tools::succeed("keycloak-build", control(&server).args(BUILD))?;
    let realm = sources().join("realm.json");
    tools::succeed("keycloak-import", control(&server).args(["import", "--optimized", "--file"]).arg(realm))?;
    ensure!(server.join("data/h2/keycloakdb.mv.db").is_file(), "the import left no database");
    // A plain name, so that only this file knows the version.
    fs::rename(server, place.join("server"))?;
    Ok(())
}

fn control(server: &Path) -> Command {
    let mut command = Command::new("sh");
    command.env_remove("JAVA_OPTS").arg(server.join("bin/kc.sh"));
    command
}
