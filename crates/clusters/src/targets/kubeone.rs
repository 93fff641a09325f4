//! KubeOne: the feature `openidConnect` of its manifest, or, from 1.15 on, `authenticationConfiguration` with the file.
//! Source: KubeOne's types (1.14) and its documentation, "Structured Authentication Configuration" (1.15).

use crate::access::{Mapping, TrustedIssuer};
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
use crate::kubernetes_version::KubernetesVersion;
use crate::oidc_flags::username_prefix;
use crate::request::{CA_FILE, Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map, nested};

const FOLDER: &str = "/etc/kubernetes/pki";
const SINCE: KubernetesVersion = KubernetesVersion::new(1, 15);
const GUIDE: &str = "https://docs.kubermatic.com/kubeone/v1.15/guides/authentication-configuration/";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::KubeOne;
    let is_old = request.target_version.is_some_and(|version| version < SINCE);
    if is_old && request.form == Some(Form::Config) {
        let what = "KubeOne before 1.15 hands out no AuthenticationConfiguration";
        let restrictions =
            vec![Restriction::new(what, GUIDE, "use flags (--form flags), or a newer KubeOne")];
        return Err(Impossible { target, restrictions });
    }
    let form = if is_old { Some(Form::Flags) } else { request.form };
    let request = &Request { form, ..*request };
    let material = request.material(target, FOLDER)?;
    let run = Step::run("Bring it to the control plane.", "kubeone apply --manifest kubeone.yaml --tfjson .");
    let keep = Step::run("Keep the manifest.", "cp kubeone.yaml kubeone.before.yaml");
    let back = Step::run(
        "Put the manifest back.",
        "cp kubeone.before.yaml kubeone.yaml && kubeone apply --manifest kubeone.yaml --tfjson .",
    );
    if material.form == Form::Config {
        let files = material.config_file(".", " (beside KubeOne's manifest)");
        let apply = vec![
            keep_a_way_in(),
            keep,
            Step::say(format!(
                "Turn `features.authenticationConfiguration` on in the manifest with the path of this file ({GUIDE}); \
                 `features.openidConnect` must be out."
            )),
            run,
        ];
        let mut made = material.instructions(target, files, apply, vec![back]);
        made.warnings.push("authenticationConfiguration is known to KubeOne 1.15 and later.".to_owned());
        return Ok(made);
    }
    // It is one text here, so that a second claim would be lost.
    material.no_repeated_flag(target)?;
    let fields = request.access.issuers.first().map_or(Yaml::Map(Vec::new()), openid_connect);
    let feature = map([("enable", true.into()), ("config", fields)]);
    let part = map([
        ("apiVersion", "kubeone.k8c.io/v1beta3".into()),
        ("kind", "KubeOneCluster".into()),
        ("features", nested(&["openidConnect"], feature)),
    ]);
    let mut files = material.config_file(FOLDER, " (on each control-plane node)");
    files.push(ConfigFile::part(
        "kubeone-part.yaml",
        "KubeOne's manifest (kubeone.yaml)",
        yaml::to_string(&part),
    ));
    let mut apply = vec![keep_a_way_in(), keep];
    if material.file.is_some() {
        apply.push(Step::say(format!(
            "Put {CA_FILE} into {FOLDER} on each control-plane node: KubeOne does not."
        )));
    }
    apply.extend([Step::say("Merge kubeone-part.yaml into the manifest."), run]);
    Ok(material.instructions(target, files, apply, vec![back]))
}

/// What is left out it fills in by itself (`oidc:` before names and groups, RS256), so that nothing is left out.
fn openid_connect(issuer: &TrustedIssuer) -> Yaml {
    let mut fields: Vec<(String, Yaml)> = Vec::new();
    let mut field = |name: &str, value: String| fields.push((name.to_owned(), value.as_str().into()));
    field("issuerUrl", issuer.url.as_str().to_owned());
    for audience in &issuer.audiences {
        field("clientId", audience.clone());
    }
    if let Mapping::Claim { claim, prefix } = &issuer.username {
        field("usernameClaim", claim.clone());
        field("usernamePrefix", username_prefix(prefix).to_owned());
    }
    if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
        field("groupsClaim", claim.clone());
        field("groupsPrefix", if prefix.is_empty() { "-".to_owned() } else { prefix.clone() });
    }
    let required = issuer.required_claims.iter().map(|(claim, value)| format!("{claim}={value}"));
    field("requiredClaim", required.collect::<Vec<_>>().join(","));
    if !issuer.signing_algorithms.is_empty() {
        field("signingAlgs", issuer.signing_algorithms.join(","));
    }
    let has_authority = issuer.certificate_authority.is_some();
    field("caFile", if has_authority { format!("{FOLDER}/{CA_FILE}") } else { String::new() });
    Yaml::Map(fields)
}
