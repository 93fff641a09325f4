//! The file, the way to everything that it speaks of, and what is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kubesso_chain::{
    AccessFile, Action, ApiError, ApplyError, ChainName, Change, Found, Kind, Made, Plan, Progress,
    ProviderState, Wanted, WantedObject, WhomToTrust, Write, apply_grant, found_file, read_grants, refusal,
};
use tokio::runtime::Runtime;

use super::kubeconfig::People;
use super::kubernetes::{self, Entered};
use super::provider::Provider;
use super::sign_in::SignIn;
use super::{Report, beside, read, read_beside, wrong};
use crate::args::ChainFile;
use crate::error::CommandError;

/// The file and the way to what it speaks of.
pub(super) struct Chain {
    path: PathBuf,
    file: AccessFile,
    name: ChainName,
    at_provider: Vec<Wanted>,
    runtime: Runtime,
    provider: Option<Provider>,
    /// The provider's authority, PEM.
    authority: Option<String>,
    /// In the file's order; those with a context are entered.
    clusters: Vec<Option<Entered>>,
    people: Option<People>,
}

/// What there is, and what is wanted now that this is known.
pub(super) struct World {
    path: PathBuf,
    provider: Option<ProviderState>,
    pub(super) made: Made,
    wanted: Vec<Wanted>,
    found: Vec<Found>,
    /// The objects of each cluster.
    objects: Vec<Vec<WantedObject>>,
    /// The clusters that are changed from here.
    sign_ins: Vec<SignIn>,
    /// What else there is to know.
    notes: Vec<String>,
}

impl World {
    pub(super) fn plan(&self) -> Result<Plan, CommandError> {
        let mut plan = Plan::new(&self.wanted, &self.found).map_err(|error| wrong(&self.path, &error))?;
        self.sign_ins.iter().for_each(|sign_in| plan.append(sign_in.plan()));
        plan.notes.extend(self.notes.iter().cloned());
        Ok(plan)
    }

    pub(super) fn destroying(&self, chain: &ChainName) -> Result<Plan, CommandError> {
        let mut plan = Plan::destroying(&self.wanted, &self.found);
        for sign_in in &self.sign_ins {
            plan.append(sign_in.destroying(chain)?);
        }
        plan.notes.extend(self.notes.iter().cloned());
        Ok(plan)
    }

    /// Whether a process was killed in the middle of changing a cluster.
    pub(super) fn is_interrupted(&self) -> bool {
        self.sign_ins.iter().any(SignIn::is_interrupted)
    }
}

impl Chain {
    /// Not to be called from inside a runtime.
    pub(super) fn open(command: &ChainFile) -> Result<Self, CommandError> {
        let path = command.file.clone();
        let file = AccessFile::parse(&read(&path)?).map_err(|error| wrong(&path, &error))?;
        let name = file.chain().map_err(|error| wrong(&path, &error))?;
        let secret =
            file.application.as_ref().and_then(|application| application.client_secret_file.as_deref());
        let secret = secret.map(|name| read_beside(&path, name)).transpose()?;
        let at_provider = file.provider_side(secret.map(|secret| secret.trim_end().to_owned()));
        let runtime = crate::runtime()?;
        let section = file.provider.as_ref().filter(|_| file.has_provider_side());
        let authority = section.and_then(|section| section.certificate_authority_file.as_deref());
        let authority = authority.map(|name| read_beside(&path, name)).transpose()?;
        let provider = section
            .map(|section| Provider::enter(section, &path, command.grant_type, &runtime))
            .transpose()?;
        Ok(Self {
            path,
            file,
            name,
            at_provider,
            runtime,
            provider,
            authority,
            clusters: Vec::new(),
            people: None,
        })
    }

