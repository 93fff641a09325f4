//! `kubesso kubeconfig merge`: another kubeconfig's entries into this one.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use kubesso_k8s_types::kubeconfig::{Config, Data};
use kubesso_kubeconfig::{
    Clash, Document, Editing, EntryKind, Excerpt, Incoming, Place, Renames, make_paths_absolute,
};
use kubesso_signin::shell_quote;
use serde::Serialize;

use super::{Said, edited, finish, open};
use crate::args::KubeconfigMerge;
use crate::error::CommandError;

pub(super) fn run(command: &KubeconfigMerge) -> Result<ExitCode, CommandError> {
    let document = read(&command.from)?;
    let mut other = config(&command.from, &document)?;
    let directory = command.from.parent().filter(|parent| !parent.as_os_str().is_empty());
    let moved = make_paths_absolute(&mut other, directory.unwrap_or(Path::new(".")));
    if command.embed_certs {
        embed(&mut other)?;
    }
    let renames = renames(command, &other)?;
    let written = Written { document, renames: renames.clone(), names: Names::of(&other) };
    let mut editing = open(&command.target)?;
    let there = editing.kubeconfig().clone();
    let incoming =
        Incoming::new(&there, other, &renames).map_err(|clashes| clash(&clashes, &command.from))?;
    let file = editing.default_file().map_err(edited)?;
    let mut said = Said::default();
    for (kind, name) in &incoming.known {
        said.line(format!("{kind} {name:?} was so already"));
    }
    for entry in &incoming.clusters {
        written.put(&mut editing, &file, EntryKind::Cluster, &entry.name, entry, &mut said)?;
        said.line(format!("cluster {:?} is new: {}", entry.name, entry.cluster.server));
    }
    for entry in &incoming.users {
        written.put(&mut editing, &file, EntryKind::User, &entry.name, entry, &mut said)?;
        said.line(format!("user {:?} is new: {}", entry.name, kubesso_signin::entry::describe(&entry.user)));
    }
    for entry in &incoming.contexts {
        written.put(&mut editing, &file, EntryKind::Context, &entry.name, entry, &mut said)?;
        let context = &entry.context;
        said.line(format!("context {:?} is new: {:?} as {:?}", entry.name, context.cluster, context.user));
        let (cluster, user) = (&context.cluster, &context.user);
        if there.cluster(cluster).is_none() && !incoming.clusters.iter().any(|one| one.name == *cluster) {
            said.line(format!("note: there is no cluster {cluster:?}"));
        }
        if there.user(user).is_none() && !incoming.users.iter().any(|one| one.name == *user) {
            said.line(format!("note: there is no user {user:?}"));
        }
        said.next(format!("kubectl {} get pods", shell_quote(&format!("--context={}", entry.name))));
    }
    for what in moved {
        said.line(format!("{what} was relative to {} and is absolute now", shown(&command.from)));
    }
    if let Some(current) = &incoming.current_context
        && (command.use_ || there.current_context().is_none())
    {
        editing.use_context(current).map_err(edited)?;
        said.line(format!("the current context is {current:?}"));
    }
    finish(editing, &command.target, &said)
}

/// The other file, for people.
fn shown(from: &Path) -> String {
    if from == Path::new("-") { "standard input".to_owned() } else { from.display().to_string() }
}

/// The other file as it is written, with what its entries are called here.
struct Written {
    document: Document,
    renames: Renames,
    names: Names,
}

/// By kind, as the other file has them.
struct Names(Vec<(EntryKind, String)>);

impl Names {
    fn of(config: &Config) -> Self {
        let clusters = config.clusters.iter().map(|one| (EntryKind::Cluster, one.name.clone()));
        let users = config.users.iter().map(|one| (EntryKind::User, one.name.clone()));
        let contexts = config.contexts.iter().map(|one| (EntryKind::Context, one.name.clone()));
        Self(clusters.chain(users).chain(contexts).collect())
    }
}

impl Written {
    /// Adds an entry, with the comments that it has in the other file.
    fn put(
        &self,
        editing: &mut Editing,
        file: &Path,
        kind: EntryKind,
        name: &str,
        entry: impl Serialize,
        said: &mut Said,
    ) -> Result<(), CommandError> {
        let place = Place::entry(kind.list(), name);
        let is_written = match self.excerpt(kind, name, &entry) {
            Has::Comments(excerpt) => {
                editing.set_as_written(file, &place, &entry, &excerpt).map_err(edited)?
            }
            Has::None => return editing.set(file, &place, &entry).map_err(edited),
            Has::Others => {
                editing.set(file, &place, &entry).map_err(edited)?;
                false
            }
        };
        if !is_written {
            said.line(format!("note: the comments on the {kind} {name:?} stay behind"));
        }
        Ok(())
    }

