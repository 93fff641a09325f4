//! The small plugin binary as releases carry it, and a home where it finds a token.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::environment::{target, workspace};
use crate::tools;

/// The call that is measured. kubelogin's name for it is known, so that both find their entry.
pub(crate) const CALL: [&str; 3] =
    ["get-token", "--oidc-issuer-url=https://issuer.example.com", "--oidc-client-id=YOUR_CLIENT_ID"];

/// kubelogin's name for the entry of [`CALL`]: the SHA-256 of its options as Go's gob writes them, with v1.36.
const KUBELOGIN_ENTRY: &str = "b777b49f502e5fbd70ef10adc8d0e426c528df5c078a254a3db1a4a5d823cf75";
/// What it keeps there: a token that ends in the year 2100 (it looks at nothing else).
const KUBELOGIN_TOKEN: &str = r#"{"id_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"}"#;

/// Builds the binary with the profile `plugin`, static where the C library allows it.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--profile=plugin", "--package=kubesso-kubectl-oidc_login"]);
    let mut folder = target();
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        // Named, so that the flag is not for build scripts and procedural macros too.
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        cargo.arg(format!("--target={triple}")).env("RUSTFLAGS", "-C target-feature=+crt-static");
        folder.push(triple);
    }
    tools::succeed("build-plugin", &mut cargo)?;
    Ok(folder.join("plugin").join(format!("kubectl-oidc_login{}", std::env::consts::EXE_SUFFIX)))
}

/// A new home in which [`CALL`] is a hit, for our plugin and for kubelogin.
pub(crate) fn home_with_token() -> Result<PathBuf> {
    let home = target().join("xtask/plugin-home");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("{} cannot be removed", home.display()))?;
    }
    fs::create_dir_all(&home).with_context(|| format!("{} cannot be made", home.display()))?;
    let mut keep = Command::new("cargo");
    keep.args(["run", "--locked", "--quiet", "--package=kubesso-kubectl-oidc_login", "--example=keep_token"]);
    keep.arg("--").arg(&home).args(CALL);
    tools::succeed("keep-token", &mut keep)?;
    fs::write(home.join(".kube/cache/oidc-login").join(KUBELOGIN_ENTRY), KUBELOGIN_TOKEN)?;
    Ok(home)
}

/// `kubesso` under the plugin's name, as people link it, in `folder`.
pub(crate) fn link(kubesso: &Path, folder: &Path) -> Result<PathBuf> {
    let link = folder.join(format!("kubectl-oidc_login{}", std::env::consts::EXE_SUFFIX));
    #[cfg(unix)]
    std::os::unix::fs::symlink(kubesso, &link)?;
    #[cfg(not(unix))]
    fs::copy(kubesso, &link)?;
    Ok(link)
}

/// `program` called as kubectl calls a plugin, with nothing in its environment but `home`.
pub(crate) fn call(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(CALL).env_clear().env("HOME", home).current_dir(workspace());
    command
}
