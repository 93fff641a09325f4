//! What an API server is told, read from what a target's own tool keeps or prints: its specification, its resource, its values, the
//! answer of a cloud.

mod answers;
mod arguments;
mod fields;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Found, FoundFile, Unread, places};
use crate::arguments::Arguments;
use crate::target::Target;

/// A configuration of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Whose it is; none: an AuthenticationConfiguration by itself.
    pub target: Option<Target>,
    /// What it comes to.
    pub found: Found,
    /// Whether the AuthenticationConfiguration was made of what is there, and is nobody's file.
    pub is_made: bool,
    /// Whether an issuer has authorities of its own that are only named there.
    pub lacks_authorities: bool,
    /// What a cloud says of settings that are not in force.
    pub unfinished: Option<Unfinished>,
}

/// Settings that a cloud was given, and that are not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// In the cloud's word.
    pub state: String,
    /// Whether they will not come into force by themselves.
    pub is_final: bool,
}

impl Unfinished {
    /// None where they are in force.
    fn of(state: &str, in_force: &[&str], given_up: &[&str]) -> Option<Self> {
        let is_final = given_up.contains(&state);
        (!in_force.contains(&state)).then(|| Self { state: state.to_owned(), is_final })
    }
}

/// It is the configuration of no target that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no configuration of a kind of cluster that is known")]
pub struct UnknownConfiguration;

impl Configuration {
    /// Reads the files of one cluster, each with its name: one says what the API server is told, others what that names (a ConfigMap, the
    /// file of `--authentication-config`, authorities). YAML or JSON, several documents and lists in one too.
    ///
    /// # Errors
    /// None of them is known.
    pub fn read(files: &[(&str, &str)]) -> Result<Self, UnknownConfiguration> {
        let texts = Texts::new(files);
        answers::read(&texts)
            .or_else(|| arguments::read(&texts))
            .or_else(|| fields::read(&texts))
            .or_else(|| bare(&texts))
            .ok_or(UnknownConfiguration)
    }

    /// By arguments, with the file that they name as far as it was given.
    fn of_arguments(
        target: Target,
        arguments: Arguments,
        texts: &Texts<'_>,
        inside: &[(String, String)],
    ) -> Self {
        let file = places::named_file(&arguments).map(|path| {
            let own = inside.iter().find(|(name, _)| *name == path).map(|(_, text)| text.clone());
            let content = own.or_else(|| texts.file(&path)).ok_or(Unread::OutOfReach);
            FoundFile { path, content }
        });
        let lacks_authorities = arguments.filled("authentication-config").is_none()
            && file.as_ref().is_some_and(|file| file.content.is_err());
        Self {
            target: Some(target),
            found: Found { source: texts.source(), arguments, file, notes: Vec::new() },
            is_made: false,
            lacks_authorities,
            unfinished: None,
        }
    }

    /// By an AuthenticationConfiguration that stands in something else, or comes to the same.
    fn made(target: Target, configuration: &Value, texts: &Texts<'_>) -> Self {
        let text = serde_json::to_string_pretty(configuration).unwrap_or_default();
        Self { is_made: true, ..Self::of_file(Some(target), text, texts) }
    }

    fn of_file(target: Option<Target>, text: String, texts: &Texts<'_>) -> Self {
        let path = texts.source();
        let arguments = Arguments::of_pairs([("authentication-config".to_owned(), path.clone())]);
        Self {
            target,
            found: Found {
                source: path.clone(),
                arguments,
                file: Some(FoundFile { path, content: Ok(text) }),
                notes: Vec::new(),
            },
            is_made: false,
            lacks_authorities: false,
            unfinished: None,
        }
    }
}

/// An AuthenticationConfiguration by itself.
fn bare(texts: &Texts<'_>) -> Option<Configuration> {
    texts.kind("AuthenticationConfiguration")?;
    let is_one = |text: &&&str| {
        text.contains("kind: AuthenticationConfiguration") || text.contains("\"AuthenticationConfiguration\"")
    };
    let text = texts.files.iter().map(|(_, text)| text).find(is_one)?;
    Some(Configuration::of_file(None, (*text).to_owned(), texts))
}

/// An AuthenticationConfiguration with these issuers.
fn with_issuers(jwt: &[Value]) -> Value {
    json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": jwt})
}

/// What was given.
struct Texts<'a> {
    files: &'a [(&'a str, &'a str)],
    /// Everything in them, without the lists around.
    documents: Vec<Value>,
}

impl<'a> Texts<'a> {
    fn new(files: &'a [(&'a str, &'a str)]) -> Self {
        let mut documents = Vec::new();
        for (_, text) in files {
            for document in serde_saphyr::from_multiple::<Value>(text).unwrap_or_default() {
                flatten(document, &mut documents);
            }
        }
        Self { files, documents }
    }

    /// The names of the files.
    fn source(&self) -> String {
        self.files.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn kind(&self, kind: &str) -> Option<&Value> {
        self.documents.iter().find(|document| document["kind"] == kind)
    }

    /// The first document with something at this path, and that.
    fn at(&self, path: &str) -> Option<&Value> {
        self.documents.iter().find_map(|document| document.pointer(path))
    }

    /// The text of a file: one that was given by its own name, or is in a ConfigMap that was given.
    fn file(&self, path: &str) -> Option<String> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let own = self.files.iter().find(|(given, _)| given.rsplit('/').next() == Some(name));
        own.map(|(_, text)| (*text).to_owned()).or_else(|| self.config_map(None, name))
    }

    /// What a ConfigMap has under a key; of whatever name, if none is given.
    fn config_map(&self, name: Option<&str>, key: &str) -> Option<String> {
        let maps = self.documents.iter().filter(|document| document["kind"] == "ConfigMap");
        let mut named = maps.filter(|map| name.is_none_or(|name| map["metadata"]["name"] == name));
        named.find_map(|map| map["data"][key].as_str().map(str::to_owned))
    }
}

/// The items of lists, of Kubernetes' kind and of JSON's.
fn flatten(document: Value, into: &mut Vec<Value>) {
    match document {
        Value::Array(items) => items.into_iter().for_each(|item| flatten(item, into)),
        Value::Object(mut fields) if fields.get("kind").and_then(Value::as_str) == Some("List") => {
            if let Some(items) = fields.remove("items") {
                flatten(items, into);
            }
        }
        other => into.push(other),
    }
}

/// A text, or several.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// As an argument says it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn decoded(base64: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(base64.trim()).ok()?).ok()
}

#[cfg(test)]
mod tests;
