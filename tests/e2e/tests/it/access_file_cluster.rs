//! One file, one `apply`: provider, the cluster's own settings, what groups may do, kubeconfig; with a real API server that
//! is begun anew when its manifest changes.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::static_pod::StaticPod;
use reqwest::StatusCode;

use crate::access_file::{Trial, kubectl};

const CONFIG: &str = "/etc/kubernetes/authn/authentication-config.yaml";

/// Refused by the API server, and by nobody before.
const BROKEN: &str =
    "issuers:\n- {fromProvider: true, claimRules: [{expression: 'claims.(', message: never}]}\n";

/// A provider with people only, a node that trusts nobody, and a file that wants all of it.
struct Set {
    trial: Trial,
    node: StaticPod,
    original: String,
    wanted: String,
}

impl Set {
    async fn up() -> Result<Self> {
        let node = StaticPod::start().await?;
        let rest = "grants:\n\
             - {group: k8s-admins, role: cluster-admin, name: oidc-cluster-admin}\n\
             - {group: k8s-restricted-users, role: pod-reader, namespace: default}\n\
             clusters:\n\
             - {name: prod, for: static-pod, kubeconfig: NODE/etc/kubernetes/admin.conf, context: admin, apply: {root: NODE}}\n\
             kubeconfig: {file: people.kubeconfig, command: kubectl}\n";
        let trial = Trial::new(&rest.replace("NODE", &node.root().display().to_string())).await?;
        let original = fs::read_to_string(node.manifest())?;
        let wanted = fs::read_to_string(trial.path("access.yaml"))?;
        Ok(Self { trial, node, original, wanted })
    }

    fn manifest(&self) -> Result<String> {
        Ok(fs::read_to_string(self.node.manifest())?)
    }

    /// The file with this at its end.
    fn want(&self, more: &str) -> Result<()> {
        Ok(fs::write(self.trial.path("access.yaml"), format!("{}{more}", self.wanted))?)
    }

    async fn apply(&self) -> Result<String> {
        self.trial.ends(&["apply", "--yes"], 0).await
    }

    fn is_original(&self) -> Result<()> {
        ensure!(self.manifest()? == self.original, "{}", self.manifest()?);
        ensure!(!self.node.path(CONFIG).exists(), "the file is still there");
        Ok(())
    }

    async fn has_binding(&self) -> Result<bool> {
        let path = "apis/rbac.authorization.k8s.io/v1/clusterrolebindings/oidc-cluster-admin";
        let answer = self.node.administrator()?.get(format!("{}/{path}", self.node.url)).send().await?;
        Ok(answer.status() == StatusCode::OK)
    }
}

