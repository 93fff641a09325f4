//! What the chain is made of: things with an address and fields, as they are wanted and as they are found.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::marker::Owner;

/// What a thing is. The order is that of making: whatever needs another comes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// People's group.
    Group,
    /// Authorization server: an issuer.
    AuthorizationServer,
    /// A scope of a server.
    Scope,
    /// A claim of a server.
    Claim,
    /// The OAuth client.
    Application,
    /// A policy of a server.
    Policy,
    /// A rule of a policy.
    Rule,
    /// What an API server is told so that people can sign in.
    ClusterSignIn,
    /// What may be done, in a whole cluster.
    ClusterRole,
    /// What may be done, in a namespace.
    Role,
    /// Who may do it, in a whole cluster.
    ClusterRoleBinding,
    /// Who may do it, in a namespace.
    RoleBinding,
    /// What a cluster's distribution needs.
    File,
    /// Who signs in.
    KubeconfigUser,
    /// Where.
    KubeconfigCluster,
    /// Both.
    KubeconfigContext,
}

impl Kind {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::AuthorizationServer => "authorization server",
            Self::Scope => "scope",
            Self::Claim => "claim",
            Self::Application => "application",
            Self::Policy => "policy",
            Self::Rule => "rule",
            Self::ClusterSignIn => "sign-in to cluster",
            Self::ClusterRole => "cluster role",
            Self::Role => "role",
            Self::ClusterRoleBinding => "cluster role binding",
            Self::RoleBinding => "role binding",
            Self::File => "file",
            Self::KubeconfigUser => "kubeconfig user",
            Self::KubeconfigCluster => "kubeconfig cluster",
            Self::KubeconfigContext => "kubeconfig context",
        }
    }
}

/// Which thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Address {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What it is in, the innermost first; nothing for what stands alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
}

impl Address {
    /// Something that stands alone.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), within: Vec::new() }
    }

    /// Something in this.
    #[must_use]
    pub fn child(&self, kind: Kind, name: impl Into<String>) -> Self {
        let within = std::iter::once(&self.name).chain(&self.within).cloned().collect();
        Self { kind, name: name.into(), within }
    }
}

impl fmt::Display for Address {
    /// `rule "sign in" in "policy" in "k8s-auth"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind.word(), self.name)?;
        self.within.iter().try_for_each(|outer| write!(f, " in {outer:?}"))
    }
}

/// What a field says.
#[derive(Clone, PartialEq)]
pub enum FieldValue {
    /// This. Lists whose order means nothing are sorted.
    Known(Value),
    /// This, which nobody is shown.
    Secret(String),
    /// What a system will say when it has made another thing.
    AfterApply,
}

/// What is shown for a secret.
pub(crate) const MASKED: &str = "(secret)";
/// What is shown for a value that is made later.
pub(crate) const LATER: &str = "(known after apply)";

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Secret(_) => MASKED.serialize(serializer),
            Self::AfterApply => LATER.serialize(serializer),
        }
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(value) => write!(f, "{value}"),
            Self::Secret(_) => f.write_str(MASKED),
            Self::AfterApply => f.write_str(LATER),
        }
    }
}

/// A field and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As in the file.
    pub name: &'static str,
    /// What it says.
    pub value: FieldValue,
}

/// A thing as it is wanted. Fields of which nothing is said stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Which.
    pub address: Address,
    /// What is said of it.
    pub fields: Vec<Field>,
}

/// A thing as it is.
#[derive(Clone, PartialEq)]
pub struct Found {
    /// Which.
    pub address: Address,
    /// All fields of its kind.
    pub fields: Vec<Field>,
    /// Who made it.
    pub owner: Owner,
    /// Why it is never destroyed, if so.
    pub protected: Option<&'static str>,
    /// Where the system has it.
    pub path: String,
    /// As the system shows it, without secrets.
    pub raw: Value,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("address", &self.address)
            .field("owner", &self.owner)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Found {
    /// What a field says.
    pub fn field(&self, name: &str) -> Option<&FieldValue> {
        value_of(&self.fields, name)
    }
}

impl Wanted {
    /// What is said of a field.
    pub fn field(&self, name: &str) -> Option<&FieldValue> {
        value_of(&self.fields, name)
    }
}

fn value_of<'a>(fields: &'a [Field], name: &str) -> Option<&'a FieldValue> {
    fields.iter().find(|field| field.name == name).map(|field| &field.value)
}
