//! What every endpoint works with: the configuration at this moment, the store, time and randomness.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock, Entropy};
use kubesso_directory::password::PasswordHasher;
use kubesso_directory::{
    Application, AuthorizationServerId, RotationSchedule, SealingKey, Server, SignInRules, SingleUse,
    Snapshot, Store, StoreError,
};
use kubesso_token::{JtiMemory, SigningKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use crate::back_channel::{BackChannel, Deliveries};
use crate::client_certificate::MutualTls;
use crate::endpoint::registration::RegistrationPolicy;
use crate::fetch::{Documents, Fetch};
use crate::hashing::HashingThreads;
use crate::keys::{KeyError, ServerKeys, is_the_stores, rotate_keys};
use crate::operation::Counters;
use crate::pages::{self, ErrorPage};
use crate::polls::Polls;
use crate::response_headers::RequestId;
use crate::sealed::{self, Purpose, SealError};
use crate::spare_key::SpareKey;

/// How old the knowledge of the configuration may be: so often is the store asked for its revision.
const REVISION_CHECK: SignedDuration = SignedDuration::from_millis(250);

/// How long a page with something sealed into it may lie open.
const PAGE_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) base_url: Url,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) sign_in: SignInRules,
    pub(crate) rotation: RotationSchedule,
    pub(crate) password_hasher: PasswordHasher,
    pub(crate) hashing: HashingThreads,
    pub(crate) polls: Polls,
    pub(crate) spare_key: SpareKey,
    pub(crate) counters: Counters,
    /// What was used here of what may be used once.
    used: JtiMemory,
    /// Who tells clients of logouts; `None`: nobody.
    pub(crate) deliveries: Option<Deliveries>,
    /// What clients have at their addresses.
    pub(crate) documents: Documents,
    /// How clients' certificates come; `None`: they do not.
    pub(crate) mutual_tls: Option<MutualTls>,
    /// Who may register clients; `None`: nobody.
    pub(crate) registration: Option<RegistrationPolicy>,
    configuration: ArcSwap<Configuration>,
    /// In milliseconds; when the revision was last asked for.
    checked: AtomicI64,
    loading: Mutex<()>,
}

/// The configuration at one moment, with its keys opened.
#[derive(Default)]
pub(crate) struct Configuration {
    pub(crate) snapshot: Snapshot,
    keys: BTreeMap<AuthorizationServerId, ServerKeys>,
}

/// What a context is made of.
pub(crate) struct Parts {
    pub(crate) base_url: Url,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) sign_in: SignInRules,
    pub(crate) rotation: RotationSchedule,
    pub(crate) password_hasher: PasswordHasher,
    pub(crate) back_channel: Option<Arc<dyn BackChannel>>,
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    pub(crate) mutual_tls: Option<MutualTls>,
    pub(crate) registration: Option<RegistrationPolicy>,
}

