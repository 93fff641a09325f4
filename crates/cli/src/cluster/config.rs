//! `kubesso cluster config`: files and commands, and nothing is changed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use kubesso_clusters::{ConfigFile, Impossible, Instructions, Request, Step};

use super::{target_of, whom};
use crate::args::{ClusterConfig, OutputFormat};
use crate::error::CommandError;
use crate::output;

/// Runs it.
pub(super) async fn run(command: &ClusterConfig) -> Result<ExitCode, CommandError> {
    let target = target_of(&command.target)?;
    let access = whom::access(&command.whom).await?;
    let request = Request {
        target_version: command.target_version,
        form: command.form.map(Into::into),
        cluster: command.cluster.as_deref(),
        scope: command.scope.as_deref(),
        ..Request::new(&access, command.kubernetes_version)
    };
    let made = match target.instructions(&request) {
        Ok(made) => made,
        Err(impossible) => return refused(command.output.format, &impossible),
    };
    if let Some(directory) = &command.out {
        write_files(directory, &made.files)?;
    }
    output::print(command.output.format, &made, || screen(&made, command.out.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

/// All files or none: what is there and says something else is left alone, and so is everything else then.
fn write_files(directory: &Path, files: &[ConfigFile]) -> Result<(), CommandError> {
    let taken = files.iter().map(|file| directory.join(&file.name)).zip(files).find(|(path, file)| {
        fs::read_to_string(path)
            .map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |text| text != file.content)
    });
    if let Some((path, _)) = taken {
        return Err(CommandError::new(format!(
            "{} is there already, and says something else",
            path.display()
        ))
        .mend("remove it, or choose another directory with --out"));
    }
    let failed = |path: &Path, error: &io::Error| {
        CommandError::because(format!("{} cannot be written", path.display()), error)
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for file in files {
        let path = directory.join(&file.name);
        fs::write(&path, &file.content).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// As people read it.
fn screen(made: &Instructions, out: Option<&Path>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "For {}\n", made.target);
    for warning in &made.warnings {
        let _ = writeln!(text, "NOTE  {warning}\n");
    }
    for file in &made.files {
        let what = if file.is_part { "merge into" } else { "put at" };
        if let Some(directory) = out {
            let path = directory.join(&file.name);
            let _ = writeln!(text, "FILE  {}\n      {what}: {}\n", path.display(), file.place);
        } else {
            let _ = writeln!(text, "FILE  {}\n      {what}: {}\n", file.name, file.place);
            for line in file.content.trim_end().lines() {
                let _ = writeln!(text, "    {line}");
            }
            text.push('\n');
        }
    }
    for (heading, steps) in [("APPLY", &made.apply), ("VERIFY", &made.verify), ("ROLL BACK", &made.rollback)]
    {
        let _ = writeln!(text, "{heading}");
        for (index, Step { what, command }) in steps.iter().enumerate() {
            let _ = writeln!(text, "  {}. {what}", index + 1);
            if let Some(command) = command {
                let _ = writeln!(text, "     $ {command}");
            }
        }
        text.push('\n');
    }
    text
}

/// Shows why it cannot be done; how the command ends.
pub(super) fn refused(format: OutputFormat, impossible: &Impossible) -> Result<ExitCode, CommandError> {
    output::print(format, &impossible.restrictions, || refusal(impossible))?;
    Ok(ExitCode::FAILURE)
}

/// Why it cannot be done, with all reasons.
pub(super) fn refusal(impossible: &Impossible) -> String {
    let mut text = format!("{impossible}:\n");
    for one in &impossible.restrictions {
        let _ = write!(text, "\n- {}\n  says    {}\n  instead {}\n", one.what, one.source, one.instead);
    }
    text
}
