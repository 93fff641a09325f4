//! What only a live cluster shows: rows 43 to 45, 57, 59 and 60.

use kubesso_clusters::Target;

use super::{CLUSTER, Check, control_plane, echo};
use crate::evidence::{Evidence, Hop, HopKind, LiveEvidence, LoadedConfig, Said, Upgrade};
use crate::facts::FilledMend;
use crate::verdict::{Verdict, error, missing, pass};

pub(super) const CHECKS: &[Check] = &[
    (43, last_file_was_taken),
    (44, file_is_in_force),
    (45, api_servers_agree),
    (57, upgrades_pass),
    (59, certificates_are_trusted),
    (60, hops_agree),
];

const METRICS: &str =
    "the API server's metrics (--context, or --admin-context, with the right to read /metrics)";
const PERSON: &str = "a person's token (--token -) beside a cluster (--context)";
const ENDPOINTS: &str = "an API server's own address (--endpoint, or a right to read endpointslices)";

fn with_live(evidence: &Evidence, check: impl FnOnce(&LiveEvidence) -> Verdict) -> Verdict {
    evidence.live.as_ref().map_or_else(|| missing(CLUSTER), check)
}

/// A name for an API server that several addresses may lead to.
fn named(hop: &Hop) -> String {
    match hop.config.as_ref().and_then(|config| config.api_server.as_deref()) {
        Some(hash) => format!("{} (apiserver_id_hash {})", hop.url, short(hash)),
        None => hop.url.clone(),
    }
}

fn short(hash: &str) -> &str {
    hash.get(.."sha256:".len() + 12).unwrap_or(hash)
}

fn last_file_was_taken(evidence: &Evidence) -> Verdict {
    if let Some(found) = unfinished(evidence, true) {
        return found;
    }
    with_live(evidence, |live| {
        let known: Vec<_> = live.hops.iter().filter_map(|hop| Some((hop, hop.config.as_ref()?))).collect();
        if known.is_empty() {
            return missing(METRICS);
        }
        let refusing: Vec<_> = known.iter().filter(|(_, config)| config.is_refusing()).collect();
        let Some((hop, config)) = refusing.first() else {
            return pass("no API server refuses the file that it read last");
        };
        let why =
            evidence.settings.as_ref().map(|settings| settings.lint(evidence.target)).and_then(|lint| {
                let first = lint.findings.into_iter().next()?;
                first.upstream
            });
        let mut found = error(format!("{} refused the file that it read last", named(hop)))
            .pair("0", format!("automatic_reloads_total{{status=\"failure\"}} {}", config.failures));
        found.upstream = why;
        found.into()
    })
}

/// What a cloud says of settings that it was given: that it gave them up, or that it is at them still.
fn unfinished(evidence: &Evidence, is_final: bool) -> Option<Verdict> {
    let settings = evidence.settings.as_ref()?;
    let unfinished = settings.unfinished.as_ref().filter(|it| it.is_final == is_final)?;
    let cloud = settings.target?;
    let said = if is_final { "did not take" } else { "has not yet put in force" };
    let mut found =
        error(format!("{} {said} these settings", cloud.title())).pair("in force", &unfinished.state);
    let line = match (cloud, is_final) {
        (Target::Eks, true) => {
            "disassociate the provider and associate it again: kubesso cluster config --for eks"
        }
        (Target::Eks, false) => "wait until aws eks describe-identity-provider-config says ACTIVE",
        (Target::Gke, true) => {
            "gcloud iam workforce-pools providers undelete …, or update-oidc … --no-disabled"
        }
        (_, true) => {
            "az aks jwtauthenticator update … --config-file FILE: kubesso cluster config --for aks writes it"
        }
        (_, false) => "wait until az aks jwtauthenticator show says Succeeded",
    };
    found.mends = vec![FilledMend { at: cloud.title().to_owned(), line: line.to_owned() }];
    Some(found.into())
}

