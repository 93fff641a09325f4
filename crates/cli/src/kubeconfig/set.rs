//! `kubesso kubeconfig set`: the server, the authorities, the issuer or the scopes of what is there.

use std::path::Path;
use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kubesso_k8s_types::kubeconfig::ExecConfig;
use kubesso_kubeconfig::{Editing, Kubeconfig, Place};
use kubesso_signin::entry::{self, PluginFlags};
use kubesso_signin::shell_quote;

use super::sign_in::{authority_flag, checked, issuer_url, refuse_secrets};
use super::{Said, absolute, certificates, edited, finish, open, server_url};
use crate::args::{KubeconfigSet, SignInFlags};
use crate::environment;
use crate::error::CommandError;

/// What is changed.
struct Selected {
    context: Option<String>,
    cluster: Option<String>,
    user: Option<String>,
}

pub(super) fn run(command: &KubeconfigSet) -> Result<ExitCode, CommandError> {
    let mut editing = open(&command.target)?;
    let there = editing.kubeconfig().clone();
    let selected = select(command, &there)?;
    let mut said = Said::default();
    let is_asked = set_cluster(command, &selected, &mut editing, &there, &mut said)?
        | set_user(command, &selected, &mut editing, &there, &mut said)?
        | set_namespace(command, &selected, &mut editing, &there, &mut said)?;
    if !is_asked {
        return Err(CommandError::usage("it is not said what to change").mend(
            "give --server, --certificate-authority, --issuer, --scope, … (kubesso kubeconfig set --help)",
        ));
    }
    if let Some(context) = &selected.context {
        said.next(format!("kubectl {} auth whoami", shell_quote(&format!("--context={context}"))));
    }
    finish(editing, &command.target, &said)
}

fn select(command: &KubeconfigSet, there: &Kubeconfig) -> Result<Selected, CommandError> {
    if command.user.is_some() || command.cluster_name.is_some() {
        return Ok(Selected {
            context: None,
            cluster: command.cluster_name.clone(),
            user: command.user.clone(),
        });
    }
    let context = there.select_context(command.context.as_deref()).map_err(edited)?;
    let given = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
    Ok(Selected {
        context: Some(context.name.clone()),
        cluster: given(&context.value.cluster),
        user: given(&context.value.user),
    })
}

/// Sets a key, or removes it if the new value is empty.
fn set_key(editing: &mut Editing, file: &Path, place: &Place, value: &str) -> Result<(), CommandError> {
    if value.is_empty() {
        editing.remove(file, place).map(drop).map_err(edited)
    } else {
        editing.set(file, place, value).map_err(edited)
    }
}

fn set_cluster(
    command: &KubeconfigSet,
    selected: &Selected,
    editing: &mut Editing,
    there: &Kubeconfig,
    said: &mut Said,
) -> Result<bool, CommandError> {
    let flags = &command.cluster;
    let simple = [("tls-server-name", &flags.tls_server_name), ("proxy-url", &flags.proxy_url)];
    let is_asked = flags.server.is_some()
        || flags.certificate_authority.is_some()
        || simple.iter().any(|(_, value)| value.is_some());
    if !is_asked {
        return Ok(false);
    }
    let name = selected.cluster.as_ref().ok_or_else(|| {
        CommandError::usage("it is not said which cluster is meant")
            .mend("name it with --cluster-name or --context")
    })?;
    let entry = there.cluster(name).ok_or_else(|| {
        CommandError::new(format!("the kubeconfig has no cluster {name:?}"))
            .mend("see: kubectl config get-clusters")
    })?;
    let (file, cluster) = (entry.file.as_path(), Place::cluster(name));
    if let Some(server) = &flags.server {
        editing.set(file, &cluster.clone().key("server"), server_url(server)?).map_err(edited)?;
        said.line(format!("cluster {name:?} is at {server}; it was at {}", entry.value.server));
    }
    for (key, value) in simple {
        if let Some(value) = value {
            set_key(editing, file, &cluster.clone().key(key), value)?;
            said.line(format!("cluster {name:?} has another {key}"));
        }
    }
    if let Some(authority) = &flags.certificate_authority {
        let (path, data) =
            (cluster.clone().key("certificate-authority"), cluster.clone().key("certificate-authority-data"));
        if authority.as_os_str().is_empty() {
            set_key(editing, file, &path, "")?;
            set_key(editing, file, &data, "")?;
            said.line(format!("cluster {name:?} is believed by the machine's authorities"));
        } else {
            let pem = certificates("--certificate-authority", authority)?;
            let inline = flags.embed_certs;
            set_key(editing, file, &path, &if inline { String::new() } else { absolute(authority) })?;
            set_key(
                editing,
                file,
                &data,
                &if inline { BASE64_STANDARD.encode(pem.as_pem()) } else { String::new() },
            )?;
            said.line(format!("cluster {name:?} has the authority {}", authority.display()));
            // kubectl refuses both together.
            if editing.remove(file, &cluster.key("insecure-skip-tls-verify")).map_err(edited)? {
                said.line(format!(
                    "cluster {name:?}: its certificate is checked now (insecure-skip-tls-verify is gone)"
                ));
            }
        }
    }
    let shared = others(there, selected, |context| context.cluster == *name);
    if !shared.is_empty() {
        said.line(format!("note: cluster {name:?} is used by {} too", shared.join(", ")));
    }
    Ok(true)
}

