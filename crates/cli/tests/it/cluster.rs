//! `kubesso cluster check | apply | rollback` on machines that are folders, with programs that only write down how they were
//! called. With a real API server: `tests/e2e`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::text;

const ACCESS: [&str; 4] = ["--issuer", "https://sso.example.com/oauth2/k8s", "--client-id", "k8s"];

/// A machine, and programs that are not what they are called.
pub(crate) struct Set {
    pub(crate) folder: TempDir,
}

impl Set {
    pub(crate) fn new() -> Self {
        let set = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(set.programs()).unwrap();
        fs::create_dir_all(set.root()).unwrap();
        set
    }

    fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A file of the machine.
    fn put(&self, path: &str, content: &str) {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root().join(path.trim_start_matches('/'))).ok()
    }

    /// A program that writes its words down, and then does `more`.
    #[cfg(unix)]
    fn program(&self, name: &str, more: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.programs().join(name);
        let log = self.log_file().display().to_string();
        fs::write(&path, format!("#!/bin/sh\nprintf '%s ' {name} \"$@\" >> {log}\necho >> {log}\n{more}\n"))
            .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What was called since, with the machine's folder as `ROOT`.
    pub(crate) fn called(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let _ = fs::remove_file(self.log_file());
        let root = self.root().display().to_string();
        log.lines().map(|line| line.trim().replace(&root, "ROOT")).collect()
    }

    fn run(&self, words: &[&str]) -> Output {
        self.kubesso(&[&["cluster"], words].concat())
    }

    pub(crate) fn kubesso(&self, words: &[&str]) -> Output {
        self.kubesso_with(words, &[])
    }

    /// With further variables.
    pub(crate) fn kubesso_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.programs().display());
        Command::new(env!("CARGO_BIN_EXE_kubesso"))
            .args(words)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", path)
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn on_machine(&self, command: &str, target: &str, more: &[&str]) -> Output {
        let root = self.root().display().to_string();
        self.run(&[&[command, "--for", target, "--root", &root][..], more].concat())
    }
}

/// The object that a command printed, which ended with that code.
fn json(code: i32, output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a distribution's machine has, and what is called to bring a change into force.
struct Case {
    target: &'static str,
    files: &'static [(&'static str, &'static str)],
    changed: &'static str,
    calls: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        target: "k3s",
        files: &[("/etc/rancher/k3s/config.yaml", "kube-apiserver-arg: [v=2] # loud\n")],
        changed: "/etc/rancher/k3s/config.yaml.d/90-oidc.yaml",
        calls: &["systemctl restart k3s"],
    },
    Case {
        target: "rke2",
        files: &[("/etc/rancher/rke2/config.yaml", "cni: canal\n")],
        changed: "/etc/rancher/rke2/config.yaml.d/90-oidc.yaml",
        calls: &["systemctl restart rke2-server"],
    },
    Case {
        target: "k0s",
        files: &[("/etc/k0s/k0s.yaml", "spec:\n  api:\n    port: 6443 # ours\n")],
        changed: "/etc/k0s/k0s.yaml",
        calls: &[
            "chown -R kube-apiserver ROOT/etc/k0s/authn",
            "k0s config validate --config ROOT/etc/k0s/k0s.yaml",
            "systemctl restart k0scontroller",
        ],
    },
    Case {
        target: "microk8s",
        files: &[("/var/snap/microk8s/current/args/kube-apiserver", "--v=2\n--oidc-client-id=old\n")],
        changed: "/var/snap/microk8s/current/args/kube-apiserver",
        calls: &["snap restart microk8s.daemon-kubelite"],
    },
    Case {
        target: "static-pod",
        files: &[(
            "/etc/kubernetes/manifests/kube-apiserver.yaml",
            "spec:\n  containers:\n  - name: kube-apiserver # the one\n    command:\n    - kube-apiserver\n    - --v=2\n",
        )],
        changed: "/etc/kubernetes/manifests/kube-apiserver.yaml",
        calls: &[],
    },
];

