//! What the machines of the control plane run with, and what writes that: row 46, and what rows 44 and 45 have of it.

use jiff::Timestamp;
use kubesso_clusters::{Arguments, Drift, RunningServer, Target, drift, flag_line, unlike, writer_of};

use super::Check;
use crate::evidence::{ControlPlane, Evidence, HostEvidence};
use crate::facts::FilledMend;
use crate::place::Place;
use crate::verdict::{Found, Verdict, error, missing, pass, warning};

pub(super) const CHECKS: &[Check] = &[(46, settings_stay)];

const MACHINES: &str = "a right to read the API servers' pods (--context, or --admin-context), or their machine's files (--root)";

fn settings_stay(evidence: &Evidence) -> Verdict {
    if let Some(found) = evidence.host.as_ref().and_then(two_manifests) {
        return found.into();
    }
    let control_plane = evidence.live.as_ref().and_then(|live| live.control_plane.as_ref());
    let Some(control_plane) = control_plane else {
        return match &evidence.host {
            Some(host) if host.manifests.len() == 1 => {
                pass("one file of the manifests folder is the API server's")
            }
            _ => missing(MACHINES),
        };
    };
    for server in &control_plane.servers {
        let found =
            by_kubeadm(control_plane, server, evidence.target).or_else(|| by_rke2(control_plane, server));
        if let Some(found) = found {
            return found.into();
        }
    }
    match (&control_plane.kubeadm, control_plane.rke2.is_empty(), control_plane.servers.first()) {
        (Some(_), ..) => pass("each API server runs with what kubeadm keeps for the next upgrade"),
        (None, false, _) => pass("each API server runs with what RKE2's configuration says"),
        (None, true, Some(server)) => match writer_of(server) {
            Some(target) => missing_of(target),
            None => missing("what writes the API server's manifest: there is no configmap/kubeadm-config"),
        },
        (None, true, None) => missing(MACHINES),
    }
}

fn missing_of(target: Target) -> Verdict {
    missing(match target {
        Target::Kops => {
            "kOps' cluster spec, which writes the manifest (kops get cluster -o yaml > FILE, and --flags FILE)"
        }
        Target::Talos => "Talos' machine configuration, which writes the manifest (talosctl get mc -o yaml)",
        _ => "what writes the API server's manifest: there is no configmap/kubeadm-config",
    })
}

/// Two files of which the kubelet makes the same pod: it runs now the one and now the other.
fn two_manifests(host: &HostEvidence) -> Option<Found> {
    let [(first, one), rest @ ..] = host.manifests.as_slice() else { return None };
    let (second, other) = rest.first()?;
    // The one with the plain name is meant.
    let (kept, (copy, theirs)) = if second.ends_with("/kube-apiserver.yaml") {
        ((second, other), (first, one))
    } else {
        ((first, one), (second, other))
    };
    let differs: Vec<_> = drift(kept.1, theirs).into_iter().map(|one| format!("--{}", one.flag)).collect();
    let what =
        if differs.is_empty() { String::new() } else { format!(", which differ in {}", differs.join(", ")) };
    let mut found = error(format!(
        "the kubelet makes the API server's pod of {} and of {copy}{what}: it takes every file of the folder whose name does not begin \
         with a dot",
        kept.0
    ))
    .pair(kept.0.clone(), copy.clone());
    let mends = host.manifests.iter().filter(|(path, _)| path != kept.0);
    found.mends = mends.map(|(path, _)| at_host(format!("mv {path} /var/backups/"))).collect();
    Some(found)
}

fn at_host(line: String) -> FilledMend {
    FilledMend { at: Place::ApiServerHost.name().to_owned(), line }
}

fn words(values: &[String]) -> String {
    if values.is_empty() { "not set".to_owned() } else { values.join(", ") }
}

