//! Applications: OAuth clients and who may use them.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use http::StatusCode;
use kubesso_directory::{
    Access, Application, ApplicationId, AttributePath, Change, ClientAuthentication, ClientId, ClientSecret,
    ClientSecretId, ClientSecretValue, Comparison, Filter, GroupId, Literal, Person, Registration, Resource,
    RoleHolder, Snapshot, Status, UserId,
};
use serde_json::{Map, Value, json};

use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};

mod assigned_groups;
mod assigned_users;
mod credentials;
mod grants;
mod id_token;
pub(crate) mod settings;
pub(crate) mod view;

use settings::{Proof, Wanted};
use view::Secrets;

/// The addresses under `/api/v1/apps`.
pub(crate) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/apps", get(list).post(create))
        .route("/api/v1/apps/{id}", get(read).put(replace).delete(remove))
        .route("/api/v1/apps/{id}/lifecycle/activate", post(activate))
        .route("/api/v1/apps/{id}/lifecycle/deactivate", post(deactivate))
        .route("/api/v1/apps/{id}/policies/{policy}", put(set_access_policy))
        .route("/api/v1/apps/{id}/features", get(features))
        .route("/api/v1/apps/{id}/logo", post(logo))
        .merge(assigned_groups::routes())
        .merge(assigned_users::routes())
        .merge(credentials::routes())
        .merge(grants::routes())
        .merge(id_token::routes())
}

/// `GET /api/v1/apps?q&filter&limit&after`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let paging = Paging::read(&parameters, 20, 200)?;
    let filter = parameters.searched()?;
    let snapshot = context.snapshot().await?;
    let person = match filter.as_ref().and_then(wanted_user) {
        Some(user) => match UserId::parse(user) {
            Ok(user) => context.store.person(&user).await?,
            Err(_) => None,
        },
        None => None,
    };
    let prefix = parameters.get("q").map(str::to_lowercase);
    let mut found: Vec<&Application> = snapshot
        .applications()
        .filter(|application| {
            prefix.as_ref().is_none_or(|prefix| application.label.as_str().to_lowercase().starts_with(prefix))
        })
        .filter(|application| {
            let attribute = |path: &AttributePath| attribute(&snapshot, application, person.as_ref(), path);
            filter.as_ref().is_none_or(|filter| filter.matches(&attribute))
        })
        .collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let secrets = secrets_for(&caller);
    Ok(paging.answer_all(
        &context,
        found,
        |application| application.id.to_string(),
        |application| view::application(&context, application, secrets),
    ))
}

/// The user that a filter asks for by `user.id eq "…"`.
fn wanted_user(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().find_map(wanted_user),
        Filter::Not(one) => wanted_user(one),
        Filter::Compare { attribute, operator: Comparison::Equal, value: Literal::Text(id) }
            if attribute.as_str() == "user.id" =>
        {
            Some(id)
        }
        Filter::Compare { .. } | Filter::Present(_) => None,
    }
}

fn attribute(
    snapshot: &Snapshot,
    application: &Application,
    person: Option<&Person>,
    path: &AttributePath,
) -> Option<Value> {
    match path.as_str() {
        "id" => Some(application.id.as_str().into()),
        "name" => Some("oidc_client".into()),
        "label" => Some(application.label.as_str().into()),
        "status" => Some(application.status.as_str().into()),
        "group.id" => {
            let groups = snapshot.group_assignments(&application.id).iter();
            Some(groups.map(|assigned| assigned.group.as_str()).collect())
        }
        "user.id" => {
            let person = person?;
            let is_assigned = kubesso_directory::assignment(snapshot, &application.id, person).is_some();
            is_assigned.then(|| person.user.id.as_str().into())
        }
        _ => None,
    }
}

/// `POST /api/v1/apps?activate`
async fn create(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    let active = parameters.flag("activate", true)?;
    let wanted = Wanted::read(body)?;
    let id = ApplicationId::generate(&*context.entropy);
    let client_id = wanted.client_id.clone().unwrap_or_else(|| ClientId::from_application(&id));
    let now = context.now();
    let application = Application {
        id,
        client_id,
        label: wanted.label.clone(),
        status: if active { Status::Active } else { Status::Inactive },
        application_type: wanted.application_type,
        authentication: authentication(&context, &wanted, None),
        pkce_required: wanted.pkce_required,
        grant_types: wanted.grant_types,
        response_types: wanted.response_types,
        redirect_uris: wanted.redirect_uris,
        post_logout_redirect_uris: wanted.post_logout_redirect_uris,
        refresh_rotation: wanted.refresh_rotation,
        api_scopes: std::collections::BTreeSet::new(),
        other: wanted.other,
        created: now,
        last_updated: now,
    };
    context
        .change_configuration(|snapshot| {
            if snapshot.application(&application.client_id).is_some() {
                return Err(ApiError::taken("credentials.oauthClient.client_id"));
            }
            let entry =
                entry(&context, &caller, "application.lifecycle.create", "Create application", &application);
            Ok((vec![Change::PutApplication(application.clone()), entry], ()))
        })
        .await?;
    Ok(Json(view::application(&context, &application, Secrets::Shown)))
}

