//! Targets whose configuration has issuers in a form of its own, read as the AuthenticationConfiguration that it comes to.
//!
//! Sources: the AKS API's types and examples (Microsoft.ContainerService/managedClusters/jwtAuthenticators, 2025-09-02-preview and
//! 2026-06-02-preview); `authentications.config.openshift.io` in github.com/openshift/api; Google's IAM API,
//! locations.workforcePools.providers, and "Represent workforce pool users in IAM policies"; Talos' KubeAuthenticationConfig;
//! k0rdent's ClusterAuthentication.

use serde_json::{Map, Value, json};

use super::{Configuration, Texts, Unfinished, with_issuers};
use crate::target::Target;

pub(super) fn read(texts: &Texts<'_>) -> Option<Configuration> {
    aks(texts)
        .or_else(|| gke(texts))
        .or_else(|| openshift(texts))
        .or_else(|| talos(texts))
        .or_else(|| k0rdent(texts))
}

/// From 1.14 on Talos has the file's content as a document of its own.
fn talos(texts: &Texts<'_>) -> Option<Configuration> {
    let document = texts.kind("KubeAuthenticationConfig")?;
    let mut configuration = with_issuers(&[]);
    for (field, value) in document["configuration"].as_object()? {
        configuration[field] = value.clone();
    }
    Some(Configuration::made(Target::Talos, &configuration, texts))
}

fn k0rdent(texts: &Texts<'_>) -> Option<Configuration> {
    let spec = &texts.kind("ClusterAuthentication")?["spec"];
    let configuration = spec.get("authenticationConfiguration").cloned().unwrap_or_else(|| with_issuers(&[]));
    let mut read = Configuration::made(Target::K0rdent, &configuration, texts);
    read.lacks_authorities = spec["caSecret"].is_object();
    Some(read)
}

fn made(target: Target, jwt: &[Value], texts: &Texts<'_>) -> Configuration {
    Configuration::made(target, &with_issuers(jwt), texts)
}

/// `az aks jwtauthenticator show` or `list`: the same fields, with the authorities beside the issuer.
fn aks(texts: &Texts<'_>) -> Option<Configuration> {
    let all: Vec<_> = texts.documents.iter().filter_map(own_aks).collect();
    if all.is_empty() {
        return None;
    }
    let one = |properties: &&Value| {
        let mut jwt = (*properties).clone();
        let several = jwt["issuer"]["audiences"].as_array().is_some_and(|audiences| audiences.len() > 1);
        if let Some(fields) = jwt.as_object_mut() {
            fields.remove("provisioningState");
            let bundle = fields.remove("certificateAuthorityBundle").filter(Value::is_string);
            let issuer = fields.get_mut("issuer").and_then(Value::as_object_mut);
            if let Some(issuer) = issuer {
                issuer.extend(bundle.map(|bundle| ("certificateAuthority".to_owned(), bundle)));
                issuer.extend(several.then(|| ("audienceMatchPolicy".to_owned(), "MatchAny".into())));
            }
        }
        without_null(jwt)
    };
    let mut read = made(Target::Aks, &all.iter().map(one).collect::<Vec<_>>(), texts);
    read.unfinished = all.iter().find_map(|properties| {
        let state = properties["provisioningState"].as_str()?;
        Unfinished::of(state, &["Succeeded"], &["Failed", "Canceled"])
    });
    Some(read)
}

/// The settings in an answer, or in the file that `add` takes.
fn own_aks(document: &Value) -> Option<&Value> {
    let is_own = |properties: &&Value| {
        properties.pointer("/issuer/url").is_some()
            && properties.pointer("/claimMappings/username/expression").is_some()
    };
    document.get("properties").filter(is_own).or_else(|| Some(document).filter(is_own))
}

