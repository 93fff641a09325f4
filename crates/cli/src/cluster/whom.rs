//! Who may sign in, as it is given on the command line: a file, flags, or an application of the kubesso on this machine.

use std::fs;
use std::path::Path;

use kubesso_clusters::{Access, CertificateAuthority, IssuerUrl, Mapping, TrustedIssuer, audiences};
use url::Url;

use crate::args::{DataDir, Whom};
use crate::authority;
use crate::chain;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::token::{base_url, find_application, find_server};

/// Who may sign in: by a file, by flags, or as the kubesso on this machine has it.
pub(super) async fn access(command: &Whom) -> Result<Access, CommandError> {
    if let Some(path) = &command.file {
        return access_of_file(path);
    }
    let mut issuer = if let Some(url) = &command.issuer {
        issuer_of_flags(command, url)?
    } else {
        let application = command.application.as_deref().unwrap_or_default();
        let server = command.server.as_deref();
        issuer_of_provider(application, server, command.base_url.as_ref(), &command.data).await?
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

/// What `access.yaml` says (`-` is standard input).
pub(crate) fn access_of_file(path: &Path) -> Result<Access, CommandError> {
    // What the file's provider makes is asked there, by a runtime of its own: not in this thread, which has one.
    let asked = std::thread::scope(|scope| scope.spawn(|| chain::access_of(path)).join());
    asked.unwrap_or_else(|_| Err(CommandError::new(format!("{} cannot be read", path.display()))))
}

fn issuer_of_flags(command: &Whom, url: &str) -> Result<TrustedIssuer, CommandError> {
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
pub(crate) async fn issuer_of_provider(
    application: &str,
    server: Option<&str>,
    base: Option<&Url>,
    data: &DataDir,
) -> Result<TrustedIssuer, CommandError> {
    let root = environment::data_dir(data)?;
    let (store, _) = Database::open_existing(&root).await?;
    let snapshot = store.snapshot().await;
    store.close().await;
    let snapshot = snapshot.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
    let application = find_application(&snapshot, application)?;
    let server = find_server(&snapshot, server)?;
    let base = base_url(base, &root)?.ok_or_else(|| {
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

pub(super) fn read(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path)
        .map_err(|error| CommandError::because(format!("{} cannot be read", path.display()), &error))
}
