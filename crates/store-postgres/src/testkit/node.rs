//! A PostgreSQL server: its folder, its processes, what it is asked.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

/// What to say when it is not there.
const MISSING: &str = "PostgreSQL (15 or newer) is missing: `apt-get install postgresql` as root";

/// At each line of its input it kills the server with all its processes, and starts it again. At the end of its input,
/// which is the end of the test process, it stops the server and removes its folder.
///
/// `fsync=off`: what a process has written outlives the process; only the end of the machine would lose it.
const KEEPER: &str = r#"
programs=$1 folder=$2
shift 2
serve() {
    "$programs/postgres" -D "$folder/data" -k "$folder" -c fsync=off -c max_connections=400 "$@" >>"$folder/log" 2>&1 &
    server=$!
}
serve "$@"
while read -r _; do
    # It may have failed to start.
    kill -KILL $server $(cat "/proc/$server/task/$server/children")
    wait $server
    serve "$@"
done
kill -QUIT $server
kill -CONT $server
wait $server
rm -rf "$folder"
"#;

/// A server of the tests' own.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) folder: PathBuf,
    programs: PathBuf,
    owner: Option<u32>,
    /// On 127.0.0.1 too; without one, on its Unix socket alone.
    pub(super) port: Option<u16>,
    /// Closed by the end of the process.
    lifeline: Mutex<Option<ChildStdin>>,
}

impl Node {
    /// A folder for a server that is not there yet.
    pub(super) fn new(name: &str, port: Option<u16>) -> Result<Self, String> {
        let programs = programs().ok_or(MISSING)?;
        let folder = env::temp_dir().join(format!("kubesso-{name}-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|e| failed(&e))?;
        let owner = owner(&folder).map_err(|e| failed(&e))?;
        Ok(Self { folder, programs, owner, port, lifeline: Mutex::new(None) })
    }

    /// Runs one of PostgreSQL's programs to its end.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = as_user(self.owner, &self.programs.join(program));
        let done = command.args(arguments).current_dir(&self.folder).stdin(Stdio::null()).output();
        let done = done.map_err(|e| failed(&e))?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("{program} failed: {}", String::from_utf8_lossy(&done.stderr)))
    }

    /// Makes an empty cluster of databases.
    pub(super) fn init(&self) -> Result<(), String> {
        // PostgreSQL compares by the rules of a language here, to prove that the store does not depend on it.
        let how = ["-U", "kubesso", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"];
        self.run(
            "initdb",
            &[&["-D", "data"], &how[..], &["--locale-provider=icu", "--icu-locale=en"]].concat(),
        )
    }

    /// Starts it, and waits until it answers.
    pub(super) fn start(&mut self) -> Result<(), String> {
        let mut keeper = as_user(self.owner, Path::new("sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&self.programs).arg(&self.folder).current_dir("/");
        match self.port {
            Some(port) => keeper.args(["-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()]),
            None => keeper.args(["-c", "listen_addresses="]),
        };
        // In a group of its own: Ctrl-C ends the tests, and their end ends the server.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper = keeper.spawn().map_err(|e| failed(&e))?;
        let lifeline = keeper.stdin.take().ok_or("the server's keeper has no input")?;
        self.lifeline = Mutex::new(Some(lifeline));
        if self.answers(600) {
            return Ok(());
        }
        Err(format!("the PostgreSQL server does not answer:\n{}", self.log()))
    }

    /// Whether it answers, asked so often.
    fn answers(&self, times: u32) -> bool {
        (0..times).any(|_| {
            let answered = self.sql("postgres", "SELECT 1").is_ok();
            if !answered {
                sleep(Duration::from_millis(50));
            }
            answered
        })
    }

    /// The first line of what a running server writes about itself: its process id.
    pub(super) fn process(&self) -> Option<String> {
        let written = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        written.lines().next().map(str::to_owned)
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Kills it with all its processes, and waits until it is there again.
    pub(super) fn crash(&self) -> Result<(), String> {
        let before = self.process();
        // A new server refuses to start while a process of the old one is still there; then it is tried again.
        for _ in 0..20 {
            let mut lifeline = self.lifeline.lock().map_err(|error| error.to_string())?;
            let keeper = lifeline.as_mut().ok_or("the server was never started")?;
            keeper.write_all(b"\n").and_then(|()| keeper.flush()).map_err(|error| error.to_string())?;
            drop(lifeline);
            for _ in 0..100 {
                if self.process() != before && self.answers(1) {
                    return Ok(());
                }
                sleep(Duration::from_millis(50));
            }
        }
        Err(format!("the PostgreSQL server does not come back:\n{}", self.log()))
    }

    /// What it answers: columns between `|`, rows in lines.
    pub(super) fn sql(&self, database: &str, statement: &str) -> Result<String, String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XqAtU", "kubesso", "-d", database, "-v", "ON_ERROR_STOP=1", "-h"]).arg(&self.folder);
        psql.args(["-p", &self.port.unwrap_or(5432).to_string()]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().map_err(|error| error.to_string())?;
        if let Some(mut input) = child.stdin.take() {
            // It may have ended for want of a server; then its status says so.
            let _ = input.write_all(statement.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

pub(super) fn failed(error: &io::Error) -> String {
    format!("no PostgreSQL server could be started: {error}")
}

/// The folder with PostgreSQL's programs: of the path, or where Debian keeps them, the newest.
fn programs() -> Option<PathBuf> {
    let is_whole = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file())
    };
    let mut kept: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    kept.sort();
    let newest_first = kept.into_iter().rev().map(|(_, folder)| folder);
    on_path().into_iter().chain(newest_first).find(is_whole)
}

/// The folder of the `initdb` that a shell finds.
fn on_path() -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v initdb"]).stdin(Stdio::null()).output().ok()?;
    let found = fs::canonicalize(String::from_utf8(found.stdout).ok()?.trim()).ok()?;
    found.parent().map(Path::to_owned)
}

/// PostgreSQL refuses to run as root; then the folder is given to another user, who is returned.
fn owner(folder: &Path) -> io::Result<Option<u32>> {
    const NOBODY: u32 = 65534;
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    Ok(Some(NOBODY))
}

fn as_user(user: Option<u32>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
    command.arg("--").arg(program);
    command
}