    /// As [`open`](Self::open), and enters the clusters and the kubeconfig too.
    pub(super) fn open_all(command: &ChainFile) -> Result<Self, CommandError> {
        let mut chain = Self::open(command)?;
        for cluster in &chain.file.clusters {
            let kubeconfig = cluster.kubeconfig.as_ref().map(|name| beside(&chain.path, name));
            let enter = |context: &String| {
                kubernetes::enter(&cluster.name, context, kubeconfig.as_deref(), &chain.runtime)
            };
            chain.clusters.push(cluster.context.as_ref().map(enter).transpose()?);
        }
        if let Some(section) = &chain.file.kubeconfig {
            let authority = chain.file.provider.as_ref();
            let authority = authority.and_then(|section| section.certificate_authority_file.as_ref());
            let authority = authority.map(|name| beside(&chain.path, name));
            let known = chain.clusters.iter().flatten().map(|entered| entered.known.clone()).collect();
            chain.people = Some(People::new(section.clone(), &chain.path, authority.as_deref(), known)?);
        }
        Ok(chain)
    }

    /// What the provider has, and whom clusters are to trust by it.
    pub(super) fn look_at_provider(
        &self,
    ) -> Result<(Option<ProviderState>, Option<WhomToTrust>, Made), CommandError> {
        let state = match &self.provider {
            None => None,
            Some(provider) => {
                let reading = ProviderState::read(provider, &self.file, &self.name, &self.at_provider);
                let read = self.runtime.block_on(reading);
                Some(read.map_err(|error| CommandError::new(error.to_string()))?)
            }
        };
        let made = state.as_ref().map(|state| state.made(&self.file)).unwrap_or_default();
        let other = |name: &str| read_beside(&self.path, name).map_err(|error| error.to_string());
        let trust = self.file.whom_to_trust(&made, self.authority.as_deref(), other);
        let trust = trust.map_err(|error| wrong(&self.path, &error))?;
        Ok((state, trust, made))
    }

    pub(super) fn look(&self) -> Result<World, CommandError> {
        let (provider, trust, made) = self.look_at_provider()?;
        let mut wanted = self.at_provider.clone();
        let mut found = provider.as_ref().map(|state| state.found.clone()).unwrap_or_default();
        let mut all_objects = Vec::new();
        let mut sign_ins: Vec<SignIn> = Vec::new();
        let mut notes = Vec::new();
        for (cluster, entered) in self.file.clusters.iter().zip(&self.clusters) {
            let sign_in = SignIn::look(cluster, trust.as_ref(), &self.path, &self.runtime)?;
            let is_interrupted = sign_in.as_ref().is_some_and(SignIn::is_interrupted);
            sign_ins.extend(sign_in);
            let access = trust.as_ref().map(|trust| &trust.access);
            let objects = self.file.grants_on(cluster, access, &self.name);
            if let Some(entered) = entered {
                wanted.extend(objects.iter().map(|object| object.wanted.clone()));
                let reading = read_grants(&entered.api, cluster, &objects, &self.name);
                match self.runtime.block_on(reading) {
                    Ok(there) => found.extend(there),
                    // It may be down because of that.
                    Err(ApiError::Unreachable { why, .. }) if is_interrupted => notes.push(format!(
                        "the cluster {:?} does not answer, so what groups may do there is not known yet: {why}",
                        cluster.name
                    )),
                    Err(error) => {
                        let what = format!("the cluster `{}` cannot be read", cluster.name);
                        return Err(CommandError::because(what, &error));
                    }
                }
            }
            let files = cluster.files(trust.as_ref(), &objects).map_err(|error| wrong(&self.path, &error))?;
            for file in &files {
                let path = self.file_path(file);
                match fs::read_to_string(&path) {
                    Ok(text) => found.push(found_file(file, &path.display().to_string(), text)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let what = format!("{} cannot be read", path.display());
                        return Err(CommandError::because(what, &error));
                    }
                }
            }
            wanted.extend(files);
            all_objects.push(objects);
        }
        if let Some(people) = &self.people {
            let (of_people, there) = people.look(&made)?;
            wanted.extend(of_people);
            found.extend(there);
        }
        Ok(World {
            path: self.path.clone(),
            provider,
            made,
            wanted,
            found,
            objects: all_objects,
            sign_ins,
            notes,
        })
    }

    /// Where a file of a cluster goes.
    fn file_path(&self, file: &Wanted) -> PathBuf {
        let name = file.address.within.first().map(String::as_str).unwrap_or_default();
        let cluster = self.file.clusters.iter().find(|cluster| cluster.name == name);
        let folder = cluster.and_then(|cluster| cluster.out.as_deref()).unwrap_or(name);
        beside(&self.path, folder).join(&file.address.name)
    }

