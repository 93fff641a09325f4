//! The real programs that kubesso is tested against, built from their Go modules in `tests/peers`.
//!
//! Each build has a name made of what it depends on (Go's version, `go.mod`, `go.sum`, our own Go sources), so
//! a change builds anew and an unchanged peer is built once for a machine. The finished programs are linked
//! under plain names into one folder, which tests find in `KUBESSO_PEERS_DIR` or, without it, in
//! `target/peers`. Whoever sets `KUBESSO_PEERS_DIR` vouches for the programs that are there.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::environment::{cache, target, variable, workspace};
use crate::tools;

/// A program to build.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Peer {
    name: String,
    /// The folder of its Go module.
    module: PathBuf,
    /// What to build, as `go build` names it.
    package: String,
    /// Our own sources, if the program is ours.
    sources: Option<PathBuf>,
}

/// Builds what is missing and says where everything is.
pub(crate) fn print() -> Result<ExitCode> {
    let folder = ensure_built(|line| eprintln!("{line}"))?;
    for peer in all()? {
        println!("{}", folder.join(&peer.name).display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds what is missing, and returns the folder where all peers are, under their plain names.
pub(crate) fn ensure_built(progress: impl Fn(&str)) -> Result<PathBuf> {
    let chosen = variable("KUBESSO_PEERS_DIR").map(PathBuf::from);
    let folder = chosen.clone().unwrap_or_else(|| target().join("peers"));
    create(&folder)?;
    for peer in all()? {
        let link = folder.join(&peer.name);
        let vouched_for = chosen.is_some() && !link.is_symlink() && link.is_file();
        if !vouched_for {
            replace_link(&build(&peer, &progress)?, &link)?;
        }
    }
    Ok(folder)
}

/// kubectl 1.32 for a machine that has none, under its plain name in `folder`.
pub(crate) fn ensure_kubectl(folder: &Path, progress: impl Fn(&str)) -> Result<()> {
    let kubectl = Peer {
        name: "kubectl".to_owned(),
        module: workspace().join("tests/peers/kubectl"),
        package: "k8s.io/kubernetes/cmd/kubectl".to_owned(),
        sources: None,
    };
    replace_link(&build(&kubectl, &progress)?, &folder.join(&kubectl.name))
}

/// How many programs there are.
pub(crate) fn count() -> Result<u32> {
    Ok(u32::try_from(all()?.len())?)
}

/// kube-apiserver, etcd, and every folder of `tests/peers/kubernetes` that holds a Go program (the oracles).
fn all() -> Result<Vec<Peer>> {
    let kubernetes = workspace().join("tests/peers/kubernetes");
    let peer = |name: &str, module: &Path, package: &str| Peer {
        name: name.to_owned(),
        module: module.to_owned(),
        package: package.to_owned(),
        sources: None,
    };
    let mut peers = vec![
        peer("etcd", &workspace().join("tests/peers/etcd"), "go.etcd.io/etcd/server/v3"),
        peer("kube-apiserver", &kubernetes, "k8s.io/kubernetes/cmd/kube-apiserver"),
    ];
    for sources in sorted(&kubernetes)? {
        let name = sources.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if sources.join("main.go").is_file() {
            peers.push(Peer {
                sources: Some(sources.clone()),
                ..peer(name, &kubernetes, &format!("./{name}"))
            });
        }
    }
    Ok(peers)
}

/// The finished program in the cache. It gets its name only when it is whole, so a name is never half a file.
fn build(peer: &Peer, progress: &impl Fn(&str)) -> Result<PathBuf> {
    let go = tools::go()?;
    let cache = cache()?.join("peers");
    let finished =
        cache.join(format!("{}-{:016x}", peer.name, key(peer, &tools::version(&go, &["version"])?)?));
    if finished.is_file() {
        return Ok(finished);
    }
    create(&cache)?;
    progress(&format!("building {} (minutes, once)", peer.name));
    let unfinished = finished.with_extension(format!("unfinished-{}", std::process::id()));
    let mut command = Command::new(go);
    command
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .args(["build", "-C"])
        .arg(&peer.module)
        .args(["-ldflags=-s -w", "-o"])
        .arg(&unfinished)
        .arg(&peer.package);
    let built = tools::succeed(&format!("build-{}", peer.name), &mut command);
    if built.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    built?;
    ensure!(unfinished.is_file(), "go build of {} made no program", peer.name);
    fs::rename(&unfinished, &finished)
        .with_context(|| format!("{} cannot be put in place", finished.display()))?;
    Ok(finished)
}

/// What the program is made of, as one number.
fn key(peer: &Peer, go_version: &str) -> Result<u64> {
    let mut ingredients = format!("{go_version}\n{}\n", peer.package).into_bytes();
    let mut files = vec![peer.module.join("go.mod"), peer.module.join("go.sum")];
    if let Some(sources) = &peer.sources {
        files.extend(go_sources(sources)?);
    }
    for file in files {
        let content = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = file.strip_prefix(&peer.module).unwrap_or(&file).to_string_lossy().into_owned();
        ingredients.extend(format!("{name} {}\n", content.len()).into_bytes());
        ingredients.extend(content);
    }
    Ok(tools::fingerprint(&ingredients))
}

fn go_sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in sorted(folder)? {
        if entry.is_dir() {
            found.extend(go_sources(&entry)?);
        } else {
            found.push(entry);
        }
    }
    Ok(found)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
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
    fn the_key_changes_with_everything_that_the_program_is_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        fs::create_dir(folder.path().join("oracle")).unwrap();
        write("go.mod", "module a\n");
        write("go.sum", "");
        write("oracle/main.go", "package main\n");
        let peer = Peer {
            name: "oracle".to_owned(),
            module: folder.path().to_owned(),
            package: "./oracle".to_owned(),
            sources: Some(folder.path().join("oracle")),
        };
        let mut keys = vec![key(&peer, "go1.26").unwrap()];
        assert_eq!(key(&peer, "go1.26").unwrap(), keys[0]);
        keys.push(key(&peer, "go1.27").unwrap());
        write("go.sum", "b v1.0.0\n");
        keys.push(key(&peer, "go1.26").unwrap());
        write("oracle/main.go", "package main\n\nfunc main() {}\n");
        keys.push(key(&peer, "go1.26").unwrap());
        write("oracle/more.go", "package main\n");
        keys.push(key(&peer, "go1.26").unwrap());
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "{keys:?}");
    }

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
    fn the_peers_of_this_checkout_are_found() {
        let names: Vec<_> = all().unwrap().into_iter().map(|peer| peer.name).collect();
        assert!(names.starts_with(&["etcd".to_owned(), "kube-apiserver".to_owned()]), "{names:?}");
    }
}
