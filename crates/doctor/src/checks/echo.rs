//! Row 57 by an echo: at which hop, by which protocol and at what step it broke, and whose setting it is.

use kubesso_streams::Protocol;

use crate::evidence::{AnswerHead, Broken, Echo, EchoEvidence, Evidence, HopEcho, HopKind, Step};
use crate::facts::FilledMend;
use crate::place::Place;
use crate::verdict::{Found, Severity, Verdict, error, missing, pass, warning};

const POD: &str =
    "a running container with `cat` in it, whose name is right, for --echo (see the lines of the echo)";
const RIGHT: &str = "the right to exec there: get and create of pods/exec (see KS031)";
const REACHED: &str = "a server that can be reached (see KS059 and KS060)";

/// What kubectl makes of it if only one of the two ways is open.
const ONE_WAY: [(Protocol, &str); 2] = [
    (
        Protocol::WebSocket,
        "kubectl falls back to SPDY/3.1; clients that know WebSocket only (browsers, dashboards) have no way",
    ),
    (
        Protocol::Spdy,
        "kubectl since 1.31 uses WebSocket and works; older kubectl and other programs with client-go fail",
    ),
];

const SILENCE: &str =
    "kubectl's exec pings every 5 s and is not cut; `kubectl logs -f`, quiet watches and other clients are";

/// A kind of proxy: how its answers are known, and what lets an upgrade through and bears silence.
struct Proxy {
    name: &'static str,
    /// What its `Server` or `Via` has in it, in lower case.
    signs: &'static [&'static str],
    upgrade: &'static str,
    idle: &'static str,
}

/// Those that are met in front of API servers. The catalogue has the same lines for readers.
const PROXIES: [Proxy; 8] = [
    Proxy {
        name: "nginx",
        signs: &["nginx", "openresty", "tengine"],
        upgrade: "map $http_upgrade $connection_upgrade { default upgrade; '' close; } proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;   # $http_upgrade, not the word websocket: SPDY/3.1 passes too",
        idle: "proxy_read_timeout 1h; proxy_send_timeout 1h;   # 60 s by default; ingress-nginx: annotations nginx.ingress.kubernetes.io/proxy-read-timeout and proxy-send-timeout: \"3600\"",
    },
    Proxy {
        name: "Envoy",
        signs: &["envoy"],
        upgrade: "upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: SPDY/3.1}]   # of the HttpConnectionManager; without it Envoy answers 403",
        idle: "stream_idle_timeout: 3600s   # of the HttpConnectionManager, 5 minutes by default; and the route's idle_timeout",
    },
    Proxy {
        name: "HAProxy",
        signs: &["haproxy"],
        upgrade: "mode tcp; or in mode http no `option httpclose` and no `http-request del-header Upgrade`",
        idle: "timeout tunnel 1h   # without it the shorter of timeout client and timeout server counts",
    },
    Proxy {
        name: "AWS load balancer",
        signs: &["awselb", "awsalb"],
        upgrade: "an NLB with a TCP listener in its place: an ALB upgrades to WebSocket only, and ends client certificates",
        idle: "ALB: idle_timeout.timeout_seconds=4000 (60 by default); NLB: tcp.idle_timeout.seconds=6000 (350 by default)",
    },
    Proxy {
        name: "Apache httpd",
        signs: &["apache"],
        upgrade: "ProxyPass / https://…:6443/ upgrade=ANY   # 2.4.47 or later",
        idle: "ProxyTimeout 3600",
    },
    Proxy {
        name: "Traefik",
        signs: &["traefik"],
        upgrade: "a TCP router: rule: HostSNI(`…`), tls: {passthrough: true}",
        idle: "a TCP router with passthrough, or transport.respondingTimeouts of the entry point: readTimeout: 0, idleTimeout: 1h",
    },
    Proxy {
        name: "Azure Application Gateway",
        signs: &["azure-application-gateway"],
        upgrade: "a Load Balancer (TCP) in its place: an Application Gateway upgrades to WebSocket only",
        idle: "Load Balancer: idleTimeoutInMinutes 30 and TCP reset (4 minutes by default)",
    },
    Proxy {
        name: "Google Cloud load balancer",
        signs: &["google"],
        upgrade: "a passthrough Network Load Balancer in its place: the one for HTTPS upgrades to WebSocket only",
        idle: "timeoutSec: 3600 of the backend service   # 30 s by default, for WebSockets too",
    },
];

