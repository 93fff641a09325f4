//! Changes of the files that others have written too: everything else in them stays as it is.

use std::fmt::Write as _;

use kubesso_kubeconfig::{Document, EditError, Place};
use serde_json::{Value, json};

use crate::arguments::{Arguments, is_about_issuers};
use crate::found::Manifest;
use crate::oidc_flags::Argument;

/// A static pod's manifest with these arguments, and with `folder` mounted if there is a file to be seen.
pub(super) fn manifest(text: &str, arguments: &[Argument], folder: Option<&str>) -> Result<String, String> {
    let pod = Manifest::parse(text)?;
    let mut document = Document::parse(text).map_err(|error| error.to_string())?;
    let container = Place::top("spec").key("containers").item(pod.name());
    let is_flag = |word: &String| word.starts_with("--");
    // The flags stay where most of them are: in `command` (kubeadm), or in `args`.
    let field = if pod.words("args").iter().any(is_flag) { "args" } else { "command" };
    for other in ["command", "args"].into_iter().filter(|name| *name != field) {
        let words = pod.words(other);
        let kept = without_issuers(&words);
        if kept != words {
            set(&mut document, &container.clone().key(other), json!(kept))?;
        }
    }
    let place = container.clone().key(field);
    for words in stages(&pod.words(field), arguments) {
        set(&mut document, &place, json!(words))?;
    }
    if let Some(folder) = folder {
        mount(&mut document, &pod, &container, folder)?;
    }
    Ok(document.text().to_owned())
}

/// A list of words on its way to others: first what changes its value, then what goes, then what comes. So each word that
/// stays keeps its line, and the comment on it.
fn stages(words: &[String], wanted: &[Argument]) -> [Vec<String>; 3] {
    let mut left: Vec<&Argument> = wanted.iter().collect();
    let mut replaced = Vec::new();
    let mut kept = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").map(|flag| flag.split('=').next().unwrap_or_default());
        let Some(name) = name.filter(|name| is_about_issuers(name)) else {
            replaced.push(word.clone());
            kept.push(word.clone());
            continue;
        };
        if let Some(at) = left.iter().position(|(other, _)| other == name) {
            let (name, value) = left.remove(at);
            replaced.push(format!("--{name}={value}"));
            kept.push(format!("--{name}={value}"));
        } else {
            replaced.push(word.clone());
        }
        // `--name value`, in two words.
        if !word.contains('=')
            && let Some(value) = words.next_if(|next| !next.starts_with('-'))
        {
            replaced.push(value.clone());
        }
    }
    let mut all = kept.clone();
    all.extend(left.into_iter().map(|(name, value)| format!("--{name}={value}")));
    [replaced, kept, all]
}

fn without_issuers(words: &[String]) -> Vec<String> {
    let [_, kept, _] = stages(words, &[]);
    kept
}

/// Mounts a folder of the host, unless it lies in one that is mounted.
fn mount(document: &mut Document, pod: &Manifest, container: &Place, folder: &str) -> Result<(), String> {
    use crate::found::OnHost;
    match pod.on_host(&format!("{folder}/file")) {
        OnHost::File(_) => return Ok(()),
        OnHost::Nowhere => {}
        OnHost::FileAlone(_) | OnHost::Elsewhere(_) => {
            return Err(format!("{folder} is mounted from something that is no folder of the host"));
        }
    }
    let free = ["authn", "kubesso-authn"].into_iter().find(|name| pod.volume(name).is_none());
    let name = free.ok_or("it has volumes authn and kubesso-authn already, of other folders")?;
    let volume = json!({ "name": name, "hostPath": { "path": folder, "type": "DirectoryOrCreate" } });
    set(document, &Place::top("spec").key("volumes").item(name), volume)?;
    let mount = json!({ "name": name, "mountPath": folder, "readOnly": true });
    set(document, &container.clone().key("volumeMounts").item(name), mount)
}

