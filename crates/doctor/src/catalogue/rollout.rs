//! Changed, and not in force (rows 43 to 46).

use crate::check_id::CheckId;
use crate::place::Place;
use crate::row::{Row, Source, at, certain, compared, likely, possible};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: CheckId::new(43),
        title: "The changed AuthenticationConfiguration was refused, and the old one stays in force",
        symptom: "the old rules still apply",
        log: &[
            "failed to validate authentication config (or: read, load, update)",
            "apiserver_authentication_config_controller_automatic_reloads_total{status=\"failure\"}",
        ],
        looks_at: &[Source::Cluster, Source::Flags],
        cause: "The API server reads the changed file, finds it wrong, says so once in its log and goes on with what it \
                had. It also does when an issuer of the file cannot be reached within a minute.",
        why: "Somebody who was to be locked out still gets in, and the next restart of the API server fails.",
        compares: Some(compared("a reload without an error", "what the API server says of it")),
        mends: &[
            at(Place::ApiServerHost, "correct the file: what is wrong stands behind the message"),
            at(
                Place::ApiServerHost,
                "compare: sha256sum FILE with the hash in apiserver_authentication_config_controller_last_config_info, on each API server",
            ),
        ],
        retest: "kubectl get --raw /metrics | grep apiserver_authentication_config_controller",
        signs: &[
            certain(
                "authentication config",
                r#"failed to (?<step>read|load|validate|update) authentication config(?:uration)?"?(?:.*?(?:err|error)"?[=:] ?"?(?<got>[^"]*))?"#,
            ),
            certain(
                "automatic_reloads_total",
                r#"automatic_reloads_total\{[^}]*status="failure"[^}]*\} (?<got>[1-9]\d*)"#,
            ),
        ],
    },
    Row {
        id: CheckId::new(44),
        title: "The API server does not see the changed file",
        symptom: "the old rules still apply",
        log: &[],
        looks_at: &[Source::Flags, Source::Cluster],
        cause: "A single file is mounted (hostPath of type File, subPath): a tool that writes a new file and renames it \
                leaves the container with the old one. Or flags changed and nothing was restarted (k3s, MicroK8s).",
        why: "What you believe to be in force is not.",
        compares: Some(compared("sha256 of the file", "hash that the API server has loaded")),
        mends: &[
            at(
                Place::Manifest,
                "mount the directory, not the file: hostPath: {path: /etc/kubernetes/authn, type: Directory}",
            ),
            at(
                Place::ApiServerHost,
                "k3s: systemctl restart k3s; MicroK8s: snap restart microk8s.daemon-kubelite",
            ),
        ],
        retest: "kubectl get --raw /metrics | grep last_config_info; sha256sum FILE",
        signs: &[],
    },
    Row {
        id: CheckId::new(45),
        title: "The control-plane nodes have different settings",
        symptom: "every second or third call is 401 Unauthorized",
        log: &["another cause on each node"],
        looks_at: &[Source::Cluster],
        cause: "Behind one address are several API servers, and the change reached some of them.",
        why: "It looks like an unsteady network, and a person locked out on one node gets in by another.",
        compares: Some(compared("the same answer from each API server", "the answers")),
        mends: &[at(
            Place::ApiServerHost,
            "bring file and flags to every control-plane node; compare with sha256sum",
        )],
        retest: "kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes; then kubectl --server=https://ADDRESS:6443 \
                 auth whoami for each",
        signs: &[],
    },
    Row {
        id: CheckId::new(46),
        title: "Something writes the settings back",
        symptom: "settings disappear seconds or a restart later",
        log: &["the kubelet starts the API server's pod again"],
        looks_at: &[Source::Flags, Source::Cluster],
        cause: "The manifest is generated (RKE2, kubeadm at an upgrade, kOps), or a copy of it lies beside it: the kubelet \
                runs every file of the directory.",
        why: "The next upgrade locks everybody out.",
        compares: Some(compared("what the manifest is written from", "what the API server runs with")),
        mends: &[
            at(
                Place::ApiServerHost,
                "RKE2: /etc/rancher/rke2/config.yaml, never pod-manifests; kubeadm: kubectl -n kube-system edit configmap kubeadm-config",
            ),
            at(Place::ApiServerHost, "keep copies outside of /etc/kubernetes/manifests"),
        ],
        retest: "ls -la /etc/kubernetes/manifests; kubectl -n kube-system get cm kubeadm-config -o yaml",
        signs: &[
            likely("pod-manifests/kube-apiserver", r"(?<file>\S*pod-manifests/kube-apiserver\S*)"),
            possible("manifests/", r"(?<file>/\S*manifests/kube-apiserver\S*(?:\.bak|\.orig|~|\.swp|\.old))"),
        ],
    },
];
