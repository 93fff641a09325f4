//! Targets with fields of their own in place of arguments.

use serde_json::{Value, json};

use super::{Configuration, Texts, Unfinished, decoded, plain, words};
use crate::arguments::Arguments;
use crate::field_names::{EKS, Fields, GARDENER, KOPS, KUBEONE, KUBESPRAY};
use crate::found::FoundFile;
use crate::target::Target;

pub(super) fn read(texts: &Texts<'_>) -> Option<Configuration> {
    eks(texts)
        .or_else(|| gardener(texts))
        .or_else(|| kops(texts))
        .or_else(|| kubeone(texts))
        .or_else(|| kubespray(texts))
}

/// The arguments; a mapping and a list are one argument several times.
fn arguments(settings: &Value, fields: Fields) -> Arguments {
    let mut all = Vec::new();
    for (field, argument) in fields {
        let values = match settings.get(field) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(map)) => {
                map.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect()
            }
            // One flag with several in it.
            Some(Value::Array(_)) if *argument == "oidc-signing-algs" => {
                vec![words(&settings[field]).join(",")]
            }
            Some(value) => words(value),
        };
        all.extend(values.into_iter().map(|value| ((*argument).to_owned(), value)));
    }
    Arguments::of_pairs(all)
}

fn eks(texts: &Texts<'_>) -> Option<Configuration> {
    let settings = texts.at("/identityProviderConfig/oidc").or_else(|| texts.at("/oidc"))?;
    settings.get("issuerUrl")?;
    let state = settings.get("status").and_then(Value::as_str);
    let unfinished = state.and_then(|state| Unfinished::of(state, &["ACTIVE"], &["CREATE_FAILED"]));
    let read = Configuration::of_arguments(Target::Eks, arguments(settings, EKS), texts, &[]);
    Some(Configuration { unfinished, ..read })
}

fn gardener(texts: &Texts<'_>) -> Option<Configuration> {
    let shoot = texts.kind("Shoot")?;
    let server = shoot.pointer("/spec/kubernetes/kubeAPIServer").unwrap_or(&Value::Null);
    if let Some(name) = server.pointer("/structuredAuthentication/configMapName").and_then(Value::as_str) {
        let path = format!("ConfigMap {name}, config.yaml");
        let named = Arguments::of_pairs([("authentication-config".to_owned(), path.clone())]);
        let inside: Vec<_> =
            texts.config_map(Some(name), "config.yaml").map(|text| (path, text)).into_iter().collect();
        return Some(Configuration::of_arguments(Target::Gardener, named, texts, &inside));
    }
    let oidc = &server["oidcConfig"];
    Some(with_authorities(
        Target::Gardener,
        arguments(oidc, GARDENER),
        texts,
        oidc["caBundle"].as_str().map(str::to_owned),
    ))
}

/// With authorities whose text stands there.
fn with_authorities(
    target: Target,
    arguments: Arguments,
    texts: &Texts<'_>,
    pem: Option<String>,
) -> Configuration {
    let mut read = Configuration::of_arguments(target, arguments, texts, &[]);
    if let Some(pem) = pem.filter(|pem| !pem.is_empty()) {
        let path = "the authorities in it".to_owned();
        let named = [("oidc-ca-file".to_owned(), path.clone())];
        read.found.arguments.extend(Arguments::of_pairs(named));
        read.found.file = Some(FoundFile { path, content: Ok(pem) });
        read.lacks_authorities = false;
    }
    read
}

fn kops(texts: &Texts<'_>) -> Option<Configuration> {
    let is_kops = |it: &&Value| {
        let version = it["apiVersion"].as_str().unwrap_or_default();
        it.pointer("/spec/kubeAPIServer").is_some()
            && (version.is_empty() || version.starts_with("kops.k8s.io/") || it["kind"] == "Cluster")
    };
    let cluster = texts.documents.iter().find(is_kops)?;
    let assets = cluster.pointer("/spec/fileAssets").and_then(Value::as_array);
    let asset = |asset: &Value| {
        let content = asset["content"].as_str()?;
        let text = if asset["isBase64"] == true { decoded(content)? } else { content.to_owned() };
        Some((asset["path"].as_str()?.to_owned(), text))
    };
    let files: Vec<_> = assets.into_iter().flatten().filter_map(asset).collect();
    let arguments = arguments(&cluster["spec"]["kubeAPIServer"], KOPS);
    Some(Configuration::of_arguments(Target::Kops, arguments, texts, &files))
}

fn kubeone(texts: &Texts<'_>) -> Option<Configuration> {
    let cluster = texts.kind("KubeOneCluster")?;
    let feature = &cluster["features"]["openidConnect"];
    let mut config = feature["config"].clone();
    if feature["enable"] != true {
        config = Value::Null;
    } else if let Some(fields) = config.as_object_mut() {
        fields.retain(|_, value| value.as_str().is_none_or(|text| !text.is_empty()));
        for (field, default) in [
            ("clientId", "kubernetes"),
            ("usernameClaim", "sub"),
            ("usernamePrefix", "oidc:"),
            ("groupsClaim", "groups"),
            ("groupsPrefix", "oidc:"),
            ("signingAlgs", "RS256"),
        ] {
            fields.entry(field).or_insert_with(|| default.into());
        }
        // kube-apiserver itself knows the dash for names only.
        if fields["groupsPrefix"] == "-" {
            fields.remove("groupsPrefix");
        }
    }
    Some(Configuration::of_arguments(Target::KubeOne, arguments(&config, KUBEONE), texts, &[]))
}

fn kubespray(texts: &Texts<'_>) -> Option<Configuration> {
    let is_kubespray = |it: &&Value| {
        let mut names = it.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        names.any(|name| name.starts_with("kube_oidc_") || name.starts_with("kube_apiserver_"))
    };
    let variables = texts.documents.iter().find(is_kubespray)?;
    if variables["kube_apiserver_use_authentication_config_file"] == true {
        let version = variables["kube_apiserver_authentication_config_api_version"].as_str().unwrap_or("v1");
        let mut configuration = json!({
            "apiVersion": format!("apiserver.config.k8s.io/{version}"), "kind": "AuthenticationConfiguration",
            "jwt": variables["kube_apiserver_authentication_config_jwt"],
        });
        let anonymous = &variables["kube_apiserver_authentication_config_anonymous"];
        if anonymous.is_object() {
            configuration["anonymous"] = anonymous.clone();
        }
        return Some(Configuration::made(Target::Kubespray, &configuration, texts));
    }
    let settings = if variables["kube_oidc_auth"] == true { variables } else { &Value::Null };
    let pem = settings.get("kube_oidc_ca_cert").and_then(Value::as_str).and_then(decoded);
    Some(with_authorities(Target::Kubespray, arguments(settings, KUBESPRAY), texts, pem))
}
