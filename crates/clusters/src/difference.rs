//! What an API server is told and what it should be told, compared in meaning: order, layout and defaults do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kubesso_k8s_types::authentication_configuration::{
    AuthenticationConfiguration, JwtAuthenticator, PrefixedClaimOrExpression,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::arguments::Arguments;
use crate::authentication_configuration::authentication_configuration;
use crate::found::{Configuration, Found, Trusting, by_flags};
use crate::instructions::{Impossible, Restriction};
use crate::oidc_flags::oidc_flags;
use crate::request::Request;
use crate::target::Target;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The issuer; none: it is about all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Which of its settings, as `AuthenticationConfiguration` calls it.
    pub setting: String,
    /// What it should be; none: it should not be there.
    pub wanted: Option<String>,
    /// What is there; none: nothing.
    pub found: Option<String>,
}

/// Compares what is there with what is asked for, as `target` would be told it.
///
/// # Errors
/// The target cannot be told that.
pub fn differences(
    request: &Request<'_>,
    target: Target,
    found: &Found,
) -> Result<Vec<Difference>, Impossible> {
    Ok(compared(&wanted(request, target)?, found.trusting()))
}

/// As [`differences`], with a configuration in the form of its target; one that has settings of its own is compared with what would be
/// written for it.
///
/// # Errors
/// The target cannot be told that.
pub fn configuration_differences(
    request: &Request<'_>,
    configuration: &Configuration,
) -> Result<Vec<Difference>, Impossible> {
    let target = configuration.target.unwrap_or(Target::StaticPod);
    let mut wanted = wanted(request, target);
    let mut there = configuration.found.trusting();
    match target {
        Target::Eks | Target::Aks | Target::OpenShift => {
            let made = target.instructions(request)?;
            let files: Vec<_> =
                made.files.iter().map(|file| (file.name.as_str(), file.content.as_str())).collect();
            if let Ok(read) = Configuration::read(&files)
                && let Ok(trusting) = read.found.trusting()
            {
                wanted = Ok(trusting);
            }
        }
        Target::Gke => {
            target.instructions(request)?;
            wanted = wanted.map(|mut wanted| {
                // Names are those of principals, which no name can be mistaken for.
                wanted.configuration.jwt.iter_mut().for_each(|jwt| jwt.user_validation_rules.clear());
                wanted
            });
            if let Ok(there) = &mut there {
                for mappings in there.configuration.jwt.iter_mut().map(|jwt| &mut jwt.claim_mappings) {
                    without_pool(&mut mappings.username, "/subject/");
                    without_pool(&mut mappings.groups, "/group/");
                }
            }
        }
        _ => {}
    }
    Ok(compared(&wanted?, there))
}

/// The prefix without the pool that Google puts in front.
fn without_pool(mapping: &mut PrefixedClaimOrExpression, end: &str) {
    if let Some(prefix) = &mut mapping.prefix
        && let Some(at) = prefix.find(end)
    {
        prefix.drain(..at + end.len());
    }
}

fn compared(wanted: &Trusting, there: Result<Trusting, String>) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut note = |setting: &str, wanted: Option<&str>, found: Option<String>| {
        let wanted = wanted.map(str::to_owned);
        all.push(Difference { issuer: None, setting: setting.to_owned(), wanted, found });
    };
    let there = match there {
        Ok(there) => there,
        Err(what) => {
            note("configuration", Some("one that can be read"), Some(what));
            return all;
        }
    };
    let by = |trusting: &Trusting| match (&trusting.signing_algorithms, trusting.configuration.jwt.is_empty())
    {
        (Some(_), _) => Some("flags"),
        (None, false) => Some("a configuration file"),
        (None, true) => None,
    };
    let (wanted_by, found_by) = (by(wanted), by(&there));
    if wanted_by != found_by && found_by.is_some() {
        note("by", wanted_by, found_by.map(str::to_owned));
    }
    if wanted.configuration.anonymous.is_some()
        && wanted.configuration.anonymous != there.configuration.anonymous
    {
        let said =
            |trusting: &Trusting| trusting.configuration.anonymous.as_ref().map(|said| text_of(&json(said)));
        note("anonymous", said(wanted).as_deref(), said(&there));
    }
    let (wanted, there) = (by_address(wanted), by_address(&there));
    let addresses: BTreeSet<_> = wanted.keys().chain(there.keys()).collect();
    for address in addresses {
        compare(address, wanted.get(address), there.get(address), &mut all);
    }
    all
}