#[cfg(unix)]
#[test]
fn each_distribution_is_changed_once_by_its_own_files_and_programs_and_goes_back() {
    for case in CASES {
        let set = Set::new();
        for program in ["systemctl", "snap", "k0s", "chown"] {
            set.program(program, "");
        }
        case.files.iter().for_each(|(path, content)| set.put(path, content));
        let before = set.read(case.changed);
        let given = [&ACCESS[..], &["--yes", "--danger-without-proof", "-o", "json"]].concat();

        let differs =
            json(1, &set.on_machine("check", case.target, &[&ACCESS[..], &["-o", "json"]].concat()));
        assert_eq!(differs["well"], false, "{differs:#}");
        let planned = [&given[..], &["--dry-run"]].concat();
        let said = json(0, &set.on_machine("apply", case.target, &planned));
        assert_eq!((&said["result"], set.read(case.changed)), (&"planned".into(), before.clone()));
        assert_eq!(set.called(), [""; 0]);

        let said = json(0, &set.on_machine("apply", case.target, &given));
        assert_eq!(said["result"], "applied", "{said:#}");
        assert_eq!(set.called(), case.calls, "{}", case.target);
        let changed = set.read(case.changed).unwrap();
        assert!(changed.contains("authentication-config"), "{changed}");
        for comment in ["# ours", "# the one", "--v=2"] {
            let was = before.as_ref().is_some_and(|before| before.contains(comment));
            assert!(!was || changed.contains(comment), "{changed}");
        }
        let said = json(0, &set.on_machine("check", case.target, &[&ACCESS[..], &["-o", "json"]].concat()));
        assert_eq!(said["well"], true, "{said:#}");

        // Once more, and then by other rules: the file alone changes, so nothing is begun anew.
        let said = json(0, &set.on_machine("apply", case.target, &given));
        assert_eq!((&said["result"], set.called()), (&"nothing-to-do".into(), vec![]));
        let other = [&given[..], &["--groups-prefix", "oidc:"]].concat();
        let said = json(0, &set.on_machine("apply", case.target, &other));
        assert_eq!(said["plan"]["by"], "reload", "{said:#}");
        assert_eq!(set.called(), if case.target == "k0s" { &case.calls[..1] } else { &[] });

        let back = ["--yes", "--danger-without-proof", "-o", "json"];
        for _ in 0..2 {
            assert_eq!(json(0, &set.on_machine("rollback", case.target, &back))["result"], "taken-back");
        }
        assert_eq!(set.read(case.changed), before, "{}", case.target);
        let nothing = set.on_machine("rollback", case.target, &back);
        assert!(text(&nothing.stderr).contains("no change"), "{}", text(&nothing.stderr));
    }
}

#[cfg(unix)]
#[test]
fn a_program_that_fails_takes_the_change_back() {
    let set = Set::new();
    set.put("/etc/k0s/k0s.yaml", "spec: {}\n");
    set.program("chown", "");
    set.program("systemctl", "");
    // Only the new configuration is refused.
    set.program("k0s", "grep -q authentication-config \"$4\" && { echo no such field >&2; exit 1; }; exit 0");
    let given = [&ACCESS[..], &["--yes", "--danger-without-proof", "-o", "json"]].concat();
    let said = json(1, &set.on_machine("apply", "k0s", &given));
    assert_eq!(said["result"], "taken-back", "{said:#}");
    assert!(said["reason"].as_str().unwrap().contains("no such field"), "{said:#}");
    assert_eq!(set.read("/etc/k0s/k0s.yaml").unwrap(), "spec: {}\n");
    assert_eq!(set.read("/etc/k0s/authn/authentication-config.yaml"), None);
}

