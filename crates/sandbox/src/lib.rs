//! The sandbox cluster: a Kubernetes API server for trying access out. It stores objects and runs no containers.
//!
//! [`Sandbox::open`] opens (or creates) the objects in a data directory and brings the bootstrap policy up to
//! date; [`Sandbox::router`] serves them as kube-apiserver does, for real kubectl: authentication by whatever
//! [`Authenticate`] is given, RBAC with upstream's decisions and texts, discovery, OpenAPI, tables, watches and
//! patches. What it does not do is in its version (`v1.36.3+kubesso-sandbox`) and in one sentence for everybody
//! who tries: there is no scheduler, no controller for workloads, no kubelet, no server-side apply.
//!
//! ```
//! use std::sync::Arc;
//!
//! use kubesso_ambient::{OsEntropy, SystemClock};
//! use kubesso_k8s_types::UserInfo;
//! use kubesso_sandbox::{Authenticate, Sandbox, SandboxConfig, Unauthorized};
//! use tower::ServiceExt as _;
//!
//! /// Everybody is an administrator: for documentation only.
//! struct Anybody;
//!
//! #[async_trait::async_trait]
//! impl Authenticate for Anybody {
//!     async fn authenticate(
//!         &self,
//!         _: &http::HeaderMap,
//!         _: &[rustls_pki_types::CertificateDer<'static>],
//!     ) -> Result<UserInfo, Unauthorized> {
//!         Ok(UserInfo { username: "admin".into(), groups: vec!["system:masters".into()], ..UserInfo::default() })
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let directory = tempfile::tempdir()?;
//! let config =
//!     SandboxConfig::new(directory.path(), Arc::new(Anybody), Arc::new(SystemClock), Arc::new(OsEntropy));
//! let sandbox = Sandbox::open(config).await?;
//! let request = http::Request::get("/api/v1/namespaces/default").body(axum::body::Body::empty())?;
//! let response = sandbox.router().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod access;
mod admission;
mod bootstrap;
mod catalog;
mod discovery;
mod object;
mod openapi;
mod patch;
mod rest;
mod reviews;
mod sandbox;
mod schema;
mod server;
mod status;
mod storage;
mod table;
mod version;
mod watch;
mod workloads;

pub use sandbox::{EnsureError, Sandbox, SandboxConfig};
pub use server::authenticate::{Authenticate, Unauthorized};
pub use storage::StorageError;

/// The audience of this server, as kube-apiserver's default `--api-audiences`.
pub(crate) const AUDIENCE: &str = "https://kubernetes.default.svc";
