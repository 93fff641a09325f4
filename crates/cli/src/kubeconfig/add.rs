//! `kubesso kubeconfig add`: a context, with its cluster and its user.

use std::path::Path;
use std::process::ExitCode;

use kubesso_k8s_types::kubeconfig::{Cluster, Config, Context, Data, User};
use kubesso_kubeconfig::{Editing, Entry, EntryKind, Kubeconfig, Place};
use kubesso_signin::entry::{self, PluginProgram};
use kubesso_signin::{Environment, shell_quote};
use serde::Serialize;

use super::sign_in::SignIn;
use super::{Said, absolute, certificates, edited, export, finish, open, server_url};
use crate::args::{KubeconfigAdd, KubeconfigTarget};
use crate::environment;
use crate::error::CommandError;

/// An entry to write, or one that the kubeconfig has.
enum Piece<T> {
    New(String, T),
    There(Box<Entry<T>>),
}

impl<T> Piece<T> {
    fn name(&self) -> &str {
        match self {
            Self::New(name, _) => name,
            Self::There(entry) => &entry.name,
        }
    }
}

pub(super) async fn run(command: &KubeconfigAdd) -> Result<ExitCode, CommandError> {
    let world = environment::for_sign_in(&[]);
    let sign_in = SignIn::of(command).await?;
    let reading = KubeconfigTarget { dry_run: true, ..command.target.clone() };
    let editing = open(if command.out.is_some() { &reading } else { &command.target })?;
    let cluster = cluster(command, editing.kubeconfig())?;
    let user = user(command, sign_in.as_ref(), editing.kubeconfig(), &world)?;
    let context = Context {
        cluster: cluster.name().to_owned(),
        user: user.name().to_owned(),
        namespace: command.namespace.clone().unwrap_or_default(),
        ..Context::default()
    };
    match &command.out {
        Some(out) => hand_out(command, out, cluster, user, context, &world),
        None => write(command, editing, &cluster, &user, &context),
    }
}

fn cluster(command: &KubeconfigAdd, kubeconfig: &Kubeconfig) -> Result<Piece<Cluster>, CommandError> {
    let flags = &command.cluster;
    let name = command.cluster_name.as_ref().unwrap_or(&command.name);
    let Some(server) = &flags.server else {
        if flags.certificate_authority.is_some()
            || flags.tls_server_name.is_some()
            || flags.proxy_url.is_some()
        {
            return Err(CommandError::usage("how the cluster is reached is said without its address")
                .mend("give --server, or use kubesso kubeconfig set for a cluster that is there"));
        }
        return match kubeconfig.cluster(name) {
            Some(entry) => Ok(Piece::There(Box::new(entry.clone()))),
            None => Err(CommandError::usage(format!("the kubeconfig has no cluster {name:?}"))
                .mend("say where it is with --server URL, or name one that is there with --cluster-name")),
        };
    };
    let mut cluster = Cluster {
        server: server_url(server)?,
        tls_server_name: flags.tls_server_name.clone().unwrap_or_default(),
        proxy_url: flags.proxy_url.clone().unwrap_or_default(),
        ..Cluster::default()
    };
    if let Some(file) = &flags.certificate_authority {
        let authority = certificates("--certificate-authority", file)?;
        if flags.embed_certs || command.out.is_some() {
            cluster.certificate_authority_data = Data::new(authority.as_pem());
        } else {
            cluster.certificate_authority = absolute(file);
        }
    }
    Ok(Piece::New(name.clone(), cluster))
}

fn user(
    command: &KubeconfigAdd,
    sign_in: Option<&SignIn>,
    kubeconfig: &Kubeconfig,
    world: &Environment,
) -> Result<Piece<User>, CommandError> {
    let name = command.user.as_ref().unwrap_or(&command.name);
    let Some(sign_in) = sign_in else {
        return match kubeconfig.user(name) {
            Some(entry) => Ok(Piece::There(Box::new(entry.clone()))),
            None => Err(CommandError::usage(format!("it is not said how {name:?} signs in")).mend(
                "give --issuer and --client-id, -f access.yaml, --application, or a --user that is there",
            )),
        };
    };
    let usual = if command.out.is_some() { PluginProgram::OnPath } else { PluginProgram::Here };
    let program = command.sign_in.plugin.as_ref().map_or(&usual, |program| &program.0);
    let exec = sign_in.exec(&command.sign_in, program, world)?;
    Ok(Piece::New(name.clone(), User { exec: Some(exec), ..User::default() }))
}