    /// The name by which things are marked.
    pub(super) fn name(&self) -> &ChainName {
        &self.name
    }

    /// Goes on with changes of clusters in whose middle a process was killed, or, if they are not wanted any more, takes them
    /// back; what there is then.
    pub(super) fn take_up(&self, world: World, is_wanted: bool) -> Result<World, CommandError> {
        if !world.is_interrupted() {
            return Ok(world);
        }
        world.sign_ins.iter().try_for_each(|sign_in| sign_in.take_up(is_wanted, &self.runtime))?;
        self.look()
    }

    /// The provider's steps; what there is then.
    pub(super) fn do_at_provider(
        &self,
        plan: &Plan,
        world: World,
        report: &mut Report,
    ) -> Result<World, CommandError> {
        let (Some(provider), Some(state)) = (&self.provider, &world.provider) else { return Ok(world) };
        if !plan.changes.iter().any(|change| change.address.kind.is_of_provider()) {
            return Ok(world);
        }
        let applying = kubesso_chain::apply(provider, plan, state, |progress| report.tell(progress));
        self.runtime
            .block_on(applying)
            .map_err(|ApplyError { address, why, .. }| report.failed(&address, why))?;
        self.look()
    }

    /// The steps at clusters, files and the kubeconfig.
    pub(super) fn do_elsewhere(
        &self,
        plan: &Plan,
        world: &World,
        report: &mut Report,
    ) -> Result<(), CommandError> {
        for change in plan.changes.iter().filter(|change| !change.address.kind.is_of_provider()) {
            self.step(change, world).map_err(|why| report.failed(&change.address, why))?;
            report.tell(Progress::Done(change));
        }
        Ok(())
    }

    fn step(&self, change: &Change, world: &World) -> Result<(), String> {
        let address = &change.address;
        let wanted = world.wanted.iter().find(|wanted| wanted.address == *address);
        let found = world.found.iter().find(|found| found.address == *address);
        match address.kind {
            Kind::File => match (change.action, wanted) {
                (Action::Destroy, Some(file)) => remove(&self.file_path(file)),
                (_, Some(file)) => match file.field("content") {
                    Some(kubesso_chain::FieldValue::Known(text)) => {
                        write(&self.file_path(file), text.as_str().unwrap_or_default())
                    }
                    _ => Err("the provider has not said yet what belongs into it".to_owned()),
                },
                (_, None) => Ok(()),
            },
            Kind::ClusterSignIn => {
                let mut sign_ins = world.sign_ins.iter();
                let sign_in = sign_ins.find(|sign_in| sign_in.is_of(change));
                sign_in.map_or(Ok(()), |sign_in| sign_in.step(change, &self.name, &self.runtime))
            }
            Kind::KubeconfigUser | Kind::KubeconfigCluster | Kind::KubeconfigContext => {
                self.people.as_ref().map_or(Ok(()), |people| people.step(change.action, wanted, address))
            }
            _ => {
                let name = address.within.last();
                let at = self.file.clusters.iter().position(|cluster| Some(&cluster.name) == name);
                let entered = at.and_then(|at| self.clusters.get(at)?.as_ref());
                let Some(entered) = entered else { return Ok(()) };
                let objects = at.and_then(|at| world.objects.get(at)).into_iter().flatten();
                let object = objects.into_iter().find(|object| object.wanted.address == *address);
                let object = object.filter(|_| change.action != Action::Destroy);
                let is_replaced = change.action == Action::Replace;
                let applying = apply_grant(&entered.api, object, found, is_replaced, Write::ForReal);
                self.runtime.block_on(applying).map_err(|error| refusal(&error, address))
            }
        }
    }
}

/// Whole or not at all: a program may read it at any time.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| format!("{} cannot be written: {error}", path.display());
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(failed)?;
    let draft = draft(path);
    fs::write(&draft, text).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
}

/// What it is called until it is whole.
fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", path.display()))
        }
        _ => {
            // Of a process that was killed; mostly it is not there.
            let _ = fs::remove_file(draft(path));
            // The folder goes with its last file; one that holds more stays.
            let _ = path.parent().map(fs::remove_dir);
            Ok(())
        }
    }
}
