//! `setup --write`: the sign-in goes into the kubeconfig.

use std::fs;
use std::path::PathBuf;

use crate::world::{Run, World};

const CLUSTER: &str = "\
# mine
apiVersion: v1
kind: Config
current-context: dev
contexts:
- name: dev # the usual one
  context: {cluster: c, user: admin}
users:
- name: admin
  user:
    token: s3cret
";

/// A machine with the plugin installed, and a kubeconfig at its usual place.
fn world(kubeconfig: &str) -> (World, PathBuf) {
    let mut world = World::new();
    let folder = world.home.path().join(".kube");
    fs::create_dir(&folder).unwrap();
    let program = world.home.path().join("kubectl-oidc_login");
    fs::write(&program, "").unwrap();
    world.program = Some(program);
    let path = folder.join("config");
    if !kubeconfig.is_empty() {
        fs::write(&path, kubeconfig).unwrap();
    }
    (world, path)
}

fn write(world: &World, flags: &[&str]) -> Run {
    world.run("setup", &[&["--write"], flags].concat())
}

fn said(world: &World, run: &Run) -> String {
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    let (_, written) = run.stderr.split_once("## In your kubeconfig\n").unwrap();
    plain(world, written)
}

/// Without what differs from run to run.
fn plain(world: &World, text: &str) -> String {
    let port = world.stub.issuer.rsplit(':').next().unwrap();
    text.replace(world.home.path().to_str().unwrap(), "HOME").replace(&format!(":{port}"), ":PORT")
}

#[test]
fn a_user_is_added_and_a_context_uses_it_and_the_rest_stays() {
    let (world, path) = world(CLUSTER);
    let flags = ["--context=dev", "--oidc-extra-scope=email,groups", "--grant-type=authcode"];
    let run = write(&world, &flags);
    insta::assert_snapshot!(said(&world, &run), @r#"
    HOME/.kube/config
      user "oidc" is new; it runs
        HOME/kubectl-oidc_login get-token --oidc-issuer-url=http://localhost:PORT --oidc-client-id=kubernetes --oidc-extra-scope=email --oidc-extra-scope=groups --grant-type=authcode --listen-address=127.0.0.1:0
      context "dev" uses "oidc" now, and used "admin"

    Try it:

    ```sh
    kubectl --context=dev auth whoami
    kubectl --context=dev get pods
    ```
    "#);
    insta::assert_snapshot!(plain(&world, &fs::read_to_string(&path).unwrap()), @r#"
    # mine
    apiVersion: v1
    kind: Config
    current-context: dev
    contexts:
    - name: dev # the usual one
      context: {cluster: c, user: oidc}
    users:
    - name: admin
      user:
        token: s3cret
    - name: oidc
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1
          args:
          - get-token
          - --oidc-issuer-url=http://localhost:PORT
          - --oidc-client-id=kubernetes
          - --oidc-extra-scope=email
          - --oidc-extra-scope=groups
          - --grant-type=authcode
          - --listen-address=127.0.0.1:0
          command: HOME/kubectl-oidc_login
          env: null
          installHint: "This user signs in with kubesso's kubectl plugin, which is not there. Get it from https://github.com/kubesso/kubesso, or set the path in the kubeconfig."
          interactiveMode: IfAvailable
          provideClusterInfo: false
    "#);
    assert!(!run.stderr.contains("set-credentials"), "there is nothing to paste");

    let before = fs::read(&path).unwrap();
    assert!(said(&world, &write(&world, &flags)).contains("\"oidc\" was so already"));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(
        said(&world, &write(&world, &["--oidc-extra-scope=email"]))
            .contains("replaces HOME/kubectl-oidc_login")
    );
}

#[test]
fn without_a_kubeconfig_one_is_made() {
    let (world, path) = world("");
    let run = write(&world, &["--user=me at work"]);
    assert!(said(&world, &run).contains("kubectl '--user=me at work' get pods"), "{run:?}");
    assert!(fs::read_to_string(&path).unwrap().contains("name: me at work"));
    let other = world.home.path().join("other");
    said(&world, &write(&world, &["--kubeconfig", other.to_str().unwrap()]));
    assert!(fs::read_to_string(&other).unwrap().contains("get-token"));
}

#[test]
fn a_user_that_signs_in_otherwise_is_kept_before_anybody_signs_in() {
    let (world, path) = world(CLUSTER);
    let run = write(&world, &["--user=admin"]);
    assert_eq!(
        run.error(),
        "error: setup: the user \"admin\" of the kubeconfig is a token and was kept; give another name with --user, or \
         --force"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), CLUSTER);
    assert!(world.stub.behaviour().requests.is_empty());

    let run = write(&world, &["--user=admin", "--force"]);
    assert!(said(&world, &run).contains("\"admin\" replaces a token; it runs"), "{run:?}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("s3cret") && text.contains("get-token"), "{text}");
}

#[test]
fn a_secret_goes_in_by_its_file_only() {
    let (world, path) = world(CLUSTER);
    let run = write(&world, &["--oidc-client-secret=s3cr3t"]);
    assert!(run.error().contains("--oidc-client-secret-file") && !run.stderr.contains("s3cr3t"), "{run:?}");
    assert!(world.stub.behaviour().requests.is_empty());
    let file = world.home.path().join("secret");
    fs::write(&file, "s3cr3t\n").unwrap();
    let flag = format!("--oidc-client-secret-file={}", file.display());
    said(&world, &write(&world, &[&flag]));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&flag) && !text.contains("s3cr3t"), "{text}");
}

#[test]
fn what_cannot_be_written_is_said_before_anybody_signs_in() {
    for (kubeconfig, flags, says) in [
        (CLUSTER, &["--context=absent"][..], "absent"),
        ("users: {", &[], "config"),
        (CLUSTER, &["--user="], "--user"),
    ] {
        let (world, _) = world(kubeconfig);
        let run = write(&world, flags);
        assert!(run.error().contains(says), "{run:?}");
        assert!(world.stub.behaviour().requests.is_empty(), "{flags:?}");
    }
}
