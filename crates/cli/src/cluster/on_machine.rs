//! A change of a cluster whose files are a machine's: what it would be, and how it is made, gone on with and taken back.

use std::path::Path;

use kubesso_clusters::{
    Host, InForce, KubernetesVersion, Plan, PlanError, Request, Target, Verdict, look, minikube_plan, plan,
};
use kubesso_directory::Secret;

use super::apply::Say;
use super::check::version_of;
use super::here::{Beside, Done, Here, Order};
use super::host::Machine;
use super::journal::{self, Entry, Journal, Kept, Saved, State, brought_by};
use super::place::Place;
use super::proof::{Proof, Proven};
use super::side::{Brought, Interrupted, Unprepared};
use super::{kubeadm, live};
use crate::api_server::ApiServer;
use crate::error::CommandError;

/// What would be changed, and all that is needed for it.
pub(crate) struct OnMachine {
    pub(super) here: Here,
    pub(super) place: Place,
    pub(super) plan: Plan,
    pub(super) beside: Beside,
    /// The API server that is watched, or why there is none.
    pub(super) server: Result<ApiServer, CommandError>,
    /// Whether nobody can sign in there yet.
    pub(super) is_first: bool,
    /// A process was killed in the middle: since when, and what becomes of it.
    pub(super) interrupted: Option<(jiff::Timestamp, Interrupted)>,
    /// What was done before and not taken back, the last first.
    history: Vec<Kept>,
}

/// All is ready to be changed.
pub(super) struct Ready<'a> {
    of: &'a OnMachine,
    journal: Journal,
    proof: Option<Proof>,
}

impl OnMachine {
    /// Finds out what has to be changed. `request`: what is asked for, given the version that runs there.
    pub(super) async fn prepare<'a>(
        place: Place,
        request: impl FnOnce(KubernetesVersion) -> Request<'a>,
    ) -> Result<Self, Unprepared> {
        let here = Here::new(&place)?;
        let server = here.server(&place).await;
        let request = request(version_of(server.as_ref().ok()).await);
        let history = journal::in_force(&here.backups, here.target.name(), &here.place)?;
        let (mut plan, mut profile) = here.plan(&request, &here.machine)?;
        let is_first = look(here.target, &here.machine, &here.manifest)
            .is_ok_and(|found| found.arguments.about_issuers().next().is_none());
        let mut interrupted = None;
        if let Some(kept) = history.first().filter(|kept| kept.entry.state == State::Began) {
            let way = if plan.is_done() && plan.hash.is_some() {
                Interrupted::Finished
            } else {
                (plan, profile) =
                    here.plan(&request, &AsBefore { machine: &here.machine, entry: &kept.entry })?;
                Interrupted::TakenBack
            };
            interrupted = Some((kept.entry.began, way));
        }
        let config_map = match &server {
            Ok(server) if here.target == Target::Kubeadm && place.is_proved && interrupted.is_none() => {
                config_map(server, &request).await?
            }
            _ => None,
        };
        let beside = Beside { profile, config_map };
        Ok(Self { here, place, plan, beside, server, is_first, interrupted, history })
    }

    /// Whether all is as it should be.
    pub(super) fn is_done(&self) -> bool {
        self.plan.is_done() && self.beside.config_map.is_none() && self.interrupted.is_none()
    }

    /// What the API server says about the file that it should have loaded, if it says anything.
    pub(super) async fn verdict(&self) -> Option<Verdict> {
        let (server, hash) = (self.server.as_ref().ok()?, self.plan.hash.as_deref()?);
        Some(live::loaded(server).await.ok()?.verdict(hash))
    }

    /// Opens the journal, and looks at the API server before it is changed.
    pub(super) async fn ready(&self, token: Option<Secret>) -> Result<Ready<'_>, CommandError> {
        let here = &self.here;
        let journal = Journal::open(&here.backups)?;
        if let Some(kept) = journal.last(here.target.name(), &here.place)?
            && kept.entry.state == State::Began
        {
            return Err(CommandError::new("a change was interrupted half way")
                .mend(format!("take it back first: kubesso cluster rollback --for {}", here.target.name())));
        }
        let proof = if self.place.is_proved {
            Some(Proof::begin(self.server.clone()?, token, self.place.limit).await?)
        } else {
            None
        };
        Ok(Ready { of: self, journal, proof })
    }

    /// Goes on with what was interrupted: all is there, and it is proved; or it is taken back, and may be begun anew.
    pub(super) async fn take_up(&self, way: Interrupted, say: &Say) -> Result<(), CommandError> {
        let here = &self.here;
        let journal = Journal::open(&here.backups)?;
        let Some(mut kept) = journal.last(here.target.name(), &here.place)? else { return Ok(()) };
        if kept.entry.state != State::Began {
            return Ok(());
        }
        let limit = self.place.limit;
        let mut reason = None;
        if way == Interrupted::Finished {
            let mut proof = Proof::of_any_state(self.server.clone()?, false, limit).await;
            say.progress(&format!("waiting for the API server (at most {} s) …", limit.as_secs()));
            match finish(&mut proof, &self.plan, &kept.entry).await {
                Ok(_) => return kept.now(State::Applied),
                Err(what) => reason = Some(what),
            }
        }
        say.progress("taking back what was interrupted …");
        let proof = Proof::of_any_state(self.server.clone()?, false, limit).await;
        here.put_back(&kept.entry, Some(proof), limit, say).await.map_err(|error| {
            CommandError::new(format!("the old files are back, but {error}")).mend(format!(
                "see the API server's log; the files as they were are in {}",
                kept.file().display()
            ))
        })?;
        kept.now(State::TakenBack)?;
        match reason {
            None => Ok(()),
            Some(why) => {
                Err(CommandError::new(format!("what was interrupted was taken back, because {why}")))
            }
        }
    }

    /// What an access file has changed here, taken together.
    pub(super) fn brought(&self, chain: &str) -> Result<Option<Brought>, CommandError> {
        let Some(entry) = brought_by(&self.history, chain).1 else { return Ok(None) };
        let mut texts = Vec::new();
        let mut later = Vec::new();
        for saved in entry.files.iter().rev().filter(|saved| !saved.rewritten) {
            let now = self.here.machine.read(&saved.path);
            let now =
                now.map_err(|what| CommandError::new(format!("{} cannot be read: {what}", saved.path)))?;
            if now != saved.before {
                if now.as_ref() != Some(&saved.after) {
                    later.push(saved.path.clone());
                }
                texts.push((saved.path.clone(), now, saved.before.clone()));
            }
        }
        if let Some(map) = &entry.config_map {
            texts.push((map.path.clone(), Some(map.after.clone()), map.before.clone()));
        }
        let by = if entry.restarts { InForce::Restart } else { InForce::Reload };
        Ok(Some(Brought { texts, commands: entry.commands, by: Some(by), later }))
    }

    /// Takes back what an access file has changed here, all of it.
    pub(super) async fn withdraw(&self, chain: &str, say: &Say) -> Result<Option<Proven>, CommandError> {
        let (here, limit) = (&self.here, self.place.limit);
        let journal = Journal::open(&here.backups)?;
        let mut in_force = journal.in_force(here.target.name(), &here.place)?;
        let (ours, together) = brought_by(&in_force, chain);
        let (count, Some(together)) = (ours.len(), together) else { return Ok(None) };
        // What was interrupted may not have reached it.
        let has_the_change = together.state != State::Began;
        let proof = Proof::of_any_state(self.server.clone()?, has_the_change, limit).await;
        let back = here.put_back(&together, Some(proof), limit, say).await.map_err(|error| {
            CommandError::new(format!("the old files are back, but {error}")).mend("see the API server's log")
        })?;
        for kept in in_force.iter_mut().take(count) {
            kept.now(State::TakenBack)?;
        }
        Ok(back)
    }
}

