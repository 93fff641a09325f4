//! The files of a machine of the control plane: the one that is named, or this one, if the API server that was asked is here. It
//! is the last place where settings are looked for: what a cluster says of itself is nearer to what is in force.

use std::net::{IpAddr, ToSocketAddrs as _, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use kubesso_clusters::{Arguments, MANIFEST, Target, detect, look, manifests_of_api_server};
use kubesso_doctor::evidence::{Evidence, HostEvidence};
use url::Url;

use crate::args::Given;
use crate::cluster::Machine;
use crate::error::CommandError;

/// RKE2's own folder of manifests.
const RKE2_MANIFESTS: &str = "/var/lib/rancher/rke2/agent/pod-manifests";
/// A journal of any length is searched in less.
const PATIENCE: Duration = Duration::from_secs(5);

/// Adds what the machine's files say; the settings only where nobody gave any and the cluster says none.
pub(super) async fn look_here(given: &Given, evidence: &mut Evidence) -> Result<(), CommandError> {
    let root = given.root.as_deref();
    if root.is_none() && evidence.live.is_none() {
        return Ok(());
    }
    let machine = Machine::new(root.unwrap_or(Path::new("/")));
    let Some(host) = read(&machine, root.is_none(), evidence).await else {
        return match root {
            None => Ok(()),
            Some(root) => Err(CommandError::new(format!(
                "no Kubernetes that is known has its files below {}",
                root.display()
            ))
            .mend("name the kind of cluster with --target, or its file with --flags")),
        };
    };
    if root.is_none() && !is_here(&host, evidence) {
        return Ok(());
    }
    match &mut evidence.settings {
        None => evidence.settings = host.settings(),
        // The file that the flags name is on this machine.
        Some(settings)
            if settings.authentication.is_none() && settings.flag("authentication-config").is_some() =>
        {
            settings.authentication = host.settings().and_then(|own| own.authentication);
        }
        Some(_) => {}
    }
    evidence.host = Some(host);
    Ok(())
}

async fn read(machine: &Machine, is_this: bool, evidence: &Evidence) -> Option<HostEvidence> {
    let target = evidence.target.or_else(|| detect(machine))?;
    let found = look(target, machine, MANIFEST).ok();
    let folder = match target {
        Target::Rke2 => RKE2_MANIFESTS.to_owned(),
        _ => Path::new(MANIFEST).parent().map(|folder| folder.display().to_string()).unwrap_or_default(),
    };
    let manifests = manifests_of_api_server(machine, &folder).unwrap_or_default();
    if found.is_none() && manifests.is_empty() {
        return None;
    }
    let running = if is_this && target == Target::K3s { of_journal().await } else { None };
    let written = found.as_ref().and_then(|found| machine.written(&found.source));
    Some(HostEvidence { target: Some(target), found, running, written, manifests })
}

/// Whether one of the API servers that were asked is that of this machine: an address of it, at the port that its files say.
fn is_here(host: &HostEvidence, evidence: &Evidence) -> bool {
    let by_argument =
        host.found.as_ref().and_then(|found| found.arguments.value("secure-port")?.parse().ok());
    let port = by_argument.unwrap_or(match host.target {
        Some(Target::MicroK8s) => 16_443,
        _ => 6_443,
    });
    let hops = evidence.live.iter().flat_map(|live| &live.hops).filter(|hop| hop.reached.is_ok());
    hops.filter_map(|hop| Url::parse(&hop.url).ok()).any(|url| {
        let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        url.port_or_known_default() == Some(port)
            && (name.as_str(), port)
                .to_socket_addrs()
                .is_ok_and(|mut addresses| addresses.any(|address| is_own(address.ip())))
    })
}

/// Only a machine's own address can be bound to.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// What k3s says in its journal that it started the API server with, the last time.
async fn of_journal() -> Option<Arguments> {
    let mut command = tokio::process::Command::new("journalctl");
    command
        .args(["--unit=k3s", "--output=cat", "--no-pager", "--grep=Running kube-apiserver"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    of_lines(&String::from_utf8_lossy(&ended.stdout))
}

/// `… msg="Running kube-apiserver --advertise-port=6443 …"`
fn of_lines(text: &str) -> Option<Arguments> {
    let (_, words) = text.lines().rev().find_map(|line| line.split_once("Running kube-apiserver "))?;
    let words = words.strip_suffix('"').unwrap_or(words);
    Some(Arguments::of_words(words.split_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_start_in_the_journal_counts() {
        let text = "time=\"2026-11-01\" level=info msg=\"Starting k3s v1.36.1+k3s1\"\n\
                    time=\"2026-11-01\" level=info msg=\"Running kube-apiserver --oidc-client-id=old --anonymous-auth=false\"\n\
                    time=\"2026-11-02\" level=info msg=\"Running kube-apiserver --advertise-port=6443 --oidc-client-id=new\"\n\
                    time=\"2026-11-02\" level=info msg=\"Running kube-scheduler --v=2\"\n";
        let read = of_lines(text).unwrap();
        assert_eq!((read.value("oidc-client-id"), read.value("anonymous-auth")), (Some("new"), None));
        assert_eq!(of_lines("-- No entries --\n"), None);
    }

    #[test]
    fn an_address_of_this_machine_is_known() {
        assert!(is_own(IpAddr::from([127, 0, 0, 1])));
        // RFC 5737: documentation's.
        assert!(!is_own(IpAddr::from([192, 0, 2, 1])));
    }
}
