//! Claims of an authorization server: what its tokens say of people.

use std::collections::BTreeSet;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use kubesso_directory::{
    Access, Change, Claim, ClaimId, ClaimName, ClaimType, ClaimValue, Expression, FilterType, GroupFilter,
    Resource, ScopeName, Server, Status,
};
use serde_json::{Map, Value, json};

use super::{find, link, require_manage, server_url, target};
use crate::answer::Warnings;
use crate::audit::{self, Target};
use crate::authentication::Caller;
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::paging::Paging;
use crate::parameters::{Ids, Parameters};

pub(super) fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/authorizationServers/{id}/claims", get(list).post(create))
        .route("/api/v1/authorizationServers/{id}/claims/{claim}", get(read).put(replace).delete(remove))
}

/// A claim as somebody wants it.
#[derive(Clone, Debug)]
struct Wanted {
    name: ClaimName,
    status: Status,
    claim_type: ClaimType,
    value: ClaimValue,
    always_include_in_token: bool,
    scopes: BTreeSet<ScopeName>,
}

impl Wanted {
    fn read(body: Map<String, Value>) -> Result<Self, ApiError> {
        let mut body = Fields::of_body(body);
        let name = body.required("name", ClaimName::parse)?;
        if name.is_reserved() {
            let cause =
                format!("`{name}` has a meaning of its own in tokens and cannot be set: choose another name");
            return Err(body.refuse("name", cause));
        }
        let status = body.word("status", "ACTIVE or INACTIVE", Status::parse)?.unwrap_or_default();
        let claim_type = body
            .word("claimType", "IDENTITY or RESOURCE", ClaimType::parse)?
            .ok_or_else(|| body.refuse("claimType", "The field cannot be left blank"))?;
        let value = value(&mut body)?;
        // In access tokens a claim is always included.
        let always =
            body.boolean("alwaysIncludeInToken")?.unwrap_or(false) || claim_type == ClaimType::Resource;
        let scopes = body.object("conditions")?.all_parsed("scopes", ScopeName::parse)?.unwrap_or_default();
        Ok(Self {
            name,
            status,
            claim_type,
            value,
            always_include_in_token: always,
            scopes: scopes.into_iter().collect(),
        })
    }

    fn into_claim(self, server: &Server, id: ClaimId) -> Result<Claim, ApiError> {
        if let Some(unknown) = self.scopes.iter().find(|scope| server.scope(scope).is_none()) {
            return Err(ApiError::invalid(
                "conditions.scopes",
                format!("There is no scope {unknown} in this server"),
            ));
        }
        let is_taken =
            |other: &Claim| other.name == self.name && other.claim_type == self.claim_type && other.id != id;
        if server.claims.iter().any(is_taken) {
            return Err(ApiError::invalid(
                "name",
                "A claim with this name and type already exists in this server",
            ));
        }
        Ok(Claim {
            id,
            server: server.server.id.clone(),
            name: self.name,
            status: self.status,
            claim_type: self.claim_type,
            value: self.value,
            always_include_in_token: self.always_include_in_token,
            scopes: self.scopes,
            system: false,
        })
    }
}

fn value(body: &mut Fields) -> Result<ClaimValue, ApiError> {
    let text = body.required_text("value");
    let filter_type =
        body.word("group_filter_type", "STARTS_WITH, EQUALS, CONTAINS or REGEX", FilterType::parse)?;
    let kind = body.text("valueType")?;
    match kind.as_deref() {
        Some("GROUPS") => {
            let filter_type = filter_type
                .ok_or_else(|| body.refuse("group_filter_type", "The field cannot be left blank"))?;
            // Okta takes the empty text with STARTS_WITH and CONTAINS: all groups.
            let text = match (text, filter_type) {
                (Ok(text), _) => text,
                (Err(_), FilterType::StartsWith | FilterType::Contains) => String::new(),
                (Err(error), FilterType::Equals | FilterType::Regex) => return Err(error),
            };
            GroupFilter::new(filter_type, text)
                .map(ClaimValue::Groups)
                .map_err(|error| body.refuse("value", error))
        }
        Some("EXPRESSION") => Ok(ClaimValue::Expression(Expression::new(text?))),
        Some("SYSTEM") => {
            Err(body.refuse("valueType", "SYSTEM claims come with the server: use EXPRESSION or GROUPS"))
        }
        _ => Err(body.refuse("valueType", "use EXPRESSION or GROUPS")),
    }
}

