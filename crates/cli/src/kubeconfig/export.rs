//! `kubesso kubeconfig export`: contexts in a file that works anywhere and that anybody may see.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use kubesso_k8s_types::kubeconfig::Config;
use kubesso_kubeconfig::{Document, Kubeconfig, LockedFile, Patience, Place, hand_out};
use kubesso_signin::entry::{self, PluginProgram};
use kubesso_signin::{Environment, shell_quote};

use super::edited;
use crate::args::KubeconfigExport;
use crate::environment;
use crate::error::CommandError;
use crate::output;

pub(super) fn run(command: &KubeconfigExport) -> Result<ExitCode, CommandError> {
    let world = environment::for_sign_in(&[]);
    let locations = environment::kubeconfig_locations(command.kubeconfig.as_deref());
    let kubeconfig = Kubeconfig::load(&locations).map_err(edited)?;
    let current = kubeconfig.select_context(None).map(|entry| entry.name.clone());
    let mut contexts: Vec<_> = command.contexts.iter().map(String::as_str).collect();
    if contexts.is_empty() {
        contexts.push(current.as_deref().map_err(edited)?);
    }
    write(&kubeconfig, &contexts, &command.plugin.0, &command.out.out, command.out.replace, &world)
}

/// Writes the file, or prints it.
pub(super) fn write(
    kubeconfig: &Kubeconfig,
    contexts: &[&str],
    program: &PluginProgram,
    out: &Path,
    replace: bool,
    world: &Environment,
) -> Result<ExitCode, CommandError> {
    let mut config = hand_out(kubeconfig, contexts).map_err(edited)?;
    for user in &mut config.users {
        let Some(exec) = &mut user.user.exec else { continue };
        let (made, left_out) = entry::for_others(exec, program, world).map_err(|e| {
            CommandError::because(format!("the user {:?} cannot be handed out", user.name), &e)
        })?;
        *exec = made;
        if !left_out.is_empty() {
            eprintln!("note: left out of the user {:?}: {}", user.name, left_out.join(", "));
        }
    }
    let text = text(&config, out)?;
    if out == Path::new("-") {
        output::write_out(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut file = LockedFile::open(out, Patience::default()).map_err(edited)?;
    let before = file.document().text();
    if !before.is_empty() && before != text && !replace {
        return Err(CommandError::new(format!(
            "{} is there already, and says something else",
            out.display()
        ))
        .mend("choose another name, or give --replace"));
    }
    let new = Document::parse(text).map_err(edited)?;
    *file.document_mut() = new;
    let saved = file.save().map_err(edited)?;
    let state = if saved.changed { "Written to" } else { "So already:" };
    output::write_out(&format!("{state} {}\n", saved.file.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The file, with what whoever gets it must know.
fn text(config: &Config, out: &Path) -> Result<String, CommandError> {
    let name = out.file_name().and_then(|name| name.to_str()).filter(|name| *name != "-");
    let name = shell_quote(name.unwrap_or("team.yaml"));
    let mut text = String::from(
        "# How to sign in with kubectl. There is no secret in this file: everybody signs in as themselves.\n#\n",
    );
    // Writing to a String cannot fail.
    let command =
        config.users.iter().filter_map(|user| user.user.exec.as_ref()).map(|exec| exec.command.as_str());
    let mut commands: Vec<_> = command.collect();
    commands.dedup();
    for command in commands {
        let _ = match command {
            "kubectl-oidc_login" => writeln!(
                text,
                "#   Install the plugin, so that `kubectl oidc-login` works: https://github.com/kubesso/kubesso"
            ),
            other => writeln!(text, "#   Install the plugin as {other}: https://github.com/kubesso/kubesso"),
        };
    }
    let _ = writeln!(text, "#   Use this file alone:          export KUBECONFIG=$PWD/{name}");
    let _ = writeln!(text, "#   or take it into your own:     kubesso kubeconfig merge {name}");
    let context = shell_quote(&format!("--context={}", config.current_context));
    let _ = writeln!(text, "#   Sign in, and see who you are: kubectl {context} auth whoami");
    let mut document = Document::parse(text).map_err(edited)?;
    let mut set = |place: &Place, value: &dyn Fn() -> serde_json::Result<serde_json::Value>| {
        let value = value().map_err(|e| CommandError::because("an entry cannot be written", &e))?;
        document.set(place, value).map_err(edited)
    };
    set(&Place::top("apiVersion"), &|| Ok("v1".into()))?;
    set(&Place::top("kind"), &|| Ok("Config".into()))?;
    set(&Place::top("current-context"), &|| serde_json::to_value(&config.current_context))?;
    set(&Place::top("clusters"), &|| serde_json::to_value(&config.clusters))?;
    set(&Place::top("contexts"), &|| serde_json::to_value(&config.contexts))?;
    set(&Place::top("users"), &|| serde_json::to_value(&config.users))?;
    Ok(document.text().to_owned())
}
