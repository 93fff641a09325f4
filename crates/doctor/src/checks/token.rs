//! The token and what the API server wants of it: rows 9 to 11, 15 to 24, 52, 63, 65.

use jiff::{SignedDuration, Timestamp};
use kubesso_k8s_types::go::json_kind;
use serde_json::Value;

use super::{Check, SETTINGS, TOKEN};
use crate::evidence::{Credential, Evidence, Mapping, Shape};
use crate::verdict::{Verdict, error, missing, note, pass, warning};

pub(super) const CHECKS: &[Check] = &[
    (9, audience),
    (10, is_an_id_token),
    (11, not_expired),
    (15, algorithm),
    (16, asymmetric),
    (17, username_claim),
    (18, email_is_verified),
    (19, email_verified_is_a_boolean),
    (20, required_claims),
    (21, rules),
    (22, groups_are_texts),
    (23, groups_are_in_the_token),
    (24, groups_claim),
    (52, length),
    (63, characters),
    (65, lifetime),
];

fn audience(evidence: &Evidence) -> Verdict {
    let accepted = evidence.trusted_for_token().map(|it| it.audiences).filter(|it| !it.is_empty());
    let accepted = accepted.or_else(|| evidence.named_audience.clone().map(|it| vec![it]));
    let Some(accepted) = accepted else {
        return missing("the audience that the API server accepts (--flags or --audience)");
    };
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        // Without a token: whom the plugin asks for one.
        let client = evidence.plugin().and_then(|plugin| plugin.client_id.clone());
        return match client {
            Some(client) if !accepted.contains(&client) => {
                warning("the plugin signs in as another client than the API server accepts")
                    .pair(accepted.join(", "), client)
                    .into()
            }
            _ => missing(TOKEN),
        };
    };
    let audiences = token.audiences();
    if audiences.iter().any(|audience| accepted.contains(audience)) {
        return pass(format!("aud has {}", accepted.join(" or ")));
    }
    error("the token is for another client").pair(accepted.join(", "), audiences.join(", ")).into()
}

fn is_an_id_token(evidence: &Evidence) -> Verdict {
    if evidence.plugin().is_some_and(|plugin| plugin.uses_access_token) {
        return warning("the kubeconfig's plugin gives kubectl the access token (--oidc-use-access-token)")
            .into();
    }
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    let wanted = "three parts, with iss, aud, sub, exp";
    let claims = match token.shape() {
        Shape::Opaque(problem) => return error(*problem).pair(wanted, *problem).into(),
        Shape::Jwt { claims, .. } => claims,
    };
    if token.header("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt")) {
        return error("it says of itself that it is an access token").pair(wanted, "typ: at+jwt").into();
    }
    if token.text("iss").is_some_and(|iss| iss == "kubernetes/serviceaccount")
        || claims.contains_key("kubernetes.io")
    {
        return note("it is a service account's token, not a person's").into();
    }
    let lacking: Vec<_> =
        ["iss", "aud", "exp"].into_iter().filter(|name| !claims.contains_key(*name)).collect();
    if !lacking.is_empty() {
        return error(format!("it lacks {}", lacking.join(", "))).pair(wanted, "no ID token").into();
    }
    let is_access_token = ["scp", "scope"].into_iter().any(|name| claims.contains_key(name));
    if is_access_token && !claims.contains_key("nonce") && !claims.contains_key("at_hash") {
        return warning("it has scopes in it, as access tokens have").pair(wanted, "scp or scope").into();
    }
    pass("it is an ID token")
}

fn not_expired(evidence: &Evidence) -> Verdict {
    let static_token = evidence.kubeconfig.as_ref().is_some_and(|it| it.credentials == [Credential::Token]);
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    let Some(end) = token.time("exp") else { return missing("a token with a claim `exp`") };
    if end < evidence.now {
        let ago = readable(evidence.now.duration_since(end));
        return error(format!("it ended {ago} ago"))
            .pair(format!("later than {}", evidence.now), end.to_string())
            .into();
    }
    if static_token {
        return warning("the kubeconfig has a copied token, which nobody renews")
            .pair("exec", format!("token, until {end}"))
            .into();
    }
    pass(format!("the token is good for another {}", readable(end.duration_since(evidence.now))))
}