impl Context {
    pub(crate) fn new(parts: Parts) -> Self {
        let at_once = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 16));
        Self(Arc::new(Inner {
            base_url: parts.base_url,
            store: parts.store,
            clock: parts.clock,
            entropy: parts.entropy,
            sealing_key: parts.sealing_key,
            sign_in: parts.sign_in,
            rotation: parts.rotation,
            password_hasher: parts.password_hasher,
            hashing: HashingThreads::new(at_once),
            polls: Polls::default(),
            spare_key: SpareKey::default(),
            counters: Counters::default(),
            used: JtiMemory::default(),
            deliveries: parts.back_channel.map(Deliveries::new),
            documents: Documents::new(parts.fetch),
            mutual_tls: parts.mutual_tls,
            registration: parts.registration,
            configuration: ArcSwap::default(),
            checked: AtomicI64::new(i64::MIN),
            loading: Mutex::new(()),
        }))
    }

    /// `value` as text that opens for `purpose` until `ends`.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        value: &impl Serialize,
        ends: Timestamp,
    ) -> Result<String, serde_json::Error> {
        sealed::seal(&self.sealing_key, &*self.entropy, purpose, value, ends)
    }

    /// What is sealed into a page, which may lie open as long as [`PAGE_LIFETIME`].
    pub(crate) fn seal_page(&self, purpose: Purpose, pending: &impl Serialize) -> Result<String, PageError> {
        Ok(self.seal(purpose, pending, self.now().saturating_add(PAGE_LIFETIME)?)?)
    }

    /// What was sealed for `purpose`, unless it has ended.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: Purpose, sealed: &str) -> Result<T, SealError> {
        sealed::open(&self.sealing_key, purpose, sealed, self.now())
    }

    /// Uses an assertion or a proof, which is right in all else; whether that is the first time, at whichever replica.
    pub(crate) async fn use_once(&self, what: &SingleUse) -> Result<bool, StoreError> {
        let now = self.now();
        let is_new_here = self.used.first_use(what.owner(), what.id(), what.ends(), now);
        Ok(is_new_here && self.store.use_once(what, now).await?)
    }

    /// Sessions were ended: the clients that took part in them are told, in the background. Were it forgotten, they would
    /// be told some seconds later.
    pub(crate) fn sessions_ended(&self) {
        if let Some(deliveries) = &self.deliveries {
            deliveries.begin();
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The configuration, at most [`REVISION_CHECK`] old. If the store does not answer, the last one that it
    /// gave: who has a good session or a good token keeps working as far as that goes.
    pub(crate) async fn configuration(&self) -> Arc<Configuration> {
        let now = self.now().as_millisecond();
        let age = now.saturating_sub(self.checked.load(Ordering::Relaxed));
        let is_fresh = (0..i64::try_from(REVISION_CHECK.as_millis()).unwrap_or(0)).contains(&age);
        // One asks, the others go on with what is there.
        if !is_fresh && let Ok(loading) = self.loading.try_lock() {
            if let Err(error) = self.load_if_changed().await {
                tracing::error!(%error, cause = ?error, "the configuration could not be read; the last one stays in force");
            }
            self.checked.store(now, Ordering::Relaxed);
            drop(loading);
        }
        self.configuration.load_full()
    }

    /// Reads the configuration now, whatever the last check said.
    pub(crate) async fn reload(&self) -> Result<(), KeyError> {
        let _loading = self.loading.lock().await;
        self.load_if_changed().await?;
        self.checked.store(self.now().as_millisecond(), Ordering::Relaxed);
        Ok(())
    }

    async fn load_if_changed(&self) -> Result<(), KeyError> {
        let present = self.configuration.load();
        if self.store.revision().await? == present.snapshot.revision() {
            return Ok(());
        }
        let is_start = present.keys.is_empty();
        let mut snapshot = self.store.snapshot().await?;
        is_the_stores(&self.sealing_key, &*self.store).await?;
        if snapshot.servers().any(|server| ServerKeys::lacks_a_key(server, &snapshot)) {
            let made = self.rotate_keys(&self.rotation).await.map(drop);
            tolerate(made, is_start)?;
            snapshot = self.store.snapshot().await?;
        }
        let (keys, problems) = ServerKeys::open(&snapshot, &self.sealing_key, &present.keys);
        for problem in problems {
            tolerate(Err(problem), is_start)?;
        }
        self.configuration.store(Arc::new(Configuration { snapshot, keys }));
        Ok(())
    }

    pub(crate) async fn rotate_keys(
        &self,
        schedule: &RotationSchedule,
    ) -> Result<Vec<crate::keys::KeyChange>, KeyError> {
        rotate_keys(&*self.store, &self.sealing_key, &*self.entropy, schedule, self.now()).await
    }

    /// The issuer of a server: `<base URL>/oauth2/<id>`.
    pub(crate) fn issuer(&self, server: &AuthorizationServerId) -> String {
        format!("{}/oauth2/{server}", self.origin())
    }

    /// The base URL without a slash at its end.
    pub(crate) fn origin(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }

    /// The origins at which clients call the endpoints: the base URL, and where they come with certificates.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        let other = self.mutual_tls.as_ref().and_then(MutualTls::origin);
        [self.origin()].into_iter().chain(other)
    }

    /// Host and port, as the address bar shows them.
    pub(crate) fn host(&self) -> String {
        let host = self.base_url.host_str().unwrap_or_default();
        self.base_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// A page that says what is wrong and what to do.
    pub(crate) fn error_page(&self, request: &RequestId, error: &PageError) -> Response {
        let status = error.status;
        tracing::info!(%status, what = error.what, "answered with an error page");
        let page = ErrorPage {
            assets: pages::assets(),
            host: &self.host(),
            heading: error.heading,
            what: &error.what,
            advice: error.advice,
            details: error.details.clone(),
            request_id: &request.0,
        };
        pages::render(status, &page)
    }
}

/// Keys that cannot be used stop a start, with the reason. Later they are one server's trouble: the log says so, and what
/// else was changed (a client deactivated, say) still takes effect.
fn tolerate(result: Result<(), KeyError>, is_start: bool) -> Result<(), KeyError> {
    match result {
        Err(error) if !is_start => {
            tracing::error!(%error, "an authorization server's keys cannot be used");
            Ok(())
        }
        result => result,
    }
}

/// What an error page says.
#[derive(Clone, Debug)]
pub(crate) struct PageError {
    pub(crate) status: StatusCode,
    pub(crate) heading: &'static str,
    pub(crate) what: String,
    pub(crate) advice: &'static str,
    pub(crate) details: Vec<(&'static str, String)>,
}

impl PageError {
    /// The fault is ours; the log says which.
    pub(crate) fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            heading: "Something went wrong",
            what: "The sign-in service met a problem of its own.".to_owned(),
            advice: "Try again in a moment. If it stays, give your administrator the request id below: the log \
                     says under it what happened.",
            details: Vec::new(),
        }
    }

    /// There is no such authorization server.
    pub(crate) fn no_server(id: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            heading: "No such issuer",
            what: format!("There is no active authorization server {id} here."),
            advice: "Check the issuer URL that kubectl was given (--oidc-issuer-url): the issuers of this service are \
                     listed on its front page.",
            details: Vec::new(),
        }
    }
}

/// Logs why, and says that something is wrong.
impl<E: std::error::Error> From<E> for PageError {
    fn from(error: E) -> Self {
        tracing::error!(%error, cause = ?error, "a request failed");
        Self::internal()
    }
}

impl Configuration {
    /// The server of that id, if it is active.
    pub(crate) fn server(&self, id: &str) -> Option<&Server> {
        let id = AuthorizationServerId::parse(id).ok()?;
        self.snapshot.server(&id).filter(|server| server.server.status.is_active())
    }

    /// The keys of `server`.
    pub(crate) fn keys(&self, server: &Server) -> Option<&ServerKeys> {
        self.keys.get(&server.server.id)
    }

    /// The key that `server` signs with.
    pub(crate) fn signing_key(&self, server: &Server) -> Option<&Arc<SigningKey>> {
        self.keys(server)?.signing()
    }

    /// The key that `server` signs ID tokens and logout tokens with for `application`.
    pub(crate) fn signing_key_for(
        &self,
        server: &Server,
        application: &Application,
    ) -> Option<&Arc<SigningKey>> {
        self.keys(server)?.signing_for(application)
    }
}

impl Deref for Context {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("base_url", &self.base_url.as_str()).finish_non_exhaustive()
    }
}
