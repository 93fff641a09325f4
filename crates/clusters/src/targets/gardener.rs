//! Gardener: the shoot names a ConfigMap with the file, or has `oidcConfig`.

use super::kamaji::config_map;
use crate::access::Mapping;
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Step};
use crate::oidc_flags::username_prefix;
use crate::request::{Material, Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map, nested};

const CONFIG_MAP: &str = "authentication-config";
/// The key that Gardener reads.
const KEY: &str = "config.yaml";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Gardener;
    // Gardener writes the file anew, so that its hash is another.
    let material = Material { hash: None, ..request.material(target, "")? };
    let project = request.scope.unwrap_or("garden-PROJECT");
    let (settings, mut files) = if material.form == Form::Config {
        let text = material.file.as_ref().map(|(_, text)| text.as_str()).unwrap_or_default();
        let settings = nested(&["structuredAuthentication", "configMapName"], CONFIG_MAP.into());
        let place = "the garden cluster, in the project's namespace";
        let content = config_map(CONFIG_MAP, project, KEY, text);
        (settings, vec![ConfigFile::whole("config-map.yaml", place, content)])
    } else {
        (map([("oidcConfig", oidc_config(request))]), Vec::new())
    };
    let part = map([
        ("apiVersion", "core.gardener.cloud/v1beta1".into()),
        ("kind", "Shoot".into()),
        (
            "metadata",
            map([("name", request.cluster.unwrap_or("CLUSTER").into()), ("namespace", project.into())]),
        ),
        ("spec", nested(&["kubernetes", "kubeAPIServer"], settings)),
    ]);
    let place = "the Shoot in the garden cluster";
    files.push(ConfigFile::part("shoot-part.yaml", place, yaml::to_string(&part)));
    let (cluster, scope) = (request.cluster(), request.scope("garden-PROJECT"));
    let mut apply = vec![keep_a_way_in()];
    if files.len() > 1 {
        apply.push(Step::run("Make the ConfigMap.", "kubectl apply -f config-map.yaml"));
    }
    apply.push(Step::run(
        "Change the shoot; Gardener reconciles it.",
        format!("kubectl -n {scope} patch shoot {cluster} --type=merge --patch-file shoot-part.yaml"),
    ));
    let field = if material.form == Form::Config { "structuredAuthentication" } else { "oidcConfig" };
    let patch = format!("{{\"spec\":{{\"kubernetes\":{{\"kubeAPIServer\":{{\"{field}\":null}}}}}}}}");
    let rollback = vec![Step::run(
        "Take the field out again.",
        format!("kubectl -n {scope} patch shoot {cluster} --type=merge --patch '{patch}'"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "The issuer must be reachable from the seed, where the shoot's API server runs. Gardener writes no kubeconfig for \
         people."
            .to_owned(),
    );
    Ok(made)
}

fn oidc_config(request: &Request<'_>) -> Yaml {
    let mut fields: Vec<(String, Yaml)> = Vec::new();
    let mut field = |name: &str, value: Yaml| fields.push((name.to_owned(), value));
    for issuer in request.access.issuers.iter().take(1) {
        if let Some(authority) = &issuer.certificate_authority {
            field("caBundle", authority.as_pem().into());
        }
        for audience in &issuer.audiences {
            field("clientID", audience.as_str().into());
        }
        if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
            field("groupsClaim", claim.as_str().into());
            if !prefix.is_empty() {
                field("groupsPrefix", prefix.as_str().into());
            }
        }
        field("issuerURL", issuer.url.as_str().into());
        if !issuer.required_claims.is_empty() {
            let pairs = issuer.required_claims.iter();
            let pairs = pairs.map(|(claim, value)| (claim.clone(), value.as_str().into())).collect();
            field("requiredClaims", Yaml::Map(pairs));
        }
        if !issuer.signing_algorithms.is_empty() {
            field("signingAlgs", super::list(issuer.signing_algorithms.clone()));
        }
        if let Mapping::Claim { claim, prefix } = &issuer.username {
            field("usernameClaim", claim.as_str().into());
            field("usernamePrefix", username_prefix(prefix).into());
        }
    }
    Yaml::Map(fields)
}
