//! People.
use kubesso_directory::{Login, User, UserId};

use crate::context::Context;
use crate::error::ApiError;

/// The user of that id or login.
pub(crate) async fn find(context: &Context, id_or_login: &str) -> Result<User, ApiError> {
    if let Ok(id) = UserId::parse(id_or_login)
        && let Some(user) = context.store.user(&id).await?
    {
        return Ok(user);
    }
    let by_login = match Login::parse(id_or_login) {
        Ok(login) => context.store.user_by_login(&login).await?,
        Err(_) => None,
    };
    by_login.ok_or_else(|| ApiError::not_found("User", id_or_login))
}