/// In the largest unit that says it.
pub(crate) fn readable(duration: SignedDuration) -> String {
    let seconds = duration.abs().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn algorithm(evidence: &Evidence) -> Verdict {
    let Some(alg) = evidence.token().and_then(|token| token.header("alg")) else { return missing(TOKEN) };
    let Some(accepted) = evidence.trusted_for_token().and_then(|it| it.algorithms) else {
        return missing(SETTINGS);
    };
    if is_symmetric(alg) {
        return missing("a token with an asymmetric signature (see KS016)");
    }
    if accepted.iter().any(|it| it == alg) {
        return pass(format!("{alg} is accepted"));
    }
    error("the algorithm is not among those that the API server accepts")
        .pair(accepted.join(", "), alg)
        .into()
}

fn is_symmetric(alg: &str) -> bool {
    alg.starts_with("HS") || alg.eq_ignore_ascii_case("none")
}

fn asymmetric(evidence: &Evidence) -> Verdict {
    if let Some(alg) = evidence.token().and_then(|token| token.header("alg"))
        && is_symmetric(alg)
    {
        return error("the token is not signed with a key that the API server could have")
            .pair("RS256", alg)
            .into();
    }
    if let Some(issuer) = &evidence.issuer
        && issuer.key_ids().is_some_and(|ids| ids.is_empty())
    {
        return error("the issuer publishes no key").pair("at least one key", "none").into();
    }
    match (evidence.token(), &evidence.issuer) {
        (None, None) => missing(TOKEN),
        _ => pass("the signature is asymmetric"),
    }
}

/// The claim of the user name, where it is one.
fn username_of(evidence: &Evidence) -> Option<(String, String)> {
    match evidence.trusted_for_token()?.username {
        Mapping::Claim { claim, prefix } => Some((claim, prefix)),
        _ => None,
    }
}

fn names(evidence: &Evidence) -> String {
    let claims = evidence.token().and_then(|token| token.claims());
    claims.map(|claims| claims.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

fn username_claim(evidence: &Evidence) -> Verdict {
    let Some((claim, _)) = username_of(evidence) else { return missing(SETTINGS) };
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        let Some(plugin) = evidence.plugin() else { return missing(TOKEN) };
        let scope = match claim.as_str() {
            "email" => "email",
            "preferred_username" | "name" => "profile",
            _ => return missing(TOKEN),
        };
        if plugin.is_known && !plugin.scopes.iter().any(|asked| asked == scope) {
            return warning(format!(
                "the user name is made of `{claim}`, and the plugin does not ask for the scope {scope}"
            ))
            .pair(&claim, plugin.scopes.join(" "))
            .fact("claim", claim.clone())
            .into();
        }
        return missing(TOKEN);
    };
    match token.claim(&claim) {
        None => error(format!("the user name is made of `{claim}`, and the token has no such claim"))
            .pair(&claim, names(evidence))
            .fact("claim", claim.clone())
            .into(),
        Some(Value::String(_) | Value::Null) => pass(format!("the token has `{claim}`")),
        Some(other) => error(format!("`{claim}` is no text"))
            .pair("string", json_kind(other))
            .fact("claim", claim.clone())
            .into(),
    }
}

/// `email_verified`, where it counts.
fn email_verified(evidence: &Evidence) -> Result<Option<&Value>, Verdict> {
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        return Err(missing(TOKEN));
    };
    match evidence.trusted_for_token().map(|it| it.username) {
        Some(Mapping::Claim { claim, .. }) if claim != "email" => {
            Err(pass(format!("the user name is made of `{claim}`")))
        }
        Some(Mapping::Claim { .. } | Mapping::Unknown) | None => Ok(token.claim("email_verified")),
        Some(Mapping::Expression | Mapping::Nothing) => Err(missing("a user name that is made of a claim")),
    }
}

fn email_is_verified(evidence: &Evidence) -> Verdict {
    let is_known = matches!(username_of(evidence), Some((claim, _)) if claim == "email");
    match email_verified(evidence) {
        Err(verdict) => verdict,
        Ok(Some(Value::Bool(false) | Value::Null)) => {
            let said = "the provider says that the address is not verified";
            let found = if is_known {
                error(said)
            } else {
                note(format!("{said}; it counts if the user name is made of `email`"))
            };
            found.pair("true, or no claim", "false").into()
        }
        Ok(_) => pass("email_verified does not forbid the address"),
    }
}

fn email_verified_is_a_boolean(evidence: &Evidence) -> Verdict {
    match email_verified(evidence) {
        Err(verdict) => verdict,
        Ok(None | Some(Value::Bool(_) | Value::Null)) => pass("email_verified is a boolean, or not there"),
        Ok(Some(other)) => error("email_verified is no boolean").pair("bool", json_kind(other)).into(),
    }
}

fn required_claims(evidence: &Evidence) -> Verdict {
    let Some(trusted) = evidence.trusted_for_token().filter(|it| it.username != Mapping::Unknown) else {
        return missing(SETTINGS);
    };
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        return missing(TOKEN);
    };
    for (claim, want) in &trusted.required {
        let found = match token.claim(claim) {
            None => error(format!("the claim `{claim}` is required, and the token has none"))
                .pair(want, "(nothing)"),
            Some(Value::String(got)) if got == want => continue,
            Some(Value::Null) if want.is_empty() => continue,
            Some(Value::String(got)) => {
                error(format!("the claim `{claim}` has another value")).pair(want, got)
            }
            Some(other) => error(format!("the claim `{claim}` is no text")).pair(want, json_kind(other)),
        };
        return found.fact("claim", claim.clone()).into();
    }
    match trusted.required.len() {
        0 => pass("no claim is required"),
        number => pass(format!("{number} required claims are there")),
    }
}

