//! `kubesso doctor list | explain`: the catalogue, and what a text says.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::process::ExitCode;

use kubesso_doctor::print::{self, Paint};
use kubesso_doctor::{CheckId, Explainer, Facts, FilledMend, Row, Source, Target};
use serde::Serialize;

use crate::args::{Explain, Output, doctor_target};
use crate::environment;
use crate::error::CommandError;
use crate::output;
use crate::up::Colour;

/// A line of a log is shorter; of a longer one the rest is not read into memory.
const LONGEST_LINE: u64 = 256 * 1024;

/// A row, for scripts.
#[derive(Serialize)]
struct Shown {
    id: CheckId,
    title: &'static str,
    symptom: &'static str,
    log: &'static [&'static str],
    looks_at: &'static [Source],
    cause: &'static str,
    why: &'static str,
    mend: Vec<FilledMend>,
    retest: String,
}

impl Shown {
    fn new(row: &Row, target: Target) -> Self {
        let nothing = Facts::default();
        Self {
            id: row.id,
            title: row.title,
            symptom: row.symptom,
            log: row.log,
            looks_at: row.looks_at,
            cause: row.cause,
            why: row.why,
            mend: nothing.mends(row, target),
            retest: nothing.fill(row.retest, row.compares),
        }
    }
}

/// `kubesso doctor list`.
pub(super) fn list(output: Output) -> Result<ExitCode, CommandError> {
    let rows = kubesso_doctor::rows();
    let shown: Vec<_> = rows.iter().map(|row| Shown::new(row, Target::StaticPod)).collect();
    output::print(output.format, &shown, || {
        let lines = rows.iter().map(|row| vec![row.id.to_string(), row.title.to_owned()]);
        output::table(&["ID", "WHAT IS WRONG"], lines)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `kubesso doctor explain …`.
pub(super) fn run(command: &Explain) -> Result<ExitCode, CommandError> {
    let target = doctor_target(command.target.as_deref()).unwrap_or(Target::StaticPod);
    let words = command.text.join(" ");
    if let Some(id) = CheckId::recognise(&words).map_err(|e| CommandError::usage(e.to_string()))? {
        return one(id, target, command.output);
    }
    let mut explainer = Explainer::default();
    match words.as_str() {
        "" if io::stdin().is_terminal() => {
            let error = CommandError::usage("there is no text to explain");
            return Err(error.mend("give it as an argument, or by a pipe"));
        }
        "" | "-" => read(&mut explainer, io::stdin().lock())?,
        text => text.lines().for_each(|line| explainer.read(line)),
    }
    let explanation = explainer.explain(target);
    output::print(command.output.format, &explanation, || print::explanation(&explanation, paint()))?;
    let is_known = !explanation.findings.is_empty() || explanation.undecided.is_some();
    Ok(if is_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(id: CheckId, target: Target, output: Output) -> Result<ExitCode, CommandError> {
    let row =
        kubesso_doctor::row(id).ok_or_else(|| CommandError::usage(format!("there is no check {id}")))?;
    output::print(output.format, &Shown::new(row, target), || print::row(row, target, paint()))?;
    Ok(ExitCode::SUCCESS)
}

/// Line by line, so that a log of any size fits. What is no UTF-8 is read as well as it can be.
fn read(explainer: &mut Explainer, input: impl Read) -> Result<(), CommandError> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let unreadable = |e: io::Error| CommandError::because("standard input cannot be read", &e);
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        explainer.read(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
    }
}

/// The doctor's word for what the terminal can.
pub(super) fn paint() -> Paint {
    match environment::colour() {
        Colour::On => Paint::Colours,
        Colour::Off => Paint::Plain,
    }
}
