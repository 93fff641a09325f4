//! `kubesso doctor --token …`: what was given becomes evidence, the issuer is asked, every check says its word.

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_doctor::evidence::{
    AccessEvidence, Evidence, KubeconfigEvidence, Person, PersonFrom, Question, RbacEvidence, Settings,
    TokenEvidence,
};
use kubesso_doctor::{ask_cluster, bundle, examine, print, probe};
use kubesso_kubeconfig::Kubeconfig;
use zeroize::Zeroizing;

use super::cluster::cluster;
use super::explain::paint;
use super::here::look_here;
use super::refresh::refresh;
use crate::args::{Doctor, Given, doctor_target};
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// A token of this size is none.
const LONGEST_TOKEN: u64 = 1 << 20;

/// Runs the checks.
pub(super) async fn run(command: Doctor) -> Result<ExitCode, CommandError> {
    let given = &command.given;
    let kubeconfig = kubeconfig(given)?;
    let mut evidence = gather(given, kubeconfig.as_ref())?;
    if !given.offline
        && let Some(kubeconfig) = &kubeconfig
    {
        ask(given, kubeconfig, &mut evidence).await?;
    }
    look_here(given, &mut evidence).await?;
    if !given.offline {
        let unusable = |e| CommandError::because("the issuer cannot be asked", &e).mend("correct --ca");
        probe(&mut evidence, Arc::new(SystemClock)).await.map_err(unusable)?;
    }
    if !given.can_i.is_empty() && evidence.token().is_none() && evidence.person().is_none() {
        let unknown =
            CommandError::usage("--can-i: it is not known who asks, because a plugin is not started for it");
        return Err(unknown.mend(
            "give the token (kubectl oidc-login get-token … | kubesso doctor --token - …), or have the plugin asked (--refresh), \
             or name the person (--as USER --as-group GROUP)",
        ));
    }
    let report = examine(&evidence);
    if let Some(file) = &given.bundle {
        write_bundle(file, &bundle(&evidence, &report))?;
    }
    output::print(command.output.format, &report, || print::report(&report, given.all, paint()))?;
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks the plugin for a refresh, if that is wanted, and the cluster.
async fn ask(given: &Given, kubeconfig: &Kubeconfig, evidence: &mut Evidence) -> Result<(), CommandError> {
    if given.refresh {
        let refreshed = refresh(kubeconfig, given.context.as_deref()).await?;
        if evidence.token.is_none() {
            evidence.token = refreshed.after.clone().ok().or_else(|| refreshed.before.clone());
        }
        evidence.refresh = Some(refreshed);
    }
    if let Some(cluster) = cluster(given, kubeconfig)? {
        let unusable = |e| CommandError::because("the kubeconfig cannot be used", &e);
        ask_cluster(evidence, &cluster, Arc::new(SystemClock)).await.map_err(unusable)?;
    }
    Ok(())
}

fn gather(given: &Given, kubeconfig: Option<&Kubeconfig>) -> Result<Evidence, CommandError> {
    let mut evidence = Evidence::new(SystemClock.now());
    evidence.target = doctor_target(given.target.as_deref());
    evidence.named_issuer.clone_from(&given.issuer);
    evidence.named_audience.clone_from(&given.audience);
    evidence.ca_pem = given.ca.as_deref().map(read).transpose()?;
    evidence.token = given.token.as_deref().map(token).transpose()?;
    evidence.settings = settings(given, evidence.ca_pem.clone())?;
    evidence.kubeconfig = kubeconfig.map(|it| context_of(given, it)).transpose()?;
    evidence.plugin_ca_pem = plugin_ca(&evidence)?;
    evidence.access = questions(given, kubeconfig)?;
    evidence.named_person =
        given.as_user.as_ref().map(|name| Person::named(name, &given.as_group, PersonFrom::Named));
    if !given.rbac.is_empty() {
        let mut rbac = RbacEvidence::default();
        for file in &given.rbac {
            let unreadable =
                |e| CommandError::because(format!("{} gives no roles and bindings", file.display()), &e);
            rbac.add(&read(file)?).map_err(unreadable)?;
        }
        evidence.rbac = Some(rbac);
    }
    Ok(evidence)
}

/// What is asked about rights; in the context's namespace, if it has one.
fn questions(given: &Given, kubeconfig: Option<&Kubeconfig>) -> Result<Vec<AccessEvidence>, CommandError> {
    let context = kubeconfig.and_then(|it| it.select_context(given.context.as_deref()).ok());
    let namespace = context.map(|context| context.value.namespace.as_str()).filter(|it| !it.is_empty());
    let read_once = |text: &String| {
        if text != "-" {
            return Ok(text.clone());
        }
        if given.token.as_deref() == Some("-") {
            let twice = CommandError::usage("--token - and --can-i - both want standard input");
            return Err(twice.mend("give the question as an argument, or the token in a file"));
        }
        let mut text = String::new();
        let unreadable = |e: io::Error| CommandError::because("standard input cannot be read", &e);
        io::stdin().lock().take(LONGEST_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
        Ok(text)
    };
    let question = |text: &String| {
        let question = Question::parse(&read_once(text)?, namespace.unwrap_or("default"));
        let question = question.map_err(|error| CommandError::usage(error.to_string()))?;
        Ok(AccessEvidence { question, server: None })
    };
    given.can_i.iter().map(question).collect()
}

/// From standard input or a file. A token as an argument would be seen by everybody on the machine.
fn token(from: &str) -> Result<TokenEvidence, CommandError> {
    if from.starts_with("eyJ") {
        let error = CommandError::usage("a token in the command line is seen by everybody on this machine");
        return Err(error.mend("pipe it: … | kubesso doctor --token -"));
    }
    let mut text = Zeroizing::new(String::new());
    let unreadable =
        |e: io::Error| CommandError::because(format!("the token cannot be read from {from}"), &e);
    if from == "-" {
        io::stdin().lock().take(LONGEST_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = fs::File::open(from).map_err(unreadable)?;
        file.take(LONGEST_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
    }
    if text.trim().is_empty() {
        return Err(CommandError::new(format!("there is no token in {from}"))
            .mend("see what the command before the pipe says"));
    }
    Ok(TokenEvidence::read(&text))
}

fn settings(given: &Given, ca_pem: Option<String>) -> Result<Option<Settings>, CommandError> {
    let mut settings = match &given.flags {
        Some(file) => {
            let unreadable = |e| CommandError::because(format!("{} gives no flags", file.display()), &e);
            Some(Settings::from_flags(&read(file)?).map_err(unreadable)?)
        }
        None => None,
    };
    if let Some(file) = &given.authentication_config {
        settings = Some(settings.unwrap_or_default().with_authentication(&read(file)?));
    }
    if let Some(settings) = &mut settings {
        settings.ca_pem = ca_pem;
    }
    Ok(settings)
}

fn kubeconfig(given: &Given) -> Result<Option<Kubeconfig>, CommandError> {
    let is_wanted = given.kubeconfig.is_some()
        || given.context.is_some()
        || given.admin_context.is_some()
        || given.refresh
        || given.echo.is_some()
        || !given.endpoint.is_empty();
    if !is_wanted {
        return Ok(None);
    }
    let locations = environment::kubeconfig_locations(given.kubeconfig.as_deref());
    let read = Kubeconfig::load(&locations);
    read.map(Some).map_err(|e| CommandError::because("the kubeconfig cannot be read", &e))
}

fn context_of(given: &Given, kubeconfig: &Kubeconfig) -> Result<KubeconfigEvidence, CommandError> {
    let mut evidence = KubeconfigEvidence::read(kubeconfig, given.context.as_deref()).map_err(|e| {
        CommandError::because("the kubeconfig says too little", &e).mend("name a context with --context")
    })?;
    evidence.look_for_programs(environment::is_a_program);
    if let Some(plugin) = &mut evidence.plugin {
        let is_taken = |address: &&String| {
            std::net::TcpListener::bind(address.as_str())
                .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        };
        plugin.taken = Some(plugin.listens_at.iter().filter(is_taken).cloned().collect());
    }
    Ok(evidence)
}

/// The authorities that the plugin is told to believe.
fn plugin_ca(evidence: &Evidence) -> Result<Option<String>, CommandError> {
    let Some(plugin) = evidence.plugin() else { return Ok(None) };
    if let Some(data) = &plugin.ca_data {
        let unreadable =
            || CommandError::new("--certificate-authority-data in the kubeconfig is no base64 of PEM");
        let bytes = STANDARD.decode(data).map_err(|_| unreadable())?;
        return String::from_utf8(bytes).map(Some).map_err(|_| unreadable());
    }
    plugin.ca_file.as_deref().map(read).transpose()
}

fn read(file: impl AsRef<Path>) -> Result<String, CommandError> {
    let file = file.as_ref();
    fs::read_to_string(file)
        .map_err(|e| CommandError::because(format!("{} cannot be read", file.display()), &e))
}

/// A new file, for its owner only: what is redacted is still nobody else's business.
fn write_bundle(file: &PathBuf, content: &impl serde::Serialize) -> Result<(), CommandError> {
    let unwritable =
        |e: &dyn std::error::Error| CommandError::because(format!("{} cannot be written", file.display()), e);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file).map_err(|e| unwritable(&e))?;
    let text = serde_json::to_string_pretty(content).map_err(|e| unwritable(&e))?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.write_all(b"\n")).map_err(|e| unwritable(&e))
}