/// `GET /api/v1/apps/{id}`
async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    let snapshot = context.snapshot().await?;
    Ok(Json(view::application(&context, find(&snapshot, &id)?, secrets_for(&caller))))
}

/// `PUT /api/v1/apps/{id}`: replaces everything but the id, the status and the assignments.
async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    let wanted = Wanted::read(body)?;
    require_over_application(&context, &caller, &id).await?;
    let application = context
        .change_configuration(|snapshot| {
            let before = find(snapshot, &id)?;
            if wanted.client_id.as_ref().is_some_and(|client_id| *client_id != before.client_id) {
                return Err(ApiError::invalid(
                    "credentials.oauthClient.client_id",
                    "The client id cannot be changed: tokens, policies and kubeconfigs hold it",
                ));
            }
            let mut other = wanted.other.clone();
            for kept in [id_token::KEPT, Registration::KEPT] {
                if let Some(value) = before.other.get(kept) {
                    other.insert(kept.to_owned(), value.clone());
                }
            }
            let after = Application {
                label: wanted.label.clone(),
                application_type: wanted.application_type,
                authentication: authentication(&context, &wanted, Some(before)),
                pkce_required: wanted.pkce_required,
                grant_types: wanted.grant_types.clone(),
                response_types: wanted.response_types.clone(),
                redirect_uris: wanted.redirect_uris.clone(),
                post_logout_redirect_uris: wanted.post_logout_redirect_uris.clone(),
                refresh_rotation: wanted.refresh_rotation,
                other,
                ..before.clone()
            };
            if is_same(&context, before, &after) {
                return Ok((Vec::new(), before.clone()));
            }
            let after = Application { last_updated: context.now(), ..after };
            let entry =
                entry(&context, &caller, "application.lifecycle.update", "Update application", &after);
            Ok((vec![Change::PutApplication(after.clone()), entry], after))
        })
        .await?;
    Ok(Json(view::application(&context, &application, Secrets::Shown)))
}

/// Whether a replacement changes nothing: neither what decides, nor what is shown. Clients that echo a whole answer send
/// defaults along which were never stored.
fn is_same(context: &Context, before: &Application, after: &Application) -> bool {
    let decisive = |application: &Application| Application { other: Map::new(), ..application.clone() };
    let shown = |application: &Application| view::application(context, application, Secrets::Hidden);
    before == after || (decisive(before) == decisive(after) && shown(before) == shown(after))
}

