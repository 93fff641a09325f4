//! The checks: one function a row, from the evidence to a verdict. None of them asks anybody.

mod access;
mod client;
mod control_plane;
mod echo;
mod gateway;
mod issuer;
mod live;
mod refresh;
mod startup;
mod token;

use crate::evidence::Evidence;
use crate::verdict::Verdict;

pub(crate) use startup::{ALSO as ALSO_OF_SETTINGS, of_settings};
pub(crate) use token::{next_sign_in, readable};

/// A row's number and its check.
pub(crate) type Check = (u8, fn(&Evidence) -> Verdict);

/// All checks, by number.
pub(crate) fn all() -> Vec<Check> {
    let parts = [
        issuer::CHECKS,
        token::CHECKS,
        access::CHECKS,
        startup::CHECKS,
        client::CHECKS,
        control_plane::CHECKS,
        gateway::CHECKS,
        live::CHECKS,
        refresh::CHECKS,
    ];
    let mut checks: Vec<_> = parts.into_iter().flatten().copied().collect();
    checks.sort_by_key(|(number, _)| *number);
    checks
}

/// The rows that only a running cluster, or a refresh, can show.
pub(crate) const LIVE: [u8; 9] = [26, 43, 44, 45, 46, 57, 59, 60, 64];

/// What is missing where a check needs the token.
const TOKEN: &str = "a token (--token -)";
/// … the API server's settings.
const SETTINGS: &str = "the API server's settings (--flags or --authentication-config)";
/// … an issuer that the API server trusts.
const TRUSTED: &str = "the issuer that the API server trusts (--flags, --authentication-config or --issuer)";
/// … the issuer's answers.
const ISSUER: &str = "the issuer's answers (--issuer, and no --offline)";
/// … a kubeconfig.
const KUBECONFIG: &str = "a kubeconfig (--kubeconfig)";
/// … a live cluster.
const CLUSTER: &str = "a live cluster (--context, and no --offline)";
/// … roles and bindings.
const RBAC: &str = "roles and bindings (--rbac)";

#[cfg(test)]
mod tests;
