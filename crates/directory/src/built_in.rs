//! What every directory has, whatever else is in it.

use kubesso_ambient::{Clock, Entropy};

use crate::application::{Application, GrantType, GroupAssignment, Status};
use crate::authorization_server::{AuthorizationServer, Scope};
use crate::group::{Group, GroupType};
use crate::id::{ApplicationId, AuthorizationServerId, ClientId, IdError, PolicyId, RuleId};
use crate::name::{Audience, GroupName, Label, NameError};
use crate::policy::{Lifetimes, Policy, PolicyClients, Rule, RulePeople, RuleScopes};
use crate::redirect::{RedirectUri, RedirectUriError};
use crate::store::{Batch, Change, Expectation, Store};
use crate::store_error::StoreError;

/// Why the built-in objects are not there.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInError {
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An id that cannot be one.
    #[error(transparent)]
    Id(#[from] IdError),
    /// An address that cannot be one.
    #[error(transparent)]
    RedirectUri(#[from] RedirectUriError),
    /// The store did not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An administrator has a group of that name.
    #[error("there is a group called `{0}` that is not the built-in one: rename it, and start again")]
    NameTaken(&'static str),
}

/// The built-in group that everybody is in, made if the directory is from a time before it had one.
pub async fn everyone(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Group, BuiltInError> {
    let name = GroupName::parse(Group::EVERYONE)?;
    for _ in 0..2 {
        match store.group_by_name(&name).await? {
            Some(group) if group.group_type == GroupType::BuiltIn => return Ok(group),
            Some(_) => return Err(BuiltInError::NameTaken(Group::EVERYONE)),
            None => {}
        }
        let now = clock.now();
        let group = Group::everyone(entropy, now)?;
        let batch = Batch::new(now, vec![Change::PutGroup(group.clone())]).expecting(Expectation::Any);
        match store.commit(batch).await {
            Ok(_) => return Ok(group),
            // Another replica was faster.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(BuiltInError::NameTaken(Group::EVERYONE))
}

/// The authorization server by which administrators sign in to kubesso itself: its issuer ends in `/oauth2/kubesso`.
pub const MANAGEMENT_SERVER: &str = "kubesso";

/// The application by which they do: kubesso's own command line.
pub const MANAGEMENT_CLIENT: &str = "kubesso-cli";

/// Makes what administrators sign in to kubesso's command line with, as far as it is not there: an authorization server
/// and a native application that everybody is assigned to. Whether a person may manage anything, the roles say. What an
/// administrator changed or deactivated stays so.
pub async fn management_login(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), BuiltInError> {
    let everyone = everyone(store, clock, entropy).await?;
    for _ in 0..3 {
        let snapshot = store.snapshot().await?;
        let server = AuthorizationServerId::parse(MANAGEMENT_SERVER)?;
        let client = ClientId::parse(MANAGEMENT_CLIENT)?;
        let now = clock.now();
        let mut changes = Vec::new();
        if snapshot.application(&client).is_none() {
            let id = ApplicationId::parse(MANAGEMENT_CLIENT)?;
            let redirect_uris = vec![RedirectUri::parse("http://localhost:8000")?];
            let mut application =
                Application::native(id, Label::parse("kubesso command line")?, redirect_uris, now);
            application.grant_types.insert(GrantType::DeviceCode);
            let assignment = GroupAssignment::new(application.id.clone(), everyone.id.clone(), 0, now);
            changes.extend([Change::PutApplication(application), Change::AssignGroup(assignment)]);
        }
        if snapshot.server(&server).is_none() {
            let name = Label::parse("kubesso management")?;
            let mut made = AuthorizationServer::new(
                server.clone(),
                name,
                vec![Audience::parse(MANAGEMENT_SERVER)?],
                now,
            );
            "By which administrators sign in to kubesso's own command line".clone_into(&mut made.description);
            // Only kubesso reads its tokens, and this kind of key is made in no time.
            "ES256".clone_into(&mut made.algorithm);
            changes.push(Change::PutAuthorizationServer(made));
            changes.extend(Scope::system(&server, entropy).into_iter().map(Change::PutScope));
            changes.extend(policy(&server, client, entropy, now)?);
        }
        if changes.is_empty() {
            return Ok(());
        }
        match store
            .commit(Batch::new(now, changes).expecting(Expectation::Revision(snapshot.revision())))
            .await
        {
            Ok(_) => return Ok(()),
            // Another replica was faster.
            Err(StoreError::Stale | StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Stale.into())
}

fn policy(
    server: &AuthorizationServerId,
    client: ClientId,
    entropy: &dyn Entropy,
    now: jiff::Timestamp,
) -> Result<[Change; 2], BuiltInError> {
    let policy = Policy {
        id: PolicyId::generate(entropy),
        server: server.clone(),
        name: Label::parse("Command line")?,
        description: "Who gets tokens for kubesso's command line".to_owned(),
        status: Status::Active,
        priority: 1,
        clients: PolicyClients::Only([client].into()),
        system: false,
        created: now,
        last_updated: now,
    };
    let rule = Rule {
        id: RuleId::generate(entropy),
        policy: policy.id.clone(),
        name: Label::parse("Browser or device")?,
        status: Status::Active,
        priority: 1,
        grant_types: [GrantType::AuthorizationCode, GrantType::DeviceCode].into(),
        people: RulePeople::everyone(),
        scopes: RuleScopes::Any,
        lifetimes: Lifetimes::default(),
        system: false,
        created: now,
        last_updated: now,
    };
    Ok([Change::PutPolicy(policy), Change::PutRule(rule)])
}
