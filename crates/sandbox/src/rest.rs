//! The verbs on stored objects, with the semantics of apiserver's generic registry store
//! (`pkg/registry/generic/registry/store.go`, `pkg/registry/rest`).

pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod options;
pub(crate) mod scale;
pub(crate) mod selector;
pub(crate) mod settle;
pub(crate) mod write;

use std::sync::Arc;

use jiff::Timestamp;
use kubesso_ambient::{Clock, Entropy, draw};
use kubesso_k8s_types::UserInfo;
use serde_json::Value;

use crate::access::Access;
use crate::admission::escalation::Attempt;
use crate::catalog::{ResourceType, Subresource};
use crate::status::ApiError;
use crate::storage::{Event, Key, State, Store, Write};

/// Everything that the verbs work on. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    /// The objects.
    pub(crate) store: Store,
    /// Who may do what.
    pub(crate) access: Arc<Access>,
    /// For creation times.
    pub(crate) clock: Arc<dyn Clock>,
    /// For UIDs, generated names and addresses.
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// What a write decided: the writes, and the object to answer with if nothing is written.
type Decided<T> = Result<(Vec<Write>, T), ApiError>;

impl Api {
    /// Decides and writes as one, and then lets follow what must (authorization, aggregated roles, ending
    /// namespaces).
    pub(crate) async fn transact<T>(
        &self,
        decide: impl FnOnce(&State) -> Decided<T>,
    ) -> Result<(T, Vec<Arc<Event>>), ApiError> {
        let (value, events) = self.store.transact(decide).await?;
        self.settle(&events).await?;
        Ok((value, events))
    }

    /// The time as objects carry it: RFC 3339 with seconds.
    pub(crate) fn now(&self) -> String {
        seconds(self.clock.now())
    }

    /// A new UID (RFC 9562, version 4).
    pub(crate) fn uid(&self) -> String {
        let mut bytes: [u8; 16] = draw(&*self.entropy);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// `base` and five characters that make no words (apiserver `storage/names/generate.go`).
    pub(crate) fn generated_name(&self, base: &str) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        const MAX_BASE: usize = 63 - 5;
        let base: String = base.chars().take(MAX_BASE).collect();
        let suffix: String = draw::<5>(&*self.entropy)
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
            .collect();
        base + &suffix
    }
}

/// RFC 3339 in UTC, without fractions of a second.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Who asks for which object; authorized already.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The kind.
    pub(crate) resource: &'static ResourceType,
    /// What is below the object, if that is asked for.
    pub(crate) subresource: Option<&'static Subresource>,
    /// Empty for cluster-scoped kinds and for all namespaces.
    pub(crate) namespace: String,
    /// Empty for collections.
    pub(crate) name: String,
    /// Who asks.
    pub(crate) user: UserInfo,
}

impl Target {
    /// The address in the store.
    pub(crate) fn key(&self) -> Key {
        self.key_of(&self.name)
    }

    /// The address of another object beside it.
    pub(crate) fn key_of(&self, name: &str) -> Key {
        Key {
            resource: self.resource.group_resource(),
            namespace: self.namespace.clone(),
            name: name.to_owned(),
        }
    }

    /// The requester's attempt to write it.
    pub(crate) fn attempt(&self) -> Attempt<'_> {
        Attempt { resource: self.resource, user: &self.user, namespace: &self.namespace, name: &self.name }
    }

    fn subresource(&self) -> &'static str {
        self.subresource.map_or("", |subresource| subresource.name)
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// 200 or 201.
    pub(crate) code: u16,
    /// The object, list or status.
    pub(crate) object: Value,
    /// Texts for `Warning` headers.
    pub(crate) warnings: Vec<String>,
}

impl Reply {
    /// 200 without warnings.
    pub(crate) fn ok(object: Value) -> Self {
        Self { code: 200, object, warnings: Vec::new() }
    }
}

impl Api {
    /// One object, or its scale.
    pub(crate) fn get(&self, target: &Target) -> Result<Value, ApiError> {
        let found = self.store.read(|state| state.get(&target.key()).cloned());
        let found = found.ok_or_else(|| ApiError::not_found(target.resource, &target.name))?;
        match target.subresource() {
            "scale" => Ok(scale::of(&found.object)),
            _ => Ok(found.object.clone()),
        }
    }
}
