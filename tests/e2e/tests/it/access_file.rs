//! One file brings an empty provider and a real cluster to the tutorial's end: planned, applied, drifted, repaired, taken
//! back; and killed at every step.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kubesso_e2e::apiserver::ApiServer;
use kubesso_e2e::deadline::eventually;
use kubesso_e2e::environment::{self, scratch};
use kubesso_e2e::form::{self, FormClient, Outcome};
use kubesso_e2e::kubectl::{Done, Kubectl};
use kubesso_e2e::kubesso::{Ended, Kubesso, email, run, run_within};
use kubesso_e2e::process::{Running, tied};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// What the provider has from its start.
const BUILT_IN: [&str; 1] = ["kubesso command line"];

/// Trusts nobody yet.
const NOBODY: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n";

/// A folder with an access file, for a provider that has people only.
pub(crate) struct Trial {
    pub(crate) kubesso: Kubesso,
    folder: TempDir,
    token: String,
}

impl Trial {
    /// With this at the file's end, in which DATA stands for the provider's data directory.
    pub(crate) async fn new(rest: &str) -> Result<Self> {
        let kubesso = Kubesso::up_for_terraform().await?;
        let folder = scratch("access-file")?;
        let token = kubesso.api_token("access").await?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("token"), &token)?;
        fs::copy(&kubesso.ready.ca, path("ca.crt"))?;
        let text = format!(
            "provider: {{url: '{}', certificateAuthorityFile: ca.crt, apiTokenFile: token}}\n\
             groups:\n\
             - {{name: k8s-admins, description: Administrators of the clusters, members: [admin@example.com]}}\n\
             - {{name: k8s-restricted-users, members: [dev@example.com]}}\n\
             application: {{label: k8s OIDC}}\n\
             authorizationServer: {{name: k8s-auth, audience: 'http:://localhost:8000'}}\n{rest}",
            kubesso.base_url()?
        );
        let text = text.replace("DATA", &kubesso.data_dir.display().to_string());
        fs::write(path("access.yaml"), text)?;
        Ok(Self { kubesso, folder, token })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn run(&self, words: &[&str]) -> Result<Ended> {
        let file = self.path("access.yaml").display().to_string();
        let words = [&words[..1], &["-f", &file], &words[1..]].concat();
        run_within(&words, &self.path("home"), Duration::from_mins(4)).await
    }

    /// Runs a command that must end so; what it printed.
    pub(crate) async fn ends(&self, words: &[&str], code: i32) -> Result<String> {
        let ended = self.run(words).await?;
        ensure!(ended.code == Some(code), "{words:?}: {:?}\n{}{}", ended.code, ended.stdout, ended.stderr);
        Ok(ended.stdout + &ended.stderr)
    }

    /// Asks the management API for something that it must grant.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let http = form::client(&self.kubesso.ca_pem()?)?;
        let mut request = http
            .request(method, format!("{}{path}", self.kubesso.base_url()?))
            .header("Authorization", format!("SSWS {}", self.token));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// The names of what is in a collection, sorted.
    pub(crate) async fn names(&self, collection: &str) -> Result<Vec<String>> {
        let all = self.call(Method::GET, &format!("/api/v1/{collection}"), None).await?;
        let name = |one: &Value| {
            let name = one.pointer("/profile/name").or(one.get("label")).or(one.get("name"));
            name.and_then(Value::as_str).map(str::to_owned).context("a name")
        };
        let mut names: Vec<String> =
            all.as_array().context("a list")?.iter().map(name).collect::<Result<_>>()?;
        names.sort();
        Ok(names)
    }
}

