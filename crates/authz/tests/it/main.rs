//! The same questions to this room and to Kubernetes' own code.
//!
//! `authz-oracle` (tests/peers/kubernetes/authz-oracle) links the real request resolver, RBAC
//! authorizer, escalation checks and object types; `cargo xtask test` builds it and sets
//! `KUBESSO_PEERS_DIR`. Cases come from a seeded generator over small, nasty alphabets, so that names
//! meet often, and from the tables of the tests.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a peer that breaks its promise fails the test, also in helpers"
)]

mod escalation;
mod generate;
mod oracle;
mod rbac;
mod request;
mod text;
mod wire;