fn rules(evidence: &Evidence) -> Verdict {
    match evidence.trusted_for_token() {
        Some(trusted) if trusted.has_rules => missing("CEL: the rules are not evaluated here"),
        Some(_) => pass("there are no rules in CEL"),
        None => missing(SETTINGS),
    }
}

/// The groups claim, where it is one.
fn groups_of(evidence: &Evidence) -> Option<String> {
    match evidence.trusted_for_token()?.groups {
        Mapping::Claim { claim, .. } => Some(claim),
        _ => None,
    }
}

fn groups_are_texts(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        return missing(TOKEN);
    };
    let Some(claim) = groups_of(evidence) else { return missing(SETTINGS) };
    let wrong = match token.claim(&claim) {
        None | Some(Value::String(_) | Value::Null) => None,
        Some(Value::Array(list)) => list
            .iter()
            .find(|value| !value.is_string() && !value.is_null())
            .map(|it| format!("array of {}", json_kind(it))),
        Some(other) => Some(json_kind(other).to_owned()),
    };
    match wrong {
        None => pass(format!("`{claim}` is a text or a list of texts")),
        Some(got) => error(format!("`{claim}` is no list of texts, so the whole token is refused"))
            .pair("a text, or a list of texts", got)
            .fact("claim", claim)
            .into(),
    }
}

fn groups_are_in_the_token(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        return missing(TOKEN);
    };
    let claim = groups_of(evidence).unwrap_or_else(|| "groups".to_owned());
    let named = token.claim("_claim_names").and_then(|names| names.get(&claim)).is_some();
    if named || token.claim("hasgroups") == Some(&Value::Bool(true)) {
        let marker = if named { "_claim_names" } else { "hasgroups" };
        return error(format!(
            "the person has more groups than fit: the token has `{marker}` in their place"
        ))
        .fact("claim", claim)
        .into();
    }
    pass("the token points at no other place for the groups")
}

fn groups_claim(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token().filter(|token| token.claims().is_some()) else {
        return missing(TOKEN);
    };
    let groups = evidence.trusted_for_token().map(|it| it.groups);
    match groups {
        Some(Mapping::Nothing) => {
            let has = token.claim("groups").is_some();
            let said = "the API server is not told which claim has the groups (--oidc-groups-claim)";
            if has { warning(said).pair("groups", "(not set)").into() } else { note(said).into() }
        }
        Some(Mapping::Expression) => missing("CEL: the groups are made by an expression"),
        Some(Mapping::Claim { claim, .. }) => match token.claim(&claim) {
            None if token.claim("_claim_names").is_some() => missing("groups in the token (see KS023)"),
            None => warning(format!("the token has no `{claim}`: the person is in no group"))
                .pair(&claim, names(evidence))
                .into(),
            Some(Value::Array(list)) if list.is_empty() => {
                note(format!("`{claim}` is empty: the person is in no group")).pair("a group", "none").into()
            }
            Some(_) => pass(format!("the token has `{claim}`")),
        },
        Some(Mapping::Unknown) | None if token.claim("groups").is_none() => {
            note("the token has no claim `groups`").pair("groups", names(evidence)).into()
        }
        Some(Mapping::Unknown) | None => pass("the token has `groups`"),
    }
}

