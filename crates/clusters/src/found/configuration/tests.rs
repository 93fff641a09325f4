//! What is read is what was written, for every target; and what tools print, as they print it.

use super::*;
use crate::access::Access;
use crate::difference::configuration_differences;
use crate::instructions::Form;
use crate::kubernetes_version::KubernetesVersion;
use crate::request::Request;

const AUTHORITY: &str = include_str!("../../../tests/it/authority.pem");

/// With an authority, which not every target writes into the same file.
const FULL: &str = "
issuers:
- url: https://sso.example.com
  audiences: [kubectl]
  certificateAuthorityFile: ca.crt
  username: {claim: sub, prefix: 'oidc:'}
  groups: {claim: roles, prefix: 'oidc:'}
";
const PLAIN: &str = "
issuers:
- url: https://sso.example.com/oauth2/k8s
  audiences: [kubectl]
  username: {claim: email}
  groups: {claim: groups}
";

fn access(text: &str) -> Access {
    Access::from_yaml(text, |_| Ok(AUTHORITY.to_owned())).unwrap()
}

#[test]
fn what_is_written_for_a_target_is_read_back_as_it_was_meant() {
    let mut read_targets = std::collections::BTreeSet::new();
    for text in [FULL, PLAIN] {
        let access = access(text);
        for target in Target::ALL {
            for form in [None, Some(Form::Flags)] {
                for version in [None, Some(KubernetesVersion::new(1, 14))] {
                    let request = Request {
                        form,
                        target_version: version.filter(|_| matches!(target, Target::Talos | Target::KubeOne)),
                        ..Request::new(&access, KubernetesVersion::new(1, 34))
                    };
                    let Ok(made) = target.instructions(&request) else { continue };
                    let files: Vec<_> =
                        made.files.iter().map(|file| (file.name.as_str(), file.content.as_str())).collect();
                    let Ok(read) = Configuration::read(&files) else { continue };
                    // A file alone does not say whose it is, and lists of arguments are those of more than one.
                    let is_listed = matches!(
                        (read.target, target),
                        (Some(Target::K3s), Target::Rke2)
                            | (Some(Target::StaticPod), Target::MicroK8s | Target::Minikube)
                    );
                    assert!(
                        is_listed || read.target.is_none_or(|of| of == *target),
                        "{target}: {:?}",
                        read.target
                    );
                    let request = Request { form: Some(made.form), ..request };
                    let configuration = Configuration { target: Some(*target), ..read };
                    let differences = configuration_differences(&request, &configuration).unwrap();
                    assert!(differences.is_empty(), "{target} {form:?}: {differences:?}\n{files:?}");
                    assert!(!configuration.lacks_authorities, "{target} {form:?}");
                    read_targets.insert(target.name());
                    // And something else is not taken for it.
                    let other = self::access(&text.replace("https://sso.", "https://other."));
                    let other = Request { access: &other, ..request };
                    assert!(
                        !configuration_differences(&other, &configuration).unwrap().is_empty(),
                        "{target}"
                    );
                }
            }
        }
    }
    let unread: Vec<_> =
        Target::ALL.iter().map(|target| target.name()).filter(|name| !read_targets.contains(name)).collect();
    // Their files are those of a machine, which `look` reads; Google is told by commands alone.
    assert_eq!(unread, ["gke"]);
}

#[test]
fn a_file_that_is_named_and_not_given_is_known_to_be_missing() {
    let shoot = "kind: Shoot\nspec: {kubernetes: {kubeAPIServer: {structuredAuthentication: {configMapName: authn}}}}\n";
    let map = "kind: ConfigMap\nmetadata: {name: authn}\ndata: {config.yaml: 'jwt: []'}\n";
    let alone = Configuration::read(&[("shoot.yaml", shoot)]).unwrap();
    assert!(alone.found.is_out_of_reach());
    for files in [
        vec![("shoot.yaml", shoot), ("map.yaml", map)],
        vec![("both", &format!("{shoot}---\n{map}") as &str)],
    ] {
        let both = Configuration::read(&files).unwrap();
        assert_eq!(both.found.configuration(), Some("jwt: []"), "{files:?}");
    }
    let kubeadm = "kind: ClusterConfiguration\napiServer: {extraArgs: [{name: oidc-issuer-url, value: 'https://sso'}, {name: oidc-ca-file, value: /etc/kubernetes/pki/sso.crt}]}\n";
    assert!(Configuration::read(&[("kubeadm.yaml", kubeadm)]).unwrap().lacks_authorities);
    let with = Configuration::read(&[("kubeadm.yaml", kubeadm), ("/tmp/sso.crt", "PEM")]).unwrap();
    assert_eq!((with.lacks_authorities, with.found.file.unwrap().content), (false, Ok("PEM".to_owned())));
}

