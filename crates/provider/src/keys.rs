//! Signing keys: made, published, exchanged and removed when the schedule says so, and held ready for use.
//!
//! A key is published before it signs and stays published until the last token that it signed has ended. The
//! JWK set may be cached for [`JWK_SET_MAX_AGE`] only: kube-apiserver fetches it again for an unknown `kid`,
//! but not while its copy is good for another 30 seconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::Entropy;
use kubesso_directory::{
    Application, AuthorizationServerId, Batch, Change, Expectation, KeyState, KeyStep, Kid, OtherMasterKey,
    RotationMode, RotationSchedule, SealingKey, Server, SigningKeyRecord, Snapshot, Store, StoreError,
    WantedAlgorithms,
};
use kubesso_token::{Algorithm, Jwk, JwkSet, SigningKey, TokenError};

/// How long the JWK set may be cached.
pub const JWK_SET_MAX_AGE: SignedDuration = SignedDuration::from_secs(15);

/// How often a rotation is tried again after another process was faster.
pub(crate) const ATTEMPTS: usize = 5;

/// Why keys could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A server is set to an algorithm that is none.
    #[error(
        "the authorization server {server} is set to the algorithm {algorithm}: use RS256, ES256 or another of their kind"
    )]
    Algorithm {
        /// The server.
        server: AuthorizationServerId,
        /// What it is set to.
        algorithm: String,
    },
    /// There is no such server.
    #[error("there is no authorization server {0}")]
    NoServer(AuthorizationServerId),
    /// There is no such key.
    #[error("{server} has no signing key {kid}")]
    NoKey {
        /// The server.
        server: AuthorizationServerId,
        /// The name.
        kid: Kid,
    },
    /// Somebody sealed everything again, under another key.
    #[error(transparent)]
    OtherMasterKey(#[from] OtherMasterKey),
    /// A key that was generated has no place in the directory.
    #[error("the new signing key cannot be stored: {0}")]
    Record(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The generation was cut off.
    #[error("the generation of a signing key was cut off")]
    Task(#[from] tokio::task::JoinError),
    /// The cryptography failed.
    #[error("a signing key cannot be used")]
    Token(#[from] TokenError),
    /// A stored key does not open.
    #[error(
        "the signing key {kid} of {server} does not open: the sealing key is another than the one it was stored with"
    )]
    Unsealed {
        /// The server.
        server: AuthorizationServerId,
        /// The key.
        kid: Kid,
    },
}

/// A step that [`rotate_keys`] took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Whose key it is.
    pub server: AuthorizationServerId,
    /// Which key.
    pub kid: Kid,
    /// Where it stands now; `None`: it was removed.
    pub state: Option<KeyState>,
}

/// A schedule for exchanging keys at once: the next key is published, and signs at the first call after
/// everybody's copy of the JWK set has run out.
pub fn rotate_promptly() -> RotationSchedule {
    RotationSchedule {
        signs_for: SignedDuration::ZERO,
        published_ahead: JWK_SET_MAX_AGE * 2,
        ..RotationSchedule::default()
    }
}

