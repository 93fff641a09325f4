//! Times, and their line in the table.

use std::time::Duration;

/// How long each round of one request took, in order.
#[derive(Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// The heads of the columns.
    pub(crate) const HEADER: &'static str = "| request                                                      | median ms | p95 ms | most ms | rounds |\n\
         |--------------------------------------------------------------|----------:|-------:|--------:|-------:|";

    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    pub(crate) fn median(&self) -> Duration {
        self.at(50)
    }

    /// The time that so many of a hundred do not exceed.
    fn at(&self, part: usize) -> Duration {
        let index = (self.0.len().saturating_sub(1) * part).div_ceil(100);
        self.0.get(index).copied().unwrap_or_default()
    }

    /// The row of a table in Markdown, with what is to be said of its budget.
    pub(crate) fn line(&self, name: &str, budget: Option<Duration>) -> String {
        let millis = |part| self.at(part).as_secs_f64() * 1000.0;
        let verdict = match budget {
            Some(budget) if self.median() > budget => format!(" over {} ms", budget.as_millis()),
            Some(_) => String::new(),
            None => " without a budget".to_owned(),
        };
        format!(
            "| {name:<60} | {:>9.2} | {:>6.2} | {:>7.2} | {:>6} |{verdict}",
            millis(50),
            millis(95),
            millis(100),
            self.0.len()
        )
    }
}
