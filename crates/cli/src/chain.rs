//! `kubesso plan`, `apply`, `destroy`: the whole chain by one file.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kubesso_chain::{Action, Address, ApplyError, Change, Colours, Made, Plan, Progress, Summary};
use kubesso_clusters::Access;
use serde::Serialize;

use crate::args::{ChainChange, ChainFile, ChainPlan, SignInBy};
use crate::environment;
use crate::error::{CommandError, Exit};
use crate::output;
use crate::up::Colour;

mod import;
mod kubeconfig;
mod kubernetes;
mod provider;
mod sign_in;
mod world;

pub(crate) use import::import;
use world::Chain;

/// The only answer by which something is done.
const YES: &str = "yes";
/// With `--detailed-exitcode`, as Terraform has it.
const CHANGES: u8 = 2;

/// Runs `kubesso plan`.
pub(crate) fn plan(command: &ChainPlan) -> Result<ExitCode, CommandError> {
    let detailed = command.detailed_exitcode;
    let planned = Chain::open_all(&command.file).and_then(|chain| {
        let plan = chain.look()?.plan()?;
        output::print(command.output.format, &Shown::of(&plan), || screen(&plan))?;
        Ok(plan)
    });
    match planned {
        Ok(plan) if detailed && !plan.is_empty() => Ok(CHANGES.into()),
        Ok(_) => Ok(ExitCode::SUCCESS),
        // 2 has another meaning then.
        Err(error) if detailed && error.exit() == Exit::Usage => Err(error.into_failure()),
        Err(error) => Err(error),
    }
}

