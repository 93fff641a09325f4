//! The doctor with what clouds answer of the issuers that a cluster trusts: recorded answers, and OpenShift's resource in an API server
//! that runs.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::doctor_live::{Installation, doctor};

/// What each cloud answers for an issuer and an audience, in the form of its own API.
fn answers(issuer: &str, audience: &str) -> [(&'static str, Value); 4] {
    let eks = json!({"identityProviderConfig": {"oidc": {
        "identityProviderConfigName": "oidc", "clusterName": "prod", "issuerUrl": issuer, "clientId": audience, "usernameClaim": "sub",
        "usernamePrefix": "oidc:", "groupsClaim": "groups", "groupsPrefix": "oidc:", "requiredClaims": {}, "tags": {}, "status": "ACTIVE",
    }}});
    let aks = json!([{
        "id": "/subscriptions/0/resourcegroups/g/providers/Microsoft.ContainerService/managedClusters/c/jwtAuthenticators/oidc",
        "name": "oidc", "type": "Microsoft.ContainerService/managedClusters/jwtAuthenticators", "systemData": null,
        "properties": {
            "provisioningState": "Succeeded", "issuer": {"url": issuer, "audiences": [audience]},
            "claimMappings": {
                "username": {"expression": "'aks:jwt:' + claims.sub"},
                "groups": {"expression": "dyn(claims.groups).map(group, 'aks:jwt:' + group)"}, "uid": null, "extra": null,
            },
            "claimValidationRules": null, "userValidationRules": null,
        },
    }]);
    let gke = json!([{
        "attributeMapping": {"google.groups": "assertion.groups", "google.subject": "assertion.sub"},
        "name": "locations/global/workforcePools/people/providers/oidc", "state": "ACTIVE",
        "oidc": {"clientId": audience, "issuerUri": issuer, "webSsoConfig": {"responseType": "ID_TOKEN"}},
    }]);
    [("eks", eks), ("aks", aks), ("gke", gke), ("openshift", openshift(issuer, audience))]
}

fn openshift(issuer: &str, audience: &str) -> Value {
    json!({
        "apiVersion": "config.openshift.io/v1", "kind": "Authentication", "metadata": {"name": "cluster"},
        "spec": {
            "type": "OIDC", "webhookTokenAuthenticator": null, "oauthMetadata": {"name": ""}, "serviceAccountIssuer": "",
            "oidcProviders": [{
                "name": "oidc",
                "issuer": {"issuerURL": issuer, "audiences": [audience], "issuerCertificateAuthority": {"name": "oidc-issuer-ca"}},
                "claimMappings": {
                    "username": {"claim": "sub", "prefixPolicy": "NoPrefix"}, "groups": {"claim": "groups", "prefix": ""},
                },
            }],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_compared_with_what_a_cloud_answers() -> Result<()> {
    let it = Installation::start().await?;
    let kubeconfig = it.kubeconfig("https://127.0.0.1:1", &it.real.ca_pem)?;
    let issuer = it.provider.issuer("a");
    for (expected, issuer, audience) in [
        (None, issuer.as_str(), "kubernetes"),
        (Some("KS009"), issuer.as_str(), "another"),
        (Some("KS001"), "https://another.example.com", "kubernetes"),
    ] {
        for (cloud, answer) in answers(issuer, audience) {
            let file = it.folder.path().join(format!("{cloud}.json"));
            fs::write(&file, answer.to_string())?;
            let said =
                doctor(&kubeconfig, &["--offline", "--flags", &file.display().to_string()], Some(&it.token))
                    .await?;
            if let Some(row) = expected {
                said.expect(row);
                continue;
            }
            let well = said.report["well"].as_bool();
            assert_eq!((said.code, well), (Some(0), Some(true)), "{cloud}: {:#}", said.report);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_cloud_gave_up_or_has_not_finished_are_named() -> Result<()> {
    let it = Installation::start().await?;
    let kubeconfig = it.kubeconfig("https://127.0.0.1:1", &it.real.ca_pem)?;
    let [(_, eks), (_, aks), ..] = answers(&it.provider.issuer("a"), "kubernetes");
    for (answer, from, to, row) in [
        (&aks, "Succeeded", "Failed", "KS043"),
        (&aks, "Succeeded", "Updating", "KS044"),
        (&eks, "ACTIVE", "CREATING", "KS044"),
    ] {
        let file = it.folder.path().join("answer.json");
        fs::write(&file, answer.to_string().replace(from, to))?;
        let said =
            doctor(&kubeconfig, &["--offline", "--flags", &file.display().to_string()], Some(&it.token))
                .await?;
        said.expect(row);
        assert_eq!(said.report["checks"][0]["pair"]["got"]["value"], to, "{:#}", said.report);
    }
    Ok(())
}

/// The resource as OpenShift keeps it, with the authorities in a ConfigMap.
#[tokio::test(flavor = "multi_thread")]
async fn the_resource_of_openshift_is_found_in_the_cluster() -> Result<()> {
    let it = Installation::start().await?;
    let kubeconfig = it.kubeconfig(&it.real.url, &it.real.ca_pem)?;
    let administrator = it.real.administrator()?;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "authentications.config.openshift.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/openshift/api/pull/470"},
        },
        "spec": {
            "group": "config.openshift.io", "scope": "Cluster",
            "names": {"kind": "Authentication", "listKind": "AuthenticationList", "plural": "authentications", "singular": "authentication"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    it.real.create(&administrator, definitions, &definition).await?;
    it.real
        .create(&administrator, "/api/v1/namespaces", &json!({"metadata": {"name": "openshift-config"}}))
        .await?;
    let authorities =
        json!({"metadata": {"name": "oidc-issuer-ca"}, "data": {"ca-bundle.crt": it.provider.ca_pem}});
    it.real.create(&administrator, "/api/v1/namespaces/openshift-config/configmaps", &authorities).await?;
    let resources = "/apis/config.openshift.io/v1/authentications";
    kubesso_e2e::deadline::eventually(
        "the resource is served",
        std::time::Duration::from_mins(1),
        async || {
            let served = administrator.get(format!("{}{resources}", it.real.url)).send().await?;
            Ok(served.status().is_success().then_some(()))
        },
    )
    .await?;

    let resource = openshift(&it.provider.issuer("a"), "kubernetes");
    it.real.create(&administrator, resources, &resource).await?;
    let with_rights = ["--context", "person", "--admin-context", "admin"];
    let said = doctor(&kubeconfig, &with_rights, Some(&it.token)).await?;
    assert_eq!((said.code, said.report["well"].as_bool()), (Some(0), Some(true)), "{:#}", said.report);
    let looked = said.report["looked"].to_string();
    assert!(looked.contains("authentication.config/cluster"), "{looked}");
    // The issuer was asked with the authorities of the ConfigMap.
    let checks = said.report["checks"].as_array().context("checks")?;
    let trusted = checks.iter().find(|check| check["id"] == "KS003").context("the row is checked")?;
    assert_eq!(trusted["result"], "pass", "{trusted:#}");

    let mut other = openshift(&it.provider.issuer("a"), "console");
    let url = format!("{}{resources}/cluster", it.real.url);
    let present: Value = administrator.get(&url).send().await?.json().await?;
    other["metadata"] = present["metadata"].clone();
    administrator.put(&url).json(&other).send().await?.error_for_status()?;
    let said = doctor(&kubeconfig, &with_rights, Some(&it.token)).await?;
    assert!(said.report.to_string().contains("KS009"), "{:#}", said.report);
    assert_eq!(said.code, Some(1));
    Ok(())
}