#[test]
fn nothing_else_is_taken_for_a_configuration() {
    for text in [
        "",
        "[]",
        "{}",
        "a: b",
        r#"{"properties": {}}"#,
        "kind: Authentication\napiVersion: example.com/v1\n",
        ": [",
    ] {
        assert_eq!(Configuration::read(&[("x", text)]), Err(UnknownConfiguration), "{text}");
    }
}

/// As `az aks jwtauthenticator list` prints it (the example of the API, JWTAuthenticators_List.json of 2025-09-02-preview, with the
/// bundle of 2026-06-02-preview).
const AKS: &str = r#"[{
        "id": "/subscriptions/0/resourcegroups/rg1/providers/Microsoft.ContainerService/managedClusters/c/jwtAuthenticators/jwt1",
        "type": "Microsoft.ContainerService/managedClusters/jwtAuthenticators", "name": "jwt1", "systemData": null,
        "properties": {
            "provisioningState": "Succeeded", "certificateAuthorityBundle": null,
            "issuer": {"url": "https://sso", "audiences": ["k8s", "dashboard"]},
            "claimMappings": {
                "username": {"expression": "'aks:jwt:' + claims.sub"},
                "groups": {"expression": "claims.groups.split(',').map(group, 'aks:jwt:' + group)"},
                "uid": null, "extra": [{"key": "example.com/extrakey", "valueExpression": "claims.customfield"}]
            },
            "claimValidationRules": [{"expression": "has(claims.sub)", "message": "Sub is required"}],
            "userValidationRules": null
        }}]"#;

/// As `gcloud iam workforce-pools providers describe --format=json` prints a WorkforcePoolProvider (IAM API, v1).
const GKE: &str = r#"{
        "attributeMapping": {"google.groups": "assertion.groups", "google.subject": "assertion['sub']"},
        "name": "locations/global/workforcePools/people/providers/oidc",
        "oidc": {"clientId": "k8s", "issuerUri": "https://sso",
            "webSsoConfig": {"assertionClaimsBehavior": "ONLY_ID_TOKEN_CLAIMS", "responseType": "ID_TOKEN"}},
        "state": "ACTIVE"}"#;

/// As `oc get authentication.config/cluster -o yaml` prints it (the resource's definition, and Red Hat's documentation of direct
/// authentication).
const OPENSHIFT: &str = "
apiVersion: config.openshift.io/v1
kind: Authentication
metadata: {name: cluster, generation: 4}
spec:
  oauthMetadata: {name: ''}
  oidcProviders:
  - name: keycloak
    issuer: {issuerURL: 'https://sso', audiences: [k8s, console], issuerCertificateAuthority: {name: keycloak-oidc-ca}}
    claimMappings:
      groups: {claim: groups, prefix: 'oidc:'}
      username: {claim: preferred_username, prefixPolicy: Prefix, prefix: {prefixString: 'oidc:'}}
    claimValidationRules: [{type: RequiredClaim, requiredClaim: {claim: hd, requiredValue: example.com}}]
    oidcClients: [{componentName: console, componentNamespace: openshift-console, clientID: console, clientSecret: {name: s}}]
  serviceAccountIssuer: ''
  type: OIDC
  webhookTokenAuthenticator: null
status: {oidcClients: []}
";

fn read(text: &str) -> Configuration {
    Configuration::read(&[("answer", text)]).unwrap()
}

fn issuers(read: &Configuration) -> Vec<kubesso_k8s_types::authentication_configuration::JwtAuthenticator> {
    read.found.trusting().unwrap().configuration.jwt
}

#[test]
fn an_answer_comes_to_the_issuers_that_the_cluster_trusts() {
    for (text, target) in [(AKS, Target::Aks), (GKE, Target::Gke), (OPENSHIFT, Target::OpenShift)] {
        let read = read(text);
        assert_eq!((read.target, read.unfinished.as_ref(), read.is_made), (Some(target), None, true));
        let [jwt] = <[_; 1]>::try_from(issuers(&read)).unwrap();
        assert_eq!((jwt.issuer.url.as_str(), jwt.issuer.audiences[0].as_str()), ("https://sso", "k8s"));
    }
}

