//! Linux: the Secret Service of GNOME Keyring, KWallet or KeePassXC.
//! <https://specifications.freedesktop.org/secret-service-spec/latest/>
//!
//! Secrets travel in a "plain" session, as go-keyring's do: the bus is a socket that only this user (and root)
//! reads, and who can read it can as well ask the service.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::dbus::address::session;
use crate::dbus::wire::Malformed;
use crate::dbus::{Call, Connection, Deadline, Fault, Reader, Writer};
use crate::system::{Patience, Session};
use crate::{Item, KeyringError};

const DESTINATION: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const LOGIN_COLLECTION: &str = "/org/freedesktop/secrets/collection/login";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
/// The object path that stands for "none".
const NONE: &str = "/";
const CONTENT_TYPE: &str = "text/plain; charset=utf8";

/// A session with the service.
#[derive(Debug)]
pub(crate) struct SecretService {
    connection: Connection,
    session: String,
    patience: Patience,
}

impl SecretService {
    pub(crate) fn open(place: &Session, patience: Patience) -> Result<Self, KeyringError> {
        let endpoints = session(place.bus_address.as_deref(), place.runtime_directory.as_deref());
        if endpoints.is_empty() {
            return Err(KeyringError::Absent { reason: "this session has no D-Bus".to_owned() });
        }
        let deadline = Deadline::after(patience.answer);
        let connection =
            Connection::open(endpoints, deadline).map_err(|fault| explain(fault, patience.answer))?;
        let mut service = Self { connection, session: String::new(), patience };
        let mut arguments = Writer::default();
        arguments.string("plain").signature("s").string("");
        let opened = service.call(SERVICE_PATH, SERVICE, "OpenSession", "sv", arguments, |results| {
            // An empty string, as variant.
            results.signature()?;
            results.string()?;
            results.string().map(str::to_owned)
        })?;
        service.session = opened;
        Ok(service)
    }

    pub(crate) fn read(&mut self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let found = self.find(&[("service", &item.service), ("username", &item.account)])?;
        let Some(path) = found.first() else { return Ok(None) };
        let mut arguments = Writer::default();
        arguments.string(&self.session.clone());
        self.call(path, ITEM, "GetSecret", "o", arguments, |results| {
            let secret = results.align(8)?;
            secret.string()?; // the session
            secret.bytes()?; // the algorithm's parameters: none
            secret.bytes().map(|value| Some(Zeroizing::new(value.to_vec())))
        })
    }

    pub(crate) fn write(&mut self, item: &Item, secret: &[u8]) -> Result<(), KeyringError> {
        let collection = self.default_collection()?.ok_or_else(|| KeyringError::Absent {
            reason: "the Secret Service has no default keyring yet: make one in its program".to_owned(),
        })?;
        self.unlock(std::slice::from_ref(&collection))?;
        let mut arguments = Writer::default();
        arguments.array(8, |properties| {
            let label = format!("{} {}", item.service, item.account);
            properties.align(8).string("org.freedesktop.Secret.Item.Label").signature("s").string(&label);
            properties.align(8).string("org.freedesktop.Secret.Item.Attributes").signature("a{ss}");
            properties.strings(&[("service", &item.service), ("username", &item.account)]);
        });
        arguments.align(8).string(&self.session).bytes(&[]).bytes(secret).string(CONTENT_TYPE);
        let replace = true;
        arguments.boolean(replace);
        let prompt =
            self.call(&collection, COLLECTION, "CreateItem", "a{sv}(oayays)b", arguments, |results| {
                results.string()?; // the item
                results.string().map(str::to_owned)
            })?;
        self.prompt(&prompt)
    }

    pub(crate) fn delete(&mut self, item: &Item) -> Result<bool, KeyringError> {
        self.delete_found(&[("service", &item.service), ("username", &item.account)]).map(|found| found > 0)
    }

    pub(crate) fn delete_all(&mut self, service: &str) -> Result<usize, KeyringError> {
        self.delete_found(&[("service", service)])
    }

    fn delete_found(&mut self, attributes: &[(&str, &str)]) -> Result<usize, KeyringError> {
        let found = self.find(attributes)?;
        for path in &found {
            let prompt = self.call(path, ITEM, "Delete", "", Writer::default(), |results| {
                results.string().map(str::to_owned)
            })?;
            self.prompt(&prompt)?;
        }
        Ok(found.len())
    }

    /// The items with `attributes`, unlocked.
    fn find(&mut self, attributes: &[(&str, &str)]) -> Result<Vec<String>, KeyringError> {
        let (mut unlocked, mut locked) = self.search(attributes)?;
        if unlocked.is_empty()
            && locked.is_empty()
            && let Some(collection) = self.default_collection()?
        {
            // A locked KWallet does not say what it holds. "Nothing" counts only when it is open.
            self.unlock(&[collection])?;
            (unlocked, locked) = self.search(attributes)?;
        }
        if !locked.is_empty() {
            self.unlock(&locked)?;
            unlocked.append(&mut locked);
        }
        Ok(unlocked)
    }

