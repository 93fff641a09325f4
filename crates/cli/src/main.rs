//! The binary `kubesso`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubesso_cli::main()
}
