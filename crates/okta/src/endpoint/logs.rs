//! The system log: the audit trail in Okta's form.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use kubesso_directory::{Access, AuditEvent, AuditEventId, AuditQuery, Filter, Outcome, Resource, SortOrder};
use serde_json::{Value, json};

use crate::authentication::Caller;
use crate::context::Context;
use crate::error::ApiError;
use crate::paging::Paging;
use crate::parameters::Parameters;
use crate::time;

/// Without `since`, so far back; Okta's.
const DEFAULT_EXTENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many words in `q` at most, each so long at most; Okta's.
const MOST_WORDS: usize = 10;
const LONGEST_WORD: usize = 40;

pub(crate) fn routes() -> Router<Context> {
    Router::new().route("/api/v1/logs", get(list))
}

/// `GET /api/v1/logs?since&until&filter&q&sortOrder&limit&after`
///
/// Without `until`, in ascending order, there is always a next page: whoever asks for it again and again sees everything
/// once.
async fn list(
    State(context): State<Context>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.authority().require(Resource::Logs, Access::Read)?;
    let paging = Paging::read(&parameters, 100, 1000)?;
    let asked_until = moment(&parameters, "until")?;
    // What is written in this very moment belongs to it.
    let until = asked_until.unwrap_or_else(|| later(context.now(), SignedDuration::from_millis(1)));
    let since = moment(&parameters, "since")?.unwrap_or_else(|| later(until, -DEFAULT_EXTENT));
    if since > until {
        return Err(ApiError::invalid("since", "use a moment before `until`"));
    }
    let order = match parameters.get("sortOrder").map(str::to_ascii_uppercase).as_deref() {
        None | Some("ASCENDING") => SortOrder::Ascending,
        Some("DESCENDING") => SortOrder::Descending,
        Some(_) => return Err(ApiError::invalid("sortOrder", "use ASCENDING or DESCENDING")),
    };
    let words: Vec<String> =
        parameters.get("q").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    if words.len() > MOST_WORDS || words.iter().any(|word| word.chars().count() > LONGEST_WORD) {
        return Err(ApiError::invalid(
            "q",
            format!("use at most {MOST_WORDS} words of at most {LONGEST_WORD} characters"),
        ));
    }
    let filter = match parameters.get("filter") {
        Some(text) => Some(Filter::parse(text).map_err(|error| ApiError::invalid("filter", error))?),
        None => None,
    };
    let after = paging.after::<Cursor>()?;
    let found = context
        .store
        .find_audit_events(&AuditQuery {
            since,
            until,
            filter: filter.as_ref(),
            words: &words,
            order,
            after: after.as_ref().map(|cursor| (cursor.published, &cursor.id)),
            limit: paging.limit,
        })
        .await?;
    let is_polled = asked_until.is_none() && order == SortOrder::Ascending;
    let is_full = u32::try_from(found.len()).is_ok_and(|number| number >= paging.limit);
    let last = found.last().map(|event| Cursor { published: event.published, id: event.id.clone() });
    let next = last.or(after).filter(|_| is_polled || is_full).map(|cursor| cursor.to_string());
    let body: Vec<Value> = found.iter().map(view).collect();
    Ok(paging.linked(&context, next.as_deref(), Json(body)))
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.saturating_add(by).unwrap_or(from)
}

fn moment(parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ApiError::invalid(name, "use a moment as in 2026-11-22T05:41:50.000Z"))
}

/// An event as a place in the log.
#[derive(Clone, Debug)]
struct Cursor {
    published: Timestamp,
    id: AuditEventId,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.published.as_microsecond(), self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (published, id) = text.split_once('_').ok_or(())?;
        let published = published.parse().map_err(|_| ())?;
        Ok(Self {
            published: Timestamp::from_microsecond(published).map_err(|_| ())?,
            id: AuditEventId::parse(id).map_err(|_| ())?,
        })
    }
}

fn view(event: &AuditEvent) -> Value {
    let detail = |name: &str| event.details.get(name).cloned();
    let actor = detail("actor").unwrap_or_else(|| {
        let kind = if event.actor.starts_with("00u") { "User" } else { "SystemPrincipal" };
        json!({ "id": event.actor, "type": kind, "displayName": event.actor })
    });
    let target = detail("target").unwrap_or_else(|| match &event.target {
        Some(id) => json!([{ "id": id, "type": kind_of(id), "displayName": id }]),
        None => json!([]),
    });
    let client = detail("client").unwrap_or_else(|| {
        json!({ "ipAddress": event.details.get("address").or_else(|| event.details.get("client_address")) })
    });
    let address = client["ipAddress"].clone();
    let mut rest = event.details.clone();
    for shown in ["actor", "target", "client"] {
        rest.remove(shown);
    }
    json!({
        "uuid": event.id.as_str(),
        "published": time::text(event.published),
        "eventType": event.event_type,
        "version": "0",
        "severity": if event.outcome == Outcome::Success { "INFO" } else { "WARN" },
        "legacyEventType": null,
        "displayMessage": event.message,
        "actor": actor,
        "client": client,
        "outcome": {
            "result": event.outcome.as_str(),
            "reason": (event.outcome == Outcome::Failure).then_some(&event.message),
        },
        "target": target,
        "transaction": { "type": "WEB", "id": event.id.as_str(), "detail": {} },
        "debugContext": { "debugData": rest },
        "authenticationContext": { "authenticationStep": 0, "externalSessionId": null },
        "securityContext": {},
        "request": {
            "ipChain": if address.is_null() { json!([]) } else { json!([{ "ip": address, "version": null }]) },
        },
    })
}

fn kind_of(id: &str) -> &'static str {
    match id.get(..3) {
        Some("00u") => "User",
        Some("00g") => "UserGroup",
        Some("0oa") => "AppInstance",
        Some("aus") => "AuthorizationServer",
        _ => "Unknown",
    }
}
