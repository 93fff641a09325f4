//! The machine that is changed, where its API server is, and what is done to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_clusters::{
    Host as _, HostCommand, InForce, MANIFEST, Plan, Target, Word, loaded_hash, look,
    minikube_profile_with_options_of,
};
use url::Url;

use super::apply::Say;
use super::check::{connect, kubeconfig_of};
use super::command;
use super::host::{Container, Machine, find};
use super::journal::{Entry, Journal, Saved, State};
use super::kubeadm;
use super::place::Place;
use super::proof::{Proof, Proven};
use crate::api_server::ApiServer;
use crate::environment;
use crate::error::CommandError;

/// What came of a change.
pub(crate) enum Done {
    Applied { proven: Option<Proven>, file: PathBuf },
    TakenBack { reason: String, back: Option<Proven> },
}

/// What is changed besides files whose new text is known.
#[derive(Clone, Default)]
pub(super) struct Beside {
    /// minikube's file of the profile, with its text: minikube itself writes it.
    pub(super) profile: Option<(String, String)>,
    /// What kubeadm keeps in the cluster.
    pub(super) config_map: Option<Saved>,
}

/// What is to be done.
pub(super) struct Order<'a> {
    pub(super) plan: &'a Plan,
    pub(super) beside: Beside,
    /// How long something may take.
    pub(super) limit: Duration,
    /// The access file's name, if it is done for one.
    pub(super) chain: Option<&'a str>,
}

/// The machine that is changed.
pub(super) struct Here {
    pub(super) target: Target,
    pub(super) machine: Machine,
    /// The manifest's path on the machine.
    pub(super) manifest: String,
    pub(super) backups: PathBuf,
    /// What tells changes of one kind apart.
    pub(super) place: String,
    root: PathBuf,
    container: Option<Container>,
    /// kubectl's name of the cluster, where its tool has a rule for it.
    context: Option<String>,
    /// minikube's home and the profile.
    pub(super) minikube: Option<(String, String)>,
}

impl Here {
    pub(super) fn new(given: &Place) -> Result<Self, CommandError> {
        let target = given.target;
        let (cluster, node) = (given.which.cluster.as_deref(), given.which.node.as_deref());
        let container = is_container(target).then(|| find(target, cluster, node)).transpose()?;
        let root = std::path::absolute(&given.root)
            .map_err(|e| CommandError::because(format!("the root {}", given.root.display()), &e))?;
        let manifest = match &given.manifest {
            None => MANIFEST.to_owned(),
            Some(path) => on_machine(path, &root)?,
        };
        let minikube = (target == Target::Minikube).then(|| minikube(cluster)).transpose()?;
        let backups = match (&given.backup_dir, &container) {
            (None, None) if minikube.is_none() => root.join("var/lib/kubesso/cluster"),
            _ => journal_folder(given)?,
        };
        let folder = Path::new(&manifest).parent().unwrap_or(Path::new("/"));
        let folder = root.join(folder.strip_prefix("/").unwrap_or(folder));
        if std::path::absolute(&backups).is_ok_and(|backups| backups.starts_with(&folder)) {
            return Err(CommandError::usage("--backup-dir must not be in the manifest's folder")
                .mend("kubelet runs every file in it"));
        }
        let (machine, place) = match &container {
            Some(container) => {
                (Machine::Container(container.clone()), format!("{} {manifest}", container.name()))
            }
            None if minikube.is_some() => {
                (Machine::new(Path::new("/")), cluster.unwrap_or("minikube").to_owned())
            }
            None => (Machine::new(&root), format!("{} {manifest}", root.display())),
        };
        let context = context_of(target, cluster);
        Ok(Self { target, machine, manifest, backups, place, root, container, context, minikube })
    }

    /// The API server of this machine.
    pub(super) async fn server(&self, place: &Place) -> Result<ApiServer, CommandError> {
        let at_hand = kubeconfig_of(self.target, &self.root);
        let given = &place.server;
        let server = match &self.context {
            Some(context) if given.context.is_none() => {
                ApiServer::of_kubeconfig(given.kubeconfig.as_deref(), Some(context)).await?
            }
            _ => connect(given, at_hand.as_deref()).await?,
        };
        match given.endpoint.as_slice() {
            [] => Ok(match self.own_endpoint() {
                // Behind a load balancer another could answer.
                Some(own) if own != server.url => match server.at(&own) {
                    Ok(own) if own.get("/readyz").await.is_ok() => own,
                    _ => server,
                },
                _ => server,
            }),
            [one] => server.at(one),
            _ => Err(CommandError::usage("one machine has one API server: give one --endpoint")),
        }
    }