/// Runs kubectl by the file's kubeconfig, and signs in as `who` if the browser is opened.
pub(crate) async fn kubectl(folder: &Trial, kubectl: &Kubectl, who: &str, words: &[&str]) -> Result<Done> {
    let opened = kubectl.browser_command()?;
    let browser = opened.script.display().to_string();
    let variables =
        [("KUBELOGIN_BROWSER_COMMAND", browser.as_str()), ("KUBELOGIN_LISTEN_ADDRESS", "127.0.0.1:0")];
    let running = kubectl.run_with(words, "", &variables);
    let answering = async {
        let url = opened.next().await?;
        let mut browser = FormClient::new(&folder.kubesso.ca_pem()?)?;
        match browser.sign_in(&url, &email(who), &folder.kubesso.password(who)?).await? {
            Outcome::Redirected(back) => browser.follow(&back).await.map(drop),
            Outcome::Refused(why) => anyhow::bail!("refused: {why}"),
        }
    };
    let mut running = std::pin::pin!(running);
    tokio::select! {
        done = &mut running => done,
        answered = answering => {
            answered?;
            running.await
        }
    }
}

/// A real API server that can be told whom to trust, and its administrator's kubeconfig.
async fn cluster(folder: &Path) -> Result<ApiServer> {
    let trust = folder.join("authentication-config.yaml");
    fs::write(&trust, NOBODY)?;
    let server = ApiServer::start_with(&[format!("--authentication-config={}", trust.display())]).await?;
    fs::write(folder.join("admin.conf"), server.administrator_kubeconfig("admin").to_string())?;
    Ok(server)
}

