//! MicroK8s: one flag a line in a file of arguments; the API server is a process of the host.

use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;

/// Kept over updates of the snap.
pub(crate) const FOLDER: &str = "/var/snap/microk8s/common/authn";
/// What `${SNAP_DATA}` stands for in the file of arguments.
pub(crate) const SNAP_DATA: &str = "/var/snap/microk8s/current";
pub(crate) const ARGUMENTS: &str = "/var/snap/microk8s/current/args/kube-apiserver";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::MicroK8s;
    let material = request.material(target, FOLDER)?;
    let lines = material.words().join("\n") + "\n";
    let mut files = material.config_file(FOLDER, " (on each node)");
    files.push(ConfigFile::part(
        "kube-apiserver-arguments",
        format!("the end of {ARGUMENTS} (on each node)"),
        lines,
    ));
    let apply = vec![
        keep_a_way_in(),
        Step::run("Keep the arguments.", format!("cp {ARGUMENTS} /var/backups/kube-apiserver.before")),
        Step::run(
            "Put the file there and add the lines; one node after the other.",
            format!(
                "install -d -m 0700 {FOLDER} && cat kube-apiserver-arguments >> {ARGUMENTS} && \
                 snap restart microk8s.daemon-kubelite"
            ),
        ),
    ];
    let rollback = vec![Step::run(
        "On each node.",
        format!("cp /var/backups/kube-apiserver.before {ARGUMENTS} && snap restart microk8s.daemon-kubelite"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    made.warnings.push(
        "There is no pod of the API server: what looks for one by its label finds nothing, and a changed line counts only \
         after the restart."
            .to_owned(),
    );
    Ok(made)
}
