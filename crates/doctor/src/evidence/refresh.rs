//! What became of one refresh.

use super::TokenEvidence;

/// The token before and after a refresh that was forced.
#[derive(Clone, Debug)]
pub struct RefreshEvidence {
    /// The one that the plugin had; none if it had to ask for one, and the provider refused.
    pub before: Option<TokenEvidence>,
    /// The one that it got; or what it said.
    pub after: Result<TokenEvidence, String>,
}

impl RefreshEvidence {
    /// Claims that were there before and are not any more.
    pub(crate) fn lost(&self) -> Vec<String> {
        let (Some(before), Ok(after)) = (&self.before, &self.after) else { return Vec::new() };
        let names = before.claims().into_iter().flatten().map(|(name, _)| name);
        names.filter(|name| after.claim(name).is_none()).cloned().collect()
    }
}
