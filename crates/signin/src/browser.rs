//! Opening the browser. It is never waited for: that it runs on is no business of a sign-in.

use std::io;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubesso_token_cache::shell;
use url::Url;

use crate::environment::Environment;

/// Opens a browser.
pub trait OpenBrowser: Send + Sync {
    /// Starts a browser on `url` and returns at once. `on_failure` is called, from any thread and at any later
    /// time, when the started program reports that it could not do it.
    fn open(&self, url: &Url, choice: &BrowserChoice, on_failure: OnFailure) -> Result<(), BrowserError>;

    /// Whether this is the Windows Subsystem for Linux, which opens the browser of its host.
    fn is_wsl(&self) -> bool {
        false
    }
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
    /// The one of the Windows that this Linux runs in.
    WindowsHost,
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
        if let Some(list) = environment.variable("BROWSER").filter(|list| !list.is_empty()) {
            let separator = if cfg!(windows) { ';' } else { ':' };
            let commands: Vec<_> =
                list.split(separator).filter_map(shell::words).filter(|words| !words.is_empty()).collect();
            if !commands.is_empty() {
                return Ok(Self::Commands(commands));
            }
        }
        let scene = Scene::of(environment);
        Ok(match scene {
            Scene { is_wsl: true, .. } => Self::WindowsHost,
            Scene { needs_display: true, has_display: false, .. } => Self::NoDisplay,
            _ => Self::Default,
        })
    }
}

/// Whether a browser can be opened that the person sees: one of their own choice, or the desktop's.
pub(crate) fn can_open(environment: &Environment) -> bool {
    is_set(environment, "BROWSER") || Scene::of(environment).has_screen()
}

/// Where this process runs.
#[derive(Clone, Copy, Debug)]
struct Scene {
    /// Programs find the screen by a variable here.
    needs_display: bool,
    has_display: bool,
    /// Somebody is here from another machine.
    is_remote: bool,
    is_wsl: bool,
}

impl Scene {
    fn of(environment: &Environment) -> Self {
        let set = |name| is_set(environment, name);
        Self {
            needs_display: cfg!(all(unix, not(target_os = "macos"))),
            has_display: set("DISPLAY") || set("WAYLAND_DISPLAY"),
            is_remote: set("SSH_CONNECTION") || set("SSH_TTY"),
            is_wsl: set("WSL_DISTRO_NAME") || environment.browser.is_wsl(),
        }
    }

    /// From another machine only a display that was forwarded is seen.
    fn has_screen(self) -> bool {
        if self.is_remote {
            return self.needs_display && self.has_display;
        }
        !self.needs_display || self.has_display || self.is_wsl
    }
}

fn is_set(environment: &Environment, name: &str) -> bool {
    environment.variable(name).is_some_and(|value| !value.is_empty())
}

/// Whether the kernel is the one of the Windows Subsystem for Linux, whose version (`/proc/version`) names its maker.
fn is_wsl_kernel(version: &str) -> bool {
    let version = version.to_ascii_lowercase();
    version.contains("microsoft") || version.contains("wsl")
}

/// The machine's browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemBrowser;

impl OpenBrowser for SystemBrowser {
    fn open(&self, url: &Url, choice: &BrowserChoice, on_failure: OnFailure) -> Result<(), BrowserError> {
        match choice {
            BrowserChoice::NoDisplay => Err(BrowserError::NoDisplay),
            BrowserChoice::Commands(commands) => {
                let commands = commands.iter().map(|words| with_url(words, url));
                start_first(commands, on_failure).map_err(|(failure, _)| failure)
            }
            BrowserChoice::WindowsHost => {
                start_first(windows_openers(url), on_failure).map_err(|(failure, _)| failure)
            }
            BrowserChoice::Default => {
                let commands = DESKTOP_OPENERS.iter().map(|program| with_url(&[(*program).to_owned()], url));
                start_first(commands, on_failure)
                    .or_else(|(_, on_failure)| open_by_library(url.clone(), on_failure))
            }
        }
    }

    fn is_wsl(&self) -> bool {
        cfg!(target_os = "linux")
            && std::fs::read_to_string("/proc/version").is_ok_and(|version| is_wsl_kernel(&version))
    }
}

