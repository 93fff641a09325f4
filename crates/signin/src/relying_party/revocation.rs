//! Giving tokens back (RFC 7009).

use std::collections::BTreeMap;

use kubesso_token_cache::Secret;

use super::{Preference, RelyingParty, refusal};
use crate::error::Error;
use crate::http::Repeat;

impl RelyingParty<'_> {
    /// Revokes a refresh token; says whether the provider can. One that is unknown there has ended already, which is a
    /// success (section 2.2).
    pub(crate) async fn revoke(&self, refresh_token: &Secret) -> Result<bool, Error> {
        const WHAT: &str = "the revocation";
        let metadata = self.metadata();
        let Some(url) = metadata.revocation_endpoint() else { return Ok(false) };
        let form = BTreeMap::from([("token", refresh_token.expose()), ("token_type_hint", "refresh_token")]);
        let answer = self.post_as_client(WHAT, url, &form, Repeat::IfUnavailable, Preference::Basic).await?;
        if answer.status.is_success() {
            return Ok(true);
        }
        Err(refusal(&answer, WHAT).unwrap_or_else(|| answer.unexpected(WHAT, url)))
    }
}
