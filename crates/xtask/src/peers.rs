//! The real programs that kubesso is tested against, made from what `tests/peers` names.
//!
//! Each has a name made of what it depends on (for Go, its version, `go.mod`, `go.sum`, our own sources), so a
//! change makes it anew and an unchanged peer is made once for a machine. The finished peers are linked under
//! plain names into one folder, which tests find in `KUBESSO_PEERS_DIR` or, without it, in `target/peers`.
//! Whoever sets `KUBESSO_PEERS_DIR` vouches for what is there.

mod go;
mod keycloak;
mod library;
mod oidc_provider;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::environment::{cache, target, variable};
use crate::tools;

/// A peer: a program, or a folder with all that one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Peer {
    Go(go::Program),
    Keycloak,
    OidcProvider,
    Library(library::Library),
}

impl Peer {
    fn name(&self) -> &str {
        match self {
            Self::Go(program) => &program.name,
            Self::Keycloak => "keycloak",
            Self::OidcProvider => "oidc-provider",
            Self::Library(library) => library.name,
        }
    }

    /// Installs, or names, what it cannot be made or run without.
    fn require(&self) -> Result<()> {
        match self {
            Self::Go(_) => Ok(()),
            Self::Keycloak => keycloak::require(),
            Self::OidcProvider => oidc_provider::require(),
            Self::Library(library) => library.require(),
        }
    }

    fn ingredients(&self) -> Result<Vec<u8>> {
        match self {
            Self::Go(program) => program.ingredients(&tools::version(&tools::go()?, &["version"])?),
            Self::Keycloak => keycloak::ingredients(),
            Self::OidcProvider => oidc_provider::ingredients(),
            Self::Library(library) => library.ingredients(),
        }
    }

    fn make(&self, place: &Path) -> Result<()> {
        match self {
            Self::Go(program) => program.make(place),
            Self::Keycloak => keycloak::make(place),
            Self::OidcProvider => oidc_provider::make(place),
            Self::Library(library) => library.make(place),
        }
    }
}

/// Makes what is missing and says where everything is.
pub(crate) fn print() -> Result<ExitCode> {
    let folder = ensure_built(|line| eprintln!("{line}"))?;
    for peer in all()? {
        println!("{}", folder.join(peer.name()).display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes what is missing, and returns the folder where all peers are, under their plain names.
pub(crate) fn ensure_built(progress: impl Fn(&str)) -> Result<PathBuf> {
    let chosen = variable("KUBESSO_PEERS_DIR").map(PathBuf::from);
    let folder = chosen.clone().unwrap_or_else(|| target().join("peers"));
    create(&folder)?;
    for peer in all()? {
        let link = folder.join(peer.name());
        let vouched_for = chosen.is_some() && !link.is_symlink() && link.exists();
        if !vouched_for {
            replace_link(&finished(&peer, &progress)?, &link)?;
        }
    }
    Ok(folder)
}

/// kubectl 1.32 for a machine that has none, under its plain name in `folder`.
pub(crate) fn ensure_kubectl(folder: &Path, progress: impl Fn(&str)) -> Result<()> {
    let kubectl = Peer::Go(go::kubectl());
    replace_link(&finished(&kubectl, &progress)?, &folder.join(kubectl.name()))
}

/// How many peers there are.
pub(crate) fn count() -> Result<u32> {
    Ok(u32::try_from(all()?.len())?)
}

fn all() -> Result<Vec<Peer>> {
    let programs = go::all()?.into_iter().map(Peer::Go);
    let libraries = library::ALL.into_iter().map(Peer::Library);
    Ok(programs.chain([Peer::Keycloak, Peer::OidcProvider]).chain(libraries).collect())
}

/// The finished peer in the cache. It gets its name only when it is whole, so a name is never half a peer.
fn finished(peer: &Peer, progress: &impl Fn(&str)) -> Result<PathBuf> {
    peer.require()?;
    let cache = cache()?.join("peers");
    let finished = cache.join(format!("{}-{:016x}", peer.name(), tools::fingerprint(&peer.ingredients()?)));
    if finished.exists() {
        return Ok(finished);
    }
    create(&cache)?;
    progress(&format!("making {} (minutes, once)", peer.name()));
    let unfinished = finished.with_extension(format!("unfinished-{}", std::process::id()));
    let made = peer.make(&unfinished).and_then(|()| {
        fs::rename(&unfinished, &finished)
            .with_context(|| format!("{} cannot be put in place", finished.display()))
    });
    if made.is_err() {
        let _ = fs::remove_file(&unfinished).or_else(|_| fs::remove_dir_all(&unfinished));
    }
    made.map(|()| finished)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The files right in a folder; beside them may be a developer's `node_modules` and the like.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(sorted(folder)?.into_iter().filter(|path| path.is_file()).collect())
}

/// The content of files, each after its name and length.
fn with_names(files: &[PathBuf]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for file in files {
        let content = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        all.extend(format!("{name} {}\n", content.len()).into_bytes());
        all.extend(content);
    }
    Ok(all)
}

/// Installs what the lock file in `place` names, by its hashes; `package` is what it is for.
fn npm_ci(place: &Path, package: &str) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.arg("--prefix").arg(place).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    tools::succeed("npm-ci", &mut npm)?;
    ensure!(place.join("node_modules").join(package).is_dir(), "npm ci installed no {package}");
    Ok(())
}

fn replace_link(program: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|present| present == program) {
        return Ok(());
    }
    let new = link.with_extension(format!("new-{}", std::process::id()));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    symlink(program, &new)
        .and_then(|()| fs::rename(&new, link))
        .with_context(|| format!("{}", link.display()))
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_replaced_and_then_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("etcd");
        for program in ["one", "two", "two"] {
            replace_link(Path::new(program), &link).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(program));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn each_peer_has_a_name_of_its_own_and_is_made_of_something() {
        let mut names = std::collections::BTreeSet::new();
        let libraries = library::ALL.map(Peer::Library);
        for peer in [Peer::Keycloak, Peer::OidcProvider].into_iter().chain(libraries) {
            assert!(!peer.ingredients().unwrap().is_empty(), "{peer:?}");
        }
        for peer in all().unwrap() {
            assert!(names.insert(peer.name().to_owned()), "{peer:?}");
        }
    }
}
