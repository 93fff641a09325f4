//! What a refresh shows: rows 26 and 64.

use super::Check;
use crate::evidence::{Evidence, Mapping, RefreshEvidence, texts};
use crate::verdict::{Verdict, error, missing, note, pass};

pub(super) const CHECKS: &[Check] = &[(26, groups_stay), (64, refresh_token_is_good)];

/// Claims of one token only: how it was got, not who it is for.
const PASSING: [&str; 7] = ["nonce", "at_hash", "c_hash", "jti", "sid", "auth_time", "s_hash"];

fn with_refresh(evidence: &Evidence, check: impl FnOnce(&RefreshEvidence) -> Verdict) -> Verdict {
    evidence
        .refresh
        .as_ref()
        .map_or_else(|| missing("a refresh with the person's session (--refresh)"), check)
}

fn refresh_token_is_good(evidence: &Evidence) -> Verdict {
    with_refresh(evidence, |refresh| match &refresh.after {
        Ok(_) => pass("a refresh gave a new token"),
        Err(why) => error(format!("the refresh failed: {why}")).pair("a new token", why).into(),
    })
}

fn groups_stay(evidence: &Evidence) -> Verdict {
    with_refresh(evidence, |refresh| {
        let (Some(before), Ok(after)) = (&refresh.before, &refresh.after) else {
            return missing("a refresh that succeeds (see KS064)");
        };
        let claim = match evidence.trusted_for_token().map(|trusted| trusted.groups) {
            Some(Mapping::Claim { claim, .. }) => claim,
            _ => "groups".to_owned(),
        };
        let groups =
            |token: &crate::evidence::TokenEvidence| token.claim(&claim).map(texts).unwrap_or_default();
        let (had, has) = (groups(before), groups(after));
        let gone: Vec<_> = had.iter().filter(|group| !has.contains(group)).cloned().collect();
        if !gone.is_empty() {
            let got = if has.is_empty() { "no groups".to_owned() } else { has.join(", ") };
            return error(format!("the refreshed token lacks {}", gone.join(", ")))
                .pair(had.join(", "), got)
                .fact("claim", claim)
                .into();
        }
        let lost: Vec<_> =
            refresh.lost().into_iter().filter(|name| !PASSING.contains(&name.as_str())).collect();
        if !lost.is_empty() {
            return note(format!("the refreshed token lacks the claims {}", lost.join(", "))).into();
        }
        pass("the refreshed token has the same groups and claims")
    })
}
