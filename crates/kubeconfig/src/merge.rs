//! Taking the entries of one kubeconfig into another.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use kubesso_k8s_types::kubeconfig::{Config, NamedCluster, NamedContext, NamedUser};

use crate::kubeconfig::Kubeconfig;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// Of `clusters`.
    Cluster,
    /// Of `contexts`.
    Context,
    /// Of `users`.
    User,
}

impl EntryKind {
    /// The list that its entries are in.
    pub fn list(self) -> &'static str {
        match self {
            Self::Cluster => "clusters",
            Self::Context => "contexts",
            Self::User => "users",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list().trim_end_matches('s'))
    }
}

/// New names for entries that come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    /// Put in front of every name that is not in `names`.
    pub prefix: String,
    /// By kind and old name.
    pub names: BTreeMap<(EntryKind, String), String>,
}

impl Renames {
    /// The new name.
    pub fn of(&self, kind: EntryKind, name: &str) -> String {
        let named = self.names.get(&(kind, name.to_owned()));
        named.cloned().unwrap_or_else(|| format!("{}{name}", self.prefix))
    }
}

/// An entry, and another that it would replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// What they are.
    pub kind: EntryKind,
    /// The name of the incoming one, before it is renamed.
    pub old_name: String,
    /// Their name.
    pub name: String,
}

/// What comes in: the entries that are not there yet.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// Clusters, by their new names.
    pub clusters: Vec<NamedCluster>,
    /// Users, by their new names.
    pub users: Vec<NamedUser>,
    /// Contexts, by their new names, naming clusters and users by theirs.
    pub contexts: Vec<NamedContext>,
    /// What is there already and says the same.
    pub known: Vec<(EntryKind, String)>,
    /// The context that is current in the file that comes in, by its new name.
    pub current_context: Option<String>,
}

impl Incoming {
    /// Compares what comes in with what is there.
    ///
    /// # Errors
    /// All entries that would replace another one.
    pub fn new(there: &Kubeconfig, incoming: Config, renames: &Renames) -> Result<Self, Vec<Clash>> {
        let mut all = Self::default();
        let mut clashes = Vec::new();
        let mut sort = |kind, old_name: &str, name: &str, is_same: Option<bool>| match is_same {
            None => true,
            Some(true) => {
                all.known.push((kind, name.to_owned()));
                false
            }
            Some(false) => {
                clashes.push(Clash { kind, old_name: old_name.to_owned(), name: name.to_owned() });
                false
            }
        };
        // Two that come in under one name clash too.
        let (mut clusters, mut users, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
        for mut entry in incoming.clusters {
            let name = renames.of(EntryKind::Cluster, &entry.name);
            let known = there.cluster(&name).map(|known| known.value == entry.cluster);
            let twin = clusters.iter().find(|one: &&NamedCluster| one.name == name).map(|_| false);
            if sort(EntryKind::Cluster, &entry.name, &name, twin.or(known)) {
                entry.name = name;
                clusters.push(entry);
            }
        }
        for mut entry in incoming.users {
            let name = renames.of(EntryKind::User, &entry.name);
            let known = there.user(&name).map(|known| known.value == entry.user);
            let twin = users.iter().find(|one: &&NamedUser| one.name == name).map(|_| false);
            if sort(EntryKind::User, &entry.name, &name, twin.or(known)) {
                entry.name = name;
                users.push(entry);
            }
        }
        for mut entry in incoming.contexts {
            let name = renames.of(EntryKind::Context, &entry.name);
            entry.context.cluster = renames.of(EntryKind::Cluster, &entry.context.cluster);
            entry.context.user = renames.of(EntryKind::User, &entry.context.user);
            let known = there.context(&name).map(|known| known.value == entry.context);
            let twin = contexts.iter().find(|one: &&NamedContext| one.name == name).map(|_| false);
            if sort(EntryKind::Context, &entry.name, &name, twin.or(known)) {
                entry.name = name;
                contexts.push(entry);
            }
        }
        let current = incoming.current_context;
        all.current_context = (!current.is_empty()).then(|| renames.of(EntryKind::Context, &current));
        (all.clusters, all.users, all.contexts) = (clusters, users, contexts);
        if clashes.is_empty() { Ok(all) } else { Err(clashes) }
    }
}

/// Makes the paths in a kubeconfig count from the root: those that are relative count from its own directory, and it is
/// about to leave that. The entries that were changed, as `cluster "k": certificate-authority`.
pub fn make_paths_absolute(config: &mut Config, directory: &Path) -> Vec<String> {
    let mut changed = Vec::new();
    let mut fix = |path: &mut String, what: String| {
        if !path.is_empty() && Path::new(path.as_str()).is_relative() {
            let joined = directory.join(path.as_str());
            *path = std::path::absolute(&joined).unwrap_or(joined).display().to_string();
            changed.push(what);
        }
    };
    for NamedCluster { name, cluster, .. } in &mut config.clusters {
        fix(&mut cluster.certificate_authority, format!("cluster {name:?}: certificate-authority"));
    }
    for NamedUser { name, user, .. } in &mut config.users {
        fix(&mut user.client_certificate, format!("user {name:?}: client-certificate"));
        fix(&mut user.client_key, format!("user {name:?}: client-key"));
        fix(&mut user.token_file, format!("user {name:?}: tokenFile"));
        if let Some(exec) = &mut user.exec
            && exec.command.contains(std::path::MAIN_SEPARATOR)
        {
            fix(&mut exec.command, format!("user {name:?}: exec.command"));
        }
        if let Some(provider) = &mut user.auth_provider
            && let Some(path) = provider.config.get_mut("idp-certificate-authority")
        {
            let mut text = path.expose().to_owned();
            fix(&mut text, format!("user {name:?}: idp-certificate-authority"));
            *path = text.into();
        }
    }
    changed
}
