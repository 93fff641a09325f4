//! The audit trail's entries about people at the provider.

use kubesso_directory::{
    Application, AuditEvent, AuditEventId, Batch, Change, NOTED_AT, Outcome, Person, StoreError, UserId,
};
use serde_json::Map;

use crate::client_address::ClientAddress;
use crate::context::Context;

/// Somebody signed in, or would have.
pub(crate) const SIGN_IN: &str = "user.session.start";
/// Somebody decided about a user code.
pub(crate) const DEVICE: &str = "app.oauth2.as.authorize.device";
/// Somebody new is there.
pub(crate) const ACTIVATED: &str = "user.lifecycle.activate";
/// Somebody ended sessions.
pub(crate) const SESSION_END: &str = "user.session.end";
/// Somebody ended what an application may do by itself.
pub(crate) const GRANT_END: &str = "app.oauth2.as.token.revoke";
/// Somebody allowed an application something, or did not.
pub(crate) const CONSENT: &str = "app.oauth2.as.consent.grant";
/// Somebody took it back.
pub(crate) const CONSENT_END: &str = "app.oauth2.as.consent.revoke";
/// An account is being guessed at, and whoever tries has to wait.
pub(crate) const GUESSED_AT: &str = "user.account.lock";
/// An application could not be told that a session ended.
pub(crate) const LOGOUT_NOT_TOLD: &str = "app.oauth2.as.backchannel_logout";
/// In Okta's words.
const PASSWORD_EXPIRED: &str = "user.account.expire_password";
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

/// What `user` decided about `application`, to be written together with it.
pub(crate) fn consent(
    context: &Context,
    user: &UserId,
    application: &Application,
    outcome: Outcome,
    message: &str,
) -> Change {
    let event = success(context, CONSENT, user, application.id.to_string(), message);
    Change::Audit(AuditEvent { outcome, ..event })
}

/// What `user` did with the own account, to be written together with it.
pub(crate) fn own_account(context: &Context, event_type: &str, user: &UserId, message: &str) -> Change {
    Change::Audit(success(context, event_type, user, user.to_string(), message))
}

/// That somebody who is nobody yet tries passwords of `user`.
pub(crate) fn guessed_at(context: &Context, user: &UserId, address: ClientAddress) -> Change {
    let message = format!("{NOTED_AT} wrong passwords in a row: each further one has to wait");
    let event = success(context, GUESSED_AT, user, user.to_string(), &message);
    let mut event = AuditEvent { actor: "system".to_owned(), outcome: Outcome::Failure, ..event };
    event.details.insert("address".to_owned(), address.to_string().into());
    Change::Audit(event)
}

/// That the password of `user` has been good for as long as it may.
pub(crate) fn password_too_old(context: &Context, user: &UserId) -> Change {
    let message = "The password is older than the policy allows: another one must be chosen";
    let event = success(context, PASSWORD_EXPIRED, user, user.to_string(), message);
    Change::Audit(AuditEvent { actor: "system".to_owned(), ..event })
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
