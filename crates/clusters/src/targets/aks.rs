//! Azure AKS: JWT authenticators, a preview; like the file of Kubernetes, with expressions only.
//! Source: Microsoft's documentation of `az aks jwtauthenticator`, and the API's types and examples (2025-10-02-preview; with
//! certificateAuthorityBundle 2026-06-02-preview).

use serde_json::{Value, json};

use crate::access::{CertificateAuthority, Mapping, SystemNames, TrustedIssuer};
use crate::authentication_configuration::{NO_SYSTEM_NAMES, as_expression, as_list_expression, quoted};
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
use crate::kubernetes_version::KubernetesVersion;
use crate::request::{Request, whoami};
use crate::target::Target;

const SOURCE: &str = "Azure AKS, JWT authenticators (preview)";
/// What a bundle of authorities may hold.
const BUNDLE_CERTIFICATES: usize = 10;
const BUNDLE_BYTES: usize = 20_000;
/// With which every name and every group must begin.
const PREFIX: &str = "aks:jwt:";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Aks;
    let access = request.access;
    let mut restrictions = Vec::new();
    let mut refuse = |is_so: bool, what: String, instead: &str| {
        if is_so {
            restrictions.push(Restriction::new(what, SOURCE, instead));
        }
    };
    let too_old = request.kubernetes < KubernetesVersion::new(1, 30);
    refuse(
        too_old,
        format!("Kubernetes {} is too old: 1.30 at least", request.kubernetes),
        "upgrade the cluster",
    );
    refuse(access.anonymous.is_some(), "`anonymous` cannot be said".to_owned(), "leave it out");
    refuse(request.form == Some(Form::Flags), "there are no flags to set".to_owned(), "leave --form out");
    for issuer in &access.issuers {
        refuse(
            !issuer.url.is_public(),
            format!("{} must be reachable from the public internet", issuer.url),
            "publish the discovery document and the key set, or use a gateway in front of the cluster",
        );
        let is_entra = ["login.microsoftonline.com", "sts.windows.net"];
        refuse(
            is_entra.iter().any(|host| issuer.url.as_str().contains(host)),
            "Microsoft Entra is not taken as an issuer".to_owned(),
            "use AKS' own integration of Entra (--enable-aad)",
        );
        refuse(
            issuer.discovery_url.is_some(),
            "it has no discovery address of its own".to_owned(),
            "leave discoveryURL out",
        );
        let bundle =
            issuer.certificate_authority.as_ref().map(CertificateAuthority::as_pem).unwrap_or_default();
        refuse(
            bundle.len() > BUNDLE_BYTES
                || bundle.matches("-----BEGIN CERTIFICATE-----").count() > BUNDLE_CERTIFICATES,
            format!("the authorities of {} are more than {BUNDLE_CERTIFICATES} or than 20 KB", issuer.url),
            "give those alone that the issuer's certificate needs",
        );
    }
    if !restrictions.is_empty() {
        return Err(Impossible { target, restrictions });
    }
    let (group, cluster) = (request.scope("RESOURCE_GROUP"), request.cluster());
    let mut files = Vec::new();
    let (mut apply, mut rollback) = (vec![preview()], Vec::new());
    for (index, issuer) in access.issuers.iter().enumerate() {
        let number = if access.issuers.len() > 1 { (index + 1).to_string() } else { String::new() };
        let name = format!("oidc{number}");
        let file = format!("aks-{name}.json");
        let text = serde_json::to_string_pretty(&authenticator(issuer)).unwrap_or_default() + "\n";
        let of = format!("--resource-group {group} --cluster-name {cluster} --name {name}");
        apply.push(Step::run(
            format!("Add the authenticator for {}.", issuer.url),
            format!("az aks jwtauthenticator add {of} --config-file {file}"),
        ));
        rollback.push(Step::run("Take it away.", format!("az aks jwtauthenticator delete {of}")));
        files.push(ConfigFile::whole(&file, "the command's input", text));
    }
    let mut warnings = vec![format!(
        "Every name and every group begins with {PREFIX}: that must stand in your role bindings too \
         ({PREFIX}k8s-admins, say)."
    )];
    if access.issuers.iter().any(|issuer| issuer.certificate_authority.is_some()) {
        warnings.push(
            "certificateAuthorityBundle is of the API 2026-06-02-preview: an older aks-preview leaves it out without a word. See \
             that `az aks jwtauthenticator show` has it."
                .to_owned(),
        );
    }
    let list =
        format!("az aks jwtauthenticator list --resource-group {group} --cluster-name {cluster} -o table");
    Ok(Instructions {
        target,
        form: Form::Native,
        files,
        apply,
        verify: vec![Step::run("It is there, and was provisioned.", list), whoami()],
        rollback,
        warnings,
    })
}

/// True too where the issuer does not say.
const EMAIL_IS_VERIFIED: &str = "claims.?email_verified.orValue(true) == true";

fn preview() -> Step {
    Step::run(
        "It is a preview: register it once for the subscription (Azure CLI 2.77, aks-preview 18.0.0b41 or later).",
        "az extension add --name aks-preview --upgrade && az feature register --namespace Microsoft.ContainerService \
         --name JWTAuthenticatorPreview",
    )
}

fn authenticator(issuer: &TrustedIssuer) -> Value {
    let from = json!({ "url": issuer.url.as_str(), "audiences": issuer.audiences });
    let mut mappings = json!({ "username": { "expression": as_expression(&issuer.username, PREFIX) } });
    if let Some(groups) = &issuer.groups {
        mappings["groups"] = json!({ "expression": as_list_expression(groups, PREFIX) });
    }
    if let Some(uid) = &issuer.uid {
        mappings["uid"] = json!({ "expression": as_expression(uid, "") });
    }
    if !issuer.extra.is_empty() {
        let entry =
            |(key, expression): (&String, &String)| json!({ "key": key, "valueExpression": expression });
        mappings["extra"] = issuer.extra.iter().map(entry).collect();
    }
    let mut rules: Vec<Value> = issuer
        .required_claims
        .iter()
        .map(|(claim, value)| {
            json!({
                "expression": format!("claims[{}] == {}", quoted(claim), quoted(value)),
                "message": format!("the claim {claim} must be {value}"),
            })
        })
        .collect();
    let condition = |expression: &str, message: &str| json!({ "expression": expression, "message": message });
    // What the claim `email` does by itself in Kubernetes an expression must say, or it is refused.
    let is_email = matches!(&issuer.username, Mapping::Claim { claim, .. } if claim == "email");
    if is_email && !issuer.claim_rules.iter().any(|rule| rule.expression.contains("claims.email_verified")) {
        rules.push(condition(EMAIL_IS_VERIFIED, "the address must be verified"));
    }
    rules.extend(issuer.claim_rules.iter().map(|rule| condition(&rule.expression, &rule.message)));
    let mut user_rules: Vec<Value> = Vec::new();
    if issuer.system_names == SystemNames::Refused {
        // The prefix makes them harmless already; said all the same, for whoever reads it.
        let [(expression, message), _] = NO_SYSTEM_NAMES;
        user_rules.push(condition(expression, message));
    }
    user_rules.extend(issuer.user_rules.iter().map(|rule| condition(&rule.expression, &rule.message)));
    let mut made = json!({ "issuer": from, "claimMappings": mappings });
    if let Some(authority) = &issuer.certificate_authority {
        made["certificateAuthorityBundle"] = authority.as_pem().into();
    }
    if !rules.is_empty() {
        made["claimValidationRules"] = rules.into();
    }
    if !user_rules.is_empty() {
        made["userValidationRules"] = user_rules.into();
    }
    made
}
