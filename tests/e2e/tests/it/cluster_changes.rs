//! `kubesso cluster check`, `apply` and `rollback` on a control-plane node with the real kube-apiserver.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::scratch;
use kubesso_e2e::kubesso::{Begun, Ended, Kubesso, run_within};
use kubesso_e2e::static_pod::StaticPod;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rotation::sign_in;

const FILE: &str = "/etc/kubernetes/authn/authentication-config.yaml";

/// A provider, a node, and somebody's token.
struct Set {
    kubesso: Kubesso,
    node: StaticPod,
    folder: TempDir,
    original: String,
    target: &'static str,
}

impl Set {
    async fn up() -> Result<Self> {
        let kubesso = Kubesso::up().await?;
        let node = StaticPod::start().await?;
        let folder = scratch("cluster-changes")?;
        fs::write(folder.path().join("token"), sign_in(&kubesso, &kubesso.password("dev")?).await?)?;
        let original = fs::read_to_string(node.manifest())?;
        Ok(Self { kubesso, node, folder, original, target: "static-pod" })
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Who may sign in, with more said of the one issuer.
    fn access(&self, name: &str, more: &str) -> Result<String> {
        let ready = &self.kubesso.ready;
        let text = format!(
            "issuers:\n- url: {}\n  audiences: [{}]\n  certificateAuthorityFile: {}\n{more}",
            ready.issuer,
            ready.client_id,
            ready.ca.display()
        );
        fs::write(self.file(name), text)?;
        Ok(self.file(name))
    }

    fn words(&self, command: &str, more: &[&str]) -> Vec<String> {
        let root = self.node.root().display().to_string();
        let fixed = ["cluster", command, "--for", self.target, "--root", &root, "-o", "json"];
        fixed.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    async fn run(&self, command: &str, more: &[&str]) -> Result<Ended> {
        let home = self.folder.path().join("home");
        run_within(&self.words(command, more), &home, Duration::from_mins(4)).await
    }

    /// Runs it, and expects that exit code and an object of JSON.
    async fn said(&self, code: i32, command: &str, more: &[&str]) -> Result<Value> {
        let ended = self.run(command, more).await?;
        let told = format!(
            "{command} {more:?}: {:?}\n{}\n{}\n{}",
            ended.code,
            ended.stdout,
            ended.stderr,
            self.node.log()
        );
        ensure!(ended.code == Some(code), "{told}");
        serde_json::from_str(&ended.stdout).context(told)
    }

    fn begin(&self, command: &str, more: &[&str]) -> Result<Begun> {
        let words = self.words(command, more);
        self.kubesso.begin(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn manifest(&self) -> Result<String> {
        Ok(fs::read_to_string(self.node.manifest())?)
    }

    fn config(&self) -> PathBuf {
        self.node.path(FILE)
    }

    fn is_original(&self) -> Result<()> {
        ensure!(self.manifest()? == self.original, "{}", self.manifest()?);
        ensure!(!self.config().exists(), "the file is still there");
        Ok(())
    }
}

/// Checks until the API server's word on the file is this.
async fn until(set: &Set, access: &str, verdict: &str) -> Result<Value> {
    let what = format!("check says {verdict}");
    eventually(&what, Duration::from_secs(100), async || {
        let ended = set.run("check", &["-f", access]).await?;
        let said: Value = serde_json::from_str(&ended.stdout).with_context(|| ended.stderr.clone())?;
        Ok((said["servers"][0]["verdict"] == verdict).then_some(said))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_shown_made_proved_and_made_once() -> Result<()> {
    let set = Set::up().await?;
    let access = set.access("access.yaml", "")?;
    let (access, token) = (access.as_str(), set.file("token"));

    let said = set.said(1, "check", &["-f", access]).await?;
    assert_eq!(said["differences"][0]["wanted"], "trusted", "{said:#}");
    assert_eq!(set.said(0, "apply", &["-f", access, "--dry-run"]).await?["result"], "planned");
    // Nobody to ask.
    let ended = set.run("apply", &["-f", access]).await?;
    assert!(ended.code == Some(2) && ended.stderr.contains("--yes"), "{}", ended.stderr);
    set.is_original()?;
    assert_eq!(set.node.begun(), 1);

    let done = ["-f", access, "--yes", "--test-token-file", &token];
    let said = set.said(0, "apply", &done).await?;
    assert_eq!((&said["result"], &said["proven"]["hasFile"]), (&"applied".into(), &true.into()), "{said:#}");
    assert!(
        said["proven"]["identity"].as_str().is_some_and(|who| who.starts_with("dev@example.com")),
        "{said:#}"
    );
    let changed = set.manifest()?;
    assert!(changed.starts_with("# written by the suite") && changed.contains("# the peer"), "{changed}");
    assert_eq!(set.node.begun(), 2);

    // Once more: nothing.
    assert_eq!(set.said(0, "apply", &done).await?["result"], "nothing-to-do");
    assert_eq!((set.manifest()?, set.node.begun()), (changed.clone(), 2));
    let said = set.said(0, "check", &["-f", access]).await?;
    assert_eq!((&said["well"], &said["servers"][0]["verdict"]), (&true.into(), &"loaded".into()), "{said:#}");

    // What the API server refuses is taken back, and it goes on running.
    let good = fs::read_to_string(set.config())?;
    let refused = set.access("refused.yaml", "  claimRules: [{expression: 'claims.(', message: never}]\n")?;
    let said = set.said(1, "apply", &["-f", &refused, "--yes"]).await?;
    assert_eq!(said["result"], "taken-back");
    assert!(said["reason"].as_str().is_some_and(|why| why.contains("refuses the new file")), "{said:#}");
    assert_eq!((fs::read_to_string(set.config())?, set.node.begun()), (good.clone(), 2));

    // Whom it does not take is taken back too.
    let other = set.access("other.yaml", "  requiredClaims: {tenant: another}\n")?;
    let said = set
        .said(1, "apply", &["-f", &other, "--yes", "--test-token-file", &token, "--timeout", "75s"])
        .await?;
    assert!(
        said["reason"].as_str().is_some_and(|why| why.contains("does not take the test token")),
        "{said:#}"
    );
    assert_eq!(fs::read_to_string(set.config())?, good);

    // Somebody writes a file that is refused: the old rules still apply (KS043).
    until(&set, access, "loaded").await?;
    fs::write(
        set.config(),
        good.replace("jwt:", "jwt:\n- issuer: {url: 'https://other.example', audiences: [a]}"),
    )?;
    let said = until(&set, access, "refused").await?;
    assert!(said["problems"].to_string().contains("KS043"), "{said:#}");
    fs::write(set.config(), &good)?;
    until(&set, access, "loaded").await?;
    assert_eq!(set.node.manifests_seen().into_iter().collect::<Vec<_>>(), ["kube-apiserver.yaml"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_does_not_come_back_gets_its_old_settings_back() -> Result<()> {
    let set = Set::up().await?;
    let access = set.access("access.yaml", "")?;
    let refused = set.access("refused.yaml", "  claimRules: [{expression: 'claims.(', message: never}]\n")?;

    let said = set.said(1, "apply", &["-f", &refused, "--yes", "--timeout", "15s"]).await?;
    assert_eq!(said["result"], "taken-back", "{said:#}");
    set.is_original()?;
    assert!(set.node.is_ready().await, "{}", set.node.log());

    // Killed half way: nothing goes on until it is taken back.
    let begun = set.begin("apply", &["-f", &refused, "--yes"])?;
    eventually("the manifest is changed", Duration::from_secs(20), async || {
        Ok((set.manifest()? != set.original).then_some(()))
    })
    .await?;
    begun.kill().await?;
    let ended = set.run("apply", &["-f", &access, "--yes"]).await?;
    assert!(ended.code == Some(1) && ended.stderr.contains("interrupted half way"), "{}", ended.stderr);
    assert_eq!(set.said(0, "rollback", &["--dry-run"]).await?["result"], "planned");
    assert_ne!(set.manifest()?, set.original);
    assert_eq!(set.said(0, "rollback", &["--yes"]).await?["result"], "taken-back");
    set.is_original()?;
    assert!(set.node.is_ready().await, "{}", set.node.log());

    // By flags, which need the token to be proved; and back.
    let by_flags = ["-f", &access, "--form", "flags", "--yes", "--test-token-file", &set.file("token")];
    let said = set.said(0, "apply", &by_flags).await?;
    assert!(said["proven"]["identity"].is_string(), "{said:#}");
    set.said(0, "check", &["-f", &access, "--form", "flags"]).await?;
    let changed = set.manifest()?;
    fs::write(set.node.manifest(), format!("{changed}# mine\n"))?;
    let ended = set.run("rollback", &["--yes"]).await?;
    assert!(
        ended.code == Some(1) && ended.stderr.contains("changed since by somebody else"),
        "{}",
        ended.stderr
    );
    set.said(0, "rollback", &["--yes", "--danger-discard-later-changes"]).await?;
    ensure!(set.manifest()? == set.original);
    let ended = set.run("rollback", &["--yes"]).await?;
    assert!(ended.code == Some(1) && ended.stderr.contains("no change"), "{}", ended.stderr);
    mounted_alone(&set, &access).await
}

/// kubeadm writes the manifest anew from what it keeps in the cluster, at the next upgrade.
#[tokio::test(flavor = "multi_thread")]
async fn what_kubeadm_keeps_in_the_cluster_changes_with_the_manifest() -> Result<()> {
    let set = Set { target: "kubeadm", ..Set::up().await? };
    let access = set.access("access.yaml", "")?;
    let administrator = set.node.administrator()?;
    let maps = format!("{}/api/v1/namespaces/kube-system/configmaps", set.node.url);
    let kept = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4 # as kubeadm wrote it\nkind: ClusterConfiguration\n";
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kubeadm-config"}, "data": {"ClusterConfiguration": kept},
    });
    eventually("the namespace is there", Duration::from_secs(20), async || {
        let answer = administrator.post(&maps).json(&map).send().await?;
        Ok(answer.status().is_success().then_some(()))
    })
    .await?;
    let now = async || -> Result<String> {
        let map: Value = administrator.get(format!("{maps}/kubeadm-config")).send().await?.json().await?;
        Ok(map["data"]["ClusterConfiguration"].as_str().context("a configuration")?.to_owned())
    };

    set.said(0, "apply", &["-f", &access, "--yes"]).await?;
    let changed = now().await?;
    assert!(
        changed.contains("authentication-config") && changed.contains("# as kubeadm wrote it"),
        "{changed}"
    );
    assert_eq!(set.said(0, "apply", &["-f", &access, "--yes"]).await?["result"], "nothing-to-do");
    set.said(0, "rollback", &["--yes"]).await?;
    assert_eq!(now().await?, kept);
    set.is_original()
}

/// A single file that is mounted does not change for the API server when it is replaced (KS044).
async fn mounted_alone(set: &Set, access: &str) -> Result<()> {
    set.said(0, "apply", &["-f", access, "--yes"]).await?;
    let alone = set
        .manifest()?
        .replace("mountPath: /etc/kubernetes/authn\n", &format!("mountPath: {FILE}\n"))
        .replace(
            "path: /etc/kubernetes/authn\n      type: DirectoryOrCreate",
            &format!("path: {FILE}\n      type: File"),
        );
    ensure!(alone != set.manifest()?, "{alone}");
    fs::write(set.node.manifest(), alone)?;
    until(set, access, "loaded").await?;
    let new = fs::read_to_string(set.config())? + "# another line\n";
    replace(&set.config(), &new)?;
    let said = set.said(1, "check", &["-f", access]).await?;
    assert_eq!(
        (&said["servers"][0]["verdict"], &said["differences"]),
        (&"another".into(), &Value::Array(vec![]))
    );
    let problems = said["problems"].to_string();
    assert!(problems.contains("KS044") && problems.contains("mounted as a single file"), "{problems}");
    Ok(())
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text)?;
    Ok(fs::rename(fresh, path)?)
}
