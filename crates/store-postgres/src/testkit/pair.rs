//! A primary and a standby that has everything before the primary says that it is written.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::node::{Node, failed};

/// The database in both.
const DATABASE: &str = "kubesso";

/// Two servers on TCP, with one database.
#[derive(Debug)]
pub struct Pair {
    primary: Node,
    standby: Node,
}

impl Pair {
    /// Starts them on two free ports of 127.0.0.1.
    pub fn start(ports: [u16; 2]) -> Result<Self, String> {
        let [one, other] = ports;
        let mut primary = Node::new(&format!("primary-{one}"), Some(one))?;
        primary.init()?;
        primary.start()?;
        primary.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        let mut standby = Node::new(&format!("standby-{other}"), Some(other))?;
        let (from, port) = (primary.folder.display().to_string(), one.to_string());
        let copy = ["-D", "data", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-U", "kubesso"];
        standby
            .run("pg_basebackup", &[&copy[..], &["-h", "127.0.0.1", "-p", &port]].concat())
            .map_err(|error| format!("{error} (of the server in {from})"))?;
        standby.start()?;
        let pair = Self { primary, standby };
        // Only now, so that the standby does not wait for one of its own once it is alone.
        pair.primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        pair.primary.sql("postgres", "SELECT pg_reload_conf()")?;
        pair.until(
            || {
                pair.primary
                    .sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
            },
            "1",
        )?;
        Ok(pair)
    }

    /// The database's URL, with both servers.
    pub fn url(&self) -> String {
        let place = |node: &Node| format!("127.0.0.1:{}", node.port.unwrap_or_default());
        let (one, other) = (place(&self.primary), place(&self.standby));
        format!("postgres://kubesso@{one},{other}/{DATABASE}?target_session_attrs=read-write&sslmode=disable")
    }

    /// Ends every process of the primary by SIGKILL.
    pub fn kill_primary(&self) -> Result<(), String> {
        self.signal("-KILL")
    }

    /// Lets the primary answer nothing any more, without closing a connection.
    pub fn silence_primary(&self) -> Result<(), String> {
        self.signal("-STOP")
    }

    fn signal(&self, signal: &str) -> Result<(), String> {
        let first = self.primary.process().ok_or("the primary is not there")?;
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        let mut kill = Command::new("kill");
        kill.arg(signal).arg(&first).args(children.split_whitespace());
        // A child may have ended meanwhile.
        kill.stderr(Stdio::null()).status().map_err(|e| failed(&e))?;
        Ok(())
    }

    /// Makes the standby the primary, and waits until it is.
    pub fn promote(&self) -> Result<(), String> {
        self.standby.run("pg_ctl", &["promote", "-D", "data"])?;
        self.until(|| self.standby.sql("postgres", "SELECT pg_is_in_recovery()"), "f")
    }

    /// What the standby answers: columns between `|`, rows in lines.
    pub fn ask_standby(&self, statement: &str) -> Result<String, String> {
        self.standby.sql(DATABASE, statement)
    }

    fn until(&self, ask: impl Fn() -> Result<String, String>, expected: &str) -> Result<(), String> {
        for _ in 0..600 {
            if ask()? == expected {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        Err(format!("the standby does not become what it should:\n{}", self.standby.log()))
    }
}
