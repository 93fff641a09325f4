//! Programs built from Go modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::sorted;
use crate::environment::workspace;
use crate::tools;

/// A program to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: String,
    /// The folder of its Go module.
    pub(super) module: PathBuf,
    /// What to build, as `go build` names it.
    pub(super) package: String,
    /// Our own sources, if the program is ours.
    pub(super) sources: Option<PathBuf>,
}

/// kubectl 1.32, for a machine that has none.
pub(super) fn kubectl() -> Program {
    Program {
        name: "kubectl".to_owned(),
        module: workspace().join("tests/peers/kubectl"),
        package: "k8s.io/kubernetes/cmd/kubectl".to_owned(),
        sources: None,
    }
}

/// kube-apiserver in two versions, etcd, a kubelet's part that exec reaches, kubelogin, oauth2-proxy, and every folder of `tests/peers/kubernetes`,
/// `tests/peers/kubelogin` and `tests/peers/okta-sdk-golang` that holds a Go program (the oracles, and the one that uses Okta's
/// SDK); the folders of `tests/peers/cluster-formats`, each a module of its own, because their programs need different
/// versions of the same modules.
pub(super) fn all() -> Result<Vec<Program>> {
    let peers = workspace().join("tests/peers");
    let (kubernetes, kubelogin) = (peers.join("kubernetes"), peers.join("kubelogin"));
    let program = |name: &str, module: &Path, package: &str| Program {
        name: name.to_owned(),
        module: module.to_owned(),
        package: package.to_owned(),
        sources: None,
    };
    let mut programs = vec![
        program("etcd", &peers.join("etcd"), "go.etcd.io/etcd/server/v3"),
        program("kube-apiserver", &kubernetes, "k8s.io/kubernetes/cmd/kube-apiserver"),
        program(
            "kube-apiserver-1.34",
            &peers.join("kubernetes-1.34"),
            "k8s.io/kubernetes/cmd/kube-apiserver",
        ),
        Program { sources: Some(peers.join("kubelet")), ..program("kubelet", &peers.join("kubelet"), ".") },
        program("kubelogin", &kubelogin, "github.com/int128/kubelogin"),
        program("oauth2-proxy", &peers.join("oauth2-proxy"), "github.com/oauth2-proxy/oauth2-proxy/v7"),
    ];
    for module in [kubernetes, kubelogin, peers.join("okta-sdk-golang")] {
        for sources in sorted(&module)? {
            let name = sources.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if sources.join("main.go").is_file() {
                programs.push(Program {
                    sources: Some(sources.clone()),
                    ..program(name, &module, &format!("./{name}"))
                });
            }
        }
    }
    for module in sorted(&peers.join("cluster-formats"))? {
        let name = module.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let sources = Some(module.clone());
        programs.push(Program { sources, ..program(&format!("cluster-formats-{name}"), &module, ".") });
    }
    Ok(programs)
}

impl Program {
    pub(super) fn make(&self, place: &Path) -> Result<()> {
        let mut command = Command::new(tools::go()?);
        command
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .args(["build", "-C"])
            .arg(&self.module)
            .args(["-ldflags=-s -w", "-o"])
            .arg(place)
            .arg(&self.package);
        tools::succeed(&format!("build-{}", self.name), &mut command)?;
        ensure!(place.is_file(), "go build of {} made no program", self.name);
        Ok(())
    }

    /// What the program is made of.
    pub(super) fn ingredients(&self, go_version: &str) -> Result<Vec<u8>> {
        let mut ingredients = format!("{go_version}\n{}\n", self.package).into_bytes();
        let mut files = vec![self.module.join("go.mod"), self.module.join("go.sum")];
        if let Some(sources) = &self.sources {
            files.extend(files_below(sources)?);
        }
        for file in files {
            let content = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let name = file.strip_prefix(&self.module).unwrap_or(&file).to_string_lossy().into_owned();
            ingredients.extend(format!("{name} {}\n", content.len()).into_bytes());
            ingredients.extend(content);
        }
        Ok(ingredients)
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in sorted(folder)? {
        if entry.is_dir() {
            found.extend(files_below(&entry)?);
        } else {
            found.push(entry);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ingredients_change_with_everything_that_the_program_is_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        fs::create_dir(folder.path().join("oracle")).unwrap();
        write("go.mod", "module a\n");
        write("go.sum", "");
        write("oracle/main.go", "package main\n");
        let program = Program {
            name: "oracle".to_owned(),
            module: folder.path().to_owned(),
            package: "./oracle".to_owned(),
            sources: Some(folder.path().join("oracle")),
        };
        let mut seen = vec![program.ingredients("go1.26").unwrap()];
        assert_eq!(program.ingredients("go1.26").unwrap(), seen[0]);
        seen.push(program.ingredients("go1.27").unwrap());
        write("go.sum", "b v1.0.0\n");
        seen.push(program.ingredients("go1.26").unwrap());
        write("oracle/main.go", "package main\n\nfunc main() {}\n");
        seen.push(program.ingredients("go1.26").unwrap());
        write("oracle/more.go", "package main\n");
        seen.push(program.ingredients("go1.26").unwrap());
        let different: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(different.len(), seen.len(), "{seen:?}");
    }

    #[test]
    fn the_programs_of_this_checkout_are_found() {
        let names: Vec<_> = all().unwrap().into_iter().map(|program| program.name).collect();
        assert!(names.starts_with(&["etcd".to_owned(), "kube-apiserver".to_owned()]), "{names:?}");
        assert!(names.contains(&"okta-sdk-golang".to_owned()), "{names:?}");
        assert!(names.contains(&"cluster-formats-kamaji".to_owned()), "{names:?}");
    }
}
