//! Amazon EKS: one identity provider, associated by an API call; neither flags nor a file.
//! Source: Amazon's documentation, "Grant users access to Kubernetes with an external OIDC provider".

use serde_json::{Map, Value, json};

use crate::access::Mapping;
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
use crate::oidc_flags::username_prefix;
use crate::request::{Request, restrictions_of_flags, whoami};
use crate::target::Target;

const SOURCE: &str = "Amazon EKS, AssociateIdentityProviderConfig";
const GATEWAY: &str = "use a gateway in front of the cluster that takes these tokens and impersonates";
const NAME: &str = "oidc";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Eks;
    let mut restrictions = restrictions_of_flags(request.access, SOURCE, GATEWAY);
    for issuer in &request.access.issuers {
        if issuer.certificate_authority.is_some() {
            restrictions.push(Restriction::new(
                "the issuer's certificate must be of a public authority; none of your own can be given",
                SOURCE,
                "give the issuer a public certificate, or use a gateway in front of the cluster",
            ));
        }
        if !issuer.signing_algorithms.is_empty() {
            restrictions.push(Restriction::new(
                "it has no setting for signing algorithms",
                SOURCE,
                "leave signingAlgorithms out",
            ));
        }
        if !issuer.url.is_public() {
            restrictions.push(Restriction::new(
                format!("{} must be reachable from the public internet", issuer.url),
                "https://github.com/aws/containers-roadmap/issues/1909",
                "publish the discovery document and the key set, or use a gateway in front of the cluster",
            ));
        }
        for prefix in
            [Some(&issuer.username), issuer.groups.as_ref()].into_iter().flatten().filter_map(prefix_of)
        {
            if prefix.contains("system:") {
                restrictions.push(Restriction::new(
                    format!("the prefix `{prefix}` must not contain system:"),
                    SOURCE,
                    "choose another prefix",
                ));
            }
        }
    }
    let Some(issuer) = request.access.issuers.first().filter(|_| restrictions.is_empty()) else {
        return Err(Impossible { target, restrictions });
    };
    let mut oidc = Map::new();
    let mut field = |name: &str, value: Value| drop(oidc.insert(name.to_owned(), value));
    field("identityProviderConfigName", NAME.into());
    field("issuerUrl", issuer.url.as_str().into());
    field("clientId", issuer.audiences.first().map(String::as_str).into());
    if let Mapping::Claim { claim, prefix } = &issuer.username {
        field("usernameClaim", claim.as_str().into());
        field("usernamePrefix", username_prefix(prefix).into());
    }
    if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
        field("groupsClaim", claim.as_str().into());
        if !prefix.is_empty() {
            field("groupsPrefix", prefix.as_str().into());
        }
    }
    if !issuer.required_claims.is_empty() {
        field("requiredClaims", json!(issuer.required_claims));
    }
    let input = json!({ "clusterName": request.cluster.unwrap_or("CLUSTER"), "oidc": oidc });
    let text = serde_json::to_string_pretty(&input).unwrap_or_default() + "\n";
    let cluster = request.cluster();
    let config = format!("--cluster-name {cluster} --identity-provider-config type=oidc,name={NAME}");
    let mut warnings = crate::oidc_flags::warnings(request.access, "EKS", "");
    warnings.push(
        "A cluster has one such provider, and no call changes it: to change it, disassociate it and associate it again. \
         IAM stays on beside it."
            .to_owned(),
    );
    Ok(Instructions {
        target,
        form: Form::Native,
        files: vec![ConfigFile::whole("eks-oidc.json", "the next command's input", text)],
        apply: vec![
            Step::run(
                "Associate the provider; it takes some minutes.",
                "aws eks associate-identity-provider-config --cli-input-json file://eks-oidc.json",
            ),
            Step::run(
                "Wait until it says ACTIVE.",
                format!(
                    "aws eks describe-identity-provider-config {config} --query identityProviderConfig.oidc.status"
                ),
            ),
        ],
        verify: vec![whoami()],
        rollback: vec![Step::run(
            "Disassociate it; it takes some minutes.",
            format!("aws eks disassociate-identity-provider-config {config}"),
        )],
        warnings,
    })
}

fn prefix_of(mapping: &Mapping) -> Option<&String> {
    match mapping {
        Mapping::Claim { prefix, .. } => Some(prefix),
        Mapping::Expression(_) => None,
    }
}