fn set_user(
    command: &KubeconfigSet,
    selected: &Selected,
    editing: &mut Editing,
    there: &Kubeconfig,
    said: &mut Said,
) -> Result<bool, CommandError> {
    let flags = &command.sign_in;
    let is_asked = flags.issuer.is_some()
        || flags.client_id.is_some()
        || flags.issuer_ca.is_some()
        || flags.plugin.is_some()
        || !flags.scope.is_empty()
        || !flags.plugin_arg.is_empty();
    if !is_asked {
        return Ok(false);
    }
    let name = selected.user.as_ref().ok_or_else(|| {
        CommandError::usage("it is not said which user is meant").mend("name it with --user or --context")
    })?;
    let entry = there.user(name).ok_or_else(|| {
        CommandError::new(format!("the kubeconfig has no user {name:?}"))
            .mend("see: kubectl config get-users")
    })?;
    let exec = entry.value.exec.as_ref().filter(|exec| exec.args.iter().any(|word| word == "get-token"));
    let exec = exec.ok_or_else(|| {
        CommandError::new(format!(
            "the user {name:?} is {}, and has no such setting",
            entry::describe(&entry.value)
        ))
        .mend("take it over with kubesso kubeconfig migrate, or add a user with kubesso kubeconfig add")
    })?;
    let world = environment::for_sign_in(&[]);
    let words = changed(flags, command.cluster.embed_certs, exec)?;
    let made = if let Some(program) = &flags.plugin {
        let made = entry::exec(&program.0, words, &world);
        ExecConfig { command: made.command, args: made.args, ..exec.clone() }
    } else {
        let before = exec.args.iter().take_while(|word| *word != "get-token").cloned();
        let args = before.chain(["get-token".to_owned()]).chain(words).collect();
        ExecConfig { args, ..exec.clone() }
    };
    let made = checked(made, &world)?;
    editing.set(&entry.file, &Place::user(name).key("exec").key("args"), &made.args).map_err(edited)?;
    editing.set(&entry.file, &Place::user(name).key("exec").key("command"), &made.command).map_err(edited)?;
    said.line(format!("user {name:?} runs {}", entry::shown(&made)));
    let shared = others(there, selected, |context| context.user == *name);
    if !shared.is_empty() {
        said.line(format!("note: user {name:?} is used by {} too", shared.join(", ")));
    }
    Ok(true)
}

/// The plugin's flags, changed.
fn changed(flags: &SignInFlags, inline: bool, exec: &ExecConfig) -> Result<Vec<String>, CommandError> {
    let mut words = PluginFlags::of(&exec.args);
    if let Some(issuer) = &flags.issuer {
        words.replace("--oidc-issuer-url", &[issuer_url(issuer)?]);
    }
    if let Some(client_id) = &flags.client_id {
        words.replace("--oidc-client-id", std::slice::from_ref(client_id));
    }
    if !flags.scope.is_empty() {
        let scopes: Vec<_> = flags.scope.iter().filter(|scope| !scope.is_empty()).cloned().collect();
        words.replace("--oidc-extra-scope", &scopes);
    }
    if flags.issuer_ca.is_some() {
        words.take("--certificate-authority");
        words.take("--certificate-authority-data");
    }
    let mut words = words.into_words();
    words.extend(authority_flag(flags, inline)?);
    refuse_secrets(&flags.plugin_arg)?;
    for added in &flags.plugin_arg {
        match added.split_once('=') {
            Some((flag, value)) => {
                let mut all = PluginFlags::new(words);
                all.replace(flag, &[value.to_owned()]);
                words = all.into_words();
            }
            None if words.contains(added) => {}
            None => words.push(added.clone()),
        }
    }
    Ok(words)
}

fn set_namespace(
    command: &KubeconfigSet,
    selected: &Selected,
    editing: &mut Editing,
    there: &Kubeconfig,
    said: &mut Said,
) -> Result<bool, CommandError> {
    let Some(namespace) = &command.namespace else { return Ok(false) };
    let context = selected.context.as_deref().and_then(|name| there.context(name)).ok_or_else(|| {
        CommandError::usage("a namespace belongs to a context")
            .mend("name it with --context instead of --user and --cluster-name")
    })?;
    set_key(editing, &context.file, &Place::context(&context.name).key("namespace"), namespace)?;
    said.line(format!("context {:?} is in the namespace {namespace:?}", context.name));
    Ok(true)
}

/// The other contexts that are changed with it.
fn others(
    there: &Kubeconfig,
    selected: &Selected,
    uses: impl Fn(&kubesso_k8s_types::kubeconfig::Context) -> bool,
) -> Vec<String> {
    let others = there.contexts().iter().filter(|one| Some(&one.name) != selected.context.as_ref());
    others.filter(|one| uses(&one.value)).map(|one| format!("the context {:?}", one.name)).collect()
}
