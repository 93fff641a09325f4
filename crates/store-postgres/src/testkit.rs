//! For tests: a PostgreSQL server of one process, in a folder of its own, on a Unix socket.
//!
//! It ends with the process, however that ends: a shell beside it waits on a pipe that nobody else holds.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::Duration;

/// What to say when it is not there.
const MISSING: &str = "PostgreSQL (15 or newer) is missing: `apt-get install postgresql` as root";

/// At each line of its input it kills the server with all its processes, and starts it again. At the end of its input,
/// which is the end of the test process, it stops the server and removes its folder.
///
/// `fsync=off`: what a process has written outlives the process; only the end of the machine would lose it.
const KEEPER: &str = r#"
serve() {
    "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=400 >>"$2/log" 2>&1 &
    server=$!
}
serve "$1" "$2"
while read -r _; do
    # It may have failed to start.
    kill -KILL $server $(cat "/proc/$server/task/$server/children")
    wait $server
    serve "$1" "$2"
done
kill -QUIT $server
wait $server
rm -rf "$2"
"#;

/// A server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    databases: AtomicU32,
    /// Closed by the end of the process.
    lifeline: Mutex<ChildStdin>,
}

impl Server {
    /// The server of this process, started when it is first asked for.
    pub fn shared() -> Result<&'static Self, String> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        SERVER.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    /// A server of the caller's own, which may be [crashed](Self::crash).
    pub fn alone() -> Result<Self, String> {
        Self::start()
    }

    /// Kills the server with all its processes (SIGKILL), as the kernel does when memory is short, and starts it again.
    pub fn crash(&self) -> Result<(), String> {
        let before = self.process();
        // A new server refuses to start while a process of the old one is still there; then it is tried again.
        for _ in 0..20 {
            let mut lifeline = self.lifeline.lock().map_err(|error| error.to_string())?;
            lifeline.write_all(b"\n").and_then(|()| lifeline.flush()).map_err(|error| error.to_string())?;
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

    fn start() -> Result<Self, String> {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let programs = programs().ok_or(MISSING)?;
        let failed = |error: io::Error| format!("no PostgreSQL server could be started: {error}");
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("kubesso-postgres-{}-{number}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let owner = owner(&folder).map_err(failed)?;
        // PostgreSQL compares by the rules of a language here, to prove that the store does not depend on it.
        let data = folder.join("data").into_os_string();
        let mut init = as_user(owner, &programs.join("initdb"));
        init.arg("-D").arg(data).args(["-U", "kubesso", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        init.args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]);
        let made = init.current_dir(&folder).output().map_err(failed)?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let mut keeper = as_user(owner, Path::new("sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&folder).current_dir("/");
        // In a group of its own: Ctrl-C ends the tests, and their end ends the server.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keeper = keeper.spawn().map_err(failed)?;
        let lifeline = keeper.stdin.take().ok_or("the server's keeper has no input")?;
        let server = Self { folder, programs, databases: AtomicU32::new(0), lifeline: Mutex::new(lifeline) };
        if server.answers(600) {
            return Ok(server);
        }
        Err(format!("the PostgreSQL server does not answer:\n{}", server.log()))
    }

    /// Whether it answers, asked so often.
    fn answers(&self, times: u32) -> bool {
        (0..times).any(|_| {
            let answered = self.sql("SELECT 1").is_ok();
            if !answered {
                sleep(Duration::from_millis(50));
            }
            answered
        })
    }

    /// The first line of what a running server writes about itself: its process id.
    fn process(&self) -> Option<String> {
        let written = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        written.lines().next().map(str::to_owned)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The URL of a new database.
    pub fn database(&self) -> Result<String, String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://kubesso@localhost/{database}?host={}", self.folder.display())
    }

    fn sql(&self, statement: &str) -> Result<(), String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XqU", "kubesso", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-h"]).arg(&self.folder);
        psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = psql.spawn().map_err(|error| error.to_string())?;
        if let Some(mut input) = child.stdin.take() {
            // It may have ended for want of a server; then its status says so.
            let _ = input.write_all(statement.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
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
