//! Printing a result: a table for people, JSON or YAML for scripts.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::args::OutputFormat;
use crate::error::CommandError;

/// Prints `value`: as JSON on one line, as YAML, or as whatever `for_people` makes of it.
pub(crate) fn print(
    format: OutputFormat,
    value: &impl Serialize,
    for_people: impl FnOnce() -> String,
) -> Result<(), CommandError> {
    let text = match format {
        OutputFormat::Json => serde_json::to_string(value)
            .map_err(|e| CommandError::because("the result cannot be written as JSON", &e))?,
        OutputFormat::Yaml => serde_saphyr::to_string(value)
            .map_err(|e| CommandError::because("the result cannot be written as YAML", &e))?,
        OutputFormat::Table => for_people(),
    };
    write_out(&format!("{}\n", text.trim_end_matches('\n')))
}

/// Prints `text` as it is. Whoever reads it may stop in the middle (`| head`): that is no error.
pub(crate) fn write_out(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::because("the result cannot be printed", &error))
        }
        _ => Ok(()),
    }
}

/// A table as kubectl prints them: capital headings, no lines, three spaces between columns.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.trim_fmt()
}
