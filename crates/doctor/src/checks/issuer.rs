//! Between the API server and the provider: rows 1 to 8, 12 to 14, 25, 66.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Check, ISSUER, TOKEN, TRUSTED};
use crate::check_id::CheckId;
use crate::evidence::{Answer, Evidence, IssuerEvidence};
use crate::signs;
use crate::verdict::{Found, Verdict, error, missing, note, pass, warning};

pub(super) const CHECKS: &[Check] = &[
    (1, issuer_of_the_token),
    (2, issuer_of_the_document),
    (3, certificate_authority),
    (4, certificate),
    (5, name_resolves),
    (6, reachable),
    (7, proxy),
    (8, document),
    (12, clocks),
    (13, key_is_known),
    (14, keys_are_fetched),
    (25, okta_organization_server),
    (66, flows),
];

/// A difference that is greater is worth a word: ID tokens have no leeway at their end.
const SKEW: SignedDuration = SignedDuration::from_secs(30);

fn issuer_of_the_token(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    let trusted = evidence.trusted();
    if trusted.is_empty() {
        return missing(TRUSTED);
    }
    let Some(issuer) = token.text("iss") else { return missing("a token with a claim `iss`") };
    if trusted.iter().any(|it| it.url == issuer) {
        return pass(format!("iss is {issuer}, letter by letter"));
    }
    let nearest = trusted.iter().min_by_key(|it| difference(&it.url, issuer).is_none());
    let expected = trusted.iter().map(|it| it.url.as_str()).collect::<Vec<_>>().join(", ");
    let said = nearest.and_then(|it| difference(&it.url, issuer)).unwrap_or("they are different issuers");
    error(said).pair(expected, issuer).into()
}

/// What exactly differs, where it is one thing.
fn difference(expected: &str, got: &str) -> Option<&'static str> {
    let without_slash = |text: &str| text.trim_end_matches('/').to_owned();
    let split = |text: &str| -> Option<(String, String, String)> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        Some((scheme.to_owned(), host.to_owned(), path.to_owned()))
    };
    if without_slash(expected) == without_slash(got) {
        return Some("a slash at the end is the difference");
    }
    if expected.eq_ignore_ascii_case(got) {
        return Some("capital and small letters are the difference");
    }
    if got.contains("sts.windows.net") && expected.contains("login.microsoftonline.com") {
        return Some("the token is of Entra's version 1, the setting of version 2");
    }
    let (expected, got) = (split(expected)?, split(got)?);
    let same_path = without_slash(&expected.2) == without_slash(&got.2);
    match (expected.0 == got.0, expected.1 == got.1, same_path) {
        (false, true, true) => Some("http and https are the difference"),
        (true, true, false) => Some("the path is the difference: a realm, a tenant or a version"),
        (true, false, true) => {
            let name = |host: &str| host.split(':').next().unwrap_or_default().to_owned();
            Some(if name(&expected.1) == name(&got.1) {
                "the port is the difference"
            } else {
                "the host's name is the difference"
            })
        }
        _ => None,
    }
}

fn issuer_of_the_document(evidence: &Evidence) -> Verdict {
    let Some(issuer) = &evidence.issuer else { return missing(ISSUER) };
    let Some(own) = issuer.text("issuer") else { return missing("a discovery document") };
    if own == issuer.url {
        return pass(format!("the discovery document calls itself {own}"));
    }
    let said = difference(&issuer.url, own).unwrap_or("the discovery document is another issuer's");
    error(said).pair(&issuer.url, own).into()
}

/// The failure that a row's texts recognise, among those of discovery and keys.
fn failure(issuer: &IssuerEvidence, row: u8) -> Option<(String, Found)> {
    let failures = [issuer.discovery.failure(), issuer.keys.as_ref().and_then(Answer::failure)];
    failures.into_iter().flatten().find_map(|sentence| {
        let found = signs::recognise(sentence).into_iter().find(|it| it.row.id == CheckId::new(row))?;
        let mut finding = error(sentence.to_owned());
        for name in ["host", "problem"] {
            if let Some(value) = found.facts.shown(name) {
                finding = finding.fact(name, value);
            }
        }
        if let (Some(expected), got) = (found.facts.shown("expected"), found.facts.shown("got")) {
            finding = finding.pair(expected, got.unwrap_or_else(|| "(not said)".to_owned()));
        }
        Some((sentence.to_owned(), finding))
    })
}

/// A row whose evidence is that the issuer could not be reached for this reason.
fn reached(evidence: &Evidence, row: u8, well: &str) -> Verdict {
    let Some(issuer) = &evidence.issuer else { return missing(ISSUER) };
    if let Some((_, finding)) = failure(issuer, row) {
        return finding.into();
    }
    match &issuer.discovery {
        Answer::Came { .. } => pass(well),
        Answer::Failed(_) => missing("an answer of the issuer: it could not be reached"),
    }
}

