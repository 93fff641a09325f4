//! k0rdent: a ClusterAuthentication in the management cluster holds the configuration, and ClusterDeployments name it.
//! Source: k0rdent's documentation, "Identity and Authorization Management", and its types (kcm 1.6).

use crate::authentication_configuration::authentication_configuration;
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
use crate::request::{Material, Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

const NAME: &str = "oidc";
const SOURCE: &str = "k0rdent 1.6, ClusterAuthentication";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::K0rdent;
    if request.form == Some(Form::Flags) {
        let restrictions = vec![Restriction::new("there are no flags to set", SOURCE, "leave --form out")];
        return Err(Impossible { target, restrictions });
    }
    // k0rdent writes the file anew, so that its hash is another.
    let material = Material { hash: None, ..request.material(target, "")? };
    let namespace = request.scope.unwrap_or("kcm-system");
    let configuration = authentication_configuration(request.access, request.kubernetes);
    let value = |made: Result<serde_json::Value, _>| Yaml::Value(made.unwrap_or_default());
    let mut fields = vec![
        ("apiVersion".to_owned(), configuration.api_version.as_str().into()),
        ("kind".to_owned(), configuration.kind.as_str().into()),
        ("jwt".to_owned(), value(serde_json::to_value(&configuration.jwt))),
    ];
    if let Some(anonymous) = &configuration.anonymous {
        fields.push(("anonymous".to_owned(), value(serde_json::to_value(anonymous))));
    }
    let resource = |kind: &str, name: &str, spec: Yaml| {
        map([
            ("apiVersion", "k0rdent.mirantis.com/v1beta1".into()),
            ("kind", kind.into()),
            ("metadata", map([("name", name.into()), ("namespace", namespace.into())])),
            ("spec", spec),
        ])
    };
    let authentication =
        resource("ClusterAuthentication", NAME, map([("authenticationConfiguration", Yaml::Map(fields))]));
    let deployment = resource(
        "ClusterDeployment",
        request.cluster.unwrap_or("CLUSTER"),
        map([("clusterAuth", NAME.into())]),
    );
    let files = vec![
        ConfigFile::whole(
            "cluster-authentication.yaml",
            "the management cluster",
            yaml::to_string(&authentication),
        ),
        ConfigFile::part(
            "cluster-deployment-part.yaml",
            "the ClusterDeployment in the management cluster",
            yaml::to_string(&deployment),
        ),
    ];
    let (cluster, scope) = (request.cluster(), request.scope("kcm-system"));
    let patch =
        |what: &str| format!("kubectl -n {scope} patch clusterdeployment {cluster} --type=merge {what}");
    let apply = vec![
        keep_a_way_in(),
        Step::run("Make the ClusterAuthentication.", "kubectl apply -f cluster-authentication.yaml"),
        Step::run(
            "Name it in each ClusterDeployment that it is for; k0rdent brings it to the control plane.",
            patch("--patch-file cluster-deployment-part.yaml"),
        ),
    ];
    let rollback = vec![Step::run("Name it no more.", patch(r#"--patch '{"spec":{"clusterAuth":null}}'"#))];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "The ClusterTemplate must take authentication settings (`auth` in its values): those of k0rdent's own hosted and \
         standalone control planes and of remote clusters do, managed ones (EKS, AKS, GKE) do not."
            .to_owned(),
    );
    Ok(made)
}