/// Runs `kubesso apply`.
pub(crate) fn apply(command: &ChainChange) -> Result<ExitCode, CommandError> {
    let chain = Chain::open_all(&command.file)?;
    let world = chain.look()?;
    let plan = world.plan()?;
    output::write_out(&screen(&plan))?;
    let mut made = world.made.clone();
    if command.dry_run {
        return nothing_was_changed();
    }
    if !plan.is_empty() {
        agree(command, "apply")?;
        let world = chain.take_up(world, true)?;
        let plan = world.plan()?;
        let mut report = Report::new(plan.changes.len());
        let after = chain.do_at_provider(&plan, world, &mut report)?;
        // What the provider has just made is in the files and the kubeconfig too.
        let rest = after.plan()?;
        chain.do_elsewhere(&rest, &after, &mut report)?;
        made = after.made;
        output::write_out(&format!("\nDone: {}.\n", counted(plan.summary())))?;
    }
    output::write_out(&made_lines(&made))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `kubesso destroy`.
pub(crate) fn destroy(command: &ChainChange) -> Result<ExitCode, CommandError> {
    let chain = Chain::open_all(&command.file)?;
    let world = chain.look()?;
    let plan = world.destroying(chain.name())?;
    if plan.is_empty() && !world.is_interrupted() {
        let notes: String = plan.notes.iter().fold(String::new(), |mut text, note| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "NOTE  {note}");
            text
        });
        output::write_out(&format!("{notes}Nothing to destroy: nothing there was made for this file.\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::write_out(&screen(&plan))?;
    if command.dry_run {
        return nothing_was_changed();
    }
    agree(command, "destroy")?;
    let world = chain.take_up(world, false)?;
    let plan = world.destroying(chain.name())?;
    let mut report = Report::new(plan.changes.len());
    chain.do_elsewhere(&plan, &world, &mut report)?;
    chain.do_at_provider(&plan, world, &mut report)?;
    output::write_out(&format!("\nDone: {}.\n", counted(plan.summary())))?;
    Ok(ExitCode::SUCCESS)
}

fn nothing_was_changed() -> Result<ExitCode, CommandError> {
    output::write_out("\nNothing was changed (--dry-run).\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Whom clusters trust by an access file. What its provider makes is asked there; not inside a runtime.
pub(crate) fn access_of(path: &Path) -> Result<Access, CommandError> {
    let file = ChainFile { file: path.to_owned(), grant_type: SignInBy::default() };
    let trust = Chain::open(&file)?.look_at_provider()?.1;
    match trust {
        Some(trust) if trust.is_known => Ok(trust.access),
        Some(_) => Err(CommandError::new(format!(
            "{}: the provider has not made its application or its authorization server yet",
            path.display()
        ))
        .mend(format!("kubesso apply -f {}", path.display()))),
        None => Err(CommandError::usage(format!("{}: say whom to trust: `issuers`", path.display()))),
    }
}

/// Asks, unless that is waived. Where nobody can be asked, nothing is done.
fn agree(command: &ChainChange, verb: &str) -> Result<(), CommandError> {
    if command.yes {
        return Ok(());
    }
    if !environment::can_be_asked() || command.file.file == Path::new("-") {
        return Err(CommandError::new("nobody can be asked here, and nothing was changed")
            .mend(format!("read the plan, then: kubesso {verb} -f {} --yes", command.file.file.display())));
    }
    output::write_out(&format!("\nDo this? Only `{YES}` is taken: "))?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| CommandError::because("the answer cannot be read", &error))?;
    if answer.trim() == YES { Ok(()) } else { Err(CommandError::new("nothing was changed")) }
}

fn wrong(path: &Path, error: &dyn std::error::Error) -> CommandError {
    CommandError::usage(format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, CommandError> {
    let failed =
        |error: &io::Error| CommandError::because(format!("{} cannot be read", path.display()), error);
    if path == Path::new("-") {
        let mut text = String::new();
        return io::stdin().lock().read_to_string(&mut text).map(|_| text).map_err(|error| failed(&error));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

/// A file that the access file names: from where that is.
fn read_beside(path: &Path, name: &str) -> Result<String, CommandError> {
    read(&beside(path, name))
}

fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(name)
}

/// Says each step when it is done: one line, at once, so that an end in the middle shows how far it was.
struct Report {
    all: usize,
    done: Vec<String>,
}

impl Report {
    fn new(all: usize) -> Self {
        Self { all, done: Vec::new() }
    }

    fn tell(&mut self, progress: Progress<'_>) {
        let line = match progress {
            Progress::Begin(_) => return,
            Progress::Done(Change { address, action, .. }) => {
                self.done.push(format!("{address} {}", action.done()));
                format!("[{}/{}] {address}: {}", self.done.len(), self.all, action.done())
            }
            Progress::Warning(warning) => format!("WARNING  {warning}"),
        };
        let mut stdout = io::stdout().lock();
        // Whoever does not read it any more still wants it done.
        let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    }

    /// The step behind those that are done failed.
    fn failed(&self, address: &Address, why: String) -> CommandError {
        let error = ApplyError {
            number: self.done.len() + 1,
            all: self.all,
            address: address.clone(),
            why,
            done: self.done.clone(),
        };
        CommandError::new(error.to_string())
    }
}

fn screen(plan: &Plan) -> String {
    plan.text(colours())
}

/// Whether the terminal shows colours.
pub(crate) fn colours() -> Colours {
    match environment::colour() {
        Colour::On => Colours::Shown,
        Colour::Off => Colours::None,
    }
}

fn counted(summary: Summary) -> String {
    let Summary { add, change, destroy, unchanged } = summary;
    format!("{add} added, {change} changed, {destroy} destroyed; {unchanged} unchanged")
}

fn made_lines(made: &Made) -> String {
    let mut text = String::new();
    for (name, value) in [("issuer", &made.issuer), ("client id", &made.client_id)] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<9}  {value}");
        }
    }
    text
}

/// The plan for scripts.
#[derive(Serialize)]
struct Shown<'a> {
    changes: Vec<ShownChange<'a>>,
    notes: &'a [String],
    summary: Summary,
}

#[derive(Serialize)]
struct ShownChange<'a> {
    action: Action,
    #[serde(flatten)]
    address: &'a Address,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [kubesso_chain::FieldChange],
}

impl<'a> Shown<'a> {
    fn of(plan: &'a Plan) -> Self {
        let changes = plan.changes.iter().map(|change| ShownChange {
            action: change.action,
            address: &change.address,
            fields: &change.fields,
        });
        Self { changes: changes.collect(), notes: &plan.notes, summary: plan.summary() }
    }
}
