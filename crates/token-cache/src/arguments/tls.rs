//! Flags about whom to believe on the network.

use std::path::PathBuf;

use clap::Args;

use super::parse_bool;

/// Whom to believe on the network.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub struct TlsArguments {
    /// PEM file of certificate authorities to believe instead of the system's; repeatable
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Vec<PathBuf>,
    /// The same as base64 text of the PEM; repeatable
    #[arg(long, value_name = "BASE64")]
    pub certificate_authority_data: Vec<String>,
    /// Believe anybody who answers. Whoever is on the way can steal tokens
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", hide_default_value = true, hide_possible_values = true, value_parser = parse_bool)]
    pub insecure_skip_tls_verify: bool,
    /// No TLS library of ours renegotiates; taken with a warning.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = parse_bool)]
    pub tls_renegotiation_once: bool,
    /// No TLS library of ours renegotiates; taken with a warning.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", value_parser = parse_bool)]
    pub tls_renegotiation_freely: bool,
}
