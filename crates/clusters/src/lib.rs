//! What each Kubernetes distribution needs to trust an issuer.
//!
//! [`Access`] says who may sign in, once and for no cluster in particular. A [`Target`] makes [`Instructions`] of it: the
//! files and commands of that distribution and version, how to see that they work, and how to take them back. What a
//! target cannot do it says before anything is changed ([`Impossible`]), with all reasons and who says so.
//!
//! A file of `AuthenticationConfiguration` is preferred to flags: it is read again when it changes, it takes several
//! issuers, and it can refuse names that are Kubernetes' own.
//!
//! ```
//! use kubesso_clusters::{Access, KubernetesVersion, Request, Target};
//!
//! let access = Access::from_yaml(
//!     "issuers: [{url: 'https://sso.example.com/oauth2/k8s', audiences: [kubectl]}]",
//!     |path| Err(format!("{path} is not read here")),
//! )?;
//! let request = Request::new(&access, KubernetesVersion::new(1, 34));
//!
//! let k3s = Target::K3s.instructions(&request)?;
//! assert_eq!(k3s.files[0].place, "/etc/rancher/k3s/authn/authentication-config.yaml (on each server)");
//! assert!(k3s.files[0].content.contains("url: https://sso.example.com/oauth2/k8s"));
//!
//! // EKS has one provider, by flags of its own, and takes no `system:` in a prefix.
//! assert!(Target::Eks.instructions(&request).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What an API server would refuse is found before it is asked: [`lint`].
//!
//! Facts about distributions stand in one file a target (`targets/`), with their sources.

mod access;
mod arguments;
mod authentication_configuration;
mod difference;
mod field_names;
mod flag_line;
mod found;
mod grant;
mod host;
mod instructions;
mod kubernetes_version;
pub mod lint;
mod loaded;
mod mask;
mod oidc_flags;
mod pem;
mod plan;
mod public_address;
mod request;
mod running;
mod target;
mod targets;
mod yaml;

pub use access::{
    Access, AccessError, Anonymous, AnonymousEntry, CertificateAuthority, Condition, IssuerEntry, IssuerUrl,
    Mapping, SystemNames, TrustedIssuer, audiences,
};
pub use arguments::Arguments;
pub use authentication_configuration::{as_file, authentication_configuration, loaded_hash};
pub use difference::{Difference, configuration_differences, differences};
pub use flag_line::flag_line;
pub use found::{
    Configuration, Found, FoundFile, LookError, MANIFEST, Unfinished, UnknownConfiguration, Unread,
    config_map_of_pod, detect, look,
};
pub use grant::{Grant, GrantError, GrantedRole};
pub use host::Host;
pub use instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
pub use kubernetes_version::{KubernetesVersion, VersionError};
pub use loaded::{Loaded, Verdict};
pub use mask::masked;
pub use plan::{
    Change, HostCommand, InForce, Plan, PlanError, Word, diff, kubeadm_configuration, minikube_plan,
    minikube_profile_with_options_of, plan,
};
pub use request::Request;
pub use running::{
    Drift, KubeadmKept, RunningServer, Unlike, arguments_of_node, drift, manifests_of_api_server,
    running_servers, unlike, writer_of,
};
pub use target::{Target, UnknownTarget};
