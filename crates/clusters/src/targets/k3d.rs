//! k3d: k3s in containers; configured when the cluster is made.

use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::Request;
use crate::target::Target;
use crate::yaml::{self, Yaml, map, nested};

const FOLDER: &str = "/etc/rancher/k3s/authn";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::K3d;
    let material = request.material(target, FOLDER)?;
    let on_servers = || ("nodeFilters", Yaml::List(vec!["server:*".into()]));
    let argument =
        |argument: String| map([("arg", format!("--kube-apiserver-arg={argument}").into()), on_servers()]);
    let arguments = material.assignments().into_iter().map(argument).collect();
    let mut entries =
        vec![("apiVersion".to_owned(), Yaml::from("k3d.io/v1alpha5")), ("kind".to_owned(), "Simple".into())];
    if let Some(name) = request.cluster {
        entries.push(("metadata".to_owned(), map([("name", name.into())])));
    }
    if material.file.is_some() {
        let volume = map([("volume", format!("${{PWD}}/authn:{FOLDER}").into()), on_servers()]);
        entries.push(("volumes".to_owned(), Yaml::List(vec![volume])));
    }
    entries.push(("options".to_owned(), nested(&["k3s", "extraArgs"], Yaml::List(arguments))));
    let mut files = material.config_file("authn", ", beside the cluster's configuration");
    files.push(ConfigFile::whole("k3d.yaml", "k3d.yaml", yaml::to_string(&Yaml::Map(entries))));
    let name = request.cluster.map(|_| format!(" {}", request.cluster())).unwrap_or_default();
    let apply =
        vec![Step::run("Make the cluster.", "mkdir -p authn && k3d cluster create --config k3d.yaml")];
    let rollback = vec![Step::run("Remove the cluster.", format!("k3d cluster delete{name}"))];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "The server resolves names as Docker does: an issuer at localhost or 127.0.0.1 is the container itself."
            .to_owned(),
    );
    Ok(made)
}
