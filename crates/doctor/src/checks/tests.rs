use kubesso_clusters::{Configuration, Target};
use kubesso_https::Shown;
use kubesso_k8s_types::UserInfo;

use crate::evidence::{
    Authorization, Evidence, Hop, HopKind, HostEvidence, KubeconfigEvidence, LiveEvidence, LoadedConfig,
    RbacEvidence, RefreshEvidence, Said, Settings, TokenEvidence, Upgrade,
};
use crate::verdict::Verdict;

fn evidence() -> Evidence {
    Evidence::new("2026-11-22T08:00:00Z".parse().unwrap())
}

fn user(name: &str) -> Said {
    Said::User(Box::new(UserInfo { username: name.to_owned(), ..UserInfo::default() }))
}

fn hop(url: &str, kind: HopKind) -> Hop {
    Hop {
        url: url.to_owned(),
        kind,
        reached: Ok(()),
        shown: None,
        version: Some("v1.36.3".to_owned()),
        clock: None,
        person: vec![user("jo")],
        config: Some(LoadedConfig { hash: Some("sha256:aa".to_owned()), ..LoadedConfig::default() }),
        began: Some("2026-11-22T07:00:00Z".parse().unwrap()),
        websocket: Some(Upgrade::Upgraded),
    }
}

/// A front and two API servers, with one thing changed.
fn cluster(change: impl FnOnce(&mut Vec<Hop>)) -> Evidence {
    let mut hops = vec![
        hop("https://front", HopKind::Kubeconfig),
        hop("https://a", HopKind::Endpoint),
        hop("https://b", HopKind::Endpoint),
    ];
    change(&mut hops);
    Evidence { live: Some(LiveEvidence { hops, ..LiveEvidence::default() }), ..evidence() }
}

/// `error`, `warning`, `pass` or `-`.
fn said(evidence: &Evidence, number: u8) -> &'static str {
    let check = super::all().into_iter().find(|(other, _)| *other == number).unwrap().1;
    match check(evidence) {
        Verdict::Pass(_) => "pass",
        Verdict::Finding(found) => found.severity.name(),
        Verdict::NotLookedAt(_) => "-",
    }
}

#[test]
fn what_is_wrong_between_hops_is_one_row_each() {
    let rows = [43, 45, 57, 59, 60];
    let refusing = LoadedConfig {
        failures: 1,
        last_failure: Some(2.0),
        last_success: Some(1.0),
        ..LoadedConfig::default()
    };
    let other = LoadedConfig { hash: Some("sha256:bb".to_owned()), ..LoadedConfig::default() };
    let shown =
        Shown { subject: "CN=x".to_owned(), issuer: "CN=y".to_owned(), names: Vec::new(), ends: None };
    for (name, evidence, expected) in vec![
        ("well", cluster(|_| {}), ["pass"; 5]),
        (
            "refused",
            cluster(|hops| hops[1].config = Some(refusing)),
            ["error", "pass", "pass", "pass", "pass"],
        ),
        (
            "another file",
            cluster(|hops| hops[2].config = Some(other)),
            ["pass", "error", "pass", "pass", "pass"],
        ),
        (
            "now and then",
            cluster(|hops| hops[0].person = vec![user("jo"), Said::Refused, user("jo")]),
            ["pass", "error", "pass", "pass", "-"],
        ),
        (
            "one of two",
            cluster(|hops| hops[2].person = vec![Said::Refused]),
            ["pass", "error", "pass", "pass", "-"],
        ),
        (
            "the front",
            cluster(|hops| hops[0].person = vec![Said::Refused]),
            ["pass", "pass", "pass", "pass", "error"],
        ),
        (
            "another name",
            cluster(|hops| hops[0].person = vec![user("gateway:jo")]),
            ["pass", "pass", "pass", "pass", "error"],
        ),
        (
            "not asked",
            cluster(|hops| hops[1].person = vec![Said::Other("no answer in time".to_owned())]),
            ["pass"; 5],
        ),
        (
            "no upgrade",
            cluster(|hops| hops[0].websocket = Some(Upgrade::NotUpgraded(200))),
            ["pass", "pass", "error", "pass", "pass"],
        ),
        (
            "untrusted",
            cluster(|hops| {
                hops[0].reached = Err("invalid peer certificate: UnknownIssuer".to_owned());
                hops[0].shown = Some(shown);
            }),
            ["pass", "pass", "pass", "error", "pass"],
        ),
        (
            "closed",
            cluster(|hops| hops[0].reached = Err("connection refused".to_owned())),
            ["pass", "pass", "pass", "pass", "error"],
        ),
        (
            "without rights",
            cluster(|hops| {
                for hop in hops {
                    hop.config = None;
                    hop.websocket = Some(Upgrade::NotAllowed);
                }
            }),
            ["-", "pass", "-", "pass", "pass"],
        ),
        ("no cluster", evidence(), ["-"; 5]),
    ] {
        assert_eq!(rows.map(|row| said(&evidence, row)), expected, "{name}");
    }
}

