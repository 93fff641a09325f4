//! `kubesso token preview`: which tokens somebody would get, and why, or why not.

mod report;

use std::path::Path;
use std::process::ExitCode;

use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_directory::{
    AccessRequest, Application, Assignment, ClientId, Login, MANAGEMENT_SERVER, Person, Refusal, Server,
    Snapshot, Store, assignment, decide_with_reasons, parse_scopes,
};
use kubesso_provider::{PreviewRequest, preview};
use url::Url;

use crate::args::{Preview, Token as Command};
use crate::data_directory::DataDirectory;
use crate::database::Database;
use crate::environment;
use crate::error::CommandError;
use crate::output;
use report::{Decision, Lifetimes, Report};

/// What kubectl's plugins ask for.
const USUAL_SCOPES: &str = "openid email groups";

/// Runs `kubesso token …`.
pub(crate) async fn run(Command::Preview(command): Command) -> Result<ExitCode, CommandError> {
    let root = environment::data_dir(&command.data)?;
    let (store, _) = Database::open_existing(&root).await?;
    let report = report(&command, &*store, &root).await;
    store.close().await;
    let report = report?;
    output::print(command.output.format, &report, || report.screen())?;
    Ok(if report.issued { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn report(command: &Preview, store: &dyn Store, root: &Path) -> Result<Report, CommandError> {
    let unreadable = |e| CommandError::because("the directory cannot be read", &e);
    let snapshot = store.snapshot().await.map_err(unreadable)?;
    let application = find_application(&snapshot, &command.client)?;
    let server = find_server(&snapshot, command.server.as_deref())?;
    let scopes = if let Some(given) = &command.scopes {
        parse_scopes(given).unwrap_or_default()
    } else {
        let mut usual = parse_scopes(USUAL_SCOPES).unwrap_or_default();
        usual.retain(|scope| server.scope(scope).is_some());
        usual
    };
    if scopes.is_empty() {
        return Err(CommandError::usage("--scopes must be names between blanks, \"openid email\" say"));
    }
    let login = Login::parse(&command.user).map_err(|e| CommandError::usage(e.to_string()))?;
    let nobody = || {
        CommandError::new(format!("there is nobody with the login {}", command.user))
            .mend("see `kubesso user list`")
    };
    let user = store.user_by_login(&login).await.map_err(unreadable)?.ok_or_else(nobody)?;
    let person = store.person(&user.id).await.map_err(unreadable)?.ok_or_else(nobody)?;
    let grant_type = command.grant.grant_type();

    let mut refused = Vec::new();
    if !application.status.is_active() {
        refused.push(format!("the application {:?} is not active", application.label.as_str()));
    }
    if !application.grant_types.contains(&grant_type) {
        let (label, grant) = (application.label.as_str(), grant_type.as_str());
        refused.push(format!("the application {label:?} does not list the grant type `{grant}`"));
    }
    if !person.user.status.may_sign_in() {
        let status = person.user.status.as_str();
        refused.push(format!("{} may not sign in: the status is {status}, not ACTIVE", command.user));
    }
    let assigned = assignment(&snapshot, &application.id, &person);
    if assigned.is_none() {
        refused.push(unassigned(&snapshot, application, &person, store).await?);
    }
    let request =
        AccessRequest { client: &application.client_id, grant_type, person: Some(&person), scopes: &scopes };
    let (grant, passed_over) = match decide_with_reasons(server, &request) {
        Ok((grant, passed_over)) => (Some(grant), passed_over),
        Err(Refusal::NoMatch { server, misses }) => {
            refused.push(if misses.is_empty() {
                format!("the authorization server {server:?} has no access policy")
            } else {
                format!("no access policy of the authorization server {server:?} allows it")
            });
            (None, misses)
        }
        Err(refusal) => {
            refused.push(refusal.to_string());
            (None, Vec::new())
        }
    };
    let base_url = base_url(command.base_url.as_ref(), root)?;
    let issuer = base_url.as_ref().map(|base| format!("{base}/oauth2/{}", server.server.id));
    let seen = grant.filter(|_| refused.is_empty()).map(|grant| {
        preview(&PreviewRequest {
            issuer: issuer.as_deref().unwrap_or_default(),
            server,
            application,
            person: &person,
            scopes: &scopes,
            lifetimes: grant.lifetimes(),
            now: SystemClock.now(),
        })
    });
    let mut report = Report {
        issued: refused.is_empty(),
        user: command.user.clone(),
        groups: person.groups.iter().map(|group| group.name.to_string()).collect(),
        client: application.client_id.to_string(),
        application: application.label.to_string(),
        authorization_server: server.server.name.to_string(),
        issuer,
        grant_type: grant_type.as_str(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        assigned: assigned.map(|assigned| assigned_by(&assigned, &person)),
        decision: grant.map(|grant| Decision {
            policy: grant.policy.name.to_string(),
            rule: grant.rule.name.to_string(),
        }),
        passed_over: passed_over.iter().map(ToString::to_string).collect(),
        refused,
        lifetimes: None,
        access_token: None,
        id_token: None,
        problems: Vec::new(),
    };
    if let (Some(seen), Some(grant)) = (seen, grant) {
        let lasting = |mut claims: serde_json::Map<String, serde_json::Value>| {
            if report.issuer.is_none() {
                claims.remove("iss");
            }
            claims
        };
        report.lifetimes =
            Some(Lifetimes::of(grant.lifetimes(), seen.id_token.is_some(), seen.refresh_token));
        report.access_token = Some(lasting(seen.access_token));
        report.id_token = seen.id_token.map(lasting);
        report.problems = seen.problems.iter().map(ToString::to_string).collect();
    }
    Ok(report)
}

pub(crate) fn find_application<'a>(
    snapshot: &'a Snapshot,
    wanted: &str,
) -> Result<&'a Application, CommandError> {
    let by_id = ClientId::parse(wanted).ok().and_then(|id| snapshot.application(&id));
    let by_label = || snapshot.applications().find(|application| application.label.as_str() == wanted);
    by_id.or_else(by_label).ok_or_else(|| {
        let known = snapshot.applications().map(|it| format!("{} ({})", it.client_id, it.label));
        CommandError::new(format!("there is no application {wanted:?}"))
            .mend(format!("there are {}", known.collect::<Vec<_>>().join(", ")))
    })
}

/// The server of that id or else that name; without one, the only active one that is not kubesso's own.
pub(crate) fn find_server<'a>(
    snapshot: &'a Snapshot,
    wanted: Option<&str>,
) -> Result<&'a Server, CommandError> {
    let names = |servers: &[&Server]| {
        let names = servers.iter().map(|it| format!("{} ({})", it.server.id, it.server.name));
        names.collect::<Vec<_>>().join(", ")
    };
    if let Some(wanted) = wanted {
        let by_id = snapshot.servers().find(|it| it.server.id.as_str() == wanted);
        let by_name = || snapshot.servers().find(|it| it.server.name.as_str() == wanted);
        return by_id.or_else(by_name).ok_or_else(|| {
            CommandError::new(format!("there is no authorization server {wanted:?}"))
                .mend(format!("there are {}", names(&snapshot.servers().collect::<Vec<_>>())))
        });
    }
    let active: Vec<_> = snapshot
        .servers()
        .filter(|it| it.server.status.is_active() && it.server.id.as_str() != MANAGEMENT_SERVER)
        .collect();
    match active.as_slice() {
        [one] => Ok(one),
        [] => Err(CommandError::new("there is no active authorization server")),
        several => Err(CommandError::usage("there are several authorization servers")
            .mend(format!("name one with --server: {}", names(several)))),
    }
}