    fn search(&mut self, attributes: &[(&str, &str)]) -> Result<(Vec<String>, Vec<String>), KeyringError> {
        let mut arguments = Writer::default();
        arguments.strings(attributes);
        self.call(SERVICE_PATH, SERVICE, "SearchItems", "a{ss}", arguments, |results| {
            Ok((results.paths()?, results.paths()?))
        })
    }

    /// Where new items go: the default collection; without one, the login collection, as go-keyring does.
    fn default_collection(&mut self) -> Result<Option<String>, KeyringError> {
        let mut arguments = Writer::default();
        arguments.string("default");
        let alias = self.call(SERVICE_PATH, SERVICE, "ReadAlias", "s", arguments, |results| {
            results.string().map(str::to_owned)
        })?;
        if alias != NONE {
            return Ok(Some(alias));
        }
        let mut arguments = Writer::default();
        arguments.string(SERVICE).string("Collections");
        let collections =
            self.call(SERVICE_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", arguments, |results| {
                results.signature()?;
                results.paths()
            })?;
        Ok(collections.into_iter().find(|path| path == LOGIN_COLLECTION))
    }

    fn unlock(&mut self, paths: &[String]) -> Result<(), KeyringError> {
        let mut arguments = Writer::default();
        arguments.paths(paths);
        let (unlocked, prompt) = self.call(SERVICE_PATH, SERVICE, "Unlock", "ao", arguments, |results| {
            Ok((results.paths()?, results.string()?.to_owned()))
        })?;
        if prompt == NONE && unlocked.len() < paths.len() {
            return Err(KeyringError::Locked { waited: Duration::ZERO });
        }
        self.prompt(&prompt)
    }

    /// Lets the service show its prompt, if there is one, and waits for the person.
    fn prompt(&mut self, path: &str) -> Result<(), KeyringError> {
        if path == NONE {
            return Ok(());
        }
        if self.patience.unlock.is_zero() {
            return Err(KeyringError::Locked { waited: Duration::ZERO });
        }
        // Before it is shown: it may be answered before we are.
        let rule = format!("type='signal',sender='{DESTINATION}',interface='{PROMPT}',path='{path}'");
        let answer = Deadline::after(self.patience.answer);
        self.connection.subscribe(&rule, answer).map_err(|fault| explain(fault, self.patience.answer))?;
        let mut arguments = Writer::default();
        arguments.string(""); // no window of ours
        self.call(path, PROMPT, "Prompt", "s", arguments, |_| Ok(()))?;
        match self.connection.signal(path, "Completed", Deadline::after(self.patience.unlock)) {
            Ok(completed) => match completed.body().boolean() {
                Ok(false) => Ok(()),
                Ok(true) => {
                    let reason = "its prompt was dismissed, or could not be shown".to_owned();
                    Err(KeyringError::Refused { reason })
                }
                Err(malformed) => Err(explain(malformed.into(), self.patience.answer)),
            },
            // The prompt ends with our connection. Not by `Dismiss`: GNOME Keyring 42 aborts at it while it waits
            // for its prompter (an assertion in gkd-secret-unlock.c), and every open keyring is locked then.
            Err(Fault::Timeout) => Err(KeyringError::Locked { waited: self.patience.unlock }),
            Err(fault) => Err(explain(fault, self.patience.unlock)),
        }
    }

    fn call<T>(
        &mut self,
        path: &str,
        interface: &str,
        method: &str,
        signature: &str,
        arguments: Writer,
        results: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<T, KeyringError> {
        let waited = self.patience.answer;
        let call = Call { destination: DESTINATION, path, interface, method, signature, arguments };
        let reply = self.connection.call(call, Deadline::after(waited));
        reply.and_then(|reply| Ok(results(&mut reply.body())?)).map_err(|fault| explain(fault, waited))
    }
}

fn explain(fault: Fault, waited: Duration) -> KeyringError {
    match fault {
        Fault::Answered { name, text } => match name.as_str() {
            "org.freedesktop.Secret.Error.IsLocked" => KeyringError::Locked { waited: Duration::ZERO },
            "org.freedesktop.DBus.Error.AccessDenied" => KeyringError::Refused { reason: text },
            "org.freedesktop.DBus.Error.NameHasNoOwner" | "org.freedesktop.DBus.Error.ServiceUnknown" => {
                KeyringError::Absent { reason: "no Secret Service runs in this session".to_owned() }
            }
            name if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => {
                KeyringError::Absent { reason: format!("the Secret Service does not start: {text}") }
            }
            _ => KeyringError::Failed(format!("{text} ({name})")),
        },
        Fault::Lost(error) => KeyringError::Failed(format!("the connection to its service broke: {error}")),
        Fault::Malformed => KeyringError::Failed("its service answered with something else".to_owned()),
        // Under sudo, say, with the variables of the person who called it.
        Fault::Rejected => {
            KeyringError::Absent { reason: "the session's D-Bus is another user's".to_owned() }
        }
        Fault::Timeout => KeyringError::Timeout { waited },
        Fault::Unreachable(error) => {
            KeyringError::Absent { reason: format!("the session's D-Bus is not reached: {error}") }
        }
    }
}

#[cfg(test)]
mod tests;
