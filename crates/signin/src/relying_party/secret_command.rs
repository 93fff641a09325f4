//! A program that prints a secret.

use std::process::Stdio;

use kubesso_token_cache::{Secret, shell};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::client_authentication::without_newline;
use crate::environment::Environment;
use crate::error::Error;

/// No secret is longer.
const LONGEST_OUTPUT: usize = 64 * 1024;

/// Runs `line`, split into words as a shell does but without one, and takes its output. What it says on standard error
/// is shown; standard input is kubectl's, so it gets none. It may take as long as a request to the provider.
pub(crate) async fn run(flag: &'static str, line: &str, environment: &Environment) -> Result<Secret, Error> {
    let wrong = |problem: String| Error::Flag { flag, problem };
    let words = shell::words(line).ok_or_else(|| wrong("it has a quote that does not end".to_owned()))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(wrong("it names no program".to_owned()));
    };
    // The arguments may hold a secret themselves, so that only the program is named.
    let failed = |problem: String| wrong(format!("{program:?} {problem}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started ({error})")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let limit = environment.pacing.request.total;
    let work = async {
        let (output, ()) = tokio::join!(collect(stdout), show(stderr, environment));
        (output, child.wait().await)
    };
    let (output, status) = timeout(limit, work).await.map_err(|_| {
        failed(format!("did not end within {} seconds; run it by hand to see why", limit.as_secs()))
    })?;
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(failed(format!("ended with {status}; run it by hand to see why"))),
        Err(error) => return Err(failed(format!("cannot be waited for ({error})"))),
    }
    let text = output.ok().filter(|bytes| bytes.len() < LONGEST_OUTPUT);
    let text = text.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok()).map(without_newline);
    match text {
        Some(secret) if !secret.is_empty() => Ok(Secret::from(secret.to_owned())),
        Some(_) => Err(failed("printed nothing; have it print the secret on standard output".to_owned())),
        None => Err(failed("printed something that is no secret (not text, or too long)".to_owned())),
    }
}

async fn collect(output: Option<impl AsyncRead + Unpin>) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_OUTPUT));
    if let Some(output) = output {
        output.take(LONGEST_OUTPUT as u64).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

async fn show(errors: Option<impl AsyncRead + Unpin>, environment: &Environment) {
    let Some(mut errors) = errors else { return };
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = errors.read(&mut buffer).await {
        let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default());
        // Nobody may be listening.
        let _ = environment.stderr.write(&text);
    }
}
