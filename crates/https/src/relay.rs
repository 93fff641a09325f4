//! A socket of our own between a client and a server that is reached by another way than the client knows. What goes through it
//! is TLS between the two; nobody else may open it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::task::AbortHandle;

use crate::Link;
use crate::dial::dial;

/// Takes each connection to the server, until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    folder: PathBuf,
    accepting: AbortHandle,
    obstacle: Arc<Mutex<Option<String>>>,
}

impl Relay {
    /// Begins; in a folder that is its own.
    pub(crate) fn begin(link: Link, host: String, port: u16, patience: Duration) -> std::io::Result<Self> {
        let folder = private_folder()?;
        let listener = UnixListener::bind(folder.join("s"))?;
        let obstacle = Arc::new(Mutex::new(None));
        let told = Arc::clone(&obstacle);
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (link, host, told) = (link.clone(), host.clone(), Arc::clone(&told));
                tokio::spawn(async move {
                    let far = tokio::time::timeout(patience, dial(&link, &host, port)).await;
                    let far = far.unwrap_or_else(|_| Err(format!("{host}:{port}: no connection in time")));
                    let tell = |why| *told.lock().unwrap_or_else(PoisonError::into_inner) = why;
                    match far {
                        Ok(mut far) => {
                            tell(None);
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        }
                        Err(why) => tell(Some(why)),
                    }
                });
            }
        });
        Ok(Self { folder, accepting: accepting.abort_handle(), obstacle })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("s")
    }

    /// Why the last connection that failed did.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.obstacle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        // What is left is an empty folder of ours.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that nobody else can enter.
fn private_folder() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let drawn: [u8; 8] = kubesso_ambient::draw(&kubesso_ambient::OsEntropy);
    let name = format!("kubesso-{:016x}", u64::from_be_bytes(drawn));
    let folder = Path::new(&std::env::temp_dir()).join(name);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}