async fn stored(server: &ApiServer, path: &str) -> Result<Option<Value>> {
    let answer = server.administrator()?.get(format!("{}{path}", server.url)).send().await?;
    Ok(if answer.status().is_success() { Some(answer.json().await?) } else { None })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_makes_the_tutorial_and_takes_it_back() -> Result<()> {
    let folder = Trial::new(
        "grants:\n\
         - {group: k8s-admins, role: cluster-admin, name: oidc-cluster-admin}\n\
         - {group: k8s-restricted-users, role: pod-reader, namespace: default}\n\
         clusters:\n\
         - {name: prod, for: static-pod, kubernetesVersion: '1.36', kubeconfig: admin.conf, context: admin, out: prod}\n\
         kubeconfig: {file: people.kubeconfig, command: kubectl}\n",
    )
    .await?;
    let server = cluster(folder.folder.path()).await?;
    // What is there before stays to the end.
    folder.call(Method::POST, "/api/v1/groups", Some(&json!({ "profile": { "name": "others" } }))).await?;
    let theirs = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "others" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "others" }],
    });
    let bindings = format!("{RBAC}/clusterrolebindings");
    server.create(&server.administrator()?, &bindings, &theirs).await?;
    fs::write(folder.path("people.kubeconfig"), "# mine\nusers:\n- name: jo\n  user: {token: x}\n")?;

    let planned = folder.ends(&["plan", "--detailed-exitcode"], 2).await?;
    for expected in [
        "+ group \"k8s-admins\"",
        "+ cluster role binding \"oidc-cluster-admin\" in \"prod\"",
        "+ kubeconfig user \"oidc-user\"",
        "issuer               = (known after apply)",
        "16 to add, 0 to change, 0 to destroy",
    ] {
        assert!(planned.contains(expected), "no {expected} in:\n{planned}");
    }
    let refused = folder.ends(&["apply"], 1).await?;
    assert!(refused.contains("nobody can be asked here, and nothing was changed"), "{refused}");
    assert_eq!(folder.names("groups").await?, ["Everyone", "others"]);

    folder.ends(&["apply", "--yes"], 0).await?;
    let again = folder.ends(&["plan", "--detailed-exitcode"], 0).await?;
    assert!(again.contains("No changes"), "{again}");

    // The cluster takes what was written, and people sign in as the tutorial has it.
    fs::copy(folder.path("prod/authentication-config.yaml"), folder.path("authentication-config.yaml"))?;
    let dev = Kubectl::new()?;
    dev.take_kubeconfig(&folder.path("people.kubeconfig"))?;
    let read = ["get", "pods", "-n", "default", "--context=oidc-user@prod"];
    eventually("the cluster trusts the provider", Duration::from_secs(90), async || {
        Ok((kubectl(&folder, &dev, "dev", &read).await?.code == 0).then_some(()))
    })
    .await?;
    let secrets = ["get", "secrets", "-n", "default", "--context=oidc-user@prod"];
    let refused = kubectl(&folder, &dev, "dev", &secrets).await?.failed()?;
    assert!(refused.contains("Forbidden") && refused.contains("dev@example.com"), "{refused}");
    let admin = Kubectl::new()?;
    admin.take_kubeconfig(&folder.path("people.kubeconfig"))?;
    kubectl(&folder, &admin, "admin", &secrets).await?.succeeded()?;
    let can = ["auth", "can-i", "*", "*", "--context=oidc-user@prod"];
    assert_eq!(kubectl(&folder, &admin, "admin", &can).await?.succeeded()?.trim(), "yes");

    // Somebody changes something, here and there.
    let servers = folder.call(Method::GET, "/api/v1/authorizationServers", None).await?;
    let ours =
        servers.as_array().into_iter().flatten().find(|one| one["name"] == "k8s-auth").context("ours")?;
    let policies = format!("/api/v1/authorizationServers/{}/policies", ours["id"].as_str().context("an id")?);
    let policy = folder.call(Method::GET, &policies, None).await?;
    let rules = format!("{policies}/{}/rules", policy[0]["id"].as_str().context("an id")?);
    let mut rule = folder.call(Method::GET, &rules, None).await?[0].clone();
    rule["actions"]["token"]["accessTokenLifetimeMinutes"] = json!(6);
    let path = format!("{rules}/{}", rule["id"].as_str().context("an id")?);
    folder.call(Method::PUT, &path, Some(&rule)).await?;
    let mut binding =
        stored(&server, &format!("{bindings}/oidc-cluster-admin")).await?.context("the binding")?;
    binding["subjects"][0]["name"] = json!("others");
    let url = format!("{}{bindings}/oidc-cluster-admin", server.url);
    ensure!(server.administrator()?.put(url).json(&binding).send().await?.status().is_success(), "drift");
    let drifted = folder.ends(&["plan", "--detailed-exitcode"], 2).await?;
    for expected in [
        "accessTokenMinutes = 6 → 60",
        "subjects = [\"Group others\"] → [\"Group k8s-admins\"]",
        "Plan: 0 to add, 2 to change, 0 to destroy; 14 unchanged.",
    ] {
        assert!(drifted.contains(expected), "no {expected} in:\n{drifted}");
    }
    folder.ends(&["apply", "--yes"], 0).await?;
    folder.ends(&["plan", "--detailed-exitcode"], 0).await?;
    // The same file is good for the cluster's commands; the provider says issuer and client.
    let file = folder.path("access.yaml").display().to_string();
    let config = run(&["cluster", "config", "--for", "k3s", "-f", &file], &folder.path("home")).await?;
    assert_eq!(config.code, Some(0), "{}", config.stderr);
    assert!(config.stdout.contains(ours["issuer"].as_str().context("an issuer")?), "{}", config.stdout);

    // What is there, as a file that wants nothing else.
    let (token, ca, admin) = (folder.path("token"), folder.path("ca.crt"), folder.path("admin.conf"));
    let [token, ca, admin] = [token, ca, admin].map(|path| path.display().to_string());
    let base_url = folder.kubesso.base_url()?;
    let words = [
        "import",
        "--provider",
        &base_url,
        "--certificate-authority",
        &ca,
        "--api-token-file",
        &token,
        "--application=k8s OIDC",
        "--authorization-server=k8s-auth",
        "--kubeconfig",
        &admin,
        "--context=admin",
        "--binding=oidc-cluster-admin",
        "--binding=default/k8s-restricted-users-pod-reader",
    ];
    let imported = run(&words, &folder.path("home")).await?;
    assert_eq!((imported.code, imported.stderr.as_str()), (Some(0), ""), "{}", imported.stdout);
    let copy = folder.path("imported.yaml").display().to_string();
    fs::write(&copy, &imported.stdout)?;
    let planned = run(&["plan", "--detailed-exitcode", "-f", &copy], &folder.path("home")).await?;
    assert_eq!(planned.code, Some(0), "{}\n{}{}", imported.stdout, planned.stdout, planned.stderr);

    let gone = folder.ends(&["destroy", "--yes"], 0).await?;
    assert!(gone.contains("16 destroyed"), "{gone}");
    assert_eq!(folder.names("groups").await?, ["Everyone", "others"]);
    assert_eq!(folder.names("apps").await?, BUILT_IN);
    assert!(!folder.names("authorizationServers").await?.contains(&"k8s-auth".to_owned()));
    assert_eq!(stored(&server, &format!("{bindings}/oidc-cluster-admin")).await?, None);
    assert_eq!(stored(&server, &format!("{RBAC}/namespaces/default/roles/pod-reader")).await?, None);
    assert!(stored(&server, &format!("{bindings}/others")).await?.is_some());
    assert!(stored(&server, &format!("{RBAC}/clusterroles/cluster-admin")).await?.is_some());
    assert!(!folder.path("prod").exists(), "the folder went with its files");
    let people = fs::read_to_string(folder.path("people.kubeconfig"))?;
    assert!(people.starts_with("# mine\nusers:\n- name: jo\n") && !people.contains("oidc"), "{people}");
    let nothing = folder.ends(&["destroy", "--yes"], 0).await?;
    assert!(nothing.contains("Nothing to destroy"), "{nothing}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_at_any_step_runs_it_again() -> Result<()> {
    // The sandbox has no server-side apply: there objects are written whole.
    let folder = Trial::new(
        "grants:\n\
         - {group: k8s-admins, role: view}\n\
         - {group: k8s-restricted-users, role: reader, rules: [{verbs: [get], resources: [nodes]}]}\n\
         clusters: [{name: sandbox, for: k3s, kubeconfig: DATA/admin.kubeconfig, context: kubesso}]\n\
         kubeconfig: {file: people.kubeconfig}\n",
    )
    .await?;
    let file = folder.path("access.yaml").display().to_string();
    let whole = folder.ends(&["apply", "--yes"], 0).await?;
    let steps = whole.lines().filter(|line| line.starts_with('[')).count();
    assert!(steps >= 16, "{whole}");
    folder.ends(&["destroy", "--yes"], 0).await?;
    for step in 0..steps {
        for verb in ["apply", "destroy"] {
            let place = scratch("killed")?;
            let mut command = tied(environment::kubesso()?);
            command.env_clear().env("HOME", folder.path("home")).env("PATH", "/usr/bin:/bin");
            command.args([verb, "--yes", "-f", &file]);
            let mut running = Running::start(verb, command, place.path())?;
            let reached = format!("[{step}/");
            eventually("the step is reached", Duration::from_secs(30), async || {
                let is_there = step == 0 || running.stdout().lines().any(|line| line.starts_with(&reached));
                Ok((is_there || running.ended()?.is_some()).then_some(()))
            })
            .await?;
            let pid = running.id().to_string();
            // It may have ended before: then there is nothing to finish.
            Command::new("kill").args(["-KILL", &pid]).status()?;
            running.wait(Duration::from_secs(10)).await?;
            folder.ends(&[verb, "--yes"], 0).await.with_context(|| format!("{verb} after {step}"))?;
            if verb == "apply" {
                folder.ends(&["plan", "--detailed-exitcode"], 0).await?;
            }
        }
        assert_eq!(folder.names("groups").await?, ["Everyone"]);
        assert_eq!(folder.names("apps").await?, BUILT_IN);
    }
    let mode = fs::metadata(folder.path("people.kubeconfig"))?.permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else reads the kubeconfig");
    Ok(())
}
