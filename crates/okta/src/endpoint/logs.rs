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
/// An entry may be written so long after the moment that it bears: others, of later moments, may be read before it.
const SETTLING: SignedDuration = SignedDuration::from_secs(2);
/// So many entries of moments that may not be complete yet are told apart by their ids; further ones wait.
const MOST_SEEN: usize = 100;
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
    let after = paging.after::<Cursor>()?.unwrap_or_default();
    let is_polled = asked_until.is_none() && order == SortOrder::Ascending;
    let seen = u32::try_from(after.seen.len()).unwrap_or(u32::MAX);
    let found = context
        .store
        .find_audit_events(&AuditQuery {
            since,
            until,
            filter: filter.as_ref(),
            words: &words,
            order,
            after: after.last.as_ref().map(|(published, id)| (*published, id)),
            limit: paging.limit.saturating_add(seen),
        })
        .await?;
    let limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
    let is_full = found.len() >= limit;
    let settled = if is_polled { later(context.now(), -SETTLING) } else { Timestamp::MAX };
    let (shown, next) = after.advance(&found, limit, settled);
    let body: Vec<Value> = shown.into_iter().map(view).collect();
    let next = (is_polled || is_full).then(|| next.to_string());
    Ok(paging.linked(&context, next.as_deref(), Json(body)))
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.saturating_add(by).unwrap_or(from)
}

fn moment(parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ApiError::invalid(name, "use a moment as in 2026-11-22T05:41:50.000Z"))
}

/// A place in the log: the last entry that all are shown up to, and those behind it that are shown already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cursor {
    last: Option<(Timestamp, AuditEventId)>,
    seen: Vec<AuditEventId>,
}

impl Cursor {
    /// What of `found`, the entries behind this place, is shown now: at most `limit`, and none twice; and the place after.
    /// Before `settled` nothing will be written any more.
    fn advance(mut self, found: &[AuditEvent], limit: usize, settled: Timestamp) -> (Vec<&AuditEvent>, Self) {
        let mut shown = Vec::new();
        for event in found {
            let is_seen = self.seen.contains(&event.id);
            if !is_seen && shown.len() == limit {
                break;
            }
            if event.published < settled {
                self.seen.retain(|id| *id != event.id);
                self.last = Some((event.published, event.id.clone()));
            } else if !is_seen {
                if self.seen.len() == MOST_SEEN {
                    break;
                }
                self.seen.push(event.id.clone());
            }
            if !is_seen {
                shown.push(event);
            }
        }
        (shown, self)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.last {
            Some((published, id)) => write!(f, "{}_{id}", published.as_microsecond())?,
            None => f.write_str("_")?,
        }
        self.seen.iter().try_for_each(|id| write!(f, "~{id}"))
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('~');
        let (published, id) = parts.next().and_then(|last| last.split_once('_')).ok_or(())?;
        let parse = |id: &str| AuditEventId::parse(id).map_err(|_| ());
        let last = if published.is_empty() && id.is_empty() {
            None
        } else {
            let published = published.parse().map_err(|_| ())?;
            Some((Timestamp::from_microsecond(published).map_err(|_| ())?, parse(id)?))
        };
        let seen = parts.map(parse).collect::<Result<Vec<_>, ()>>()?;
        if seen.len() > MOST_SEEN { Err(()) } else { Ok(Self { last, seen }) }
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
