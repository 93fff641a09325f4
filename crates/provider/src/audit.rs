//! The audit trail's entries about people at the provider.

use kubesso_directory::{
    Application, AuditEvent, AuditEventId, Batch, Change, Outcome, Person, StoreError, UserId,
};
use serde_json::Map;

use crate::context::Context;

/// Somebody signed in, or would have.
pub(crate) const SIGN_IN: &str = "user.session.start";
/// Somebody decided about a user code.
pub(crate) const DEVICE: &str = "app.oauth2.as.authorize.device";
/// Somebody new is there.
pub(crate) const ACTIVATED: &str = "user.lifecycle.activate";
/// Somebody chose a password.
pub(crate) const PASSWORD: &str = "user.account.update_password";

/// Writes down what `person` did, for `application`.
pub(crate) async fn record(
    context: &Context,
    event_type: &str,
    person: &Person,
    application: &Application,
    outcome: Outcome,
    message: &str,
) -> Result<(), StoreError> {
    context.counters.entered(event_type, outcome);
    let target = application.id.to_string();
    let event = AuditEvent { outcome, ..success(context, event_type, &person.user.id, target, message) };
    context.store.commit(Batch::new(event.published, vec![Change::Audit(event)])).await.map(drop)
}

/// What `user` did with the own account, to be written together with it.
pub(crate) fn own_account(context: &Context, event_type: &str, user: &UserId, message: &str) -> Change {
    Change::Audit(success(context, event_type, user, user.to_string(), message))
}

fn success(context: &Context, event_type: &str, actor: &UserId, target: String, message: &str) -> AuditEvent {
    AuditEvent {
        id: AuditEventId::generate(&*context.entropy),
        published: context.now(),
        event_type: event_type.to_owned(),
        actor: actor.to_string(),
        target: Some(target),
        outcome: Outcome::Success,
        message: message.to_owned(),
        details: Map::new(),
    }
}
