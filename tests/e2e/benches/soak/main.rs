//! kubesso, and its database, are killed under load for long: `cargo xtask soak`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use kubesso_e2e::soak::{self, Database, Plan};
use tokio::runtime::Builder;

fn main() -> Result<()> {
    // `cargo bench` adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [database, rounds, seconds] = words.as_slice() else { bail!("which database, rounds, seconds") };
    let database = match database.as_str() {
        "sqlite" => Database::Sqlite,
        "postgres" => Database::Postgres,
        other => bail!("no such database: {other}"),
    };
    let round = Duration::from_secs(seconds.parse().context("seconds")?);
    let plan = Plan {
        database,
        rounds: rounds.parse().context("rounds")?,
        round,
        // About as many kills in a round whatever its length.
        longest_pause: (round / 6).max(Duration::from_secs(1)),
    };
    let proven = Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(soak::run(plan, |line| println!("{line}")))?;
    println!("{database:?}: {proven}");
    Ok(())
}
