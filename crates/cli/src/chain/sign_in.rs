//! Clusters that are changed from here, so that people can sign in to them.

use std::path::{Path, PathBuf};

use kubesso_chain::{Action, ChainName, Change, ClusterSection, Plan, WhomToTrust, in_plan};
use kubesso_directory::Secret;
use tokio::runtime::Runtime;

use super::beside;
use crate::args::{ApiServerArgs, OutputFormat, WhichCluster};
use crate::cluster::apply::{Say, token_of};
use crate::cluster::issuer::all_answer;
use crate::cluster::place::{Place, limit};
use crate::cluster::side::{Interrupted, Side};
use crate::error::CommandError;
use crate::output;

/// What is said while it goes on, people read.
const SAY: Say = Say { format: OutputFormat::Table };

/// One cluster, and what has to be changed there.
pub(super) struct SignIn {
    /// As the file calls it.
    name: String,
    side: Side,
    token_file: Option<PathBuf>,
    trust: WhomToTrust,
    plan: Plan,
}

impl SignIn {
    /// Looks at a cluster; nothing if the file does not say that it is changed from here. `path` is the file's.
    pub(super) fn look(
        cluster: &ClusterSection,
        trust: Option<&WhomToTrust>,
        path: &Path,
        runtime: &Runtime,
    ) -> Result<Option<Self>, CommandError> {
        let Some((place, token_file)) = place(cluster, path)? else { return Ok(None) };
        let Some(trust) = trust else { return Ok(None) };
        let looking = async {
            let side = Side::prepare(place, |running| cluster.request(&trust.access, Some(running))).await;
            let side = side.map_err(|why| {
                let why = why.into_error();
                CommandError::because(format!("the cluster `{}`", cluster.name), &why)
            })?;
            let (change, notes) = side.change().await;
            Ok((side, in_plan(&cluster.name, change, &notes)))
        };
        let (side, plan) = runtime.block_on(looking)?;
        Ok(Some(Self { name: cluster.name.clone(), side, token_file, trust: trust.clone(), plan }))
    }

    /// What has to be changed.
    pub(super) fn plan(&self) -> Plan {
        self.plan.clone()
    }

    /// How what was brought goes again.
    pub(super) fn destroying(&self, chain: &ChainName) -> Result<Plan, CommandError> {
        let change = self.side.withdrawal(chain.as_str());
        let change =
            change.map_err(|why| CommandError::because(format!("the cluster `{}`", self.name), &why))?;
        let is_nothing = change.is_none();
        let notes = is_nothing
            .then(|| "what its API server is told was not brought by this file, and stays".to_owned());
        Ok(in_plan(&self.name, change, notes.as_slice()))
    }

    /// Whether a process was killed in the middle of a change.
    pub(super) fn is_interrupted(&self) -> bool {
        self.side.interrupted().is_some()
    }

    /// Goes on with that, or only takes it back.
    pub(super) fn take_up(&self, is_wanted: bool, runtime: &Runtime) -> Result<(), CommandError> {
        let Some(way) = self.side.interrupted() else { return Ok(()) };
        let way = if is_wanted { way } else { Interrupted::TakenBack };
        runtime
            .block_on(self.side.take_up(way, &SAY))
            .map_err(|why| CommandError::because(format!("the cluster `{}`", self.name), &why))
    }

    /// Whether a step is about this cluster.
    pub(super) fn is_of(&self, change: &Change) -> bool {
        change.address.name == self.name
    }

    /// Does the step.
    pub(super) fn step(&self, change: &Change, chain: &ChainName, runtime: &Runtime) -> Result<(), String> {
        let done = if change.action == Action::Destroy {
            runtime.block_on(self.side.withdraw(chain.as_str(), &SAY))
        } else {
            if !self.trust.is_known {
                return Err("the provider has not said yet whom it is to trust".to_owned());
            }
            let token: Option<Secret> =
                self.token_file.as_deref().map(token_of).transpose().map_err(|e| e.to_string())?;
            runtime.block_on(async {
                all_answer(&self.trust.access).await.map_err(|what| {
                    CommandError::new(format!("{what}; nothing of the cluster was changed"))
                })?;
                self.side.apply(token, chain.as_str(), &SAY).await
            })
        };
        let text = done.map_err(|error| error.to_string())?;
        // It is done; whoever does not read it any more still wants the rest.
        let _ = output::write_out(&text);
        Ok(())
    }
}

/// Where a cluster is changed, and the file of the token that proves it.
fn place(cluster: &ClusterSection, path: &Path) -> Result<Option<(Place, Option<PathBuf>)>, CommandError> {
    let (Some(section), Some(target)) = (&cluster.apply, cluster.target()) else { return Ok(None) };
    let from_here = |name: &String| beside(path, name);
    let bad_time = |what: &str| {
        let at = format!("clusters[{}].apply.timeout", cluster.name);
        CommandError::usage(format!("{}: {at}: {what}", path.display()))
    };
    let timeout = section.timeout.as_deref().map(str::parse::<jiff::Span>).transpose();
    let timeout = timeout.map_err(|_| bad_time("give a time such as 90s or 5m"))?;
    let place = Place {
        target,
        root: section.root.as_ref().map_or_else(|| PathBuf::from("/"), from_here),
        manifest: section.manifest.as_ref().map(PathBuf::from),
        backup_dir: section.backup_dir.as_ref().map(from_here),
        server: ApiServerArgs {
            kubeconfig: cluster.kubeconfig.as_ref().map(from_here),
            context: cluster.context.clone(),
            endpoint: section.endpoint.iter().cloned().collect(),
        },
        which: WhichCluster {
            cluster: Some(cluster.name_in_commands().to_owned()),
            scope: cluster.scope.clone(),
            node: section.node.clone(),
        },
        limit: limit(timeout, target).map_err(bad_time)?,
        is_proved: true,
    };
    Ok(Some((place, section.test_token_file.as_ref().map(from_here))))
}
