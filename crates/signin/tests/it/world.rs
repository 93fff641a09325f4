//! A person's machine: home, streams, clock, browser, all of the test's own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use kubesso_ambient::{ManualClock, OsEntropy};
use kubesso_https::{Timeouts, Trust};
use kubesso_keyring::{Keyring, MemoryKeyring};
use kubesso_signin::{
    BrowserChoice, BrowserError, Environment, Helper, Interrupt, Launch, NoHelper, OnFailure, OpenBrowser,
    Output, Pacing, Surroundings, Terminal, run_plugin,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::stub::Stub;

/// 2020-01-01T00:00:00Z, where kubelogin's own tests begin.
pub(crate) const BEGIN: &str = "2020-01-01T00:00:00Z";

pub(crate) struct World {
    pub(crate) stub: Stub,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) home: TempDir,
    pub(crate) browser: Arc<FakeBrowser>,
    pub(crate) keyring: Arc<dyn Keyring>,
    pub(crate) interrupt: CancellationToken,
    pub(crate) variables: BTreeMap<&'static str, String>,
    /// Lines at the keyboard.
    pub(crate) keyboard: Vec<String>,
    /// Or lines that are typed while it runs.
    pub(crate) typed: Option<Arc<Mutex<Receiver<String>>>>,
    /// The file that the plugin was started by.
    pub(crate) program: Option<PathBuf>,
    pub(crate) quiet_wait: Duration,
    /// Whether calls can start helpers, and those that were started.
    pub(crate) helpers: Option<Arc<Threads>>,
    /// Whether somebody sits at a terminal.
    pub(crate) is_attended: bool,
    pub(crate) request: Timeouts,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    pub(crate) fn with_tls() -> Self {
        Self::with(true)
    }

    fn with(tls: bool) -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN.parse().unwrap()));
        let stub = Stub::start(clock.clone(), tls);
        let exec_info = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}"#;
        Self {
            browser: Arc::new(FakeBrowser::new(stub.ca.clone())),
            keyring: Arc::new(MemoryKeyring::default()),
            stub,
            clock,
            home: tempfile::tempdir().unwrap(),
            interrupt: CancellationToken::new(),
            variables: BTreeMap::from([
                ("KUBERNETES_EXEC_INFO", exec_info.to_owned()),
                ("DISPLAY", ":0".to_owned()),
            ]),
            keyboard: Vec::new(),
            typed: None,
            program: None,
            quiet_wait: Duration::from_mins(1),
            is_attended: true,
            helpers: None,
            request: Timeouts::default(),
        }
    }

    /// `get-token` as kubelogin's own tests call it.
    pub(crate) fn get_token(&self, flags: &[&str]) -> Run {
        self.run("get-token", flags)
    }

    pub(crate) fn run(&self, command: &str, flags: &[&str]) -> Run {
        let recording = Recording::default();
        self.run_into(command, flags, &recording)
    }

    pub(crate) fn run_into(&self, command: &str, flags: &[&str], recording: &Recording) -> Run {
        let mut line = vec!["kubectl-oidc_login".to_owned(), command.to_owned()];
        line.extend([
            format!("--oidc-issuer-url={}", self.stub.issuer),
            "--oidc-client-id=kubernetes".to_owned(),
        ]);
        if !flags.iter().any(|flag| flag.starts_with("--listen-address")) {
            line.push("--listen-address=127.0.0.1:0".to_owned());
        }
        line.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self.run_line(line, recording)
    }

    /// `get-token` with nothing but `flags`: it chooses the way to sign in itself.
    pub(crate) fn get_token_automatically(&self, flags: &[&str], recording: &Recording) -> Run {
        let always = ["kubelogin", "get-token", "--oidc-client-id=kubernetes"];
        let mut line: Vec<_> = always.into_iter().chain(flags.iter().copied()).map(str::to_owned).collect();
        line.push(format!("--oidc-issuer-url={}", self.stub.issuer));
        self.run_line(line, recording)
    }

    pub(crate) fn run_line(&self, line: Vec<String>, recording: &Recording) -> Run {
        let stdout = Recording::default();
        let mut environment = self.environment(&stdout, recording);
        if let Some(threads) = &self.helpers {
            let (threads, of_helper) = (threads.clone(), environment.clone());
            environment.launcher = Arc::new(InThread { threads, environment: of_helper, line: line.clone() });
        }
        let code = run_plugin(line.into_iter().map(OsString::from), environment);
        Run { code, stdout: stdout.text(), stderr: recording.text() }
    }

    fn environment(&self, stdout: &Recording, stderr: &Recording) -> Environment {
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Environment {
            surroundings: Surroundings::of(variables.collect(), Some(self.home.path().to_owned())),
            program: self.program.clone(),
            stdout: Output::new(stdout.clone()),
            stderr: Output::new(stderr.clone()),
            terminal: Arc::new(Keyboard {
                lines: Mutex::new(self.keyboard.clone()),
                typed: self.typed.clone(),
                is_attended: self.is_attended,
            }),
            clock: self.clock.clone(),
            entropy: Arc::new(OsEntropy),
            browser: self.browser.clone(),
            keyring: self.keyring.clone(),
            launcher: Arc::new(NoHelper),
            interrupt: Interrupt::Token(self.interrupt.clone()),
            pacing: Pacing {
                lock_poll: Duration::from_millis(1),
                quiet_wait: self.quiet_wait,
                helper: Duration::from_secs(30),
                request: self.request,
                retry: Duration::ZERO,
                farewell: Duration::from_secs(5),
                device_second: Duration::from_millis(1),
            },
            verbosity: 0,
        }
    }

    pub(crate) fn cache_directory(&self) -> PathBuf {
        self.home.path().join(".kube/cache/oidc-login")
    }

    /// The files of the cache whose names end so.
    pub(crate) fn cache_files(&self, suffix: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.cache_directory()) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect()
    }
}