    /// How the entry is written there, once it says what it is to say here.
    fn excerpt(&self, kind: EntryKind, name: &str, entry: &impl Serialize) -> Has {
        let list = kind.list();
        let mut names =
            self.names.0.iter().filter(|(of, old)| *of == kind && self.renames.of(kind, old) == name);
        let Some((_, old)) = names.next() else { return Has::None };
        if self.document.excerpt(list, old).is_none() {
            return Has::None;
        }
        let mut draft = self.document.clone();
        let renamed = draft.set(&Place::entry(list, old.as_str()).key("name"), name);
        let changed = renamed.and_then(|()| draft.set(&Place::entry(list, name), entry));
        match changed.ok().and_then(|()| draft.excerpt(list, name)) {
            Some(excerpt) => Has::Comments(excerpt),
            None => Has::Others,
        }
    }
}

/// What stands with an entry in the other file.
enum Has {
    Comments(Excerpt),
    None,
    /// Comments that cannot come along.
    Others,
}

fn config(from: &Path, document: &Document) -> Result<Config, CommandError> {
    let shown = shown(from);
    let config =
        document.config().map_err(|e| CommandError::because(format!("{shown} cannot be understood"), &e))?;
    if config.clusters.is_empty() && config.users.is_empty() && config.contexts.is_empty() {
        return Err(CommandError::new(format!("{shown} has no cluster, user or context")));
    }
    Ok(config)
}

fn read(from: &Path) -> Result<Document, CommandError> {
    let shown = shown(from);
    let text = if from == Path::new("-") {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(from)
    };
    let text = text.map_err(|e| CommandError::because(format!("{shown} cannot be read"), &e))?;
    let document = Document::parse(text)
        .map_err(|e| CommandError::because(format!("{shown} cannot be understood"), &e))?;
    if !document.is_alone() {
        return Err(CommandError::new(format!(
            "{shown} holds more than one YAML document, of which kubectl reads the first"
        ))
        .mend("split it, and merge one after the other"));
    }
    Ok(document)
}

/// The contents of the authorities' files in their paths' place.
fn embed(config: &mut Config) -> Result<(), CommandError> {
    for entry in &mut config.clusters {
        let cluster = &mut entry.cluster;
        if cluster.certificate_authority.is_empty() {
            continue;
        }
        if cluster.certificate_authority_data.is_empty() {
            let pem = fs::read(&cluster.certificate_authority).map_err(|e| {
                let file = &cluster.certificate_authority;
                CommandError::because(
                    format!("the authority of cluster {:?}, {file}, cannot be read", entry.name),
                    &e,
                )
            })?;
            cluster.certificate_authority_data = Data::new(pem);
        }
        cluster.certificate_authority.clear();
    }
    Ok(())
}

/// `[KIND:]OLD=NEW`. A name may have a `=` or a `:` in it: it counts what the other file has.
fn renames(command: &KubeconfigMerge, other: &Config) -> Result<Renames, CommandError> {
    let mut renames = Renames { prefix: command.prefix.clone(), ..Renames::default() };
    let has = |kind: EntryKind, name: &str| match kind {
        EntryKind::Cluster => other.cluster(name).is_some(),
        EntryKind::Context => other.context(name).is_some(),
        EntryKind::User => other.user(name).is_some(),
    };
    let kinds = [EntryKind::Cluster, EntryKind::Context, EntryKind::User];
    for rename in &command.rename {
        let mut found = false;
        for (at, _) in rename.match_indices('=') {
            let (old, new) = (&rename[..at], &rename[at + 1..]);
            if new.is_empty() {
                continue;
            }
            for kind in kinds {
                let of_kind = old.strip_prefix(&format!("{kind}:"));
                let name =
                    of_kind.filter(|name| has(kind, name)).or(Some(old).filter(|name| has(kind, name)));
                if let Some(name) = name {
                    renames.names.insert((kind, name.to_owned()), new.to_owned());
                    found = true;
                }
            }
            if found {
                break;
            }
        }
        if !found {
            return Err(CommandError::usage(format!(
                "--rename {rename}: {} has no such entry",
                shown(&command.from)
            ))
            .mend("write it [cluster:|context:|user:]OLD=NEW, with a name that is in the file"));
        }
    }
    Ok(renames)
}

fn clash(clashes: &[Clash], from: &Path) -> CommandError {
    let all: Vec<_> = clashes.iter().map(|clash| format!("the {} {:?}", clash.kind, clash.name)).collect();
    let example = clashes.first().map_or_else(String::new, |clash| {
        format!("--rename {}", shell_quote(&format!("{}:{}=NEW", clash.kind, clash.old_name)))
    });
    let message = format!(
        "{} would replace {}, which {} something else; nothing was written",
        shown(from),
        all.join(", "),
        if all.len() == 1 { "says" } else { "say" }
    );
    CommandError::new(message).mend(format!("give them other names: {example}, or --prefix TEXT for all"))
}
