//! `kubesso cluster …`: what a cluster needs to trust an issuer.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use kubesso_clusters::{
    Access, CertificateAuthority, ConfigFile, Grant, GrantedRole, Impossible, Instructions, IssuerUrl,
    Mapping, Request, Step, Target, TrustedIssuer, audiences,
};

use crate::args::{Cluster, ClusterConfig, ClusterGrant};
use crate::authority;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::output;
use crate::token::{base_url, find_application, find_server};

/// Runs `kubesso cluster …`.
pub(crate) async fn run(command: Cluster) -> Result<ExitCode, CommandError> {
    match command {
        Cluster::Config(command) => config(&command).await,
        Cluster::Grant(command) => grant(command),
        Cluster::Targets { output } => {
            let rows = Target::ALL.iter().map(|target| vec![target.name().to_owned(), target.to_string()]);
            let names: Vec<_> = Target::ALL.iter().map(|target| target.name()).collect();
            output::print(output.format, &names, || output::table(&["TARGET", "WHAT"], rows))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn config(command: &ClusterConfig) -> Result<ExitCode, CommandError> {
    let target: Target = command.target.parse().map_err(|_| CommandError::usage("unknown target"))?;
    let access = access(command).await?;
    let request = Request {
        target_version: command.target_version,
        form: command.form.map(Into::into),
        cluster: command.cluster.as_deref(),
        scope: command.scope.as_deref(),
        ..Request::new(&access, command.kubernetes_version)
    };
    let made = match target.instructions(&request) {
        Ok(made) => made,
        Err(impossible) => {
            output::print(command.output.format, &impossible.restrictions, || refusal(&impossible))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(directory) = &command.out {
        write_files(directory, &made.files)?;
    }
    output::print(command.output.format, &made, || screen(&made, command.out.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

fn grant(command: ClusterGrant) -> Result<ExitCode, CommandError> {
    let role = GrantedRole::of_name(&command.role);
    let grant = Grant { group: command.group, role, namespace: command.namespace };
    let manifest = grant.manifest().map_err(|error| CommandError::usage(error.to_string()))?;
    output::write_out(&manifest)?;
    Ok(ExitCode::SUCCESS)
}

/// Who may sign in: by a file, by flags, or as the kubesso on this machine has it.
async fn access(command: &ClusterConfig) -> Result<Access, CommandError> {
    if let Some(path) = &command.file {
        return access_of_file(path);
    }
    let mut issuer = if let Some(url) = &command.issuer {
        issuer_of_flags(command, url)?
    } else {
        issuer_of_provider(command).await?
    };
    let claim =
        |claim: &str, prefix: &str| Mapping::Claim { claim: claim.to_owned(), prefix: prefix.to_owned() };
    issuer.username = claim(&command.username_claim, &command.username_prefix);
    let has_groups = !command.groups_claim.is_empty();
    issuer.groups = has_groups.then(|| claim(&command.groups_claim, &command.groups_prefix));
    for pair in &command.required_claim {
        let (claim, value) = pair
            .split_once('=')
            .ok_or_else(|| CommandError::usage(format!("--required-claim {pair}: use CLAIM=VALUE")))?;
        issuer.required_claims.insert(claim.to_owned(), value.to_owned());
    }
    Access::new(vec![issuer], None).map_err(|error| CommandError::usage(error.to_string()))
}

fn access_of_file(path: &Path) -> Result<Access, CommandError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().lock().read_to_string(&mut text);
        read.map(|_| text).map_err(|error| CommandError::because("standard input cannot be read", &error))?
    } else {
        read(path)?
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = |name: &str| read(&folder.join(name)).map_err(|error| error.to_string());
    Access::from_yaml(&text, file)
        .map_err(|error| CommandError::usage(format!("{}: {error}", path.display())))
}

fn issuer_of_flags(command: &ClusterConfig, url: &str) -> Result<TrustedIssuer, CommandError> {
    let usage = |flag: &str, what: String| CommandError::usage(format!("{flag}: {what}"));
    let url = IssuerUrl::parse(url).map_err(|what| usage("--issuer", what))?;
    let audiences = audiences(command.client_id.clone()).map_err(|what| usage("--client-id", what))?;
    let mut issuer = TrustedIssuer::new(url, audiences);
    if let Some(path) = &command.ca {
        let authority = CertificateAuthority::parse(&read(path)?);
        issuer.certificate_authority =
            Some(authority.map_err(|what| usage("--ca", format!("{}: {what}", path.display())))?);
    }
    Ok(issuer)
}

/// An application of the directory at hand, at the issuer that people use it by.
async fn issuer_of_provider(command: &ClusterConfig) -> Result<TrustedIssuer, CommandError> {
    let root = environment::data_dir(&command.data)?;
    let (store, _) = Database::open_existing(&root).await?;
    let snapshot = store.snapshot().await;
    store.close().await;
    let snapshot = snapshot.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    let application = find_application(&snapshot, command.application.as_deref().unwrap_or_default())?;
    let server = find_server(&snapshot, command.server.as_deref())?;
    let base = base_url(command.base_url.as_ref(), &root)?.ok_or_else(|| {
        CommandError::usage("it is not known here by which address people reach the provider")
            .mend("say it with --base-url, as `base_url` in the configuration of kubesso serve")
    })?;
    let url = IssuerUrl::parse(&format!("{base}/oauth2/{}", server.server.id))
        .map_err(|what| CommandError::usage(format!("--base-url: {what}")))?;
    let mut issuer = TrustedIssuer::new(url, vec![application.client_id.to_string()]);
    if let Some(pem) = authority::certificate_at(&root) {
        issuer.certificate_authority = CertificateAuthority::parse(&pem).ok();
    }
    Ok(issuer)
}

fn read(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path)
        .map_err(|error| CommandError::because(format!("{} cannot be read", path.display()), &error))
}

/// All files or none: what is there and says something else is left alone, and so is everything else then.
fn write_files(directory: &Path, files: &[ConfigFile]) -> Result<(), CommandError> {
    let taken = files.iter().map(|file| directory.join(&file.name)).zip(files).find(|(path, file)| {
        fs::read_to_string(path)
            .map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |text| text != file.content)
    });
    if let Some((path, _)) = taken {
        return Err(CommandError::new(format!(
            "{} is there already, and says something else",
            path.display()
        ))
        .mend("remove it, or choose another directory with --out"));
    }
    let failed = |path: &Path, error: &io::Error| {
        CommandError::because(format!("{} cannot be written", path.display()), error)
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for file in files {
        let path = directory.join(&file.name);
        fs::write(&path, &file.content).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// As people read it.
fn screen(made: &Instructions, out: Option<&Path>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "For {}\n", made.target);
    for warning in &made.warnings {
        let _ = writeln!(text, "NOTE  {warning}\n");
    }
    for file in &made.files {
        let what = if file.is_part { "merge into" } else { "put at" };
        if let Some(directory) = out {
            let path = directory.join(&file.name);
            let _ = writeln!(text, "FILE  {}\n      {what}: {}\n", path.display(), file.place);
        } else {
            let _ = writeln!(text, "FILE  {}\n      {what}: {}\n", file.name, file.place);
            for line in file.content.trim_end().lines() {
                let _ = writeln!(text, "    {line}");
            }
            text.push('\n');
        }
    }
    for (heading, steps) in [("APPLY", &made.apply), ("VERIFY", &made.verify), ("ROLL BACK", &made.rollback)]
    {
        let _ = writeln!(text, "{heading}");
        for (index, Step { what, command }) in steps.iter().enumerate() {
            let _ = writeln!(text, "  {}. {what}", index + 1);
            if let Some(command) = command {
                let _ = writeln!(text, "     $ {command}");
            }
        }
        text.push('\n');
    }
    text
}

fn refusal(impossible: &Impossible) -> String {
    let mut text = format!("{impossible}:\n");
    for one in &impossible.restrictions {
        let _ = write!(text, "\n- {}\n  says    {}\n  instead {}\n", one.what, one.source, one.instead);
    }
    text
}