impl Run {
    /// The token of a successful run.
    pub(crate) fn token(&self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        let credential: serde_json::Value = serde_json::from_str(&self.stdout).unwrap();
        credential["status"]["token"].as_str().unwrap().to_owned()
    }

    /// The only line of a failed run, which wrote nothing to standard output.
    pub(crate) fn error(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (1, ""), "{self:?}");
        let line = self.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(self.stderr.ends_with(&format!("{line}\n")), "the error is the last line: {self:?}");
        line
    }
}

/// What was written to a stream, by any thread.
#[derive(Clone, Default)]
pub(crate) struct Recording(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Recording {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until `text` was written `times` times.
    pub(crate) fn wait_for(&self, text: &str, times: usize) {
        let written = self.0.0.lock().unwrap();
        let enough = |bytes: &mut Vec<u8>| String::from_utf8_lossy(bytes).matches(text).count() < times;
        drop(self.0.1.wait_while(written, enough).unwrap());
    }
}

impl Write for Recording {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Helpers that are threads.
#[derive(Default)]
pub(crate) struct Threads {
    running: Mutex<Vec<JoinHandle<()>>>,
    started: AtomicUsize,
}

impl Threads {
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// Waits until all of them have ended.
    pub(crate) fn join(&self) {
        let running = std::mem::take(&mut *self.running.lock().unwrap());
        for thread in running {
            thread.join().unwrap();
        }
    }
}

/// Starts helpers as threads, which have pipes to the caller as processes have.
struct InThread {
    threads: Arc<Threads>,
    environment: Environment,
    line: Vec<String>,
}

impl InThread {
    fn start(&self, errand: &str, environment: Environment) {
        let mut line = self.line.clone();
        line.insert(1, format!("--detached={errand}"));
        self.threads.started.fetch_add(1, Ordering::Relaxed);
        let helper = std::thread::spawn(move || {
            // Its result comes another way, or not at all.
            let _ = run_plugin(line.into_iter().map(OsString::from), environment);
        });
        self.threads.running.lock().unwrap().push(helper);
    }
}

impl Launch for InThread {
    fn sign_in(&self) -> io::Result<Helper> {
        let ((read_orders, orders), (reports, write_reports)) = (io::pipe()?, io::pipe()?);
        let of_helper = Environment {
            stdout: Output::new(write_reports),
            stderr: Output::new(io::sink()),
            terminal: Arc::new(Orders(Mutex::new(BufReader::new(read_orders)))),
            ..self.environment.clone()
        };
        self.start("sign-in", of_helper);
        Ok(Helper { orders: Box::new(orders), reports: Box::new(reports) })
    }

    fn refresh(&self) -> io::Result<()> {
        self.start("refresh", self.environment.clone());
        Ok(())
    }

    fn detach(&self) {}
}

/// The standard input of a helper.
struct Orders(Mutex<BufReader<PipeReader>>);

impl Terminal for Orders {
    fn read_line(&self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let length = self.0.lock().unwrap().read_line(&mut line)?;
        Ok((length > 0).then(|| line.trim_end().to_owned()))
    }

    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

struct Keyboard {
    lines: Mutex<Vec<String>>,
    typed: Option<Arc<Mutex<Receiver<String>>>>,
    is_attended: bool,
}

impl Terminal for Keyboard {
    fn is_attended(&self) -> bool {
        self.is_attended
    }

    fn is_watched(&self) -> bool {
        self.is_attended
    }

    fn read_line(&self) -> io::Result<Option<String>> {
        if let Some(typed) = &self.typed {
            return Ok(typed.lock().unwrap().recv().ok());
        }
        let mut lines = self.lines.lock().unwrap();
        Ok(if lines.is_empty() { None } else { Some(lines.remove(0)) })
    }

    fn hide_input(&self) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

/// A page that the browser ended at.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) cache_control: String,
}

type Errand = Box<dyn Fn(&Url) + Send + Sync>;

/// Follows redirects on a thread of its own, as a person does who is signed in at the provider already.
pub(crate) struct FakeBrowser {
    trust: Trust,
    /// Pages that it ended at.
    state: Arc<(Mutex<Vec<Page>>, Condvar)>,
    pub(crate) opened: Mutex<Vec<(Url, BrowserChoice)>>,
    /// Done before the page is opened.
    errand: Mutex<Option<Arc<Errand>>>,
    idle: Mutex<bool>,
}

impl FakeBrowser {
    fn new(ca: Option<String>) -> Self {
        Self {
            trust: ca.map_or(Trust::System, Trust::Only),
            state: Arc::default(),
            opened: Mutex::default(),
            errand: Mutex::default(),
            idle: Mutex::new(false),
        }
    }

    /// Does something else first.
    pub(crate) fn first(&self, errand: impl Fn(&Url) + Send + Sync + 'static) {
        *self.errand.lock().unwrap() = Some(Arc::new(Box::new(errand)));
    }

    /// Opens, but nobody signs in.
    pub(crate) fn ignore(&self) {
        *self.idle.lock().unwrap() = true;
    }

    /// Opens, and somebody signs in.
    pub(crate) fn answer(&self) {
        *self.idle.lock().unwrap() = false;
    }

    /// Trusts everybody.
    pub(crate) fn trust_anybody(&mut self) {
        self.trust = Trust::DangerouslyAnybody;
    }

    /// The page that the `number`-th opening ended at.
    pub(crate) fn page(&self, number: usize) -> Page {
        let pages = self.state.0.lock().unwrap();
        self.state.1.wait_while(pages, |pages| pages.len() <= number).unwrap()[number].clone()
    }

    pub(crate) fn openings(&self) -> usize {
        self.opened.lock().unwrap().len()
    }
}

/// Fetches `url` as a browser does.
pub(crate) fn visit(trust: &Trust, url: &Url) -> Page {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = kubesso_https::client(trust, Timeouts::default()).unwrap();
        let response = client.get(url.clone()).send().await.unwrap();
        let cache_control =
            response.headers().get("cache-control").map(|value| value.to_str().unwrap().to_owned());
        Page {
            status: response.status().as_u16(),
            cache_control: cache_control.unwrap_or_default(),
            body: response.text().await.unwrap(),
        }
    })
}

/// The address that `url` redirects to, unvisited.
pub(crate) fn redirected_to(url: &Url) -> Url {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let response = client.get(url.clone()).send().await.unwrap();
        response.headers()["location"].to_str().unwrap().parse().unwrap()
    })
}

impl OpenBrowser for FakeBrowser {
    fn open(&self, url: &Url, choice: &BrowserChoice, _: OnFailure) -> Result<(), BrowserError> {
        self.opened.lock().unwrap().push((url.clone(), choice.clone()));
        if *choice == BrowserChoice::NoDisplay {
            return Err(BrowserError::NoDisplay);
        }
        if *self.idle.lock().unwrap() {
            return Ok(());
        }
        let (trust, url, state) = (self.trust.clone(), url.clone(), self.state.clone());
        let errand = self.errand.lock().unwrap().clone();
        std::thread::spawn(move || {
            if let Some(errand) = errand {
                errand(&url);
            }
            let page = visit(&trust, &url);
            state.0.lock().unwrap().push(page);
            state.1.notify_all();
        });
        Ok(())
    }
}
