//! What is in the data directory besides settings: the directory's database, the cluster's first objects, the plugin.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kubesso_directory::SealingKey;
use kubesso_k8s_types::kubeconfig::{Config, User};
use kubesso_sandbox::Sandbox;
use serde_json::Value;

use crate::data_directory::DataDirectory;
use crate::database::{self, Database};
use crate::error::CommandError;

/// The cluster's side of the first world.
const WORLD: &str = include_str!("world.yaml");

/// Opens the directory's database, made if missing, with the key that its secrets are sealed under.
pub(crate) async fn open_directory(data_dir: &Path) -> Result<(Database, SealingKey), CommandError> {
    if database::is_on_a_server(data_dir) {
        return Err(CommandError::new(format!(
            "{} is the data directory of a provider with a database on a server: `kubesso serve` goes on with it",
            data_dir.display()
        ))
        .mend("choose another directory with --data-dir"));
    }
    Database::open(data_dir, None, None).await
}

/// Puts the first objects into the cluster: bindings for the two groups, and something to look at.
pub(crate) async fn create_objects(sandbox: &Sandbox) -> Result<(), CommandError> {
    for object in world()? {
        sandbox
            .ensure(object)
            .await
            .map_err(|e| CommandError::because("the cluster's first objects could not be created", &e))?;
    }
    Ok(())
}

fn world() -> Result<Vec<Value>, CommandError> {
    serde_saphyr::from_multiple(WORLD)
        .map_err(|e| CommandError::because("the cluster's first objects cannot be read", &e))
}

/// Makes the link `name` to the program, e.g. the one by which kubectl finds the plugin, and gives its path.
pub(crate) fn link(directory: &Path, name: &str, program: Option<PathBuf>) -> Result<PathBuf, CommandError> {
    let link = directory.join(name);
    let failed =
        |e: &io::Error| CommandError::because(format!("the link {} cannot be made", link.display()), e);
    let program = match program {
        Some(program) => program,
        None => std::env::current_exe().map_err(|e| failed(&e))?,
    };
    if fs::read_link(&link).is_ok_and(|target| target == program) {
        return Ok(link);
    }
    fs::create_dir_all(directory).map_err(|e| failed(&e))?;
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&error)),
        _ => {}
    }
    make_link(&program, &link).map_err(|e| failed(&e))?;
    Ok(link)
}

#[cfg(unix)]
fn make_link(program: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

/// Links need a privilege there; a copy does not.
#[cfg(not(unix))]
fn make_link(program: &Path, link: &Path) -> io::Result<()> {
    fs::copy(program, link.with_extension("exe")).map(drop)
}

/// The kubeconfig for people, as it should be now: the cluster and the context are ours and follow the port; a user
/// that somebody changed (`kubectl config set-credentials`), and whatever else they added, stays theirs, unless
/// `is_outdated` says that nobody can sign in by it any more.
pub(crate) fn merge_kubeconfig(
    directory: &DataDirectory,
    name: &str,
    current: Config,
    is_outdated: impl Fn(&User) -> bool,
) -> Result<Config, CommandError> {
    let Some(text) = directory.read(name).map_err(|e| CommandError::new(e.to_string()))? else {
        return Ok(current);
    };
    let mut kept: Config = serde_saphyr::from_str(&text).map_err(|e| {
        // The lines around the mistake may hold a key.
        let error = e.without_snippet();
        CommandError::because(format!("{} cannot be understood", directory.path(name).display()), error)
            .mend("mend it, or remove it to have it written anew")
    })?;
    for cluster in &current.clusters {
        kept.set_cluster(&cluster.name, cluster.cluster.clone());
    }
    for user in &current.users {
        if kept.user(&user.name).is_some_and(&is_outdated) {
            kept.set_user(&user.name, user.user.clone());
        }
    }
    kept.merge(current);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use kubesso_k8s_types::kubeconfig::Cluster;

    use super::*;

    #[test]
    fn the_cluster_s_first_objects_can_be_read() {
        let objects = world().unwrap();
        let kinds: Vec<_> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        assert_eq!(kinds.len(), objects.len());
        for kind in ["ClusterRoleBinding", "Role", "RoleBinding", "Namespace", "Pod", "Service", "Secret"] {
            assert!(kinds.contains(&kind), "{kind}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_follows_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        for program in ["/opt/old/kubesso", "/opt/new/kubesso", "/opt/new/kubesso"] {
            let link = link(&bin, "kubectl-oidc_login", Some(program.into())).unwrap();
            assert_eq!(fs::read_link(link).unwrap(), Path::new(program));
        }
    }

    #[test]
    fn what_somebody_added_to_the_kubeconfig_stays_and_the_cluster_follows_its_port() {
        let path = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(path.path()).unwrap();
        let config = |server: &str, token: &str| {
            let mut config = Config::default();
            config.set_cluster("k", Cluster { server: server.to_owned(), ..Cluster::default() });
            let token = kubesso_k8s_types::secret::Secret::new(token);
            config.set_user("u", User { token, ..User::default() });
            config
        };
        let mut theirs = config("https://old", "theirs");
        theirs.set_user("mine", User::default());
        let text = serde_saphyr::to_string(&theirs).unwrap();
        directory.write("kubeconfig", text.as_bytes(), crate::data_directory::Mode::Private).unwrap();
        let merged =
            merge_kubeconfig(&directory, "kubeconfig", config("https://new", "ours"), |_| false).unwrap();
        assert_eq!(merged.cluster("k").unwrap().server, "https://new");
        assert_eq!(merged.user("u").unwrap().token.expose(), "theirs");
        assert!(merged.user("mine").is_some());
        let outdated = merge_kubeconfig(&directory, "kubeconfig", config("https://new", "ours"), |user| {
            user.token.expose() == "theirs"
        });
        assert_eq!(outdated.unwrap().user("u").unwrap().token.expose(), "ours");
    }
}