#[test]
fn a_file_is_in_force_if_every_api_server_has_its_hash() {
    let with_file = |evidence: Evidence, text: &str| Evidence {
        settings: Some(Settings::default().with_authentication(text)),
        ..evidence
    };
    let hash = kubesso_clusters::loaded_hash(b"x");
    let same = || {
        cluster(|hops| {
            for hop in hops {
                hop.config = Some(LoadedConfig { hash: Some(hash.clone()), ..LoadedConfig::default() });
            }
        })
    };
    assert_eq!(said(&with_file(same(), "x"), 44), "pass");
    assert_eq!(said(&with_file(same(), "y"), 44), "error");
    assert_eq!(said(&same(), 44), "-");
}

#[test]
fn a_refresh_must_keep_the_groups() {
    let token = |claims: &str| {
        use base64::Engine as _;
        let part = |text: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
        TokenEvidence::read(&format!(
            "{}.{}.{}",
            part("{\"alg\":\"RS256\"}"),
            part(claims),
            part("signature")
        ))
    };
    let before = || token(r#"{"groups":["a","b"],"email":"x","nonce":"1"}"#);
    for (after, expected) in [
        (Ok(token(r#"{"groups":["b","a"],"email":"x"}"#)), ["pass", "pass"]),
        (Ok(token(r#"{"groups":["a"],"email":"x"}"#)), ["error", "pass"]),
        (Ok(token(r#"{"email":"x"}"#)), ["error", "pass"]),
        (Ok(token(r#"{"groups":["a","b"]}"#)), ["note", "pass"]),
        (Err("invalid_grant".to_owned()), ["-", "error"]),
    ] {
        let refresh = Some(RefreshEvidence { before: Some(before()), after });
        let evidence = Evidence { refresh, ..evidence() };
        assert_eq!([26, 64].map(|row| said(&evidence, row)), expected);
    }
}

#[test]
fn whoever_speaks_for_people_must_be_allowed_to_hand_on_what_is_known_of_them() {
    let role = |resources: &str| {
        format!(
            "kind: ClusterRole\nmetadata: {{name: gateway}}\nrules:\n- {{apiGroups: ['', authentication.k8s.io], verbs: [impersonate], \
             resources: [{resources}]}}\n---\nkind: ClusterRoleBinding\nmetadata: {{name: gateway}}\nroleRef: {{kind: ClusterRole, \
             name: gateway}}\nsubjects: [{{kind: ServiceAccount, namespace: gw, name: gateway}}]\n"
        )
    };
    let credential = "userextras/authentication.kubernetes.io/credential-id";
    for (resources, expected) in [
        (format!("users, groups, {credential}"), "pass"),
        ("users, groups".to_owned(), "warning"),
        ("users".to_owned(), "warning"),
        ("users, groups, 'userextras/*'".to_owned(), "warning"),
        ("'*'".to_owned(), "pass"),
        ("pods".to_owned(), "pass"),
    ] {
        let mut rbac = RbacEvidence::default();
        rbac.add(&role(&resources)).unwrap();
        assert_eq!(said(&Evidence { rbac: Some(rbac), ..evidence() }, 53), expected, "{resources}");
    }
}

#[test]
fn a_uid_that_is_mapped_must_be_handed_on() {
    let file = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n- issuer: {url: 'https://a', audiences: \
                [k]}\n  claimMappings: {username: {claim: sub, prefix: ''}, uid: {claim: sub}}\n";
    for (flags, expected) in
        [("--requestheader-uid-headers=X-Remote-Uid", "pass"), ("--authorization-mode=Node,RBAC", "warning")]
    {
        let settings = Settings::from_flags(flags).unwrap().with_authentication(file);
        assert_eq!(said(&Evidence { settings: Some(settings), ..evidence() }, 56), expected, "{flags}");
    }
}

#[test]
fn an_authorization_request_on_trial_tells_whether_client_and_redirect_uri_are_known() {
    for (status, error, expected) in [
        (302, Some("login_required"), "pass"),
        (302, None, "pass"),
        (200, None, "pass"),
        (302, Some("unauthorized_client"), "warning"),
        (400, None, "error"),
        (503, None, "-"),
    ] {
        let authorization = Some(Authorization {
            client_id: "k8s".to_owned(),
            redirect_uri: "http://localhost:8000".to_owned(),
            status,
            error: error.map(str::to_owned),
        });
        assert_eq!(said(&Evidence { authorization, ..evidence() }, 51), expected, "{status} {error:?}");
    }
}

#[test]
fn a_plugin_needs_one_free_port() {
    let file = "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\nclusters: [{name: k, cluster: {server: \
                'https://k'}}]\nusers: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: kubectl, args: \
                [oidc-login, get-token]}}}]\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, file).unwrap();
    let locations = kubesso_kubeconfig::Locations::new(Some(&path), None, None);
    let read = || {
        let kubeconfig = kubesso_kubeconfig::Kubeconfig::load(&locations).unwrap();
        KubeconfigEvidence::read(&kubeconfig, None).unwrap()
    };
    for (taken, expected) in [(0, "pass"), (1, "pass"), (2, "warning")] {
        let mut kubeconfig = read();
        let plugin = kubeconfig.plugin.as_mut().unwrap();
        plugin.taken = Some(plugin.listens_at.iter().take(taken).cloned().collect());
        assert_eq!(said(&Evidence { kubeconfig: Some(kubeconfig), ..evidence() }, 50), expected, "{taken}");
    }
}

#[test]
fn gke_speaks_for_nobody_who_is_kubernetes_own() {
    let at = |version: &str, groups: &[&str]| {
        let token = TokenEvidence::read("not.a.token");
        let user = UserInfo {
            username: "jo".to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            ..UserInfo::default()
        };
        let cluster = cluster(|hops| hops[0].version = Some(version.to_owned()));
        Evidence { token: Some(token), decision: Some(Ok(user)), ..cluster }
    };
    let gke = "v1.34.1-gke.1829001";
    for (version, groups, expected) in [
        (gke, &["system:masters", "devs"][..], "error"),
        (gke, &["devs", "system:nodes"], "error"),
        (gke, &["devs", "system:authenticated"], "pass"),
        (gke, &[], "pass"),
        ("v1.36.3", &["system:masters"], "pass"),
        ("v1.34.2-eks-1a2b3c4", &["system:masters"], "pass"),
    ] {
        assert_eq!(said(&at(version, groups), 54), expected, "{version} {groups:?}");
    }
    // Who it is, nobody knows.
    assert_eq!(said(&cluster(|hops| hops[0].version = Some(gke.to_owned())), 54), "-");
    assert_eq!(said(&evidence(), 54), "-");
}

/// Where a service has to be restarted for its arguments, the time of the file tells that it was not.
#[test]
fn arguments_that_were_written_after_the_api_server_began_may_not_be_in_force() {
    let of = |target, written: &str| {
        let found = Configuration::read(&[(
            "args",
            "--oidc-issuer-url=https://sso\n--oidc-client-id=k8s\n--cert-dir=${SNAP_DATA}/certs\n",
        )]);
        let host = HostEvidence {
            target: Some(target),
            found: Some(found.unwrap().found),
            written: Some(written.parse().unwrap()),
            ..HostEvidence::default()
        };
        said(&Evidence { host: Some(host), ..cluster(|_| {}) }, 44)
    };
    assert_eq!(of(Target::MicroK8s, "2026-11-22T07:30:00Z"), "warning");
    assert_eq!(of(Target::K0s, "2026-11-22T07:30:00Z"), "warning");
    assert_eq!(of(Target::MicroK8s, "2026-11-22T06:30:00Z"), "-");
    // The kubelet begins it anew by itself.
    assert_eq!(of(Target::Kubeadm, "2026-11-22T07:30:00Z"), "-");
}