fn certificate_authority(evidence: &Evidence) -> Verdict {
    if evidence.lacks_ca_file() && evidence.issuer.as_ref().is_some_and(|issuer| failure(issuer, 3).is_some())
    {
        return missing("the content of --oidc-ca-file (--ca FILE)");
    }
    let whose = match evidence.issuer_to_ask() {
        Some((_, _, Some(_))) => "the authority that was given has signed the issuer's certificate",
        _ => "an authority that this machine trusts has signed the issuer's certificate",
    };
    reached(evidence, 3, whose)
}

fn certificate(evidence: &Evidence) -> Verdict {
    reached(evidence, 4, "the certificate has the issuer's name and is in its time")
}

fn name_resolves(evidence: &Evidence) -> Verdict {
    let host = evidence.trusted_for_token().map(|it| host_of(it.discovery_url.as_deref().unwrap_or(&it.url)));
    if let Some(host) = host.filter(|host| is_of_the_cluster(host)) {
        let said = format!("{host} is a name of the cluster's own DNS, which the API server does not ask");
        return warning(said).fact("host", host).into();
    }
    reached(evidence, 5, "the issuer's name was found from here")
}

pub(super) fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned()
}

fn is_of_the_cluster(host: &str) -> bool {
    let labels: Vec<_> = host.split('.').collect();
    labels.contains(&"svc") && (labels.last() == Some(&"svc") || host.ends_with(".cluster.local"))
}

fn reachable(evidence: &Evidence) -> Verdict {
    reached(evidence, 6, "the issuer answered, from here")
}

