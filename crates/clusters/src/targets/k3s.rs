//! k3s: arguments in a file of its configuration folder; the API server is a part of the process, and sees the host's files.

use super::list;
use crate::instructions::{ConfigFile, Impossible, Instructions, Step};
use crate::request::{Request, keep_a_way_in};
use crate::target::Target;
use crate::yaml::{self, map};

/// The folder of its configuration.
pub(crate) const CONFIGURATION: &str = "/etc/rancher/k3s";
pub(crate) const FOLDER: &str = "/etc/rancher/k3s/authn";
pub(crate) const PART: &str = "/etc/rancher/k3s/config.yaml.d/90-oidc.yaml";

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::K3s;
    let material = request.material(target, FOLDER)?;
    // `+` adds to what other files say instead of replacing it.
    let part = map([("kube-apiserver-arg+", list(material.assignments()))]);
    let mut files = material.config_file(FOLDER, " (on each server)");
    files.push(ConfigFile::whole("90-oidc.yaml", format!("{PART} (on each server)"), yaml::to_string(&part)));
    let apply = vec![
        keep_a_way_in(),
        Step::run(
            "On each server, one after the other, after the files are there.",
            format!("install -d -m 0700 {FOLDER} && systemctl restart k3s"),
        ),
        Step::run(
            "See the arguments that the server was started with.",
            "journalctl -u k3s | grep 'Running kube-apiserver' | tail -1",
        ),
    ];
    let rollback = vec![Step::run(
        "On each server, one after the other.",
        format!("rm {PART} && systemctl restart k3s"),
    )];
    let mut made = material.instructions(target, files, apply, rollback);
    if request.access.anonymous.is_some() {
        made.warnings.push(anonymous_warning("k3s", "https://github.com/k3s-io/k3s/issues/12245"));
    }
    Ok(made)
}

/// A distribution that used to give `--anonymous-auth` itself.
pub(super) fn anonymous_warning(distribution: &str, source: &str) -> String {
    format!(
        "Releases of {distribution} from before May 2025 always give --anonymous-auth, and then the API server does not \
         start with `anonymous` in the file ({source}): use a later one, or leave `anonymous` out."
    )
}