fn file_is_in_force(evidence: &Evidence) -> Verdict {
    if let Some(found) = control_plane::not_restarted(evidence) {
        return found.into();
    }
    if let Some(found) = unfinished(evidence, false) {
        return found;
    }
    let file = evidence.settings.as_ref().and_then(|settings| settings.authentication.as_ref());
    let file = file.filter(|file| !file.is_answer);
    with_live(evidence, |live| {
        let Some(file) = file else {
            return missing("the AuthenticationConfiguration (--authentication-config)");
        };
        let hash = kubesso_clusters::loaded_hash(file.text.as_bytes());
        let known: Vec<_> =
            live.hops.iter().filter_map(|hop| Some((hop, hop.config.as_ref()?.hash.as_ref()?))).collect();
        if known.is_empty() {
            return missing(METRICS);
        }
        // Where the file was refused it is row 43.
        let other = known.iter().find(|(hop, loaded)| {
            **loaded != hash && !hop.config.as_ref().is_some_and(LoadedConfig::is_refusing)
        });
        match other {
            Some((hop, loaded)) => {
                error(format!("{} has another file in force", named(hop))).pair(hash, loaded.as_str()).into()
            }
            None if known.iter().all(|(_, loaded)| **loaded == hash) => {
                pass(format!("{} API servers have this very file in force", known.len()))
            }
            None => missing("a file that the API server takes (see KS043)"),
        }
    })
}

fn api_servers_agree(evidence: &Evidence) -> Verdict {
    with_live(evidence, |live| {
        for hop in &live.hops {
            if let Some((one, other)) = different(&hop.person.iter().collect::<Vec<_>>()) {
                return error(format!("{} answers now one thing and now another", hop.url))
                    .pair(one.shown(), other.shown())
                    .into();
            }
        }
        let hashes: Vec<_> =
            live.hops.iter().filter_map(|hop| Some((hop, hop.config.as_ref()?.hash.as_ref()?))).collect();
        if let Some(((one, first), (other, second))) =
            hashes.first().and_then(|first| Some((first, hashes.iter().find(|it| it.1 != first.1)?)))
        {
            return error(format!("{} and {} have different files in force", named(one), named(other)))
                .pair(first.as_str(), second.as_str())
                .into();
        }
        if let Some(found) = control_plane::nodes_differ(evidence) {
            return found.into();
        }
        let direct: Vec<_> = live.hops.iter().filter(|hop| hop.kind == HopKind::Endpoint).collect();
        let said: Vec<_> = direct.iter().filter_map(|hop| hop.person.first()).collect();
        if let Some((one, other)) = different(&said) {
            return error("the API servers answer differently").pair(one.shown(), other.shown()).into();
        }
        match (live.hops.iter().any(|hop| !hop.person.is_empty()), hashes.len()) {
            (false, 0 | 1) if control_plane::compared(evidence) > 1 => pass(format!(
                "the {} API servers' pods have the same arguments",
                control_plane::compared(evidence)
            )),
            (false, 0 | 1) => missing(PERSON),
            _ => pass("the API servers answer the same"),
        }
    })
}

/// The first two that are not the same; where one could not be asked, nothing is known.
fn different<'a>(said: &[&'a Said]) -> Option<(&'a Said, &'a Said)> {
    let mut known = said.iter().filter(|it| !matches!(it, Said::Other(_)));
    let first = known.next()?;
    // Whoever gets in is what is right.
    let other = known.find(|other| *other != first)?;
    if matches!(first, Said::User(_)) { Some((first, other)) } else { Some((other, first)) }
}

