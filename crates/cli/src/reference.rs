//! `docs/commands.md`: the reference of all commands, generated from the command line's own help.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Command, CommandFactory};

use crate::args::{self, Cli};

/// The whole document.
fn reference() -> String {
    let mut document = "# Commands\n\nGenerated from `kubesso --help`.\n".to_owned();
    for root in [Cli::command(), args::plugin()] {
        let mut root = root.term_width(100).max_term_width(100);
        root.build();
        write(&mut document, &root);
    }
    document
}

fn write(document: &mut String, command: &Command) {
    let mut command = command.clone();
    let name = command.get_bin_name().unwrap_or("kubesso").to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    // Writing to a String cannot fail.
    let _ = write!(document, "\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim());
    for subcommand in command.get_subcommands().filter(|it| !["help", "oidc-login"].contains(&it.get_name()))
    {
        write(document, subcommand);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how a developer asks for the file to be written")]
fn the_reference_says_what_the_commands_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    if std::env::var_os("KUBESSO_WRITE_DOCS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == reference(),
        "docs/commands.md is not what the commands say: write it with KUBESSO_WRITE_DOCS=1 cargo test -p kubesso-cli reference"
    );
}
