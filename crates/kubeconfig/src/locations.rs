//! Which files make up a kubeconfig.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The files that kubectl would read, in its order.
///
/// The value of `KUBECONFIG` and the home directory are given by the caller: this room reads no environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    source: Source,
    files: Vec<PathBuf>,
}

/// Where the list of files comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `--kubeconfig`: one file, which must be there.
    Explicit,
    /// `~/.kube/config`
    Home,
    /// `KUBECONFIG`: files that are not there are skipped.
    Variable,
}

impl Locations {
    /// From `--kubeconfig`, else the value of `KUBECONFIG`, else the home directory. Empty values are no values.
    pub fn new(explicit: Option<&Path>, variable: Option<&OsStr>, home: Option<&Path>) -> Self {
        if let Some(file) = explicit.filter(|file| !file.as_os_str().is_empty()) {
            return Self { source: Source::Explicit, files: vec![file.to_owned()] };
        }
        if let Some(list) = variable.filter(|list| !list.is_empty()) {
            let mut seen = HashSet::new();
            let files = std::env::split_paths(list)
                .filter(|file| !file.as_os_str().is_empty() && seen.insert(file.clone()))
                .collect();
            return Self { source: Source::Variable, files };
        }
        let files = home.map(|home| home.join(".kube").join("config")).into_iter().collect();
        Self { source: Source::Home, files }
    }

    /// Where the list comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The files, the most important first. None, if there is neither a variable nor a home.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Where `kubectl config` writes what is in no file yet: the first file that is there, else the last of the list.
    pub fn default_file(&self) -> Option<&Path> {
        self.files.iter().find(|file| file.exists()).or(self.files.last()).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(explicit: &str, variable: &str, home: &str) -> (Source, Vec<String>) {
        let locations =
            Locations::new(Some(Path::new(explicit)), Some(OsStr::new(variable)), Some(Path::new(home)));
        (locations.source(), locations.files().iter().map(|file| file.display().to_string()).collect())
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_those_that_kubectl_reads() {
        let home = vec!["/h/.kube/config".to_owned()];
        assert_eq!(files("/x", "/a:/b", "/h"), (Source::Explicit, vec!["/x".to_owned()]));
        assert_eq!(files("", "", "/h"), (Source::Home, home));
        let listed = vec!["/a".to_owned(), "b".to_owned()];
        assert_eq!(files("", ":/a:b::/a:", "/h"), (Source::Variable, listed));
        assert_eq!(files("", ":", "/h"), (Source::Variable, vec![]));
    }

    #[test]
    fn what_is_new_goes_into_the_first_file_that_is_there_else_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| directory.path().join(name));
        let list = std::env::join_paths(&paths).unwrap();
        let locations = Locations::new(None, Some(&list), None);
        assert_eq!(locations.default_file(), Some(paths[2].as_path()));
        std::fs::write(&paths[1], "").unwrap();
        assert_eq!(locations.default_file(), Some(paths[1].as_path()));
        assert_eq!(Locations::new(None, None, None).default_file(), None);
    }
}
