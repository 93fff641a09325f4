//! The session of the browser that makes a request.

use axum_extra::extract::CookieJar;
use kubesso_directory::{
    Batch, Change, Person, Session, SessionId, SessionOrigin, SessionToken, StoreError, UserId,
};

use crate::context::Context;
use crate::cookies::{self, SESSION};

/// A living session of a person who may sign in.
pub(crate) struct BrowserSession {
    pub(crate) session: Session,
    pub(crate) person: Person,
}

impl BrowserSession {
    /// The session that `jar` names, marked as used; `None` if it has ended or its person may not sign in any
    /// more.
    pub(crate) async fn find(context: &Context, jar: &CookieJar) -> Result<Option<Self>, StoreError> {
        let Some(token) = token(jar) else { return Ok(None) };
        let Some(session) = context.store.use_session(&token.hash(), context.now()).await? else {
            return Ok(None);
        };
        let person = context.store.person(&session.user).await?;
        let person = person.filter(|person| person.user.status.may_sign_in());
        Ok(person.map(|person| Self { session, person }))
    }

    /// A new session for `user`, who has just proved who it is by `amr`, from `origin`. The browser's old session, if it had
    /// one, ends: a session is never taken over by a sign-in (session fixation).
    pub(crate) async fn begin(
        context: &Context,
        jar: CookieJar,
        user: UserId,
        amr: Vec<String>,
        origin: SessionOrigin,
    ) -> Result<(Session, CookieJar), StoreError> {
        if let Some(old) = token(&jar) {
            context.store.end_session(&old.hash()).await?;
        }
        let value = SessionToken::generate(&*context.entropy);
        let id = SessionId::generate(&*context.entropy);
        let session = Session::begin(id, value.hash(), user, amr, context.sign_in.sessions, context.now())
            .with_origin(origin);
        context.store.begin_session(&session).await?;
        Ok((session, jar.add(cookies::host_cookie(SESSION, value.expose().to_owned()))))
    }

    /// Ends the browser's session, if it has one, and tells the clients that took part in it; whether there was one.
    pub(crate) async fn end(context: &Context, jar: CookieJar) -> Result<(bool, CookieJar), StoreError> {
        let Some(token) = token(&jar) else { return Ok((false, jar)) };
        let living = context.store.use_session(&token.hash(), context.now()).await?;
        let ended = if let Some(session) = living {
            context.store.commit(Batch::new(context.now(), vec![Change::EndSession(session.id)])).await?;
            context.sessions_ended();
            true
        } else {
            context.store.end_session(&token.hash()).await?
        };
        Ok((ended, cookies::dropped(jar, SESSION)))
    }
}

fn token(jar: &CookieJar) -> Option<SessionToken> {
    let value = jar.get(SESSION)?.value();
    (value.len() == 43).then(|| SessionToken::presented(value))
}
