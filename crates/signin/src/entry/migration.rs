//! From how people signed in before to this plugin.

use kubesso_k8s_types::exec_credential::ExecApiVersion;
use kubesso_k8s_types::kubeconfig::{AuthProvider, ExecConfig, User};
use kubesso_kubeconfig::{Entry, INSTALL_HINT};
use kubesso_token_cache::Secret;
use kubesso_token_cache::values::csv_cell;

use super::{PluginFlags, PluginProgram, USUAL_SCOPES, check, exec};
use crate::environment::Environment;

/// What becomes of a user.
#[derive(Debug)]
pub enum Migrated {
    /// It signs in by this plugin already.
    Already,
    /// It signs in in another way, which stays.
    Other(String),
    /// It cannot be taken over; why.
    Impossible(String),
    /// It becomes this.
    To(Box<Migration>),
}

/// A user as it is to be.
#[derive(Debug)]
pub struct Migration {
    /// The plugin call; without the client secret.
    pub exec: ExecConfig,
    /// The client secret, which stood in the file.
    pub client_secret: Option<Secret>,
    /// The tokens that stand in the file, and go with the old entry: `id-token`, `refresh-token`.
    pub tokens: Vec<&'static str>,
    /// What the person should know.
    pub notes: Vec<String>,
}

impl Migration {
    /// With the client secret in a file.
    pub fn set_secret_file(&mut self, file: &str) {
        self.exec.args.push(format!("--oidc-client-secret-file={file}"));
    }
}

/// What becomes of this user: kubectl's old `auth-provider` of name `oidc` and calls of kubelogin, by whatever name, are
/// taken over.
pub fn migrate(user: &Entry<User>, program: &PluginProgram, environment: &Environment) -> Migrated {
    let migration = match (&user.value.auth_provider, &user.value.exec) {
        (Some(provider), _) if provider.name == "oidc" => {
            of_auth_provider(user, provider, program, environment)
        }
        (Some(provider), _) => return Migrated::Other(format!("the auth provider {}", provider.name)),
        (None, Some(old)) => of_plugin(old, program, environment),
        (None, None) => return Migrated::Other(super::describe(&user.value)),
    };
    let migration = match migration {
        Ok(Some(migration)) => migration,
        Ok(None) => return Migrated::Other(super::describe(&user.value)),
        Err(why) => return Migrated::Impossible(why),
    };
    if let Err(problem) = check(&migration.exec, environment) {
        return Migrated::Impossible(format!("the plugin would refuse its call: {problem}"));
    }
    if user.value.auth_provider.is_none() && user.value.exec.as_ref() == Some(&migration.exec) {
        return Migrated::Already;
    }
    let mut migration = migration;
    if !user.value.client_certificate.is_empty() || !user.value.client_certificate_data.is_empty() {
        migration.notes.push(
            "it has a client certificate too, which the API server takes before any token; remove that"
                .to_owned(),
        );
    }
    Migrated::To(Box::new(migration))
}

fn of_auth_provider(
    user: &Entry<User>,
    provider: &AuthProvider,
    program: &PluginProgram,
    environment: &Environment,
) -> Result<Option<Migration>, String> {
    let needed =
        |name: &str| provider.setting(name).ok_or_else(|| format!("its auth provider has no {name}"));
    let mut words = vec![
        format!("--oidc-issuer-url={}", needed("idp-issuer-url")?),
        format!("--oidc-client-id={}", needed("client-id")?),
    ];
    let mut notes = Vec::new();
    if let Some(scopes) = provider.setting("extra-scopes") {
        words.extend(split(scopes).map(|scope| format!("--oidc-extra-scope={scope}")));
    } else {
        words.extend(USUAL_SCOPES.iter().map(|scope| format!("--oidc-extra-scope={scope}")));
        notes.push(format!(
            "the old entry names no scopes; it asks for {} now (kubesso kubeconfig set --scope … changes that)",
            USUAL_SCOPES.join(", ")
        ));
    }
    if let Some(file) = provider.setting("idp-certificate-authority") {
        let path = user.resolve(file);
        words.push(format!("--certificate-authority={}", path.display()));
    }
    if let Some(data) = provider.setting("idp-certificate-authority-data") {
        words.push(format!("--certificate-authority-data={data}"));
    }
    let known = ["id-token", "refresh-token"];
    Ok(Some(Migration {
        exec: exec(program, words, environment),
        client_secret: provider.setting("client-secret").map(|secret| Secret::from(secret.to_owned())),
        tokens: known.into_iter().filter(|name| provider.setting(name).is_some()).collect(),
        notes,
    }))
}