#[test]
fn what_would_not_work_is_refused_before_anything_is_changed() {
    let set = Set::new();
    set.put("/etc/rancher/k3s/config.yaml", "kube-apiserver-arg:\n- oidc-issuer-url=https://old.example\n");
    let manifests = set.root().join("etc/kubernetes/manifests");
    set.put(
        "/etc/kubernetes/manifests/kube-apiserver.yaml",
        "spec: {containers: [{name: kube-apiserver, command: [kube-apiserver]}]}\n",
    );
    let inside = manifests.join("backup").display().to_string();
    for (target, more, says) in [
        ("k3s", &["--yes"][..], "says oidc-issuer-url itself"),
        ("static-pod", &["--yes", "--backup-dir", &inside], "must not be in the manifest's folder"),
        ("static-pod", &["--yes"], "kubeconfig"),
        ("static-pod", &["--danger-without-proof"], "nobody is there to ask"),
        ("talos", &["--yes"], "not changed by files of this machine"),
        ("k0s", &["--yes"], "/etc/k0s/k0s.yaml is not there"),
    ] {
        let refused = set.on_machine("apply", target, &[&ACCESS[..], more].concat());
        assert_ne!(refused.status.code(), Some(0));
        assert!(text(&refused.stderr).contains(says), "{target} {more:?}: {}", text(&refused.stderr));
    }
    let manifest = set.read("/etc/kubernetes/manifests/kube-apiserver.yaml").unwrap();
    assert!(!manifest.contains("authentication-config"));
}

#[cfg(unix)]
#[test]
fn minikube_is_started_again_with_all_its_options_and_gets_the_old_ones_back() {
    let set = Set::new();
    let home = set.folder.path().join(".minikube");
    let profile = home.join("profiles/minikube/config.json");
    fs::create_dir_all(profile.parent().unwrap()).unwrap();
    let with =
        |options: &str| format!(r#"{{"Name":"minikube","KubernetesConfig":{{"ExtraOptions":[{options}]}}}}"#);
    let kubelet = r#"{"Component":"kubelet","Key":"v","Value":"2"}"#;
    fs::write(&profile, with(kubelet)).unwrap();
    // What minikube itself keeps of its words.
    let path = "/var/lib/minikube/certs/authentication-config.yaml";
    let ours = with(&format!(
        r#"{kubelet},{{"Component":"apiserver","Key":"authentication-config","Value":"{path}"}}"#
    ));
    let script = format!("case \"$*\" in *apiserver.*) printf '%s' '{ours}' > {};; esac", profile.display());
    set.program("minikube", &script);
    let given =
        [&["apply", "--for", "minikube"], &ACCESS[..], &["--yes", "--danger-without-proof", "-o", "json"]]
            .concat();
    assert_eq!(json(0, &set.run(&given))["result"], "applied");
    let start = "minikube start --profile minikube";
    let called =
        format!("{start} --extra-config=kubelet.v=2 --extra-config=apiserver.authentication-config={path}");
    assert_eq!(set.called(), [called]);
    let file = home.join("files").join(path.trim_start_matches('/'));
    assert!(fs::read_to_string(&file).unwrap().contains("sso.example.com"));
    assert_eq!(json(0, &set.run(&given))["result"], "nothing-to-do");
    let other = [&given[..], &["--groups-prefix", "oidc:"]].concat();
    assert_eq!(json(0, &set.run(&other))["plan"]["by"], "reload");
    assert_eq!(set.called(), [start]);
    let back = ["rollback", "--for", "minikube", "--yes", "--danger-without-proof", "-o", "json"];
    for _ in 0..2 {
        assert_eq!(json(0, &set.run(&back))["result"], "taken-back");
    }
    assert_eq!(set.called(), [start, start]);
    assert!(!file.exists());
    assert!(!fs::read_to_string(&profile).unwrap().contains("authentication-config"));
}

/// A cloud that keeps what it is told in a file.
#[cfg(unix)]
fn eks(set: &Set, fails: bool) {
    let state = set.folder.path().join("eks.json").display().to_string();
    let fail = if fails { "FAILED" } else { "ACTIVE" };
    let script = format!(
        r#"case "$2" in
list-identity-provider-configs)
  if [ -f {state} ]; then echo '{{"identityProviderConfigs":[{{"type":"oidc","name":"'$(cat {state}.name)'"}}]}}'; else echo '{{"identityProviderConfigs":[]}}'; fi;;
describe-identity-provider-config)
  s=$(cat {state}.status); printf '{{"identityProviderConfig":{{"oidc":%s}}}}' "$(sed "s/^{{/{{\"status\":\"$s\",\"clusterName\":\"c\",\"tags\":{{}},/" {state})";;
associate-identity-provider-config)
  printf '%s' "$6" > {state}; sed 's/.*"identityProviderConfigName":"\([^"]*\)".*/\1/' {state} > {state}.name
  case "$6" in *old.example*) echo ACTIVE;; *) echo {fail};; esac > {state}.status; echo '{{}}';;
disassociate-identity-provider-config) rm {state}; echo '{{}}';;
esac"#
    );
    set.program("aws", &script);
    let old = r#"{"clientId":"k8s","identityProviderConfigName":"corp","issuerUrl":"https://old.example","usernameClaim":"sub","usernamePrefix":"-"}"#;
    fs::write(&state, old).unwrap();
    fs::write(format!("{state}.name"), "corp").unwrap();
    fs::write(format!("{state}.status"), "ACTIVE").unwrap();
}

