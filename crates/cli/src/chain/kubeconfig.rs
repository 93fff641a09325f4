//! The kubeconfig of whoever runs this: read, and changed under kubectl's own lock.

use std::path::{Path, PathBuf};

use kubesso_chain::{
    Action, Address, Call, Found, Kind, KnownCluster, KubeconfigSection, Made, Wanted, edit_kubeconfig,
    found_kubeconfig, wanted_kubeconfig,
};
use kubesso_kubeconfig::{Kubeconfig, LoadError, Locations, LockedFile, Patience};

use super::beside;
use crate::environment;
use crate::error::CommandError;

/// The section `kubeconfig`, and what it is about.
pub(super) struct People {
    section: KubeconfigSection,
    locations: Locations,
    call: Call,
    clusters: Vec<KnownCluster>,
}

/// The plugin's own names, at whose top are its commands.
const PLUGINS: [&str; 2] = ["kubectl-oidc_login", "kubelogin"];

impl People {
    pub(super) fn new(
        section: KubeconfigSection,
        path: &Path,
        authority: Option<&Path>,
        mut clusters: Vec<KnownCluster>,
    ) -> Result<Self, CommandError> {
        let file = section.file.as_ref().map(|name| beside(path, name));
        let locations = environment::kubeconfig_locations(file.as_deref());
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let call = Call {
            words: words(section.command.as_deref()),
            certificate_authority: authority.map(|path| absolute(path).display().to_string()),
        };
        let config = load(&locations)?;
        for one in &mut clusters {
            // Is the administrator's entry in this kubeconfig too?
            let is_same = |entry: &String| {
                config.cluster(entry).is_some_and(|known| known.value.server == one.cluster.server)
            };
            one.entry = one.entry.take().filter(is_same);
        }
        Ok(Self { section, locations, call, clusters })
    }

    /// What is wanted, and what of it is there.
    pub(super) fn look(&self, made: &Made) -> Result<(Vec<Wanted>, Vec<Found>), CommandError> {
        let config = load(&self.locations)?;
        let wanted = wanted_kubeconfig(&self.section, made, &self.call, &self.clusters);
        let found = found_kubeconfig(&config, &self.section, made, &wanted)
            .map_err(|error| CommandError::new(error.to_string()))?;
        Ok((wanted, found))
    }

    /// Does one step.
    pub(super) fn step(
        &self,
        action: Action,
        wanted: Option<&Wanted>,
        address: &Address,
    ) -> Result<(), String> {
        let failed = |error: &dyn std::error::Error| error.to_string();
        let config = load(&self.locations).map_err(|error| failed(&error))?;
        let name = &address.name;
        let known = match address.kind {
            Kind::KubeconfigUser => config.user(name).map(|entry| &entry.file),
            Kind::KubeconfigCluster => config.cluster(name).map(|entry| &entry.file),
            _ => config.context(name).map(|entry| &entry.file),
        };
        let default = self.locations.default_file().map(Path::to_owned);
        let file: PathBuf =
            known.cloned().or(default).ok_or("there is no home directory for a kubeconfig")?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        let mut file = LockedFile::open(file, Patience::default()).map_err(|error| failed(&error))?;
        edit_kubeconfig(file.document_mut(), action, wanted, address, &self.call, &self.clusters)
            .map_err(|error| failed(&error))?;
        file.save().map(drop).map_err(|error| failed(&error))
    }
}

/// One that is not there yet is empty.
fn load(locations: &Locations) -> Result<Kubeconfig, CommandError> {
    match Kubeconfig::load(locations) {
        Err(LoadError::Missing { .. }) => Ok(Kubeconfig::default()),
        loaded => loaded.map_err(|error| CommandError::new(error.to_string())),
    }
}

/// The program and the words before its flags.
fn words(named: Option<&str>) -> Vec<String> {
    let own = || environment::for_sign_in(&[]).program.map(|program| program.display().to_string());
    let program = named.map(str::to_owned).or_else(own).unwrap_or_else(|| "kubectl".to_owned());
    let is_plugin =
        Path::new(&program).file_stem().is_some_and(|stem| PLUGINS.iter().any(|name| stem == *name));
    let mut words = vec![program];
    if !is_plugin {
        words.push("oidc-login".to_owned());
    }
    words.push("get-token".to_owned());
    words
}
