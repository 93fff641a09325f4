//! The whole chain from people's groups to kubectl as one file: `access.yaml`.
//!
//! 1. [`AccessFile`] reads and checks the file; what people leave out is what the usual cluster needs.
//! 2. [`AccessFile::provider_side`] says which things the provider must have ([`Wanted`]).
//! 3. [`ProviderState::read`] looks at what it has ([`Found`]), by Okta's management API, which kubesso has too.
//! 4. [`Plan::new`] says the steps from one to the other, in the order of dependence.
//! 5. [`apply`] does them. Each step is whole: whoever is interrupted plans again and goes on.
//!
//! What the clusters and the kubeconfig are to have is planned in the same way: [`AccessFile::grants_on`],
//! [`ClusterSection::files`], [`wanted_kubeconfig`].
//!
//! No state is kept but in the systems themselves: a thing is found by its name, and is ours if its description begins with
//! the chain's marker. What is not marked is changed where the file says so, and never destroyed.
//!
//! This room computes; how requests are sent stands behind [`RestApi`].

mod apply;
mod cluster_files;
mod cluster_sign_in;
mod file;
mod grants;
mod grants_import;
mod import;
mod kubeconfig_side;
mod line_diff;
mod marker;
mod okta_form;
mod plan;
mod print;
mod provider;
mod resource;
mod rest_api;
mod wanted;

pub use apply::{ApplyError, Progress, apply};
pub use cluster_files::{ClusterError, WhomToTrust, found_file};
pub use cluster_sign_in::{SignInChange, in_plan};
pub use file::{
    AccessFile, ApplicationSection, ApplySection, ClaimSection, ClusterSection, FileError, GrantSection,
    GroupFilterSection, GroupSection, KubeconfigSection, PolicySection, ProviderSection, RuleOfRole,
    RuleSection, ScopeSection, ServerSection, Token,
};
pub use grants::{
    FIELD_MANAGER, WantedObject, Write, apply_grant, missing_role, read_grants, read_single_grant, refusal,
    single_grant,
};
pub use grants_import::import_grants;
pub use import::Import;
pub use kubeconfig_side::{
    Call, KnownCluster, OtherUser, edit_kubeconfig, found_kubeconfig, wanted_kubeconfig,
};
pub use marker::{ChainName, Owner};
pub use plan::{Action, Change, FieldChange, Plan, Summary, Taken};
pub use print::Colours;
pub use provider::{Made, ProviderState, ReadError};
pub use resource::{Address, Field, FieldValue, Found, Kind, Wanted};
pub use rest_api::{Answer, ApiError, RestApi};
