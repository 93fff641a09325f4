//! `kubesso kubeconfig`, with the real binary, and kubectl before and after it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kubesso_ambient::{Clock as _, SystemClock};
use kubesso_e2e::environment::{self, scratch};
use kubesso_e2e::forge;
use kubesso_e2e::form::{FormClient, Outcome};
use kubesso_e2e::kubectl::Kubectl;
use kubesso_e2e::kubesso::{Kubesso, email, run};
use kubesso_e2e::process::tied;
use serde_json::{Value, json};

/// `kubesso kubeconfig <arguments>` on kubectl's file, which must succeed; what it says.
async fn kubeconfig(kubectl: &Kubectl, arguments: &[&str]) -> Result<String> {
    let file = kubectl.kubeconfig().display().to_string();
    let words = [&["kubeconfig"], arguments, &["--kubeconfig", &file]].concat();
    let ended = run(&words, kubectl.home()).await?;
    ensure!(ended.code == Some(0), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    Ok(ended.stdout)
}

fn mode(file: &Path) -> Result<u32> {
    Ok(fs::metadata(file)?.permissions().mode() & 0o777)
}

const BEFORE: &str = "# mine, in my order\nusers:\n- name: old   # since 2024\n  user: {token: t0ken}\n\
                      contexts: []\nclusters: # all\n- {name: k, cluster: {server: 'https://k'}}\n";

const SIGN_IN: [&str; 4] = ["--issuer", "https://sso.example.com/oauth2/aus1", "--client-id", "0oa1"];

#[tokio::test(flavor = "multi_thread")]
async fn the_file_keeps_its_comments_its_mode_and_its_link_and_kubectl_goes_on_editing_it() -> Result<()> {
    for wanted in [0o600, 0o640] {
        let kubectl = Kubectl::new()?;
        let target = kubectl.home().join("dotfiles-config");
        fs::write(&target, BEFORE)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(wanted))?;
        symlink("dotfiles-config", kubectl.kubeconfig())?;

        let shown = kubeconfig(
            &kubectl,
            &[&["add", "prod", "--cluster-name", "k", "--dry-run"], &SIGN_IN[..]].concat(),
        )
        .await?;
        assert!(shown.contains("+- context:") && !shown.contains("t0ken"), "{shown}");
        assert_eq!(fs::read_to_string(&target)?, BEFORE);
        let add = [&["add", "prod", "--cluster-name", "k"], &SIGN_IN[..]].concat();
        kubeconfig(&kubectl, &add).await?;
        let once = fs::read_to_string(&target)?;
        for line in BEFORE.lines().filter(|line| !line.starts_with("contexts")) {
            assert!(once.contains(line), "{line}\n{once}");
        }
        let said = kubeconfig(&kubectl, &add).await?;
        assert!(said.starts_with("Nothing to change."), "{said}");
        assert_eq!(fs::read_to_string(&target)?, once);
        assert_eq!(mode(&target)?, wanted);
        assert!(fs::symlink_metadata(kubectl.kubeconfig())?.is_symlink());

        kubectl.run(&["config", "set-context", "prod", "--namespace=shop"]).await?.succeeded()?;
        kubeconfig(
            &kubectl,
            &["set", "--context", "prod", "--server", "https://new:6443", "--scope", "groups"],
        )
        .await?;
        let view = kubectl.run(&["config", "view", "--raw", "-o", "json"]).await?.succeeded()?;
        let view: Value = serde_json::from_str(&view)?;
        assert_eq!(view["clusters"][0]["cluster"]["server"], "https://new:6443");
        assert_eq!(view["contexts"][0]["context"]["namespace"], "shop");
        let exec = view["users"].as_array().context("users")?.iter().find(|user| user["name"] == "prod");
        let exec = &exec.context("the user")?["user"]["exec"];
        assert_eq!(exec["interactiveMode"], "IfAvailable");
        assert_eq!(exec["apiVersion"], "client.authentication.k8s.io/v1");
        assert!(Path::new(exec["command"].as_str().context("a command")?).is_absolute());
        let words = exec["args"].to_string();
        assert!(
            words.contains("--oidc-extra-scope=groups") && !words.contains("--oidc-extra-scope=email"),
            "{words}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_files_each_entry_is_changed_in_its_own() -> Result<()> {
    let folder = scratch("kubeconfig")?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("one"), "# one\n")?;
    fs::write(path("two"), "clusters:\n- name: k # here\n  cluster: {server: 'https://k'}\n")?;
    let list = format!("{}:{}", path("one"), path("two"));
    let said = |words: &[&str]| -> Result<String> {
        let mut command = Command::new(environment::kubesso()?);
        command.env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin").env("KUBECONFIG", &list);
        let output = command.arg("kubeconfig").args(words).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    said(&[&["add", "prod", "--cluster-name", "k"], &SIGN_IN[..]].concat())?;
    assert_eq!(
        fs::read_to_string(path("two"))?,
        "clusters:\n- name: k # here\n  cluster: {server: 'https://k'}\n"
    );
    assert!(fs::read_to_string(path("one"))?.starts_with("# one\napiVersion: v1\n"));
    said(&["set", "--server", "https://new"])?;
    assert_eq!(
        fs::read_to_string(path("two"))?,
        "clusters:\n- name: k # here\n  cluster: {server: 'https://new'}\n"
    );
    Ok(())
}

/// An auth provider as kubectl before 1.26 had it, a kubelogin whose scopes came apart, and somebody else's plugin.
const LEGACY: &str = "\
users:
- name: legacy # from the old wiki
  user:
    auth-provider:
      name: oidc
      config:
        idp-issuer-url: ISSUER
        client-id: CLIENT
        idp-certificate-authority: CA
        client-secret: s3cret
        id-token: t0ken
        refresh-token: t0ken
- name: split
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: kubelogin
      args:
      - get-token
      - --oidc-issuer-url=ISSUER
      - --oidc-client-id=CLIENT
      - --certificate-authority=CA
      - --oidc-extra-scope=email
      - offline_access
- name: cloud
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, args: [eks, get-token]}
";

/// kubectl as a user of its kubeconfig, with somebody who signs in when the browser is opened.
async fn sign_in(kubesso: &Kubesso, kubectl: &Kubectl, arguments: &[&str]) -> Result<String> {
    let opened = kubectl.browser_command()?;
    let browser = opened.script.display().to_string();
    let person = async {
        let mut client = FormClient::new(&kubesso.ca_pem()?)?;
        let url = opened.next().await?;
        match client.sign_in(&url, &email("dev"), &kubesso.password("dev")?).await? {
            Outcome::Redirected(back) => client.follow(&back).await.map(drop),
            Outcome::Refused(why) => anyhow::bail!("refused: {why}"),
        }
    };
    let variables =
        [("KUBELOGIN_BROWSER_COMMAND", browser.as_str()), ("KUBELOGIN_LISTEN_ADDRESS", "127.0.0.1:0")];
    let (done, signed_in) = tokio::join!(kubectl.run_with(arguments, "", &variables), person);
    let done = done?;
    signed_in.with_context(|| format!("kubectl said: {}", done.stderr))?;
    done.succeeded()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_migrated_and_handed_out_signs_people_in() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let (ca, data) = (ready.ca.display().to_string(), kubesso.data_dir.display().to_string());
    let sandbox = ["--server", &ready.cluster, "--certificate-authority", &ca];
    let of_provider = ["--application", "k8s OIDC", "--data-dir", &data];

    // For oneself.
    let kubectl = Kubectl::new()?;
    kubeconfig(&kubectl, &[&["add", "sandbox"], &sandbox[..], &of_provider[..]].concat()).await?;
    let who = sign_in(&kubesso, &kubectl, &["auth", "whoami"]).await?;
    assert!(who.contains("dev@example.com") && who.contains("k8s-restricted-users"), "{who}");
    let well = kubeconfig(&kubectl, &["check"]).await?;
    assert!(well.starts_with("Nothing is wrong"), "{well}");

    // For a team: a file that names nothing of this machine.
    let out = kubectl.home().join("team.yaml").display().to_string();
    kubeconfig(&kubectl, &["export", "--context", "sandbox", "--out", &out]).await?;
    let text = fs::read_to_string(&out)?;
    assert!(!text.contains(&data) && !text.contains("secret:"), "{text}");
    let colleague = Kubectl::new()?;
    fs::copy(&out, colleague.kubeconfig())?;
    let who = sign_in(&kubesso, &colleague, &["auth", "whoami"]).await?;
    assert!(who.contains("dev@example.com"), "{who}");
    let own = Kubectl::new()?;
    fs::write(own.kubeconfig(), BEFORE)?;
    kubeconfig(&own, &["merge", &out]).await?;
    let who = sign_in(&kubesso, &own, &["auth", "whoami", "--context=sandbox"]).await?;
    assert!(who.contains("dev@example.com"), "{who}");

    // What people had before.
    let old = Kubectl::new()?;
    fs::copy(kubectl.kubeconfig(), old.kubeconfig())?;
    let legacy =
        LEGACY.replace("ISSUER", &ready.issuer).replace("CLIENT", &ready.client_id).replace("CA", &ca);
    let legacy_file = old.home().join("legacy.yaml");
    fs::write(&legacy_file, &legacy)?;
    kubeconfig(&old, &["merge", &legacy_file.display().to_string()]).await?;
    let merged = fs::read_to_string(old.kubeconfig())?;
    assert!(merged.contains("- name: legacy # from the old wiki"), "comments come along: {merged}");
    let said = kubeconfig(&old, &["migrate", "--client-secret", "drop"]).await?;
    for told in [
        "its id-token and refresh-token",
        "good at the provider until it ends",
        "come apart",
        "user \"cloud\" stays",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
    let after = fs::read_to_string(old.kubeconfig())?;
    assert!(!after.contains("t0ken") && !after.contains("s3cret") && !said.contains("s3cret"), "{after}");
    for user in ["legacy", "split"] {
        let _ = fs::remove_dir_all(old.home().join(".kube/cache"));
        let who = sign_in(&kubesso, &old, &["auth", "whoami", "--user", user]).await?;
        assert!(who.contains("dev@example.com"), "{user}: {who}");
    }
    let said = kubeconfig(&old, &["migrate"]).await?;
    assert!(said.starts_with("Nothing to change."), "{said}");
    Ok(())
}

/// The tokens that a sign-in has left in the plugin's cache.
fn tokens(kubectl: &Kubectl) -> Result<(String, String)> {
    let files = fs::read_dir(kubectl.home().join(".kube/cache/oidc-login"))?;
    let files = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    let file = files.iter().find(|file| file.to_string_lossy().ends_with(".kubesso.json"));
    let entry: Value = serde_json::from_slice(&fs::read(file.context("an entry")?)?)?;
    let text = |name: &str| entry[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    Ok((text("token")?, text("refresh_token")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_had_tokens_before_does_not_sign_in_again() -> Result<()> {
    let kubesso = Kubesso::up().await?;
    let ready = &kubesso.ready;
    let (ca, data) = (ready.ca.display().to_string(), kubesso.data_dir.display().to_string());
    let sandbox = ["add", "sandbox", "--server", &ready.cluster, "--certificate-authority", &ca];
    let of_provider = ["--application", "k8s OIDC", "--data-dir", &data];
    let kubectl = Kubectl::new()?;
    kubeconfig(&kubectl, &[&sandbox[..], &of_provider[..]].concat()).await?;
    sign_in(&kubesso, &kubectl, &["auth", "whoami"]).await?;
    let (token, refresh_token) = tokens(&kubectl)?;
    let ended = forge::with_claim(&token, "exp", json!(SystemClock.now().as_second() - 60))?;
    let old = |file: &Path, token: &str| -> Result<()> {
        let config = json!({
            "idp-issuer-url": ready.issuer, "client-id": ready.client_id, "idp-certificate-authority": ca,
            "extra-scopes": "email,profile,offline_access", "id-token": token, "refresh-token": refresh_token,
        });
        let user = json!({"name": "old", "user": {"auth-provider": {"name": "oidc", "config": config}}});
        Ok(fs::write(file, json!({"users": [user]}).to_string())?)
    };
    let nobody = [("KUBELOGIN_BROWSER_COMMAND", "/bin/false")];
    let whoami = ["auth", "whoami", "--user=old"];

    for (token, flags) in [(&token, &["--dry-run"][..]), (&token, &["--without-tokens"]), (&ended, &[])] {
        let other = Kubectl::new()?;
        fs::copy(kubectl.kubeconfig(), other.kubeconfig())?;
        let file = other.home().join("old.yaml");
        old(&file, token)?;
        kubeconfig(&other, &["merge", &file.display().to_string()]).await?;
        let said = kubeconfig(&other, &[&["migrate", "--user", "old"], flags].concat()).await?;
        let text = fs::read_to_string(other.kubeconfig())?;
        for secret in [token, &refresh_token] {
            assert!(!said.contains(secret) && (text.contains(secret) == (flags == ["--dry-run"])), "{said}");
        }
        if flags.is_empty() {
            assert!(
                said.contains("user \"old\" need not sign in again: dev@example.com's tokens of the file"),
                "{said}"
            );
            let who = other.run_with(&whoami, "", &nobody).await?.succeeded()?;
            assert!(who.contains("dev@example.com"), "{who}");
            assert_ne!(tokens(&other)?.1, refresh_token, "it was renewed, and nobody was asked");
        } else {
            assert!(tokens(&other).is_err() && !said.contains("need not sign in"), "{flags:?}: {said}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_goes_into_a_file_that_only_its_owner_can_read() -> Result<()> {
    let kubectl = Kubectl::new()?;
    let legacy =
        LEGACY.replace("ISSUER", "https://sso.example.com").replace("CLIENT", "c").replace("CA", "/ca.crt");
    fs::write(kubectl.kubeconfig(), legacy)?;
    kubeconfig(&kubectl, &["migrate", "--user", "legacy"]).await?;
    let file: PathBuf = kubectl.home().join("oidc-client-secrets/legacy");
    assert_eq!(fs::read_to_string(&file)?, "s3cret\n");
    assert_eq!((mode(&file)?, mode(file.parent().context("its folder")?)?), (0o600, 0o700));
    let text = fs::read_to_string(kubectl.kubeconfig())?;
    assert!(text.contains(&format!("--oidc-client-secret-file={}", file.display())), "{text}");
    assert!(text.contains("- name: legacy # from the old wiki"), "{text}");
    // With the secret in its file it still cannot be handed out.
    kubeconfig(&kubectl, &["add", "x", "--server", "https://k", "--user", "legacy"]).await?;
    let words = [
        "kubeconfig",
        "export",
        "--context",
        "x",
        "--kubeconfig",
        &kubectl.kubeconfig().display().to_string(),
    ];
    let refused = run(&words, kubectl.home()).await?;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("--oidc-client-secret-file is for this machine alone"),
        "{}",
        refused.stderr
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_clash_are_all_told_and_nothing_is_written_until_they_have_others() -> Result<()> {
    let kubectl = Kubectl::new()?;
    let admin = |server: &str| {
        format!(
            "clusters: [{{name: kubernetes, cluster: {{server: '{server}'}}}}]\nusers: [{{name: admin, user: {{token: t}}}}]\n\
             contexts: [{{name: admin@kubernetes, context: {{cluster: kubernetes, user: admin}}}}]\n"
        )
    };
    fs::write(kubectl.kubeconfig(), admin("https://one"))?;
    let other = kubectl.home().join("admin.conf");
    fs::write(&other, admin("https://two").replace("token: t", "token: u"))?;
    let other = other.display().to_string();
    let file = kubectl.kubeconfig().display().to_string();
    let refused = run(&["kubeconfig", "merge", &other, "--kubeconfig", &file], kubectl.home()).await?;
    assert_eq!(refused.code, Some(1));
    let said = &refused.stderr;
    assert!(
        said.contains("the cluster \"kubernetes\", the user \"admin\"")
            && said.contains("--rename cluster:kubernetes=NEW"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&file)?, admin("https://one"));
    kubeconfig(
        &kubectl,
        &["merge", &other, "--prefix", "prod-", "--rename", "context:admin@kubernetes=prod"],
    )
    .await?;
    let contexts = kubectl.run(&["config", "get-contexts", "-o", "name"]).await?.succeeded()?;
    assert_eq!(contexts, "admin@kubernetes\nprod\n");
    let view = kubectl
        .run(&[
            "config",
            "view",
            "--raw",
            "--minify",
            "--context=prod",
            "-o",
            "jsonpath={.clusters[0].cluster.server} {.users[0].user.token}",
        ])
        .await?;
    assert_eq!(view.succeeded()?, "https://two u");
    Ok(())
}

/// Killed at any moment, it leaves the old file or the new one, and never a part.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_leaves_the_old_file_or_the_new_one() -> Result<()> {
    let folder = scratch("killed")?;
    let file = folder.path().join("config");
    // Large, so that there is something to be in the middle of.
    let mut text = String::from(
        "current-context: c\nclusters:\n- name: k\n  cluster: {server: 'https://k0'}\ncontexts:\n- {name: c, context: {cluster: k, user: u0}}\nusers:\n",
    );
    for number in 0..2000 {
        let token = "t".repeat(300);
        writeln!(text, "- name: u{number} # nobody\n  user: {{token: {token}}}")?;
    }
    fs::write(&file, &text)?;
    let expected = |number: u64| text.replace("https://k0", &format!("https://k{number}"));
    let mut now = 0;
    let (mut killed, mut changed) = (0, 0);
    for number in 1..=60_u64 {
        let mut command = tied(environment::kubesso()?);
        command.env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
        command
            .args(["kubeconfig", "set", "--server", &format!("https://k{number}"), "--kubeconfig"])
            .arg(&file);
        let inode = fs::metadata(&file)?.ino();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // From before it has begun to after it has ended, most of them somewhere in between.
        let deadline = std::time::Instant::now() + Duration::from_millis(number * 7);
        while std::time::Instant::now() < deadline
            && child.try_wait()?.is_none()
            && fs::metadata(&file)?.ino() == inode
        {
            std::thread::sleep(Duration::from_micros(200));
        }
        killed += u32::from(child.try_wait()?.is_none());
        child.kill()?;
        child.wait()?;
        let found = fs::read_to_string(&file)?;
        if found == expected(number) {
            (now, changed) = (number, changed + 1);
        }
        assert!(found == expected(now), "neither the old nor the new file, at try {number}");
        // What the killed one held; the next one would take it over after a while.
        let _ = fs::remove_file(folder.path().join("config.lock"));
    }
    assert!(killed > 5 && changed > 5, "{killed} were killed and {changed} came through: nothing was tried");
    Ok(())
}
