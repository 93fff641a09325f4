//! Connections to whichever server takes writes now, also after another has taken its place.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Error};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::servers::{Servers, silence, takes_writes};

/// How many connections a replica has at most.
const CONNECTIONS: u32 = 16;
/// How long to wait for a connection: as long as another server may need to take the place of one that failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// After how long of waiting it is looked which server takes writes.
const HINT: Duration = Duration::from_millis(300);
/// How long that is believed.
const BELIEVED: Duration = Duration::from_millis(300);
/// How long a server may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a statement may take. None that we send comes near it.
const STATEMENT: Duration = Duration::from_mins(1);

/// Connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pool: PgPool,
    servers: Servers,
    shared: Arc<Shared>,
    doubt: Doubt,
}

/// Whether a server ever fell silent in the middle of something. From then on connections are only kept if they answer in
/// time: without that, whoever puts a dead one back would wait for it as long as TCP does.
#[derive(Clone, Debug)]
pub(crate) struct Doubt {
    limit: Duration,
    is_there: Arc<AtomicBool>,
}

impl Doubt {
    /// What a statement answers, or silence after a while.
    pub(crate) async fn limit<T>(
        &self,
        statement: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        timeout(self.limit, statement).await.unwrap_or_else(|_| {
            self.is_there.store(true, Ordering::Relaxed);
            Err(silence())
        })
    }

    fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Relaxed)
    }
}

/// What those that wait for a connection know of each other's looking.
#[derive(Debug, Default)]
struct Shared {
    /// Goes up when a server was found after none, or another one: who waits begins anew, at once.
    found: AtomicU64,
    looked: Mutex<Looked>,
}

/// The last look.
#[derive(Debug, Default)]
struct Looked {
    at: Option<Instant>,
    is_lost: bool,
}

impl Connections {
    /// To `server`, one of `servers`, at first.
    pub(crate) fn new(servers: Servers, server: PgConnectOptions) -> Self {
        let doubt = Doubt { limit: STATEMENT, is_there: Arc::default() };
        let doubted = doubt.clone();
        let options = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            // Whether it is there and whether it takes writes is one question.
            .test_before_acquire(false)
            .before_acquire(|connection, _| {
                Box::pin(async {
                    timeout(ANSWER, takes_writes(connection)).await.unwrap_or_else(|_| Err(silence()))
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async {
                    match timeout(ANSWER, takes_writes(connection)).await {
                        Ok(Ok(true)) => Ok(()),
                        Ok(Ok(false)) => Err(Error::Configuration("the server takes no writes".into())),
                        Ok(Err(error)) => Err(error),
                        Err(_) => Err(silence()),
                    }
                })
            })
            .after_release(move |connection, _| {
                let is_doubted = doubted.is_there();
                Box::pin(async move {
                    if is_doubted {
                        timeout(ANSWER, connection.ping()).await.unwrap_or_else(|_| Err(silence()))?;
                    }
                    Ok(true)
                })
            });
        Self { pool: options.connect_lazy_with(server), servers, shared: Arc::default(), doubt }
    }

    /// The same, in less time.
    #[cfg(test)]
    pub(crate) fn hurry(&mut self, limit: Duration) {
        self.doubt.limit = limit;
    }

    pub(crate) fn doubt(&self) -> Doubt {
        self.doubt.clone()
    }

    /// How many there are.
    pub(crate) fn size(&self) -> u32 {
        self.pool.size()
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Asks the pool for a connection, or for one with something begun on it. While it waits, it looks whether another server takes
    /// writes now. What fails because the server went away is asked for again: nothing has been done with it yet.
    pub(crate) async fn get<T, F: Future<Output = Result<T, Error>>>(
        &self,
        ask: impl Fn(PgPool) -> F,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        loop {
            let known = self.shared.found.load(Ordering::Acquire);
            let error = {
                let mut asking = pin!(ask(self.pool.clone()));
                loop {
                    tokio::select! {
                        given = &mut asking => match given {
                            Ok(given) => return Ok(given),
                            Err(error) => break error,
                        },
                        is_new = self.another_since(known) => if is_new { break silence() },
                    }
                }
            };
            if !is_of_the_server(&error) || begun.elapsed() > PATIENCE {
                return Err(error);
            }
            if !self.another_since(known).await {
                sleep(HINT).await;
            }
        }
    }

    /// Waits a little, and says whether a server was found meanwhile that `known` does not count.
    async fn another_since(&self, known: u64) -> bool {
        let is_new = || self.shared.found.load(Ordering::Acquire) != known;
        if is_new() {
            return true;
        }
        sleep(HINT).await;
        self.look().await;
        is_new()
    }

    /// Looks which server takes writes, unless somebody has just looked.
    async fn look(&self) {
        let mut looked = self.shared.looked.lock().await;
        if looked.at.is_some_and(|at| at.elapsed() < BELIEVED) || self.pool.is_closed() {
            return;
        }
        match self.servers.find().await {
            Ok((connection, server)) => {
                // It is only asked to end: nobody waits for it.
                let _ = timeout(ANSWER, connection.close()).await;
                let is_another = !Servers::is_same(&server, &self.pool.connect_options());
                if is_another {
                    self.pool.set_connect_options(server);
                }
                if is_another || looked.is_lost {
                    self.shared.found.fetch_add(1, Ordering::AcqRel);
                }
                looked.is_lost = false;
            }
            Err(_) => looked.is_lost = true,
        }
        looked.at = Some(Instant::now());
    }
}

/// Whether another server, or the same one later, may do what this one did not: it is gone, ending, not yet there, or takes
/// no writes any more (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) fn is_of_the_server(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::PoolTimedOut | Error::BeginFailed => true,
        Error::Database(said) => {
            let code = said.code();
            let code = code.as_deref().unwrap_or_default();
            code.starts_with("08") || code.starts_with("57P") || code == "25006"
        }
        _ => false,
    }
}