/// The verdict on an echo.
pub(super) fn verdict(echo: &EchoEvidence) -> Verdict {
    let all = || echo.hops.iter().flat_map(|hop| hop.both().map(|(protocol, echo)| (hop, protocol, echo)));
    let ways: Vec<_> = all().filter_map(|(hop, _, echo)| Some((hop, broken(echo)?))).collect();
    // What stands behind all hops is named before what stands before some.
    let at_node = ways.iter().find(|(_, broken)| broken.step == Step::Kubelet);
    if let Some((hop, broken)) = at_node {
        return of_node(hop, broken).into();
    }
    let culprit = ways
        .iter()
        .find(|(hop, _)| hop.kind == HopKind::Endpoint)
        .or_else(|| ways.first())
        .map(|(hop, _)| *hop);
    if let Some(hop) = culprit {
        return of_hop(hop, echo).into();
    }
    let answered = all().filter(|(.., echo)| matches!(echo, Echo::Answered(_))).count();
    match (answered, all().count()) {
        (0, _) if all().any(|(.., echo)| matches!(echo, Echo::Forbidden(_))) => missing(RIGHT),
        (0, _) if all().any(|(.., echo)| matches!(echo, Echo::Unusable(_))) => missing(POD),
        (0, _) => missing(REACHED),
        (answered, all) if answered < all => {
            pass(format!("{answered} of {all} echoes came back; the others say nothing of the way"))
        }
        _ => {
            let idle = echo.idle.map_or_else(
                || "silence is not tried: --echo-idle SECONDS".to_owned(),
                |idle| format!("after {} s of silence too", idle.as_secs()),
            );
            pass(format!(
                "an echo in {} comes back by WebSocket and SPDY/3.1 through each hop ({idle})",
                echo.target
            ))
        }
    }
}

/// An exec that RBAC does not allow (row 31), if there is one.
pub(super) fn forbidden(evidence: &Evidence) -> Option<Verdict> {
    let echo = evidence.live.as_ref()?.echo.as_ref()?;
    let (hop, protocol, words) = echo.hops.iter().find_map(|hop| {
        hop.both().into_iter().find_map(|(protocol, echo)| match echo {
            Echo::Forbidden(words) => Some((hop, protocol, words)),
            _ => None,
        })
    })?;
    let lacking = if words.contains("cannot create") { "create" } else { "get" };
    // Whoever hears of the pod was let through.
    let is_half = hop.both().iter().any(|(_, echo)| matches!(echo, Echo::Answered(_) | Echo::Unusable(_)));
    let mut found = if is_half {
        error(format!("exec in {} is allowed by one protocol and not by {protocol}", echo.target))
    } else {
        warning(format!("exec in {} is not allowed to the user whom the echo ran as", echo.target))
    };
    found = found.pair("get and create", lacking).fact("resource", "pods/exec");
    found.upstream = Some(words.clone());
    Some(found.into())
}

/// What this row speaks of: that a server cannot be reached is another's.
fn broken(echo: &Echo) -> Option<&Broken> {
    match echo {
        Echo::Broken(broken) if !matches!(broken.step, Step::Connect | Step::Tls) => Some(broken),
        _ => None,
    }
}

fn of_node(hop: &HopEcho, broken: &Broken) -> Found {
    let mut found =
        error(format!("the API server behind {} has no connection to the node of the pod", hop.url))
            .pair("a connection from the API server to the kubelet", broken.why.clone());
    let line = "from the API servers to port 10250 of the nodes: firewall, routes, the konnectivity agent, --kubelet-certificate-authority";
    found.mends = vec![FilledMend { at: Place::Network.name().to_owned(), line: line.to_owned() }];
    found
}

fn of_hop(hop: &HopEcho, echo: &EchoEvidence) -> Found {
    let of_both: Vec<_> =
        hop.both().into_iter().filter_map(|(protocol, echo)| Some((protocol, broken(echo)?))).collect();
    let is_idle = of_both.iter().any(|(_, broken)| matches!(broken.step, Step::AfterIdle { .. }));
    let severity = severity(&of_both);
    let what_it_means = match of_both.as_slice() {
        _ if is_idle => Some(SILENCE),
        [(protocol, _)] if severity == Severity::Warning => {
            ONE_WAY.iter().find(|(other, _)| other == protocol).map(|(_, words)| *words)
        }
        _ => None,
    };
    let sentences = [Some(where_it_broke(hop, &of_both, echo)), what_it_means.map(str::to_owned)];
    let got = each_once(&of_both, ToString::to_string, ": ").join("; ");
    let said = sentences.into_iter().flatten().collect::<Vec<_>>().join(". ");
    let mut found = Found::new(severity, said)
        .pair("HTTP 101, the bytes that were sent, and the command's end", got)
        .fact("pod", echo.target.to_string());
    found.mends = mends(of_both.iter().find_map(|(_, broken)| broken.answer.as_ref()), is_idle);
    found
}

