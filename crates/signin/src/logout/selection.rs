//! Which sign-ins are meant.

use std::path::Path;

use clap::Parser;
use kubesso_token_cache::legacy::KubeloginKey;
use kubesso_token_cache::{Call, EntryPaths, GetTokenArguments, Options, Surroundings, cache};

use super::LogoutArguments;
use crate::environment::Environment;
use crate::error::Error;
use crate::kept::{Kept, Place};
use crate::kubeconfig_user;
use crate::store;

/// One sign-in: its entries, and how it was made.
pub(super) struct Target {
    /// Ours, and kubelogin's of the same call. Empty when nothing is kept.
    pub(super) kept: Vec<Kept>,
    /// None where only the entry is known.
    call: Option<(Box<GetTokenArguments>, Surroundings)>,
}

/// What the arguments name: all, an entry, a user of the kubeconfig, a call, or the current context's user.
pub(super) fn select(arguments: &LogoutArguments, environment: &Environment) -> Result<Vec<Target>, Error> {
    let flags = &arguments.flags;
    let alone = |kept| Target { kept: vec![kept], call: None };
    if flags.all {
        return Ok(all(arguments, environment)?.into_iter().map(alone).collect());
    }
    if let Some(prefix) = &flags.entry {
        let mut kept = all(arguments, environment)?;
        kept.retain(|kept| !prefix.is_empty() && kept.id.starts_with(prefix.as_str()));
        return match <[Kept; 1]>::try_from(kept) {
            Ok([kept]) => Ok(vec![alone(kept)]),
            Err(others) => Err(Error::EntryId { prefix: prefix.clone(), count: others.len() }),
        };
    }
    let names_user = flags.kubeconfig.is_some() || flags.context.is_some() || flags.user.is_some();
    let (call, surroundings) = match &arguments.call {
        Some(call) if !names_user => (call.clone(), environment.surroundings.clone()),
        _ => kubeconfig_user::call(
            flags.kubeconfig.as_deref(),
            flags.context.as_deref(),
            flags.user.as_deref(),
            environment,
        )?,
    };
    let Call { paths, .. } = Call::new(&call, &surroundings)?;
    let kept = paths.map(|paths| of_call(paths, &call, &surroundings, environment)).unwrap_or_default();
    Ok(vec![Target { kept, call: Some((Box::new(call), surroundings)) }])
}

fn all(arguments: &LogoutArguments, environment: &Environment) -> Result<Vec<Kept>, Error> {
    Ok(Kept::all(&cache::directory(&arguments.directory, &environment.surroundings)?, environment))
}

fn of_call(
    paths: EntryPaths,
    call: &GetTokenArguments,
    surroundings: &Surroundings,
    environment: &Environment,
) -> Vec<Kept> {
    let key = KubeloginKey::new(call, surroundings);
    let theirs = key.and_then(|key| Kept::of_kubelogin(&key, &paths, environment));
    let entry = store::load_now(&paths, environment);
    // One that does not open is deleted too.
    let is_there = entry.is_some() || paths.load_sealed().is_some();
    let ours = is_there.then(|| Kept::ours(paths, entry));
    ours.into_iter().chain(theirs).collect()
}

impl Target {
    /// Our entry's files.
    pub(super) fn paths(&self) -> Option<&EntryPaths> {
        self.kept.iter().find_map(|kept| match &kept.place {
            Place::Ours(paths) => Some(paths),
            Place::Kubelogin(_) | Place::KubeloginItem(_) => None,
        })
    }

    /// The same with what our entry holds now.
    pub(super) async fn reloaded(&self, environment: &Environment) -> Self {
        let mut kept = self.kept.clone();
        for one in &mut kept {
            if let Place::Ours(paths) = &one.place {
                let entry = store::load(paths, environment).await;
                *one = Kept::ours(paths.clone(), entry);
            }
        }
        Self { kept, call: self.call.clone() }
    }

    /// How the provider is spoken to: as the call did, or as far as the entry tells. A client secret it does not tell.
    pub(super) fn options(&self, environment: &Environment) -> Result<Options, Error> {
        let (call, surroundings) = match &self.call {
            Some((call, surroundings)) => (call.as_ref().clone(), surroundings),
            None => (self.call_by_entry()?, &environment.surroundings),
        };
        Ok(Call::new(&call, surroundings)?.options)
    }

    fn call_by_entry(&self) -> Result<GetTokenArguments, Error> {
        #[derive(Parser)]
        struct GetToken {
            #[command(flatten)]
            arguments: GetTokenArguments,
        }

        let unknown = || Error::EntryWithoutProvider;
        let kept = self.kept.first().ok_or_else(unknown)?;
        let mut words = vec![
            "get-token".to_owned(),
            format!("--oidc-issuer-url={}", kept.issuer().ok_or_else(unknown)?),
            format!("--oidc-client-id={}", kept.client_id().ok_or_else(unknown)?),
        ];
        if let Some(about) = kept.about() {
            let file = |path: &Path| format!("--certificate-authority={}", path.display());
            words.extend(about.trusted_files.iter().map(|path| file(path)));
            words
                .extend(about.trusted_data.iter().map(|data| format!("--certificate-authority-data={data}")));
            words.extend(about.skip_verify.then(|| "--insecure-skip-tls-verify".to_owned()));
        }
        Ok(GetToken::try_parse_from(words).map_err(|_| unknown())?.arguments)
    }
}