#[cfg(unix)]
#[test]
fn eks_has_one_provider_which_is_exchanged_and_comes_back() {
    let set = Set::new();
    let state = set.folder.path().join("eks.json");
    let given =
        [&["apply", "--for", "eks", "--cluster", "c"], &ACCESS[..], &["--yes", "-o", "json"]].concat();
    eks(&set, false);
    let old = fs::read_to_string(&state).unwrap();
    let said = json(0, &set.run(&given));
    assert_eq!(said["result"], "applied", "{said:#}");
    let verbs = |set: &Set| -> Vec<String> {
        set.called().iter().map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned()).collect()
    };
    let called = verbs(&set);
    let at = |verb: &str| called.iter().position(|one| one == verb).unwrap();
    assert!(
        at("disassociate-identity-provider-config") < at("associate-identity-provider-config"),
        "{called:?}"
    );
    assert!(fs::read_to_string(&state).unwrap().contains("https://sso.example.com/oauth2/k8s"));
    assert_eq!(json(0, &set.run(&given))["result"], "nothing-to-do");
    let back = ["rollback", "--for", "eks", "--cluster", "c", "--yes", "-o", "json"];
    assert_eq!(json(0, &set.run(&back))["result"], "taken-back");
    assert_eq!(fs::read_to_string(&state).unwrap(), old);

    // One that does not become active.
    eks(&set, true);
    let said = json(1, &set.run(&given));
    assert!(said["reason"].as_str().unwrap().contains("FAILED"), "{said:#}");
    assert_eq!(fs::read_to_string(&state).unwrap(), old);
}

/// A cloud with somebody else's authenticator, which keeps ours in the file that is given back.
#[cfg(unix)]
pub(crate) fn aks(set: &Set) -> String {
    let state = set.folder.path().join("aks.json").display().to_string();
    let other = r#"{"name":"other","properties":{"issuer":{"url":"https://other.example"},"provisioningState":"Succeeded"}}"#;
    set.program(
        "az",
        &format!(
            r#"case "$3" in
list) if [ -f {state} ]; then printf '[{other},{{"name":"oidc","properties":%s}}]' "$(cat {state})"; else echo '[{other}]'; fi;;
add|update) while [ "$1" != --config-file ]; do shift; done; cp "$2" {state}; chmod u+w {state};;
delete) rm {state};;
esac"#
        ),
    );
    state
}

