use super::*;

/// As kubeadm writes it, and as people change it.
const MANIFEST: &str = "apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver   # do not rename
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.0.0.1
    # people sign in at the old place
    - --oidc-issuer-url=https://old.example
    - --oidc-client-id=k8s   # of the old place
    - --secure-port=6443   # as the load balancer knows it
    image: registry.k8s.io/kube-apiserver:v1.36.0
    name: kube-apiserver
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  hostNetwork: true
  volumes:
  - hostPath:
      path: /etc/kubernetes/pki
      type: DirectoryOrCreate
    name: k8s-certs
status: {}
";

fn arguments(pairs: &[(&str, &str)]) -> Vec<Argument> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_manifest_changes_where_it_must_and_nowhere_else() {
    let file = arguments(&[("authentication-config", "/etc/kubernetes/authn/a.yaml")]);
    let changed = manifest(MANIFEST, &file, Some("/etc/kubernetes/authn")).unwrap();
    insta::assert_snapshot!(crate::diff("manifest", Some(MANIFEST), Some(&changed)));
    // Once more: nothing.
    assert_eq!(manifest(&changed, &file, Some("/etc/kubernetes/authn")).unwrap(), changed);
    let flags = arguments(&[
        ("oidc-issuer-url", "https://new.example"),
        ("oidc-client-id", "k8s"),
        ("oidc-required-claim", "a=b"),
        ("oidc-required-claim", "c=d"),
    ]);
    let back = manifest(&changed, &flags, None).unwrap();
    let read = Manifest::parse(&back).unwrap().arguments();
    let read: Vec<_> =
        read.about_issuers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(read, flags);
}

#[test]
fn words_are_found_wherever_a_manifest_has_them() {
    for text in [
        r#"{"spec":{"containers":[{"name":"kube-apiserver","command":["kube-apiserver"],"args":["--a=1","--oidc-client-id","x"]}]}}"#,
        "spec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver, --a=1, --oidc-client-id, x]\n",
        "spec:\n  containers:\n  - name: kube-apiserver\n    command:\n    - kube-apiserver\n    - --oidc-client-id=x\n    args:\n    - --a=1\n",
    ] {
        let file = arguments(&[("authentication-config", "/authn/a.yaml")]);
        let changed = manifest(text, &file, Some("/authn")).unwrap();
        let read = Manifest::parse(&changed).unwrap();
        let read_arguments = read.arguments();
        let all: Vec<_> = read_arguments.iter().collect();
        assert_eq!(all, [("a", "1"), ("authentication-config", "/authn/a.yaml")], "{changed}");
        assert_eq!(read.on_host("/authn/a.yaml"), crate::found::OnHost::File("/authn/a.yaml".to_owned()));
    }
}

#[test]
fn other_files_change_likewise() {
    let k0s_file = "apiVersion: k0s.k0sproject.io/v1beta1\nkind: ClusterConfig\nspec:\n  api:\n    port: 6443 # ours\n    extraArgs:\n      \
                    oidc-issuer-url: https://old.example\n      v: '2'\n  storage: {type: etcd}\n";
    let file = arguments(&[("authentication-config", "/etc/k0s/authn/a.yaml")]);
    let changed = k0s(k0s_file, &file).unwrap();
    assert_eq!(
        changed,
        k0s_file.replace(
            "      oidc-issuer-url: https://old.example\n      v: '2'\n",
            "      v: '2'\n      authentication-config: /etc/k0s/authn/a.yaml\n"
        )
    );
    assert_eq!(k0s(&changed, &file).unwrap(), changed);

    let microk8s = "--cert-dir=${SNAP_DATA}/certs\n# --oidc-client-id=example\n--oidc-client-id=old\n--v=2";
    let changed = lines(microk8s, &file);
    assert_eq!(
        changed,
        "--cert-dir=${SNAP_DATA}/certs\n# --oidc-client-id=example\n--v=2\n--authentication-config=/etc/k0s/authn/a.yaml\n"
    );
    assert_eq!(lines(&changed, &file), changed);
}

#[test]
fn what_kubeadm_keeps_changes_in_the_form_of_its_version() {
    let file = arguments(&[("authentication-config", "/etc/kubernetes/authn/a.yaml")]);
    let list = "apiServer:\n  extraArgs:\n  - name: v # loud\n    value: \"2\"\n  - name: oidc-client-id\n    value: old\napiVersion: \
                kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    let map = "apiServer:\n  extraArgs:\n    v: \"2\" # loud\n    oidc-client-id: old\napiVersion: kubeadm.k8s.io/v1beta3\n";
    let empty = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    for (text, is_list) in [(list, true), (map, false), (empty, true)] {
        let changed = kubeadm(text, &file, Some("/etc/kubernetes/authn")).unwrap();
        let read: Value = serde_saphyr::from_str(&changed).unwrap();
        let given = &read["apiServer"]["extraArgs"];
        let found = if is_list {
            given
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["name"] == "authentication-config")
                .map(|one| &one["value"])
        } else {
            given.get("authentication-config")
        };
        assert_eq!(found, Some(&"/etc/kubernetes/authn/a.yaml".into()), "{changed}");
        assert!(!changed.contains("oidc-client-id"), "{changed}");
        assert_eq!(changed.contains("# loud"), text.contains("# loud"), "{changed}");
        assert_eq!(read["apiServer"]["extraVolumes"][0]["mountPath"], "/etc/kubernetes/authn");
        assert_eq!(kubeadm(&changed, &file, Some("/etc/kubernetes/authn")).unwrap(), changed);
    }
}

#[test]
fn what_cannot_be_changed_well_is_refused() {
    for (text, says) in [
        ("a: b\n", "runs kube-apiserver"),
        (&format!("{MANIFEST}---\nkind: Pod\n"), "document"),
        (&MANIFEST.replace("name: k8s-certs\n      readOnly", "name: authn\n      readOnly"), "authn"),
    ] {
        let file = arguments(&[("authentication-config", "/etc/kubernetes/pki/x/a.yaml")]);
        let refused = manifest(text, &file, Some("/etc/kubernetes/pki/x"));
        if let Ok(changed) = &refused {
            // A mount without its volume: the folder gets one of its own.
            assert!(says == "authn" && changed.contains("/etc/kubernetes/pki/x"), "{changed}");
        } else {
            assert!(refused.as_ref().unwrap_err().contains(says), "{says}: {refused:?}");
        }
    }
}
