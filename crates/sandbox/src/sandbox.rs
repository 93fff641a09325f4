//! Opening a sandbox: the objects, the bootstrap policy, the first namespaces.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use kubesso_ambient::{Clock, Entropy};
use kubesso_k8s_types::UserInfo;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, aggregation, policy};
use crate::admission;
use crate::bootstrap;
use crate::catalog::{Catalog, ResourceType};
use crate::object;
use crate::rest::options::WriteOptions;
use crate::rest::{Api, Target};
use crate::schema::{self, FieldValidation};
use crate::server::Server;
use crate::server::authenticate::Authenticate;
use crate::status::ApiError;
use crate::storage::{Key, StorageError, Store, Write};

/// On the first namespaces: what this cluster is.
const ANNOTATION: &str = "kubesso/sandbox";
const ANNOTATION_TEXT: &str =
    "this cluster is a kubesso sandbox: it stores objects and decides who may do what; it runs no containers";

/// What a sandbox is made of.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The directory of `sandbox.db`; created if it is missing.
    pub data_dir: PathBuf,
    /// Who sends a request.
    pub authenticator: Arc<dyn Authenticate>,
    /// For creation times and ages.
    pub clock: Arc<dyn Clock>,
    /// For UIDs, generated names and service addresses.
    pub entropy: Arc<dyn Entropy>,
    /// Where the server listens, for the `kubernetes` service; 6443 unless set.
    pub port: u16,
    /// When cancelled, all watches end, so that connections can drain.
    pub shutdown: CancellationToken,
}

impl SandboxConfig {
    /// With the usual port, and without a way to end the watches.
    pub fn new(
        data_dir: impl Into<PathBuf>,
        authenticator: Arc<dyn Authenticate>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            data_dir: data_dir.into(),
            authenticator,
            clock,
            entropy,
            port: 6443,
            shutdown: CancellationToken::new(),
        }
    }
}

/// Why a seed object could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsureError {
    /// The object names a kind that is not served.
    #[error("the sandbox does not serve {kind} of {api_version}")]
    UnknownKind {
        /// `apiVersion`
        api_version: String,
        /// `kind`
        kind: String,
    },
    /// The server refuses the object, with its own sentence.
    #[error("the sandbox refuses {kind} {name}: {message}")]
    Refused {
        /// `kind`
        kind: String,
        /// `metadata.name`
        name: String,
        /// What the server says.
        message: String,
    },
}

/// An open sandbox cluster. Cheap to clone; all clones are the same cluster.
#[derive(Clone)]
pub struct Sandbox {
    api: Api,
    server: Arc<Server>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the objects in `config.data_dir`, or creates them, and reconciles the bootstrap policy and the
    /// system namespaces. Nothing is written if the file is damaged, somebody else's or from a newer version.
    pub async fn open(config: SandboxConfig) -> Result<Self, StorageError> {
        let SandboxConfig { data_dir, authenticator, clock, entropy, port, shutdown } = config;
        let store = Store::open(Path::new(&data_dir)).await?;
        let access = Arc::new(store.read(Access::new));
        let api = Api { store, access, clock, entropy };
        bootstrap(&api, port).await?;
        let server = Server::new(api.clone(), authenticator, shutdown);
        Ok(Self { api, server })
    }

    /// Closes the file of objects. To be called when nothing is served any more: later writes fail.
    pub async fn close(&self) {
        self.api.store.close().await;
    }

    /// The whole HTTP API. Serve it with `kubesso_https::serve`, which adds the client's certificates to each
    /// request.
    pub fn router(&self) -> Router {
        self.server.clone().router()
    }

    /// Creates an object as an administrator would, unless one of that kind, namespace and name is there: then
    /// nothing is changed. A `status` in it is kept, which a client's `POST` could not set.
    ///
    /// Returns whether it was created.
    pub async fn ensure(&self, object: Value) -> Result<bool, EnsureError> {
        let text = |name: &str| object::text(&object, name).to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
        let Some(resource) = Catalog::get().kind(group, version, &kind) else {
            return Err(EnsureError::UnknownKind { api_version, kind });
        };
        let name = object::name(&object).to_owned();
        self.create_missing(resource, object).await.map_err(|error| EnsureError::Refused {
            kind,
            name,
            message: error.0.message,
        })
    }

