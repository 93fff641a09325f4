//! `kubesso import`: what is there as a file that wants nothing else.

use std::process::ExitCode;

use kubesso_chain::{AccessFile, Address, ChainName, Import, Plan, ProviderState, import_grants};

use super::kubernetes;
use super::provider::Provider;
use crate::args::ChainImport;
use crate::error::CommandError;
use crate::output;

/// Runs `kubesso import`.
pub(crate) fn import(command: &ChainImport) -> Result<ExitCode, CommandError> {
    let wrong = |error: &dyn std::error::Error| CommandError::usage(error.to_string());
    let chain =
        ChainName::parse(&command.name).map_err(|what| CommandError::usage(format!("--name: {what}")))?;
    let absolute = |path: &std::path::PathBuf| {
        std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
    };
    let import = Import {
        url: command.provider.as_str().trim_end_matches('/').to_owned(),
        certificate_authority_file: command.certificate_authority.as_ref().map(absolute),
        api_token_file: command.api_token_file.as_ref().map(absolute),
        application: command.application.clone(),
        authorization_server: command.authorization_server.clone(),
        groups: command.group.clone(),
    };
    let runtime = crate::runtime()?;
    let names = AccessFile::parse(&import.names_only(&[])).map_err(|error| wrong(&error))?;
    let Some(section) = names.provider.as_ref() else {
        return Err(CommandError::usage("--provider: name it"));
    };
    let here = std::path::Path::new("");
    let provider = Provider::enter(section, here, command.grant_type, &runtime)?;
    let read = |file: &AccessFile| {
        let wanted = file.provider_side(None);
        let state = runtime.block_on(ProviderState::read(&provider, file, &chain, &wanted));
        state.map_err(|error| CommandError::new(error.to_string()))
    };
    let first = read(&names)?;
    let named = names.provider_side(None);
    let is_there = |address: &Address| first.found.iter().any(|found| found.address == *address);
    let mut outer = named.iter().map(|wanted| &wanted.address).filter(|address| address.within.is_empty());
    if let Some(missing) = outer.find(|address| !is_there(address)) {
        return Err(CommandError::new(format!("the provider has no {missing}")));
    }
    // Now that it is known which groups the application has, they are read too.
    let assigned = import.assigned(&first.found);
    let again = AccessFile::parse(&import.names_only(&assigned)).map_err(|error| wrong(&error))?;
    let state = read(&again)?;
    let mut text = import.file(&chain, &state.found);
    let mut notes = Vec::new();
    let made = AccessFile::parse(&text).map_err(|error| {
        CommandError::new(format!("what is there is more than a file can say: {error}\n{text}"))
    })?;
    let plan = Plan::new(&made.provider_side(None), &state.found)
        .map_err(|error| wrong(&error).mend("for the latter: --name"))?;
    notes.extend(plan.changes.iter().map(|change| {
        format!("the file cannot say all of {}: `kubesso plan` shows what it would change", change.address)
    }));
    if let Some(context) = &command.context {
        let entered = kubernetes::enter(context, context, command.kubeconfig.as_deref(), &runtime)?;
        let kubeconfig = command.kubeconfig.as_ref().map(absolute);
        let kubeconfig = kubeconfig.map(|file| format!(", kubeconfig: {file:?}")).unwrap_or_default();
        let cluster = format!("{{name: cluster, context: {context:?}{kubeconfig}}}");
        let (grants, more) = runtime
            .block_on(import_grants(&entered.api, &cluster, &command.binding))
            .map_err(|error| CommandError::because("the cluster cannot be read", &error))?;
        text.push_str(&grants);
        notes.extend(more);
    }
    output::write_out(&text)?;
    for note in notes {
        eprintln!("NOTE  {note}");
    }
    Ok(ExitCode::SUCCESS)
}