/// `GET …/claims?limit&after`
async fn list(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let paging = Paging::read(&parameters, 200, 200)?;
    let snapshot = context.snapshot().await?;
    let found: Vec<&Claim> = find(&snapshot, &id)?.claims.iter().collect();
    Ok(paging.answer_all(&context, found, |claim| claim.id.to_string(), |claim| shown(&context, claim)))
}

async fn create(
    State(context): State<Context>,
    caller: Caller,
    Ids(id): Ids<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let claim_id = ClaimId::generate(&*context.entropy);
    let claim = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let claim = wanted.clone().into_claim(server, claim_id.clone())?;
            let entry = entry(&context, &caller, "oauth2.claim.created", "Create claim", server, &claim);
            Ok((vec![Change::PutClaim(claim.clone()), entry], claim))
        })
        .await?;
    Ok(warned(&claim).with((StatusCode::CREATED, Json(shown(&context, &claim)))))
}

async fn read(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, claim)): Ids<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.authority().require(Resource::AuthorizationServers, Access::Read)?;
    let snapshot = context.snapshot().await?;
    Ok(Json(shown(&context, find_claim(find(&snapshot, &id)?, &claim)?)))
}

async fn replace(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, claim)): Ids<(String, String)>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, ApiError> {
    require_manage(&caller, &id)?;
    let wanted = Wanted::read(body)?;
    let after = context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let before = find_claim(server, &claim)?;
            let after = wanted.clone().into_claim(server, before.id.clone())?;
            let after = Claim { system: before.system, ..after };
            if after == *before {
                return Ok((Vec::new(), after));
            }
            let entry = entry(&context, &caller, "oauth2.claim.updated", "Update claim", server, &after);
            Ok((vec![Change::PutClaim(after.clone()), entry], after))
        })
        .await?;
    Ok(warned(&after).with(Json(shown(&context, &after)).into_response()))
}

async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids((id, claim)): Ids<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require_manage(&caller, &id)?;
    context
        .change_configuration(|snapshot| {
            let server = find(snapshot, &id)?;
            let claim = find_claim(server, &claim)?;
            let entry = entry(&context, &caller, "oauth2.claim.deleted", "Delete claim", server, claim);
            Ok((vec![Change::RemoveClaim(claim.id.clone()), entry], ()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An expression that cannot be read is taken, as Okta takes it, but not in silence.
fn warned(claim: &Claim) -> Warnings {
    let mut warnings = Warnings::default();
    if let ClaimValue::Expression(expression) = &claim.value
        && let Err(error) = expression.check()
    {
        warnings.add(format!(
            "The claim `{}` will be left out of tokens until its expression is corrected: {error}",
            claim.name
        ));
    }
    warnings
}

fn find_claim<'a>(server: &'a Server, id: &str) -> Result<&'a Claim, ApiError> {
    server
        .claims
        .iter()
        .find(|claim| claim.id.as_str() == id)
        .ok_or_else(|| ApiError::not_found("OAuth2Claim", id))
}

fn entry(
    context: &Context,
    caller: &Caller,
    event: &str,
    message: &str,
    server: &Server,
    claim: &Claim,
) -> Change {
    let targets = [Target::new("Claim", &claim.id, claim.name.as_str()), target(&server.server)];
    audit::entry(context, caller, event, message, &targets)
}

/// `group_filter_type` in that spelling, as Okta has it.
fn shown(context: &Context, claim: &Claim) -> Value {
    let url = server_url(context, &claim.server, &format!("/claims/{}", claim.id));
    let (kind, value) = match &claim.value {
        ClaimValue::Expression(expression) => ("EXPRESSION", expression.as_str()),
        ClaimValue::Groups(filter) => ("GROUPS", filter.value()),
    };
    let mut shown = json!({
        "id": claim.id.as_str(),
        "name": claim.name.as_str(),
        "status": claim.status.as_str(),
        "claimType": claim.claim_type.as_str(),
        "valueType": kind,
        "value": value,
        "conditions": { "scopes": claim.scopes },
        "system": claim.system,
        "alwaysIncludeInToken": claim.always_include_in_token,
        "_links": { "self": link(url, &["GET", "PUT", "DELETE"]) },
    });
    if let ClaimValue::Groups(filter) = &claim.value {
        shown["group_filter_type"] = filter.filter_type().as_str().into();
    }
    shown
}
