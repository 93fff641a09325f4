//! The doctor and `cluster check` on the machines of a control plane: pods that differ, manifests that are written anew from
//! something else, and the files that distributions keep. The pods are objects of a real API server, as kubelets show theirs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::environment::{self, scratch};
use kubesso_e2e::process::tied;
use serde_json::{Value, json};

use crate::doctor::Provider;
use crate::doctor_live::{Installation, Said, doctor};

const PODS: &str = "/api/v1/namespaces/kube-system/pods";
const MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";

/// What a kubelet shows of an API server that it runs.
async fn show_pod(it: &Installation, node: &str, words: &[&str]) -> Result<()> {
    let command: Vec<_> = ["kube-apiserver", "--authorization-mode=Node,RBAC"].iter().chain(words).collect();
    let pod = json!({
        "metadata": {
            "name": format!("kube-apiserver-{node}"), "namespace": "kube-system",
            "labels": {"component": "kube-apiserver", "tier": "control-plane"},
            "annotations": {"kubernetes.io/config.source": "file"},
        },
        "spec": {
            "nodeName": node, "hostNetwork": true,
            "containers": [{
                "name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.36.3", "command": command,
                "volumeMounts": [{"name": "authn", "mountPath": "/etc/kubernetes/authn"}],
            }],
            "volumes": [{"name": "authn", "hostPath": {"path": "/etc/kubernetes/authn"}}],
        },
    });
    it.real.create(&it.real.administrator()?, PODS, &pod).await
}

async fn keep(it: &Installation, extra: &str) -> Result<()> {
    let text =
        format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n{extra}\n");
    let map = json!({
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"}, "data": {"ClusterConfiguration": text},
    });
    let administrator = it.real.administrator()?;
    administrator.delete(format!("{}{MAPS}/kubeadm-config", it.real.url)).send().await?;
    it.real.create(&administrator, MAPS, &map).await
}

async fn asked(it: &Installation) -> Result<Said> {
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    doctor(&kubeconfig, &["--context", "admin"], None).await
}

fn row<'a>(said: &'a Said, id: &str) -> Result<&'a Value> {
    let checks = said.report["checks"].as_array().context("checks")?;
    checks.iter().find(|check| check["id"] == id).context("a check")
}

