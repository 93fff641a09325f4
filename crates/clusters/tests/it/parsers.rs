//! Every file that is written, read by the code of the program that it is for (`tests/peers/cluster-formats`,
//! `tests/peers/kubernetes/kubernetes-formats`).

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kubesso_clusters::{Form, KubernetesVersion, Request, Target};
use serde_json::{Value, json};

use crate::house::{EVERYTHING, FLAGS, ONE, SEVERAL, TUTORIAL, access_with};

/// A real one: the API server looks into it.
const AUTHORITY: &str = include_str!("authority.pem");

/// A program, and what it is told that it reads.
type Reader = (&'static str, &'static str);

const API_SERVER: Reader = ("kubernetes-formats", "authentication-configuration");
const KUBEADM: Reader = ("kubernetes-formats", "kubeadm");
const AKS: Reader = ("cluster-formats-clouds", "aks");
const KOPS: Reader = ("cluster-formats-kops", "");
const OPENSHIFT: Reader = ("cluster-formats-clouds", "openshift");

/// Which program reads a file of that name.
const READERS: &[(&str, Reader)] = &[
    ("authentication.yaml", OPENSHIFT),
    ("authentication-config.yaml", API_SERVER),
    ("cluster-authentication.yaml", ("cluster-formats-k0rdent", "")),
    ("cluster-deployment-part.yaml", ("cluster-formats-k0rdent", "")),
    ("config-map.yaml", ("cluster-formats-objects", "config-map")),
    ("eks-oidc.json", ("cluster-formats-objects", "eks")),
    ("k0s-part.yaml", ("cluster-formats-k0s", "")),
    ("k3d.yaml", ("cluster-formats-k3d", "")),
    ("kind.yaml", ("cluster-formats-objects", "kind")),
    ("kops-part.yaml", KOPS),
    ("kube-apiserver-part.yaml", ("cluster-formats-objects", "pod")),
    ("kubeadm-part.yaml", KUBEADM),
    ("kubeone-part.yaml", ("cluster-formats-kubeone", "")),
    ("shoot-part.yaml", ("cluster-formats-gardener", "")),
    ("talos-authentication.yaml", ("cluster-formats-talos-1.14", "")),
    ("talos-patch.yaml", ("cluster-formats-talos-1.13", "")),
    ("tenant-control-plane-part.yaml", ("cluster-formats-kamaji", "")),
    ("vcluster-values.yaml", ("cluster-formats-vcluster", "")),
];

/// Files that no program reads here, and why.
const UNREAD: &[(&str, &str)] = &[
    (
        "90-oidc.yaml",
        "lists of flags, which are given to kube-apiserver; the module of k3s is in no registry",
    ),
    ("issuer-ca.crt", "certificates"),
    ("kube-apiserver-arguments", "one flag a line, given to kube-apiserver"),
    ("oidc.yml", "variables of Ansible, which have no types; the issuers in them are read"),
];

fn peers() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "where the peers are is the test runner's to say")]
    let folder = std::env::var_os("KUBESSO_PEERS_DIR");
    if folder.is_none() {
        println!("skipped: no peers (KUBESSO_PEERS_DIR); run cargo xtask test");
    }
    folder.map(PathBuf::from)
}

