//! All checks over one evidence, and the report.

use serde::Serialize;

use crate::catalogue;
use crate::check_id::CheckId;
use crate::checks;
use crate::evidence::{Evidence, HopEcho};
use crate::explain::{Pair, Side};
use crate::facts::{Facts, FilledMend};
use crate::judgement::{Judgement, Ruling, judgements};
use crate::redact::Redactor;
use crate::row::{Row, Strength};
use crate::signs;
use crate::verdict::{Found, Severity, Verdict};
use kubesso_clusters::Target;

/// Where several are errors, the one that the API server would stumble over first: its own order of checks.
const ORDER: [u8; 45] = [
    59, 43, 44, 45, 60, 38, 34, 35, 36, 37, 41, 61, 33, 39, 40, 62, 58, 47, 48, 49, 32, 63, 10, 1, 2, 3, 4,
    5, 6, 7, 8, 14, 16, 15, 13, 9, 11, 12, 23, 17, 18, 19, 22, 20, 21,
];

const NO_ECHO: &str =
    "not tried: whether exec gets through each hop needs a pod to run `cat` in (--echo NAMESPACE/POD)";

/// The verdict where nothing is wrong, and what was asked is not known.
const UNANSWERED: &str =
    "What was asked is not known: neither roles and bindings nor the API server's answer are there.";

/// What all checks said.
#[derive(Debug, Serialize)]
pub struct Report {
    /// One sentence.
    pub verdict: String,
    /// Whether nothing is wrong, notes aside.
    pub well: bool,
    /// Who the token is to the cluster, if it is anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What the API server writes into its log of this token, if it refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// When the person will sign in again, and what decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sign_in: Option<String>,
    /// What was asked of the cluster, hop by hop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<ShownHop>,
    /// What became of an echo, hop by hop and protocol by protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub echo: Vec<ShownHop>,
    /// What an echo would show, where none was wished for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_echo: Option<&'static str>,
    /// Where the API server's settings were looked for, and what came of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looked: Vec<String>,
    /// What the person may do, where bindings could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<String>,
    /// What was asked about rights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
    /// Expressions of the AuthenticationConfiguration, which nothing here evaluates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<String>,
    /// Findings, the worst first; then what passed; then what could not be looked at.
    pub checks: Vec<Checked>,
}

/// A question about a right, and its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// What is asked.
    pub question: String,
    /// Of whom.
    pub user: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// How it is known who they are.
    pub known: &'static str,
    /// The answer: the API server's, else that of roles and bindings; none where neither is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// By what it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What nearly allows it, the likeliest mistake first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// Who may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// What the API server itself says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server: Option<String>,
    /// Whether it says another thing than roles and bindings.
    pub differs: bool,
}

/// A hop, for readers.
#[derive(Debug, Serialize)]
pub struct ShownHop {
    /// Its address.
    pub url: String,
    /// What it says of itself and of the person.
    pub said: String,
}

/// Who somebody is to the cluster.
#[derive(Debug, Serialize)]
pub struct Identity {
    /// The user's name.
    pub username: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Whether the signature, the issuer, the audience and the times were checked as the API server checks them.
    pub verified: bool,
}

/// What one check said.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its name.
    pub id: CheckId,
    /// What would be wrong.
    pub title: &'static str,
    /// What it said.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a check said, for readers.
#[derive(Debug, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// Something is wrong.
    Finding(Box<Diagnosis>),
    /// All is well.
    Pass {
        /// What was compared.
        compared: String,
    },
    /// It could not say.
    NotLookedAt {
        /// What is missing.
        missing: &'static str,
    },
}

/// Something that is wrong, with what to do.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// How bad it is.
    pub severity: Severity,
    /// What exactly.
    pub said: String,
    /// What was expected and what came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// The API server's own words, if it says any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// How it comes about.
    pub cause: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to change.
    pub mend: Vec<FilledMend>,
    /// How to see that it is mended.
    pub retest: String,
}

