//! minikube: options of its profile, which it remembers, and a file that it copies into the node at each start.

use kubesso_kubeconfig::{Document, Place};
use serde_json::Value;

use crate::arguments::is_about_issuers;
use crate::authentication_configuration::loaded_hash;
use crate::found::LookError;
use crate::host::Host;
use crate::instructions::Form;
use crate::plan::{Change, HostCommand, InForce, Plan, PlanError, Word};
use crate::request::Request;
use crate::target::Target;
use crate::targets::minikube::FOLDER;

/// Where a profile's options are, below minikube's home.
fn profile_file(home: &str, profile: &str) -> String {
    format!("{home}/profiles/{profile}/config.json")
}

/// What has to be changed for a profile of minikube, whose files are in `home`; and the file that minikube rewrites thereby,
/// with its text.
///
/// # Errors
/// minikube cannot do it, or there is no such profile.
pub fn minikube_plan(
    request: &Request<'_>,
    host: &dyn Host,
    home: &str,
    profile: &str,
) -> Result<(Plan, (String, String)), PlanError> {
    let material = request.material(Target::Minikube, FOLDER)?;
    material.no_repeated_flag(Target::Minikube)?;
    let path = profile_file(home, profile);
    let read =
        |path: &str| host.read(path).map_err(|what| LookError::Unusable { path: path.to_owned(), what });
    let text = read(&path)?.ok_or_else(|| LookError::Missing { path: path.clone() })?;
    let unusable = |what: String| LookError::Unusable { path: path.clone(), what };
    let config: Value = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let options = config.pointer("/KubernetesConfig/ExtraOptions").and_then(Value::as_array);
    let options = options.into_iter().flatten().filter_map(|one| {
        let of = |key: &str| one[key].as_str();
        Some((of("Component")?, of("Key")?, of("Value").unwrap_or_default()))
    });
    let (ours, others): (Vec<_>, Vec<_>) =
        options.partition(|(component, key, _)| *component == "apiserver" && is_about_issuers(key));
    let given = ours.iter().map(|(_, key, value)| (*key, *value));
    let restarts = !material.arguments.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(given);
    let mut words =
        vec!["minikube".to_owned(), "start".to_owned(), "--profile".to_owned(), profile.to_owned()];
    if restarts {
        // What is given replaces all that the profile has.
        let kept =
            others.iter().map(|(component, key, value)| format!("--extra-config={component}.{key}={value}"));
        words.extend(kept);
        words.extend(material.assignments().iter().map(|one| format!("--extra-config=apiserver.{one}")));
    }
    let mut changes = Vec::new();
    if let Some((name, after)) = &material.file {
        let path = format!("{home}/files{FOLDER}/{name}");
        let before = read(&path)?;
        if before.as_ref() != Some(after) {
            changes.push(Change { path, before, after: after.clone() });
        }
    }
    let is_done = changes.is_empty() && !restarts;
    let start = |what: &str, words: Vec<String>| HostCommand {
        what: what.to_owned(),
        words: words.into_iter().map(Word::Text).collect(),
    };
    let hash = material.file.as_ref().filter(|_| material.form == Form::Config);
    let plan = Plan {
        target: Target::Minikube,
        form: material.form,
        changes,
        commands: if is_done { Vec::new() } else { vec![start("Start it again.", words)] },
        undo: vec![start(
            "Start it again.",
            ["minikube", "start", "--profile", profile].map(str::to_owned).to_vec(),
        )],
        by: if restarts { InForce::Restart } else { InForce::Reload },
        hash: hash.map(|(_, text)| loaded_hash(text.as_bytes())),
        warnings: material.warnings,
    };
    Ok((plan, (path, text)))
}

/// A profile's file as it is now, with the options that it had before.
///
/// # Errors
/// It is no profile's file.
pub fn minikube_profile_with_options_of(now: &str, before: &str) -> Result<String, String> {
    let before: Value = serde_json::from_str(before).map_err(|error| error.to_string())?;
    let options = before.pointer("/KubernetesConfig/ExtraOptions").cloned().unwrap_or_default();
    let mut document = Document::parse(now).map_err(|error| error.to_string())?;
    let place = Place::top("KubernetesConfig").key("ExtraOptions");
    document.set(&place, options).map_err(|error| error.to_string())?;
    Ok(document.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_come_back_and_what_else_changed_stays() {
        let before = r#"{"Name":"m","KubernetesConfig":{"ExtraOptions":[{"Component":"kubelet","Key":"v","Value":"2"}]}}"#;
        let now = "{\n\t\"Name\": \"m\",\n\t\"Addons\": {\"a\": true},\n\t\"KubernetesConfig\": {\n\t\t\"ExtraOptions\": [\n\t\t\t{\n\t\t\t\t\"Component\": \"kubelet\",\n\t\t\t\t\"Key\": \"v\",\n\t\t\t\t\"Value\": \"2\"\n\t\t\t},\n\t\t\t{\n\t\t\t\t\"Component\": \"apiserver\",\n\t\t\t\t\"Key\": \"authentication-config\",\n\t\t\t\t\"Value\": \"/x\"\n\t\t\t}\n\t\t]\n\t}\n}";
        let back = minikube_profile_with_options_of(now, before).unwrap();
        let read: Value = serde_json::from_str(&back).unwrap();
        assert_eq!(read["KubernetesConfig"]["ExtraOptions"].as_array().unwrap().len(), 1, "{back}");
        assert_eq!(read["Addons"]["a"], true);
        for none in [r#"{"KubernetesConfig":{"ExtraOptions":null}}"#, "{}"] {
            let back = minikube_profile_with_options_of(now, none).unwrap();
            let read: Value = serde_json::from_str(&back).unwrap();
            assert!(read["KubernetesConfig"]["ExtraOptions"].as_array().is_none_or(Vec::is_empty), "{back}");
        }
    }
}
