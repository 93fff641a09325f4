//! How fast the management API answers over a directory of 100,000 people and 10,000 groups, and a whole apply of
//! Terraform. `cargo xtask bench directory` runs it; docs/performance.md holds what came out.
//!
//! In process: a request is timed from its arrival at the router to the last byte of its body. What the network and TLS
//! add is not in it; what the store writes is.

mod apply;
mod house;
mod machine;
mod population;
mod requests;
mod times;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::house::{Database, House};
use crate::population::Size;
use crate::times::Times;

/// What one request may take, at the median.
const REQUEST: Duration = Duration::from_millis(10);
/// What all requests of an apply may take together, at the median.
const APPLY: Duration = Duration::from_millis(50);
/// How often an apply is replayed. Each needs a signing key of its own, which takes longer than the apply.
const APPLIES: usize = 11;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; whether everything is within its budget on both databases.
async fn run() -> Result<bool> {
    let (size, rounds) = (Size::of_users(argument("--users", 100_000)?), argument("--rounds", 200)?);
    println!("{}", machine::facts());
    let mut all_within = true;
    for database in [Database::Sqlite, Database::Postgres] {
        all_within &= measure(database, size, rounds).await?;
    }
    Ok(all_within)
}

async fn measure(database: Database, size: Size, rounds: usize) -> Result<bool> {
    let house = House::new(database).await?;
    let begin = Instant::now();
    let people = population::move_in(&house, size).await?;
    let filled = begin.elapsed();
    println!(
        "\n{database:?}: {} people, {} groups, {} memberships (and everybody in `Everyone`), made in {:.1} s{}\n",
        size.users,
        size.groups,
        people.memberships,
        filled.as_secs_f64(),
        house.file_size().map(|bytes| format!(", {} MiB", bytes / (1024 * 1024))).unwrap_or_default(),
    );
    println!("{}", Times::HEADER);
    let mut slow = Vec::new();
    for request in requests::all(&people) {
        let times = requests::measure(&house, &request, rounds).await.context(request.name)?;
        let budget = request.has_budget.then_some(REQUEST);
        println!("{}", times.line(request.name, budget));
        if budget.is_some_and(|budget| times.median() > budget) {
            slow.push(request.name);
        }
    }
    let applied = apply::measure(&house, APPLIES).await.context("an apply")?;
    println!("{}", applied.times.line(&applied.name(), Some(APPLY)));
    if applied.times.median() > APPLY {
        slow.push("the apply");
    }
    if !slow.is_empty() {
        println!("\nover budget: {}", slow.join("; "));
    }
    Ok(slow.is_empty())
}

/// The number behind a flag of the command line.
fn argument(flag: &str, default: usize) -> Result<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != flag).skip(1);
    let Some(value) = arguments.next() else { return Ok(default) };
    value.parse().ok().filter(|number| *number > 0).with_context(|| format!("{flag} {value} is no number"))
}
