//! kOps: fields of the cluster's specification; files as assets of the control plane.

use crate::access::Mapping;
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Step};
use crate::oidc_flags::username_prefix;
use crate::request::{Request, keep_a_way_in, no_field_for};
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

const FOLDER: &str = "/srv/kubernetes/kube-apiserver";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Kops;
    let material = request.material(target, FOLDER)?;
    if material.form == Form::Flags {
        let issuers = &request.access.issuers;
        let algorithms = issuers.iter().any(|issuer| !issuer.signing_algorithms.is_empty());
        no_field_for(target, &[(algorithms, "signing algorithms")])?;
    }
    let server = if material.form == Form::Config {
        map([("authenticationConfigFile", format!("{FOLDER}/{}", crate::request::CONFIG_FILE).into())])
    } else {
        oidc_fields(request)
    };
    let mut spec = vec![("kubeAPIServer".to_owned(), server)];
    if let Some((name, text)) = &material.file {
        let asset = map([
            ("name", name.trim_end_matches(".yaml").trim_end_matches(".crt").into()),
            ("path", format!("{FOLDER}/{name}").into()),
            ("roles", Yaml::List(vec!["ControlPlane".into()])),
            ("content", text.as_str().into()),
        ]);
        spec.push(("fileAssets".to_owned(), Yaml::List(vec![asset])));
    }
    let part = map([("spec", Yaml::Map(spec))]);
    let files =
        vec![ConfigFile::part("kops-part.yaml", "the cluster's specification", yaml::to_string(&part))];
    let cluster = request.cluster();
    let roll = format!(
        "kops update cluster {cluster} --yes && kops rolling-update cluster {cluster} --instance-group-roles control-plane --yes"
    );
    let apply = vec![
        keep_a_way_in(),
        Step::run(
            "Keep the specification.",
            format!("kops get cluster {cluster} -o yaml > cluster.before.yaml"),
        ),
        Step::run("Merge kops-part.yaml into it.", format!("kops edit cluster {cluster}")),
        Step::run("Roll the control plane.", roll.clone()),
    ];
    let rollback = vec![Step::run(
        "Put the specification back and roll again.",
        format!("kops replace --force -f cluster.before.yaml && {roll}"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    if made.form == Form::Config {
        made.warnings.push("authenticationConfigFile is known to kOps 1.30 and later.".to_owned());
    }
    Ok(made)
}

fn oidc_fields(request: &Request<'_>) -> Yaml {
    let mut fields: Vec<(String, Yaml)> = Vec::new();
    let mut field = |name: &str, value: Yaml| fields.push((name.to_owned(), value));
    for issuer in request.access.issuers.iter().take(1) {
        field("oidcIssuerURL", issuer.url.as_str().into());
        for audience in &issuer.audiences {
            field("oidcClientID", audience.as_str().into());
        }
        if let Mapping::Claim { claim, prefix } = &issuer.username {
            field("oidcUsernameClaim", claim.as_str().into());
            field("oidcUsernamePrefix", username_prefix(prefix).into());
        }
        if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
            field("oidcGroupsClaim", claim.as_str().into());
            if !prefix.is_empty() {
                field("oidcGroupsPrefix", prefix.as_str().into());
            }
        }
        if issuer.certificate_authority.is_some() {
            field("oidcCAFile", format!("{FOLDER}/{}", crate::request::CA_FILE).into());
        }
        if !issuer.required_claims.is_empty() {
            let pairs = issuer.required_claims.iter().map(|(claim, value)| format!("{claim}={value}").into());
            field("oidcRequiredClaim", Yaml::List(pairs.collect()));
        }
    }
    Yaml::Map(fields)
}