/// `gcloud iam workforce-pools providers describe` or `list`: people and groups get the names of principals.
fn gke(texts: &Texts<'_>) -> Option<Configuration> {
    let is_provider = |it: &&Value| it.get("attributeMapping").is_some() && it.get("oidc").is_some();
    let all: Vec<_> = texts.documents.iter().filter(is_provider).collect();
    if all.is_empty() {
        return None;
    }
    let one = |provider: &&Value| {
        let name = provider["name"].as_str().unwrap_or_default();
        let pool = name.split_once("/providers/").map_or(name, |(pool, _)| pool);
        let mapped = |attribute: &str, kind: &str, end: &str| {
            let expression = provider["attributeMapping"][attribute].as_str()?;
            let prefix = format!("{kind}://iam.googleapis.com/{pool}/{end}/");
            Some(match claim(expression) {
                Some(claim) => json!({"claim": claim, "prefix": prefix}),
                None => {
                    json!({"expression": format!("'{prefix}' + ({})", expression.replace("assertion", "claims"))})
                }
            })
        };
        let mut mappings = Map::new();
        let username = mapped("google.subject", "principal", "subject");
        mappings.insert("username".to_owned(), username.unwrap_or(Value::Null));
        if let Some(groups) = mapped("google.groups", "principalSet", "group") {
            mappings.insert("groups".to_owned(), groups);
        }
        let mut jwt = json!({
            "issuer": {"url": provider["oidc"]["issuerUri"], "audiences": [provider["oidc"]["clientId"]]},
            "claimMappings": mappings,
        });
        if let Some(condition) = provider["attributeCondition"].as_str().filter(|text| !text.is_empty()) {
            jwt["claimValidationRules"] = json!([{"expression": condition.replace("assertion", "claims")}]);
        }
        without_null(jwt)
    };
    let mut read = made(Target::Gke, &all.iter().map(one).collect::<Vec<_>>(), texts);
    read.unfinished = all.iter().find_map(|provider| {
        if provider["disabled"] == true {
            return Some(Unfinished { state: "disabled".to_owned(), is_final: true });
        }
        Unfinished::of(provider["state"].as_str()?, &["ACTIVE"], &["DELETED"])
    });
    Some(read)
}

/// `assertion.sub` or `assertion['groups']`: a claim and nothing else.
fn claim(expression: &str) -> Option<&str> {
    let rest = expression.trim().strip_prefix("assertion")?;
    let name = rest
        .strip_prefix('.')
        .or_else(|| rest.strip_prefix("['")?.strip_suffix("']"))
        .or_else(|| rest.strip_prefix("[\"")?.strip_suffix("\"]"))?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'/');
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}

/// `oc get authentication.config/cluster -o yaml`. Of another type than OIDC it trusts nobody's tokens.
fn openshift(texts: &Texts<'_>) -> Option<Configuration> {
    let is_openshift = |it: &&Value| {
        let version = it["apiVersion"].as_str().unwrap_or_default();
        it["kind"] == "Authentication" && version.starts_with("config.openshift.io/")
    };
    let resource = texts.documents.iter().find(is_openshift)?;
    let spec = &resource["spec"];
    let providers = if spec["type"] == "OIDC" {
        spec["oidcProviders"].as_array().map(Vec::as_slice).unwrap_or_default()
    } else {
        &[]
    };
    let authorities = |issuer: &Value| {
        let name = issuer
            .pointer("/issuerCertificateAuthority/name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty());
        name.map(|name| texts.config_map(Some(name), "ca-bundle.crt"))
    };
    let one = |provider: &Value| {
        let (issuer, mappings) = (&provider["issuer"], &provider["claimMappings"]);
        let several = issuer["audiences"].as_array().is_some_and(|audiences| audiences.len() > 1);
        let groups = &mappings["groups"];
        let rules = provider["claimValidationRules"].as_array().into_iter().flatten();
        let rules: Vec<_> = rules.map(|rule| rule["requiredClaim"].clone()).collect();
        without_null(json!({
            "issuer": {
                "url": issuer["issuerURL"],
                "audiences": issuer["audiences"],
                "audienceMatchPolicy": several.then_some("MatchAny"),
                "certificateAuthority": authorities(issuer).flatten(),
            },
            "claimMappings": {
                "username": openshift_username(&mappings["username"], issuer["issuerURL"].as_str().unwrap_or_default()),
                "groups": groups.is_object().then(|| json!({
                    "claim": groups["claim"], "prefix": groups["prefix"].as_str().unwrap_or_default(),
                })),
                "uid": mappings["uid"],
                "extra": mappings["extra"],
            },
            "claimValidationRules": (!rules.is_empty()).then_some(rules),
        }))
    };
    let mut read = made(Target::OpenShift, &providers.iter().map(one).collect::<Vec<_>>(), texts);
    read.lacks_authorities = providers.iter().any(|provider| authorities(&provider["issuer"]) == Some(None));
    Some(read)
}

/// Without a policy the issuer stands before every claim but `email`.
fn openshift_username(username: &Value, issuer: &str) -> Value {
    let claim = username["claim"].as_str().unwrap_or_default();
    let prefix = match username["prefixPolicy"].as_str().unwrap_or_default() {
        "Prefix" => username["prefix"]["prefixString"].as_str().unwrap_or_default().to_owned(),
        "" if claim != "email" => format!("{issuer}#"),
        _ => String::new(),
    };
    json!({"claim": claim, "prefix": prefix})
}

/// Answers have null for what was not given, and a strict decoder does not take that for nothing everywhere.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_null(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        other => other,
    }
}