fn has(text: &str, all: &[&str]) -> Result<()> {
    all.iter().try_for_each(|one| {
        ensure!(text.contains(one), "no {one} in:\n{text}");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_apply_makes_the_whole_tutorial_and_one_destroy_takes_it_back() -> Result<()> {
    let set = Set::up().await?;
    let planned = set.trial.ends(&["plan", "--detailed-exitcode"], 2).await?;
    has(
        &planned,
        &[
            "+ group \"k8s-admins\"",
            "+ sign-in to cluster \"prod\"",
            "+ /etc/kubernetes/authn/authentication-config.yaml:",
            "~ /etc/kubernetes/manifests/kube-apiserver.yaml:",
            "/oauth2/(known after apply)",
            "inForce = \"the API server begins anew\"",
            "+ cluster role binding \"oidc-cluster-admin\" in \"prod\"",
            "+ kubeconfig user \"oidc-user\"",
        ],
    )?;
    let dry = set.trial.ends(&["apply", "--dry-run"], 0).await?;
    has(&dry, &["+ sign-in to cluster \"prod\"", "Nothing was changed (--dry-run)"])?;
    set.is_original()?;
    assert_eq!((set.node.begun(), set.trial.names("groups").await?.len()), (1, 1));

    let done = set.apply().await?;
    has(&done, &["is ready, and has loaded this very file", "Not proven: whether somebody can sign in"])?;
    assert_eq!(set.node.begun(), 2);
    // The provider first, so that nobody is trusted who does not answer; what groups may do, and who signs in, at the end.
    let at = |what: &str| done.find(&format!("] {what}")).unwrap_or_default();
    assert!(0 < at("rule") && at("rule") < at("sign-in"), "{done}");
    assert!(at("sign-in") < at("cluster role binding"), "{done}");
    assert!(at("cluster role binding") < at("kubeconfig user"), "{done}");
    let changed = set.manifest()?;
    assert!(changed.starts_with("# written by the suite") && changed.contains("# the peer"), "{changed}");
    has(&set.apply().await?, &["No changes"])?;
    set.trial.ends(&["plan", "--detailed-exitcode"], 0).await?;
    assert_eq!((set.manifest()?, set.node.begun()), (changed, 2));

    let dev = Kubectl::new()?;
    dev.take_kubeconfig(&set.trial.path("people.kubeconfig"))?;
    let read = ["get", "pods", "-n", "default", "--context=oidc-user@prod"];
    kubectl(&set.trial, &dev, "dev", &read).await?.succeeded()?;
    let secrets = ["get", "secrets", "-n", "default", "--context=oidc-user@prod"];
    let refused = kubectl(&set.trial, &dev, "dev", &secrets).await?.failed()?;
    has(&refused, &["Forbidden", "dev@example.com"])?;

    // Somebody changed what the API server is told: that is seen, and repaired.
    let config = set.node.path(CONFIG);
    let good = fs::read_to_string(&config)?;
    fs::write(&config, good.replace("claim: groups", "claim: teams"))?;
    let drifted = set.trial.ends(&["plan", "--detailed-exitcode"], 2).await?;
    has(
        &drifted,
        &["~ sign-in to cluster \"prod\"", "claim: teams", "claim: groups", "0 to add, 1 to change"],
    )?;
    set.apply().await?;
    assert_eq!(fs::read_to_string(&config)?, good);

    // What the API server does not take is taken back by itself, and people go on signing in.
    set.want(BROKEN)?;
    let refused = set.trial.ends(&["apply", "--yes"], 1).await?;
    has(
        &refused,
        &["sign-in to cluster \"prod\", was not done: it was taken back, because", "refuses the new file"],
    )?;
    assert_eq!((fs::read_to_string(&config)?, set.node.begun()), (good, 2));
    kubectl(&set.trial, &dev, "dev", &read).await?.succeeded()?;
    set.want("")?;
    set.trial.ends(&["plan", "--detailed-exitcode"], 0).await?;

    let gone = set.trial.ends(&["destroy", "--yes"], 0).await?;
    has(
        &gone,
        &["- sign-in to cluster \"prod\"", "is ready without it", "sign-in to cluster \"prod\": destroyed"],
    )?;
    set.is_original()?;
    assert_eq!(set.trial.names("groups").await?, ["Everyone"]);
    assert!(!set.has_binding().await?);
    assert!(set.node.is_ready().await, "{}", set.node.log());
    has(&set.trial.ends(&["destroy", "--yes"], 0).await?, &["Nothing to destroy"])?;
    assert_eq!(set.node.manifests_seen().into_iter().collect::<Vec<_>>(), ["kube-apiserver.yaml"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_while_the_cluster_changes_runs_it_again() -> Result<()> {
    let set = Set::up().await?;
    let file = set.trial.path("access.yaml").display().to_string();
    let kill_when_changed = async || -> Result<()> {
        let begun = set.trial.kubesso.begin(&["apply", "--yes", "-f", &file])?;
        eventually("the manifest is changed", Duration::from_mins(1), async || {
            Ok((set.manifest()? != set.original).then_some(()))
        })
        .await?;
        begun.kill().await
    };

    // With settings by which it does not come up again: they are taken back first.
    set.want(BROKEN)?;
    kill_when_changed().await?;
    eventually("the API server is down", Duration::from_secs(20), async || {
        Ok((!set.node.is_ready().await).then_some(()))
    })
    .await?;
    set.want("")?;
    let planned = set.trial.ends(&["plan", "--detailed-exitcode"], 2).await?;
    has(&planned, &["was interrupted half way: what was done of it is taken back first", "does not answer"])?;
    assert_ne!(set.manifest()?, set.original);
    set.apply().await?;
    has(&set.trial.ends(&["plan", "--detailed-exitcode"], 0).await?, &["No changes"])?;
    assert!(set.has_binding().await?);
    set.trial.ends(&["destroy", "--yes"], 0).await?;
    set.is_original()?;

    // With good ones: they are proved, and it is not begun anew.
    let begun = set.node.begun();
    kill_when_changed().await?;
    let planned = set.trial.ends(&["plan", "--detailed-exitcode"], 2).await?;
    has(&planned, &["was interrupted half way: it is proved, or taken back"])?;
    set.apply().await?;
    assert_eq!(set.node.begun(), begun + 1, "{}", set.node.log());
    has(&set.trial.ends(&["plan", "--detailed-exitcode"], 0).await?, &["No changes"])?;

    set.trial.ends(&["destroy", "--yes"], 0).await?;
    set.is_original()?;

    // And whoever wants none of it any more.
    kill_when_changed().await?;
    set.trial.ends(&["destroy", "--yes"], 0).await?;
    set.is_original()?;
    assert!(set.node.is_ready().await, "{}", set.node.log());
    assert_eq!(set.trial.names("groups").await?, ["Everyone"]);
    Ok(())
}