/// `DELETE /api/v1/apps/{id}`: only of an inactive one.
async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    require_over_application(&context, &caller, &id).await?;
    context
        .change_configuration(|snapshot| {
            let application = find(snapshot, &id)?;
            if application.status.is_active() {
                return Err(ApiError::state(
                    StatusCode::FORBIDDEN,
                    "E0000056",
                    "Delete application forbidden.",
                    "The application is active: deactivate it first",
                ));
            }
            let entry =
                entry(&context, &caller, "application.lifecycle.delete", "Delete application", application);
            let end = Change::EndClientGrants(application.client_id.clone());
            Ok((vec![end, Change::RemoveApplication(application.id.clone()), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/apps/{id}/lifecycle/activate`
async fn activate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    set_status(&context, &caller, &id, Status::Active).await
}

/// `POST /api/v1/apps/{id}/lifecycle/deactivate`: ends what people had from it.
async fn deactivate(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Json<Value>, ApiError> {
    set_status(&context, &caller, &id, Status::Inactive).await
}

async fn set_status(
    context: &Context,
    caller: &Caller,
    id: &str,
    status: Status,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    require_over_application(context, caller, id).await?;
    context
        .change_configuration(|snapshot| {
            let before = find(snapshot, id)?;
            if before.status == status {
                return Ok((Vec::new(), ()));
            }
            let after = Application { status, last_updated: context.now(), ..before.clone() };
            let (event, message) = match status {
                Status::Active => ("application.lifecycle.activate", "Activate application"),
                Status::Inactive => ("application.lifecycle.deactivate", "Deactivate application"),
            };
            let entry = entry(context, caller, event, message, &after);
            let mut changes = vec![Change::PutApplication(after.clone()), entry];
            if status == Status::Inactive {
                changes.push(Change::EndClientGrants(after.client_id));
            }
            Ok((changes, ()))
        })
        .await?;
    Ok(Json(json!({})))
}

/// `PUT /api/v1/apps/{id}/policies/{policy}`: there is one access policy, and every application has it.
async fn set_access_policy(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, policy)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    find(&*context.snapshot().await?, &id)?;
    super::policies::find_access_policy(&policy)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/apps/{id}/features`: provisioning, of which there is none.
async fn features(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Apps, Access::Read)?;
    find(&*context.snapshot().await?, &id)?;
    Ok(Json(json!([])).into_response())
}

/// `POST /api/v1/apps/{id}/logo`
async fn logo(caller: Caller) -> Result<StatusCode, ApiError> {
    caller.authority().require(Resource::Apps, Access::Manage)?;
    Err(ApiError::unsupported("Applications have no logos here"))
}

/// The application of that id.
pub(crate) fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a Application, ApiError> {
    let missing = || ApiError::not_found("AppInstance", id);
    let parsed = ApplicationId::parse(id).map_err(|_| missing())?;
    snapshot.application_by_id(&parsed).ok_or_else(missing)
}

/// Refuses the change of an application that acts as an administrator by somebody who is no super administrator: whoever
/// exchanges its keys is it.
pub(super) async fn require_over_application(
    context: &Context,
    caller: &Caller,
    id: &str,
) -> Result<(), ApiError> {
    if caller.authority().is_super_admin() {
        return Ok(());
    }
    let snapshot = context.snapshot().await?;
    let application = find(&snapshot, id)?;
    let roles = context.store.roles_of(&RoleHolder::Client(application.client_id.clone())).await?;
    if roles.is_empty() && application.api_scopes.is_empty() && !is_management_client(application) {
        return Ok(());
    }
    caller.authority().require_super_admin("change an application that acts as an administrator")
}

fn is_management_client(application: &Application) -> bool {
    application.client_id.as_str() == kubesso_directory::MANAGEMENT_CLIENT
}

/// Secrets are for those who could set them.
pub(super) fn secrets_for(caller: &Caller) -> Secrets {
    if caller.authority().permits(Resource::Apps, Access::Manage) { Secrets::Shown } else { Secrets::Hidden }
}

/// How the client proves who it is from now on. Secrets stay as long as it is by secrets.
fn authentication(context: &Context, wanted: &Wanted, before: Option<&Application>) -> ClientAuthentication {
    let secrets = || {
        let kept = before.map_or(&[][..], |before| before.authentication.secrets());
        match &wanted.client_secret {
            Some(text)
                if !kept.iter().any(|secret| view::secret_text(context, secret).as_deref() == Some(text)) =>
            {
                vec![new_secret(context, &ClientSecretValue::presented(text))]
            }
            None if kept.is_empty() => {
                vec![new_secret(context, &ClientSecretValue::generate(&*context.entropy))]
            }
            _ => kept.to_vec(),
        }
    };
    match &wanted.proof {
        Proof::None => ClientAuthentication::None,
        Proof::ClientSecretBasic => ClientAuthentication::ClientSecretBasic(secrets()),
        Proof::ClientSecretPost => ClientAuthentication::ClientSecretPost(secrets()),
        Proof::PrivateKeyJwt(keys) => ClientAuthentication::PrivateKeyJwt(keys.clone()),
        Proof::SelfSignedTls(keys) => ClientAuthentication::SelfSignedTls(keys.clone()),
        Proof::Tls(subject) => ClientAuthentication::Tls(subject.clone()),
    }
}

/// A secret, hashed to be compared and sealed to be shown again.
pub(super) fn new_secret(context: &Context, value: &ClientSecretValue) -> ClientSecret {
    ClientSecret {
        id: ClientSecretId::generate(&*context.entropy),
        hash: value.hash(),
        sealed: context.sealing_key.seal(ClientSecret::PURPOSE, value.expose().as_bytes(), &*context.entropy),
        status: Status::Active,
        created: context.now(),
    }
}

/// The audit's entry about an application.
pub(super) fn entry(
    context: &Context,
    caller: &Caller,
    event_type: &str,
    message: &str,
    application: &Application,
) -> Change {
    audit::entry(context, caller, event_type, message, &[target(application)])
}

/// The application as an audit entry's target.
pub(super) fn target(application: &Application) -> Target {
    Target::new("AppInstance", &application.id, application.label.as_str())
}

/// The id of a group that must be there.
pub(super) async fn find_group(context: &Context, id: &str) -> Result<GroupId, ApiError> {
    super::groups::find(context, id).await.map(|group| group.id)
}
