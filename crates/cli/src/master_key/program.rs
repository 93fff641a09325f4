//! A program that prints the master key: the client of a KMS, of a vault, of a password store.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use kubesso_directory::SealingKey;
use kubesso_store_sql::master_key::parse;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// A key in base64 has 44 characters; nothing that is longer than this is one.
const LONGEST_OUTPUT: usize = 4096;
/// What is shown of what it says.
const LONGEST_COMPLAINT: usize = 2048;
/// What is wrapped under a key of a KMS has some hundred bytes.
const LONGEST_WRAPPED: u64 = 64 * 1024;

/// Why there is no key. What the program printed on its standard output is never part of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error(
        "{program} cannot be run ({source}): see that it is installed and on PATH, or name its whole path"
    )]
    Start { program: String, source: io::Error },
    #[error("the wrapped key in {} cannot be read: {source}", .file.display())]
    Wrapped { file: PathBuf, source: io::Error },
    #[error("{program} did not end within {} seconds{}", .patience.as_secs(), said(.complaint))]
    Slow { program: String, patience: Duration, complaint: String },
    #[error("{program} failed ({status}){}", said(.complaint))]
    Failed { program: String, status: ExitStatus, complaint: String },
    #[error("{program} cannot be waited for ({source})")]
    Lost { program: String, source: io::Error },
    #[error(
        "{program} ended well, but what it printed is no key: it must print 32 bytes, or these in base64, and nothing else{}",
        said(.complaint)
    )]
    NoKey { program: String, complaint: String },
}

fn said(complaint: &str) -> String {
    if complaint.is_empty() { String::new() } else { format!("; it says: {complaint}") }
}

/// The program's name, without its arguments.
pub(super) fn name(command: &[String]) -> String {
    format!("`{}`", command.first().map_or("", String::as_str))
}

/// Runs it without a shell and takes the key that it prints. `wrapped`: a file that it gets on its standard input.
pub(super) async fn run(
    command: &[String],
    wrapped: Option<&Path>,
    patience: Duration,
) -> Result<SealingKey, ProgramError> {
    let program = name(command);
    let input = match wrapped {
        Some(file) => {
            read(file).await.map_err(|source| ProgramError::Wrapped { file: file.to_owned(), source })?
        }
        None => Vec::new(),
    };
    let mut child = Command::new(command.first().map_or("", String::as_str))
        .args(command.get(1..).unwrap_or_default())
        .stdin(if wrapped.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut complaint = Vec::new();
    let work = async {
        let give = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read it says on its own what it misses.
                let _ = stdin.write_all(&input).await;
            }
        };
        let (output, (), ()) = tokio::join!(collect(stdout), give, complain(stderr, &mut complaint));
        (output, child.wait().await)
    };
    let ended = timeout(patience, work).await;
    let complaint = readable(&complaint);
    let Ok((output, status)) = ended else {
        return Err(ProgramError::Slow { program, patience, complaint });
    };
    let status = status.map_err(|source| ProgramError::Lost { program: program.clone(), source })?;
    if !status.success() {
        return Err(ProgramError::Failed { program, status, complaint });
    }
    parse(&output).ok_or(ProgramError::NoKey { program, complaint })
}

async fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    tokio::fs::File::open(file).await?.take(LONGEST_WRAPPED).read_to_end(&mut bytes).await?;
    if bytes.is_empty() { Err(io::Error::other("it is empty")) } else { Ok(bytes) }
}

/// All of it, or nothing of what is too long.
async fn collect(output: Option<impl AsyncRead + Unpin>) -> Zeroizing<Vec<u8>> {
    // Room for all of it, so that no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_OUTPUT + 1));
    if let Some(output) = output {
        let limit = u64::try_from(LONGEST_OUTPUT + 1).unwrap_or(u64::MAX);
        if output.take(limit).read_to_end(&mut bytes).await.is_err() || bytes.len() > LONGEST_OUTPUT {
            return Zeroizing::default();
        }
    }
    bytes
}

/// Its standard error to the end, so that it does not wait for a reader; the beginning is kept.
async fn complain(errors: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut errors) = errors else { return };
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = errors.read(&mut buffer).await {
        let room = LONGEST_COMPLAINT.saturating_sub(kept.len());
        kept.extend_from_slice(buffer.get(..count.min(room)).unwrap_or_default());
    }
}

/// On one line, without what would move a terminal's cursor.
fn readable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ");
    lines.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_key_is_what_it_prints_for_what_it_gets() {
        let folder = tempfile::tempdir().unwrap();
        let wrapped = folder.path().join("wrapped");
        std::fs::write(&wrapped, BASE64_STANDARD.encode([7; 32])).unwrap();
        let patience = Duration::from_mins(1);
        for script in ["cat", "base64 -d", "cat; echo; echo 'a warning' >&2"] {
            let key = run(&shell(script), Some(&wrapped), patience).await.unwrap();
            assert_eq!(key.expose(), &[7; 32], "{script}");
        }
        // One that does not read.
        std::fs::write(&wrapped, vec![b'x'; 60_000]).unwrap();
        let script = format!("printf {}", BASE64_STANDARD.encode([8; 32]));
        assert_eq!(run(&shell(&script), Some(&wrapped), patience).await.unwrap().expose(), &[8; 32]);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_with_its_words_and_without_what_it_printed() {
        let missing = Path::new("/nowhere/wrapped");
        for (command, wrapped, seconds, expected) in [
            (
                shell("echo s3cret; echo AccessDenied >&2; exit 3"),
                None,
                60,
                "(exit status: 3); it says: AccessDenied",
            ),
            (shell("echo s3cret; echo careful >&2"), None, 60, "is no key"),
            (shell("head -c 5000 /dev/zero"), None, 60, "is no key"),
            (shell("echo s3cret; exec sleep 100"), None, 1, "did not end within 1 seconds"),
            (vec!["/nowhere/kms".to_owned()], None, 60, "`/nowhere/kms` cannot be run"),
            (shell("cat"), Some(missing), 60, "/nowhere/wrapped cannot be read"),
        ] {
            let error = run(&command, wrapped, Duration::from_secs(seconds)).await.unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{expected}: {error}");
        }
    }
}
