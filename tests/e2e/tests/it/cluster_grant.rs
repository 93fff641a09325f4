//! `kubesso cluster grant --apply` on a real API server, as an administrator and as somebody who may not give that away; and
//! on the sandbox, which has no server-side apply.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::apiserver::ApiServer;
use kubesso_e2e::environment::scratch;
use kubesso_e2e::kubesso::{Kubesso, run};
use serde_json::{Value, json};
use tempfile::TempDir;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ADMINS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/k8s-admins-cluster-admin";
const CLUSTER_ADMIN: [&str; 4] = ["--group", "k8s-admins", "--role", "cluster-admin"];

struct Set {
    server: ApiServer,
    folder: TempDir,
}

/// Runs `cluster grant --apply`, which must end so; what it said.
async fn grant(folder: &Path, kubeconfig: &Path, code: i32, words: &[&str]) -> Result<String> {
    let file = kubeconfig.display().to_string();
    let fixed = ["cluster", "grant", "--apply", "--kubeconfig", &file];
    let ended = run(&[&fixed[..], words].concat(), &folder.join("home")).await?;
    ensure!(ended.code == Some(code), "{words:?}: {:?}\n{}{}", ended.code, ended.stdout, ended.stderr);
    Ok(ended.stdout + &ended.stderr)
}

impl Set {
    async fn new() -> Result<Self> {
        let set = Self { server: ApiServer::start_with(&[]).await?, folder: scratch("cluster-grant")? };
        set.kubeconfig("admin", &set.server.administrator_kubeconfig("admin"))?;
        Ok(set)
    }

    fn kubeconfig(&self, name: &str, content: &Value) -> Result<()> {
        Ok(fs::write(self.folder.path().join(name), content.to_string())?)
    }

    async fn grant(&self, who: &str, code: i32, words: &[&str]) -> Result<String> {
        grant(self.folder.path(), &self.folder.path().join(who), code, words).await
    }

    async fn stored(&self, path: &str) -> Result<Option<Value>> {
        let answer = self.server.administrator()?.get(format!("{}{path}", self.server.url)).send().await?;
        Ok(if answer.status().is_success() { Some(answer.json().await?) } else { None })
    }

    async fn create(&self, collection: &str, object: &Value) -> Result<()> {
        self.server.create(&self.server.administrator()?, collection, object).await
    }

    /// A service account that may do only that.
    async fn account(&self, name: &str, rules: &Value) -> Result<()> {
        let accounts = "/api/v1/namespaces/default/serviceaccounts";
        let meta = json!({ "name": name });
        self.create(accounts, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}))
            .await?;
        let group = "rbac.authorization.k8s.io";
        let version = format!("{group}/v1");
        let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": meta, "rules": rules});
        self.create(&format!("{RBAC}/clusterroles"), &role).await?;
        let binding = json!({
            "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        });
        self.create(&format!("{RBAC}/clusterrolebindings"), &binding).await?;
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let url = format!("{}{accounts}/{name}/token", self.server.url);
        let answer = self.server.administrator()?.post(url).json(&request).send().await?;
        let said: Value = answer.json().await?;
        let token = said["status"]["token"].as_str().with_context(|| said.to_string())?;
        let mut config = self.server.administrator_kubeconfig("limited");
        config["users"] = json!([{"name": "administrator", "user": {"token": token}}]);
        self.kubeconfig(name, &config)
    }
}

