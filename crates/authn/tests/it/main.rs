//! The room from outside: its decisions against those of kube-apiserver's own code, and over real HTTPS.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod cases;
mod certificates;
mod https;
mod same_decision_as_upstream;
mod table;
