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
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// What to say when it is not there.
const MISSING: &str = "PostgreSQL (15 or newer) is missing: `apt-get install postgresql` as root";

/// Waits for the end of its input, which is the end of the test process, and then stops the server and removes its
/// folder.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=400 >"$2/log" 2>&1 &
server=$!
read -r _
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
    _lifeline: ChildStdin,
}

impl Server {
    /// The server of this process, started when it is first asked for.
    pub fn shared() -> Result<&'static Self, String> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        SERVER.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    fn start() -> Result<Self, String> {
        let programs = programs().ok_or(MISSING)?;
        let failed = |error: io::Error| format!("no PostgreSQL server could be started: {error}");
        let folder = env::temp_dir().join(format!("kubesso-postgres-{}", std::process::id()));
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
        let server = Self { folder, programs, databases: AtomicU32::new(0), _lifeline: lifeline };
        for _ in 0..600 {
            if server.sql("SELECT 1").is_ok() {
                return Ok(server);
            }
            sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
        Err(format!("the PostgreSQL server does not answer:\n{log}"))
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
