//! vCluster: values of its chart; files from a ConfigMap of the host cluster.

use super::kamaji::config_map;
use super::list;
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, Yaml, map, nested};

const FOLDER: &str = "/etc/authn";
const CONFIG_MAP: &str = "api-server-authn";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::VCluster;
    let material = request.material(target, FOLDER)?;
    let cluster = request.cluster();
    let default_namespace = format!("vcluster-{}", request.cluster.unwrap_or("CLUSTER"));
    let namespace = request.scope.unwrap_or(&default_namespace);
    let server = map([("enabled", true.into()), ("extraArgs", list(material.words()))]);
    let mut plane = vec![("distro".to_owned(), nested(&["k8s", "apiServer"], server))];
    let mut files = Vec::new();
    if let Some((name, text)) = &material.file {
        let volume = map([("name", "authn".into()), ("configMap", map([("name", CONFIG_MAP.into())]))]);
        let mount = map([("name", "authn".into()), ("mountPath", FOLDER.into()), ("readOnly", true.into())]);
        let volumes =
            map([("addVolumes", Yaml::List(vec![volume])), ("addVolumeMounts", Yaml::List(vec![mount]))]);
        plane.push(("statefulSet".to_owned(), map([("persistence", volumes)])));
        files.push(ConfigFile::whole(
            "config-map.yaml",
            "the host cluster, in the namespace of the virtual one",
            config_map(CONFIG_MAP, namespace, name, text),
        ));
    }
    let values = yaml::to_string(&map([("controlPlane", Yaml::Map(plane))]));
    files.push(ConfigFile::part(
        "vcluster-values.yaml",
        "the values of the virtual cluster (vcluster.yaml)",
        values,
    ));
    let namespace = crate::instructions::shell_word(namespace);
    let upgrade = format!("vcluster create {cluster} --upgrade --namespace {namespace} --values");
    let mut apply = vec![keep_a_way_in()];
    if material.file.is_some() {
        apply.push(Step::run("Make the ConfigMap in the host cluster.", "kubectl apply -f config-map.yaml"));
    }
    apply.push(Step::run(
        "Give it your values and these.",
        format!("{upgrade} vcluster.yaml,vcluster-values.yaml"),
    ));
    let rollback = vec![Step::run("Give it your values alone.", format!("{upgrade} vcluster.yaml"))];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "vCluster shows less of why a token was refused than other clusters \
         (https://github.com/kubernetes/kubernetes/issues/136887): `kubesso doctor` reads the token itself."
            .to_owned(),
    );
    Ok(made)
}
