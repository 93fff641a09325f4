//! Helper processes, as far as those who start them and those who are started must agree.
//!
//! A helper is `kubesso` with the plugin's command line behind one more word, which says what it is for.

use std::process::{Command, Stdio};

/// The word for the sign-in of a call that waits.
pub const SIGN_IN: &str = "--detached=sign-in";

/// The word for the refresh of a token that is still good. Nobody waits.
pub const REFRESH: &str = "--detached=refresh";

/// Gives the helper none of our streams, so that whoever reads those to their end does not wait for it. The working
/// directory and the environment stay, because flags may name relative files and may come from variables.
pub fn set_free(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    leave_console(command);
}

/// A process of another console gets no Ctrl-C from this one and stays when its window is closed. The new console has no
/// window, and is there for the browser command, which would open one otherwise.
#[cfg(windows)]
fn leave_console(command: &mut Command) {
    // https://learn.microsoft.com/windows/win32/procthread/process-creation-flags
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    std::os::windows::process::CommandExt::creation_flags(
        command,
        CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW,
    );
}

/// The helper leaves the session by itself.
#[cfg(not(windows))]
fn leave_console(_: &mut Command) {}
