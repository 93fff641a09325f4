//! macOS: the Keychain, by `/usr/bin/security`. **Read against Apple's documentation (`man security`,
//! `SecBase.h`) and kubelogin's library, not run on a Mac**; the tests here put a stand-in in the program's place.
//!
//! Why not Security.framework: the Keychain lets only the program that made an item read it without asking, and it
//! knows a program by its signature. kubelogin's items were made by `security`, so with it they are read without a
//! prompt; and our own would ask again after each update of a binary that is not signed by a paid account. The
//! price: every program of this user can ask `security` for it too.
//!
//! No secret is an argument, where other users could see it: commands with one go through standard input.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::system::{Patience, Session};
use crate::{Item, KeyringError};

/// go-keyring's way to store any byte, and so kubelogin's.
const ENCODED: &[u8] = b"go-keyring-base64:";

// `security` exits with the last byte of the OSStatus (SecBase.h).
const USER_CANCELED: i32 = 128; // errSecUserCanceled, -128
const NOT_FOUND: i32 = 44; // errSecItemNotFound, -25300
const INTERACTION_NOT_ALLOWED: i32 = 36; // errSecInteractionNotAllowed, -25308
const NO_DEFAULT_KEYCHAIN: i32 = 37; // errSecNoDefaultKeychain, -25307
const AUTH_FAILED: i32 = 51; // errSecAuthFailed, -25293

/// More items than anybody has; ends a loop that deletes one by one.
const MOST_ITEMS: usize = 10_000;

#[derive(Clone, Debug)]
pub(crate) struct Keychain {
    program: PathBuf,
    patience: Patience,
}

impl Keychain {
    #[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "the tests name another program"))]
    #[expect(clippy::unnecessary_wraps, reason = "as on the other platforms")]
    pub(crate) fn open(_: &Session, patience: Patience) -> Result<Self, KeyringError> {
        Ok(Self { program: PathBuf::from("/usr/bin/security"), patience })
    }

    pub(crate) fn read(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let find = ["find-generic-password", "-s", &item.service, "-a", &item.account, "-w"];
        let Some(output) = self.run(&find, b"")? else { return Ok(None) };
        let value = output.strip_suffix(b"\n").unwrap_or(&output);
        let Some(encoded) = value.strip_prefix(ENCODED) else {
            return Ok(Some(Zeroizing::new(value.to_vec())));
        };
        BASE64_STANDARD.decode(encoded).map(|value| Some(Zeroizing::new(value))).map_err(|_| {
            KeyringError::Broken {
                service: item.service.clone(),
                account: item.account.clone(),
                problem: "it is no base64",
            }
        })
    }

    pub(crate) fn write(&self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        let (service, account) = (word(&item.service)?, word(&item.account)?);
        let mut command = Zeroizing::new(format!("add-generic-password -U -s {service} -a {account} -w "));
        command.push_str(str::from_utf8(ENCODED).unwrap_or_default());
        BASE64_STANDARD.encode_string(secret, &mut command);
        command.push('\n');
        self.run(&["-i"], command.as_bytes())?;
        // With -i a failed command need not be a failed `security`.
        if self.read(item)?.is_some_and(|kept| *kept == secret) {
            return Ok(());
        }
        Err(KeyringError::Failed("the Keychain did not take the item".to_owned()))
    }

    pub(crate) fn delete(&self, item: &Item) -> Result<bool, KeyringError> {
        let delete = ["delete-generic-password", "-s", &item.service, "-a", &item.account];
        self.run(&delete, b"").map(|found| found.is_some())
    }

    /// It deletes the first item that matches, so until there is none.
    pub(crate) fn delete_all(&self, service: &str) -> Result<usize, KeyringError> {
        for deleted in 0..MOST_ITEMS {
            if self.run(&["delete-generic-password", "-s", service], b"")?.is_none() {
                return Ok(deleted);
            }
        }
        Ok(MOST_ITEMS)
    }

    /// What `security` printed, or `None` if there is no such item.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let failed = |error| KeyringError::Failed(format!("{}: {error}", self.program.display()));
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| KeyringError::Absent {
                reason: format!("{}: {error}", self.program.display()),
            })?;
        if let Some(mut stdin) = child.stdin.take() {
            // A few hundred bytes: a pipe takes them at once. Who does not read them says so by the exit code.
            let _ = stdin.write_all(input);
        }
        let (sender, receiver) = mpsc::channel();
        if let Some(mut stdout) = child.stdout.take() {
            thread::spawn(move || {
                let mut output = Zeroizing::new(Vec::new());
                let read = stdout.read_to_end(&mut output);
                let _ = sender.send(read.map(|_| output));
            });
        }
        // One process asks the service and the person.
        let waited = self.patience.answer + self.patience.unlock;
        let Ok(output) = receiver.recv_timeout(waited) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(KeyringError::Locked { waited });
        };
        let status = child.wait().map_err(failed)?;
        let output = output.map_err(failed)?;
        if status.success() { Ok(Some(output)) } else { explain(status).map_or(Ok(None), Err) }
    }
}

/// Why it failed, or `None` if there is no such item.
fn explain(status: ExitStatus) -> Option<KeyringError> {
    let refused = |reason: &str| KeyringError::Refused { reason: reason.to_owned() };
    Some(match status.code() {
        Some(NOT_FOUND) => return None,
        Some(AUTH_FAILED) => refused("the Keychain took the password for wrong"),
        Some(INTERACTION_NOT_ALLOWED) => KeyringError::Locked { waited: Duration::ZERO },
        Some(NO_DEFAULT_KEYCHAIN) => {
            KeyringError::Absent { reason: "this user has no default Keychain".to_owned() }
        }
        Some(USER_CANCELED) => refused("its prompt was cancelled"),
        _ => KeyringError::Failed(format!("security ended with {status}")),
    })
}

/// A word of `security`'s own command line, which needs no quotes.
fn word(text: &str) -> Result<&str, KeyringError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(text);
    }
    Err(KeyringError::Failed(format!("{text:?} cannot name an item in the Keychain")))
}

#[cfg(test)]
mod tests;