fn has(text: &str, all: &[&str]) -> Result<()> {
    all.iter().try_for_each(|one| {
        ensure!(text.contains(one), "no {one} in:\n{text}");
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gets_a_role_once_and_what_somebody_changed_is_put_right() -> Result<()> {
    let set = Set::new().await?;
    let with = |more: &[&'static str]| [&CLUSTER_ADMIN[..], more].concat();
    let said = set.grant("admin", 0, &with(&["--dry-run"])).await?;
    has(
        &said,
        &[
            "+ cluster role binding \"k8s-admins-cluster-admin\" in \"admin\"",
            "subjects = [\"Group k8s-admins\"]",
            "The API server would take it. Nothing was changed",
        ],
    )?;
    // Nobody to ask.
    has(&set.grant("admin", 2, &CLUSTER_ADMIN).await?, &["--yes"])?;
    assert_eq!(set.stored(ADMINS).await?, None);

    has(&set.grant("admin", 0, &with(&["--yes"])).await?, &["in \"admin\": made"])?;
    let made = set.stored(ADMINS).await?.context("the binding")?;
    assert_eq!(made["roleRef"]["name"], "cluster-admin");
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "kubesso");
    has(&set.grant("admin", 0, &with(&["--yes"])).await?, &["Nothing to do"])?;
    assert_eq!(set.stored(ADMINS).await?, Some(made.clone()));

    let mut drifted = made.clone();
    drifted["subjects"][0]["name"] = json!("others");
    let url = format!("{}{ADMINS}", set.server.url);
    ensure!(set.server.administrator()?.put(url).json(&drifted).send().await?.status().is_success(), "drift");
    let said = set.grant("admin", 0, &with(&["--yes"])).await?;
    has(&said, &["subjects = [\"Group others\"] → [\"Group k8s-admins\"]", ": changed"])?;
    let now = set.stored(ADMINS).await?.context("the binding")?;
    assert_eq!(
        (&now["subjects"], &now["metadata"]["labels"]),
        (&made["subjects"], &made["metadata"]["labels"])
    );

    let reader = ["--group=k8s-restricted-users", "--role=pod-reader", "--namespace=default", "--yes"];
    set.grant("admin", 0, &reader).await?;
    assert!(set.stored(&format!("{RBAC}/namespaces/default/roles/pod-reader")).await?.is_some());
    has(&set.grant("admin", 0, &reader).await?, &["Nothing to do"])?;
    let nowhere = ["--group=team", "--role=view", "--namespace=nowhere", "--yes"];
    has(&set.grant("admin", 1, &nowhere).await?, &["\"nowhere\" not found", "nothing was changed"])?;
    let unknown = ["--group=team", "--role=not-there-yet", "--dry-run"];
    has(&set.grant("admin", 0, &unknown).await?, &["there is no ClusterRole \"not-there-yet\" yet"])
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_give_a_role_away_is_told_before_anything_is_changed() -> Result<()> {
    let set = Set::new().await?;
    let group = "rbac.authorization.k8s.io";
    let writes = json!({"apiGroups": [group], "resources": ["clusterrolebindings"], "verbs": ["get", "create", "patch"]});
    let reads = json!({"apiGroups": [group], "resources": ["clusterroles"], "verbs": ["get"]});
    let binds = json!({"apiGroups": [group], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["cluster-admin"]});
    let with_yes = [&CLUSTER_ADMIN[..], &["--yes"]].concat();

    set.account("nobody", &json!([])).await?;
    has(&set.grant("nobody", 1, &with_yes).await?, &["cannot be read", "forbidden"])?;
    set.account("reader", &json!([{"apiGroups": [group], "resources": ["*"], "verbs": ["get"]}])).await?;
    let said = set.grant("reader", 1, &with_yes).await?;
    has(
        &said,
        &["would not be taken, and nothing was changed", "It takes the verbs `get`, `create` and `patch`"],
    )?;
    set.account("writer", &json!([writes, reads])).await?;
    let said = set.grant("writer", 1, &with_yes).await?;
    has(
        &said,
        &[
            "would not be taken, and nothing was changed",
            "not currently held",
            "Nobody gives away what they do not have",
            "the verb `bind` on that role",
        ],
    )?;
    assert_eq!(set.stored(ADMINS).await?, None);

    set.account("binder", &json!([writes, reads, binds])).await?;
    has(&set.grant("binder", 0, &with_yes).await?, &[": made"])?;
    assert!(set.stored(ADMINS).await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_without_server_side_apply_is_written_to_whole() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let folder = scratch("cluster-grant")?;
    let kubeconfig = kubesso.data_dir.join("admin.kubeconfig");
    let words = ["--group=auditors", "--role=view", "--context=kubesso"];
    let run = async |code, more: &[&str]| {
        grant(folder.path(), &kubeconfig, code, &[&words[..], more].concat()).await
    };
    has(&run(0, &["--dry-run"]).await?, &["The API server would take it"])?;
    has(&run(0, &["--yes"]).await?, &["cluster role binding \"auditors-view\" in \"kubesso\": made"])?;
    has(&run(0, &["--yes"]).await?, &["Nothing to do"])
}