/// Does what `schedule` says is due at `now` for the keys of every authorization server; the first key of a
/// server among it. Of a server whose keys an administrator rotates (`MANUAL`) only the first key is made and
/// ended keys are removed, unless `schedule` is [`rotate_promptly`]'s.
///
/// Safe to call from several processes at once: each key is decided on by one of them. Generating takes some
/// ten to hundred milliseconds a key, on a thread for blocking work.
pub async fn rotate_keys(
    store: &dyn Store,
    sealing_key: &SealingKey,
    entropy: &dyn Entropy,
    schedule: &RotationSchedule,
    now: Timestamp,
) -> Result<Vec<KeyChange>, KeyError> {
    let mut done = Vec::new();
    let mut lost = 0;
    loop {
        let snapshot = store.snapshot().await?;
        is_the_stores(sealing_key, store).await?;
        let changes = due_changes(&snapshot, sealing_key, entropy, schedule, now).await?;
        if changes.is_empty() {
            return Ok(done);
        }
        let batch = Batch::new(now, changes.iter().map(|(change, _)| change.clone()).collect())
            .expecting(Expectation::Revision(snapshot.revision()));
        match store.commit(batch).await {
            Ok(_) => {
                let is_exchange =
                    |(_, change): &(_, KeyChange)| matches!(change.state, Some(KeyState::Active { .. }));
                // Asked for at once, a key that has just begun to sign would be due for the next exchange already.
                let is_complete = schedule.signs_for.is_zero() && changes.iter().any(is_exchange);
                for (_, change) in changes {
                    tracing::info!(server = %change.server, kid = %change.kid, state = ?change.state, "signing key");
                    done.push(change);
                }
                if is_complete {
                    return Ok(done);
                }
            }
            Err(StoreError::Stale) if lost < ATTEMPTS => lost += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is sealed under a key that is not the store's any more would never open again. Whoever writes does so under the
/// expectation of a revision that was read before this was asked: sealing everything again moves it.
pub(crate) async fn is_the_stores(sealing_key: &SealingKey, store: &dyn Store) -> Result<(), KeyError> {
    if sealing_key.is_of(&store.key_check().await?) { Ok(()) } else { Err(OtherMasterKey.into()) }
}

async fn due_changes(
    snapshot: &Snapshot,
    sealing_key: &SealingKey,
    entropy: &dyn Entropy,
    schedule: &RotationSchedule,
    now: Timestamp,
) -> Result<Vec<(Change, KeyChange)>, KeyError> {
    let mut changes = Vec::new();
    let mut first_problem = None;
    for server in snapshot.servers() {
        // What cannot be done for one server does not keep the others from their keys.
        let wanted = wanted(server, snapshot);
        match due_for_server(server, &wanted, sealing_key, entropy, schedule, now).await {
            Ok(due) => changes.extend(due),
            Err(problem) => {
                tracing::error!(server = %server.server.id, %problem, "the keys cannot be rotated");
                first_problem.get_or_insert(problem);
            }
        }
    }
    match first_problem {
        Some(problem) if changes.is_empty() => Err(problem),
        _ => Ok(changes),
    }
}

/// Of which algorithms `server` needs keys. One that is none, an application asks for in vain.
pub(crate) fn wanted<'a>(server: &'a Server, snapshot: &'a Snapshot) -> WantedAlgorithms<'a> {
    let mut wanted = WantedAlgorithms::of(server, snapshot);
    wanted.others.retain(|algorithm| algorithm.parse::<Algorithm>().is_ok());
    wanted
}

async fn due_for_server(
    server: &Server,
    wanted: &WantedAlgorithms<'_>,
    sealing_key: &SealingKey,
    entropy: &dyn Entropy,
    schedule: &RotationSchedule,
    now: Timestamp,
) -> Result<Vec<(Change, KeyChange)>, KeyError> {
    let is_asked_for = schedule.signs_for.is_zero();
    let is_automatic = is_asked_for || server.server.rotation_mode == RotationMode::Auto;
    let id = &server.server.id;
    let mut changes = Vec::new();
    for step in schedule.due(&server.keys, wanted, now) {
        match step {
            KeyStep::MakeActive { algorithm } => {
                let state = KeyState::Active { since: now };
                changes.push(put(new_key(id, &algorithm, state, sealing_key, entropy, now).await?));
            }
            KeyStep::PublishNext { algorithm } if is_automatic => {
                let state = KeyState::Pending { since: now };
                changes.push(put(new_key(id, &algorithm, state, sealing_key, entropy, now).await?));
            }
            KeyStep::Exchange { signs } => {
                let Some(next) = server.keys.iter().find(|key| key.kid == signs) else { continue };
                if is_automatic || active_key(server, &next.algorithm).is_none() {
                    changes.extend(exchanged(server, next, schedule.longest_token, now).into_iter().map(put));
                }
            }
            KeyStep::Retire(kid) => {
                let unwanted = server.keys.iter().filter(|key| key.kid == kid);
                changes.extend(unwanted.map(|key| put(key.clone().retired(now, schedule.longest_token))));
            }
            KeyStep::PublishNext { .. } => {}
            KeyStep::Remove(kid) => {
                let server = id.clone();
                let change = Change::RemoveSigningKey(server.clone(), kid.clone());
                changes.push((change, KeyChange { server, kid, state: None }));
            }
        }
    }
    Ok(changes)
}

/// The pending key `next` in the place of the one that signs by its algorithm, which goes first: a server never has two
/// keys of an algorithm that sign.
pub(crate) fn exchanged(
    server: &Server,
    next: &SigningKeyRecord,
    longest_token: SignedDuration,
    now: Timestamp,
) -> Vec<SigningKeyRecord> {
    let old = active_key(server, &next.algorithm).map(|old| old.clone().retired(now, longest_token));
    old.into_iter().chain([next.clone().promoted(now)]).collect()
}

/// The key that signs by `algorithm`.
pub(crate) fn active_key<'a>(server: &'a Server, algorithm: &str) -> Option<&'a SigningKeyRecord> {
    server.keys.iter().find(|key| key.is_active() && key.algorithm == algorithm)
}

pub(crate) fn put(record: SigningKeyRecord) -> (Change, KeyChange) {
    let change =
        KeyChange { server: record.server.clone(), kid: record.kid.clone(), state: Some(record.state) };
    (Change::PutSigningKey(record), change)
}

/// Makes `key`, generated beforehand, the signing key of `server`, unless that has one. Whether it did.
///
/// Generating an RSA key takes a tenth of a second or two: whoever starts for the first time can do it beside the rest.
pub async fn adopt_key(
    store: &dyn Store,
    sealing_key: &SealingKey,
    entropy: &dyn Entropy,
    server: &AuthorizationServerId,
    key: SigningKey,
    now: Timestamp,
) -> Result<bool, KeyError> {
    let snapshot = store.snapshot().await?;
    let Some(server) = snapshot.server(server) else { return Ok(false) };
    if server.keys.iter().any(SigningKeyRecord::is_active) || algorithm(server)? != key.algorithm() {
        return Ok(false);
    }
    let (change, _) =
        put(record(&server.server.id, &key, KeyState::Active { since: now }, sealing_key, entropy, now)?);
    let batch = Batch::new(now, vec![change]).expecting(Expectation::Revision(snapshot.revision()));
    match store.commit(batch).await {
        Ok(_) => Ok(true),
        Err(StoreError::Stale) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn new_key(
    server: &AuthorizationServerId,
    algorithm: &str,
    state: KeyState,
    sealing_key: &SealingKey,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<SigningKeyRecord, KeyError> {
    let algorithm = parse_algorithm(server, algorithm)?;
    let key = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await??;
    record(server, &key, state, sealing_key, entropy, now)
}

/// The record of `key` for the server `id`, its private half sealed.
pub(crate) fn record(
    id: &AuthorizationServerId,
    key: &SigningKey,
    state: KeyState,
    sealing_key: &SealingKey,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<SigningKeyRecord, KeyError> {
    let kid = Kid::parse(key.kid().as_str()).map_err(|error| KeyError::Record(error.to_string()))?;
    let public_jwk =
        serde_json::to_value(key.public_jwk()).map_err(|error| KeyError::Record(error.to_string()))?;
    let sealed_pkcs8 = sealing_key.seal(&SigningKeyRecord::purpose(id, &kid), &key.to_pkcs8()?, entropy);
    let algorithm = key.algorithm().as_str().to_owned();
    Ok(SigningKeyRecord { kid, server: id.clone(), algorithm, public_jwk, sealed_pkcs8, state, created: now })
}

fn algorithm(server: &Server) -> Result<Algorithm, KeyError> {
    parse_algorithm(&server.server.id, &server.server.algorithm)
}

/// The algorithm of that name, which the server `id` is set to.
pub(crate) fn parse_algorithm(id: &AuthorizationServerId, name: &str) -> Result<Algorithm, KeyError> {
    name.parse().map_err(|_| KeyError::Algorithm { server: id.clone(), algorithm: name.to_owned() })
}

/// The keys of one authorization server, opened.
#[derive(Debug, Default)]
pub(crate) struct ServerKeys {
    /// By their algorithms' names.
    active: BTreeMap<String, Arc<SigningKey>>,
    /// The algorithm that the server signs by, for whoever asks for no other: its own, or the one before while the key
    /// of its own does not sign yet.
    own: String,
    published: Vec<PublishedKey>,
}

#[derive(Clone, Debug)]
struct PublishedKey {
    jwk: Jwk,
    /// When it leaves the set, if that is known.
    until: Option<Timestamp>,
}

impl ServerKeys {
    /// Opens the keys of every server of `snapshot`, taking from `before` those that are open already. A server whose keys
    /// do not open has none, and the second value says why.
    pub(crate) fn open(
        snapshot: &Snapshot,
        sealing_key: &SealingKey,
        before: &BTreeMap<AuthorizationServerId, Self>,
    ) -> (BTreeMap<AuthorizationServerId, Self>, Vec<KeyError>) {
        let mut opened = BTreeMap::new();
        let mut problems = Vec::new();
        for server in snapshot.servers() {
            let id = server.server.id.clone();
            let keys = Self::open_one(server, sealing_key, before.get(&id)).unwrap_or_else(|problem| {
                problems.push(problem);
                Self::default()
            });
            opened.insert(id, keys);
        }
        (opened, problems)
    }

    fn open_one(server: &Server, sealing_key: &SealingKey, before: Option<&Self>) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        let mut latest = None;
        for record in &server.keys {
            let until = match record.state {
                KeyState::Retiring { until } => Some(until),
                KeyState::Pending { .. } | KeyState::Active { .. } => None,
                KeyState::Revoked { .. } => continue,
            };
            let jwk: Jwk = serde_json::from_value(record.public_jwk.clone())
                .map_err(|error| KeyError::Record(error.to_string()))?;
            keys.published.push(PublishedKey { jwk, until });
            if let KeyState::Active { since } = record.state {
                let open_already = before
                    .and_then(|before| before.active.get(&record.algorithm))
                    .filter(|signing| signing.kid().as_str() == record.kid.as_str());
                let key = match open_already {
                    Some(signing) => Arc::clone(signing),
                    None => Arc::new(open_record(record, sealing_key)?),
                };
                keys.active.insert(record.algorithm.clone(), key);
                let is_own = record.algorithm == server.server.algorithm;
                latest = latest.max(Some((is_own, since, record.algorithm.clone())));
            }
        }
        keys.own = latest.map(|(_, _, algorithm)| algorithm).unwrap_or_default();
        Ok(keys)
    }

    /// The key that signs, for whoever asks for no algorithm.
    pub(crate) fn signing(&self) -> Option<&Arc<SigningKey>> {
        self.active.get(&self.own)
    }

    /// The key that signs ID tokens for `application`.
    pub(crate) fn signing_for(&self, application: &Application) -> Option<&Arc<SigningKey>> {
        let asked =
            application.id_token_signed_response_alg().and_then(|algorithm| self.active.get(algorithm));
        asked.or_else(|| self.signing())
    }

    /// Whether a key that signs is missing that `server` needs.
    pub(crate) fn lacks_a_key(server: &Server, snapshot: &Snapshot) -> bool {
        !server.keys.iter().any(SigningKeyRecord::is_active)
            || wanted(server, snapshot).others.iter().any(|algorithm| active_key(server, algorithm).is_none())
    }

    /// What is published at `now`, which is also what our own tokens are verified with.
    pub(crate) fn jwk_set(&self, now: Timestamp) -> JwkSet {
        let is_published = |key: &&PublishedKey| key.until.is_none_or(|until| now < until);
        JwkSet::new(self.published.iter().filter(is_published).map(|key| key.jwk.clone()).collect())
    }
}

fn open_record(record: &SigningKeyRecord, sealing_key: &SealingKey) -> Result<SigningKey, KeyError> {
    let purpose = SigningKeyRecord::purpose(&record.server, &record.kid);
    let unsealed = || KeyError::Unsealed { server: record.server.clone(), kid: record.kid.clone() };
    let pkcs8 = sealing_key.open(&purpose, &record.sealed_pkcs8).map_err(|_| unsealed())?;
    let algorithm = parse_algorithm(&record.server, &record.algorithm)?;
    Ok(SigningKey::from_pkcs8(algorithm, &pkcs8)?.named(kubesso_token::Kid::new(record.kid.as_str())))
}
