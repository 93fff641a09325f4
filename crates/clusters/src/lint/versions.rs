//! What a version of Kubernetes does not have yet, or has no more.
//!
//! Sources: `pkg/features/kube_features.go` of apiserver (the feature gates and their versions), Kubernetes documentation,
//! "Authenticating" (the versions of the file).

use kubesso_k8s_types::authentication_configuration::AuthenticationConfiguration;

use super::flags::Flags;
use super::{Effect, Finding, Subject};
use crate::kubernetes_version::KubernetesVersion;

const STRUCTURED: &str = "StructuredAuthenticationConfiguration";
const ANONYMOUS: &str = "AnonymousAuthConfigurableEndpoints";

/// In which both are on for good.
const LOCKED: KubernetesVersion = KubernetesVersion::new(1, 34);
/// In which both are gone.
const GONE: KubernetesVersion = KubernetesVersion::new(1, 37);
/// In which `anonymous` came into the file, behind its gate, and in which the gate is on by itself.
const ANONYMOUS_ALPHA: KubernetesVersion = KubernetesVersion::new(1, 31);
const ANONYMOUS_BETA: KubernetesVersion = KubernetesVersion::new(1, 32);

pub(super) fn findings(subject: &Subject<'_>, file: Option<&AuthenticationConfiguration>) -> Vec<Finding> {
    let flags = Flags::new(subject.flags.unwrap_or_default(), subject.target);
    let mut findings = gates(subject, &flags);
    let Some(version) = subject.kubernetes else { return findings };
    let is_on = |gate: &str| gate_values(&flags).any(|(name, value)| name == gate && value);
    if (subject.file.is_some() || flags.filled("authentication-config").is_some())
        && !version.has_structured_configuration()
        && !is_on(STRUCTURED)
    {
        let what = format!("Kubernetes {version} takes no --authentication-config");
        let finding = Finding::flag(
            40,
            Effect::Refused,
            "authentication-config",
            what,
            "flags (--oidc-…), or Kubernetes 1.30 and later",
        );
        findings
            .push(finding.upstream(format!(
                "set --feature-gates={STRUCTURED}=true to use authentication-config file"
            )));
    }
    let Some(file) = file else { return findings };
    let of_file = |field: &str, what: String, upstream: String, instead: &str| Finding {
        field: field.to_owned(),
        ..Finding::flag(super::decoding::ROW, Effect::Refused, "", what, instead).upstream(upstream)
    };
    if file.api_version.ends_with("/v1") && version < KubernetesVersion::STRUCTURED_V1 {
        findings.push(of_file(
            "apiVersion",
            format!("Kubernetes {version} does not know version v1 of the file"),
            format!(
                "no kind \"AuthenticationConfiguration\" is registered for version \"{}\"",
                file.api_version
            ),
            "apiVersion: apiserver.config.k8s.io/v1beta1",
        ));
    }
    if file.anonymous.is_some() && version < ANONYMOUS_ALPHA {
        findings.push(of_file(
            "anonymous",
            format!("Kubernetes {version} does not know `anonymous`"),
            "strict decoding error: unknown field \"anonymous\"".to_owned(),
            "leave it out, and set --anonymous-auth",
        ));
    } else if file.anonymous.is_some() && version < ANONYMOUS_BETA && !is_on(ANONYMOUS) {
        findings.push(of_file(
            "anonymous",
            format!("Kubernetes {version} takes `anonymous` with a feature gate only"),
            format!(
                "anonymous: Forbidden: anonymous is not supported when {ANONYMOUS} feature gate is disabled"
            ),
            "leave it out, and set --anonymous-auth",
        ));
    }
    findings
}

/// Gates with what they are set to.
fn gate_values<'a>(flags: &Flags<'a>) -> impl Iterator<Item = (&'a str, bool)> {
    let pairs = flags.all("feature-gates").flat_map(|value| value.split(','));
    pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), matches!(value.trim(), "true" | "True" | "TRUE" | "t" | "T" | "1")))
    })
}

fn gates(subject: &Subject<'_>, flags: &Flags<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (gate, is_on) in gate_values(flags).filter(|(gate, _)| [STRUCTURED, ANONYMOUS].contains(gate)) {
        let version = subject.kubernetes;
        let at_least = |least: KubernetesVersion| version.is_some_and(|version| version >= least);
        let without = "no such gate in --feature-gates: it is on by itself since 1.30 (anonymous: 1.32)";
        let make = |effect, what: String| Finding::flag(40, effect, "feature-gates", what, without).got(gate);
        findings.push(if at_least(GONE) {
            make(Effect::Refused, format!("Kubernetes has no feature gate {gate} any more"))
                .upstream(format!("unrecognized feature gate: {gate}"))
        } else if !is_on && at_least(LOCKED) {
            make(Effect::Refused, format!("{gate} cannot be turned off"))
                .upstream(format!("cannot set feature gate {gate} to false, feature is locked to true"))
        } else if !is_on && gate == STRUCTURED && flags.filled("authentication-config").is_some() {
            make(Effect::Refused, format!("{gate} is off, and --authentication-config needs it"))
                .upstream(format!("set --feature-gates={STRUCTURED}=true to use authentication-config file"))
        } else if version.is_some_and(|version| version < KubernetesVersion::STRUCTURED) && is_on {
            // The one version that needs it.
            continue;
        } else {
            make(Effect::Works, format!("{gate} is on by itself, and newer versions do not start with it"))
        });
    }
    findings
}
