//! A kubeconfig that works on another machine, and that anybody may see.

use std::fs;
use std::io;
use std::path::PathBuf;

use kubesso_k8s_types::kubeconfig::{Cluster, Config, Context, Data, Other, User};

use crate::kubeconfig::{Entry, Kubeconfig, SelectError, Selection};
use crate::mask::is_secret_flag;

/// Why a context cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum NotForOthers {
    /// The context is not there, or its user.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The context's cluster is not there.
    #[error("the context {context:?} names the cluster {cluster:?}, which the kubeconfig does not have")]
    NoCluster {
        /// The context.
        context: String,
        /// What it names.
        cluster: String,
    },
    /// The user is somebody's own.
    #[error(
        "the user {user:?} has {what}, which is for nobody else; give each their own sign-in (kubesso kubeconfig add)"
    )]
    Secret {
        /// The user.
        user: String,
        /// `a client certificate`, `a token` …
        what: &'static str,
    },
    /// The user does not say how somebody signs in.
    #[error("the user {user:?} has no credential plugin, so nobody could sign in as it")]
    NoPlugin {
        /// The user.
        user: String,
    },
    /// The cluster's authority cannot be read.
    #[error("the certificate authority of the cluster {cluster:?}, {}, cannot be read: {cause}", file.display())]
    Authority {
        /// The cluster.
        cluster: String,
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// These contexts with their clusters and users, the first of them current: certificate authorities inline, nothing that
/// is secret, and no unknown fields.
///
/// # Errors
/// A context is not there, or is not for others.
pub fn hand_out(kubeconfig: &Kubeconfig, contexts: &[&str]) -> Result<Config, NotForOthers> {
    let mut config = Config::default();
    for name in contexts {
        let context = kubeconfig.select_context(Some(name))?;
        let user = kubeconfig.select_user(Selection { context: Some(name), user: None })?;
        let cluster_name = &context.value.cluster;
        let cluster = kubeconfig.cluster(cluster_name).ok_or_else(|| NotForOthers::NoCluster {
            context: context.name.clone(),
            cluster: cluster_name.clone(),
        })?;
        config.set_cluster(cluster_name, cluster_for_others(cluster)?);
        config.set_user(&user.name, user_for_others(user)?);
        let bare = Context { other: Other::default(), ..context.value.clone() };
        config.set_context(&context.name, bare);
        if config.current_context.is_empty() {
            config.current_context.clone_from(&context.name);
        }
    }
    Ok(config)
}

fn cluster_for_others(entry: &Entry<Cluster>) -> Result<Cluster, NotForOthers> {
    let mut cluster = Cluster { other: Other::default(), ..entry.value.clone() };
    if !cluster.certificate_authority.is_empty() && cluster.certificate_authority_data.is_empty() {
        let file = entry.resolve(&cluster.certificate_authority);
        let pem = fs::read(&file).map_err(|cause| NotForOthers::Authority {
            cluster: entry.name.clone(),
            file,
            cause,
        })?;
        cluster.certificate_authority_data = Data::new(pem);
    }
    cluster.certificate_authority.clear();
    Ok(cluster)
}

fn user_for_others(entry: &Entry<User>) -> Result<User, NotForOthers> {
    let user = &entry.value;
    let secret = |what| NotForOthers::Secret { user: entry.name.clone(), what };
    let own = [
        (
            !user.client_certificate.is_empty() || !user.client_certificate_data.is_empty(),
            "a client certificate",
        ),
        (!user.client_key.is_empty() || !user.client_key_data.is_empty(), "a client key"),
        (!user.token.is_empty() || !user.token_file.is_empty(), "a token"),
        (!user.username.is_empty() || !user.password.is_empty(), "a user name and password"),
        (user.auth_provider.is_some(), "an auth provider with its tokens"),
    ];
    if let Some((_, what)) = own.into_iter().find(|(is_there, _)| *is_there) {
        return Err(secret(what));
    }
    let exec = user.exec.as_ref().ok_or_else(|| NotForOthers::NoPlugin { user: entry.name.clone() })?;
    if !exec.env.is_empty() {
        return Err(secret("variables for its plugin (env)"));
    }
    if exec.args.iter().any(|word| is_secret_flag(word.split_once('=').map_or(word, |(flag, _)| flag))) {
        return Err(secret("a secret in its plugin's flags"));
    }
    // Impersonation is no secret, and without it they would be somebody else.
    let mut other = user.other.clone();
    other.0.retain(|key, _| ["as", "as-uid", "as-groups", "as-user-extra"].contains(&key.as_str()));
    let mut exec = exec.clone();
    exec.other = Other::default();
    Ok(User { exec: Some(exec), other, ..User::default() })
}