/// What it would be told, read as the API server reads it.
fn wanted(request: &Request<'_>, target: Target) -> Result<Trusting, Impossible> {
    if request.wants_config() {
        let configuration = authentication_configuration(request.access, request.kubernetes);
        return Ok(Trusting { configuration, signing_algorithms: None });
    }
    let flags = oidc_flags(request.access, "ca").map_err(|not| {
        let restrict = |what: &String| {
            Restriction::new(
                format!("flags cannot say {what}"),
                "kube-apiserver, --oidc-*",
                "leave --form out",
            )
        };
        Impossible { target, restrictions: not.0.iter().map(restrict).collect() }
    })?;
    let authority = request.access.issuers.first().and_then(|issuer| issuer.certificate_authority.as_ref());
    Ok(by_flags(&Arguments::of_pairs(flags), authority.map(crate::access::CertificateAuthority::as_pem)))
}

/// Each issuer's settings, by its address, in a form in which the same meaning is the same value.
fn by_address(trusting: &Trusting) -> BTreeMap<String, Value> {
    let AuthenticationConfiguration { jwt, .. } = &trusting.configuration;
    let one = |authenticator: &JwtAuthenticator| {
        let mut value = json(&same_form(authenticator));
        if let (Some(algorithms), Some(object)) = (&trusting.signing_algorithms, value.as_object_mut()) {
            let sorted: BTreeSet<_> = algorithms.split(',').map(str::trim).collect();
            let sorted = sorted.into_iter().collect::<Vec<_>>().join(",");
            object.insert("signingAlgorithms".to_owned(), sorted.into());
        }
        (authenticator.issuer.url.clone(), value)
    };
    jwt.iter().map(one).collect()
}

fn same_form(given: &JwtAuthenticator) -> JwtAuthenticator {
    let mut same = given.clone();
    same.issuer.audiences.sort();
    // It says nothing where there is one audience, and has one value where there are several.
    same.issuer.audience_match_policy.clear();
    same.issuer.certificate_authority = fingerprints(&given.issuer.certificate_authority);
    same.claim_validation_rules.sort_by_key(|rule| (rule.claim.clone(), rule.expression.clone()));
    same.user_validation_rules.sort_by(|one, other| one.expression.cmp(&other.expression));
    same.claim_mappings.extra.sort_by(|one, other| one.key.cmp(&other.key));
    same
}

/// Certificates as what tells them apart; what is none, as it is.
fn fingerprints(pem: &str) -> String {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.unwrap_or_default();
    if certificates.is_empty() {
        return pem.to_owned();
    }
    let of = |certificate: &CertificateDer<'_>| {
        let digest = Sha256::digest(certificate);
        digest.iter().take(8).fold("sha256:".to_owned(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let all: BTreeSet<_> = certificates.iter().map(of).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

fn compare(address: &str, wanted: Option<&Value>, found: Option<&Value>, all: &mut Vec<Difference>) {
    let issuer = || Some(address.to_owned());
    match (wanted, found) {
        (Some(wanted), Some(found)) => {
            walk("", wanted, found, &mut |setting, wanted, found| {
                let setting = setting.to_owned();
                all.push(Difference { issuer: issuer(), setting, wanted, found });
            });
        }
        (wanted, found) => {
            let said = |one: Option<&Value>| one.map(|_| "trusted".to_owned());
            let (wanted, found) = (said(wanted), said(found));
            all.push(Difference { issuer: issuer(), setting: "issuer".to_owned(), wanted, found });
        }
    }
}

fn walk(
    at: &str,
    wanted: &Value,
    found: &Value,
    note: &mut impl FnMut(&str, Option<String>, Option<String>),
) {
    if wanted == found {
        return;
    }
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for key in keys(wanted, found) {
                let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                walk(&below(key), &of(wanted), &of(found), note);
            }
        }
        (Value::Object(one), Value::Null) => {
            one.iter().for_each(|(key, value)| walk(&below(key), value, &Value::Null, note));
        }
        (Value::Null, Value::Object(one)) => {
            one.iter().for_each(|(key, value)| walk(&below(key), &Value::Null, value, note));
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted
                .iter()
                .filter(|one| !found.contains(one))
                .for_each(|one| note(at, Some(text_of(one)), None));
            found
                .iter()
                .filter(|one| !wanted.contains(one))
                .for_each(|one| note(at, None, Some(text_of(one))));
        }
        (Value::Array(all), Value::Null) => all.iter().for_each(|one| note(at, Some(text_of(one)), None)),
        (Value::Null, Value::Array(all)) => all.iter().for_each(|one| note(at, None, Some(text_of(one)))),
        (wanted, found) => {
            let said = |value: &Value| (!value.is_null()).then(|| text_of(value));
            note(at, said(wanted), said(found));
        }
    }
}

fn keys<'a>(one: &'a Map<String, Value>, other: &'a Map<String, Value>) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// A text without quotes, unless it is empty; anything else as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