/// Runs every check. Lines to change are those of the evidence's target, or of the kind of cluster that the settings are of.
pub fn examine(evidence: &Evidence) -> Report {
    let detected = evidence.settings.as_ref().and_then(|settings| settings.target);
    let target = evidence.target.or(detected).unwrap_or(Target::StaticPod);
    let mut verdicts: Vec<_> =
        checks::all().into_iter().map(|(number, check)| (CheckId::new(number), check(evidence))).collect();
    for number in checks::ALSO_OF_SETTINGS {
        if let Some(found) = checks::of_settings(evidence, number) {
            let id = CheckId::new(number);
            verdicts.retain(|(other, _)| *other != id);
            verdicts.push((id, found.into()));
        }
    }
    if let Some((id, found)) = &decision(evidence) {
        let known = verdicts.iter_mut().find(|(known, _)| known == id);
        match known {
            // What the check compared says more than the API server's sentence.
            Some((_, Verdict::Finding(known))) => known.severity = Severity::Error,
            Some((_, verdict)) => *verdict = found.clone().into(),
            None => verdicts.push((*id, found.clone().into())),
        }
    }
    verdicts.sort_by_key(|(id, verdict)| (rank(verdict), place(*id), *id));
    let checks: Vec<_> =
        verdicts.into_iter().filter_map(|(id, verdict)| Checked::new(id, verdict, target)).collect();
    let access = access(evidence);
    let is_answered = access.iter().all(|access| access.allowed.is_some());
    let is_well = !checks.iter().any(|checked| checked.severity().is_some_and(|it| it > Severity::Note));
    Report {
        verdict: if is_well && !is_answered { UNANSWERED.to_owned() } else { verdict(&checks) },
        // Whoever asks whether somebody may do something must not take silence for a yes.
        well: is_well && is_answered,
        identity: evidence.identity().map(|user| Identity {
            username: redacted(&user.username),
            groups: user.groups.iter().map(|group| redacted(group)).collect(),
            verified: matches!(evidence.decision, Some(Ok(_))),
        }),
        log: evidence
            .decision
            .as_ref()
            .and_then(|decision| decision.as_ref().err())
            .map(|sentence| redacted(sentence)),
        next_sign_in: checks::next_sign_in(evidence).map(|sentence| redacted(&sentence)),
        hops: hops(evidence),
        echo: echoes(evidence),
        no_echo: evidence.live.as_ref().filter(|live| live.echo.is_none()).map(|_| NO_ECHO),
        looked: looked(evidence),
        may: evidence.live.iter().flat_map(|live| live.rules.iter()).map(|rule| redacted(rule)).collect(),
        access,
        expressions: evidence
            .settings
            .as_ref()
            .map(|it| it.lint(evidence.target).expressions)
            .unwrap_or_default(),
        checks,
    }
}

fn access(evidence: &Evidence) -> Vec<Access> {
    let shown = |judgement: &Judgement<'_>| {
        let by = match &judgement.rbac {
            Some(Ruling::Allowed(by)) => Some(redacted(by)),
            _ => None,
        };
        let refused = judgement.refused();
        let reason = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
        Access {
            question: redacted(&judgement.question.shown()),
            user: redacted(&judgement.person.user.username),
            groups: judgement.person.user.groups.iter().map(|group| redacted(group)).collect(),
            known: judgement.person.from.name(),
            allowed: judgement.is_allowed(),
            by,
            near: refused.iter().flat_map(|it| &it.near).map(|near| redacted(&near.said)).collect(),
            others: refused.iter().flat_map(|it| &it.others).map(|other| redacted(other)).collect(),
            api_server: judgement.server.map(|server| match server {
                Ok(answer) if answer.allowed => redacted(&format!("yes{}", reason(&answer.reason))),
                Ok(answer) => redacted(&format!("no{}{}", reason(&answer.reason), reason(&answer.error))),
                Err(why) => redacted(&format!("not asked: {why}")),
            }),
            differs: judgement.differs(),
        }
    };
    judgements(evidence).iter().map(shown).collect()
}

fn hops(evidence: &Evidence) -> Vec<ShownHop> {
    let hops = evidence.live.iter().flat_map(|live| live.hops.iter().map(|hop| (hop, &live.route)));
    hops.map(|(hop, route)| {
        let mut said: Vec<_> = route.iter().cloned().collect();
        match &hop.reached {
            Ok(()) => said.extend(hop.version.clone()),
            Err(why) => said.push(why.clone()),
        }
        if let Some(hash) = hop.config.as_ref().and_then(|config| config.hash.as_ref()) {
            said.push(format!("file {}", hash.chars().take(19).collect::<String>()));
        }
        said.extend(hop.person.first().map(|person| format!("the person is {}", person.shown())));
        ShownHop { url: hop.url.clone(), said: redacted(&said.join("; ")) }
    })
    .collect()
}

fn echoes(evidence: &Evidence) -> Vec<ShownHop> {
    let through = evidence.live.iter().flat_map(|live| &live.echo).flat_map(|echo| &echo.hops);
    let shown = |hop: &HopEcho| {
        hop.both().map(|(protocol, echo)| ShownHop {
            url: hop.url.clone(),
            said: redacted(&format!("{protocol}: {echo}")),
        })
    };
    through.flat_map(shown).collect()
}

fn looked(evidence: &Evidence) -> Vec<String> {
    let looked = evidence.live.iter().flat_map(|live| live.looked.iter());
    let mut lines: Vec<_> = looked.map(|it| format!("{}: {}", it.place, it.outcome)).collect();
    let on_machine = evidence.host.as_ref().and_then(|host| host.found.as_ref());
    lines.extend(on_machine.map(|found| format!("the machine's files: found ({})", found.source)));
    if !lines.is_empty() && evidence.settings.is_none() {
        lines.push(
            "give them: --flags (the manifest, config.yaml, args) and --authentication-config".to_owned(),
        );
    }
    lines
}