/// What the program says against the file, if anything.
fn refused(peers: &std::path::Path, (program, kind): Reader, content: &str) -> Option<String> {
    let mut command = Command::new(peers.join(program));
    if !kind.is_empty() {
        command.arg(kind);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    (!ended.status.success()).then(|| String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn reader(name: &str, content: &str) -> Option<Reader> {
    if name == "kubeadm-control-plane-part.yaml" {
        let kind = if content.starts_with("apiVersion: controlplane.cluster.x-k8s.io/v1beta1\n") {
            "cluster-api-v1beta1"
        } else {
            "cluster-api-v1beta2"
        };
        return Some(("cluster-formats-objects", kind));
    }
    if name.starts_with("aks-oidc") {
        return Some(AKS);
    }
    READERS.iter().find(|(known, _)| *known == name).map(|(_, reader)| *reader)
}

/// As the reader is given it: kOps' part within a cluster, and of AKS' file what the newest SDK that there is knows
/// (certificateAuthorityBundle came with the API 2026-06-02-preview, and the SDK is of 2025-10-02-preview).
fn as_read(name: &str, content: &str) -> String {
    if name == "kops-part.yaml" {
        return format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: one.example.com\n{content}"
        );
    }
    if name.starts_with("aks-oidc") {
        let mut value: Value = serde_json::from_str(content).unwrap();
        if let Some(bundle) = value.as_object_mut().unwrap().remove("certificateAuthorityBundle") {
            assert!(bundle.as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"), "{bundle}");
        }
        return value.to_string();
    }
    content.to_owned()
}

/// Everything that is written for anybody: target, what was asked, file, content.
fn all_files() -> Vec<(Target, String, String, String)> {
    let plain: Vec<_> = FLAGS
        .lines()
        .filter(|line| !line.contains("requiredClaims") && !line.contains("Algorithms"))
        .collect();
    let plain = plain.join("\n");
    let public = TUTORIAL.trim_end().to_owned() + "\n  requiredClaims: {tenant: one}\n";
    let mut found = Vec::new();
    for (which, text) in [
        ("tutorial", TUTORIAL),
        ("everything", EVERYTHING),
        ("several", SEVERAL),
        ("one", ONE),
        ("flags", FLAGS),
        ("plain", &plain),
        ("claim", &public),
    ] {
        let access = access_with(text, AUTHORITY);
        for target in Target::ALL {
            let versions: &[Option<(u16, u16)>] = match target {
                Target::KubeOne => &[None, Some((1, 14)), Some((1, 15))],
                Target::ClusterApi => &[None, Some((1, 10)), Some((1, 11))],
                Target::Talos => &[None, Some((1, 13)), Some((1, 14))],
                _ => &[None],
            };
            for minor in 29..=36 {
                for form in [None, Some(Form::Config), Some(Form::Flags)] {
                    for version in versions {
                        let request = Request {
                            form,
                            target_version: version
                                .map(|(major, minor)| KubernetesVersion::new(major, minor)),
                            cluster: (minor % 2 == 0).then_some("prod"),
                            ..Request::new(&access, KubernetesVersion::new(1, minor))
                        };
                        let asked = format!("{which} 1.{minor} {form:?} {version:?}");
                        let Ok(made) = target.instructions(&request) else { continue };
                        for file in made.files {
                            found.push((*target, asked.clone(), file.name, file.content));
                        }
                    }
                }
            }
        }
    }
    found
}

/// What a file carries for another program than its own: the API server's file, kubeadm's patches, Talos' and
/// Kubespray's form of the API server's.
fn carried(name: &str, content: &str) -> Vec<(Reader, String)> {
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(members) => members.values().for_each(|member| texts(member, found)),
            _ => {}
        }
    }
    let Ok(value) = serde_saphyr::from_str::<Value>(content) else { return Vec::new() };
    let mut found = Vec::new();
    texts(&value, &mut found);
    let mut carried: Vec<_> = found
        .into_iter()
        .filter_map(|text| {
            let is = |start: &str| text.starts_with(&format!("apiVersion: {start}"));
            let reader = if is("apiserver.config.k8s.io/") { API_SERVER } else { KUBEADM };
            (reader == API_SERVER || is("kubeadm.k8s.io/")).then_some((reader, text))
        })
        .collect();
    let wrapped = |version: &Value, jwt: &Value, anonymous: &Value| {
        let mut whole = json!({
            "apiVersion": format!("apiserver.config.k8s.io/{}", version.as_str().unwrap()),
            "kind": "AuthenticationConfiguration", "jwt": jwt,
        });
        if !anonymous.is_null() {
            whole["anonymous"] = anonymous.clone();
        }
        (API_SERVER, whole.to_string())
    };
    if name == "talos-authentication.yaml" {
        let inner = &value["configuration"];
        carried.push(wrapped(&json!("v1"), &inner["jwt"], &inner["anonymous"]));
    }
    if name == "cluster-authentication.yaml" {
        carried.push((API_SERVER, value["spec"]["authenticationConfiguration"].to_string()));
    }
    if name == "oidc.yml" && value["kube_apiserver_authentication_config_jwt"].is_array() {
        carried.push(wrapped(
            &value["kube_apiserver_authentication_config_api_version"],
            &value["kube_apiserver_authentication_config_jwt"],
            &value["kube_apiserver_authentication_config_anonymous"],
        ));
    }
    // AKS says the same as the API server, the authorities beside the issuer.
    if name.starts_with("aks-") {
        let mut jwt = value.clone();
        jwt.as_object_mut().unwrap().remove("certificateAuthorityBundle");
        // It sets the policy itself where there are several.
        if jwt["issuer"]["audiences"].as_array().is_some_and(|audiences| audiences.len() > 1) {
            jwt["issuer"]["audienceMatchPolicy"] = "MatchAny".into();
        }
        carried.push(wrapped(&json!("v1"), &json!([jwt]), &Value::Null));
    }
    carried
}

#[test]
fn every_file_is_read_by_what_it_is_for_or_has_a_reason() {
    let (mut unread, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for (target, _, name, content) in all_files() {
        let known = reader(&name, &content).is_some();
        let reason = UNREAD.iter().find(|(unread, _)| *unread == name);
        if known == reason.is_some() {
            wrong.insert(format!("{target}, {name}"));
        }
        unread.extend(reason.map(|(name, _)| *name));
    }
    assert!(wrong.is_empty(), "neither a reader nor a reason, or both: {wrong:?}");
    let stale: Vec<_> = UNREAD.iter().filter(|(name, _)| !unread.contains(name)).collect();
    assert!(stale.is_empty(), "nobody writes {stale:?}");
}

#[test]
fn what_is_written_is_taken_by_the_targets_own_code() {
    let Some(peers) = peers() else { return };
    let mut asked = BTreeSet::new();
    let mut readers = BTreeSet::new();
    for (target, which, name, content) in all_files() {
        let own = reader(&name, &content).map(|reader| (reader, as_read(&name, &content)));
        for (reader, text) in own.into_iter().chain(carried(&name, &content)) {
            readers.insert(reader);
            if asked.insert((reader, text.clone()))
                && let Some(said) = refused(&peers, reader, &text)
            {
                panic!("{target} ({which}), {name}, {reader:?} says: {said}\n{text}");
            }
        }
    }
    // Nothing of the table went unused.
    let expected: BTreeSet<_> = READERS.iter().map(|(_, reader)| *reader).collect();
    assert!(readers.is_superset(&expected), "{:?}", expected.difference(&readers));
    println!("{} files were read", asked.len());
}

/// Each reader refuses what its program would: otherwise it proves nothing.
#[test]
fn the_readers_refuse_what_is_wrong() {
    let Some(peers) = peers() else { return };
    let mut done = BTreeSet::new();
    for (_, _, name, content) in all_files() {
        let Some(reader) = reader(&name, &content).filter(|reader| done.insert(*reader)) else { continue };
        let broken = match content.strip_suffix("}\n") {
            Some(json) if content.starts_with('{') => format!("{},\n\"noSuchField\": 1}}\n", json.trim_end()),
            _ => format!("{content}noSuchField: 1\n"),
        };
        let said = refused(&peers, reader, &as_read(&name, &broken));
        assert!(said.is_some_and(|said| said.contains("noSuchField")), "{reader:?} takes\n{broken}");
    }
    // Two for versions of Cluster API, and one for AKS' numbered files.
    let readers: BTreeSet<_> = READERS.iter().map(|(_, reader)| *reader).collect();
    assert_eq!(done.len(), readers.len() + 3, "{done:?}");

    let control_plane = |version: &str, arguments: &str| {
        format!(
            "apiVersion: controlplane.cluster.x-k8s.io/{version}\nkind: KubeadmControlPlane\nspec:\n  kubeadmConfigSpec:\n    \
             clusterConfiguration:\n      apiServer:\n        extraArgs: {arguments}\n"
        )
    };
    let kubeadm = |version: &str, arguments: &str| {
        format!(
            "apiVersion: kubeadm.k8s.io/{version}\nkind: ClusterConfiguration\napiServer:\n  extraArgs: {arguments}\n"
        )
    };
    let api_server = |jwt: &str| {
        format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n{jwt}")
    };
    let (map, list) = ("{a: b}", "[{name: a, value: b}]");
    let wrong: Vec<(Reader, String)> = vec![
        (KUBEADM, kubeadm("v1beta4", map)),
        (KUBEADM, kubeadm("v1beta3", list)),
        (("cluster-formats-objects", "cluster-api-v1beta2"), control_plane("v1beta2", map)),
        (("cluster-formats-objects", "cluster-api-v1beta1"), control_plane("v1beta1", list)),
        (
            API_SERVER,
            api_server(
                "- issuer: {url: 'https://a', audiences: [k], certificateAuthority: /etc/ca.crt}\n  claimMappings: {username: {claim: sub, prefix: ''}}\n",
            ),
        ),
        (
            API_SERVER,
            api_server(
                "- issuer: {url: 'https://a', audiences: [k]}\n  claimMappings: {username: {claim: sub}}\n",
            ),
        ),
        (
            API_SERVER,
            api_server(
                "- issuer: {url: 'https://a', audiences: [k]}\n  claimMappings: {username: {expression: 'claims.'}}\n",
            ),
        ),
        (
            ("cluster-formats-k3d", ""),
            "apiVersion: k3d.io/v1alpha5\nkind: Simple\nservers: many\n".to_owned(),
        ),
        (
            ("cluster-formats-talos-1.13", ""),
            "cluster:\n  apiServer:\n    extraVolumes: [{hostPath: /a, readOnly: true}]\n".to_owned(),
        ),
        // The document is known from 1.14 on.
        (
            ("cluster-formats-talos-1.13", ""),
            "apiVersion: v1alpha1\nkind: KubeAuthenticationConfig\nconfiguration: {jwt: []}\n".to_owned(),
        ),
        (
            KOPS,
            "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata:\n  name: a\nspec:\n  kubeAPIServer:\n    oidcGroupsClaim: [a]\n"
                .to_owned(),
        ),
        (
            ("cluster-formats-k0s", ""),
            "apiVersion: k0s.k0sproject.io/v1beta1\nkind: ClusterConfig\nspec: {api: {extraArgs: [{name: a, value: b}]}}\n"
                .to_owned(),
        ),
        (
            ("cluster-formats-vcluster", ""),
            "controlPlane: {distro: {k8s: {apiServer: {extraArgs: {a: b}}}}}\n".to_owned(),
        ),
        (AKS, "{\"issuer\": {\"url\": \"https://a\", \"discoveryURL\": \"https://b\"}}".to_owned()),
        (OPENSHIFT, "spec: {oidcProviders: {name: a}}\n".to_owned()),
        (
            ("cluster-formats-kamaji", ""),
            "spec: {controlPlane: {deployment: {extraArgs: {apiServer: {a: b}}}}}\n".to_owned(),
        ),
        (
            ("cluster-formats-gardener", ""),
            "spec: {kubernetes: {kubeAPIServer: {oidcConfig: {clientId: [a]}}}}\n".to_owned(),
        ),
    ];
    for (reader, text) in wrong {
        assert!(refused(&peers, reader, &text).is_some(), "{reader:?} takes\n{text}");
    }
    let right = [(KUBEADM, kubeadm("v1beta4", list)), (KUBEADM, kubeadm("v1beta3", map))];
    for (reader, text) in right {
        assert_eq!(refused(&peers, reader, &text), None, "{text}");
    }
}