/// What is said of each protocol; of both together where it is the same.
fn each_once(
    of_both: &[(Protocol, &Broken)],
    words: impl Fn(&Broken) -> String,
    between: &str,
) -> Vec<String> {
    let said: Vec<_> = of_both.iter().map(|(protocol, broken)| (protocol, words(broken))).collect();
    match said.as_slice() {
        [(one, words), (other, same)] if words == same => vec![format!("{one} and {other}{between}{words}")],
        all => all.iter().map(|(protocol, words)| format!("{protocol}{between}{words}")).collect(),
    }
}

fn where_it_broke(hop: &HopEcho, of_both: &[(Protocol, &Broken)], echo: &EchoEvidence) -> String {
    let how = each_once(of_both, |broken| format!("broke {}", broken.step), " ").join(", and ");
    let is_well = |echo: &Echo| matches!(echo, Echo::Answered(_));
    let passes = hop.both().into_iter().find(|(_, echo)| is_well(echo));
    let passes = passes.map(|(protocol, _)| format!(", {protocol} passes")).unwrap_or_default();
    let well = echo.hops.iter().find(|other| {
        let through = |protocol| other.both().iter().any(|(same, echo)| *same == protocol && is_well(echo));
        other.url != hop.url && of_both.iter().all(|(protocol, _)| through(*protocol))
    });
    let beside = match (hop.kind, well) {
        (HopKind::Kubeconfig, Some(other)) => {
            format!("through {} all passes: it is what stands between", other.url)
        }
        (HopKind::Kubeconfig, None) => "no other address is there to compare (--endpoint)".to_owned(),
        (HopKind::Endpoint, _) => {
            "this is an API server's own address: look there, and at the kubelet".to_owned()
        }
    };
    format!("through {} {how}{passes}; {beside}", hop.url)
}

/// One way that is closed is a warning where the others still have one.
fn severity(of_both: &[(Protocol, &Broken)]) -> Severity {
    let is_idle = |broken: &Broken| matches!(broken.step, Step::AfterIdle { .. });
    match of_both {
        [(Protocol::Spdy, _)] => Severity::Warning,
        // kubectl falls back only if the upgrade is refused.
        [(Protocol::WebSocket, broken)] if broken.step == Step::Upgrade => Severity::Warning,
        all if all.iter().all(|(_, broken)| is_idle(broken)) => Severity::Warning,
        _ => Severity::Error,
    }
}

