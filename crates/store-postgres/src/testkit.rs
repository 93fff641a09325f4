//! For tests: PostgreSQL servers of one process, each in a folder of its own.
//!
//! They end with the process, however that ends: a shell beside each waits on a pipe that nobody else holds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

mod node;
mod pair;

use node::Node;
pub use pair::Pair;

/// A server.
#[derive(Debug)]
pub struct Server {
    node: Node,
    databases: AtomicU32,
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
        self.node.crash()
    }

    fn start() -> Result<Self, String> {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let mut node = Node::new(&format!("postgres-{number}"), None)?;
        node.init()?;
        node.start()?;
        Ok(Self { node, databases: AtomicU32::new(0) })
    }

    /// The URL of a new database.
    pub fn database(&self) -> Result<String, String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.node.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!("postgres://kubesso@localhost/{name}?host={}", self.node.folder.display()))
    }
}