/// A call of kubelogin, of this plugin, or of `kubectl oidc-login`. `None`: of another program.
fn of_plugin(
    old: &ExecConfig,
    program: &PluginProgram,
    environment: &Environment,
) -> Result<Option<Migration>, String> {
    let mut notes = Vec::new();
    let arguments = without_exec_arg(&old.args, &mut notes);
    let called = ExecConfig { args: arguments.clone(), ..old.clone() };
    if !super::is_call(&called) || !is_known_program(&old.command) {
        return Ok(None);
    }
    let before: Vec<_> = arguments.iter().take_while(|word| *word != "get-token").collect();
    if let Some(odd) = before.iter().find(|word| **word != "oidc-login") {
        return Err(format!("{odd:?} stands before get-token; put it behind, or leave it away"));
    }
    let mut flags = PluginFlags::new(joined(PluginFlags::of(&arguments).into_words(), &mut notes));
    modernise(&mut flags, &mut notes);
    let client_secret = flags.take("--oidc-client-secret").pop().filter(|secret| !secret.is_empty());
    if flags.has("--password") {
        notes.push(
            "a person's password stays in its flags; take --password out, and the plugin asks for it"
                .to_owned(),
        );
    }
    let fresh = exec(program, flags.into_words(), environment);
    let mode = old.interactive_mode.clone().or_else(|| fresh.interactive_mode.clone());
    let exec = ExecConfig {
        api_version: ExecApiVersion::V1.to_string(),
        args: fresh.args,
        command: fresh.command,
        install_hint: if old.install_hint.is_empty() {
            INSTALL_HINT.to_owned()
        } else {
            old.install_hint.clone()
        },
        interactive_mode: mode,
        ..old.clone()
    };
    Ok(Some(Migration { exec, client_secret: client_secret.map(Secret::from), tokens: Vec::new(), notes }))
}

/// By what names kubelogin and this plugin are started; Azure's program of the same name has other flags.
fn is_known_program(command: &str) -> bool {
    let name = command.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(".exe").unwrap_or(name);
    ["kubectl", "kubectl-oidc_login", "kubelogin", "kubesso"].contains(&name)
        || name.strip_prefix("kubelogin-").is_some()
}

/// Arguments that were pasted with the flag of `kubectl config set-credentials` that they are for.
fn without_exec_arg(arguments: &[String], notes: &mut Vec<String>) -> Vec<String> {
    let mut stripped = false;
    let words = arguments
        .iter()
        .map(|word| match word.strip_prefix("--exec-arg=") {
            Some(rest) => {
                stripped = true;
                rest.to_owned()
            }
            None => word.clone(),
        })
        .collect();
    if stripped {
        notes.push("--exec-arg= stood in its arguments and is gone".to_owned());
    }
    words
}

/// `kubectl config set-credentials` splits each `--exec-arg` at commas; a list that came apart is put together again.
fn joined(words: Vec<String>, notes: &mut Vec<String>) -> Vec<String> {
    const LISTS: [&str; 4] = [
        "--listen-address",
        "--oidc-auth-request-extra-params",
        "--oidc-extra-scope",
        "--oidc-request-header",
    ];
    let mut kept: Vec<String> = Vec::new();
    let mut list = List::No;
    for word in words {
        list = match list {
            List::Value(flag) if !word.starts_with('-') => {
                let note =
                    format!("{flag} had come apart at a comma, as --exec-arg does it, and is whole again");
                if !notes.contains(&note) {
                    notes.push(note);
                }
                if let Some(last) = kept.last_mut() {
                    last.push(',');
                    last.push_str(&csv_cell(&word));
                }
                List::Value(flag)
            }
            List::Flag(flag) => {
                kept.push(word);
                List::Value(flag)
            }
            List::No | List::Value(_) => {
                let found = LISTS.into_iter().find_map(|flag| match word.strip_prefix(flag)? {
                    "" => Some(List::Flag(flag)),
                    rest => rest.starts_with('=').then_some(List::Value(flag)),
                });
                kept.push(word);
                found.unwrap_or(List::No)
            }
        };
    }
    kept
}

/// What the last word is.
#[derive(Clone, Copy)]
enum List {
    /// Nothing of a list.
    No,
    /// A list's flag; its value follows.
    Flag(&'static str),
    /// The end of a list's value.
    Value(&'static str),
}

/// Flags that kubelogin has no more, in their present form.
fn modernise(flags: &mut PluginFlags, notes: &mut Vec<String>) {
    if flags.take_switch("--oidc-use-pkce") == Some(true) {
        flags.replace("--oidc-pkce-method", &["S256".to_owned()]);
    }
    let ports = flags.take("--listen-port");
    if !ports.is_empty() {
        let mut addresses = flags.values("--listen-address");
        addresses.extend(ports.iter().map(|port| format!("127.0.0.1:{port}")));
        flags.replace("--listen-address", &addresses);
    }
    for flag in ["--oidc-redirect-url-hostname", "--oidc-redirect-url-authcode-keyboard"] {
        if !flags.take(flag).is_empty() {
            notes.push(format!(
                "{flag} has no effect any more and is gone; --oidc-redirect-url does what it did"
            ));
        }
    }
    for flag in ["--tls-renegotiation-once", "--tls-renegotiation-freely"] {
        if flags.take_switch(flag).is_some() {
            notes.push(format!("{flag} has no effect and is gone"));
        }
    }
    for (flag, storage) in [("--force-keyring", "keyring"), ("--no-keyring", "disk")] {
        if flags.take_switch(flag) == Some(true) {
            flags.replace("--token-cache-storage", &[storage.to_owned()]);
        }
    }
}

/// As kubectl's auth provider splits its scopes.
fn split(scopes: &str) -> impl Iterator<Item = &str> {
    scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty())
}
