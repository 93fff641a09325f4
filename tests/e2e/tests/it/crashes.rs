//! kubesso, and its database, are killed under load. `cargo xtask soak` does the same for long.

use std::time::Duration;

use anyhow::Result;
use kubesso_e2e::soak::{self, Database, Plan};

async fn killed_for_a_moment(database: Database) -> Result<()> {
    let plan =
        Plan { database, rounds: 1, round: Duration::from_secs(4), longest_pause: Duration::from_secs(1) };
    let proven = soak::run(plan, |_| ()).await?;
    // What it says of itself; all else is checked on the way.
    println!("{proven}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_kill_and_once() -> Result<()> {
    killed_for_a_moment(Database::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_kill_of_kubesso_or_postgresql_and_once() -> Result<()> {
    killed_for_a_moment(Database::Postgres).await
}
