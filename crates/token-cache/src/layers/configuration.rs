//! The person's configuration file: defaults for all calls, and profiles for some.
//!
//! ```yaml
//! defaults:
//!   oidc-extra-scope: [email, groups]
//! profiles:
//!   work:
//!     oidc-client-secret-file: ~/.config/kubesso/work.secret
//!     oidc-auth-request-extra-params: {login_hint: dev@example.com}
//! ```
//!
//! This is its meaning only. Who reads the text as YAML is the caller's choice: a program that must stay small leaves
//! it to another.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::CONFIGURATION_VARIABLE;
use super::flags::Flags;
use crate::error::Error;
use crate::surroundings::Surroundings;
use crate::values::expand_home;

/// Flags by their names, without dashes in front.
pub(super) type Settings = BTreeMap<String, Setting>;

/// What a file says of one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// Nothing behind the colon: the flag is left as it is.
    Nothing,
    Text(String),
    List(Vec<String>),
    Pairs(BTreeMap<String, String>),
}

/// The configuration file.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Where it was read.
    pub(super) path: PathBuf,
    pub(super) defaults: Settings,
    pub(super) profiles: BTreeMap<String, Settings>,
    /// Members of the file that mean nothing.
    unknown: Vec<String>,
}

/// The file's text, and where it was.
#[derive(Clone, Debug)]
pub struct ConfigurationText {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

impl ConfigurationText {
    /// Reads the file: the one that `KUBELOGIN_CONFIG` names, which must be there, or the usual one, which need not.
    pub fn read(surroundings: &Surroundings) -> Result<Option<Self>, Error> {
        let named = surroundings.variable(CONFIGURATION_VARIABLE).filter(|path| !path.is_empty());
        let must_be_there = named.is_some();
        let home = surroundings.home.as_deref();
        let path = match named {
            Some(path) => Some(expand_home(Path::new(&path), home)),
            None => usual_path(surroundings),
        };
        let Some(path) = path else { return Ok(None) };
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self { path, text })),
            Err(error) if !must_be_there && is_absence(&error) => Ok(None),
            Err(error) => Err(Error::Configuration { path, problem: error.to_string() }),
        }
    }
}

/// No file, no directory, or no directory where one is looked for.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Where each system keeps such files.
fn usual_path(surroundings: &Surroundings) -> Option<PathBuf> {
    let set = |name| surroundings.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("XDG_CONFIG_HOME").or_else(|| {
        let home = surroundings.home.as_deref()?;
        Some(match std::env::consts::OS {
            "macos" => home.join("Library/Application Support"),
            "windows" => set("APPDATA").unwrap_or_else(|| home.join("AppData/Roaming")),
            _ => home.join(".config"),
        })
    })?;
    Some(directory.join("kubesso").join("oidc-login.yaml"))
}

impl Configuration {
    /// Makes sense of a file that `read` (a YAML reader) turned into values; `read` says what is wrong otherwise.
    pub fn new(
        file: ConfigurationText,
        read: impl FnOnce(&str) -> Result<Value, String>,
    ) -> Result<Self, Error> {
        let ConfigurationText { path, text } = file;
        let wrong = |problem: String| Error::Configuration { path: path.clone(), problem };
        let value = read(&text).map_err(wrong)?;
        let parts = match value {
            // An empty file.
            Value::Null => BTreeMap::new(),
            value => BTreeMap::<String, Value>::deserialize(value)
                .map_err(|_| wrong("it must have the members defaults and profiles".to_owned()))?,
        };
        let mut configuration = Self {
            path: path.clone(),
            defaults: Settings::new(),
            profiles: BTreeMap::new(),
            unknown: Vec::new(),
        };
        for (name, value) in parts {
            match name.as_str() {
                "defaults" => configuration.defaults = settings("defaults", value).map_err(wrong)?,
                "profiles" => {
                    let profiles = members("profiles", value).map_err(wrong)?;
                    for (name, value) in profiles {
                        let settings = settings(&format!("the profile {name:?}"), value).map_err(wrong)?;
                        configuration.profiles.insert(name, settings);
                    }
                }
                _ => configuration.unknown.push(name),
            }
        }
        Ok(configuration)
    }

    /// One line for each name that means nothing.
    pub(super) fn unknown_names(&self, known: &Flags) -> Vec<String> {
        let path = self.path.display();
        let top = self.unknown.iter().map(|name| {
            format!("{path} has a member {name:?}, which means nothing; flags go under defaults, or under profiles")
        });
        let settings = self.profiles.values().chain([&self.defaults]);
        let flags = settings.flat_map(BTreeMap::keys).filter(|name| !known.has(name)).map(|name| {
            let near = known.nearest(name).map(|near| format!("; is {near} meant?")).unwrap_or_default();
            format!("{path} sets {name:?}, and no flag is called --{name}{near}")
        });
        top.chain(flags).collect()
    }
}

fn members(what: &str, value: Value) -> Result<BTreeMap<String, Value>, String> {
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(members) => Ok(members.into_iter().collect()),
        _ => Err(format!("{what} must be a map")),
    }
}

fn settings(what: &str, value: Value) -> Result<Settings, String> {
    let setting = |(name, value): (String, Value)| {
        let wrong =
            || format!("{name} in {what} must be a text, a number, true, false, or a list or map of them");
        let setting = match value {
            Value::Null => Setting::Nothing,
            Value::Array(items) => {
                Setting::List(items.iter().map(scalar).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            Value::Object(pairs) => {
                let pair = |(name, value): (&String, &Value)| Some((name.clone(), scalar(value)?));
                Setting::Pairs(pairs.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            value => Setting::Text(scalar(&value).ok_or_else(wrong)?),
        };
        // A flag may be written with its dashes.
        Ok((name.trim_start_matches('-').to_owned(), setting))
    };
    members(what, value)?.into_iter().map(setting).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
