//! The audit trail's entries about management: who changed what, by which way in. They are written with the change, in
//! one transaction.

use kubesso_directory::{AuditEvent, AuditEventId, Change, Outcome};
use serde_json::{Map, Value, json};

use crate::authentication::Caller;
use crate::context::Context;

/// What a change was about.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    kind: &'static str,
    id: String,
    name: String,
}

impl Target {
    /// `kind` is Okta's word: `User`, `UserGroup`, `AppInstance`, `AuthorizationServer` …
    pub(crate) fn new(kind: &'static str, id: impl AsRef<str>, name: impl Into<String>) -> Self {
        Self { kind, id: id.as_ref().to_owned(), name: name.into() }
    }
}

/// The entry of a change that `caller` made. `event_type` is Okta's (`group.user_membership.add`), `message` a sentence.
pub(crate) fn entry(
    context: &Context,
    caller: &Caller,
    event_type: &str,
    message: &str,
    targets: &[Target],
) -> Change {
    let mut details = Map::new();
    details.insert("actor".to_owned(), caller.as_actor());
    let all = targets
        .iter()
        .map(|target| json!({ "id": target.id, "type": target.kind, "displayName": target.name }));
    details.insert("target".to_owned(), Value::Array(all.collect()));
    details.insert("client".to_owned(), caller.as_client());
    Change::Audit(AuditEvent {
        id: AuditEventId::generate(&*context.entropy),
        published: context.now(),
        event_type: event_type.to_owned(),
        actor: caller.actor_id().to_owned(),
        target: targets.first().map(|target| target.id.clone()),
        outcome: Outcome::Success,
        message: message.to_owned(),
        details,
    })
}