/// The line of the proxy that answered; of each, if that is not known.
fn mends(head: Option<&AnswerHead>, is_idle: bool) -> Vec<FilledMend> {
    let said: Vec<_> = head
        .iter()
        .flat_map(|head| [&head.server, &head.via])
        .flatten()
        .map(|it| it.to_lowercase())
        .collect();
    let known = PROXIES
        .iter()
        .find(|proxy| proxy.signs.iter().any(|sign| said.iter().any(|said| said.contains(sign))));
    let line = |proxy: &Proxy| FilledMend {
        at: proxy.name.to_owned(),
        line: if is_idle { proxy.idle } else { proxy.upgrade }.to_owned(),
    };
    match known {
        Some(proxy) => vec![line(proxy)],
        None => PROXIES.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::evidence::{Answered, LiveEvidence};

    fn well() -> Echo {
        let round_trip = Duration::from_millis(2);
        Echo::Answered(Answered {
            subprotocol: "v5.channel.k8s.io",
            bytes: 102_018,
            round_trip,
            closed: true,
        })
    }

    fn at(step: Step, server: Option<&str>) -> Echo {
        let server = server.map(str::to_owned);
        let answer = Some(AnswerHead { status: 403, server, ..AnswerHead::default() });
        Echo::Broken(Broken { step, why: "why".to_owned(), answer })
    }

    fn through(front: [Echo; 2], direct: Option<[Echo; 2]>) -> EchoEvidence {
        let hop = |url: &str, kind, [websocket, spdy]: [Echo; 2]| HopEcho {
            url: url.to_owned(),
            kind,
            websocket,
            spdy,
        };
        let mut hops = vec![hop("https://front", HopKind::Kubeconfig, front)];
        hops.extend(direct.map(|both| hop("https://a", HopKind::Endpoint, both)));
        EchoEvidence { target: "n/p".parse().unwrap(), idle: None, hops }
    }

    #[test]
    fn the_hop_and_what_it_means_are_said() {
        const QUIET: Step = Step::AfterIdle { silent: Duration::from_mins(1) };
        let both = || [well(), well()];
        let upgrade = || at(Step::Upgrade, None);
        for (echo, severity, parts) in [
            (
                through([upgrade(), upgrade()], Some(both())),
                Severity::Error,
                &[
                    "through https://front WebSocket and SPDY/3.1 broke",
                    "through https://a all passes: it is what stands between",
                ][..],
            ),
            (
                through([upgrade(), upgrade()], None),
                Severity::Error,
                &["no other address is there to compare"],
            ),
            (
                through([upgrade(), upgrade()], Some([upgrade(), upgrade()])),
                Severity::Error,
                &["through https://a", "an API server's own address"],
            ),
            (
                through([well(), upgrade()], Some(both())),
                Severity::Warning,
                &["kubectl since 1.31 uses WebSocket"],
            ),
            (through([upgrade(), well()], Some(both())), Severity::Warning, &["kubectl falls back"]),
            // It falls back from an upgrade that is refused, and from nothing else.
            (
                through([at(Step::FirstBytes, None), well()], Some(both())),
                Severity::Error,
                &["WebSocket broke at the first bytes after 101, SPDY/3.1 passes"],
            ),
            (
                through([at(QUIET, None), at(QUIET, None)], Some(both())),
                Severity::Warning,
                &["after 60.0 s of silence", "every 5 s"],
            ),
            (
                through([at(Step::Kubelet, None), at(Step::Kubelet, None)], Some(both())),
                Severity::Error,
                &["no connection to the node"],
            ),
        ] {
            let Verdict::Finding(found) = verdict(&echo) else { panic!("{echo:?}") };
            assert_eq!(found.severity, severity, "{}", found.said);
            for part in parts {
                assert!(found.said.contains(part), "{part:?} in {}", found.said);
            }
        }
    }

    #[test]
    fn only_what_speaks_of_the_way_is_a_finding() {
        let unusable = || Echo::Unusable("pods \"p\" not found".to_owned());
        let forbidden = || Echo::Forbidden("User \"jo\" cannot create resource \"pods/exec\"".to_owned());
        let unreached = || at(Step::Connect, None);
        for (echo, expected) in [
            (through([unusable(), unusable()], None), missing(POD)),
            (through([forbidden(), forbidden()], None), missing(RIGHT)),
            (through([unreached(), unreached()], None), missing(REACHED)),
            (
                through([well(), forbidden()], None),
                pass("1 of 2 echoes came back; the others say nothing of the way"),
            ),
        ] {
            assert_eq!(verdict(&echo), expected, "{echo:?}");
        }
        assert!(matches!(verdict(&through([well(), well()], None)), Verdict::Pass(_)));
    }

    #[test]
    fn what_may_not_be_done_is_another_row_s() {
        let words = "User \"jo\" cannot create resource \"pods/exec\"";
        let forbidden = || Echo::Forbidden(words.to_owned());
        for (both, severity) in
            [([well(), forbidden()], Severity::Error), ([forbidden(), forbidden()], Severity::Warning)]
        {
            let live = LiveEvidence { echo: Some(through(both, None)), ..LiveEvidence::default() };
            let now = "2026-11-22T08:00:00Z".parse().unwrap();
            let evidence = Evidence { live: Some(live), ..Evidence::new(now) };
            let Some(Verdict::Finding(found)) = super::forbidden(&evidence) else { panic!("{evidence:?}") };
            assert_eq!((found.severity, found.got.as_deref()), (severity, Some("create")));
            assert_eq!(found.upstream.as_deref(), Some(words));
        }
    }

    #[test]
    fn a_proxy_that_names_itself_gets_its_own_line() {
        for (server, expected) in [
            (Some("nginx/1.27.5"), &["nginx"][..]),
            (Some("istio-envoy"), &["Envoy"]),
            (Some("awselb/2.0"), &["AWS load balancer"]),
            (Some("Microsoft-Azure-Application-Gateway/v2"), &["Azure Application Gateway"]),
            (None, &PROXIES.each_ref().map(|proxy| proxy.name)),
        ] {
            let echo = through([at(Step::Upgrade, server), well()], None);
            let Verdict::Finding(found) = verdict(&echo) else { panic!("{echo:?}") };
            let names: Vec<_> = found.mends.iter().map(|mend| mend.at.as_str()).collect();
            assert_eq!(names, expected);
        }
    }
}