#[test]
fn names_and_groups_are_those_that_role_bindings_have_to_say() {
    let one = |text: &str| issuers(&read(text)).remove(0).claim_mappings;
    let aks = one(AKS);
    assert_eq!(
        (aks.username.expression.as_str(), aks.username.claim.as_str()),
        ("'aks:jwt:' + claims.sub", "")
    );
    let gke = one(GKE);
    let pool = "iam.googleapis.com/locations/global/workforcePools/people";
    assert_eq!(
        (gke.username.claim.as_str(), gke.username.prefix),
        ("sub", Some(format!("principal://{pool}/subject/")))
    );
    assert_eq!(
        (gke.groups.claim.as_str(), gke.groups.prefix),
        ("groups", Some(format!("principalSet://{pool}/group/")))
    );
    assert_eq!(one(OPENSHIFT).groups.prefix.as_deref(), Some("oidc:"));
    let prefix = "prefixPolicy: Prefix, prefix: {prefixString: 'oidc:'}";
    for (policy, claim, expected) in [
        (prefix, "preferred_username", "oidc:"),
        ("prefixPolicy: NoPrefix", "preferred_username", ""),
        ("prefixPolicy: ''", "preferred_username", "https://sso#"),
        ("prefixPolicy: ''", "email", ""),
    ] {
        let text = OPENSHIFT.replace(prefix, policy).replace("preferred_username", claim);
        let username = one(&text).username;
        assert_eq!(
            (username.claim.as_str(), username.prefix.as_deref()),
            (claim, Some(expected)),
            "{policy}"
        );
    }
    let computed = GKE.replace("assertion.groups", "assertion.roles.map(role, role.name)");
    assert!(one(&computed).groups.expression.contains("claims.roles.map"));
    assert!(issuers(&read(&OPENSHIFT.replace("type: OIDC", "type: IntegratedOAuth"))).is_empty());
}

#[test]
fn authorities_stand_beside_the_issuer_or_are_known_to_be_missing() {
    let aks = AKS.replace("\"certificateAuthorityBundle\": null", "\"certificateAuthorityBundle\": \"PEM\"");
    assert_eq!(issuers(&read(&aks))[0].issuer.certificate_authority, "PEM");
    assert!(read(OPENSHIFT).lacks_authorities);
    let map = "---\nkind: ConfigMap\nmetadata: {name: keycloak-oidc-ca}\ndata: {ca-bundle.crt: PEM}\n";
    let with = read(&format!("{OPENSHIFT}{map}"));
    assert_eq!(
        (with.lacks_authorities, issuers(&with)[0].issuer.certificate_authority.as_str()),
        (false, "PEM")
    );
    assert!(!read(&OPENSHIFT.replace("name: keycloak-oidc-ca", "name: ''")).lacks_authorities);
}

#[test]
fn settings_that_are_not_in_force_are_known() {
    let eks = |status: &str| {
        format!(
            r#"{{"identityProviderConfig": {{"oidc": {{"issuerUrl": "https://sso", "clientId": "k8s", "status": "{status}"}}}}}}"#
        )
    };
    for (text, expected) in [
        (AKS.replace("Succeeded", "Failed"), Some(true)),
        (AKS.replace("Succeeded", "Creating"), Some(false)),
        (GKE.replace("\"state\"", "\"disabled\": true, \"state\""), Some(true)),
        (GKE.replace("ACTIVE", "DELETED"), Some(true)),
        (eks("ACTIVE"), None),
        (eks("CREATING"), Some(false)),
        (eks("DELETING"), Some(false)),
    ] {
        assert_eq!(read(&text).unfinished.map(|it| it.is_final), expected, "{text}");
    }
}

#[test]
fn a_manifest_of_kubeone_has_its_defaults() {
    let text = "kind: KubeOneCluster\nfeatures: {openidConnect: {enable: true, config: {issuerUrl: 'https://sso', caFile: '', requiredClaim: ''}}}\n";
    let one = issuers(&read(text)).remove(0);
    assert_eq!(one.issuer.audiences, ["kubernetes"]);
    assert_eq!(one.claim_mappings.username.prefix.as_deref(), Some("oidc:"));
    let off = text.replace("enable: true", "enable: false");
    assert!(issuers(&read(&off)).is_empty());
}
