//! Talos Linux: a document of its own from 1.14 on, arguments before.
//!
//! Sources: <https://docs.siderolabs.com/talos/v1.14/reference/configuration/kubernetes/kubeauthenticationconfig>,
//! <https://github.com/siderolabs/talos/issues/11324>.

use serde_json::json;

use super::argument_map;
use crate::access::{Access, Anonymous};
use crate::authentication_configuration::authentication_configuration;
use crate::instructions::{ConfigFile, Form, Impossible, Instructions, Restriction, Step};
use crate::kubernetes_version::KubernetesVersion;
use crate::request::{Request, keep_a_way_in, whoami};
use crate::target::Target;
use crate::yaml::{self, Yaml, map};

/// Talos keeps nothing outside of /var.
const FOLDER: &str = "/var/authn";
/// The first version with a document for it.
const OWN_DOCUMENT: KubernetesVersion = KubernetesVersion::new(1, 14);
/// What Talos itself takes without credentials; the document replaces that too.
const PROBED: [&str; 3] = ["/livez", "/readyz", "/healthz"];

pub(crate) fn instructions(request: &Request<'_>) -> Result<Instructions, Impossible> {
    match request.target_version {
        Some(version) if version >= OWN_DOCUMENT => own_document(request),
        Some(_) => by_arguments(request),
        None => {
            let mut made = by_arguments(request)?;
            made.warnings.push(
                "This is for Talos up to 1.13. From 1.14 on arguments are refused: say --target-version 1.14.".to_owned(),
            );
            Ok(made)
        }
    }
}

fn own_document(request: &Request<'_>) -> Result<Instructions, Impossible> {
    if request.form == Some(Form::Flags) {
        return Err(Impossible {
            target: Target::Talos,
            restrictions: vec![Restriction::new(
                "from Talos 1.14 on --oidc-* flags are refused",
                "Talos 1.14, KubeAuthenticationConfig",
                "leave --form out",
            )],
        });
    }
    let probed = || Some(Anonymous::For(PROBED.map(str::to_owned).into()));
    let access =
        Access { anonymous: request.access.anonymous.clone().or_else(probed), ..request.access.clone() };
    let mut configuration =
        serde_json::to_value(authentication_configuration(&access, request.kubernetes)).unwrap_or(json!({}));
    if let Some(members) = configuration.as_object_mut() {
        members.remove("apiVersion");
        members.remove("kind");
    }
    let document = map([
        ("apiVersion", "v1alpha1".into()),
        ("kind", "KubeAuthenticationConfig".into()),
        ("configuration", Yaml::Value(configuration)),
    ]);
    let place = "the machine configuration of each control-plane node";
    let files = vec![ConfigFile::whole("talos-authentication.yaml", place, yaml::to_string(&document))];
    Ok(Instructions {
        target: Target::Talos,
        form: Form::Native,
        files,
        apply: apply("talos-authentication.yaml"),
        verify: vec![whoami()],
        rollback: rollback(),
        warnings: vec![
            "The document replaces Talos' own, so that it says again which paths are answered without credentials \
             (/livez, /readyz, /healthz)."
                .to_owned(),
        ],
    })
}

fn by_arguments(request: &Request<'_>) -> Result<Instructions, Impossible> {
    let target = Target::Talos;
    if request.wants_config() {
        let source = "https://github.com/siderolabs/talos/issues/11324";
        request.no_anonymous(target, "Talos up to 1.13 always gives --anonymous-auth=false", source)?;
    }
    let material = request.material(target, FOLDER)?;
    material.no_repeated_flag(target)?;
    let server = map([
        ("extraArgs", argument_map(&material.arguments)),
        (
            "extraVolumes",
            Yaml::List(vec![map([
                ("hostPath", FOLDER.into()),
                ("mountPath", FOLDER.into()),
                ("readonly", true.into()),
            ])]),
        ),
    ]);
    let mut entries = Vec::new();
    if let Some((name, text)) = &material.file {
        let file = map([
            ("path", format!("{FOLDER}/{name}").into()),
            ("op", "create".into()),
            ("permissions", Yaml::Value(0o644.into())),
            ("content", text.as_str().into()),
        ]);
        entries.push(("machine".to_owned(), map([("files", Yaml::List(vec![file]))])));
    }
    entries.push(("cluster".to_owned(), map([("apiServer", server)])));
    let place = "the machine configuration of each control-plane node";
    let files = vec![ConfigFile::part("talos-patch.yaml", place, yaml::to_string(&Yaml::Map(entries)))];
    Ok(material.instructions(target, files, apply("talos-patch.yaml"), rollback()))
}

fn apply(file: &str) -> Vec<Step> {
    vec![
        keep_a_way_in(),
        Step::run(
            "Keep the present configuration of each node.",
            "talosctl --nodes NODE get machineconfig v1alpha1 -o jsonpath='{.spec}' > machineconfig.before.yaml",
        ),
        Step::run(
            "One control-plane node after the other.",
            format!("talosctl --nodes NODE patch machineconfig --patch @{file}"),
        ),
    ]
}

fn rollback() -> Vec<Step> {
    vec![Step::run("On each node.", "talosctl --nodes NODE apply-config --file machineconfig.before.yaml")]
}