fn sentence(server: &RunningServer, drifts: &[Drift], writer: &str, then: &str) -> Found {
    let lost: Vec<_> = drifts.iter().filter(|one| !one.running.is_empty()).collect();
    let flags =
        |all: &[&Drift]| all.iter().map(|one| format!("--{}", one.flag)).collect::<Vec<_>>().join(", ");
    let waiting: Vec<_> = drifts.iter().filter(|one| one.running.is_empty()).collect();
    let mut parts = Vec::new();
    if !lost.is_empty() {
        parts.push(format!(
            "{} of the API server on {} is not what {writer} has: {then}",
            flags(&lost),
            server.node
        ));
    }
    if !waiting.is_empty() {
        parts.push(format!("{} of {writer} is not in force on {} yet", flags(&waiting), server.node));
    }
    let first = lost.first().or(waiting.first());
    let pair = first.map(|one| {
        let shown = |values: &[String]| format!("--{}: {}", one.flag, words(values));
        (shown(&one.kept), shown(&one.running))
    });
    let (kept, running) = pair.unwrap_or_default();
    warning(parts.join("; ")).pair(kept, running)
}

fn by_kubeadm(control_plane: &ControlPlane, server: &RunningServer, named: Option<Target>) -> Option<Found> {
    let kept = control_plane.kubeadm.as_ref()?;
    let target = named.or_else(|| writer_of(server)).unwrap_or(Target::Kubeadm);
    let drifts = drift(&server.arguments, &kept.arguments);
    let lost = kept.lost_mount(server);
    let edit = |line: String| {
        at_host(format!(
            "kubectl -n kube-system edit configmap kubeadm-config; in ClusterConfiguration: {line}"
        ))
    };
    let mut found = match (drifts.as_slice(), &lost) {
        ([], None) => return None,
        ([], Some((path, _))) => warning(format!(
            "the API server on {} reads {path}, and kubeadm would not mount it: after the next upgrade it does not start",
            server.node
        ))
        .pair("a volume that has it, among apiServer.extraVolumes", "none"),
        (drifts, _) => sentence(
            server,
            drifts,
            "configmap/kubeadm-config",
            "the next kubeadm upgrade, and the next new node, have the latter",
        ),
    };
    for one in drifts.iter().filter(|one| !one.running.is_empty()) {
        let first = one.running.first().map(String::as_str).unwrap_or_default();
        found.mends.push(match target {
            Target::Kubeadm | Target::StaticPod => edit(kept.line(&one.flag, &one.running)),
            target => at_host(flag_line(target, &one.flag, first)),
        });
    }
    if let Some((_, line)) = lost.filter(|_| matches!(target, Target::Kubeadm | Target::StaticPod)) {
        found.mends.push(edit(line));
    }
    if drifts.iter().any(|one| !one.kept.is_empty()) {
        found.mends.push(at_host(format!(
            "or, where the ConfigMap is right, on {}: kubectl -n kube-system get configmap kubeadm-config -o \
             jsonpath='{{.data.ClusterConfiguration}}' > kubeadm.yaml && kubeadm init phase control-plane apiserver --config kubeadm.yaml",
            server.node
        )));
    }
    Some(found)
}

fn by_rke2(control_plane: &ControlPlane, server: &RunningServer) -> Option<Found> {
    let (_, configured) = control_plane.rke2.iter().find(|(node, _)| *node == server.node)?;
    // RKE2 adds much by itself: what somebody set is about issuers.
    let all = drift(&server.arguments, configured);
    let drifts: Vec<_> = all
        .into_iter()
        .filter(|one| one.flag.starts_with("oidc-") || one.flag == "authentication-config")
        .collect();
    if drifts.is_empty() {
        return None;
    }
    let mut found = sentence(
        server,
        &drifts,
        "RKE2's configuration",
        "RKE2 writes pod-manifests/kube-apiserver.yaml anew at each start",
    );
    let lost = drifts.iter().filter(|one| !one.running.is_empty());
    found.mends = lost
        .flat_map(|one| one.running.iter().map(|value| at_host(flag_line(Target::Rke2, &one.flag, value))))
        .collect();
    if found.mends.is_empty() {
        found.mends.push(at_host(format!("on {}: systemctl restart rke2-server", server.node)));
    }
    Some(found)
}