    async fn create_missing(&self, resource: &'static ResourceType, object: Value) -> Result<bool, ApiError> {
        let mut target = Target {
            resource,
            subresource: None,
            namespace: object::meta(&object, "namespace").to_owned(),
            name: object::name(&object).to_owned(),
            user: administrator(),
        };
        if self.api.store.read(|state| state.get(&target.key()).is_some()) {
            return Ok(false);
        }
        let report = schema::validate(resource, &object, FieldValidation::Strict);
        if let Some(error) = report.error {
            return Err(ApiError::bad_request(error));
        }
        let status = object.get("status").cloned();
        match self.api.create(&target, object, WriteOptions::default()).await {
            Err(error) if error.0.reason == "AlreadyExists" => return Ok(false),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if let (Some(status), Some(subresource)) = (status, resource.subresource("status")) {
            target.subresource = Some(subresource);
            let set = |current: &Value| {
                let mut object = current.clone();
                let fields = object::child(&mut object, "status");
                for (name, value) in status.as_object().cloned().unwrap_or_default() {
                    fields.insert(name, value);
                }
                Ok(object)
            };
            self.api.change(&target, WriteOptions::default(), set).await?;
        }
        Ok(true)
    }
}

/// The user in whose name the server itself creates objects.
fn administrator() -> UserInfo {
    UserInfo {
        username: "system:apiserver".to_owned(),
        groups: vec![kubesso_authz::PRIVILEGED_GROUP.to_owned()],
        ..UserInfo::default()
    }
}

/// Brings the first objects and the policy up to date, in one write.
async fn bootstrap(api: &Api, port: u16) -> Result<(), StorageError> {
    let first = bootstrap::objects(port).into_iter().map(|object| (object, false));
    let roles = bootstrap::policy().into_iter().map(|object| (object, true));
    let expected: Vec<(Value, bool)> = first.chain(roles).collect();
    let now = api.now();
    api.store
        .transact(|state| {
            let mut writes = Vec::new();
            for (mut object, reconciled) in expected {
                let Some((resource, key)) = address(&object) else { continue };
                match state.get(&key) {
                    Some(stored) if reconciled => {
                        writes.extend(
                            policy::reconcile(&stored.object, &object).map(|merged| Write::Put(key, merged)),
                        );
                    }
                    Some(_) => {}
                    None => {
                        if resource.plural == "namespaces" {
                            let metadata = object::child(&mut object, "metadata");
                            let annotations =
                                metadata.entry("annotations").or_insert_with(|| serde_json::json!({}));
                            object::members(annotations)
                                .insert(ANNOTATION.to_owned(), ANNOTATION_TEXT.into());
                        }
                        object::set_meta(&mut object, "uid", api.uid());
                        object::set_meta(&mut object, "creationTimestamp", now.clone());
                        admission::default(resource, &mut object);
                        writes.push(Write::Put(key, object));
                    }
                }
            }
            Ok::<_, StorageError>((writes, ()))
        })
        .await?;
    api.store.transact(|state| Ok::<_, StorageError>((aggregation::pending(state), ()))).await?;
    api.store.read(|state| api.access.refresh(state));
    Ok(())
}

/// The kind and address of an object by what it says of itself.
fn address(object: &Value) -> Option<(&'static ResourceType, Key)> {
    let api_version = object::text(object, "apiVersion");
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let resource = Catalog::get().kind(group, version, object::text(object, "kind"))?;
    let key = Key {
        resource: resource.group_resource(),
        namespace: object::meta(object, "namespace").to_owned(),
        name: object::name(object).to_owned(),
    };
    Some((resource, key))
}
