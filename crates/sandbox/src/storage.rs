//! Where the objects are: an in-memory state that every read uses, written through to SQLite before a write is
//! answered.
//!
//! One counter numbers all writes; an object's number is its `metadata.resourceVersion`. The last writes are
//! kept as history, from which a watch catches up; a watch from before that is told `410 Expired`.

mod database;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;
use tokio::sync::{Mutex, broadcast};

use database::Database;
#[cfg(test)]
use database::FILE_NAME;

/// How many writes a watch may be behind before it is told to list again.
const HISTORY: usize = 4096;

/// Why the stored objects could not be opened or written. Nothing has been changed on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The directory or file is read-only, or its parent is missing.
    #[error(
        "cannot write the sandbox's objects to {path}: {cause}; make it writable or choose another data directory"
    )]
    NotWritable {
        /// The file.
        path: String,
        /// What the operating system or SQLite said.
        cause: String,
    },
    /// Another process has the file open.
    #[error(
        "the sandbox's objects in {path} are in use by another process; stop it or choose another data directory"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// The file was written by a later version.
    #[error(
        "the sandbox's objects in {path} were written by a newer version (schema {found}, this one knows {known}); update, or choose another data directory"
    )]
    Newer {
        /// The file.
        path: String,
        /// The schema version in the file.
        found: i64,
        /// The newest schema version that this build knows.
        known: i64,
    },
    /// The file is damaged, or not ours at all.
    #[error(
        "the sandbox's objects in {path} cannot be read: {cause}; restore the file or move it away to start afresh"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// SQLite failed in another way.
    #[error("the database of the sandbox's objects failed")]
    Database(#[source] sqlx::Error),
}

/// The address of one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// `pods`, `deployments.apps`.
    pub(crate) resource: String,
    /// Empty for what is cluster-scoped.
    pub(crate) namespace: String,
    /// The object's name.
    pub(crate) name: String,
}

/// An object as it is stored: `metadata.resourceVersion` is `revision`.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored {
    /// The number of the write that made it.
    pub(crate) revision: u64,
    /// The whole object, with `kind` and `apiVersion`.
    pub(crate) object: Value,
}

/// One change to be made.
#[derive(Debug)]
pub(crate) enum Write {
    /// Creates or replaces.
    Put(Key, Value),
    /// Removes; nothing happens if it is not there.
    Delete(Key),
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// It is new.
    Added,
    /// It was replaced.
    Modified,
    /// It is gone; the event carries its last state with the deletion's revision.
    Deleted,
}

/// One write, as watches see it.
#[derive(Debug)]
pub(crate) struct Event {
    /// Added, modified or deleted.
    pub(crate) kind: EventKind,
    /// Which object.
    pub(crate) key: Key,
    /// The object after the write.
    pub(crate) object: Arc<Stored>,
    /// The object before it.
    pub(crate) previous: Option<Arc<Stored>>,
}

/// A watch: what it has missed, and what comes.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Writes between the asked revision and now, oldest first.
    pub(crate) backlog: Vec<Arc<Event>>,
    /// Later writes.
    pub(crate) events: broadcast::Receiver<Arc<Event>>,
}

/// The asked revision is older than the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// The oldest revision from which a watch can start.
    pub(crate) oldest: u64,
}

/// All objects at one moment.
#[derive(Debug, Default)]
pub(crate) struct State {
    revision: u64,
    /// By resource, then by [`place`].
    resources: HashMap<String, BTreeMap<String, Arc<Stored>>>,
}

impl State {
    /// The number of the last write.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// One object.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        self.resources.get(&key.resource)?.get(&place(&key.namespace, &key.name))
    }

    /// The objects of a resource in the order of [`place`]; `namespace: None` is all of them.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> impl Iterator<Item = &Arc<Stored>> {
        let start = namespace.map(|namespace| place(namespace, "")).unwrap_or_default();
        self.resources
            .get(resource)
            .into_iter()
            .flat_map({
                let start = start.clone();
                move |objects| objects.range(start.clone()..)
            })
            .take_while(move |(place, _)| place.starts_with(&start))
            .map(|(_, stored)| stored)
    }

    /// Every object with its address.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Key, &Arc<Stored>)> {
        self.resources.iter().flat_map(|(resource, objects)| {
            objects.iter().map(move |(place, stored)| {
                let (namespace, name) = place.split_once('/').unwrap_or_default();
                let key = Key {
                    resource: resource.clone(),
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                };
                (key, stored)
            })
        })
    }

    /// The numbered form of `writes`, without applying them.
    fn plan(&self, writes: Vec<Write>) -> Vec<Arc<Event>> {
        let mut revision = self.revision;
        let mut pending: HashMap<Key, Option<Arc<Stored>>> = HashMap::new();
        let mut events = Vec::with_capacity(writes.len());
        for write in writes {
            let (key, object) = match write {
                Write::Put(key, object) => (key, Some(object)),
                Write::Delete(key) => (key, None),
            };
            let previous = match pending.get(&key) {
                Some(pending) => pending.clone(),
                None => self.get(&key).cloned(),
            };
            let (kind, object) = match (object, &previous) {
                (Some(object), None) => (EventKind::Added, object),
                (Some(object), Some(_)) => (EventKind::Modified, object),
                (None, Some(previous)) => (EventKind::Deleted, previous.object.clone()),
                (None, None) => continue,
            };
            revision += 1;
            let stored = Arc::new(Stored { revision, object: stamped(object, revision) });
            pending.insert(key.clone(), (kind != EventKind::Deleted).then(|| stored.clone()));
            events.push(Arc::new(Event { kind, key, object: stored, previous }));
        }
        events
    }

    fn apply(&mut self, event: &Event) {
        self.revision = event.object.revision;
        let place = place(&event.key.namespace, &event.key.name);
        let objects = self.resources.entry(event.key.resource.clone()).or_default();
        if event.kind == EventKind::Deleted {
            objects.remove(&place);
        } else {
            objects.insert(place, event.object.clone());
        }
    }
}