fn assigned_by(assigned: &Assignment, person: &Person) -> String {
    match assigned {
        Assignment::Direct => "to the person".to_owned(),
        Assignment::ByGroup(id) => match person.groups.iter().find(|group| group.id == *id) {
            Some(group) => format!("to the group {}", group.name),
            None => format!("to the group {id}"),
        },
    }
}

/// That the application is not the person's, and whose it is.
async fn unassigned(
    snapshot: &Snapshot,
    application: &Application,
    person: &Person,
    store: &dyn Store,
) -> Result<String, CommandError> {
    let mut groups = Vec::new();
    for assigned in snapshot.group_assignments(&application.id) {
        let group = store.group(&assigned.group).await;
        let group = group.map_err(|e| CommandError::because("the directory cannot be read", &e))?;
        groups.push(group.map_or_else(|| assigned.group.to_string(), |group| group.name.to_string()));
    }
    let login = person.user.profile.login.as_str();
    let label = application.label.as_str();
    Ok(if groups.is_empty() {
        format!("the application {label:?} is assigned to no group, and not to {login}")
    } else {
        let groups = groups.join(", ");
        format!(
            "{login} is not assigned to the application {label:?}, and is in none of its groups ({groups})"
        )
    })
}

/// Without a slash at the end; `None` if it is not known here.
pub(crate) fn base_url(given: Option<&Url>, root: &Path) -> Result<Option<String>, CommandError> {
    let given = given.map(ToString::to_string);
    if let Some(given) = given.or_else(|| environment::set("KUBESSO_BASE_URL")) {
        return Ok(Some(given.trim_end_matches('/').to_owned()));
    }
    let ports = DataDirectory::ports_at(root).map_err(|e| CommandError::new(e.to_string()))?;
    Ok(ports.provider.map(|port| format!("https://localhost:{port}")))
}