impl Ready<'_> {
    /// Makes the change. `chain`: the access file's name, if it is done for one.
    pub(super) async fn apply(self, chain: Option<&str>, say: &Say) -> Result<Done, CommandError> {
        let OnMachine { here, place, plan, beside, .. } = self.of;
        let order = Order { plan, beside: beside.clone(), limit: place.limit, chain };
        here.apply(order, &self.journal, self.proof, say).await
    }
}

impl Here {
    fn plan(
        &self,
        request: &Request<'_>,
        host: &dyn Host,
    ) -> Result<(Plan, Option<(String, String)>), Unprepared> {
        let planned = match &self.minikube {
            Some((home, profile)) => {
                minikube_plan(request, host, home, profile).map(|(plan, profile)| (plan, Some(profile)))
            }
            None => plan(request, self.target, host, &self.manifest).map(|plan| (plan, None)),
        };
        planned.map_err(|error| match error {
            PlanError::Impossible(impossible) => Unprepared::Impossible(impossible),
            error => Unprepared::Error(CommandError::because(
                "there is nothing that could be changed here",
                &error,
            )),
        })
    }
}

/// The proof of what was interrupted, and what kubeadm keeps in the cluster, which is changed last.
async fn finish(proof: &mut Proof, plan: &Plan, entry: &Entry) -> Result<Proven, String> {
    // Whether the process that runs was begun with it cannot be told from here; that it has the file can.
    let proven = proof.wait(InForce::Reload, plan.hash.as_deref()).await?;
    if let Some(map) = &entry.config_map {
        kubeadm::write(proof.server(), &map.after).await?;
    }
    Ok(proven)
}

/// What kubeadm keeps in the cluster, if it has to change too.
async fn config_map(server: &ApiServer, request: &Request<'_>) -> Result<Option<Saved>, CommandError> {
    let Some(before) = kubeadm::read(server).await.map_err(CommandError::new)? else { return Ok(None) };
    let after = kubesso_clusters::kubeadm_configuration(request, &before)
        .map_err(|e| CommandError::because(kubeadm::NAME, &e))?;
    let is_changed = before != after;
    Ok(is_changed.then(|| Saved {
        path: kubeadm::NAME.to_owned(),
        before: Some(before),
        rights: None,
        rewritten: false,
        after,
    }))
}

/// A machine as it was before a change.
struct AsBefore<'a> {
    machine: &'a Machine,
    entry: &'a Entry,
}

impl AsBefore<'_> {
    fn saved(&self, path: &str) -> Option<&Saved> {
        self.entry.files.iter().find(|saved| saved.path == path && !saved.rewritten)
    }
}

impl Host for AsBefore<'_> {
    fn read(&self, path: &str) -> Result<Option<String>, String> {
        match self.saved(path) {
            Some(saved) => Ok(saved.before.clone()),
            None => self.machine.read(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let mut names = self.machine.list(folder)?;
        names.retain(|name| {
            let path = Path::new(folder).join(name);
            self.saved(&path.to_string_lossy()).is_none_or(|saved| saved.before.is_some())
        });
        Ok(names)
    }
}