fn mends(check: &Value) -> Vec<&str> {
    check["mend"].as_array().into_iter().flatten().filter_map(|mend| mend["line"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_next_upgrade_would_undo_is_said_before_it() -> Result<()> {
    let it = Installation::start().await?;
    let file = "--authentication-config=/etc/kubernetes/authn/config.yaml";
    show_pod(&it, "cp-1", &[file]).await?;
    // Edited by hand: nothing of it is kept.
    keep(&it, "  extraArgs: []").await?;
    let said = asked(&it).await?;
    let check = row(&said, "KS046")?;
    assert_eq!(
        (check["result"].as_str(), check["severity"].as_str()),
        (Some("finding"), Some("warning")),
        "{check:#}"
    );
    let edit = "kubectl -n kube-system edit configmap kubeadm-config; in ClusterConfiguration: apiServer: ";
    assert_eq!(
        mends(check),
        [
            format!(
                "{edit}{{extraArgs: [{{name: authentication-config, value: \"/etc/kubernetes/authn/config.yaml\"}}]}}"
            ),
            format!(
                "{edit}{{extraVolumes: [{{name: authentication, hostPath: /etc/kubernetes/authn, mountPath: /etc/kubernetes/authn, \
                 readOnly: true, pathType: DirectoryOrCreate}}]}}"
            ),
        ]
    );
    // The argument is kept, and the folder is not: the API server would not start.
    let argument = "  extraArgs: [{name: authentication-config, value: /etc/kubernetes/authn/config.yaml}]";
    keep(&it, argument).await?;
    let said = asked(&it).await?;
    assert!(row(&said, "KS046")?["said"].as_str().is_some_and(|said| said.contains("it does not start")));
    let volumes =
        "\n  extraVolumes: [{name: a, hostPath: /etc/kubernetes/authn, mountPath: /etc/kubernetes/authn}]";
    keep(&it, &format!("{argument}{volumes}")).await?;
    assert_eq!(row(&asked(&it).await?, "KS046")?["result"], "pass");
    // Kept, and not in force yet.
    keep(&it, &format!("  extraArgs: [{{name: oidc-client-id, value: k8s}}]{volumes}")).await?;
    let said = asked(&it).await?;
    let check = row(&said, "KS046")?;
    let words = check["said"].as_str().unwrap_or_default();
    assert!(
        words.contains("--oidc-client-id of configmap/kubeadm-config is not in force on cp-1 yet"),
        "{words}"
    );
    assert!(
        mends(check).iter().any(|line| line.contains("kubeadm init phase control-plane apiserver")),
        "{check:#}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_rke2_writes_is_compared_with_its_configuration() -> Result<()> {
    let it = Installation::start().await?;
    let words = ["--client-ca-file=/var/lib/rancher/rke2/server/tls/client-ca.crt", "--oidc-client-id=k8s"];
    show_pod(&it, "cp-1", &words).await?;
    let arguments =
        json!(["server", "--kube-apiserver-arg", "oidc-issuer-url=https://sso.example.com"]).to_string();
    let node = json!({"metadata": {"name": "cp-1", "annotations": {"rke2.io/node-args": arguments}}});
    it.real.create(&it.real.administrator()?, "/api/v1/nodes", &node).await?;
    let said = asked(&it).await?;
    let check = row(&said, "KS046")?;
    assert!(
        check["said"].as_str().is_some_and(|said| said.contains("pod-manifests/kube-apiserver.yaml anew")),
        "{check:#}"
    );
    let line = "/etc/rancher/rke2/config.yaml: kube-apiserver-arg: [\"oidc-client-id=k8s\"]; then, one server after the other: \
                systemctl restart rke2-server";
    assert_eq!(mends(check), [line]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_api_servers_differ_are_named_without_a_token() -> Result<()> {
    let it = Installation::start().await?;
    for node in ["cp-1", "cp-2"] {
        show_pod(&it, node, &["--oidc-client-id=k8s", &format!("--advertise-address=10.0.0.{}", &node[3..])])
            .await?;
    }
    let said = asked(&it).await?;
    assert_eq!(row(&said, "KS045")?["result"], "pass", "{:#}", said.report);
    show_pod(&it, "cp-3", &["--oidc-client-id=old", "--advertise-address=10.0.0.3"]).await?;
    let said = asked(&it).await?;
    said.expect("KS045");
    let check = row(&said, "KS045")?;
    assert_eq!(check["said"], "cp-3 has other arguments than cp-1, cp-2: --oidc-client-id");
    assert_eq!(mends(check), ["on cp-3: --oidc-client-id: k8s (or on the others what it has)"]);
    // Whoever checks a cluster sees it too.
    let mut command = tied(environment::kubesso()?);
    command.args(["cluster", "check", "--context", "admin", "-o", "json", "--kubeconfig"]);
    command.arg(it.kubeconfig(&it.real.url, &it.real.ca_pem)?);
    let ended = tokio::process::Command::from(command).output().await?;
    let report: Value = serde_json::from_slice(&ended.stdout)?;
    let problems = report["problems"].to_string();
    assert!(
        problems.contains("(KS045): --oidc-client-id is k8s on cp-1, cp-2, and old on cp-3"),
        "{problems}"
    );
    Ok(())
}

fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let path = root.join(path);
    fs::create_dir_all(path.parent().context("a folder")?)?;
    Ok(fs::write(path, text)?)
}

/// What the doctor says of a machine's files, and of a token.
async fn of_machine(root: &Path, token: &str) -> Result<Said> {
    let nothing = root.join("none");
    let file = "{current-context: c, contexts: [{name: c, context: {user: u}}], users: [{name: u, user: {tokenFile: token}}]}";
    fs::write(&nothing, file)?;
    doctor(&nothing, &["--root", &root.display().to_string()], Some(token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_microk8s_and_k3s_are_the_settings_of_their_api_servers() -> Result<()> {
    let provider = Provider::start().await?;
    let (issuer, ca) = (provider.issuer("a"), &provider.ca_pem);
    let token = provider.token("a", &json!({}))?;
    let microk8s = scratch("microk8s")?;
    let folder = "var/snap/microk8s/current";
    write(microk8s.path(), &format!("{folder}/oidc-ca.crt"), ca)?;
    let arguments = |audience: &str| {
        format!(
            "--oidc-issuer-url={issuer}\n--oidc-client-id={audience}\n--oidc-ca-file=${{SNAP_DATA}}/oidc-ca.crt\n"
        )
    };
    write(microk8s.path(), &format!("{folder}/args/kube-apiserver"), &arguments("kubernetes"))?;
    let said = of_machine(microk8s.path(), &token).await?;
    let identity = &said.report["identity"];
    assert_eq!(identity["username"], format!("{issuer}#00u1"), "{:#}", said.report);
    assert_eq!(identity["verified"], true);
    let source = "the machine's files: found (/var/snap/microk8s/current/args/kube-apiserver)";
    assert!(said.report["looked"].to_string().contains(source), "{:#}", said.report["looked"]);
    write(microk8s.path(), &format!("{folder}/args/kube-apiserver"), &arguments("another"))?;
    let said = of_machine(microk8s.path(), &token).await?;
    said.expect("KS009");
    assert!(
        mends(row(&said, "KS009")?).iter().any(|line| line.contains("snap restart microk8s.daemon-kubelite"))
    );

    let k3s = scratch("k3s")?;
    write(k3s.path(), "etc/rancher/k3s/ca.crt", ca)?;
    write(k3s.path(), "etc/rancher/k3s/config.yaml", "kube-apiserver-arg: [oidc-client-id=another]\n")?;
    let part = json!({"kube-apiserver-arg": [
        format!("oidc-issuer-url={issuer}"), "oidc-client-id=kubernetes", "oidc-ca-file=/etc/rancher/k3s/ca.crt",
        "oidc-username-prefix=oidc:",
    ]});
    write(k3s.path(), "etc/rancher/k3s/config.yaml.d/50-oidc.yaml", &part.to_string())?;
    let said = of_machine(k3s.path(), &token).await?;
    assert_eq!(said.report["identity"]["username"], "oidc:00u1", "{:#}", said.report);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_among_the_manifests_is_found_and_moved_out() -> Result<()> {
    let machine = scratch("machine")?;
    let manifest = |audience: &str| {
        json!({"kind": "Pod", "spec": {"containers": [{"name": "kube-apiserver", "command": [
            "kube-apiserver", "--oidc-issuer-url=https://sso.example.com", format!("--oidc-client-id={audience}"),
        ]}]}})
        .to_string()
    };
    write(machine.path(), "etc/kubernetes/manifests/kube-apiserver.yaml", &manifest("new"))?;
    let provider = Provider::start().await?;
    let token = provider.token("a", &json!({}))?;
    let said = of_machine(machine.path(), &token).await?;
    assert_eq!(row(&said, "KS046")?["result"], "pass", "{:#}", said.report);
    write(machine.path(), "etc/kubernetes/manifests/kube-apiserver.yaml.bak", &manifest("old"))?;
    let said = of_machine(machine.path(), &token).await?;
    let check = row(&said, "KS046")?;
    ensure!(
        check["severity"] == "error"
            && check["said"].as_str().is_some_and(|it| it.contains("--oidc-client-id")),
        "{check:#}"
    );
    assert_eq!(mends(check), ["mv /etc/kubernetes/manifests/kube-apiserver.yaml.bak /var/backups/"]);
    Ok(())
}

/// Nothing starts MicroK8s' or k0s' API server anew for its arguments, and neither says what it was started with.
#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_were_written_after_the_api_server_began_are_told() -> Result<()> {
    let it = Installation::start().await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    let machine = scratch("machine")?;
    let arguments =
        "--cert-dir=${SNAP_DATA}/certs\n--oidc-issuer-url=https://sso.example.com\n--oidc-client-id=k8s\n";
    write(machine.path(), "var/snap/microk8s/current/args/kube-apiserver", arguments)?;
    let root = machine.path().display().to_string();
    let given = ["--admin-context", "admin", "--root", &root, "--offline"];
    let without_cluster = doctor(&kubeconfig, &given[2..], Some(&it.token)).await?;
    assert_eq!(row(&without_cluster, "KS044")?["result"], "not-looked-at");
    let said = doctor(&kubeconfig, &given[..4], Some(&it.token)).await?;
    let found = row(&said, "KS044")?;
    assert_eq!(
        (&found["result"], &found["severity"]),
        (&json!("finding"), &json!("warning")),
        "{:#}",
        said.report
    );
    assert_eq!(mends(found), ["snap restart microk8s.daemon-kubelite"]);
    Ok(())
}
