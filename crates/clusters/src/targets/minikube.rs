//! minikube: flags by `--extra-config`; files under `/var/lib/minikube/certs`, which the API server's pod mounts.

use crate::instructions::{Impossible, Instructions, Step, shell_word};
use crate::request::Request;
use crate::target::Target;

/// Mounted into the pod.
pub(crate) const FOLDER: &str = "/var/lib/minikube/certs";
/// Copied into the node at each start, by its absolute path below.
const COPIED: &str = "~/.minikube/files/var/lib/minikube/certs";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Minikube;
    let material = request.material(target, FOLDER)?;
    material.no_repeated_flag(target)?;
    let files = material.config_file(COPIED, ", from where minikube copies it into the node at each start");
    let profile = request.cluster.map(|name| format!(" --profile {}", shell_word(name))).unwrap_or_default();
    let options: Vec<_> = material
        .assignments()
        .iter()
        .map(|argument| format!("--extra-config={}", shell_word(&format!("apiserver.{argument}"))))
        .collect();
    let start = format!("minikube start{profile} {}", options.join(" "));
    let apply = vec![
        Step::run("Make the folder, and put the file into it.", format!("mkdir -p {COPIED}")),
        Step::run("Start the cluster, or start it again.", start),
    ];
    let rollback = vec![
        Step::say(
            "minikube remembers --extra-config in the profile: give other values, or make the profile anew.",
        ),
        Step::run("Make it anew.", format!("minikube delete{profile} && minikube start{profile}")),
    ];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "Do not add apiserver.authorization-mode=RBAC, as some examples do: nodes need Node,RBAC \
         (https://github.com/kubernetes/minikube/issues/17456)."
            .to_owned(),
    );
    Ok(made)
}