/// Where an object stands in a list: as in etcd's keys, whose order kube-apiserver's lists have.
pub(crate) fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// `object` with its `metadata.resourceVersion`.
fn stamped(mut object: Value, revision: u64) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
    }
    object
}

#[derive(Debug)]
struct Live {
    state: State,
    history: VecDeque<Arc<Event>>,
    /// The newest revision that is *not* in the history.
    compacted: u64,
}

#[derive(Debug)]
struct Inner {
    live: RwLock<Live>,
    events: broadcast::Sender<Arc<Event>>,
}

/// The stored objects. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    inner: Arc<Inner>,
    /// `None` once it is closed.
    database: Arc<Mutex<Option<Database>>>,
}

impl Store {
    /// Opens `sandbox.db` in `directory`, creating both if they are missing.
    pub(crate) async fn open(directory: &Path) -> Result<Self, StorageError> {
        let (database, loaded) = Database::open(directory).await?;
        let mut state = State { revision: loaded.revision, resources: HashMap::new() };
        for (key, stored) in loaded.objects {
            let place = place(&key.namespace, &key.name);
            state.resources.entry(key.resource).or_default().insert(place, Arc::new(stored));
        }
        let compacted = state.revision;
        let live = RwLock::new(Live { state, history: VecDeque::new(), compacted });
        let (events, _) = broadcast::channel(HISTORY);
        Ok(Self { inner: Arc::new(Inner { live, events }), database: Arc::new(Mutex::new(Some(database))) })
    }

    /// Looks at the present state. `look` must be quick: writes wait for it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.inner.live.read().unwrap_or_else(PoisonError::into_inner).state)
    }

    /// The objects of a resource as they were at a revision, by namespace and name; `None` is now.
    pub(crate) fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        at: Option<u64>,
    ) -> Result<(u64, Vec<Arc<Stored>>), TooOld> {
        let live = self.inner.live.read().unwrap_or_else(PoisonError::into_inner);
        let now = live.state.revision;
        let Some(at) = at.filter(|at| *at < now) else {
            return Ok((now, live.state.list(resource, namespace).cloned().collect()));
        };
        if at < live.compacted {
            return Err(TooOld { oldest: live.compacted });
        }
        let mut objects: BTreeMap<String, Arc<Stored>> =
            live.state.resources.get(resource).cloned().unwrap_or_default();
        let later = live.history.iter().rev().take_while(|event| event.object.revision > at);
        for event in later.filter(|event| event.key.resource == resource) {
            let place = place(&event.key.namespace, &event.key.name);
            match &event.previous {
                Some(previous) => objects.insert(place, previous.clone()),
                None => objects.remove(&place),
            };
        }
        let prefix = namespace.map(|namespace| place(namespace, "")).unwrap_or_default();
        objects.retain(|place, _| place.starts_with(&prefix));
        Ok((at, objects.into_values().collect()))
    }

    /// Decides on the present state and writes what it decided, all or nothing; no other write comes between.
    ///
    /// Returns what `decide` returned beside its writes, and the events that they became. Once the writes have
    /// been handed over they are finished even if the caller goes away, so that memory and disk stay equal.
    pub(crate) async fn transact<T, E: From<StorageError>>(
        &self,
        decide: impl FnOnce(&State) -> Result<(Vec<Write>, T), E>,
    ) -> Result<(T, Vec<Arc<Event>>), E> {
        let mut database = self.database.clone().lock_owned().await;
        let (events, value) = self.read(|state| {
            let (writes, value) = decide(state)?;
            Ok::<_, E>((state.plan(writes), value))
        })?;
        if events.is_empty() {
            return Ok((value, events));
        }
        let inner = self.inner.clone();
        let commit = tokio::spawn(async move {
            let Some(database) = &mut *database else {
                return Err(StorageError::Database(sqlx::Error::PoolClosed));
            };
            database.write(&events).await?;
            inner.publish(&events);
            Ok::<_, StorageError>(events)
        });
        let events = match commit.await {
            Ok(committed) => committed?,
            Err(ended) => return Err(StorageError::Database(sqlx::Error::Io(ended.into())).into()),
        };
        Ok((value, events))
    }

    /// Closes the file, so that nothing is left beside it; writes fail from now on.
    pub(crate) async fn close(&self) {
        if let Some(database) = self.database.lock().await.take() {
            database.close().await;
        }
    }

    /// Starts a watch on all writes after `from`; `None` is from now on.
    pub(crate) fn subscribe(&self, from: Option<u64>) -> Result<Subscription, TooOld> {
        let live = self.inner.live.read().unwrap_or_else(PoisonError::into_inner);
        let from = from.unwrap_or(live.state.revision);
        if from < live.compacted {
            return Err(TooOld { oldest: live.compacted });
        }
        let backlog = live.history.iter().filter(|event| event.object.revision > from).cloned().collect();
        // Under the lock, so that no write falls between the backlog and the subscription.
        Ok(Subscription { backlog, events: self.inner.events.subscribe() })
    }
}

impl Inner {
    fn publish(&self, events: &[Arc<Event>]) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            live.state.apply(event);
            live.history.push_back(event.clone());
            if live.history.len() > HISTORY
                && let Some(oldest) = live.history.pop_front()
            {
                live.compacted = oldest.object.revision;
            }
            // Nobody watching is no error.
            let _ = self.events.send(event.clone());
        }
    }
}

#[cfg(test)]
mod tests;
