//! WhichCluster cluster is changed, and where: as the command line or an access file says it.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Span};
use kubesso_clusters::Target;

use super::{cloud, target_of};
use crate::args::{ApiServerArgs, Spot, WhichCluster};
use crate::error::CommandError;

/// A cluster that is changed from here.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    /// The folder in which the machine's files are.
    pub(crate) root: PathBuf,
    /// A static pod's, if it is not where kubeadm has it.
    pub(crate) manifest: Option<PathBuf>,
    /// Where is kept what is needed to go back.
    pub(crate) backup_dir: Option<PathBuf>,
    pub(crate) server: ApiServerArgs,
    pub(crate) which: WhichCluster,
    /// How long something may take.
    pub(crate) limit: Duration,
    /// Whether it is looked whether the API server comes back.
    pub(crate) is_proved: bool,
}

impl Place {
    /// What the command line says.
    pub(super) fn of(spot: &Spot) -> Result<Self, CommandError> {
        let target = target_of(&spot.target)?;
        Ok(Self {
            target,
            root: spot.root.clone(),
            manifest: spot.manifest.clone(),
            backup_dir: spot.backup_dir.clone(),
            server: spot.server.clone(),
            which: spot.which.clone(),
            limit: limit(spot.timeout, target)
                .map_err(|what| CommandError::usage(format!("--timeout: {what}")))?,
            is_proved: !spot.danger_without_proof,
        })
    }
}

/// How long something may take: as it is said, or as that kind of cluster takes.
pub(crate) fn limit(given: Option<Span>, target: Target) -> Result<Duration, &'static str> {
    const USAGE: &str = "give a time such as 90s or 5m";
    let Some(span) = given else {
        return Ok(if cloud::is_cloud(target) { Duration::from_mins(40) } else { Duration::from_mins(3) });
    };
    let span = SignedDuration::try_from(span).map_err(|_| USAGE)?;
    Duration::try_from(span).map_err(|_| USAGE)
}
