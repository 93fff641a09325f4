//! `kubesso cluster grant`: what gives a group a role, printed or applied.

use std::process::ExitCode;

use kubesso_chain::{
    Action, Change, Found, Plan, WantedObject, Write, apply_grant, missing_role, read_single_grant, refusal,
    single_grant,
};
use kubesso_clusters::{Grant, GrantedRole};

use super::apply::confirmed;
use crate::api_server::ApiServer;
use crate::args::ClusterGrant;
use crate::chain::colours;
use crate::environment;
use crate::error::CommandError;
use crate::output;

/// Runs it.
pub(super) async fn run(command: ClusterGrant) -> Result<ExitCode, CommandError> {
    let role = GrantedRole::of_name(&command.role);
    let grant = Grant { group: command.group.clone(), role, namespace: command.namespace.clone() };
    let manifest = grant.manifest().map_err(|error| CommandError::usage(error.to_string()))?;
    if !command.apply {
        output::write_out(&manifest)?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = ApiServer::of_kubeconfig(command.kubeconfig.as_deref(), command.context.as_deref()).await?;
    let cluster = name(&command).unwrap_or_else(|| server.url.to_string());
    let of = Granting { objects: single_grant(&grant, &cluster), server };
    of.bring(&command, &cluster).await
}

/// The objects, and who stores them.
struct Granting {
    server: ApiServer,
    objects: Vec<WantedObject>,
}

impl Granting {
    async fn bring(&self, command: &ClusterGrant, cluster: &str) -> Result<ExitCode, CommandError> {
        let unreadable = |e| CommandError::because(format!("the cluster {cluster} cannot be read"), &e);
        let found = read_single_grant(&self.server, cluster, &self.objects).await.map_err(unreadable)?;
        let wanted: Vec<_> = self.objects.iter().map(|object| object.wanted.clone()).collect();
        let mut plan = Plan::new(&wanted, &found).map_err(|taken| {
            CommandError::new(taken.to_string()).mend("change it in that file, or choose another role")
        })?;
        // They speak of a file; whose a thing is does not matter here.
        plan.notes.clear();
        if let Some(role) = missing_role(&self.server, &self.objects).await.map_err(unreadable)? {
            plan.notes
                .push(format!("there is no ClusterRole {role:?} yet: until there is, this gives nothing"));
        }
        if plan.is_empty() {
            for note in &plan.notes {
                output::write_out(&format!("NOTE  {note}\n"))?;
            }
            output::write_out("Nothing to do: the group has it already.\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        output::write_out(&plan.text(colours()))?;
        self.try_out(&plan, &found).await?;
        if command.dry_run {
            output::write_out("The API server would take it. Nothing was changed (--dry-run).\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        if !confirmed(command.yes, "Change it?")? {
            return Ok(ExitCode::FAILURE);
        }
        for change in &plan.changes {
            self.step(change, &found, Write::ForReal).await?;
            output::write_out(&format!("{}: {}\n", change.address, change.action.done()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Has the API server judge it before anybody is asked.
    async fn try_out(&self, plan: &Plan, found: &[Found]) -> Result<(), CommandError> {
        let makes_role = plan.changes.iter().any(|change| {
            change.action == Action::Add
                && self.object(change).is_some_and(|one| one.object["rules"].is_array())
        });
        // A binding of a role that is yet to be made cannot be judged.
        let count = if makes_role { 1 } else { plan.changes.len() };
        for change in plan.changes.iter().take(count) {
            self.step(change, found, Write::OnTrial).await?;
        }
        Ok(())
    }

    fn object(&self, change: &Change) -> Option<&WantedObject> {
        self.objects.iter().find(|object| object.wanted.address == change.address)
    }

    async fn step(&self, change: &Change, found: &[Found], write: Write) -> Result<(), CommandError> {
        let there = found.iter().find(|found| found.address == change.address);
        let is_replaced = change.action == Action::Replace;
        let done = apply_grant(&self.server, self.object(change), there, is_replaced, write).await;
        done.map_err(|error| {
            let verb = match write {
                Write::ForReal => "was not done",
                Write::OnTrial => "would not be taken, and nothing was changed",
            };
            CommandError::new(format!("{} {verb}: {}", change.address, refusal(&error, &change.address)))
        })
    }
}

/// The context's name, as people know the cluster.
fn name(command: &ClusterGrant) -> Option<String> {
    let locations = environment::kubeconfig_locations(command.kubeconfig.as_deref());
    let kubeconfig = kubesso_kubeconfig::Kubeconfig::load(&locations).ok()?;
    Some(kubeconfig.select_context(command.context.as_deref()).ok()?.name.clone())
}
