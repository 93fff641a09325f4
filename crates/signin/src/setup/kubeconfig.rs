//! `setup --write`: the user in the kubeconfig, and a context that uses it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::PathBuf;

use kubesso_k8s_types::kubeconfig::ExecConfig;
use kubesso_kubeconfig::{Kubeconfig, LoadError, Locations, LockedFile, Patience, Place};
use kubesso_token_cache::values::expand_home;
use kubesso_token_cache::{Options, shell};
use serde_json::json;

use super::command::{PluginArgument, plugin_arguments};
use crate::arguments::SetupArguments;
use crate::entry::{self, PluginProgram, describe, is_ours, shown};
use crate::environment::Environment;
use crate::error::Error;
use crate::flow::prompt;
use crate::runtime::block_on;

/// Where the user goes, found before anybody signs in.
pub(super) struct Destination {
    user: String,
    file: PathBuf,
    /// What the user is now, in words.
    before: Option<String>,
    context: Option<ContextChange>,
}

struct ContextChange {
    name: String,
    file: PathBuf,
    user_before: String,
}

impl Destination {
    /// Looks where the user is, or will be, and asks before it replaces another's work.
    pub(super) fn find(arguments: &SetupArguments, environment: &Environment) -> Result<Self, Error> {
        refuse_secret(arguments)?;
        let variable = environment.variable("KUBECONFIG");
        let target = &arguments.kubeconfig;
        let home = environment.surroundings.home.as_deref();
        let explicit = target.kubeconfig.as_deref().map(|path| expand_home(path, home));
        let locations = Locations::new(explicit.as_deref(), variable.as_deref().map(OsStr::new), home);
        let kubeconfig = match Kubeconfig::load(&locations) {
            // The file is about to be made.
            Err(LoadError::Missing { .. }) => Kubeconfig::default(),
            loaded => loaded?,
        };
        let context = target.context.as_deref().map(|name| {
            let entry = kubeconfig.select_context(Some(name))?;
            let (name, file, user) = (&entry.name, &entry.file, &entry.value.user);
            Ok::<_, Error>(ContextChange {
                name: name.clone(),
                file: file.clone(),
                user_before: user.clone(),
            })
        });
        let context = context.transpose()?;
        let known = kubeconfig.user(&target.user);
        let file = match known {
            Some(entry) => entry.file.clone(),
            None => locations.default_file().map(PathBuf::from).ok_or(Error::NoKubeconfig)?,
        };
        let before = known.map(|entry| describe(&entry.value));
        if let (Some(entry), Some(before)) = (known, &before)
            && !is_ours(&entry.value)
            && !target.force
        {
            ask(&target.user, before, environment)?;
        }
        Ok(Self { user: target.user.clone(), file, before, context })
    }

    /// Writes, and says what was changed.
    pub(super) fn write(
        &self,
        arguments: &SetupArguments,
        options: &Options,
        environment: &Environment,
    ) -> Result<String, Error> {
        let exec = exec(arguments, options, environment);
        let call = shown(&exec);
        let mut file = LockedFile::open(&self.file, Patience::default())?;
        file.document_mut().set(&Place::user(&self.user), json!({ "exec": exec }))?;
        if let Some(context) = self.context.as_ref().filter(|context| context.file == self.file) {
            context.point_at(&self.user, &mut file)?;
        }
        let saved = file.save()?;
        if let Some(context) = self.context.as_ref().filter(|context| context.file != self.file) {
            let mut file = LockedFile::open(&context.file, Patience::default())?;
            context.point_at(&self.user, &mut file)?;
            file.save()?;
        }

        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n## In your kubeconfig\n\n{}", saved.file.display());
        let state = match &self.before {
            None => "is new".to_owned(),
            Some(_) if !saved.changed => "was so already".to_owned(),
            Some(before) => format!("replaces {before}"),
        };
        let _ = writeln!(text, "  user {:?} {state}; it runs\n    {call}", self.user);
        if let Some(ContextChange { name, user_before, .. }) = &self.context {
            let _ = writeln!(text, "  context {name:?} uses {:?} now, and used {user_before:?}", self.user);
        }
        let flag = match &self.context {
            Some(context) => format!("--context={}", context.name),
            None => format!("--user={}", self.user),
        };
        let flag = shell::quote(&flag);
        let _ =
            write!(text, "\nTry it:\n\n```sh\nkubectl {flag} auth whoami\nkubectl {flag} get pods\n```\n");
        Ok(text)
    }
}

impl ContextChange {
    fn point_at(&self, user: &str, file: &mut LockedFile) -> Result<(), Error> {
        Ok(file.document_mut().set(&Place::context(&self.name).key("user"), user)?)
    }
}

/// Every program of the person reads the kubeconfig, and people send it to each other.
fn refuse_secret(arguments: &SetupArguments) -> Result<(), Error> {
    let given = arguments.provider.oidc_client_secret.as_ref().is_some_and(|secret| !secret.is_empty());
    if given {
        return Err(Error::Flag {
            flag: "--write",
            problem: "a client secret does not go into the kubeconfig; put it into a file that only you can read, and \
                      give --oidc-client-secret-file instead of --oidc-client-secret"
                .to_owned(),
        });
    }
    Ok(())
}

fn exec(arguments: &SetupArguments, options: &Options, environment: &Environment) -> ExecConfig {
    let flags = plugin_arguments(&arguments.provider, &arguments.authentication, options, environment);
    let words = flags.into_iter().filter_map(|argument| match argument {
        PluginArgument::Plain(text) => Some(text),
        // Refused before.
        PluginArgument::FromVariable { .. } => None,
    });
    entry::exec(&PluginProgram::Here, words.collect(), environment)
}

/// Only a person at a terminal can be asked.
fn ask(user: &str, before: &str, environment: &Environment) -> Result<(), Error> {
    let kept = || Error::UserKept { user: user.to_owned(), before: before.to_owned() };
    if !environment.terminal.is_terminal() {
        return Err(kept());
    }
    let question = format!("The user {user:?} of the kubeconfig is {before}. Replace it? [y/N] ");
    let answer = block_on(environment, prompt::line(environment, &question, "an answer"))?;
    match answer.expose().trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(kept()),
    }
}