    /// Where the API server of a static pod says that it is.
    fn own_endpoint(&self) -> Option<Url> {
        if !matches!(self.target, Target::Kubeadm | Target::StaticPod) {
            return None;
        }
        let found = look(self.target, &self.machine, &self.manifest).ok()?;
        let address = found.arguments.value("advertise-address")?;
        let port = found.arguments.value("secure-port").unwrap_or("6443");
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        Url::parse(&format!("https://{address}:{port}")).ok()
    }

    /// What the API server should have loaded by the files as they are now.
    pub(super) fn hash(&self) -> Option<String> {
        let found = look(self.target, &self.machine, &self.manifest).ok()?;
        found.configuration().map(|text| loaded_hash(text.as_bytes()))
    }

    /// Makes a change, and takes it back if it is not well with it.
    pub(super) async fn apply(
        &self,
        order: Order<'_>,
        journal: &Journal,
        mut proof: Option<Proof>,
        say: &Say,
    ) -> Result<Done, CommandError> {
        let Order { plan, beside, limit, chain } = order;
        let files = plan.changes.iter().map(|change| Saved {
            path: change.path.clone(),
            before: change.before.clone(),
            rights: self.machine.rights(&change.path),
            after: change.after.clone(),
            rewritten: false,
        });
        let profile = beside.profile.map(|(path, text)| Saved {
            rights: self.machine.rights(&path),
            path,
            before: Some(text),
            after: String::new(),
            rewritten: true,
        });
        let mut kept = journal.begin(Entry {
            target: self.target.name().to_owned(),
            place: self.place.clone(),
            began: SystemClock.now(),
            state: State::Began,
            files: files.chain(profile).collect(),
            commands: self.commands(plan, &plan.undo),
            restarts: plan.by == InForce::Restart,
            cloud: None,
            config_map: beside.config_map,
            chain: chain.map(str::to_owned),
        })?;
        let doing = async {
            for file in kept.entry.files.iter().filter(|file| !file.rewritten) {
                self.machine
                    .write(&file.path, &file.after, file.rights)
                    .map_err(|error| format!("{} cannot be written: {error}", file.path))?;
            }
            run_all(&self.commands(plan, &plan.commands), limit, say).await?;
            match &mut proof {
                None => Ok(None),
                Some(proof) => {
                    say.progress(&format!("waiting for the API server (at most {} s) …", limit.as_secs()));
                    let proven = proof.wait(plan.by, plan.hash.as_deref()).await?;
                    if let Some(map) = &kept.entry.config_map {
                        kubeadm::write(proof.server(), &map.after).await?;
                    }
                    Ok(Some(proven))
                }
            }
        };
        let done = tokio::select! {
            done = doing => done,
            _ = tokio::signal::ctrl_c() => Err("it was interrupted".to_owned()),
        };
        match done {
            Ok(proven) => {
                kept.now(State::Applied)?;
                Ok(Done::Applied { proven, file: kept.file().to_owned() })
            }
            Err(reason) => {
                say.progress(&format!("{reason}: taking it back …"));
                let back = self.put_back(&kept.entry, proof, limit, say).await.map_err(|error| {
                    CommandError::new(format!("{reason}; and taking it back failed: {error}"))
                        .mend(format!("the files as they were are in {}", kept.file().display()))
                })?;
                kept.now(State::TakenBack)?;
                Ok(Done::TakenBack { reason, back })
            }
        }
    }

