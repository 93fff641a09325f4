//! Rules of style that no compiler and no clippy lint holds (CONTRIBUTING.md).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::environment;

const LONGEST_FILE: usize = 800;

/// Rust that means "not done" or "not run". Written in two halves, so that this file does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
    concat!("#![", "allow("),
    concat!("#[", "allow("),
];

/// Folders of one machine. They count where a path begins: after white space, a quote, `=`, `(` or `:`.
const MACHINE_FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "brief")];

/// Files that tools write, where hosts and lengths are not ours to choose.
const GENERATED: &[&str] = &["Cargo.lock", "go.sum", "go.mod"];

/// What breaks a rule, one line each (`file:line: sentence`); empty when all is well.
pub(crate) fn violations() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in tracked_files()? {
        let generated =
            Path::new(&name).file_name().is_some_and(|file| GENERATED.iter().any(|known| *known == file));
        if generated {
            continue;
        }
        // Pictures and a file that is deleted but not yet committed have no text to judge.
        if let Ok(text) = fs::read_to_string(environment::workspace().join(&name)) {
            found.extend(judge(&name, &text));
        }
    }
    Ok(found)
}

fn tracked_files() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(environment::workspace())
        .output()
        .context("git could not be started")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let listed = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(listed.split_terminator('\0').map(str::to_owned).collect())
}

fn judge(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_rust = Path::new(name).extension().is_some_and(|extension| extension == "rs");
    if is_rust {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("{name}: {lines} lines, more than {LONGEST_FILE}; give it a second file"));
        }
        if name.ends_with("/lib.rs") && !text.starts_with("//!") {
            found.push(format!("{name}: does not open with `//!` and what the room is for"));
        }
        if name.ends_with("/mod.rs") {
            found.push(format!("{name}: `foo.rs` beside `foo/`, not `mod.rs`"));
        }
    }
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| begins_a_path(line, folder)) {
            found.push(format!("{name}:{number}: a path of one machine ({folder})"));
        }
        if let Some(word) = UNFINISHED.iter().find(|word| is_rust && line.contains(*word)) {
            found.push(format!("{name}:{number}: `{word}`"));
        }
    }
    found
}

fn begins_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        line[..at]
            .chars()
            .next_back()
            .is_none_or(|before| before.is_whitespace() || "\"'`=(:<>[,".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let cases = [
            ("crates/a/src/lib.rs", "fn a() {}\n".to_owned(), "does not open with"),
            ("crates/a/src/b/mod.rs", "//! b\n".to_owned(), "not `mod.rs`"),
            ("crates/a/src/b.rs", "//! b\n".repeat(801), "801 lines"),
            ("crates/a/src/b.rs", format!("    {}\n", UNFINISHED[0]), "b.rs:1: `"),
            ("docs/a.md", format!("see `{}notes`", MACHINE_FOLDERS[1]), "docs/a.md:1: a path of one machine"),
        ];
        for (name, text, expected) in cases {
            let found = judge(name, &text);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_breach_passes() {
        let cases = [
            ("docs/a.md", format!("https://example.com{}page", MACHINE_FOLDERS[0])),
            ("docs/a.md", format!("the {} macro", UNFINISHED[0])),
            ("crates/a/src/lib.rs", "//! What it is for.\n".to_owned()),
        ];
        for (name, text) in cases {
            assert_eq!(judge(name, &text), Vec::<String>::new(), "{name}");
        }
    }
}
