//! A plugin call that works on other machines too.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_k8s_types::kubeconfig::ExecConfig;
use kubesso_token_cache::values::expand_home;

use super::{PluginFlags, PluginProgram, exec};
use crate::environment::Environment;

/// Why a call cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum NotPortable {
    /// A flag that proves who the application is: nobody else may have that.
    #[error("its flag {flag} is for this machine alone, and others could not sign in without it")]
    Own {
        /// The flag.
        flag: &'static str,
    },
    /// The provider's authority cannot be read.
    #[error("its certificate authority {file} cannot be read: {cause}")]
    Authority {
        /// The file.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It is no call of this plugin's kind.
    #[error("its credential plugin is another")]
    Another,
}

/// What proves the client, or answers for a person.
const OWN: [&str; 11] = [
    "--oidc-client-secret",
    "--oidc-client-secret-file",
    "--oidc-client-secret-command",
    "--oidc-client-assertion-file",
    "--oidc-client-assertion-key",
    "--oidc-subject-token-file",
    "--oidc-subject-token-command",
    "--oidc-request-header",
    "--local-server-cert",
    "--local-server-key",
    "--profile",
];

/// What somebody likes, or who somebody is.
const LEFT_OUT: [&str; 4] = ["--username", "--password", "--browser-command", "--token-cache-dir"];

/// The same sign-in for anybody: the plugin by a name that is the same everywhere, the provider's authority inline, and
/// what belongs to one person left out. Also which flags those were.
///
/// # Errors
/// It cannot be made to work without what is this machine's alone.
pub fn for_others(
    one: &ExecConfig,
    program: &PluginProgram,
    environment: &Environment,
) -> Result<(ExecConfig, Vec<&'static str>), NotPortable> {
    if !super::is_call(one) {
        return Err(NotPortable::Another);
    }
    let mut flags = PluginFlags::of(&one.args);
    if let Some(flag) = OWN.into_iter().find(|flag| flags.has(flag)) {
        return Err(NotPortable::Own { flag });
    }
    let mut left_out = Vec::new();
    for flag in LEFT_OUT {
        if !flags.take(flag).is_empty() {
            left_out.push(flag);
        }
    }
    let mut data = flags.values("--certificate-authority-data");
    let files = flags.take("--certificate-authority");
    if !files.is_empty() {
        for file in files {
            let path = expand_home(Path::new(&file), environment.surroundings.home.as_deref());
            let pem = fs::read(path).map_err(|cause| NotPortable::Authority { file, cause })?;
            data.push(BASE64_STANDARD.encode(pem));
        }
        flags.replace("--certificate-authority-data", &data);
    }
    let made = exec(program, flags.into_words(), environment);
    Ok((ExecConfig { provide_cluster_info: one.provide_cluster_info, ..made }, left_out))
}