fn hops_agree(evidence: &Evidence) -> Verdict {
    with_live(evidence, |live| {
        let Some(front) = live.hops.iter().find(|hop| hop.kind == HopKind::Kubeconfig) else {
            return missing(CLUSTER);
        };
        if let (Err(why), None) = (&front.reached, &front.shown) {
            let said = "nothing answers at the kubeconfig's server: the address is another's, or the API server does not run";
            return error(said).pair("an answer", format!("{}: {why}", front.url)).into();
        }
        let Some(said) = front.person.first() else { return missing(PERSON) };
        let direct: Vec<_> =
            live.hops.iter().filter(|hop| hop.kind == HopKind::Endpoint && !hop.person.is_empty()).collect();
        if direct.is_empty() {
            return missing(ENDPOINTS);
        }
        // Where one address answers differently by itself, or the API servers do, it is row 45.
        let steady = different(&front.person.iter().collect::<Vec<_>>()).is_none();
        let answers: Vec<_> = direct.iter().filter_map(|hop| hop.person.first()).collect();
        if !steady || different(&answers).is_some() {
            return missing("API servers that agree with each other (see KS045)");
        }
        match direct.iter().find_map(|hop| Some((hop, different(&[said, hop.person.first()?])?))) {
            Some((hop, (good, bad))) => {
                let (takes, other) = if matches!(said, Said::User(_)) {
                    (&front.url, &hop.url)
                } else {
                    (&hop.url, &front.url)
                };
                let what = match bad {
                    Said::User(_) => format!("{takes} and {other} take the person for different people"),
                    _ => format!("{takes} knows the person, {other} does not"),
                };
                error(what).pair(good.shown(), bad.shown()).fact("server", takes.clone()).into()
            }
            None => pass("each hop takes the person for the same"),
        }
    })
}

fn certificates_are_trusted(evidence: &Evidence) -> Verdict {
    with_live(evidence, |live| {
        for hop in &live.hops {
            let Err(why) = &hop.reached else { continue };
            let Some(shown) = &hop.shown else { continue };
            let trusted = if live.trusted_subjects.is_empty() {
                "an authority of this machine".to_owned()
            } else {
                live.trusted_subjects.join(", ")
            };
            return error(format!("the certificate of {} is not trusted: {why}", hop.url))
                .pair(trusted, format!("{}, signed by {}", shown.subject, shown.issuer))
                .fact("server", hop.url.clone())
                .into();
        }
        match live.hops.iter().filter(|hop| hop.reached.is_ok()).count() {
            0 => missing("a server that answers"),
            reached => {
                pass(format!("{reached} of {} addresses show a certificate that is trusted", live.hops.len()))
            }
        }
    })
}

fn upgrades_pass(evidence: &Evidence) -> Verdict {
    with_live(evidence, |live| {
        if let Some(echo) = &live.echo {
            return echo::verdict(echo);
        }
        let tried: Vec<_> = live.hops.iter().filter_map(|hop| Some((hop, hop.websocket.as_ref()?))).collect();
        // The sandbox has nothing that is upgraded.
        let is_sandbox =
            |hop: &Hop| hop.version.as_deref().is_some_and(|version| version.ends_with("+kubesso-sandbox"));
        let tried: Vec<_> = tried
            .into_iter()
            .filter(|(hop, upgrade)| **upgrade != Upgrade::NotAllowed && !is_sandbox(hop))
            .collect();
        if tried.is_empty() {
            return missing("a right to watch namespaces (--context or --admin-context), to try a WebSocket");
        }
        match tried.iter().find(|(hop, upgrade)| **upgrade != Upgrade::Upgraded && hop.reached.is_ok()) {
            Some((hop, upgrade)) => {
                let got = match upgrade {
                    Upgrade::NotUpgraded(status) => format!("HTTP {status}"),
                    Upgrade::Broken(why) => why.clone(),
                    Upgrade::Upgraded | Upgrade::NotAllowed => String::new(),
                };
                error(format!("{} does not upgrade a connection to a WebSocket", hop.url))
                    .pair("HTTP 101 Switching Protocols", got)
                    .into()
            }
            None => pass(
                "a WebSocket is opened through each hop; whether data, silence and SPDY/3.1 pass needs a pod: \
                 --echo NAMESPACE/POD",
            ),
        }
    })
}
