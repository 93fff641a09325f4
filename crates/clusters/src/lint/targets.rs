//! What a distribution or a cloud adds to the rules: flags that it passes by itself, and names that it refuses.
//!
//! Sources: rke2#8137, talos#11324, k0s#7976, k3s#12245; Talos 1.14 (KubeAuthenticationConfig); the EKS user guide
//! ("Grant users access to Kubernetes with an external OIDC provider"); the AKS documentation of JWT authenticators;
//! minikube#17456.

use kubesso_k8s_types::authentication_configuration::AuthenticationConfiguration;

use super::flags::Flags;
use super::{Effect, Finding, Subject};
use crate::kubernetes_version::KubernetesVersion;
use crate::target::Target;

/// What every name and group of AKS' JWT authenticators must begin with.
const AKS_PREFIX: &str = "aks:jwt:";

pub(super) fn findings(subject: &Subject<'_>, file: Option<&AuthenticationConfiguration>) -> Vec<Finding> {
    let Some(target) = subject.target else { return Vec::new() };
    let flags = Flags::new(subject.flags.unwrap_or_default(), subject.target);
    let mut findings = Vec::new();
    findings.extend(anonymous(target, subject, file));
    match target {
        Target::Talos => findings.extend(talos(subject, &flags)),
        Target::Eks => findings.extend(eks(subject, &flags)),
        Target::Aks => findings.extend(aks(file)),
        Target::Gke if subject.file.is_some() || !flags.oidc().is_empty() => findings.push(no_settings(
            target,
            "GKE has neither flags nor an AuthenticationConfiguration",
            "Workforce Identity Federation, or a gateway in front of the API server",
        )),
        _ => {}
    }
    findings
}

/// Flags that are passed without anybody's word.
fn anonymous(
    target: Target,
    subject: &Subject<'_>,
    file: Option<&AuthenticationConfiguration>,
) -> Option<Finding> {
    file?.anonymous.as_ref()?;
    if subject.flags.is_some_and(|flags| flags.iter().any(|(name, _)| name == "anonymous-auth")) {
        return None;
    }
    let new =
        |major, minor| subject.target_version.is_some_and(|it| it >= KubernetesVersion::new(major, minor));
    let (effect, who) = match target {
        Target::Talos if new(1, 14) => return None,
        Target::Talos => (Effect::Refused, "Talos before 1.14 passes --anonymous-auth=false by itself"),
        Target::Rke2 => (
            Effect::Works,
            "RKE2 before the patch releases of May 2025 passes --anonymous-auth=false by itself",
        ),
        Target::K3s | Target::K3d => (
            Effect::Works,
            "k3s before the patch releases of May 2025 passes --anonymous-auth=false by itself",
        ),
        Target::K0s => (Effect::Works, "k0s before July 2026 passes --anonymous-auth=false by itself"),
        _ => return None,
    };
    Some(Finding {
        field: "anonymous".to_owned(),
        ..Finding::flag(
            35,
            effect,
            "anonymous-auth",
            format!("{who}, and the file has an `anonymous` block"),
            "leave the `anonymous:` block out",
        )
        .upstream(
            "anonymous: Forbidden: --anonymous-auth flag cannot be set when anonymous field is configured in authentication \
             configuration file",
        )
    })
}

fn talos(subject: &Subject<'_>, flags: &Flags<'_>) -> Option<Finding> {
    subject.target_version.filter(|version| *version >= KubernetesVersion::new(1, 14))?;
    let refused =
        ["authentication-config", "anonymous-auth"].into_iter().filter(|name| flags.value(name).is_some());
    let refused: Vec<_> = flags.oidc().into_iter().chain(refused).collect();
    let first = refused.first()?;
    let finding = Finding::flag(
        34,
        Effect::RefusedByTarget,
        first,
        "Talos 1.14 and later set --authentication-config themselves, and refuse these arguments",
        "a document of kind KubeAuthenticationConfig (apiVersion: v1alpha1, configuration: the AuthenticationConfiguration)",
    );
    Some(finding.got(refused.iter().map(|name| format!("--{name}")).collect::<Vec<_>>().join(", ")))
}

fn eks(subject: &Subject<'_>, flags: &Flags<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["oidc-username-prefix", "oidc-groups-prefix"] {
        if let Some(prefix) = flags.value(name).filter(|value| value.contains("system:")) {
            let what = "EKS takes no prefix with system: in it";
            let finding = Finding::flag(55, Effect::RefusedByTarget, name, what, flags.line(name, "oidc:"));
            findings.push(finding.got(prefix));
        }
    }
    if subject.file.is_some() {
        findings.push(no_settings(
            Target::Eks,
            "EKS has no AuthenticationConfiguration",
            "one provider: aws eks associate-identity-provider-config (kubesso cluster config --for eks)",
        ));
    }
    findings
}

fn no_settings(target: Target, what: &str, instead: &str) -> Finding {
    let finding = Finding::flag(55, Effect::RefusedByTarget, "authentication-config", what, instead);
    Finding { field: target.title().to_owned(), ..finding }
}

fn aks(file: Option<&AuthenticationConfiguration>) -> Vec<Finding> {
    let Some(file) = file else { return Vec::new() };
    let mut findings = Vec::new();
    for (index, jwt) in file.jwt.iter().enumerate() {
        let mappings = &jwt.claim_mappings;
        for (name, mapping) in [("username", &mappings.username), ("groups", &mappings.groups)] {
            let Some(prefix) = mapping.prefix.as_ref().filter(|_| !mapping.claim.is_empty()) else {
                continue;
            };
            if !prefix.starts_with(AKS_PREFIX) {
                let field = format!("jwt[{index}].claimMappings.{name}.prefix");
                let what = format!("{field}: AKS takes no name that does not begin with {AKS_PREFIX}");
                let finding = Finding::flag(
                    55,
                    Effect::RefusedByTarget,
                    "",
                    what,
                    format!("prefix: \"{AKS_PREFIX}{prefix}\""),
                );
                findings.push(Finding { field, ..finding.got(prefix) });
            }
        }
        let url = jwt.issuer.url.as_str();
        if url.contains("login.microsoftonline.com") || url.contains("sts.windows.net") {
            let field = format!("jwt[{index}].issuer.url");
            let what = format!("{field}: AKS does not take Entra ID as an issuer of JWT authenticators");
            let finding = Finding::flag(
                55,
                Effect::RefusedByTarget,
                "",
                what,
                "Entra integration: az aks … --enable-aad",
            );
            findings.push(Finding { field, ..finding.got(url) });
        }
    }
    findings
}
