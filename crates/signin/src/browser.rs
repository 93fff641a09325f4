//! Opening the browser. It is never waited for: that it runs on is no business of a sign-in.

use std::io;
use std::process::{Child, Command, Stdio};

use kubesso_token_cache::shell;
use url::Url;

use crate::environment::Environment;

/// Opens a browser.
pub trait OpenBrowser: Send + Sync {
    /// Starts a browser on `url` and returns at once. `on_failure` is called, from any thread and at any later
    /// time, when the started program reports that it could not do it.
    fn open(&self, url: &Url, choice: &BrowserChoice, on_failure: OnFailure) -> Result<(), BrowserError>;
}

/// Takes the reason why a browser that seemed to start did not.
pub type OnFailure = Box<dyn FnOnce(String) + Send>;

/// Which browser to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserChoice {
    /// The desktop's.
    Default,
    /// These command lines (program first), the first that starts. `%s` in an argument stands for the URL, which
    /// otherwise comes last.
    Commands(Vec<Vec<String>>),
    /// There is no screen to show one on.
    NoDisplay,
}

/// Why no browser was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The program that was asked for did not start.
    #[error("the browser command {program:?} cannot be started ({source})")]
    Command {
        /// The program.
        program: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The desktop's own way failed.
    #[error("no browser could be opened ({0})")]
    Default(io::Error),
    /// There is no screen.
    #[error("there is no display for a browser (neither DISPLAY nor WAYLAND_DISPLAY is set)")]
    NoDisplay,
    /// A command line that cannot be read.
    #[error("the browser command {0:?} has a quote that does not end")]
    Quoting(String),
}

impl BrowserChoice {
    /// The browser that the person chose: `--browser-command`, else `$BROWSER`, else the desktop's.
    ///
    /// `--browser-command` is one path if a file of that name is there (kubelogin knows no arguments), and a
    /// command line otherwise. `$BROWSER` is a list separated by colons, as xdg-open and others read it.
    pub(crate) fn find(command: Option<&str>, environment: &Environment) -> Result<Self, BrowserError> {
        if let Some(line) = command.filter(|line| !line.is_empty()) {
            if std::path::Path::new(line).is_file() {
                return Ok(Self::Commands(vec![vec![line.to_owned()]]));
            }
            let words = shell::words(line).ok_or_else(|| BrowserError::Quoting(line.to_owned()))?;
            return Ok(Self::Commands(vec![words]));
        }
        let set = |name| environment.variable(name).is_some_and(|value| !value.is_empty());
        if let Some(list) = environment.variable("BROWSER").filter(|list| !list.is_empty()) {
            let separator = if cfg!(windows) { ';' } else { ':' };
            let commands: Vec<_> =
                list.split(separator).filter_map(shell::words).filter(|words| !words.is_empty()).collect();
            if !commands.is_empty() {
                return Ok(Self::Commands(commands));
            }
        }
        let desktop_unix = cfg!(all(unix, not(target_os = "macos")));
        // The Windows Subsystem for Linux opens the browser of its host without a display of its own.
        if desktop_unix && !set("DISPLAY") && !set("WAYLAND_DISPLAY") && !set("WSL_DISTRO_NAME") {
            return Ok(Self::NoDisplay);
        }
        Ok(Self::Default)
    }
}

/// The machine's browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemBrowser;

impl OpenBrowser for SystemBrowser {
    fn open(&self, url: &Url, choice: &BrowserChoice, on_failure: OnFailure) -> Result<(), BrowserError> {
        match choice {
            BrowserChoice::NoDisplay => Err(BrowserError::NoDisplay),
            BrowserChoice::Commands(commands) => {
                let commands = commands.iter().filter_map(|words| words.split_first());
                start_first(commands, url, on_failure).map_err(|(failure, _)| failure)
            }
            BrowserChoice::Default => {
                let openers: &[String] = &[];
                let commands = DESKTOP_OPENERS.iter().map(|program| (program, openers));
                start_first(commands, url, on_failure)
                    .or_else(|(_, on_failure)| open_by_library(url.clone(), on_failure))
            }
        }
    }
}

