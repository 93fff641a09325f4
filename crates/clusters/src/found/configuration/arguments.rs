//! Targets whose configuration has the arguments themselves.

use serde_json::Value;

use super::{Configuration, Texts, plain, words};
use crate::arguments::Arguments;
use crate::found::{Manifest, rancher_arguments};
use crate::target::Target;
use crate::targets::microk8s::SNAP_DATA;

/// How arguments are written.
#[derive(Clone, Copy)]
enum Written {
    /// A mapping, or a list of name and value.
    ByName,
    /// `--name=value`.
    AsWords,
}

struct Place {
    target: Target,
    /// Whether a document is of the target.
    is_of: fn(&Value) -> bool,
    arguments: &'static str,
    written: Written,
    /// A list of `{path, content}`.
    files: Option<&'static str>,
}

const PLACES: &[Place] = &[
    Place {
        target: Target::ClusterApi,
        is_of: |it| it["kind"] == "KubeadmControlPlane",
        arguments: "/spec/kubeadmConfigSpec/clusterConfiguration/apiServer/extraArgs",
        written: Written::ByName,
        files: Some("/spec/kubeadmConfigSpec/files"),
    },
    Place {
        target: Target::Kubeadm,
        is_of: |it| it["kind"] == "ClusterConfiguration",
        arguments: "/apiServer/extraArgs",
        written: Written::ByName,
        files: None,
    },
    Place {
        target: Target::K0s,
        is_of: |it| {
            it["kind"] == "ClusterConfig"
                && it["apiVersion"].as_str().is_some_and(|at| at.starts_with("k0s."))
        },
        arguments: "/spec/api/extraArgs",
        written: Written::ByName,
        files: None,
    },
    Place {
        target: Target::Talos,
        is_of: |it| it.pointer("/cluster/apiServer").is_some(),
        arguments: "/cluster/apiServer/extraArgs",
        written: Written::ByName,
        files: Some("/machine/files"),
    },
    Place {
        target: Target::Kamaji,
        is_of: |it| it["kind"] == "TenantControlPlane",
        arguments: "/spec/controlPlane/deployment/extraArgs/apiServer",
        written: Written::AsWords,
        files: None,
    },
    Place {
        target: Target::VCluster,
        is_of: |it| it.pointer("/controlPlane/distro/k8s").is_some(),
        arguments: "/controlPlane/distro/k8s/apiServer/extraArgs",
        written: Written::AsWords,
        files: None,
    },
];

pub(super) fn read(texts: &Texts<'_>) -> Option<Configuration> {
    let listed = || {
        by_lists(texts)
            .or_else(|| kind(texts))
            .or_else(|| k3d(texts))
            .or_else(|| pod(texts))
            .or_else(|| microk8s(texts))
    };
    PLACES.iter().find_map(|place| at(place, texts)).or_else(listed)
}

fn at(place: &Place, texts: &Texts<'_>) -> Option<Configuration> {
    let document = texts.documents.iter().find(|document| (place.is_of)(document))?;
    let arguments = document.pointer(place.arguments).map(|given| match place.written {
        Written::ByName => by_name(given),
        Written::AsWords => Arguments::of_words(words(given)),
    });
    let mut arguments = arguments.unwrap_or_default();
    if place.target == Target::K0s {
        arguments.extend(Arguments::of_words(words(
            document.pointer("/spec/api/rawArgs").unwrap_or(&Value::Null),
        )));
    }
    let files = place.files.and_then(|files| document.pointer(files)).and_then(Value::as_array);
    let file = |file: &Value| Some((file["path"].as_str()?.to_owned(), file["content"].as_str()?.to_owned()));
    let files: Vec<_> = files.into_iter().flatten().filter_map(file).collect();
    Some(Configuration::of_arguments(place.target, arguments, texts, &files))
}

fn by_name(given: &Value) -> Arguments {
    let named = given.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), plain(value)));
    let listed = given.as_array().into_iter().flatten();
    let listed =
        listed.filter_map(|entry| Some((entry["name"].as_str()?.to_owned(), plain(&entry["value"]))));
    Arguments::of_pairs(named.chain(listed))
}

/// k3s and RKE2 have the same file; RKE2's may have settings that k3s does not know.
fn by_lists(texts: &Texts<'_>) -> Option<Configuration> {
    let mut arguments: Option<Arguments> = None;
    for document in &texts.documents {
        let Some((more, is_added)) = rancher_arguments(document) else { continue };
        match &mut arguments {
            Some(all) if is_added => all.extend(more),
            all => *all = Some(more),
        }
    }
    let is_rke2 = ["cni", "kube-apiserver-extra-mount", "kube-apiserver-extra-mount+", "profile"];
    let is_rke2 = is_rke2.iter().any(|name| texts.at(&format!("/{name}")).is_some());
    let target = if is_rke2 { Target::Rke2 } else { Target::K3s };
    Some(Configuration::of_arguments(target, arguments?, texts, &[]))
}

/// kind hands kubeadm patches of its own.
fn kind(texts: &Texts<'_>) -> Option<Configuration> {
    let cluster = texts.documents.iter().find(|it| {
        it["kind"] == "Cluster"
            && it["apiVersion"].as_str().is_some_and(|version| version.starts_with("kind.x-k8s.io/"))
    })?;
    let mut patches = words(&cluster["kubeadmConfigPatches"]);
    for node in cluster["nodes"].as_array().into_iter().flatten() {
        patches.extend(words(&node["kubeadmConfigPatches"]));
    }
    let read = patches.iter().filter_map(|patch| serde_saphyr::from_str::<Value>(patch).ok());
    let mut arguments = read.filter_map(|patch| patch.pointer("/apiServer/extraArgs").map(by_name));
    let arguments = arguments.next_back().unwrap_or_default();
    Some(Configuration::of_arguments(Target::Kind, arguments, texts, &[]))
}

/// The static pod's manifest, or the pod as the API server shows it.
fn pod(texts: &Texts<'_>) -> Option<Configuration> {
    let manifest = Manifest::of_pod(texts.kind("Pod")?.clone()).ok()?;
    Some(Configuration::of_arguments(Target::StaticPod, manifest.arguments(), texts, &[]))
}

/// One flag a line, as MicroK8s keeps them; a list that names nothing of a snap may be anybody's.
fn microk8s(texts: &Texts<'_>) -> Option<Configuration> {
    let is_snap = |text: &&&str| {
        text.lines().any(|line| line.starts_with("--"))
            && (text.contains("SNAP_DATA") || text.contains("/snap/"))
    };
    let text = texts.files.iter().map(|(_, text)| text).find(is_snap)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(str::split_whitespace).map(|word| word.replace("${SNAP_DATA}", SNAP_DATA));
    Some(Configuration::of_arguments(Target::MicroK8s, Arguments::of_words(words), texts, &[]))
}

fn k3d(texts: &Texts<'_>) -> Option<Configuration> {
    let simple = texts.documents.iter().find(|it| {
        it["kind"] == "Simple"
            && it["apiVersion"].as_str().is_some_and(|version| version.starts_with("k3d.io/"))
    })?;
    let given = simple.pointer("/options/k3s/extraArgs").and_then(Value::as_array);
    let words = given.into_iter().flatten().filter_map(|entry| entry["arg"].as_str());
    let arguments =
        Arguments::of_assignments(words.filter_map(|word| word.strip_prefix("--kube-apiserver-arg=")));
    Some(Configuration::of_arguments(Target::K3d, arguments, texts, &[]))
}