fn proxy(evidence: &Evidence) -> Verdict {
    let Some(pod) = evidence.settings.as_ref().and_then(|settings| settings.pod.as_ref()) else {
        return missing("the API server's static pod (--flags FILE)");
    };
    let value = |name: &str| {
        let found = pod.proxies.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let Some(proxy) = value("https_proxy") else { return pass("the API server has no HTTPS_PROXY") };
    let Some(issuer) = evidence.trusted_for_token().or_else(|| evidence.trusted().into_iter().next()) else {
        return missing(TRUSTED);
    };
    let host = host_of(&issuer.url);
    let exempt =
        value("no_proxy").unwrap_or_default().split(',').map(str::trim).filter(|it| !it.is_empty()).any(
            |it| {
                let suffix = it.trim_start_matches('*').trim_start_matches('.');
                it == "*" || host == suffix || host.ends_with(&format!(".{suffix}"))
            },
        );
    if exempt {
        return pass(format!("NO_PROXY exempts {host}"));
    }
    let via = host_of(proxy);
    warning(format!("the API server asks {host} by way of the proxy {via}")).fact("host", host).into()
}

fn document(evidence: &Evidence) -> Verdict {
    let Some(issuer) = &evidence.issuer else { return missing(ISSUER) };
    match &issuer.discovery {
        Answer::Failed(_) => missing("an answer of the issuer: it could not be reached"),
        Answer::Came { status: 200, json: Some(_), .. } if issuer.jwks_uri.is_some() => {
            pass(format!("{} is a discovery document", issuer.discovery_url))
        }
        Answer::Came { status: 200, json: Some(_), .. } => {
            error(format!("{} has no jwks_uri", issuer.discovery_url)).pair("jwks_uri", "(nothing)").into()
        }
        Answer::Came { status, content_type, .. } => {
            error(format!("{} is no discovery document", issuer.discovery_url))
                .pair("200 application/json", format!("{status} {content_type}"))
                .into()
        }
    }
}

fn clocks(evidence: &Evidence) -> Verdict {
    if let Some(token) = evidence.token() {
        // Issued in the future, or not valid yet: the provider's clock is before this one.
        let ahead = ["iat", "nbf"].into_iter().filter_map(|name| token.time(name)).max();
        if let Some(time) = ahead.filter(|time| time.duration_since(evidence.now) > SKEW) {
            let seconds = time.duration_since(evidence.now).as_secs();
            return warning("the token is from the future: the provider's clock and this machine's differ")
                .pair("a difference of less than 30 s", format!("{seconds} s"))
                .into();
        }
    }
    let Some(issuer) = &evidence.issuer else { return missing(ISSUER) };
    let Answer::Came { date: Some(date), .. } = issuer.discovery else {
        return missing("a Date header of the issuer");
    };
    let skew = date.duration_since(issuer.asked_at);
    if skew.abs() <= SKEW {
        return pass("the issuer's clock and this machine's agree to 30 s");
    }
    let way = if skew.is_positive() { "before" } else { "behind" };
    warning(format!("the issuer's clock is {way} this machine's; the API server's own is not known"))
        .pair("a difference of less than 30 s", format!("{} s", skew.abs().as_secs()))
        .into()
}

fn key_is_known(evidence: &Evidence) -> Verdict {
    let Some(token) = evidence.token() else { return missing(TOKEN) };
    let Some(issuer) = &evidence.issuer else { return missing(ISSUER) };
    let Some(ids) = issuer.key_ids() else { return missing("the issuer's keys") };
    if token.text("iss") != Some(&issuer.url) {
        return missing("the keys of the token's own issuer");
    }
    let Some(kid) = token.header("kid") else { return missing("a token with a key id") };
    if !ids.iter().any(|id| id == kid) {
        return error("no key of the live set has the token's key id: it is from before an exchange of keys, or another's")
            .pair(ids.join(", "), kid)
            .into();
    }
    // The key is there; whether an API server has it depends on how long it may keep an older copy.
    let max_age = match &issuer.keys {
        Some(Answer::Came { max_age, .. }) => max_age.unwrap_or(Duration::ZERO),
        _ => Duration::ZERO,
    };
    if max_age > Duration::from_hours(1) {
        return note(format!(
            "the key is in the live set, but an API server may keep an older set for {} hours",
            max_age.as_secs() / 3600
        ))
        .pair("a max-age of an hour or less", format!("max-age={}", max_age.as_secs()))
        .into();
    }
    pass(format!("the key {kid} is in the live set"))
}

fn keys_are_fetched(evidence: &Evidence) -> Verdict {
    let Some(issuer) = &evidence.issuer else { return missing(ISSUER) };
    let (Some(uri), Some(keys)) = (&issuer.jwks_uri, &issuer.keys) else {
        return missing("a discovery document");
    };
    let host = host_of(uri);
    match keys {
        Answer::Failed(sentence) => error(sentence.clone()).fact("host", host).into(),
        Answer::Came { status: 200, json: Some(json), .. } if json.get("keys").is_some() => {
            let own = host_of(&issuer.discovery_url);
            if host == own {
                return pass(format!("the keys lie on the issuer's own host, {host}"));
            }
            note(format!(
                "the keys lie on {host}, the discovery document on {own}: the control plane must reach both"
            ))
            .fact("host", host)
            .into()
        }
        Answer::Came { status, content_type, .. } => error(format!("{uri} is no key set"))
            .pair("200 application/json", format!("{status} {content_type}"))
            .fact("host", host)
            .into(),
    }
}

fn okta_organization_server(evidence: &Evidence) -> Verdict {
    let from_token = evidence.token().and_then(|token| token.text("iss").map(str::to_owned));
    let Some(issuer) = from_token.or_else(|| evidence.issuer_to_ask().map(|(url, ..)| url)) else {
        return missing(TRUSTED);
    };
    let host = host_of(&issuer);
    let is_okta =
        [".okta.com", ".oktapreview.com", ".okta-emea.com"].into_iter().any(|end| host.ends_with(end));
    if !is_okta || issuer.contains("/oauth2/") {
        return pass("the issuer is no organization server of Okta");
    }
    let has_groups = evidence.token().is_some_and(|token| token.claim("groups").is_some());
    if has_groups {
        return pass("the token has groups");
    }
    warning("the issuer is Okta's organization server, whose ID tokens have no groups")
        .pair(format!("{}/oauth2/…", issuer.trim_end_matches('/')), issuer.trim_end_matches('/'))
        .into()
}

fn flows(evidence: &Evidence) -> Verdict {
    let Some(issuer) = evidence.issuer.as_ref().filter(|it| it.discovery.json().is_some()) else {
        return missing(if evidence.issuer.is_some() { "a discovery document" } else { ISSUER });
    };
    // OpenID Connect Discovery 1.0, section 3: the default where it is not said.
    let grants = issuer
        .list("grant_types_supported")
        .unwrap_or_else(|| vec!["authorization_code".to_owned(), "implicit".to_owned()]);
    let wanted = match evidence.plugin().and_then(|plugin| plugin.grant_type.as_deref()) {
        Some("device-code") => "urn:ietf:params:oauth:grant-type:device_code",
        Some("password") => "password",
        Some("client-credentials") => "client_credentials",
        _ => "authorization_code",
    };
    let offers = |grant: &str| grants.iter().any(|offered| offered == grant);
    if !offers(wanted) {
        return error(format!("the provider does not offer {wanted}")).pair(grants.join(", "), wanted).into();
    }
    if let Some(methods) =
        issuer.list("code_challenge_methods_supported").filter(|it| !it.iter().any(|it| it == "S256"))
    {
        return warning("the provider does not offer PKCE with S256").pair(methods.join(", "), "S256").into();
    }
    let asks_offline =
        evidence.plugin().is_some_and(|plugin| plugin.scopes.iter().any(|scope| scope == "offline_access"));
    if asks_offline && !offers("refresh_token") && issuer.list("grant_types_supported").is_some() {
        return warning("offline_access is asked for, and the provider does not offer refresh_token")
            .pair(grants.join(", "), "refresh_token")
            .into();
    }
    if let Some(scopes) = issuer.list("scopes_supported").filter(|it| !it.is_empty()) {
        let asked = evidence.plugin().map(|plugin| plugin.scopes.clone()).unwrap_or_default();
        let unknown: Vec<_> = asked.into_iter().filter(|scope| !scopes.contains(scope)).collect();
        if !unknown.is_empty() {
            return note(format!("the provider does not list the scope {}", unknown.join(", ")))
                .pair(scopes.join(", "), unknown.join(", "))
                .into();
        }
    }
    pass(format!("the provider offers {wanted}"))
}