    /// Puts the old files back, the ones that name others first, and waits for the API server.
    pub(super) async fn put_back(
        &self,
        entry: &Entry,
        proof: Option<Proof>,
        limit: Duration,
        say: &Say,
    ) -> Result<Option<Proven>, String> {
        for file in entry.files.iter().rev() {
            let done = match &file.before {
                Some(before) if file.rewritten => {
                    let now = self.machine.read(&file.path)?.unwrap_or_default();
                    let back = minikube_profile_with_options_of(&now, before)
                        .map_err(|what| format!("{}: {what}", file.path))?;
                    self.machine.write(&file.path, &back, file.rights)
                }
                Some(before) => self.machine.write(&file.path, before, file.rights),
                None => self.machine.remove(&file.path),
            };
            done.map_err(|error| format!("{} cannot be written: {error}", file.path))?;
        }
        run_all(&entry.commands, limit, say).await?;
        let by = if entry.restarts { InForce::Restart } else { InForce::Reload };
        let hash = self.hash();
        let proven = match proof {
            None => None,
            Some(mut proof) => {
                let proven = proof.wait_for_the_old(by, hash.as_deref()).await?;
                if let Some(map) = &entry.config_map
                    && let Some(before) = &map.before
                    && kubeadm::read(proof.server()).await?.as_ref() == Some(&map.after)
                {
                    kubeadm::write(proof.server(), before).await?;
                }
                Some(proven)
            }
        };
        Ok(proven)
    }

    /// What is run after the files are there.
    pub(super) fn commands(&self, plan: &Plan, given: &[HostCommand]) -> Vec<(String, Vec<String>)> {
        let restart =
            self.container.as_ref().filter(|_| self.target == Target::K3d && plan.by == InForce::Restart);
        let commands = given.iter().map(|command| self.command(command));
        commands.chain(restart.map(Container::restart)).collect()
    }

    fn command(&self, command: &HostCommand) -> (String, Vec<String>) {
        let word = |word: &Word| match word {
            Word::Text(text) => text.clone(),
            Word::Path(path) => self.machine.path(path).display().to_string(),
        };
        (command.what.clone(), command.words.iter().map(word).collect())
    }
}

/// A path of this machine as one of the machine below `root`.
fn on_machine(path: &Path, root: &Path) -> Result<String, CommandError> {
    let absolute = std::path::absolute(path)
        .map_err(|e| CommandError::because(format!("--manifest {}", path.display()), &e))?;
    let below = absolute.strip_prefix(root).ok().map(|rest| Path::new("/").join(rest));
    let on_machine = below.unwrap_or(absolute);
    on_machine.to_str().map(str::to_owned).ok_or_else(|| CommandError::usage("--manifest is no Unicode"))
}

/// Runs programs one after the other; no shell is between.
async fn run_all(commands: &[(String, Vec<String>)], limit: Duration, say: &Say) -> Result<(), String> {
    for (what, words) in commands {
        say.progress(what);
        let Some((program, arguments)) = words.split_first() else { continue };
        command::run(program, arguments, &words.join(" "), limit).await?;
    }
    Ok(())
}

/// Whether its nodes are containers of this machine.
pub(super) fn is_container(target: Target) -> bool {
    matches!(target, Target::Kind | Target::K3d)
}

/// The context that kind and k3d write into kubectl's kubeconfig.
pub(super) fn context_of(target: Target, cluster: Option<&str>) -> Option<String> {
    match target {
        Target::Kind => Some(format!("kind-{}", cluster.unwrap_or("kind"))),
        Target::Minikube => Some(cluster.unwrap_or("minikube").to_owned()),
        Target::K3d => Some(format!("k3d-{}", cluster.unwrap_or("k3s-default"))),
        _ => None,
    }
}

/// minikube's home, and the profile that is meant.
fn minikube(profile: Option<&str>) -> Result<(String, String), CommandError> {
    let named = environment::set("MINIKUBE_HOME").map(PathBuf::from);
    // The variable may name the folder itself or the one that it is in, as minikube takes it.
    let named = named.map(|home| if home.ends_with(".minikube") { home } else { home.join(".minikube") });
    let home = named.or_else(|| Some(std::env::home_dir()?.join(".minikube")));
    let home = home.and_then(|home| home.to_str().map(str::to_owned));
    let home = home.ok_or_else(|| CommandError::new("it is not known where minikube keeps its files"))?;
    Ok((home, profile.unwrap_or("minikube").to_owned()))
}

/// Where changes of what has no files here are kept.
pub(super) fn journal_folder(place: &Place) -> Result<PathBuf, CommandError> {
    let folder = place.backup_dir.clone().or_else(|| Some(environment::default_data_dir()?.join("cluster")));
    folder.ok_or_else(|| {
        CommandError::new("there is no home directory to keep the way back in")
            .mend("name a folder with --backup-dir")
    })
}
