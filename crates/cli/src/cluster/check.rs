//! `kubesso cluster check`: what is there, what it should be, and what the API servers have really loaded.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kubesso_clusters::lint::{Effect, Finding, Lint};
use kubesso_clusters::{
    Configuration, Difference, Found, Impossible, KubernetesVersion, Request, Target, Verdict,
    configuration_differences, detect, differences, loaded_hash, look,
};
use serde::Serialize;

use super::here::{context_of, is_container};
use super::host::{Machine, find};
use super::live::{self, Said};
use super::{cloud, config, target_of, whom};
use crate::api_server::ApiServer;
use crate::args::{ApiServerArgs, ClusterCheck};
use crate::error::CommandError;
use crate::output;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Where it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    differences: Vec<Difference>,
    /// What an API server would refuse of what is there, or would take in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    lint: Option<Lint>,
    /// What would break, or keeps it from taking effect.
    problems: Vec<String>,
    /// The hash of the file that the API servers should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    servers: Vec<Said>,
    well: bool,
}

/// Runs it.
pub(super) async fn run(command: &ClusterCheck) -> Result<ExitCode, CommandError> {
    let named = command.target.as_deref().map(target_of).transpose()?;
    if let Some(target) = named.filter(|target| cloud::is_cloud(*target) && command.configuration.is_empty())
    {
        return cloud::check(command, target).await;
    }
    let given = configuration(command, named)?;
    let (target, mut found) = match &given {
        Some(given) => (named.or(given.target), Some(given.found.clone())),
        None => files(command)?,
    };
    let server = match &given {
        // Whose cluster it is, nobody said.
        Some(_) if !is_named(&command.server) => None,
        _ => server(command, target).await?,
    };
    if found.is_none()
        && let Some(server) = &server
    {
        found = live::found(server).await;
    }
    let version = match command.told.kubernetes_version {
        Some(version) => version,
        None => version_of(server.as_ref()).await,
    };
    let mut report = Report {
        source: found.as_ref().map(|found| found.source.clone()),
        target,
        differences: Vec::new(),
        lint: found.as_ref().map(|found| lint(found, target, version, given.as_ref())),
        problems: found.as_ref().map(|found| found.notes.clone()).unwrap_or_default(),
        expected: None,
        servers: Vec::new(),
        well: false,
    };
    let is_file = given.as_ref().is_none_or(|given| !given.is_made);
    let there = found
        .as_ref()
        .filter(|_| is_file)
        .and_then(Found::configuration)
        .map(|text| loaded_hash(text.as_bytes()));
    let mut wanted = None;
    if command.whom.is_given() {
        let access = whom::access(&command.whom).await?;
        let request = Request { form: command.told.form.map(Into::into), ..Request::new(&access, version) };
        let target = target.unwrap_or(Target::StaticPod);
        match &found {
            // On a live cluster the file itself is out of reach; its hash is not.
            Some(found) if !found.is_out_of_reach() => {
                match compared(&request, target, found, given.as_ref()) {
                    Ok(all) => report.differences = all,
                    Err(impossible) => return config::refused(command.output.format, &impossible),
                }
            }
            _ => wanted = Some(request.file_hash()),
        }
    }
    let by_description = there.is_none();
    report.expected = there.or(wanted.flatten());
    if let Some(server) = server {
        report.problems.extend(live::problems(&server).await);
        let servers = live::servers(server, &command.server.endpoint).await?;
        report.servers = live::ask_all(&servers, report.expected.as_deref()).await;
    } else if found.is_none() {
        return Err(CommandError::usage("there is nothing to check").mend(
            "name files (--for, --root, --manifest, --configuration) or a cluster (--kubeconfig, --context)",
        ));
    }
    report.problems.extend(told_otherwise(&report.servers, by_description));
    if let Some(given) = &given {
        report.problems.extend(incomplete(given, report.servers.is_empty()));
    }
    report.well = report.differences.is_empty()
        && report.lint.as_ref().is_none_or(|lint| lint.findings.is_empty())
        && report.problems.is_empty()
        && report.servers.iter().all(|said| {
            said.error.is_none() && !matches!(said.verdict, Some(Verdict::Refused | Verdict::Another))
        });
    output::print(command.output.format, &report, || screen(&report))?;
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What would be refused of what is there. Of a file that nobody has there are no lines, and Google's cloud, which has no such file, says
/// in its own form what it trusts.
fn lint(
    found: &Found,
    target: Option<Target>,
    version: KubernetesVersion,
    given: Option<&Configuration>,
) -> Lint {
    if !given.is_some_and(|given| given.is_made) {
        return found.lint(target, version);
    }
    let mut lint = found.lint(target.filter(|target| *target != Target::Gke), version);
    lint.findings.iter_mut().for_each(|finding| finding.line = None);
    lint
}

/// By the form in which it was found.
fn compared(
    request: &Request<'_>,
    target: Target,
    found: &Found,
    given: Option<&Configuration>,
) -> Result<Vec<Difference>, Impossible> {
    match given {
        Some(given) => {
            configuration_differences(request, &Configuration { target: Some(target), ..given.clone() })
        }
        None => differences(request, target, found),
    }
}

/// What a configuration that was given says.
fn configuration(
    command: &ClusterCheck,
    named: Option<Target>,
) -> Result<Option<Configuration>, CommandError> {
    let mut files = Vec::new();
    for path in &command.configuration {
        let unreadable =
            |e: std::io::Error| CommandError::because(format!("{} cannot be read", path.display()), &e);
        let text = if path.as_os_str() == "-" {
            std::io::read_to_string(std::io::stdin()).map_err(unreadable)?
        } else {
            std::fs::read_to_string(path).map_err(unreadable)?
        };
        let name =
            if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
        files.push((name, text));
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let names = files.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let read = Configuration::read(&files).map_err(|unknown| {
        CommandError::because(format!("{names} cannot be read"), &unknown)
            .mend("a static pod's manifest is read by --manifest, the files of a machine by --for or --root")
    })?;
    // Their lists of arguments are the same.
    let is_either = matches!((named, read.target), (Some(Target::Rke2), Some(Target::K3s)));
    match (named, read.target) {
        (Some(named), Some(read)) if named != read && !is_either => {
            Err(CommandError::usage(format!("{names} is of {read}, and --for says {named}")))
        }
        _ => Ok(Some(read)),
    }
}

/// What keeps a configuration from being judged, or from being in force.
fn incomplete(given: &Configuration, is_alone: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let missing = given.found.file.as_ref().filter(|file| file.content.is_err());
    if let Some(file) = missing.filter(|_| is_alone) {
        problems.push(format!(
            "{} is named there and was not given: give it as another --configuration",
            file.path
        ));
    } else if given.lacks_authorities {
        problems.push(
            "authorities are named there and were not given: give them as another --configuration".to_owned(),
        );
    }
    if let Some(unfinished) = &given.unfinished {
        let what = if unfinished.is_final { "was given up (KS043)" } else { "is not in force yet (KS044)" };
        problems.push(format!("it {what}: {}", unfinished.state));
    }
    problems
}

/// What the machine's files say, if they are asked for.
fn files(command: &ClusterCheck) -> Result<(Option<Target>, Option<Found>), CommandError> {
    let named = command.target.as_deref().map(target_of).transpose()?;
    if named.is_none() && command.root.is_none() && command.manifest.is_none() {
        return Ok((None, None));
    }
    let inside =
        named.filter(|target| is_container(*target) && command.root.is_none() && command.manifest.is_none());
    let machine = match inside {
        Some(target) => {
            Machine::Container(find(target, command.which.cluster.as_deref(), command.which.node.as_deref())?)
        }
        None => Machine::new(command.root.as_deref().unwrap_or(Path::new("/"))),
    };
    let host = Given { machine: &machine, manifest: command.manifest.as_deref() };
    let target = match named {
        Some(target) => target,
        None if command.manifest.is_some() => Target::StaticPod,
        None => detect(&machine).ok_or_else(|| {
            CommandError::new("no Kubernetes that is known has its files there").mend("say which with --for")
        })?,
    };
    let found = look(target, &host, kubesso_clusters::MANIFEST).map_err(|e| {
        CommandError::because("what is there cannot be read", &e).mend(
            "on a machine of the control plane it is; a live cluster is read by --kubeconfig or --context",
        )
    })?;
    Ok((Some(target), Some(found)))
}

/// A machine whose manifest may be elsewhere.
struct Given<'a> {
    machine: &'a Machine,
    manifest: Option<&'a Path>,
}

impl kubesso_clusters::Host for Given<'_> {
    fn read(&self, path: &str) -> Result<Option<String>, String> {
        match self.manifest.filter(|_| path == kubesso_clusters::MANIFEST) {
            Some(manifest) => std::fs::read_to_string(manifest)
                .map(Some)
                .map_err(|error| format!("{}: {error}", manifest.display())),
            None => self.machine.read(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        self.machine.list(folder)
    }
}

/// The API server, if one is named, or the target's own is at hand, or there are no files to read.
async fn server(command: &ClusterCheck, target: Option<Target>) -> Result<Option<ApiServer>, CommandError> {
    let given = &command.server;
    let is_named = is_named(given);
    let at_hand =
        target.and_then(|target| kubeconfig_of(target, command.root.as_deref().unwrap_or(Path::new("/"))));
    if !is_named
        && let Some(context) = target.and_then(|target| context_of(target, command.which.cluster.as_deref()))
    {
        // The node is there, so its cluster is; without its context there is nobody to ask.
        return Ok(ApiServer::of_kubeconfig(None, Some(&context)).await.ok());
    }
    if !is_named && target.is_some() && at_hand.is_none() {
        return Ok(None);
    }
    connect(given, at_hand.as_deref()).await.map(Some)
}

fn is_named(given: &ApiServerArgs) -> bool {
    given.kubeconfig.is_some() || given.context.is_some() || !given.endpoint.is_empty()
}

/// By the kubeconfig that is named, else by the one at hand, else by kubectl's.
pub(super) async fn connect(
    given: &ApiServerArgs,
    at_hand: Option<&Path>,
) -> Result<ApiServer, CommandError> {
    let at_hand = at_hand.filter(|_| given.context.is_none());
    let file = given.kubeconfig.as_deref().or(at_hand);
    ApiServer::of_kubeconfig(file, given.context.as_deref()).await
}

/// The administrator's kubeconfig that a target keeps on its machine, if it is there.
pub(super) fn kubeconfig_of(target: Target, root: &Path) -> Option<PathBuf> {
    let path = match target {
        Target::Kubeadm | Target::StaticPod => "etc/kubernetes/admin.conf",
        Target::K3s => "etc/rancher/k3s/k3s.yaml",
        Target::Rke2 => "etc/rancher/rke2/rke2.yaml",
        Target::K0s => "var/lib/k0s/pki/admin.conf",
        Target::MicroK8s => "var/snap/microk8s/current/credentials/client.config",
        _ => return None,
    };
    Some(root.join(path)).filter(|path| path.is_file())
}

/// The API server's own version, else the one that is assumed.
pub(super) async fn version_of(server: Option<&ApiServer>) -> KubernetesVersion {
    let Some(server) = server else { return KubernetesVersion::ASSUMED };
    let said = server.get_json("/version").await.ok();
    // One that somebody built without saying so calls itself 0.0.
    let version = said.and_then(|said| said["gitVersion"].as_str()?.parse().ok());
    version.filter(|version| *version >= KubernetesVersion::new(1, 0)).unwrap_or(KubernetesVersion::ASSUMED)
}

/// What the API servers' words come to.
fn told_otherwise(servers: &[Said], by_description: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let hashes: std::collections::BTreeSet<_> =
        servers.iter().filter_map(|said| said.loaded.as_ref()?.hash.as_ref()).collect();
    if hashes.len() > 1 {
        problems.push(
            "the API servers have different files (KS045): a request is taken by one and refused by another"
                .to_owned(),
        );
    }
    for said in servers {
        let at = &said.endpoint;
        match said.verdict {
            Some(Verdict::Refused) => problems.push(format!(
                "{at} has refused the new file and keeps the old one (KS043): its log says why, after `failed to validate \
                 authentication config`"
            )),
            Some(Verdict::Another) if by_description => problems.push(format!(
                "{at} has another file than kubesso writes for this description; whether it means the same can be seen where the \
                 file is: kubesso cluster check --for … there"
            )),
            Some(Verdict::Another) => problems.push(format!(
                "{at} has another file than this one (KS044): it reads a changed file within a minute, unless the single file \
                 is mounted, or another path is meant; restart it then"
            )),
            _ => {}
        }
    }
    problems
}

fn screen(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if let Some(source) = &report.source {
        let what = report.target.map(|target| format!("{target}: ")).unwrap_or_default();
        let _ = writeln!(text, "READ     {what}{source}");
    }
    for one in &report.differences {
        let issuer = one.issuer.as_ref().map(|issuer| format!("{issuer}: ")).unwrap_or_default();
        let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".to_owned());
        let _ = writeln!(text, "DIFFERS  {issuer}{}", one.setting);
        let _ =
            writeln!(text, "         wanted  {}\n         found   {}", said(&one.wanted), said(&one.found));
    }
    if let Some(lint) = &report.lint {
        for finding in &lint.findings {
            text.push_str(&in_words(finding));
        }
        if !lint.expressions.is_empty() {
            let fields = lint.expressions.join(", ");
            let _ = writeln!(text, "UNREAD   what the CEL expressions say: {fields}");
        }
    }
    for said in &report.servers {
        let what = match (&said.error, said.verdict, &said.loaded) {
            (Some(error), ..) => format!("cannot be asked: {error}"),
            (None, Some(Verdict::Loaded), _) => "has loaded this very file".to_owned(),
            (None, Some(Verdict::Refused), _) => "REFUSED the file, and keeps what it had".to_owned(),
            (None, Some(Verdict::Another), _) => "has ANOTHER file".to_owned(),
            (None, Some(Verdict::Unknown), _) => "does not say which file it has".to_owned(),
            (None, None, Some(loaded)) => match &loaded.hash {
                Some(hash) => format!("has a file of {hash}"),
                None => "has no file, or does not say".to_owned(),
            },
            (None, None, None) => "says nothing".to_owned(),
        };
        let _ = writeln!(text, "SERVER   {} {what}", said.endpoint);
    }
    for problem in &report.problems {
        let _ = writeln!(text, "PROBLEM  {problem}");
    }
    text.push_str(if report.well { "All is as it should be.\n" } else { "Not all is as it should be.\n" });
    text
}

/// What is wrong with what is there: what becomes of it, where, and what to write.
fn in_words(finding: &Finding) -> String {
    let word = match finding.effect {
        Effect::Refused | Effect::RefusedByTarget => "REFUSED ",
        Effect::Harms => "HARMS   ",
        Effect::Works => "IN VAIN ",
    };
    let line = finding.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    // Some say the field themselves.
    let what = finding.what.strip_prefix(&format!("{}: ", finding.field)).unwrap_or(&finding.what);
    let mut text = format!("{word} {} {}{line}: {what}\n", finding.id(), finding.field);
    let rows = [("got", &finding.got), ("it says", &finding.upstream)];
    for (name, value) in rows.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        let _ = writeln!(text, "         {name:<7} {value}");
    }
    let _ = writeln!(text, "         write   {}", finding.instead);
    text
}