/// Row 45: arguments that are not the same on all nodes.
pub(super) fn nodes_differ(evidence: &Evidence) -> Option<Found> {
    let control_plane = evidence.live.as_ref()?.control_plane.as_ref()?;
    let all = unlike(&control_plane.servers);
    let first = all.first()?;
    let (value, nodes) = &first.common;
    let others = |one: &kubesso_clusters::Unlike| {
        one.others.iter().map(|(node, value)| format!("{value} on {node}")).collect::<Vec<_>>().join("; ")
    };
    let mut names: Vec<_> = all.iter().flat_map(|one| &one.others).map(|(node, _)| node.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let flags: Vec<_> = all.iter().map(|one| format!("--{}", one.flag)).collect();
    let mut found = error(format!(
        "{} has other arguments than {}: {}",
        names.join(", "),
        nodes.join(", "),
        flags.join(", ")
    ))
    .pair(
        format!("--{}: {value} on {}", first.flag, nodes.join(", ")),
        format!("--{}: {}", first.flag, others(first)),
    );
    found.mends = all
        .iter()
        .map(|one| {
            let nodes: Vec<_> = one.others.iter().map(|(node, _)| node.as_str()).collect();
            at_host(format!(
                "on {}: --{}: {} (or on the others what it has)",
                nodes.join(", "),
                one.flag,
                one.common.0
            ))
        })
        .collect();
    Some(found)
}

/// How many API servers' pods were compared.
pub(super) fn compared(evidence: &Evidence) -> usize {
    let control_plane = evidence.live.as_ref().and_then(|live| live.control_plane.as_ref());
    control_plane.map_or(0, |control_plane| control_plane.servers.len())
}

/// Row 44: what is written on the machine, and is not what its API server was started with.
pub(super) fn not_restarted(evidence: &Evidence) -> Option<Found> {
    let host = evidence.host.as_ref()?;
    let found = host.found.as_ref()?;
    let mut told = match &host.running {
        Some(running) => started_with_others(running, found)?,
        None => written_since(evidence, host, found)?,
    };
    let restart = restart(host.target).unwrap_or("restart the API server");
    told.mends = vec![at_host(restart.to_owned())];
    Some(told)
}

/// How arguments come into force where nobody restarts the API server for them.
fn restart(target: Option<Target>) -> Option<&'static str> {
    Some(match target? {
        Target::K3s => "systemctl restart k3s",
        Target::MicroK8s => "snap restart microk8s.daemon-kubelite",
        Target::K0s => "systemctl restart k0scontroller",
        Target::Rke2 => "systemctl restart rke2-server",
        _ => return None,
    })
}

/// By what its log says that it was started with.
fn started_with_others(running: &Arguments, found: &kubesso_clusters::Found) -> Option<Found> {
    let drifts: Vec<_> = drift(running, &found.arguments)
        .into_iter()
        .filter(|one| one.flag.starts_with("oidc-") || one.flag == "authentication-config")
        .collect();
    let first = drifts.first()?;
    let flags: Vec<_> = drifts.iter().map(|one| format!("--{}", one.flag)).collect();
    let shown = |values: &[String]| format!("--{}: {}", first.flag, words(values));
    let said = format!(
        "{} says other things than the API server was started with: {}",
        found.source,
        flags.join(", ")
    );
    Some(error(said).pair(shown(&first.kept), shown(&first.running)))
}

/// By the times of the file and of the process: every API server that was asked began before the file was written.
fn written_since(evidence: &Evidence, host: &HostEvidence, found: &kubesso_clusters::Found) -> Option<Found> {
    restart(host.target)?;
    let written = host.written?;
    let hops = evidence.live.iter().flat_map(|live| &live.hops);
    let last = hops.filter_map(|hop| hop.began).max().filter(|began| *began < written)?;
    let said = format!(
        "{} was written after the API server had begun: what it says may not be in force",
        found.source
    );
    let shown = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    Some(warning(said).pair(format!("begun after {}", shown(written)), format!("begun {}", shown(last))))
}