/// Programs that open the desktop's browser, tried in order.
#[cfg(all(unix, not(target_os = "macos")))]
const DESKTOP_OPENERS: &[&str] = &["xdg-open", "wslview", "x-www-browser", "www-browser"];
#[cfg(target_os = "macos")]
const DESKTOP_OPENERS: &[&str] = &["open"];
/// Windows has a function for it and no program; the library calls it.
#[cfg(not(unix))]
const DESKTOP_OPENERS: &[&str] = &[];

/// Starts the first command that starts. `on_failure` comes back if none does.
fn start_first<'a, P: AsRef<str> + 'a>(
    commands: impl Iterator<Item = (P, &'a [String])>,
    url: &Url,
    on_failure: OnFailure,
) -> Result<(), (BrowserError, OnFailure)> {
    let mut failure = BrowserError::Default(io::ErrorKind::NotFound.into());
    for (program, arguments) in commands {
        let program = program.as_ref();
        match spawn(program, arguments, url) {
            Ok(child) => {
                watch(child, program.to_owned(), on_failure);
                return Ok(());
            }
            Err(source) => failure = BrowserError::Command { program: program.to_owned(), source },
        }
    }
    Err((failure, on_failure))
}

/// The library knows more desktops. It waits for some openers, so it gets a thread that nobody waits for.
fn open_by_library(url: Url, on_failure: OnFailure) -> Result<(), BrowserError> {
    let opening = std::thread::Builder::new().name("browser".to_owned()).spawn(move || {
        if let Err(error) = webbrowser::open(url.as_str()) {
            on_failure(BrowserError::Default(error).to_string());
        }
    });
    opening.map(drop).map_err(BrowserError::Default)
}

/// Starts `program` with nothing of ours attached: no stream, and no share in our Ctrl-C.
fn spawn(program: &str, arguments: &[String], url: &Url) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for argument in arguments {
        command.arg(argument.replace("%s", url.as_str()));
    }
    if !arguments.iter().any(|argument| argument.contains("%s")) {
        command.arg(url.as_str());
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

/// Reports a browser that ends badly, for as long as this process lives.
fn watch(mut child: Child, program: String, on_failure: OnFailure) {
    let watching = std::thread::Builder::new().name("browser".to_owned()).spawn(move || {
        if let Ok(status) = child.wait()
            && !status.success()
        {
            on_failure(format!("the browser command {program:?} ended with {status}"));
        }
    });
    // Without a thread a failing browser goes unreported; the login itself is not touched.
    drop(watching);
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What a browser command was started with, and what was reported of it. Its failing end is what the test waits for.
    fn open(arguments: &[&str]) -> (String, String) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("arguments");
        let script = format!("IFS='|'; echo \"$*\" > {}; exit 3", shell::quote(file.to_str().unwrap()));
        let missing = vec!["no-such-browser".to_owned()];
        let command: Vec<_> =
            ["sh", "-c", &script, "browser"].iter().chain(arguments).map(|w| (*w).to_owned()).collect();
        let (sender, reported) = mpsc::channel();
        let on_failure = Box::new(move |problem| sender.send(problem).unwrap());
        let url = "http://localhost:8000/".parse().unwrap();
        SystemBrowser.open(&url, &BrowserChoice::Commands(vec![missing, command]), on_failure).unwrap();
        let problem = reported.recv().unwrap();
        (std::fs::read_to_string(file).unwrap(), problem)
    }

    #[test]
    fn a_command_gets_the_url_where_it_wants_it_and_its_failure_is_reported_later() {
        let (arguments, problem) = open(&["--profile", "my work", "--url=%s", "--new"]);
        assert_eq!(arguments, "--profile|my work|--url=http://localhost:8000/|--new\n");
        assert_eq!(open(&["--new"]).0, "--new|http://localhost:8000/\n");
        assert_eq!(problem, "the browser command \"sh\" ended with exit status: 3");
    }

    #[test]
    fn a_command_that_does_not_start_is_an_error_at_once() {
        let choice = BrowserChoice::Commands(vec![vec!["no-such-browser".to_owned()]]);
        let url = "http://localhost:8000/".parse().unwrap();
        let error = SystemBrowser.open(&url, &choice, Box::new(|_| ())).unwrap_err();
        assert!(error.to_string().contains("no-such-browser"), "{error}");
        assert!(SystemBrowser.open(&url, &BrowserChoice::NoDisplay, Box::new(|_| ())).is_err());
    }
}
