//! What must hold whatever strangers send, parser by parser: each target takes any bytes, panics when it does not hold, and
//! says whether the bytes were taken for what they should be.
//!
//! `cargo test -p kubesso-fuzz` runs every target over its seeds (`seeds/<target>/`) and over small changes of them, on the
//! stable toolchain. `cargo xtask fuzz` runs the same functions guided by coverage (`fuzz/`, a workspace of its own, for a
//! nightly toolchain). What that finds becomes a seed.
//!
//! ```
//! let (_, target) = kubesso_fuzz::TARGETS[0];
//! assert!(!target(b"client_id=k8s&redirect_uri=https://evil.example.com"), "nobody is sent there");
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a target says that something does not hold"
)]

mod languages;
mod provider;
mod requests;
mod signed;
mod streams;

/// A target: it panics when something does not hold, and says whether the bytes were taken.
pub type Target = fn(&[u8]) -> bool;

/// All targets, by name.
pub const TARGETS: [(&str, Target); 16] = [
    ("authorization_request", provider::authorization_request),
    ("claims_parameter", provider::claims_parameter),
    ("client_assertion", signed::client_assertion),
    ("dpop_proof", signed::dpop_proof),
    ("exec_session", streams::exec_session),
    ("forwarded_header", languages::forwarded_header),
    ("jwk_set", signed::jwk_set),
    ("jws", signed::jws),
    ("kubeconfig", languages::kubeconfig),
    ("okta_expression", languages::okta_expression),
    ("okta_filter", languages::okta_filter),
    ("provider_request", provider::provider_request),
    ("request_object", signed::request_object),
    ("sandbox_request", requests::sandbox_request),
    ("spdy_frames", streams::spdy_frames),
    ("token_request", provider::token_request),
];

/// Runs the target of that name; whether the bytes were taken.
///
/// # Panics
/// There is none, or something does not hold.
pub fn run(name: &str, data: &[u8]) -> bool {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, target) = found.unwrap_or_else(|| panic!("no target {name}"));
    target(data)
}
