//! `kubesso kubeconfig migrate`: users of kubectl's old auth provider and of kubelogin sign in by this plugin.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kubesso_k8s_types::kubeconfig::User;
use kubesso_kubeconfig::{Editing, Entry, Place};
use kubesso_signin::entry::{self, Migrated, Migration, OldTokens};
use kubesso_signin::{Environment, Secret, shell_quote};

use super::{Said, absolute, edited, finish, open};
use crate::args::{ClientSecret, KubeconfigMigrate};
use crate::environment;
use crate::error::CommandError;

pub(super) async fn run(command: &KubeconfigMigrate) -> Result<ExitCode, CommandError> {
    let world = environment::for_sign_in(&[]);
    let mut editing = open(&command.target)?;
    let users = editing.kubeconfig().users().to_vec();
    if let Some(name) = command.users.iter().find(|name| !users.iter().any(|user| user.name == **name)) {
        return Err(CommandError::usage(format!("the kubeconfig has no user {name:?}"))
            .mend("see: kubectl config get-users"));
    }
    let mut said = Said::default();
    let mut secrets = Vec::new();
    let mut tokens = Vec::new();
    let mut impossible = false;
    for user in &users {
        if !command.users.is_empty() && !command.users.contains(&user.name) {
            continue;
        }
        let name = &user.name;
        match entry::migrate(user, &command.plugin.0, &world) {
            Migrated::Already => said.line(format!("user {name:?} was so already")),
            Migrated::Other(what) => said.line(format!("user {name:?} stays: {what}")),
            Migrated::Impossible(why) => {
                impossible = true;
                said.line(format!("user {name:?} stays, because {why}"));
            }
            Migrated::To(mut migration) => {
                said.line(format!("user {name:?} was {}", entry::describe(&user.value)));
                let kept = keep_secret(command, name, &user.file, &mut migration, &mut said)?;
                secrets.extend(kept);
                if let Some(old) = old_tokens(command, user, &world, &mut said) {
                    tokens.push((name.clone(), old, migration.exec.clone()));
                }
                apply(&mut editing, name, &user.file, &migration)?;
                tell(&mut said, &migration);
                said.next(format!("kubectl {} auth whoami", shell_quote(&format!("--user={name}"))));
            }
        }
    }
    if !command.target.dry_run {
        // Before the kubeconfig: whatever happens between the two, no secret is lost.
        for (file, secret) in &secrets {
            write_secret(file, secret)?;
        }
        for (name, old, exec) in &tokens {
            match old.keep(exec, &world).await {
                Ok(true) => said.line(format!(
                    "user {name:?} need not sign in again: {old} are in the cache of the plugin now"
                )),
                Ok(false) if old.are_ours() => {}
                Ok(false) => said.line(format!(
                    "user {name:?} need not sign in again: the plugin has newer tokens than {old}"
                )),
                // The entry is good without them.
                Err(why) => said.line(format!("user {name:?} has to sign in again: {why}")),
            }
        }
    }
    let ended = finish(editing, &command.target, &said)?;
    Ok(if impossible { ExitCode::FAILURE } else { ended })
}

fn apply(editing: &mut Editing, name: &str, file: &Path, migration: &Migration) -> Result<(), CommandError> {
    let user = Place::user(name);
    editing.set(file, &user.clone().key("exec"), &migration.exec).map_err(edited)?;
    editing.remove(file, &user.key("auth-provider")).map_err(edited)?;
    Ok(())
}

fn tell(said: &mut Said, migration: &Migration) {
    said.line(format!("  it runs {}", entry::shown(&migration.exec)));
    if !migration.tokens.is_empty() {
        said.line(format!(
            "  taken out of the file with the auth provider: its {}",
            migration.tokens.join(" and ")
        ));
    }
    if migration.tokens.contains(&"refresh-token") {
        said.line(
            "  the refresh token is good at the provider until it ends there: revoke it if others could read the file",
        );
    }
    for note in &migration.notes {
        said.line(format!("  note: {note}"));
    }
}

/// The tokens that go into the plugin's cache.
fn old_tokens(
    command: &KubeconfigMigrate,
    user: &Entry<User>,
    world: &Environment,
    said: &mut Said,
) -> Option<OldTokens> {
    if command.without_tokens {
        return None;
    }
    match entry::old_tokens(user, world) {
        Ok(Some(old)) => {
            if command.target.dry_run {
                said.line(format!("  {old} would go into the plugin's cache"));
            }
            Some(old)
        }
        Ok(None) => None,
        Err(why) => {
            said.line(format!("  its tokens are not taken over, and the first call signs in: {why}"));
            None
        }
    }
}

/// Decides where the client secret goes.
fn keep_secret(
    command: &KubeconfigMigrate,
    user: &str,
    kubeconfig: &Path,
    migration: &mut Migration,
    said: &mut Said,
) -> Result<Option<(PathBuf, Secret)>, CommandError> {
    let Some(secret) = migration.client_secret.take() else { return Ok(None) };
    match command.client_secret {
        ClientSecret::Drop => {
            said.line("  its client secret is taken out of the file and kept nowhere");
            Ok(None)
        }
        ClientSecret::ToFile => {
            let beside = kubeconfig.parent().unwrap_or(Path::new("")).join("oidc-client-secrets");
            let directory = command.secret_dir.clone().unwrap_or(beside);
            let file = PathBuf::from(absolute(&directory.join(file_name(user))));
            let text = file.to_str().ok_or_else(|| {
                CommandError::usage(format!("{} is no text, and the kubeconfig is", file.display()))
                    .mend("name another directory with --secret-dir")
            })?;
            if let Some(there) = read_secret(&file)?
                && there.expose() != secret.expose()
            {
                return Err(CommandError::new(format!(
                    "{} is there already, with another secret",
                    file.display()
                ))
                .mend("remove it, or name another directory with --secret-dir"));
            }
            migration.set_secret_file(text);
            said.line(format!("  its client secret goes into {text}, which only you can read"));
            Ok(Some((file, secret)))
        }
    }
}

/// A user's name as a file's.
fn file_name(user: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    let name: String = user.chars().map(plain).collect();
    if name.starts_with('.') { format!("_{name}") } else { name }
}

fn read_secret(file: &Path) -> Result<Option<Secret>, CommandError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(Secret::from(text.trim_end_matches(['\r', '\n']).to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::because(format!("{} cannot be read", file.display()), &error)),
    }
}

fn write_secret(file: &Path, secret: &Secret) -> Result<(), CommandError> {
    let failed =
        |error: io::Error| CommandError::because(format!("{} cannot be written", file.display()), &error);
    if read_secret(file)?.is_some() {
        return Ok(());
    }
    if let Some(directory) = file.parent().filter(|directory| !directory.is_dir()) {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has a mode to set"))]
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(directory).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file).map_err(failed)?;
    file.write_all(secret.expose().as_bytes()).map_err(failed)?;
    file.write_all(b"\n").and_then(|()| file.sync_all()).map_err(failed)
}