/// What opens a browser of the host from the Windows Subsystem for Linux. The URL is in no command line that a shell of
/// Windows reads: PowerShell gets it encoded (`-EncodedCommand`: base64 of UTF-16), as a text in single quotes.
fn windows_openers(url: &Url) -> Vec<Vec<String>> {
    let script = format!("Start-Process '{}'", url.as_str().replace('\'', "''"));
    let script: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let script = STANDARD.encode(script);
    let powershell = |program: &str| {
        [program, "-NoProfile", "-NonInteractive", "-EncodedCommand", &script].map(str::to_owned).to_vec()
    };
    vec![
        with_url(&["wslview".to_owned()], url),
        powershell("powershell.exe"),
        // Where the path of Windows is not taken over.
        powershell("/mnt/c/Windows/System32/WindowsPowerShell/v1.0/powershell.exe"),
    ]
}

/// Programs that open the desktop's browser, tried in order.
#[cfg(all(unix, not(target_os = "macos")))]
const DESKTOP_OPENERS: &[&str] = &["xdg-open", "x-www-browser", "www-browser"];
#[cfg(target_os = "macos")]
const DESKTOP_OPENERS: &[&str] = &["open"];
/// Windows has a function for it and no program; the library calls it.
#[cfg(not(unix))]
const DESKTOP_OPENERS: &[&str] = &[];

/// Starts the first command that starts. `on_failure` comes back if none does.
fn start_first(
    commands: impl IntoIterator<Item = Vec<String>>,
    on_failure: OnFailure,
) -> Result<(), (BrowserError, OnFailure)> {
    let mut failure = BrowserError::Default(io::ErrorKind::NotFound.into());
    for words in commands {
        let Some((program, arguments)) = words.split_first() else { continue };
        match spawn(program, arguments) {
            Ok(child) => {
                watch(child, program.clone(), on_failure);
                return Ok(());
            }
            Err(source) => failure = BrowserError::Command { program: program.clone(), source },
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

/// The command line with the URL where it is wanted: in place of `%s`, otherwise last.
fn with_url(words: &[String], url: &Url) -> Vec<String> {
    let mut words: Vec<_> = words.to_vec();
    let mut is_last = true;
    for argument in words.iter_mut().skip(1).filter(|argument| argument.contains("%s")) {
        *argument = argument.replace("%s", url.as_str());
        is_last = false;
    }
    words.extend(is_last.then(|| url.to_string()));
    words
}

/// Starts `program` with nothing of ours attached: no stream, and no share in our Ctrl-C.
fn spawn(program: &str, arguments: &[String]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
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
    use crate::testing;

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
    fn a_browser_can_be_opened_where_its_window_is_seen() {
        let here = [
            (&[][..], false),
            (&["DISPLAY"], true),
            (&["WAYLAND_DISPLAY"], true),
            (&["WSL_DISTRO_NAME"], true),
            (&["BROWSER"], true),
            (&["SSH_CONNECTION"], false),
            (&["SSH_TTY"], false),
            (&["SSH_CONNECTION", "DISPLAY"], true),
            (&["SSH_CONNECTION", "BROWSER"], true),
            (&["SSH_CONNECTION", "WSL_DISTRO_NAME"], false),
        ];
        for (variables, expected) in here {
            let environment = testing::environment_with(variables);
            if cfg!(target_os = "linux") {
                assert_eq!(can_open(&environment), expected, "{variables:?}");
            }
        }
        for (needs_display, has_display, is_remote, is_wsl, expected) in [
            // macOS and Windows have no variable for it.
            (false, false, false, false, true),
            (false, false, true, false, false),
            (false, true, true, false, false),
            (true, false, false, true, true),
            (true, false, true, true, false),
        ] {
            let scene = Scene { needs_display, has_display, is_remote, is_wsl };
            assert_eq!(scene.has_screen(), expected, "{scene:?}");
        }
    }

    #[test]
    fn the_subsystem_for_linux_is_known_by_its_kernel_and_its_browser_gets_the_url_unread() {
        for (version, expected) in [
            ("Linux version 5.15.167.4-microsoft-standard-WSL2 (root@f9c826d3017f)", true),
            ("Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)", true),
            ("Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)", false),
            ("", false),
        ] {
            assert_eq!(is_wsl_kernel(version), expected, "{version}");
        }
        let url = "https://idp.example.com/it's?a=1&b=%26calc".parse().unwrap();
        for words in windows_openers(&url).into_iter().skip(1) {
            assert!(words.iter().all(|word| !word.contains(['&', '\'', '%'])), "{words:?}");
            let script = STANDARD.decode(words.last().unwrap()).unwrap();
            let script: Vec<_> =
                script.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            let script = String::from_utf16(&script).unwrap();
            assert_eq!(script, "Start-Process 'https://idp.example.com/it''s?a=1&b=%26calc'");
        }
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