/// `spec.api.extraArgs` of k0s with these arguments.
pub(super) fn k0s(text: &str, arguments: &[Argument]) -> Result<String, String> {
    let read: Value = serde_saphyr::from_str(text)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    let mut document = Document::parse(text).map_err(|error| error.to_string())?;
    let place = Place::top("spec").key("api").key("extraArgs");
    let there = read.pointer("/spec/api/extraArgs").and_then(Value::as_object);
    for name in there.into_iter().flat_map(serde_json::Map::keys) {
        let is_wanted = arguments.iter().any(|(wanted, _)| wanted == name);
        if is_about_issuers(name) && !is_wanted {
            document.remove(&place.clone().key(name)).map_err(said)?;
        }
    }
    for (name, value) in arguments {
        set(&mut document, &place.clone().key(name), json!(value))?;
    }
    Ok(document.text().to_owned())
}

/// `apiServer` of a ClusterConfiguration of kubeadm: arguments are a list from v1beta4 on, and a map before.
pub(super) fn kubeadm(text: &str, arguments: &[Argument], folder: Option<&str>) -> Result<String, String> {
    let read: Value = serde_saphyr::from_str(text)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    let mut document = Document::parse(text).map_err(|error| error.to_string())?;
    let server = Place::top("apiServer");
    let place = server.clone().key("extraArgs");
    let version = read["apiVersion"].as_str().unwrap_or_default();
    let (is_list, names) = match &read["apiServer"]["extraArgs"] {
        Value::Object(map) => (false, map.keys().cloned().collect::<Vec<_>>()),
        Value::Array(list) => {
            (true, list.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect())
        }
        _ => (!version.ends_with("v1beta3") && !version.ends_with("v1beta2"), Vec::new()),
    };
    let at = |name: &str| if is_list { place.clone().item(name) } else { place.clone().key(name) };
    for name in names.iter().filter(|name| is_about_issuers(name)) {
        if !arguments.iter().any(|(wanted, _)| wanted == name) {
            document.remove(&at(name)).map_err(said)?;
        }
    }
    for (name, value) in arguments {
        let value = if is_list { json!({ "name": name, "value": value }) } else { json!(value) };
        set(&mut document, &at(name), value)?;
    }
    let volumes = read["apiServer"]["extraVolumes"].as_array();
    let is_mounted =
        |folder: &str| volumes.is_some_and(|all| all.iter().any(|one| one["mountPath"] == folder));
    if let Some(folder) = folder.filter(|folder| !is_mounted(folder)) {
        let volume = json!({
            "name": "authn", "hostPath": folder, "mountPath": folder, "readOnly": true, "pathType": "DirectoryOrCreate",
        });
        set(&mut document, &server.key("extraVolumes").item("authn"), volume)?;
    }
    Ok(document.text().to_owned())
}

/// MicroK8s' file of arguments, one a line, with these.
pub(super) fn lines(text: &str, arguments: &[Argument]) -> String {
    let mut left: Vec<&Argument> = arguments.iter().collect();
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let word = line.trim();
        let read = Arguments::of_words([word]);
        let name = read.about_issuers().map(|(name, _)| name).next();
        let Some(name) = name.filter(|_| !word.starts_with('#')) else {
            kept.push_str(line);
            continue;
        };
        if let Some(at) = left.iter().position(|(other, _)| other == name) {
            let (name, value) = left.remove(at);
            // Writing to a String cannot fail.
            let _ = writeln!(kept, "--{name}={value}");
        }
    }
    if !kept.is_empty() && !kept.ends_with('\n') {
        kept.push('\n');
    }
    for (name, value) in left {
        let _ = writeln!(kept, "--{name}={value}");
    }
    kept
}

fn set(document: &mut Document, place: &Place, value: Value) -> Result<(), String> {
    document.set(place, value).map_err(said)
}

fn said(error: EditError) -> String {
    match error {
        EditError::SeveralDocuments => "it holds more than one YAML document; split it first".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
