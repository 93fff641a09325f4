//! Settings with which the API server does not start: rows 33 to 41, 61, 62; 44 and 55 beside them. What is wrong with them
//! room `clusters` finds, by kube-apiserver's own rules; here it becomes a verdict.

use kubesso_clusters::Target;
use kubesso_clusters::lint::{Effect, Finding, Lint};

use super::{Check, SETTINGS};
use crate::evidence::{Evidence, Settings};
use crate::facts::FilledMend;
use crate::place::heading;
use crate::verdict::{Found, Severity, Verdict, missing, pass};

pub(super) const CHECKS: &[Check] = &[
    (33, |it| row(it, 33, settings_or_issuer, "every issuer is https")),
    (34, |it| row(it, 34, settings, "issuers come from flags or from a file, not from both")),
    (35, |it| row(it, 35, file, "anonymous requests are set in one place")),
    (36, |it| row(it, 36, file, "every mapping of a claim has a prefix")),
    (37, |it| row(it, 37, authorities, "authorities are PEM")),
    (38, |it| {
        row(it, 38, file, "the file is in the form that the API server takes (expressions are not looked at)")
    }),
    (39, |it| row(it, 39, pod, "the files that flags name are mounted")),
    (40, |it| row(it, 40, flags, "no feature gate of the past is set")),
    (41, |it| row(it, 41, settings, "issuer and client are both set")),
    (55, |it| row(it, 55, settings, "the kind of cluster takes these settings")),
    (61, |it| row(it, 61, settings, "issuers, audiences and rules are there once")),
    (62, |it| row(it, 62, mode, "the authorization mode has Node and RBAC")),
];

/// Rows that other checks look at too: what the settings say of them comes first.
pub(crate) const ALSO: [u8; 3] = [15, 20, 44];

/// What the settings themselves say of a row.
pub(crate) fn of_settings(evidence: &Evidence, number: u8) -> Option<Found> {
    let settings = evidence.settings.as_ref()?;
    let mut lint = settings.lint(evidence.target);
    if settings.authentication.as_ref().is_some_and(|file| file.is_answer) {
        // Nobody has the text whose lines these are.
        lint.findings.iter_mut().for_each(|finding| finding.line = None);
    }
    found(&lint, number, settings.target)
}

/// What must be there for a row, and what is missing otherwise.
type Need = fn(&Evidence) -> Option<&'static str>;

fn settings(evidence: &Evidence) -> Option<&'static str> {
    evidence.settings.is_none().then_some(SETTINGS)
}

fn settings_or_issuer(evidence: &Evidence) -> Option<&'static str> {
    if evidence.named_issuer.is_some() { None } else { settings(evidence) }
}

fn file(evidence: &Evidence) -> Option<&'static str> {
    let has_file = evidence.settings.as_ref().is_some_and(|settings| settings.authentication.is_some());
    (!has_file).then_some("an AuthenticationConfiguration (--authentication-config)")
}

fn authorities(evidence: &Evidence) -> Option<&'static str> {
    file(evidence)?;
    let lacks = evidence.lacks_ca_file();
    settings(evidence).or_else(|| lacks.then_some("the content of --oidc-ca-file (--ca)"))
}

fn flags(evidence: &Evidence) -> Option<&'static str> {
    let has_flags = evidence.settings.as_ref().is_some_and(|settings| settings.has_flags);
    (!has_flags).then_some("the API server's flags (--flags)")
}

fn pod(evidence: &Evidence) -> Option<&'static str> {
    let has_pod = evidence.settings.as_ref().is_some_and(|settings| settings.pod.is_some());
    (!has_pod).then_some("the API server's static pod (--flags FILE)")
}

fn mode(evidence: &Evidence) -> Option<&'static str> {
    flags(evidence).or_else(|| {
        let is_set = |settings: &Settings| settings.flag("authorization-mode").is_some();
        let lacks = !evidence.settings.as_ref().is_some_and(is_set);
        lacks.then_some("--authorization-mode: the file does not set it")
    })
}

fn row(evidence: &Evidence, number: u8, need: Need, passed: &str) -> Verdict {
    if let Some(found) = of_settings(evidence, number) {
        return found.into();
    }
    if number == 33
        && let Some(issuer) =
            evidence.named_issuer.as_ref().filter(|url| !url.to_ascii_lowercase().starts_with("https://"))
    {
        let said = "the API server does not start with an issuer that is not https";
        return Found::new(Severity::Error, said).pair("https://…", issuer).into();
    }
    match need(evidence) {
        Some(what) => missing(what),
        None => pass(passed),
    }
}

/// The findings of a row, as one.
fn found(lint: &Lint, number: u8, target: Option<Target>) -> Option<Found> {
    let all: Vec<_> = lint.findings.iter().filter(|finding| finding.row == number).collect();
    let first = all.first()?;
    let severity = if first.effect == Effect::Works { Severity::Warning } else { Severity::Error };
    let others = match all.len() {
        1 => String::new(),
        count => format!("; and {} more: {}", count - 1, places(&all[1..])),
    };
    let line = first.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    let mut found = Found::new(severity, format!("{}{line}{others}", first.what));
    found.upstream.clone_from(&first.upstream);
    found.expected = Some(first.instead.clone());
    found.got = Some(first.got.clone().unwrap_or_else(|| "nothing".to_owned()));
    for (name, value) in
        [("field", Some(&first.field)), ("file", first.got.as_ref()), ("gate", first.got.as_ref())]
    {
        found.facts.extend(value.map(|value| (name, value.clone())));
    }
    found.mends = all.iter().map(|finding| mend(finding, target)).collect();
    Some(found)
}

fn places(findings: &[&Finding]) -> String {
    let places = findings.iter().map(|finding| match finding.line {
        Some(line) => format!("{} (line {line})", finding.field),
        None => finding.field.clone(),
    });
    places.collect::<Vec<_>>().join(", ")
}

fn mend(finding: &Finding, target: Option<Target>) -> FilledMend {
    let at = match finding.line {
        Some(line) => format!("AuthenticationConfiguration, line {line}"),
        None => heading(target.unwrap_or(Target::StaticPod)).to_owned(),
    };
    FilledMend { at, line: finding.instead.clone() }
}
