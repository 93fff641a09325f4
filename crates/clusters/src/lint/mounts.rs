//! Files that flags name, and whether the API server's pod sees them.

use super::flags::Flags;
use super::{Effect, Finding};

/// The flags that name a file of ours.
const FILES: [&str; 2] = ["authentication-config", "oidc-ca-file"];

/// Something mounted into the pod.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// The path in the container.
    pub path: String,
    /// Whether it is known to be a single file: a `subPath`, or a volume of type `File`. A replaced file does not get
    /// through it, because the mount keeps what it was made of.
    pub is_file: bool,
}

impl Mount {
    fn holds(&self, file: &str) -> bool {
        let folder = self.path.trim_end_matches('/');
        file.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

pub(super) fn findings(flags: &Flags<'_>, mounts: &[Mount]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in FILES {
        let Some(file) = flags.filled(name) else { continue };
        let around: Vec<_> = mounts.iter().filter(|mount| mount.holds(file)).collect();
        if around.is_empty() {
            let folder = file.rsplit_once('/').map_or("/", |(folder, _)| folder);
            let finding = Finding::flag(
                39,
                Effect::Refused,
                name,
                format!("{file} is in no volume of the pod"),
                format!(
                    "volumes: [{{name: authn, hostPath: {{path: {folder}, type: Directory}}}}] and volumeMounts: [{{name: \
                     authn, mountPath: {folder}, readOnly: true}}]"
                ),
            );
            findings.push(finding.got(file).upstream(format!("open {file}: no such file or directory")));
        } else if name == "authentication-config"
            && around.iter().all(|mount| mount.is_file || mount.path == file)
        {
            let folder = file.rsplit_once('/').map_or("/", |(folder, _)| folder);
            let finding = Finding::flag(
                44,
                Effect::Works,
                name,
                format!("{file} is mounted as a single file: one that replaces it does not reach the pod"),
                format!("the directory: mountPath: {folder}"),
            );
            findings.push(finding.got(file));
        }
    }
    findings
}
