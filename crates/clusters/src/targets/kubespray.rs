//! Kubespray: variables of the group `k8s_cluster`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::access::Mapping;
use crate::authentication_configuration::authentication_configuration;
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Step};
use crate::oidc_flags::username_prefix;
use crate::request::{Material, Request, keep_a_way_in, no_field_for};
use crate::target::Target;
use crate::yaml::{self, Yaml};

const FOLDER: &str = "/etc/kubernetes";
const PLACE: &str = "inventory/CLUSTER/group_vars/k8s_cluster/oidc.yml";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Kubespray;
    // The playbook writes the file anew, so that its hash is another.
    let material = Material { hash: None, ..request.material(target, FOLDER)? };
    if material.form == Form::Flags {
        let issuers = &request.access.issuers;
        let required = issuers.iter().any(|issuer| !issuer.required_claims.is_empty());
        let algorithms = issuers.iter().any(|issuer| !issuer.signing_algorithms.is_empty());
        no_field_for(target, &[(required, "required claims"), (algorithms, "signing algorithms")])?;
    }
    let variables =
        if material.form == Form::Config { config_variables(request) } else { flag_variables(request) };
    let files = vec![ConfigFile::whole("oidc.yml", PLACE, yaml::to_string(&variables))];
    let play =
        "ansible-playbook -i inventory/CLUSTER cluster.yml --tags control-plane --limit kube_control_plane";
    let apply = vec![keep_a_way_in(), Step::run("Run the part of the playbook for the control plane.", play)];
    let rollback = vec![Step::run("Remove the file, and run it again.", format!("rm {PLACE} && {play}"))];
    let mut made = material.instructions(target, files, apply, rollback);
    if made.form == Form::Config {
        made.warnings.extend([
            "These variables are in Kubespray since April 2026; for an older one use --form flags.".to_owned(),
            "Kubespray mounts the file, not its folder: a running API server may keep the old content until it is \
             restarted. Restart it where it does."
                .to_owned(),
        ]);
    }
    Ok(made)
}

fn config_variables(request: &Request<'_>) -> Yaml {
    let configuration = authentication_configuration(request.access, request.kubernetes);
    let version = configuration.api_version.rsplit('/').next().unwrap_or_default().to_owned();
    let value = |value: Result<serde_json::Value, serde_json::Error>| Yaml::Value(value.unwrap_or_default());
    let mut variables = vec![
        ("kube_apiserver_use_authentication_config_file".to_owned(), true.into()),
        ("kube_apiserver_authentication_config_api_version".to_owned(), version.into()),
        (
            "kube_apiserver_authentication_config_jwt".to_owned(),
            value(serde_json::to_value(&configuration.jwt)),
        ),
    ];
    if let Some(anonymous) = &configuration.anonymous {
        let name = "kube_apiserver_authentication_config_anonymous".to_owned();
        variables.push((name, value(serde_json::to_value(anonymous))));
    }
    Yaml::Map(variables)
}

fn flag_variables(request: &Request<'_>) -> Yaml {
    let mut variables: Vec<(String, Yaml)> = vec![("kube_oidc_auth".to_owned(), true.into())];
    let mut variable = |name: &str, value: Yaml| variables.push((format!("kube_oidc_{name}"), value));
    for issuer in request.access.issuers.iter().take(1) {
        variable("url", issuer.url.as_str().into());
        for audience in &issuer.audiences {
            variable("client_id", audience.as_str().into());
        }
        if let Mapping::Claim { claim, prefix } = &issuer.username {
            variable("username_claim", claim.as_str().into());
            variable("username_prefix", username_prefix(prefix).into());
        }
        if let Some(Mapping::Claim { claim, prefix }) = &issuer.groups {
            variable("groups_claim", claim.as_str().into());
            if !prefix.is_empty() {
                variable("groups_prefix", prefix.as_str().into());
            }
        }
        if let Some(authority) = &issuer.certificate_authority {
            variable("ca_cert", STANDARD.encode(authority.as_pem()).into());
        }
    }
    Yaml::Map(variables)
}