fn length(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    let length = token.length();
    let found = match length {
        0..4096 => return pass(format!("the token has {length} bytes")),
        4096..8192 => note("some proxies take headers of 4 KiB only"),
        _ => warning("nginx and most load balancers take headers of 8 KiB only"),
    };
    found.pair("less than 4096 bytes", format!("{length} bytes")).into()
}

fn characters(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    match token.oddities() {
        [] => pass("the token has only letters, digits, `-`, `_` and dots"),
        odd => error("something came along when it was copied")
            .pair("letters, digits, `-`, `_` and dots", format!("also {}", odd.join(", ")))
            .into(),
    }
}

fn lifetime(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    let (Some(end), Some(begin)) = (token.time("exp"), token.time("iat")) else {
        return missing("a token with iat and exp");
    };
    let lifetime = end.duration_since(begin);
    let shown = readable(lifetime);
    if lifetime <= SignedDuration::from_mins(15) {
        return pass(format!("the token lives for {shown}"));
    }
    let found = if lifetime > SignedDuration::from_hours(12) { warning } else { note };
    found(format!(
        "groups and rights are those of {}: a change is seen when the token has ended",
        moment(begin)
    ))
    .pair("15 min or less", shown)
    .into()
}

fn moment(time: Timestamp) -> String {
    time.strftime("%H:%M UTC").to_string()
}

/// Kept beside the checks that it speaks for: which setting decides when the person signs in again.
pub(crate) fn next_sign_in(evidence: &Evidence) -> Option<String> {
    let plugin = evidence.plugin();
    let end = evidence.token().and_then(|token| token.time("exp"));
    let until = end.map(|end| {
        if end < evidence.now {
            format!("The ID token ended at {}", end.strftime("%Y-%m-%d %H:%M UTC"))
        } else {
            format!(
                "The ID token is good until {} ({} more)",
                moment(end),
                readable(end.duration_since(evidence.now))
            )
        }
    });
    if evidence.kubeconfig.as_ref().is_some_and(|it| it.credentials == [Credential::Token]) {
        return Some(format!("{}; then nothing renews it: the kubeconfig has a copied token.", until?));
    }
    let Some(plugin) = plugin.filter(|plugin| plugin.is_known) else {
        return until.map(|until| format!("{until}; what renews it is not known without the kubeconfig."));
    };
    let until = until.unwrap_or_else(|| "kubectl uses the ID token for as long as it lives".to_owned());
    let grants = evidence.issuer.as_ref().and_then(|issuer| issuer.list("grant_types_supported"));
    let asks = plugin.scopes.iter().any(|scope| scope == "offline_access");
    let offers = grants.as_ref().is_none_or(|grants| grants.iter().any(|grant| grant == "refresh_token"));
    Some(match (asks, offers) {
        (false, _) => format!(
            "{until}; then the browser opens: the plugin's scopes lack offline_access, so there is no refresh token, and the \
             provider's session decides whether the sign-in page is shown."
        ),
        (true, false) => format!(
            "{until}; then the browser opens: the provider does not offer refresh_token, so its session decides whether the \
             sign-in page is shown."
        ),
        (true, true) if evidence.refresh.as_ref().is_some_and(|refresh| refresh.after.is_err()) => format!(
            "{until}; then the browser opens: the refresh token is no longer good, as was just tried, and the provider's session \
             decides whether the sign-in page is shown."
        ),
        (true, true) if evidence.refresh.is_some() => format!(
            "{until}; then the refresh token renews it, as was just tried: its lifetime and its idle window at the provider decide \
             when the sign-in page is shown."
        ),
        (true, true) => format!(
            "{until}; then the refresh token renews it, if the client may use one: its lifetime and its idle window at the \
             provider decide when the sign-in page is shown."
        ),
    })
}