/// The row that the API server's own sentence speaks of.
fn decision(evidence: &Evidence) -> Option<(CheckId, Found)> {
    let Some(Err(sentence)) = &evidence.decision else { return None };
    let recognised = signs::recognise(&redacted(sentence)).into_iter().max_by_key(|it| it.strength)?;
    if recognised.strength < Strength::Likely {
        return None;
    }
    let mut found = Found::new(Severity::Error, format!("the API server says: {sentence}"));
    found.expected = recognised.facts.shown("expected");
    found.got = recognised.facts.shown("got");
    for name in ["claim", "host"] {
        if let Some(value) = recognised.facts.shown(name) {
            found.facts.push((name, value));
        }
    }
    Some((recognised.row.id, found))
}

/// Findings before what passed, before what could not be looked at.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Finding(found) => match found.severity {
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Note => 2,
        },
        Verdict::Pass(_) => 3,
        Verdict::NotLookedAt(_) => 4,
    }
}

fn place(id: CheckId) -> usize {
    ORDER.iter().position(|number| *number == id.number()).unwrap_or(ORDER.len())
}

fn redacted(text: &str) -> String {
    let mut redactor = Redactor::default();
    let lines: Vec<_> = text.lines().map(|line| redactor.line(line)).collect();
    lines.join("\n")
}

impl Checked {
    fn new(id: CheckId, verdict: Verdict, target: Target) -> Option<Self> {
        let row = catalogue::row(id)?;
        let outcome = match verdict {
            Verdict::Pass(compared) => Outcome::Pass { compared: redacted(&compared) },
            Verdict::NotLookedAt(missing) => Outcome::NotLookedAt { missing },
            Verdict::Finding(found) => Outcome::Finding(Box::new(Diagnosis::new(row, &found, target))),
        };
        Some(Self { id, title: row.title, outcome })
    }

    /// How bad a finding is.
    pub fn severity(&self) -> Option<Severity> {
        match &self.outcome {
            Outcome::Finding(diagnosis) => Some(diagnosis.severity),
            _ => None,
        }
    }
}

impl Diagnosis {
    fn new(row: &Row, found: &Found, target: Target) -> Self {
        let mut facts = Facts::default();
        let sides = [("expected", found.expected.as_ref()), ("got", found.got.as_ref())];
        let named = found.facts.iter().map(|(name, value)| (*name, Some(value)));
        for (name, value) in sides.into_iter().chain(named) {
            if let Some(value) = value {
                facts.add_list(name, &redacted(value));
            }
        }
        let pair =
            row.compares.filter(|_| found.expected.is_some() || found.got.is_some()).map(|words| Pair {
                expected: Side { what: words.expected, value: found.expected.as_deref().map(redacted) },
                got: Side { what: words.got, value: found.got.as_deref().map(redacted) },
            });
        // Where the catalogue has no words for the two sides, they are part of the sentence.
        let said = match (&pair, &found.expected, &found.got) {
            (None, Some(expected), Some(got)) if found.mends.is_empty() => {
                format!("{} (expected {expected}, got {got})", found.said)
            }
            _ => found.said.clone(),
        };
        Self {
            severity: found.severity,
            said: redacted(&said),
            pair,
            cause: row.cause,
            why: row.why,
            upstream: found.upstream.as_deref().map(redacted),
            mend: if found.mends.is_empty() { facts.mends(row, target) } else { found.mends.clone() },
            retest: found.retest.clone().unwrap_or_else(|| facts.fill(row.retest, row.compares)),
        }
    }
}

fn verdict(checks: &[Checked]) -> String {
    let of = |severity| {
        checks.iter().filter(move |checked| checked.severity() == Some(severity)).collect::<Vec<_>>()
    };
    let also = |rest: &[&Checked]| match rest {
        [] => String::new(),
        rest => format!(" Also {}.", rest.iter().map(|it| it.id.to_string()).collect::<Vec<_>>().join(", ")),
    };
    let passed = checks.iter().filter(|checked| matches!(checked.outcome, Outcome::Pass { .. })).count();
    match (of(Severity::Error).as_slice(), of(Severity::Warning).as_slice()) {
        ([first, rest @ ..], _) => format!("{}: {}.{}", first.id, first.title, also(rest)),
        ([], [first, rest @ ..]) => format!("Perhaps {}: {}.{}", first.id, first.title, also(rest)),
        ([], []) if passed == 0 => "Nothing could be looked at with what was given.".to_owned(),
        ([], []) => format!("All is well, as far as {passed} checks could see."),
    }
}

#[cfg(test)]
mod tests;
