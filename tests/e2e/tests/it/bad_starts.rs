//! Starts that cannot be: one sentence, a non-zero exit code, and nothing overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::environment::{self, scratch};
use kubesso_e2e::kubesso::{self, Ended, Kubesso};
use tempfile::TempDir;

/// A data directory that an earlier, good start has left.
async fn used_directory() -> Result<(TempDir, PathBuf)> {
    let folder = scratch("bad-start")?;
    let kubesso = Kubesso::up_in(folder.path()).await?;
    let data_dir = kubesso.data_dir.clone();
    ensure!(kubesso.stop().await?.success(), "the good start ends cleanly");
    Ok((folder, data_dir))
}

/// Every file below `folder` with its mode, its length and a hash of its content (there are keys among them, which must
/// not be printed when they differ).
pub(crate) fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, (u32, usize, u64)>> {
    let summary = |mode, content: &[u8]| {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        (mode, content.len(), hasher.finish())
    };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            found.extend(contents(&path)?);
        } else if metadata.is_symlink() {
            found.insert(path.clone(), summary(0, fs::read_link(&path)?.as_os_str().as_encoded_bytes()));
        } else {
            found.insert(path.clone(), summary(metadata.permissions().mode(), &fs::read(&path)?));
        }
    }
    // Which process holds the directory is no content.
    found.retain(|path, _| path.file_name().is_none_or(|name| name != "lock"));
    Ok(found)
}

fn assert_one_sentence(ended: &Ended, expected: &[&str]) {
    assert!(
        ended.code.is_some_and(|code| code != 0),
        "exit {:?}: {}{}",
        ended.code,
        ended.stdout,
        ended.stderr
    );
    assert_eq!(ended.stdout, "", "nothing is promised on standard output");
    assert_eq!(ended.stderr.lines().count(), 1, "one sentence: {}", ended.stderr);
    for word in expected {
        assert!(ended.stderr.contains(word), "no {word:?} in: {}", ended.stderr);
    }
}

async fn up(data_dir: &Path, more: &[&str]) -> Result<Ended> {
    let data_dir = data_dir.to_str().context("UTF-8")?;
    let home = scratch("home")?;
    kubesso::run(&[&["up", "-o", "json", "--data-dir", data_dir], more].concat(), home.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken() -> Result<()> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = taken.local_addr()?.port().to_string();
    for flag in ["--provider-port", "--cluster-port"] {
        let folder = scratch("port-taken")?;
        let other = if flag == "--provider-port" { "--cluster-port" } else { "--provider-port" };
        let ended = up(&folder.path().join("data"), &[flag, &port, other, "0"]).await?;
        assert_one_sentence(&ended, &[&port, flag]);
    }
    // The port that an issuer has is its port: a directory in use does not wander to another one.
    let (_folder, data_dir) = used_directory().await?;
    let settings: serde_json::Value = serde_json::from_slice(&fs::read(data_dir.join("settings.json"))?)?;
    let provider = settings["ports"]["provider"].as_u64().context("the provider's port")?;
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, u16::try_from(provider)?))?;
    let before = contents(&data_dir)?;
    assert_one_sentence(&up(&data_dir, &[]).await?, &[&provider.to_string()]);
    assert_eq!(contents(&data_dir)?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_in_use() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ended = up(&kubesso.data_dir, &["--provider-port", "0", "--cluster-port", "0"]).await?;
    assert_one_sentence(&ended, &["in use", "--data-dir"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_place_of_the_directory() -> Result<()> {
    let folder = scratch("file")?;
    let path = folder.path().join("data");
    fs::write(&path, "somebody's notes")?;
    assert_one_sentence(&up(&path, &[]).await?, &["file", "--data-dir"]);
    assert_eq!(fs::read_to_string(&path)?, "somebody's notes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_written() -> Result<()> {
    // Not below the checkout, whose parents another user may not be allowed to enter.
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let data_dir = folder.path().join("data");
    fs::create_dir(&data_dir)?;
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o555))?;
    let binary = folder.path().join("kubesso");
    fs::copy(environment::kubesso()?, &binary)?;
    // Root may write everywhere, so root becomes nobody for this.
    let id = Command::new("id").arg("-u").output()?;
    let mut command = if id.stdout == b"0\n" {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
        command
    } else {
        Command::new(&binary)
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
    let output = command.args(["up", "-o", "json", "--data-dir"]).arg(&data_dir).output()?;
    let ended = Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert_one_sentence(&ended, &["cannot be written", "--data-dir"]);
    assert_eq!(fs::read_dir(&data_dir)?.count(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_a_newer_version() -> Result<()> {
    let (_folder, data_dir) = used_directory().await?;
    let path = data_dir.join("settings.json");
    let mut settings: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    settings["format"] = serde_json::json!(1_000_000);
    fs::write(&path, settings.to_string())?;
    let before = contents(&data_dir)?;
    assert_one_sentence(&up(&data_dir, &[]).await?, &["newer"]);
    assert_eq!(contents(&data_dir)?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_damaged() -> Result<()> {
    let (_folder, data_dir) = used_directory().await?;
    for name in ["directory.db", "sandbox/sandbox.db", "settings.json", "ca.crt", "ca.key", "master.key"] {
        let path = data_dir.join(name);
        let good = fs::read(&path).with_context(|| path.display().to_string())?;
        fs::write(&path, vec![b'?'; 4096])?;
        let before = contents(&data_dir)?;
        let ended = up(&data_dir, &[]).await?;
        assert_one_sentence(&ended, &[name]);
        assert_eq!(contents(&data_dir)?, before, "{name}");
        fs::write(&path, good)?;
    }
    // Mended, it starts again: nothing was lost on the way.
    let folder = data_dir.parent().context("a parent")?;
    ensure!(Kubesso::up_in(folder).await?.stop().await?.success(), "the mended directory ends cleanly");
    Ok(())
}