fn write(
    command: &KubeconfigAdd,
    mut editing: Editing,
    cluster: &Piece<Cluster>,
    user: &Piece<User>,
    context: &Context,
) -> Result<ExitCode, CommandError> {
    let mut said = Said::default();
    let mut taken = Vec::new();
    let there = editing.kubeconfig().clone();
    let mut new = Vec::new();
    if let Piece::New(name, value) = cluster {
        new.push((EntryKind::Cluster, name.as_str(), known(there.cluster(name), value), json(value)?));
    }
    if let Piece::New(name, value) = user {
        new.push((EntryKind::User, name.as_str(), known(there.user(name), value), json(value)?));
    }
    let name = &command.name;
    new.push((EntryKind::Context, name.as_str(), known(there.context(name), context), json(context)?));
    for (kind, name, known, value) in new {
        let state = match known {
            Some((_, true)) => "was so already",
            Some((_, false)) if !command.replace => {
                taken.push(format!("the {kind} {name:?}"));
                continue;
            }
            Some(_) => "is replaced",
            None => "is new",
        };
        let file = match known {
            Some((file, _)) => file.to_owned(),
            None => editing.default_file().map_err(edited)?,
        };
        let place = Place::entry(kind.list(), name).key(kind.to_string());
        editing.set(&file, &place, value).map_err(edited)?;
        said.line(format!("{kind} {name:?} {state}"));
    }
    if !taken.is_empty() {
        return Err(CommandError::new(format!(
            "there is already {}, and it says something else",
            taken.join(", ")
        ))
        .mend("choose another name, change it with kubesso kubeconfig set, or give --replace"));
    }
    if let Piece::New(_, User { exec: Some(exec), .. }) = user {
        said.line(format!("it runs {}", entry::shown(exec)));
    }
    if command.use_ || there.current_context().is_none() {
        editing.use_context(&command.name).map_err(edited)?;
        said.line(format!("the current context is {:?}", command.name));
    }
    said.next(format!("kubectl {} auth whoami", shell_quote(&format!("--context={}", command.name))));
    finish(editing, &command.target, &said)
}

/// Where an entry of that name is, and whether it says the same.
fn known<'a, T: PartialEq>(entry: Option<&'a Entry<T>>, value: &T) -> Option<(&'a Path, bool)> {
    entry.map(|entry| (entry.file.as_path(), entry.value == *value))
}

fn json(value: &impl Serialize) -> Result<serde_json::Value, CommandError> {
    serde_json::to_value(value).map_err(|e| CommandError::because("an entry cannot be written", &e))
}

fn hand_out(
    command: &KubeconfigAdd,
    out: &Path,
    cluster: Piece<Cluster>,
    user: Piece<User>,
    context: Context,
    world: &Environment,
) -> Result<ExitCode, CommandError> {
    let mut all = Kubeconfig::default();
    let here = Path::new("");
    let mut new = Config::default();
    match cluster {
        Piece::New(name, value) => new.set_cluster(&name, value),
        Piece::There(entry) => {
            let mut config = Config::default();
            config.set_cluster(&entry.name, entry.value);
            all.add_file(&entry.file, config);
        }
    }
    match user {
        Piece::New(name, value) => new.set_user(&name, value),
        Piece::There(entry) => {
            let mut config = Config::default();
            config.set_user(&entry.name, entry.value);
            all.add_file(&entry.file, config);
        }
    }
    new.set_context(&command.name, context);
    all.add_file(here, new);
    let program = command.sign_in.plugin.as_ref().map_or(&PluginProgram::OnPath, |program| &program.0);
    export::write(&all, &[&command.name], program, out, command.replace, world)
}
