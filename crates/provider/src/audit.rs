//! The audit trail's entries about people at the provider.

use kubesso_directory::{Application, AuditEvent, AuditEventId, Batch, Change, Outcome, Person, StoreError};
use serde_json::Map;

use crate::context::Context;

/// Somebody signed in, or would have.
pub(crate) const SIGN_IN: &str = "user.session.start";
/// Somebody decided about a user code.
pub(crate) const DEVICE: &str = "app.oauth2.as.authorize.device";

/// Writes down what `person` did, for `application`.
pub(crate) async fn record(
    context: &Context,
    event_type: &str,
    person: &Person,
    application: &Application,
    outcome: Outcome,
    message: &str,
) -> Result<(), StoreError> {
    let now = context.now();
    let event = AuditEvent {
        id: AuditEventId::generate(&*context.entropy),
        published: now,
        event_type: event_type.to_owned(),
        actor: person.user.id.to_string(),
        target: Some(application.id.to_string()),
        outcome,
        message: message.to_owned(),
        details: Map::new(),
    };
    context.store.commit(Batch::new(now, vec![Change::Audit(event)])).await.map(drop)
}