#[cfg(unix)]
#[test]
fn authenticators_of_aks_are_added_changed_and_deleted_and_those_of_others_stay() {
    let set = Set::new();
    let state = aks(&set);
    let base = ["apply", "--for", "aks", "--cluster", "c", "--scope", "g"];
    let given = [&base[..], &ACCESS[..], &["--yes", "-o", "json"]].concat();
    let verb = |set: &Set| -> Vec<String> {
        let called = set.called();
        called
            .iter()
            .filter_map(|line| line.split(' ').nth(3))
            .filter(|verb| *verb != "list")
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(json(0, &set.run(&given))["result"], "applied");
    assert_eq!(verb(&set), ["add"]);
    assert_eq!(json(0, &set.run(&given))["result"], "nothing-to-do");
    assert_eq!(verb(&set), [""; 0]);
    let first = fs::read_to_string(&state).unwrap();
    let changed = [&given[..], &["--groups-claim", "roles"]].concat();
    assert_eq!(json(0, &set.run(&changed))["result"], "applied");
    assert_eq!(verb(&set), ["update"]);
    let back = ["rollback", "--for", "aks", "--cluster", "c", "--scope", "g", "--yes", "-o", "json"];
    assert_eq!(json(0, &set.run(&back))["result"], "taken-back");
    assert_eq!(fs::read_to_string(&state).unwrap(), first);
    assert_eq!(verb(&set), ["update"]);
    assert_eq!(json(0, &set.run(&back))["result"], "taken-back");
    assert_eq!(verb(&set), ["delete"]);
    assert!(!Path::new(&state).exists());
}

/// `docker exec NODE program …` runs the program, with paths below the machine's folder.
#[cfg(unix)]
fn docker(set: &Set, names: &str) {
    let root = set.root().display().to_string();
    let script = format!(
        r#"verb=$1; shift
case "$verb" in
ps) printf '{names}\n';;
restart) ;;
exec)
  [ "$1" = -i ] && shift; shift; program=$1; shift
  for word in "$@"; do shift; case "$word" in /*) word={root}$word;; esac; set -- "$@" "$word"; done
  [ "$program" = chown ] && exit 0
  exec "$program" "$@";;
esac"#
    );
    set.program("docker", &script);
}

#[cfg(unix)]
#[test]
fn nodes_that_are_containers_are_changed_inside() {
    for (target, node, path, content, begun) in [
        (
            "kind",
            "kind-control-plane",
            "/etc/kubernetes/manifests/kube-apiserver.yaml",
            "spec:\n  containers:\n  - name: kube-apiserver\n    command:\n    - kube-apiserver\n",
            None,
        ),
        (
            "k3d",
            "k3d-k3s-default-server-0",
            "/etc/rancher/k3s/config.yaml",
            "{}\n",
            Some("docker restart k3d-k3s-default-server-0"),
        ),
    ] {
        let set = Set::new();
        docker(&set, node);
        set.put(path, content);
        let given =
            [&["apply", "--for", target], &ACCESS[..], &["--yes", "--danger-without-proof", "-o", "json"]]
                .concat();
        assert_eq!(json(0, &set.run(&given))["result"], "applied");
        let called = set.called();
        assert_eq!(called.iter().find(|line| line.starts_with("docker restart")).map(String::as_str), begun);
        let folder = if target == "kind" { "/etc/kubernetes/authn" } else { "/etc/rancher/k3s/authn" };
        let file = set.read(&format!("{folder}/authentication-config.yaml")).unwrap();
        assert!(file.contains("https://sso.example.com/oauth2/k8s"), "{file}");
        assert_eq!(json(0, &set.run(&given))["result"], "nothing-to-do");
        let back = ["rollback", "--for", target, "--yes", "--danger-without-proof", "-o", "json"];
        assert_eq!(json(0, &set.run(&back))["result"], "taken-back");
        assert_eq!(set.read(path).unwrap(), content);
        // Several: one after the other, and by name.
        docker(&set, &format!("{node}\\nanother"));
        let refused = set.run(&given);
        assert!(text(&refused.stderr).contains("another") && text(&refused.stderr).contains("--node"));
    }
}

#[test]
fn what_an_api_server_would_refuse_is_told_with_its_line_and_remedy() {
    let set = Set::new();
    set.put(
        "/etc/rancher/k3s/config.yaml",
        "kube-apiserver-arg:\n- authentication-config=/etc/rancher/k3s/authn.yaml\n- oidc-client-id=old\n",
    );
    set.put(
        "/etc/rancher/k3s/authn.yaml",
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n\
         - issuer: {url: 'https://sso.example.com', audiences: [k8s]}\n  claimMappings:\n    username: {claim: email}\n",
    );
    let said = json(1, &set.on_machine("check", "k3s", &["-o", "json"]));
    let findings = said["lint"]["findings"].as_array().unwrap();
    let by = |id: &str| findings.iter().find(|finding| finding["id"] == id).unwrap();
    assert_eq!((&by("KS036")["line"], &by("KS036")["effect"]), (&6.into(), &"refused".into()), "{said}");
    assert_eq!(by("KS034")["effect"], "refused", "{said}");
    let said = text(&set.on_machine("check", "k3s", &[]).stdout);
    for line in [
        "REFUSED  KS036 jwt[0].claimMappings.username.prefix (line 6): ",
        "write   prefix: \"\"",
        "REFUSED  KS034 ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// What `config` writes for a target that is no machine, given back as its tool keeps it.
#[test]
fn the_configuration_of_a_targets_own_tool_is_compared() {
    let set = Set::new();
    let folder = set.folder.path();
    for (target, main, more) in [
        ("kops", "kops-part.yaml", None),
        ("talos", "talos-patch.yaml", None),
        ("kubespray", "oidc.yml", None),
        ("cluster-api", "kubeadm-control-plane-part.yaml", None),
        ("kamaji", "tenant-control-plane-part.yaml", Some("config-map.yaml")),
        ("vcluster", "vcluster-values.yaml", Some("config-map.yaml")),
        ("gardener", "shoot-part.yaml", Some("config-map.yaml")),
        ("k0rdent", "cluster-authentication.yaml", None),
        ("openshift", "authentication.yaml", None),
        ("eks", "eks-oidc.json", None),
        ("aks", "aks-oidc.json", None),
    ] {
        let out = folder.join(target).display().to_string();
        let written = set.run(&[&["config", "--for", target, "--out", &out], &ACCESS[..]].concat());
        assert!(written.status.success(), "{target}: {}", text(&written.stderr));
        let path = |name: &str| folder.join(target).join(name).display().to_string();
        let check = |files: &[&str]| {
            let files = files.iter().flat_map(|file| ["--configuration", file]);
            let words: Vec<_> = ["check", "--for", target, "-o", "json"].into_iter().chain(files).collect();
            set.run(&[&words[..], &ACCESS[..]].concat())
        };
        let main = path(main);
        let files: Vec<_> = std::iter::once(main.clone()).chain(more.map(path)).collect();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let said = json(0, &check(&files));
        assert_eq!((&said["well"], &said["target"]), (&true.into(), &target.into()), "{said}");
        // What it names and nobody gave is asked for.
        if more.is_some() {
            let said = json(1, &check(&files[..1]));
            assert!(said["problems"][0].as_str().unwrap().contains("another --configuration"), "{said}");
        }
        for file in &files {
            fs::write(file, fs::read_to_string(file).unwrap().replace("//sso.", "//other.")).unwrap();
        }
        let said = json(1, &check(&files));
        assert_ne!(said["differences"], serde_json::json!([]), "{target}: {said}");
    }
    let strange = folder.join("strange.yaml").display().to_string();
    fs::write(&strange, "a: b\n").unwrap();
    let said = set.run(&["check", "--configuration", &strange]);
    assert!(text(&said.stderr).contains("no configuration of a kind of cluster"), "{}", text(&said.stderr));
    let kops = folder.join("kops/kops-part.yaml").display().to_string();
    let said = set.run(&["check", "--for", "eks", "--configuration", &kops]);
    assert!(text(&said.stderr).contains("is of kOps, and --for says Amazon EKS"), "{}", text(&said.stderr));
}
